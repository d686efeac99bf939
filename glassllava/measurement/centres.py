"""A traced line moved onto the middle of its own grey values, to a part of a pixel.

A skeleton is the middle of a mask that was found on means of pixels: it staggers where the line
runs straight, and cuts the bends that are no longer than the line is wide. What the grey values
themselves have in their middle does neither. Knows nothing of what the lines are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

Array = np.ndarray[Any, Any]

_REACH = 6.0  # px to either side within which the middle is sought
_STEP = 0.5  # px
_PEAK = 3.0  # px from the traced line within which it is deepest
_KNOT = 5.0  # px from a knot: what lies across there is another arm


def centred(points: Array, guide: Array, depth: Array, starts: int, ends: int) -> Array:
    """The points of a line (n, 2), each moved square to `guide` (n, 2) onto the line's middle.

    `guide` is the same line so smooth that its direction can be trusted. `depth` (H, W) is
    positive on the line; the middle is the centroid of what is over half of the depth there. An
    end at a knot (its number in `starts` or `ends`, -1 where free) stays.
    """
    if len(points) < 5:
        return points
    way = np.gradient(guide, axis=0)
    size = np.hypot(way[:, 0], way[:, 1])
    aside = np.stack([-way[:, 1], way[:, 0]], 1) / np.maximum(size, 1e-9)[:, None]
    offsets = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    x = guide[:, :1] + aside[:, :1] * offsets
    y = guide[:, 1:] + aside[:, 1:] * offsets
    values = ndimage.map_coordinates(
        depth, [y, x], output=np.float32, order=1, mode="nearest", prefilter=False
    )
    near = np.abs(offsets) <= _PEAK
    peak = np.flatnonzero(near)[0] + np.argmax(values[:, near], axis=1)
    deepest = values[np.arange(len(values)), peak]
    over = values - 0.5 * deepest[:, None]
    # Only what is one with the deepest place: another line may run beside this one.
    index = np.arange(len(offsets))[None, :]
    shut = over <= 0
    left = np.where(shut & (index < peak[:, None]), index, -1).max(axis=1)
    right = np.where(shut & (index > peak[:, None]), index, len(offsets)).min(axis=1)
    own = (index > left[:, None]) & (index < right[:, None])
    weight = np.where(own, np.clip(over, 0, None), 0.0)
    total = weight.sum(axis=1)
    move = np.where(total > 0, (weight * offsets).sum(axis=1) / np.maximum(total, 1e-9), 0.0)
    moved = guide + move[:, None] * aside
    share = np.ones(len(points))
    for knot, origin in ((starts, points[0]), (ends, points[-1])):
        if knot >= 0:
            away = np.hypot(*(points - origin).T)
            share = np.minimum(share, np.clip(away / _KNOT, 0, 1))
    return np.asarray(points + share[:, None] * (moved - points))
