"""The databar by its pixels: the strip of text that a microscope burned in under the specimen.

For files whose header does not tell. A bar is paper of one grey level with lines of text on it;
rows of bare paper stand between the text and the specimen; and it takes at most a quarter of the
height (`COVER`). A caption at the top is the same upside down. When in doubt there is none: a
specimen cut off is worse than a bar left in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassllava.micrograph.letters import letters_of
from glassllava.micrograph.record import Databar

Array = np.ndarray[Any, Any]

#: The share of the rows, from the edge of the frame, that must be decoded to find a bar.
COVER = 0.25
_SMALLEST = 64  # px a side: smaller pictures carry no bar
_LOWEST = 12  # px: the lowest bar that can hold text
_LOOSE_ROWS = 3  # a frame's last rows may show specimen again under the bar, or be a frame
_MARGIN = 8  # rows decoded beyond the highest bar, to see its edge
_COLUMNS = 1500  # so many, evenly spaced, tell as much as all of a wide frame
_LEVELS = 512  # of grey, in which paper of one level is looked for
_PAPER = 0.3  # every row of a bar shows at least this share of paper, text and logo included
_MEAN_PAPER = 0.55
_BARE = 0.985  # the share of paper in a row without text, beside dividers and frames
_BARE_WITH_RINGING = 0.965
_LINE = 0.95  # a divider runs across the whole width
_SLACKS = (0.0, 0.008, 0.02, 0.05)  # of the span: how far JPEG takes paper from its level
_SETTLED = 0.94  # the share of the paper that must lie within a slack, for it to be enough
_FALL = 0.35  # a larger one, which is an edge even where no row was bare
_TALLEST_CAPTION = 0.14  # of the height
_USUAL = 0.16  # of the height: higher bars want an edge that leaves no doubt
_CONTRAST = 0.2  # of the span, between paper and ink
_PEAKED = 0.8  # the share of the paper within a quarter of the slack
_PEAKED_IF_SHARP = 0.55
_SHARP = 0.6  # a fall of the share of paper over an edge that leaves no doubt
_THICKEST_LINE = 4  # rows
_DROP = 0.025  # the least share of a row over the bar that is seen to be no paper
_CROSSINGS = 6  # changes between paper and ink along a row of text
_MANY_CROSSINGS = 40  # that no dividers have
_CHANGES = 5  # pixels that change between paper and ink from one row of text to the next
_MUCH_TEXT = 30  # crossings that no lone scale bar with its label has
_WIDE_TEXT = 0.3  # of the width, or text that spans so much
_OVER = 2.2  # times the rows up to the top of the highest line, a bar is high: text stands amid it
_MOST_LINES = 4  # as high and as far apart as each other, that text has
_TALLEST_TEXT = 0.08  # of the height: higher bands of ink are no lines of text
_BLOCK_TALL, _BLOCK_WIDE, _BLOCK_FILLED = 14, 40, 0.4  # px, px, share: more than a letter
_BLOCK = 0.6  # columns of ink from top to bottom of the bar are a picture in it, not text


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the rows say, counted upwards from the edge of the frame (row 0 is the last).

    `away` is how far each pixel is from the bar's level, `paper` the share of pixels at it,
    `is_text` whether it crosses letters, `is_line` whether the row is one level that is
    not the paper's, `slack` how far from its level paper may be where JPEG left its marks.
    """

    values: Array
    away: Array
    paper: Array
    is_text: Array
    is_line: Array
    slack: float
    ink_depth: float

    def drop(self, tall: int) -> float:
        """By how much the share of paper falls over the edge of a bar."""
        below = np.median(self.paper[tall - 4 : tall])
        # Over a divider within the bar there is paper again.
        return round(float(below - np.quantile(self.paper[tall : tall + 12], 0.75)), 1)

    def differs(self, one: int, other: int) -> bool:
        """Whether two rows differ by much of what the ink differs from the paper."""
        apart = np.abs(self.values[one] - self.values[other]).mean()
        return bool(apart > 0.1 * self.away.max())


_NEAR = 40  # rows over the edge that it is compared with
_BREAK = 2.5  # times the change from row to row there; noise alone varies by some hundredths


def first_row_wanted(height: int) -> int:
    """From which row on `find` wants the pixels of a picture of `height` rows."""
    return max(0, int(height * (1 - COVER)) - _MARGIN)


def rows_wanted(height: int) -> int:
    """How many of the first rows `find_caption` wants."""
    return height - first_row_wanted(height)


def every_column(width: int) -> int:
    """Which columns `find` looks at in rows of that width: every so many."""
    return max(1, width // _COLUMNS)


def find(rows: Array, height: int) -> Databar | None:
    """The databar in the last `rows` of a picture of `height` rows, or None.

    Parameters
    ----------
    rows : (R, W) grey, of which the last row is the last of the picture.
    height : rows of the whole picture.
    """
    tall = _tall(rows[::-1], height)
    return None if tall is None else Databar(height - tall, tall, "pixels")


def starts_at(rows: Array, row: int) -> bool:
    """Whether the picture changes over the upper edge of `row` as it does nowhere close by."""
    first = max(0, row - _NEAR)
    changes = np.abs(np.diff(rows[first : row + 1].astype(np.float32), axis=0)).mean(axis=1)
    return len(changes) > 2 and bool(changes[-1] > _BREAK * np.median(changes[:-1]))


def find_caption(rows: Array, height: int) -> Databar | None:
    """The databar in the first `rows` of a picture of `height` rows, or None."""
    tall = _tall(rows, height, caption=True)
    return None if tall is None else Databar(0, tall, "pixels")


def _tall(rows: Array, height: int, caption: bool = False) -> int | None:
    """How many rows the bar takes, from the edge of the frame, which is row 0."""
    if height < _SMALLEST or rows.shape[1] < _SMALLEST or rows.shape[0] < 3 * _LOWEST:
        return None
    sampled = rows[:, :: every_column(rows.shape[1])]
    with np.errstate(over="ignore"):  # what 32 bits cannot hold is infinite, and made 0
        values = sampled.astype(np.float32)
    if sampled.dtype.kind == "f":
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    span = float(values.max() - values.min())
    if span <= _LEVELS * float(np.finfo(np.float32).tiny):  # one level, or what 32 bits blur
        return None
    # Exact levels first; then a little slack for bars that went through JPEG.
    found: list[tuple[float, int]] = []
    for said in _looks(values, height, span):
        for tall in _edges(said, height):
            drop = said.drop(tall)
            usual = tall <= (_TALLEST_CAPTION if caption else _USUAL) * height
            sure = drop >= _SHARP or said.slack == 0
            if (sure or usual) if not caption else (sure and usual):
                found.append((drop, tall))
    if not found:
        return None
    # Dividers run through some bars, and on saturated specimens a line alone is the edge: the
    # sharpest edge of paper, else the uppermost.
    drop, sharpest = max(found)
    return sharpest if drop >= _SHARP else max(tall for _, tall in found)


def _looks(values: Array, height: int, span: float) -> Iterator[_Rows]:
    """The rows as they look with each slack that may be the bar's."""
    edge = slice(_LOOSE_ROWS, _LOOSE_ROWS + max(_LOWEST, height // 30))
    level = _level(values[edge], span)
    exact = span / (2 * _LEVELS)
    near = np.abs(values[edge] - level)
    slacks = [share * span for share in _SLACKS if _is_enough(near, share * span + exact, span)]
    if not slacks:
        return
    away = np.abs(values - level)
    deep = away[_LOOSE_ROWS : _LOOSE_ROWS + max(2 * _LOWEST, height // 16)]
    ink_depth = float(np.quantile(deep, 0.995))
    if ink_depth < _CONTRAST * span:
        return
    ink = away > 0.35 * ink_depth
    crossings = np.count_nonzero(ink[:, 1:] != ink[:, :-1], axis=1)
    changes = np.count_nonzero(ink[1:] != ink[:-1], axis=1)
    changes = np.maximum(np.append(changes, 0), np.insert(changes, 0, 0))
    # Dividers cross each row, but change from none to the next: letters do both, or are many.
    is_text = (crossings >= _CROSSINGS) & (changes >= _CHANGES) | (crossings >= _MANY_CROSSINGS)
    uneven = np.abs(values - np.median(values[:, ::4], axis=1, keepdims=True))
    for slack in slacks:
        paper = (away <= slack + exact).mean(axis=1)
        is_even = (uneven <= slack + exact).mean(axis=1) >= _LINE
        is_line = is_even & (paper < 1 - _LINE)
        yield _Rows(values, away, paper, is_text, is_line, slack, ink_depth)


def _is_enough(away: Array, slack: float, span: float) -> bool:
    """Whether there is paper at the edge of the frame, and so much slack takes in most of it."""
    within = np.count_nonzero(away <= slack)
    blurred = np.count_nonzero(away <= max(slack, _SLACKS[-1] * span))
    is_paper = float((away[:_LOWEST] <= slack).mean()) >= _PAPER
    return is_paper and bool(within >= _SETTLED * blurred)  # else there is ringing everywhere


def _level(values: Array, span: float) -> float:
    """The commonest grey level."""
    low = float(values.min())
    bins = np.minimum(((values - low) * (_LEVELS / span)).astype(np.int32), _LEVELS - 1)
    commonest = int(np.bincount(bins.ravel(), minlength=_LEVELS).argmax())
    return float(np.median(values[bins == commonest]))


def _edges(said: _Rows, height: int) -> Iterator[int]:
    """Every height that a bar may have, the edge over the highest line of text first."""
    reach = _reach(said, height)
    for top_text in _lines_of_text(said, reach, height):
        tall = _over(said, top_text, reach)
        if tall is None or not _LOWEST <= tall <= min(COVER * height, _OVER * top_text + _MARGIN):
            continue
        inside = slice(_LOOSE_ROWS, tall)
        like = np.where(said.is_line[inside], 1.0, said.paper[inside])
        if like.mean() >= _MEAN_PAPER and _is_bar(said, tall):
            yield tall


def _reach(said: _Rows, height: int) -> int:
    """The first row, going up, that no bar can hold."""
    most = min(len(said.paper), int(COVER * height) + _MARGIN)
    like = (said.paper >= _PAPER) | said.is_line
    for row in range(_LOOSE_ROWS, most):
        if not like[row : row + 2].any():
            return row
    return most


def _lines_of_text(said: _Rows, reach: int, height: int) -> Iterator[int]:
    """The upper ends of lines of text within the reach, the highest first.

    A line of text is a band of rows with many crossings; bare paper stands over and under it.
    """
    from scipy import ndimage  # a tenth of a second, for files whose header does not tell

    is_text = ndimage.binary_closing(said.is_text[:reach], iterations=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_text, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    is_regular = len(starts) > _MOST_LINES and np.ptp(np.diff(starts)[1:]) <= 2
    if is_regular and stops[-1] > _USUAL * height:
        return  # a pattern of the specimen
    for start, stop in zip(starts[::-1], stops[::-1], strict=True):
        if 4 <= stop - start <= max(40, _TALLEST_TEXT * height):
            yield int(stop)


def _over(said: _Rows, text: int, reach: int) -> int | None:
    """How many rows the bar takes whose highest line of text ends under row `text`.

    Over the text the paper is bare, but for a label, a scale bar or a logo: one narrow thing. It
    ends at a line across the frame, or where many pixels at once are no paper.
    """
    bare = said.paper >= (_BARE if said.slack == 0 else _BARE_WITH_RINGING)
    begun = False
    for row in range(text, min(reach + 1, len(bare))):
        if said.is_line[row]:
            thick = 1
            while row + thick < len(bare) and said.is_line[row + thick]:
                thick += 1
            # Even rows of the specimen over the bar are no line of the bar.
            ends = row + thick < len(bare) and said.differs(row, row + thick)
            return row + thick if ends and thick <= _THICKEST_LINE else row
        falls = said.paper[max(row - 2, 0) : row].max() - said.paper[row : row + 4]
        if bare[row]:
            begun = True
        elif (np.median(falls) >= _FALL and falls[0] >= _FALL and not _narrow(said, row)) or (
            begun and said.paper[row] <= said.paper[row - 1] - _DROP and not _narrow(said, row)
        ):
            return _sharpest(said, row) if said.slack else row
    return None


def _narrow(said: _Rows, row: int) -> bool:
    """Whether what is no paper in a row is one narrow thing: a scale bar, a label or a logo."""
    away = said.away[row]
    inked = np.flatnonzero(away > max(said.slack, 0.1 * said.ink_depth))
    if not inked.size or inked[-1] - inked[0] > 0.35 * away.size:
        return False
    ends = said.paper[row + 3 : row + 10].max(initial=0.0) >= _BARE_WITH_RINGING
    return bool(ends or inked[-1] - inked[0] <= max(row, 30))


def _sharpest(said: _Rows, row: int) -> int:
    """The edge within JPEG's block of 8 rows, since ringing blurs it."""
    first = max(1, row - 1)
    means = said.away[first - 1 : row + 9].mean(axis=1)
    return first + int(np.diff(means).argmax())


def _is_bar(said: _Rows, tall: int) -> bool:
    """Whether it holds more text than a scale bar with its label, and no block of ink beside."""
    away = said.away[_LOOSE_ROWS:tall]
    if said.slack:
        within = np.count_nonzero(away <= said.slack)
        peaked = np.count_nonzero(away <= said.slack / 4) / within
        if peaked < (_PEAKED if said.drop(tall) < _SHARP else _PEAKED_IF_SHARP):
            return False  # a quiet body: nowhere as even as paper, which JPEG leaves as it was
    ink = away > 0.5 * np.quantile(away, 0.999)
    if ink.mean() > 0.45:
        return False
    _without_blocks(ink)
    columns = ink.mean(axis=0) >= _BLOCK
    ink = letters_of(ink)
    ink[:, columns] = False
    crossings = np.count_nonzero(ink[:, 1:] != ink[:, :-1], axis=1)
    rows = crossings >= _CROSSINGS
    if np.count_nonzero(rows) < 4:
        return False
    first, last = np.quantile(np.nonzero(ink[rows])[1], (0.1, 0.9))
    much = float(np.quantile(crossings[rows], 0.8))
    return much >= _MUCH_TEXT or (last - first) / ink.shape[1] >= _WIDE_TEXT


def _without_blocks(ink: Array) -> None:
    """Clear the boxes and blocks of ink, with what stands in them: they are no letters."""
    from scipy import ndimage

    parts, _ = ndimage.label(ink)
    for number, place in enumerate(ndimage.find_objects(parts), start=1):
        down, across = place
        if down.stop - down.start < _BLOCK_TALL or across.stop - across.start < _BLOCK_WIDE:
            continue
        if (parts[place] == number).mean() >= _BLOCK_FILLED:
            ink[place] = False
