"""A file becomes a Micrograph: `read_micrograph`; and a Micrograph its pixels: `pixels`, `grey`.

Knows how the parts fit. Knows nothing of which page is the clean one (`choosing`), of file layouts
(`tiff`, `picture`), of vendors (`vendors`), and of which scale is believed (`trust`).
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph import choosing, picture, sidecars, tiff, tiff_pixels, trust
from glassllava.micrograph import databar as databar_in_pixels
from glassllava.micrograph.contrast import display_range, to_8bit
from glassllava.micrograph.header import (
    MAX_ENTRIES,
    MOST_DATABAR,
    Header,
    VendorReading,
    saved_anew_by,
    unbranded,
)
from glassllava.micrograph.limits import refuse_large_file
from glassllava.micrograph.record import (
    BORROWED,
    BeamSettings,
    Databar,
    Instrument,
    Micrograph,
    Page,
    PixelSize,
)
from glassllava.micrograph.shades import as_grey
from glassllava.micrograph.vendors import (
    digitalmicrograph,
    fibics,
    imagej,
    olympus,
    ome,
    openfibsem,
    phenom,
    tescan,
    thermo,
    thermo_xml,
    zeiss,
)

__all__ = [
    "as_grey",
    "display_range",
    "grey",
    "pixels",
    "read_micrograph",
    "specimen",
    "to_8bit",
]

#: In the order in which they are asked; within one source of a scale the first is believed.
_VENDORS = (
    thermo,
    thermo_xml,
    phenom,
    zeiss,
    tescan,
    olympus,
    fibics,
    digitalmicrograph,
    openfibsem,
    ome,
    imagej,
)
#: A scale is looked for on so many other pages.
_MOST_OTHERS = 16
#: Below this a side is too short for anything to be judged.
_TOO_SMALL = 64
#: Pixels up to which a whole frame is decoded to look for a caption at its top.
_SOON_DECODED = 8_000_000
_ALIKE_ROWS = 4  # a databar that is seen is the one that a header tells of

_TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_PICTURE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM")


def read_micrograph(
    path: str | Path,
    page: int | None = None,
    *,
    pixel_size: PixelSize | None = None,
    bar: PixelSize | None = None,
    with_hash: bool = True,
    with_databar: bool = True,
) -> Micrograph:
    """The micrograph in a file, without its pixels.

    Parameters
    ----------
    path : a TIFF, PNG, JPEG or BMP file.
    page : which picture of the file; the cleanest by default (16 bit before 8, no preview).
    pixel_size : typed by the person; stands above what the file says.
    bar : from the drawn bar (`drawn_scale`); stands below what the file says, but for an estimate.
    with_hash : False leaves `sha256` None.
    with_databar : False does not look for a databar in the pixels where no tag tells.

    Raises
    ------
    UnreadableMicrograph : says why the file is no micrograph, and what to do.
    """
    path = Path(path)
    kind = kind_of(path)
    refuse_large_file(path)
    pages, headers, left_out = (tiff if kind == "tiff" else picture).read_headers(path)
    chosen, masks = choosing.chosen_page(path, pages, page)
    header = headers[chosen.index]
    readings = _read_by_vendors(header)
    if not any(reading.candidates for reading in readings):
        readings += _borrowed(chosen, headers)
    readings += sidecars.read(path, header)
    readings.append(unbranded(header))
    strip = said = next((reading.databar for reading in readings if reading.databar), None)
    is_told = any(reading.databar_known for reading in readings)
    is_seen = True
    # A strip that is told is looked at all the same: it may have been cut off, the rest stretched.
    if with_databar and (said is not None or not is_told):
        strip, found, is_there = _databar_in_pixels(path, kind, chosen, said)
        is_seen = strip == said
        if said is not None:
            readings = [trust.held_against_pixels(r, said, found, is_there) for r in readings]
            strip = said if is_told else strip
    elif is_told:
        # Nobody looks: as many rows as the header tells of a databar are one.
        readings = [
            replace(r, is_rows_vouched=True) if r.databar_known and r.databar else r
            for r in readings
        ]
    told = [text for reading in readings for text in reading.warnings]
    warnings = [
        *left_out,
        *header.remarks,
        *dict.fromkeys(told),
    ]  # what two vendors say is said once
    if bar is not None:
        readings.append(VendorReading(candidates=(bar,)))
    size, candidates, scale_warnings = trust.scale(readings, pixel_size, saved_anew_by(header))
    warnings += scale_warnings
    if len(pages) > 1 and page is None:
        count = f"at least {len(pages)}" if len(pages) >= tiff.MAX_PAGES else str(len(pages))
        warnings.append(f"The file has {count} pages: page {chosen.index} is read")
        warnings += [f"Page {mask.index} is passed over: it looks like a mask" for mask in masks]
    if min(chosen.width, chosen.height) < _TOO_SMALL:
        warnings.append(
            f"{chosen.width} × {chosen.height} pixels are too few for anything to be judged"
        )
    if said is not None and not is_seen and not any(r.rows for r in readings if r.databar == said):
        warnings.append(
            f"The header tells of a databar of {said.height} rows, and the image has none "
            "there: it may have been cut off since, or the image stretched; check the scale"
        )
    metadata = {key: text for reading in readings for key, text in reading.metadata.items()}
    return Micrograph(
        path=path,
        page=chosen.index,
        width=chosen.width,
        height=chosen.height,
        bit_depth=chosen.bit_depth,
        samples=chosen.samples,
        sha256=_sha256(path) if with_hash else None,
        pixel_size=size,
        candidates=candidates,
        beam=trust.merged(BeamSettings(), [reading.beam for reading in readings]),
        instrument=trust.merged(Instrument(), [reading.instrument for reading in readings]),
        databar=strip,
        pages=pages,
        warnings=tuple(warnings),
        metadata=dict(list(metadata.items())[:MAX_ENTRIES]),
        sources=trust.sources(readings),
    )


def pixels(micrograph: Micrograph) -> np.ndarray[Any, Any]:
    """The whole frame, databar included: (H, W), or (H, W, 3) for colour, in the stored type.

    Raises
    ------
    UnreadableMicrograph : also when the file is another one than when its header was read.
    """
    return _read_pixels(micrograph.path, micrograph.page, micrograph.width, micrograph.height)


def grey(micrograph: Micrograph) -> np.ndarray[Any, Any]:
    """The whole frame as (H, W) grey in the stored type; colours by luminance (BT.709)."""
    return as_grey(pixels(micrograph))


def specimen(micrograph: Micrograph) -> np.ndarray[Any, Any]:
    """The grey rows that show the specimen: the frame without its databar."""
    return grey(micrograph)[micrograph.specimen_rows]


def _read_pixels(
    path: Path, page: int, width: int, height: int, first_row: int = 0, every_column: int = 1
) -> np.ndarray[Any, Any]:
    if kind_of(path) == "tiff":
        array = tiff_pixels.read_pixels(path, page, first_row, every_column)
    else:
        array = picture.read_pixels(path, first_row)[:, ::every_column]
    width = -(-width // every_column)
    if array.shape[:2] != (height - first_row, width):
        raise UnreadableMicrograph(
            f"The file gave {array.shape[1]} × {array.shape[0]} pixels where its header said "
            f"{width} × {height - first_row}",
            where=path,
            remedy="It is torn, or it was written anew meanwhile: open it again.",
        )
    return array


def kind_of(path: Path) -> str:
    """ "tiff" or "picture", by the first bytes; or the reason why it is neither."""
    where = path
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableMicrograph(
                "This is a folder, not a micrograph",
                where=where,
                remedy="Give one of its files, or judge them all with `glassview scan FOLDER`.",
            )
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableMicrograph(
                "This is not a regular file, but a pipe, a socket or a device",
                where=where,
                remedy="Give the path of a picture's file.",
            )
        if status.st_size == 0:
            raise UnreadableMicrograph(
                "The file is empty", where=where, remedy="Copy it again from the microscope."
            )
        with path.open("rb") as file:
            start = file.read(64)
    except FileNotFoundError:
        raise UnreadableMicrograph(
            "There is no such file", where=where, remedy="Check the path."
        ) from None
    except PermissionError:
        raise UnreadableMicrograph(
            "The file may not be read by this user",
            where=where,
            remedy="Ask its owner for permission to read it.",
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        why = getattr(error, "strerror", None) or error
        raise UnreadableMicrograph(
            f"The file cannot be opened ({why})",
            where=where,
            remedy="Check the path, and the links in it.",
        ) from error
    if start.startswith(_TIFF_MAGIC):
        return "tiff"
    if start.startswith(_PICTURE_MAGIC):
        return "picture"
    looks_like_text = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start)
    raise UnreadableMicrograph(
        "The file is text, not a picture"
        if looks_like_text
        else "The file is neither TIFF nor PNG, JPEG or BMP",
        where=where,
        remedy="Export the micrograph as TIFF from the microscope's program.",
    )


def _read_by_vendors(header: Header) -> list[VendorReading]:
    return [vendor.read(header) for vendor in _VENDORS if vendor.recognises(header)]


def _borrowed(chosen: Page, headers: Mapping[int, Header]) -> list[VendorReading]:
    """What another page says of the chosen one, where that has no scale of its own.

    Olympus writes its tag beside the preview or beside the data. The scale holds for pages of one
    width that differ by the rows of a databar at most; from any other it is shown and not used.
    The detector is a page's own, so that it is not taken over.
    """
    others = {
        index: header
        for index, header in headers.items()
        if index != chosen.index and (header.texts or header.blobs or header.numbers)
    }
    for index, header in list(others.items())[:_MOST_OTHERS]:
        over = abs(header.height - chosen.height)
        is_same = header.width == chosen.width and over <= MOST_DATABAR * chosen.height
        # The vendors compare the sizes that they describe with those of the chosen page.
        seen_as = replace(header, width=chosen.width, height=chosen.height, description="")
        found = [reading for reading in _read_by_vendors(seen_as) if reading.candidates]
        if found:
            other = f"page {index}, which is {header.width} × {header.height}"
            return [
                replace(
                    reading,
                    candidates=tuple(
                        replace(size, origin=f"{BORROWED}{index}: {size.origin}")
                        for size in reading.candidates
                    ),
                    beam=replace(reading.beam, detector=None, signal=None),
                    databar=None,
                    databar_known=False,
                    void=reading.void or ("" if is_same else f"it stands on {other}"),
                    sources={key: f"page {index}: {text}" for key, text in reading.sources.items()},
                )
                for reading in found
            ]
    return []


def _databar_in_pixels(
    path: Path, kind: str, page: Page, said: Databar | None
) -> tuple[Databar | None, Databar | None, bool]:
    """The databar: the one that a header `said` where the image bears it out, else what is seen.

    Beside it the one at the lower edge by the pixels alone, and whether the picture changes where
    the one that was `said` should begin.
    """
    if page.bit_depth == 1:
        return said, None, False
    # A caption at the top is looked for where the whole frame is soon decoded.
    whole = said is None and page.width * page.height <= _SOON_DECODED
    first = 0 if whole else databar_in_pixels.first_row_wanted(page.height)
    every = 1 if whole else databar_in_pixels.every_column(page.width)
    rows = as_grey(_read_pixels(path, page.index, page.width, page.height, first, every))
    below = rows[databar_in_pixels.first_row_wanted(page.height) - first :]
    found = databar_in_pixels.find(below, page.height)
    if said is not None:
        is_there = said.top > first and databar_in_pixels.starts_at(rows, said.top - first)
        if is_there or (found is not None and abs(found.top - said.top) <= _ALIKE_ROWS):
            return said, found, is_there
    if found is None and whole:
        above = rows[: databar_in_pixels.rows_wanted(page.height)]
        return databar_in_pixels.find_caption(above, page.height), None, False
    return found, found, False


def _sha256(path: Path) -> str:
    with tiff.translated(path, "hashing it"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
