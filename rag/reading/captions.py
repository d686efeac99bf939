"""Captions: the lines that begin one, how far it goes, and what only looks like one.

"Fig. 1 and 2 show" at the beginning of a line is no caption: a caption has an end mark after its
number, or its label in bold, and begins where nothing goes on from the line before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.reading.glyphs import Box, Line
    from rag.reading.sheets import Sheet

_LABEL = re.compile(
    r"(?P<label>(?:(?:Supplementary|Extended Data)\s+)?"
    r"(?P<word>Figure|FIGURE|Fig\.?|FIG\.?|Scheme|SCHEME|Plate|PLATE|Micrograph|Abb\.|Table|TABLE)"
    r"\s*(?:[SA]\.?)?(?:\d{1,3}(?:\.\d{1,3})?|(?<=(?:LE|le)\s)[IVX]{1,5})(?:[a-z]\b)?)"
    r"(?P<end>\s*(?:[.:|](?!\d)|[—–](?!\s*\d)|\s-\s))?\s*(?P<rest>.*)"
)
_STOPS = (".", "!", "?", ":", ";", ")")
_LONGEST = 40
#: How near an image must be, in points, to make a caption of a doubtful line.
_NEAR = 40.0


@dataclass(frozen=True, slots=True)
class Caption:
    """`label` as printed ("Fig. 3"), `text` with it, `is_figure` False for a table's."""

    label: str
    lines: tuple[Line, ...]
    is_figure: bool

    @property
    def box(self) -> Box:
        return (
            min(line.left for line in self.lines),
            min(line.top for line in self.lines),
            max(line.right for line in self.lines),
            max(line.bottom for line in self.lines),
        )


def is_label(text: str) -> bool:
    """Whether a line begins as a caption may."""
    return _LABEL.match(text) is not None


def captions_of(sheet: Sheet, pictures: Sequence[Box], body: float) -> list[Caption]:
    """The captions of a page, in reading order; `pictures` are boxes of what may be a figure."""
    found: list[Caption] = []
    lines = sheet.lines
    index = 0
    taken = -1
    while index < len(lines):
        match = _LABEL.match(lines[index].text)
        if match is None or not _begins(lines, index, match, pictures, body, taken):
            index += 1
            continue
        end = _end(lines, index)
        is_figure = not match["word"].lower().startswith("tab")
        label = " ".join(match["label"].split())
        found.append(Caption(label, tuple(lines[index:end]), is_figure))
        index = end
        taken = end - 1
    return found


def _begins(
    lines: Sequence[Line],
    index: int,
    match: re.Match[str],
    pictures: Sequence[Box],
    body: float,
    taken: int,
) -> bool:
    line, rest = lines[index], match["rest"]
    marked = match["end"] is not None
    # Springer's way: the label in bold, then no mark.
    styled = bool(line.lead) and match["label"].startswith(line.lead.rstrip(".:|"))
    if not marked and not styled:
        # A table's number may stand alone over its title.
        return match["word"].lower() == "table" and not rest and _apart(lines, index)
    near = any(_is_near(line, box) for box in pictures)
    if rest[:1].islower() and not (near and marked):
        return False  # "Figure 2. shows"
    if index == 0 or taken == index - 1 or styled:
        return True
    before = lines[index - 1]
    if abs(line.size - body) > 0.04 * body and abs(line.size - before.size) > 0.04 * body:
        return True
    ended = before.text.endswith(_STOPS)
    if before.column == line.column:
        return _apart(lines, index) and (ended or near or _far(before, line))
    return ended or near


def _apart(lines: Sequence[Line], index: int) -> bool:
    """Whether a line does not follow at once upon the one before it."""
    if index == 0 or lines[index - 1].column != lines[index].column:
        return True
    before, line = lines[index - 1], lines[index]
    usual = 1.25 * max(line.size, before.size)
    if index + 1 < len(lines) and lines[index + 1].column == line.column:
        usual = max(usual, 1.1 * min(lines[index + 1].base - line.base, 3 * line.size))
    return line.base - before.base > usual or line.base < before.base


def _far(before: Line, line: Line) -> bool:
    return line.top - before.bottom > 1.5 * line.size


def _is_near(line: Line, box: Box) -> bool:
    overlap = min(line.right, box[2]) - max(line.left, box[0])
    if overlap < 0.3 * min(line.right - line.left, box[2] - box[0]):
        return False
    return -6 < line.top - box[3] < _NEAR or -6 < box[1] - line.bottom < 3 * _NEAR


def _end(lines: Sequence[Line], start: int) -> int:
    """The number of the line after a caption's last."""
    first = lines[start]
    usual = 1.5 * first.size
    index = start + 1
    while index < len(lines) and index - start < _LONGEST:
        above, line = lines[index - 1], lines[index]
        step = line.base - above.base
        if line.column != first.column or not 0 < step <= usual:
            # The last, short line of a caption over both columns is read as one of the left.
            wide = above.right - above.left > 1.5 * (line.right - line.left)
            if not (line.column == above.column + 1 and wide and 0 < step <= usual):
                break
            if abs(line.left - above.left) > line.size:
                break
        if abs(line.size - first.size) > 0.06 * first.size or _LABEL.match(line.text):
            break
        if line.bold and not above.bold:
            break
        if index == start + 1:
            usual = min(usual, 1.2 * step)
        index += 1
    return index
