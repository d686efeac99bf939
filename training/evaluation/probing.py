"""The probes as detectors of features: average precision and F1, with the trivial answers beside.

By the probabilities and the shipped thresholds, not by the text. Cases of which nobody said what
is on them are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassllava.features import PARENTS
from training.evaluation import scores
from training.evaluation.grading import Row
from training.evaluation.verdicts import finite

Array = np.ndarray[Any, Any]


def figures(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Of one condition at one level; None where no probability or no truth is known."""
    known = [
        row
        for row in rows
        if row.case.present is not None and all(v is not None for v in row.said.probes.values())
    ]
    keys = [key for key in PARENTS if known and key in known[0].said.probes]
    if not keys:
        return None
    labels = np.array([[key in (row.case.present or ()) for key in keys] for row in known])
    said = np.array([[key in row.said.present for key in keys] for row in known])
    p = np.array([[row.said.probes[key] for key in keys] for row in known], float)
    # A family of the generator is chosen for its feature: to draw families would draw whole
    # features in and out. Micrographs are drawn there, papers elsewhere.
    groups = np.array([row.case.id if row.case.told is None else row.case.group for row in known])

    times = scores.draws(groups)
    f1 = _mean_of([scores.drawn_f1(said[:, j], labels[:, j], times) for j in range(len(keys))])
    ap = _mean_of([scores.drawn_precision(p[:, j], labels[:, j], times) for j in range(len(keys))])
    everything = np.ones_like(said)
    return {
        "cases": len(known),
        "macro_f1": finite(scores.spread(macro(scores.f1, said, labels), f1)),
        "macro_ap": finite(scores.spread(macro(scores.average_precision, p, labels), ap)),
        "macro_f1_of_saying_everything": round(macro(scores.f1, everything, labels), 4),
        "features": {
            key: {
                "positives": int(labels[:, j].sum()),
                "ap": _or_none(scores.average_precision(p[:, j], labels[:, j])),
                "f1": _or_none(scores.f1(said[:, j], labels[:, j])),
            }
            for j, key in enumerate(keys)
        },
    }


def macro(score: Callable[[Array, Array], float], said: Array, labels: Array) -> float:
    """The mean over the columns that have a score; not a number where none has."""
    each = np.array([score(said[:, j], labels[:, j]) for j in range(labels.shape[1])])
    return float(each[np.isfinite(each)].mean()) if np.isfinite(each).any() else float("nan")


def _mean_of(columns: Sequence[Array]) -> Array:
    """The mean over those columns that are a number in each draw."""
    each = np.stack(columns)
    known = np.isfinite(each)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, each, 0).sum(0) / known.sum(0))


def _or_none(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
