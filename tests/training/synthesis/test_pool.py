"""The words of a sample alone do not tell the verdict: by the weights, and by a bag of words."""

from __future__ import annotations

import numpy as np
import pytest

from glassllava import features, rules
from glassllava.sample import Sample, understand
from training.embedded.contexts import HELD, draw_samples
from training.synthesis import samples
from training.synthesis.pool import _FIELDS, _SEED, _keys_of_a_field, pool

RNG = np.random.default_rng


def _fresh_fields(number: int, seed: int = 1) -> list[tuple[str, ...]]:
    assert seed != _SEED  # fields that the weights were not fitted on
    rng = RNG(seed)
    return [_keys_of_a_field(rng) for _ in range(number)]


def test_the_table_says_what_the_rules_say() -> None:
    weighed, rng = pool(), RNG(0)
    for index in rng.integers(len(weighed.told), size=25):
        told = weighed.told[int(index)]
        sample = Sample(**told.words, expected=told.expected)
        assert understand(sample).tokens == told.tokens
        for key in ("bubble", "stone_azs", "crack_radial", "gc_las", "phase_sep_droplet"):
            for size in ("", "<30nm", ">100nm"):
                ruling = rules.judge_child(
                    key, {**told.tokens, **({"size": {size}} if size else {})}
                )
                said = {None: -1, "depends": -1, "defect": 1, "no_defect": 0}
                wanted = said[ruling.verdict if ruling else None]
                if features.parent_of(key) in told.expected_parents:
                    wanted = 0
                assert weighed.said[key, size][index] == wanted


def test_over_fresh_fields_every_sample_is_as_often_a_defect_as_not() -> None:
    weighed = pool()
    mass = np.zeros((2, len(weighed.told)))
    for keys in _fresh_fields(500):
        verdicts = weighed.verdicts([(key, {}) for key in keys])
        odds = [weighed.weights[v] * (verdicts == c) for v, c in (("defect", 1), ("no_defect", 0))]
        possible = [o.sum() > 0 for o in odds]
        for side, share in ((0, 0.58), (1, 0.42)):
            if possible[side]:
                mass[side] += odds[side] / odds[side].sum() * (share if all(possible) else 1)
    assert 0.45 < mass[0].sum() / mass.sum() < 0.6
    # The best that anybody can do who knows every sample by heart.
    assert mass.max(0).sum() / mass.sum() < 0.62
    # And no single token leans far to either side.
    for key, values in rules.tokens().items():
        for value in values:
            has = np.array([value in told.tokens.get(key, ()) for told in weighed.told])
            both = mass[:, has].sum(1)
            # Of rare ones (foam, opal) too few fields are fitted to say so.
            if both.sum() > 0.03 * mass.sum():
                assert 0.33 < both[0] / both.sum() < 0.69, (key, value)


def test_expected_is_right_partly_right_and_wrong_and_gives_nothing_away() -> None:
    weighed, rng = pool(), RNG(0)
    right, partly, wrong, defects = 0, 0, 0, []
    fields = _fresh_fields(400)
    for keys in fields:
        seen = [(key, {}) for key in keys]
        told = weighed.suit(seen, rng)
        if not told.expected:
            continue
        parents = {features.parent_of(key) for key in keys}
        there = parents & told.expected_parents
        right += there == parents
        partly += bool(there) and there != parents
        wrong += not there
        index = weighed.told.index(told)
        defects.append(weighed.verdicts(seen)[index] == 1)
    assert 0.3 < len(defects) / len(fields) < 0.5
    assert min(right, partly, wrong) > 0.1 * len(defects)
    assert 0.35 < np.mean(defects) < 0.65


def test_what_dresses_a_sample_says_nothing_to_the_rules() -> None:
    rng = RNG(0)
    notes = set()
    for told in pool().told[:60]:
        for view in ("surface", "polished", "fracture"):
            sample = samples.dress(told, rng, view)
            assert understand(sample).tokens == told.tokens
            notes.add(sample.notes)
    assert any("no defect" in note for note in notes)  # and neither does who gives orders


@pytest.mark.proof
def test_a_bag_of_words_does_not_find_the_verdict() -> None:
    """On 1,500 fields, own samples and four contexts each, training's and with nothing held."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    fields = _fresh_fields(1500, seed=7)
    for held in (None, HELD):
        rng = RNG(3)
        rows = []
        for keys in fields:
            told = pool().suit([(key, {}) for key in keys], rng)
            picture = {
                "view": "surface",
                "sample": samples.dress(told, rng, "surface").to_json(),
                "truths": [{"key": key, "sizes": {}} for key in keys],
            }
            scenes = draw_samples(picture, 4, rng, held)
            rows.append([(_text(s.sample), s.defect) for s in scenes])
        for which, most in (("own", 1), ("all", 4)):
            train, test = (
                [one for row in part for one in row[:most] if one[1] is not None]
                for part in (rows[:1050], rows[1050:])
            )
            words = CountVectorizer(ngram_range=(1, 2), min_df=3, binary=True)
            model = LogisticRegression(C=0.3, max_iter=2000)
            model.fit(words.fit_transform([text for text, _ in train]), [d for _, d in train])
            right = model.score(words.transform([text for text, _ in test]), [d for _, d in test])
            share = float(np.mean([d for _, d in test]))
            print(f"held {held is not None}, {which}: words {right:.3f}, defects {share:.3f}")
            assert right < 0.6


def _text(sample: Sample) -> str:
    words = sample.to_json()
    words["expected"] = " ".join(f"expects_{key}" for key in sample.expected)
    return "\n".join(f"{name}: {said}" for name, said in words.items() if said and name != "id")


def test_the_pool_is_fitted_on_many_fields() -> None:
    assert _FIELDS >= 500
    weights = pool().weights
    for verdict in ("defect", "no_defect"):
        odds = weights[verdict]
        assert odds.sum() ** 2 / (odds**2).sum() > 300  # samples that it comes down to
