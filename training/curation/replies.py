"""A server's reply made into pairs: what the paper's own words carry is kept, the rest is counted.

A reply is a stranger's. An entry is dropped, with its reason, where its support does not stand in
the figure's words, where it holds a number that they do not tell, where it speaks of the paper that
nobody will see, or tells more than its level gives. That a kept answer follows from its support is
for a person to judge (`review`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from glassllava import features
from glassllava.errors import BadInput
from glassllava.quotation import find, harmless
from glassllava.sample import ContextLevel
from training.curation import prompts
from training.curation.asking import levels_of, words_of
from training.curation.figure import Figure

#: simple, complex: a question in words; claim: true or false; verdict: is there a defect.
PairKind = Literal["simple", "complex", "claim", "verdict"]

_LONGEST = 800  # characters of a question or an answer
_LONGEST_SAMPLE = 200
_LEAST_WORDS = 3  # of a support: fewer stand in any text
_OF_THE_PAPER = re.compile(
    r"\b(?:caption|paragraphs?|the (?:text|paper|authors?|stud(?:y|ies)|article|manuscript)|"
    r"(?:this|present) (?:paper|study|work|article)|according to|fig(?:ure|s)?\.?\s?\d|"
    r"supporting words)\b",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:no|not|never|without|none|nothing|neither|nor|cannot|lacks?|lacking|absent|absence|"
    r"free of|devoid)\b|n[’']t\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Pair:
    """One question and its answer, with the words that carry it.

    `name` is unique within the figure. `twin` is the other half of a claim. `defect` is what the
    words tell: of a verdict whether there is a defect, of a claim whether its one feature is one,
    None where they do not or where it is not asked.
    """

    name: str
    kind: PairKind
    level: ContextLevel
    question: str
    answer: str
    support: tuple[str, ...]
    features: tuple[str, ...] = ()
    defect: bool | None = None
    twin: str = ""

    def to_json(self) -> dict[str, Any]:
        data = {name: getattr(self, name) for name in self.__slots__}
        return data | {"support": list(self.support), "features": list(self.features)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Pair:
        return cls(
            **{**data, "support": tuple(data["support"]), "features": tuple(data["features"])}
        )


@dataclass(frozen=True, slots=True)
class Drop:
    """An entry of a reply that was not kept, and why."""

    reason: str
    entry: Any


class _Unfit(Exception):
    """Why an entry is dropped."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a reply gave: pairs, drops, and what is known of the sample by the paper's words."""

    pairs: tuple[Pair, ...]
    drops: tuple[Drop, ...]
    sample: Mapping[str, str]


def read_pairs(text: str, figure: Figure) -> Read:
    """The pairs of one reply of the form `prompts.REPLY`, and what was dropped of it."""
    reply = json.loads(text)
    pairs: list[Pair] = []
    drops: list[Drop] = []
    sample = dict(figure.sample)
    places = (figure.title, *words_of(figure))
    for key, words in reply["sample"].items():
        if not words.strip() or sample.get(key):
            continue
        if len(words) <= _LONGEST_SAMPLE and any(find(words, place) for place in places):
            sample[key] = harmless(words)
        else:
            drops.append(Drop("a sample that the paper's words do not tell", {key: words}))
    judge = _Judge(figure, sample)
    entries = [
        *((judge.question, number, entry) for number, entry in enumerate(reply["questions"])),
        *((judge.claim, number, entry) for number, entry in enumerate(reply["claims"])),
        (judge.verdict, 0, reply["verdict"]),
    ]
    for fit, number, entry in entries:
        try:
            pairs.extend(fit(number, entry))
        except _Unfit as unfit:
            drops.append(Drop(str(unfit), entry))
    return Read(tuple(pairs), tuple(drops), sample)


class _Judge:
    """Holds entries to the words of one figure."""

    def __init__(self, figure: Figure, sample: Mapping[str, str]) -> None:
        self._words = words_of(figure)
        self._shown = tuple(map(harmless, self._words))
        self._sample = {key: value for key, value in sample.items() if value}
        self._levels = levels_of(self._sample)
        # A claim is asked at one level; the next one at another, so that all are practised.
        start = int.from_bytes(figure.id.encode()[-2:], "big") if figure.id else 0
        self._turn = start
        self._seen: set[str] = set()
        told = " ".join([*self._words, *self._sample.values()])
        self._numbers = set(_NUMBER.findall(harmless(told)))

    def question(self, number: int, entry: dict[str, Any]) -> Iterator[Pair]:
        level, kind = entry["level"], entry["kind"]
        if level not in self._levels:
            raise _Unfit("a level that there is nothing to tell for")
        if kind not in ("simple", "complex"):
            raise _Unfit("a kind that was not asked for")
        question = self._line(entry["question"], level)
        answer = self._line(entry["answer"], level)
        support = self._support(entry["support"])
        keys = tuple(dict.fromkeys(map(_key, entry["features"])))
        self._once(question)
        yield Pair(
            name=f"q{number + 1}",
            kind=kind,
            level=level,
            question=question,
            answer=answer,
            support=support,
            features=keys,
        )

    def claim(self, number: int, entry: dict[str, Any]) -> Iterator[Pair]:
        level = self._next_level()
        feature = _key(entry["feature"])
        support = self._support(entry["support"])
        says = {"yes": True, "no": False}.get(entry["is_defect"])
        if entry["about"] == "defect" and says is None:
            raise _Unfit("a claim about a defect without saying whether it is one")
        statements = [self._line(entry[f"{word}_statement"], level) for word in ("true", "false")]
        if any(map(_DENIES.search, statements)):
            # "There is no …" is false nearly always: a model would learn the word, not the picture.
            raise _Unfit("a statement that denies")
        if statements[0].casefold() == statements[1].casefold():
            raise _Unfit("a true and a false statement that are the same")
        for statement in statements:
            self._once(statement)
        for word, statement in zip(("true", "false"), statements, strict=True):
            yield Pair(
                name=f"c{number + 1}-{word}",
                kind="claim",
                level=level,
                question=prompts.TRUE_OR_FALSE.format(statement=statement),
                answer=f"{word.capitalize()}.",
                support=support,
                features=(feature,),
                defect=says if entry["about"] == "defect" else None,
                twin=f"c{number + 1}-{'false' if word == 'true' else 'true'}",
            )

    def verdict(self, _: int, entry: dict[str, Any]) -> Iterator[Pair]:
        told = {"yes": True, "no": False}.get(entry["defect"])
        if told is None:
            return
        support, key = self._support(entry["support"]), _key(entry["feature"])
        for level in self._levels:  # what context adds to it is what the paper measured
            yield Pair(
                name=f"v-{level}",
                kind="verdict",
                level=level,
                question="",  # the product's own words for it
                answer="Yes." if told else "No.",
                support=support,
                features=(key,),
                defect=told,
            )

    def _next_level(self) -> ContextLevel:
        self._turn += 1
        return self._levels[self._turn % len(self._levels)]

    def _line(self, text: str, level: str) -> str:
        line = harmless(text)
        if not line or len(line) > _LONGEST:
            raise _Unfit("an empty or an endless line")
        if _OF_THE_PAPER.search(line):
            raise _Unfit("speaks of the paper, which nobody will see")
        if set(_NUMBER.findall(line)) - self._numbers:
            raise _Unfit("a number that the paper's words do not tell")
        hidden = {"none": self._sample, "basic": {**self._sample, "material": ""}}.get(level, {})
        if any(find(value, line) for value in hidden.values() if value):
            raise _Unfit("tells more than its level gives")
        return line

    def _support(self, quotes: Sequence[str]) -> tuple[str, ...]:
        if not quotes:
            raise _Unfit("no support")
        for quote in quotes:
            if len(quote.split()) < _LEAST_WORDS:
                raise _Unfit("support of too few words")
            if not any(find(quote, text) for text in (*self._words, *self._shown)):
                raise _Unfit("support that does not stand in the paper's words")
        return tuple(map(harmless, quotes))

    def _once(self, line: str) -> None:
        if line.casefold() in self._seen:
            raise _Unfit("asked before")
        self._seen.add(line.casefold())


def _key(word: str) -> str:
    try:
        features.parent_of(word)
    except BadInput:
        raise _Unfit("a word that is no feature key") from None
    return word


KINDS: tuple[PairKind, ...] = get_args(PairKind)
