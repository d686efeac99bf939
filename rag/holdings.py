"""What the manifest holds at one generation: every passage with its vector, and when it lived.

The shape that searches and the index work on. Knows nothing of SQLite, files or Chroma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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
