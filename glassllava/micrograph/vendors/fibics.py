"""Fibics (NPVE, Atlas): XML <Fibics> in tag 51023, from helium-ion and dual-beam microscopes.

<Image> Width and Height, Beam, Machine, Detector; <Scan> FOV_X with its unit, Dwell in ns, ScanRot
in degrees; <BeamInfo> items BeamI in pA and AccV in V. Elements as NexusLIMS and visualSEM read
them; no real file was at hand.
"""

from __future__ import annotations

from typing import Literal

from glassllava.micrograph.header import (
    ION,
    Header,
    VendorReading,
    below,
    pixel_size,
    resized,
    said,
    when,
)
from glassllava.micrograph.quantities import (
    degrees,
    metres,
    number,
    positive,
)
from glassllava.micrograph.record import BeamSettings, Instrument, PixelSize
from glassllava.micrograph.texts import BadText, Leaf, elements, flat_xml

TAG = 51023
_ROOT = "Fibics/"

_PLACES = {
    "particle": "Image/Beam",
    "voltage_v": "BeamInfo/AccV",
    "current_a": "BeamInfo/BeamI",
    "detector": "Image/Detector",
    "dwell_s": "Scan/Dwell",
    "tilt_rad": "Stage/Tilt",
    "scan_rotation_rad": "Scan/ScanRot",
    "vendor": "",
    "model": "Image/Machine",
    "software": "Application/Version",
    "acquired": "Application/Date",
}


def recognises(header: Header) -> bool:
    return "<Fibics" in header.texts.get(TAG, "")[:2000]


def read(header: Header) -> VendorReading:
    try:
        leaves = elements(header.texts[TAG])
    except BadText as why:
        return VendorReading(warnings=(f"The XML of tag {TAG} is not used: {why}",))
    by_path: dict[str, Leaf] = {}
    for leaf in leaves:
        # <BeamInfo><item name="AccV">: the name tells what it is.
        name = leaf.attributes.get("name", "") if leaf.path.endswith("/item") else ""
        path = f"{leaf.path.removesuffix('item')}{name}" if name else leaf.path
        by_path.setdefault(path, leaf)

    def text(path: str) -> str | None:
        leaf = by_path.get(_ROOT + path)
        return leaf.text if leaf else None

    def value(path: str) -> float | None:
        return positive(number((text(path) or "").lstrip("=")))

    beam = (text("Image/Beam") or "").lower()
    particle: Literal["electron", "ion"] | None = None
    if "fib" in beam or "ion" in beam or "gfis" in beam or text("BeamInfo/GFISGas"):
        particle = "ion"
    elif "sem" in beam or "electron" in beam:
        particle = "electron"
    columns, rows = number(text("Image/Width")), number(text("Image/Height"))
    nanoseconds, picoamperes = value("Scan/Dwell"), value("BeamInfo/BeamI")
    return VendorReading(
        candidates=_candidates(header, by_path),
        beam=BeamSettings(
            particle=particle,
            voltage_v=value("BeamInfo/AccV"),
            current_a=None if picoamperes is None else 1e-12 * picoamperes,
            detector=said(text("Image/Detector")),
            dwell_s=None if nanoseconds is None else 1e-9 * nanoseconds,
            tilt_rad=degrees(number(text("Stage/Tilt"))),
            scan_rotation_rad=degrees(number(text("Scan/ScanRot"))),
        ),
        instrument=Instrument(
            vendor="Fibics",
            model=said(text("Image/Machine")),
            software=said(text("Application/Version")),
            acquired=when((text("Application/Date") or "")[:19], "%Y-%m-%dT%H:%M:%S"),
        ),
        databar=below(header, rows),
        rows=int(rows or 0),
        is_rows_vouched=rows == header.height,
        void=resized(header, columns, rows)
        if columns
        else "the header does not say how wide its image is",
        warnings=(ION,) if particle == "ion" else (),
        metadata={f"{TAG} {path}": words for path, words in flat_xml(leaves).items()},
        sources={field: f"{TAG} {place}".strip() for field, place in _PLACES.items()},
    )


def _candidates(header: Header, by_path: dict[str, Leaf]) -> tuple[PixelSize, ...]:
    view = by_path.get(f"{_ROOT}Scan/FOV_X")
    if view is None:
        return ()
    field_m = metres(number(view.text), view.attributes.get("units", ""))
    if field_m is None:
        return ()
    size = pixel_size(field_m / header.width, "vendor_tag", f"{TAG} Scan/FOV_X / columns")
    return (size,) if size else ()
