"""Random fields, quick: smooth noise, band noise, blur and stretching for frames of a megapixel.

Knows arrays only, nothing of glass or microscopes. Every field comes from the generator it is
given, so that the same seed paints the same picture. Large scales are computed on coarse grids
and stretched by two small matrix products, which is what keeps a micrograph cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Field = NDArray[np.floating[Any]]
Shape = tuple[int, int]


@lru_cache(maxsize=256)
def _spline(wide: int, coarse: int) -> Field:
    """Cubic B-spline weights that stretch `coarse` samples to `wide` ones, (wide, coarse)."""
    at = (np.arange(wide) + 0.5) * coarse / wide - 0.5
    base = np.floor(at).astype(int)
    weights = np.zeros((wide, coarse), np.float32)
    for offset in range(-1, 3):
        distance = np.abs(at - (base + offset))
        near = 2 / 3 - distance**2 + distance**3 / 2
        far = (2 - distance) ** 3 / 6
        value = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
        np.add.at(weights, (np.arange(wide), np.clip(base + offset, 0, coarse - 1)), value)
    return weights


def stretch(coarse: Field, shape: Shape) -> Field:
    """`coarse` drawn out smoothly to `shape`."""
    rows = _spline(shape[0], coarse.shape[0])
    columns = _spline(shape[1], coarse.shape[1])
    return np.asarray(rows @ coarse.astype(np.float32) @ columns.T, np.float32)


def soft_noise(rng: np.random.Generator, shape: Shape, cell: float, octaves: int = 1) -> Field:
    """Smooth noise of unit deviation whose hills are about `cell` pixels apart."""
    total = np.zeros(shape, np.float32)
    weight = 1.0
    for _ in range(octaves):
        grid = (max(int(shape[0] / cell) + 2, 3), max(int(shape[1] / cell) + 2, 3))
        total += weight * stretch(rng.standard_normal(grid, np.float32), shape)
        weight *= 0.5
        cell = max(cell / 2, 2.0)
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-6), np.float32)


def band_noise(
    rng: np.random.Generator,
    shape: Shape,
    wavelength: float,
    width: float = 0.25,
    angle: float = 0.0,
    stretch_by: float = 1.0,
) -> Field:
    """Noise of unit deviation with one wavelength (pixels): the labyrinth of a spinodal.

    `stretch_by` > 1 draws the texture out along `angle` (radians from the x axis).
    """
    factor = max(1, int(wavelength / 7))
    grid = (-(-shape[0] // factor), -(-shape[1] // factor))
    white = rng.standard_normal(grid, np.float32)
    fy = fft.fftfreq(grid[0])[:, None].astype(np.float32)
    fx = fft.rfftfreq(grid[1])[None, :].astype(np.float32)
    along = (fx * np.cos(angle) + fy * np.sin(angle)) * stretch_by
    across = -fx * np.sin(angle) + fy * np.cos(angle)
    radius = np.sqrt(along**2 + across**2) * (wavelength / factor)
    keep = np.exp(-(((radius - 1) / width) ** 2))
    made = np.asarray(fft.irfft2(fft.rfft2(white) * keep, grid), np.float32)
    made = made / max(float(made.std()), 1e-6)
    return stretch(made, shape) if factor > 1 else made


def blur(field: Field, sigma: float) -> Field:
    """Gaussian blur; wide ones are made on a coarse grid."""
    if sigma < 0.15:
        return field
    if sigma <= 2.5:
        return np.asarray(ndimage.gaussian_filter(field, sigma, truncate=3.0), np.float32)
    factor = int(min(max(sigma / 1.6, 2), 16))
    small = shrink(field, factor)
    soft = ndimage.gaussian_filter(small, sigma / factor, truncate=3.0, mode="nearest")
    return stretch(soft, (field.shape[0], field.shape[1]))


def shrink(field: Field, factor: int) -> Field:
    """Block means, the last partial block repeated from the edge."""
    height, width = field.shape
    pad = ((0, -height % factor), (0, -width % factor))
    if pad != ((0, 0), (0, 0)):
        field = np.pad(field, pad, mode="edge")
    rows, columns = field.shape[0] // factor, field.shape[1] // factor
    return np.asarray(field.reshape(rows, factor, columns, factor).mean(axis=(1, 3)), np.float32)


def profile(rng: np.random.Generator, length: int, cell: float) -> Field:
    """One line of smooth noise of unit deviation."""
    knots = max(int(length / max(cell, 1.0)) + 2, 3)
    line = _spline(length, knots) @ rng.standard_normal(knots, np.float32)
    return np.asarray(line / max(float(line.std()), 1e-6), np.float32)


def smoothstep(field: Field, low: float | Field, high: float | Field) -> Field:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((field - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def power_noise(
    rng: np.random.Generator, shape: Shape, slope: float, longest: float = 256.0
) -> Field:
    """Noise of unit deviation whose power falls with the frequency to the power of -`slope`, level
    beyond wavelengths of `longest` pixels: the roughness of broken and of grown surfaces."""
    grid = (fft.next_fast_len(shape[0], True), fft.next_fast_len(shape[1], True))
    white = rng.standard_normal(grid, np.float32)
    fy = fft.fftfreq(grid[0])[:, None].astype(np.float32)
    fx = fft.rfftfreq(grid[1])[None, :].astype(np.float32)
    gain = (fy * fy + fx * fx + np.float32(1 / longest**2)) ** np.float32(-slope / 4)
    made = fft.irfft2(fft.rfft2(white) * gain, grid)[: shape[0], : shape[1]]
    return np.asarray((made - made.mean()) / max(float(made.std()), 1e-6), np.float32)


@dataclass(frozen=True)
class Cells:
    """A frame divided into cells: the number of each pixel's cell, the cells' seeds (x, y), the
    distance to the own seed, and where cells meet (0 to 1)."""

    labels: NDArray[np.int32]
    seeds: Field
    reach: Field
    borders: Field


def cells(rng: np.random.Generator, shape: Shape, size: float, bend: float = 0.2) -> Cells:
    """Cells of about `size` pixels; `bend` curves their borders, as a share of the size."""
    height, width = shape
    count = max(int(height * width / size**2), 5)
    ys, xs = rng.integers(0, height, count), rng.integers(0, width, count)
    numbers = np.zeros(shape, np.int32)
    numbers[ys, xs] = np.arange(count)
    free = np.ones(shape, bool)
    free[ys, xs] = False
    reach, (near_y, near_x) = ndimage.distance_transform_edt(free, return_indices=True)
    labels = numbers[near_y, near_x]
    if bend:
        moves = [
            np.rint(bend * size * soft_noise(rng, shape, max(size * 0.5, 4), 2)) for _ in range(2)
        ]
        at_y = np.clip(np.arange(height)[:, None] + moves[0], 0, height - 1).astype(np.intp)
        at_x = np.clip(np.arange(width)[None, :] + moves[1], 0, width - 1).astype(np.intp)
        labels, reach = labels[at_y, at_x], reach[at_y, at_x]
    borders = np.zeros(shape, np.float32)
    borders[:, 1:] = labels[:, 1:] != labels[:, :-1]
    borders[1:] = np.maximum(borders[1:], labels[1:] != labels[:-1])
    seeds = np.stack([xs, ys], 1).astype(np.float32)
    return Cells(labels, seeds, np.asarray(reach, np.float32), borders)
