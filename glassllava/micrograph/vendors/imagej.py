"""ImageJ and Fiji: `unit=` in ImageDescription, pixels per unit in XResolution.

Only here is XResolution a calibration. Inches and centimetres are refused: ImageJ writes them
when it passes on the dots per inch of a screen. Nothing says how large the image was that the scale
is for. `Info` (tag 50839, UTF-16, behind a table of four-letter kinds; layout as tifffile reads it)
may hold the text of the vendor whose file was opened: it is read as the vendor's, and trusted as
ImageJ.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from glassllava.micrograph.header import (
    MAX_ENTRIES,
    MAX_VALUE,
    Header,
    VendorReading,
    pixel_size,
)
from glassllava.micrograph.quantities import (
    metres,
    number,
)
from glassllava.micrograph.record import PASSED_ON, PixelSize
from glassllava.micrograph.texts import MAX_TEXT
from glassllava.micrograph.vendors import thermo, zeiss

_SCREEN_UNITS = ("inch", "in", "cm", "pixel", "pixels")
_INCH, _CENTIMETRE = 2, 3  # ResolutionUnit
_METADATA, _COUNTS = 50839, 50838
_MOST_KINDS = 60


def recognises(header: Header) -> bool:
    return header.description.startswith("ImageJ=")


def read(header: Header) -> VendorReading:
    entries = parse(header.description)
    unit = entries.get("unit", "").strip()
    planes = number(entries.get("images"))
    warnings = []
    if planes and planes > 1:
        warnings.append(f"An ImageJ stack of {int(planes)} planes: one page is read")
    size: PixelSize | None = None
    is_screens = header.resolution_unit in (_INCH, _CENTIMETRE)
    if header.resolution and unit.lower() not in _SCREEN_UNITS:
        across, down = (
            metres(1 / value, unit) if value > 0 else None for value in header.resolution
        )
        size = pixel_size(across, "imagej", f"ImageDescription unit={unit}, XResolution", down)
    metadata = {f"ImageJ/{key}": value for key, value in entries.items()}
    words = info(header)
    if words:
        metadata["ImageJ/Info"] = words[:MAX_VALUE]
    passed_on = _passed_on(header, words)
    if size and passed_on.void:
        warnings.append(f"The vendor's text that ImageJ kept is of another image: {passed_on.void}")
    void = "" if size else passed_on.void
    # The vendor's text that says the same of an image of this size bears out ImageJ's scale.
    is_vouched = passed_on.is_vouched and (size is None or _is_borne_out(size, passed_on))
    if size and is_screens:
        void = f"ImageJ names '{unit}', and the resolution beside it is per inch or centimetre"
    return VendorReading(
        candidates=((size,) if size else ()) + passed_on.candidates,
        beam=passed_on.beam,
        instrument=passed_on.instrument,
        databar=passed_on.databar,
        databar_known=passed_on.databar_known,
        is_vouched=is_vouched,
        rows=passed_on.rows,
        is_rows_vouched=passed_on.is_rows_vouched,
        # A scale that ImageJ was told stands, whatever the vendor's text was about.
        void=void,
        warnings=(*warnings, *passed_on.warnings),
        metadata={**metadata, **passed_on.metadata},
        sources={key: f"{PASSED_ON}{place}" for key, place in passed_on.sources.items()},
    )


def _is_borne_out(size: PixelSize, passed_on: VendorReading) -> bool:
    return not passed_on.void and any(
        abs(other.value_m - size.value_m) <= 0.01 * size.value_m for other in passed_on.candidates
    )


def parse(description: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for line in description.splitlines()[:MAX_ENTRIES]:
        key, sign, value = line.partition("=")
        if sign:
            entries[key.strip()[:MAX_VALUE]] = value[:MAX_VALUE]
    return entries


def info(header: Header) -> str:
    """The text `Info`, or "" where there is none or the table is torn."""
    data, counts = header.blobs.get(_METADATA, b""), header.numbers.get(_COUNTS, ())
    order = {b"IJIJ": ">", b"JIJI": "<"}.get(data[:4])
    if order is None or not counts or not 12 <= counts[0] <= min(len(data), 4 + 8 * _MOST_KINDS):
        return ""
    at, entry = int(counts[0]), 0
    for place in range(4, at - 7, 8):
        kind, many = struct.unpack_from(f"{order}4sI", data, place)
        if kind in (b"info", b"ofni"):
            if many < 1 or entry + 1 >= len(counts):
                return ""
            raw = data[at : at + min(int(counts[entry + 1]), MAX_TEXT)]
            return raw.decode("utf-16-be" if order == ">" else "utf-16-le", errors="replace")
        for _ in range(many):
            entry += 1
            if entry >= len(counts):
                return ""
            at += int(counts[entry])
    return ""


def _passed_on(header: Header, words: str) -> VendorReading:
    """What the vendor's text in `Info` says, with ImageJ as its source."""
    for vendor, tag, sign in (
        (thermo, thermo.TAGS[0], "PixelWidth"),
        (zeiss, zeiss.TAGS[0], "AP_"),
    ):
        start = words.find("[") if vendor is thermo else 0
        inner = replace(header, texts={tag: words[max(0, start) :]}, description="")
        if sign in words and vendor.recognises(inner):
            reading = vendor.read(inner)
            return replace(
                reading,
                candidates=tuple(
                    replace(size, source="imagej", origin=f"{PASSED_ON}{size.origin}")
                    for size in reading.candidates
                ),
            )
    return VendorReading()
