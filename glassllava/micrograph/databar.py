"""The databar by its pixels: the strip of text that a microscope burned in under the specimen.

For files whose header does not tell. A bar is nearly one grey level with text on it, its rows
look alike down to the last, its upper edge is sharp, and it takes at most a quarter of the
height (`COVER`). When in doubt there is none: a specimen cut off is worse than a bar left in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from glassllava.micrograph.record import Databar

#: The share of the rows, from the bottom, that must be decoded to find a bar.
COVER = 0.25
_SMALLEST = 64  # px a side: smaller pictures carry no bar
_LOWEST = 12  # px: the lowest bar that can hold text
_LOOSE_ROWS = 3  # a frame's last rows may show specimen again under the bar
_NEIGHBOURS = 6  # rows compared on both sides of the edge
_JUMP = 0.35  # the share of the bar's level must rise by this much over the edge
_ROW_SHARE = 0.3  # every row of a bar has at least this share, text and logo included
_MEAN_SHARE = 0.55
_TEXT_CROSSINGS = 8  # changes between paper and ink along a row of text
_TEXT_ROWS = 0.08
_PEAKED = 0.6  # JPEG leaves most of a bar's paper as it was, and rings near the text


def first_row_wanted(height: int) -> int:
    """From which row on `find` wants the pixels of a picture of `height` rows."""
    return max(0, int(height * (1 - COVER)) - 2 * _NEIGHBOURS)


def find(rows: np.ndarray[Any, Any], height: int) -> Databar | None:
    """The databar in the last `rows` of a picture of `height` rows, or None.

    Parameters
    ----------
    rows : (R, W) grey, of which the last row is the last of the picture.
    height : rows of the whole picture.
    """
    if height < _SMALLEST or rows.shape[1] < _SMALLEST or rows.shape[0] < 3 * _LOWEST:
        return None
    with np.errstate(over="ignore"):  # what 32 bits cannot hold is infinite, and made 0
        values = np.nan_to_num(rows.astype(np.float32), posinf=0.0, neginf=0.0)
    span = float(values.max() - values.min())
    if span <= 0:
        return None
    # Exact levels first; a little slack for bars that went through JPEG. Those on grey paper, and
    # those packed below a quality of about 80, are as uneven as a quiet specimen: not found.
    for tolerance in (0.0, 0.03 * span):
        top = _top(values, height, tolerance)
        if top is not None:
            first = height - values.shape[0] + top
            return Databar(first, height - first, "pixels")
    return None


def _top(values: np.ndarray[Any, Any], height: int, tolerance: float) -> int | None:
    level = _level(values[-max(_LOWEST, height // 30) - _LOOSE_ROWS : -_LOOSE_ROWS])
    share = (np.abs(values - level) <= tolerance).mean(axis=1)
    middle = np.median(values, axis=1, keepdims=True)
    is_line = (np.abs(values - middle) <= tolerance).mean(axis=1) >= 0.95
    like = np.where(is_line, 1.0, share)
    end = values.shape[0] - _LOOSE_ROWS
    first = max(_NEIGHBOURS, values.shape[0] - int(height * COVER))
    for row in range(first, end - _LOWEST + 1):
        above = like[row - _NEIGHBOURS : row]
        rise = like[row] - like[row - 1]
        jump = float(np.median(like[row : row + _NEIGHBOURS]) - np.median(above))
        if jump < _JUMP or rise < 0.8 * jump:
            continue
        if np.mean(like[row:end] < _ROW_SHARE) > 0.03 or like[row:end].mean() < _MEAN_SHARE:
            continue
        if share[row:end].mean() < _MEAN_SHARE:
            continue
        if tolerance and _peakedness(values[row:end], level, tolerance) < _PEAKED:
            continue  # a quiet dark body: nowhere as even as the margins of a bar
        if _has_text(values[row:end], level):
            return row
    return None


def _level(values: np.ndarray[Any, Any]) -> float:
    """The commonest grey level."""
    levels, counts = np.unique(values, return_counts=True)
    return float(levels[counts.argmax()])


def _peakedness(bar: np.ndarray[Any, Any], level: float, slack: float) -> float:
    """How many of the pixels within the slack lie in its innermost quarter: of noise, few."""
    away = np.abs(bar - level)
    return float((away <= 0.25 * slack).sum() / max(1, (away <= slack).sum()))


def _has_text(bar: np.ndarray[Any, Any], level: float) -> bool:
    """Whether enough rows change often between the bar's level and one far from it."""
    away = np.abs(bar - level)
    ink = away > 0.5 * away.max()
    crossings = np.count_nonzero(ink[:, 1:] != ink[:, :-1], axis=1)
    few = float(ink.mean()) < 0.45
    return few and float((crossings >= _TEXT_CROSSINGS).mean()) >= _TEXT_ROWS
