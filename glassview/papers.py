"""The library as the desktop uses it: searched, listed, added to, and its papers found on disk.

Every import of a room stands inside its function, as in `rooms`. Knows no widget and no thread:
whoever calls says how far things are, and asks whether to go on, through what is handed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glassllava.errors import BadInput, LiteratureUnavailable
from glassllava.literature import Literature, Passage
from glassview.cards import DocumentCard, document_card, line
from glassview.shelf import Added, Refused, Step, Wanted

if TYPE_CHECKING:
    from rag.adding import Outcome
    from rag.library import Library
    from rag.manifest import DocumentRow

#: Results of one free search: what a person reads, not what a prompt holds.
MOST_FOUND = 20


class _Stopped(Exception):
    """The person wants no more; raised between two batches, before anything is kept."""


def search(library: Literature, query: str, wanted: Wanted) -> tuple[Passage, ...]:
    """The passages nearest to `query`, within the bounds.

    Raises
    ------
    BadInput : for a material or a process that the rules do not know, and for other years.
    LiteratureUnavailable : where the library cannot be searched.
    """
    if wanted == Wanted():
        return library.search(query, MOST_FOUND)
    from rag.query import Where

    where = Where.of(wanted.material, wanted.process, wanted.years)
    return library.search(query, MOST_FOUND, where=where)  # type: ignore[call-arg]


def passage(library: Library, passage_id: str) -> Passage:
    """One passage by its id; raises BadInput where it is no longer there."""
    return library.get(passage_id).passage


def documents(library: Library) -> tuple[tuple[DocumentCard, ...], str]:
    """What the library holds, and why nothing can be added to it; "" where something can."""
    return tuple(document_card(row) for row in library.documents()), library.readonly


def remove(library: Library, key: str) -> None:
    """Hide a document from every later search; what a run has pinned stays."""
    library.remove(key)
    library.settle()


def add(
    library: Library,
    paths: Sequence[Path],
    say: Callable[[Step], None],
    is_stopped: Callable[[], bool],
) -> Added:
    """Add files and folders, one document after the other; a file that fails stops no other.

    Where it is stopped, what was added stays, and the document at work is left out whole.

    Raises
    ------
    BadInput : for a path that is not there.
    """
    from rag.adding import add_files

    watch = _Watch(say, is_stopped)
    try:
        addition = add_files(library, paths, watch=watch)
    except _Stopped:
        added = _added(watch.outcomes, (), was_stopped=True)
    except LiteratureUnavailable as error:
        why = Refused(watch.name, f"{error.what}. {error.remedy}".strip())
        added = _added(watch.outcomes, (why,), was_stopped=True)
    else:
        passed = tuple(Refused(Path(path).name, line(why)) for path, why in addition.passed_over)
        added = _added(addition.outcomes, passed)
    library.settle()
    return added


class _Watch:
    """Hears how far an addition is, and ends it between two batches where it is to stop."""

    def __init__(self, say: Callable[[Step], None], is_stopped: Callable[[], bool]) -> None:
        self._say, self._is_stopped = say, is_stopped
        self._number = self._total = self._passages = 0
        self.name = ""
        self.outcomes: list[Outcome] = []

    def file(self, number: int, total: int, path: Path) -> None:
        self._number, self._total, self._passages = number + 1, total, 0
        self.name = path.name
        self._step()

    def pages(self, done: int, total: int) -> None:
        self._step(f"page {done:,} of {total:,}")

    def passages(self, count: int) -> None:
        self._passages += count
        self._step(f"{self._passages:,} passage{'s' if self._passages > 1 else ''}")

    def done(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def _step(self, within: str = "") -> None:
        if self._is_stopped():
            raise _Stopped
        self._say(Step(self._number, self._total, line(self.name), within))


def _added(
    outcomes: Sequence[Outcome], refused: tuple[Refused, ...], *, was_stopped: bool = False
) -> Added:
    failed = tuple(
        Refused(Path(each.path).name, f"{each.reason}. {each.remedy}".strip())
        for each in outcomes
        if each.what == "failed"
    )
    new = [each for each in outcomes if each.what in ("added", "replaced")]
    return Added(
        documents=len(new),
        passages=sum(each.passages for each in new),
        unchanged=sum(each.what in ("unchanged", "same", "moved") for each in outcomes),
        refused=failed + refused,
        notes=tuple(
            Refused(Path(each.path).name, line(note)) for each in outcomes for note in each.notes
        ),
        was_stopped=was_stopped,
    )


# -- the paper itself --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paper:
    """The file that a passage was cut from; `doubt` is why it may not be what was cited."""

    path: Path
    page: int
    title: str
    words: str
    doubt: str = ""


def paper_of(library: Library, cited: Passage) -> Paper:
    """Find the file of a passage on disk, and hold it against what was read of it.

    Raises
    ------
    BadInput : where the library no longer holds the document, or its file is gone.
    """
    row = _document_of(library, cited)
    if row is None or not row.path or cited.page is None:
        raise BadInput(
            "The library no longer holds this paper", remedy="Add its file again to see its page."
        )
    path = Path(row.path)
    try:
        with path.open("rb") as file:
            now = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(
            f"The paper is no longer where it was added from: {line(row.path)}",
            where=path,
            remedy="Add its folder again: the library follows a file that has moved.",
        ) from error
    doubt = ""
    if now != row.sha256:
        doubt = "This file has changed since it was added: the page may not be the one cited."
    elif library.key_of(cited.id) is None:
        doubt = "The passage was cited from an earlier version of this file."
    return Paper(path, cited.page, line(row.title), cited.text, doubt)


def _document_of(library: Library, cited: Passage) -> DocumentRow | None:
    """The document that holds the passage, or else the version of it that is there now."""
    rows = {row.key: row for row in library.documents()}
    if (key := library.key_of(cited.id)) is not None:
        return rows.get(key)
    if cited.doi:
        return next((row for row in rows.values() if row.doi == cited.doi), None)
    return next((row for row in rows.values() if row.path and row.title == cited.title), None)


@dataclass(frozen=True, slots=True)
class Page:
    """A drawn page of `pages`; `boxes` are (left, top, right, bottom) in px of the picture.

    They are the lines on which the words `sought` stand; empty where those are not found.
    """

    png: bytes
    pages: int
    sought: str
    boxes: tuple[tuple[float, float, float, float], ...]


def show_page(path: Path, page: int, width: int, find: str) -> Page:
    """A page as a picture `width` px wide, drawn by a process of its own with a time limit.

    Raises
    ------
    BadInput : for a page that is not there, and a file that cannot be drawn in time.
    """
    from rag.reading import show_page as drawn

    shown = drawn(path, page, width=width, find=find)
    return Page(shown.picture.data, shown.pages, find, shown.boxes)
