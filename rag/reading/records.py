"""BibTeX, RIS and CSL-JSON parsed into records; each in one pass over text of bounded size."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput
from rag.reading.bibliography import Record
from rag.reading.cutting import cleaned
from rag.reading.finding import resolved
from rag.reading.limits import LARGEST_TEXT
from rag.reading.text import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>{}|\\^`]+")
_YEAR = re.compile(r"(?<!\d)(1[5-9][0-9]{2}|20[0-9]{2})(?!\d)")

#: Each path is followed through its links, which takes time: those beyond are left out.
_MOST_FILES = 50
_MOST_FILES_OF_ALL = 100_000
_MOST_NOTES = 20
#: What a value may be that is put together from parts (`a # b`), which need not stand in the file.
_LONGEST_JOINED = 20_000


def read(path: Path) -> tuple[list[Record], list[str]]:
    """The records of one file, and what in it could not be read.

    Raises
    ------
    BadInput : where it cannot be read, is too large, or is not in the form of its suffix.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise BadInput(
            f"The bibliography cannot be read ({error.strerror})",
            where=path,
            remedy="Check that it is a file that you may read.",
        ) from error
    text = decoded(path, data)
    suffix = path.suffix.lower()
    if suffix == ".bib":
        found, notes = _bibtex(text)
    elif suffix == ".ris":
        found, notes = _ris(text)
    else:
        found, notes = _csl(path, text)
    if text.strip() and not found:
        raise BadInput(
            f"There is no record in this bibliography ({suffix[1:]})",
            where=path,
            remedy="Export it again as BibTeX, RIS or CSL-JSON.",
        )
    records = []
    room = _MOST_FILES_OF_ALL
    for fields in found:
        given = fields["files"]
        fields["files"] = given[: min(_MOST_FILES, room)]
        room -= len(fields["files"])
        record = _record(path.resolve().parent, fields)
        if len(fields["files"]) < len(given):
            notes.append(
                f"the record '{record.title[:40]}' names too many files; some were left out"
            )
        if record.title or record.doi:
            records.append(record)
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = [f"and {len(notes) - _MOST_NOTES:,} more such notes"]
    return records, [f"{cleaned(path.name)}: {note}" for note in notes]


def _record(folder: Path, fields: dict[str, Any]) -> Record:
    """A record from {title, authors, date, doi, files, keywords}, all texts or lists of texts."""
    year = _YEAR.search(str(fields.get("date") or ""))
    doi = DOI.search(cleaned(str(fields.get("doi") or "")))
    # Relative paths are relative to the bibliography.
    files = (_followed(folder / file.removeprefix("file://")) for file in fields["files"])
    return Record(
        title=_plain(fields.get("title") or ""),
        authors=", ".join(_plain(author) for author in fields.get("authors", ())),
        year=int(year[1]) if year else None,
        doi=doi[0].rstrip(".,;") if doi else None,
        files=tuple(file for file in files if file is not None),
        keywords=tuple(_plain(word) for word in fields.get("keywords", ()) if word.strip()),
    )


def _followed(path: Path) -> str | None:
    """The path with its links followed; None for what no file can be called, or a link's circle."""
    try:
        real = resolved(path)
    except ValueError:  # a null, or half of a surrogate pair
        return None
    return None if real is None else str(real)


def _plain(text: object) -> str:
    return " ".join(cleaned(re.sub(r"</?[a-zA-Z]+>", "", str(text))).split())[:2000]


def _name(name: str) -> str:
    """'Author, Test' as 'Test Author'."""
    last, _, first = name.partition(",")
    return f"{first.strip()} {last.strip()}".strip()


# RIS


def _ris(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    found: list[dict[str, Any]] = []
    fields: dict[str, list[list[str]]] = {}  # of each tag its values, of each value its lines
    tag = ""
    for line in text.split("\n"):
        if match := re.match(r"^([A-Z][A-Z0-9])  -(?: (.*))?$", line.rstrip()):
            tag, value = match[1], (match[2] or "").strip()
            if tag == "TY":
                fields = {}
            if tag == "ER" and fields:
                told = {tag: [" ".join(lines) for lines in of] for tag, of in fields.items()}
                found.append(_from_ris(told))
                fields = {}
            elif tag != "ER":
                fields.setdefault(tag, []).append([value])
        elif tag in fields and line.strip():
            fields[tag][-1].append(line.strip())  # a value goes on in the next line
    notes = []
    if fields.keys() - {"TY"}:
        notes.append("the last record does not end; it was left out")
    return found, notes


def _from_ris(fields: dict[str, list[str]]) -> dict[str, Any]:
    def first(*tags: str) -> str:
        return next((fields[tag][0] for tag in tags if fields.get(tag)), "")

    return {
        "title": first("TI", "T1", "CT"),
        "authors": [_name(name) for tag in ("AU", "A1") for name in fields.get(tag, ())],
        "date": first("PY", "Y1", "DA"),
        "doi": first("DO") or next((u for u in fields.get("UR", ()) if "doi.org/" in u), ""),
        "files": [
            file
            for tag in ("L1", "LK")
            for file in fields.get(tag, ())
            if "://" not in file.removeprefix("file://")
        ],
        "keywords": fields.get("KW", []),
    }


# CSL-JSON


def _csl(path: Path, text: str) -> tuple[list[dict[str, Any]], list[str]]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"The bibliography is not JSON ({error})", where=path, remedy="Export it again."
        ) from error
    items = items.get("items") if isinstance(items, dict) else items
    if not isinstance(items, list):
        items = []
    whole = [item for item in items if isinstance(item, dict) and isinstance(item.get("type"), str)]
    notes = [f"{len(items) - len(whole)} items are no records"] if len(whole) < len(items) else []
    return [_from_csl(item) for item in whole], notes


def _from_csl(item: dict[str, Any]) -> dict[str, Any]:
    authors = []
    for author in _listed(item.get("author")):
        if isinstance(author, dict):
            parts = [author.get(part) for part in ("given", "non-dropping-particle", "family")]
            authors.append(str(author.get("literal") or " ".join(str(p) for p in parts if p)))
    issued = item.get("issued")
    date: object = ""
    if isinstance(issued, dict):
        # {"date-parts": [[2021, 5]]}, or a text
        date = issued.get("date-parts") or issued.get("raw") or issued.get("literal") or ""
    keywords = item.get("keyword")
    return {
        "title": item.get("title"),
        "authors": [author for author in authors if author],
        "date": str(date),
        "doi": item.get("DOI") or item.get("URL"),
        "files": [file for file in _listed(item.get("file")) if isinstance(file, str)],
        "keywords": re.split(r"[;,]", keywords) if isinstance(keywords, str) else [],
    }


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


# BibTeX

_ENTRY = re.compile(r"@\s*([A-Za-z]+)\s*([{(])")
_FIELD = re.compile(r"\s*,?\s*([A-Za-z][\w:.+-]*)\s*=\s*")
_SIGNIFICANT = re.compile(r'\\.|[{}"]|\n@', re.DOTALL)
_BARE = re.compile(r"[^\s,#{}()\"=]+")
_JOIN = re.compile(r"\s*#\s*")
_KEY = re.compile(r"[^,{}()=\"]*,")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def _bibtex(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    texts = _Texts()
    place = 0
    while match := _ENTRY.search(text, place):
        kind = match[1].lower()
        place = match.end()
        if kind in ("comment", "preamble"):
            continue
        key = _KEY.match(text, place)
        if kind != "string" and key is None:
            notes.append(f"an entry of kind '{kind}' has no key; it was left out")
            continue
        try:
            fields, place = _fields(text, key.end() if key and kind != "string" else place, texts)
        except _Torn as torn:
            notes.append(f"the entry '{(key[0] if key else kind)[:40].strip(' ,')}' {torn}")
            place = torn.place
            continue
        if kind == "string":
            texts.named.update(fields)
        else:
            found.append(_from_bibtex(fields))
    return found, notes


class _Torn(ValueError):
    """An entry that does not end, or is not written as entries are; `place` is where to go on."""

    def __init__(self, why: str, place: int) -> None:
        super().__init__(f"{why}; it was left out")
        self.place = place


class _Texts:
    """What @string names; together they may give no more text than a whole file may hold."""

    def __init__(self) -> None:
        self.named = dict(zip(_MONTHS, _MONTHS, strict=True))
        self._room = LARGEST_TEXT

    def meant_by(self, word: str, place: int) -> str:
        meant = self.named.get(word.lower(), word)
        self._room -= max(0, len(meant) - len(word))
        if self._room < 0:
            raise _Torn("unfolds, with those before it, to too much text", place)
        return meant


def _fields(text: str, place: int, texts: _Texts) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    while match := _FIELD.match(text, place):
        parts: list[str] = []
        length = 0
        place = match.end()
        while True:
            value, place = _value(text, place, texts)
            parts.append(value)
            length += len(value)
            if len(parts) > 1 and length > _LONGEST_JOINED:
                raise _Torn(f"joins a value of more than {_LONGEST_JOINED:,} characters", place)
            joined = _JOIN.match(text, place)
            if joined is None:
                break
            place = joined.end()
        fields.setdefault(match[1].lower(), "".join(parts))
    return fields, place


def _value(text: str, place: int, texts: _Texts) -> tuple[str, int]:
    if place < len(text) and text[place] in '{"':
        quoted = text[place] == '"'
        depth, start = (0 if quoted else 1), place + 1
        for sign in _SIGNIFICANT.finditer(text, start):
            depth += (sign[0] == "{") - (sign[0] == "}")
            if depth < 0 or sign[0].startswith("\n"):
                # The next entry begins: nothing is read twice, however much is torn.
                raise _Torn("does not end", sign.start())
            if depth == 0 and sign[0] == ('"' if quoted else "}"):
                return text[start : sign.start()], sign.end()
        raise _Torn("does not end", len(text))
    word = _BARE.match(text, place)
    if word is None:
        raise _Torn("has a field without a value", place)
    return texts.meant_by(word[0], word.end()), word.end()


def _from_bibtex(fields: dict[str, str]) -> dict[str, Any]:
    # "and" between names counts only outside braces: {Society of Glass and Light}
    names = _outside(fields.get("author", ""), re.compile(r"\s+and\s+"))
    keywords = re.split(r"[;,]", fields.get("keywords", ""))
    return {
        "title": _unlatex(fields.get("title", "")),
        "authors": [_name(_unlatex(name)) for name in names if name.strip()],
        "date": fields.get("year") or fields.get("date"),
        "doi": _unlatex(fields.get("doi", "") or fields.get("url", "")),
        # One more than is kept, so that it is seen that there are more.
        "files": list(itertools.islice(_bibtex_files(fields.get("file", "")), _MOST_FILES + 1)),
        "keywords": [_unlatex(word) for word in keywords],
    }


def _outside(text: str, divider: re.Pattern[str]) -> list[str]:
    depth, parts, start = 0, [], 0
    depths = []
    for sign in text:
        depth += (sign == "{") - (sign == "}")
        depths.append(depth)
    for match in divider.finditer(text):
        if depths[match.start()] == 0:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _bibtex_files(text: str) -> Iterator[str]:
    """The paths of Zotero's and JabRef's `file = {Title:path:type;...}`, or of a bare path."""
    for part in re.split(r"(?<!\\);", text):
        pieces = re.split(r"(?<!\\):", part)
        # A path may hold colons itself: C\:\\papers\\a.pdf, or C:\papers\a.pdf
        path = ":".join(pieces[1:-1]) if len(pieces) >= 3 else part
        path = re.sub(r"\\([\\:;{}_&%$#])", r"\1", path).strip()
        if path:
            yield path


_ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304",
    ".": "\u0307", "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328",
    "r": "\u030a", "d": "\u0323",
}  # fmt: skip
_SIGNS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ",
    "OE": "Œ", "aa": "å", "AA": "Å", "i": "ı", "j": "ȷ", "alpha": "α", "beta": "β", "gamma": "γ",
    "mu": "µ", "textmu": "µ", "degree": "°", "times": "×", "textendash": "–",
}  # fmt: skip
_ACCENT = re.compile(
    r"""\\(?:([`'^~"=.])\s*|([uvHckrd])(?=[{\s\\]))\s*(?:\{\s*(\\?\w)\s*\}|(\\?\w))"""
)


def _unlatex(text: str) -> str:
    """Accents, common signs and dashes as characters; braces and other commands dropped."""

    def accented(match: re.Match[str]) -> str:
        letter = (match[3] or match[4]).removeprefix("\\")
        return unicodedata.normalize("NFC", letter + _ACCENTS[match[1] or match[2]])

    text = _ACCENT.sub(accented, text)
    text = re.sub(
        r"\\([A-Za-z]+)(?:\s+|\{\}|(?=[^A-Za-z])|$)", lambda m: _SIGNS.get(m[1], " "), text
    )
    text = re.sub(r"\\([&%$#_{}])", r"\1", text)
    text = text.replace("---", "—").replace("--", "–").replace("~", " ")
    return " ".join(re.sub(r"[{}$]", "", text).split())
