"""From state to screen state: every word, number and colour role that the window shows.

Pure functions over the session's nouns. Knows no widget; the window puts what these return where
it belongs. Colours are named by their role (`Tone`), never by a value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from glassllava import features
from glassllava.interpretation import Finding, Interpretation
from glassllava.measurement.quantities import Measurement, Region, in_words
from glassllava.micrograph.record import Micrograph, PixelSize
from glassllava.sample import Sample
from glassview.session import Review, Session, Sheet, Trouble

#: What a colour stands for; shapes and words say the same (see `MARKS`).
Tone = Literal["defect", "no_defect", "undecided", "failed", "plain", "artefact"]

#: One shape for each tone, so that colour is never the only sign.
MARKS: dict[Tone, str] = {
    "defect": "triangle",
    "no_defect": "disc",
    "undecided": "diamond",
    "failed": "cross",
    "artefact": "square",
    "plain": "ring",
}
_DECISION_WORDS = {"defect": "Defect", "no_defect": "No defect", "undecided": "Undecided"}
_DISPOSITION_TONES: dict[str | None, Tone] = {
    "defect": "defect",
    "unclear": "undecided",
    "intended": "no_defect",
    "harmless": "no_defect",
    "artefact": "artefact",
}

SHORTCUTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Files",
        (
            ("Ctrl+O", "Open files"),
            ("Ctrl+Shift+O", "Open a folder"),
            ("← →  or  A D", "Previous and next micrograph"),
            ("Ctrl+E", "Export the report of this micrograph (PDF)"),
            ("Ctrl+W", "Close all micrographs"),
        ),
    ),
    (
        "Looking",
        (
            ("Wheel", "Zoom at the cursor"),
            ("Space or middle button", "Pan while held"),
            ("Ctrl+0 or double-click", "Fit the window"),
            ("1", "One to one"),
            ("+  −", "Zoom in and out"),
            ("Shift+C", "Contrast: histogram, gamma, invert"),
            ("O", "Show or hide the overlay"),
        ),
    ),
    (
        "Judging",
        (
            ("Ctrl+Return", "Interpret"),
            ("Esc", "Stop waiting for an interpretation"),
            ("Ctrl+Shift+A", "Accept the verdict"),
            ("Ctrl+Shift+R", "Overrule it"),
            ("Ctrl+Z, Ctrl+Shift+Z", "Undo, redo: sample edits and reviews"),
        ),
    ),
    ("Help", (("F1 or ?", "These shortcuts"), ("Ctrl+L", "Log"))),
)


# -- thumbnails --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ThumbnailState:
    key: int
    name: str
    tone: Tone
    words: str
    is_reviewed: bool
    is_working: bool
    tip: str


def thumbnail(sheet: Sheet) -> ThumbnailState:
    tone: Tone = "plain"
    words = ""
    if sheet.trouble is not None:
        tone, words = "failed", "cannot be read"
    elif sheet.stage:
        words = "interpreting"
    elif sheet.interpretation is not None:
        decision = _decision(sheet.interpretation, sheet.review)
        tone, words = decision, _DECISION_WORDS[decision].lower()
    elif sheet.interpretation_trouble is not None:
        tone, words = "failed", "not interpreted"
    reviewed = _is_review(sheet.review)
    tip = [str(sheet.path)]
    if words:
        tip.append(f"{words}, reviewed" if reviewed else words)
    if sheet.trouble is not None:
        tip.append(sheet.trouble.what)
    return ThumbnailState(
        sheet.key, sheet.path.name, tone, words, reviewed, bool(sheet.stage), "\n".join(tip)
    )


def _is_review(review: Review | None) -> bool:
    return review is not None and review.decision != "withdrawn"


def _decision(
    made: Interpretation, review: Review | None
) -> Literal["defect", "no_defect", "undecided"]:
    """The person's word where there is one, else the record's."""
    if review is not None and review.decision != "withdrawn":
        return review.verdict
    return made.verdict.decision


# -- the canvas --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of `length_px` image pixels, and what stands on it."""

    length_px: float
    label: str
    is_calibrated: bool


def scale_bar(size: PixelSize | None, zoom: float, longest: float = 180.0) -> ScaleBar:
    """The longest 1-2-5 bar of at most `longest` screen pixels at `zoom` screen px per image px.

    Without a pixel size its length is in px, and its label says so.
    """
    unit = size.value_m if size else 1.0
    length = _one_two_five(longest / zoom * unit)
    label = in_words(length, "m") if size else f"{length:g} px · uncalibrated"
    return ScaleBar(length / unit, label, size is not None)


def _one_two_five(most: float) -> float:
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= most * (1 + 1e-9))


def under_cursor(
    micrograph: Micrograph, x: int, y: int, value: float | int | None
) -> tuple[str, str]:
    """Where the cursor is and what is stored there: ("10.4, 6.12 µm", "23,412")."""
    if value is None:
        return "", ""
    counts = f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    size = micrograph.pixel_size
    if size is None:
        return f"x {x}  y {y} px", counts
    across, down = x * size.value_m, y * (size.value_y_m or size.value_m)
    scale, name = _length_unit(micrograph.width * size.value_m)
    digits = max(0, math.ceil(-math.log10(size.value_m / scale)))
    return f"x {across / scale:.{digits}f}  y {down / scale:.{digits}f} {name}", counts


def _length_unit(length: float) -> tuple[float, str]:
    for scale, name in ((1e-3, "mm"), (1e-6, "µm")):
        if length >= scale:
            return scale, name
    return 1e-9, "nm"


def calibration_words(micrograph: Micrograph | None) -> tuple[str, bool]:
    """What the status bar says of the scale, and whether there is one."""
    if micrograph is None:
        return "", True
    if micrograph.pixel_size is None:
        return "uncalibrated: lengths in px", False
    return f"{in_words(micrograph.pixel_size.value_m, 'm')} / px", True


@dataclass(frozen=True, slots=True)
class Overlay:
    """The regions of one finding, and how they are drawn."""

    feature: str
    tone: Tone
    regions: tuple[Region, ...]


def overlays(made: Interpretation | None) -> tuple[Overlay, ...]:
    """One for each finding that is present and has regions."""
    if made is None:
        return ()
    return tuple(
        Overlay(f.feature, _DISPOSITION_TONES.get(f.disposition, "plain"), f.regions)
        for f in made.present
        if f.regions
    )


# -- metadata ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MetadataRow:
    label: str
    value: str
    source: str = ""
    is_warning: bool = False
    origin: str = ""  # the very entry, where that is known


#: Two scales within this share of each other agree.
_AGREES = 0.01
_SOURCES = {
    "typed": "typed",
    "vendor_tag": "vendor tag",
    "sidecar": "side-car",
    "ome": "OME",
    "imagej": "ImageJ",
    "measured_bar": "measured bar",
    "read_bar": "read bar",
    "magnification": "estimate",
}


def metadata(micrograph: Micrograph) -> tuple[MetadataRow, ...]:
    """Every value with where it comes from; what the file does not say is left out."""
    size, beam, instrument = micrograph.pixel_size, micrograph.beam, micrograph.instrument
    tag = "vendor tag" if instrument.vendor else "header"
    rows = [
        MetadataRow(
            "Size",
            f"{micrograph.width:,} × {micrograph.height:,} px, {micrograph.bit_depth} bit"
            + (", colour shown as grey" if micrograph.samples > 1 else ""),
            "file",
        )
    ]
    if size is None:
        rows.append(
            MetadataRow("Pixel size", "uncalibrated: lengths stay in px", "none found", True)
        )
    else:
        words = in_words(size.value_m, "m", 4)
        if size.value_y_m:
            words += f" × {in_words(size.value_y_m, 'm', 4)}"
        rows.append(MetadataRow("Pixel size", words, _SOURCES[size.source], origin=size.origin))
        rows.append(
            MetadataRow("Field width", in_words(size.value_m * micrograph.width, "m"), "computed")
        )
        others = [other for other in micrograph.candidates if other != size]
        agreeing = [o for o in others if abs(o.value_m / size.value_m - 1) <= _AGREES]
        if agreeing:
            rows.append(
                MetadataRow(
                    "Agreeing",
                    f"{len(agreeing)} more",
                    "",
                    origin="; ".join(_source(other) for other in agreeing),
                )
            )
        rows += [
            MetadataRow(
                "Differing",
                in_words(other.value_m, "m", 4),
                _SOURCES[other.source],
                is_warning=True,
                origin=other.origin,
            )
            for other in others
            if other not in agreeing
        ]
    told = (
        ("Beam", beam.particle, lambda v: v),
        ("Voltage", beam.voltage_v, lambda v: f"{v / 1e3:.4g} kV"),
        ("Landing energy", beam.landing_energy_ev, lambda v: f"{v / 1e3:.4g} keV"),
        ("Current", beam.current_a, _amperes),
        ("Working distance", beam.working_distance_m, lambda v: in_words(v, "m")),
        ("Detector", beam.detector, lambda v: v),
        ("Signal", beam.signal, lambda v: v),
        ("Dwell time", beam.dwell_s, _seconds),
        ("Frames", beam.frames, str),
        ("Tilt", beam.tilt_rad, lambda v: f"{math.degrees(v):.3g}°"),
        ("Magnification", beam.magnification, lambda v: f"{v:,.0f} ×"),
        ("Instrument", " ".join(filter(None, (instrument.vendor, instrument.model))), str),
        ("Serial number", instrument.serial, str),
        ("Software", instrument.software, str),
        ("Taken", instrument.acquired, lambda v: str(v).replace("T", " ")),
    )
    rows += [MetadataRow(label, words(v), tag) for label, v, words in told if v]
    if micrograph.databar is None:
        rows.append(MetadataRow("Databar", "none", ""))
    else:
        bar = micrograph.databar
        source = "vendor tag" if bar.source == "tag" else "seen in pixels"
        rows.append(MetadataRow("Databar", f"{bar.height} px high, kept out of contrast", source))
    rows += [MetadataRow("Note", warning, "", True) for warning in micrograph.warnings]
    return tuple(rows)


def _source(size: PixelSize) -> str:
    kind = _SOURCES[size.source]
    return f"{kind} {size.origin}" if size.origin else kind


def _amperes(value: float) -> str:
    for scale, name in ((1e-6, "µA"), (1e-9, "nA")):
        if value >= scale:
            return f"{value / scale:.3g} {name}"
    return f"{value / 1e-12:.3g} pA"


def _seconds(value: float) -> str:
    for scale, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= scale:
            return f"{value / scale:.3g} {name}"
    return f"{value / 1e-9:.3g} ns"


# -- the interpretation ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VerdictCard:
    tone: Tone
    title: str
    subtitle: str
    #: (probability of a defect, the confidence it had to reach), None where unknown.
    probability: float | None
    threshold: float | None
    reasons: tuple[str, ...]
    rules: str
    review: str
    is_reviewed: bool
    note: str  # "made for another sample: interpret again", "" where up to date


def verdict_card(sheet: Sheet) -> VerdictCard | None:
    made = sheet.interpretation
    if made is None:
        return None
    verdict = made.verdict
    if verdict.probability is None:
        subtitle = "The model gives no probability"
    else:
        subtitle = f"Model: {_percent(verdict.probability)} that there is a defect"
        if not made.model_verdict.calibrated:
            subtitle += ", uncalibrated"
        elif verdict.threshold is not None:
            subtitle += (
                f"; decided from {_percent(verdict.threshold)} confidence"
                if verdict.threshold <= 1
                else "; never decided at this context level"
            )
    decision = _decision(made, sheet.review)
    title = _DECISION_WORDS[decision]
    if decision != verdict.decision:
        title += f" (the record says {_DECISION_WORDS[verdict.decision].lower()})"
    return VerdictCard(
        tone=decision,
        title=title,
        subtitle=subtitle,
        probability=verdict.probability,
        threshold=verdict.threshold,
        reasons=verdict.reasons,
        rules=f"Rules: {', '.join(verdict.rules)}" if verdict.rules else "",
        review=_review_words(sheet.review),
        is_reviewed=_is_review(sheet.review),
        note=(
            "Made for another sample, question or context: interpret again."
            if sheet.is_outdated
            else ""
        ),
    )


def _review_words(review: Review | None) -> str:
    if review is None or review.decision == "withdrawn":
        return ""
    when = review.when[:16].replace("T", " ")
    words = f"{review.decision.capitalize()} by {review.who}, {when} UTC"
    return f"{words}: {review.reason}" if review.reason else words


@dataclass(frozen=True, slots=True)
class FindingRow:
    feature: str
    tone: Tone
    name: str
    disposition: str
    probability: str
    reason: str
    measurements: tuple[str, ...]
    region_count: int
    citations: tuple[int, ...]


def finding_rows(made: Interpretation) -> tuple[FindingRow, ...]:
    """What is present: defects first, then what is unclear, then the rest."""
    order = ("defect", "unclear", "artefact", "intended", "harmless")
    present = sorted(
        made.present,
        key=lambda f: (
            order.index(f.disposition) if f.disposition in order else len(order),
            -(f.probability or 0.0),
        ),
    )
    return tuple(_finding_row(finding) for finding in present)


def _finding_row(finding: Finding) -> FindingRow:
    probability = "" if finding.probability is None else _percent(finding.probability)
    if probability and not finding.calibrated:
        probability += " uncalibrated"
    return FindingRow(
        feature=finding.feature,
        tone=_DISPOSITION_TONES.get(finding.disposition, "plain"),
        name=_capital(features.name_of(finding.feature)),
        disposition=finding.disposition or "",
        probability=probability,
        reason=_capital(finding.reason),
        measurements=tuple(measurement_words(m) for m in finding.measurements),
        region_count=len(finding.regions),
        citations=tuple(citation.number for citation in finding.citations),
    )


def measurement_words(measurement: Measurement) -> str:
    """'Equivalent diameter, median 2.1 µm ± 0.1 µm'."""
    name = measurement.quantity.replace("_", " ")
    prefix = f"{measurement.feature} "
    name = _capital(name.removeprefix(prefix) or name)
    words = f"{name} {in_words(measurement.value, measurement.unit)}"
    if measurement.uncertainty:
        words += f" ± {in_words(measurement.uncertainty, measurement.unit, 2)}"
    return words


def absent_words(made: Interpretation) -> str:
    """What was asked for and not seen, with its probability, in one line."""
    absent = sorted(
        (f for f in made.findings if f.present is False),
        key=lambda f: -(f.probability or 0.0),
    )
    unknown = [f for f in made.findings if f.present is None]
    words = ", ".join(
        f"{features.name_of(f.feature)} {_percent(f.probability or 0.0)}" for f in absent
    )
    if unknown:
        names = ", ".join(features.name_of(f.feature) for f in unknown)
        words = f"{words}. Unknown: {names}" if words else f"Unknown: {names}"
    return words


@dataclass(frozen=True, slots=True)
class PassageRow:
    number: int
    locator: str
    byline: str
    text: str
    sources: str
    is_cited: bool


def passage_rows(made: Interpretation) -> tuple[PassageRow, ...]:
    """The passages as they were given; a citation's number is its passage's place."""
    cited = {citation.number for citation in made.citations}
    return tuple(
        PassageRow(
            number=number,
            locator=passage.locator,
            byline=", ".join(
                part for part in (passage.authors, str(passage.year or ""), passage.doi) if part
            ),
            text=passage.text,
            sources=(
                f"Sources: {'; '.join(passage.sources)}"
                if passage.sources
                else "Sources: none checked"
            ),
            is_cited=number in cited,
        )
        for number, passage in enumerate(made.passages, start=1)
    )


def provenance(made: Interpretation) -> str:
    """Which model said it and with what it was asked: the small print under an answer."""
    identity = made.reply.identity
    parts = [f"{identity.name} ({identity.reference})"]
    if identity.trained_on_synthetic:
        parts.append("trained on synthetic micrographs")
    if identity.materials:
        parts.append(f"made for: {identity.materials}")
    parts.append(f"licence: {identity.licence}")
    if identity.host:
        parts.append(f"the micrograph was sent to {identity.host}")
    parts.append(f"context given: {made.context_given}")
    if seconds := sum(made.timing.values()):
        parts.append(f"{seconds:.1f} s")
    return " · ".join(parts)


DISCLAIMER = "Not for safety-critical or regulatory decisions without review by an expert."


# -- the window --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WindowState:
    """What the window shows as a whole."""

    title: str
    position: str
    is_empty: bool
    trouble: Trouble | None
    can_interpret: bool
    can_review: bool
    can_export: bool
    stage: str
    undo: str
    redo: str


def window_state(session: Session) -> WindowState:
    sheet = session.sheet
    keys = [s.key for s in session.sheets]
    return WindowState(
        title=f"{sheet.path.name} – GlassView" if sheet else "GlassView",
        position=f"{keys.index(sheet.key) + 1} of {len(keys)}" if sheet else "",
        is_empty=not keys,
        trouble=sheet.trouble if sheet else None,
        can_interpret=bool(sheet and sheet.micrograph and not sheet.stage),
        can_review=bool(sheet and sheet.interpretation and not sheet.stage),
        can_export=bool(sheet and sheet.interpretation),
        stage=sheet.stage if sheet else "",
        undo=session.undo_words,
        redo=session.redo_words,
    )


def sample_words(sample: Sample) -> str:
    """The sample in one line, for the place where it cannot be typed."""
    parts = [sample.id, sample.material, sample.process, sample.treatment, sample.product]
    return " · ".join(part for part in parts if part) or "No sample described"


def unknown_features(keys: Iterable[str]) -> tuple[str, ...]:
    """The words among `keys` that are no feature keys."""
    return tuple(key for key in keys if not features.is_known(key))


def _percent(probability: float) -> str:
    """A probability as a person reads it; never 0 % or 100 % for what is not certain."""
    percent = 100 * probability
    if 0 < percent < 1:
        return "< 1 %"
    if 99 < percent < 100:
        return "> 99 %"
    return f"{percent:.0f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def page_choices(micrograph: Micrograph) -> tuple[tuple[int, str], ...]:
    """The pages of a file, in words."""
    return tuple(
        (page.index, f"Page {page.index + 1}: {page.width} × {page.height}, {page.bit_depth} bit")
        for page in micrograph.pages
    )
