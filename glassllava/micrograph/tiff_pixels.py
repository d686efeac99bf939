"""The pixels of a TIFF page: whole, or a window at a time, without the rest of the file.

Knows how strips, tiles and plain rows lie in a file. Knows nothing of grey, levels or screens
(`pyramid`), and nothing of headers (`tiff`).

Files are read at positions and never mapped into memory. A map would be as quick, but where a
file shrinks under it (a share on the network, a microscope that writes anew) the next touch of a
lost page kills the whole process by SIGBUS, and no `except` can help. A positioned read comes
back short, which is an error like any other. See docs/decisions/2026-11-24-large-files.md.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph.shades import shades_of
from glassllava.micrograph.tiff import opened, page_of, refuse_absurd, translated

Array = np.ndarray[Any, Any]

#: Decoded strips and tiles that an open page keeps: a window of the screen touches the same
#: ones again and again. At least one is kept, however large.
KEPT_BYTES = 32 * 2**20
#: Rows are read whole, and cut afterwards, where a window takes this share of their width.
_WIDE = 0.25

_BAND_ROWS = 256
_JPEG = (6, 7, 34892, 33007)
_MAX_LEVELS = 24


def read_pixels(path: Path, index: int, first_row: int = 0, every_column: int = 1) -> Array:
    """Rows from `first_row` to the last of a page, (H, W) or (H, W, 3), in the stored type.

    One-bit pages come back as 0 and 255. Palettes, white at zero, and samples that are no colours
    are read as `shades` says. Where the file allows, only the asked rows are read; of
    `every_column`-th columns alone, no more is held than those and a band of rows.

    Raises
    ------
    UnreadableMicrograph : where the page is not there, torn or too large.
    """
    with opened(path) as file:
        page = page_of(path, file, index)
        if page is None:
            raise UnreadableMicrograph(f"The file has no page {index}", where=path)
        with translated(path, f"decoding page {index}"):
            refuse_absurd(path, file, page)
            if first_row <= 0 and every_column == 1 and not page.is_final:
                array = page.asarray()
                if str(page.axes) == "SYX":
                    array = np.moveaxis(array, 0, -1)
                return shades_of(page).applied(array)
        with PagePixels(path, page) as plane:
            first = max(0, first_row)
            if every_column == 1:
                return plane.window(slice(first, None), slice(None))
            tops = range(first, plane.height, _BAND_ROWS)
            bands = (plane.window(slice(top, top + _BAND_ROWS), slice(None)) for top in tops)
            return np.concatenate([band[:, ::every_column].copy() for band in bands])


def open_page(path: Path, index: int) -> tuple[PagePixels, ...]:
    """One page for reading windows, and after it the smaller pictures of it that the file holds.

    A smaller picture counts as a level of the page only if the file says so (a SubIFD, or a page
    marked as reduced, or the layout of Aperio), its kind of pixel is the same, and each side is
    that of the page halved again and again, within a pixel.

    Raises
    ------
    UnreadableMicrograph : where the page is not there, torn or too large.
    """
    with opened(path) as file:
        page = page_of(path, file, index)
        if page is None:
            raise UnreadableMicrograph(f"The file has no page {index}", where=path)
        with translated(path, f"opening page {index}"):
            refuse_absurd(path, file, page)
        smaller: dict[int, Any] = {}
        for candidate in _candidates(path, file, page, index):
            try:
                with translated(path, "opening a smaller picture"):
                    step = _step(page, candidate)
                    if step and step not in smaller:
                        refuse_absurd(path, file, candidate)
                        smaller[step] = candidate
            except UnreadableMicrograph:
                # The page itself is whole: it is shown without this level.
                continue
        planes = [PagePixels(path, page)]
        planes += [PagePixels(path, smaller[step], step) for step in sorted(smaller)]
        return tuple(planes)


class PagePixels:
    """Windows of one page, read and decoded as they are asked for; safe in several threads.

    `height`, `width` and `dtype` are those of what `window` gives; `step` is how many pixels of
    the page one of these stands for. `grain` is the (rows, columns) of a strip or tile.
    """

    def __init__(self, path: Path, page: Any, step: int = 1) -> None:
        self.path, self.step = path, step
        with translated(path, "opening it for its pixels"):
            self._read_layout(page)
            self._file = path.open("rb", buffering=0)
            status = os.fstat(self._file.fileno())
        self._stamp = (status.st_size, status.st_mtime_ns)
        self._seeking = threading.Lock()
        self._deciding = threading.Lock()
        self._segments: OrderedDict[int, Future[Array]] = OrderedDict()
        self._held = 0  # bytes of those that are decoded

    def _read_layout(self, page: Any) -> None:
        self._page = page
        self.height, self.width = int(page.imagelength), int(page.imagewidth)
        self.is_plain = bool(page.is_final)
        self._planar = str(page.axes) == "SYX"
        samples = int(page.samplesperpixel)
        self._planes = samples if self._planar else 1
        self._samples = 1 if self._planar else samples
        self._stored = np.dtype(page.dtype).newbyteorder(str(page.parent.byteorder))
        self._shades = shades_of(page)
        self._offsets = tuple(map(int, page.dataoffsets))
        self._counts = tuple(map(int, page.databytecounts))
        self._tables = {}
        if int(page.compression) in _JPEG:
            self._tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
        if self.is_plain:
            self.grain = (1, self.width)
        elif page.is_tiled:
            self.grain = (int(page.tilelength), int(page.tilewidth))
        else:
            self.grain = (max(1, min(int(page.rowsperstrip), self.height)), self.width)
        if not self.is_plain:
            page.init_decode()  # it may look into the file, which is open for the last time
        self.dtype = self._shades.applied(np.zeros((1, 1), page.dtype)).dtype

    def window(self, rows: slice, columns: slice, every: int = 1) -> Array:
        """(h, w) or (h, w, 3): `every`-th pixel of the rows and columns from their first on.

        Raises
        ------
        UnreadableMicrograph : where the file is torn, or another one than when it was opened.
        """
        top, bottom, _ = rows.indices(self.height)
        left, right, _ = columns.indices(self.width)
        height, width = max(0, bottom - top), max(0, right - left)
        shape = (-(-height // every), -(-width // every), self._planes * self._samples)
        array = np.empty(shape, self._page.dtype)
        if array.size:
            with translated(self.path, "reading its pixels"):
                self._refuse_changed()
                read = self._read_plain if self.is_plain else self._read_segments
                read(array, top, bottom, left, right, every)
        return self._shades.applied(array[..., 0] if shape[2] == 1 else array)

    def forget(self) -> None:
        """Give back the memory of strips and tiles that were kept."""
        with self._deciding:
            self._segments.clear()
            self._held = 0

    def close(self) -> None:
        self._file.close()
        self.forget()

    def __del__(self) -> None:
        # A reader may outlive its picture in a worker: the last one to go closes the file.
        if hasattr(self, "_file"):
            self._file.close()

    def __enter__(self) -> PagePixels:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    # -- plain rows ----------------------------------------------------------------------------

    def _read_plain(
        self, out: Array, top: int, bottom: int, left: int, right: int, every: int
    ) -> None:
        """Rows that lie in the file as they lie in memory, but for their byte order."""
        pixel = self._samples * self._stored.itemsize
        row_bytes = self.width * pixel
        wide = (right - left) >= _WIDE * self.width
        first, past = (0, self.width) if wide else (left, right)
        if every == 1 and right - left == self.width and not self._planar:
            # Nothing to cut: the rows go where they belong at once.
            self._read_into(self._offsets[0] + top * row_bytes, out)
            if not self._stored.isnative:
                out.byteswap(inplace=True)
            return
        for plane in range(self._planes):
            start = self._offsets[0] + plane * self.height * row_bytes + first * pixel
            for number, rows in _batches(top, bottom, every, row_bytes if wide else None):
                read = np.empty((rows, past - first, self._samples), self._stored)
                self._read_into(start + (top + number * every) * row_bytes, read)
                kept = read[:, left - first : right - first : every]
                target = out[..., plane : plane + 1] if self._planar else out
                target[number : number + rows] = kept

    # -- strips and tiles ----------------------------------------------------------------------

    def _read_segments(
        self, out: Array, top: int, bottom: int, left: int, right: int, every: int
    ) -> None:
        tall, broad = self.grain
        across = -(-self.width // broad)
        in_plane = across * -(-self.height // tall)
        for plane in range(self._planes):
            target = out[..., plane : plane + 1] if self._planar else out
            for row in range(top // tall, -(-bottom // tall)):
                for column in range(left // broad, -(-right // broad)):
                    segment = self._segment(plane * in_plane + row * across + column)
                    y, x = row * tall, column * broad
                    # The first asked pixel at or after the segment's corner, on the grid.
                    down, over = _on_grid(y, top, every), _on_grid(x, left, every)
                    part = segment[
                        down - y : min(bottom - y, tall) : every,
                        over - x : min(right - x, broad) : every,
                    ]
                    i, j = (down - top) // every, (over - left) // every
                    room = target[i : i + part.shape[0], j : j + part.shape[1]]
                    room[...] = part[: room.shape[0], : room.shape[1]]

    def _segment(self, number: int) -> Array:
        """A decoded strip or tile; two threads that want the same one decode it once."""
        with self._deciding:
            future = self._segments.get(number)
            is_mine = future is None
            if future is None:
                future = self._segments[number] = Future()
            self._segments.move_to_end(number)
        if is_mine:
            try:
                segment = self._decoded(number)
                future.set_result(segment)
            except BaseException as error:
                future.set_exception(error)
                with self._deciding:
                    self._segments.pop(number, None)
                raise
            self._keep(number, segment)
        return future.result()

    def _keep(self, number: int, segment: Array) -> None:
        """Count what was decoded, and forget what was asked for longest ago."""
        with self._deciding:
            if number in self._segments:  # else all was forgotten meanwhile
                self._held += segment.nbytes
            while self._held > KEPT_BYTES and len(self._segments) > 1:
                oldest = next(iter(self._segments))
                if not self._segments[oldest].done():
                    break  # another thread is at it
                self._held -= self._segments.pop(oldest).result().nbytes

    def _decoded(self, number: int) -> Array:
        """(rows, columns, samples) of a strip or tile, as large as the file says it is."""
        data = None
        # A missing or empty segment is a part of the picture that was never written.
        if number < min(len(self._offsets), len(self._counts)) and self._counts[number]:
            buffer = np.empty(self._room_for(number), np.uint8)
            self._read_into(self._offsets[number], buffer)
            data = buffer.tobytes()
        segment, _, shape = self._page.decode(data, number, **self._tables)
        if segment is None:
            return np.full(shape[1:], self._page.nodata, self._page.dtype)
        array: Array = segment[0]
        return array

    def _room_for(self, number: int) -> int:
        """Bytes of a segment that the file really has: a claim may be of gigabytes."""
        return max(0, min(self._counts[number], self._stamp[0] - self._offsets[number]))

    # -- bytes ---------------------------------------------------------------------------------

    def _refuse_changed(self) -> None:
        status = os.fstat(self._file.fileno())
        if (status.st_size, status.st_mtime_ns) != self._stamp:
            raise UnreadableMicrograph(
                "The file was written anew while it was open",
                where=self.path,
                remedy="Open it again.",
            )

    def _read_into(self, offset: int, array: Array) -> None:
        room = array.reshape(-1).view(np.uint8).data
        done = 0
        while done < len(room):
            if hasattr(os, "preadv"):
                got = os.preadv(self._file.fileno(), [room[done:]], offset + done)
            else:
                with self._seeking:
                    self._file.seek(offset + done)
                    got = self._file.readinto(room[done:]) or 0
            if not got:
                raise UnreadableMicrograph(
                    f"The file ends {len(room) - done:,} bytes early",
                    where=self.path,
                    remedy="It is torn, or it was cut while it was open: copy it again.",
                )
            done += got


def _batches(top: int, bottom: int, every: int, row_bytes: int | None) -> Iterator[tuple[int, int]]:
    """(first, count) of output rows that are read in one go: one by one where they lie apart."""
    rows = -(-(bottom - top) // every)
    # Eight megabytes at a time: a second copy of all rows is more than anyone has room for.
    together = 1 if every > 1 or row_bytes is None else max(1, (8 << 20) // max(1, row_bytes))
    for first in range(0, rows, together):
        yield first, min(together, rows - first)


def _on_grid(edge: int, start: int, every: int) -> int:
    """The first of start, start + every, … that is at or after `edge`."""
    return start if edge <= start else start + -(-(edge - start) // every) * every


def _candidates(path: Path, file: Any, page: Any, index: int) -> list[Any]:
    """Pages that may be `page` made smaller: its SubIFDs, and those after it in the chain."""
    found: list[Any] = []
    try:
        with translated(path, "looking for smaller pictures"):
            if page.subifds:
                below = page.pages
                found += [below[number] for number in range(min(len(page.subifds), _MAX_LEVELS))]
            aperio = page.is_tiled and str(page.description)[:6] == "Aperio"
            for number in range(index + 1, index + 1 + _MAX_LEVELS):
                try:
                    after = file.pages[number]
                except IndexError:
                    break
                if int(after.subfiletype) & 1 or (aperio and after.is_tiled):
                    found.append(after)
                elif not aperio:
                    break  # the next picture: reduced pages after it are made from that one
    except UnreadableMicrograph:
        pass  # a broken chain behind a whole page: what was found before it is good
    return found


def _step(page: Any, smaller: Any) -> int:
    """How many pixels of `page` one of `smaller` stands for: a power of two, or 0 for neither."""
    same = all(
        getattr(page, name) == getattr(smaller, name)
        for name in ("dtype", "samplesperpixel", "photometric", "axes")
    )
    height, width = int(page.imagelength), int(page.imagewidth)
    small_height, small_width = int(smaller.imagelength), int(smaller.imagewidth)
    if not same or min(small_height, small_width) < 1 or small_width >= width:
        return 0
    step = 1 << max(0, round(np.log2(width / small_width)))
    # Writers round up or down, once or at every halving.
    fits = all(
        side // step <= small + 1 and small <= -(-side // step)
        for side, small in ((height, small_height), (width, small_width))
    )
    return step if fits and step > 1 else 0
