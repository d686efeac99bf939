"""The characters of a PDF page as pieces of lines, upright and measured from the top left corner.

Speaks PDFium's text calls; knows nothing of columns, headings or captions.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Box = tuple[float, float, float, float]

#: A page with more characters than this is no page of a paper: what follows is not read.
MOST_CHARACTERS = 60_000
_BOLD = re.compile(r"bold|black|heavy|demi|-bd\b|cmbx|medi\b", re.IGNORECASE)
_LIGATURES = {
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st",
    "\u00ad": "-", "\u0002": "-", "\ufffe": "-", "\u00a0": " ", "\u2010": "-", "\u2011": "-",
}  # fmt: skip


@dataclass(slots=True)
class Line:
    """Words side by side; lengths in points from the top left corner of the upright page.

    `size` is that of most of its letters, `base` the height of their feet; `bold` says whether
    all are bold, `lead` holds the words at its beginning that alone are bold.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    base: float
    size: float
    bold: bool = False
    lead: str = ""
    column: int = 0

    @property
    def box(self) -> Box:
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, slots=True)
class Frame:
    """From the coordinates of a PDF page to those of the page as read, and back to as shown.

    `bounds` is the visible box in PDF coordinates; `rotation` how far the page is turned when it
    is shown, `turn` how far again until its words stand upright, in clockwise quarters.
    """

    bounds: Box
    rotation: int
    turn: int = 0

    @property
    def shown(self) -> tuple[float, float]:
        """Width and height of the page as shown."""
        left, bottom, right, top = self.bounds
        return (top - bottom, right - left) if self.rotation % 2 else (right - left, top - bottom)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the page as read."""
        width, height = self.shown
        return (height, width) if self.turn % 2 else (width, height)

    def upright(self, box: Box) -> Box:
        """A (left, bottom, right, top) of the PDF as (left, top, right, bottom) as read."""
        left, bottom, right, top = self.bounds
        moved = (box[0] - left, top - box[3], box[2] - left, top - box[1])
        return _turned(moved, right - left, top - bottom, self.rotation + self.turn)

    def as_shown(self, box: Box) -> Box:
        """A box of the page as read on the page as shown."""
        width, height = self.size
        return _turned(box, width, height, -self.turn)


def _turned(box: Box, width: float, height: float, quarters: int) -> Box:
    for _ in range(quarters % 4):
        box = (height - box[3], box[0], height - box[1], box[2])
        width, height = height, width
    return box


@dataclass(slots=True)
class _Word:
    text: str
    box: Box
    base: float
    size: float
    bold: bool
    letters: int


def lines_of(page: Any, textpage: Any) -> tuple[Frame, list[Line]]:
    """The frame of a page and the pieces of its lines, in the order of the file.

    Words that stand askew to most of the page (stamps in a margin, axis titles) are left out.
    """
    frame = Frame(tuple(page.get_bbox()), page.get_rotation() // 90)
    found = list(_characters(textpage))
    if not found:
        return frame, []
    quarters = Counter(style[2] for _sign, _box, _base, style in found if style[2] is not None)
    if not quarters:
        return frame, []
    upwards = quarters.most_common(1)[0][0]
    # Words that run upwards by n quarters of the PDF are turned clockwise by n, less what the
    # page is turned already.
    frame = Frame(frame.bounds, frame.rotation, (upwards - frame.rotation) % 4)
    return frame, _joined(_words(found, frame, upwards))


def _characters(textpage: Any) -> Iterator[tuple[str, Box, tuple[float, float], Any]]:
    """(sign, box, foot, (size, bold, quarter)) of each; a space has the sign " "."""
    import pypdfium2.raw as raw

    box, matrix = raw.FS_RECTF(), raw.FS_MATRIX()
    across, up = ctypes.c_double(), ctypes.c_double()
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    last, style = None, (0.0, False, None)
    high = 0
    for index in range(min(textpage.count_chars(), MOST_CHARACTERS)):
        code = raw.FPDFText_GetUnicode(textpage, index)
        # UTF-16 halves on systems that give them apart
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
        high = 0
        sign = chr(code)
        if raw.FPDFText_IsGenerated(textpage, index) == 1:
            if sign == " ":
                yield " ", (0, 0, 0, 0), (0, 0), style
            continue
        piece = raw.FPDFText_GetTextObject(textpage, index)
        address = ctypes.cast(piece, ctypes.c_void_p).value
        if address != last:
            last = address
            style = _style(raw, textpage, index, matrix, name, flags)
        if not raw.FPDFText_GetLooseCharBox(textpage, index, box):
            continue
        raw.FPDFText_GetCharOrigin(textpage, index, across, up)
        sign = _LIGATURES.get(sign, sign)
        yield sign, (box.left, box.bottom, box.right, box.top), (across.value, up.value), style


def _style(
    raw: Any, textpage: Any, index: int, matrix: Any, name: Any, flags: Any
) -> tuple[float, bool, int | None]:
    raw.FPDFText_GetMatrix(textpage, index, matrix)
    size = raw.FPDFText_GetFontSize(textpage, index) * math.hypot(matrix.c, matrix.d)
    raw.FPDFText_GetFontInfo(textpage, index, name, 128, flags)
    bold = bool(_BOLD.search(name.value.decode("utf-8", "replace")))
    bold = bold or raw.FPDFText_GetFontWeight(textpage, index) >= 600
    angle = math.degrees(math.atan2(matrix.b, matrix.a)) / 90
    quarter = round(angle) % 4 if abs(angle - round(angle)) < 0.06 else None
    return size, bold, quarter


def _words(found: list[Any], frame: Frame, upwards: int) -> Iterator[_Word | None]:
    """Words in the order of the file; signs that touch belong together, on their line or off it."""
    word: _Word | None = None
    for sign, pdf_box, foot, (size, bold, quarter) in found:
        if quarter != upwards or sign.isspace() or not sign.isprintable():
            if word is not None:
                yield word
                word = None
            continue
        box = frame.upright(pdf_box)
        base = frame.upright((*foot, *foot))[1]
        if word is not None and _touches(word, box, size):
            word.text += sign
            word.box = _union(word.box, box)
            word.letters += 1
            if size > word.size * 1.05:
                word.size, word.base = size, base
            word.bold = word.bold and bold
            continue
        if word is not None:
            yield word
        word = _Word(sign, box, base, size, bold, 1)
    if word is not None:
        yield word


def _touches(word: _Word, box: Box, size: float) -> bool:
    gap = box[0] - word.box[2]
    least = min(word.size, size)
    return -0.5 * least < gap < 0.14 * max(word.size, size) and _beside(word.box, box)


def _beside(one: Box, other: Box) -> bool:
    """Whether two boxes share most of the lower one's height."""
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return shared > 0.5 * min(one[3] - one[1], other[3] - other[1])


def _union(one: Box, other: Box) -> Box:
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _joined(words: Iterator[_Word | None]) -> list[Line]:
    """Pieces of lines: words side by side with less than the gap between two columns."""
    pieces: list[list[_Word]] = []
    for word in words:
        assert word is not None
        last = pieces[-1][-1] if pieces else None
        if last is not None and _beside(last.box, word.box):
            gap = word.box[0] - last.box[2]
            if -0.3 * word.size < gap < 0.9 * max(last.size, word.size):
                pieces[-1].append(word)
                continue
        pieces.append([word])
    return [_line(piece) for piece in pieces]


def _line(words: list[_Word]) -> Line:
    box = words[0].box
    sizes: Counter[float] = Counter()
    for word in words:
        box = _union(box, word.box)
        sizes[round(word.size, 1)] += word.letters
    size = sizes.most_common(1)[0][0]
    main = max(words, key=lambda word: (round(word.size, 1) == size, word.letters))
    bold = all(word.bold for word in words)
    lead = []
    for word in words:
        if not word.bold or bold:
            break
        lead.append(word.text)
    return Line(" ".join(word.text for word in words), *box, main.base, size, bold, " ".join(lead))


def merged(lines: list[Line]) -> Line:
    """Pieces of one line, left to right, as one."""
    if len(lines) == 1:
        return lines[0]
    lines = sorted(lines, key=lambda line: line.left)
    box = lines[0].box
    for line in lines[1:]:
        box = _union(box, line.box)
    main = max(lines, key=lambda line: len(line.text))
    bold = all(line.bold for line in lines)
    lead = []
    for line in lines if not bold else ():
        lead.append(line.text if line.bold else line.lead)
        if not line.bold:
            break
    text = " ".join(line.text for line in lines)
    return Line(text, *box, main.base, main.size, bold, " ".join(part for part in lead if part))
