"""Sizes of bodies: how many, how large, how much of the specimen, how long and which way.

Pores are the dark bodies, particles the bright ones. A bright body is given twice, as a particle
and as an inclusion, since grey alone cannot tell a loose one from an embedded one; it is outlined
once. Terms are those of ISO 13322-1 (static image analysis); no conformity is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassllava.measurement.bodies import Body
from glassllava.measurement.leftover import leftover
from glassllava.measurement.outlines import following
from glassllava.measurement.quantities import Measurement, Region
from glassllava.measurement.regions import MOST_AXIS_RATIO, MOST_REGIONS, Field, region
from glassllava.measurement.ruler import Ruler

Array = np.ndarray[Any, Any]
Part = tuple[list[Measurement], list[Region], list[str]]

_FEW = 10
_AS_LARGE = 0.5  # of the median: what is smaller is a crumb or a part, not a body missed
_FLOOR = 5.0  # px: a diameter below it is not resolved
#: At least so many bodies, and an axis ratio and an alignment so large, have a direction.
_FEWEST_TURNED, _TURNED, _ALIGNED = 3, 1.3, 0.5
_BOUNDED = (
    "bounded where the grey changes most all the way round, half way to the crest of a bright rim, "
    "and half of the edge's width further in where white is clipped"
)
_UNCERTAIN = (
    "uncertainty (k = 2) from the threshold moved by one noise sigma, pixelation and the width of "
    "a bright rim; from what bodies of known size left unexplained (GUM type B): the width of the "
    "edge, the roughness of the outline, the share of it without an edge, and clipped white, taken "
    "to be off the same way on all; and, of three or more, one body more or fewer, and what stands "
    "out but was not outlined"
)
_NOTHING: Array = np.zeros(0)
_ISO = "as defined in ISO 13322-1; no conformity is claimed"


def measure_pores(field: Field, found: Sequence[Body], ruler: Ruler) -> Part:
    """Pores: the dark bodies, also where only a bright rim shows."""
    dark = [body for body in found if body.sign < 0 and is_compact(body, ruler)]
    rest = leftover(field, found, -1)
    return measured(field, dark, ruler, "pore", "dark or bright-rimmed compact bodies", rest=rest)


def measure_particles(field: Field, found: Sequence[Body], ruler: Ruler) -> Part:
    """Particles: the bright compact bodies; and with laths among them once more as inclusions."""
    bright = [body for body in found if body.sign > 0]
    compact = [body for body in bright if is_compact(body, ruler)]
    rest = leftover(field, found, 1)
    values, regions, notes = measured(
        field, compact, ruler, "particle", "bright compact bodies", rest=rest
    )
    if not bright:
        return values, regions, notes
    note = "outlined as particles: grey alone does not tell a loose body from an embedded one"
    group = _group(field, bright, ruler, "inclusion", "bright bodies", note, rest)
    return values + group.all(), regions, notes


def is_compact(body: Body, ruler: Ruler) -> bool:
    """Whether it is no lath."""
    major, minor, _ = half_axes(body, ruler.aspect)
    return major <= MOST_AXIS_RATIO * minor


def measured(
    field: Field,
    bodies: Sequence[Body],
    ruler: Ruler,
    feature: str,
    seen: str,
    note: str = "",
    rest: Array = _NOTHING,
) -> Part:
    """Count, equivalent diameters, area fraction, number density, axis ratio and direction.

    `rest` are the areas of pieces that look alike and were outlined as no body.
    """
    count = len(bodies)
    values = _group(field, bodies, ruler, feature, seen, note, rest).all()
    said = []
    if count > MOST_REGIONS:
        said.append(f"{count} {feature}s were counted; the {MOST_REGIONS} largest are outlined")
    regions = [
        region(field, body.outline.points, feature, number, body.area)
        for number, body in enumerate(bodies[:MOST_REGIONS], start=1)
    ]
    return values, regions, said


def _group(
    field: Field,
    bodies: Sequence[Body],
    ruler: Ruler,
    feature: str,
    seen: str,
    note: str,
    rest: Array,
) -> Group:
    notes = [note] if note else []
    if 0 < len(bodies) < _FEW:
        notes.append(f"few: {len(bodies)} only")
    coarse = f", on {field.scale} × {field.scale} pixel means" if field.scale > 1 else ""
    return Group(field, list(bodies), ruler, feature, f"{seen}, {_BOUNDED}{coarse}", notes, rest)


@dataclass(frozen=True, slots=True)
class Group:
    """The bodies of one feature, with what every one of their measurements says."""

    field: Field
    bodies: list[Body]
    ruler: Ruler
    feature: str
    seen: str
    notes: list[str]
    rest: Array

    def all(self) -> list[Measurement]:
        values = [self.number("count", float(len(self.bodies)), None, f"number of {self.seen}")]
        if self.bodies:
            values += self.lengths() if self.feature == "crystal" else []
            values += [*self.diameters(), *self.shares(), *self.shapes()]
        return values

    def number(self, name: str, value: float, spread: float | None, method: str) -> Measurement:
        note = "; ".join(self.notes)
        return Measurement(f"{self.feature}_{name}", value, "1", spread, method, self.feature, note)

    @property
    def whole(self) -> list[Body]:
        """Those that the frame does not cut; all, where it cuts all."""
        return [body for body in self.bodies if not body.cut] or self.bodies

    def diameters(self) -> list[Measurement]:
        whole, scale = self.whole, self.field.scale
        values = scale * np.array([body.diameter for body in whole])
        edges = 2 * scale * np.array([body.edge for body in whole])
        notes = [*self.notes, *self._resolution(values, "diameter")]
        picks: list[tuple[str, Callable[[Array], float]]] = [
            ("median", lambda all_: float(np.median(all_))),
            ("max", lambda all_: float(np.max(all_))),
        ]
        if len(whole) >= _FEW:
            picks += [
                ("d10", lambda all_: float(np.quantile(all_, 0.1))),
                ("d90", lambda all_: float(np.quantile(all_, 0.9))),
            ]
        return [
            self.ruler.measurement(
                f"{self.feature}_equivalent_diameter_{name}",
                pick(values),
                self._spread(values, edges, pick),
                f"{_STATISTIC[name]} equivalent circular diameter √(4A/π), {_ISO}, of {self.seen}; "
                f"bodies that the frame cuts are left out; {_UNCERTAIN}",
                self.feature,
                note="; ".join(notes),
            )
            for name, pick in picks
        ]

    def lengths(self) -> list[Measurement]:
        """Length and width: the largest and the smallest Feret diameter."""
        whole, scale = self.whole, self.field.scale
        feret = scale * np.array([ferets(body, self.ruler.aspect) for body in whole])
        edges = 2 * scale * np.array([body.edge for body in whole])
        return [
            self.ruler.measurement(
                f"{self.feature}_{name}_median",
                float(np.median(feret[:, column])),
                self._spread(feret[:, column], edges, lambda all_: float(np.median(all_))),
                f"median {which} Feret diameter, {_ISO}, of {self.seen}; bodies that the frame "
                f"cuts are left out; {_UNCERTAIN}",
                self.feature,
                note="; ".join([*self.notes, *self._resolution(feret[:, column], name)]),
            )
            for column, (name, which) in enumerate((("length", "largest"), ("width", "smallest")))
        ]

    def _spread(self, values: Array, edges: Array, pick: Callable[[Array], float]) -> float:
        """What the edges' uncertainty makes of a statistic: all edges are off the same way.

        And what a body more or fewer makes of it: the smallest or the largest left out, the
        largest aside where it is what is asked for; and what else looks like a body taken in.
        """
        of_edges = 0.5 * (pick(values + edges) - pick(np.maximum(values - edges, 0)))
        missed = 2 * self.field.scale * np.sqrt(self.rest / math.pi)
        missed = missed[missed > _AS_LARGE * np.median(values)]
        of_rest = pick(np.concatenate([values, missed])) - pick(values)
        ordered = np.sort(values)
        if len(values) < 3 or pick(values) == ordered[-1]:
            return math.hypot(of_edges, of_rest)
        return math.hypot(of_edges, of_rest, pick(ordered[1:]) - pick(ordered[:-1]))

    def _resolution(self, values: Array, what: str) -> list[str]:
        notes = []
        if all(body.cut for body in self.bodies):
            notes.append("cut by the frame: at least this")
        small = int(np.count_nonzero(values < _FLOOR * self.field.scale))
        if small:
            notes.append(
                f"{small} of {len(values)} have a {what} under the resolution floor of "
                f"{_FLOOR:g} px"
            )
        return notes

    def shares(self) -> list[Measurement]:
        field, scale = self.field, self.field.scale
        height, width = field.residual.shape
        area = sum(body.area for body in self.bodies) / field.area
        edges = sum(body.outline.perimeter * body.edge for body in self.bodies)
        # One body of middling size more or fewer.
        one = float(np.median([body.area for body in self.bodies])) if len(self.bodies) > 2 else 0
        spread = math.hypot(edges, one, float(self.rest.sum())) / field.area
        # A body is whole at this share of the places at which it could lie.
        weights = [
            1
            / (
                max(1, height - (body.box[0].stop - body.box[0].start))
                * max(1, width - (body.box[1].stop - body.box[1].start))
            )
            for body in self.whole
        ]
        density = sum(weights) / scale**2
        counting = 2 * math.sqrt(sum(weight**2 for weight in weights)) / scale**2
        return [
            self.number(
                "area_fraction",
                area,
                spread,
                f"area of {self.seen}, over the area of the specimen without the databar; "
                f"{_UNCERTAIN}",
            ),
            self.ruler.measurement(
                f"{self.feature}_number_density",
                density,
                counting,
                f"number per area of {self.seen}; those that the frame cuts are left out, each "
                "other counts by the share of places at which it is whole (Miles and "
                "Lantuéjoul); uncertainty of counting, twice the square root",
                self.feature,
                power=-2,
                note="; ".join(self.notes),
            ),
        ]

    def shapes(self) -> list[Measurement]:
        """Axis ratio and, where the bodies lie alike, their direction."""
        axes = np.array([half_axes(body, self.ruler.aspect) for body in self.whole])
        ratios = axes[:, 0] / axes[:, 1]
        edges = np.array([body.edge for body in self.whole])
        result = [
            self.number(
                "aspect_ratio_median",
                float(np.median(ratios)),
                float(np.median(ratios * edges * np.hypot(1 / axes[:, 0], 1 / axes[:, 1]))),
                "median of longer over shorter axis of the ellipse of equal second moments, of "
                f"{self.seen}; {_UNCERTAIN}",
            )
        ]
        turned = [axis[2] for axis, ratio in zip(axes, ratios, strict=True) if ratio >= _TURNED]
        if len(turned) >= _FEWEST_TURNED:
            mean = np.mean(np.exp(2j * np.array(turned)))
            if abs(mean) >= _ALIGNED:
                result.append(
                    Measurement(
                        f"{self.feature}_orientation",
                        float(np.angle(mean) / 2),
                        "rad",
                        None,
                        f"mean direction of the longer axes, anticlockwise from the rows, of "
                        f"{self.seen}; alignment {abs(mean):.2f} of 1",
                        self.feature,
                        "; ".join(self.notes),
                    )
                )
        return result


_STATISTIC = {
    "median": "median",
    "max": "largest",
    "d10": "tenth percentile of the",
    "d90": "ninetieth percentile of the",
}


def ferets(body: Body, aspect: float) -> tuple[float, float]:
    """Largest and smallest Feret diameter, in pixels of the geometric mean, every two degrees."""
    turns = np.radians(np.arange(0, 180, 2.0))
    y = body.outline.points[:, 0] * math.sqrt(aspect)
    x = body.outline.points[:, 1] / math.sqrt(aspect)
    reach = np.ptp(np.outer(np.cos(turns), x) + np.outer(np.sin(turns), y), axis=1)
    return float(reach.max()), float(reach.min())


def half_axes(body: Body, aspect: float) -> tuple[float, float, float]:
    """Half axes of the ellipse of equal second moments, px, and its direction, anticlockwise.

    From the outline, by Green's theorem; `aspect` is how much longer a pixel is down than across,
    and lengths are in pixels of the geometric mean.
    """
    middle = body.outline.points.mean(axis=0)
    y = -(body.outline.points[:, 0] - middle[0]) * math.sqrt(aspect)  # upwards
    x = (body.outline.points[:, 1] - middle[1]) / math.sqrt(aspect)
    y2, x2 = following(y), following(x)
    cross = x * y2 - x2 * y
    area = cross.sum() / 2
    if abs(area) < 1e-9:
        return 0.5, 0.5, 0.0
    cx, cy = ((x + x2) * cross).sum() / (6 * area), ((y + y2) * cross).sum() / (6 * area)
    xx = ((x * x + x * x2 + x2 * x2) * cross).sum() / (12 * area) - cx * cx
    yy = ((y * y + y * y2 + y2 * y2) * cross).sum() / (12 * area) - cy * cy
    xy = ((x * y2 + 2 * x * y + 2 * x2 * y2 + x2 * y) * cross).sum() / (24 * area) - cx * cy
    root = math.hypot((xx - yy) / 2, xy)
    mean = (xx + yy) / 2
    return (
        2 * math.sqrt(max(mean + root, 1 / 12)),
        2 * math.sqrt(max(mean - root, 1 / 12)),
        0.5 * math.atan2(2 * xy, xx - yy),
    )
