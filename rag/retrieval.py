"""Which passages answer a question: meaning and words fused, then what they are about.

Knows vectors and words, not where they are kept. Every score is exact: whatever proposed the
candidates, it is computed here from the manifest's own vectors and texts, over what was alive at
the generation asked for, so that a pinned search answers alike however the library grows.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from glassllava import features
from glassllava.sample import Sample, understand
from rag.lexicon import Lexicon, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.holdings import Holdings
    from rag.passages import Entry

#: Cosine plus _FLOOR_LEXICAL x words of the best passage, less the cosine with the nearest other
#: subject, below which nothing is evidence. Set on the `tune` questions: where 97.5 % of further
#: questions on papers are expected above it, and not at the lowest seen, for those are few.
FLOOR, _FLOOR_LEXICAL = 0.2, 0.4
#: A passage that scores less than this part of the best one's is left out.
_TAIL = 0.4
#: What holding all of a question's weighty words adds to the cosine.
_LEXICAL = 0.6
#: Rocchio's feedback: so many of the best passages, at this weight, are added to the question.
_FEEDBACK, _FEEDBACK_WEIGHT = 5, 0.5
#: And so many of their telling words, which together weigh so much as the question's own.
_FEEDBACK_WORDS, _FEEDBACK_WORDS_WEIGHT = 30, 1.0
#: A passage about a material or a feature that the question names; about another material.
_SAME_MATERIAL, _OTHER_MATERIAL, _SAME_FEATURE = 0.03, -0.06, 0.03
#: Two passages whose vectors are this near say the same thing; the better one stands for both.
_TWINS = 0.97
#: Candidates by meaning, and as many by words, for each passage wanted; and at least.
OVERSAMPLING = 4
LEAST_CANDIDATES = 40
#: Up to so many passages the exact search is the faster one. At 10,000 the index takes four times
#: as long (6 against 1.6 ms, most of it llama-index's); exact time grows with the passages.
EXACT_UP_TO = 30_000


def best(scores: np.ndarray, alive: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` highest scores of what is alive, highest first."""
    scores = np.where(alive, scores, -np.inf)
    count = min(count, int(alive.sum()))
    found = np.argpartition(-scores, count - 1)[:count] if count else np.empty(0, int)
    return found[np.argsort(-scores[found], kind="stable")]


def exact(vector: np.ndarray, vectors: np.ndarray, alive: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` nearest living vectors by cosine, nearest first: the oracle."""
    if not len(vectors):  # an empty library has no shape to multiply
        return np.empty(0, int)
    return best(vectors @ vector, alive, count)


def rank(
    query: str,
    vector: np.ndarray,
    nearest: Sequence[int],
    holdings: Holdings,
    lexicon: Lexicon,
    alive: np.ndarray,
    limit: int,
    allowed: np.ndarray | None = None,
    *,
    strangeness: float = 0.0,
) -> list[tuple[int, float]]:
    """(index, score) of at most `limit` passages, best first, twins folded.

    `nearest` are candidates by meaning; those by words are found here. `allowed`, (n,) bool, says
    which of what is alive may answer; None is all. `strangeness` is the question's nearness to
    other subjects (`rag.subjects`). Whether there is evidence at all, and what words
    belong to the question, is learned from all that is alive: a person's words are seldom those of
    papers, and other passages, the primer's above all, hold both. Empty when the
    evidence does not reach the floor: no evidence is an answer.
    """
    worded = lexicon.scores(query, alive)
    count = max(LEAST_CANDIDATES, limit * OVERSAMPLING)
    candidates = _joined(nearest, worded, alive, count)
    if not len(candidates):
        return []
    cosines = holdings.vectors[candidates] @ vector
    evidence = float(cosines.max()) + _FLOOR_LEXICAL * float(worded.max())
    if evidence - strangeness < FLOOR:
        return []
    first = cosines + _LEXICAL * worded[candidates]
    first += _about(query, [holdings.passages[index].entry for index in candidates])
    top = candidates[np.argsort(-first, kind="stable")[:_FEEDBACK]]
    shares = 1 / np.log2(np.arange(2, len(top) + 2))
    shares /= shares.sum()
    towards = vector + _FEEDBACK_WEIGHT * shares @ holdings.vectors[top]
    towards /= np.linalg.norm(towards)
    may = alive
    if allowed is not None:
        # A word weighs by how rare it is among what may answer.
        may = alive & allowed
        worded = lexicon.scores(query, may)
    taught = lexicon.feedback(top, shares, _FEEDBACK_WORDS, alive)
    worded = worded + _FEEDBACK_WORDS_WEIGHT * taught
    candidates = _joined([index for index in nearest if may[index]], worded, may, count)
    vectors = holdings.vectors[candidates]
    about = _about(query, [holdings.passages[index].entry for index in candidates])
    scores = vectors @ towards + _LEXICAL * worded[candidates] + about
    kept: list[tuple[int, float]] = []
    for place in np.argsort(-scores, kind="stable"):
        index, score = int(candidates[place]), float(scores[place])
        if len(kept) == limit or score < _TAIL * float(scores.max()):
            break
        others = holdings.vectors[[other for other, _ in kept]]
        if not kept or float((others @ holdings.vectors[index]).max()) < _TWINS:
            kept.append((index, score))
    return kept


def _joined(nearest: Sequence[int], worded: np.ndarray, may: np.ndarray, count: int) -> np.ndarray:
    """Candidates by meaning and by words, in order of index."""
    by_words = [int(index) for index in best(worded, may, count) if worded[index] > 0]
    return np.array(sorted({*nearest, *by_words}), int)


def _about(query: str, entries: Sequence[Entry]) -> np.ndarray:
    """What being about the materials and features that the question names adds to each score."""
    materials = understand(Sample(material=query), "basic").tokens.get("material", frozenset())
    asked = set(words_of(query))
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
    return tuple((key, frozenset(words_of(features.name_of(key)))) for key in keys)
