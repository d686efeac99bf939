"""The parabola along a line: how straight the line is, and what lies on where it leads.

Positions are (x, y) in pixels. Knows nothing of what a line is called.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_OFF, _OFF_AHEAD = 2.5, 0.01  # px, and a share of the way led on, that a piece may lie off
_GAP, _GAP_SHARE = 30.0, 0.5  # px, and of the length so far, that may lie between pieces


def chord(points: Array) -> float:
    return float(np.hypot(*(points[-1] - points[0])))


def fitted(points: Array) -> tuple[Array, Array, Array, float]:
    """Middle, direction, parabola and the root mean square distance from it."""
    middle = points.mean(axis=0)
    x, y = (points - middle).T
    angle = 0.5 * math.atan2(2 * float((x * y).mean()), float((x * x).mean() - (y * y).mean()))
    way = np.array([math.cos(angle), math.sin(angle)])
    along, off = x * way[0] + y * way[1], y * way[0] - x * way[1]
    bend = np.polyfit(along, off, 2) if len(points) > 4 else np.zeros(3)
    rest = off - np.polyval(bend, along)
    return middle, way, bend, float(np.sqrt(np.mean(rest * rest)))


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The parabola through some points (n, 2), and how far they reach along it."""

    middle: Array
    way: Array
    bend: Array
    start: float
    end: float

    @classmethod
    def of(cls, points: Array) -> Course:
        middle, way, bend, _ = fitted(points)
        along = (points - middle) @ way
        return cls(middle, way, bend, float(along.min()), float(along.max()))

    def leads_to(self, other: Array) -> bool:
        """Whether the parabola, led on straight, runs along other points soon."""
        # The two ends first: most pieces lie elsewhere.
        return self._passes(other[[0, -1]]) and self._passes(other)

    def _passes(self, other: Array) -> bool:
        there = (other - self.middle) @ self.way
        gap = max(float(there.min()) - self.end, self.start - float(there.max()), 0.0)
        if gap > max(_GAP, _GAP_SHARE * (self.end - self.start)):
            return False
        inside = np.minimum(np.maximum(there, self.start), self.end)
        square, slope, level = self.bend
        off = (other - self.middle) @ np.array([-self.way[1], self.way[0]])
        off = off - ((square * inside + slope) * inside + level)
        off = off - (2 * square * inside + slope) * (there - inside)
        return bool(np.all(np.abs(off) <= _OFF + _OFF_AHEAD * np.abs(there - inside)))
