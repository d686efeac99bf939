"""OpenFIBSEM: JSON in ImageDescription, metres, volts and seconds.

`pixel_size` is the scan's, `hfw` its field of view over the columns of `resolution` ("1536x1024" or
a pair); `shape` is the image as it was saved. The beam stands in `microscope_state`, by the name of
the beam. Seen in real files: two that contradict themselves have no scale, and the stage's angles
are degrees in some versions and radians in others, so that only a possible tilt is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

from glassllava.micrograph.header import (
    ION,
    Header,
    VendorReading,
    pixel_size,
    said,
    when,
)
from glassllava.micrograph.quantities import (
    positive,
)
from glassllava.micrograph.record import BeamSettings, Instrument, PixelSize
from glassllava.micrograph.texts import BadText, flat_json, json_number, plain_json

_WHERE = "270 ImageDescription"
_PLACES = {
    "particle": "beam_type",
    "voltage_v": "microscope_state/…_settings/voltage",
    "current_a": "microscope_state/…_settings/beam_current",
    "working_distance_m": "microscope_state/…_settings/working_distance",
    "detector": "detector_settings/type",
    "signal": "detector_settings/mode",
    "dwell_s": "dwell_time",
    "tilt_rad": "microscope_state/absolute_position/t",
    "vendor": "",
    "acquired": "microscope_state/timestamp",
}
_PARTICLES: Mapping[str, Literal["electron", "ion"]] = {"ELECTRON": "electron", "ION": "ion"}


def recognises(header: Header) -> bool:
    start = header.description[:2000]
    return start.lstrip().startswith("{") and '"beam_type"' in start and '"hfw"' in start


def read(header: Header) -> VendorReading:
    try:
        said_of = plain_json(header.description)
    except BadText as why:
        return VendorReading(warnings=(f"The OpenFIBSEM description is not used: {why}",))
    particle = _PARTICLES.get(str(said_of.get("beam_type")).upper())
    state = _inner(said_of, "microscope_state")
    column = _inner(state, {"ion": "ib_settings"}.get(particle or "", "eb_settings"))
    position = _inner(state, "absolute_position")
    detector = _inner(said_of, "detector_settings")
    tilt, turn = json_number(position.get("t")), json_number(position.get("r"))
    if tilt is not None and (abs(tilt) > math.pi / 2 or abs(turn or 0) > 2 * math.pi):
        tilt = None  # degrees, as older versions wrote them, or nonsense
    candidates, void = _candidates(header, said_of)
    known = state.get("timestamp") not in (0, None)
    return VendorReading(
        candidates=candidates,
        beam=BeamSettings(
            particle=particle,
            voltage_v=positive(json_number(column.get("voltage"))),
            current_a=positive(json_number(column.get("beam_current"))),
            working_distance_m=positive(json_number(column.get("working_distance"))),
            detector=_text(detector.get("type")),
            signal=_text(detector.get("mode")),
            dwell_s=positive(json_number(said_of.get("dwell_time"))),
            # A state without a time is the one that the program starts with, all zeros.
            tilt_rad=tilt if known else None,
        ),
        instrument=Instrument(
            vendor="OpenFIBSEM",
            acquired=when(_text(state.get("timestamp")), "%m/%d/%Y %H:%M:%S"),
        ),
        void=void,
        warnings=(ION,) if particle == "ion" else (),
        metadata={f"OpenFIBSEM/{path}": words for path, words in flat_json(said_of).items()},
        sources={field: f"{_WHERE} {place}".strip() for field, place in _PLACES.items()},
    )


def _candidates(header: Header, said_of: Mapping[str, Any]) -> tuple[tuple[PixelSize, ...], str]:
    """The scan's pixel sizes, and why they may not be the ruler."""
    pixel = _inner(said_of, "pixel_size")
    across, down = (json_number(pixel.get(axis)) for axis in "xy")
    field_m = positive(json_number(said_of.get("hfw")))
    columns = _columns(said_of.get("resolution"))
    found = [pixel_size(across, "vendor_tag", f"{_WHERE} pixel_size", down)]
    if field_m and columns:
        origin = f"{_WHERE} hfw / columns of resolution"
        found.append(pixel_size(field_m / columns, "vendor_tag", origin))
    kept = tuple(size for size in found if size is not None)
    shape = said_of.get("shape")
    if isinstance(shape, list) and len(shape) >= 2:
        rows, wide = (json_number(part) for part in shape[:2])
        if rows is not None and wide is not None and (wide, rows) != (header.width, header.height):
            return kept, (
                f"the header describes {wide:.0f} × {rows:.0f} pixels and the image has "
                f"{header.width} × {header.height}: it was resized or cropped after it was saved"
            )
    if not pixel or across is None:
        return kept, "the header gives a field of view, but no size of a pixel" if kept else ""
    if columns and columns != header.width and not said_of.get("reduced_area"):
        return kept, (
            f"the scan had {columns} columns and the image has {header.width}: "
            "it was resized or cropped"
        )
    if field_m and columns and abs(across * columns - field_m) > 0.01 * field_m:
        return kept, "its pixel size and its field of view contradict each other"
    return kept, ""


def _columns(resolution: Any) -> int | None:
    """Columns of "1536x1024" or [1536, 1024]."""
    if isinstance(resolution, str):
        match = re.match(r"(\d{1,6})x\d{1,6}$", resolution)
        return int(match.group(1)) or None if match else None
    if isinstance(resolution, list) and resolution:
        value = json_number(resolution[0])
        return int(value) if value is not None and 1 <= value < 1e6 else None
    return None


def _inner(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return said(value) if isinstance(value, str) else None
