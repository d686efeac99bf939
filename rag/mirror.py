"""A manifest's rows handed to another manifest, and taken over from one, through a server.

Works inside the manifest's transactions. What comes from a server is anyone's: every value is held
to its kind before a row is written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import LiteratureUnavailable
from rag.embedding import DIMENSIONS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from rag.index.server import Row

#: Columns of a passage beside its words and vector, and of a document, with their kinds.
_PASSAGE = {
    "document": int, "ordinal": int, "id": str, "digest": str, "title": str, "authors": str,
    "year": int | None, "doi": str | None, "page": int | None, "section": str | None, "kind": str,
    "sources": str, "topics": str, "materials": str, "embedder": str,
}  # fmt: skip
_DOCUMENT = {
    "number": int, "key": str, "kind": str, "title": str, "path": str, "sha256": str, "added": int,
    "removed": int | None, "authors": str, "year": int | None, "doi": str | None,
    "licence": str | None, "pages": int | None, "made": str, "record": str | None, "reader": str,
}  # fmt: skip
_PURGE = {"first": int, "last": int, "passages": int}
_LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Copy:
    """All of a manifest but its passages' words and vectors: what a server's state tells."""

    generation: int
    documents: tuple[dict[str, Any], ...]
    purges: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Copy:
        """From a server's state.

        Raises
        ------
        LiteratureUnavailable : where it is not in the promised form.
        """
        generation, documents, purges = (
            state.get("generation"), state.get("documents"), state.get("purges")
        )  # fmt: skip
        if not isinstance(generation, int) or generation < 0:
            raise _wrong("generation")
        if not isinstance(documents, list) or not isinstance(purges, list):
            raise _wrong("documents")
        return cls(
            generation,
            tuple(_held_to(_DOCUMENT, item) for item in documents),
            tuple(_held_to(_PURGE, item) for item in purges),
        )


def copy(database: sqlite3.Connection) -> tuple[Copy, dict[int, dict[str, Any]]]:
    """What this manifest holds, and each passage's columns by row number."""
    generation = int(database.execute("SELECT generation FROM state").fetchone()[0])
    documents = _dicts(database, _DOCUMENT, "documents")
    purges = _dicts(database, _PURGE, "purges")
    rows = [row[0] for row in database.execute("SELECT row FROM passages ORDER BY rowid")]
    told = _dicts(database, _PASSAGE, "passages")
    return Copy(generation, documents, purges), dict(zip(rows, told, strict=True))


def _dicts(
    database: sqlite3.Connection, columns: Mapping[str, Any], table: str
) -> tuple[dict[str, Any], ...]:
    found = database.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY rowid")  # noqa: S608
    return tuple(dict(zip(columns, row, strict=True)) for row in found)


def take(
    database: sqlite3.Connection,
    copied: Copy,
    lives: Mapping[int, tuple[int, int | None]],
    rows: Iterable[Row],
) -> None:
    """Make this manifest the copy: `lives` are (added, removed) of every row, `rows` the new ones.

    Raises
    ------
    LiteratureUnavailable : for a row that is not in the promised form.
    """
    held = [row[0] for row in database.execute("SELECT row FROM passages")]
    gone = [(row,) for row in held if row not in lives]
    database.executemany("DELETE FROM passages WHERE row = ?", gone)
    for row in rows:
        _insert(database, row, *lives[row.row])
    changes = [(added, removed, row) for row, (added, removed) in lives.items()]
    database.executemany("UPDATE passages SET added = ?, removed = ? WHERE row = ?", changes)
    for table, items in (("documents", copied.documents), ("purges", copied.purges)):
        database.execute(f"DELETE FROM {table}")  # noqa: S608
        for item in items:
            _write(database, table, item)
    database.execute("UPDATE state SET generation = ?", (copied.generation,))


def _insert(database: sqlite3.Connection, row: Row, added: int, removed: int | None) -> None:
    told = _held_to(_PASSAGE, row.told)
    for name in ("sources", "topics", "materials"):
        try:
            items = json.loads(told[name])
        except ValueError:
            raise _wrong(name) from None
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise _wrong(name)
    vector = row.vector
    if vector.shape != (DIMENSIONS,) or not np.isfinite(vector).all():
        raise _wrong("vector")
    if not isinstance(row.text, str) or len(row.text) > _LONGEST:
        raise _wrong("text")
    own = {"row": row.row, "text": row.text, "vector": vector.astype("<f4").tobytes()}
    _write(database, "passages", told | own | {"added": added, "removed": removed})


def _write(database: sqlite3.Connection, table: str, item: Mapping[str, Any]) -> None:
    names = ", ".join(item)
    database.execute(
        f"INSERT OR REPLACE INTO {table} ({names}) VALUES (:{', :'.join(item)})",  # noqa: S608
        dict(item),
    )


def _held_to(kinds: Mapping[str, Any], item: Any) -> dict[str, Any]:
    """The columns of `kinds` alone, each of its kind."""
    if not isinstance(item, dict):
        raise _wrong("row")
    for name, kind in kinds.items():
        value = item.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise _wrong(name)
        if isinstance(value, int) and abs(value) >= 2**62:
            raise _wrong(name)
        if isinstance(value, str) and len(value) > _LONGEST:
            raise _wrong(name)
    return {name: item[name] for name in kinds}


def _wrong(name: str) -> LiteratureUnavailable:
    return LiteratureUnavailable(
        f"The server's library is not in the form that GlassView writes ({name})",
        remedy="Ask its keeper to run `glassview library check`, or check the address.",
    )


def lives_of(
    marks: Mapping[int, Mapping[str, Any]], generation: int
) -> dict[int, tuple[int, int | None]]:
    """(added, removed) of each row that had come by `generation`, as they stood then."""
    found: dict[int, tuple[int, int | None]] = {}
    for row, mark in marks.items():
        added, removed = mark.get("added"), mark.get("removed")
        if not isinstance(added, int) or not isinstance(removed, int):
            raise _wrong("added")
        if added <= generation:
            found[row] = (added, removed if removed <= generation else None)
    return found


def missing(
    own: Mapping[int, Mapping[str, Any]],
    theirs: Mapping[int, Mapping[str, Any]],
    rows: Iterable[int],
) -> Sequence[int]:
    """Which of `rows` must be fetched: not held, or with other words or another vector."""
    return [
        row
        for row in rows
        if row not in own
        or any(own[row][key] != theirs[row].get(key) for key in ("digest", "vector"))
    ]
