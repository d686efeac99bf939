"""What a reader makes of one file, before it is cut into passages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.passages import Picture
    from rag.reading.cutting import Block


@dataclass(frozen=True, slots=True)
class Plate:
    """A figure as it was read; `caption_block` is the number of the block that is its caption."""

    page: int
    label: str
    caption: str
    caption_block: int | None
    box: tuple[float, float, float, float]
    picture: Picture
    originals: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """The blocks of a file in reading order, and what it says of itself; "" and None: not said."""

    reader: str
    kind: str
    title: str
    blocks: tuple[Block, ...]
    authors: str = ""
    year: int | None = None
    doi: str | None = None
    licence: str | None = None
    pages: int | None = None
    plates: tuple[Plate, ...] = ()
    notes: tuple[str, ...] = field(default=())
