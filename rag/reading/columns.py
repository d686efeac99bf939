"""The reading order of a page: pieces of lines gathered into columns, wide lines between them.

Knows boxes of text, not PDFs. A column is found where many lines face each other over an empty
strip; what crosses the strip (a title, a wide caption) parts the page into bands that are read one
after the other, each column from top to bottom.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import TYPE_CHECKING

from rag.reading.glyphs import Line, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Lines that must face each other before there are two columns.
_FACING = 4
_NARROWEST_GUTTER = 7.0
_SHORT = 30.0
_NARROWEST_COLUMN = 0.18
#: More pieces in a row than three columns have: a row of a table, or numbers along an axis.
_MOST_PIECES = 3


def usual_gutters(pages: Sequence[tuple[Sequence[Line], float]]) -> tuple[float, ...]:
    """The gutters that some of the pages have, from (pieces, width) of each page.

    Few are enough: a page of one column does not take what its lines cross.
    """
    places = sorted(place for pieces, width in pages for place in _gutters(pieces, width, 2))
    groups: list[list[float]] = []
    for place in places:
        if groups and place - groups[-1][-1] < 12:
            groups[-1].append(place)
        else:
            groups.append([place])
    return tuple(statistics.median(group) for group in groups if len(group) >= 0.15 * len(pages))


def _gutters(pieces: Sequence[Line], width: float, depth: int) -> list[float]:
    """The gutters of a page and, where there are three columns, that of one side."""
    gutter = _gutter(pieces, width)
    if gutter is None:
        return []
    found = [gutter]
    if depth > 1:
        found += _gutters([p for p in pieces if p.right <= gutter], width, depth - 1)
        found += _gutters([p for p in pieces if p.left >= gutter], width, depth - 1)
    return found


def in_order(pieces: Sequence[Line], width: float, usual: Sequence[float] = ()) -> list[Line]:
    """The lines of a page in the order in which they are read; `column` numbers the columns.

    `usual` are the gutters of the other pages: they hold for a page whose columns hardly face
    each other, such as a last one, if little crosses them.
    """
    lines: list[Line] = []
    for number, column in enumerate(_ordered(list(pieces), width, 3, usual)):
        for line in _rows(column):
            line.column = number
            lines.append(line)
    return lines


def _borrowed(pieces: Sequence[Line], usual: Sequence[float]) -> float | None:
    for gutter in usual:
        left = sum(piece.right <= gutter for piece in pieces)
        right = sum(piece.left >= gutter for piece in pieces)
        if min(left, right) > 0 and len(pieces) - left - right < 0.3 * len(pieces):
            return gutter
    return None


def _ordered(
    pieces: list[Line], width: float, depth: int, usual: Sequence[float]
) -> list[list[Line]]:
    """Columns in reading order; each is looked at for columns within it."""
    gutter = (_gutter(pieces, width) or _borrowed(pieces, usual)) if depth else None
    if gutter is None:
        return [pieces] if pieces else []
    crossing = sorted((p for p in pieces if p.left < gutter < p.right), key=lambda p: p.top)
    crossed = {id(piece) for piece in crossing}
    rest = sorted((p for p in pieces if id(p) not in crossed), key=lambda p: p.top)
    found: list[list[Line]] = []
    place = 0
    wide: list[Line] = []
    for bar in [*crossing, None]:
        band = []
        while place < len(rest) and (bar is None or _middle(rest[place]) < bar.bottom):
            # A piece on a wide line's own height belongs to that line.
            if bar is not None and _middle(rest[place]) > bar.top:
                wide.append(rest[place])
            else:
                band.append(rest[place])
            place += 1
        if band:
            if wide_before := [line for line in wide if line.top < band[0].top]:
                found.append(wide_before)
                wide = [line for line in wide if line.top >= band[0].top]
            left = [piece for piece in band if piece.right <= gutter]
            right = [piece for piece in band if piece.right > gutter]
            for side in (left, right):
                found.extend(_ordered(side, width, depth - 1, usual))
        if bar is not None:
            wide.append(bar)
    if wide:
        found.append(wide)
    return found


def _middle(line: Line) -> float:
    return (line.top + line.bottom) / 2


def _gutter(pieces: Sequence[Line], width: float) -> float | None:
    """The middle of the empty strip over which most lines face each other; None without one."""
    if len(pieces) < 2 * _FACING:
        return None
    votes: Counter[int] = Counter()
    least = _NARROWEST_COLUMN * width
    by_row = sorted(pieces, key=_middle)
    for index, piece in enumerate(by_row):
        nearest: Line | None = None
        # Neighbours in height: rows are sorted, and a row holds few pieces.
        for other in _around(by_row, index, piece):
            if other.left >= piece.right and (nearest is None or other.left < nearest.left):
                nearest = other
        if nearest is None:
            continue
        gap = nearest.left - piece.right
        if gap < _NARROWEST_GUTTER:
            continue
        reach, before = _reach(by_row, index, piece, leftwards=True)
        reach_on, behind = _reach(by_row, index, nearest, leftwards=False)
        if min(reach, reach_on) < least or before + behind > _MOST_PIECES:
            continue
        votes.update(range(math.ceil(piece.right), math.floor(nearest.left) + 1))
    if not votes:
        return None
    most = max(votes.values())
    if most < _FACING:
        return None
    best = [x for x, count in votes.items() if count >= 0.9 * most]
    # A page number may stand in the middle of a gutter.
    long = [p for p in pieces if p.right - p.left > _SHORT]
    # Of the places that most lines face each other over, the middle of those that least crosses.
    ranked = sorted((sum(p.left < x < p.right for p in long), x) for x in sorted(best))
    fewest = ranked[0][0]
    clear = sorted(x for crossing, x in ranked if crossing == fewest)
    return _longest_run_middle(clear)


def _around(rows: Sequence[Line], index: int, piece: Line) -> list[Line]:
    found = []
    for step in (-1, 1):
        place = index + step
        while 0 <= place < len(rows) and abs(_middle(rows[place]) - _middle(piece)) < 0.8 * max(
            piece.bottom - piece.top, 1.0
        ):
            found.append(rows[place])
            place += step
    return found


def _reach(rows: Sequence[Line], index: int, piece: Line, *, leftwards: bool) -> tuple[float, int]:
    """The width of the text on one side of the strip, `piece` nearest to it; and its pieces.

    Lines of two columns seldom stand at one height: pieces above each other count as one.
    """
    spans = [(piece.left, piece.right)]
    for other in _around(rows, index, piece):
        if (leftwards and other.right <= piece.right) or (
            not leftwards and other.left >= piece.left
        ):
            spans.append((other.left, other.right))
    spans.sort()
    count, end = 0, -math.inf
    for left, right in spans:
        count += left >= end
        end = max(end, right)
    return end - spans[0][0], count


def _longest_run_middle(places: list[int]) -> float:
    best, start = (0, 0.0), 0
    for index in range(1, len(places) + 1):
        if index == len(places) or places[index] != places[index - 1] + 1:
            length = index - start
            best = max(best, (length, (places[start] + places[index - 1]) / 2))
            start = index
    return best[1]


def _rows(pieces: list[Line]) -> list[Line]:
    """Pieces of one column as whole lines from top to bottom."""
    rows: list[list[Line]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.base, piece.left)):
        if rows:
            last = rows[-1]
            height = max(piece.size, last[0].size)
            if abs(piece.base - last[0].base) < 0.45 * height and all(
                piece.left >= other.right - 0.4 * height or piece.right <= other.left + 0.4 * height
                for other in last
            ):
                last.append(piece)
                continue
        rows.append([piece])
    return [merged(row) for row in rows]
