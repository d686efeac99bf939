"""True and false in equal numbers, for every feature of every split; what is over stands aside.

A model that never looks must be right in half the cases. Claims come in pairs of a true and a false
one, so that little is lost; what a person rejected or turned round makes the difference that is
set aside here. Knows pairs and splits; knows no words.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.curation.ledger import Written

_TRUE = ("True.", "Yes.")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of balance: `kind` is claim or verdict."""

    split: str
    kind: str
    feature: str
    true: int
    false: int
    aside_true: int
    aside_false: int


@dataclass(frozen=True, slots=True)
class Balanced:
    """The pairs that are kept, in their order, and what was set aside."""

    kept: tuple[Written, ...]
    aside: tuple[Written, ...]
    rows: tuple[Row, ...]


def is_true(written: Written) -> bool:
    return written.standing.answer in _TRUE


def balance(pairs: Sequence[Written], splits: Mapping[str, str]) -> Balanced:
    """As many true as false claims of each split and feature; of each split, as many yes as no.

    `splits` is by figure.

    Checked pairs stay before unchecked ones, whole claims before halves; beyond that a hash
    decides, so that the same pairs always give the same choice.
    """
    groups: dict[tuple[str, str, str], list[Written]] = defaultdict(list)
    for one in pairs:
        if one.pair.kind in ("claim", "verdict"):
            # A claim names its feature, so each feature must be even; a verdict names none.
            feature = one.standing.features[0] if one.pair.kind == "claim" else "(any)"
            key = (splits[one.figure], one.pair.kind, feature)
            groups[key].append(one)
    there = {(one.figure, one.pair.name) for one in pairs}
    aside: set[str] = set()
    rows = []
    for (split, kind, feature), group in sorted(groups.items()):
        sides: dict[bool, list[Written]] = {True: [], False: []}
        for one in sorted(group, key=lambda one: _rank(one, there)):
            sides[is_true(one)].append(one)
        room = min(map(len, sides.values()))
        over = {side: len(found) - room for side, found in sides.items()}
        aside |= {one.id for found in sides.values() for one in found[room:]}
        rows.append(Row(split, kind, feature, room, room, over[True], over[False]))
    return Balanced(
        kept=tuple(one for one in pairs if one.id not in aside),
        aside=tuple(one for one in pairs if one.id in aside),
        rows=tuple(rows),
    )


def words_alone(pairs: Sequence[Written]) -> dict[str, dict[str, int]]:
    """For claims that tell of a defect and those that do not: how many are true, how many false.

    What somebody who sees no picture could learn from the word alone.
    """
    counts: dict[str, Counter[str]] = {"says defect": Counter(), "does not": Counter()}
    for one in pairs:
        if one.pair.kind == "claim":
            says = "defect" in one.standing.question.casefold()
            counts["says defect" if says else "does not"]["true" if is_true(one) else "false"] += 1
    return {
        says: {word: found[word] for word in ("true", "false")} for says, found in counts.items()
    }


def _rank(one: Written, there: set[tuple[str, str]]) -> tuple[bool, bool, str]:
    whole = (one.figure, one.pair.twin) in there
    both = f"{one.figure} {one.pair.name.partition('-')[0]}"  # twins stand at the same place
    return (not one.decision, not whole, hashlib.sha256(both.encode()).hexdigest())
