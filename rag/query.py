"""What is asked of the library besides words: which passages an answer may come from.

The words themselves are made in `glassllava.prompt.literature_query`, on the ground: the record and
the report show them, and the ground may not look up here. Knows passages and the rules' tokens; not
scores, vectors or the index.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from glassllava import rules
from glassllava.errors import BadInput
from glassllava.prompt import literature_query
from glassllava.sample import Sample, understand, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.passages import Entry

__all__ = ["Where", "literature_query"]


@dataclass(frozen=True, slots=True)
class Where:
    """Passages of these materials, of these processes, of these years; empty asks nothing.

    `materials` and `processes` are tokens of the rules, one of which must be told; `years` is the
    first and the last, either of which may be open. A passage of no year is of none.
    """

    materials: frozenset[str] = frozenset()
    processes: frozenset[str] = frozenset()
    years: tuple[int | None, int | None] = (None, None)

    @classmethod
    def of(cls, material: str = "", process: str = "", years: str = "") -> Where:
        """From the words of a person: "float glass", "tempered", "2010-2020", "2015" or "2015-".

        Raises
        ------
        BadInput : for a material or a process that the rules do not know, and for other years.
        """
        return cls(
            _tokens("material", material, Sample(material=material)),
            _tokens("process", process, Sample(process=process)),
            _years(years),
        )

    def allows(self, entry: Entry) -> bool:
        first, last = self.years
        if first is not None or last is not None:
            year = entry.passage.year
            if year is None or not (first or year) <= year <= (last or year):
                return False
        return all(
            not tokens or _tells(entry, key, tokens)
            for key, tokens in (("material", self.materials), ("process", self.processes))
        )

    def mask(self, entries: Sequence[Entry]) -> np.ndarray:
        """(n,) bool: which of `entries` an answer may come from."""
        return np.fromiter((self.allows(entry) for entry in entries), bool, len(entries))


def _tells(entry: Entry, key: str, tokens: frozenset[str]) -> bool:
    """Whether a passage is about one of `tokens`: as it is labelled, or else by its words."""
    if key == "material" and entry.materials:
        return bool(tokens & set(entry.materials))
    text = f"{entry.passage.title}. {entry.passage.text}"
    if not _pattern(key, tokens).search(text):
        return False  # at once: to understand a text takes a thousand times longer
    told = understand(Sample(material=text) if key == "material" else Sample(process=text))
    return bool(tokens & told.tokens.get(key, frozenset()))


@cache
def _pattern(key: str, tokens: frozenset[str]) -> re.Pattern[str]:
    """Any phrase that may mean one of `tokens`."""
    phrases = sorted({phrase for token in tokens for phrase in words_of(key, token)})
    spaced = (re.escape(phrase).replace(r"\ ", r"[\s_/()]+") for phrase in phrases)
    return re.compile(rf"(?<!\w)(?:{'|'.join(spaced)})(?!\w)", re.IGNORECASE)


def _tokens(key: str, words: str, sample: Sample) -> frozenset[str]:
    if not words.strip():
        return frozenset()
    found = understand(sample).tokens.get(key, frozenset())
    if not found:
        known = ", ".join(sorted(rules.tokens()[key])).replace("_", " ")
        raise BadInput(f"No {key} is known as '{words}'", remedy=f"Known are: {known}.")
    return found


def _years(words: str) -> tuple[int | None, int | None]:
    words = words.strip()
    if not words:
        return None, None
    match = re.fullmatch(r"(\d{4})?\s*([-–])?\s*(\d{4})?", words)
    if not match or not (match[1] or match[3]) or (match[3] and not match[2]):
        raise BadInput(
            f"'{words}' is no year and no range of years",
            remedy="Write 2015, 2010-2020, 2010- or -2020.",
        )
    first = int(match[1]) if match[1] else None
    last = int(match[3]) if match[3] else (None if match[2] else first)
    if first and last and first > last:
        raise BadInput(f"{first} is after {last}", remedy=f"Write {last}-{first}.")
    return first, last
