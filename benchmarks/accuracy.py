"""The table that every proof of measuring prints: how far off, and how often within its word.

Knows values, truths and stated uncertainties; knows nothing of micrographs. The scripts beside it
make the cases: `python -m benchmarks.accuracy_bodies` and its like. Wanted: a median error of at
most 5 %, and the truth inside the stated uncertainty (k = 2) in 90 to 99 % of the cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS = 2000
_Z = 1.959964  # of a normal distribution, 95 % within


@dataclass(frozen=True, slots=True)
class Case:
    """One quantity of one micrograph, in one unit throughout.

    `value` is None where nothing was measured though there is something: it counts as not
    found. `uncertainty` is absolute at k = 2, with every part; None where it is unknown.
    """

    quantity: str
    truth: float
    value: float | None
    uncertainty: float | None = None

    @property
    def error(self) -> float | None:
        """|value - truth| / |truth|, or None where there is no value."""
        if self.value is None:
            return None
        gap = abs(self.value - self.truth)
        return gap / abs(self.truth) if self.truth else (math.inf if gap else 0.0)

    @property
    def covered(self) -> bool | None:
        """Whether the truth is inside the stated uncertainty; None where none is stated."""
        if self.value is None or self.uncertainty is None:
            return None
        return abs(self.value - self.truth) <= self.uncertainty


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The Wilson 95 % interval of a share."""
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """The percentile 95 % interval of the median, by drawing again; the same every time."""
    rng = np.random.default_rng(0)
    picked = np.asarray(values, float)[rng.integers(0, len(values), (_DRAWS, len(values)))]
    low, high = np.quantile(np.median(picked, axis=1), (0.025, 0.975), method="nearest")
    return float(low), float(high)


def table(cases: Iterable[Case]) -> str:
    """One line a quantity, in the order in which they first appear.

    n cases; found (with a value); the median error in % with its 95 % interval; the median of
    value over truth, less one, which shows a bias; the share covered with its 95 % interval; and
    the median stated uncertainty in % of the truth.
    """
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.quantity, []).append(case)
    head = (
        "quantity",
        "n",
        "found",
        "error %",
        "95 %",
        "bias %",
        "covered %",
        "95 %",
        "stated ± %",
        "aims met",
    )
    rows = [head, *(_row(name, group) for name, group in groups.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(name: str, cases: Sequence[Case]) -> tuple[str, ...]:
    errors = [case.error for case in cases if case.error is not None]
    stated = [case for case in cases if case.covered is not None]
    hits = sum(bool(case.covered) for case in stated)
    row = [name, str(len(cases)), str(len(errors))]
    near = within = False
    if errors:
        middle = float(np.median(errors))
        low, high = bootstrap(errors)
        bias = [
            case.value / case.truth - 1 for case in cases if case.value is not None and case.truth
        ]
        near = middle <= 0.05
        row += [f"{100 * middle:.2f}", f"{100 * low:.2f} to {100 * high:.2f}"]
        row.append(f"{100 * float(np.median(bias)):+.2f}" if bias else "-")
    else:
        row += ["-", "-", "-"]
    if stated:
        share = hits / len(stated)
        low, high = wilson(hits, len(stated))
        wide = [(case.uncertainty or 0.0) / abs(case.truth) for case in stated if case.truth]
        within = 0.90 <= share <= 0.99
        row += [f"{100 * share:.1f}", f"{100 * low:.1f} to {100 * high:.1f}"]
        row.append(f"{100 * float(np.median(wide)):.1f}" if wide else "-")
    else:
        row += ["-", "-", "-"]
    row.append("both" if near and within else "error" if near else "cover" if within else "neither")
    return tuple(row)
