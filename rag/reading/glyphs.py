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
_LARGEST_SIZE = 2000.0
_FAR = 100_000.0
_BOLD = re.compile(r"bold|black|heavy|demi|-bd\b|(?:cm|sf|ec)bx|medi\b", re.IGNORECASE)
#: Ligatures and dashes; also as TeX's fonts number them where a file does not say what they are.
_SIGNS = {
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st",
    "\u00ad": "-", "\u0002": "-", "\ufffe": "-", "\u00a0": " ", "\u2010": "-", "\u2011": "-",
    "\x0b": "ff", "\x0c": "fi", "\x0d": "fl", "\x0e": "ffi", "\x0f": "ffl",
    "\x1b": "ff", "\x1c": "fi", "\x1d": "fl", "\x1e": "ffi", "\x1f": "ffl",
    "\x10": "“", "\x11": "”", "\x15": "–", "\x16": "—",
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
    count = min(textpage.count_chars(), MOST_CHARACTERS)
    styles = _Styles(textpage)
    # A few hundred signs tell how most of the words run.
    sampled = (styles.at(index)[2] for index in range(0, count, max(1, count // 300)))
    quarters = Counter(quarter for quarter in sampled if quarter is not None)
    if not quarters:
        return frame, []
    upwards = quarters.most_common(1)[0][0]
    # Words that run upwards by n quarters of the PDF are turned clockwise by n, less what the
    # page is turned already.
    frame = Frame(frame.bounds, frame.rotation, (upwards - frame.rotation) % 4)
    return frame, _joined(_words(textpage, count, styles, frame, upwards))


class _Styles:
    """(size, bold, quarter turn) of single signs, remembered for the text object they stand in."""

    def __init__(self, textpage: Any) -> None:
        import pypdfium2.raw as raw

        self._raw = raw
        self._textpage = textpage.raw
        self._matrix = raw.FS_MATRIX()
        self._name, self._flags = ctypes.create_string_buffer(128), ctypes.c_int()
        self._last: int | None = None
        self._style: tuple[float, bool, int | None] = (0.0, False, None)

    def at(self, index: int) -> tuple[float, bool, int | None]:
        raw, textpage, matrix = self._raw, self._textpage, self._matrix
        piece = ctypes.cast(raw.FPDFText_GetTextObject(textpage, index), ctypes.c_void_p).value
        if piece is None:
            return 0.0, False, None  # a sign that PDFium has put in between
        if piece == self._last:
            return self._style
        self._last = piece
        raw.FPDFText_GetMatrix(textpage, index, matrix)
        size = raw.FPDFText_GetFontSize(textpage, index) * math.hypot(matrix.c, matrix.d)
        raw.FPDFText_GetFontInfo(textpage, index, self._name, 128, self._flags)
        bold = bool(_BOLD.search(self._name.value.decode("utf-8", "replace")))
        bold = bold or raw.FPDFText_GetFontWeight(textpage, index) >= 600
        quarter = None
        angle = math.degrees(math.atan2(matrix.b, matrix.a)) / 90
        # A file may hold any number, and none.
        if math.isfinite(angle) and 0 < size < _LARGEST_SIZE:
            quarter = round(angle) % 4 if abs(angle - round(angle)) < 0.06 else None
        self._style = size, bold, quarter
        return self._style


def _words(
    textpage: Any, count: int, styles: _Styles, frame: Frame, upwards: int
) -> Iterator[_Word]:
    """Words in the order of the file; signs that touch belong together, on their line or off it.

    Each call of PDFium costs: the style is asked for where a word begins or its height changes.
    """
    import pypdfium2.raw as raw

    handle = textpage.raw
    unicode_of, box_of, is_made = (
        raw.FPDFText_GetUnicode,
        raw.FPDFText_GetLooseCharBox,
        raw.FPDFText_IsGenerated,
    )
    told = raw.FS_RECTF()
    across, up = ctypes.c_double(), ctypes.c_double()
    upright = frame.upright
    left, _bottom, _right, top = frame.bounds
    plain = (frame.rotation + frame.turn) % 4 == 0
    word: _Word | None = None
    high = 0
    height = 0.0
    style: tuple[float, bool, int | None] = (0.0, False, None)
    for index in range(count):
        code = unicode_of(handle, index)
        # UTF-16 halves on systems that give them apart
        if 0xD800 <= code < 0xE000:
            if code < 0xDC00:
                high = code
                continue
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
            high = 0
        sign = chr(code)
        if code < 0x20 and is_made(handle, index) == 1:
            sign = " "  # the end of a line, as PDFium sees it
        sign = _SIGNS.get(sign, sign)
        if (
            sign.isspace()
            or not sign.isprintable()
            or (sign == "-" and is_made(handle, index) == 1)
        ):
            if word is not None:
                yield word
                word = None
            continue
        if not box_of(handle, index, told):
            continue
        if plain:
            box = (told.left - left, top - told.top, told.right - left, top - told.bottom)
        else:
            box = upright((told.left, told.bottom, told.right, told.top))
        if not (-_FAR < box[0] <= box[2] < _FAR and -_FAR < box[1] <= box[3] < _FAR):
            continue
        if word is None or abs(box[3] - box[1] - height) > 0.02 or code == 0xFFFD:
            style = styles.at(index)
            height = box[3] - box[1]
        size, bold, quarter = style
        if quarter != upwards:
            if word is not None:
                yield word
                word = None
            continue
        if word is not None and _touches(word, box, size):
            word.text += sign
            word.box = _union(word.box, box)
            word.letters += 1
            if size > word.size * 1.05:
                word.size = size
                raw.FPDFText_GetCharOrigin(handle, index, across, up)
                word.base = upright((across.value, up.value, across.value, up.value))[1]
            word.bold = word.bold and bold
            continue
        if word is not None:
            yield word
            style = size, bold, quarter = styles.at(index)
            if quarter != upwards:
                word = None
                continue
        raw.FPDFText_GetCharOrigin(handle, index, across, up)
        base = upright((across.value, up.value, across.value, up.value))[1]
        word = _Word(sign, box, base, size, bold, 1)
    if word is not None:
        yield word


def _touches(word: _Word, box: Box, size: float) -> bool:
    gap = box[0] - word.box[2]
    # Letters of a ligature share one box: the second begins where the first does.
    return -1.2 * size < gap < 0.14 * max(word.size, size) and _beside(word.box, box)


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


def _joined(words: Iterator[_Word]) -> list[Line]:
    """Pieces of lines: words side by side with less than the gap between two columns."""
    pieces: list[list[_Word]] = []
    for word in words:
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
