"""What stands out from the specimen and was outlined as no body: what a count may have missed.

Knows grey values and which bodies were found. A piece counts where it is compact and ends in an
edge: wide shading has none, and a line is not compact. What such a piece is, is not known: the
uncertainty of sizes says what it would change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from glassllava.measurement.bodies import Body
from glassllava.measurement.places import LARGEST_SHARE, SMALLEST_AREA, half_contrast
from glassllava.measurement.regions import Field

Array = np.ndarray[Any, Any]

_BESIDE = 3  # px: what lies so near to a body is its own flank
#: The area of a piece over that of the largest disc in it: a dark one that is longer is a line.
_LONGEST = {-1: 4.0, 1: 14.0}
_LEAST_STEP, _STEP_SHARE = 4.0, 0.4  # spreads, and of its level, that it falls within 5 px
_EIGHT = np.ones((3, 3), bool)


def leftover(field: Field, found: Sequence[Body], sign: int) -> Array:
    """Areas of compact pieces brighter (`sign` 1) or darker (-1) than the rest that are no body.

    In pixels of the field, (n,); `found` are the bodies of either sign.
    """
    values = sign * field.residual
    taken = np.zeros(values.shape, bool)
    for body in found:
        taken[body.box] |= body.mask
    free = ~ndimage.binary_dilation(taken, iterations=_BESIDE)
    labels, count = ndimage.label(half_contrast(values) & free, _EIGHT)
    area = np.bincount(labels.ravel(), minlength=count + 1)
    areas = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if 2 * SMALLEST_AREA <= area[label] <= LARGEST_SHARE * field.area:
            around = tuple(slice(max(0, side.start - 6), side.stop + 6) for side in box)
            own = labels[around] == label
            if _is_body(values[around], own, free[around], _LONGEST[sign]):
                areas.append(float(area[label]))
    return np.array(areas)


def _is_body(values: Array, own: Array, free: Array, longest: float) -> bool:
    """Whether a piece is compact and falls off to what is round it."""
    deep = ndimage.distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1]
    depth = float(deep.max())
    if depth < 2.5 or np.count_nonzero(own) > longest * math.pi * depth**2:
        return False
    away = ndimage.distance_transform_edt(~own)
    beyond = values[(away > 2) & (away <= 4) & free]
    if not beyond.size:
        return False
    level = float(np.median(values[own]))
    step = float(np.median(values[own & (deep <= 3)])) - float(np.median(beyond))
    return step > max(_LEAST_STEP, _STEP_SHARE * level)
