"""Bodies: compact places that end in a closed edge, darker or brighter than what is round them.

Suspected where the flattened specimen stands out, bounded where the grey changes most all the
way round. A dark body is taken for a pore, a bright one for a particle. By grey alone a bubble,
an etch pit and a dark inclusion are alike, and so are a loose particle and an embedded stone:
that is for the model and the person to tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import ndimage
from skimage import draw

from glassllava.measurement.outlines import Outline, Place, trace
from glassllava.measurement.places import LARGEST_SHARE, SMALLEST_AREA, places
from glassllava.measurement.regions import SMOOTHING, Blob, Field, blocks, deviation

Array = np.ndarray[Any, Any]

# scikit-image states no types of its own.
_polygon: Any = draw.polygon

#: An edge must change by this many spreads a pixel in its weakest quarter; noise alone, followed
#: where it is strongest, gives half of it.
_LEAST_CHANGE = 1.0
_QUIETEST = 0.8  # spreads times px: the means of white noise; what has less was rounded
_LEAST_COARSE = 6.0  # px of means: the radius from which a body is looked for on them
#: Two bodies overlap by at most this share of the smaller.
_MOST_OVERLAP = 0.3
_INSIDE = 0.7
#: Bodies side by side that fill this share of a larger outline are taken for it; none of them
#: is nearly all of it.
_FILLED, _NEARLY_ALL, _MOST_OF_ALL = 0.5, 0.85, 0.7
_MOST_COMPANY = 0.35
_HALF_PIXEL = 0.5
#: What the truth of drawn bodies was found to be off by, at k = 2: times the width of the edge,
#: times the roughness of the path, and of the diameter for the share of the path without an edge.
_OF_WIDTH, _OF_ROUGHNESS, _OF_BARE = 1.0, 2.0, 0.2
#: Of a body so much of which is clipped, the steepest place that is left lies outside the edge, by
#: none of the edge's width to all of it: it is moved in by the middle of that.
_WHITE, _OUTSIDE = 0.3, 0.5
#: A piece of a line goes on at its ends, and has no edge there.
_LINE_COMPANY, _LINE_EDGE = 0.12, 0.4
#: A bead of a line of uneven depth: px of diameter, and the share of rays that see the line go on
#: at both of their ends.
_WIDEST_LINE, _THROUGH = 14.0, 0.05
#: A dark line that closes on itself: what it encloses, this much of the way to its middle, is
#: less dark than this share of the line.
_LEAST_LOOP, _WITHIN, _LOOP = 20.0, 0.6, 0.25


@dataclass(frozen=True, eq=False)
class Body:
    """One body, in pixels of the field; pixel centres stand at whole numbers.

    `mask` is what its outline encloses within `box`. `cut` says that the frame or the databar
    cuts it; `clipped` is by how many pixels its outline was moved in, because the detector's
    range ends within it.
    """

    outline: Outline
    box: tuple[slice, slice]
    mask: Array
    area: float
    cut: bool
    clipped: float = 0.0

    @cached_property
    def diameter(self) -> float:
        return math.sqrt(4 * self.area / math.pi)

    @property
    def sign(self) -> int:
        return self.outline.sign

    @cached_property
    def edge(self) -> float:
        """Uncertainty of where the outline stands, in px at k = 2; it is the same way for all.

        From the threshold moved by one noise sigma, half a pixel each for sampling and for a
        blur whose shape is not known, and half the way to the crest of a bright rim, within
        which the edge is anywhere. And what bodies of known size left unexplained by these (GUM
        type B): the edge's own width beyond the smoothing, the roughness of the path, the share of
        it that has no edge under it, and as much as it was moved in where grey values are clipped.
        """
        one = self.outline
        threshold = 2 / max(one.change, 1e-6)
        crest = 2 / math.sqrt(3) * 0.5 * one.bloom
        wide = math.sqrt(max(one.blur**2 - (SMOOTHING * one.step) ** 2, 0.0))
        return math.hypot(
            threshold,
            math.sqrt(2) * _HALF_PIXEL * one.step,
            crest,
            _OF_WIDTH * wide,
            _OF_ROUGHNESS * one.rough,
            _OF_BARE * one.bare * self.diameter,
            self.clipped,
        )

    @property
    def blob(self) -> Blob:
        return Blob(self.box, self.mask)


def find(field: Field) -> list[Body]:
    """Every body of the field, largest first.

    Looked for on the field itself, on means of 2 × 2 and 4 × 4 of its pixels, where a faint
    large body stands out from the noise, and on the roughness, where a mottled one does. The
    outline is traced on the field, and on the means only where it cannot be.
    """
    suspected = places(field)
    found = [outline for outline in trace(field, suspected) if outline.weakest >= _LEAST_CHANGE]
    for step, view in _means(field.residual):
        coarse = [place for place in places(view) if place.radius >= _LEAST_COARSE]
        fine = [place.enlarged(step) for place in coarse]
        new = _unknown(fine, found)
        lost = []
        for n, outline in zip(new, trace(field, [fine[n] for n in new]), strict=True):
            if outline.weakest >= _LEAST_CHANGE:
                found.append(outline)
            else:
                lost.append(coarse[n])
        found += [
            outline.enlarged(step)
            for outline in trace(view, lost)
            if outline.weakest >= _LEAST_CHANGE
        ]
    return sorted(_apart(field, found), key=lambda body: -body.area)


def _unknown(suspected: Sequence[Place], outlines: Sequence[Outline]) -> list[int]:
    """Which of the places have no outline at their middle and of much their size."""
    if not outlines or not suspected:
        return list(range(len(suspected)))
    middle = np.array([outline.middle for outline in outlines])
    area = np.array([outline.area for outline in outlines])
    unknown = []
    for number, place in enumerate(suspected):
        near = np.abs(middle - (place.y, place.x)).max(axis=1) < 0.2 * place.radius
        ratio = area[near] / (math.pi * place.radius**2)
        if not np.any((ratio > 0.7) & (ratio < 1.4)):
            unknown.append(number)
    return unknown


def _means(fine: Array) -> Iterator[tuple[int, Field]]:
    """Means of the field and of its roughness, each in spreads of its own."""
    for step in (2, 4):
        if min(fine.shape) >= 64 * step:
            yield step, _view(blocks(fine, step), _QUIETEST / step)
    if min(fine.shape) >= 256:
        yield 4, _view(blocks(np.abs(fine), 4), _QUIETEST / 8)


def _view(values: Array, quietest: float) -> Field:
    smooth = ndimage.gaussian_filter(values, SMOOTHING)
    smooth -= np.median(smooth[::2, ::2])
    return Field(smooth / np.float32(max(deviation(smooth[::2, ::2]), quietest)), 1.0, 1, 0)


def _apart(field: Field, outlines: Sequence[Outline]) -> list[Body]:
    """The most telling outlines that do not overlap: long and strong all the way round.

    A long closed path of much change happens by chance less than a short one (Desolneux, Moisan
    and Morel 2001); of those inside each other only one is a body, unless a pore is inside a
    particle.
    """
    owner = np.zeros(field.residual.shape, np.int32)
    kept: list[Body | None] = []
    ordered = sorted(outlines, key=lambda one: -one.weight)
    all_ = _Outlines.of(ordered)
    for outline in ordered:
        body = _body(field, outline)
        if body is not None and all_.several(field, body):
            continue
        if body is None or body.area > LARGEST_SHARE * field.area or _belongs(field, body):
            continue
        under = owner[body.box][body.mask]
        taken = np.count_nonzero(under)
        if taken > _MOST_OVERLAP * under.size:
            most = int(np.bincount(under).argmax()) if taken > _INSIDE * under.size else 0
            around = kept[most - 1] if most else None
            if (
                around is None
                or around.sign == body.sign
                or around.sign < 0
                or outline.weakest < around.outline.weakest
            ):
                continue
        elif taken:
            for other in np.unique(under[under > 0]):
                inner = kept[other - 1]
                if inner is None:
                    continue
                shared = np.count_nonzero(under == other)
                if shared > _INSIDE * np.count_nonzero(inner.mask) and (
                    inner.sign == body.sign or body.sign < 0
                ):
                    kept[other - 1] = None
        kept.append(body)
        owner[body.box][body.mask] = len(kept)
    return [body for body in kept if body is not None]


@dataclass(frozen=True, slots=True)
class _Outlines:
    """All outlines side by side."""

    middle: Array
    area: Array
    sign: Array
    edge: Array

    @classmethod
    def of(cls, outlines: Sequence[Outline]) -> _Outlines:
        return cls(
            np.array([outline.middle for outline in outlines]).reshape(-1, 2),
            np.array([outline.area for outline in outlines]),
            np.array([outline.sign for outline in outlines]),
            np.array([outline.weakest / outline.step for outline in outlines]),
        )

    def several(self, field: Field, body: Body) -> bool:
        """Whether others, side by side and as sharp, fill most of the body, and glass the rest."""
        rows, columns = body.box
        edge = body.outline.weakest / body.outline.step
        inside = (
            (self.sign == body.sign)
            & (self.area < _MOST_OF_ALL * body.area)
            & (self.area > 0.02 * body.area)
            & (self.edge >= 0.5 * edge)
        )
        y, x = (self.middle - (rows.start, columns.start)).astype(int).T
        inside &= (y >= 0) & (x >= 0) & (y < body.mask.shape[0]) & (x < body.mask.shape[1])
        numbers = np.flatnonzero(inside)
        numbers = numbers[body.mask[y[numbers], x[numbers]]]
        apart: list[int] = []
        reach = np.sqrt(self.area / np.pi)
        for number in numbers:  # the most telling first
            gaps = [np.hypot(*(self.middle[number] - self.middle[other])) for other in apart]
            if all(
                gap > 0.8 * (reach[number] + reach[other])
                for gap, other in zip(gaps, apart, strict=True)
            ):
                apart.append(int(number))
        filled = float(self.area[apart].sum()) / body.area
        if len(apart) < 2 or filled < _FILLED:
            return False
        if filled > _NEARLY_ALL:
            return True
        within = np.zeros(body.mask.shape, bool)
        down, across = np.ogrid[: body.mask.shape[0], : body.mask.shape[1]]
        for number in apart:
            within |= np.hypot(down - y[number], across - x[number]) < reach[number]
        level = body.sign * field.residual[body.box]
        rest = level[body.mask & ~within]
        return rest.size > 0 and float(np.median(rest)) < 0.5 * float(
            np.median(level[body.mask & within])
        )


def _body(field: Field, outline: Outline) -> Body | None:
    """The body that an outline bounds, cut where the frame ends."""
    height, width = field.residual.shape
    y, x = outline.points[:, 0], outline.points[:, 1]
    top, left = max(0, math.floor(y.min())), max(0, math.floor(x.min()))
    bottom, right = min(height, math.ceil(y.max()) + 1), min(width, math.ceil(x.max()) + 1)
    if bottom <= top or right <= left:
        return None
    rows, columns = _polygon(y - top, x - left, (bottom - top, right - left))
    if rows.size < SMALLEST_AREA:
        return None
    mask = np.zeros((bottom - top, right - left), bool)
    mask[rows, columns] = True
    cut = bool(y.min() < 0.5 or x.min() < 0.5 or y.max() > height - 1.5 or x.max() > width - 1.5)
    clipped = 0.0
    white = field.clipped
    if outline.sign > 0 and white is not None and white[rows + top, columns + left].mean() > _WHITE:
        clipped = min(_OUTSIDE * outline.blur, 0.1 * math.sqrt(rows.size))
        outline = outline.moved_in(clipped)
    area = float(rows.size) if cut else outline.area
    if outline.step > 1:
        # Roughness has no sign.
        level = float(field.residual[rows + top, columns + left].mean())
        outline = replace(outline, sign=1 if level >= 0 else -1)
    return Body(outline, (slice(top, bottom), slice(left, right)), mask, area, cut, clipped)


def _belongs(field: Field, body: Body) -> bool:
    """Whether the body is part of a layer, a texture or a line, or a line that closes on itself."""
    points = body.outline.points
    out = points - points.mean(axis=0)
    reach = np.maximum(np.hypot(out[:, 0], out[:, 1]), 1e-6)[:, None]
    levels = {}
    for aside in (-2.0, 4.0):
        at = points + aside * out / reach
        levels[aside] = body.sign * ndimage.map_coordinates(
            field.residual, at.T, order=1, mode="nearest"
        )
    beyond = levels[4.0]
    inside = float(body.sign * field.residual[body.box][body.mask].mean())
    alike = float(np.mean(beyond > 0.5 * inside)) if inside > 0 else 0.0
    if alike > _MOST_COMPANY:
        return True
    outline = body.outline
    if alike > _LINE_COMPANY and outline.weakest < _LINE_EDGE * outline.change * outline.step:
        return True
    dim = beyond > 0.25 * inside
    through = float(np.mean(dim & np.roll(dim, len(dim) // 2)))
    if inside > 0 and body.diameter < _WIDEST_LINE and through > _THROUGH:
        return True
    if body.sign > 0 or outline.bloom > 0 or body.diameter < _LEAST_LOOP:
        return False
    middle = points.mean(axis=0) + _WITHIN * out
    rows, columns = _polygon(middle[:, 0], middle[:, 1], field.residual.shape)
    level, around = float(np.median(-field.residual[rows, columns])), float(np.median(beyond))
    return level - around < _LOOP * (float(np.median(levels[-2.0])) - around)
