"""Scores, each with its interval; and the fits that turn raw answers into probabilities.

Knows arrays only: no model, no micrograph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    score: Callable[[Array], float], count: int, *, repeats: int = 1000, seed: int = 0
) -> Figure:
    """`score` of all rows, with the percentiles of resampled rows (Efron 1979)."""
    rng = np.random.default_rng(seed)
    drawn = np.array([score(rng.integers(0, count, count)) for _ in range(repeats)])
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Figure(score(np.arange(count)), float(low), float(high))


def average_precision(scores: Array, truth: Array) -> float:
    """Area under the precision-recall steps; not a number where nothing is positive."""
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = truth[order].astype(bool)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


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


def least_confidence(probability: Array, truth: Array, risk: float) -> float:
    """The least max(p, 1 - p) from which the risk's upper bound stays within `risk`.

    Above 1 where no threshold reaches it: then no verdict is ever decided.
    """
    confidence = np.maximum(probability, 1 - probability)
    wrong = (probability >= 0.5) != truth.astype(bool)
    for threshold in np.unique(np.floor(confidence * 1000) / 1000):
        decided = confidence >= threshold
        if risk_bound(int(wrong[decided].sum()), int(decided.sum())) <= risk:
            return float(threshold)
    return 1.01
