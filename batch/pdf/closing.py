"""The end of a report: what failed and why, how it was made, and what every report says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, PageBreak, Spacer, Table

from batch.pdf import style
from batch.pdf.document import Heading
from batch.pdf.tables import ruled
from batch.report import ReportData
from batch.tables import STAGES
from glassllava import __version__, rules
from glassllava.prompt import TEMPLATES_SHA256


def failures_page(report: ReportData) -> list[Flowable]:
    """Every micrograph that has no interpretation, with the reason and what to do."""
    if not report.failures and not report.skipped:
        return []
    story: list[Flowable] = [
        Heading("Not interpreted", "failures"),
        style.paragraph("Not interpreted", style.HEADING),
    ]
    if report.failures:
        heads = ("Micrograph", "Reason", "What to do", "Tries")
        rows = [[style.paragraph(word, style.CELL_HEAD) for word in heads]]
        rows += [
            [
                style.paragraph(failed.path, style.CELL, 300),
                style.paragraph(f"{failed.reason}.", style.CELL, 400),
                style.paragraph(failed.remedy, style.CELL, 300),
                style.paragraph(failed.tries, style.CELL),
            ]
            for failed in report.failures
        ]
        widths = [50 * mm, 62 * mm, 52 * mm]
        table = Table(rows, colWidths=[*widths, style.WIDTH - sum(widths)], repeatRows=1)
        table.setStyle(ruled())
        story.append(table)
    if report.skipped:
        story.append(style.paragraph("Skipped", style.SECTION))
        story += [
            style.paragraph(f"{path}: {reason}", style.SMALL, 500)
            for path, reason in report.skipped
        ]
    return [*story, PageBreak()]


def settings_page(report: ReportData) -> list[Flowable]:
    """What every report says, the model, the recipe, versions and hashes."""
    story: list[Flowable] = [
        Heading("How this report was made", "settings"),
        style.paragraph("How this report was made", style.HEADING),
        *(style.paragraph(text, style.BODY) for text in report.statements),
        Spacer(1, 4),
        style.paragraph("Settings", style.SECTION),
    ]
    rows = [
        [style.paragraph(label, style.SMALL_QUIET), style.paragraph(value, style.SMALL, 600)]
        for label, value in _settings(report)
    ]
    table = Table(rows, colWidths=[42 * mm, style.WIDTH - 42 * mm])
    table.setStyle(ruled())
    story.append(table)
    if report.run is not None and report.run.recipe:
        story.append(style.paragraph("Recipe, as resolved", style.SECTION))
        story += [
            style.paragraph(line, style.CODE, 500) for line in report.run.recipe.splitlines()[:120]
        ]
    story += _hashes(report)
    return story


def _settings(report: ReportData) -> Iterable[tuple[str, str]]:
    found = [entry.interpretation for entry in report.entries]
    yield "GlassView", f"{__version__} (this report, drawn with {style.VERSION})"
    versions = sorted({each.glassview_version for each in found} - {__version__})
    if versions:
        yield "Interpreted with", ", ".join(versions)
    for model in dict.fromkeys(each.reply.identity for each in found):
        yield "Model", f"{model.name} ({model.reference}), {model.backend} {model.version}"
        yield "Model sha256", model.sha256 or "none: not a checkpoint"
        yield "Model licence", model.licence
    for policy in dict.fromkeys(each.reply.batch_policy for each in found):
        yield "Batches", policy
    levels = dict.fromkeys(each.context_asked for each in found)
    if levels:
        yield "Context asked", ", ".join(levels)
    if report.run is not None:
        yield "Library generation", report.run.library or "none: no literature was asked for"
        yield "Run", report.run.name
        yield "Folders", ", ".join(report.run.folders)
        if report.run.started:
            yield "Began, ended", f"{report.run.started}, {report.run.finished or 'not ended'}"
    yield "Context rules", f"version {rules.VERSION}"
    yield "Prompt templates", TEMPLATES_SHA256
    if found:
        total = sum(
            seconds for each in found for stage, seconds in each.timing.items() if stage in STAGES
        )
        yield "Time", f"{total / len(found):.2f} s of work a micrograph"


def _hashes(report: ReportData) -> list[Flowable]:
    """What ties each page to its file and its record."""
    if not report.entries:
        return []
    heads = ("Micrograph", "sha256 of the file, and of the record", "asked, judged")
    rows: list[list[Any]] = [[style.paragraph(word, style.CELL_HEAD) for word in heads]]
    rows += [
        [
            style.paragraph(entry.name, style.CODE, 200),
            [
                style.paragraph(found.micrograph["sha256"] or "–", style.CODE),
                style.paragraph(found.sha256(), style.CODE),
            ],
            [
                style.paragraph(f"{found.asked[:16]}…", style.CODE),
                style.paragraph(f"{found.judged[:16]}…", style.CODE),
            ],
        ]
        for entry in report.entries
        for found in (entry.interpretation,)
    ]
    widths = [43 * mm, 103 * mm]
    table = Table(rows, colWidths=[*widths, style.WIDTH - sum(widths)], repeatRows=1)
    table.setStyle(ruled())
    return [style.paragraph("Hashes", style.SECTION), table]
