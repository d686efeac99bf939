"""Where something stands out from the specimen: flattening, noise, blobs and their outlines.

Knows grey values alone: what a blob is called is for `pores`, and how long it is for the ruler.
Made to find nothing on noise, gradients and texture: every threshold is in units of the spread
that the flattened image itself has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage import measure
from skimage.filters import rank

from glassllava.measurement.quantities import Region
from glassllava.micrograph.contrast import display_range

Array = np.ndarray[Any, Any]

# scikit-image states no types of its own.
_find_contours: Any = measure.find_contours
_approximate_polygon: Any = measure.approximate_polygon
_rank_median: Any = rank.median

#: Larger specimens are averaged in blocks until they have at most this many pixels.
MOST_PIXELS = 2_000_000
#: Regions handed on, the largest first.
MOST_REGIONS = 200
SMOOTHING = 1.0  # px, standard deviation of the Gaussian
SEED = 7.0  # a blob's peak, in spreads; noise of two megapixels reaches 5.2
REACH = 3.0  # how far down its flank a blob is followed, in spreads
SMALLEST_AREA = 12  # px
LARGEST_SHARE = 0.25  # of the specimen's area
_CORE = 0.65  # a blob's mean over its contrast is more than this
#: Longer than this times its width, a place is not compact; nor where it fills less than this
#: share of the ellipse of equal second moments.
MOST_AXIS_RATIO = 3.0
LEAST_FILL = 0.85
_COARSE = 96  # px of the longer side of the grid on which the background is found
_WINDOW = 25  # px of that grid: the background's median window, a quarter of the longer side
_FAR = 6.0  # spreads from the fitted surface: no shading, but a body of its own
_MOST_POINTS = 64


@dataclass(frozen=True, slots=True)
class Field:
    """The specimen made flat.

    `residual` is (H, W): smoothed grey values less the background, in spreads of itself
    (1.4826 × the median absolute deviation), so that noise has a standard deviation of 1.
    `scale` is how many pixels of the stored page one of its pixels spans; `top` its first row.
    """

    residual: Array
    spread: float
    scale: int
    top: int

    @property
    def area(self) -> int:
        return int(self.residual.size)


@dataclass(frozen=True, slots=True)
class Blob:
    """One compact place that stands out, in pixels of the field.

    `area_low` and `area_high` are its areas with the threshold moved by one spread each way.
    `fill` compares the area with that of the ellipse of equal second moments: 1 for a disc.
    `edge` is the steepness of its outline, in contrasts a pixel; `company` the share of the ring
    around it that stands out as it does: beside a layer's edge that is much.
    """

    box: tuple[slice, slice]
    mask: Array
    area: int
    area_low: int
    area_high: int
    contrast: float
    axis_ratio: float
    fill: float
    edge: float
    cut: bool
    company: float = 0.0

    @property
    def diameter(self) -> float:
        return float(np.sqrt(4 * self.area / np.pi))


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
    if scale > 1:
        values = _blocks(values, scale)
    smooth = ndimage.gaussian_filter(values, SMOOTHING)
    residual = smooth - _background(smooth)
    # Charging and drift of the beam current shift whole rows.
    residual -= np.median(residual[:, ::2], axis=1, keepdims=True).astype(np.float32)
    # Every third row and column is enough for medians and percentiles of a whole field.
    low, high = display_range(values[::3, ::3])
    deviation = 1.4826 * float(np.median(np.abs(residual[::3, ::3])))
    spread = max(deviation, 0.005 * (high - low), 1e-12)
    residual /= np.float32(spread)
    return Field(residual, spread, scale, top)


def blobs(field: Field, sign: int) -> list[Blob]:
    """Compact and not compact places brighter (`sign` 1) or darker (-1) than their surroundings.

    A place is seeded where the residual passes `SEED`, followed down to `REACH`, and bounded
    where it has fallen to half of its own contrast, which is where an edge blurred by any beam
    stands.
    """
    values = field.residual if sign > 0 else -field.residual
    labels, count = ndimage.label(values > REACH, _EIGHT)
    if count == 0:
        return []
    inside = np.flatnonzero(labels)
    owner, height = labels.ravel()[inside], values.ravel()[inside]
    peak = np.zeros(count + 1, np.float32)
    np.maximum.at(peak, owner, height)
    core = height > 0.5 * peak[owner]
    contrast = np.bincount(owner[core], height[core], count + 1) / np.maximum(
        np.bincount(owner[core], minlength=count + 1), 1
    )
    seeded = (peak >= SEED)[owner]
    level = 0.5 * contrast[owner]
    mask = np.zeros(values.size, bool)
    mask[inside[seeded & (height > level)]] = True
    found, number = ndimage.label(mask.reshape(values.shape), _EIGHT)
    if number == 0:
        return []
    # Moving the threshold moves the whole outline of the seed: shared out by area.
    size = np.bincount(owner[seeded & (height > level)], minlength=count + 1)
    wider = np.bincount(owner[seeded & (height > level - 1)], minlength=count + 1)
    narrower = np.bincount(owner[seeded & (height > level + 1)], minlength=count + 1)
    return _described(field, sign, found, number, labels, contrast, size, wider, narrower)


_EIGHT = np.ones((3, 3), bool)


def _described(
    field: Field,
    sign: int,
    found: Array,
    number: int,
    labels: Array,
    contrast: Array,
    size: Array,
    wider: Array,
    narrower: Array,
) -> list[Blob]:
    area = np.bincount(found.ravel(), minlength=number + 1)
    height, width = found.shape
    kept = np.flatnonzero((area >= SMALLEST_AREA) & (area <= LARGEST_SHARE * field.area))
    kept = kept[kept > 0]
    boxes = ndimage.find_objects(found)
    described = []
    for label in kept[np.argsort(-area[kept], kind="stable")][: 20 * MOST_REGIONS]:
        rows, columns = boxes[label - 1]
        mask = found[rows, columns] == label
        owner = int(labels[rows, columns][mask][0])
        if sign * field.residual[rows, columns][mask].mean() < _CORE * contrast[owner]:
            continue  # a splinter of noise on the flank of something larger
        share = area[label] / max(1, size[owner])
        ratio, fill = _shape(mask)
        cut = bool(
            rows.start == 0 or columns.start == 0 or rows.stop == height or columns.stop == width
        )
        steepness, company = 0.0, 0.0
        if ratio <= MOST_AXIS_RATIO and fill >= LEAST_FILL:  # no other may become a pore
            steepness, company = _surroundings(
                field.residual, rows, columns, mask, float(contrast[owner]), sign
            )
        described.append(
            Blob(
                box=(rows, columns),
                mask=mask,
                area=int(area[label]),
                area_low=round(share * narrower[owner]),
                area_high=round(share * wider[owner]),
                contrast=float(contrast[owner]),
                axis_ratio=ratio,
                fill=fill,
                edge=steepness,
                cut=cut,
                company=company,
            )
        )
    return described


def _shape(mask: Array) -> tuple[float, float]:
    """Ratio of the axes of the ellipse of equal second moments, and the area's share of it."""
    rows, columns = np.nonzero(mask)
    if rows.size < 2:
        return 1.0, 1.0
    # A pixel is a square, not a point: a twelfth is its own second moment.
    yy, xx = float(rows.var()) + 1 / 12, float(columns.var()) + 1 / 12
    xy = float(np.mean((rows - rows.mean()) * (columns - columns.mean())))
    root = np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    major, minor = (yy + xx) / 2 + root, max((yy + xx) / 2 - root, 1 / 12)
    return float(np.sqrt(major / minor)), float(rows.size / (4 * np.pi * np.sqrt(major * minor)))


def _surroundings(
    residual: Array, rows: slice, columns: slice, mask: Array, contrast: float, sign: int
) -> tuple[float, float]:
    """Steepness of the outline, in contrasts a pixel, and how much of the ring is alike."""
    around = (
        slice(max(0, rows.start - 5), rows.stop + 5),
        slice(max(0, columns.start - 5), columns.stop + 5),
    )
    patch = residual[around]
    placed = np.zeros(patch.shape, bool)
    top, left = rows.start - around[0].start, columns.start - around[1].start
    placed[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    rim = placed ^ ndimage.binary_erosion(placed, border_value=1)
    down, across = np.gradient(patch)
    steepness = float(np.hypot(down[rim], across[rim]).mean()) if rim.any() else 0.0
    near = ndimage.binary_dilation(placed, _EIGHT, iterations=2)
    ring = ndimage.binary_dilation(near, _EIGHT, iterations=3) & ~near
    company = float((sign * patch[ring] > 0.5 * contrast).mean()) if ring.any() else 0.0
    return steepness / contrast, company


def region(field: Field, blob: Blob, feature: str, number: int) -> Region:
    """The blob as a region of the stored page, with its outline."""
    rows, columns = blob.box
    scale, top = field.scale, field.top
    outlines = _find_contours(np.pad(blob.mask, 1).astype(np.uint8), 0.5)
    outline = _thinned(max(outlines, key=len)[:-1] - 1, compact=blob.fill >= LEAST_FILL)
    polygon = tuple(
        (
            round(float((x + columns.start + 0.5) * scale), 1),
            round(float((y + rows.start + 0.5) * scale + top), 1),
        )
        for y, x in outline
    )
    return Region(
        id=f"{feature}-{number}",
        feature=feature,
        bbox=(
            columns.start * scale,
            rows.start * scale + top,
            columns.stop * scale,
            rows.stop * scale + top,
        ),
        area_px=float(blob.area * scale**2),
        polygon=polygon,
    )


def _thinned(outline: Array, compact: bool) -> Array:
    """At most `_MOST_POINTS` of an outline's points: of a round one evenly, of others the bends."""
    if compact:
        return outline[:: -(-len(outline) // (_MOST_POINTS // 2))]
    # Finding the bends costs milliseconds for each hundred points: even steps go first.
    outline = outline[:: -(-len(outline) // (4 * _MOST_POINTS))]
    tolerance = 0.6
    bends: Array = _approximate_polygon(outline, tolerance)
    while len(bends) > _MOST_POINTS:
        tolerance *= 1.7
        bends = _approximate_polygon(outline, tolerance)
    return bends


def _blocks(values: Array, scale: int) -> Array:
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
