"""A library as a run found it: searches at one generation, and what was erased of it since."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassllava.literature import Passage
    from rag.library import Library
    from rag.query import Where


class PinnedLibrary:
    """The library as it was at one generation."""

    def __init__(self, library: Library, generation: int) -> None:
        self._library = library
        self.generation = generation
        self._said = library.purged_at(generation)  # `notes` tells of these

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of answers from this generation."""
        lost = self._library.purged_at(self.generation)
        return (_purged(lost, self.generation),) if lost else ()

    def search(self, query: str, limit: int, *, where: Where | None = None) -> tuple[Passage, ...]:
        lost = self._library.purged_at(self.generation)
        if lost > self._said:  # since the last search: the run's later answers differ from it on
            logging.getLogger(__name__).warning("%s", _purged(lost, self.generation))
            self._said = lost
        return self._library.search_at(query, limit, self.generation, where=where)


def _purged(lost: int, generation: int) -> str:
    return (
        f"{lost} passages that the library held at generation {generation} have been erased since:"
        " searches pinned to it no longer find them"
    )
