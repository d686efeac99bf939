"""What the words of a paper say of a figure: its number, its panels' letters, who mentions it.

A caption is split where it names panels from (a) on, in order; what it says before, and after the
last panel's sentence, is said of all. Knows words alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: Of a caption; what is longer is no caption, and is cut there.
LONGEST_CAPTION = 4000
_MOST_LETTERS = 26

_GROUP = r"[a-z](?:\s?(?:,|;|&|and|[-–—])\s?[a-z](?![a-z]))*"
_MARK = re.compile(rf"\(\s?({_GROUP})\s?\)|(?<![\w(.])([a-z])\)", re.IGNORECASE)
_HEAD = re.compile(r"^\s*(?:(?:supplementary|extended data)\s+)?(?:figure|fig\.?|scheme|plate|"
                   r"micrograph|abb\.)\s*(?:[sa]\.?)?\d+(?:\.\d+)?[a-z]?\s*[.:|]?\s*",
                   re.IGNORECASE)  # fmt: skip
_SENTENCE = re.compile(r"(?<=[.;])\s+(?=[A-Z])")

_WORD = re.compile(
    r"(?P<extra>(?:supplementary|extended\s+data)\s+)?\b(?P<word>figures?|figs?\.?|schemes?|"
    r"plates?|abb\.)\s*(?=[sa]?\.?\s?\d)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\s*([sa]?)\.?\s?(\d{1,3}(?:\.\d{1,3})?)", re.IGNORECASE)
_LETTERS = re.compile(
    r"\s?\(?\s?([a-z](?![a-z])(?:\s?(?:,|&|and|[-–—])\s?\(?[a-z]\)?(?![a-z]))*)\s?\)?",
    re.IGNORECASE,
)
_JOIN = re.compile(r"\s*(?:,\s*and|,|;|and|&|to|[-–—])\s*(?=[sa]?\.?\d)", re.IGNORECASE)
_UNIT = re.compile(r"\s?(?:%|°|wt|mol|at\.|vol|nm|µm|um|mm|cm|h\b|min|days?|weeks?|K\b|k?V\b|k?Pa)")
_MOST_FIGURES = 200
_LONGEST_PARAGRAPH = 50_000


@dataclass(frozen=True, slots=True)
class Split:
    """A caption in parts: `of(letter)` is what is said of one panel, with what is said of all."""

    whole: str
    head: str = ""
    parts: tuple[tuple[str, str], ...] = ()
    tail: str = ""

    @property
    def letters(self) -> tuple[str, ...]:
        return tuple(letter for letter, _part in self.parts)

    def of(self, letter: str) -> str:
        """The words for one panel; the whole caption for a letter that it does not name."""
        for each, part in self.parts:
            if each == letter:
                return " ".join(filter(None, (self.head, f"({letter}) {part}", self.tail)))
        return self.whole


@dataclass(frozen=True, slots=True)
class Mention:
    """A figure that a paragraph speaks of; no `letters`: the figure as a whole."""

    figure: str
    letters: frozenset[str]


def split_caption(caption: str) -> Split:
    """The parts of a caption; without parts where it does not name (a), (b) … in order."""
    caption = " ".join(caption[:LONGEST_CAPTION].split())
    marks: list[tuple[int, int, list[str]]] = []
    expected = 0
    for match in _MARK.finditer(caption):
        letters = _letters(match[1] or match[2])
        numbers = [ord(letter) - 97 for letter in letters]
        if numbers and numbers == list(range(expected, expected + len(numbers))):
            marks.append((match.start(), match.end(), letters))
            expected += len(numbers)
    if not 2 <= expected <= _MOST_LETTERS:
        return Split(caption)
    if not caption[marks[-1][1] :].strip(" .;,"):
        return _named_behind(caption, marks)
    head = caption[: marks[0][0]].strip()
    parts: list[tuple[str, str]] = []
    tail = ""
    for number, (_start, stop, letters) in enumerate(marks):
        is_last = number + 1 == len(marks)
        said = caption[stop : len(caption) if is_last else marks[number + 1][0]]
        said = said.strip(" ,;:")
        if is_last:
            first, *rest = _SENTENCE.split(said, maxsplit=1)
            said, tail = first.strip(), " ".join(rest)
        said = re.sub(r"[\s,;]+(?:and)?$", "", said)
        parts += [(letter, said) for letter in letters]
    return Split(caption, head, tuple(parts), tail)


def _named_behind(caption: str, marks: list[tuple[int, int, list[str]]]) -> Split:
    """'As received (a) and after a month (b).': each letter stands behind its words."""
    label = _HEAD.match(caption)
    start = label.end() if label else 0
    head = caption[:start].strip()
    # "SEM images of glass: as received (a), …": what ends with a colon is said of all.
    colon = caption.find(":", start, marks[0][0])
    if colon >= 0:
        head, start = caption[: colon + 1].strip(), colon + 1
    parts: list[tuple[str, str]] = []
    for first, stop, letters in marks:
        said = re.sub(r"^(?:and\s+)", "", caption[start:first].strip(" ,;.")).strip()
        parts += [(letter, said) for letter in letters]
        start = stop
    return Split(caption, head, tuple(parts))


def figure_number(label: str) -> str:
    """What a figure is called, whatever its word: 'Fig. 3a' and 'FIGURE 3' are '3'; '' for none.

    'Figure S2' and 'Supplementary Fig. 2' are 's2'.
    """
    found = mentions(label)
    return found[0].figure if found else ""


def mentions(text: str) -> tuple[Mention, ...]:
    """The figures that a text speaks of: 'Figs. 2a,b and 4–6' are five of them."""
    text = text[:_LONGEST_PARAGRAPH]
    found: list[Mention] = []
    for word in _WORD.finditer(text):
        kind = word["word"].lower()[:2]
        extra = "s" if word["extra"] else ""
        prefix = {"sc": "scheme ", "pl": "plate "}.get(kind, "")
        place, last, joined = word.end(), None, ""
        while len(found) < _MOST_FIGURES and (number := _NUMBER.match(text, place)):
            if joined and _UNIT.match(text, number.end()):
                break  # "Fig. 2 and 5 wt% of it"
            place = number.end()
            name = prefix + (number[1].lower() or extra) + number[2]
            letters: frozenset[str] = frozenset()
            if (named := _LETTERS.match(text, place)) and _are_letters(text, named):
                letters = frozenset(_letters(named[1]))
                place = named.end()
            if joined in "-–—to" and joined and last is not None and number[2].isdigit():
                first = int(last) + 1
                found += [
                    Mention(prefix + (number[1].lower() or extra) + str(n), frozenset())
                    for n in range(first, min(int(number[2]), first + 30))
                ]
            found.append(Mention(name, letters))
            last = number[2] if number[2].isdigit() else None
            join = _JOIN.match(text, place)
            if join is None:
                break
            joined, place = join[0].strip(), join.end()
    return tuple(dict.fromkeys(found))


def _are_letters(text: str, match: re.Match[str]) -> bool:
    """Whether what stands behind a number are letters of panels, and not 'Fig. 3 a crack is'."""
    told = match[0]
    if told[:1].isspace() and "(" not in told:
        return False
    return told.count("(") <= told.count(")") or "(" not in told


def _letters(text: str) -> list[str]:
    """'a, c-e' as a, c, d, e; nothing where a range runs backwards."""
    found: list[str] = []
    signs = re.findall(r"[a-z](?![a-z])|[-–—]", text.lower().replace("and", ","))
    is_range = False
    for sign in signs:
        if sign in "-–—":
            is_range = True
        elif is_range and found:
            found += [chr(code) for code in range(ord(found[-1]) + 1, ord(sign) + 1)]
            is_range = False
        else:
            found.append(sign)
    return found


def paragraphs_for(
    paragraphs: Iterable[str], label: str, letter: str = "", most: int = 12
) -> tuple[str, ...]:
    """The paragraphs that mention a figure, each once, in order; of a panel's only those.

    A paragraph that mentions the figure as a whole speaks of each of its panels.
    """
    wanted = figure_number(label)
    if not wanted:
        return ()
    told: dict[str, None] = {}
    for paragraph in paragraphs:
        ours = [mention for mention in mentions(paragraph) if mention.figure == wanted]
        if any(not letter or not m.letters or letter in m.letters for m in ours):
            told[paragraph] = None
    return tuple(told)[:most]
