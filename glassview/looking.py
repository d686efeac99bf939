"""What is done beside the window: files are found and become pictures, thumbnails, histograms.

Plain functions that a worker calls; they hold no state and know no widget and no thread.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import BadInput, GlassError
from glassllava.micrograph.record import Micrograph, PixelSize
from glassllava.sample import Sample, read_sample
from glassview.qt.tiles import Coding, Grid, Tile, coding
from glassview.session import Trouble

if TYPE_CHECKING:
    from glassllava.micrograph.drawn_scale import DrawnScale
    from glassllava.micrograph.pyramid import Pixels

    Array = np.ndarray[Any, Any]

#: What a folder is searched for; a file that is named directly is tried whatever its name.
SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp"})
MOST_FILES = 20_000

#: Pixels from which a thumbnail is not worth a look for a databar.
_LARGE = 20_000_000
#: Means that are kept for a thumbnail: the coarse levels alone.
_THUMBNAIL_MEANS = 4 << 20
_BINS = 128
_THUMBNAIL = 320
_ENOUGH = 400_000  # pixels for a histogram


@dataclass(frozen=True, slots=True)
class Picture:
    """One micrograph, ready to be shown.

    `shown` are the stored values that become black and white; `counts` the histogram of the
    specimen over `span`.
    """

    micrograph: Micrograph
    pixels: Pixels
    coding: Coding
    shown: tuple[float, float]
    counts: tuple[float, ...]
    span: tuple[float, float]

    @property
    def held_bytes(self) -> int:
        return self.pixels.held_bytes

    def value(self, x: int, y: int) -> float | int | None:
        """The stored value of one pixel, None outside the frame or where it must be read."""
        if not (0 <= x < self.micrograph.width and 0 <= y < self.micrograph.height):
            return None
        return _item(self.pixels.at_hand(0, slice(y, y + 1), slice(x, x + 1)))

    def read_value(self, x: int, y: int) -> float | int | None:
        """The same, read from the file."""
        return _item(self.pixels.window(0, slice(y, y + 1), slice(x, x + 1)))

    def read_tile(self, tile: Tile) -> Array:
        """The codes of one tile, read from the file.

        Raises
        ------
        UnreadableMicrograph : where the file is torn, or changed since it was opened.
        """
        rows, columns = Grid(self.pixels.height, self.pixels.width, self.pixels.level_count).window(
            tile
        )
        return self.coding.of(self.pixels.window(tile[0], rows, columns))


def _item(pixel: Array | None) -> float | int | None:
    if pixel is None:
        return None
    value: float | int = pixel.item()
    return int(value) if isinstance(value, bool) else value


@dataclass(frozen=True, slots=True)
class Beside:
    """The sample that lies beside a file.

    `origin` is the name of its file ("" for none), `trouble` why that could not be used.
    """

    sample: Sample
    origin: str
    trouble: Trouble | None


def find_micrographs(paths: Iterable[str | Path]) -> tuple[Path, ...]:
    """Files as named, folders as what lies in them and below, in the order people expect.

    Hidden files and folders are passed over, links to folders are not followed.

    Raises
    ------
    BadInput : for a path that is not there, or folders without a single micrograph.
    """
    found: dict[Path, None] = {}
    folders = []
    for given in paths:
        path = Path(given).absolute()
        if path.is_dir():
            folders.append(path)
            found.update(dict.fromkeys(_in_folder(path)))
        elif path.exists():
            found[path] = None
        else:
            raise BadInput("There is no such file or folder", where=path, remedy="Check the path.")
    if folders and not found:
        raise BadInput(
            "There is no micrograph in this folder",
            where=folders[0],
            remedy=f"Files that end in {', '.join(sorted(SUFFIXES))} are looked for.",
        )
    return tuple(found)[:MOST_FILES]


def _in_folder(folder: Path) -> list[Path]:
    found: list[Path] = []
    for at, below, names in os.walk(folder):
        here = Path(at)
        below[:] = sorted((n for n in below if not n.startswith(".")), key=natural)
        found += [
            here / name
            for name in sorted(names, key=natural)
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
        if len(found) > MOST_FILES:
            break
    return found


def natural(name: str) -> tuple[object, ...]:
    """A sort key by which image_2 comes before image_10."""
    return tuple(
        (1, int(part), "") if part.isdigit() else (0, 0, part)
        for part in re.split(r"(\d{1,18})", name.casefold())
        if part
    )


def sample_beside(path: Path) -> Beside:
    """The sample that lies beside a micrograph: NAME.sample.toml, else sample.toml."""
    for file in (path.with_name(f"{path.stem}.sample.toml"), path.with_name("sample.toml")):
        if file.is_file():
            try:
                return Beside(read_sample(file), file.name, None)
            except GlassError as error:
                return Beside(Sample(), file.name, Trouble.of(error))
    return Beside(Sample(), "", None)


def warm_up() -> None:
    """Import the readers: a second's work that nobody should wait for."""
    importlib.import_module("glassllava.micrograph.reading")


def look(
    path: Path,
    page: int | None,
    typed: PixelSize | None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> tuple[Picture, Beside]:
    """Read one micrograph for the screen, quickly: a large one only as far as is seen at first.

    A databar that no tag gives is left for `with_databar`, the hash for the interpretation.

    Raises
    ------
    UnreadableMicrograph : with the reason that is shown in its place.
    """
    from glassllava.micrograph import pyramid, reading

    micrograph = reading.read_micrograph(
        path, page, pixel_size=typed, with_hash=False, with_databar=False
    )
    pixels = pyramid.open_pixels(micrograph)
    pixels.quick_look(is_wanted)
    shown, counts, span = _contrast(pixels, micrograph)
    coded = coding(pixels.dtype, shown)
    return Picture(micrograph, pixels, coded, shown, counts, span), sample_beside(path)


def with_databar(picture: Picture) -> Picture:
    """The picture with what its pixels say of a databar; itself where that is nothing new.

    Raises
    ------
    UnreadableMicrograph : where the file has gone meanwhile.
    """
    from glassllava.micrograph import reading

    before = picture.micrograph
    chosen = before.pixel_size and before.pixel_size.source in ("typed", "read_bar")
    typed = before.pixel_size if chosen else None
    found = reading.read_micrograph(before.path, before.page, pixel_size=typed, with_hash=False)
    # A databar may show that the image was resized, and so that its scale is another's.
    new = {
        name: getattr(found, name) for name in ("databar", "warnings", "pixel_size", "candidates")
    }
    if all(getattr(before, name) == value for name, value in new.items()):
        return picture
    micrograph = replace(before, **new)
    shown, counts, span = _contrast(picture.pixels, micrograph)
    return replace(picture, micrograph=micrograph, shown=shown, counts=counts, span=span)


def drawn_scale(micrograph: Micrograph) -> DrawnScale | None:
    """What the drawn bar says; a second's work, so that a worker does it.

    Raises
    ------
    UnreadableMicrograph : where the file has gone meanwhile.
    """
    from glassllava.micrograph import reading
    from glassllava.micrograph.drawn_scale import read_scale

    if micrograph.width * micrograph.height > _LARGE:
        return None  # whoever takes such a picture has a program that writes its scale
    whole = reading.read_micrograph(micrograph.path, micrograph.page, with_hash=False)
    return read_scale(whole)


def confirmed(drawn: DrawnScale) -> PixelSize | None:
    """The pixel size of a drawn bar that a person said yes to."""
    size = drawn.size
    return size and replace(size, origin=f"{size.origin}, confirmed in the desktop")


def _contrast(
    pixels: Pixels, micrograph: Micrograph
) -> tuple[tuple[float, float], tuple[float, ...], tuple[float, float]]:
    """The display range, the histogram and its span, of the specimen alone."""
    from glassllava.micrograph import reading

    specimen = pixels.sample(micrograph.specimen_rows)
    if not specimen.size:
        specimen = pixels.sample(slice(None))
    shown = reading.display_range(specimen)
    counts, span = _histogram(specimen, shown)
    return shown, counts, span


def _histogram(
    grey: Array, shown: tuple[float, float]
) -> tuple[tuple[float, ...], tuple[float, float]]:
    """Counts over the values that occur, but not over outliers far from what is shown."""
    stride = max(1, int(np.sqrt(grey.size / _ENOUGH)))
    values = grey[::stride, ::stride].ravel().astype(np.float64)
    values = values[np.isfinite(values)]
    low, high = shown
    if not values.size:
        return (), (low, high)
    reach = high - low
    bottom = max(float(values.min()), low - reach)
    top = min(float(values.max()), high + reach)
    if not top > bottom:
        bottom, top = low, high
    bins = _BINS
    if grey.dtype.kind in "uib" and top - bottom + 1 <= 256:
        # Whole counts to a bin: bins of unequal counts would show a comb that is not there.
        per_bin = max(1, int(np.ceil((top - bottom + 1) / _BINS)))
        bins = int(np.ceil((top - bottom + 1) / per_bin))
        top = bottom + bins * per_bin
    counted, _ = np.histogram(values, bins=bins, range=(bottom, top))
    return tuple(map(float, counted)), (bottom, top)


def thumbnail(path: Path, page: int | None = None) -> tuple[Array, Micrograph, Beside]:
    """A small 8-bit picture of the specimen, with the header.

    Raises
    ------
    UnreadableMicrograph : as `look` does.
    """
    from glassllava.micrograph import pyramid, reading

    micrograph = reading.read_micrograph(path, page, with_hash=False, with_databar=False)
    if micrograph.width * micrograph.height <= _LARGE and micrograph.databar is None:
        micrograph = reading.read_micrograph(path, page, with_hash=False)
    pixels = pyramid.open_pixels(micrograph)
    pixels.quick_look(room=_THUMBNAIL_MEANS)
    return thumbnail_of(pixels, micrograph), micrograph, sample_beside(path)


def thumbnail_of(pixels: Pixels, micrograph: Micrograph) -> Array:
    """(h, w) uint8, at most 320 px on its longer side, without the databar.

    From what is at hand: of a large file a coarse level, which looks the same.
    """
    from glassllava.micrograph import reading

    rows = micrograph.specimen_rows
    for level in () if pixels.is_held else range(pixels.level_count - 1, -1, -1):
        height = pixels.level_shape(level)[0]
        part = slice(-(-rows.start >> level), min(height, max(1, rows.stop >> level)))
        found = pixels.at_hand(level, part, slice(None))
        if found is None or max(found.shape, default=0) >= _THUMBNAIL:
            break
    else:
        found = pixels.at_hand(0, rows, slice(None))
    if found is None:  # a strip so narrow that no level is small enough
        found = pixels.window(0, rows)
    specimen = found if found.size else pixels.window(0)
    shown = reading.display_range(specimen)
    step = max(1, -(-max(specimen.shape) // _THUMBNAIL))
    height, width = (side // step * step for side in specimen.shape)
    if step == 1 or not (height and width):
        return reading.to_8bit(specimen[::step, ::step], shown)
    return reading.to_8bit(_means(specimen, step), shown)


def _means(grey: Array, step: int) -> Array:
    height, width = grey.shape[0] // step, grey.shape[1] // step
    blocks = grey[: height * step, : width * step].reshape(height, step, width, step)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def typed_pixel_size(text: str) -> PixelSize | None:
    """A pixel size as a person types it, "12.5 nm", or "8" for 8 nm; None for an empty text.

    Raises
    ------
    BadInput : for a text that is no length, or one that no pixel of a microscope has.
    """
    from glassllava.micrograph import header

    text = text.strip()
    if not text:
        return None
    try:
        return header.typed_pixel_size(f"{text} nm" if text.isdecimal() else text)
    except BadInput as error:
        raise BadInput(
            f"'{text[:60]}' is not a pixel size", remedy="Write it as 12.5 nm or 0.2 µm ± 1 %."
        ) from error
