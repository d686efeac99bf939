"""ImageJ and Fiji: `unit=` in ImageDescription, pixels per unit in XResolution.

Only here is XResolution a calibration. Inches and centimetres are refused: ImageJ writes them
when it passes on the dots per inch of a screen.
"""

from __future__ import annotations

from glassllava.micrograph.header import (
    MAX_ENTRIES,
    MAX_VALUE,
    Header,
    VendorReading,
    metres,
    number,
    pixel_size,
)
from glassllava.micrograph.record import PixelSize

_SCREEN_UNITS = ("inch", "in", "cm", "pixel", "pixels")


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
    if header.resolution and unit.lower() not in _SCREEN_UNITS:
        across, down = (
            metres(1 / value, unit) if value > 0 else None for value in header.resolution
        )
        size = pixel_size(across, "imagej", f"ImageDescription unit={unit}, XResolution", down)
    return VendorReading(
        candidates=(size,) if size else (),
        warnings=tuple(warnings),
        metadata={f"ImageJ/{key}": value for key, value in entries.items()},
    )


def parse(description: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for line in description.splitlines()[:MAX_ENTRIES]:
        key, sign, value = line.partition("=")
        if sign:
            entries[key.strip()[:MAX_VALUE]] = value[:MAX_VALUE]
    return entries
