"""What the manifest holds at one generation: every passage with its vector, and when it lived.

The shape that searches and the index work on. Knows nothing of SQLite, files or Chroma.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassllava.literature import Passage
from rag.passages import Entry

#: "removed" of a passage that is alive, where null cannot stand.
NEVER = 2**53


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage's row without its vector; `removed` is None while it is alive."""

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


def stored(row: tuple[Any, ...]) -> StoredPassage:
    """A row of the table of passages, in the order in which the manifest selects it."""
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
