"""Who wrote which file when: BibTeX, RIS and CSL-JSON, as Zotero and others export them.

Knows records and how a file is matched to one; the three forms are parsed in `records.py`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Record:
    """One work; `files` are the paths that the bibliography gives for it, as far as it does."""

    title: str
    authors: str = ""
    year: int | None = None
    doi: str | None = None
    files: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bibliography:
    """Records, and the ways to find the one that a file belongs to."""

    records: tuple[Record, ...] = ()
    notes: tuple[str, ...] = ()
    _files: dict[str, Record | None] = field(default_factory=dict, repr=False)
    _names: dict[str, Record | None] = field(default_factory=dict, repr=False)
    _dois: dict[str, Record | None] = field(default_factory=dict, repr=False)
    _titles: dict[str, Record | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, records: Iterable[Record], notes: Iterable[str] = ()) -> Bibliography:
        """The same work may stand in several files; two works under one key match nothing."""
        made = cls(tuple(dict.fromkeys(records)), tuple(notes))
        for record in made.records:
            for file in record.files:
                _enter(made._files, _path_key(file), record)
                _enter(made._names, _path_key(file).rpartition("/")[2], record)
            if record.doi:
                _enter(made._dois, record.doi.lower(), record)
            if key := _title_key(record.title):
                _enter(made._titles, key, record)
        return made

    def record_for(self, path: Path, doi: str | None, title: str) -> Record | None:
        """The record of a file: by its path, its DOI, its title, or its name; None when unsure.

        A short title ("Introduction", "Glass") belongs to no one and matches nothing.
        """
        name = _path_key(path.name)
        return (
            self._files.get(_path_key(str(path)))
            or (self._dois.get(doi.lower()) if doi else None)
            or self._titles.get(_title_key(title))
            or self._names.get(name)
        )


def read_bibliographies(paths: Sequence[Path]) -> Bibliography:
    """The records of .bib, .ris and .json (CSL) files.

    Raises
    ------
    BadInput : for a file that cannot be read, is too large, or is not in the form of its suffix.
    """
    from rag.reading import records

    found: list[Record] = []
    notes: list[str] = []
    for path in paths:
        read, told = records.read(path)
        found.extend(read)
        notes.extend(told)
    return Bibliography.of(found, notes)


def _enter(table: dict[str, Record | None], key: str, record: Record) -> None:
    known = table.get(key, record)
    if known is not None and _same(known, record):
        # The one that says more, else the first.
        table[key] = max(known, record, key=lambda item: (bool(item.authors), bool(item.doi)))
    else:
        table[key] = None


def _same(one: Record, other: Record) -> bool:
    if one.doi and other.doi:
        return one.doi.lower() == other.doi.lower()
    return _title_key(one.title) == _title_key(other.title) and one.year == other.year


def _path_key(path: str) -> str:
    return unicodedata.normalize("NFC", path).replace("\\", "/")


def _title_key(title: str) -> str:
    """A title without case, accents and signs; "" for one too short to be anyone's own."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    words = re.findall(r"\w+", "".join(c for c in plain if not unicodedata.combining(c)))
    return " ".join(words) if sum(map(len, words)) >= 16 and len(words) >= 3 else ""
