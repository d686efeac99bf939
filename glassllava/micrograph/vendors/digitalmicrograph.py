"""Gatan DigitalMicrograph's TIFF: units in tags 65003 and 65004, scales in 65009 and 65010.

Layout as RosettaSciIO writes and reads it (65003 the unit along x, 65009 its scale, a double; 65004
and 65010 along y); no real file was at hand. A unit like "1/nm" is a diffraction pattern's and no
length. Nothing in these tags says how large the image was: a resized one cannot be told.
"""

from __future__ import annotations

from glassllava.micrograph.header import (
    Header,
    VendorReading,
    pixel_size,
)
from glassllava.micrograph.quantities import (
    metres,
)
from glassllava.micrograph.record import Instrument

_UNITS = (65003, 65004)
_SCALES = (65009, 65010)


def recognises(header: Header) -> bool:
    return bool(header.numbers.get(_SCALES[0])) and bool(header.texts.get(_UNITS[0]))


def read(header: Header) -> VendorReading:
    units = [header.texts.get(code, "").strip("\0 ") for code in _UNITS]
    scales = [header.numbers.get(code, (None,))[0] for code in _SCALES]
    across, down = (metres(scale, unit) for scale, unit in zip(scales, units, strict=True))
    size = pixel_size(across, "vendor_tag", f"{_SCALES[0]} × {_UNITS[0]}", down)
    warnings = []
    if size is None and units[0] not in ("", "pixel", "px"):
        warnings.append(f"DigitalMicrograph's scale is in '{units[0][:30]}', which is no length")
    said = zip((*_UNITS, *_SCALES), (*units, *scales), strict=True)
    return VendorReading(
        candidates=(size,) if size else (),
        is_vouched=False,
        instrument=Instrument(vendor="Gatan DigitalMicrograph"),
        warnings=tuple(warnings),
        metadata={str(code): str(value)[:200] for code, value in said if value not in (None, "")},
        sources={"vendor": str(_UNITS[0])},
    )
