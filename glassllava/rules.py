"""The context rules: what a feature means for a sample. Data, versioned, never in a prompt.

The table `rules.csv` is tried top to bottom for each feature and the first match wins. A pattern
is `key=value[,value]` joined by `;`: every key must hold at least one of its values. A key that
the person has not given satisfies nothing, so missing context never becomes `defect`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from glassllava import features

#: Raised whenever a row of rules.csv or the way it is applied changes: part of `judged`.
VERSION = "1"

RuleVerdict = Literal["defect", "no_defect", "depends"]

#: A sample's tokens: key ("material", "process", ...) to the set of values it is known to hold.
Context = Mapping[str, Set[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    id: str
    features: frozenset[str]
    conditions: Mapping[str, frozenset[str]]
    verdict: RuleVerdict
    reason: str

    def holds(self, context: Context) -> bool:
        return all(
            values & context.get(key, frozenset()) for key, values in self.conditions.items()
        )


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say of one feature in one context, and which rules said it."""

    verdict: RuleVerdict
    rules: tuple[str, ...]
    reason: str


#: The row that matches everything. It asks for context; it is not a judgement, so that the model
#: decides where no other rule holds, and synthetic truth there is `depends`.
LAST_RESORT = "R84"


@cache
def table() -> tuple[Rule, ...]:
    text = resources.files("glassllava").joinpath("rules.csv").read_text("utf-8")
    return tuple(
        Rule(
            id=row["rule"],
            features=frozenset(row["features"].split(",")),
            conditions=_conditions(row["pattern"]),
            verdict=row["verdict"],  # type: ignore[arg-type]  # the table's test checks the words
            reason=row["reason"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def _conditions(pattern: str) -> dict[str, frozenset[str]]:
    if pattern == "*":
        return {}
    pairs = (part.split("=", 1) for part in pattern.split(";"))
    return {key.strip(): frozenset(values.split(",")) for key, values in pairs}


@cache
def tokens() -> Mapping[str, frozenset[str]]:
    """Every token that some rule asks for, by key."""
    known: dict[str, set[str]] = {}
    for rule in table():
        for key, values in rule.conditions.items():
            known.setdefault(key, set()).update(values)
    return {key: frozenset(values) for key, values in known.items()}


def judge(feature: str, context: Context) -> Ruling | None:
    """What the rules say of `feature` in `context`, or None where none matches.

    A parent takes the verdict on which its children's matching rules agree; where they disagree
    it is `depends`; children without a match are ignored. A word that is both a parent and a
    child (`scratch`, `fibre`) is judged as the parent: see `judge_child` for the child alone.
    """
    if feature not in features.PARENTS:
        return judge_child(feature, context)
    rulings = [
        ruling
        for child in features.children(feature)
        if (ruling := judge_child(child, context)) is not None
    ]
    if not rulings:
        return None
    ids = tuple(dict.fromkeys(id_ for ruling in rulings for id_ in ruling.rules))
    if len({ruling.verdict for ruling in rulings}) == 1:
        reason = "; ".join(dict.fromkeys(ruling.reason for ruling in rulings))
        return Ruling(rulings[0].verdict, ids, reason)
    return Ruling(
        "depends", ids, f"the kinds of {features.name_of(feature)} are judged differently here"
    )


def judge_child(feature: str, context: Context) -> Ruling | None:
    """The first matching rule for one child key, the last resort aside."""
    for rule in table():
        if rule.id != LAST_RESORT and feature in rule.features and rule.holds(context):
            return Ruling(rule.verdict, (rule.id,), rule.reason)
    return None
