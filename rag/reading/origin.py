"""What a paper says of itself: title, authors, year, DOI, licence; only what is sure.

Knows the lines of its first pages and its metadata. A wrong DOI is worse than none.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.reading.cutting import cleaned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rag.reading.glyphs import Line

_DOI = re.compile(r"10\.\d{4,9}/[-._;()/:<>\[\]A-Za-z0-9]+")
_REST_OF_DOI = re.compile(r"[-._;()/:A-Za-z0-9]*\d[-._;()/:A-Za-z0-9]*")
_BEFORE_DOI = re.compile(r"(?:doi\s*(?:\.org\s*/|:|=)?\s*|doi\.org/)\s*$", re.IGNORECASE)
_REFERENCE = re.compile(r"(?:\[\d{1,3}\]|\d{1,3}[.)])\s")
_LONGEST_BEFORE = 40
_NO_TITLE = re.compile(
    r"untitled|microsoft word|\.(?:docx?|tex|dvi|pdf|indd|qxd|rtf)\b|^(?:pii|doi)[:\s]|"
    r"^\W*\d[\d\W]*$|^(?:manuscript|paper|article|title|document|presentation|layout|print)\s*\d*$",
    re.IGNORECASE,
)
_YEARS = (
    re.compile(r"(?:©|\(c\)|copyright)\s*(?:\w+\s+){0,2}?((?:19|20)[0-9]{2})\b", re.IGNORECASE),
    re.compile(
        r"\b(?:published|available)\s*(?:online)?[:\s]*(?:\d{1,2}\s+)?(?:\w+\s+)?((?:19|20)[0-9]{2})\b",
        re.IGNORECASE,
    ),
    re.compile(r"\b\d{1,4}\s*\(((?:19|20)[0-9]{2})\)\s*\d"),  # a running head: 12 (2021) 345
)
_LICENCE = re.compile(r"\bCC[ -]BY(?:-(?:NC|SA|ND))*(?:[ -]\d\.\d)?\b|\bCC0(?: 1\.0)?\b")
_SPELT = re.compile(
    r"Creative Commons Attribution((?:[- ](?:Non-?Commercial|Share-?Alike|No-?Deriv(?:ative)?s?))*)"
    r"(?:\s*(\d\.\d))?",
    re.IGNORECASE,
)
_FIRST_PAGES = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """What was found; "" and None where nothing is sure. `title_lines` are lines of the title."""

    title: str = ""
    authors: str = ""
    year: int | None = None
    doi: str | None = None
    licence: str | None = None
    title_lines: tuple[Line, ...] = ()


def origin_of(pages: Sequence[Sequence[Line]], metadata: Mapping[str, str], body: float) -> Origin:
    """From the lines of the pages, furniture included, in reading order, and the metadata.

    `metadata` has the keys Title and Author of the document's information, and "xmp", its XMP.
    """
    first = [line for line in pages[0] if line.text] if pages else []
    opening = [line.text for page in pages[:_FIRST_PAGES] for line in _before_references(page)]
    xmp = metadata.get("xmp", "")
    title, lines = _title(first, metadata.get("Title", ""), body)
    return Origin(
        title=title,
        authors=_authors(metadata.get("Author", ""), first),
        year=_year(xmp, [line.text for line in first]),
        doi=_doi(xmp + "\n" + metadata.get("doi", ""), _before_references(first)),
        licence=_licence(xmp, opening),
        title_lines=lines,
    )


def year_of(text: str) -> int | None:
    """The year that `text` is, from 1000 to 2999 in ASCII digits; None for anything else."""
    return int(text) if re.fullmatch(r"[12][0-9]{3}", text.strip()) else None


def _before_references(page: Sequence[Line]) -> list[Line]:
    found: list[Line] = []
    for line in page:
        if re.fullmatch(
            r"(?:\d+\.?\s*)?(?:references|bibliography|literature cited|works cited)\W*",
            line.text.strip(),
            re.IGNORECASE,
        ):
            break
        found.append(line)
    return found


def _title(first: Sequence[Line], told: str, body: float) -> tuple[str, tuple[Line, ...]]:
    """The largest words of the first page; what the metadata says if it stands there."""
    told = " ".join(cleaned(told).split())
    large = [
        line
        for line in first
        if line.size >= 1.15 * body and sum(sign.isalpha() for sign in line.text) >= 4
    ]
    lines: list[Line] = []
    for size in sorted({line.size for line in large}, reverse=True):
        lines = _run(first, size)
        if lines and len(" ".join(line.text for line in lines).split()) >= 2:
            break
        lines = []
    printed = _unbroken([line.text for line in lines])
    if _is_title(told) and _plain(told) in _plain(" ".join(line.text for line in first)):
        return told, tuple(lines) if _plain(printed) == _plain(told) else ()
    return printed[:300], tuple(lines)


def _run(lines: Sequence[Line], size: float) -> list[Line]:
    """The first lines of this size that follow each other."""
    found: list[Line] = []
    for line in lines:
        alike = abs(line.size - size) < 0.03 * size
        if alike and (not found or line.base - found[-1].base < 2.2 * size):
            found.append(line)
        elif found:
            break
    return found if len(found) <= 6 else []


def _unbroken(texts: Sequence[str]) -> str:
    title = ""
    for text in texts:
        broken = re.search(r"[^\W\d_]-$", title) and text[:1].islower()
        title = title[:-1] + text if broken else f"{title} {text}"
    return " ".join(title.split())


def _is_title(text: str) -> bool:
    return len(text.split()) >= 3 and not _NO_TITLE.search(text)


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in plain if sign.isalnum())


def _authors(told: str, first: Sequence[Line]) -> str:
    """The metadata's authors, if the first page prints every one of them."""
    told = " ".join(cleaned(told).split())[:1000]
    names = [name.strip() for name in re.split(r";|,(?=\s)|\band\b|&", told) if name.strip()]
    page = _plain(" ".join(line.text for line in first))
    parts = [_plain(name.split()[-1]) for name in names]
    if not names or not all(len(part) >= 2 and part in page for part in parts):
        return ""
    return told


def _doi(told: str, first: Sequence[Line]) -> str | None:
    """The metadata's DOI; else the one behind "doi" on the first page, if it is but one."""
    said = {match.lower(): match for match in map(_trimmed, _DOI.findall(told))}
    if len(said) == 1:
        return next(iter(said.values()))
    # On the first page, at the beginning of a line, and not in a list of references.
    marked: dict[str, str] = {}
    for number, line in enumerate(first):
        text = line.text
        above = first[max(0, number - 4) : number + 1]
        if any(_REFERENCE.match(other.text) for other in above):
            continue
        for match in _DOI.finditer(text):
            before = text[: match.start()]
            if len(before) > _LONGEST_BEFORE or not _BEFORE_DOI.search(before):
                continue
            doi = match[0]
            if match.end() == len(text.rstrip()) and doi[-1] in "/-._":
                # Broken over the line's end: half a DOI is another paper's, or nobody's.
                rest = first[number + 1].text.split() if number + 1 < len(first) else []
                if not rest or not _REST_OF_DOI.fullmatch(rest[0]):
                    continue
                doi += rest[0]
            doi = _trimmed(doi)
            marked.setdefault(doi.lower(), doi)
    return next(iter(marked.values())) if len(marked) == 1 else None


def _trimmed(doi: str) -> str:
    doi = doi.rstrip(".,;:")
    while doi.endswith((")", "]", ">")):
        opened = {")": "(", "]": "[", ">": "<"}[doi[-1]]
        if doi.count(doi[-1]) <= doi.count(opened):
            break
        doi = doi[:-1].rstrip(".,;:")
    return re.split(r"</?[a-z]", doi)[0]


def _year(xmp: str, first: Sequence[str]) -> int | None:
    dates = re.findall(
        r"(?:prism:(?:publicationDate|coverDate|coverDisplayDate|copyrightYear))[^>]*>\s*"
        r"[^<\d]*((?:19|20)[0-9]{2})",
        xmp,
    )
    if len(set(dates)) == 1:
        return int(dates[0])
    for pattern in _YEARS:
        found = {match for text in first for match in pattern.findall(text)}
        if len(found) == 1:
            return int(found.pop())
        if found:
            return None
    return None


def _licence(xmp: str, opening: Sequence[str]) -> str | None:
    """A Creative Commons licence that is named, in its short form."""
    if match := re.search(r"creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/(\d\.\d)", xmp):
        return f"CC {match[2].upper()} {match[3]}" if match[1] == "licenses" else "CC0 1.0"
    text = " ".join(opening)
    if match := re.search(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", text):
        return f"CC {match[1].upper()} {match[2]}"
    if match := _LICENCE.search(text):
        return match[0].replace("CC-BY", "CC BY")
    if match := _SPELT.search(text):
        parts = match[1].lower().replace("-", "").replace(" ", "")
        marks = [("noncommercial", "-NC"), ("sharealike", "-SA"), ("noderiv", "-ND")]
        short = "".join(mark for word, mark in marks if word in parts)
        return " ".join(part for part in (f"CC BY{short}", match[2]) if part)
    return None
