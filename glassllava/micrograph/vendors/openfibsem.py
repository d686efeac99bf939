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
from glassllava.micrograph.record import BeamSettings, Instrument
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
    scale = _scale(header, said_of)
    known = state.get("timestamp") not in (0, None)
    return VendorReading(
        candidates=scale.candidates,
        is_vouched=scale.is_vouched,
        is_rows_vouched=scale.is_rows_vouched,
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
        void=scale.void,
        warnings=(ION,) if particle == "ion" else (),
        metadata={f"OpenFIBSEM/{path}": words for path, words in flat_json(said_of).items()},
        sources={field: f"{_WHERE} {place}".strip() for field, place in _PLACES.items()},
    )


def _scale(header: Header, said_of: Mapping[str, Any]) -> VendorReading:
    """The scan's pixel sizes, and what they are worth."""
    pixel = _inner(said_of, "pixel_size")
    across, down = (json_number(pixel.get(axis)) for axis in "xy")
    field_m = positive(json_number(said_of.get("hfw")))
    columns, rows = _sides(said_of.get("resolution"))
    found = [pixel_size(across, "vendor_tag", f"{_WHERE} pixel_size", down)]
    if field_m and columns:
        origin = f"{_WHERE} hfw / columns of resolution"
        found.append(pixel_size(field_m / columns, "vendor_tag", origin))
    kept = tuple(size for size in found if size is not None)
    if not pixel or across is None:
        void = "the header gives a field of view, but no size of a pixel" if kept else ""
        return VendorReading(candidates=kept, void=void)
    if field_m and columns and abs(across * columns - field_m) > 0.01 * field_m:
        void = "its pixel size and its field of view contradict each other"
        return VendorReading(candidates=kept, void=void)
    told = _saved(said_of, columns, rows)
    if told is None and field_m and not said_of.get("reduced_area"):
        told = field_m / across, None  # how wide the image is, and not how high
    if told is None:
        return VendorReading(candidates=kept, is_vouched=False)
    wide, high = told
    is_same = abs(wide - header.width) <= 1 and (high is None or abs(high - header.height) <= 1)
    described = f"{wide:.0f} columns" if high is None else f"{wide:.0f} × {high:.0f} pixels"
    return VendorReading(
        candidates=kept,
        is_rows_vouched=high is not None,
        void=""
        if is_same
        else f"the header describes {described} and the image has {header.width} × "
        f"{header.height}: it was resized or cropped after it was saved",
    )


def _saved(
    said_of: Mapping[str, Any], columns: int | None, rows: int | None
) -> tuple[float, float | None] | None:
    """Columns and rows of the image as it was saved: its shape, else the part that was scanned."""
    shape = said_of.get("shape")
    if isinstance(shape, list) and len(shape) >= 2:
        high, wide = (json_number(part) for part in shape[:2])
        if high is not None and wide is not None:
            return wide, high
    if not columns:
        return None
    part = said_of.get("reduced_area")
    if not part:
        return columns, rows
    if not isinstance(part, dict):
        return None
    share_across, share_down = (json_number(part.get(key)) for key in ("width", "height"))
    if not share_across or not share_down or not rows:
        return None
    return share_across * columns, share_down * rows


def _sides(resolution: Any) -> tuple[int | None, int | None]:
    """Columns and rows of "1536x1024" or [1536, 1024]."""
    if isinstance(resolution, str):
        match = re.match(r"(\d{1,6})x(\d{1,6})$", resolution)
        return (int(match.group(1)) or None, int(match.group(2)) or None) if match else (None, None)
    if isinstance(resolution, list) and resolution:
        numbers = [json_number(part) for part in (*resolution[:2], None)[:2]]
        wide, high = (int(n) if n is not None and 1 <= n < 1e6 else None for n in numbers)
        return wide, high
    return None, None


def _inner(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return said(value) if isinstance(value, str) else None
