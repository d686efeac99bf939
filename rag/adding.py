"""What `library add` does with files: which are new, changed, moved or known, one after another.

A document is kept whole or not at all, so that a run that was cut short goes on where it stopped;
one file that cannot be read is told and hinders no other. Knows files and bibliographies; how a
document is kept is the library's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from glassllava.errors import BadInput, MissingPart
from rag.reading import Bibliography, Record, find_documents, read_bibliographies, read_document
from rag.reading.finding import resolved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.library import Library
    from rag.manifest import DocumentRow
    from rag.reading import Found

#: A file beyond this is not hashed before its reader has said whether it is read at all.
_LARGEST_HASHED = 1_000_000_000


class Watch(Protocol):
    """Who wants to know how far an addition is."""

    def file(self, number: int, total: int, path: Path) -> None: ...

    def pages(self, done: int, total: int) -> None: ...

    def passages(self, count: int) -> None: ...

    def done(self, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    `what` is "added", "replaced", "moved", "unchanged", "same" (the bytes of another file that the
    library holds) or "failed"; `passages` came, `gone` went; `reason` and `remedy` are for people.
    """

    path: str
    what: str
    key: str = ""
    title: str = ""
    passages: int = 0
    gone: int = 0
    figures: int = 0
    reason: str = ""
    remedy: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Addition:
    """What became of every file, in order; `passed_over` were not tried, with the reason."""

    outcomes: tuple[Outcome, ...]
    passed_over: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, *what: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.what in what]


@dataclass(slots=True)
class _Work:
    """What is known while files are added: the library's documents by key, and the records."""

    library: Library
    rows: dict[str, DocumentRow]
    records: Bibliography
    complete: bool  # every bibliography that was found could be read
    ocr: bool
    watch: Watch | None
    readers: dict[str, str] = field(default_factory=dict)


def add_files(
    library: Library, paths: Sequence[Path], *, ocr: bool = False, watch: Watch | None = None
) -> Addition:
    """Make the library hold the documents under `paths` as they are now.

    Raises
    ------
    BadInput : for a path that is not there.
    LiteratureUnavailable : where the library cannot be written; what was added before stays.
    """
    found = find_documents(paths)
    records, failed = _bibliographies(found)
    rows = {row.key: row for row in library.documents()}
    work = _Work(library, rows, records, not failed, ocr, watch)
    outcomes = list(failed)
    for number, path in enumerate(found.files):
        if watch:
            watch.file(number, len(found.files), Path(_shown(path)))
        outcomes.append(_add(work, path))
        if watch:
            watch.done(outcomes[-1])
    passed = tuple((_shown(path), why) for path, why in found.passed_over)
    return Addition(tuple(outcomes), passed, records.notes)


def _bibliographies(found: Found) -> tuple[Bibliography, list[Outcome]]:
    records: list[Record] = []
    notes: list[str] = []
    failed = []
    for path in found.bibliographies:
        try:
            _check_path(path)
            read = read_bibliographies([path])
        except BadInput as error:
            failed.append(_failed(path, error))
        else:
            records.extend(read.records)
            notes.extend(read.notes)
    return Bibliography.of(records, notes), failed


def _check_path(path: Path) -> Path:
    """The path with its links followed; BadInput where that or writing it down is not possible."""
    real = resolved(path)
    if real is None:
        raise BadInput(
            "The link leads in a circle",
            where=path,
            remedy="Remove it, or let it lead to the file that is meant.",
        )
    try:
        str(real).encode()
    except UnicodeEncodeError as error:
        raise BadInput(
            "The name of the file or of its folder is not UTF-8",
            where=path,
            remedy="Rename it and add it again.",
        ) from error
    return real


def _shown(path: Path) -> str:
    """The path as text that can be written anywhere: bytes that are no UTF-8 as \\xff."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _add(work: _Work, path: Path) -> Outcome:
    try:
        path = _check_path(path)
    except BadInput as error:
        return _failed(path, error)
    key = f"file:{path}"
    own, moved = work.rows.get(key), False
    sha256 = hash_of(path)
    twin = _twin(work, sha256, key)
    if twin is not None and _still_there(twin):
        if own is not None:  # it was another paper, and is now a copy of one
            work.library.remove(key)
            del work.rows[key]
        return Outcome(str(path), "same", twin.key, twin.title, reason=twin.path)
    if twin is not None and own is None and work.library.move(twin.key, key, str(path)):
        own, moved = dataclasses.replace(twin, key=key, path=str(path)), True
        del work.rows[twin.key]
        work.rows[key] = own
    record = _record(work, path, own)
    if own is not None and own.sha256 == sha256 and own.record == record and _current(work, own):
        return Outcome(str(path), "moved" if moved else "unchanged", key, own.title)
    try:
        pages = work.watch.pages if work.watch else None
        records = _records(work, path, record)
        document = read_document(path, records, ocr=work.ocr, progress=pages)
    except (BadInput, MissingPart) as error:
        return _failed(path, error)
    record = _told(work.records.record_for(path, document.doi, document.title)) or record
    hear = work.watch.passages if work.watch else None
    added, gone = work.library.add(document, hear, record)
    if not (added or gone) and own is not None and record != own.record:
        work.library.describe(key, record)
    row = _row(document, record)
    work.rows[key] = row
    what = "added" if own is None else "replaced" if added or gone else "unchanged"
    if moved and what == "unchanged":
        what = "moved"
    figures = len(document.figures)
    return Outcome(str(path), what, key, document.title, added, gone, figures, notes=document.notes)


def _twin(work: _Work, sha256: str | None, key: str) -> DocumentRow | None:
    """Another document that was read from these bytes."""
    held = work.library.held_as(sha256) if sha256 else None
    return work.rows.get(held) if held and held != key else None


def _still_there(row: DocumentRow) -> bool:
    """Whether the document's own file still holds what was read from it."""
    return bool(row.path) and hash_of(Path(row.path)) == row.sha256


def hash_of(path: Path) -> str | None:
    """SHA-256 of the file; None where only its reader can say what is wrong with it."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_HASHED:
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # ValueError: a path with a null byte
        return None


def _record(work: _Work, path: Path, own: DocumentRow | None) -> str | None:
    """What is to be kept of a bibliography for this file, as JSON.

    What an earlier one said stays unless the bibliographies that were found, all of them read, say
    otherwise: a paper that is added alone keeps its authors.
    """
    if own is None:
        return None
    if own.record is not None and (not work.records.records or not work.complete):
        known = work.records.record_for(path, own.doi, own.title)
        return _told(known) or own.record
    return _told(work.records.record_for(path, own.doi, own.title))


def _records(work: _Work, path: Path, record: str | None) -> Bibliography:
    """The bibliographies, or, where they know nothing of the file, what is kept of it."""
    if record is None or (work.records.records and work.complete):
        return work.records
    kept = json.loads(record)
    return Bibliography.of(
        [
            *work.records.records,
            Record(
                title=kept["title"],
                authors=kept["authors"],
                year=kept["year"],
                doi=kept["doi"],
                files=(str(path),),
                keywords=tuple(kept["keywords"]),
            ),
        ]
    )


def _told(record: Record | None) -> str | None:
    if record is None:
        return None
    told = dataclasses.asdict(record)
    del told["files"]  # where they lay on another machine tells nothing
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def _current(work: _Work, row: DocumentRow) -> bool:
    """Whether the code that cut this document would cut it alike today; OCR asked anew is not."""
    kind, _, rest = row.reader.partition(" ")
    if not rest or kind not in ("pdf", "text", "html", "jats"):
        return False
    if kind not in work.readers:
        work.readers[kind] = importlib.import_module(f"rag.reading.{kind}").READER
    return row.reader.removesuffix(" ocr") == work.readers[kind]


def _row(document: Any, record: str | None) -> DocumentRow:
    from rag.manifest import DocumentRow

    return DocumentRow(
        key=document.key,
        kind=document.kind,
        title=document.title,
        path=document.path,
        passages=len(document.entries),
        with_sources=0,
        added=0,
        sha256=document.sha256,
        authors=document.authors,
        year=document.year,
        doi=document.doi,
        reader=document.reader,
        record=record,
    )


def _failed(path: Path, error: BadInput | MissingPart) -> Outcome:
    return Outcome(_shown(path), "failed", reason=error.what, remedy=error.remedy)
