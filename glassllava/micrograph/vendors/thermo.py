"""Thermo Fisher (FEI) xT: INI text in tag 34680 (S-FEG) or 34682 (Helios and later).

Any section and any value may be missing, empty or text: a Nav-Cam file has no [Scan], and the
names of the beam's and the scan's sections stand in [Beam]. Units are SI throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from glassllava.micrograph.header import (
    MAX_ENTRIES,
    MAX_VALUE,
    Header,
    VendorReading,
    number,
    pixel_size,
    said,
    when,
)
from glassllava.micrograph.record import BeamSettings, Databar, Instrument, PixelSize

TAGS = (34682, 34680)
ION = (
    "An ion beam made this image: its grey values and its damage are not those of an electron image"
)

Sections = Mapping[str, Mapping[str, str]]


def recognises(header: Header) -> bool:
    return any("[" in header.texts.get(tag, "") for tag in TAGS)


def read(header: Header) -> VendorReading:
    tag = next(tag for tag in TAGS if "[" in header.texts.get(tag, ""))
    sections = parse(header.texts[tag])

    def value(section: str, key: str) -> str | None:
        return sections.get(section, {}).get(key)

    beam = _beam_section(sections)
    scan = said(value("Beam", "Scan")) or beam.replace("Beam", "Scan")
    databar, databar_known, databar_warning = _databar(header, sections)
    void = _resized(header, sections)
    ion = beam.startswith("I")
    warnings = [ION] if ion else []
    if databar_warning:
        warnings.append(databar_warning)
    beam_section = sections.get(beam, {})
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
        "particle": "[Beam] Beam",
        "vendor": "",
        "model": "[System] SystemType",
        "serial": "[System] Dnumber",
        "software": "[System] Software",
        "acquired": "[PrivateFei] TimeOfCreation",
    }
    return VendorReading(
        sources={key: f"{tag} {place}".strip() for key, place in places.items()},
        candidates=_candidates(sections, beam, scan, tag),
        beam=_beam_settings(sections, beam, scan, ion),
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
        void=void,
        warnings=tuple(warnings),
        metadata={
            f"{section}/{key}": text
            for section, entries in sections.items()
            for key, text in entries.items()
        },
    )


def parse(text: str) -> dict[str, dict[str, str]]:
    """Sections of the INI text; a bounded number of entries, values as they stand."""
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for count, line in enumerate(text.splitlines()):
        if count >= MAX_ENTRIES:
            break
        line = line.strip()
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]")[:MAX_VALUE], {})
        elif "=" in line:
            key, _, rest = line.partition("=")
            section[key.strip()[:MAX_VALUE]] = rest.strip()[:MAX_VALUE]
    return sections


def _beam_section(sections: Sections) -> str:
    named = said(sections.get("Beam", {}).get("Beam"))
    if named:
        return named
    return next((name for name in ("EBeam", "IBeam") if sections.get(name)), "EBeam")


def _candidates(sections: Sections, beam: str, scan: str, tag: int) -> tuple[PixelSize, ...]:
    found: list[PixelSize | None] = []
    for section in dict.fromkeys(("Scan", scan)):
        entries = sections.get(section, {})
        found.append(
            pixel_size(
                number(entries.get("PixelWidth")),
                "vendor_tag",
                f"{tag} [{section}] PixelWidth",
                number(entries.get("PixelHeight")),
            )
        )
    field_m = number(sections.get(beam, {}).get("HFW"))
    columns = number(sections.get("Image", {}).get("ResolutionX"))
    if field_m and columns and columns >= 1:
        origin = f"{tag} [{beam}] HFW / [Image] ResolutionX"
        found.append(pixel_size(field_m / columns, "vendor_tag", origin))
    return tuple(size for size in found if size is not None)


def _beam_settings(sections: Sections, beam: str, scan: str, ion: bool) -> BeamSettings:
    column = sections.get(beam, {})
    general = sections.get("Beam", {})
    stage = sections.get("Stage", {})
    deceleration = sections.get("EBeamDeceleration", {})
    detector = said(sections.get("Detectors", {}).get("Name"))
    signal = said(sections.get(detector or "", {}).get("Signal")) or said(
        sections.get("Detectors", {}).get("Mode")
    )
    slowed = (said(deceleration.get("ModeOn")) or "").lower() in ("on", "yes", "true")
    dwell = number(sections.get("Scan", {}).get("Dwelltime"))
    tilt = number(stage.get("StageT"))
    frames = number(sections.get("Image", {}).get("Integrate")) or number(
        sections.get("Image", {}).get("Average")
    )
    return BeamSettings(
        particle="ion" if ion else "electron",
        voltage_v=_first(number(column.get("HV")), number(general.get("HV"))),
        landing_energy_ev=number(deceleration.get("LandingEnergy")) if slowed else None,
        current_a=number(column.get("BeamCurrent")),
        working_distance_m=_first(number(column.get("WD")), number(stage.get("WorkingDistance"))),
        detector=detector,
        signal=signal,
        dwell_s=_first(dwell, number(sections.get(scan, {}).get("Dwell"))),
        frames=int(frames) if frames and 1 <= frames < 1e6 else None,
        tilt_rad=_angle(_first(tilt, number(column.get("StageTa")))),
    )


def _databar(header: Header, sections: Sections) -> tuple[Databar | None, bool, str]:
    """The strip under the scanned rows: DatabarHeight, else what is higher than the scan."""
    rows = number(sections.get("Image", {}).get("ResolutionY"))
    told = number(sections.get("PrivateFei", {}).get("DatabarHeight"))
    over = header.height - int(rows) if rows and 0 < rows <= header.height else None
    columns = number(sections.get("Image", {}).get("ResolutionX"))
    if columns and int(columns) != header.width:
        return None, False, ""
    height = int(told) if told is not None and 0 < told < header.height else over
    if height is None:
        return None, False, ""
    warning = ""
    if over is not None and height != over:
        warning = (
            f"The header says {height} rows of databar, but the file has {over} rows more than "
            "the scan: the higher strip is cut"
        )
        height = max(height, over)
    if height > header.height // 2:
        return None, False, ""
    bar = Databar(header.height - height, height, "tag") if height else None
    return bar, True, warning


def _resized(header: Header, sections: Sections) -> str:
    columns = number(sections.get("Image", {}).get("ResolutionX"))
    rows = number(sections.get("Image", {}).get("ResolutionY"))
    if columns and int(columns) != header.width:
        return (
            f"the header describes {int(columns)} columns and the image has {header.width}: "
            "it was resized or cropped after the scan"
        )
    if rows and int(rows) > header.height:
        return (
            f"the header describes {int(rows)} rows and the image has {header.height}: "
            "it was resized or cropped after the scan"
        )
    return ""


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _angle(value: float | None) -> float | None:
    return value if value is not None and abs(value) <= 2 * math.pi else None
