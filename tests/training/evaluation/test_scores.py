"""Intervals against published values, fits against known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

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


# The threshold: fixed-sequence testing, held against draws whose true risk is known


def _risk_of(confidence: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, descending, and the true risk among those at or above each."""
    order = np.argsort(-confidence)
    return confidence[order], np.cumsum(error[order]) / np.arange(1, len(order) + 1)


@pytest.mark.parametrize(
    ("slope", "width", "cases"), [(0.8, 3.0, 450), (1.2, 3.0, 450), (1.0, 4.0, 1000)]
)
def test_the_threshold_keeps_its_promise_over_two_thousand_splits(
    slope: float, width: float, cases: int
) -> None:
    rng = np.random.default_rng(11)

    def defect(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-slope * z - 0.1))  # not what is said of it: not calibrated

    many = rng.normal(0, width, 100_000)
    error = np.where(many >= 0, 1 - defect(many), defect(many))
    said, risk = _risk_of(1 / (1 + np.exp(-np.abs(many))), error)
    broken = chosen = 0
    for _ in range(2000):
        z = rng.normal(0, width, cases)
        truth = (rng.random(cases) < defect(z)).astype(float)
        threshold = scores.least_confidence(1 / (1 + np.exp(-z)), truth, 0.05)
        if threshold <= 1:
            chosen += 1
            broken += risk[np.searchsorted(-said, -threshold, side="right") - 1] > 0.05
    assert chosen > 200  # it does decide
    # 5 % of 2,000 is 100; the binomial's 99.9 % lies at 131.
    assert broken <= 131


def test_one_bound_at_a_time_would_break_the_promise() -> None:
    """The search that takes any threshold whose own bound holds: this is what must not be done."""
    rng = np.random.default_rng(12)
    one_at_a_time = in_sequence = 0
    confidence, decided = np.linspace(0.999, 0.5, 1000), np.arange(59, 1001)
    for _ in range(1000):
        wrong = rng.random(1000) < 0.055  # a risk of 5.5 % at every threshold
        errors = np.cumsum(wrong)[58:]
        one_at_a_time += bool((stats.beta.ppf(0.95, errors + 1, decided - errors) <= 0.05).any())
        truth = (~wrong).astype(float)
        in_sequence += scores.least_confidence(confidence, truth, 0.05) <= 1
    assert one_at_a_time > 2 * 50
    assert in_sequence <= 75


def test_the_search_starts_where_two_may_be_wrong_and_ends_at_the_first_that_fails() -> None:
    probability = np.full(123, 0.995)
    assert scores.least_confidence(probability, np.ones(123), 0.05) == 1.01
    probability, truth = np.full(124, 0.9951), np.ones(124)
    truth[:2] = 0
    assert scores.least_confidence(probability, truth, 0.05) == 0.5
    truth[:3] = 0
    assert scores.least_confidence(probability, truth, 0.05) == 1.01
    # Good again further down does not count: the test in between failed.
    said = np.concatenate([np.full(200, 0.97), np.full(60, 0.85), np.full(3000, 0.75)])
    truth = np.ones(len(said))
    truth[200:220] = 0
    assert scores.least_confidence(said, truth, 0.05) == 0.86


def test_average_precision_of_a_perfect_order_is_one() -> None:
    assert scores.average_precision(np.array([0.9, 0.8, 0.1]), np.array([1, 1, 0])) == 1
    assert scores.average_precision(np.array([0.9, 0.1]), np.array([0, 1])) == 0.5


def test_calibration_error_of_a_constant_half() -> None:
    truth = np.array([1.0, 1.0, 1.0, 0.0])
    assert scores.calibration_error(np.full(4, 0.5), truth) == pytest.approx(0.25)
    assert scores.calibration_error(np.full(4, 0.75), truth) == pytest.approx(0.0)


# Against a library and against arithmetic by hand


def test_average_precision_is_sklearns_with_ties_and_all() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    for _ in range(20):
        said = np.round(rng.random(40), 1)  # many ties
        truth = rng.random(40) < 0.3
        truth[0] = True
        assert scores.average_precision(said, truth) == pytest.approx(
            metrics.average_precision_score(truth, said)
        )


def test_brier_is_sklearns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(4)
    p, truth = rng.random(50), (rng.random(50) < 0.5).astype(float)
    assert scores.brier(p, truth) == pytest.approx(metrics.brier_score_loss(truth, p))


def test_kappa_is_sklearns_plain_and_weighted() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    a = rng.integers(1, 5, 60)
    b = np.clip(a + rng.integers(-1, 2, 60), 1, 4)
    assert scores.kappa(a, b) == pytest.approx(metrics.cohen_kappa_score(a, b))
    assert scores.kappa(a, b, ordinal=True) == pytest.approx(
        metrics.cohen_kappa_score(a, b, weights="quadratic")
    )


def test_kappa_of_a_table_of_which_it_is_known() -> None:
    # 20 both yes, 5 and 10 apart, 15 both no: observed 0.7, by chance 0.5 (Cohen's own example).
    a = np.array([1] * 25 + [0] * 25)
    b = np.array([1] * 20 + [0] * 5 + [1] * 10 + [0] * 15)
    assert scores.kappa(a, b) == pytest.approx(0.4)
    assert np.isnan(scores.kappa(np.ones(5, int), np.ones(5, int)))  # chance alone always agrees


def test_risk_coverage_by_hand() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    coverage, risk = scores.risk_coverage(confidence, np.array([False, True, False, True]))
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])
    assert scores.aurc(confidence, np.array([False, True, False, True])) == pytest.approx(1 / 3)
    # Of equal confidence no order is better than another.
    tied = np.full(4, 0.8)
    for wrong in ([1, 0, 0, 0], [0, 0, 0, 1]):
        assert scores.risk_coverage(tied, np.array(wrong, bool))[1].tolist() == [0.25] * 4


def test_predictive_values_by_bayes() -> None:
    sensitivity, specificity = scores.Figure(0.9, 0.8, 0.95), scores.Figure(0.95, 0.9, 0.98)
    positive, negative = scores.predictive_values(sensitivity, specificity, 0.01)
    assert positive.value == pytest.approx(0.009 / (0.009 + 0.0495))
    assert negative.value == pytest.approx(0.9405 / (0.9405 + 0.001))
    assert positive.low == pytest.approx(0.008 / (0.008 + 0.099))
    assert positive.high == pytest.approx(0.0095 / (0.0095 + 0.0198))
    assert negative.low < negative.value < negative.high


def test_bins_hold_what_was_said_and_seen() -> None:
    p = np.array([0.05, 0.06, 0.95, 1.0])
    low, high = scores.reliability(p, np.array([0.0, 1.0, 1.0, 1.0]))
    assert (low.count, low.share.value, high.count, high.share.value) == (2, 0.5, 2, 1.0)
    assert high.mean == pytest.approx(0.975)


def test_rows_of_one_group_are_one_witness() -> None:
    values = np.repeat([0.0, 1.0] * 5, 40)  # ten groups of forty equal rows
    groups = np.repeat(np.arange(10), 40)
    clustered, alone = scores.mean(values, groups), scores.mean(values, np.arange(400))
    assert clustered.value == alone.value == 0.5
    assert clustered.high - clustered.low > 4 * (alone.high - alone.low)
    same = scores.bootstrap(lambda rows: float(values[rows].mean()), 400, groups=groups)
    assert same.low == pytest.approx(clustered.low, abs=0.11)
    assert same.high == pytest.approx(clustered.high, abs=0.11)


def test_many_draws_at_once_are_what_each_would_be_alone() -> None:
    rng = np.random.default_rng(6)
    said, truth = np.round(rng.random(30), 1), rng.random(30) < 0.4
    times = scores.draws(np.repeat(np.arange(10), 3), repeats=50)
    assert times.sum(1).tolist() == [30] * 50
    precision = scores.drawn_precision(said, truth, times)
    f1 = scores.drawn_f1(said >= 0.5, truth, times)
    for draw, ap, f in zip(times.astype(int), precision, f1, strict=True):
        rows = np.repeat(np.arange(30), draw)
        assert ap == pytest.approx(scores.average_precision(said[rows], truth[rows]), nan_ok=True)
        assert f == pytest.approx(scores.f1(said[rows] >= 0.5, truth[rows]), nan_ok=True)


def test_nothing_has_no_figure() -> None:
    empty = np.array([])
    assert np.isnan(scores.mean(empty, empty).value)
    assert np.isnan(scores.bootstrap(lambda rows: float(rows.mean()), 0).value)
    assert np.isnan(scores.share(0, 0).value)


def test_one_group_gives_a_value_and_no_interval() -> None:
    values, one = np.array([0.0, 1.0, 1.0, 0.0]), np.zeros(4)
    lone = scores.mean(values, one)
    assert lone.value == 0.5
    assert np.isnan([lone.low, lone.high]).all()
    drawn = scores.bootstrap(lambda rows: float(values[rows].mean()), 4, groups=one)
    assert drawn.value == 0.5
    assert np.isnan([drawn.low, drawn.high]).all()
    times = scores.draws(one)
    spread = scores.spread(0.5, scores.drawn_f1(values > 0, values > 0, times))
    assert np.isnan([spread.low, spread.high]).all()
    two = scores.mean(values, np.array([0, 0, 1, 1]))
    assert np.isfinite([two.low, two.high]).all()
