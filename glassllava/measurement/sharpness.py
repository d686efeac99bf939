"""How wide a field's sharpest edges are, in each of four directions.

Knows the flattened field alone. An edge is a place where the slope is greatest along its own
direction; its width is that of the slope's peak. A field without edges says nothing of the focus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glassllava.measurement.regions import SMOOTHING, Array

_DIRECTIONS = 4
_EACH = 150  # edges looked at in a direction
_LEAST = 15  # edges in a direction
_STEEP = 6.0  # sigma of the slope that noise has
_REACH, _STEP = 14.0, 0.5  # px along the gradient
#: Variance, in px², of the field's smoothing, of a slope over two pixels, and of interpolation.
_OWN = SMOOTHING**2 + 1 / 3 + 1 / 6
_STEEPEST = 0.16  # of the width, at k = 2: the steepest edges are those that noise has steepened
_RISE = 2.563  # sigma of a Gaussian between 10 and 90 % of its integral
_HALF = 2.355  # sigma between the half heights


@dataclass(frozen=True, slots=True)
class Edges:
    """`width` and `spread` (k = 2) in px; `ratio` of the directions, None with too few."""

    width: float
    spread: float
    ratio: float | None
    count: int


def edges(residual: Array, noise: float) -> Edges | None:
    """The edges of a field (H, W) whose pixels, before smoothing, had noise of `noise`."""
    down = 0.5 * (residual[2:, 1:-1] - residual[:-2, 1:-1])
    across = 0.5 * (residual[1:-1, 2:] - residual[1:-1, :-2])
    slope = np.hypot(down, across)
    # Smoothed noise has a slope of sigma/(√8π s²); seldom more than twice that when correlated.
    least = _STEEP * noise / (math.sqrt(8 * math.pi) * SMOOTHING**2) * 1.5
    border = int(_REACH) + 2
    inner = slope[border:-border, border:-border]
    if inner.size == 0:
        return None
    least = max(least, float(np.percentile(inner[::2, ::2], 97.0)))
    rows, columns = np.nonzero(inner > least)
    rows, columns = rows + border, columns + border
    if rows.size < _LEAST:
        return None
    y, x = down[rows, columns], across[rows, columns]
    kind = np.rint(np.arctan2(y, x) / (math.pi / _DIRECTIONS)).astype(int) % _DIRECTIONS
    found = []
    for direction in range(_DIRECTIONS):
        picked = np.flatnonzero(kind == direction)
        picked = picked[np.argsort(-slope[rows[picked], columns[picked]], kind="stable")]
        # Neighbours along one edge tell the same: every n-th of the steepest.
        picked = picked[: 8 * _EACH : max(1, min(picked.size, 8 * _EACH) // _EACH)]
        if picked.size >= _LEAST:
            widths = _widths(residual, rows[picked] + 1, columns[picked] + 1, y[picked], x[picked])
            if widths.size >= _LEAST:
                found.append(widths)
    if not found:
        return None
    middles = np.array([float(np.median(widths)) for widths in found])
    errors = [1.25 * float(widths.std()) / math.sqrt(widths.size) for widths in found]
    count = sum(widths.size for widths in found)
    return Edges(
        width=float(np.median(middles)),
        spread=math.hypot(2 * float(np.median(errors)), 0.5, _STEEPEST * float(np.median(middles))),
        ratio=float(max(middles) / max(min(middles), 0.5)) if len(found) >= 3 else None,
        count=count,
    )


def _widths(residual: Array, rows: Array, columns: Array, down: Array, across: Array) -> Array:
    """Rise of each edge from 10 to 90 %, in px; edges that never fall to half are left out."""
    length = np.hypot(down, across)
    t = np.arange(-_REACH, _REACH + _STEP, _STEP)
    where = np.stack(
        [
            rows[:, None] + t[None, :] * (down / length)[:, None],
            columns[:, None] + t[None, :] * (across / length)[:, None],
        ]
    )
    profile = ndimage.map_coordinates(residual, where, order=1, mode="nearest")
    slope = (profile[:, 4:] - profile[:, :-4]) / (4 * _STEP)  # over two pixels, as steady
    middle = slope.shape[1] // 2
    near = slope[:, middle - 4 : middle + 5]
    peak = near.max(axis=1)
    at = middle - 4 + near.argmax(axis=1)
    widths = []
    for line, top, centre in zip(slope, peak, at, strict=True):
        below = line < 0.5 * top
        right = np.flatnonzero(below[centre:])
        left = np.flatnonzero(below[: centre + 1][::-1])
        if not right.size or not left.size:
            continue
        halves = 0.0
        for far, way in ((int(right[0]), 1), (int(left[0]), -1)):
            outer, inner = line[centre + way * far], line[centre + way * (far - 1)]
            halves += far - 1 + (inner - 0.5 * top) / max(inner - outer, 1e-12)
        sigma = halves * _STEP / _HALF
        widths.append(_RISE * math.sqrt(max(sigma * sigma - _OWN, 0.04)))
    return np.array(widths)
