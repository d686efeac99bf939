"""Where the grey values run in a thin dark or bright line: the centre lines, one pixel wide.

Lines are found by the curvature of the grey values across them at four scales. Knows nothing of
cracks and scratches. Made to find nothing on texture: it has bright lines as often as dark ones,
so that what the lines of the other sign reach is no evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from glassllava.measurement.regions import Blob

Array = np.ndarray[Any, Any]
_skeletonize: Any = skeletonize  # scikit-image states no types of its own

_LEVELS = 3  # scales: 1, 2 and 4 px a step
#: Curvature in its own spreads: noise of a megapixel reaches 2.3, one pixel in a hundred 1.1.
_SEED, _FOLLOW = 2.4, 1.2
#: Percentile of the other sign's lines that counts as texture.
_TEXTURE = 99.0
_DEPTH = 3.0  # noise sigmas by which a line is below both of its sides
_TILE = 27  # thirds of a pixel: the tiles in which noise is told
_MOST_BRIGHT = 0.06  # of the area
_EIGHT = np.ones((3, 3), bool)


def noise_of(residual: Array) -> float:
    """Standard deviation of what changes within a few pixels, in the residual's unit.

    The spread of a whole field holds its layers and phases too; this does not.
    """
    part = residual[::3, ::3]
    change = part[:, 2:] - part[:, :-2]
    return max(1.4826 / np.sqrt(2) * float(np.median(np.abs(change))), 1e-6)


def centre_lines(residual: Array, dark: Sequence[Blob]) -> tuple[Array, Array]:
    """Skeletons (H, W) of the dark and of the bright lines of a flattened specimen (H, W).

    `dark` are compact dark places: the rim of a round hole curves like a line.
    """
    low, high = _line_masks(residual)
    rims = []
    for blob in dark:
        rows, columns = blob.box
        around = (
            slice(max(0, rows.start - 2), rows.stop + 2),
            slice(max(0, columns.start - 2), columns.stop + 2),
        )
        if _runs_at_the_rim(low[around]) < 2:  # else a line passes through
            rims.append(around)
    for around in rims:
        low[around] = False
    depth = _DEPTH * min(1.0, noise_of(residual))
    # Bright lines without end are a texture; of grooves there are a few.
    if np.count_nonzero(high) > _MOST_BRIGHT * high.size:
        high[:] = False
    return _thin(residual, low, depth), _thin(-residual, high, depth)


def _runs_at_the_rim(mask: Array) -> int:
    """How many separate lines cross the rim of a box."""
    rim = np.concatenate([mask[0], mask[1:, -1], mask[-1, -2::-1], mask[-2:0:-1, 0]])
    return int(np.count_nonzero(rim & ~np.roll(rim, 1)))


def _thin(residual: Array, mask: Array, depth: float) -> Array:
    if not mask.any():
        return mask
    skeleton: Array = _skeletonize(mask)
    return skeleton & _both_sides_brighter(residual, skeleton, depth)


def _line_masks(residual: Array) -> tuple[Array, Array]:
    """Where the grey values curve upwards, or downwards, across a line at any of the scales."""
    low, high = np.zeros(residual.shape, bool), np.zeros(residual.shape, bool)
    level = residual
    for step in range(_LEVELS):
        if step:
            height, width = (side // 2 * 2 for side in level.shape)
            if min(height, width) < 16:
                break
            level = level[:height, :width]
            level = 0.25 * (
                level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]
            )
            level = ndimage.gaussian_filter(level, 0.8)
        for mask, found in zip((low, high), _ridges(level), strict=True):
            if found.any():
                if step:
                    found = np.repeat(np.repeat(found, 2**step, 0), 2**step, 1)
                mask[: found.shape[0], : found.shape[1]] |= found
    return low, high


def _ridges(values: Array) -> tuple[Array, Array]:
    """Hysteresis on the curvature across a line, less that along it: dark, and bright."""
    across, down, mixed = _second_derivatives(values)
    # Charging leaves bright and dark streaks along the rows: they are no texture.
    streak = np.abs(down[1::3, 1::3]) > 3 * np.abs(across[1::3, 1::3])
    mean, half = 0.5 * (across + down), 0.5 * (across - down)
    root = np.sqrt(half * half + mixed * mixed)
    dark = mean + root - np.abs(mean - root)
    bright = root - mean - np.abs(mean + root)
    return (
        _hysteresis(dark, _texture(bright, dark, streak)),
        _hysteresis(bright, _texture(dark, bright, streak)),
    )


def _texture(other: Array, own: Array, streak: Array) -> float:
    """What lines of the other sign reach where no stronger line of the own sign is beside them.

    A crack with charged lips and a groove with piled-up rims have lines of the other sign
    beside them, and weaker ones.
    """
    height, width = (side // 3 for side in other.shape)
    stronger = own[: 3 * height : 3, : 3 * width : 3]
    for row in range(3):
        for column in range(3):
            stronger = np.maximum(stronger, own[row : 3 * height : 3, column : 3 * width : 3])
    stronger = ndimage.maximum_filter(stronger, 3)
    sample = other[1 : 3 * height : 3, 1 : 3 * width : 3]
    streak = streak[:height, :width]
    alone = sample > stronger
    return float(np.percentile(np.where(alone, sample, 0)[~streak], _TEXTURE))


def _hysteresis(strength: Array, texture: float) -> Array:
    spread = _spread(strength)
    candidates = strength > np.maximum(_FOLLOW * spread, texture)
    labels, count = ndimage.label(candidates, _EIGHT)
    if count == 0:
        return candidates
    kept = np.zeros(count + 1, bool)
    strong = candidates & (strength > np.maximum(_SEED * spread, 2 * texture))
    kept[labels[strong]] = True
    kept[0] = False
    return kept[labels]


def _spread(strength: Array) -> Array:
    """What noise reaches, place by place: shot noise grows with the signal, clipping ends it."""
    height, width = strength.shape
    sample = np.abs(strength[1::3, 1::3])
    tile = min(_TILE, *sample.shape)
    rows, columns = (np.arange(side) // tile for side in sample.shape)
    rows, columns = (np.minimum(of, max(0, len(of) // tile - 1)) for of in (rows, columns))
    local = np.empty((rows[-1] + 1, columns[-1] + 1), np.float32)
    for row in range(len(local)):
        band = sample[rows == row]
        for column in range(local.shape[1]):
            local[row, column] = np.median(band[:, columns == column])
    local = 2.2 * np.maximum(local, 0.6 * float(np.median(sample))) + 1e-9
    return local[
        rows[np.minimum(np.arange(height) // 3, len(rows) - 1)][:, None],
        columns[np.minimum(np.arange(width) // 3, len(columns) - 1)][None, :],
    ]


def _second_derivatives(values: Array) -> tuple[Array, Array, Array]:
    padded = np.pad(values, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    across = padded[1:-1, 2:] - 2 * middle + padded[1:-1, :-2]
    down = padded[2:, 1:-1] - 2 * middle + padded[:-2, 1:-1]
    mixed = 0.25 * (padded[2:, 2:] - padded[2:, :-2] - padded[:-2, 2:] + padded[:-2, :-2])
    return across, down, mixed


def _both_sides_brighter(residual: Array, skeleton: Array, depth: float) -> Array:
    """The skeleton's pixels at which both sides rise, at one of four distances.

    The edge of a layer or of a pore has one side alone that does.
    """
    rows, columns = np.nonzero(skeleton)
    kept = np.zeros(skeleton.shape, bool)
    if rows.size == 0:
        return kept
    height, width = residual.shape
    # The skeleton of a mask that was found on means lies up to a pixel beside a thin line.
    here = ndimage.minimum_filter(residual, 3)[rows, columns]
    good = np.zeros(rows.size, bool)
    for distance in (3, 6, 11, 18):
        for down, across in ((0, 1), (1, 0), (0.7, 0.7), (0.7, -0.7)):
            y, x = round(distance * down), round(distance * across)
            one = residual[np.clip(rows + y, 0, height - 1), np.clip(columns + x, 0, width - 1)]
            other = residual[np.clip(rows - y, 0, height - 1), np.clip(columns - x, 0, width - 1)]
            low, high = np.minimum(one, other) - here, np.maximum(one, other) - here
            good |= (low >= depth) & (low >= 0.35 * high)
    kept[rows[good], columns[good]] = True
    return kept
