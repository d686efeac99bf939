"""Documents and passages as rows of the manifest's tables: how one is written, and read back.

Works inside the manifest's transactions; knows no generation but the one it is given.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from glassllava.literature import Passage
from rag.holdings import StoredPassage
from rag.passages import Entry

if TYPE_CHECKING:
    import sqlite3

    import numpy as np

    from rag.passages import Document

#: What `stored` reads, of a table of passages called p.
PASSAGE = (
    "p.row, p.document, p.id, p.digest, p.text, p.title, p.authors, p.year, p.doi, p.page,"
    " p.section, p.kind, p.sources, p.topics, p.materials, p.added, p.removed"
)


def stored(row: tuple[Any, ...]) -> StoredPassage:
    """A passage from the columns of PASSAGE; what follows them is left alone."""
    number, document, id_, digest, text, title, authors, year, doi, page, section = row[:11]
    kind, sources, topics, materials, added, removed = row[11:17]
    passage = Passage(
        id=id_,
        text=text,
        title=title,
        authors=authors,
        year=year,
        doi=doi,
        page=page,
        section=section,
        kind=kind,
        sources=tuple(json.loads(sources)),
    )
    entry = Entry(passage, tuple(json.loads(topics)), tuple(json.loads(materials)))
    return StoredPassage(number, document, entry, digest, added, removed)


def enter(
    database: sqlite3.Connection, document: Document, generation: int, record: str | None
) -> int:
    """Keep what is known of a document; the number of its row, the old one if its key is known."""
    told = {
        "key": document.key,
        "kind": document.kind,
        "title": document.title,
        "path": document.path,
        "sha256": document.sha256,
        "authors": document.authors,
        "year": document.year,
        "doi": document.doi,
        "licence": document.licence,
        "pages": document.pages,
        "made": document.made,
        "reader": document.reader,
        "record": record,
        "added": generation,
    }
    changes = ", ".join(f"{name} = excluded.{name}" for name in told if name != "key")
    database.execute(
        f"INSERT INTO documents ({', '.join(told)}) VALUES (:{', :'.join(told)})"  # noqa: S608
        f" ON CONFLICT (key) DO UPDATE SET {changes}, removed = NULL",
        told,
    )
    found = database.execute("SELECT number FROM documents WHERE key = ?", (document.key,))
    return int(found.fetchone()[0])


def insert(
    database: sqlite3.Connection,
    document: int,
    ordinal: int,
    entry: Entry,
    fingerprint: str,
    vector: np.ndarray,
    generation: int,
) -> None:
    """A passage that is new in `generation`, as the `ordinal`-th of its document."""
    passage = entry.passage
    database.execute(
        "INSERT INTO passages (document, ordinal, id, digest, text, title, authors, year, doi,"
        " page, section, kind, sources, topics, materials, embedder, vector, added)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document,
            ordinal,
            passage.id,
            entry.digest,
            passage.text,
            passage.title,
            passage.authors,
            passage.year,
            passage.doi,
            passage.page,
            passage.section,
            passage.kind,
            json.dumps(passage.sources, ensure_ascii=False),
            json.dumps(entry.topics),
            json.dumps(entry.materials),
            fingerprint,
            vector.astype("<f4").tobytes(),
            generation,
        ),
    )
