"""The literature's state: what was searched, what is being added, which documents there are.

Every change goes through a method of `Shelf`, which tells its one listener. A removal can be taken
back as long as the window is open, by adding the file again. Knows nothing of widgets, of threads,
or of how a library keeps its passages (`papers`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from glassllava.literature import Passage
from glassview.cards import DocumentCard
from glassview.session import Trouble


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search is narrowed to, in a person's words ("float glass", "2010-2020")."""

    material: str = ""
    process: str = ""
    years: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """One free search; `found` is None until it answered."""

    query: str = ""
    wanted: Wanted = field(default_factory=Wanted)
    is_running: bool = False
    found: tuple[Passage, ...] | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not added, or not whole, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding: documents that are new or changed, those that were there already."""

    documents: int = 0
    passages: int = 0
    unchanged: int = 0
    refused: tuple[Refused, ...] = ()
    notes: tuple[Refused, ...] = ()
    was_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """How far adding has come: file `number` of `total`, and how far `within` it, in words."""

    number: int
    total: int
    name: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class Adding:
    """Papers on their way in; `result` once they are through."""

    is_running: bool = False
    is_stopping: bool = False
    step: Step | None = None
    result: Added | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """The documents; None until the library was asked. `removed` can be taken back."""

    cards: tuple[DocumentCard, ...] | None = None
    removed: tuple[DocumentCard, ...] = ()
    busy: frozenset[str] = frozenset()  # keys that are just being removed
    readonly: str = ""  # why nothing can be added
    trouble: Trouble | None = None


class Shelf:
    """What the literature panel knows; `on_change` hears of every change."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.on_change = on_change
        self.search = Search()
        self.adding = Adding()
        self.held = Held()

    # -- searching -----------------------------------------------------------------------------

    def ask(self, query: str, wanted: Wanted) -> Search | None:
        """Begin a search; None where there are no words to search for."""
        query = " ".join(query.split())
        if not query:
            return None
        before = self.search.found
        self.search = Search(query, wanted, is_running=True, found=before)
        self.on_change()
        return self.search

    def answered(self, found: Sequence[Passage]) -> None:
        self.search = replace(self.search, is_running=False, found=tuple(found), trouble=None)
        self.on_change()

    def not_answered(self, trouble: Trouble) -> None:
        self.search = replace(self.search, is_running=False, found=None, trouble=trouble)
        self.on_change()

    # -- adding --------------------------------------------------------------------------------

    def begin_adding(self) -> bool:
        """False where papers are still on their way in."""
        if self.adding.is_running:
            return False
        self.adding = Adding(is_running=True)
        self.on_change()
        return True

    def came_to(self, step: Step) -> None:
        self.adding = replace(self.adding, step=step)
        self.on_change()

    def stopping(self) -> None:
        self.adding = replace(self.adding, is_stopping=True)
        self.on_change()

    def added(self, result: Added) -> None:
        self.adding = Adding(result=result)
        self.on_change()

    def not_added(self, trouble: Trouble) -> None:
        self.adding = Adding(trouble=trouble)
        self.on_change()

    def forget_added(self) -> None:
        """What was said of the last papers has been read."""
        if not self.adding.is_running:
            self.adding = Adding()
            self.on_change()

    # -- the documents -------------------------------------------------------------------------

    def listed(self, cards: Sequence[DocumentCard], readonly: str = "") -> None:
        """What the library holds now; what came back is no longer removed."""
        there = {card.key for card in cards}
        removed = tuple(card for card in self.held.removed if card.key not in there)
        self.held = Held(tuple(cards), removed, readonly=readonly)
        self.on_change()

    def not_listed(self, trouble: Trouble) -> None:
        self.held = replace(self.held, busy=frozenset(), trouble=trouble)
        self.on_change()

    def removing(self, key: str) -> DocumentCard | None:
        """The card of a document that is about to be removed; None where it may not be."""
        card = next((c for c in self.held.cards or () if c.key == key), None)
        if card is None or not card.can_remove or key in self.held.busy or self.held.readonly:
            return None
        self.held = replace(self.held, busy=self.held.busy | {key}, trouble=None)
        self.on_change()
        return card

    def gone(self, card: DocumentCard) -> None:
        """A document was removed; it can be taken back from its file."""
        self.held = replace(
            self.held,
            cards=tuple(c for c in self.held.cards or () if c.key != card.key),
            removed=(*self.held.removed, card),
            busy=self.held.busy - {card.key},
        )
        self.on_change()

    def taken_back(self, key: str) -> Path | None:
        """The file of a removed document, to be added again."""
        return next((Path(c.path) for c in self.held.removed if c.key == key), None)


# -- in words ----------------------------------------------------------------------------------


def adding_words(adding: Adding) -> str:
    """What the strip under the panel says of papers on their way in."""
    if adding.is_stopping:
        return "Stopping after what is being read …"
    if adding.is_running:
        if adding.step is None:
            return "Looking for papers …"
        step = adding.step
        within = f", {step.within}" if step.within else ""
        return f"{step.number} of {step.total}: {step.name}{within}"
    if adding.trouble is not None:
        return f"{adding.trouble.what}. {adding.trouble.remedy}".strip()
    result = adding.result
    if result is None:
        return ""
    told = []
    if result.documents:
        told.append(
            f"{_count(result.documents, 'document')} added ({_count(result.passages, 'passage')})"
        )
    if result.unchanged:
        told.append(f"{_count(result.unchanged, 'document')} already there")
    if result.refused:
        told.append(f"{_count(len(result.refused), 'file')} not added")
    words = ", ".join(told) or "There was nothing to add"
    return f"Stopped: {words}" if result.was_stopped else words


def adding_share(adding: Adding) -> float | None:
    """How much is done, 0 to 1; None where that is not known yet or nothing runs."""
    step = adding.step
    if not adding.is_running or step is None or not step.total:
        return None
    return (step.number - 1) / step.total


def nothing_words(search: Search) -> str:
    """What stands in place of results."""
    if search.is_running:
        return "Searching …"
    if search.found is None:
        return "Search the library by a question or a few words: what does it look like, and where?"
    if search.found:
        return ""
    narrowed = " with these bounds" if search.wanted != Wanted() else ""
    return f"No evidence found: nothing in the library answers this{narrowed}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
