"""JEOL: a side-car `NAME.txt` of lines "$KEY value"; the file itself says nothing.

No real file was at hand: the keys are as public readers take them, of two generations. Older ones
write `$CM_FULL_SIZE`, `$$SM_MICRON_BAR` (px), `$$SM_MICRON_MARKER` ("10um") and `$$SM_WD` (mm);
newer ones `$CM_IMAGE_SIZE`, `$CM_PIXEL_SIZE` ("12.5nm"), `$CM_FIELD_OF_VIEW` ("16.0µm 12.0µm") and
`$SM_PNU_HEIGHT`, the rows of a databar that may stand under the image. The micro sign comes back
in many shapes (`_MICRO`). Dates stand in several orders: only the unmistakable is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from glassllava.micrograph.header import (
    MAX_ENTRIES,
    MAX_VALUE,
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
    whole,
)
from glassllava.micrograph.record import BeamSettings, Instrument, PixelSize

_BETWEEN = re.compile(r"(?<=m)[\s,;x×]+")
#: What a micro sign comes back as: lost, as UTF-8, Shift-JIS or DOS text in another code page.
_MICRO = re.compile(r"(?<=[0-9\s])(?:[?\ufffd\0\uff8aæ]|Âµ|Î¼|ƒÊ)(?=m$)")
_THOUSANDS = re.compile(r"\s*\+?0*[1-9][0-9]*\.[0-9]{3}(?![0-9])")
_STAGE = re.compile(r"(?:^|[,\s])T\s*=\s*(-?\d{1,4}(?:\.\d{0,6})?)", re.IGNORECASE)

_PLACES = {
    "particle": "",
    "voltage_v": "CM_ACCEL_VOLT",
    "working_distance_m": "SM_WD",
    "frames": "CM_SCAN_AVERAGE or SM_INTEGRATION_NUMBER",
    "tilt_rad": "CM_STAGE_POSITION",
    "magnification": "CM_MAG",
    "scan_rotation_rad": "SM_SCAN_ROTATION",
    "vendor": "",
    "model": "CM_INSTRUMENT",
    "acquired": "CM_DATE, CM_TIME",
}


def recognises_sidecar(text: str) -> bool:
    return re.match(r"\s*\$\$?(?:SEM_|CM_|SM_|MP_|FE_)", text) is not None


def described(text: str) -> tuple[int, int | None] | None:
    """Columns and rows of the image without its databar; None where the text does not say."""
    entries = parse(text)
    found = entries.get("CM_FULL_SIZE") or entries.get("CM_IMAGE_SIZE") or ""
    match = re.match(r"\s*(\d{1,6})[\sx,]+(\d{1,6})", found)
    return (int(match.group(1)), int(match.group(2))) if match else None


def read_sidecar(header: Header, text: str, name: str) -> VendorReading:
    entries = parse(text)
    detector = next(
        (
            key
            for key in ("CM_DETECTOR_NAME", "FE_DETECTOR_NAME", "SM_DETECTOR")
            if entries.get(key)
        ),
        "CM_SIGNAL",
    )
    signal = "CM_SIGNAL_NAME" if entries.get("CM_SIGNAL_NAME") else "CM_SIGNAL"
    kilovolts = positive(number(entries.get("CM_ACCEL_VOLT")))
    frames = number(entries.get("CM_SCAN_AVERAGE")) or number(entries.get("SM_INTEGRATION_NUMBER"))
    tilt = _STAGE.search(entries.get("CM_STAGE_POSITION", "")[:200])
    size = described(text)
    rows = header.height - size[1] if size and size[1] else 0
    told = number(entries.get("SM_PNU_HEIGHT"))
    marker = said(entries.get("SM_MICRON_MARKER"))
    places = _PLACES | {"detector": detector, "signal": signal}
    return VendorReading(
        candidates=_candidates(header, entries, name),
        beam=BeamSettings(
            particle="electron",
            voltage_v=None if kilovolts is None else positive(1e3 * kilovolts),
            working_distance_m=_millimetres(entries.get("SM_WD")),
            detector=said(entries.get(detector)),
            signal=said(entries.get(signal)),
            frames=whole(frames),
            # $CM_STAGE_POS lists numbers without names: which one is the tilt is not known.
            tilt_rad=degrees(float(tilt.group(1))) if tilt else None,
            magnification=positive(number(entries.get("CM_MAG"))),
            scan_rotation_rad=degrees(number(entries.get("SM_SCAN_ROTATION"))),
        ),
        instrument=Instrument(
            vendor="JEOL",
            model=said(entries.get("CM_INSTRUMENT")),
            acquired=_date(entries.get("CM_DATE"), entries.get("CM_TIME")),
        ),
        databar=strip(header, rows),
        rows=size[1] or 0 if size else 0,
        is_rows_vouched=rows == 0,
        # Rows under those of the image are the databar if they are as many as is told; else it
        # may have been drawn over the image, or that was stretched: then the pixels tell.
        databar_known=rows > 0 and told is not None and int(told) == rows,
        warnings=(f"The length of the bar in {name}, '{marker[:40]}', is not read: it is unclear",)
        if marker and not _marker(entries)
        else (),
        metadata=entries,
        sources={field: f"{name} ${key}" if key else name for field, key in places.items()},
    )


def parse(text: str) -> dict[str, str]:
    """Keys without their dollars to their words."""
    entries: dict[str, str] = {}
    for line in text.splitlines()[:MAX_ENTRIES]:
        match = re.match(r"\s*\$\$?([A-Za-z0-9_]{1,60})(?:\s+(.*))?$", line[: 2 * MAX_VALUE])
        if match:
            entries.setdefault(match.group(1), (match.group(2) or "").strip()[:MAX_VALUE])
    return entries


def _candidates(header: Header, entries: Mapping[str, str], name: str) -> tuple[PixelSize, ...]:
    found: list[PixelSize | None] = []
    marker = _marker(entries)
    bar = positive(number(entries.get("SM_MICRON_BAR")))
    if marker and bar:
        origin = f"{name} $SM_MICRON_MARKER / $SM_MICRON_BAR"
        found.append(pixel_size(marker[0] / bar, "sidecar", origin))
    told = _lengths(entries.get("CM_PIXEL_SIZE"))
    if told:
        found.append(pixel_size(told[0], "sidecar", f"{name} $CM_PIXEL_SIZE"))
    view = _lengths(entries.get("CM_FIELD_OF_VIEW"))
    if view:
        origin = f"{name} $CM_FIELD_OF_VIEW / columns"
        found.append(pixel_size(view[0] / header.width, "sidecar", origin))
    return tuple(size for size in found if size is not None)


def _marker(entries: Mapping[str, str]) -> list[float]:
    """Metres of the drawn bar. Three digits behind a point may be thousands: a bar has one or two
    that count."""
    written = entries.get("SM_MICRON_MARKER") or ""
    return [] if _THOUSANDS.match(written) else _lengths(written)


def _lengths(text: str | None) -> list[float]:
    """Lengths in metres, of "10um" or "16.0µm 12.0µm"; none where one of them is no length."""
    parts = _BETWEEN.split((text or "")[:200].strip())
    found = [metres(*quantity(_MICRO.sub("µ", part))) for part in parts]
    return [value for value in found if value] if all(found) else []


def _millimetres(text: str | None) -> float | None:
    value, unit = quantity(text)
    found = metres(value, unit or "mm")
    return positive(found)


def _date(date: str | None, time: str | None) -> str | None:
    for day in ("%Y/%m/%d", "%Y-%m-%d"):
        found = when(f"{date} {time}", f"{day} %H:%M:%S", f"{day} %I:%M:%S %p") or when(date, day)
        if found:
            return found
    # 3/17/2024 can only be the 17th of March; 3/4/2024 may be two days.
    month = when(f"{date} {time}", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p") or when(
        date, "%m/%d/%Y"
    )
    day_first = when(date, "%d/%m/%Y")
    return month if month and not day_first else None
