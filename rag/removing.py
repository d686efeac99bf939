"""What `library remove` is told, matched with what the library holds; nothing is guessed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glassllava.errors import BadInput
from rag.adding import hash_of
from rag.passages import PRIMER_KEY
from rag.printed import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.library import Library


@dataclass(frozen=True, slots=True)
class Removed:
    """A document that was hidden or erased, and how many passages it had."""

    key: str
    passages: int


def remove(library: Library, names: Sequence[str], *, purge: bool) -> tuple[Removed, ...]:
    """Hide the documents that `names` name, or erase them; all are found, or none is touched.

    Raises
    ------
    BadInput : for a name that fits no document, or several; and for the primer.
    """
    keys = dict.fromkeys(_key(library, name, purge=purge) for name in names)
    take = library.purge if purge else library.remove
    return tuple(Removed(key, take(key)) for key in keys)


def _key(library: Library, name: str, *, purge: bool) -> str:
    # What was removed before may still be erased.
    keys = library.keys_like(name) or (library.keys_like(name, removed=True) if purge else [])
    if not keys:
        if twin := _holder_of_its_bytes(library, name):
            raise BadInput(
                f"'{short(name)}' is not held by itself: the same bytes are held as '{twin}'",
                where=library.folder,
                remedy="Give that name to remove the document.",
            )
        raise BadInput(
            f"The library holds nothing that is called '{short(name)}'",
            where=library.folder,
            remedy="`glassview library list` shows what it holds.",
        )
    if len(keys) > 1:
        raise BadInput(
            f"'{short(name)}' names {len(keys)} documents: {', '.join(keys[:5])}",
            where=library.folder,
            remedy="Give the key of one of them.",
        )
    if keys[0] == PRIMER_KEY:
        raise BadInput(
            "The primer is a part of GlassView: it would come back by itself",
            where=library.folder,
            remedy="`--context moderate` asks the model without any literature.",
        )
    return keys[0]


def _holder_of_its_bytes(library: Library, name: str) -> str | None:
    """The path, or else the key, of the document that was read from a twin of this file."""
    try:
        sha256 = hash_of(Path(name).expanduser())
    except RuntimeError:  # no such person
        return None
    key = library.held_as(sha256) if sha256 else None
    paths = {row.key: row.path for row in library.documents()}
    return paths.get(key) or key if key else None
