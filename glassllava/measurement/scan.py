"""What the scan draws and no specimen does: steps from one row to the next, sharp as no beam is.

The beam writes row by row: charge that is set free, a jump of the beam current and noise of the
mains begin and end with a row. A line or a border of the specimen is as blurred across the rows
as it is across the columns. What was resized or smoothed later blurs both: how much is seen in
the noise, whose neighbouring rows are then alike. Knows nothing of what a line is called.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtr

Array = np.ndarray[Any, Any]

_LEVEL = 0.2  # px down a px along: what leans more is no row
_SWAY, _STRAYING = 0.015, 2.0  # of its length, and px, that a line may stray from its rows
_STRAIGHT = 0.35  # px: of a border likewise
_COLUMNS = 48  # px along a line whose mean tells how sharp it is there
_REACH, _BORDER = 24, 7  # rows to either side that are looked at
_ASIDE = 8  # rows beside a flank that tell its level
_SHARP = 0.8  # of what a row of the scan would step
_TILE = 32  # px
_QUIET = 25.0  # percentile of the tiles: where the specimen shows least
_ALIKE = 0.05  # least correlation that is told from none


def step_of_a_row(specimen: Array) -> float:
    """How much of its height, of 1, a step between two rows of the scan has kept in a picture.

    The picture is (H, W). Noise is drawn anew for each pixel: where rows lie alike in it they
    were smoothed since.
    """
    height, width = (side // _TILE * _TILE for side in specimen.shape)
    values = specimen[:height, :width].astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # tiles that are not finite have no say
        fine = values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]
        fine = fine[:, : fine.shape[1] // _TILE * _TILE]
        shape = (height // _TILE, _TILE, fine.shape[1] // _TILE, _TILE)
        tiles = fine.reshape(shape)
        own = (tiles[:, :-1] ** 2).mean(axis=(1, 3))
        next_ = (tiles[:, :-1] * tiles[:, 1:]).mean(axis=(1, 3))
    noisy = np.isfinite(own) & (own > 0)
    if not noisy.any():
        return 1.0
    alike = float(np.percentile(next_[noisy] / own[noisy], _QUIET))
    if alike <= _ALIKE:
        return 1.0
    blur = 0.5 / math.sqrt(-math.log(min(alike, 0.99)))
    return float(2 * ndtr(0.5 / blur) - 1)


def is_level(points: Array) -> bool:
    """Whether a line (n, 2) runs along the rows, in its pixels."""
    along, down = np.ptp(points, axis=0)
    return bool(down <= max(1.0, _LEVEL * along))


def line_steps(specimen: Array, points: Array, sign: int, width: float) -> float:
    """The greatest step between two rows at a flank of a level line, over its depth.

    `points` (n, 2) are those of the line in a specimen (H, W), `width` its full width, px; `sign`
    is -1 for a dark line. The median along the line.
    """
    half = 0.5 * width if math.isfinite(width) else 2.0
    near = math.ceil(half) + 2
    reach = min(_REACH, near + _ASIDE)
    shares = []
    for rows, block in _windows(specimen, points, reach):
        profile = sign * block
        middle = len(rows) // 2
        top = (
            float(profile[middle - 1 : middle + 2].max())
            if half < 3
            else float(np.median(profile[middle - int(half / 2) : middle + int(half / 2) + 1]))
        )
        for side in (profile[middle::-1], profile[middle:]):
            depth = top - float(np.median(side[near:]))
            if depth > 0:
                shares.append(float(-np.diff(side[: near + 2]).min()) / depth)
    return float(np.median(shares)) if shares else math.inf


def border_steps(specimen: Array, points: Array, step: float) -> float:
    """The greatest step between two rows at a level border, over its own `step` of the levels."""
    shares = [
        float((np.sign(step) * np.diff(block)).max()) / abs(step)
        for _, block in _windows(specimen, points, _BORDER)
    ]
    return float(np.median(shares)) if shares else math.inf


def _windows(specimen: Array, points: Array, reach: int) -> list[tuple[Array, Array]]:
    """Rows round a line, and their means over some columns, all along it."""
    order = np.argsort(points[:, 0])
    x, y = points[order].T
    height, width = specimen.shape
    columns = np.arange(max(0, math.ceil(x[0])), min(width, math.floor(x[-1]) + 1))
    if not columns.size:
        return []
    down = np.interp(columns, x, y)
    result = []
    for part, at in zip(
        np.array_split(columns, max(1, columns.size // _COLUMNS)),
        np.array_split(down, max(1, columns.size // _COLUMNS)),
        strict=True,
    ):
        middle = round(float(np.median(at)))
        rows = np.clip(np.arange(middle - reach, middle + reach + 1), 0, height - 1)
        block = specimen[rows[:, None], part[None, :]].astype(np.float64)
        result.append((rows, block.mean(axis=1)))
    return result


def is_row_border(specimen: Array, points: Array, step: float, row: float) -> bool:
    """Whether a border (n, 2) between levels `step` apart is a row's, as `is_row` says of lines."""
    off = np.abs(points[:, 1] - np.median(points[:, 1]))
    if float(np.percentile(off, 90)) > _STRAIGHT:
        return False
    return border_steps(specimen, points, step) >= _SHARP * row


def is_row(specimen: Array, points: Array, sign: int, width: float, row: float) -> bool:
    """Whether a level line (n, 2) begins and ends with a row, as sharply as the scan's do.

    `row` is what `step_of_a_row` says of the picture. A line that keeps to its rows may be as
    soft as that; one that goes over to others, as streaks beside each other do, is the scan's where
    it is sharp.
    """
    if not is_level(points) or float(points[:, 1].std()) > _STRAYING:
        return False
    low, high = np.percentile(points[:, 1], (10, 90))
    keeps = high - low <= max(1.0, _SWAY * float(np.ptp(points[:, 0])))
    return line_steps(specimen, points, sign, width) >= _SHARP * (row if keeps else 1.0)
