"""Crystals: bodies with facets, or long ones, brighter or darker than the glass.

Told by their outline alone: an angular grain of dust has facets too, and a spherulite has none.
Which phase it is takes an analysis. Crystals that cover the field are a texture, for `phases`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassllava.measurement.bodies import Body
from glassllava.measurement.regions import Field
from glassllava.measurement.ruler import Ruler
from glassllava.measurement.sizes import Part, half_axes, measured

Array = np.ndarray[Any, Any]

#: A disc needs nine corners to be followed to this share of its diameter, a hexagon six.
_NEAR, _CORNERS = 0.03, 8
_LEAST_FACETTED = 12.0  # px of diameter: below, an outline's corners are blurred away
_LONG = 3.0  # length over width of a lath, which needs no corners
_LEAST_WIDTH = 3.0  # px
_FEWEST = 2  # one angular body alone is a particle


def measure_crystals(field: Field, found: Sequence[Body], ruler: Ruler) -> Part:
    """Count, length and width, axis ratio, area fraction, number density, direction."""
    crystals = [body for body in found if is_crystal(body, ruler)]
    if len(crystals) < _FEWEST:
        crystals = []
    return measured(
        field,
        crystals,
        ruler,
        "crystal",
        "facetted or long bodies, dark or bright",
        "by outline alone: angular particles look alike" if crystals else "",
    )


def is_crystal(body: Body, ruler: Ruler) -> bool:
    """Whether the outline has few corners and straight sides between them, or is a lath's."""
    major, minor, _ = half_axes(body, ruler.aspect)
    if major >= _LONG * minor:
        return body.sign > 0 and 2 * minor >= _LEAST_WIDTH
    if body.diameter < _LEAST_FACETTED or body.cut:
        return False
    return corners(body) <= _CORNERS


def corners(body: Body) -> int:
    """Corners of the polygon that follows the outline to a share of the diameter.

    By Ramer, Douglas and Peucker; one more than `_CORNERS` stands for all that are more.
    """
    points = body.outline.points
    # From the point farthest from the middle, which is a corner if there are any.
    away = ((points - points.mean(axis=0)) ** 2).sum(axis=1)
    first = int(away.argmax())
    closed = np.concatenate([points[first:], points[: first + 1]])
    near, count = _NEAR * body.diameter, 1
    open_ = [(0, len(closed) - 1)]
    while open_ and count <= _CORNERS:
        start, end = open_.pop()
        if end - start < 2:
            continue
        off = _distances(closed[start + 1 : end], closed[start], closed[end])
        farthest = int(off.argmax())
        if off[farthest] > near:
            count += 1
            open_ += [(start, start + 1 + farthest), (start + 1 + farthest, end)]
    return count


def _distances(points: Array, start: Array, end: Array) -> Array:
    """Of points (n, 2) from the stretch between two others."""
    along, away = end - start, points - start
    long = float(along @ along)
    part = np.clip(away @ along / long, 0, 1)[:, None] if long else np.zeros((len(points), 1))
    off = away - part * along
    return np.asarray(np.hypot(off[:, 0], off[:, 1]))
