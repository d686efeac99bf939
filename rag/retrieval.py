"""Which passages answer a question: meaning and words fused, then what they are about.

Knows vectors and words, not where they are kept. Every score is exact: whatever proposed the
candidates, it is computed here from the manifest's own vectors and texts, over what was alive at
the generation asked for, so that a pinned search answers alike however the library grows.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from glassllava import features
from glassllava.sample import Sample, understand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.holdings import Holdings
    from rag.passages import Entry

#: Cosine plus _LEXICAL x words of the best passage, below which nothing is evidence. Set on the
#: `tune` questions and 17 of other subjects: all of the first reach it, 19 of 24 of the second do
#: not. Words such as "crack" or "glass" in another trade pass.
FLOOR = 0.54
#: A passage that scores less than this part of the best one's is left out.
_TAIL = 0.4
#: What holding all of a question's weighty words adds to the cosine.
_LEXICAL = 0.6
#: Rocchio's feedback: so many of the best passages, at this weight, are added to the question.
_FEEDBACK, _FEEDBACK_WEIGHT = 5, 0.5
#: A passage about a material or a feature that the question names; about another material.
_SAME_MATERIAL, _OTHER_MATERIAL, _SAME_FEATURE = 0.03, -0.06, 0.03
#: Two passages whose vectors are this near say the same thing; the better one stands for both.
_TWINS = 0.97
#: Candidates by meaning, and as many by words, for each passage wanted; and at least.
OVERSAMPLING = 4
LEAST_CANDIDATES = 40

#: BM25's saturation and length normalisation (Robertson and Zaragoza 2009); not tuned.
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
    """How often each passage holds each word; the names of its features and materials count too.

    `counts` is (passages, words), sparse by column; `lengths` is (passages,) in words.
    """

    vocabulary: dict[str, int]
    counts: sparse.csc_matrix
    lengths: np.ndarray

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Lexicon:
        vocabulary: dict[str, int] = {}
        rows, columns, values = [], [], []
        lengths = np.zeros(len(entries))
        for row, entry in enumerate(entries):
            words = _words(_told(entry))
            lengths[row] = len(words)
            for word, count in Counter(words).items():
                rows.append(row)
                columns.append(vocabulary.setdefault(word, len(vocabulary)))
                values.append(count)
        shape = (len(entries), len(vocabulary))
        counts = sparse.csc_matrix((values, (rows, columns)), shape=shape, dtype=np.float32)
        return cls(vocabulary, counts, lengths)

    def scores(self, query: str, alive: np.ndarray) -> np.ndarray:
        """BM25 of each passage over the weight of all words asked, (n,); 0 where not alive.

        A word that no passage holds weighs as the rarest would: a question of foreign words
        scores little, whatever small words it has in common.
        """
        total = int(alive.sum())
        found, asked = np.zeros(len(self.lengths)), 0.0
        if not total:
            return found
        mean = max(float(self.lengths[alive].mean()), 1.0)
        for word in _words(query):
            held = np.empty(0, int)
            if (column := self.vocabulary.get(word)) is not None:
                part = slice(self.counts.indptr[column], self.counts.indptr[column + 1])
                rows, counts = self.counts.indices[part], self.counts.data[part]
                held, counts = rows[alive[rows]], counts[alive[rows]]
            weight = float(np.log1p((total - len(held) + 0.5) / (len(held) + 0.5)))
            asked += weight
            if len(held):
                room = _K1 * (1 - _B + _B * self.lengths[held] / mean)
                found[held] += weight * counts * (_K1 + 1) / (counts + room)
        return found / asked if asked else found


def _told(entry: Entry) -> str:
    named = [f"{features.name_of(key)} {_parent_name(key)}" for key in entry.topics]
    return " ".join([entry.passage.text, *named, *entry.materials])


def _parent_name(key: str) -> str:
    return features.name_of(features.parent_of(key))


def _words(text: str) -> list[str]:
    found = re.findall(r"[^\W_]+", text.lower())
    return [_stem(word) for word in found if word not in _SMALL_WORDS]


def _stem(word: str) -> str:
    # Crude and enough: Snowball's English stemmer scored no better on the questions to tune on.
    for ending, instead in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)] + instead
    return word


def best(scores: np.ndarray, alive: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` highest scores of what is alive, highest first."""
    scores = np.where(alive, scores, -np.inf)
    count = min(count, int(alive.sum()))
    found = np.argpartition(-scores, count - 1)[:count] if count else np.empty(0, int)
    return found[np.argsort(-scores[found], kind="stable")]


def exact(vector: np.ndarray, vectors: np.ndarray, alive: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` nearest living vectors by cosine, nearest first: the oracle."""
    return best(vectors @ vector, alive, count)


def rank(
    query: str,
    vector: np.ndarray,
    nearest: Sequence[int],
    holdings: Holdings,
    lexicon: Lexicon,
    alive: np.ndarray,
    limit: int,
) -> list[tuple[int, float]]:
    """(index, score) of at most `limit` passages, best first, twins folded.

    `nearest` are candidates by meaning; those by words are found here. Empty when no candidate
    reaches the floor: no evidence is an answer.
    """
    worded = lexicon.scores(query, alive)
    count = max(LEAST_CANDIDATES, limit * OVERSAMPLING)
    by_words = [int(index) for index in best(worded, alive, count) if worded[index] > 0]
    candidates = np.array(sorted({*nearest, *by_words}), int)
    if not len(candidates):
        return []
    vectors = holdings.vectors[candidates]
    words = _LEXICAL * worded[candidates]
    first = vectors @ vector + words
    if first.max() < FLOOR:
        return []
    about = _about(query, [holdings.passages[index].entry for index in candidates])
    order = np.argsort(-(first + about), kind="stable")[:_FEEDBACK]
    weights = 1 / np.log2(np.arange(2, len(order) + 2))
    towards = vector + _FEEDBACK_WEIGHT * (weights / weights.sum()) @ vectors[order]
    scores = vectors @ (towards / np.linalg.norm(towards)) + words + about
    kept: list[tuple[int, float]] = []
    for place in np.argsort(-scores, kind="stable"):
        index, score = int(candidates[place]), float(scores[place])
        if len(kept) == limit or score < _TAIL * float(scores.max()):
            break
        others = holdings.vectors[[other for other, _ in kept]]
        if not kept or float((others @ holdings.vectors[index]).max()) < _TWINS:
            kept.append((index, score))
    return kept


def _about(query: str, entries: Sequence[Entry]) -> np.ndarray:
    """What being about the materials and features that the question names adds to each score."""
    materials = understand(Sample(material=query), "basic").tokens.get("material", frozenset())
    asked = set(_words(query))
    named = {key for key, words in _names() if words <= asked}
    added = np.zeros(len(entries))
    for place, entry in enumerate(entries):
        if materials and entry.materials:
            same = bool(materials & set(entry.materials))
            added[place] += _SAME_MATERIAL if same else _OTHER_MATERIAL
        topics = {*entry.topics, *map(features.parent_of, entry.topics)}
        if named & topics:
            added[place] += _SAME_FEATURE
    return added


@cache
def _names() -> tuple[tuple[str, frozenset[str]], ...]:
    """Each feature key with the words of its name."""
    keys = [*features.vocabulary(), *features.PARENTS]
    return tuple((key, frozenset(_words(features.name_of(key)))) for key in keys)
