"""One page of a paper as a picture, with the lines that a passage was read from.

Drawn by the process that opens hostile PDFs (`worker`), under the same bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassllava.errors import BadInput
from rag.reading.limits import PaperSettings

if TYPE_CHECKING:
    from pathlib import Path

    from rag.passages import Picture

#: px: wider pages are drawn no larger.
_WIDEST = 6000
_NARROWEST = 50


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page of `pages`; `boxes` are (left, top, right, bottom) in px of the picture, a line each.

    They are empty where the words were not found on the page.
    """

    picture: Picture
    pages: int
    boxes: tuple[tuple[float, float, float, float], ...]


def show_page(
    path: Path, page: int, *, width: int, find: str = "", settings: PaperSettings | None = None
) -> ShownPage:
    """Page `page` (from 1) of a PDF, drawn `width` px wide, with the lines that hold `find`.

    Raises
    ------
    BadInput : for what is no PDF, has no such page, or cannot be drawn within the bounds.
    MissingPart : where the reader of PDFs is not installed.
    """
    from rag.reading import pdf, worker

    settings = settings or PaperSettings()
    pdf.require(ocr=False)
    try:
        with path.open("rb") as file:
            start = file.read(1024)
    except OSError as error:
        raise BadInput(f"The paper cannot be opened ({error.strerror})", where=path) from error
    if b"%PDF-" not in start:
        raise BadInput(
            "This is no PDF: it has no pages to draw",
            where=path,
            remedy="Open it in another program.",
        )
    width = min(max(width, _NARROWEST), _WIDEST)
    told, pictures = pdf.asked(
        worker.draw, (str(path), page, width, find, settings), path, settings
    )
    try:
        boxes = tuple(
            (float(left), float(top), float(right), float(bottom))
            for left, top, right, bottom in told["boxes"]
        )
        return ShownPage(pdf.picture(told["picture"], pictures), int(told["pages"]), boxes)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise pdf.nonsense(path) from error
