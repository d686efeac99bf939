"""Intervals against published values, fits against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation import scores


def test_nineteen_of_twenty_has_its_known_interval() -> None:
    figure = scores.share(19, 20)
    assert (figure.low, figure.high) == (
        pytest.approx(0.751, abs=1e-3),
        pytest.approx(0.999, abs=1e-3),
    )


@pytest.mark.parametrize(("errors", "of"), [(0, 59), (1, 93), (2, 124)])
def test_a_risk_of_five_percent_needs_this_many_answers(errors: int, of: int) -> None:
    assert scores.risk_bound(errors, of) <= 0.05 < scores.risk_bound(errors, of - 1)


def test_platt_finds_the_line_it_was_made_with() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, 20_000)
    truth = (rng.random(20_000) < 1 / (1 + np.exp(-(0.5 * logit + 1)))).astype(float)
    platt = scores.fit_platt(1 / (1 + np.exp(-logit)), truth)
    assert platt.slope == pytest.approx(0.5, abs=0.05)
    assert platt.offset == pytest.approx(1.0, abs=0.05)


def test_platt_does_not_turn_an_answer_round() -> None:
    raw = np.linspace(0.1, 0.9, 50)
    assert scores.fit_platt(raw, (raw < 0.5).astype(float)).slope == 0


def test_no_threshold_decides_where_the_answers_are_coins() -> None:
    rng = np.random.default_rng(1)
    probability, truth = rng.random(300), (rng.random(300) < 0.5).astype(float)
    assert scores.least_confidence(probability, truth, 0.1) > 0.95


def test_the_least_confidence_bounds_the_risk() -> None:
    rng = np.random.default_rng(2)
    probability = rng.random(2000)
    truth = (rng.random(2000) < probability).astype(float)
    threshold = scores.least_confidence(probability, truth, 0.1)
    assert 0.6 < threshold < 0.95
    decided = np.maximum(probability, 1 - probability) >= threshold
    wrong = ((probability >= 0.5) != truth.astype(bool))[decided]
    assert scores.risk_bound(int(wrong.sum()), int(decided.sum())) <= 0.1


def test_average_precision_of_a_perfect_order_is_one() -> None:
    assert scores.average_precision(np.array([0.9, 0.8, 0.1]), np.array([1, 1, 0])) == 1
    assert scores.average_precision(np.array([0.9, 0.1]), np.array([0, 1])) == 0.5


def test_calibration_error_of_a_constant_half() -> None:
    truth = np.array([1.0, 1.0, 1.0, 0.0])
    assert scores.calibration_error(np.full(4, 0.5), truth) == pytest.approx(0.25)
    assert scores.calibration_error(np.full(4, 0.75), truth) == pytest.approx(0.0)
