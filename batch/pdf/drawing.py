"""Puts a report together, page by page, and writes it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from reportlab.platypus import Flowable, PageBreak

from batch import pictures
from batch.pdf import style
from batch.pdf.closing import failures_page, settings_page
from batch.pdf.cover import contents_page, cover, sheets
from batch.pdf.document import Document, Heading, NumberedCanvas
from batch.pdf.micrograph import micrograph_page
from batch.pdf.parts import Thumbnail
from batch.pictures import Picture
from batch.report import ReportData
from glassllava.errors import RunUnavailable
from glassllava.interpretation import DISCLAIMER

_THUMBNAIL_SIDE = 260
#: Which verdicts a reader wants to see first.
_FIRST = ("defect", "undecided", "no_defect")


def draw_report(report: ReportData, path: Path) -> Path:
    style.register_fonts()
    found = [
        pictures.find_picture(entry.interpretation.micrograph, report.pictures)
        for entry in report.entries
    ]
    name = report.run.name if report.run else "one micrograph"
    running = f"{report.title} · {style.clean(name, 80)}"
    if report.partial:
        running += " · PARTIAL"
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        document = Document(part, report.title, running, DISCLAIMER)
        document.multiBuild(_story(report, found), canvasmaker=NumberedCanvas)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise RunUnavailable(
            f"The report cannot be written ({error.strerror or error})",
            where=path,
            remedy="Choose a folder that you may write and that has room; what was interpreted "
            "is kept, and `glassview report` draws it again.",
        ) from error
    return path


def _story(report: ReportData, found: list[Picture | str]) -> list[Flowable]:
    story: list[Flowable] = []
    if report.run is not None or len(report.entries) != 1 or report.failures:
        thumbnails = _thumbnails(report, found)
        story += cover(report, thumbnails)
        story += contents_page()
        story += sheets(thumbnails)
    if report.entries:
        story.append(Heading("Micrographs", "micrographs"))
    for number, entry in enumerate(report.entries):
        story += [*micrograph_page(entry, number, found[number]), PageBreak()]
    return [*story, *failures_page(report), *settings_page(report)]


def _thumbnails(report: ReportData, found: list[Picture | str]) -> list[Thumbnail]:
    thumbnails = []
    for number, (entry, picture) in enumerate(zip(report.entries, found, strict=True)):
        jpeg, width, height = None, 4, 3
        if isinstance(picture, Picture):
            jpeg = pictures.smaller(picture.jpeg, _THUMBNAIL_SIDE)
            width, height = picture.width, picture.height
        name, key = Path(entry.name).name, f"micrograph-{number}"
        thumbnails.append(Thumbnail(jpeg, width, height, name, entry.decision, key))
    return sorted(thumbnails, key=lambda thumbnail: _FIRST.index(thumbnail.decision))
