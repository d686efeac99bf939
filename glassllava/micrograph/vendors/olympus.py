"""Olympus SIS (analySIS, iTEM): a structure in tag 33560 that points to blocks of the file.

"SIS0", the date, then entries of kind and place; the block of kind 1 holds a power of ten, the
pixel's width and height in metres times it, magnification and camera. The tag stands often on the
second page, beside the clean data. Layout as tifffile reads it; no real file was at hand.

It does not say how large the image is. But the tag points to a place of the file: a program that
saves the image anew moves what stands there, and a tag it copied points at something else. So a
block that is whole says that the file is as it was written.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime

from glassllava.micrograph.header import (
    Header,
    VendorReading,
    is_plausible,
    pixel_size,
    said,
    saved_anew_by,
)
from glassllava.micrograph.quantities import (
    positive,
)
from glassllava.micrograph.record import BeamSettings, Instrument

TAG = 33560
_HEAD = struct.Struct("<4s6xhhhhh6x32sH")
_ENTRY = struct.Struct("<hhI")
_GENERAL = struct.Struct("<10xhdd8xd2x34s32s")
_MOST_ENTRIES = 200
_KIND_GENERAL = 1


@dataclass(frozen=True, slots=True)
class General:
    """The block of kind 1: metres, and names as they stand."""

    across_m: float
    down_m: float
    magnification: float
    camera: str
    picture: str

    @property
    def is_whole(self) -> bool:
        """Whether every part of the block is what it should be, names and magnification too."""
        return (
            is_plausible(self.across_m)
            and is_plausible(self.down_m)
            and 0 <= self.magnification < 1e9
            and all(name.isprintable() for name in (self.camera, self.picture))
            and any((self.camera, self.picture, self.magnification))
        )


def recognises(header: Header) -> bool:
    data = header.blobs.get(TAG, b"")
    return data.startswith(b"SIS0") and len(data) >= _HEAD.size


def read(header: Header) -> VendorReading:
    data = header.blobs[TAG]
    _, minute, hour, day, month, year, name, entries = _HEAD.unpack_from(data)
    general = _general(header, data, min(entries, _MOST_ENTRIES))
    if general is None:
        return VendorReading(warnings=(f"Tag {TAG} (Olympus SIS) is torn: it gives no scale",))
    size = pixel_size(
        general.across_m, "vendor_tag", f"{TAG} SIS pixel size", positive(general.down_m)
    )
    magnification = general.magnification
    return VendorReading(
        candidates=(size,) if size else (),
        is_vouched=general.is_whole and not saved_anew_by(header),
        beam=BeamSettings(magnification=magnification if 1 <= magnification < 1e9 else None),
        instrument=Instrument(
            vendor="Olympus SIS",
            acquired=_date(1900 + year, month + 1, day, hour, minute),
        ),
        metadata={
            "SIS/name": _words(name),
            "SIS/cameraname": general.camera,
            "SIS/picturetype": general.picture,
            "SIS/pixelsizex": repr(general.across_m),
            "SIS/pixelsizey": repr(general.down_m),
            "SIS/magnification": repr(magnification),
        },
        sources={"magnification": f"{TAG} SIS", "vendor": str(TAG), "acquired": f"{TAG} SIS"},
    )


def _general(header: Header, data: bytes, entries: int) -> General | None:
    for index in range(entries):
        at = _HEAD.size + index * _ENTRY.size
        # Some writers count the entries into the tag's length and some do not.
        raw = data[at : at + _ENTRY.size]
        if len(raw) < _ENTRY.size:
            return None
        kind, _, place = _ENTRY.unpack(raw)
        if kind != _KIND_GENERAL:
            continue
        block = header.reach(place, _GENERAL.size)
        if len(block) < _GENERAL.size:
            return None
        power, across, down, magnification, camera, picture = _GENERAL.unpack(block)
        if not -30 <= power <= 3:
            return None
        tens = 10.0**power
        return General(across * tens, down * tens, magnification, _words(camera), _words(picture))
    return None


def _words(raw: bytes) -> str:
    return said(raw.split(b"\0")[0].decode("latin-1")) or ""


def _date(year: int, month: int, day: int, hour: int, minute: int) -> str | None:
    try:
        return datetime(year, month, day, hour, minute).isoformat()
    except ValueError:
        return None
