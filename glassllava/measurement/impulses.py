"""Impulse noise: single pixels far off all of their neighbours, as no beam draws them.

Even the smallest body is blurred over the next pixels; a spike of the detector, a broken pixel
and salt and pepper are not. Knows nothing of what a place is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_FAR = 8.0  # noise sigmas from the next but one of the neighbours
_ALONE = 0.8  # of what it is off the farthest but one: beside a blurred point is a third of it
_FEWEST, _LEAST_SHARE = 20, 1e-4  # pixels: fewer are let be
_ROUNDS = 3
_RING = [(down, across) for down in range(3) for across in range(3) if (down, across) != (1, 1)]


def without_impulses(values: Array, rounding: float) -> tuple[Array, int]:
    """Grey values (H, W) with the median of its neighbours for each impulse; and how many they are.

    A pixel counts that is far off all of its eight neighbours but one, and they are alike: of a
    line, one pixel wide, each has two that are like it. Pairs count, and of clusters what sticks
    out, in some rounds. Where there are few, nothing is changed. `rounding` is the standard
    deviation that the values have by rounding alone.
    """
    part = values[::3, ::3]
    change = part[:, 2:] - part[:, :-2]
    noise = max(1.4826 / np.sqrt(2) * float(np.median(np.abs(change))), rounding, 1e-12)
    cleaned = values
    found = np.zeros(values.shape, bool)
    for _ in range(_ROUNDS):
        rows, columns, medians = _impulses(cleaned, _FAR * noise)
        if not rows.size:
            break
        found[rows, columns] = True
        cleaned = cleaned.copy()
        cleaned[rows, columns] = medians
    count = int(np.count_nonzero(found))
    if count < max(_FEWEST, _LEAST_SHARE * values.size):
        return values, 0
    return cleaned, count


def _impulses(values: Array, far: float) -> tuple[Array, Array, Array]:
    """Rows and columns of impulses, and the median of the neighbours of each."""
    height, width = values.shape
    padded = np.pad(values, 1, mode="reflect")
    first, last = (
        np.full(values.shape, -np.inf, np.float32),
        np.full(values.shape, np.inf, np.float32),
    )
    second, last_but_one = first.copy(), last.copy()
    for down, across in _RING:
        near = padded[down : down + height, across : across + width]
        second = np.maximum(second, np.minimum(first, near))
        first = np.maximum(first, near)
        last_but_one = np.minimum(last_but_one, np.maximum(last, near))
        last = np.minimum(last, near)
    above, below = values - second, last_but_one - values
    rows, columns = np.nonzero(np.maximum(above, below) > far)
    near = np.stack([padded[rows + down, columns + across] for down, across in _RING])
    medians = np.median(near, axis=0)
    span = np.maximum(values - last_but_one, second - values)[rows, columns]
    alone = np.maximum(above, below)[rows, columns] >= _ALONE * span
    return rows[alone], columns[alone], medians[alone].astype(np.float32)
