"""Side-cars: the text file that a microscope put beside its image.

Knows their names, how large they may be, and when one is believed: only if it says how large its
image is and that is the image at hand. Knows nothing of what stands in them (`vendors`). A side-car
that cannot be read, or is not believed, is a warning and never an error.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from glassllava.micrograph.header import MOST_DATABAR, Header, VendorReading
from glassllava.micrograph.texts import decoded
from glassllava.micrograph.vendors import hitachi, jeol, tescan

#: A side-car has some kilobytes.
MAX_BYTES = 1_000_000
_START = 4_000


@dataclass(frozen=True, slots=True)
class _Kind:
    recognises: Callable[[str], bool]
    described: Callable[[str], tuple[int, int | None] | None]
    names: Callable[[str], str]
    read: Callable[[Header, str, str], VendorReading]


def _no_name(text: str) -> str:
    return ""


_KINDS = tuple(
    _Kind(vendor.recognises_sidecar, vendor.described, names, vendor.read_sidecar)
    for vendor, names in ((jeol, _no_name), (hitachi, hitachi.image_name), (tescan, _no_name))
)


def read(path: Path, header: Header) -> tuple[VendorReading, ...]:
    """What the side-cars of the image at `path` say, each with its warnings; none is an error."""
    return tuple(
        reading for side in names(path) if (reading := _read(side, path, header)) is not None
    )


def names(path: Path) -> Iterator[Path]:
    """The side-cars that stand beside an image: extensions in capitals too, each file once."""
    seen: set[tuple[int, int]] = set()
    for name in _possible(path):
        side = path.with_name(name)
        try:
            status = side.stat()
        except (OSError, ValueError):
            continue
        # On a file system without case two of the names are one file.
        if stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            yield side


def _possible(path: Path) -> Iterator[str]:
    for suffix in ("txt", "TXT", "Txt"):
        yield f"{path.stem}.{suffix}"
    own = path.suffix.lstrip(".")
    for suffix in ("hdr", "HDR", "Hdr"):
        # sample-tif.hdr, and as the image spells its own extension.
        for kind in dict.fromkeys((own.lower(), own, own.upper(), "tif", "TIF")):
            yield f"{path.stem}-{kind}.{suffix}"
        yield f"{path.stem}.{suffix}"


def _read(side: Path, image: Path, header: Header) -> VendorReading | None:
    """One side-car; None for a file that only bears the name, as a person's notes."""
    try:
        with side.open("rb") as file:
            start = file.read(_START)
            kind = next((kind for kind in _KINDS if kind.recognises(decoded(start))), None)
            if kind is None:
                return None
            data = start + file.read(MAX_BYTES + 1 - len(start))
    except OSError as error:
        return VendorReading(
            warnings=(f"The side-car {side.name} cannot be read: {error.strerror}",)
        )
    if len(data) > MAX_BYTES:
        return VendorReading(
            warnings=(
                f"The side-car {side.name} is not read: it is larger than {MAX_BYTES:,} bytes",
            )
        )
    text = decoded(data)
    reading = kind.read(header, text, side.name)
    doubt = _doubt(kind.described(text), header)
    if not doubt:
        named = kind.names(text)
        base = named.replace("\\", "/").rpartition("/")[2].casefold()
        if not named or image.stem.casefold() in (base, base.rpartition(".")[0]):
            return reading
        warning = (
            f"The side-car {side.name} says that its image is '{named[:60]}': unless both were "
            "renamed, it is another's, and so is its scale"
        )
        return replace(reading, warnings=(*reading.warnings, warning))
    # What it says is kept to look at, but nothing of it is used.
    return VendorReading(
        candidates=reading.candidates,
        void=f"the side-car {side.name} {doubt}",
        metadata=reading.metadata,
    )


def _doubt(size: tuple[int, int | None] | None, header: Header) -> str:
    """Why a side-car about an image of `size` is not believed to be this image's, or ""."""
    if size is None:
        return "does not say how large its image is"
    columns, rows = size
    over = 0 if rows is None else header.height - rows
    if abs(columns - header.width) > 1 or over < 0 or over > MOST_DATABAR * (rows or 0):
        told = f"{columns} columns" if rows is None else f"{columns} × {rows} pixels"
        return (
            f"is about {told} and the image has {header.width} × {header.height}: "
            "it was resized or cropped, or the side-car is another's"
        )
    return ""
