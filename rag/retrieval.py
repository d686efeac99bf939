"""Which passages answer a question: meaning first, shared words to break near ties.

Knows vectors and words, not where they are kept. Every score is exact: whatever proposed the
candidates, the cosine is computed here from the manifest's own vectors.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rag.manifest import Holdings

#: Below this score nothing is evidence. On 20 questions that were used to set it the right section
#: scored 0.32 or more; of 25 questions about other things, the 20 that share no subject word with
#: glass or cracks stayed at 0.30 or less. Words such as "crack" or "glass" in another trade pass.
FLOOR = 0.30
#: What sharing all of a question's weighty words adds to the cosine: breaks ties, no more.
_LEXICAL = 0.10
#: Two passages whose vectors are this near say the same thing; the better one stands for both.
_TWINS = 0.97
#: Candidates for each passage wanted, so that folding twins and breaking ties have a choice.
OVERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of each passage, and how rare each word is among them."""

    words: tuple[frozenset[str], ...]
    rarity: dict[str, float]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Lexicon:
        words = tuple(frozenset(_words(text)) for text in texts)
        counts = Counter(word for each in words for word in each)
        rarity = {word: math.log((1 + len(words)) / count) for word, count in counts.items()}
        return cls(words, rarity)

    def shared(self, asked: Iterable[str], index: int) -> float:
        """Which part of the asked words' weight passage `index` holds, 0 to 1.

        A word that no passage holds weighs as the rarest would: a question of foreign words
        shares little, whatever small words it has in common.
        """
        rarest = math.log(1 + len(self.words))
        weights = {word: self.rarity.get(word, rarest) for word in asked}
        total = sum(weights.values())
        held = sum(weight for word, weight in weights.items() if word in self.words[index])
        return held / total if total else 0.0


def _words(text: str) -> list[str]:
    # A crude stem is enough for breaking ties: bubbles and bubble, cracks and crack.
    return [
        word[:-1] if word.endswith("s") and len(word) > 3 else word
        for word in re.findall(r"[a-zäöüß0-9]{2,}", text.lower())
    ]


def exact(vector: np.ndarray, vectors: np.ndarray, alive: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` nearest living vectors by cosine, nearest first: the oracle."""
    cosines = np.where(alive, vectors @ vector, -np.inf)
    count = min(count, int(alive.sum()))
    best = np.argpartition(-cosines, count - 1)[:count] if count else np.empty(0, int)
    return best[np.argsort(-cosines[best], kind="stable")]


def rank(
    query: str,
    vector: np.ndarray,
    candidates: Sequence[int],
    holdings: Holdings,
    lexicon: Lexicon,
    limit: int,
) -> list[tuple[int, float]]:
    """(index, score) of at most `limit` candidates, best first, twins folded.

    Empty when no candidate's score reaches the floor: no evidence is an answer.
    """
    asked = set(_words(query))
    cosines = holdings.vectors[list(candidates)] @ vector if len(candidates) else np.empty(0)
    scored = [
        (index, float(cosine) + _LEXICAL * lexicon.shared(asked, index))
        for index, cosine in zip(candidates, cosines, strict=True)
    ]
    scored = [pair for pair in scored if pair[1] >= FLOOR]
    scored.sort(key=lambda pair: (-pair[1], pair[0]))
    kept: list[tuple[int, float]] = []
    for index, score in scored:
        near = (float(holdings.vectors[index] @ holdings.vectors[other]) for other, _ in kept)
        if all(cosine < _TWINS for cosine in near):
            kept.append((index, score))
        if len(kept) == limit:
            break
    return kept
