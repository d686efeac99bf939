"""What a header and an interpretation say, as cards and rows: words, numbers and colour roles.

Pure functions over the ground's nouns and one sheet. Knows no widget (`presenter` resolves the
rest of the screen).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from batch.ledger import Review
from glassllava import features
from glassllava.interpretation import DECISION_WORDS, Finding, Interpretation
from glassllava.measurement.quantities import (
    Measurement,
    in_words,
    measured_in_words,
    regions_in_words,
)
from glassllava.micrograph.record import SOURCE_WORDS, Micrograph, PixelSize
from glassllava.micrograph.trust import agree
from glassview.presenter import Tone, decided, tone_of
from glassview.session import Sheet

# -- metadata ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MetadataRow:
    label: str
    value: str
    source: str = ""
    is_warning: bool = False
    origin: str = ""  # the very entry, where that is known


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
        source = SOURCE_WORDS[size.source]
        rows.append(MetadataRow("Pixel size", _both_ways(size), source, origin=size.origin))
        rows.append(
            MetadataRow("Field width", in_words(size.value_m * micrograph.width, "m"), "computed")
        )
        others = [other for other in micrograph.candidates if other != size]
        agreeing = [other for other in others if agree(other, size)]
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
                _both_ways(other),
                SOURCE_WORDS[other.source],
                is_warning=True,
                origin=other.origin,
            )
            for other in others
            if other not in agreeing
        ]
    model = " ".join(filter(None, (instrument.vendor, instrument.model)))
    told: tuple[tuple[str, str, Any, Callable[[Any], str]], ...] = (
        ("particle", "Beam", beam.particle, str),
        ("voltage_v", "Voltage", beam.voltage_v, lambda v: f"{v / 1e3:.4g} kV"),
        ("landing_energy_ev", "Landing energy", beam.landing_energy_ev, _kiloelectronvolts),
        ("current_a", "Current", beam.current_a, _amperes),
        ("working_distance_m", "Working distance", beam.working_distance_m, _metres),
        ("detector", "Detector", beam.detector, str),
        ("signal", "Signal", beam.signal, str),
        ("dwell_s", "Dwell time", beam.dwell_s, _seconds),
        ("frames", "Frames", beam.frames, str),
        ("tilt_rad", "Tilt", beam.tilt_rad, _degrees),
        ("tilt_correction_rad", "Tilt corrected for", beam.tilt_correction_rad, _degrees),
        ("scan_rotation_rad", "Scan rotation", beam.scan_rotation_rad, _degrees),
        ("magnification", "Magnification", beam.magnification, lambda v: f"{v:,.0f} ×"),
        ("model", "Instrument", model, str),
        ("serial", "Serial number", instrument.serial, str),
        ("software", "Software", instrument.software, str),
        ("acquired", "Taken", instrument.acquired, lambda v: str(v).replace("T", " ")),
    )
    rows += [
        MetadataRow(label, words(value), micrograph.sources.get(name, tag))
        for name, label, value, words in told
        if value not in (None, "")
    ]
    if micrograph.databar is None:
        rows.append(MetadataRow("Databar", "none", ""))
    else:
        bar = micrograph.databar
        source = "vendor tag" if bar.source == "tag" else "seen in pixels"
        rows.append(MetadataRow("Databar", f"{bar.height} px high, kept out of contrast", source))
    rows += [MetadataRow("Note", warning, "", True) for warning in micrograph.warnings]
    return tuple(rows)


def _both_ways(size: PixelSize) -> str:
    """Across and, where pixels are not square, down the image."""
    down = f" × {in_words(size.value_y_m, 'm', 4)}" if size.value_y_m else ""
    return in_words(size.value_m, "m", 4) + down


def _source(size: PixelSize) -> str:
    kind = SOURCE_WORDS[size.source]
    return f"{kind} {size.origin}" if size.origin else kind


def _metres(value: float) -> str:
    return in_words(value, "m")


def _degrees(value: float) -> str:
    return f"{math.degrees(value):.3g}°"


def _kiloelectronvolts(value: float) -> str:
    return f"{value / 1e3:.4g} keV"


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
    decision = decided(made, sheet.review)
    if decision != verdict.decision:
        subtitle = (
            f"Overruled; judged {DECISION_WORDS[verdict.decision].lower()} before. {subtitle}"
        )
    return VerdictCard(
        tone=decision,
        title=DECISION_WORDS[decision],
        subtitle=subtitle,
        probability=verdict.probability,
        threshold=verdict.threshold,
        reasons=verdict.reasons,
        rules=f"Rules: {', '.join(verdict.rules)}" if verdict.rules else "",
        review=_review_words(made, sheet.review),
        is_reviewed=sheet.review is not None,
        note=(
            "Made for another sample, question or context: interpret again."
            if sheet.is_outdated
            else ""
        ),
    )


def _review_words(made: Interpretation, review: Review | None) -> str:
    if review is None:
        return ""
    accepted = review.decision == made.verdict.decision
    when = review.at[:16].replace("T", " ")
    words = f"{'Accepted' if accepted else 'Overruled'} by {review.who}, {when} UTC"
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
    regions: str
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
        tone=tone_of(finding.disposition),
        name=_capital(features.name_of(finding.feature)),
        disposition=finding.disposition or "",
        probability=probability,
        reason=_capital(finding.reason),
        measurements=tuple(measurement_words(m) for m in finding.measurements),
        regions=regions_in_words(finding.regions),
        citations=tuple(sorted(citation.number for citation in finding.citations)),
    )


def measurement_words(measurement: Measurement) -> str:
    """'Equivalent diameter, median 2.1 µm ± 0.1 µm'."""
    name = measurement.quantity.replace("_", " ")
    prefix = f"{measurement.feature} "
    name = _capital(name.removeprefix(prefix) or name)
    return f"{name} {measured_in_words(measurement)}"


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
