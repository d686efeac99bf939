"""Pores and particles: compact places darker or brighter than the specimen around them.

A dark compact place is taken for a pore, also where only its bright rim shows; a bright one for
a particle. By grey alone a bubble, an etch pit and a dark inclusion are alike, and so are a
loose particle and an embedded stone: that is for the model and the person to tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from glassllava.measurement.quantities import Measurement, Region
from glassllava.measurement.regions import (
    LARGEST_SHARE,
    LEAST_FILL,
    MOST_AXIS_RATIO,
    MOST_REGIONS,
    Blob,
    Field,
    region,
)
from glassllava.measurement.ruler import Ruler

#: The outline must be this steep, in contrasts a pixel; large ones may be softer.
_LEAST_EDGE = 0.05
_SOFT_EDGE = 4.0
#: Share of the ring around that may stand out likewise: neighbours may, a layer may not.
_MOST_COMPANY = 0.35
_FEW = 10
_FLOOR = 5.0  # px: a diameter below it is not resolved
_CONTOUR = "bounded at half of its own contrast on the flattened specimen"


def compact(blobs: Sequence[Blob]) -> list[Blob]:
    """Those that are round enough, whole enough and sharp enough."""
    return [
        blob
        for blob in blobs
        if blob.axis_ratio <= MOST_AXIS_RATIO
        and blob.fill >= LEAST_FILL
        and blob.company <= _MOST_COMPANY
        and blob.edge >= min(_LEAST_EDGE, _SOFT_EDGE / blob.diameter)
    ]


def rimmed(field: Field, bright: Sequence[Blob], dark: Sequence[Blob]) -> list[Blob]:
    """Pores that show as a bright ring alone: the ring with what it encloses.

    A ring round a dark pore that was already found is its rim, not another pore.
    """
    known = np.zeros(field.residual.shape, bool)
    for blob in dark:
        known[blob.box] |= blob.mask
    found = []
    for blob in bright:
        rows, columns = blob.mask.shape
        if blob.fill >= LEAST_FILL or max(rows, columns) > 2 * min(rows, columns):
            continue
        filled = ndimage.binary_fill_holes(blob.mask)
        area = int(np.count_nonzero(filled))
        # A disc fills π/4 of its box.
        round_enough = area >= 0.68 * rows * columns
        if area < 1.3 * blob.area or not round_enough or area > LARGEST_SHARE * field.area:
            continue
        if np.any(known[blob.box] & filled):
            continue
        grown = area - blob.area
        found.append(
            Blob(
                blob.box,
                filled,
                area,
                max(0, blob.area_low + grown),
                blob.area_high + grown,
                blob.contrast,
                max(rows, columns) / min(rows, columns),
                1.0,
                blob.edge,
                blob.cut,
            )
        )
    return found


def measure_pores(
    field: Field, dark: Sequence[Blob], bright: Sequence[Blob], ruler: Ruler
) -> tuple[list[Measurement], list[Region], list[str]]:
    """Pores: count, equivalent diameters, area fraction, number per area."""
    found = compact(dark)
    found += rimmed(field, bright, found)
    return _measured(field, found, ruler, "pore", "dark or bright-rimmed compact places")


def measure_particles(
    field: Field, bright: Sequence[Blob], ruler: Ruler
) -> tuple[list[Measurement], list[Region], list[str]]:
    """Particles or inclusions: the same of bright compact places."""
    return _measured(field, compact(bright), ruler, "particle", "bright compact places")


def _measured(
    field: Field, blobs: Sequence[Blob], ruler: Ruler, feature: str, seen: str
) -> tuple[list[Measurement], list[Region], list[str]]:
    blobs = sorted(blobs, key=lambda blob: -blob.area)
    count = len(blobs)
    few = f"few: {count} only" if 0 < count < _FEW else ""
    coarse = f", on {field.scale} × {field.scale} pixel means" if field.scale > 1 else ""
    method = f"{seen}, each {_CONTOUR}{coarse}"
    measurements = [
        Measurement(f"{feature}_count", float(count), "1", None, f"number of {method}", feature)
    ]
    if count:
        measurements += _sizes(field, blobs, ruler, feature, method, few)
        measurements += _shares(field, blobs, ruler, feature, method, few)
    notes = []
    if count > MOST_REGIONS:
        notes.append(f"{count} {feature}s were counted; the {MOST_REGIONS} largest are outlined")
    regions = [
        region(field, blob, feature, number)
        for number, blob in enumerate(blobs[:MOST_REGIONS], start=1)
    ]
    return measurements, regions, notes


def _sizes(
    field: Field, blobs: Sequence[Blob], ruler: Ruler, feature: str, method: str, few: str
) -> list[Measurement]:
    # One that the frame cuts has no diameter, unless there is no other.
    whole = [blob for blob in blobs if not blob.cut] or list(blobs)
    notes = [few] if few else []
    if all(blob.cut for blob in blobs):
        notes.append("cut by the frame: at least this")
    diameters, lows, highs = (
        field.scale * np.sqrt(4 * np.array(areas) / math.pi)
        for areas in (
            [blob.area for blob in whole],
            [blob.area_low for blob in whole],
            [blob.area_high for blob in whole],
        )
    )
    small = int(np.count_nonzero(diameters < _FLOOR * field.scale))
    if small:
        notes.append(f"{small} of {len(whole)} are under the resolution floor of {_FLOOR:g} px")
    described = (
        f"equivalent circular diameter √(4A/π) of {method}; uncertainty from the threshold "
        "moved by one noise sigma and from pixelation"
    )
    result = []
    for name, pick in (("median", np.median), ("max", np.max)):
        number = len(whole) if name == "median" else 1
        pixelation = 0.6 * field.scale / math.sqrt(number)
        spread = math.hypot(float(pick(highs) - pick(lows)), pixelation)
        result.append(
            ruler.measurement(
                f"{feature}_equivalent_diameter_{name}",
                float(pick(diameters)),
                spread,
                f"{name} {described}",
                feature,
                note="; ".join(notes),
            )
        )
    return result


def _shares(
    field: Field, blobs: Sequence[Blob], ruler: Ruler, feature: str, method: str, few: str
) -> list[Measurement]:
    area = sum(blob.area for blob in blobs) / field.area
    spread = (
        sum(blob.area_high for blob in blobs) - sum(blob.area_low for blob in blobs)
    ) / field.area
    count, pixels = len(blobs), field.area * field.scale**2
    return [
        Measurement(
            f"{feature}_area_fraction",
            area,
            "1",
            spread,
            f"area of {method}, over the area of the specimen without the databar",
            feature,
            few,
        ),
        ruler.measurement(
            f"{feature}_number_density",
            count / pixels,
            2 * math.sqrt(count) / pixels,
            f"number of {method}, over the area of the specimen; uncertainty 2√n of counting",
            feature,
            power=-2,
            note=few,
        ),
    ]
