"""The truth of a library: one SQLite file with every passage, its vector, and its generations.

Each change makes a new generation. A passage carries the generation in which it came and the one
in which it went, so that a run may keep searching the library as it was when the run began. Any
process may write here: SQLite lets one in at a time. Knows nothing of Chroma or of the embedder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rag import mirror, plates
from rag.database import Database
from rag.holdings import Holdings
from rag.rows import PASSAGE, enter, insert, stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rag.holdings import StoredPassage
    from rag.index.server import Row
    from rag.passages import Document

    Encode = Callable[[list[str]], np.ndarray]

FILE = "manifest.sqlite"


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document that is in the library now, and how much of it there is.

    `record` is what a bibliography said of it, as JSON; None if nothing did.
    """

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
    reader: str = ""
    record: str | None = None


class Manifest:
    """The open manifest of one folder; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._db = Database(self.path)

    @property
    def readonly(self) -> str:
        """Why nothing can be written; empty where something can."""
        return self._db.readonly

    def close(self) -> None:
        self._db.close()

    @property
    def generation(self) -> int:
        return int(self._db.rows("SELECT generation FROM state")[0][0])

    def name(self, name: str) -> str | None:
        """What is kept under a name there is one of; None if nothing is."""
        found = self._db.row("SELECT value FROM names WHERE name = ?", (name,))
        return found[0] if found else None

    def call(self, name: str, value: str) -> None:
        with self._db.writing() as database:
            database.execute("INSERT OR REPLACE INTO names VALUES (?, ?)", (name, value))

    def digest_of(self, key: str) -> str | None:
        """The hash of the document's bytes as it stands in the library; None if it does not."""
        return self._told_of(key, "sha256")

    def made_of(self, key: str) -> str | None:
        """The hash of all that the document's passages were made from; None if it is not there."""
        return self._told_of(key, "made")

    def _told_of(self, key: str, column: str) -> str | None:
        found = self._db.row(
            f"SELECT {column} FROM documents WHERE key = ? AND removed IS NULL",  # noqa: S608
            (key,),
        )
        return found[0] if found else None

    def held_as(self, sha256: str) -> str | None:
        """The key under which a file with these bytes is in the library now, if it is."""
        found = self._db.row(
            "SELECT key FROM documents WHERE sha256 = ? AND removed IS NULL ORDER BY number",
            (sha256,),
        )
        return found[0] if found else None

    def move(self, key: str, new: str, path: str) -> bool:
        """Call a document by another key: its file has moved. False if `new` is in the library.

        What is cited does not change, so neither does the generation. What was once removed under
        the new key keeps its passages, for those who pinned them, under a key of its own.
        """
        with self._db.writing() as database:
            found = self._db.row("SELECT number, removed FROM documents WHERE key = ?", (new,))
            if found and found[1] is None:
                return False
            if found:
                database.execute(
                    "UPDATE documents SET key = ? WHERE number = ?",
                    (f"{new} (removed {found[0]})", found[0]),
                )
            database.execute(
                "UPDATE documents SET key = ?, path = ? WHERE key = ?", (new, path, key)
            )
        return True

    def replace(
        self, document: Document, encode: Encode, fingerprint: str, record: str | None = None
    ) -> tuple[int, int]:
        """Make the library hold exactly this version of the document; (added, removed) passages.

        Passages that did not change keep their rows; only new words are embedded, outside the
        transaction, so that other processes are not kept waiting.
        """
        known = set(self._alive_rows(document.key))
        new = [entry for entry in document.entries if entry.digest not in known]
        # A new title or author changes a passage, not its words: their vector is still right.
        by_text = self._vectors_of(document.key, fingerprint)
        texts = [t for t in dict.fromkeys(e.passage.text for e in new) if t not in by_text]
        by_text.update(zip(texts, encode(texts) if texts else (), strict=True))
        with self._db.writing() as database:
            if self.made_of(document.key) == document.made:
                return 0, 0  # another process was quicker
            generation = self.generation + 1
            rows = self._alive_rows(document.key)
            number = enter(database, document, generation, record)
            wanted = {entry.digest for entry in document.entries}
            gone = [row for digest, row in rows.items() if digest not in wanted]
            database.executemany(
                "UPDATE passages SET removed = ? WHERE row = ?", [(generation, row) for row in gone]
            )
            added = 0
            for ordinal, entry in enumerate(document.entries):
                if (row := rows.get(entry.digest)) is not None:
                    database.execute(
                        "UPDATE passages SET ordinal = ? WHERE row = ?", (ordinal, row)
                    )
                    continue
                vector = by_text.get(entry.passage.text)
                if vector is None:  # it stood there, of another embedder, and was removed meanwhile
                    vector = encode([entry.passage.text])[0]
                insert(database, number, ordinal, entry, fingerprint, vector, generation)
                added += 1
            plates.hold(database, number, document.figures, generation)
            database.execute("UPDATE state SET generation = ?", (generation,))
        return added, len(gone)

    def describe(self, key: str, record: str | None) -> None:
        """Keep what a bibliography says of a document where it changes nothing that is cited."""
        with self._db.writing() as database:
            database.execute("UPDATE documents SET record = ? WHERE key = ?", (record, key))

    def remove(self, key: str) -> int:
        """Hide a document from the next generation on; the number of its passages."""
        with self._db.writing() as database:
            generation = self.generation + 1
            there = "document IN (SELECT number FROM documents WHERE key = ? AND removed IS NULL)"
            count = 0
            for table in ("figures", "passages"):
                count = database.execute(
                    f"UPDATE {table} SET removed = ? WHERE removed IS NULL AND {there}",  # noqa: S608
                    (generation, key),
                ).rowcount
            gone = database.execute(
                "UPDATE documents SET removed = ? WHERE key = ? AND removed IS NULL",
                (generation, key),
            ).rowcount
            if gone:
                database.execute("UPDATE state SET generation = ?", (generation,))
        return count

    def purge(self, key: str) -> int:
        """Erase a document, every version of it that a run may have pinned; how many passages.

        The bytes are overwritten in the file. That something is gone is remembered, not what.
        """
        with self._db.writing() as database:
            found = self._db.row("SELECT number FROM documents WHERE key = ?", (key,))
            if not found:
                return 0
            count, first, last = database.execute(
                "SELECT COUNT(*), MIN(added), MAX(COALESCE(removed - 1, ?)) FROM passages"
                " WHERE document = ?",
                (self.generation, found[0]),
            ).fetchone()
            plates.erase_of(database, found[0])
            database.execute("DELETE FROM passages WHERE document = ?", found)
            database.execute("DELETE FROM documents WHERE number = ?", found)
            if count:
                database.execute("INSERT INTO purges VALUES (?, ?, ?)", (first, last, count))
            database.execute("UPDATE state SET generation = generation + 1")
        self._db.fold_in()
        return int(count)

    def purged_at(self, generation: int) -> int:
        """How many passages a search pinned at `generation` may have lost to purges."""
        found = self._db.rows(
            "SELECT COALESCE(SUM(passages), 0) FROM purges WHERE first <= ? AND last >= ?",
            (generation, generation),
        )
        return int(found[0][0])

    def figures(self) -> tuple[plates.StoredFigure, ...]:
        """Every figure that was ever in the library and was not purged, in order of row number."""
        with self._db.reading() as database:
            return plates.stored(database)

    def picture(self, sha256: str) -> tuple[str, bytes] | None:
        """The media type and the bytes of a figure's picture; None if it is not kept."""
        found = self._db.row("SELECT media, data FROM pictures WHERE sha256 = ?", (sha256,))
        return (found[0], found[1]) if found else None

    def embed_figures(self, fingerprint: str, vectors: dict[int, np.ndarray]) -> None:
        """Keep a vector for each row number of a figure; the generation stays as it is."""
        with self._db.writing() as database:
            plates.embed(database, fingerprint, vectors)

    def refit(self, encode: Encode, fingerprint: str, rows: Sequence[int] | None = None) -> int:
        """Embed again what another embedder embedded, or these rows; the number of passages."""
        if rows is None:
            which = "embedder != ?"
            stale = self._db.rows(f"SELECT row, text FROM passages WHERE {which}", (fingerprint,))  # noqa: S608
        else:
            wanted = set(rows)
            told = self._db.rows("SELECT row, text FROM passages")
            stale = [(row, text) for row, text in told if row in wanted]
        if stale:
            vectors = encode([text for _, text in stale])
            with self._db.writing() as database:
                database.executemany(
                    "UPDATE passages SET embedder = ?, vector = ? WHERE row = ?",
                    [
                        (fingerprint, vector.astype("<f4").tobytes(), row)
                        for (row, _), vector in zip(stale, vectors, strict=True)
                    ],
                )
                database.execute("UPDATE state SET generation = generation + 1")
        return len(stale)

    def holdings(self) -> Holdings:
        """Everything, vectors included, read in one transaction."""
        with self._db.reading() as database:
            return self._held(database)

    def _held(self, database: sqlite3.Connection) -> Holdings:
        generation = int(database.execute("SELECT generation FROM state").fetchone()[0])
        rows = database.execute(
            f"SELECT {PASSAGE}, p.vector FROM passages p ORDER BY p.row"  # noqa: S608
        ).fetchall()
        try:
            passages = tuple(stored(row) for row in rows)
            vectors = np.array([np.frombuffer(row[-1], "<f4") for row in rows], np.float32)
        except ValueError as error:
            raise self._db.damaged(error) from error
        return Holdings.of(generation, passages, vectors)

    def passages_of(self, key: str) -> tuple[StoredPassage, ...]:
        """A document's living passages in the order in which they are read."""
        rows = self._db.rows(
            f"SELECT {PASSAGE} FROM passages p JOIN documents d ON p.document = d.number"  # noqa: S608
            " WHERE d.key = ? AND d.removed IS NULL AND p.removed IS NULL ORDER BY p.ordinal",
            (key,),
        )
        return tuple(stored(row) for row in rows)

    def passage(self, id_: str) -> tuple[str, StoredPassage] | None:
        """The living passage of this id, after its document's key; None if there is none."""
        row = self._db.row(
            f"SELECT {PASSAGE}, d.key FROM passages p JOIN documents d ON p.document = d.number"  # noqa: S608
            " WHERE p.id = ? AND p.removed IS NULL ORDER BY p.row",
            (id_,),
        )
        return (row[-1], stored(row)) if row else None

    def keys_like(self, words: str, path: str, *, removed: bool = False) -> list[str]:
        """Keys of documents that `words` names: as key, title, DOI or a passage's id; or `path`.

        Those that were removed are found too where they are asked for.
        """
        rows = self._db.rows(
            "SELECT DISTINCT d.key FROM documents d LEFT JOIN passages p ON p.document = d.number"
            " AND (?3 OR p.removed IS NULL) WHERE (?3 OR d.removed IS NULL) AND (d.key = ?1"
            " OR d.key = 'file:' || ?2 OR d.path = ?2 OR d.title = ?1 COLLATE NOCASE"
            " OR d.doi = ?1 COLLATE NOCASE OR p.id = ?1)",
            (words, path, removed),
        )
        return [row[0] for row in rows]

    def documents(self) -> list[DocumentRow]:
        """What the library holds now, the primer first."""
        rows = self._db.rows(
            "SELECT d.key, d.kind, d.title, d.path, COUNT(p.row),"
            " COALESCE(SUM(p.sources != '[]'), 0),"
            " d.added, d.sha256, d.authors, d.year, d.doi, d.licence, d.pages,"
            " (SELECT COUNT(*) FROM figures f WHERE f.document = d.number"
            " AND f.removed IS NULL), d.reader, d.record"
            " FROM documents d LEFT JOIN passages p"
            " ON p.document = d.number AND p.removed IS NULL"
            " WHERE d.removed IS NULL GROUP BY d.number"
            " ORDER BY d.kind != 'primer', d.title, d.number"
        )
        return [DocumentRow(*row) for row in rows]

    def stale(self, fingerprint: str) -> int:
        """How many passages another embedder embedded."""
        found = self._db.rows("SELECT COUNT(*) FROM passages WHERE embedder != ?", (fingerprint,))
        return int(found[0][0])

    def torn(self, width: int) -> list[int]:
        """Row numbers of passages whose vector is not `width` numbers long."""
        found = self._db.rows("SELECT row FROM passages WHERE length(vector) != ?", (4 * width,))
        return [row[0] for row in found]

    def doubt(self, rows: Mapping[int, str]) -> list[str]:
        """Have the documents of these rows read again by the next `add`; their keys.

        `rows` gives the digest of what a row now holds, which is not what was once read.
        """
        keys = []
        with self._db.writing() as database:
            for row, digest in rows.items():
                found = database.execute(
                    "SELECT d.number, d.key FROM documents d JOIN passages p"
                    " ON p.document = d.number WHERE p.row = ?",
                    (row,),
                ).fetchone()
                database.execute("UPDATE passages SET digest = ? WHERE row = ?", (digest, row))
                database.execute(
                    "UPDATE documents SET made = '', sha256 = '' WHERE number = ?", found[:1]
                )
                keys.append(found[1])
        return sorted(set(keys))

    def whole(self) -> bool:
        """Whether SQLite finds its own file in order (reads all of it)."""
        return bool(self._db.rows("PRAGMA integrity_check(1)")[0][0] == "ok")

    def reindex(self) -> None:
        """Make SQLite's own indices anew from the rows."""
        with self._db.writing() as database:
            database.execute("REINDEX")

    def copy(self) -> tuple[mirror.Copy, dict[int, dict[str, Any]], Holdings]:
        """What another manifest needs to become this one, at one moment."""
        with self._db.reading() as database:
            copied, told = mirror.copy(database)
            return copied, told, self._held(database)

    def become(
        self,
        copied: mirror.Copy,
        lives: Mapping[int, tuple[int, int | None]],
        rows: Iterable[Row],
    ) -> None:
        """Hold what another manifest held, and nothing else; its figures are not handed over."""
        with self._db.writing() as database:
            mirror.take(database, copied, lives, rows)
        self._db.fold_in()

    def _alive_rows(self, key: str) -> dict[str, int]:
        rows = self._db.rows(
            "SELECT p.digest, p.row FROM passages p JOIN documents d ON p.document = d.number"
            " WHERE d.key = ? AND p.removed IS NULL",
            (key,),
        )
        return dict(rows)  # type: ignore[arg-type]

    def _vectors_of(self, key: str, fingerprint: str) -> dict[str, np.ndarray]:
        """The vectors of a document's passages by their words, those of older versions too."""
        rows = self._db.rows(
            "SELECT p.text, p.vector FROM passages p JOIN documents d ON p.document = d.number"
            " WHERE d.key = ? AND p.embedder = ?",
            (key, fingerprint),
        )
        return {text: np.frombuffer(vector, "<f4") for text, vector in rows}
