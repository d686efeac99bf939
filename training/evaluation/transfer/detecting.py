"""Features found or not: average precision and F1 by parent, where not every label is known.

Whole specimens are drawn for the intervals. Knows arrays; whoever said the probabilities hands them
over in the same shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation import scores
from training.evaluation.verdicts import finite

Array = np.ndarray[Any, Any]
_REPEATS = 1000


@dataclass(frozen=True)
class Truth:
    """(N, K) what is there and whether that is known, (N,) the specimen of each, K keys."""

    there: Array
    known: Array
    groups: Array
    keys: tuple[str, ...]


def figures(probability: Array, said: Array | None, truth: Truth) -> dict[str, Any]:
    """Macro figures with intervals, and those of each parent; `said` (N, K) may be unknown.

    A draw in which a parent has no positive left has no figure for that parent.
    """
    times = scores.draws(truth.groups, repeats=_REPEATS)
    ap, f1, drawn_ap, drawn_f1 = [], [], [], []
    for j in range(len(truth.keys)):
        rows = truth.known[:, j]
        there, drawn = truth.there[rows, j], times[:, rows]
        ap.append(scores.average_precision(probability[rows, j], there))
        drawn_ap.append(scores.drawn_precision(probability[rows, j], there, drawn))
        if said is not None:
            f1.append(scores.f1(said[rows, j], there))
            drawn_f1.append(scores.drawn_f1(said[rows, j], there, drawn))
    out: dict[str, Any] = {"macro_ap": _macro(ap, drawn_ap), "macro_f1": None, "features": {}}
    if said is not None:
        out["macro_f1"] = _macro(f1, drawn_f1)
    for j, key in enumerate(truth.keys):
        rows = truth.known[:, j]
        out["features"][key] = {
            "known": int(rows.sum()),
            "positives": int(truth.there[rows, j].sum()),
            "said": int(said[rows, j].sum()) if said is not None else None,
            "ap": finite(scores.spread(ap[j], drawn_ap[j])),
            "f1": finite(scores.spread(f1[j], drawn_f1[j])) if said is not None else None,
        }
    return out


def says_everything(truth: Truth) -> dict[str, Any]:
    """Everything is on every micrograph: the precision is the prevalence."""
    everything = np.ones_like(truth.there)
    return figures(everything.astype(float), everything, truth)


def _macro(values: Sequence[float], drawn: Sequence[Array]) -> list[float | None]:
    value = np.array(values)
    value = value[np.isfinite(value)]
    if not len(value):
        return [None, None, None]
    each = np.stack(drawn)
    known = np.isfinite(each)
    with np.errstate(invalid="ignore"):
        means = np.where(known, each, 0).sum(0) / known.sum(0)
    return finite(scores.spread(float(value.mean()), means))
