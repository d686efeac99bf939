"""The grey pixels of a micrograph at halving sizes, read as they are wanted.

Level n holds the mean of 2^n × 2^n pixels. It comes from the file, where that has smaller
pictures of itself; from memory, once `make_means` has run; else it is made of the level before.
Knows nothing of screens and of threads: its methods may be called from several.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph import reading, tiff_pixels
from glassllava.micrograph.record import Micrograph

Array = np.ndarray[Any, Any]

#: A picture up to this size is simply held: 4096 × 4096 of 8 bit.
HELD_BYTES = 16 * 2**20
#: The means that are kept, coarse levels first: all of them for 12,000 × 9,000 of 16 bit.
MEANS_BYTES = 96 * 2**20
#: Below this many pixels on its longer side a level is not halved any further.
_SMALLEST = 512
#: The quick look has at most this many pixels on its longer side: enough for a whole screen.
_QUICK = 2048
_BAND_BYTES = 8 * 2**20
_SAMPLES_ACROSS, _SAMPLE_SIDE = 4, 128


class _Source(Protocol):
    """A picture in a file or in memory, which stands for `step` × `step` pixels a pixel."""

    step: int
    height: int
    width: int
    grain: tuple[int, int]
    is_plain: bool

    def window(self, rows: slice, columns: slice, every: int = 1) -> Array: ...

    def forget(self) -> None: ...

    def close(self) -> None: ...


class _Held:
    """A picture that is in memory as a whole."""

    step, is_plain = 1, True

    def __init__(self, array: Array) -> None:
        self.array = array
        self.height, self.width = array.shape
        self.grain = (1, self.width)

    def window(self, rows: slice, columns: slice, every: int = 1) -> Array:
        return self.array[rows, columns][::every, ::every]

    def forget(self) -> None:
        """There is nothing but the picture itself."""

    def close(self) -> None:
        """There is nothing to close."""


def open_pixels(micrograph: Micrograph) -> Pixels:
    """The pixels of a micrograph, ready to be read in windows; nothing large is decoded yet.

    A TIFF stays open until `Pixels.close`. PNG, JPEG and BMP cannot be read in parts: they are
    decoded here.

    Raises
    ------
    UnreadableMicrograph : also when the file is another one than when its header was read.
    """
    if reading.kind_of(micrograph.path) != "tiff":
        return from_array(reading.grey(micrograph))
    planes = tiff_pixels.open_page(micrograph.path, micrograph.page)
    base = planes[0]
    if (base.height, base.width) != (micrograph.height, micrograph.width):
        for plane in planes:
            plane.close()
        raise UnreadableMicrograph(
            f"The file gave {base.width} × {base.height} pixels where its header said "
            f"{micrograph.width} × {micrograph.height}",
            where=micrograph.path,
            remedy="It was written anew meanwhile: open it again.",
        )
    pixels = Pixels(planes, base.dtype)
    if pixels.nbytes > HELD_BYTES:
        return pixels
    try:
        return from_array(pixels.window())
    finally:
        pixels.close()


def from_array(grey: Array) -> Pixels:
    """A grey picture (H, W) that is in memory already, as `Pixels`."""
    return Pixels((_Held(grey),), grey.dtype)


class Pixels:
    """One picture at halving sizes; see `open_pixels`.

    `height` and `width` are those of level 0, `dtype` that of every window, `level_count` how
    many levels there are (level 0 is the picture itself).
    """

    def __init__(self, sources: tuple[_Source, ...], dtype: np.dtype[Any]) -> None:
        self.height, self.width = sources[0].height, sources[0].width
        self.dtype = dtype
        self.level_count = 1
        while max(self.height, self.width) >> self.level_count >= _SMALLEST:
            self.level_count += 1
        self._sources = {source.step.bit_length() - 1: source for source in sources}
        self._means: dict[int, Array] = {}
        self._quick: tuple[int, Array] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def nbytes(self) -> int:
        """Bytes of level 0, wherever they are."""
        return self.height * self.width * self.dtype.itemsize

    @property
    def held_bytes(self) -> int:
        """Bytes that are in memory, beside the few strips and tiles that were read last."""
        quick = self._quick[1].nbytes if self._quick else 0
        base = self.nbytes if self.is_held else 0
        return base + quick + sum(means.nbytes for means in self._means.values())

    @property
    def is_held(self) -> bool:
        """True where level 0 is in memory: no window of it is ever waited for."""
        return isinstance(self._sources[0], _Held)

    @property
    def file_levels(self) -> tuple[int, ...]:
        """The levels that the file itself holds."""
        return tuple(sorted(self._sources))

    def level_shape(self, level: int) -> tuple[int, int]:
        """(height, width) of a level: halved again and again, and rounded up."""
        return -(-self.height >> level), -(-self.width >> level)

    def window(
        self, level: int = 0, rows: slice = slice(None), columns: slice = slice(None)
    ) -> Array:
        """(h, w) of a level, read and decoded now; colours by luminance as in `reading.grey`.

        Raises
        ------
        UnreadableMicrograph : where the file is torn, or changed since it was opened.
        """
        height, width = self.level_shape(level)
        top, bottom, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        if (means := self._means.get(level)) is not None:
            return means[top:bottom, left:right]
        if (source := self._sources.get(level)) is not None:
            found = source.window(slice(top, bottom), slice(left, right))
            return _padded(reading.as_grey(found), bottom - top, right - left)
        return halved(
            self.window(level - 1, slice(2 * top, 2 * bottom), slice(2 * left, 2 * right))
        )

    def at_hand(self, level: int, rows: slice, columns: slice) -> Array | None:
        """The same window as far as memory has it, without reading; None where it has not.

        Until the means are made, it is every 2^n-th pixel instead of their mean.
        """
        if (means := self._means.get(level)) is not None:
            return means[rows, columns]
        held, start = self._sources[0], 0
        if isinstance(held, _Held):
            array = held.array
        elif self._quick is not None and level >= self._quick[0]:
            start, array = self._quick
        else:
            return None
        every = 1 << (level - start)
        return array[::every, ::every][rows, columns]

    def quick_look(
        self, is_wanted: Callable[[], bool] = lambda: True, *, room: int | None = None
    ) -> None:
        """Bring a small picture of the whole into memory, for `at_hand`, as fast as can be.

        From the file's own small picture; else from every 2^n-th row and pixel; where strips or
        tiles must be decoded for that, the means are made of them on the way (see `make_means`).

        Raises
        ------
        UnreadableMicrograph : as `window`.
        """
        if self.is_held or self._quick is not None or self._means:
            return
        level = max(0, math.ceil(math.log2(max(self.height, self.width) / _QUICK)))
        level = min(level, self.level_count - 1)
        smaller = [number for number in self._sources if number > 0]
        base = self._sources[0]
        if smaller:
            nearest = max((n for n in smaller if n <= level), default=min(smaller))
            level = max(level, nearest)
            found = reading.as_grey(
                self._sources[nearest].window(slice(None), slice(None), 1 << (level - nearest))
            )
            self._quick = (level, _padded(found, *self.level_shape(level)))
        elif base.is_plain:
            found = base.window(slice(None), slice(None), 1 << level)
            self._quick = (level, reading.as_grey(found))
        else:
            self.make_means(is_wanted, quick=level, threads=os.cpu_count() or 1, room=room)

    def sample(self, rows: slice) -> Array:
        """Pixels of level 0 from all over some rows, as they are stored, for contrast: (h, w).

        Raises
        ------
        UnreadableMicrograph : as `window`.
        """
        base = self._sources[0]
        if isinstance(base, _Held):
            return base.array[rows]
        top, bottom, _ = rows.indices(self.height)
        if self._quick is not None and len(self._sources) == 1:
            level, array = self._quick
            return array[-(-top >> level) : -(-bottom >> level)]
        # The file's own small pictures are means, which are less noisy than what they show.
        side = _SAMPLE_SIDE
        return np.concatenate(
            [
                np.ravel(self.window(0, slice(y, min(y + side, bottom)), slice(x, x + side)))
                for y in _spread(top, bottom, side)
                for x in _spread(0, self.width, side)
            ]
        )[None]

    def make_means(
        self,
        is_wanted: Callable[[], bool] = lambda: True,
        *,
        quick: int | None = None,
        threads: int = 1,
        room: int | None = None,
    ) -> bool:
        """Make the means of all levels that `room` bytes can hold, coarse ones first.

        One pass over the picture, a band of rows at a time. `is_wanted` is asked between bands;
        False when it said no, and nothing is kept. With `quick`, every 2^quick-th pixel is kept
        on the way as the quick look. `room` is `MEANS_BYTES` by default.

        Raises
        ------
        UnreadableMicrograph : as `window`.
        """
        start = max(self._sources)
        last = self.level_count - 1
        if self._means or (start >= last and quick is None):
            return True
        sizes = {n: math.prod(self.level_shape(n)) * self.dtype.itemsize for n in range(last + 1)}
        levels = [n for n in range(start, last + 1) if n > 0 and n not in self._sources]
        while levels and sum(sizes[n] for n in levels) > (MEANS_BYTES if room is None else room):
            levels.pop(0)
        made = {n: np.empty(self.level_shape(n), self.dtype) for n in levels}
        if quick is not None:
            looked = np.empty(self.level_shape(quick), self.dtype)

        def band(top: int) -> None:
            if not is_wanted():
                return
            rows = self.window(start, slice(top, top + tall))
            if quick is not None:
                every = 1 << quick
                looked[top // every : -(-(top + rows.shape[0]) // every)] = rows[::every, ::every]
            for number in range(start + 1, last + 1):
                rows, first = halved(rows), top >> (number - start)
                if number in made:
                    made[number][first : first + rows.shape[0]] = rows

        tall = self._band_rows(start, max(last - start, quick or 0))
        tops = range(0, self.level_shape(start)[0], tall)
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(band, tops):
                pass
        self._sources[start].forget()  # a pass over everything leaves only its end there
        if not is_wanted():
            return False
        if quick is not None:
            self._quick = (quick, looked)
        self._means = made
        return True

    def _band_rows(self, level: int, halvings: int) -> int:
        """Rows of a band: they halve without a rest, and cut as few strips or tiles as can be."""
        unit = 1 << halvings
        together = math.lcm(unit, self._sources[level].grain[0])
        row_bytes = self.level_shape(level)[1] * self.dtype.itemsize
        enough = max(unit, _BAND_BYTES // row_bytes)
        if together <= 4 * enough:
            unit = together
        return unit * max(1, enough // unit)

    def close(self) -> None:
        """Close the file; windows that are at hand stay."""
        for source in self._sources.values():
            source.close()


def halved(picture: Array) -> Array:
    """Means of 2 × 2 pixels in the same type; an odd last row or column counts twice.

    Integers are rounded half up. Values that are not finite do not count, and where none is, the
    mean is not a number.
    """
    height, width = picture.shape
    out = np.empty(((height + 1) // 2, (width + 1) // 2), picture.dtype)
    band = max(2, (1 << 18) // max(1, width) // 2 * 2)  # what a processor's cache holds
    for top in range(0, height, band):
        part = picture[top : top + band]
        if part.shape[0] % 2:
            part = np.concatenate([part, part[-1:]])
        if width % 2:
            part = np.concatenate([part, part[:, -1:]], axis=1)
        out[top // 2 : top // 2 + part.shape[0] // 2] = _quarter(part)
    return out


def _quarter(part: Array) -> Array:
    if part.dtype.kind in "ui" and part.dtype.itemsize <= 2:
        rows = np.add(part[0::2], part[1::2], dtype=np.int32)
        total = rows[:, 0::2] + rows[:, 1::2]
        total += 2
        return total >> 2
    with np.errstate(invalid="ignore", over="ignore"):
        rows = np.add(part[0::2], part[1::2], dtype=np.float64)
        mean = (rows[:, 0::2] + rows[:, 1::2]) / 4
    if part.dtype.kind in "ui":
        limits = np.iinfo(part.dtype)
        # The largest float64 under 2^64 or 2^63 is not the largest integer.
        top = np.nextafter(float(limits.max), 0) if part.dtype.itemsize == 8 else limits.max
        return np.clip(np.floor(mean + 0.5), limits.min, top).astype(part.dtype)
    if np.isfinite(mean).all():
        return mean
    finite = np.isfinite(part)
    values = np.where(finite, part, 0).astype(np.float64)
    total = values[0::2, 0::2] + values[1::2, 0::2] + values[0::2, 1::2] + values[1::2, 1::2]
    count = finite[0::2, 0::2].astype(np.float64)
    for rest in (finite[1::2, 0::2], finite[0::2, 1::2], finite[1::2, 1::2]):
        count += rest
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count)


def _padded(array: Array, height: int, width: int) -> Array:
    """The last row and column again where a file rounded the sides of its level down."""
    more = (height - array.shape[0], width - array.shape[1])
    if more == (0, 0) or not array.size:
        return array
    return np.pad(array, ((0, more[0]), (0, more[1])), mode="edge")


def _spread(first: int, past: int, side: int) -> list[int]:
    """Where some stretches of `side` begin that are spread over first … past."""
    room = max(0, past - first - side)
    return sorted({first + room * n // (_SAMPLES_ACROSS - 1) for n in range(_SAMPLES_ACROSS)})
