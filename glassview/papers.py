"""The library as the desktop uses it: searched, listed, added to, and its papers found on disk.

Every import of a room stands inside its function, as in `rooms`. Knows no widget and no thread:
whoever calls says how far things are, and asks whether to go on, through what is handed in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from glassllava.errors import BadInput, GlassError, LiteratureUnavailable
from glassllava.literature import Literature, Passage
from glassview.cards import DocumentCard, document_card, line
from glassview.shelf import Added, Refused, Step, Wanted

if TYPE_CHECKING:
    from rag.manifest import DocumentRow
    from rag.passages import Document, Entry

#: Results of one free search: what a person reads, not what a prompt holds.
MOST_FOUND = 20

# The ids of passages hold the first digits of the hash of the file that they were cut from.
_HASH_IN_ID = re.compile(r"^[a-z]+-([0-9a-f]{12,64}):")


class Library(Literature, Protocol):
    """What the desktop asks of a library besides searching (`rag.library.Library`)."""

    def get(self, passage_id: str) -> Entry: ...

    def documents(self) -> list[DocumentRow]: ...

    def add(self, document: Document, progress: Any = None) -> tuple[int, int]: ...

    def remove(self, key: str) -> int: ...


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


def documents(library: Library) -> tuple[DocumentCard, ...]:
    return tuple(document_card(row) for row in library.documents())


def remove(library: Library, key: str) -> None:
    """Hide a document from every later search; what a run has pinned stays."""
    library.remove(key)


def add(
    library: Library,
    paths: Sequence[Path],
    say: Callable[[Step], None],
    is_stopped: Callable[[], bool],
) -> Added:
    """Add files and folders, one document after the other; a file that fails stops no other.

    Where it is stopped, what was added stays, and the document at work is left out whole.
    """
    from rag import reading

    found = reading.find_documents(paths)
    records = reading.read_bibliographies(found.bibliographies)
    refused = [Refused(path.name, line(reason)) for path, reason in found.passed_over]
    count = passages = unchanged = 0
    total = len(found.files)

    for number, path in enumerate(found.files, start=1):

        def step(share: float, number: int = number, name: str = path.name) -> None:
            if is_stopped():
                raise _Stopped
            say(Step(number, total, name, share))

        try:
            step(0.0)
            document = reading.read_document(path, records)
            step(0.1)
            added, gone = library.add(document, _progress(step, len(document.entries)))
        except _Stopped:
            return Added(count, passages, unchanged, tuple(refused), was_stopped=True)
        except GlassError as error:
            refused.append(Refused(path.name, f"{error.what}. {error.remedy}".strip()))
            if isinstance(error, LiteratureUnavailable):  # the next file would meet the same
                return Added(count, passages, unchanged, tuple(refused), was_stopped=True)
            continue
        count += bool(added or gone)
        unchanged += not (added or gone)
        passages += added
    return Added(count, passages, unchanged, tuple(refused))


def _progress(step: Callable[[float], None], total: int) -> Callable[[int], None]:
    """Embedded passages, counted, as a share: reading is the first tenth of a document."""
    done = 0

    def more(count: int = 1) -> None:
        nonlocal done
        done += count
        step(0.1 + 0.9 * min(1.0, done / max(1, total)))

    return more


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
    row = _document_of(library.documents(), cited)
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
    elif (cut := _HASH_IN_ID.match(cited.id)) and not now.startswith(cut[1]):
        doubt = "The passage was cited from an earlier version of this file."
    return Paper(path, cited.page, line(row.title), cited.text, doubt)


def _document_of(rows: Sequence[DocumentRow], cited: Passage) -> DocumentRow | None:
    """The document by the hash in the passage's id, or else by what its title page says."""
    if cut := _HASH_IN_ID.match(cited.id):
        for row in rows:
            if row.sha256.startswith(cut[1]):
                return row
    if cited.doi:
        return next((row for row in rows if row.doi == cited.doi), None)
    return next((row for row in rows if row.path and row.title == cited.title), None)


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
    from rag import reading

    shown = reading.show_page(path, page, width=width, find=find)
    return Page(shown.picture.data, shown.pages, find, shown.boxes)
