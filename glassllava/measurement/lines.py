"""Thin dark and bright lines of a specimen as they were traced; cracks and scratches choose.

Positions and lengths are in pixels of the stored specimen, also where lines were found on means
of pixels. Knows nothing of what a line is called.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from glassllava.measurement import profiles, ridges, scan, traces
from glassllava.measurement.profiles import Across
from glassllava.measurement.quantities import Measurement
from glassllava.measurement.regions import Blob, Field, rounding_of
from glassllava.measurement.traces import Arm

Array = np.ndarray[Any, Any]

_SHORTEST_ARM = 12.0  # px: what is shorter and hangs on nothing is noise
_LEAST_DIP = 2.0  # noise sigmas against the lower side, mean along an arm
_LEAST_SHARE = 0.2  # of the depth against the other side
_FOLD = 0.35  # of the depth: where both sides rise by so much more, two slopes meet
_WIDE, _STUB = 8.0, 2.0  # px; a wide arm shorter than so many widths is a body, no line
_LEAST_ALIGNED = 0.5  # of 1: less is no direction
_TOUCHING = 1.0  # px between a bridge and what it ends on
_FLAT = 20.0  # px: what is shorter tells not whether it is the scan's


@dataclass(frozen=True, eq=False)
class Trace:
    """An arm with the grey values across it, the depth against its lower side in noise sigmas.

    A bridge over a gap has neither.
    """

    arm: Arm
    across: Across | None = None
    depth: float = 0.0


@dataclass(frozen=True, eq=False)
class Line:
    """One connected line: its arms, and bridges among them.

    `sign` is -1 for a dark line. `noise` is the grey values' noise as the profiles have it,
    `aspect` how much farther a pixel is from the next one down than across. `scanned` says that it
    may be the scan's: it begins and ends with a row.
    """

    traces: tuple[Trace, ...]
    sign: int
    noise: float
    aspect: float
    scanned: bool = False

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(trace.arm for trace in self.traces)

    @cached_property
    def length(self) -> float:
        """Of its centre lines, in pixels of the geometric mean."""
        return sum(arm.length(self.aspect) for arm in self.arms)

    @cached_property
    def gaps(self) -> float:
        """How much of the length was bridged where nothing was seen."""
        return sum(arm.length(self.aspect) for arm in self.arms if arm.gap)

    @cached_property
    def points(self) -> Array:
        return np.concatenate([arm.points for arm in self.arms])

    @cached_property
    def branches(self) -> int:
        """Knots where three or more of its arms meet."""
        knots = np.array([knot for arm in self.arms for knot in (arm.starts, arm.ends)])
        return int(np.count_nonzero(np.bincount(knots[knots >= 0], minlength=1) >= 3))

    @cached_property
    def free_ends(self) -> int:
        return sum((arm.starts == -1) + (arm.ends == -1) for arm in self.arms)

    def widths(self, share: float = 0.5, shift: float = 0.0) -> Array:
        """Full widths at a share of the depth along it, px; the level moved by `shift` grey
        values. NaN where there is none."""
        return widths_of(self.traces, self.sign, share, shift)

    @cached_property
    def width(self) -> float:
        """The median full width at half depth, px; NaN where none is known."""
        return middle_of(self.widths())

    @property
    def direction(self) -> float:
        """Of the longest extent, anticlockwise from the rows, in (-π/2, π/2]."""
        x, y = (self.points - self.points.mean(axis=0)).T * np.array([[1.0], [self.aspect]])
        return 0.5 * math.atan2(-2 * float((x * y).mean()), float((x * x).mean() - (y * y).mean()))


def pieces(trace: Trace, kept: Array) -> list[Trace]:
    """The stretches of a trace along which `kept` (k,) holds, one for each of its profiles."""
    assert trace.across is not None
    points, means = trace.arm.points, trace.across.means
    steps = np.hypot(*np.diff(points, axis=0).T)
    reached = np.concatenate([[0.0], np.cumsum(steps)]) / max(float(steps.sum()), 1e-9)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(int)))
    result = []
    for first, last in edges.reshape(-1, 2).tolist():
        inside = (reached >= first / len(kept)) & (reached <= last / len(kept))
        if np.count_nonzero(inside) > 2:
            arm = Arm(
                points[inside],
                trace.arm.starts if first == 0 else -1,
                trace.arm.ends if last == len(kept) else -1,
                trace.arm.whole,
            )
            result.append(Trace(arm, Across(trace.across.offsets, means[first:last]), trace.depth))
    return result


def parted(line: Line, traces: Sequence[Trace]) -> list[Line]:
    """What is left of a line: one line a connected part of these traces.

    A bridge stays where what it joins stays.
    """
    if len(traces) == len(line.traces) and all(map(operator.is_, traces, line.traces)):
        return [line]
    arms = [trace for trace in traces if not trace.arm.gap]
    whole = list(range(len(arms)))
    at: dict[int, int] = {}
    for index, trace in enumerate(arms):
        for knot in (trace.arm.starts, trace.arm.ends):
            if knot >= 0:
                whole = _united(whole, index, at.setdefault(knot, index))
    bridges = []
    for trace in traces:
        if trace.arm.gap:
            first, second = (_nearest(arms, end) for end in trace.arm.points[[0, -1]])
            if first is not None and second is not None:
                whole = _united(whole, first, second)
                bridges.append((first, trace))
    parts: dict[int, list[Trace]] = {}
    for index, trace in enumerate(arms):
        parts.setdefault(whole[index], []).append(trace)
    for start, trace in bridges:
        parts[whole[start]].append(trace)
    return [replace(line, traces=tuple(part)) for part in parts.values()]


def _united(whole: list[int], one: int, other: int) -> list[int]:
    old, new = whole[one], whole[other]
    return [new if of == old else of for of in whole]


def _nearest(arms: Sequence[Trace], end: Array) -> int | None:
    """The trace that a bridge ends on, or None where it is gone."""
    for index, trace in enumerate(arms):
        if float(np.hypot(*(trace.arm.points - end).T).min()) <= _TOUCHING:
            return index
    return None


def widths_of(traces: Sequence[Trace], sign: int, share: float = 0.5, shift: float = 0.0) -> Array:
    """Full widths along traces of one sign, as `Line.widths` gives them."""
    seen = [trace.across for trace in traces if trace.across is not None]
    if not seen:
        return np.zeros(0)
    means = np.concatenate([across.means for across in seen])
    return Across(seen[0].offsets, means).widths(sign, share, shift)[0]


def middle_of(widths: Array) -> float:
    known = widths[np.isfinite(widths)]
    return float(np.median(known)) if known.size else math.nan


def find_lines(
    field: Field, specimen: Array, dark: Sequence[Blob], aspect: float = 1.0
) -> tuple[list[Line], list[Line]]:
    """Every dark and every bright line of a specimen (H, W), the longest first.

    `dark` are its compact dark places, whose rims are no lines.
    """
    low, high = ridges.centre_lines(field.residual, dark)
    noise = max(ridges.noise_of(field.residual) * field.spread, rounding_of(specimen))
    row = scan.step_of_a_row(specimen)
    return (
        _traced(field, specimen, low, -1, noise, aspect, row),
        _traced(field, specimen, high, 1, noise, aspect, row),
    )


def _traced(
    field: Field,
    specimen: Array,
    skeleton: Array,
    sign: int,
    noise: float,
    aspect: float,
    row: float,
) -> list[Line]:
    depth = sign * field.residual
    tried = []
    for arm in traces.arms_of(skeleton, depth):
        alone = arm.starts < 0 and arm.ends < 0
        if not (alone and arm.length() < _SHORTEST_ARM):
            across = profiles.across(specimen, _full(arm.points, field.scale), sign, aspect)
            tried.append((arm, across))
    arms, seen, scanned = [], [], []
    for (arm, across), wide, low, high, rise in zip(
        tried, *_dips([across for _, across in tried], sign), strict=True
    ):
        if rise > _FOLD:
            continue
        stub = wide > _WIDE and arm.length() * field.scale < _STUB * wide
        if low >= _LEAST_DIP * noise and low >= _LEAST_SHARE * high and not stub:
            points = _full(arm.points, field.scale)
            if arm.length() >= _FLAT and scan.is_row(specimen, points, sign, wide, row):
                of_scan = Trace(Arm(points, -1, -1), across, low / noise)
                scanned.append(Line((of_scan,), sign, noise, aspect, True))
                continue
            arms.append(arm)
            seen.append(Trace(arm, across, low / noise))
    found: dict[int, list[Trace]] = {}
    for index, arm in enumerate(traces.joined(arms, depth)):
        full = Arm(
            _full(arm.points, field.scale), arm.starts, arm.ends, arm.whole, arm.gap * field.scale
        )
        one = Trace(full)
        if index < len(seen):
            one = Trace(full, seen[index].across, seen[index].depth)
        found.setdefault(arm.whole, []).append(one)
    lines = [Line(tuple(parts), sign, noise, aspect) for parts in found.values()]
    return sorted(lines + scanned, key=lambda line: -line.length)


def _full(points: Array, scale: int) -> Array:
    return points * scale + (scale - 1) / 2


def _dips(
    every: Sequence[Across], sign: int
) -> tuple[list[float], list[float], list[float], list[float]]:
    """How wide lines are, how deep against their lower and their higher side, and the lesser of
    the rises beyond their sides.

    All in the mean along each. At the edge of a layer the lower depth is nothing; where two
    slopes meet in a fold both sides rise on and on.
    """
    if not every:
        return [], [], [], []
    means = np.stack([across.means.mean(axis=0) for across in every])
    profile = Across(every[0].offsets, means)
    width, left, right = profile.widths(sign)
    return (
        width.tolist(),
        np.minimum(left, right).tolist(),
        np.maximum(left, right).tolist(),
        profile.ground(sign)[1].min(axis=0).tolist(),
    )


def orientation(
    feature: str, directions: Sequence[float], lengths: Array, seen: str
) -> list[Measurement]:
    """The mean direction, weighted by length; none where the lines lie all ways."""
    # Doubled, since a line has no head: 0 and π are one direction.
    mean = np.sum(lengths / lengths.sum() * np.exp(2j * np.asarray(directions)))
    if abs(mean) < _LEAST_ALIGNED:
        return []
    method = (
        f"mean direction of {seen}, weighted by length, anticlockwise from the rows; "
        f"alignment {abs(mean):.2f} of 1"
    )
    angle = float(np.angle(mean) / 2)
    return [Measurement(f"{feature}_orientation", angle, "rad", None, method, feature)]
