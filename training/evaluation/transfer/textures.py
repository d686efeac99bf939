"""Texture in numbers, for a forest that never saw ImageNet.

Grey co-occurrence (Haralick et al. 1973), local binary patterns (Ojala et al. 2002), gradient
orientations and the slope of the power spectrum. Knows one grey picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, Any]
#: Raised whenever the numbers change: what was kept on disk is then worked out anew.
VERSION = "1"
SIDE = 448  # the longer side, in pixels, before anything is measured
_LEVELS = 32
_PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")


def features(picture: Array) -> Array:
    """(F,) of `picture` (H, W), 8 bits, of any size."""
    height, width = picture.shape
    scale = SIDE / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    grey = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    parts = [_shades(grey), _cooccurrence(grey), _patterns(grey)]
    parts += [_gradients(grey.astype(float), sigma) for sigma in (1.0, 3.0)]
    parts.append(_spectrum(grey.astype(float)))
    return np.nan_to_num(np.concatenate(parts)).astype(np.float32)


def _shades(grey: Array) -> Array:
    return np.percentile(grey, (1, 5, 25, 50, 75, 95, 99)) / 255


def _cooccurrence(grey: Array) -> Array:
    from skimage.feature import graycomatrix, graycoprops

    angles = np.arange(4) * np.pi / 4
    matrix = graycomatrix(
        grey // (256 // _LEVELS), (1, 2, 4, 8), angles, _LEVELS, symmetric=True, normed=True
    )
    each = [graycoprops(matrix, name) for name in _PROPERTIES]
    # The mean over the angles does not know how the picture lies; the range knows of a grain.
    return np.concatenate([part for p in each for part in (p.mean(1), np.ptp(p, axis=1))])


def _patterns(grey: Array) -> Array:
    from skimage.feature import local_binary_pattern

    parts = []
    for points, radius in ((8, 1), (16, 2), (16, 4)):
        found = local_binary_pattern(grey, points, radius, method="uniform").astype(int)
        parts.append(np.bincount(found.ravel(), minlength=points + 2) / found.size)
    return np.concatenate(parts)


def _gradients(grey: Array, sigma: float) -> Array:
    from scipy import ndimage

    y, x = (ndimage.gaussian_filter(grey, sigma, order=order) for order in ((1, 0), (0, 1)))
    size = np.hypot(x, y)
    bins = ((np.arctan2(y, x) % np.pi) / np.pi * 12).astype(int) % 12
    sums: Array = np.bincount(bins.ravel(), weights=size.ravel(), minlength=12)
    # The strongest first: the numbers shall not know how the picture lies.
    shares = np.roll(sums, -int(sums.argmax())) / max(float(sums.sum()), 1e-9)
    return np.concatenate((shares, np.percentile(size, (25, 50, 75, 90, 99)) / 255))


def _spectrum(grey: Array) -> Array:
    """Slope and level of log power on log frequency in three bands, and how uneven it is round."""
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2 + 1e-6
    fy, fx = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1])[None]
    radius, angle = np.hypot(fy, fx), np.arctan2(fy, fx)
    parts = []
    for low, high in ((0.01, 0.05), (0.05, 0.15), (0.15, 0.5)):
        ring = (radius >= low) & (radius < high)
        if ring.sum() < 3:
            parts += [0.0, 0.0, 0.0]
            continue
        slope, _ = np.polyfit(np.log(radius[ring]), np.log(power[ring]), 1)
        sectors = np.clip(((angle[ring] / np.pi + 0.5) * 8).astype(int), 0, 7)
        sums = np.bincount(sectors, weights=power[ring], minlength=8)
        counts = np.maximum(np.bincount(sectors, minlength=8), 1)
        round_ = sums / counts
        parts += [
            float(slope),
            float(np.log(power[ring]).mean()),
            float(round_.max() / round_.sum()),
        ]
    return np.array(parts)
