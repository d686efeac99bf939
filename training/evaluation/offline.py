"""The scorer that needs no network: grades a text by counting, as `rubric.OFFLINE` says.

Deterministic and narrow. A text gains nothing by saying everything: the features' F1 is moved so
that naming all of them gives 0, saying both verdicts agrees with none, and every number, citation
and quotation that nothing supports takes its share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glassllava import features
from glassllava.answers import MARK, check
from glassllava.literature import Passage
from training.evaluation import stated

NAME = "offline"
_NUMBER = re.compile(r"(?<![A-Za-z0-9.,])\d+(?:\.\d+)?")
_WORD = re.compile(r"[a-z0-9µ]{3,}")
#: Words that carry nothing.
_STOP = frozenset(
    (
        *("the", "and", "for", "this", "that", "with", "are", "was", "were", "has", "have", "from"),
        *("not", "but", "its", "they", "them", "which", "there", "their", "these", "those", "can"),
        *("may", "will", "would", "should", "into", "than", "then", "also", "such"),
    )
)


@dataclass(frozen=True, slots=True)
class Grade:
    """What a judge gave: quality 0 to 100, features 1 to 4; None where it gave none, with why."""

    quality: float | None
    features: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Support:
    """Numbers, citations and quotations of a text: how many there are, how many have support."""

    claims: int
    supported: int

    @property
    def share(self) -> float:
        return self.supported / self.claims if self.claims else 1.0


def grade(
    answer: str,
    description: str,
    *,
    question: str,
    reference: str,
    present: Sequence[str] | None,
    truth: str | None,
    prompt: str,
    passages: Sequence[Passage],
) -> Grade:
    """The offline grade of one reply; `prompt` is every word that the model was told."""
    return Grade(
        quality(
            answer,
            question=question,
            reference=reference,
            present=present,
            truth=truth,
            prompt=prompt,
            passages=passages,
        ),
        None if present is None else identification(description, present),
    )


def quality(
    answer: str,
    *,
    question: str,
    reference: str,
    present: Sequence[str] | None,
    truth: str | None,
    prompt: str,
    passages: Sequence[Passage],
) -> float:
    """0 to 100, as `rubric.OFFLINE` says."""
    if not answer.strip():
        return 0.0
    parts = []
    named = stated.features_in(reference).there
    if named:
        parts.append(moved_f1(stated.features_in(answer).there, present or named))
    asked = stated.verdict(reference, question)
    if asked is not None:
        parts.append(float(stated.verdict(answer, question) == (truth or asked)))
    if not parts:
        parts.append(words_f1(answer, reference))
    told = f"{prompt}\n{question}\n{reference}"
    return 100 * sum(parts) / len(parts) * support(answer, told, passages, question).share


def moved_f1(said: Iterable[str], true: Iterable[str]) -> float:
    """F1 of two sets of parents, moved so that naming all sixteen gives 0 and the truth 1."""
    said, true = set(said), set(true)
    both = len(said & true)
    if not both:
        return 0.0
    everything = 2 * len(true) / (len(features.PARENTS) + len(true))
    if everything >= 1:
        return 1.0 if said == true else 0.0
    f1 = 2 * both / (len(said) + len(true))
    return max(0.0, (f1 - everything) / (1 - everything))


def identification(description: str, present: Sequence[str]) -> int:
    """1 to 4, as `rubric.FEATURES` says, by counting."""
    said, true = stated.features_in(description).there, set(present)
    wrong, missed, right = len(said - true), len(true - said), len(said & true)
    if not right:
        return 1
    if wrong + missed < 2:
        return 4 - (wrong + missed)
    return 2 if wrong <= len(true) else 1


def words_f1(answer: str, reference: str) -> float:
    """F1 of the sets of content words (Rajpurkar et al. 2016 count tokens; a set stops repeats)."""
    said, true = _content(answer), _content(reference)
    both = len(said & true)
    return 2 * both / (len(said) + len(true)) if both else 0.0


def support(answer: str, told: str, passages: Sequence[Passage], question: str = "") -> Support:
    """Numbers that stand in `told`; citations of passages given; quotations that stand in one."""
    checked = check(answer, passages, also=(question,))
    known = {float(n) for n in _NUMBER.findall(told)}
    plain = MARK.sub("", checked.text)
    numbers = [float(n) for n in _NUMBER.findall(plain)]
    good = sum(number in known for number in numbers) + len(checked.citations)
    bad = sum(number not in known for number in numbers) + checked.invented + checked.unfounded
    return Support(good + bad, good)


def _content(text: str) -> set[str]:
    return set(_WORD.findall(text.lower())) - _STOP
