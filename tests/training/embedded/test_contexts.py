"""Contexts: judged by the rules from a picture's JSON, without held-out triples in training."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from glassllava.literature import NoLiterature
from glassllava.measurement.quantities import Measurements
from glassllava.sample import LEVELS, Sample, understand
from training.embedded import contexts
from training.embedded.contexts import HeldTriples, draw_samples, holds_out, judged, truth_json
from training.synthesis import Plan, generate
from training.synthesis.pool import pool

#: Of some keys in float glass, no process told: those that are held.
KNOWN = ["knot"]
MICROGRAPH = SimpleNamespace(
    beam=SimpleNamespace(detector="SE", signal="", voltage_v=5e3),
    pixel_size=None,
    width=640,
    height=480,
    warnings=(),
)


def picture_of(*keys: str, sample: Sample | None = None, **sizes: list[float]) -> dict:  # type: ignore[type-arg]
    """A picture as JSON keeps it, without painting."""
    from glassllava import features

    truths = [
        {
            "key": key,
            "parent": features.parent_of(key),
            "count": 1,
            "sizes": sizes,
            "contrast": None,
        }
        for key in keys
    ]
    return {
        "seed": 1,
        "view": "surface",
        "truths": truths,
        "present": sorted({t["parent"] for t in truths}),
        "sample": (sample or Sample(material="float glass", product="finished")).to_json(),
    }


def written(picture: dict, **more: object) -> list[dict]:  # type: ignore[type-arg]
    said = {
        "number": 3,
        "passage_budget": 700,
        "literature": NoLiterature(),
        "levels_measured": True,
        "rng": np.random.default_rng(0),
        "held": None,
    }
    return contexts.write_contexts(picture, MICROGRAPH, Measurements(), **{**said, **more})  # type: ignore[arg-type]


def test_the_truth_in_json_judges_as_the_micrograph_did() -> None:
    for seed in (3, 4):
        synthetic = generate(seed, plan=Plan(look="wide"), size=(256, 256))
        picture = json.loads(json.dumps(truth_json(synthetic)))
        again = judged(picture, Sample.from_mapping(picture["sample"]))
        assert again.defect == synthetic.defect
        assert again.reason == synthetic.reason
        assert picture["present"] == sorted(synthetic.present)
        assert "art_databar" not in picture["artefacts"]


def test_a_size_survives_json() -> None:
    sample = Sample(material="borosilicate")
    small = picture_of("phase_sep_droplet", sample=sample, equivalent_diameter=[10e-9, 20e-9, 1e-6])
    large = picture_of("phase_sep_droplet", sample=sample, equivalent_diameter=[1e-9, 1e-6, 2e-6])
    assert judged(small, sample).defect is False
    assert judged(large, sample).defect is True


def test_any_defect_makes_a_mixed_field_one_and_expected_takes_only_its_own_away() -> None:
    sample = Sample(material="optical glass", product="finished")
    mixed = picture_of("crack_through", "dust_particle", "bubble")
    assert judged(mixed, sample).defect is True
    assert judged(mixed, Sample(**{**_plain(sample), "expected": ("crack",)})).defect is True
    both = Sample(**{**_plain(sample), "expected": ("crack_radial", "pore")})
    assert judged(mixed, both).defect is False
    assert judged(mixed, Sample(material="optical glass", expected=("crack",))).defect is True
    assert judged(picture_of("crack_through", "scratch"), Sample(material="float")).defect is None


def _plain(sample: Sample) -> dict:  # type: ignore[type-arg]
    return {"material": sample.material, "product": sample.product}


def test_contexts_are_the_own_then_the_other_verdict_at_every_level() -> None:
    found = written(picture_of("crack_through"))
    assert found[0]["sample"]["product"] == "finished"
    assert [found[0]["defect"], found[1]["defect"]] == [True, False]
    assert len(found) == 3
    for context in found:
        assert set(context) == {"sample", "defect", "reason", "rulings", "truths", "levels"}
        assert set(context["levels"]) == set(LEVELS)
        assert set(context["levels"]["high"]) == {"prefix", "given", "passages"}
        assert set(context["truths"][0]) == {"key", "verdict", "reason"}
        json.dumps(context)
    assert "high" not in written(picture_of("bubble"), levels_measured=False)[0]["levels"]


def test_a_picture_without_any_defect_has_contexts_all_the_same() -> None:
    found = written(picture_of("featureless_surface"))
    assert len(found) == 3
    assert {context["defect"] for context in found} <= {False, None}


def test_training_contexts_hold_no_held_triple() -> None:
    half = HeldTriples(one_in=2)
    rng = np.random.default_rng(0)
    seen = 0
    for key in ("crack_through", "bubble", "pit", "cord", "scratch", "devitrification"):
        for material in ("float glass", "lens", "bottle"):
            sample = Sample(material=material, process="annealed", product="finished")
            picture = picture_of(key, "dust_particle", sample=sample)
            seen += holds_out(picture, half)
            for scene in draw_samples(picture, 4, rng, half):
                told = {"sample": scene.sample.to_json(), "truths": picture["truths"]}
                assert not holds_out(told, half)
            own = draw_samples(picture, 1, rng, None)
            assert own[0].sample == sample  # a test picture keeps its own
    assert seen > 3  # or nothing was there to be mended


def test_what_cannot_be_mended_is_dropped() -> None:
    found = written(picture_of("crack_through"), held=HeldTriples(one_in=1))
    # Everything with a material is held: what is left tells none.
    for context in found:
        assert "material" not in understand(Sample.from_mapping(context["sample"])).tokens


def test_about_a_tenth_of_the_triples_are_held_and_always_the_same() -> None:
    held = HeldTriples()
    words = [(f"key{i}", f"m{i % 7}", f"p{i % 11}") for i in range(4000)]
    said = [
        held.holds(k, {"material": frozenset({m}), "process": frozenset({p})}) for k, m, p in words
    ]
    assert 0.08 < np.mean(said) < 0.12
    assert not held.holds("crack_through", {"process": frozenset({"tempered"})})
    # A run that resumes, and a run of next year, hold the same.
    known = [k for k in ("bubble", "pit", "cord", "crack_through", "scratch", "chip", "knot")
             if held.holds(k, {"material": frozenset({"float"})})]  # fmt: skip
    assert known == KNOWN


@pytest.mark.parametrize("verdict", ["defect", "no_defect", "open"])
def test_the_pool_gives_the_verdict_that_is_wanted(verdict: str) -> None:
    from training.synthesis import samples

    rng = np.random.default_rng(0)
    picture = picture_of("scratch", "bubble")
    for _ in range(20):
        told = pool().draw([("scratch", {}), ("bubble", {})], verdict, rng)
        assert told is not None
        scene = judged(picture, samples.dress(told, rng, "surface"))
        assert scene.defect == {"defect": True, "no_defect": False, "open": None}[verdict]
