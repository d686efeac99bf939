"""The vocabulary and the context rules: one table each, whole and consistent."""

from __future__ import annotations

import pytest

from glassllava import features, rules
from glassllava.errors import BadInput

FLOAT = {"material": frozenset({"float"})}


def context(**values: str) -> dict[str, frozenset[str]]:
    return {key: frozenset(value.split()) for key, value in values.items()}


def test_there_are_sixteen_parents_and_each_has_children() -> None:
    assert len(features.PARENTS) == 16
    for parent in features.PARENTS:
        assert features.children(parent), parent


def test_every_child_belongs_to_a_parent_that_exists() -> None:
    for feature in features.vocabulary().values():
        assert feature.parent in features.PARENTS, feature.key


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(BadInput, match="bubble"):
        features.parent_of("buble")


def test_every_feature_a_rule_names_is_in_the_vocabulary() -> None:
    for rule in rules.table():
        for key in rule.features - {"*"}:
            assert key in features.vocabulary(), f"{rule.id} names {key}"


def test_rules_are_numbered_without_a_gap_and_end_in_the_last_resort() -> None:
    ids = [rule.id for rule in rules.table()]
    assert ids == [f"R{number:02d}" for number in range(1, 85)]
    assert rules.table()[-1].id == rules.LAST_RESORT


def test_every_verdict_is_one_of_three_words() -> None:
    assert {rule.verdict for rule in rules.table()} == {"defect", "no_defect", "depends"}


@pytest.mark.parametrize(
    ("feature", "known", "verdict", "rule"),
    [
        ("bubble", context(material="optical"), "defect", "R01"),
        ("foam_cell", context(material="foam"), "no_defect", "R10"),
        ("foam_cell", context(material="foam", state="collapsed"), "depends", "R09"),
        ("devit_devitrite", FLOAT, "defect", "R33"),
        ("gc_las", context(material="glass_ceramic"), "no_defect", "R38"),
        (
            "crack_radial",
            context(process="indentation_test", product="finished"),
            "no_defect",
            "R46",
        ),
        ("nickel_sulfide", context(process="tempered"), "defect", "R17"),
        ("art_noise", {}, "no_defect", "R83"),
    ],
)
def test_the_first_matching_rule_wins(
    feature: str, known: dict[str, frozenset[str]], verdict: str, rule: str
) -> None:
    ruling = rules.judge(feature, known)
    assert ruling is not None
    assert (ruling.verdict, ruling.rules) == (verdict, (rule,))


def test_missing_context_never_becomes_a_defect() -> None:
    for parent in features.PARENTS:
        ruling = rules.judge(parent, {})
        assert ruling is None or ruling.verdict == "no_defect", parent


def test_a_parent_takes_the_verdict_on_which_its_children_agree() -> None:
    ruling = rules.judge("crystal", FLOAT)
    assert ruling is not None
    assert ruling.verdict == "defect"


def test_a_parent_depends_where_its_children_disagree() -> None:
    # A cord depends in float glass (R28), the tin side is benign there (R30).
    ruling = rules.judge("inhomogeneity", FLOAT)
    assert ruling is not None
    assert ruling.verdict == "depends"
    assert set(ruling.rules) == {"R28", "R30"}


def test_children_without_a_match_are_ignored() -> None:
    # Of the four pores only the bubble has a rule for a container.
    ruling = rules.judge("pore", context(material="container"))
    assert ruling is not None
    assert ruling.rules == ("R08",)
