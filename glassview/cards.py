"""Passages, citations and documents as a person reads them: cards, marked words, reasons.

Pure functions over the ground's nouns. Words of papers are data: what comes out of here has no
controls and no changes of direction in it, and is text, never markup. Knows no widget and no
library (`shelf` holds what was searched and added).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from glassllava import answers, features
from glassllava.interpretation import Interpretation
from glassllava.literature import LeftOut, Passage
from glassllava.quotation import visible

if TYPE_CHECKING:
    from rag.manifest import DocumentRow

_KINDS = {"caption": "figure caption", "abstract": "abstract"}
_DOI = re.compile(r"10\.\d{4,9}/[!-~]{1,200}")
#: Characters of a line that a paper gives of itself, such as its title; the rest is not a name.
_LONGEST_LINE = 300


# -- citations in a text -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text; `number` is the passage it points to, None for plain words."""

    text: str
    number: int | None = None


def cited_pieces(text: str, passages: int) -> tuple[Piece, ...]:
    """A checked text cut at its citations; only numbers of the `passages` given are pointers."""
    pieces: list[Piece] = []
    end = 0
    for match in answers.MARK.finditer(text):
        number = int(match[1])
        if not 1 <= number <= passages:
            continue
        pieces += [Piece(text[end : match.start()]), Piece(match[0], number)]
        end = match.end()
    pieces.append(Piece(text[end:]))
    return tuple(piece for piece in pieces if piece.text)


# -- passages ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a passage's words, and whether the answer quotes it."""

    text: str
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class PassageCard:
    """One passage; `number` is its place in the prompt, None for one that was not given.

    `doi_url` is "" for what is no DOI. `can_open` where it stands on a page of a file.
    """

    passage: Passage
    number: int | None
    title: str
    byline: str
    place: str
    doi: str
    doi_url: str
    runs: tuple[Run, ...]
    sources: str
    use: str
    is_used: bool
    can_open: bool


def given_cards(made: Interpretation) -> tuple[PassageCard, ...]:
    """The passages as they were given; a citation's number is its passage's place."""
    return tuple(
        _card(passage, number, _use(made, number), quoted=f"{made.answer}\n{made.description}")
        for number, passage in enumerate(made.passages, start=1)
    )


def found_cards(passages: Iterable[Passage]) -> tuple[PassageCard, ...]:
    """Passages that a person searched for; no prompt knows them."""
    return tuple(_card(passage, None, "", "") for passage in passages)


def _card(passage: Passage, number: int | None, use: str, quoted: str) -> PassageCard:
    shown = replace(passage, text=visible(passage.text))
    doi = line(passage.doi or "")
    return PassageCard(
        passage=passage,
        number=number,
        title=line(passage.title) or "Without a title",
        byline=byline(passage.authors, passage.year),
        place=place(passage),
        doi=doi,
        doi_url=doi_url(doi),
        runs=_runs(shown.text, answers.quotations(quoted, shown) if quoted else ()),
        sources="; ".join(map(line, passage.sources)),
        use=use,
        is_used=use.startswith("Cited"),
        can_open=passage.page is not None,
    )


def _use(made: Interpretation, number: int) -> str:
    """Where the answer points to the passage: 'Cited in the answer and for pore'."""
    where = [
        words
        for words, text in (
            ("in the answer", made.answer),
            ("in the description", made.description),
        )
        if any(c.number == number for c in answers.cited_in(text, made.passages))
    ]
    named = [
        features.name_of(finding.feature)
        for finding in made.present
        if any(c.number == number for c in finding.citations)
    ]
    if named:
        where.append(f"for {', '.join(named)}")
    if not where:
        return "Given to the model, which does not cite it"
    return f"Cited {' and '.join([', '.join(where[:-1]), where[-1]] if where[1:] else where)}"


def _runs(text: str, spans: Sequence[tuple[int, int]]) -> tuple[Run, ...]:
    runs: list[Run] = []
    end = 0
    for start, stop in spans:
        start = max(start, end)
        if start >= stop:
            continue
        runs += [Run(text[end:start]), Run(text[start:stop], is_quoted=True)]
        end = stop
    runs.append(Run(text[end:]))
    return tuple(run for run in runs if run.text)


def line(text: str) -> str:
    """Words of a paper about itself as one line of bounded length."""
    one = " ".join(visible(text).split())
    return one if len(one) <= _LONGEST_LINE else f"{one[: _LONGEST_LINE - 1]}…"


def byline(authors: str, year: int | None) -> str:
    return " · ".join(part for part in (line(authors), str(year or "")) if part)


def place(passage: Passage) -> str:
    """'p. 7 · section 3.2 · figure caption'."""
    section = line(passage.section or "")
    if section.isdigit():
        section = f"section {section}"
    page = f"p. {passage.page}" if passage.page is not None else ""
    kind = _KINDS.get(passage.kind, "text")
    parts = (page, "" if section.lower() == kind else section, kind)
    return " · ".join(part for part in parts if part)


def doi_url(doi: str) -> str:
    """The address of a DOI; "" for what is none: nothing else becomes an address."""
    return f"https://doi.org/{quote(doi, safe='/:;().,-_')}" if _DOI.fullmatch(doi) else ""


# -- what was left out -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    """A passage that was found and not given, and why; `id` finds its words."""

    id: str
    locator: str
    reason: str


def left_out_rows(made: Interpretation) -> tuple[LeftOutRow, ...]:
    return tuple(_left_out(each) for each in made.left_out)


def _left_out(each: LeftOut) -> LeftOutRow:
    reason = line(each.reason)
    return LeftOutRow(each.passage_id, line(each.locator), reason[:1].upper() + reason[1:])


def given_words(made: Interpretation) -> str:
    """Above the passages: how many were given, or why there is none."""
    if made.passages:
        count = len(made.passages)
        words = f"{count} passage{'s' if count > 1 else ''} given to the model"
        return f"{made.given_in_words[:1].upper()}{made.given_in_words[1:]}" or words
    if made.left_out:
        return "Passages were found, and none was given to the model."
    if made.query:
        return "No evidence found: nothing in the library answers this."
    return "At this context level the model is told no literature."


# -- documents ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DocumentCard:
    """A document of the library; `path` is "" for what came with GlassView."""

    key: str
    title: str
    byline: str
    holds: str
    path: str
    file: str
    can_remove: bool


def document_card(row: DocumentRow) -> DocumentCard:
    parts = [_count(row.passages, "passage")]
    parts += [_count(row.pages, "page")] if row.pages else []
    parts += [_count(row.figures, "figure")] if row.figures else []
    return DocumentCard(
        key=row.key,
        title=line(row.title) or "Without a title",
        byline=byline(row.authors, row.year),
        holds=" · ".join(parts),
        path=row.path,
        file=line(Path(row.path).name) if row.path else "comes with GlassView",
        can_remove=bool(row.path),
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
