"""The closed line of steepest grey change round a place: where a body ends.

Knows gradients alone: what the body is called is for `bodies`. A level that is half way between
a body and its surroundings misses where a bowl is shaded, a stone is mottled or a rim is bright;
the edge itself does not. From the middle of a place rays go out; along each the grey change is
sampled, and the closed path of most change is found by dynamic programming over all rays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage

from glassllava.measurement.regions import SMOOTHING, Field

Array = np.ndarray[Any, Any]

#: Rays and steps along a ray, by the radius of the place in px.
_GRIDS: tuple[tuple[float, int, int], ...] = ((7.0, 24, 24), (20.0, 48, 32), (np.inf, 96, 56))
_INNER, _OUTER = 0.35, 1.35  # of the ellipse of the place: where the path is looked for
_MOVE = 3  # steps by which neighbouring rays may differ
_STIFF = 0.04  # of the place's strongest change: the price of one step, squared
_MOST_AT_ONCE = 400
_LEAST_SEEN = 0.4  # of the rays that end inside the frame
_ROUND = 0.9  # of the rays on which the ring must show
_RING = 0.4  # of the fall: by so much a ring rises from what is within
_WITHIN_RING = 0.2  # of its height: what is less bright within is no body of its own
_ASIDE = np.arange(-5.0, 5.01, 0.5)  # px from the path: where its profile is taken
_CREST = 0.15  # of a rim's rise: by so much it stands out from the level behind it
_WIDEST = 3.0  # px: no edge is taken for more blurred


@dataclass(frozen=True, slots=True)
class Place:
    """Where a body is suspected: the ellipse of equal second moments, in pixels of the field.

    `turn` is the direction of `major`, from the columns towards the rows.
    """

    y: float
    x: float
    major: float
    minor: float
    turn: float

    @property
    def radius(self) -> float:
        return float(np.sqrt(self.major * self.minor))

    def enlarged(self, step: int) -> Place:
        """The same in pixels of a field that was averaged `step` × `step`."""
        return Place(
            (self.y + 0.5) * step - 0.5,
            (self.x + 0.5) * step - 0.5,
            self.major * step,
            self.minor * step,
            self.turn,
        )


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed path (N, 2) of (row, column), pixel centres at whole numbers.

    `sign` is 1 for a body brighter than what is round it, -1 for a darker one. `change` is the
    mean grey change across the path, in spreads a pixel, `weakest` that of its weakest quarter;
    `bloom` is how far beyond the steepest place the crest of a bright rim stands, in px: the
    true edge is between the two, and the path half way. `blur` is the width of the edge, px, the
    standard deviation of a Gaussian, that of the smoothing included; `bare` the share of the path
    under which there is hardly an edge.
    """

    points: Array
    sign: int
    change: float
    weakest: float
    bloom: float
    blur: float = SMOOTHING
    bare: float = 0.0
    step: int = 1

    @property
    def middle(self) -> tuple[float, float]:
        return float(self.points[:, 0].mean()), float(self.points[:, 1].mean())

    @property
    def weight(self) -> float:
        """How little it happens by chance: long and of much change all the way round."""
        return self.perimeter / self.step * self.weakest

    @property
    def rough(self) -> float:
        """How far it leaves its own smooth course, px: what turns within an eighth of a round."""
        away = self.points - self.points.mean(axis=0)
        waves = np.fft.rfft(np.hypot(away[:, 0], away[:, 1]))
        waves[: len(waves) // 4] = 0
        return float(np.std(np.fft.irfft(waves, len(away))))

    def enlarged(self, step: int) -> Outline:
        """The same in pixels of a field that was averaged `step` × `step`."""
        return replace(
            self,
            points=(self.points + 0.5) * step - 0.5,
            change=self.change / step,
            bloom=self.bloom * step,
            blur=self.blur * step,
            step=step,
        )

    def moved_in(self, by: float) -> Outline:
        """The same, `by` px nearer to its inside all the way round."""
        along = np.roll(self.points, -1, axis=0) - np.roll(self.points, 1, axis=0)
        inwards = np.stack([along[:, 1], -along[:, 0]], axis=1)
        inwards /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
        if np.sum(inwards * (self.points - self.points.mean(axis=0))) > 0:
            inwards = -inwards
        return replace(self, points=self.points + by * inwards)

    @property
    def area(self) -> float:
        y, x = self.points[:, 0], self.points[:, 1]
        after = following(self.points)
        return float(0.5 * abs(np.dot(x, after[:, 0]) - np.dot(y, after[:, 1])))

    @property
    def perimeter(self) -> float:
        steps = self.points - following(self.points)
        return float(np.hypot(steps[:, 0], steps[:, 1]).sum())


def following(points: Array) -> Array:
    """The next of each point of a closed path; `np.roll` is three times as slow."""
    return np.concatenate([points[1:], points[:1]])


def trace(field: Field, places: Sequence[Place]) -> list[Outline]:
    """The outline round each place, bright or dark, whichever is the stronger."""
    found: list[Outline | None] = [None] * len(places)
    smallest = 0.0
    for radius, rays, steps in _GRIDS:
        chosen = [i for i, place in enumerate(places) if smallest <= place.radius < radius]
        smallest = radius
        for first in range(0, len(chosen), _MOST_AT_ONCE):
            part = chosen[first : first + _MOST_AT_ONCE]
            traced = _traced(field, [places[i] for i in part], rays, steps)
            for index, outline in zip(part, traced, strict=True):
                found[index] = outline
    return [outline for outline in found if outline is not None]


def _traced(field: Field, places: Sequence[Place], rays: int, steps: int) -> list[Outline]:
    if not places:
        return []
    angles = np.linspace(0, 2 * np.pi, rays, endpoint=False)
    share = np.linspace(_INNER, _OUTER, steps)
    y, x, major, minor, turn = (
        np.array([getattr(place, name) for place in places])[:, None]
        for name in ("y", "x", "major", "minor", "turn")
    )
    cosine, sine = np.cos(turn), np.sin(turn)
    # One unit of `share` along each ray of each ellipse: (B, A).
    along_x = major * np.cos(angles) * cosine - minor * np.sin(angles) * sine
    along_y = major * np.cos(angles) * sine + minor * np.sin(angles) * cosine
    # Square to the ellipse, since a ray meets the side of a long body at a slant.
    down = np.cos(angles) / major * sine + np.sin(angles) / minor * cosine
    right = np.cos(angles) / major * cosine - np.sin(angles) / minor * sine
    long = np.hypot(down, right)
    down, right = down / long, right / long
    change = _outward(field.residual, (y, x), (along_y, along_x), (down, right), share)
    rises, falls = _paths(change), _paths(-change)
    risen, fallen = (
        np.take_along_axis(change, path[..., None], 2)[..., 0] for path in (rises, falls)
    )
    # A rise outwards bounds a dark body; a ring is bright on both sides of nothing.
    dark = risen.mean(axis=1) >= -fallen.mean(axis=1)
    dark |= _ringed(change, rises, falls)
    sign = np.where(dark, 1.0, -1.0).astype(np.float32)
    path = np.where(dark[:, None], rises, falls)
    across = sign[:, None] * np.where(dark[:, None], risen, fallen)
    strength = sign[:, None, None] * change
    at = share[0] + _between(strength, path) * (share[1] - share[0])
    # What a step of `share` is square to the ellipse.
    blur = _blur(strength, at, share, along_y * down + along_x * right)
    # The steepest place of a blurred disc stands too far inside, by σ²/2r.
    radius = np.maximum(at * np.sqrt(major * minor), 2 * blur[:, None])
    moved = (blur**2)[:, None] / (2 * radius)
    rows, columns = y + at * along_y, x + at * along_x
    bloom = _blooms(_profiles(field.residual, rows, columns, down, right), sign)
    # Half way to the crest of a bright rim, inside a bright body, outside a dark one.
    moved = moved + 0.5 * (sign * bloom)[:, None]
    rows, columns = rows + moved * down, columns + moved * right
    ends = (path == 0) | (path == steps - 1)
    height, width = field.residual.shape
    # Where the frame cuts a body there is no edge to be seen.
    seen = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    seen |= (seen.mean(axis=1) < _LEAST_SEEN)[:, None]
    return [
        Outline(
            np.stack([rows[n], columns[n]], axis=1),
            int(-sign[n]),
            float(across[n][seen[n]].mean()),
            float(np.quantile(across[n][seen[n]], 0.2) * (1 - ends[n][seen[n]].mean())),
            float(bloom[n]),
            float(blur[n]),
            _bare(across[n][seen[n]]),
        )
        for n in range(len(places))
    ]


def _bare(across: Array) -> float:
    """The share of an outline under which the grey values change by less than half as usual."""
    return float(np.mean(across < 0.5 * np.median(across)))


def _outward(
    residual: Array,
    middle: tuple[Array, Array],
    along: tuple[Array, Array],
    out: tuple[Array, Array],
    share: Array,
) -> Array:
    """Grey change outwards, spreads a pixel, at every step of every ray: (B, A, R)."""
    rows, columns = (
        m[..., None] + step[..., None] * share for m, step in zip(middle, along, strict=True)
    )
    down, right = (0.5 * part[..., None] for part in out)
    ahead, behind = (
        ndimage.map_coordinates(
            residual, [rows + side * down, columns + side * right], order=1, mode="nearest"
        )
        for side in (1, -1)
    )
    return np.asarray(ahead - behind, np.float32)


def _paths(gain: Array) -> Array:
    """For each of B: the closed path of most gain, one step index for each ray; (B, A)."""
    count, rays, steps = gain.shape
    price = _STIFF * np.maximum(gain.max(axis=(1, 2)), 1e-6)
    moves = np.arange(-_MOVE, _MOVE + 1)
    # Once and a half round, so that the end knows the beginning.
    order = np.arange(-(rays // 2), rays) % rays
    total = gain[:, order[0]].copy()
    came = np.zeros((len(order), count, steps), np.int8)
    padded = np.empty((count, steps + 2 * _MOVE), np.float32)
    for number, ray in enumerate(order[1:], start=1):
        padded[:] = -np.inf
        padded[:, _MOVE:-_MOVE] = total
        options = np.stack(
            [
                padded[:, _MOVE + move : _MOVE + move + steps] - (price * move**2)[:, None]
                for move in moves
            ]
        )
        pick = options.argmax(axis=0)
        came[number] = moves[pick]
        total = np.take_along_axis(options, pick[None], 0)[0] + gain[:, ray]
    where = total.argmax(axis=1)
    path = np.empty((count, rays), int)
    rows = np.arange(count)
    for number in range(len(order) - 1, len(order) - 1 - rays, -1):
        path[:, order[number]] = where
        where = where + came[number, rows, where]
    return path


def _ringed(change: Array, rises: Array, falls: Array) -> Array:
    """Whether the fall is the outer side of a bright ring round what is no brighter within.

    Summed along a ray, the changes are the grey values themselves, less that of the inner end.
    """
    rays = change.shape[1]
    up = np.quantile(np.take_along_axis(change, rises[..., None], 2)[..., 0], 0.25, axis=1)
    down = np.quantile(-np.take_along_axis(change, falls[..., None], 2)[..., 0], 0.25, axis=1)
    ringed = (np.mean(rises < falls, axis=1) >= _ROUND) & (up >= _RING * down)
    for number in np.flatnonzero(ringed):
        grey = np.cumsum(change[number], axis=1)
        rise, fall = rises[number], falls[number]
        within = np.median(grey[:, : max(1, int(np.quantile(rise, 0.1)))])
        ring = np.median(grey[np.arange(rays), (rise + fall) // 2])
        beyond = np.median(grey[:, -3:])
        ringed[number] = within - beyond < _WITHIN_RING * (ring - beyond)
    return np.asarray(ringed)


def _blur(strength: Array, at: Array, share: Array, length: Array) -> Array:
    """Width of the edge from how its steepness falls off a pixel to either side of the path."""
    step = share[1] - share[0]
    profile = []
    for aside in (-1.0, 0.0, 1.0):
        place = np.clip((at + aside / length - share[0]) / step, 0, len(share) - 1.001)
        below = place.astype(int)
        part = place - below
        low, high = (
            np.take_along_axis(strength, (below + more)[..., None], 2)[..., 0] for more in (0, 1)
        )
        profile.append(np.mean(low * (1 - part) + high * part, axis=1))
    beside = np.maximum(0.5 * (profile[0] + profile[2]), 1e-6)
    fall = np.log(np.maximum(profile[1] / beside, 1.05))
    return np.asarray(np.clip(1 / np.sqrt(2 * fall), SMOOTHING, _WIDEST))


def _profiles(residual: Array, rows: Array, columns: Array, down: Array, right: Array) -> Array:
    """Median grey values at `_ASIDE` px from the path, outwards positive: (B, K)."""
    grey = ndimage.map_coordinates(
        residual,
        [
            rows[..., None] + _ASIDE * down[..., None],
            columns[..., None] + _ASIDE * right[..., None],
        ],
        order=1,
        mode="nearest",
    )
    return np.asarray(np.median(grey, axis=1))


def _blooms(profile: Array, sign: Array) -> Array:
    """Distance in px from the path to the crest of a bright rim; 0 where there is none.

    Secondary electrons leave an edge more freely, so that it is bright on its solid side: that
    is outside a dark body (`sign` 1) and inside a bright one. A crest stands out by a share of
    its rise from the level that lies behind it.
    """
    middle = len(_ASIDE) // 2
    # From the dark side to the bright one, for either sign.
    rising = np.where(sign[:, None] > 0, profile, profile[:, ::-1])
    behind = rising[:, middle:]
    crest = behind[:, : len(_ASIDE) // 2 - 2].argmax(axis=1)
    top = behind[np.arange(len(behind)), crest]
    floor = rising[:, :middle].min(axis=1)
    level = np.median(behind[:, -3:], axis=1)
    stands = top - level > _CREST * (top - floor)
    return np.where(stands & (crest > 0), crest * (_ASIDE[1] - _ASIDE[0]), 0.0)


def _between(strength: Array, path: Array) -> Array:
    """The path's steps with the fraction at which the change is most, by a parabola."""
    inner = np.clip(path, 1, strength.shape[2] - 2)
    before, here, after = (
        np.take_along_axis(strength, (inner + move)[..., None], 2)[..., 0] for move in (-1, 0, 1)
    )
    bend = before - 2 * here + after
    peak = (inner == path) & (bend < 0) & (here >= before) & (here >= after)
    shift = np.where(peak, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    return np.asarray(path + np.clip(shift, -0.5, 0.5))
