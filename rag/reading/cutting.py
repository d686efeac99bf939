"""Blocks of text cut into passages that the embedder can read whole.

Cuts at sentences, never across sections; short paragraphs of one section share a passage. Knows
words and pages, not where they came from.
"""

from __future__ import annotations

import bisect
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassllava.literature import Passage
from rag.passages import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The embedder reads 256 tokens; what stands beyond is not found. Formulae take more tokens than
#: words, so that both are counted.
LONGEST_WORDS = 130
LONGEST_TOKENS = 230

_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SENTENCE = re.compile(
    r"(?:(?<=[.!?])|(?<=[.!?][\"'”’)\]]))\s+(?=[\"'“‘(\[]?[A-ZÀ-ÞΑ-Ω0-9])|(?<=[。！？])"
)
#: What ends with a full stop and does not end a sentence.
_ABBREVIATED = re.compile(
    r"(?:\b(?:Figs?|Eqs?|Refs?|Tabs?|Secs?|Nos?|Vol|pp?|ca|approx|resp|vs|viz|cf|al|e\.g|i\.e|"
    r"etc|Dr|Prof|St|wt|mol|temp|max|min|dia)|(?:^|[\s(])[A-Z])\.$"
)
_PARTS = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, an abstract or a caption.

    `page` is where its first word stands (None where there are no pages); `turns` are pairs
    (number of the word, counted from 0, that begins a page; the page). `kind` is a passage's kind;
    `place` is what is shown for the section, where that says more than its heading.
    """

    text: str
    section: str | None = None
    page: int | None = None
    turns: tuple[tuple[int, int], ...] = ()
    kind: str = "text"
    place: str | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    section: str | None
    place: str | None
    page: int | None
    kind: str
    words: int
    tokens: int


def cleaned(text: str) -> str:
    """`text` without characters that steer a terminal or turn the direction of writing.

    Nor halves of surrogate pairs, which no encoding can write down.
    """
    return _UNPRINTABLE.sub("", text)


def sentences(text: str) -> list[str]:
    """The sentences of `text`, in order; together they hold every word of it."""
    found: list[str] = []
    for part in _SENTENCE.split(text):
        part = part.strip()
        if not part:
            continue
        if found and _ABBREVIATED.search(found[-1]):
            found[-1] = f"{found[-1]} {part}"
        else:
            found.append(part)
    return found


def tokens(text: str) -> int:
    """About as many tokens as the embedder makes of `text`; rather more than fewer."""
    return sum(1 + max(0, len(part) - 4) // 5 for part in _PARTS.findall(text))


def entries_of(
    blocks: Iterable[Block],
    prefix: str,
    title: str,
    authors: str = "",
    year: int | None = None,
    doi: str | None = None,
) -> tuple[tuple[Entry, ...], dict[int, str]]:
    """The passages of `blocks`, and the id of the passage in which each block begins.

    Ids are `prefix`:1, `prefix`:2 and so on. A caption or an abstract shares its passage with
    nothing else.
    """
    packed: list[list[_Piece]] = []
    began: dict[int, int] = {}
    for number, block in enumerate(blocks):
        for count, piece in enumerate(_pieces(block)):
            last = packed[-1] if packed else None
            if last is not None and _fit(last, piece):
                last.append(piece)
            else:
                packed.append([piece])
            if count == 0:
                began[number] = len(packed)
    entries = tuple(
        Entry(
            Passage(
                id=f"{prefix}:{number}",
                text="\n".join(piece.text for piece in pieces),
                title=title,
                authors=authors,
                year=year,
                doi=doi,
                page=pieces[0].page,
                section=pieces[0].place or pieces[0].section,
                kind=pieces[0].kind,
            )
        )
        for number, pieces in enumerate(packed, start=1)
    )
    return entries, {block: f"{prefix}:{place}" for block, place in began.items()}


def _fit(pieces: Sequence[_Piece], piece: _Piece) -> bool:
    first = pieces[0]
    return (
        (first.section, first.kind, piece.kind) == (piece.section, "text", "text")
        and sum(item.words for item in pieces) + piece.words <= LONGEST_WORDS
        and sum(item.tokens for item in pieces) + piece.tokens <= LONGEST_TOKENS
    )


def _pieces(block: Block) -> list[_Piece]:
    """A block in pieces of like length, cut at sentences where those are short enough."""
    parts: list[list[str]] = []
    for sentence in sentences(" ".join(block.text.split())):
        parts.extend(_short(sentence.split()))
    sizes = [(len(part), tokens(" ".join(part))) for part in parts]
    words, told = (sum(size[axis] for size in sizes) for axis in (0, 1))
    count = max(1, math.ceil(words / LONGEST_WORDS), math.ceil(told / LONGEST_TOKENS))
    goal = told / count
    turns = [turn for turn, _page in block.turns]
    pieces: list[_Piece] = []
    held: list[str] = []
    held_tokens = place = 0
    for index, part in enumerate(parts):
        size = sizes[index][1]
        over = len(held) + len(part) > LONGEST_WORDS or held_tokens + size > LONGEST_TOKENS
        # Rather leave a sentence to the next piece than pass the goal by more than half of it.
        if held and (over or held_tokens + size / 2 > goal):
            pieces.append(_piece(block, turns, held, place - len(held), held_tokens))
            held, held_tokens = [], 0
        held = [*held, *part]
        held_tokens += size
        place += len(part)
    if held:
        pieces.append(_piece(block, turns, held, place - len(held), held_tokens))
    return pieces


def _piece(
    block: Block, turns: Sequence[int], words: Sequence[str], first: int, told: int
) -> _Piece:
    before = bisect.bisect_right(turns, first)
    page = block.turns[before - 1][1] if before else block.page
    return _Piece(" ".join(words), block.section, block.place, page, block.kind, len(words), told)


def _short(words: list[str]) -> list[list[str]]:
    """A sentence whole, or, where it is too long, cut between words; a word too long, within."""
    told = [tokens(word) for word in words]
    if len(words) <= LONGEST_WORDS and sum(told) <= LONGEST_TOKENS:
        return [words]
    parts: list[list[str]] = [[]]
    size = 0
    for word, weight in zip(words, told, strict=True):
        if parts[-1] and (len(parts[-1]) >= LONGEST_WORDS or size + weight > LONGEST_TOKENS):
            parts.append([])
            size = 0
        parts[-1].append(word)
        size += weight
    return parts
