"""The figures of documents as the manifest keeps them: pictures once by hash, places, vectors.

Works inside the manifest's transactions, on its connection. Does not know how a figure was found
in a paper, nor how one is searched for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    import numpy as np

    from rag.passages import Figure, Picture


@dataclass(frozen=True, slots=True)
class StoredFigure:
    """A published figure without its pixels; `removed` is None while it is alive.

    `box` is (left, top, right, bottom) in points from the top left corner of the page; `picture`
    and `originals` are hashes for `Manifest.picture`. `vector` is the picture's embedding as
    float32 under the fingerprint `embedder`, or None.
    """

    row: int
    document: int
    id: str
    page: int | None
    label: str
    caption: str
    passage_id: str | None
    box: tuple[float, float, float, float]
    picture: str
    width: int
    height: int
    originals: tuple[str, ...]
    title: str
    authors: str
    year: int | None
    doi: str | None
    path: str
    embedder: str | None
    vector: np.ndarray | None
    added: int
    removed: int | None


def hold(
    database: sqlite3.Connection, document: int, figures: Iterable[Figure], generation: int
) -> int:
    """Make a document show exactly these figures from `generation` on; how many came or went."""
    rows = dict(
        database.execute(
            "SELECT digest, row FROM figures WHERE document = ? AND removed IS NULL", (document,)
        ).fetchall()
    )
    changes = 0
    wanted = set()
    for ordinal, figure in enumerate(figures):
        wanted.add(figure.digest)
        if figure.digest in rows:
            continue
        for picture in (figure.picture, *figure.originals):
            _keep(database, picture)
        database.execute(
            "INSERT INTO figures (document, ordinal, id, digest, page, label, caption, passage,"
            " box, picture, originals, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                document,
                ordinal,
                figure.id,
                figure.digest,
                figure.page,
                figure.label,
                figure.caption,
                figure.passage_id,
                json.dumps(figure.box),
                figure.picture.sha256,
                json.dumps([picture.sha256 for picture in figure.originals]),
                generation,
            ),
        )
        changes += 1
    gone = [row for digest, row in rows.items() if digest not in wanted]
    database.executemany(
        "UPDATE figures SET removed = ? WHERE row = ?", [(generation, row) for row in gone]
    )
    return changes + len(gone)


def _keep(database: sqlite3.Connection, picture: Picture) -> None:
    database.execute(
        "INSERT OR IGNORE INTO pictures (sha256, media, width, height, data)"
        " VALUES (?, ?, ?, ?, ?)",
        (picture.sha256, picture.media, picture.width, picture.height, picture.data),
    )


def stored(database: sqlite3.Connection) -> tuple[StoredFigure, ...]:
    """Every figure that was ever in the library and was not purged, in order of row number."""
    rows = database.execute(
        "SELECT f.row, f.document, f.id, f.page, f.label, f.caption, f.passage, f.box, f.picture,"
        " p.width, p.height, f.originals, d.title, d.authors, d.year, d.doi, d.path, f.embedder,"
        " f.vector, f.added, f.removed FROM figures f JOIN documents d ON f.document = d.number"
        " JOIN pictures p ON p.sha256 = f.picture ORDER BY f.row"
    ).fetchall()
    return tuple(_figure(row) for row in rows)


def _figure(row: tuple[Any, ...]) -> StoredFigure:
    import numpy as np

    told = list(row)
    told[7] = tuple(json.loads(told[7]))
    told[11] = tuple(json.loads(told[11]))
    told[18] = None if told[18] is None else np.frombuffer(told[18], "<f4").astype(np.float32)
    return StoredFigure(*told)


def embed(
    database: sqlite3.Connection, fingerprint: str, vectors: Mapping[int, np.ndarray]
) -> None:
    """Keep a vector, (d,) of any float type, for each row number of `vectors`."""
    database.executemany(
        "UPDATE figures SET embedder = ?, vector = ? WHERE row = ?",
        [(fingerprint, vector.astype("<f4").tobytes(), row) for row, vector in vectors.items()],
    )


def erase_of(database: sqlite3.Connection, document: int) -> None:
    """Erase a document's figures, and the pictures that no other figure shows."""
    database.execute("DELETE FROM figures WHERE document = ?", (document,))
    database.execute(
        "DELETE FROM pictures WHERE sha256 NOT IN (SELECT picture FROM figures UNION"
        " SELECT j.value FROM figures f, json_each(f.originals) j)"
    )
