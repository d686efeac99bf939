"""The front of a report: what was found at a glance, then every micrograph as a small picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from reportlab.platypus import CondPageBreak, Flowable, HRFlowable, PageBreak, Spacer

from batch.pdf import style
from batch.pdf.document import Heading, contents
from batch.pdf.parts import Counts, FeatureBars, Thumbnail, ThumbnailSheet
from batch.report import ReportData
from glassllava.features import name_of

_COLUMNS = 5
_COVER_ROWS = 4
_FEW = 12  # so many micrographs get larger thumbnails on the cover
_SHEET_ROWS = 7
_MOST_FEATURES = 7


def cover(report: ReportData, thumbnails: Sequence[Thumbnail]) -> list[Flowable]:
    """Title, counts, features, the first thumbnails and the disclaimer, on one page."""
    story: list[Flowable] = [
        style.paragraph("GLASSVIEW", style.LABEL),
        Spacer(1, 5),
        style.paragraph(report.title, style.TITLE),
        Spacer(1, 2),
        style.paragraph(_scope(report), style.SUBTITLE),
    ]
    if report.partial:
        story += [
            Spacer(1, 8),
            style.marked(
                f"<b>PARTIAL</b>: {report.pending} of {report.run.discovered if report.run else 0} "
                "micrographs have not been interpreted yet.",
                style.BODY.clone("partial", textColor=style.DISPOSITION["defect"]),
            ),
        ]
    story += [Spacer(1, 16), Counts(report.counts, style.WIDTH), Spacer(1, 12)]
    if found := _features(report):
        story += [
            style.paragraph("FOUND ON HOW MANY MICROGRAPHS, AND WHAT IT WAS JUDGED", style.LABEL),
            Spacer(1, 4),
            FeatureBars(found, style.WIDTH),
            Spacer(1, 12),
        ]
    shown = thumbnails[: _COLUMNS * _COVER_ROWS]
    if shown:
        words = "EVERY MICROGRAPH" if len(shown) == len(thumbnails) else "FIRST TO LOOK AT"
        story += [
            style.paragraph(words, style.LABEL),
            Spacer(1, 5),
            ThumbnailSheet(shown, 4 if len(shown) <= _FEW else _COLUMNS, style.WIDTH),
        ]
    story += [
        Spacer(1, 6),
        HRFlowable(width="100%", thickness=0.5, color=style.HAIRLINE, spaceAfter=6),
        style.paragraph(report.statements[0], style.BODY_BOLD),
    ]
    if synthetic := [text for text in report.statements[1:] if "synthetic" in text]:
        story.append(style.paragraph(" ".join(synthetic), style.SMALL_QUIET))
    return [*story, PageBreak()]


def contents_page() -> list[Flowable]:
    return [style.paragraph("Contents", style.HEADING), Spacer(1, 4), contents(), PageBreak()]


def sheets(thumbnails: Sequence[Thumbnail]) -> list[Flowable]:
    """Every micrograph, where the cover has no room for all; those to look at first come first."""
    if len(thumbnails) <= _COLUMNS * _COVER_ROWS:
        return []
    story: list[Flowable] = [
        Heading("All micrographs at a glance", "sheet"),
        style.paragraph("All micrographs at a glance", style.HEADING),
        style.paragraph("Defects first, then undecided, then the rest.", style.SMALL_QUIET),
        Spacer(1, 8),
    ]
    size = _COLUMNS * _SHEET_ROWS
    for start in range(0, len(thumbnails), size):
        sheet = ThumbnailSheet(thumbnails[start : start + size], _COLUMNS, style.WIDTH)
        story += [CondPageBreak(sheet.height), sheet]
    return [*story, PageBreak()]


def _scope(report: ReportData) -> str:
    total = len(report.entries) + len(report.failures)
    words = [f"{total} micrograph{'s' if total != 1 else ''}"]
    if report.run is not None:
        folders = ", ".join(PurePath(folder).name or folder for folder in report.run.folders)
        words += [f"from {folders}"] if folders else []
        words += [f"run “{report.run.name}”"]
        words += [report.run.finished[:10]] if report.run.finished else []
    return " · ".join(words)


def _features(report: ReportData) -> dict[str, dict[str, int]]:
    """By feature name, on how many micrographs it was judged what; the most frequent first."""
    found: dict[str, dict[str, int]] = {}
    for entry in report.entries:
        for finding in entry.interpretation.present:
            if finding.disposition is not None:
                parts = found.setdefault(name_of(finding.feature), {})
                parts[finding.disposition] = parts.get(finding.disposition, 0) + 1
    ranked = sorted(found.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return dict(ranked[:_MOST_FEATURES])
