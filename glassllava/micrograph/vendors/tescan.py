"""TESCAN: bytes in tag 50431, or a side-car `NAME-tif.hdr` or `NAME.hdr` with the same text.

The tag is a row of blocks: length (32 bits, little-endian, of what follows it), kind (16 bits: 1 a
JPEG 2000 thumbnail, 2 [MAIN], 3 [SEM], 5 [FIB], 0 the end), then INI lines in latin-1. Decoding it
all as text finds the thumbnail. Metres, volts and seconds, but degrees; seen in a real file of an
AMBER, the side-car as public readers take it ([MAIN] PixelSizeX).

`MagnificationReference` is the field's width at magnification 1: with it the header says how many
columns it describes; without it only the databar can show that the image was resized. How many
rows it had is not told: only the databar can show that it was stretched.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Literal

from glassllava.micrograph.header import (
    ION,
    Header,
    VendorReading,
    pixel_size,
    said,
    strip,
    when,
)
from glassllava.micrograph.quantities import (
    degrees,
    number,
    positive,
    whole,
)
from glassllava.micrograph.record import BeamSettings, Instrument, PixelSizeSource
from glassllava.micrograph.texts import Sections, decoded, flat, sections

TAG = 50431
_BLOCKS = {2: "MAIN", 3: "SEM", 5: "FIB"}
_END = 0
_MOST_BLOCKS = 100

_PLACES = {
    "voltage_v": "HV",
    "current_a": "PredictedBeamCurrent",
    "working_distance_m": "WD",
    "detector": "Detector",
    "dwell_s": "DwellTime",
    "tilt_rad": "StageTilt",
    "scan_rotation_rad": "ScanRotation",
    "tilt_correction_rad": "TiltCorrection",
}
_MAIN_PLACES = {
    "frames": "AccFrames",
    "magnification": "Magnification",
    "model": "Device",
    "serial": "SerialNumber",
    "software": "SoftwareVersion",
    "acquired": "Date, Time",
}


def recognises(header: Header) -> bool:
    return "MAIN" in parse(header.blobs.get(TAG, b""))


def read(header: Header) -> VendorReading:
    return _understood(header, parse(header.blobs[TAG]), "vendor_tag", str(TAG))


def recognises_sidecar(text: str) -> bool:
    return text.lstrip().startswith("[MAIN]")


def read_sidecar(header: Header, text: str, name: str) -> VendorReading:
    return _understood(header, sections(text), "sidecar", name)


def described(text: str) -> tuple[int, int | None] | None:
    """Columns, and no rows, that a side-car's text is about; None where it does not say."""
    columns = _columns(sections(text).get("MAIN", {}))
    return None if columns is None else (columns, None)


def parse(data: bytes) -> dict[str, dict[str, str]]:
    """The sections of the tag's bytes; what is torn ends them."""
    found: dict[str, dict[str, str]] = {}
    at = 0
    for _ in range(_MOST_BLOCKS):
        if at + 6 > len(data):
            break
        length, kind = struct.unpack_from("<IH", data, at)
        if kind == _END or length < 2 or at + 4 + length > len(data):
            break
        if kind in _BLOCKS:
            text = decoded(data[at + 6 : at + 4 + length])
            entries = sections(f"[{_BLOCKS[kind]}]\n{text}")
            for section, values in entries.items():
                found.setdefault(section, {}).update(values)
        at += 4 + length
    return found


def _understood(
    header: Header, parts: Sections, source: PixelSizeSource, where: str
) -> VendorReading:
    main = parts.get("MAIN", {})
    columns = [name for name in ("SEM", "FIB") if parts.get(name)]
    # Where both columns are described, nothing says which of them made the image.
    name = columns[0] if len(columns) == 1 else ""
    column = parts.get(name, {})
    particle: Literal["electron", "ion"] | None = (
        None if not name else "ion" if name == "FIB" else "electron"
    )
    places = {field: f"{where} [{name}] {key}" for field, key in _PLACES.items()}
    places |= {field: f"{where} [MAIN] {key}" for field, key in _MAIN_PLACES.items()}
    warnings = [ION] if particle == "ion" else []
    fields = whole(number(main.get("ViewFieldsCountX"))) or 1
    if fields > 1:
        warnings.append(f"The frame shows {fields} detectors or fields side by side")
    size = pixel_size(
        number(main.get("PixelSizeX")),
        source,
        f"{where} [MAIN] PixelSizeX",
        number(main.get("PixelSizeY")),
    )
    told = _columns(main)
    void = ""
    if told is not None and abs(told - header.width) > 1:
        void = (
            f"the header describes {told} columns and the image has {header.width}: "
            "it was resized or cropped after the scan"
        )
    rows = number(main.get("ImageStripSize"))
    return VendorReading(
        candidates=(size,) if size else (),
        beam=BeamSettings(
            particle=particle,
            voltage_v=positive(number(column.get("HV"))),
            current_a=positive(number(column.get("PredictedBeamCurrent"))),
            working_distance_m=positive(number(column.get("WD"))),
            detector=said(column.get("Detector")),
            dwell_s=positive(number(column.get("DwellTime"))),
            frames=whole(number(main.get("AccFrames"))),
            tilt_rad=degrees(number(column.get("StageTilt"))),
            magnification=positive(number(main.get("Magnification"))),
            scan_rotation_rad=degrees(number(column.get("ScanRotation"))),
            tilt_correction_rad=_tilt_correction(number(column.get("TiltCorrection"))),
        ),
        instrument=Instrument(
            vendor="TESCAN",
            model=said(main.get("Device")),
            serial=said(main.get("SerialNumber")),
            software=said(main.get("SoftwareVersion")),
            acquired=when(f"{main.get('Date')} {main.get('Time')}", "%Y-%m-%d %H:%M:%S")
            or when(main.get("Date"), "%Y-%m-%d"),
        ),
        databar=None if void else strip(header, rows),
        # How high the image was is not told: a strip may have been cut off since.
        databar_known=not void and rows == 0,
        is_vouched=told is not None,
        is_rows_vouched=False,  # but by the databar
        void=void,
        warnings=tuple(warnings),
        metadata=flat(parts),
        sources=places | {"particle": f"{where} [{name}]", "vendor": where},
    )


def _tilt_correction(value: float | None) -> float | None:
    """Degrees; but 1 may be a switch that is on as well as an angle, so that it says nothing."""
    return None if value == 1 else degrees(value)


def _columns(main: Mapping[str, str]) -> int | None:
    """Columns of the image that the header is about: field of view over pixel size."""
    reference, times, pixel = (
        positive(number(main.get(key)))
        for key in ("MagnificationReference", "Magnification", "PixelSizeX")
    )
    if reference is None or times is None or pixel is None:
        return None
    fields = whole(number(main.get("ViewFieldsCountX"))) or 1
    columns = fields * (reference / times / pixel)
    return round(columns) if 1 <= columns < 1e7 else None
