"""Samples weighed so that their words alone say nothing of the verdict.

A verdict depends on what is there and on the sample. Where samples are drawn to suit a feature,
"finished pane" comes to mean "defect", and a model reads the answer in the words. Here samples are
drawn without a look at any field, and each gets two weights, one where it makes a field a defect
and one where it does not, such that over the fields of the generator both happen equally often for
every single sample: proportional fitting of a table of samples and fields, by the rules alone.

Knows keys, sizes and samples; knows no pixel. Everything follows from one fixed seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassllava import features, rules
from training.synthesis import samples
from training.synthesis.choosing import Plan
from training.synthesis.grounds import GROUNDS
from training.synthesis.wide import choose_wide

Rng = np.random.Generator
Array = NDArray[Any]

#: What the rules may be told of a size, and that nothing was measured.
SIZES: tuple[str, ...] = ("", "<30nm", ">100nm")

_SEED = 20261128
_SAMPLES, _FIELDS = 5000, 700
_ROUNDS = 80
#: Of the fields that can be either, so many are a defect: others never can be one.
_MOST_DEFECT = 0.58
#: So many samples are such that the rules leave the verdict open.
_OPEN = 0.06
#: And so many say that something is expected: people seldom do.
_EXPECTING = 0.4
#: What a ground shows by itself, by parent, as its painter labels it.
_SHOWN: Mapping[str, str] = {
    "pore": "bubble",
    "fibre": "fibre",
    "phase_separation": "phase_sep_droplet",
    "inclusion": "refractory_stone",
}

#: A feature that is there: its child key and the tokens that its size means to the rules.
Seen = tuple[str, Mapping[str, Set[str]]]


@dataclass(frozen=True)
class Pool:
    """Samples with their weights: (samples,) for either verdict, 0 where a sample knows only one.

    `said` is the verdict of (key, size token) for every sample: 1 defect, 0 no defect, -1 open.
    """

    told: tuple[samples.Told, ...]
    weights: Mapping[str, Array]
    said: Mapping[tuple[str, str], Array]

    def verdicts(self, seen: Sequence[Seen]) -> Array:
        """(samples,) of 1, 0 or -1: one defect makes a field a defect, then one open leaves it
        open."""
        rows = np.stack([self.said[key, min(size.get("size", {""}))] for key, size in seen])
        out = np.where((rows == -1).any(0), -1, 0)
        out[(rows == 1).any(0)] = 1
        return out

    def draw(self, seen: Sequence[Seen], wanted: str, rng: Rng) -> samples.Told | None:
        """A sample in which a field with `seen` has the verdict `wanted`, or None."""
        code = {"defect": 1, "no_defect": 0, "open": -1}[wanted]
        odds = self.weights[wanted] * (self.verdicts(seen) == code)
        total = odds.sum()
        if total <= 0:
            return None
        return self.told[int(np.searchsorted(np.cumsum(odds), rng.random() * total, "right"))]

    def suit(self, seen: Sequence[Seen], rng: Rng) -> samples.Told:
        """A sample for a field with `seen`: the verdict as the weights were made for, a few open;
        where the rules do not allow it, another."""
        wanted = draw_verdict(rng)
        for verdict in dict.fromkeys((wanted, "defect", "no_defect", "open")):
            if (told := self.draw(seen, verdict, rng)) is not None:
                return told
        return self.told[int(rng.integers(len(self.told)))]


def draw_verdict(rng: Rng) -> str:
    draw = rng.random()
    if draw < _OPEN:
        return "open"
    return "defect" if (draw - _OPEN) / (1 - _OPEN) < _MOST_DEFECT else "no_defect"


@cache
def pool() -> Pool:
    """The one pool of this process: about two seconds to make."""
    rng = np.random.default_rng(_SEED)
    fields = [_keys_of_a_field(rng) for _ in range(_FIELDS)]
    told = tuple(samples.draw_told(rng, fields) for _ in range(_SAMPLES))
    said = _said(told)
    bare = Pool(told, {}, said)
    table = np.stack([bare.verdicts([(k, {}) for k in keys]) for keys in fields], axis=1)
    expecting = np.array([bool(one.expected) for one in told])
    tables = [(table == code).astype(np.float32) for code in (1, 0)]
    defect, fine = _fitted(tables[0], tables[1], expecting)
    weights = {"defect": defect, "no_defect": fine, "open": np.where(expecting, 0.5, 1.0)}
    return Pool(told, weights, said)


def _keys_of_a_field(rng: Rng) -> tuple[str, ...]:
    chosen = choose_wide(Plan(), rng)
    keys = [lead.key for lead in chosen.leaders]
    if chosen.ground in GROUNDS:
        keys += [_SHOWN[p] for p in GROUNDS[chosen.ground].shows if rng.random() < 0.5]
    return tuple(dict.fromkeys(keys))


def _said(told: Sequence[samples.Told]) -> dict[tuple[str, str], Array]:
    """The rules, for every key, size and sample at once: the first that holds decides."""
    held = {
        (key, value): np.array([value in one.tokens.get(key, frozenset()) for one in told])
        for key, values in rules.tokens().items()
        for value in values
    }
    expected = {
        parent: np.array([parent in one.expected_parents for one in told])
        for parent in features.PARENTS
    }
    code = {"defect": 1, "no_defect": 0, "depends": -1}
    said: dict[tuple[str, str], Array] = {}
    for feature, entry in features.vocabulary().items():
        for size in SIZES:
            out = np.full(len(told), -1, np.int8)
            free = np.ones(len(told), bool)
            for rule in rules.table():
                if rule.id == rules.LAST_RESORT or feature not in rule.features:
                    continue
                holds = free.copy()
                for key, values in rule.conditions.items():
                    if key == "size":
                        holds &= size in values
                    else:
                        holds &= np.any([held[key, value] for value in values], axis=0)
                out[holds] = code[rule.verdict]
                free &= ~holds
            out[expected[entry.parent]] = 0
            said[feature, size] = out
    return said


def _fitted(defect: Array, fine: Array, expecting: Array) -> tuple[Array, Array]:
    """(samples,) weights for either verdict, from tables of (samples, fields).

    Over the fields each sample is as often the one as the other, and `expecting` samples make up
    their share. One that knows only one verdict is not drawn. Otherwise the two weights of a
    sample have one geometric mean, so that none carries a field alone.
    """
    both: Array = np.logical_and(defect.any(1), fine.any(1))
    either = defect[both].any(0) & fine[both].any(0)
    sides = (np.where(either, _MOST_DEFECT, 1.0), np.where(either, 1 - _MOST_DEFECT, 1.0))
    lean = np.ones(len(both))  # of a sample to "defect": the one weight times it, the other by it
    mean = both.astype(float)
    for _ in range(_ROUNDS):
        mass = []
        for table, weight, side in zip(
            (defect, fine), (mean * lean, mean / lean), sides, strict=True
        ):
            total = weight.astype(np.float32) @ table
            share = np.divide(side, total, out=np.zeros_like(total), where=total > 0)
            mass.append(weight * (table @ share))
        known = (mass[0] > 0) & (mass[1] > 0)
        mean[~known] = 0
        tilt = np.sqrt(np.divide(mass[1], mass[0], out=np.ones_like(mass[0]), where=known))
        lean *= np.clip(tilt, 0.2, 5)
        share = (mass[0] + mass[1])[expecting].sum() / (mass[0] + mass[1]).sum()
        mean[expecting] *= np.sqrt(_EXPECTING / share * (1 - share) / (1 - _EXPECTING))
    return mean * lean, mean / lean
