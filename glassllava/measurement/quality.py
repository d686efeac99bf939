"""How good the picture is: sharpness, noise, saturation, streaks and ripple, by the pixels alone.

One frame cannot tell drift or skew from a specimen that is so, nor charging that brightens a
part of the field from a part that is bright: these need a second frame, and are not measured.
Each figure's note names its artefact key and what to do, and only where the picture is bad.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glassllava.measurement import sharpness
from glassllava.measurement.quantities import Measurement, Region
from glassllava.measurement.regions import Array, Field
from glassllava.measurement.ruler import Ruler

_FEATURE = "artefact"
_CORRELATED = 3  # px: detectors and scan converters smear noise over fewer
_BLOCK = 16
_QUIET = 10.0  # % of the blocks that are taken for free of structure
_QUIET_BIAS = 0.92  # the quietest tenth of such blocks of pure noise has this much of its sigma
_MOST_NOISE = 0.06  # of the grey scale: grain that hides steps of a few per cent on a screen
_MOST_SATURATED = 0.02  # of the pixels: by so much an area fraction by greys may be wrong
_HEAP = 1e-3  # of the pixels: fewer at the end of a histogram are its tail
_SHARP = 6.0  # px from 10 to 90 %: twice what a beam as wide as two pixels gives
_ROUND = 1.6  # edge widths of two directions
_SEGMENT = 64  # px of a row whose mean is compared with the next row's
_JUMP = 7.0  # sigma; of a megapixel's segments one in 10^8 by chance
_LEAST_STREAKS = 3
_ROWS_HIGH, _COLUMNS_HIGH = 12.0, 24.0  # px: slower changes are shading or the specimen
_LONGEST_PERIOD = 20.0  # rows: mains at 1 to 10 ms a row; what swings slower is the specimen
_RIPPLE_SEEN = 0.2  # of the noise's sigma: the eye sees a line's common shift below one pixel's
_RIPPLE_SHARE = 0.015  # of the contrast


@dataclass(frozen=True, slots=True)
class Scale:
    """Noise, contrast and the width of the whole grey scale, in the specimen's grey levels."""

    noise: float
    contrast: float
    whole: float


def measure_quality(
    specimen: Array, field: Field, ruler: Ruler
) -> tuple[list[Measurement], list[Region], list[str]]:
    """Edge width and its roundness, noise, saturation, streaked rows, row and column ripple.

    Parameters
    ----------
    specimen : (H, W) grey values as they are in the file, without the databar.
    field : the same made flat, on which edges are sought.
    ruler : lengths of the image itself stay in px, whatever the scale.
    """
    del ruler  # the picture's own pixels are its measure
    with np.errstate(over="ignore"):  # what 32 bits cannot hold is left out below
        values = specimen.astype(np.float32)
    values = np.where(np.isfinite(values), values, np.float32(0))
    scale = Scale(noise_sigma(values), contrast_of(values), _whole(specimen))
    measured = [
        *_edges(field, scale),
        *_noise(scale),
        *_saturation(specimen),
        _streaks(values, scale),
        _ripple(values, scale, "row"),
        _ripple(values, scale, "column"),
    ]
    return measured, [], []


def noise_sigma(values: Array) -> float:
    """Standard deviation of noise by checkered differences over 3 px, in the quietest blocks."""
    d = _CORRELATED
    apart = values[d:] - values[:-d]
    apart = apart[:, d:] - apart[:, :-d]
    height, width = (side // _BLOCK * _BLOCK for side in apart.shape)
    blocks = np.square(apart[:height, :width]).reshape(
        height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK
    )
    power = blocks.mean(axis=(1, 3)).ravel()
    power = power[power > 0]  # a clipped block has no noise to tell
    if not power.size:
        return 0.0
    return math.sqrt(float(np.percentile(power, _QUIET)) / 4) / _QUIET_BIAS


def contrast_of(values: Array) -> float:
    """The range from the 2nd to the 98th percentile of means of 4 × 4 pixels."""
    height, width = (side // 4 * 4 for side in values.shape)
    means = values[:height, :width].reshape(height // 4, 4, width // 4, 4).mean(axis=(1, 3))
    low, high = np.percentile(means, (2, 98))
    return float(high - low)


def _whole(specimen: Array) -> float:
    """255 for 8 bits; more bits seldom fill their range, and are shown by what they use of it."""
    if specimen.dtype == np.uint8:
        return 255.0
    sample = specimen[::3, ::3].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample, (0.1, 99.9)) if sample.size else (0.0, 0.0)
    return float(high - low)


def _edges(field: Field, scale: Scale) -> list[Measurement]:
    found = sharpness.edges(field.residual, scale.noise / max(field.spread, 1e-12))
    if found is None:
        return []
    width = found.width * field.scale
    blurred = width > _SHARP * field.scale
    oval = found.ratio is not None and found.ratio > _ROUND
    result = [
        Measurement(
            "image_edge_width",
            width,
            "px",
            found.spread * field.scale,
            "rise from 10 to 90 % of the steepest edges (their median in each of four "
            "directions, median of these), from the width of the slope along the gradient at "
            f"{found.count} edges; uncertainty from their scatter, twice the standard error, "
            "pixelation, and noise, which picks the steepest",
            _FEATURE,
            "art_defocus: soft; focus again, or take fewer pixels, and take it again, unless "
            "the specimen has no sharp edge"
            if blurred
            else "",
        )
    ]
    if found.ratio is not None:
        result.append(
            Measurement(
                "image_edge_width_ratio",
                found.ratio,
                "1",
                None,
                "edge width across the softest of four directions over that across the "
                "sharpest: the specimen's own elongation leaves it alone, shading of slopes not",
                _FEATURE,
                "art_astigmatism: edges are softer in one direction; correct the stigmators and "
                "take it again"
                if oval and width > 0.5 * _SHARP * field.scale
                else "",
            )
        )
    return result


def _noise(scale: Scale) -> list[Measurement]:
    ratio = scale.contrast / scale.noise if scale.noise > 0 else math.inf
    note = (
        "art_noise: noisy; average frames or dwell longer, and take it again"
        if scale.noise > _MOST_NOISE * scale.whole
        else ""
    )
    result = [
        Measurement(
            "image_noise",
            scale.noise,
            "grey",
            0.15 * scale.noise if scale.noise > 0 else None,
            "standard deviation of noise in grey levels, from checkered differences over "
            f"{_CORRELATED} px in the quietest tenth of {_BLOCK} × {_BLOCK} px blocks; texture "
            "finer than these raises it",
            _FEATURE,
            note,
        )
    ]
    if math.isfinite(ratio):
        result.append(
            Measurement(
                "image_signal_to_noise",
                ratio,
                "1",
                0.15 * ratio,
                "range from the 2nd to the 98th percentile of 4 × 4 px means, over the noise",
                _FEATURE,
            )
        )
    return result


def _saturation(specimen: Array) -> list[Measurement]:
    low, high = specimen.min(), specimen.max()
    whole = specimen.dtype.kind in "ui"
    limits = np.iinfo(specimen.dtype) if whole else None
    result = []
    for name, extreme, limit in (
        ("dark", low, limits.min if limits else None),
        ("bright", high, limits.max if limits else None),
    ):
        there = specimen == extreme
        share = float(there.mean()) if low < high else 0.0
        if limit is None or extreme != limit:
            # Short of the type's limit, only a heap of pixels on the last level tells clipping.
            step = (float(high) - float(low)) / 256
            with np.errstate(over="ignore", invalid="ignore"):  # beyond 32 bits is not near
                near = np.abs(specimen.astype(np.float32) - np.float32(extreme)) < 2 * step
            if share < max(_HEAP, 0.5 * float(near.mean())):
                share = 0.0
        result.append(
            Measurement(
                f"image_saturated_share_{name}",
                share,
                "1",
                1 / specimen.size,
                f"pixels at the {name}est grey level, where that is the type's limit or holds "
                "a thousandth of them and half of what lies within two levels in 256 of it; the "
                "databar left out",
                _FEATURE,
                f"art_saturation: clipped {name}; area fractions by grey are invalid; change "
                "gain or offset and take it again"
                if share > _MOST_SATURATED
                else "",
            )
        )
    return result


def _streaks(values: Array, scale: Scale) -> Measurement:
    """Rows on which long pieces jump within one row: a beam's blur softens every true edge."""
    count = streaked_rows(values, scale.noise)
    share = count / values.shape[0]
    return Measurement(
        "image_streaked_rows_share",
        share,
        "1",
        None,
        f"rows at which the means of two adjoining pieces of {_SEGMENT} px jump by more than "
        f"{_JUMP:g} sigma within one row, over all rows",
        _FEATURE,
        "art_charging_streak: bright or dark tears along the scan; lower the voltage or the "
        "current, coat, or scan faster, and take it again"
        if count >= _LEAST_STREAKS
        else "",
    )


def streaked_rows(values: Array, noise: float) -> int:
    pieces = values.shape[1] // _SEGMENT
    if pieces < 2:
        return 0
    means = values[:, : pieces * _SEGMENT].reshape(-1, pieces, _SEGMENT).mean(axis=2)
    jump = np.diff(means, axis=0)
    own = 1.4826 * float(np.median(np.abs(jump)))
    least = _JUMP * max(own, noise * math.sqrt(2 / _SEGMENT), 1e-9)
    before, after = jump[:-2] * jump[1:-1], jump[2:] * jump[1:-1]
    square = np.square(jump[1:-1])
    sudden = (np.abs(jump[1:-1]) > least) & (before < 0.25 * square) & (after < 0.25 * square)
    same = np.sign(jump[1:-1])
    both = sudden[:, 1:] & sudden[:, :-1] & (same[:, 1:] == same[:, :-1])
    largest = np.abs(jump[1:-1]).max(axis=1)
    uneven = np.ptp(jump[1:-1], axis=1) > 0.6 * largest  # a whole row that shifts is ripple
    return int((both.any(axis=1) & uneven).sum())


def _ripple(values: Array, scale: Scale, lines: str) -> Measurement:
    turned = values if lines == "row" else values.T
    rms, period = ripple(turned, _ROWS_HIGH if lines == "row" else _COLUMNS_HIGH)
    least = max(_RIPPLE_SEEN * scale.noise, _RIPPLE_SHARE * scale.contrast)
    if rms <= least:
        note = ""
    elif lines == "row":
        # Rows that differ without a period are layers, or streaks, told above.
        note = "" if period is None or period > _LONGEST_PERIOD else _mains(period)
    else:
        note = (
            "art_curtaining: upright streaks; mill again from another side or with less current, "
            "unless the specimen is layered so"
        )
    return Measurement(
        f"image_{lines}_ripple",
        rms,
        "grey",
        None,
        f"root mean square of what the {lines} means of four strips of the field have in common, "
        f"slower than {6 * (_ROWS_HIGH if lines == 'row' else _COLUMNS_HIGH):g} px removed",
        _FEATURE,
        note,
    )


def _mains(period: float) -> str:
    return (
        f"art_line_noise: rows swing, period {period:.1f} rows; look for mains fields, ground "
        "loops and vibration, and take it again"
    )


def ripple(values: Array, high: float) -> tuple[float, float | None]:
    """How much the rows of four strips swing together (grey levels rms), and the period if one.

    A specimen's texture is another in each strip; what the scan or the mill does is the same.
    """
    strips = 4
    wide = values.shape[1] // strips
    profiles = values[:, : strips * wide].reshape(-1, strips, wide).mean(axis=2).T
    profiles = profiles - ndimage.gaussian_filter1d(profiles, high, axis=1, mode="reflect")
    pairs = [(a, b) for a in range(strips) for b in range(a + 1, strips)]
    # The second least of six: a texture's strips agree by chance, but not all of them.
    together = sorted(float((profiles[a] * profiles[b]).mean()) for a, b in pairs)[1]
    rms = math.sqrt(max(together, 0.0))
    mean = profiles.mean(axis=0)
    power = np.abs(np.fft.rfft(mean * np.hanning(mean.size))) ** 2
    power[: max(2, int(mean.size / (5 * high)))] = 0
    at = int(np.argmax(power))
    near = power[max(0, at - 2) : at + 3].sum()
    clear = near > 0.25 * power.sum()
    return rms, mean.size / at if clear and at else None
