"""Thermo Fisher Phenom: XML <FeiImage> in tag 34683, also of a JPEG's EXIF.

No real file was at hand: the elements, their units as attributes and the databar's height are as
public readers of such files take them (FEI_TITAN through tifffile; `pixelWidth unit="um"`). The
XML does not say how large the image is: only its databar can show that it was resized.
"""

from __future__ import annotations

import math

from glassllava.micrograph.header import (
    Header,
    VendorReading,
    pixel_size,
    said,
    strip,
)
from glassllava.micrograph.quantities import (
    angle,
    metres,
    number,
    positive,
    scaled,
    whole,
)
from glassllava.micrograph.record import BeamSettings, Instrument
from glassllava.micrograph.texts import BadText, Leaf, elements, flat_xml

TAG = 34683
_ROOT = "FeiImage/"
_SCAN = "acquisition/scan/"

_VOLTS = {"V": 1.0, "kV": 1e3}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_ANGLES = {"rad": 1.0, "deg": math.pi / 180, "°": math.pi / 180}

_PLACES = {
    "particle": "",
    "voltage_v": _SCAN + "highVoltage",
    "working_distance_m": "workingDistance",
    "detector": _SCAN + "detector",
    "dwell_s": _SCAN + "dwellTime",
    "frames": "integrations",
    "scan_rotation_rad": _SCAN + "rotation",
    "vendor": "",
    "model": "instrument/type",
    "serial": "instrument/uniqueID",
    "software": "instrument/softwareVersion",
}


def recognises(header: Header) -> bool:
    return "<FeiImage" in header.texts.get(TAG, "")[:2000]


def read(header: Header) -> VendorReading:
    try:
        leaves = elements(header.texts[TAG])
    except BadText as why:
        return VendorReading(warnings=(f"The XML of tag {TAG} is not used: {why}",))
    by_path: dict[str, Leaf] = {}
    for leaf in leaves:
        by_path.setdefault(leaf.path, leaf)

    def text(path: str) -> str | None:
        leaf = by_path.get(_ROOT + path)
        return leaf.text if leaf else None

    def with_unit(path: str) -> str | None:
        leaf = by_path.get(_ROOT + path)
        return f"{leaf.text} {leaf.attributes.get('unit', '')}" if leaf else None

    def length(path: str) -> float | None:
        leaf = by_path.get(_ROOT + path)
        return metres(number(leaf.text), leaf.attributes.get("unit", "")) if leaf else None

    # The gun stands at a negative voltage, and some versions write it so.
    volts = scaled(with_unit(_PLACES["voltage_v"]), _VOLTS)
    size = pixel_size(
        length("pixelWidth"), "vendor_tag", f"{TAG} pixelWidth", length("pixelHeight")
    )
    rows = number(text("databarHeight"))
    return VendorReading(
        candidates=(size,) if size else (),
        beam=BeamSettings(
            particle="electron",
            voltage_v=None if volts is None else positive(abs(volts)),
            working_distance_m=positive(
                length("workingDistance") or length(_SCAN + "workingDistance")
            ),
            detector=said(text(_PLACES["detector"])),
            dwell_s=positive(scaled(with_unit(_PLACES["dwell_s"]), _SECONDS)),
            frames=whole(number(text("integrations") or text(_SCAN + "integrations"))),
            scan_rotation_rad=angle(scaled(with_unit(_PLACES["scan_rotation_rad"]), _ANGLES)),
        ),
        instrument=Instrument(
            vendor="Thermo Fisher / Phenom",
            model=said(text("instrument/type")) or said(text("instrument/edition")),
            serial=said(text("instrument/uniqueID")),
            software=said(text("instrument/softwareVersion")),
        ),
        databar=strip(header, rows),
        is_vouched=False,
        # How high the image was is not told: a strip may have been cut off since.
        databar_known=rows == 0,
        metadata={f"{TAG} {path}": words for path, words in flat_xml(leaves).items()},
        sources={field: f"{TAG} {place}".strip() for field, place in _PLACES.items()},
    )
