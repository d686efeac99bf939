"""The held-out table: what was asked, what was true, and every figure that the card states.

One case is one micrograph in its own context at one level, answered with its picture and with a
blank one. Whoever asked (the kept tokens of training, or any model through its enquiries) hands
over the same arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassllava import features
from glassllava.calibration import Calibration, LevelCalibration
from glassllava.prompt import TEMPLATES_SHA256
from training.evaluation import scores

Array = np.ndarray[Any, Any]
#: What the shipped threshold bounds: the share of wrong verdicts among the decided.
RISK, CERTAINTY = 0.05, 0.95


@dataclass(frozen=True)
class Answers:
    """Raw yes / (yes + no): probes (N, P), verdict (N,); the same for a blank picture, and the
    verdict for somebody else's."""

    probes: Array
    verdict: Array
    blank_verdict: Array
    blank_probes: Array
    other_verdict: Array | None = None

    def only(self, rows: Array) -> Answers:
        other = self.other_verdict
        return Answers(
            self.probes[rows],
            self.verdict[rows],
            self.blank_verdict[rows],
            self.blank_probes[rows],
            other[rows] if other is not None else None,
        )


@dataclass(frozen=True)
class Truth:
    """Labels (N, P) of 0 and 1; `defect` (N,) of 1, 0 and not a number where it depends."""

    labels: Array
    defect: Array
    keys: tuple[str, ...]

    def only(self, rows: Array) -> Truth:
        return Truth(self.labels[rows], self.defect[rows], self.keys)


def calibrate(
    answers: Mapping[str, Answers],
    truth: Truth,
    split_sha256: str,
    *,
    risk: float = RISK,
    certainty: float = CERTAINTY,
) -> Calibration:
    """Platt for each probe and the verdict of each level, thresholds, least confidence.

    Each level has its own, over every micrograph of the split whose verdict is known, one context
    each: further contexts of a micrograph would be no independent witnesses.
    """
    known = np.isfinite(truth.defect)
    levels = {}
    for level, said in answers.items():
        probes, present = {}, {}
        for j, key in enumerate(truth.keys):
            probes[key] = scores.fit_platt(said.probes[:, j], truth.labels[:, j])
            probability = apply(probes[key], said.probes[:, j])
            present[key] = scores.best_f1_threshold(probability, truth.labels[:, j])
        verdict = scores.fit_platt(said.verdict[known], truth.defect[known])
        probability = apply(verdict, said.verdict[known])
        levels[level] = LevelCalibration(
            probes=probes,
            verdict=verdict,
            present=present,
            confidence=scores.least_confidence(probability, truth.defect[known], risk, certainty),
            verdict_prevalence=_prevalence(truth.defect[known]),
        )
    return Calibration(
        levels=levels,
        split_sha256=split_sha256,
        templates_sha256=TEMPLATES_SHA256,
        notes="Platt on the logit; present: best F1; confidence: the least by fixed-sequence tests"
        f" of a risk within {risk} at {certainty} on {int(known.sum())} verdicts of the split, by"
        " Clopper-Pearson bounds.",
    )


def _prevalence(defect: Array) -> float | None:
    """The share of defects; None where all are alike, of which no odds could be shifted."""
    share = float(defect.mean()) if len(defect) else 0.0
    return round(share, 4) if 0 < share < 1 else None


def apply(platt: Any, raw: Array) -> Array:
    return np.array([platt(float(x)) for x in raw])


def held_out(
    answers: Mapping[str, Answers], truth: Truth, calibration: Calibration
) -> dict[str, Any]:
    """Every figure, as JSON; intervals are 95 %."""
    known = np.isfinite(truth.defect)
    defect = truth.defect[known].astype(bool)
    majority = bool(defect.mean() >= 0.5)
    out: dict[str, Any] = {
        "micrographs": len(truth.defect),
        "verdicts": int(known.sum()),
        "majority": {
            "says": "defect" if majority else "no defect",
            "accuracy": scores.share(int((defect == majority).sum()), len(defect)).to_json(),
        },
        "levels": {},
        "features": {},
    }
    for level, said in answers.items():
        at_level = calibration.levels[level]
        out["levels"][level] = _verdicts(said, at_level, known, defect, majority)
    level = "high" if "high" in answers else list(answers)[-1]
    out["features_level"] = level
    out["features"], out["macro"] = _features(answers[level], calibration.levels[level], truth)
    return out


def _verdicts(
    said: Answers, at_level: LevelCalibration, known: Array, defect: Array, majority: bool
) -> dict[str, Any]:
    probability = apply(at_level.verdict, said.verdict[known])
    blank = apply(at_level.verdict, said.blank_verdict[known])
    right, blank_right = (probability >= 0.5) == defect, (blank >= 0.5) == defect
    over_blank = right.astype(float) - blank_right
    over_majority = right.astype(float) - (defect == majority)
    decided = np.maximum(probability, 1 - probability) >= at_level.confidence
    errors = int((~right[decided]).sum())
    control = {}
    if said.other_verdict is not None:
        other = (apply(at_level.verdict, said.other_verdict[known]) >= 0.5) == defect
        control["other"] = scores.share(int(other.sum()), len(right)).to_json()
    return {
        "accuracy": scores.share(int(right.sum()), len(right)).to_json(),
        "blank": scores.share(int(blank_right.sum()), len(right)).to_json(),
        "over_blank": scores.bootstrap(
            lambda rows: float(over_blank[rows].mean()), len(right)
        ).to_json(),
        "over_majority": scores.bootstrap(
            lambda rows: float(over_majority[rows].mean()), len(right)
        ).to_json(),
        "ece": round(scores.calibration_error(probability, defect.astype(float)), 4),
        "undecided": round(float((~decided).mean()), 4),
        "decided": int(decided.sum()),
        "risk_decided": scores.share(errors, int(decided.sum())).to_json(),
        # One-sided, as the threshold was chosen, but of other micrographs.
        "risk_bound": round(scores.risk_bound(errors, int(decided.sum()), CERTAINTY), 4),
        "confidence": round(at_level.confidence, 4),
        **control,
    }


def _features(
    said: Answers, at_level: LevelCalibration, truth: Truth
) -> tuple[dict[str, Any], dict[str, Any]]:
    probability = np.stack(
        [apply(at_level.probes[key], said.probes[:, j]) for j, key in enumerate(truth.keys)], 1
    )
    thresholds = np.array([at_level.present[key] for key in truth.keys])
    present, labels = probability >= thresholds, truth.labels.astype(bool)
    count = len(labels)
    rows: dict[str, Any] = {}
    for j, key in enumerate(truth.keys):

        def precision(chosen: Array, j: int = j) -> float:
            return scores.average_precision(probability[chosen, j], labels[chosen, j])

        def both(chosen: Array, j: int = j) -> float:
            return scores.f1(present[chosen, j], labels[chosen, j])

        rows[key] = {
            "positives": int(labels[:, j].sum()),
            "ap": scores.bootstrap(precision, count, repeats=300).to_json(),
            "f1": scores.bootstrap(both, count, repeats=300).to_json(),
        }

    def macro(said_present: Array, chosen: Array) -> float:
        # A feature that none of the chosen shows has no F1: one false alarm would count as nought.
        each = [
            scores.f1(said_present[chosen, j], labels[chosen, j])
            for j in np.flatnonzero(labels[chosen].any(0))
        ]
        return float(np.mean(each))

    def macro_ap(chosen: Array) -> float:
        each = [
            scores.average_precision(probability[chosen, j], labels[chosen, j])
            for j in range(labels.shape[1])
        ]
        return float(np.nanmean(each))

    everything = np.ones_like(present)
    blank = np.stack(
        [apply(at_level.probes[k], said.blank_probes[:, j]) for j, k in enumerate(truth.keys)], 1
    )
    return rows, {
        "f1": scores.bootstrap(lambda c: macro(present, c), count, repeats=300).to_json(),
        "ap": scores.bootstrap(macro_ap, count, repeats=300).to_json(),
        "f1_says_everything": round(macro(everything, np.arange(count)), 4),
        "f1_blank": round(macro(blank >= thresholds, np.arange(count)), 4),
    }


def as_markdown(figures: Mapping[str, Any]) -> str:
    """The two tables of the card."""
    lines = [
        "| context | forced choice | blank picture | other picture | over blank | over majority "
        "| ECE | undecided | risk among decided |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for level, row in figures["levels"].items():
        columns = ("accuracy", "blank", "other", "over_blank", "over_majority")
        cells = [_percent(row[k]) if k in row else "" for k in columns]
        decided = _percent(row["risk_decided"]) if row["undecided"] < 1 else "none decided"
        cells += [f"{row['ece']:.3f}", f"{100 * row['undecided']:.0f} %", decided]
        lines.append(f"| {level} | {' | '.join(cells)} |")
    majority = figures["majority"]
    lines += [
        "",
        f'Always the majority answer ("{majority["says"]}"): {_percent(majority["accuracy"])} of '
        f"{figures['verdicts']} verdicts.",
        "",
        "| feature | positives | average precision | F1 at the shipped threshold |",
        "| --- | --- | --- | --- |",
    ]
    for key, row in figures["features"].items():
        lines.append(
            f"| {features.name_of(key)} | {row['positives']} | {_plain(row['ap'])} "
            f"| {_plain(row['f1'])} |"
        )
    macro = figures["macro"]
    lines += [
        f"| **macro** | | {_plain(macro['ap'])} | {_plain(macro['f1'])} |",
        "",
        f'"Says everything" has a macro-F1 of {macro["f1_says_everything"]:.2f}, the blank picture '
        f"{macro['f1_blank']:.2f}.",
    ]
    return "\n".join(lines) + "\n"


def parts_as_markdown(parts: Mapping[str, Any]) -> str:
    """One table of the parts of the held-out micrographs: verdict without and with context."""
    lines = [
        "| part | micrographs | none | moderate | high | blank, high | risk of decided, high "
        "| features, macro-F1 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in parts.items():
        levels = found["levels"]
        cells = [_percent(levels[level]["accuracy"]) for level in ("none", "moderate", "high")]
        high = levels["high"]
        decided = _percent(high["risk_decided"]) if high["undecided"] < 1 else "none decided"
        cells += [_percent(high["blank"]), decided, _plain(found["macro"]["f1"])]
        lines.append(f"| {name} | {found['micrographs']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _percent(figure: list[float]) -> str:
    value, low, high = (100 * x for x in figure)
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"


def _plain(figure: list[float]) -> str:
    return f"{figure[0]:.2f} [{figure[1]:.2f}, {figure[2]:.2f}]"
