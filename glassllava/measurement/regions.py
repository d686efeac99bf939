"""The specimen made flat, the noise that is left on it, and regions of the stored page.

Knows grey values alone: what stands out is for `bodies` and `lines`, and how long it is for the
ruler. Made to find nothing on noise, gradients and texture: every threshold is in units of the
spread that the flattened image itself has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.filters import rank

from glassllava.measurement.impulses import without_impulses
from glassllava.measurement.quantities import Region
from glassllava.micrograph.contrast import display_range

Array = np.ndarray[Any, Any]

# scikit-image states no types of its own.
_rank_median: Any = rank.median

#: Larger specimens are averaged in blocks until they have at most this many pixels.
MOST_PIXELS = 2_000_000
#: Regions handed on, the largest first.
MOST_REGIONS = 200
SMOOTHING = 1.0  # px, standard deviation of the Gaussian
SEED = 7.0  # a blob's peak, in spreads; noise of two megapixels reaches 5.2
REACH = 3.0  # how far down its flank a blob is followed, in spreads
#: Longer than this times its width, a place is not compact; nor where it fills less than this
#: share of the ellipse of equal second moments.
MOST_AXIS_RATIO = 3.0
LEAST_FILL = 0.85
_COARSE = 96  # px of the longer side of the grid on which the background is found
_WINDOW = 25  # px of that grid: the background's median window, a quarter of the longer side
_FAR = 6.0  # spreads from the fitted surface: no shading, but a body of its own
_MOST_POINTS = 64
_ROWS = 61  # rows within which a shift is told from what goes on
_SHIFTED, _UNUSUAL = 4.0, 6.0  # spreads of the field, and of its rows' shifts
_BESIDE, _LEAST_BESIDE = 2.5, 0.2  # spreads from the rows round it, and of a row
_FEWEST_CLIPPED = 10  # px
_ROUNDING = 0.29  # grey values: the standard deviation of rounding to whole ones


@dataclass(frozen=True, slots=True)
class Field:
    """The specimen made flat.

    `residual` is (H, W): smoothed grey values less the background, in spreads of itself
    (1.4826 × the median absolute deviation), so that noise has a standard deviation of 1.
    `scale` is how many pixels of the stored page one of its pixels spans; `top` its first row.
    `clipped` (H, W) is where the detector's range ends: white, however bright it was. `level` is
    how many lines along whole rows were taken out as the scan's, and may have been the specimen's;
    `impulses` how many single pixels were replaced.
    """

    residual: Array
    spread: float
    scale: int
    top: int
    clipped: Array | None = None
    level: int = 0
    impulses: int = 0

    @property
    def area(self) -> int:
        return int(self.residual.size)


@dataclass(frozen=True, slots=True)
class Blob:
    """One compact place, in pixels of the field: `mask` within `box`."""

    box: tuple[slice, slice]
    mask: Array


def flatten(specimen: Array, top: int = 0) -> Field:
    """The field of a specimen (H, W): background, charging stripes and noise scale taken out."""
    scale = 1
    while specimen.size / scale**2 > MOST_PIXELS:
        scale += 1
    with np.errstate(over="ignore"):  # what 32 bits cannot hold is infinite, and filled below
        values = specimen.astype(np.float32)
    if specimen.dtype.kind == "f":
        finite = np.isfinite(values)
        if not finite.all():
            fill = float(np.median(values[finite])) if finite.any() else 0.0
            values = np.where(finite, values, np.float32(fill))
    rounding = rounding_of(specimen)
    values, impulses = without_impulses(values, rounding)
    if scale > 1:
        values = blocks(values, scale)
    smooth = ndimage.gaussian_filter(values, SMOOTHING)
    residual = smooth - _background(smooth)
    # Charging and drift of the beam current shift whole rows.
    rows = np.median(residual[:, ::2], axis=1).astype(np.float32)
    residual -= rows[:, None]
    # Every third row and column is enough for medians and percentiles of a whole field.
    low, high = display_range(values[::3, ::3])
    spread = max(deviation(residual[::3, ::3]), 0.005 * (high - low), rounding, 1e-12)
    of_scan, level = _of_scan(residual, rows, spread)
    residual += (rows - of_scan)[:, None]
    residual /= np.float32(spread)
    return Field(residual, spread, scale, top, _clipped(specimen, scale), level, impulses)


def _of_scan(residual: Array, rows: Array, spread: float) -> tuple[Array, int]:
    """By how much the scan shifted each row (H,), and how many lines along whole rows that took.

    `rows` are the medians that were taken from the `residual` (H, W). The beam shifts the whole of
    a row: where a fifth of one that stands out lies as the rows round it do, a line runs along
    the rest.
    """
    usual = ndimage.median_filter(rows, min(_ROWS, len(rows)), mode="nearest")
    apart = rows - usual
    much = max(_SHIFTED * spread, _UNUSUAL * 1.4826 * float(np.median(np.abs(apart))))
    of_scan = rows.copy()
    for row in np.flatnonzero(np.abs(apart) > much):
        values = residual[row, ::2] + apart[row]
        alike = np.abs(values) <= _BESIDE * spread
        if alike.mean() >= _LEAST_BESIDE:
            of_scan[row] = usual[row] + np.median(values[alike])
    taken = np.abs(of_scan - usual) > much
    return of_scan, int(np.count_nonzero(np.diff(taken.astype(int), prepend=0) > 0))


def rounding_of(specimen: Array) -> float:
    """The standard deviation that grey values have by rounding alone: that of whole numbers."""
    return _ROUNDING if specimen.dtype.kind in "ui" else 0.0


def _clipped(specimen: Array, scale: int) -> Array | None:
    """Where whole numbers are at the end of their range; None where few are, or it is unknown.

    The upper end alone: a hole is black because no electrons leave it, not for want of range.
    """
    if specimen.dtype.kind != "u":
        return None
    top = int(specimen.max())
    if top < 2 or top & (top + 1):  # detectors of 10, 12 or 14 bits write into 16
        return None
    ends = specimen == top
    if np.count_nonzero(ends) < _FEWEST_CLIPPED:
        return None
    return ends if scale == 1 else blocks(ends, scale) > 0.5


def deviation(residual: Array) -> float:
    """1.4826 × the median absolute deviation, again without what is beyond four of itself.

    Bodies that cover a third of the specimen would else hide behind their own contrast; of noise
    and of texture the fourfold leaves all.
    """
    away = np.abs(residual).ravel()
    deviation = 1.4826 * float(np.median(away))
    for _ in range(6):
        kept = away[away <= 4 * deviation]
        again = 1.4826 * float(np.median(kept)) if kept.size else deviation
        if again > 0.99 * deviation:
            break
        deviation = again
    return deviation


def region(field: Field, points: Array, feature: str, number: int, area: float) -> Region:
    """What a path (N, 2) of (row, column) encloses, as a region of the stored page.

    `area` is in pixels of the field. What lies outside the specimen is cut off.
    """
    scale, top = field.scale, field.top
    height, width = field.residual.shape
    outline = points[:: -(-len(points) // _MOST_POINTS)]
    y = np.clip(outline[:, 0] + 0.5, 0, height) * scale + top
    x = np.clip(outline[:, 1] + 0.5, 0, width) * scale
    return Region(
        id=f"{feature}-{number}",
        feature=feature,
        bbox=(
            math.floor(x.min()),
            math.floor(y.min()),
            math.ceil(x.max()),
            math.ceil(y.max()),
        ),
        area_px=float(area * scale**2),
        polygon=tuple((round(float(a), 1), round(float(b), 1)) for a, b in zip(x, y, strict=True)),
    )


def blocks(values: Array, scale: int) -> Array:
    """Means of `scale` × `scale` blocks; what is left over at the right and below is dropped."""
    height, width = (side // scale * scale for side in values.shape)
    cut = values[:height, :width].reshape(height // scale, scale, width // scale, scale)
    return cut.mean(axis=(1, 3), dtype=np.float32)


def _background(smooth: Array) -> Array:
    """The wide shading: medians over a quarter of the field, on a coarse grid, smoothed.

    A median follows neither pores nor cracks, unless they cover half of its window: what stands
    far off the fitted surface is put on it first, or a large bubble would be its own background.
    """
    step = max(1, -(-max(smooth.shape) // _COARSE))
    coarse = smooth[step // 2 :: step, step // 2 :: step]
    # A median over the half window that an edge leaves is off on a slope: the slope goes first.
    slope = _slope(coarse)
    coarse = coarse - slope
    far = np.abs(coarse) > _FAR * 1.4826 * float(np.median(np.abs(coarse)))
    coarse = np.where(far, np.float32(0), coarse)
    low, high = float(coarse.min()), float(coarse.max())
    if not high > low:
        return _stretch(slope + low, smooth.shape, step)
    levels = np.clip((coarse - low) * (255 / (high - low)) + 0.5, 0, 255).astype(np.uint8)
    window = np.ones((min(_WINDOW, levels.shape[0]), min(_WINDOW, levels.shape[1])), np.uint8)
    median = _rank_median(levels, window).astype(np.float32) * ((high - low) / 255) + low
    median = ndimage.gaussian_filter(median, 2.0, mode="nearest")
    return _stretch(median + slope, smooth.shape, step)


def _slope(coarse: Array) -> Array:
    """The second-order surface through the values, fitted again without the outliers.

    The first fit leaves out what is far from the median value, or a large dark body would bend
    the surface until it is no outlier.
    """
    height, width = coarse.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = coarse.ravel().astype(np.float64)
    apart = np.abs(values - np.median(values))
    kept = apart <= 3 * 1.4826 * max(float(np.median(apart)), 1e-9)
    fitted = values
    for _ in range(4):
        weights = np.linalg.lstsq(terms[kept], values[kept], rcond=None)[0]
        fitted = terms @ weights
        apart = np.abs(values - fitted)
        kept = apart <= 3 * 1.4826 * max(float(np.median(apart)), 1e-9)
        if np.count_nonzero(kept) < 12:
            break
    return fitted.reshape(coarse.shape).astype(np.float32)


def _stretch(coarse: Array, shape: tuple[int, ...], step: int) -> Array:
    """Linear interpolation of the coarse grid at every pixel, constant beyond its ends."""
    rows = (np.arange(shape[0]) - step // 2) / step
    columns = (np.arange(shape[1]) - step // 2) / step
    wide = _interpolated(coarse, columns, axis=1)
    return _interpolated(wide, rows, axis=0)


def _interpolated(values: Array, at: Array, axis: int) -> Array:
    last = values.shape[axis] - 1
    at = np.clip(at, 0, last)
    below = np.minimum(at.astype(int), max(0, last - 1))
    weight = (at - below).astype(np.float32)
    above = np.minimum(below + 1, last)
    weight = weight[None, :] if axis == 1 else weight[:, None]
    low, high = np.take(values, below, axis), np.take(values, above, axis)
    return (low + (high - low) * weight).astype(np.float32)
