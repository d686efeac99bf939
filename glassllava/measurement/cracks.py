"""Cracks: dark thin lines, with their length, width, branches and direction.

Lines are found by the curvature of the grey values across them at three scales, and kept only
where both sides are brighter: the edge of a layer or of a pore is not a line. By grey alone a
crack, a dark scratch and a grain boundary are alike: that is for the model and the person to
tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from glassllava.measurement.quantities import Measurement, Region
from glassllava.measurement.regions import MOST_REGIONS, Blob, Field, region
from glassllava.measurement.ruler import Ruler

Array = np.ndarray[Any, Any]
_skeletonize: Any = skeletonize  # scikit-image states no types of its own

_LEVELS = 3  # scales: 1, 2 and 4 px a step
#: Curvature in its own spreads: noise of a megapixel reaches 2.3, one pixel in a hundred 1.1.
_SEED, _FOLLOW = 2.4, 1.2
_DEPTH = 3.0  # spreads of the residual by which a line is darker than both of its sides
_SHORTEST = 30.0  # px, and
_SHORTEST_SHARE = 0.04  # of the shorter side of the specimen
_SLENDER = 6.0  # least length over width
_EIGHT = np.ones((3, 3), bool)
#: Lengths of a straight and of a diagonal step that make a digital line unbiased over all
#: directions (Vossepoel and Smeulders 1982, Kulpa 1977); 1 and √2 are 5 % too long.
_STRAIGHT, _DIAGONAL = 0.948, 1.343


@dataclass(frozen=True, slots=True)
class Line:
    """One connected line, in pixels of the field."""

    rows: Array
    columns: Array
    length: float
    width: float
    width_low: float
    width_high: float
    branches: int
    direction: float
    blob: Blob

    @property
    def along_rows(self) -> bool:
        """Straight along the scan: charging, line noise and a jump of the beam look so."""
        return int(np.ptp(self.rows)) <= max(2.0, 0.02 * self.length)


def find(field: Field, dark: Sequence[Blob]) -> list[Line]:
    """Every line that is long, slender and darker than both of its sides; longest first."""
    lines = _line_mask(field.residual)
    for blob in dark:
        # The rim of a round hole curves like a line.
        rows, columns = blob.box
        around = (
            slice(max(0, rows.start - 2), rows.stop + 2),
            slice(max(0, columns.start - 2), columns.stop + 2),
        )
        lines[around] = False
    if not lines.any():
        return []
    skeleton: Array = _skeletonize(lines)
    skeleton &= _both_sides_brighter(field.residual, skeleton)
    # A line may fade for a few pixels and go on.
    joined = ndimage.binary_dilation(skeleton, _EIGHT, iterations=3)
    labels, count = ndimage.label(joined, _EIGHT)
    if count == 0:
        return []
    shortest = max(_SHORTEST, _SHORTEST_SHARE * min(field.residual.shape))
    pixels = np.bincount(labels[skeleton], minlength=count + 1)
    boxes = ndimage.find_objects(labels)
    found = []
    for label in np.flatnonzero(pixels >= 0.6 * shortest):
        line = _line(field, labels, skeleton, int(label), boxes[label - 1])
        if line.length >= shortest and line.length >= _SLENDER * line.width:
            found.append(line)
    return sorted(found, key=lambda line: -line.length)


def measure_cracks(
    field: Field, lines: Sequence[Line], ruler: Ruler
) -> tuple[list[Measurement], list[Region], list[str]]:
    """Cracks: count, length, width, branches, direction."""
    feature = "crack"
    scale = field.scale
    scanned = sum(line.along_rows for line in lines)
    lines = [line for line in lines if not line.along_rows]
    notes = []
    if scanned:
        notes.append(f"{scanned} dark lines straight along the rows were not taken for cracks")
    coarse = f" on {scale} × {scale} pixel means" if scale > 1 else ""
    seen = f"dark thin lines (curvature at three scales{coarse}, both sides brighter)"
    result = [
        Measurement(f"{feature}_count", float(len(lines)), "1", None, f"number of {seen}", feature)
    ]
    if not lines:
        return result, [], notes
    lengths = np.array([line.length for line in lines]) * scale
    weights = lengths / lengths.sum()
    widths, lows, highs = (
        _weighted_median(np.array(values) * scale, weights)
        for values in (
            [line.width for line in lines],
            [line.width_low for line in lines],
            [line.width_high for line in lines],
        )
    )
    note = "dark scratches and grain boundaries look alike"
    along = f"along the skeletons of {seen}, steps weighted 0.948 and 1.343"
    # 2.5 % of a digital line's length in any direction, and a step at either end, k = 2.
    of_total = math.hypot(0.025 * float(lengths.sum()), 2 * scale * math.sqrt(len(lines)))
    of_longest = math.hypot(0.025 * float(lengths.max()), 2 * scale)
    result += [
        ruler.measurement(
            "crack_length_total",
            float(lengths.sum()),
            of_total,
            f"total length {along}",
            feature,
            note=note,
        ),
        ruler.measurement(
            "crack_length_max",
            float(lengths.max()),
            of_longest,
            f"longest length {along}",
            feature,
            note=note,
        ),
        ruler.measurement(
            "crack_width_median",
            widths,
            math.hypot(highs - lows, 0.6 * scale),
            f"median, weighted by length, of area over length of {seen}, bounded at half depth; "
            "uncertainty from the threshold moved by one noise sigma and from pixelation",
            feature,
            note="under the resolution floor of 3 px: at most this" if widths < 3 * scale else "",
        ),
        Measurement(
            "crack_branch_count",
            float(sum(line.branches for line in lines)),
            "1",
            None,
            f"places where three or more arms of a skeleton meet, in {seen}",
            feature,
        ),
    ]
    doubled = sum(
        weight * np.exp(2j * line.direction) for weight, line in zip(weights, lines, strict=True)
    )
    if abs(doubled) >= 0.5:
        result.append(
            Measurement(
                "crack_orientation",
                float(np.angle(doubled) / 2),
                "rad",
                None,
                f"mean direction of {seen}, weighted by length, anticlockwise from the rows; "
                f"alignment {abs(doubled):.2f} of 1",
                feature,
            )
        )
    regions = [
        region(field, line.blob, feature, number)
        for number, line in enumerate(lines[:MOST_REGIONS], start=1)
    ]
    return result, regions, notes


def _line_mask(residual: Array) -> Array:
    """Where the grey values curve upwards across a line, at any of the scales."""
    mask = np.zeros(residual.shape, bool)
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
        found = _ridges(level)
        if found.any():
            fine = np.repeat(np.repeat(found, 2**step, 0), 2**step, 1)
            mask[: fine.shape[0], : fine.shape[1]] |= fine
    return mask


def _ridges(values: Array) -> Array:
    """Hysteresis on the curvature across a dark line, less that along it."""
    across, down, mixed = _second_derivatives(values)
    mean, half = 0.5 * (across + down), 0.5 * (across - down)
    root = np.sqrt(half * half + mixed * mixed)
    strength = mean + root - np.abs(mean - root)
    bright = (root - mean - np.abs(mean + root))[::3, ::3]
    spread = 2.2 * float(np.median(np.abs(strength[::3, ::3]))) + 1e-9
    # Texture makes bright lines as often as dark ones: what bright lines reach is no evidence.
    # Cracks with charged lips cover less than one part in a hundred.
    texture = float(np.percentile(bright, 99.0))
    follow = max(_FOLLOW * spread, texture)
    seed = max(_SEED * spread, 2 * texture)
    candidates = strength > follow
    labels, count = ndimage.label(candidates, _EIGHT)
    if count == 0:
        return candidates
    kept = np.zeros(count + 1, bool)
    kept[labels[strength > seed]] = True
    kept[0] = False
    return kept[labels]


def _second_derivatives(values: Array) -> tuple[Array, Array, Array]:
    padded = np.pad(values, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    across = padded[1:-1, 2:] - 2 * middle + padded[1:-1, :-2]
    down = padded[2:, 1:-1] - 2 * middle + padded[:-2, 1:-1]
    mixed = 0.25 * (padded[2:, 2:] - padded[2:, :-2] - padded[:-2, 2:] + padded[:-2, :-2])
    return across, down, mixed


def _both_sides_brighter(residual: Array, skeleton: Array) -> Array:
    """The skeleton's pixels at which both sides rise, at one of three distances."""
    rows, columns = np.nonzero(skeleton)
    kept = np.zeros(skeleton.shape, bool)
    if rows.size == 0:
        return kept
    height, width = residual.shape
    here = residual[rows, columns]
    good = np.zeros(rows.size, bool)
    for distance in (3, 6, 11):
        for down, across in ((0, 1), (1, 0), (0.7, 0.7), (0.7, -0.7)):
            y, x = round(distance * down), round(distance * across)
            one = residual[np.clip(rows + y, 0, height - 1), np.clip(columns + x, 0, width - 1)]
            other = residual[np.clip(rows - y, 0, height - 1), np.clip(columns - x, 0, width - 1)]
            low, high = np.minimum(one, other) - here, np.maximum(one, other) - here
            good |= (low >= _DEPTH) & (low >= 0.35 * high)
    kept[rows[good], columns[good]] = True
    return kept


def _line(
    field: Field, labels: Array, skeleton: Array, label: int, box: tuple[slice, slice]
) -> Line:
    margin = 6
    around = (
        slice(max(0, box[0].start - margin), box[0].stop + margin),
        slice(max(0, box[1].start - margin), box[1].stop + margin),
    )
    arm = skeleton[around] & (labels[around] == label)
    residual = field.residual[around]
    depth = -float(np.median(residual[arm]))
    near = ndimage.binary_dilation(arm, _EIGHT, iterations=margin)
    length, branches = _length(arm)
    widths = []
    for level in (0.5 * depth, 0.5 * depth + 1, 0.5 * depth - 1):
        body = near & (residual < -level)
        widths.append(np.count_nonzero(body) / max(length, 1.0))
    body = (near & (residual < -0.5 * depth)) | arm
    rows, columns = np.nonzero(arm)
    rows, columns = rows + around[0].start, columns + around[1].start
    size = int(np.count_nonzero(body))
    cut = (
        rows.min() < 3
        or columns.min() < 3
        or (rows.max() >= skeleton.shape[0] - 3 or columns.max() >= skeleton.shape[1] - 3)
    )
    return Line(
        rows=rows,
        columns=columns,
        length=length,
        width=widths[0],
        width_low=widths[1],
        width_high=widths[2],
        branches=branches,
        direction=_direction(rows, columns),
        blob=Blob(around, body, size, size, size, depth, length, 0.0, 1.0, bool(cut)),
    )


def _length(arm: Array) -> tuple[float, int]:
    """Length of a skeleton in pixels, and the number of its branchings."""
    padded = np.pad(arm, 1)
    straight = np.count_nonzero(padded[:, 1:] & padded[:, :-1]) + np.count_nonzero(
        padded[1:] & padded[:-1]
    )
    # A diagonal counts only where no straight way leads round the corner.
    one = padded[1:, 1:] & padded[:-1, :-1] & ~padded[1:, :-1] & ~padded[:-1, 1:]
    other = padded[1:, :-1] & padded[:-1, 1:] & ~padded[1:, 1:] & ~padded[:-1, :-1]
    diagonal = np.count_nonzero(one) + np.count_nonzero(other)
    neighbours = ndimage.convolve(padded.astype(np.uint8), _EIGHT.astype(np.uint8)) - padded
    knots = padded & (neighbours >= 3)
    branches = ndimage.label(knots, _EIGHT)[1]
    return _STRAIGHT * straight + _DIAGONAL * diagonal, branches


def _direction(rows: Array, columns: Array) -> float:
    """Direction of the longest extent, anticlockwise from the rows, in (-π/2, π/2]."""
    y, x = rows - rows.mean(), columns - columns.mean()
    return float(
        0.5 * math.atan2(-2 * float((x * y).mean()), float((x * x).mean() - (y * y).mean()))
    )


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, 0.5 * reached[-1])])
