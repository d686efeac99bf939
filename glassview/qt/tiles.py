"""A grey picture in pieces a screen can use: tiles of its levels, and grey values to eight bits.

Knows numpy and arithmetic; nothing of widgets, files or micrographs, and never reads a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

TILE = 512
Array = np.ndarray[Any, Any]

#: (level, column, row) of a tile.
Tile = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Coding:
    """Grey values as 8 or 16 bit codes, for looking them up quickly.

    The stored value is `offset + scale * code` (exactly for 8 and 16 bit integers); floats and
    wide integers are rounded to 65,536 steps for the screen alone.
    """

    dtype: type[np.uint8] | type[np.uint16]
    offset: float = 0.0
    scale: float = 1.0
    is_exact: bool = True

    @property
    def size(self) -> int:
        """How many codes there are: the length of a lookup table."""
        return int(np.iinfo(self.dtype).max) + 1

    def code(self, value: float) -> float:
        return (value - self.offset) / self.scale

    def of(self, grey: Array) -> Array:
        """The codes of some grey values; what is not a number becomes 0."""
        if self.is_exact:
            if self.offset:
                return (grey.astype(np.int32) - int(self.offset)).astype(self.dtype)
            return grey.astype(self.dtype, copy=False)
        with np.errstate(invalid="ignore", over="ignore"):
            coded = np.clip((grey.astype(np.float64) - self.offset) / self.scale + 0.5, 0, 65535)
        return np.nan_to_num(coded, nan=0.0).astype(self.dtype)


def coding(dtype: np.dtype[Any], shown: tuple[float, float]) -> Coding:
    """How grey values of a type are coded, of which those around the range `shown` matter."""
    if dtype.kind in "uib" and dtype.itemsize <= 2:
        kind = np.uint8 if dtype.itemsize == 1 else np.uint16
        return Coding(kind, float(np.iinfo(dtype).min) if dtype.kind == "i" else 0.0)
    # Twice the shown range on either side, so that contrast can be opened up; more would leave
    # too few steps for the rest.
    low, high = shown
    reach = max(high - low, np.finfo(np.float64).tiny)
    bottom, top = low - 2 * reach, high + 2 * reach
    scale = (top - bottom) / 65535
    if not (np.isfinite(scale) and scale > 0):
        bottom, scale = low, 1.0
    return Coding(np.uint16, bottom, scale, is_exact=False)


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


@dataclass(frozen=True, slots=True)
class Grid:
    """The tiles of a picture at halving sizes; level n has ceil(side / 2^n) pixels a side."""

    height: int
    width: int
    level_count: int

    def level_for(self, zoom: float) -> int:
        """The coarsest level that still has a pixel for every screen pixel at `zoom`."""
        level = 0
        while level + 1 < self.level_count and (2 << level) * zoom <= 1.0:
            level += 1
        return level

    def window(self, tile: Tile) -> tuple[slice, slice]:
        """The rows and columns of a tile in its level.

        One more of each than it owns, so that no seam shows.
        """
        _, column, row = tile
        y, x = row * TILE, column * TILE
        return slice(y, y + TILE + 1), slice(x, x + TILE + 1)

    def tiles_in(
        self, level: int, left: float, top: float, right: float, bottom: float
    ) -> list[Tile]:
        """The tiles that a rectangle in full-frame pixels touches, those at its middle first."""
        step = TILE << level
        columns = range(
            max(0, int(left // step)), min(int(right // step), (self.width - 1) // step) + 1
        )
        rows = range(
            max(0, int(top // step)), min(int(bottom // step), (self.height - 1) // step) + 1
        )
        middle = (left + right) / 2 / step - 0.5, (top + bottom) / 2 / step - 0.5
        return sorted(
            ((level, column, row) for row in rows for column in columns),
            key=lambda tile: abs(tile[1] - middle[0]) + abs(tile[2] - middle[1]),
        )
