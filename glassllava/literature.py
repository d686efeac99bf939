"""What the ground knows of literature: passages, citations, and one method to ask for them.

Where passages come from (an index, a server, nothing at all) is not known here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Passage:
    """Words of a paper, with the page they stand on.

    `sources` are records that the author of the passage had seen, as printable references; empty
    means that none was checked. `score` is the retriever's own (higher is nearer), and compares
    only within one answer. `kind` is "text", "abstract" or "caption" (the words under a figure).
    """

    id: str
    text: str
    title: str
    authors: str = ""
    year: int | None = None
    doi: str | None = None
    page: int | None = None
    section: str | None = None
    sources: tuple[str, ...] = ()
    score: float | None = None
    kind: str = "text"

    @property
    def locator(self) -> str:
        """What a reader types or turns to: 'Title, p. 7' or 'GlassView primer, section 12'."""
        if self.page is not None:
            return f"{self.title}, p. {self.page}"
        if self.section:
            return f"{self.title}, section {self.section}"
        return self.title

    def to_json(self) -> dict[str, Any]:
        data = asdict(self) | {"sources": list(self.sources)}
        if self.kind == "text":
            # Records that were kept before there were kinds keep their hash.
            del data["kind"]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Passage:
        return cls(**{**data, "sources": tuple(data.get("sources", ()))})


@dataclass(frozen=True, slots=True)
class Citation:
    """The pointer from an answer to a passage that was in its prompt."""

    number: int
    passage_id: str
    locator: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A passage that was found and not given to the model, and why."""

    passage_id: str
    locator: str
    reason: str


class Literature(Protocol):
    """Anything that finds passages."""

    def search(self, query: str, limit: int) -> tuple[Passage, ...]:
        """The passages nearest to `query`, best first; empty when there is no evidence."""
        ...


class NoLiterature:
    """A literature that knows nothing, for contexts that are not to be told."""

    def search(self, query: str, limit: int) -> tuple[Passage, ...]:
        return ()
