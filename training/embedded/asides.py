"""What a lesson asks beside the product's questions: the rules, densely, and the children.

A verdict is one bit for a whole prompt. `hypotheticals` ask of a single feature whether it would be
a defect in the sample, there or not, and the rules answer with what the context level told them;
`children_asked` ask for single children, so that their scores of the tower are read. Knows no
token and no tensor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from glassllava import features, rules
from glassllava.prompt import probe_text
from glassllava.sample import Sample, understand
from training.embedded.contexts import HeldTriples
from training.embedded.telling import short_name
from training.synthesis.pool import SIZES

Rng = np.random.Generator
Asked = tuple[str, bool]

#: The short standard wording, and others.
WOULD = "Would {name} be a defect here? Answer yes or no."
_WORDINGS = (
    "Would {name} be a defect in this sample? Answer yes or no.",
    "If there were {name}, would it be a defect? Answer yes or no.",
    "Does {name} count as a defect for such a sample? Answer yes or no.",
    "Is {name} unwanted here? Answer yes or no.",
)
_STANDARD = 0.6
_HYPOTHETICALS, _CHILDREN = 6, 4

#: Children whose name is that of their parent, or of any of its kinds: no fair question.
_GENERAL = frozenset(["crack_through", "refractory_stone", "devitrification", "dust_particle"])
_KEYS = tuple(
    dict.fromkeys(
        key
        for key in (*features.PARENTS, *features.vocabulary())
        if key != "artefact" and not key.startswith("art_") and key not in _GENERAL
    )
)


def hypotheticals(
    context: Mapping[str, Any], level: str, held: HeldTriples, rng: Rng
) -> list[Asked]:
    """Up to six features with whether each would be a defect here, those that are there first,
    yes and no by turns. Nothing where no sample is told, and nothing that the rules leave open or
    that makes a held-out triple."""
    if level == "none" or context["levels"][level]["given"] == "none":
        return []
    known = _answers(json.dumps(context["sample"], sort_keys=True), level, held)
    there = [truth["key"] for truth in context["truths"]]
    there += [features.parent_of(key) for key in there]
    chosen = [key for key in _mixed(list(dict.fromkeys(there)), rng) if key in known][:2]
    rest = {
        said: _mixed([k for k in known if known[k] is bool(said) and k not in chosen], rng)
        for said in (1, 0)
    }
    while len(chosen) < _HYPOTHETICALS and any(rest.values()):
        balance = sum(1 if known[key] else -1 for key in chosen)
        said = 0 if balance > 0 else 1 if balance < 0 else int(rng.integers(2))
        if not rest[said]:
            # Only one answer is left: two of it are enough.
            if balance and abs(balance) >= 2:
                break
            said = 1 - said
        chosen.append(rest[said].pop())
    return [(_wording(key, rng), known[key]) for key in _mixed(chosen, rng)]


def children_asked(record: Mapping[str, Any], context: Mapping[str, Any], rng: Rng) -> list[Asked]:
    """Four children with whether each is there: up to two that are, then others of the same
    parents, then any."""
    there = {truth["key"] for truth in context["truths"]}
    children = [key for key in _KEYS if key not in features.PARENTS]
    present = _mixed([key for key in children if key in there], rng)[:2]
    parents = {features.parent_of(key) for key in there}
    absent = [key for key in children if key not in there]
    near = _mixed([key for key in absent if features.parent_of(key) in parents], rng)
    # A child of a parent that is seen without a truth of its own (a ground's) may be there.
    far = [k for k in absent if features.parent_of(k) not in parents | set(record["present"])]
    chosen = [*present, *near[: _CHILDREN - len(present) - 1]]
    chosen += _mixed(far, rng)[: _CHILDREN - len(chosen)]
    return [(probe_text(key), key in there) for key in _mixed(chosen, rng)]


@lru_cache(maxsize=4096)
def _answers(sample_json: str, level: str, held: HeldTriples) -> Mapping[str, bool]:
    """Every key of which the rules say defect or no defect with what `level` tells, whatever its
    size; what is expected is no defect."""
    sample = Sample.from_mapping(json.loads(sample_json))
    tokens = understand(sample, level).tokens  # type: ignore[arg-type]  # a context level
    told = sample.expected if level in ("moderate", "high") else ()
    expected = {features.parent_of(key) for key in told}
    known: dict[str, bool] = {}
    for key in _KEYS:
        kinds = features.children(key) if key in features.PARENTS else (key,)
        if any(held.holds(kind, tokens) for kind in kinds):
            continue
        if features.parent_of(key) in expected:
            known[key] = False
            continue
        said = set()
        for size in SIZES:
            ruling = rules.judge(key, {**tokens, **({"size": {size}} if size else {})})
            said.add(ruling.verdict if ruling else "depends")
        if len(said) == 1 and "depends" not in said:
            known[key] = said == {"defect"}
    return known


def _wording(key: str, rng: Rng) -> str:
    words = WOULD if rng.random() < _STANDARD else _WORDINGS[int(rng.integers(len(_WORDINGS)))]
    name = features.name_of(key) if key in features.PARENTS else short_name(key)
    return words.format(name=name)


def _mixed(keys: Sequence[str], rng: Rng) -> list[str]:
    return [keys[int(i)] for i in rng.permutation(len(keys))]
