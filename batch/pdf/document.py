"""The document: page frame, running lines, contents, outline, and "page x of y".

Knows reportlab's templates; nothing of what the pages say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, TableStyle
from reportlab.platypus.tableofcontents import TableOfContents

from batch.pdf import style


class Heading(Flowable):
    """An invisible mark: an outline entry, a link's goal, and a line of the contents.

    `level` 0 is a chapter; `listed` False leaves it out of the contents.
    """

    def __init__(self, text: str, key: str, level: int = 0, listed: bool = True) -> None:
        super().__init__()
        self.text, self.key, self.level, self.listed = style.clean(text, 200), key, level, listed

    def draw(self) -> None:
        # To the top of the page: a link that lands in the middle of a picture helps nobody.
        self.canv.bookmarkPage(self.key)
        self.canv.addOutlineEntry(self.text, self.key, self.level, closed=self.level == 0)


class Document(BaseDocTemplate):
    """An A4 document that tells its contents about every heading."""

    def __init__(self, path: Path, title: str, running: str, foot: str) -> None:
        super().__init__(
            str(path),
            pagesize=A4,
            title=title,
            author="GlassView",
            subject=running,
            invariant=1,
            initialFontName=style.PLAIN,
            pageCompression=1,
        )
        self._running, self._foot = running, foot
        frame = Frame(
            style.MARGIN,
            17 * mm,
            style.WIDTH,
            style.PAGE_HEIGHT - 34 * mm,
            leftPadding=0,
            rightPadding=0,
            topPadding=0,
            bottomPadding=0,
        )
        self.addPageTemplates([PageTemplate("page", [frame], onPage=self._draw_lines)])

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 - reportlab's name
        if isinstance(flowable, Heading) and flowable.listed:
            entry = (flowable.level, style.safe(flowable.text, 110), self.page, flowable.key)
            self.notify("TOCEntry", entry)

    def _draw_lines(self, canvas: Canvas, document: Any) -> None:
        canvas.saveState()
        canvas.setFont(style.PLAIN, 6.6)
        canvas.setFillColor(style.QUIET)
        if canvas.getPageNumber() > 1:
            canvas.drawString(
                style.MARGIN,
                style.PAGE_HEIGHT - 11 * mm,
                style.fitted(self._running, style.PLAIN, 6.6, style.WIDTH),
            )
        canvas.drawString(style.MARGIN, 9 * mm, self._foot)
        canvas.restoreState()


class NumberedCanvas(Canvas):
    """Writes "page x of y" when y is known: at the end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "initialFontName": style.PLAIN})
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        total = len(self._pages)
        for state in self._pages:
            self.__dict__.update(state)
            self.setFont(style.PLAIN, 6.6)
            self.setFillColor(style.QUIET)
            self.drawRightString(
                style.PAGE_WIDTH - style.MARGIN, 9 * mm, f"page {self._pageNumber} of {total}"
            )
            super().showPage()
        super().save()


def contents() -> TableOfContents:
    """The table of contents, in our letters on every level."""
    letters = TableStyle(
        [
            # Even a cell that holds no plain text names a font: Helvetica, unless told.
            ("FONTNAME", (0, 0), (-1, -1), style.PLAIN),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ]
    )
    table = TableOfContents(dotsMinLevel=-1, tableStyle=letters)
    table.levelStyles = [
        style.BODY_BOLD.clone("contents 0", spaceBefore=5),
        style.BODY.clone("contents 1", leftIndent=10, fontSize=7.8, leading=10.6),
    ]
    return table
