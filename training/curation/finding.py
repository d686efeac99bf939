"""One paper to its figures: panels cut, captions dealt out, paragraphs found, each picture written.

Knows one paper; what figures of many papers share is in `papers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput
from training.curation.beside import figures_beside
from training.curation.captions import LONGEST_CAPTION, paragraphs_for, split_caption
from training.curation.figure import Figure
from training.curation.kinds import look_at
from training.curation.panels import SMALLEST_PANEL, find_panels
from training.curation.pictures import at_best, decode, read_picture, write_png

if TYPE_CHECKING:
    from rag.passages import Document

IMAGES = "images"
_MOST_FIGURES = 400


@dataclass(frozen=True, slots=True)
class _Shown:
    """A figure of a paper before it is cut: its pixels, and those it was put together from."""

    label: str
    caption: str
    page: int
    picture: Any
    originals: tuple[Any, ...] = ()


def figures_of(document: Document, work: Path) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
    """The figures of a paper with their pictures written, and sentences on what was left out.

    Neither split nor duplicates are known yet.

    Raises
    ------
    RunUnavailable : where a picture cannot be written.
    """
    notes: list[str] = list(document.notes)
    prefix = f"{document.kind}-{document.sha256[:12]}"
    paragraphs = [
        paragraph
        for entry in document.entries
        if entry.passage.kind != "caption"
        for paragraph in entry.passage.text.split("\n")
    ]
    found: list[Figure] = []
    small = 0
    for number, shown in enumerate(_shown(document, notes), start=1):
        if number > _MOST_FIGURES:
            notes.append(f"figures beyond the first {_MOST_FIGURES} were left out")
            break
        if len(shown.caption) > LONGEST_CAPTION:
            notes.append(f"{shown.label or 'a figure'}: its caption was cut; it is too long")
        caption = split_caption(shown.caption)
        boxes = find_panels(shown.picture, len(caption.letters) or None)
        named = len(boxes) == len(caption.letters)
        if caption.letters and len(boxes) > 1 and not named:
            notes.append(
                f"{shown.label}: {len(boxes)} panels for {len(caption.letters)} letters; each has "
                "the whole caption"
            )
        for place, box in enumerate(boxes):
            picture = at_best(shown.picture, box, shown.originals)
            if min(picture.shape[:2]) < SMALLEST_PANEL:
                small += 1
                continue
            letter = caption.letters[place] if named else ""
            told = caption.of(letter)
            part = f"-{letter or place + 1}" if len(boxes) > 1 else ""
            image = f"{IMAGES}/{prefix}-{number:03}{part}.png"
            data = write_png(picture, work / image)
            kind = look_at(picture, told)
            found.append(
                Figure(
                    id=f"{prefix}-{number:03}{part}",
                    image=image,
                    paper=document.doi.lower() if document.doi else prefix,
                    title=document.title,
                    authors=document.authors,
                    year=document.year,
                    doi=document.doi or "",
                    licence=document.licence or "",
                    page=shown.page,
                    label=shown.label,
                    panel=letter,
                    caption=told,
                    context=paragraphs_for(paragraphs, shown.label, letter),
                    kind=kind.kind,
                    kind_score=round(kind.score, 4),
                    pixels=(picture.shape[1], picture.shape[0]),
                    sha256=hashlib.sha256(data).hexdigest(),
                )
            )
    if small:
        notes.append(f"{small} pictures of less than {SMALLEST_PANEL} pixels were left out")
    return tuple(found), tuple(notes)


def _shown(document: Document, notes: list[str]) -> Iterator[_Shown]:
    """The figures that can be decoded; why others cannot goes to `notes`."""
    for figure in document.figures:
        name = figure.label or f"a figure on page {figure.page}"
        try:
            picture = decode(figure.picture.data, name)
        except BadInput as error:
            notes.append(str(error))
            continue
        originals = []
        for original in figure.originals:
            try:
                originals.append(decode(original.data, name))
            except BadInput as error:
                notes.append(f"{error} The page's own drawing of it is used.")
        whole = (0, 0, picture.shape[1], picture.shape[0])
        if len(originals) == 1:
            picture = at_best(picture, whole, originals)
        yield _Shown(figure.label, figure.caption, figure.page or 0, picture, tuple(originals))
    for beside in figures_beside(Path(document.path), document.kind):
        name = beside.label or "a figure"
        if beside.path is None:
            notes.append(f"{name}: its picture ({beside.named[:80]}) is not beside the paper")
            continue
        try:
            picture = read_picture(beside.path)
        except BadInput as error:
            notes.append(str(error))
            continue
        yield _Shown(beside.label, beside.caption, 0, picture)
