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
from typing import TYPE_CHECKING

import numpy as np

from glassllava.errors import LiteratureUnavailable
from rag import plates, schema
from rag.holdings import Holdings, stored
from rag.passages import Document, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE = "manifest.sqlite"


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document that is in the library now, and how much of it there is."""

    key: str
    kind: str
    title: str
    path: str
    passages: int
    with_sources: int
    added: int
    sha256: str = ""
    authors: str = ""
    year: int | None = None
    doi: str | None = None
    licence: str | None = None
    pages: int | None = None
    figures: int = 0


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
            version = schema.version_of(self._db)
            if version > schema.VERSION:
                raise LiteratureUnavailable(
                    f"This library was written by a newer GlassView (schema {version})",
                    where=self.path,
                    remedy="Update GlassView, or use another folder.",
                )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA secure_delete = ON")  # what is purged leaves no bytes behind
            if version < schema.VERSION:
                # Another process may do the same while this one waits: each step asks again.
                with self._transaction():
                    schema.bring_up(self._db)

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

    def made_of(self, key: str) -> str | None:
        """The hash of all that the document's passages were made from; None if it is not there."""
        with self._translated():
            found = self._db.execute(
                "SELECT made FROM documents WHERE key = ? AND removed IS NULL", (key,)
            ).fetchone()
        return found[0] if found else None

    def held_as(self, sha256: str) -> str | None:
        """The key under which a file with these bytes is in the library now, if it is."""
        with self._translated():
            found = self._db.execute(
                "SELECT key FROM documents WHERE sha256 = ? AND removed IS NULL ORDER BY number",
                (sha256,),
            ).fetchone()
        return found[0] if found else None

    def move(self, key: str, new: str, path: str) -> bool:
        """Call a document by another key: its file has moved. False if `new` is in use.

        What is cited does not change, so neither does the generation.
        """
        with self._translated(), self._transaction():
            if self._db.execute("SELECT 1 FROM documents WHERE key = ?", (new,)).fetchone():
                return False
            self._db.execute(
                "UPDATE documents SET key = ?, path = ? WHERE key = ?", (new, path, key)
            )
        return True

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
        # A new title or author changes a passage, not its words: their vector is still right.
        by_text = self._vectors_of(document.key, fingerprint)
        unknown = [entry for entry in new if entry.passage.text not in by_text]
        texts = [entry.passage.text for entry in unknown]
        by_text.update(zip(texts, encode(texts) if texts else (), strict=True))
        with self._translated(), self._transaction():
            if self.made_of(document.key) == document.made:
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
                vector = by_text.get(entry.passage.text)
                if vector is None:  # another process removed it while we embedded
                    vector = encode([entry.passage.text])[0]
                self._insert(number, ordinal, entry, fingerprint, vector, generation)
                added += 1
            plates.hold(self._db, number, document.figures, generation)
            self._db.execute("UPDATE state SET generation = ?", (generation,))
        return added, len(gone)

    def remove(self, key: str) -> int:
        """Hide a document from the next generation on; the number of its passages."""
        with self._translated(), self._transaction():
            generation = self.generation + 1
            there = "document IN (SELECT number FROM documents WHERE key = ? AND removed IS NULL)"
            count = 0
            for table in ("figures", "passages"):
                count = self._db.execute(
                    f"UPDATE {table} SET removed = ? WHERE removed IS NULL AND {there}",  # noqa: S608
                    (generation, key),
                ).rowcount
            gone = self._db.execute(
                "UPDATE documents SET removed = ? WHERE key = ? AND removed IS NULL",
                (generation, key),
            ).rowcount
            if gone:
                self._db.execute("UPDATE state SET generation = ?", (generation,))
        return count

    def purge(self, key: str) -> int:
        """Erase a document, every version of it that a run may have pinned; how many passages.

        The bytes are overwritten in the file. That something is gone is remembered, not what.
        """
        with self._translated():
            with self._transaction():
                found = self._db.execute(
                    "SELECT number FROM documents WHERE key = ?", (key,)
                ).fetchone()
                if not found:
                    return 0
                count, first, last = self._db.execute(
                    "SELECT COUNT(*), MIN(added), MAX(COALESCE(removed - 1, ?)) FROM passages"
                    " WHERE document = ?",
                    (self.generation, found[0]),
                ).fetchone()
                plates.erase_of(self._db, found[0])
                self._db.execute("DELETE FROM passages WHERE document = ?", found)
                self._db.execute("DELETE FROM documents WHERE number = ?", found)
                if count:
                    self._db.execute("INSERT INTO purges VALUES (?, ?, ?)", (first, last, count))
                self._db.execute("UPDATE state SET generation = generation + 1")
            # The journal holds the pages as they were, until it is folded in.
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(count)

    def purged_at(self, generation: int) -> int:
        """How many passages a search pinned at `generation` may have lost to purges."""
        with self._translated():
            found = self._db.execute(
                "SELECT COALESCE(SUM(passages), 0) FROM purges WHERE first <= ? AND last >= ?",
                (generation, generation),
            ).fetchone()
        return int(found[0])

    def figures(self) -> tuple[plates.StoredFigure, ...]:
        """Every figure that was ever in the library and was not purged, in order of row number."""
        with self._translated():
            return plates.stored(self._db)

    def picture(self, sha256: str) -> tuple[str, bytes] | None:
        """The media type and the bytes of a figure's picture; None if it is not kept."""
        with self._translated():
            found = self._db.execute(
                "SELECT media, data FROM pictures WHERE sha256 = ?", (sha256,)
            ).fetchone()
        return (found[0], found[1]) if found else None

    def embed_figures(self, fingerprint: str, vectors: dict[int, np.ndarray]) -> None:
        """Keep a vector for each row number of a figure; the generation stays as it is."""
        with self._translated(), self._transaction():
            plates.embed(self._db, fingerprint, vectors)

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
                " kind, sources, topics, materials, added, removed, vector FROM passages ORDER BY row"
            ).fetchall()
        try:
            passages = tuple(stored(row) for row in rows)
            vectors = np.array([np.frombuffer(row[-1], "<f4") for row in rows], np.float32)
        except ValueError as error:
            raise self._damaged(error) from error
        return Holdings.of(generation, passages, vectors)

    def documents(self) -> list[DocumentRow]:
        """What the library holds now, the primer first."""
        with self._translated():
            rows = self._db.execute(
                "SELECT d.key, d.kind, d.title, d.path, COUNT(p.row),"
                " COALESCE(SUM(p.sources != '[]'), 0),"
                " d.added, d.sha256, d.authors, d.year, d.doi, d.licence, d.pages,"
                " (SELECT COUNT(*) FROM figures f WHERE f.document = d.number"
                " AND f.removed IS NULL)"
                " FROM documents d LEFT JOIN passages p"
                " ON p.document = d.number AND p.removed IS NULL"
                " WHERE d.removed IS NULL GROUP BY d.number"
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

    def _vectors_of(self, key: str, fingerprint: str) -> dict[str, np.ndarray]:
        """The vectors of a document's living passages by their words."""
        with self._translated():
            rows = self._db.execute(
                "SELECT p.text, p.vector FROM passages p JOIN documents d ON p.document = d.number"
                " WHERE d.key = ? AND p.removed IS NULL AND p.embedder = ?",
                (key, fingerprint),
            ).fetchall()
        return {text: np.frombuffer(vector, "<f4") for text, vector in rows}

    def _enter(self, document: Document, generation: int) -> int:
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
            "added": generation,
        }
        changes = ", ".join(f"{name} = excluded.{name}" for name in told if name != "key")
        self._db.execute(
            f"INSERT INTO documents ({', '.join(told)}) VALUES (:{', :'.join(told)})"  # noqa: S608
            f" ON CONFLICT (key) DO UPDATE SET {changes}, removed = NULL",
            told,
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
