"""The page of one micrograph: picture, verdict, findings with their evidence, passages, warnings.

Every value stands with where it was read. Knows how a page is laid out, not how parts are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether, Spacer, Table, TableStyle

from batch.pdf import style
from batch.pdf.document import Heading
from batch.pdf.parts import Marked, NoPicture, NumberDisc, PictureWithFindings, VerdictBox
from batch.pictures import Picture
from batch.report import Entry
from glassllava.features import name_of
from glassllava.interpretation import Finding, Interpretation
from glassllava.literature import Passage
from glassllava.measurement.quantities import Measurement, in_words

_PICTURE = (118 * mm, 92 * mm)
_GAP = 5 * mm
_MOST_MEASUREMENTS = 8

_SOURCE_WORDS = {
    "typed": "typed by the user",
    "vendor_tag": "the microscope's tag",
    "sidecar": "a side-car file",
    "ome": "the OME header",
    "imagej": "the ImageJ header",
    "measured_bar": "the drawn bar, its length typed",
    "read_bar": "the drawn bar, read",
    "magnification": "an estimate from the magnification",
}


def micrograph_page(entry: Entry, number: int, picture: Picture | str) -> list[Flowable]:
    """One micrograph, on a page of its own; long evidence runs on to the next."""
    found = entry.interpretation
    marked = _marked(found)
    record = found.micrograph
    size = record["pixel_size"] or {}
    drawn: Flowable
    if isinstance(picture, Picture):
        drawn = PictureWithFindings(
            picture, most=_PICTURE, pixel_m=size.get("value_m"), marked=list(marked.values())
        )
    else:
        drawn = NoPicture(picture, _PICTURE[0], 60 * mm)
    # A square picture leaves more room beside it than a wide one; a narrow one no more than that.
    left = max(drawn.width, 80 * mm) + _GAP
    verdict, width = found.verdict, style.WIDTH - left
    side = [
        VerdictBox(verdict.decision, verdict.probability, verdict.threshold, width),
        *_threshold(found),
        Spacer(1, 6),
        *_metadata(found, width),
    ]
    why = _why(entry)
    if width > 75 * mm:  # room enough for sentences
        side, why = [*side, *why], []
    top = Table([[drawn, side]], colWidths=[left, width])
    top.setStyle(_bare())
    folder = str(PurePath(entry.name).parent)
    story: list[Flowable] = [
        Heading(entry.name, f"micrograph-{number}", 1),
        style.paragraph(PurePath(entry.name).name, style.NAME, 160),
        style.paragraph("" if folder == "." else folder, style.SMALL_QUIET, 200),
        Spacer(1, 6),
        top,
        *why,
        *_findings(found, marked),
        *_words(found),
        *_passages(found),
        *_warnings(found),
    ]
    return story


def _marked(found: Interpretation) -> dict[str, Marked]:
    """The number and colour of each present finding, defects first."""
    order = list(style.DISPOSITION)
    present = sorted(found.present, key=lambda f: order.index(f.disposition or "unclear"))
    return {
        finding.feature: Marked(
            number, style.DISPOSITION[finding.disposition or "unclear"], finding.regions
        )
        for number, finding in enumerate(present, start=1)
    }


def _threshold(found: Interpretation) -> list[Flowable]:
    verdict, words = found.verdict, []
    if verdict.threshold is not None:
        words.append(
            f"decided from {verdict.threshold:.2f} up or {max(0.0, 1 - verdict.threshold):.2f} down"
        )
    words.append("calibrated" if found.model_verdict.calibrated else "not calibrated")
    return [style.paragraph(", ".join(words), style.SMALL_QUIET)]


def _metadata(found: Interpretation, width: float) -> list[Flowable]:
    """Labels, values and, under each value, where it was read, as far as they are known."""
    record = found.micrograph
    rows = [
        *_scale_rows(record),
        ("Picture", f"{record['width']} × {record['height']} px, {record['bit_depth']} bit", ""),
        *_beam_rows(record),
        *_sample_rows(found),
    ]
    quiet = style.hexadecimal(style.QUIET)
    cells = [
        [
            style.paragraph(label, style.SMALL_QUIET, 40),
            style.marked(
                style.safe(value, 90)
                + (
                    f' <font color="{quiet}" size="6">{style.safe(source, 60)}</font>'
                    * bool(source)
                ),
                style.SMALL,
            ),
        ]
        for label, value, source in rows
    ]
    table = Table(cells, colWidths=[16 * mm, width - 16 * mm])
    table.setStyle(_bare())
    return [table]


def _scale_rows(record: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    size = record["pixel_size"]
    if size is None:
        yield "Scale", "uncalibrated: lengths are in pixels", ""
        return
    source = _SOURCE_WORDS.get(size["source"], size["source"])
    origin = f": {size['origin']}" if size.get("origin") else ""
    yield "Pixel", in_words(size["value_m"], "m", 4), f"{source}{origin}"
    yield "Field", f"{in_words(size['value_m'] * record['width'], 'm')} wide", ""


def _beam_rows(record: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    beam, instrument = record.get("beam") or {}, record.get("instrument") or {}
    sources = record.get("sources") or {}

    def source(key: str) -> str:
        return str(sources.get(key, ""))

    if beam.get("particle") == "ion":
        yield "Beam", "ions, not electrons", source("particle")
    if beam.get("voltage_v"):
        yield "Voltage", f"{beam['voltage_v'] / 1e3:.4g} kV", source("voltage_v")
    if beam.get("working_distance_m"):
        distance = in_words(beam["working_distance_m"], "m")
        yield "Distance", distance, source("working_distance_m")
    signal = beam.get("signal") or beam.get("detector")
    if signal:
        yield "Detector", str(signal), source("signal" if beam.get("signal") else "detector")
    if instrument.get("model") or instrument.get("vendor"):
        name = " ".join(str(instrument[k]) for k in ("vendor", "model") if instrument.get(k))
        yield "Instrument", name, source("model" if instrument.get("model") else "vendor")
    if instrument.get("acquired"):
        yield "Taken", str(instrument["acquired"]).replace("T", " "), source("acquired")
    if record.get("databar"):
        where = "tag" if record["databar"]["source"] == "tag" else "its pixels"
        yield "Databar", f"{record['databar']['height']} rows, cut off", f"by {where}"


def _sample_rows(found: Interpretation) -> Iterable[tuple[str, str, str]]:
    sample = found.sample
    told = found.context_asked != found.context_given
    yield (
        "Context",
        f"{found.context_given}{f', {found.context_asked} was asked for' if told else ''}",
        "",
    )
    if any(found.sample.to_json().values()):
        yield "", "the sample, as typed:", ""
    for name in ("id", "material", "process", "treatment", "product", "state"):
        if value := getattr(sample, name):
            label = "Id" if name == "id" else name.capitalize()
            yield label, value, ""


def _why(entry: Entry) -> list[Flowable]:
    found, lines = entry.interpretation, []
    lines += [style.paragraph(reason, style.BODY, 400) for reason in found.verdict.reasons[:6]]
    if words := _model_alone(found):
        lines.append(style.paragraph(words, style.BODY))
    if entry.review is not None:
        word = style.DECISION_WORDS[entry.review.decision]
        agreed = "confirmed" if entry.review.decision == entry.decision else "overruled"
        lines.append(
            style.marked(
                f"<b>Reviewed: {word}</b> ({agreed} on {style.safe(entry.review.at[:10], 20)}) "
                f"{style.safe(entry.review.reason, 600)}",
                style.BODY,
            )
        )
    if not lines:
        return []
    return [style.paragraph("Why", style.SECTION), *lines]


def _model_alone(found: Interpretation) -> str:
    """What the model said before the rules, where the verdict is another."""
    model, verdict = found.model_verdict, found.verdict
    probability, threshold = model.probability, verdict.threshold
    if probability is None:
        return "The model gave no probability."
    if threshold is not None and max(probability, 1 - probability) < threshold:
        return "The model alone was too unsure to decide."
    said = "defect" if model.defect else "no_defect"
    if said == verdict.decision:
        return ""
    return f"The model alone said “{style.DECISION_WORDS[said].lower()}”, before any rule."


def _findings(found: Interpretation, marked: dict[str, Marked]) -> list[Flowable]:
    story: list[Flowable] = [style.paragraph("Findings", style.SECTION)]
    if not found.present:
        return [*story, style.paragraph("No feature was found.", style.BODY)]
    heads = ("", "Feature", "Probability", "Judged", "Evidence")
    rows: list[list[Any]] = [[style.paragraph(word, style.CELL_HEAD) for word in heads]]
    by_feature = {finding.feature: finding for finding in found.present}
    for feature, mark in marked.items():
        finding = by_feature[feature]
        probability = "–" if finding.probability is None else f"{finding.probability:.2f}"
        if not finding.calibrated:
            probability += " (raw)"
        disposition = finding.disposition or "unclear"
        colour = style.hexadecimal(style.DISPOSITION[disposition])
        rows.append(
            [
                NumberDisc(mark.number, mark.colour),
                style.marked(f"<b>{style.safe(name_of(feature), 80)}</b>", style.CELL),
                style.paragraph(probability, style.CELL),
                style.marked(
                    f'<font color="{colour}"><b>{disposition}</b></font><br/>'
                    f"{style.safe(finding.reason, 240)}",
                    style.CELL,
                ),
                _evidence(finding),
            ]
        )
    widths = [8 * mm, 29 * mm, 20 * mm, 49 * mm]
    table = Table(rows, colWidths=[*widths, style.WIDTH - sum(widths)], repeatRows=1)
    table.setStyle(ruled())
    return [*story, table]


def _evidence(finding: Finding) -> list[Flowable]:
    count = len(finding.regions)
    lines = ["no region could be outlined by measuring"]
    if count:
        lines = [f"{count} region{'s' if count != 1 else ''} outlined"]
    told = [measured(m, finding.feature) for m in finding.measurements[:_MOST_MEASUREMENTS]]
    if (more := len(finding.measurements) - _MOST_MEASUREMENTS) > 0:
        told.append(f"{more} more in the record")
    if told:
        lines.append(" · ".join(told))
    if finding.citations:
        lines.append("cited: " + " ".join(f"[{c.number}]" for c in finding.citations))
    return [style.paragraph(line, style.CELL, 700) for line in lines]


def measured(measurement: Measurement, feature: str = "") -> str:
    """A measurement as "count 12 ± 2": the uncertainty at k = 2, the row's own feature unnamed."""
    name, value = measurement.quantity.removeprefix(f"{feature}_"), measurement.value
    name = name.replace("_", " ")
    words = _number(value, measurement.unit, 3) if math.isfinite(value) else "not known"
    if measurement.uncertainty is not None and math.isfinite(measurement.uncertainty):
        words += f" ± {_number(measurement.uncertainty, measurement.unit, 2)}"
    # A value stays on one line with its unit and its uncertainty.
    return f"{name}\N{NO-BREAK SPACE}" + words.replace(" ", "\N{NO-BREAK SPACE}")


def _number(value: float, unit: str, digits: int) -> str:
    """6.38e-05 as people write it: 6.38 × 10⁻⁵."""
    words = in_words(value, unit, digits)
    mantissa, e, power = words.partition("e-")
    if not e:
        return words
    exponent, space, rest = power.partition(" ")
    raised = str(int(exponent)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10⁻{raised}{space}{rest}"


def _words(found: Interpretation) -> list[Flowable]:
    story: list[Flowable] = []
    if found.description.strip():
        story += [
            style.paragraph("Description by the model", style.SECTION),
            style.paragraph(found.description, style.BODY, 3000),
        ]
    if found.answer.strip() and found.answer.strip() != found.description.strip():
        story += [
            style.paragraph(f"Asked: {found.question}", style.SECTION, 300),
            style.paragraph(found.answer, style.BODY, 3000),
        ]
    return story


def _passages(found: Interpretation) -> list[Flowable]:
    """The passages that were cited; the rest of those given are named."""
    if not found.passages:
        return []
    cited = {c.passage_id for c in found.citations}
    cited |= {c.passage_id for finding in found.findings for c in finding.citations}
    heading = style.paragraph("Literature", style.SECTION)
    story: list[Flowable] = []
    others = []
    for number, passage in enumerate(found.passages, start=1):
        if passage.id in cited:
            story.append(KeepTogether([*([] if story else [heading]), *_passage(number, passage)]))
        else:
            others.append(f"[{number}] {passage.locator}")
    if others:
        words = "Also given to the model, not cited: " if cited else "Given to the model: "
        named = style.paragraph(words + "; ".join(others), style.SMALL_QUIET)
        story += [named] if story else [KeepTogether([heading, named])]
    return story


def _passage(number: int, passage: Passage) -> list[Flowable]:
    sources = "; ".join(passage.sources) if passage.sources else "none checked"
    about = ", ".join(str(p) for p in (passage.authors, passage.year, passage.doi) if p)
    return [
        style.marked(f"<b>[{number}]</b> “{style.safe(passage.text, 700)}”", style.QUOTE),
        style.paragraph(
            f"{passage.locator}{f' ({about})' if about else ''}. Sources: {sources}",
            style.SMALL_QUIET.clone("locator", leftIndent=10, spaceAfter=3),
            400,
        ),
    ]


def _warnings(found: Interpretation) -> list[Flowable]:
    if not found.warnings:
        return []
    lines = [style.paragraph(f"– {warning}", style.SMALL, 400) for warning in found.warnings[:12]]
    return [KeepTogether([style.paragraph("Warnings", style.SECTION), *lines])]


def _bare() -> TableStyle:
    return TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), style.PLAIN),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 0),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
        ]
    )


def ruled() -> TableStyle:
    """A table of hairlines between rows, and no box."""
    return TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), style.PLAIN),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
            ("LINEBELOW", (0, 0), (-1, 0), 0.6, style.QUIET),
            ("LINEBELOW", (0, 1), (-1, -1), 0.4, style.HAIRLINE),
        ]
    )
