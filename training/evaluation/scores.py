"""Scores, each with its interval; and the fits that turn raw answers into probabilities.

Knows arrays only: no model, no micrograph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import optimize, stats

from glassllava.calibration import Platt

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_json(self) -> list[float]:
        return [round(x, 4) for x in (self.value, self.low, self.high)]


def share(hits: int, of: int) -> Figure:
    """A share of independent trials with its exact interval (Clopper and Pearson 1934)."""
    if of == 0:
        return Figure(float("nan"), 0.0, 1.0)
    low = float(stats.beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0
    return Figure(hits / of, low, high)


def risk_bound(errors: int, of: int, confidence: float = 0.95) -> float:
    """The one-sided Clopper-Pearson upper bound of an error rate."""
    return float(stats.beta.ppf(confidence, errors + 1, of - errors)) if errors < of else 1.0


def bootstrap(
    score: Callable[[Array], float],
    count: int,
    *,
    repeats: int = 1000,
    seed: int = 0,
    groups: Array | None = None,
) -> Figure:
    """`score` of all rows, with the percentiles of resampled rows (Efron 1979).

    With `groups` (count,), whole groups are drawn: rows of one paper or one family of the
    generator are no independent witnesses, and of a single group no interval is known.
    """
    rng = np.random.default_rng(seed)
    if count == 0:
        return Figure(float("nan"), float("nan"), float("nan"))
    if groups is None:
        draws: Iterable[Array] = (rng.integers(0, count, count) for _ in range(repeats))
    else:
        of_group = [np.flatnonzero(groups == name) for name in np.unique(groups)]
        draws = (
            np.concatenate([of_group[i] for i in rng.integers(0, len(of_group), len(of_group))])
            for _ in range(repeats)
        )
    drawn = np.array([score(rows) for rows in draws])
    value = score(np.arange(count))
    alone = groups is not None and len(of_group) < 2
    if alone or not np.isfinite(drawn).any():
        return Figure(value, float("nan"), float("nan"))
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Figure(value, float(low), float(high))


def mean(values: Array, groups: Array, *, repeats: int = 2000, seed: int = 0) -> Figure:
    """The mean of `values` (N,), whole groups drawn. The same draws for every equal `groups`.

    Of a single group no interval is known: it is not a number then.
    """
    if not len(values):
        return Figure(float("nan"), float("nan"), float("nan"))
    _, index = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(index, weights=values), np.bincount(index)
    if len(sums) < 2:
        return Figure(float(np.mean(values)), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(sums), (repeats, len(sums)))
    drawn = sums[chosen].sum(1) / counts[chosen].sum(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Figure(float(np.mean(values)), float(low), float(high))


def draws(groups: Array, *, repeats: int = 300, seed: int = 0) -> Array:
    """(repeats, N): how often each row is in each of many draws of whole groups.

    No draw at all of a single group, which says nothing of others.
    """
    _, index = np.unique(groups, return_inverse=True)
    count = int(index.max()) + 1 if len(index) else 0
    if count < 2:
        repeats = 0
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, max(count, 1), (repeats, count))
    times = np.zeros((repeats, count))
    np.add.at(times, (np.arange(repeats)[:, None], chosen), 1)
    return times[:, index]


def drawn_precision(scores: Array, truth: Array, times: Array) -> Array:
    """(repeats,): `average_precision` of every draw of `draws`; as if rows stood there often."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    weight = times[:, order]
    found = np.cumsum(weight * truth[order].astype(bool), 1)[:, last]
    seen = np.cumsum(weight, 1)[:, last]
    gained = np.diff(found, axis=1, prepend=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(seen > 0, found / seen, 0.0)
        return np.asarray((gained * precision).sum(1) / found[:, -1])


def drawn_f1(said: Array, truth: Array, times: Array) -> Array:
    """(repeats,): `f1` of every draw of `draws`."""
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * (times @ (said & truth)) / (times @ said + times @ truth))


def spread(value: float, drawn: Array) -> Figure:
    """`value` with the percentiles of what was drawn; what is not a number does not count."""
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Figure(value, float("nan"), float("nan"))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Figure(value, float(low), float(high))


def brier(probability: Array, truth: Array) -> float:
    """The mean squared distance of probability and truth (Brier 1950)."""
    return float(np.mean((probability - truth) ** 2))


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose probability lies in one bin: how many, their mean, and how many were true."""

    count: int
    mean: float
    share: Figure

    def to_json(self) -> dict[str, Any]:
        return {"count": self.count, "mean": round(self.mean, 4), "share": self.share.to_json()}


def reliability(probability: Array, truth: Array, bins: int = 10) -> list[Bin]:
    """Bins of equal width that hold anything, in order: said against seen."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    made = []
    for b in range(bins):
        inside = index == b
        if inside.any():
            of = int(inside.sum())
            made.append(
                Bin(of, float(probability[inside].mean()), share(int(truth[inside].sum()), of))
            )
    return made


def risk_coverage(confidence: Array, wrong: Array) -> tuple[Array, Array]:
    """Coverages and the risk among that many surest answers (El-Yaniv and Wiener 2010).

    Answers of equal confidence share their errors, so that their order decides nothing.
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_, errors = confidence[order], wrong[order].astype(float)
    _, tie = np.unique(-sorted_, return_inverse=True)
    errors = (np.bincount(tie, weights=errors) / np.bincount(tie))[tie]
    number = np.arange(1, len(errors) + 1)
    return number / len(errors), np.cumsum(errors) / number


def aurc(confidence: Array, wrong: Array) -> float:
    """The area under the risk-coverage curve: the mean risk over all coverages."""
    return float(risk_coverage(confidence, wrong)[1].mean()) if len(wrong) else float("nan")


def predictive_values(
    sensitivity: Figure, specificity: Figure, prevalence: float
) -> tuple[Figure, Figure]:
    """What a "defect" and a "no defect" are worth where `prevalence` of what comes is a defect.

    By Bayes. The bounds join the bounds of both shares, worst with worst and best with best: wider
    than 95 %, never narrower.
    """

    def positive(se: float, sp: float) -> float:
        said = se * prevalence + (1 - sp) * (1 - prevalence)
        return se * prevalence / said if said > 0 else float("nan")

    def negative(se: float, sp: float) -> float:
        said = sp * (1 - prevalence) + (1 - se) * prevalence
        return sp * (1 - prevalence) / said if said > 0 else float("nan")

    worst, best = (sensitivity.low, specificity.low), (sensitivity.high, specificity.high)
    here = (sensitivity.value, specificity.value)
    return (
        Figure(positive(*here), positive(*worst), positive(*best)),
        Figure(negative(*here), negative(*worst), negative(*best)),
    )


def kappa(first: Array, second: Array, *, ordinal: bool = False) -> float:
    """Cohen's kappa of two raters (1960); with squared weights (1968) where grades are in order.

    Not a number where chance alone would agree always. Grades are whole numbers.
    """
    grades = np.arange(min(first.min(), second.min()), max(first.max(), second.max()) + 1)
    count = len(grades)
    seen = np.zeros((count, count))
    np.add.at(seen, (first - grades[0], second - grades[0]), 1)
    chance = np.outer(seen.sum(1), seen.sum(0)) / seen.sum()
    apart = np.subtract.outer(grades, grades).astype(float)
    weight = apart**2 if ordinal else (apart != 0).astype(float)
    by_chance = float((weight * chance).sum())
    return 1 - float((weight * seen).sum()) / by_chance if by_chance > 0 else float("nan")


def average_precision(scores: Array, truth: Array) -> float:
    """Area under the precision-recall steps; not a number where nothing is positive.

    Answers of equal score are one step, so that their order decides nothing.
    """
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    sorted_, hits = scores[order], truth[order].astype(bool)
    last = np.flatnonzero(np.append(np.diff(sorted_) != 0, True))
    found = np.cumsum(hits)[last]
    gained = np.diff(found, prepend=0) / hits.sum()
    return float((gained * found / (last + 1)).sum())


def f1(said: Array, truth: Array) -> float:
    """2 TP / (2 TP + FP + FN); 0 where nothing is right; not a number where nothing is there."""
    if not truth.any() and not said.any():
        return float("nan")
    right = float((said & truth).sum())
    return 2 * right / float(said.sum() + truth.sum())


def calibration_error(probability: Array, truth: Array, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width (Guo et al. 2017)."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = index == b
        if inside.any():
            total += inside.mean() * abs(probability[inside].mean() - truth[inside].mean())
    return float(total)


def fit_platt(raw: Array, truth: Array) -> Platt:
    """Platt's slope and offset on the logit of `raw`, with his smoothed targets (1999)."""
    clipped = np.clip(raw, 1e-6, 1 - 1e-6)
    logit = np.log(clipped / (1 - clipped))
    positive, negative = float(truth.sum()), float((1 - truth).sum())
    target = np.where(truth > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(x: Array) -> float:
        z = x[0] * logit + x[1]
        # A weak pull towards the identity keeps a rare label's fit finite.
        return float((np.logaddexp(0, z) - target * z).sum() + 0.05 * (x[0] - 1) ** 2)

    found = optimize.minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B")
    # A negative slope would turn the answer round, on evidence that is noise.
    return Platt(max(float(found.x[0]), 0.0), float(found.x[1]))


def best_f1_threshold(probability: Array, truth: Array) -> float:
    """The threshold with the best F1; 0.5 where nothing is positive."""
    if not truth.any():
        return 0.5
    candidates = np.unique(np.round(probability, 3))
    candidates = candidates[(candidates > 0.02) & (candidates < 0.98)]
    if not len(candidates):
        return 0.5
    scored = [f1(probability >= c, truth.astype(bool)) for c in candidates]
    return float(candidates[int(np.argmax(scored))])


#: Confidences that are tried, strictest first; fixed before any answer is seen.
CONFIDENCES = (0.999, 0.998, 0.995, *(round(0.99 - 0.01 * step, 2) for step in range(50)))
#: The first one that is tried is the strictest with so many answers that two of them may be wrong:
#: a start at fewer would end most searches at once, by one unlucky answer.
_SPARE = 2


def least_confidence(
    probability: Array, truth: Array, risk: float, certainty: float = 0.95
) -> float:
    """The least max(p, 1 - p) whose share of wrong answers among the decided is within `risk`.

    Several thresholds are tried and the last good one is taken, so that one bound at a time would
    promise too much. This is fixed-sequence testing (Angelopoulos, Bates, Candès, Jordan and Lei
    2021, Learn then Test, arXiv:2110.01052): `CONFIDENCES` from the strictest down, each tested by
    the one-sided Clopper-Pearson bound at the full `certainty`, until the first that fails. With
    probability `certainty` over the draw of the split no threshold with a larger risk is taken.

    Parameters
    ----------
    probability, truth : (N,) of independent cases: one verdict of each micrograph.
    risk, certainty : shares, such as 0.05 and 0.95.

    Returns
    -------
    The threshold; 1.01 where none is good, so that no verdict is ever decided.
    """
    confidence = np.maximum(probability, 1 - probability)
    wrong = (probability >= 0.5) != truth.astype(bool)
    grid = np.array(CONFIDENCES)
    order = np.argsort(confidence)
    # Answers at or above each threshold, and the errors among them.
    below = np.searchsorted(confidence[order], grid, side="left")
    decided = len(confidence) - below
    errors = np.append(np.cumsum(wrong[order][::-1])[::-1], 0)[below]
    tested = decided >= answers_needed(_SPARE, risk, certainty)
    good = stats.beta.ppf(certainty, errors + 1, np.maximum(decided - errors, 1)) <= risk
    good &= errors < decided
    passed = np.flatnonzero(tested)
    failed = np.flatnonzero(~good[passed])
    last = int(failed[0]) if len(failed) else len(passed)
    return float(grid[passed[last - 1]]) if last else 1.01


@cache
def answers_needed(errors: int, risk: float, certainty: float = 0.95) -> int:
    """How many answers with `errors` wrong ones bound the risk: 59, 93, 124 for 5 % at 95 %."""
    count = errors + 1
    while risk_bound(errors, count, certainty) > risk:
        count += 1
    return count
