"""Words: which passages hold them, how much they weigh, and what to ask besides.

BM25 over the words of passages, their titles, and the names of their features and materials. Knows
no vectors. Everything that is counted is counted over what is alive at the generation asked for, so
that a pinned search weighs alike however the library grows.

Sources: Robertson and Zaragoza 2009 for BM25; Lavrenko and Croft 2001 for the words of feedback.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from glassllava import features
from rag.passages import PRIMER_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.passages import Entry

#: Saturation and length normalisation; not tuned.
_K1, _B = 1.5, 0.75
_SMALL_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can did do does for from had has have how i if in is it its me my"
        " no not of on or so than that the them then there these they this to us was we were what"
        " when where which who why will with you your",
    )
)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """How often each passage holds each word.

    `counts` is (passages, words), sparse by column, `rows` the same by row; `lengths` is
    (passages,) in words.
    """

    vocabulary: dict[str, int]
    counts: sparse.csc_matrix
    rows: sparse.csr_matrix
    lengths: np.ndarray

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Lexicon:
        vocabulary: dict[str, int] = {}
        starts = [0]
        columns: list[int] = []
        values: list[int] = []
        for entry in entries:
            held = Counter(words_of(_told(entry)))
            columns += [vocabulary.setdefault(word, len(vocabulary)) for word in held]
            values += held.values()
            starts.append(len(columns))
        shape = (len(entries), len(vocabulary))
        rows = sparse.csr_matrix((values, columns, starts), shape=shape, dtype=np.float32)
        lengths = np.asarray(rows.sum(axis=1), float).ravel()
        return cls(vocabulary, rows.tocsc(), rows, lengths)

    def scores(self, query: str, alive: np.ndarray) -> np.ndarray:
        """BM25 of each passage over the weight of all words asked, (n,); 0 where not alive.

        A word that no passage holds weighs as the rarest would: a question of foreign words
        scores little, whatever small words it has in common.
        """
        words = words_of(query)
        known = [self.vocabulary[word] for word in words if word in self.vocabulary]
        weights = self._weights(known, alive)
        none = float(np.log1p((alive.sum() + 0.5) / 0.5))
        return self._weighed(
            known, weights, alive, float(weights.sum()) + none * (len(words) - len(known))
        )

    def feedback(
        self, best: Sequence[int] | np.ndarray, shares: np.ndarray, most: int, alive: np.ndarray
    ) -> np.ndarray:
        """The same for the `most` telling words of the passages `best`, which count by `shares`."""
        if not len(best):
            return np.zeros(len(self.lengths))
        held = np.asarray(shares @ self.rows[list(best)]).ravel()
        columns = np.flatnonzero(held)
        weights = held[columns] * self._weights(columns, alive)
        telling = np.argsort(-weights, kind="stable")[:most]
        weights = weights[telling]
        return self._weighed(columns[telling], weights, alive, float(weights.sum()))

    def _weights(self, columns: Sequence[int] | np.ndarray, alive: np.ndarray) -> np.ndarray:
        """How rare each word is among what is alive."""
        held = np.empty(len(columns))
        for place, column in enumerate(columns):
            part = slice(self.counts.indptr[column], self.counts.indptr[column + 1])
            held[place] = np.count_nonzero(alive[self.counts.indices[part]])
        weights: np.ndarray = np.log1p((alive.sum() - held + 0.5) / (held + 0.5))
        return weights

    def _weighed(
        self,
        columns: Sequence[int] | np.ndarray,
        weights: np.ndarray,
        alive: np.ndarray,
        asked: float,
    ) -> np.ndarray:
        found = np.zeros(len(self.lengths))
        if not asked or not alive.any():
            return found
        room = _K1 * (1 - _B + _B * self.lengths / max(float(self.lengths[alive].mean()), 1.0))
        for column, weight in zip(columns, weights, strict=True):
            part = slice(self.counts.indptr[column], self.counts.indptr[column + 1])
            rows, counts = self.counts.indices[part], self.counts.data[part]
            found[rows] += weight * counts * (_K1 + 1) / (counts + room[rows])
        return np.where(alive, found / asked, 0.0)


def _told(entry: Entry) -> str:
    """What a passage is found by. The primer's one title would tell its passages nothing."""
    passage = entry.passage
    title = "" if passage.id.startswith(f"{PRIMER_KEY}:") else passage.title
    section = passage.section if passage.section and not passage.section.isdigit() else ""
    named = [f"{features.name_of(key)} {_parent_name(key)}" for key in entry.topics]
    return " ".join([passage.text, title, section, *named, *entry.materials])


def _parent_name(key: str) -> str:
    return features.name_of(features.parent_of(key))


def words_of(text: str) -> list[str]:
    """The stems of a text's words, small words left out."""
    found = re.findall(r"[^\W_]+", text.lower())
    return [_stem(word) for word in found if word not in _SMALL_WORDS]


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    # Crude and enough: Snowball's English stemmer scored no better on the questions to tune on.
    for ending, instead in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)] + instead
    return word
