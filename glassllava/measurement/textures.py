"""Two-phase textures: the structure factor of the grey values, and which pixel is of which phase.

Knows arrays alone: neither metres nor what the phases are. A texture is one where two grey
levels share the whole field, at a length that its spectrum shows. Crystals, a network of pores
or a film of islands can look so too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from glassllava.measurement.regions import MOST_PIXELS, Array

_HALVED_FROM = 700_000  # px: larger fields are averaged by two, unless the texture is fine
_FINE = 14.0  # px
#: The structure factor is averaged over an octave on either side of its own first moment.
_OCTAVE = 2.0
_LEAST_PERIODS = 5.0  # in the shorter side
_LEAST_LENGTH = 4.0  # px: two samples a phase
_PIXELATION = 0.2  # px at k = 2: what the beam's blur and the pixel take from the shorter waves
_HANN_MODES = 2.1  # modes that a Hann window on both axes makes one of


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The radially averaged power of a windowed field.

    `q` (rad a pixel), `power` with the noise's floor, and `modes`, the independent ones in each
    ring, are (n,).
    """

    q: Array
    power: Array
    modes: Array
    floor: float

    def moment(self, start: float, floor: float | None = None) -> float:
        """The first moment of the power over an octave on either side of itself; 0 if none."""
        signal = np.clip(self.power - (self.floor if floor is None else floor), 0, None)
        at = start
        for _ in range(40):
            weight = signal * _window(self.q, at)
            total = float(weight.sum())
            if total <= 0:
                return 0.0
            now = float((weight * self.q).sum()) / total
            if abs(now - at) < 1e-4 * at:
                return now
            at = now
        return at

    def start(self) -> float:
        """Where a first moment over octaves settles: the largest q^1.5 S(q), S smoothed."""
        signal = np.clip(self.power - 1.5 * self.floor, 0, None)
        signal = ndimage.gaussian_filter1d(signal, 1.5, mode="nearest")
        return float(self.q[np.argmax(signal * self.q**1.5)])

    def spread(self, at: float) -> float:
        """Standard deviation of the moment by the statistics of its modes: each is exponential."""
        window = _window(self.q, at)
        signal = np.clip(self.power - self.floor, 0, None) * window
        total = float(signal.sum())
        if total <= 0:
            return math.inf
        variance = ((self.q - at) * self.power * window) ** 2 * _HANN_MODES
        return math.sqrt(float((variance / np.maximum(self.modes, 1)).sum())) / total

    def level(self, at: float) -> float:
        """Power over the floor of noise, in floors, at one q."""
        near = np.abs(self.q - max(at, 1.5 * float(self.q[0]))) <= 0.15 * at + 0.5 * self.q[0]
        if not near.any():
            return 0.0
        return float(self.power[near].mean()) / max(self.floor, 1e-12) - 1


def _window(q: Array, at: float) -> Array:
    """1 within the octaves, falling to 0 within a bin at either end, so that nothing jumps."""
    step = float(q[1] - q[0])
    low, high = at / _OCTAVE, at * _OCTAVE
    return np.clip((q - low) / step + 0.5, 0, 1) * np.clip((high - q) / step + 0.5, 0, 1)


@dataclass(frozen=True, slots=True)
class Texture:
    """Two phases over a field, in pixels of the field (of equal-area squares).

    `bright` is (H, W) of the brighter phase, on a grid of `step` field pixels. `length` is
    2π/q1; `length_spread` its uncertainty at k = 2; `mask_length` the same length of `bright`.
    `share` is the brighter phase's area fraction; `narrow` and `wide` are `bright` with the
    threshold moved by one noise sigma either way. `separation` is the gap between the phases'
    medians in their mean spread, `cover` the share of the field's parts that hold both, `level`
    the power at q1 in floors of noise, `rise` that over the power at q1/2.5, `smoothing` the
    standard deviation (px) by which the field was smoothed, and `periods` the lengths in the
    shorter side.
    """

    bright: Array
    step: int
    length: float
    length_spread: float
    mask_length: float
    share: float
    narrow: Array
    wide: Array
    separation: float
    cover: float
    level: float
    rise: float
    smoothing: float
    periods: float


def spectrum(values: Array, aspect: float = 1.0) -> Spectrum:
    """The structure factor of a flattened field (H, W), under a Hann window.

    Pixels `aspect` times as tall as wide are taken as squares of equal area.
    """
    height, width = values.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    tapered = (values - values.mean()).astype(np.float32) * window.astype(np.float32)
    power = np.abs(fft.rfft2(tapered)) ** 2
    power *= 1.0 / float((window**2).sum())
    down = np.float32(1 / math.sqrt(aspect)) * fft.fftfreq(height).astype(np.float32)
    across = np.float32(math.sqrt(aspect)) * fft.rfftfreq(width).astype(np.float32)
    step = 1.0 / min(height * math.sqrt(aspect), width / math.sqrt(aspect))
    ring = (np.sqrt(down[:, None] ** 2 + across[None, :] ** 2) / step + 0.5).astype(np.int32)
    rings = int(0.5 / step)
    modes = np.bincount(ring.ravel(), minlength=rings + 1)[1 : rings + 1]
    # Ring by ring the rows' and columns' own axes are left out: stripes of the scan live there.
    power[0], power[:, 0] = 0, 0
    modes = modes - _axis_modes(ring, rings)
    total = np.bincount(ring.ravel(), power.ravel(), rings + 1)[1 : rings + 1]
    mean = total / np.maximum(modes, 1)
    q = 2 * np.pi * step * np.arange(1, rings + 1)
    high = mean[int(0.7 * rings) :]
    return Spectrum(q, mean, modes, float(np.median(high)))


def _axis_modes(ring: Array, rings: int) -> Array:
    axes = np.concatenate([ring[0], ring[1:, 0]])
    return np.bincount(axes, minlength=rings + 1)[1 : rings + 1]


def flat(values: Array, reach: float) -> Array:
    """Values less their wide mean over `reach` px; a mean, as a median jumps between phases."""
    return values - _wide(values, reach)


def _wide(values: Array, reach: float) -> Array:
    block = max(1, min(int(reach / 4), min(values.shape) // 4))
    height, width = (side // block * block for side in values.shape)
    coarse = values[:height, :width].reshape(height // block, block, width // block, block)
    means = ndimage.gaussian_filter(coarse.mean(axis=(1, 3)), reach / block, mode="nearest")
    rows = (np.arange(values.shape[0]) + 0.5) / block - 0.5
    columns = (np.arange(values.shape[1]) + 0.5) / block - 0.5
    tall = _lines(means, rows)
    return _lines(tall.T, columns).T


def _lines(values: Array, at: Array) -> Array:
    at = np.clip(at, 0, values.shape[0] - 1)
    below = np.minimum(at.astype(int), max(0, values.shape[0] - 2))
    part = (at - below).astype(np.float32)[:, None]
    above = np.minimum(below + 1, values.shape[0] - 1)
    return values[below] * (1 - part) + values[above] * part


def halves(values: Array) -> Array:
    """Means of 2 × 2."""
    height, width = (side // 2 * 2 for side in values.shape)
    values = values[:height, :width]
    return 0.25 * (values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2])


def find(values: Array, aspect: float = 1.0) -> Texture | None:
    """The texture of a specimen's grey values (H, W), or None where the spectrum has no body."""
    work, step = _finite(values), 1
    while work.size > MOST_PIXELS:
        work, step = halves(work), 2 * step
    finer = work
    if work.size > _HALVED_FROM:
        work, step = halves(work), 2 * step
    found = _seek(work, aspect)
    if found is not None and finer is not work and found[1] < _FINE:
        work, step = finer, step // 2
        found = _seek(work, aspect)
    if found is None:
        return None
    spectral, length = found
    return _texture(work, spectral, length, step, aspect)


def _finite(values: Array) -> Array:
    with np.errstate(over="ignore"):  # what 32 bits cannot hold is infinite, and filled below
        cast = values.astype(np.float32)
    if values.dtype.kind == "f" and not np.isfinite(cast).all():
        known = cast[np.isfinite(cast)]
        cast = np.where(np.isfinite(cast), cast, np.float32(np.median(known) if known.size else 0))
    return cast


def _seek(values: Array, aspect: float) -> tuple[Spectrum, float] | None:
    spectral = spectrum(flat(values, min(values.shape) / 8), aspect)
    at = spectral.moment(spectral.start())
    if at <= 0:
        return None
    length = 2 * math.pi / at
    if not _LEAST_LENGTH <= length <= min(values.shape) / _LEAST_PERIODS:
        return None
    return spectral, length


def _texture(
    values: Array, spectral: Spectrum, length: float, step: int, aspect: float
) -> Texture | None:
    noise = math.sqrt(max(spectral.floor, 0.0))  # white: as much in every mode
    power = np.clip(spectral.power - spectral.floor, 0, None)
    ring = 2 * np.pi * spectral.q * (spectral.q[1] - spectral.q[0]) / (2 * np.pi) ** 2
    inner = spectral.q >= 0.4 * 2 * math.pi / length
    contrast = 2 * math.sqrt(float((power * ring)[inner].sum()))
    if contrast <= 0:
        return None
    # Smoothed until noise is a sixth of the contrast, but never by more than an eighth of ℓ.
    sigma = min(max(6 * noise / (2 * math.sqrt(math.pi) * contrast), 0.7), length / 8)
    smooth = ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=3.0)
    smooth = flat(smooth, max(2.0 * length, min(values.shape) / 10))
    low, high, level = _populations(smooth)
    for reach in (1.5 * length, 1.5 * length):
        left = smooth - np.where(smooth > level, high, low).astype(np.float32)
        smooth = smooth - _wide(left, max(reach, min(values.shape) / 12))
        low, high, level = _populations(smooth)
    if not high > low:
        return None
    bright = smooth > level
    share = float(bright.mean())
    if not 0.02 < share < 0.98:
        return None
    hushed = noise / (2 * math.sqrt(math.pi) * sigma)
    within = 0.5 * (float(smooth[bright].var()) + float(smooth[~bright].var()))
    inside = math.sqrt(max(within - hushed**2, 0.2 * within))  # noise is not the phases' own
    start = 2 * math.pi / length
    of_mask = spectrum(bright.astype(np.float32), aspect)
    mask_length = 2 * math.pi / max(of_mask.moment(start, 0.0), 1e-9)
    spread = spectral.spread(start) / start
    bare = spectral.moment(start, 0.0) or start
    by_noise = abs(bare - start) / start
    length_spread = 2 * length * math.hypot(spread, 0.5 * by_noise)
    return Texture(
        bright=bright,
        step=step,
        length=length * step,
        length_spread=math.hypot(length_spread, _PIXELATION) * step,
        mask_length=mask_length * step,
        share=share,
        narrow=smooth > level + hushed,
        wide=smooth > level - hushed,
        separation=(high - low) / max(inside, 1e-12),
        cover=_cover(smooth, bright, high - low, length),
        level=spectral.level(start),
        rise=spectral.level(start) / max(spectral.level(start / 2.5), 1e-3),
        smoothing=sigma * step,
        periods=min(values.shape) / length,
    )


def _populations(values: Array) -> tuple[float, float, float]:
    """Medians of the darker and brighter pixels, split midway between them, from Otsu's split."""
    sample = values[::2, ::2].ravel()
    least, most = (float(v) for v in np.percentile(sample, (0.2, 99.8)))
    if not most > least:
        return least, most, least
    counts, edges = np.histogram(sample, 256, (least, most))
    level = _otsu(counts, edges)
    middle = 0.5 * (edges[1:] + edges[:-1])
    low = high = level
    for _ in range(12):
        low, high = (_median(counts * part, middle) for part in (middle <= level, middle > level))
        now = 0.5 * (low + high)
        if abs(now - level) < 1e-3 * (most - least):
            break
        level = now
    return low, high, level


def _median(counts: Array, at: Array) -> float:
    total = np.cumsum(counts)
    return float(at[min(int(np.searchsorted(total, 0.5 * total[-1])), at.size - 1)])


def _otsu(counts: Array, edges: Array) -> float:
    """The level that parts a histogram with the greatest variance between (Otsu 1979)."""
    weight = counts.astype(np.float64)
    middle = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(weight)
    above = below[-1] - below
    sums = np.cumsum(weight * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + int(np.argmax(np.nan_to_num(between)))])


def _cover(smooth: Array, bright: Array, gap: float, length: float) -> float:
    """Share of the parts, three lengths wide, that hold both phases at half the gap or more."""
    side = max(8, min(int(3 * length), min(smooth.shape) // 4))
    rows, columns = (extent // side for extent in smooth.shape)
    height, width = rows * side, columns * side

    def sums(part: Array) -> Array:
        return part[:height, :width].reshape(rows, side, columns, side).sum(axis=(1, 3))

    area = float(side * side)
    of_bright = sums(bright.astype(np.float32))
    total, lit = sums(smooth), sums(smooth * bright)
    both = (of_bright >= 0.03 * area) & (of_bright <= 0.97 * area)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = lit / of_bright - (total - lit) / (area - of_bright)
    return float((both & (apart >= 0.5 * gap)).mean())
