"""Zeiss SmartSEM: text in tag 34118, a line with the key, then a line "name = value unit".

Tag 34119 holds the same again in UTF-16, and on some files alone.

Before the first key stand unnamed numbers, of which the fourth is metres per pixel of a picture
1024 columns wide. Some versions write keys in mixed case ("APImagePixelSize"): keys are compared
without case and underscores. "AP_WIDTH" is the field of view, whatever the stored width.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from glassllava.micrograph.header import (
    ION,
    MAX_ENTRIES,
    MAX_VALUE,
    Header,
    VendorReading,
    pixel_size,
    resized,
    said,
    when,
)
from glassllava.micrograph.quantities import (
    angle,
    metres,
    number,
    quantity,
    scaled,
    whole,
)
from glassllava.micrograph.record import BeamSettings, Instrument, PixelSize

TAGS = (34118, 34119)
#: Sizes on the screen are for a picture this wide; stored ones may be another.
SCREEN_COLUMNS = 1024
_INEXACT = 0.005  # the field's sides have three or four digits

_KEY = re.compile(r"(?:(?:AP|DP|SV)_[A-Za-z0-9_]{1,60}|(?:AP|DP|SV)[A-Z][A-Za-z0-9]{1,60})")
_VOLTS = {"kV": 1e3, "V": 1.0}
_AMPERES = {"A": 1.0, "mA": 1e-3, "µA": 1e-6, "nA": 1e-9, "pA": 1e-12, "fA": 1e-15}
_SECONDS = {"s": 1.0, "Secs": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}
_DEGREES = {"°": math.pi / 180, "deg": math.pi / 180, "": math.pi / 180}
_TIMES = {"X": 1.0, "K X": 1e3, "KX": 1e3, "": 1.0}

#: Where each value stands, by the field of the record.
_PLACES = {
    "particle": "DP_FIB_IMAGING",
    "voltage_v": "AP_ACTUALKV",
    "current_a": "AP_IPROBE",
    "working_distance_m": "AP_WD",
    "detector": "DP_DETECTOR_CHANNEL",
    "signal": "DP_DETECTOR_TYPE",
    "dwell_s": "DP_DWELL_TIME",
    "frames": "AP_FRAME_INT_COUNT or AP_LINE_AVERAGE_COUNT",
    "tilt_rad": "AP_STAGE_AT_T",
    "magnification": "AP_MAG",
    "scan_rotation_rad": "DP_SCAN_ROT, AP_SCANROTATION",
    "tilt_correction_rad": "DP_TILT_CORRECTION, AP_TILT_ANGLE",
    "vendor": "",
    "model": "DP_SEM",
    "serial": "SV_SERIAL_NUMBER",
    "software": "SV_VERSION",
    "acquired": "AP_DATE, AP_TIME",
}


#: What differs for the ion column of a Crossbeam: the electrons' values stand beside it.
_ION_PLACES = {
    "voltage_v": "AP_FIB_EHT_ACTUAL",
    "current_a": "AP_FIB_PROBE_CURRENT_ACTUAL",
    "working_distance_m": "AP_FIB_WORKING_DISTANCE",
    "magnification": "AP_FIB_MAGNIFICATION",
    "scan_rotation_rad": "AP_FIB_SCAN_ROTATION",
}


def recognises(header: Header) -> bool:
    return _tag(header) is not None


def read(header: Header) -> VendorReading:
    tag = _tag(header)
    assert tag is not None  # `recognises` said so
    unnamed, named = parse(header.texts[tag])
    entries = {_folded(key): text for key, (_, text) in named.items()}
    is_ion = (said(entries.get("dpfibimaging")) or "").upper() == "FIB"
    places = _PLACES | (_ION_PLACES if is_ion else {})
    scale = _scale(header, unnamed, entries, tag)

    def at(field: str) -> str | None:
        return entries.get(_folded(places[field]))

    date, time = entries.get("apdate"), entries.get("aptime")
    frames = number(entries.get("apframeintcount")) or number(entries.get("aplineaveragecount"))
    return VendorReading(
        sources={key: f"{tag} {place}".strip() for key, place in places.items()},
        candidates=scale.candidates,
        is_vouched=scale.is_vouched,
        is_rows_vouched=scale.is_rows_vouched,
        beam=BeamSettings(
            particle="ion" if is_ion else "electron",
            voltage_v=scaled(at("voltage_v"), _VOLTS),
            current_a=scaled(at("current_a"), _AMPERES),
            working_distance_m=metres(*quantity(at("working_distance_m"))),
            detector=said(entries.get("dpdetectorchannel")) or said(entries.get("dpdetectortype")),
            signal=said(entries.get("dpdetectortype")),
            dwell_s=scaled(entries.get("dpdwelltime"), _SECONDS),
            frames=whole(frames),
            tilt_rad=angle(scaled(entries.get("apstageatt"), _DEGREES)),
            magnification=scaled(at("magnification"), _TIMES),
            scan_rotation_rad=(
                angle(scaled(at("scan_rotation_rad"), _DEGREES))
                if is_ion
                else _switched(entries, "dpscanrot", "apscanrotation")
            ),
            tilt_correction_rad=(
                None if is_ion else _switched(entries, "dptiltcorrection", "aptiltangle")
            ),
        ),
        instrument=Instrument(
            vendor="Zeiss",
            model=said(entries.get("dpsem")),
            serial=said(entries.get("svserialnumber")),
            software=said(entries.get("svversion")),
            acquired=when(f"{date} {time}", "%d %b %Y %H:%M:%S") or when(date, "%d %b %Y"),
        ),
        void=scale.void,
        warnings=(*((ION,) if is_ion else ()), *scale.warnings),
        metadata={
            **{f"unnamed/{index}": text for index, text in enumerate(unnamed)},
            **{f"{key}/{name}": text for key, (name, text) in named.items()},
        },
    )


def _tag(header: Header) -> int | None:
    return next((tag for tag in TAGS if _KEY.search(header.texts.get(tag, "")[:200_000])), None)


def _switched(entries: Mapping[str, str], switch: str, angle_key: str) -> float | None:
    """An angle that counts only while its switch is on: 0.0 where it is off."""
    state = (said(entries.get(switch)) or "").lower()
    if state == "off":
        return 0.0
    return angle(scaled(entries.get(angle_key), _DEGREES)) if state == "on" else None


def parse(text: str) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """The unnamed lines, and by key the name and the value as they stand."""
    unnamed: list[str] = []
    named: dict[str, tuple[str, str]] = {}
    key = ""
    for count, line in enumerate(text.splitlines()):
        if count >= 2 * MAX_ENTRIES:
            break
        line = line.strip().strip("\x00")
        if _KEY.fullmatch(line):
            key = line
        elif key:
            # "Date :11 Jul 2016" beside "Version = V05.05 : 22-Nov-11": the first sign divides.
            match = re.match(r"([^=:]{0,200})[=:](.*)", line)
            if match:
                named[key] = (match.group(1).strip(), match.group(2).strip()[:MAX_VALUE])
            key = ""
        elif not named and len(unnamed) < 100:
            unnamed.append(line[:MAX_VALUE])
    return unnamed, named


def _folded(key: str) -> str:
    return key.replace("_", "").lower()


def _scale(
    header: Header, unnamed: list[str], entries: Mapping[str, str], tag: int
) -> VendorReading:
    """Every pixel size, best first, and what they are worth.

    A header once said 5.825 nm for an image stored 512 columns wide, where 11.65 nm was true:
    for a stored width other than the screen's, the sizes for the screen are converted, and the
    stored one is believed only where the field of view bears it out.
    """
    width = header.width
    to_stored = SCREEN_COLUMNS / width
    stored = pixel_size(
        metres(*quantity(entries.get("apimagepixelsize"))),
        "vendor_tag",
        f"{tag} AP_IMAGE_PIXEL_SIZE",
    )
    note = "" if width == SCREEN_COLUMNS else f" × {SCREEN_COLUMNS} / {width}"
    screen = _scaled_size(
        metres(*quantity(entries.get("appixelsize"))), to_stored, f"{tag} AP_PIXEL_SIZE{note}"
    )
    first = number(unnamed[3]) if len(unnamed) > 3 else None
    bare = _scaled_size(first, to_stored, f"{tag} unnamed value 3{note}")
    view = _scaled_size(
        metres(*quantity(entries.get("apwidth"))), 1 / width, f"{tag} AP_WIDTH / columns"
    )
    if width == SCREEN_COLUMNS:
        order = [stored, screen, bare, view]
    elif stored and view and _agree(stored, view):
        order = [stored, view, screen, bare]
    else:
        order = [screen, bare, view, stored]
        if view and not any(_agree(view, size) for size in (screen, bare) if size):
            order.remove(view)
            order.insert(0, view)
    sizes = tuple(size for size in order if size is not None)
    held = _stored(entries)
    if held is None:
        return replace(_unstored(header, stored, sizes, entries), candidates=sizes)
    void, warnings = "", tuple[str, ...]()
    # A part of the image and the whole made smaller look alike, unless both of what the header
    # says of the image at hand agree.
    if held[0] != width and not (stored and view and _agree(stored, view)):
        void = resized(header, *held)
    elif held[0] == width and held[1] < header.height:
        void = resized(header, *held) or (
            f"the header describes {held[1]} rows and the image has {header.height}: it was "
            "stretched or put together after the scan"
        )
    elif held[0] == width and held[1] != header.height:
        warnings = (
            f"The header describes {held[1]} rows and the image has {header.height}: where it "
            "was stretched and not cropped, lengths down the image are wrong",
        )
    return VendorReading(
        candidates=sizes, void=void, warnings=warnings, is_rows_vouched=held[0] == width
    )


def _unstored(
    header: Header,
    stored: PixelSize | None,
    sizes: tuple[PixelSize, ...],
    entries: Mapping[str, str],
) -> VendorReading:
    """What the sizes are worth where "Store resolution" does not say how large the image was.

    The stored pixel and those that follow from the image's width agree only if that is the width
    as it was stored; and height over width of the field tell the rows.
    """
    if not all(_agree(size, sizes[0]) for size in sizes):
        return VendorReading(
            void="the header does not say how large its image was, and its sizes of a pixel "
            "contradict each other: it was resized, cropped or turned, or one of them is wrong"
        )
    is_vouched = stored is not None and len(sizes) > 1
    wide, high = (metres(*quantity(entries.get(key))) for key in ("apwidth", "apheight"))
    if not is_vouched or not wide or not high:
        return VendorReading(is_vouched=is_vouched, is_rows_vouched=False)
    rows = header.width * high / wide
    is_same = abs(rows - header.height) <= max(1, _INEXACT * header.height)
    return VendorReading(
        void=""
        if is_same
        else f"the header describes about {rows:.0f} rows and the image has {header.height}: it "
        "was resized or cropped after the scan"
    )


def _scaled_size(value_m: float | None, factor: float, origin: str) -> PixelSize | None:
    return pixel_size(None if value_m is None else value_m * factor, "vendor_tag", origin)


def _agree(one: PixelSize, other: PixelSize) -> bool:
    return abs(one.value_m - other.value_m) <= 0.01 * other.value_m


def _stored(entries: Mapping[str, str]) -> tuple[int, int] | None:
    """Columns and rows of the image as it was stored, by "Store resolution = 1024 * 768"."""
    match = re.match(r"\s*(\d{1,6})\s*\*\s*(\d{1,6})", entries.get("dpimagestore", ""))
    return (int(match.group(1)), int(match.group(2))) if match else None
