"""The running text of a paper: headings, paragraphs over columns and pages, hyphens undone.

Knows lines in reading order, without furniture and captions. What stands in the list of references
is not text of the paper and is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.reading.cutting import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rag.reading.glyphs import Line

_NUMBERED = re.compile(r"(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,4}\.|[A-H]\.)\s+(?=[A-ZÀ-ÞΑ-Ω])")
_KNOWN = re.compile(
    r"(?:abstract|summary|introduction|background|theory|experimental(?: (?:procedures?|section|"
    r"details|methods?|part))?|materials? and methods?|methods?|methodology|results?(?: and "
    r"discussions?)?|discussions?|conclusions?|concluding remarks|summary and conclusions|"
    r"acknowledge?ments?|references(?: and notes)?|bibliography|literature(?: cited)?|"
    r"works cited|cited literature|appendix(?: [a-z0-9])?|keywords|highlights|nomenclature|"
    r"supplementary (?:material|information)|data availability|funding|declarations?)",
    re.IGNORECASE,
)
_REFERENCES = re.compile(
    r"(?:references(?: and notes| cited)?|bibliography|literature(?: cited)?|works cited|"
    r"cited literature)",
    re.IGNORECASE,
)
_ABSTRACT = re.compile(r"(?:abstract|summary)", re.IGNORECASE)
_RUN_IN = re.compile(r"(abstract|summary)\s*[.:—–-]+\s*(?=\S)", re.IGNORECASE)
_KEYWORDS = re.compile(r"(?:key\s?words|index terms)\b", re.IGNORECASE)
_ENDS = (".", "!", "?", ":", "”", '."', ".)")
_LETTER_HYPHEN = re.compile(r"[^\W\d_]-$")
_MOST_HEADING_LINES = 3


@dataclass(slots=True)
class _Paragraph:
    section: str | None
    kind: str
    words: list[str] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)

    def block(self) -> Block:
        turns = tuple(
            (number, page)
            for number, page in enumerate(self.pages)
            if number and page != self.pages[number - 1]
        )
        return Block(" ".join(self.words), self.section, self.pages[0], turns, self.kind)


@dataclass(frozen=True, slots=True)
class Placement:
    """A line of the running text, and its page."""

    line: Line
    page: int


class Flow:
    """The text as it is put together, line after line."""

    def __init__(self, placed: Sequence[Placement], body: float, pitch: float) -> None:
        self._placed = placed
        self._body = body
        self._pitch = pitch
        self._compounds = _compounds(item.line.text for item in placed)
        self._lefts = _column_lefts(placed)
        self._found: list[_Paragraph] = []
        self._section: str | None = None
        self._kind = "text"
        #: The paragraph that is open, and its last line: of the text's own size, and of another
        #: (notes at the foot, tables), which may stand in the middle of a paragraph.
        self._open_ones: dict[bool, tuple[_Paragraph, int]] = {}
        self._front = self._front_end()
        self._list = self._list_start()

    def _front_end(self) -> int:
        """Before this line stand names and addresses, which may be large or bold; 0 without them.

        They end where page 1 has its first heading that is known or numbered.
        """
        for index, item in enumerate(self._placed):
            if item.page > 1:
                break
            text = item.line.text
            known = _KNOWN.fullmatch(_bare(text)) or _NUMBERED.match(text)
            if (known and self._like_heading(index)) or _RUN_IN.match(text):
                return index
        return 0

    def _list_start(self) -> int:
        """Where a list of references begins that has no heading; past the end where none does.

        It is looked for in the second half: [1] at the beginning of a line, soon after it [2].
        """
        for index in range(len(self._placed) // 2, len(self._placed)):
            if self._placed[index].line.text.startswith("[1] "):
                soon = self._placed[index + 1 : index + 10]
                if any(item.line.text.startswith("[2] ") for item in soon):
                    return index
        return len(self._placed)

    def blocks(self) -> list[Block]:
        """The paragraphs in reading order, each under its heading."""
        index = 0
        skipping: Line | None = None  # the heading of the references, while they last
        while index < len(self._placed):
            if index == self._list and skipping is None:
                skipping = self._placed[index].line
            count = self._heading(index)
            if count:
                line = self._placed[index].line
                heading = " ".join(self._placed[index + i].line.text for i in range(count))
                bare = _bare(heading)
                if _REFERENCES.fullmatch(bare):
                    skipping = line
                elif skipping is None or _ends_references(skipping, line, bare):
                    skipping = None
                    self._open(heading, bare)
                index += count
            else:
                if skipping is None:
                    self._take(index)
                index += 1
        return [paragraph.block() for paragraph in self._found if paragraph.words]

    def _open(self, heading: str, bare: str) -> None:
        self._section = " ".join(heading.split())[:200]
        self._kind = "abstract" if _ABSTRACT.fullmatch(bare) else "text"
        self._open_ones = {}

    def _take(self, index: int) -> None:
        placed = self._placed[index]
        text = placed.line.text
        if match := _RUN_IN.match(text):
            self._open(match[1], match[1])
            text = text[match.end() :]
        elif self._kind == "abstract" and _KEYWORDS.match(text):
            self._open("Keywords", "keywords")
        own = abs(placed.line.size - self._body) <= 0.12 * self._body
        if own not in self._open_ones or self._begins(index, *self._open_ones[own]):
            self._found.append(_Paragraph(self._section, self._kind))
            self._open_ones[own] = (self._found[-1], index)
        paragraph = self._open_ones[own][0]
        self._append(paragraph, text.split(), placed.page)
        self._open_ones[own] = (paragraph, index)

    def _append(self, paragraph: _Paragraph, words: list[str], page: int) -> None:
        if paragraph.words and words and paragraph.words[-1].endswith(("-", "–")):
            joined = self._joined(paragraph.words[-1], words[0])
            if joined:
                paragraph.words[-1] = joined
                words = words[1:]
        paragraph.words.extend(words)
        paragraph.pages.extend([page] * len(words))

    def _joined(self, end: str, begin: str) -> str:
        """Two halves of a word over a line's end as one, or "" where the dash is a dash."""
        if end.endswith("–"):
            return end + begin if re.search(r"\w–$", end) and begin[:1].isupper() else ""
        if not _LETTER_HYPHEN.search(end):
            return end + begin if re.search(r"\w-$", end) else ""
        if not begin[:1].islower():
            return end + begin
        with_hyphen = _core(end + begin)
        without = _core(end[:-1] + begin)
        # As the paper itself writes it elsewhere; a hyphen at a line's end is mostly the line's.
        if self._compounds[with_hyphen] > self._compounds[without]:
            return end + begin
        return end[:-1] + begin

    def _begins(self, index: int, paragraph: _Paragraph, last: int) -> bool:
        """Whether a paragraph begins with this line, and not a line that goes on after `last`."""
        above, line = self._placed[last], self._placed[index]
        # Bold or italic words may stand anywhere; another size is another text.
        if abs(line.line.size - above.line.size) > 0.12 * self._body:
            return True
        told = " ".join(paragraph.words[-2:])
        if above.page != line.page or above.line.column != line.line.column:
            return told.endswith(_ENDS) and not line.line.text[:1].islower()
        step = line.line.base - above.line.base
        if step < 0 or step > 1.35 * max(self._pitch, 1.15 * line.line.size):
            return told.endswith(_ENDS) or not line.line.text[:1].islower()
        indent = line.line.left - self._lefts[line.page, line.line.column]
        indent_above = above.line.left - self._lefts[above.page, above.line.column]
        return 0.7 * line.line.size < indent < 5 * line.line.size and indent_above < 0.3 * (
            line.line.size
        )

    def _heading(self, index: int) -> int:
        """How many lines the heading that begins here has; 0 for none."""
        first = self._placed[index]
        if index < self._front or not self._like_heading(index):
            return 0
        count = 1
        while index + count < len(self._placed):
            above, line = self._placed[index + count - 1], self._placed[index + count]
            step = line.line.base - above.line.base
            same = (
                line.page == first.page
                and abs(line.line.size - first.line.size) < 0.03 * first.line.size
                and line.line.bold == first.line.bold
                and 0 < step < 1.6 * line.line.size
                and (first.line.bold or first.line.size > 1.1 * self._body)
                and not _NUMBERED.match(line.line.text)
                and not _KNOWN.fullmatch(_bare(above.line.text))
            )
            if not same:
                break
            count += 1
        return count if count <= _MOST_HEADING_LINES else 0

    def _like_heading(self, index: int) -> bool:
        line = self._placed[index].line
        words = line.text.split()
        letters = sum(sign.isalpha() for sign in line.text)
        if not 0 < len(words) <= 14 or letters < 3 or letters < 0.5 * len("".join(words)):
            return False
        if line.text.endswith((",", ";", "-")):
            return False
        known = _KNOWN.fullmatch(_bare(line.text)) is not None
        if line.size >= 1.12 * self._body or (line.bold and (known or not line.text.endswith("."))):
            return True
        if known and (self._stands_apart(index) or self._tops_column(index)):
            return True
        if line.size < 0.9 * self._body or not self._stands_apart(index):
            return False
        shouted = line.text.isupper() and letters >= 4 and len(words) <= 10
        numbered = _NUMBERED.match(line.text) is not None and len(words) <= 10
        return (numbered or shouted) and not line.text.endswith(".")

    def _tops_column(self, index: int) -> bool:
        if index == 0:
            return True
        above, line = self._placed[index - 1], self._placed[index]
        return above.page != line.page or above.line.column != line.line.column

    def _stands_apart(self, index: int) -> bool:
        if index == 0:
            return True
        above, line = self._placed[index - 1], self._placed[index]
        if self._tops_column(index):
            return above.line.text.endswith(_ENDS)
        step = line.line.base - above.line.base
        return step < 0 or step > 1.25 * self._pitch


def _bare(heading: str) -> str:
    """A heading without its number and end mark, and with letters set apart drawn together."""
    text = re.sub(r"^(?:\d{1,2}(?:\.\d{1,2})*\.?|[IVX]{1,4}\.)\s+", "", " ".join(heading.split()))
    if re.fullmatch(r"(?:\w\s){3,}\w", text):
        text = text.replace(" ", "")
    return text.rstrip(" .:—–-")


def _ends_references(references: Line, line: Line, bare: str) -> bool:
    """Whether a heading after the references' own opens text of the paper again."""
    if _KNOWN.fullmatch(bare) or re.match(r"appendix|supplement|annex", bare, re.IGNORECASE):
        return True
    alike = abs(line.size - references.size) < 0.04 * references.size
    return alike and line.bold == references.bold and not bare.endswith(".")


def _core(word: str) -> str:
    return word.strip("()[]{}.,;:!?\"'“”‘’").casefold()


def _compounds(texts: Iterator[str]) -> Counter[str]:
    """How often each word is written within a line, where no line end has broken it."""
    counts: Counter[str] = Counter()
    for text in texts:
        words = text.split()
        counts.update(_core(word) for word in words[:-1])
        if words and not words[-1].endswith("-"):
            counts[_core(words[-1])] += 1
    return counts


def _column_lefts(placed: Sequence[Placement]) -> dict[tuple[int, int], float]:
    lefts: dict[tuple[int, int], float] = {}
    for item in placed:
        key = item.page, item.line.column
        lefts[key] = min(lefts.get(key, item.line.left), item.line.left)
    return lefts
