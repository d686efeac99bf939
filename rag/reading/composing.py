"""A paper put together from its pages: what it says of itself, its text, captions and figures.

Takes sheets, gives blocks and matches; touches no file and no PDFium.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.reading.captions import Caption, captions_of
from rag.reading.cutting import Block, cleaned
from rag.reading.figures import Match, clusters_of, drawings_of, inside, logos, matched
from rag.reading.flow import Flow, Placement
from rag.reading.furniture import taken_off
from rag.reading.origin import Origin, origin_of
from rag.reading.sheets import body_size, pitch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rag.reading.sheets import Sheet

_LEADERS = re.compile(r"(?:\.\s?){6,}[\divxlc]*\s*$")
#: Words of a paragraph between title and first heading that is no list of names and places.
_LEAST_PROSE = 25


@dataclass(frozen=True, slots=True)
class Paper:
    """`figures` are (page, match, number of the block that holds the caption, or None)."""

    origin: Origin
    blocks: tuple[Block, ...]
    figures: tuple[tuple[int, Match, int | None], ...]


def composed(sheets: list[Sheet], metadata: Mapping[str, str]) -> Paper:
    """The paper that these pages make; the sheets are used up."""
    body = body_size(sheets)
    # The running head of the first page may hold the DOI and the year.
    origin = origin_of([tuple(sheet.lines) for sheet in sheets[:3]], metadata, body)
    taken_off(sheets)
    step = pitch(sheets, body)
    dropped = logos(sheets)
    captions: list[tuple[int, Caption]] = []
    figures: list[tuple[int, Match]] = []
    placed: list[Placement] = []
    title = {id(line) for line in origin.title_lines}
    for sheet in sheets:
        images = clusters_of(sheet, dropped)
        drawings = drawings_of(sheet)
        boxes = [cluster.box for cluster in (*images, *drawings)]
        found = captions_of(sheet, boxes, body)
        shown = matched(sheet, images, drawings, found)
        captions.extend((sheet.number, caption) for caption in found)
        figures.extend((sheet.number, match) for match in shown)
        gone = title | {id(line) for caption in found for line in caption.lines}
        for line in sheet.lines:
            # Letters and numbers in a figure are part of its picture.
            if _LEADERS.search(line.text):
                continue  # a table of contents
            if id(line) not in gone and not any(inside(line.box, match.box) for match in shown):
                placed.append(Placement(line, sheet.number))
    text = _without_names(Flow(placed, body, step).blocks(), bool(origin.title_lines))
    blocks = _interleaved(text, captions)
    numbers = {
        id(caption): number
        for number, (_block, caption) in enumerate(blocks)
        if caption is not None
    }
    return Paper(
        origin,
        tuple(block for block, _caption in blocks),
        tuple(
            (page, match, None if match.caption is None else numbers[id(match.caption)])
            for page, match in figures
        ),
    )


def _without_names(blocks: Sequence[Block], titled: bool) -> list[Block]:
    """Without the authors and addresses between the title and the first heading."""
    found: list[Block] = []
    for block in blocks:
        front = titled and block.section is None and block.page == 1
        prose = len(block.text.split()) >= _LEAST_PROSE and block.text.endswith((".", "-"))
        if not front or prose:
            found.append(block)
    return found


def _interleaved(
    text: Sequence[Block], captions: Sequence[tuple[int, Caption]]
) -> list[tuple[Block, Caption | None]]:
    """Captions behind the last text that begins on their page or before."""
    found: list[tuple[Block, Caption | None]] = []
    waiting = list(captions)
    section: str | None = None
    for block in text:
        while waiting and block.page is not None and waiting[0][0] < block.page:
            found.append(_of(*waiting.pop(0), section))
        found.append((block, None))
        section = block.section
    found.extend(_of(page, caption, section) for page, caption in waiting)
    return found


def _of(page: int, caption: Caption, section: str | None) -> tuple[Block, Caption]:
    return Block(text_of(caption), section, page, kind="caption"), caption


def text_of(caption: Caption) -> str:
    """A caption's words, hyphens at line ends undone where a word goes on in small letters."""
    text = ""
    for line in caption.lines:
        broken = text[-1:] == "-" and text[-2:-1].isalpha() and line.text[:1].islower()
        text = text[:-1] + line.text if broken else f"{text} {line.text}"
    return cleaned(" ".join(text.split()))
