"""Thermo Fisher (FEI) xT: INI text in tag 34680 (S-FEG) or 34682 (Helios and later).

Any section and any value may be missing, empty or text: a Nav-Cam file has no [Scan], and the
names of the beam's and the scan's sections stand in [Beam]. Units are SI and radians throughout.
Seen in real files; that the scan's rotation is in radians, and that the angle of the tilt
correction counts only where it is on, as NexusLIMS reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from glassllava.micrograph.header import (
    ION,
    Header,
    VendorReading,
    pixel_size,
    resized,
    said,
    strip,
    when,
)
from glassllava.micrograph.quantities import (
    angle,
    number,
    whole,
)
from glassllava.micrograph.record import BeamSettings, Databar, Instrument, PixelSize
from glassllava.micrograph.texts import Sections, flat, sections

TAGS = (34682, 34680)
_INEXACT = 0.002
#: By the first letters of the beam's section; "IRBeam" is the camera's (Nav-Cam).
_PARTICLES: Mapping[str, Literal["electron", "ion"]] = {"EB": "electron", "IB": "ion"}


def recognises(header: Header) -> bool:
    return any("[" in header.texts.get(tag, "") for tag in TAGS)


def read(header: Header) -> VendorReading:
    tag = next(tag for tag in TAGS if "[" in header.texts.get(tag, ""))
    parts = sections(header.texts[tag])

    def value(section: str, key: str) -> str | None:
        return parts.get(section, {}).get(key)

    beam = _beam_section(parts)
    scan = said(value("Beam", "Scan")) or beam.replace("Beam", "Scan")
    columns, rows = _sides(header, parts, beam, scan)
    databar, databar_known = _databar(header, parts, columns, rows)
    warnings = [ION] if beam.startswith("IBeam") else []
    if beam.startswith("IR"):
        warnings.append("A camera of the chamber made this image, not an electron beam")
    beam_section = parts.get(beam, {})
    places = {
        "voltage_v": f"[{beam if said(beam_section.get('HV')) else 'Beam'}] HV",
        "landing_energy_ev": "[EBeamDeceleration] LandingEnergy",
        "current_a": f"[{beam}] BeamCurrent",
        "working_distance_m": f"[{beam}] WD"
        if said(beam_section.get("WD"))
        else "[Stage] WorkingDistance",
        "detector": "[Detectors] Name",
        "signal": "[<detector>] Signal or [Detectors] Mode",
        "dwell_s": "[Scan] Dwelltime" if said(value("Scan", "Dwelltime")) else f"[{scan}] Dwell",
        "frames": "[Image] Integrate" if number(value("Image", "Integrate")) else "[Image] Average",
        "tilt_rad": "[Stage] StageT" if said(value("Stage", "StageT")) else f"[{beam}] StageTa",
        "scan_rotation_rad": f"[{beam if said(beam_section.get('ScanRotation')) else 'Beam'}] "
        "ScanRotation",
        "tilt_correction_rad": f"[{beam}] TiltCorrectionIsOn, TiltCorrectionAngle",
        "particle": "[Beam] Beam",
        "vendor": "",
        "model": "[System] SystemType",
        "serial": "[System] Dnumber",
        "software": "[System] Software",
        "acquired": "[PrivateFei] TimeOfCreation",
    }
    return VendorReading(
        sources={key: f"{tag} {place}".strip() for key, place in places.items()},
        candidates=_candidates(parts, beam, scan, tag),
        beam=_beam_settings(parts, beam, scan),
        instrument=Instrument(
            vendor="Thermo Fisher / FEI",
            model=said(value("System", "SystemType")),
            serial=said(value("System", "Dnumber")),
            software=said(value("System", "Software")),
            # [User] Date depends on the locale of the machine, this one does not.
            acquired=when(value("PrivateFei", "TimeOfCreation"), "%d.%m.%Y %H:%M:%S"),
        ),
        databar=databar,
        databar_known=databar_known,
        is_vouched=columns is not None,
        rows=int(rows or 0),
        is_rows_vouched=rows == header.height,
        void=resized(header, columns, rows),
        warnings=tuple(warnings),
        metadata=flat(parts),
    )


def _beam_section(parts: Sections) -> str:
    named = said(parts.get("Beam", {}).get("Beam"))
    if named:
        return named
    return next((name for name in ("EBeam", "IBeam") if parts.get(name)), "EBeam")


def _sides(
    header: Header, parts: Sections, beam: str, scan: str
) -> tuple[float | None, float | None]:
    """Columns and rows of the scan: where [Image] does not tell, the field over a pixel."""
    image, column = parts.get("Image", {}), parts.get(beam, {})
    told = number(parts.get("PrivateFei", {}).get("DatabarHeight")) or 0
    sides = []
    for key, field_key, pixel_key, possible in (
        ("ResolutionX", "HFW", "PixelWidth", (header.width,)),
        ("ResolutionY", "VFW", "PixelHeight", (header.height, header.height - told)),
    ):
        pixel = (number(parts.get(name, {}).get(pixel_key)) for name in ("Scan", scan))
        field_m = number(column.get(field_key))
        sides.append(number(image.get(key)) or _over(field_m, _first(*pixel), possible))
    return sides[0], sides[1]


def _over(
    field_m: float | None, pixel_m: float | None, possible: tuple[float, ...]
) -> float | None:
    """A field's side in pixels. Their few digits make it inexact: one of those `possible` it is
    within a pixel, or 0.2 %."""
    if not field_m or not pixel_m or not 1 <= field_m / pixel_m < 1e7:
        return None
    side = round(field_m / pixel_m)
    near = (one for one in possible if abs(side - one) <= max(1, _INEXACT * one))
    return next(near, side)


def _candidates(parts: Sections, beam: str, scan: str, tag: int) -> tuple[PixelSize, ...]:
    found: list[PixelSize | None] = []
    for section in dict.fromkeys(("Scan", scan)):
        entries = parts.get(section, {})
        found.append(
            pixel_size(
                number(entries.get("PixelWidth")),
                "vendor_tag",
                f"{tag} [{section}] PixelWidth",
                number(entries.get("PixelHeight")),
            )
        )
    across_m, down_m = (number(parts.get(beam, {}).get(key)) for key in ("HFW", "VFW"))
    columns, rows = (
        number(parts.get("Image", {}).get(key)) for key in ("ResolutionX", "ResolutionY")
    )
    if across_m and columns and columns >= 1:
        origin = f"{tag} [{beam}] HFW / [Image] ResolutionX"
        down = down_m / rows if down_m and rows and rows >= 1 else None
        found.append(pixel_size(across_m / columns, "vendor_tag", origin, down))
    return tuple(size for size in found if size is not None)


def _beam_settings(parts: Sections, beam: str, scan: str) -> BeamSettings:
    column = parts.get(beam, {})
    general = parts.get("Beam", {})
    stage = parts.get("Stage", {})
    deceleration = parts.get("EBeamDeceleration", {})
    detector = said(parts.get("Detectors", {}).get("Name"))
    signal = said(parts.get(detector or "", {}).get("Signal")) or said(
        parts.get("Detectors", {}).get("Mode")
    )
    slowed = (said(deceleration.get("ModeOn")) or "").lower() in ("on", "yes", "true")
    dwell = number(parts.get("Scan", {}).get("Dwelltime"))
    tilt = number(stage.get("StageT"))
    frames = number(parts.get("Image", {}).get("Integrate")) or number(
        parts.get("Image", {}).get("Average")
    )
    return BeamSettings(
        particle=_PARTICLES.get(beam[:2]),
        voltage_v=_first(number(column.get("HV")), number(general.get("HV"))),
        landing_energy_ev=number(deceleration.get("LandingEnergy")) if slowed else None,
        current_a=number(column.get("BeamCurrent")),
        working_distance_m=_first(number(column.get("WD")), number(stage.get("WorkingDistance"))),
        detector=detector,
        signal=signal,
        dwell_s=_first(dwell, number(parts.get(scan, {}).get("Dwell"))),
        frames=whole(frames),
        tilt_rad=angle(_first(tilt, number(column.get("StageTa")))),
        scan_rotation_rad=angle(
            _first(number(column.get("ScanRotation")), number(general.get("ScanRotation")))
        ),
        tilt_correction_rad=_tilt_correction(column),
    )


def _databar(
    header: Header, parts: Sections, columns: float | None, rows: float | None
) -> tuple[Databar | None, bool]:
    """The strip under the scanned rows, and whether the header leaves no doubt about it.

    Where the rows under those of the scan are as many as `DatabarHeight` says, they are the bar.
    Else it may have been cut off, or the image stretched: then the pixels must bear it out.
    """
    told = number(parts.get("PrivateFei", {}).get("DatabarHeight"))
    if columns and int(columns) != header.width:
        return None, False
    if not rows or rows < 1:
        return strip(header, told), False
    over = header.height - int(rows)
    if over <= 0:
        return None, over == 0
    return strip(header, over), told is not None and int(told) == over


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _tilt_correction(column: Mapping[str, str]) -> float | None:
    """The tilt that the scan was stretched for; 0.0 where the header says that it was not."""
    is_on = (said(column.get("TiltCorrectionIsOn")) or "").lower()
    if is_on in ("no", "off", "false"):
        return 0.0
    return (
        angle(number(column.get("TiltCorrectionAngle"))) if is_on in ("yes", "on", "true") else None
    )
