"""Hitachi: a side-car `NAME.txt`, INI text under [SemImageFile], in ASCII, latin-1 or UTF-16.

No real file was at hand: keys and units are as Bio-Formats' HitachiReader and pynxtools-em take
them (PixelSize in nm, WorkingDistance in µm or with its unit, Date as month/day/year). An S-4700
writes no PixelSize: its magnification is for a picture 127 mm wide, which is an estimate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from glassllava.micrograph.header import (
    Header,
    VendorReading,
    pixel_size,
    said,
    strip,
    when,
)
from glassllava.micrograph.quantities import (
    degrees,
    metres,
    number,
    positive,
    quantity,
    scaled,
)
from glassllava.micrograph.record import BeamSettings, Instrument, PixelSize
from glassllava.micrograph.texts import flat, sections

_SECTIONS = ("SemImageFile", "TemImageFile")
#: The magnification is that of a picture this wide (5 inches).
_PICTURE_M = 0.127

_VOLTS = {"Volt": 1.0, "V": 1.0, "kV": 1e3, "": 1.0}

_PLACES = {
    "particle": "",
    "voltage_v": "AcceleratingVoltage",
    "working_distance_m": "WorkingDistance",
    "detector": "SignalName",
    "tilt_rad": "StagePositionT",
    "magnification": "Magnification",
    "vendor": "",
    "model": "InstructName",
    "serial": "SerialNumber",
    "acquired": "Date, Time",
}


def recognises_sidecar(text: str) -> bool:
    lines = (line.strip() for line in text[:2000].splitlines())
    start = next((line for line in lines if line and not line.startswith("#")), "")
    return start.startswith(tuple(f"[{name}]" for name in _SECTIONS))


def described(text: str) -> tuple[int, int | None] | None:
    """Columns and rows of the data; None where the text does not say."""
    match = re.match(r"\s*(\d{1,6})\s*[x×*]\s*(\d{1,6})", _entries(text).get("DataSize", ""))
    return (int(match.group(1)), int(match.group(2))) if match else None


def image_name(text: str) -> str:
    """The image that the text says it is about, or ""."""
    return said(_entries(text).get("ImageName")) or ""


def read_sidecar(header: Header, text: str, name: str) -> VendorReading:
    entries = _entries(text)
    size = described(text)
    rows = header.height - size[1] if size and size[1] else 0
    distance, unit = quantity(entries.get("WorkingDistance"))
    return VendorReading(
        candidates=_candidates(entries, size, name),
        beam=BeamSettings(
            particle="electron",
            voltage_v=positive(scaled(entries.get("AcceleratingVoltage"), _VOLTS)),
            working_distance_m=positive(metres(distance, unit or "um")),
            detector=said(entries.get("SignalName")),
            tilt_rad=degrees(number(entries.get("StagePositionT"))),
            magnification=positive(number(entries.get("Magnification"))),
        ),
        instrument=Instrument(
            vendor="Hitachi",
            model=said(entries.get("InstructName")) or said(entries.get("Instrument name")),
            serial=said(entries.get("SerialNumber")),
            acquired=when(f"{entries.get('Date')} {entries.get('Time')}", "%m/%d/%Y %H:%M:%S")
            or when(entries.get("Date"), "%m/%d/%Y"),
        ),
        # Rows under those of the data may be a bar, or the image was stretched.
        databar=strip(header, rows),
        rows=size[1] or 0 if size else 0,
        is_rows_vouched=rows == 0,
        metadata=flat(sections(text)),
        sources={field: f"{name} {key}".strip() for field, key in _PLACES.items()},
    )


def _entries(text: str) -> Mapping[str, str]:
    parts = sections(text)
    return next((parts[name] for name in _SECTIONS if name in parts), {})


def _candidates(
    entries: Mapping[str, str], size: tuple[int, int | None] | None, name: str
) -> tuple[PixelSize, ...]:
    value, unit = quantity(entries.get("PixelSize"))
    found = [pixel_size(metres(value, unit or "nm"), "sidecar", f"{name} PixelSize")]
    times = positive(number(entries.get("Magnification")))
    if times and size:
        origin = f"{name} 127 mm / (Magnification × DataSize)"
        found.append(pixel_size(_PICTURE_M / (times * max(1, size[0])), "magnification", origin))
    return tuple(one for one in found if one is not None)
