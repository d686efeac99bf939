"""Asides teach the rules and the children: right by the rules, and never a held-out triple."""

from __future__ import annotations

import numpy as np

from glassllava import features, rules
from glassllava.prompt import probe_text
from glassllava.sample import Sample, understand
from training.embedded import asides
from training.embedded.contexts import HeldTriples
from training.embedded.telling import short_name

NOTHING_HELD = HeldTriples(one_in=0)
RECORD = {"present": ["inclusion", "crack"]}


def _context(sample: Sample, *keys: str, given: str = "high") -> dict:  # type: ignore[type-arg]
    return {
        "sample": sample.to_json(),
        "truths": [{"key": key} for key in keys],
        "levels": {
            level: {"given": given if level != "none" else "none"}
            for level in ("none", "basic", "moderate", "high")
        },
    }


def _all(context: dict, level: str, held: HeldTriples = NOTHING_HELD) -> dict[str, bool]:  # type: ignore[type-arg]
    """Every key that is ever asked about, with its answer."""
    said: dict[str, bool] = {}
    for seed in range(150):
        asked = asides.hypotheticals(context, level, held, np.random.default_rng(seed))
        assert len(asked) <= 6
        for text, answer in asked:
            (name,) = [n for n in NAMES if any(text == w.format(name=n) for w in WORDINGS)]
            assert said.setdefault(NAMES[name], answer) == answer
    return said


WORDINGS = (asides.WOULD, *asides._WORDINGS)
NAMES = {
    (features.name_of(key) if key in features.PARENTS else short_name(key)): key
    for key in asides._KEYS
}


def test_no_two_keys_are_asked_about_in_the_same_words() -> None:
    assert len(NAMES) == len(asides._KEYS)
    assert len({probe_text(key) for key in asides._KEYS}) == len(asides._KEYS)


def test_hypotheticals_are_answered_by_the_rules_alone() -> None:
    sample = Sample(material="float glass", process="indentation test", product="finished")
    said = _all(_context(sample, "crack_radial", "stone_azs"), "high")
    tokens = understand(sample).tokens
    assert len(said) > 12
    assert {True, False} == set(said.values())
    for key, answer in said.items():
        ruling = rules.judge(key, tokens)
        assert ruling is not None
        assert ruling.verdict == ("defect" if answer else "no_defect")
    assert said["crack_radial"] is False  # what the test made
    assert said["crack_lateral"] is False
    assert said["crack_thermal"] is True
    assert "bubble" not in said  # depends


def test_a_level_tells_the_rules_no_more_than_the_prompt() -> None:
    sample = Sample(material="optical glass", product="finished", expected=("stone_azs",))
    context = _context(sample, "stone_azs")
    basic, high = _all(context, "basic"), _all(context, "high")
    assert basic["stone_azs"] is True  # nothing is expected yet
    assert high["stone_azs"] is False
    assert high["inclusion"] is False
    assert "crack_thermal" not in basic  # finished is not told
    assert high["crack_thermal"] is True
    assert asides.hypotheticals(context, "none", NOTHING_HELD, np.random.default_rng(0)) == []


def test_a_size_that_decides_makes_no_hypothetical() -> None:
    said = _all(_context(Sample(material="borosilicate"), "phase_sep_droplet"), "high")
    assert "phase_sep_droplet" not in said
    assert "phase_separation" not in said


def test_held_triples_are_not_told_in_an_aside() -> None:
    sample = Sample(material="float glass", process="annealed", product="finished")
    held = HeldTriples(one_in=2)
    tokens = understand(sample).tokens
    said = _all(_context(sample, "crack_thermal"), "high", held)
    free = _all(_context(sample, "crack_thermal"), "high")
    assert 3 < len(said) < len(free)
    for key in said:
        kinds = features.children(key) if key in features.PARENTS else (key,)
        assert not any(held.holds(kind, tokens) for kind in kinds)


def test_yes_and_no_are_asked_alike() -> None:
    rng = np.random.default_rng(0)
    answers = []
    for material in ("float glass", "lens", "bottle", "glass wool", "display glass"):
        context = _context(Sample(material=material, product="finished"), "bubble")
        for _ in range(40):
            asked = asides.hypotheticals(context, "high", NOTHING_HELD, rng)
            answers += [answer for _, answer in asked]
    assert 0.4 < np.mean(answers) < 0.6


def test_children_are_asked_for_that_are_there_and_that_are_not() -> None:
    context = _context(Sample(), "stone_azs", "crack_thermal")
    near = 0
    for seed in range(60):
        asked = dict(asides.children_asked(RECORD, context, np.random.default_rng(seed)))
        assert len(asked) == 4
        assert {text for text, there in asked.items() if there} == {
            probe_text("stone_azs"),
            probe_text("crack_thermal"),
        }
        for text in asked:
            (key,) = [key for key in asides._KEYS if probe_text(key) == text]
            near += key not in ("stone_azs", "crack_thermal") and features.parent_of(key) in (
                "inclusion",
                "crack",
            )
    assert near == 60  # one hard one in each
