"""What a file's header hands to a vendor's reader, and what the reader hands back.

Knows how vendors write dates, and which lengths can be a pixel of a micrograph at all. Knows
nothing of numbers (`quantities`), of TIFF (`reading`) and of any one vendor (`vendors`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from glassllava.errors import BadInput
from glassllava.micrograph.quantities import metres, quantity
from glassllava.micrograph.record import (
    BeamSettings,
    Databar,
    Instrument,
    PixelSize,
    PixelSizeSource,
)

#: At most so many entries of a vendor's metadata are kept, and so many characters of each.
MAX_ENTRIES = 5_000
MAX_VALUE = 2_000

#: What is said of an image that an ion beam made.
ION = (
    "An ion beam made this image: its grey values and its damage are not those of an electron image"
)

#: Metres per pixel that an electron or ion microscope can have: finer than an atom's nucleus
#: or coarser than a millimetre is a broken header.
SMALLEST_PIXEL_M = 1e-12
LARGEST_PIXEL_M = 1e-3
#: A databar under the image is at most this share of the rows over it.
MOST_DATABAR = 0.25
_LONGEST_PIXEL = 5.0  # times its width: a line scan is at most some times coarser down than across

#: Programs that save pictures anew, of any size; no microscope's own is among them.
_EDITORS = (
    "Adobe",
    "Photoshop",
    "Lightroom",
    "GIMP",
    "ImageMagick",
    "GraphicsMagick",
    "ImageJ",
    "IrfanView",
    "XnView",
    "ACDSee",
    "Paint.NET",
    "Microsoft",
    "Windows Photo",
    "Corel",
    "Affinity",
    "Inkscape",
    "MATLAB",
    "Pillow",
    "PIL",
    "scikit-image",
    "tifffile",
    "OpenCV",
    "libvips",
)
_EDITOR = re.compile(rf"\b(?:{'|'.join(map(re.escape, _EDITORS))})\b", re.IGNORECASE)


def _nothing(offset: int, count: int) -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class Header:
    """One page's header: sizes in pixels, texts as decoded, nothing interpreted.

    `texts` holds vendor tags by their code, `blobs` those whose bytes are no text, `numbers` the
    first values of those that are numbers. `reach` fetches at most `count` bytes of the file from
    `offset` on, for the tag that points elsewhere (Olympus). `resolution` is XResolution and
    YResolution as they stand: pixels per unit in ImageJ files, the screen's dots per inch nearly
    everywhere else.
    """

    width: int
    height: int
    description: str = ""
    software: str = ""
    texts: Mapping[int, str] = field(default_factory=dict)
    resolution: tuple[float, float] | None = None
    #: 2 and 3 say that `resolution` is per inch and per centimetre; 1 that it is per what else.
    resolution_unit: int = 1
    blobs: Mapping[int, bytes] = field(default_factory=dict)
    numbers: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    reach: Callable[[int, int], bytes] = _nothing
    #: What is to be said of how the page's pixels are read.
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VendorReading:
    """What one vendor's reader understood.

    `databar_known` is True if the header says whether this image has a databar, so that the pixels
    need not be asked; a `databar` without it is one that the header tells of, and that may have
    been cut off since. `void` is the reason why none of its candidates may be the ruler, if any.
    """

    candidates: tuple[PixelSize, ...] = ()
    beam: BeamSettings = field(default_factory=BeamSettings)
    instrument: Instrument = field(default_factory=Instrument)
    databar: Databar | None = None
    databar_known: bool = False
    #: False where the header does not say how large its image was: nothing shows a resized one.
    is_vouched: bool = True
    #: The rows that the header describes, without a databar; 0 where it does not say.
    rows: int = 0
    #: False where it does not say, or the image has more: a databar, or it was stretched.
    is_rows_vouched: bool = True
    void: str = ""
    warnings: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def unbranded(header: Header) -> VendorReading:
    """What any program may have written: the last one to speak, and never of scale."""
    said = {"TIFF/Software": header.software, "TIFF/ImageDescription": header.description}
    software = header.software.strip("\0 ")[:MAX_VALUE] or None
    return VendorReading(
        instrument=Instrument(software=software),
        metadata={key: text[:MAX_VALUE] for key, text in said.items() if text},
        sources={"software": "305 Software"} if software else {},
    )


def saved_anew_by(header: Header) -> str:
    """The program, no microscope's, that says it saved this file; "" where none says so."""
    for text in (header.software, header.description):
        if _EDITOR.search(text[:300]):
            return " ".join(text[:80].split("\n")[0].strip("\0 ").split())[:60]
    return ""


def typed_pixel_size(text: str) -> PixelSize:
    """The pixel size that a person typed, as "2.5 nm" or "2.5 nm ± 1 %" (k = 2).

    Raises
    ------
    BadInput : where it is no length, or none that a micrograph's pixel can have.
    """
    length, _, tolerance = text.replace("+/-", "±").replace("+-", "±").partition("±")
    value, unit = quantity(length)
    unit = re.sub(r"\s*(?:/|per)\s*(?:px|pixel)$", "", unit)
    size = pixel_size(metres(value, unit), "typed", "typed by the person")
    if size is not None and "±" in text.replace("+/-", "±").replace("+-", "±"):
        share = _tolerance(tolerance, size.value_m, unit)
        size = None if share is None else replace(size, uncertainty=share)
    if size is None:
        raise BadInput(
            f"'{text[:100]}' is not the size of a pixel",
            where="pixel size",
            remedy='Write a number and its unit, for example "2.5 nm" or "0.1 um ± 1 %".',
        )
    return size


def _tolerance(text: str, value_m: float, unit: str) -> float | None:
    """What stands behind ±, as a share: "1 %", "0.05 nm", or "0.05" of the unit before."""
    value, own = quantity(text)
    if value is None or value < 0:
        return None
    share = value / 100 if own == "%" else None
    if share is None:
        length = metres(value, own or unit)
        share = None if length is None else length / value_m
    return share if share is not None and share < 0.5 else None


def typed_bar_length(text: str) -> float:
    """Metres of a bar's length as a person types it, "20 um".

    Raises
    ------
    BadInput : where it is no length.
    """
    value, unit = quantity(text)
    length = metres(value, unit)
    if length is None or not 1e-10 < length < 1:
        raise BadInput(
            f"'{text[:100]}' is not the length of a scale bar",
            where="bar length",
            remedy='Write a number and its unit, for example "20 um".',
        )
    return length


def pixel_size(
    value_m: float | None,
    source: PixelSizeSource,
    origin: str,
    value_y_m: float | None = None,
) -> PixelSize | None:
    """A pixel size if `value_m` can be one, else None.

    `value_y_m` is kept only where it differs by more than 0.1 %: the pixels are not square. Where
    it is more than `_LONGEST_PIXEL` times the other, one of both is in a wrong unit.
    """
    if not is_plausible(value_m):
        return None
    assert value_m is not None
    if value_y_m and is_plausible(value_y_m):
        longer, shorter = max(value_m, value_y_m), min(value_m, value_y_m)
        if longer > _LONGEST_PIXEL * shorter:
            return None
    if (
        not is_plausible(value_y_m)
        or value_y_m is None
        or abs(value_y_m - value_m) <= 1e-3 * value_m
    ):
        value_y_m = None
    return PixelSize(value_m, source, origin, value_y_m=value_y_m)


def is_plausible(value_m: float | None) -> bool:
    return value_m is not None and SMALLEST_PIXEL_M < value_m < LARGEST_PIXEL_M


def when(text: str | None, *patterns: str) -> str | None:
    """The instrument's local time as ISO 8601, by the first of `patterns` that fits."""
    for pattern in patterns:
        try:
            return datetime.strptime((text or "").strip(), pattern).isoformat()
        except ValueError:
            continue
    return None


def said(text: str | None) -> str | None:
    """`text` without blanks, or None where the vendor left it empty."""
    text = (text or "").strip().strip("\x00")
    return text[:MAX_VALUE] or None


def resized(header: Header, columns: float | None, rows: float | None) -> str:
    """Why the image at hand is not the one of `columns` × `rows` px that was scanned, or "".

    More rows than scanned may be a databar, up to `MOST_DATABAR`; fewer, more than that, and any
    other width, are another image.
    """
    if (not columns or int(columns) == header.width) and (
        not rows or int(rows) <= header.height <= (1 + MOST_DATABAR) * int(rows)
    ):
        return ""
    described = " × ".join(f"{side:.0f}" for side in (columns, rows) if side)
    return (
        f"the header describes {described} pixels and the image has "
        f"{header.width} × {header.height}: it was resized or cropped after the scan"
    )


def below(header: Header, rows: float | None) -> Databar | None:
    """What stands under the `rows` of the scan: a databar if the pixels bear it out."""
    return strip(header, header.height - int(rows)) if rows and rows >= 1 else None


def strip(header: Header, rows: float | None) -> Databar | None:
    """The databar of `rows` px under the specimen, or None where it would take half the image."""
    if rows is None or not 1 <= rows <= header.height // 2:
        return None
    return Databar(header.height - int(rows), int(rows), "tag")
