"""Average precision and F1 where not every label is known."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.transfer import detecting
from training.evaluation.transfer.detecting import Truth

THERE = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [0, 0], [1, 0]], bool)
GROUPS = np.array(["a", "a", "b", "b", "c", "d"])


def _truth(known: object = True) -> Truth:
    return Truth(THERE, np.broadcast_to(np.asarray(known), THERE.shape), GROUPS, ("crack", "pore"))


def test_whoever_knows_all_is_perfect() -> None:
    figures = detecting.figures(THERE.astype(float), THERE, _truth())
    assert figures["macro_ap"][0] == figures["macro_f1"][0] == 1
    assert figures["features"]["crack"]["positives"] == 3


def test_what_is_unsure_counts_neither_way() -> None:
    known = np.ones_like(THERE)
    known[0, 0] = False
    said = THERE.astype(float)
    said[0, 0] = 0.0  # wrong, if it counted
    figures = detecting.figures(said, said > 0.5, _truth(known))
    assert figures["macro_ap"][0] == 1
    assert figures["features"]["crack"] | {"ap": 0, "f1": 0} == {
        "known": 5,
        "positives": 2,
        "said": 2,
        "ap": 0,
        "f1": 0,
    }


def test_saying_everything_has_the_prevalence_for_its_precision() -> None:
    figures = detecting.says_everything(_truth())
    assert figures["features"]["crack"]["ap"][0] == pytest.approx(3 / 6, abs=1e-4)
    assert figures["features"]["pore"]["ap"][0] == pytest.approx(2 / 6, abs=1e-4)
    assert figures["macro_f1"][0] == pytest.approx((2 / 3 + 1 / 2) / 2, abs=1e-4)


def test_intervals_hold_the_value_and_draw_whole_specimens() -> None:
    said = np.array([[0.9, 0.1], [0.4, 0.8], [0.5, 0.2], [0.1, 0.3], [0.2, 0.4], [0.3, 0.6]])
    value, low, high = detecting.figures(said, None, _truth())["macro_ap"]
    assert low < value < high
    alone = Truth(THERE, np.ones_like(THERE), np.full(6, "a"), ("crack", "pore"))
    assert detecting.figures(said, None, alone)["macro_ap"][1:] == [None, None]
