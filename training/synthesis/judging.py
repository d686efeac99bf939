"""A sample in words for a painted field, and what the rules say of its features in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from glassllava import features
from glassllava.sample import Sample
from training.synthesis import samples, truth
from training.synthesis.canvas import PAINTERS, Painted
from training.synthesis.choosing import Chosen, Plan
from training.synthesis.pool import pool
from training.synthesis.truth import TrueFeature, true_feature

Rng = np.random.Generator
_Judged = tuple[Sample, Mapping[str, frozenset[str]], tuple[TrueFeature, ...]]


def judge(
    plan: Plan,
    chosen: Chosen,
    painted: tuple[Painted, ...],
    pixel_size: float,
    rng: Rng,
    *,
    wide: bool,
) -> _Judged:
    """A sample in words, and the features with what the rules say of them in it."""
    best: _Judged | None = None
    if wide and plan.specimen is None:
        return _judge_either_way(chosen, painted, pixel_size, rng)
    for attempt in range(6):
        if isinstance(plan.specimen, Sample):
            sample = plan.specimen
        else:
            sample = samples.write_sample(plan.specimen or _context(chosen, rng), rng, chosen.view)
            if plan.specimen is None:
                sample = _with_expected(sample, painted, rng)
        tokens = samples.tokens_of(sample)
        truths = tuple(true_feature(one, pixel_size, sample, tokens) for one in painted)
        best = sample, tokens, truths
        verdicts = {one.ruling.verdict if one.ruling else None for one in truths}
        open_ = "defect" not in verdicts and ("depends" in verdicts or None in verdicts)
        # Most open verdicts are drawn again, so that they stay a minority; some stay.
        if plan.specimen is not None or not open_ or (attempt == 0 and rng.random() < 0.25):
            break
    assert best is not None
    return best


def _context(chosen: Chosen, rng: Rng) -> Mapping[str, frozenset[str]]:
    lead = chosen.leaders[0].key
    # Contexts of other features: for a field with nothing wrong always, so that the words alone
    # do not give the verdict away; for the rest now and then.
    if chosen.family in ("clean", "particle") or rng.random() < 0.08:
        keys = sorted(PAINTERS)
        lead = keys[int(rng.integers(len(keys)))]
    if rng.random() < 0.04:
        return {}
    said = samples.verdicts_for(lead)
    # What joins the leader is mostly a defect in its context: the leader leans the other way.
    fine = "no_defect" in said and rng.random() < 0.25
    return samples.wanted_for(lead, rng, "no_defect" if fine else str(rng.choice(said)))


def _with_expected(sample: Sample, painted: tuple[Painted, ...], rng: Rng) -> Sample:
    if rng.random() > 0.1:
        return sample
    keys = [one.key for one in painted if one.key != "featureless_surface"]
    if not keys or rng.random() < 0.3:  # something is expected that is not there
        keys = sorted(PAINTERS)
    key = str(rng.choice(keys))
    if rng.random() < 0.4:
        key = features.vocabulary()[key].parent
    return replace(sample, expected=(key,))


def _judge_either_way(
    chosen: Chosen, painted: tuple[Painted, ...], pixel_size: float, rng: Rng
) -> _Judged:
    """The verdict that is wanted is drawn first, then a sample in which the rules give it, weighed
    so that its words alone do not tell which."""
    sized = [(one.key, truth.sizes_in_metres(one, pixel_size)) for one in painted]
    told = pool().suit([(key, truth.size_tokens(sizes)) for key, sizes in sized], rng)
    sample = samples.dress(told, rng, chosen.view)
    tokens = samples.tokens_of(sample)
    return sample, tokens, tuple(true_feature(one, pixel_size, sample, tokens) for one in painted)
