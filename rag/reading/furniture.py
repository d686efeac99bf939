"""Running heads, running feet and page numbers, taken off the pages.

What returns at the same height on several pages, but for its digits, is furniture, and so are a
number alone at the edge of a page and one line far from all others there: in a short paper
nothing returns.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from rag.reading.captions import is_label
from rag.reading.sheets import body_size

if TYPE_CHECKING:
    from rag.reading.glyphs import Line
    from rag.reading.sheets import Sheet

#: How much of a page's height, at either end, may hold furniture, and how many lines.
_EDGE = 0.13
_LINES = 4
#: Pages that are looked at on either side of one: heads change with the chapter.
_REACH = 6
_NUMBER = re.compile(
    r"(?:[-–—|]\s*)?(?:(?:page|p\.|seite)\s*)?(?:[A-Z]?\d{1,5}|[ivxlc]{1,6})"
    r"(?:\s*(?:of|/|von)\s*\d{1,5})?(?:\s*[-–—|])?",
    re.IGNORECASE,
)


def taken_off(sheets: list[Sheet]) -> list[Sheet]:
    """The same sheets with their furniture removed; the removed lines are dropped for good."""
    #: {form of a line: {page: heights at which it stands there}}
    places: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    edges = [_edges(sheet) for sheet in sheets]
    for sheet, lines in zip(sheets, edges, strict=True):
        for line in lines:
            places[_form(line)][sheet.number].append(line.base)
    body = body_size(sheets)
    for sheet, lines in zip(sheets, edges, strict=True):
        gone = {
            id(line)
            for line in lines
            if _is_furniture(sheet, line, places[_form(line)]) or _is_alone(sheet, line, body)
        }
        if gone:
            sheet.lines = [line for line in sheet.lines if id(line) not in gone]
    return sheets


def _edges(sheet: Sheet) -> list[Line]:
    top, bottom = _EDGE * sheet.height, (1 - _EDGE) * sheet.height
    by_height = sorted(sheet.lines, key=lambda line: line.base)
    head = [line for line in by_height[:_LINES] if line.bottom < top]
    return head + [line for line in by_height[-_LINES:] if line.top > bottom]


def _form(line: Line) -> str:
    return re.sub(r"\d+", "#", line.text.casefold())


def _is_furniture(sheet: Sheet, line: Line, places: dict[int, list[float]]) -> bool:
    if _NUMBER.fullmatch(line.text.strip()):
        return True
    around = range(sheet.number - _REACH, sheet.number + _REACH + 1)
    alike = sum(
        any(abs(base - line.base) < 4 for base in places[number])
        for number in around
        if number in places
    )
    return alike >= 2


def _is_alone(sheet: Sheet, line: Line, body: float) -> bool:
    """Whether a line, none larger than the text's, stands at the very edge and far from others."""
    if line.size > 1.02 * body or len(line.text.split()) > 20 or is_label(line.text):
        return False
    others = [other for other in sheet.lines if abs(other.base - line.base) > 0.5 * line.size]
    if not others:
        return False
    above = [line.top - other.bottom for other in others if other.base < line.base]
    below = [other.top - line.bottom for other in others if other.base > line.base]
    edge = min(line.top, sheet.height - line.bottom) < 0.09 * sheet.height
    outermost = not above or not below
    return edge and outermost and min([*above, *below]) > 1.2 * body
