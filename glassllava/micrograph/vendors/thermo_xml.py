"""Thermo Fisher (FEI) XML in tag 34683: <Metadata>, beside the INI text or alone.

Says what the INI text leaves empty (the detector's signal) and gives more digits. SI units and
radians; seen in real files of a Helios. Phenom writes other XML into the same tag (`phenom`).
"""

from __future__ import annotations

from collections.abc import Mapping
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
    angle,
    metres,
    number,
    positive,
    whole,
)
from glassllava.micrograph.record import BeamSettings, Instrument
from glassllava.micrograph.texts import BadText, elements, first, flat_xml

TAG = 34683
_ROOT = "Metadata/"

#: Field of the record to the path of its element.
_PLACES = {
    "particle": "Acquisition/BeamType",
    "voltage_v": "Optics/AccelerationVoltage",
    "current_a": "Optics/BeamCurrent",
    "working_distance_m": "Optics/WorkingDistance",
    "detector": "Detectors/ScanningDetector/DetectorName",
    "signal": "Detectors/ScanningDetector/Signal",
    "dwell_s": "ScanSettings/DwellTime",
    "frames": "BinaryResult/FilterFrameCount",
    "tilt_rad": "StageSettings/StagePosition/Tilt/Alpha",
    "scan_rotation_rad": "ScanSettings/ScanRotation",
    "tilt_correction_rad": "Optics/SampleTiltCorrectionOn, Optics/SamplePreTiltAngle",
    "vendor": "Instrument/Manufacturer",
    "model": "Instrument/InstrumentClass",
    "serial": "Instrument/InstrumentID",
    "software": "Instrument/ControlSoftwareVersion",
    "acquired": "Acquisition/AcquisitionDatetime",
}
_PARTICLES: Mapping[str, Literal["electron", "ion"]] = {"electron": "electron", "ion": "ion"}


def recognises(header: Header) -> bool:
    text = header.texts.get(TAG, "")[:2000]
    return "<Metadata" in text and "schemas.fei.com" in text


def read(header: Header) -> VendorReading:
    try:
        leaves = elements(header.texts[TAG])
    except BadText as why:
        return VendorReading(warnings=(f"The XML of tag {TAG} is not used: {why}",))
    said_at = first(leaves)
    units = {leaf.path: leaf.attributes.get("unit", "") for leaf in leaves}

    def value(path: str) -> str | None:
        return said_at.get(_ROOT + path)

    particle = _PARTICLES.get((value(_PLACES["particle"]) or "").lower())
    size = f"{_ROOT}BinaryResult/PixelSize/"
    across, down = (
        metres(number(said_at.get(size + axis)), units.get(size + axis, "")) for axis in "XY"
    )
    columns, rows = (number(value(f"BinaryResult/ImageSize/{axis}")) for axis in "XY")
    found = pixel_size(across, "vendor_tag", f"{TAG} BinaryResult/PixelSize", down)
    return VendorReading(
        candidates=(found,) if found else (),
        beam=BeamSettings(
            particle=particle,
            voltage_v=positive(number(value(_PLACES["voltage_v"]))),
            current_a=positive(number(value(_PLACES["current_a"]))),
            working_distance_m=positive(number(value(_PLACES["working_distance_m"]))),
            detector=said(value(_PLACES["detector"])),
            signal=said(value(_PLACES["signal"])),
            dwell_s=positive(number(value(_PLACES["dwell_s"]))),
            frames=whole(number(value(_PLACES["frames"]))),
            tilt_rad=angle(number(value(_PLACES["tilt_rad"]))),
            scan_rotation_rad=angle(number(value(_PLACES["scan_rotation_rad"]))),
            tilt_correction_rad=_tilt_correction(
                value("Optics/SampleTiltCorrectionOn"), value("Optics/SamplePreTiltAngle")
            ),
        ),
        instrument=Instrument(
            vendor="Thermo Fisher / FEI",
            model=said(value(_PLACES["model"])),
            serial=said(value(_PLACES["serial"])),
            software=said(value(_PLACES["software"])),
            acquired=when(value(_PLACES["acquired"]), "%Y-%m-%dT%H:%M:%S"),
        ),
        databar=below(header, rows),
        is_vouched=columns is not None,
        rows=int(rows or 0),
        is_rows_vouched=rows == header.height,
        void=resized(header, columns, rows),
        warnings=(ION,) if particle == "ion" else (),
        metadata={f"{TAG} {path}": text for path, text in flat_xml(leaves).items()},
        sources={field: f"{TAG} {place}" for field, place in _PLACES.items()},
    )


def _tilt_correction(is_on: str | None, tilt: str | None) -> float | None:
    """0.0 where the header says that there was none; only a tilt that it names counts."""
    if (is_on or "").lower() == "false":
        return 0.0
    return angle(number(tilt)) if (is_on or "").lower() == "true" else None
