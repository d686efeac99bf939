"""What a text states: features affirmed and denied, and the verdict, by sentences we know."""

from __future__ import annotations

import pytest

from glassllava import features
from training.evaluation import stated

WHETHER = "Is this a defect for this sample?"


def test_every_parent_is_known_by_its_own_name() -> None:
    for parent, name in features.PARENTS.items():
        assert stated.features_in(f"There is a {name}.").there == {parent}, name


@pytest.mark.parametrize(
    ("text", "affirmed", "denied"),
    [
        ("No cracks, pores or scratches are visible, but there is a particle.", "particle",
         "crack pore scratch"),
        ("The surface is crack-free. Pores are absent.", "", "crack pore"),
        ("Not only cracks but also pores are seen.", "crack pore", ""),
        ("Cracks were not found; bubbles were.", "pore", "crack"),
        ("If there were cracks, they would matter.", "", ""),
        ("Are there cracks?", "", ""),
        ("Crystals of devitrite, and no bubbles.", "crystal", "pore"),
        ("Ridges left by the crack front mark a fracture surface.", "fracture_surface", ""),
        ("The crack is a defect because pores weaken it.", "crack", ""),
        ("The pore is a defect: it feeds cracks.", "pore", ""),
        ("Nothing above the noise.", "clean", ""),
        ("Coating defects and delamination.", "coating_fault delamination", ""),
        ("There is a crack. There is no crack.", "crack", "crack"),
    ],
)  # fmt: skip
def test_features(text: str, affirmed: str, denied: str) -> None:
    named = stated.features_in(text)
    assert named.affirmed == set(affirmed.split())
    assert named.denied == set(denied.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("For this sample the crack is a defect: loss of strength.", "defect"),
        ("For this sample this is no defect: the cells are the product.", "no_defect"),
        ("It is not considered a defect.", "no_defect"),
        ("The pores are intended.", "no_defect"),
        ("Whether it is a defect depends on the sample.", "depends"),
        ("More about the sample is needed to say whether it is a defect.", "depends"),
        ("The pores are not a defect, but the crack is a defect.", "defect"),
        ("It is a defect. It is no defect.", "contradictory"),
        ("It is a defect. It depends.", "contradictory"),
        ("The crack is a defect and the crack is not a defect.", "contradictory"),
        ("I see a crack.", None),
        ("Coating defects are seen.", None),
        ("", None),
        ("Yes.", "defect"),
        ("No, the cells are the product.", "no_defect"),
        ("False.", "no_defect"),
    ],
)
def test_verdict(text: str, said: str | None) -> None:
    assert stated.verdict(text, WHETHER) == said


def test_a_bare_yes_is_a_verdict_only_where_it_was_asked_for() -> None:
    assert stated.verdict("Yes.", "Are there cracks?") is None


def test_a_hostile_length_is_read_in_no_time() -> None:
    assert stated.verdict("no " * 200_000) is None
    stated.features_in("crack, " * 100_000)
