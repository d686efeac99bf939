"""Defect or no defect: every figure of the verdict, for rows of one condition at one level.

The verdict is `model_verdict`, before any rule: true at a calibrated probability of 0.5 or more,
over every case whose truth is defect or no defect; abstaining removes none, and a case for which
no probability came counts as wrong. Cases in which it depends stand apart, as the share answered
undecided. Where a model tells no probability at all there is no such figure, and only what its text
says is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glassllava.sample import ContextLevel
from training.evaluation import scores, stated
from training.evaluation.grading import Row

Array = np.ndarray[Any, Any]
PREVALENCES = (0.01, 0.10, 0.50)
#: How near one half a probability is "near the threshold", at least.
NEAR = 0.02


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Of one condition at one level, as JSON; a list of three is value, low, high of 95 %."""
    known = [row for row in rows if row.case.defect is not None]
    told = [row for row in known if row.said.probability is not None]
    out: dict[str, Any] = {
        "cases": len(known),
        "told": len(told),
        "by_text": by_text(known),
        "depends": _depends(rows),
        "after_rules": _after_rules(known),
    }
    if not told:
        return out | {"accuracy": None}
    every = np.array([bool(row.case.defect) for row in known])
    right_of_all = np.array([is_right(row) for row in known])
    groups = np.array([row.case.group for row in known])
    sensitivity = scores.share(int(right_of_all[every].sum()), int(every.sum()))
    specificity = scores.share(int(right_of_all[~every].sum()), int((~every).sum()))
    # Calibration is of the probabilities that there are.
    truth = np.array([bool(row.case.defect) for row in told])
    p = np.array([row.said.probability for row in told], float)
    decided = np.array([row.said.decided for row in told])
    said = p >= 0.5
    right = said == truth
    confidence = np.maximum(p, 1 - p)
    coverage, risk = scores.risk_coverage(confidence, ~right)
    true = truth.astype(float)
    return out | {
        "accuracy": finite(scores.share(int(right_of_all.sum()), len(known))),
        "accuracy_by_group": finite(scores.mean(right_of_all.astype(float), groups)),
        "calibrated": all(row.said.calibrated for row in told),
        "says_defect": round(float(said.mean()), 4),
        "sensitivity": finite(sensitivity),
        "specificity": finite(specificity),
        "predictive_values": {
            f"{prevalence:g}": dict(
                zip(
                    ("defect", "no_defect"),
                    (
                        finite(figure)
                        for figure in scores.predictive_values(sensitivity, specificity, prevalence)
                    ),
                    strict=True,
                )
            )
            for prevalence in PREVALENCES
        },
        "coverage": finite(scores.share(int(decided.sum()), len(known))),
        "risk_decided": finite(scores.share(int((~right[decided]).sum()), int(decided.sum()))),
        "ece": round(scores.calibration_error(p, true), 4),
        "brier": round(scores.brier(p, true), 4),
        "aurc": round(scores.aurc(confidence, ~right), 4),
        "reliability": [each.to_json() for each in scores.reliability(p, true)],
        "risk_coverage": [
            [round(float(c), 4), round(float(r), 4)] for c, r in zip(coverage, risk, strict=True)
        ],
    }


def by_text(known: Sequence[Row]) -> list[float | None] | None:
    """The share whose text gives the verdict of the truth; silence and contradiction do not."""
    if not known:
        return None
    right = sum(stated_by(row) == row.case.truth for row in known)
    return finite(scores.share(right, len(known)))


def stated_by(row: Row) -> str | None:
    """The verdict in a reply's words: of the answer, or of the description where it gives none."""
    answer = stated.verdict(row.said.answer, row.case.question)
    return answer or stated.verdict(row.said.description)


def _depends(rows: Sequence[Row]) -> dict[str, Any]:
    """Cases in which it depends: how many, how many were left undecided, or said to depend."""
    open_ = [row for row in rows if row.case.truth == "depends"]
    told = [row for row in open_ if row.said.probability is not None]
    left = sum(not row.said.decided for row in told)
    said = sum(stated_by(row) == "depends" for row in open_)
    return {
        "cases": len(open_),
        "undecided": finite(scores.share(left, len(told))) if told else None,
        "text_says_so": finite(scores.share(said, len(open_))) if open_ else None,
    }


def _after_rules(known: Sequence[Row]) -> dict[str, Any] | None:
    """The record's verdict, after the context rules: not a figure of the model."""
    if not known or known[0].case.told is not None:
        return None  # a conversation has no sample that the rules could read
    settled = [row for row in known if row.said.decision != "undecided"]
    right = sum(row.said.decision == row.case.truth for row in settled)
    return {
        "coverage": finite(scores.share(len(settled), len(known))),
        "right_of_decided": finite(scores.share(right, len(settled))),
    }


def gain(first: Sequence[Row], second: Sequence[Row]) -> list[float | None] | None:
    """How much more often the first are right than the second on the same cases, groups drawn."""
    return over(first, {row.case.id: is_right(row) for row in second}) if _tell(second) else None


def over(rows: Sequence[Row], right_by_id: Mapping[str, bool]) -> list[float | None] | None:
    """The same against a baseline, of which only right and wrong are known."""
    known = [row for row in rows if row.case.defect is not None and row.case.id in right_by_id]
    if not known or not _tell(rows):
        return None
    differences = np.array([float(is_right(r)) - float(right_by_id[r.case.id]) for r in known])
    return finite(scores.mean(differences, np.array([r.case.group for r in known])))


def is_right(row: Row) -> bool:
    p = row.said.probability
    return p is not None and (p >= 0.5) == bool(row.case.defect)


def _tell(rows: Sequence[Row]) -> bool:
    return any(row.said.probability is not None for row in rows)


def at(rows: Sequence[Row], level: ContextLevel) -> list[Row]:
    return [row for row in rows if row.level == level]


def finite(figure: scores.Figure) -> list[float | None]:
    """A figure as JSON: what is not a number is null."""
    return [
        round(x, 4) if np.isfinite(x) else None for x in (figure.value, figure.low, figure.high)
    ]
