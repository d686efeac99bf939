"""The library for other programs: passages as JSON Lines or CSV, references as CSL-JSON or BibTeX.

A reference is written for every document but the primer, whose passages are no paper's. Only what
is known is written: a document without a record of its own has a title and little else.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, Any

from rag.passages import PRIMER_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.library import Library
    from rag.manifest import DocumentRow

_COLUMNS = (
    "id", "document", "title", "authors", "year", "doi", "page", "section", "kind", "text", "path",
)  # fmt: skip
#: What a spreadsheet would run; the same signs as in the tables of a night.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def export(library: Library, form: str) -> str:
    """The library in `form`: "jsonl", "csv", "csl" or "bibtex"."""
    rows = library.documents()
    if form == "jsonl":
        lines = (json.dumps(item, ensure_ascii=False) for item in _passages(library, rows))
        return "".join(f"{line}\n" for line in lines)
    if form == "csv":
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for item in _passages(library, rows):
            writer.writerow([_cell(item.get(column)) for column in _COLUMNS])
        return stream.getvalue()
    papers = [row for row in rows if row.key != PRIMER_KEY]
    if form == "csl":
        return json.dumps([_csl(row) for row in papers], ensure_ascii=False, indent=2) + "\n"
    return "\n".join(_bibtex(row) for row in papers)


def _passages(library: Library, rows: list[DocumentRow]) -> Iterator[dict[str, Any]]:
    for row in rows:
        for passage in library.reading(row.key):
            told = passage.to_json()
            del told["score"]
            yield told | {"kind": passage.kind, "document": row.key, "path": row.path}


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csl(row: DocumentRow) -> dict[str, Any]:
    told: dict[str, Any] = {"id": _name(row), "type": "article-journal", "title": row.title}
    if row.kind == "text" and not row.doi:
        told["type"] = "document"
    if row.authors:
        told["author"] = [_person(name) for name in _names(row.authors)]
    if row.year:
        told["issued"] = {"date-parts": [[row.year]]}
    if row.doi:
        told["DOI"] = row.doi
    if keywords := _keywords(row):
        told["keyword"] = ", ".join(keywords)
    if row.licence:
        told["note"] = f"Licence: {row.licence}"
    return told


def _bibtex(row: DocumentRow) -> str:
    told = {
        "title": f"{{{row.title.translate(_TEX)}}}",  # braces keep its capitals
        "author": " and ".join(name.translate(_TEX) for name in _names(row.authors)),
        "year": str(row.year or ""),
        "doi": row.doi or "",
        "keywords": ", ".join(_keywords(row)).translate(_TEX),
        "file": _file(row.path),
    }
    kind = "misc" if row.kind == "text" and not row.doi else "article"
    fields = "".join(f"  {name} = {{{value}}},\n" for name, value in told.items() if value)
    return f"@{kind}{{{_name(row)},\n{fields}}}\n"


def _file(path: str) -> str:
    # Zotero and JabRef take "\\:" for a colon in a path; a brace would end the entry.
    clean = path.replace("\\", "/")
    return "" if re.search(r"[{}\n]", clean) else clean.replace(":", r"\:").replace(";", r"\;")


def _names(authors: str) -> list[str]:
    """Names as the readers join them: by commas; by semicolons where a name holds a comma."""
    parts = re.split(r";|\s+and\s+" if ";" in authors else r",|\s+and\s+", authors)
    return [name.strip() for name in parts if name.strip()]


def _person(name: str) -> dict[str, str]:
    """Family and given name as BibTeX takes them: the family's begins with a small letter (van der
    Berg), or is the last word.
    """
    family, comma, given = (part.strip() for part in name.partition(","))
    if comma:
        return {"family": family, "given": given}
    words = name.split()
    if len(words) < 2:
        return {"literal": name}
    start = next((at for at, word in enumerate(words) if at and word[0].islower()), len(words) - 1)
    return {"family": " ".join(words[start:]), "given": " ".join(words[:start])}


def _keywords(row: DocumentRow) -> list[str]:
    return list(json.loads(row.record).get("keywords", ())) if row.record else []


def _name(row: DocumentRow) -> str:
    """A citation key: plain letters, the same in every export."""
    first = next(iter(_names(row.authors)), "")
    person = _person(first) if first else {"literal": row.title}
    word = re.sub(r"[^A-Za-z0-9]", "", person.get("family", person.get("literal", "")))[:20]
    mark = hashlib.sha256((row.sha256 or row.key).encode()).hexdigest()[:6]
    return f"{(word or 'paper').lower()}{row.year or ''}-{mark}"
