"""Papers about made-up glass with micrographs on them, as PDF, JATS and HTML; and their truth."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader, simpleSplit
from reportlab.pdfgen.canvas import Canvas

_FILLER = (
    "Made-up words about a melt that was held, poured and annealed fill this paragraph, so that"
    " there is text for a reader of pages, and none of it says anything of a picture at all."
)


@dataclass(frozen=True)
class Drawn:
    """A figure to be printed: its picture, its caption without the label, who mentions it."""

    picture: Image.Image
    caption: str
    mentioned: tuple[str, ...] = ()
    jpeg: bool = False


def write_pdf(
    path: Path,
    figures: Sequence[Drawn],
    *,
    title: str = "A made-up study of seeds in made-up glass",
    doi: str | None = None,
    licence: str | None = None,
) -> Path:
    """One page a figure: title or filler, the paragraphs, the picture, its caption below."""
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    canvas.setTitle(title)
    wide, high = A4
    for number, figure in enumerate(figures, start=1):
        y = high - 60
        if number == 1:
            canvas.setFont("Times-Bold", 17)
            for line in simpleSplit(title, "Times-Bold", 17, wide - 120):
                canvas.drawString(60, y, line)
                y -= 21
            canvas.setFont("Helvetica", 8)
            if doi:
                canvas.drawString(60, y, f"https://doi.org/{doi}")
                y -= 12
            if licence:
                canvas.drawString(
                    60, y, f"This is an open access article under the {licence} licence."
                )
                y -= 18
        for text in (_FILLER, *(f"{told} {_FILLER}" for told in figure.mentioned), _FILLER):
            y = _paragraph(canvas, text, 60, y, wide - 120) - 8
        scale = min((wide - 140) / figure.picture.width, 380 / figure.picture.height)
        w, h = figure.picture.width * scale, figure.picture.height * scale
        canvas.drawImage(_reader(figure), 70, y - h - 6, w, h)
        caption = f"Figure {number}. {figure.caption}"
        _paragraph(canvas, caption, 70, y - h - 18, wide - 140, 8.5)
        canvas.showPage()
    canvas.save()
    return path


def _reader(figure: Drawn) -> ImageReader:
    held = io.BytesIO()
    if figure.jpeg:
        figure.picture.convert("RGB").save(held, "JPEG", quality=88)
    else:
        figure.picture.save(held, "PNG")
    held.seek(0)
    return ImageReader(held)


def _paragraph(
    canvas: Canvas, text: str, x: float, y: float, wide: float, size: float = 10
) -> float:
    """The first line is indented, as in a journal; the height of the last line."""
    canvas.setFont("Times-Roman", size)
    indent = 14 if size == 10 else 0
    words = simpleSplit(text, "Times-Roman", size, wide - indent)
    for number, line in enumerate(words):
        y -= size * 1.2
        canvas.drawString(x + (indent if number == 0 else 0), y, line)
    return y


def write_jats(
    path: Path, figures: Sequence[tuple[str, str]], *, paragraphs: Sequence[str]
) -> Path:
    """An article; `figures` are (what the graphic is called, caption)."""
    told = "".join(f"<p>{text}</p>" for text in paragraphs)
    for number, (named, caption) in enumerate(figures, start=1):
        told += (
            f'<fig id="f{number}"><label>Figure {number}</label><caption><p>{caption}</p></caption>'
            f'<graphic xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="{named}"/></fig>'
        )
    path.write_text(
        "<article><front><article-meta><article-id pub-id-type='doi'>10.5555/made.jats"
        "</article-id><title-group><article-title>Made-up pores of a made-up JATS article"
        "</article-title></title-group><permissions><license xmlns:xlink='http://www.w3.org/1999/"
        "xlink' xlink:href='https://creativecommons.org/licenses/by/4.0/'/></permissions>"
        f"</article-meta></front><body><sec><title>Results</title>{told}</sec></body></article>",
        "utf-8",
    )
    return path


def write_html(
    path: Path,
    figures: Sequence[tuple[str, str]],
    *,
    paragraphs: Sequence[str],
    title: str = "A made-up page on crystals in glass",
) -> Path:
    """A saved page; `figures` are (source of the picture, caption without its label)."""
    told = "".join(f"<p>{text}</p>" for text in paragraphs)
    for number, (named, caption) in enumerate(figures, start=1):
        told += (
            f"<figure><img src='{named}'><figcaption>Figure {number}. {caption}</figcaption>"
            "</figure>"
        )
    path.write_text(
        f"<html><head><title>{title}</title></head><body>{told}</body></html>",
        "utf-8",
    )
    return path
