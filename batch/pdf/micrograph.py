"""The page of one micrograph: picture, verdict, findings with their evidence, passages, warnings.

Every value stands with where it was read. Knows how a page is laid out, not how parts are drawn.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether, Spacer, Table

from batch.pdf import style
from batch.pdf.document import Heading
from batch.pdf.metadata import metadata
from batch.pdf.parts import Marked, NoPicture, NumberDisc, PictureWithFindings, VerdictBox
from batch.pdf.passages import passages
from batch.pdf.tables import bare, ruled
from batch.pictures import Picture
from batch.report import Entry
from glassllava.features import name_of
from glassllava.interpretation import Finding, Interpretation
from glassllava.measurement.quantities import Measurement, measured_in_words, regions_in_words

_PICTURE = (118 * mm, 92 * mm)
_GAP = 5 * mm
_MOST_MEASUREMENTS = 8


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
        *metadata(found, width),
    ]
    why = _why(entry)
    if width > 75 * mm and sum(map(len, verdict.reasons)) < 500 and not entry.review:
        # Room enough beside the picture for a few sentences.
        side, why = [*side, *why], []
    top = Table([[drawn, side]], colWidths=[left, width])
    top.setStyle(bare())
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
        *passages(found),
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
    lines: list[Flowable] = [style.paragraph(", ".join(words), style.SMALL_QUIET)]
    if found.over_blank is not None:
        lines.append(style.paragraph(found.over_blank.in_words, style.SMALL_QUIET))
    return lines


def _why(entry: Entry) -> list[Flowable]:
    found, lines = entry.interpretation, []
    lines += [style.paragraph(reason, style.BODY, 400) for reason in found.verdict.reasons[:6]]
    if words := _model_alone(found):
        lines.append(style.paragraph(words, style.BODY))
    if entry.review is not None:
        word = style.OUTCOME_WORDS[entry.review.decision]
        agreed = "accepted" if entry.review.decision == entry.decision else "overruled"
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
    return f"The model alone said “{style.OUTCOME_WORDS[said].lower()}”, before any rule."


def _findings(found: Interpretation, marked: dict[str, Marked]) -> list[Flowable]:
    story: list[Flowable] = [style.paragraph("Findings", style.SECTION)]
    if not found.present:
        return [
            *story,
            style.paragraph("No feature was found.", style.BODY),
            *_only_measured(found),
        ]
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
    return [*story, table, *_only_measured(found)]


def _only_measured(found: Interpretation) -> list[Flowable]:
    """What measuring counted where the model saw nothing: the reader decides."""
    lines = []
    for finding in found.findings:
        told = [m for m in finding.measurements if m.value > 0][:_MOST_MEASUREMENTS]
        counted = any(m.quantity.endswith("_count") and m.value > 0 for m in told)
        if not finding.present and counted:
            values = " · ".join(measured(m, finding.feature) for m in told)
            lines.append(
                style.paragraph(
                    f"Measured, but not found by the model: {name_of(finding.feature)}: {values}",
                    style.SMALL_QUIET,
                    700,
                )
            )
    return [Spacer(1, 3), *lines] if lines else []


def _evidence(finding: Finding) -> list[Flowable]:
    words = regions_in_words(finding.regions)
    if any(region.source == "model" for region in finding.regions):
        words += " (dashed)"
    lines = [words]
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
    name = measurement.quantity.removeprefix(f"{feature}_").replace("_", " ")
    # A value stays on one line with its unit and its uncertainty.
    words = measured_in_words(measurement).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{name}\N{NO-BREAK SPACE}{words}"


def _words(found: Interpretation) -> list[Flowable]:
    story: list[Flowable] = []
    if found.description.strip():
        story += [
            style.paragraph("Description by the model, before any rule", style.SECTION),
            style.paragraph(found.description, style.BODY, 3000),
        ]
    if found.answer.strip() and found.answer.strip() != found.description.strip():
        story += [
            style.paragraph(f"Asked: {found.question}", style.SECTION, 300),
            style.paragraph(found.answer, style.BODY, 3000),
        ]
    return story


def _warnings(found: Interpretation) -> list[Flowable]:
    if not found.warnings:
        return []
    lines = [style.paragraph(f"– {warning}", style.SMALL, 400) for warning in found.warnings[:12]]
    return [KeepTogether([style.paragraph("Warnings", style.SECTION), *lines])]
