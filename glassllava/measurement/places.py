"""Where a body may be: what stands out from the flattened specimen, parted where bodies touch.

Knows grey values and shapes; where a body really ends is for `outlines`, and whether it is one
for `bodies`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import ndimage
from skimage import segmentation
from skimage.morphology import h_maxima

from glassllava.measurement.outlines import Place
from glassllava.measurement.regions import LEAST_FILL, MOST_AXIS_RATIO, REACH, SEED, Field

Array = np.ndarray[Any, Any]

# scikit-image states no types of its own.
_watershed: Any = segmentation.watershed
_h_maxima: Any = h_maxima

SMALLEST_AREA = 12  # px
LARGEST_SHARE = 0.6  # of the specimen's area
LONGEST = 8.0  # axis ratio of a bright body: a lath
MOST_PLACES = 2000  # the largest are taken
_LARGEST_HOLE = 0.25  # of the specimen: a larger ring encloses the specimen, not a body
#: A waist narrower than this times the smaller body's depth parts two bodies.
_WAIST = 0.75
_LONG = 2.5  # times the disc of its own depth: what is longer is a piece of a line
_DEPTH = 3.0  # px: what is thinner is not parted
#: An arm is thinner than this times the piece's greatest depth.
_ARM = 0.3
_EIGHT = np.ones((3, 3), bool)


def places(field: Field) -> list[Place]:
    """Where a body may be: what stands out either way, what is dark, what is bright."""
    found: list[Place] = []
    away = np.abs(field.residual)
    found += _of_mask(field, _filled(_seeded(away, REACH)), MOST_AXIS_RATIO, split=False)
    for sign in (-1, 1):
        # A long dark place is a crack, or part of one.
        longest = MOST_AXIS_RATIO if sign < 0 else LONGEST
        mask = _filled(half_contrast(sign * field.residual))
        found += _of_mask(field, mask, longest, split=True)
    found.sort(key=lambda place: -place.radius)
    return found[:MOST_PLACES]


def _seeded(values: Array, reach: float) -> Array:
    """Where `values` pass `reach`, in pieces that somewhere pass `SEED`."""
    labels, count = ndimage.label(values > reach, _EIGHT)
    seeded = np.zeros(count + 1, bool)
    seeded[np.unique(labels[values >= SEED])] = True
    seeded[0] = False
    return np.asarray(seeded[labels])


def half_contrast(values: Array) -> Array:
    """Where `values` pass half of their own piece's contrast."""
    labels, count = ndimage.label(values > REACH, _EIGHT)
    if count == 0:
        return np.zeros(values.shape, bool)
    inside = np.flatnonzero(labels)
    owner, height = labels.ravel()[inside], values.ravel()[inside]
    peak = np.zeros(count + 1, np.float32)
    np.maximum.at(peak, owner, height)
    core = height > 0.5 * peak[owner]
    contrast = np.bincount(owner[core], height[core], count + 1) / np.maximum(
        np.bincount(owner[core], minlength=count + 1), 1
    )
    mask = np.zeros(values.size, bool)
    mask[inside[(peak[owner] >= SEED) & (height > 0.5 * contrast[owner])]] = True
    return mask.reshape(values.shape)


def _filled(mask: Array) -> Array:
    """The mask with the holes it encloses, but for the specimen itself."""
    holes, count = ndimage.label(~mask)
    area = np.bincount(holes.ravel(), minlength=count + 1)
    open_ = area > _LARGEST_HOLE * mask.size
    for edge in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        open_[edge] = True
    open_[0] = True
    return np.asarray(mask | ~open_[holes])


def _of_mask(field: Field, mask: Array, longest: float, *, split: bool) -> list[Place]:
    """The places of a mask's pieces; those of more than one body in their parts."""
    labels, count = ndimage.label(mask, _EIGHT)
    if count == 0:
        return []
    inside = np.flatnonzero(labels)
    ellipses = _ellipses(labels.ravel()[inside], inside, count, labels.shape[1])
    found = []
    boxes = ndimage.find_objects(labels)
    for label in range(1, count + 1):
        area, y, x, major, minor, turn = ellipses[label]
        if area < SMALLEST_AREA or area > LARGEST_SHARE * field.area:
            continue
        place = Place(y, x, 2 * major, 2 * minor, turn)
        fill = area / (math.pi * place.major * place.minor)
        if split and fill < 0.97 and area >= 4 * SMALLEST_AREA:
            rows, columns = boxes[label - 1]
            parts = list(_parts(labels[rows, columns] == label, rows.start, columns.start))
            if parts:
                found += parts
                continue
        if fill >= LEAST_FILL and major <= longest * minor:
            found.append(place)
        elif area >= 8 * SMALLEST_AREA:
            rows, columns = boxes[label - 1]
            found += _opened(labels[rows, columns] == label, rows.start, columns.start)
    return found


def _opened(mask: Array, top: int, left: int) -> list[Place]:
    """The place of a piece without the arms that reach out of it, such as cracks round a stone."""
    inner = np.pad(mask, 1)
    deep = ndimage.distance_transform_edt(inner)
    depth = _ARM * float(deep.max())
    if depth < 1.0:
        return []
    core, count = ndimage.label(deep > depth, _EIGHT)
    body = ndimage.distance_transform_edt(core != 1 + _largest(core, count)) <= depth
    inside = np.flatnonzero(body & inner)
    if inside.size < 0.5 * np.count_nonzero(mask):
        return []
    area, y, x, major, minor, turn = _ellipses(
        np.ones(inside.size, int), inside, 1, inner.shape[1]
    )[1]
    fill = area / (4 * math.pi * major * minor)
    if fill < LEAST_FILL or major > MOST_AXIS_RATIO * minor:
        return []
    return [Place(y + top - 1, x + left - 1, 2 * major, 2 * minor, turn)]


def _largest(labels: Array, count: int) -> int:
    return int(np.bincount(labels.ravel(), minlength=count + 1)[1:].argmax())


def _ellipses(owner: Array, inside: Array, count: int, width: int) -> Array:
    """Area, middle, half axes (standard deviations) and direction of each label: (n + 1, 6)."""
    y, x = (part.astype(np.float64) for part in np.divmod(inside, width))
    area = np.maximum(np.bincount(owner, minlength=count + 1), 1).astype(np.float64)
    my = np.bincount(owner, y, count + 1) / area
    mx = np.bincount(owner, x, count + 1) / area
    y -= my[owner]
    x -= mx[owner]
    # A pixel is a square, not a point: a twelfth is its own second moment.
    yy = np.bincount(owner, y * y, count + 1) / area + 1 / 12
    xx = np.bincount(owner, x * x, count + 1) / area + 1 / 12
    xy = np.bincount(owner, x * y, count + 1) / area
    root = np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    middle = (yy + xx) / 2
    return np.stack(
        [
            area,
            my,
            mx,
            np.sqrt(middle + root),
            np.sqrt(np.maximum(middle - root, 1 / 12)),
            0.5 * np.arctan2(2 * xy, xx - yy),
        ],
        axis=1,
    )


def _parts(mask: Array, top: int, left: int) -> Iterator[Place]:
    """Places of the bodies that touch in a piece: parted at its waists, or none."""
    inner = np.pad(mask, 1)
    deep = ndimage.distance_transform_edt(inner)
    tallest = float(deep.max())
    if tallest < _DEPTH:
        return
    peaks, count = ndimage.label(_h_maxima(deep, max(0.75, 0.12 * tallest)), _EIGHT)
    if not 2 <= count <= 60:
        return
    parts = _watershed(-deep, peaks, mask=inner)
    height = ndimage.maximum(deep, parts, np.arange(count + 1))
    height[0] = 0
    # The widest place of the line between two parts is their waist.
    owner = np.arange(count + 1)
    for before, after in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        a, b = parts[before], parts[after]
        touch = (a != b) & (a > 0) & (b > 0)
        wide = np.minimum(deep[before], deep[after])[touch]
        for one, other, waist in zip(a[touch], b[touch], wide, strict=True):
            if waist > _WAIST * min(height[one], height[other]):
                owner[owner == owner[other]] = owner[one]
    joined = owner[parts]
    if len(np.unique(joined)) < 3:  # the outside, and one
        return
    inside = np.flatnonzero(joined)
    ellipses = _ellipses(joined.ravel()[inside], inside, count, joined.shape[1])
    for label in np.unique(joined)[1:]:
        area, y, x, major, minor, turn = ellipses[label]
        fill = area / (4 * math.pi * major * minor)
        # What is long beside its depth is a piece of a line.
        depth = float(deep[joined == label].max())
        if depth >= _DEPTH and area <= _LONG * math.pi * depth**2 and fill >= LEAST_FILL:
            yield Place(y + top - 1, x + left - 1, 2 * major, 2 * minor, turn)
