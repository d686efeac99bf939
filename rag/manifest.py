"""The truth of a library: one SQLite file with every passage, its vector, and its generations.

Each change makes a new generation. A passage carries the generation in which it came and the one
in which it went, so that a run may keep searching the library as it was when the run began. Any
process may write here: SQLite lets one in at a time. Knows nothing of Chroma or of the embedder.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import LiteratureUnavailable
from glassllava.literature import Passage
from rag.passages import Document, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE = "manifest.sqlite"
_SCHEMA = 1
#: "removed" of a passage that is alive, where null cannot stand.
NEVER = 2**53
_TABLES = """
CREATE TABLE state (generation INTEGER NOT NULL);
INSERT INTO state VALUES (0);
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, title TEXT NOT NULL,
    path TEXT NOT NULL, sha256 TEXT NOT NULL, added INTEGER NOT NULL, removed INTEGER);
CREATE TABLE passages (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents,
    ordinal INTEGER NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, text TEXT NOT NULL,
    title TEXT NOT NULL, authors TEXT NOT NULL, year INTEGER, doi TEXT, page INTEGER, section TEXT,
    sources TEXT NOT NULL, topics TEXT NOT NULL, materials TEXT NOT NULL,
    embedder TEXT NOT NULL, vector BLOB NOT NULL, added INTEGER NOT NULL, removed INTEGER);
CREATE INDEX passages_by_document ON passages (document, removed);
"""


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A row of the manifest without its vector; `removed` is None while it is alive."""

    row: int
    document: int
    entry: Entry
    digest: str
    added: int
    removed: int | None


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything that was ever in the library and was not purged, at one generation.

    `vectors` is (n, 384) float32, a row for each of `passages`, in order of row number; `added`
    and `removed` are (n,) int64 generations.
    """

    generation: int
    passages: tuple[StoredPassage, ...]
    vectors: np.ndarray
    added: np.ndarray
    removed: np.ndarray

    @classmethod
    def of(
        cls, generation: int, passages: tuple[StoredPassage, ...], vectors: np.ndarray
    ) -> Holdings:
        added = np.array([item.added for item in passages], np.int64)
        removed = np.array(
            [NEVER if item.removed is None else item.removed for item in passages], np.int64
        )
        return cls(generation, passages, vectors, added, removed)

    def alive(self, generation: int) -> np.ndarray:
        """(n,) bool: which passages a search pinned at `generation` may return."""
        alive: np.ndarray = (self.added <= generation) & (self.removed > generation)
        return alive


@dataclass(frozen=True, slots=True)
class DocumentRow:
    key: str
    kind: str
    title: str
    path: str
    passages: int
    with_sources: int
    added: int


class Manifest:
    """The open manifest of one folder; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = threading.RLock()
        with self._translated():
            self._db = sqlite3.connect(
                self.path, timeout=30, check_same_thread=False, isolation_level=None
            )
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with self._translated():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > _SCHEMA:
                raise LiteratureUnavailable(
                    f"This library was written by a newer GlassView (schema {version})",
                    where=self.path,
                    remedy="Update GlassView, or use another folder.",
                )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if version == 0:
                with self._transaction():
                    # Another process may have made the tables while this one waited.
                    if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
                        for statement in _TABLES.split(";\n"):
                            self._db.execute(statement)
                        self._db.execute(f"PRAGMA user_version = {_SCHEMA}")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @property
    def generation(self) -> int:
        with self._translated():
            return int(self._db.execute("SELECT generation FROM state").fetchone()[0])

    def digest_of(self, key: str) -> str | None:
        """The hash of the document's bytes as it stands in the library; None if it does not."""
        with self._translated():
            found = self._db.execute(
                "SELECT sha256 FROM documents WHERE key = ? AND removed IS NULL", (key,)
            ).fetchone()
        return found[0] if found else None

    def replace(
        self,
        document: Document,
        encode: Callable[[list[str]], np.ndarray],
        fingerprint: str,
    ) -> tuple[int, int]:
        """Make the library hold exactly this version of the document; (added, removed) passages.

        Passages that did not change keep their rows; only new ones are embedded, outside the
        transaction, so that other processes are not kept waiting.
        """
        known = set(self._alive_rows(document.key))
        new = [entry for entry in document.entries if entry.digest not in known]
        vectors = dict(
            zip(
                (entry.digest for entry in new),
                encode([entry.passage.text for entry in new]),
                strict=True,
            )
        )
        with self._translated(), self._transaction():
            if self.digest_of(document.key) == document.sha256:
                return 0, 0  # another process was quicker
            generation = self.generation + 1
            rows = self._alive_rows(document.key)
            number = self._enter(document, generation)
            wanted = {entry.digest for entry in document.entries}
            gone = [row for digest, row in rows.items() if digest not in wanted]
            self._db.executemany(
                "UPDATE passages SET removed = ? WHERE row = ?", [(generation, row) for row in gone]
            )
            added = 0
            for ordinal, entry in enumerate(document.entries):
                if entry.digest in rows:
                    continue
                vector = vectors.get(entry.digest)
                if vector is None:  # another process removed it while we embedded
                    vector = encode([entry.passage.text])[0]
                self._insert(number, ordinal, entry, fingerprint, vector, generation)
                added += 1
            self._db.execute("UPDATE state SET generation = ?", (generation,))
        return added, len(gone)

    def remove(self, key: str) -> int:
        """Hide a document from the next generation on; the number of its passages."""
        with self._translated(), self._transaction():
            generation = self.generation + 1
            count = self._db.execute(
                "UPDATE passages SET removed = ? WHERE removed IS NULL AND document IN"
                " (SELECT number FROM documents WHERE key = ? AND removed IS NULL)",
                (generation, key),
            ).rowcount
            self._db.execute(
                "UPDATE documents SET removed = ? WHERE key = ? AND removed IS NULL",
                (generation, key),
            )
            if count:
                self._db.execute("UPDATE state SET generation = ?", (generation,))
        return count

    def refit(self, encode: Callable[[list[str]], np.ndarray], fingerprint: str) -> int:
        """Embed again what another embedder embedded; the number of such passages."""
        with self._translated():
            stale = self._db.execute(
                "SELECT row, text FROM passages WHERE embedder != ?", (fingerprint,)
            ).fetchall()
        if stale:
            vectors = encode([text for _, text in stale])
            with self._translated(), self._transaction():
                self._db.executemany(
                    "UPDATE passages SET embedder = ?, vector = ? WHERE row = ?",
                    [
                        (fingerprint, vector.astype("<f4").tobytes(), row)
                        for (row, _), vector in zip(stale, vectors, strict=True)
                    ],
                )
                self._db.execute("UPDATE state SET generation = generation + 1")
        return len(stale)

    def holdings(self) -> Holdings:
        """Everything, vectors included, read in one transaction."""
        with self._translated(), self._transaction("DEFERRED"):
            generation = self.generation
            rows = self._db.execute(
                "SELECT row, document, id, digest, text, title, authors, year, doi, page, section,"
                " sources, topics, materials, added, removed, vector FROM passages ORDER BY row"
            ).fetchall()
        try:
            passages = tuple(_stored(row) for row in rows)
            vectors = np.array([np.frombuffer(row[-1], "<f4") for row in rows], np.float32)
        except ValueError as error:
            raise self._damaged(error) from error
        return Holdings.of(generation, passages, vectors)

    def documents(self) -> list[DocumentRow]:
        """What the library holds now, the primer first."""
        with self._translated():
            rows = self._db.execute(
                "SELECT d.key, d.kind, d.title, d.path, COUNT(p.row), SUM(p.sources != '[]'),"
                " d.added FROM documents d JOIN passages p ON p.document = d.number"
                " WHERE d.removed IS NULL AND p.removed IS NULL GROUP BY d.number"
                " ORDER BY d.kind != 'primer', d.title"
            ).fetchall()
        return [DocumentRow(*row) for row in rows]

    def whole(self) -> bool:
        """Whether SQLite finds its own file in order (reads all of it)."""
        with self._translated():
            return bool(self._db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")

    def _alive_rows(self, key: str) -> dict[str, int]:
        with self._translated():
            rows = self._db.execute(
                "SELECT p.digest, p.row FROM passages p JOIN documents d ON p.document = d.number"
                " WHERE d.key = ? AND p.removed IS NULL",
                (key,),
            ).fetchall()
        return dict(rows)

    def _enter(self, document: Document, generation: int) -> int:
        told = (document.kind, document.title, document.path, document.sha256, generation)
        self._db.execute(
            "INSERT INTO documents (kind, title, path, sha256, added, key)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
            " kind = excluded.kind, title = excluded.title,"
            " path = excluded.path, sha256 = excluded.sha256, added = excluded.added,"
            " removed = NULL",
            (*told, document.key),
        )
        found = self._db.execute("SELECT number FROM documents WHERE key = ?", (document.key,))
        return int(found.fetchone()[0])

    def _insert(
        self,
        document: int,
        ordinal: int,
        entry: Entry,
        fingerprint: str,
        vector: np.ndarray,
        generation: int,
    ) -> None:
        passage = entry.passage
        self._db.execute(
            "INSERT INTO passages (document, ordinal, id, digest, text, title, authors, year, doi,"
            " page, section, sources, topics, materials, embedder, vector, added)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                json.dumps(passage.sources, ensure_ascii=False),
                json.dumps(entry.topics),
                json.dumps(entry.materials),
                fingerprint,
                vector.astype("<f4").tobytes(),
                generation,
            ),
        )

    @contextlib.contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        with self._lock:
            self._db.execute(f"BEGIN {kind}")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's errors in the product's words; one thread at a time uses the connection."""
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as error:
                locked = "locked" in str(error)
                raise LiteratureUnavailable(
                    f"The library cannot be used ({error})",
                    where=self.path,
                    remedy="Another process is writing; try again."
                    if locked
                    else "Check that the folder is there, can be written and has free space.",
                    retry=locked,
                ) from error
            except sqlite3.DatabaseError as error:
                raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> LiteratureUnavailable:
        return LiteratureUnavailable(
            f"The library's manifest is damaged ({error})",
            where=self.path,
            remedy="Move the folder away and add your own texts again; the primer comes by itself.",
        )


def _stored(row: tuple[Any, ...]) -> StoredPassage:
    number, document, id_, digest, text, title, authors, year, doi, page, section = row[:11]
    sources, topics, materials, added, removed = row[11:16]
    passage = Passage(
        id=id_,
        text=text,
        title=title,
        authors=authors,
        year=year,
        doi=doi,
        page=page,
        section=section,
        sources=tuple(json.loads(sources)),
    )
    entry = Entry(passage, tuple(json.loads(topics)), tuple(json.loads(materials)))
    return StoredPassage(number, document, entry, digest, added, removed)
