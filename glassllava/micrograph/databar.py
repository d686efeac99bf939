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
from scipy import ndimage

from glassllava.micrograph.record import Databar

Array = np.ndarray[Any, Any]

#: The share of the rows, from the edge of the frame, that must be decoded to find a bar.
COVER = 0.25
_SMALLEST = 64  # px a side: smaller pictures carry no bar
_LOWEST = 12  # px: the lowest bar that can hold text
_LOOSE_ROWS = 3  # a frame's last rows may show specimen again under the bar, or be a frame
_MARGIN = 8  # rows decoded beyond the highest bar, to see its edge
_COLUMNS = 2048  # so many, evenly spaced, tell as much as all of a wide frame
_LEVELS = 512  # of grey, in which paper of one level is looked for
_PAPER = 0.3  # every row of a bar shows at least this share of paper, text and logo included
_MEAN_PAPER = 0.55
_BARE = 0.985  # the share of paper in a row without text, beside dividers and frames
_LINE = 0.95  # a divider runs across the whole width
_SLACKS = (0.0, 0.008, 0.02, 0.05)  # of the span: how far JPEG takes paper from its level
_SETTLED = 0.94  # the share of the paper that must lie within a slack, for it to be enough
_PEAKED = 0.8  # the share of the paper within a quarter of the slack
_THICKEST_LINE = 4  # rows
_DROP = 0.025  # the least share of a row over the bar that is seen to be no paper
_CROSSINGS = 6  # changes between paper and ink along a row of text
_CHANGES = 5  # pixels that change between paper and ink from one row of text to the next
_MUCH_TEXT = 18  # crossings that no lone scale bar with its label has
_WIDE_TEXT = 0.3  # of the width, or text that spans so much
_TALLEST_TEXT = 0.08  # of the height: higher bands of ink are no lines of text
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

    def differs(self, one: int, other: int) -> bool:
        """Whether two rows differ by much of what the ink differs from the paper."""
        apart = np.abs(self.values[one] - self.values[other]).mean()
        return bool(apart > 0.1 * self.away.max())


def first_row_wanted(height: int) -> int:
    """From which row on `find` wants the pixels of a picture of `height` rows."""
    return max(0, int(height * (1 - COVER)) - _MARGIN)


def rows_wanted(height: int) -> int:
    """How many of the first rows `find_caption` wants."""
    return min(height, height - first_row_wanted(height))


def find(rows: Array, height: int) -> Databar | None:
    """The databar in the last `rows` of a picture of `height` rows, or None.

    Parameters
    ----------
    rows : (R, W) grey, of which the last row is the last of the picture.
    height : rows of the whole picture.
    """
    tall = _tall(rows[::-1], height)
    return None if tall is None else Databar(height - tall, tall, "pixels")


def find_caption(rows: Array, height: int) -> Databar | None:
    """The databar in the first `rows` of a picture of `height` rows, or None."""
    tall = _tall(rows, height)
    return None if tall is None else Databar(0, tall, "pixels")


def _tall(rows: Array, height: int) -> int | None:
    """How many rows the bar takes, from the edge of the frame, which is row 0."""
    if height < _SMALLEST or rows.shape[1] < _SMALLEST or rows.shape[0] < 3 * _LOWEST:
        return None
    sampled = rows[:, :: max(1, rows.shape[1] // _COLUMNS)]
    with np.errstate(over="ignore"):  # what 32 bits cannot hold is infinite, and made 0
        values = np.nan_to_num(sampled.astype(np.float32), posinf=0.0, neginf=0.0)
    span = float(values.max() - values.min())
    if span <= 0:
        return None
    # Exact levels first; then a little slack for bars that went through JPEG.
    for share in _SLACKS:
        said = _said(values, height, share * span, span)
        if said is not None and (tall := _edge(said, height)) is not None:
            return tall
    return None


def _said(values: Array, height: int, slack: float, span: float) -> _Rows | None:
    level = _level(values[_LOOSE_ROWS : _LOOSE_ROWS + max(_LOWEST, height // 30)], span)
    near = np.abs(values - level) <= slack + span / (2 * _LEVELS)
    paper = near.mean(axis=1)
    end = _LOOSE_ROWS
    if paper[end : end + _LOWEST].mean() < _PAPER:
        return None  # no paper at the edge of the frame: no bar
    away = np.abs(values - level)
    edge = away[end : end + max(_LOWEST, height // 30)]
    blurred = np.count_nonzero(edge <= max(slack, _SLACKS[-1] * span))
    if np.count_nonzero(edge <= slack + span / (2 * _LEVELS)) < _SETTLED * blurred:
        return None  # ringing everywhere: more slack is wanted
    far = float(np.quantile(away[: max(_LOWEST, height // 25)], 0.995))
    ink = away > 0.35 * max(far, 0.1 * span)
    crossings = np.count_nonzero(ink[:, 1:] != ink[:, :-1], axis=1)
    changes = np.count_nonzero(ink[1:] != ink[:-1], axis=1)
    changes = np.maximum(np.append(changes, 0), np.insert(changes, 0, 0))
    # Dividers cross each row, but change from none to the next: letters do both.
    is_text = (crossings >= _CROSSINGS) & (changes >= _CHANGES)
    middle = np.median(values, axis=1, keepdims=True)
    even = (np.abs(values - middle) <= slack + span / (2 * _LEVELS)).mean(axis=1) >= _LINE
    return _Rows(values, away, paper, is_text, even & (paper < 1 - _LINE), slack)


def _level(values: Array, span: float) -> float:
    """The commonest grey level."""
    low = float(values.min())
    bins = np.minimum(((values - low) * (_LEVELS / span)).astype(np.int32), _LEVELS - 1)
    commonest = int(np.bincount(bins.ravel(), minlength=_LEVELS).argmax())
    return float(np.median(values[bins == commonest]))


def _edge(said: _Rows, height: int) -> int | None:
    """The height of the bar, where there is one."""
    reach = _reach(said, height)
    for top_text in _lines_of_text(said, reach, height):
        tall = _over(said, top_text, reach)
        if tall is None or not _LOWEST <= tall <= COVER * height:
            continue
        inside = slice(_LOOSE_ROWS, tall)
        like = np.where(said.is_line[inside], 1.0, said.paper[inside])
        if like.mean() >= _MEAN_PAPER and _is_bar(said, tall):
            return tall
    return None


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
    is_text = ndimage.binary_closing(said.is_text[:reach], iterations=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_text, [False]]).astype(np.int8)))
    for start, stop in reversed(list(zip(edges[::2], edges[1::2], strict=True))):
        if 4 <= stop - start <= max(40, _TALLEST_TEXT * height):
            yield int(stop)


def _over(said: _Rows, text: int, reach: int) -> int | None:
    """How many rows the bar takes whose highest line of text ends under row `text`.

    Over the text the paper is bare, but for a label, a scale bar or a logo: one narrow thing. It
    ends at a line across the frame, or where many pixels at once are no paper.
    """
    bare = said.paper >= _BARE
    begun = False
    for row in range(text, min(reach + 1, len(bare))):
        if said.is_line[row]:
            thick = 1
            while row + thick < len(bare) and said.is_line[row + thick]:
                thick += 1
            # Even rows of the specimen over the bar are no line of the bar.
            ends = row + thick < len(bare) and said.differs(row, row + thick)
            return row + thick if ends and thick <= _THICKEST_LINE else row
        if bare[row]:
            begun = True
        elif begun and said.paper[row] <= said.paper[row - 1] - _DROP and not _narrow(said, row):
            return _sharpest(said, row) if said.slack else row
    return None


def _narrow(said: _Rows, row: int) -> bool:
    """Whether what is no paper in a row is one narrow thing: a scale bar, or a logo."""
    away = said.away[row]
    inked = np.flatnonzero(away > 0.5 * away.max())
    return bool(inked[-1] - inked[0] <= 0.35 * away.size)


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
        if np.count_nonzero(away <= said.slack / 4) < _PEAKED * within:
            return False  # a quiet body: nowhere as even as paper, which JPEG leaves as it was
    ink = away > 0.5 * np.quantile(away, 0.999)
    ink[:, ink.mean(axis=0) >= _BLOCK] = False
    rows = np.flatnonzero(said.is_text[_LOOSE_ROWS:tall])
    inked = np.flatnonzero(ink[rows].any(axis=0))
    if not inked.size or ink.mean() > 0.45:
        return False
    crossings = np.count_nonzero(ink[rows, 1:] != ink[rows, :-1], axis=1)
    first, last = np.quantile(np.nonzero(ink[rows])[1], (0.1, 0.9))
    much = float(np.quantile(crossings, 0.8))
    wide = (last - first) / ink.shape[1]
    return much >= _MUCH_TEXT or (much >= _CROSSINGS and wide >= _WIDE_TEXT)
