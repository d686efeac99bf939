"""What kind of picture the pixels are, where they are no micrograph: photograph, drawing, nothing.

Knows counts of blocks and colours; no header, no words, no model. A grey photograph of anything
cannot be told from an SEM's picture in this way, and is not; nor can one of a transmission
microscope. Thresholds lie between what was measured on either side of them:
docs/decisions/2026-11-28-scope.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from glassllava.micrograph.contrast import to_8bit
from glassllava.micrograph.shades import as_grey

Array = np.ndarray[Any, Any]
#: Reasons against a micrograph: the sure ones, then the unsure.
Signs = tuple[tuple[str, ...], tuple[str, ...]]
_NONE: Signs = ((), ())

_SMALLEST = 16  # px a side: fewer show nothing
_MOST_PIXELS = 4_000_000  # of a larger frame, bands are looked at
_BAND = 32  # rows: a whole number of every block below

# Empty: so many of the pixels have one value.
_EMPTY = 0.995

# Colour: a lookup table gives each grey one colour, a photograph many.
_COLOUR_POINTS = 400  # a side
_OFF_TABLE = 12.0  # of 255, from the mean colour of the same grey
_COLOURED, _SURELY_COLOURED = 0.10, 0.20  # share of the points that are
_FEW_CELLS, _MANY_CELLS = 40, 120  # of a colour cube of 16 × 16 × 16, for 99 % of the points
_DENSE_TABLE = 256  # colours at most: a palette, however its greys run

# Drawing: blocks of 4 × 4 px without any noise, of few levels, with hard edges between.
_FLAT, _FLAT_RANGE = 0.6, 1
_LEVELS, _FEW_LEVELS = 6, 0.6
_HARD_RANGE, _HARD = 64, 0.25
_REPEATED, _NOISY = 6, 0.5  # so many of 16 px within one grey level: no noise in that block

# Noise: the variance of means of n × n px is that of one pixel over n × n, times a short-ranged
# correlation that is the same at every n.
_NOISE_BLOCKS = (8, 16, 32)
_NOISE_EXCESS, _NOISE_GROWTH = 5.0, 1.4
_LEAST_BLOCKS = 48  # of the largest, for the growth to be known to a fifth


def signs(specimen: Array) -> Signs:
    """What speaks against a micrograph in its pixels, as reasons to be put after "it is none: ".

    Parameters
    ----------
    specimen : (H, W) or (H, W, 3) of any real type, without the databar.
    """
    height, width = specimen.shape[:2]
    if min(height, width) < _SMALLEST:
        return (f"{width} × {height} pixels show nothing",), ()
    bands = _bands(specimen)
    colour = _colour(bands) if specimen.ndim == 3 else _NONE
    grey = as_grey(bands)
    if empty := _empty(grey):
        return (empty,), ()
    stretched = to_8bit(grey)
    drawing = _drawing(stretched)
    # A plot in colours is a drawing first.
    if drawing[0]:
        return drawing
    noise = _noise(grey)
    return colour[0] + noise[0], colour[1] + drawing[1] + noise[1]


def _bands(specimen: Array) -> Array:
    """The specimen, or of a large one bands of whole rows, evenly spaced, one under the other."""
    height, width = specimen.shape[:2]
    if height * width <= _MOST_PIXELS or height < 2 * _BAND:
        return specimen
    count = max(1, _MOST_PIXELS // (_BAND * width))
    tops = np.linspace(0, height - _BAND, min(count, height // _BAND)).astype(int)
    return np.concatenate([specimen[top : top + _BAND] for top in tops])


def _empty(grey: Array) -> str:
    """Why there is nothing to see: not a number anywhere, or one value nearly everywhere."""
    if grey.dtype.kind == "f":
        finite = grey[np.isfinite(grey)]
        if finite.size < (1 - _EMPTY) * grey.size:
            return "its pixels are no numbers"
    else:
        finite = grey.ravel()
    low, high = np.percentile(finite, (50 * (1 - _EMPTY), 50 * (1 + _EMPTY)))
    if low < high:
        value, other = float(np.median(finite)), float(np.ptp(finite.astype(np.float64)))
        if other > 0 and float((finite == value).mean()) < _EMPTY:
            return ""
    return "it is all but empty, of one grey value"


def _colour(bands: Array) -> Signs:
    """Whether its colours are more than a lookup table of one grey value."""
    rows, columns = (max(1, side // _COLOUR_POINTS) for side in bands.shape[:2])
    points = bands[::rows, ::columns, :3].reshape(-1, 3).astype(np.float64)
    points = points[np.isfinite(points).all(1)]
    top = np.iinfo(bands.dtype).max if bands.dtype.kind in "ui" else points.max(initial=0)
    if not len(points) or top <= 0:
        return _NONE
    points = np.clip(points * (255 / top), 0, 255)
    if len(np.unique(np.rint(points), axis=0)) <= _DENSE_TABLE:
        return _NONE
    level = np.rint(points @ (0.2126, 0.7152, 0.0722)).astype(int)
    count = np.maximum(np.bincount(level, minlength=256), 1)
    off = np.zeros(len(points))
    for channel in (0, 2):
        chroma = points[:, channel] - points[:, 1]
        usual = np.bincount(level, chroma, 256) / count
        off = np.maximum(off, np.abs(chroma - usual[level]))
    coloured = float((off > _OFF_TABLE).mean())
    cube = (points // 16).astype(int) @ (256, 16, 1)
    most = np.sort(np.bincount(cube))[::-1]
    cells = int(np.searchsorted(np.cumsum(most), 0.99 * len(points))) + 1
    if coloured >= _SURELY_COLOURED and cells >= _MANY_CELLS:
        return ("it is a colour picture, as of a camera or a light microscope",), ()
    if coloured >= _COLOURED and cells >= _FEW_CELLS:
        return (), ("it has colours that no single grey value gives",)
    return _NONE


def _drawing(stretched: Array) -> Signs:
    """Whether it is flat without noise, of few levels, with hard edges: drawn or printed."""
    blocks = _blocks(stretched, 4).astype(np.int16)
    between = np.ptp(blocks, axis=1)
    flat = between <= _FLAT_RANGE
    if float(flat.mean()) < _FLAT or flat.all():
        return _NONE
    levels = np.sort(np.bincount(blocks[flat, 0], minlength=256))[::-1]
    if levels[:_LEVELS].sum() < _FEW_LEVELS * flat.sum():
        return _NONE
    rest = blocks[~flat]
    hard = float((between[~flat] >= _HARD_RANGE).mean())
    rest.sort(axis=1)
    alike = rest[:, _REPEATED - 1 :] - rest[:, : -_REPEATED + 1]
    noisy = float((alike.min(axis=1) > 1).mean())
    what = "most of it is flat, with few grey levels"
    if hard >= _HARD and noisy < _NOISY:
        return (f"{what} and hard edges, as of a drawing, a plot or a page",), ()
    return (), (f"{what}: a drawing, or clipped to black or white",)


def _noise(grey: Array) -> Signs:
    """Whether neighbours know no more of each other than a detector makes them."""
    values = grey.astype(np.float64)
    if not np.isfinite(values).all():
        return _NONE
    if (values.shape[0] // 32) * (values.shape[1] // 32) < _LEAST_BLOCKS:
        return _NONE
    whole = float(values.var())
    if not np.isfinite(whole) or whole <= 0:
        return _NONE
    excess = [
        float(_blocks(values, side).mean(axis=1).var()) * side * side / whole
        for side in _NOISE_BLOCKS
    ]
    if max(excess) <= _NOISE_EXCESS and max(excess) <= _NOISE_GROWTH * excess[0]:
        return ("it shows nothing but noise",), ()
    return _NONE


def _blocks(values: Array, side: int) -> Array:
    """(count, side × side): the values cut into squares; what is over at the edges is left."""
    rows, columns = values.shape[0] // side, values.shape[1] // side
    cut = values[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return np.ascontiguousarray(cut.swapaxes(1, 2)).reshape(-1, side * side)
