"""A large grey picture in pieces a screen can use: levels, tiles, and grey values to eight bits.

The first levels are strides of the stored array, which cost nothing; the means that replace them
are made later, elsewhere. Knows numpy; nothing of widgets, files or micrographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

TILE = 512
Array = np.ndarray[Any, Any]

#: Below this many pixels on its longer side a level is not halved any further.
_SMALLEST = 512


@dataclass(frozen=True, slots=True)
class Codes:
    """A grey picture as 8 or 16 bit codes, for looking values up quickly.

    The stored value is `offset + scale * code` (exactly for 8 and 16 bit integers); floats and
    wide integers are rounded to 65,536 steps for the screen alone.
    """

    array: Array
    offset: float = 0.0
    scale: float = 1.0

    @property
    def size(self) -> int:
        """How many codes there are: the length of a lookup table."""
        return int(np.iinfo(self.array.dtype).max) + 1

    def code(self, value: float) -> float:
        return (value - self.offset) / self.scale


def codes(grey: Array, shown: tuple[float, float]) -> Codes:
    """The codes of `grey`, whose values around the range `shown` matter."""
    if grey.dtype.newbyteorder("=") in (np.uint8, np.uint16):
        return Codes(grey.astype(grey.dtype.newbyteorder("="), copy=False))
    if grey.dtype == np.bool_:
        return Codes(grey.view(np.uint8))
    if grey.dtype == np.int8:
        return Codes((grey.astype(np.int16) + 128).astype(np.uint8), -128.0)
    low, high = shown
    reach = max(high - low, np.finfo(np.float64).tiny)
    finite = grey[np.isfinite(grey)] if grey.dtype.kind == "f" else grey
    if finite.size:
        # Twice the shown range on either side, so that contrast can be opened up; an outlier
        # beyond that would leave no steps for the rest.
        bottom = max(float(finite.min()), low - 2 * reach)
        top = min(float(finite.max()), high + 2 * reach)
    else:
        bottom, top = low, high
    if not top > bottom:
        top = bottom + 1.0
    scale = (top - bottom) / 65535
    with np.errstate(invalid="ignore", over="ignore"):
        coded = np.clip((grey.astype(np.float64) - bottom) / scale + 0.5, 0, 65535)
    return Codes(np.nan_to_num(coded, nan=0.0).astype(np.uint16), bottom, scale)


def lookup(
    size: int, low: float, high: float, gamma: float = 1.0, invert: bool = False
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The screen value 0 … 255 of every code; `low` is black and `high` white, in codes."""
    levels = np.arange(size, dtype=np.float64)
    span = max(high - low, 1e-9)
    shade = np.clip((levels - low) / span, 0.0, 1.0) ** (1.0 / gamma)
    if invert:
        shade = 1.0 - shade
    return (shade * 255.0 + 0.5).astype(np.uint8)


class Levels:
    """A picture at halving sizes: level n holds every 2^n-th pixel, or the mean of 2^n × 2^n."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.height, self.width = array.shape
        self.count = 1
        while max(self.width, self.height) >> self.count >= _SMALLEST:
            self.count += 1
        self._means: tuple[Array, ...] = ()

    def put_means(self, means: tuple[Array, ...]) -> None:
        """Replace the strides of level 1 and up by what `mean_levels` made."""
        self._means = means

    @property
    def has_means(self) -> bool:
        return bool(self._means)

    def at(self, level: int) -> Array:
        if level == 0:
            return self.array
        if level <= len(self._means):
            return self._means[level - 1]
        return self.array[:: 1 << level, :: 1 << level]

    def level_for(self, zoom: float) -> int:
        """The coarsest level that still has a pixel for every screen pixel at `zoom`."""
        level = 0
        while level + 1 < self.count and (2 << level) * zoom <= 1.0:
            level += 1
        return level

    def tile(self, level: int, column: int, row: int) -> Array:
        """One tile, with one more row and column than it owns, so that no seam shows."""
        picture = self.at(level)
        y, x = row * TILE, column * TILE
        return picture[y : y + TILE + 1, x : x + TILE + 1]

    def tiles_in(
        self, level: int, left: float, top: float, right: float, bottom: float
    ) -> list[tuple[int, int]]:
        """(column, row) of the tiles that a rectangle in full-frame pixels touches."""
        step = TILE << level
        columns = range(
            max(0, int(left // step)), min(int(right // step), (self.width - 1) // step) + 1
        )
        rows = range(
            max(0, int(top // step)), min(int(bottom // step), (self.height - 1) // step) + 1
        )
        return [(column, row) for row in rows for column in columns]


def mean_levels(array: Array) -> tuple[Array, ...]:
    """Level 1 and up as means of 2 × 2 pixels of the level before, in the stored type.

    An odd last row or column is repeated. Memory: a third of the picture.
    """
    means = []
    height, width = array.shape
    count = Levels(array).count
    picture = array
    for _ in range(1, count):
        picture = _halved(picture)
        means.append(picture)
    assert all(m.shape[0] <= height and m.shape[1] <= width for m in means)
    return tuple(means)


def _halved(picture: Array) -> Array:
    height, width = picture.shape
    out = np.empty(((height + 1) // 2, (width + 1) // 2), picture.dtype)
    band = 512  # rows at a time: the sums of a large picture would take four times its memory
    for top in range(0, height, band):
        part = picture[top : top + band].astype(np.uint32)
        if part.shape[0] % 2:
            part = np.concatenate([part, part[-1:]])
        if part.shape[1] % 2:
            part = np.concatenate([part, part[:, -1:]], axis=1)
        total = part[0::2, 0::2] + part[1::2, 0::2] + part[0::2, 1::2] + part[1::2, 1::2]
        out[top // 2 : top // 2 + total.shape[0]] = (total + 2) >> 2
    return out
