"""From a skeleton to ordered centre lines: arms between ends and knots, their length and width.

Positions are (x, y) in pixels of the field. A skeleton's steps know eight directions only, so
that its points are smoothed along the line before a length is taken: bends of a few pixels are
lost, and the uncertainty says how much. Knows nothing of what the lines are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from glassllava.measurement.centres import centred

Array = np.ndarray[Any, Any]
_KDTree: Any = cKDTree

_GUIDE = 3.0  # px likewise, of the line whose direction is trusted
SMOOTHED = 1.5  # px along the line, standard deviation of the Gaussian
_SPUR = 8.0  # px: a shorter free arm at a knot is roughness of the mask
_GAP = 24.0  # px over which a line may fade and go on
_BEND = 0.8  # cosine of the largest turn at a gap
_BRIDGED = -2  # no knot, and no free end
_EIGHT = np.ones((3, 3), bool)
_OFFSETS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1))


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One unbranched run of a line.

    `points` is (n, 2), smoothed; `starts` and `ends` are the numbers of the knots there, -1
    where it ends free. `whole` is the line that it belongs to. `gap` is how many pixels of it
    were bridged without being seen.
    """

    points: Array
    starts: int
    ends: int
    whole: int = 0
    gap: float = 0.0

    def length(self, aspect: float = 1.0) -> float:
        return length_of(self.points, aspect)


def length_of(points: Array, aspect: float = 1.0) -> float:
    """Length of a polyline in pixels of the geometric mean of across and down."""
    across, down = np.diff(points, axis=0).T
    return float(np.hypot(across, down * aspect).sum() / np.sqrt(aspect))


def arms_of(skeleton: Array, depth: Array) -> list[Arm]:
    """The arms of every line of a skeleton (H, W). `depth` (H, W) is positive on the line."""
    arms = []
    for points, start, end in _pruned(_paths(skeleton)):
        middle = centred(smoothed(points), smoothed(points, _GUIDE), depth, start, end)
        smooth = smoothed(middle)
        arms.append(Arm(smooth, start, end))
    return arms


def smoothed(points: Array, sigma: float = SMOOTHED) -> Array:
    """Points of a line smoothed along it; its ends stay."""
    count = len(points)
    reach = min(count - 1, int(4 * sigma))
    if reach < 2:
        return points
    before = 2 * points[0] - points[reach:0:-1]
    after = 2 * points[-1] - points[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, points, after])
    smooth = ndimage.gaussian_filter1d(padded, min(sigma, count / 6), axis=0)
    return np.asarray(smooth[reach : reach + count])


def _paths(skeleton: Array) -> list[tuple[Array, int, int]]:
    """Pixel paths between knots and free ends: (points, knot at the start, knot at the end)."""
    padded = np.pad(skeleton, 1)
    width = padded.shape[1]
    where = np.flatnonzero(padded)
    if where.size == 0:
        return []
    number = np.full(padded.size, -1, np.int32)
    number[where] = np.arange(where.size, dtype=np.int32)
    table = np.stack([number[where + down * width + across] for down, across in _OFFSETS], 1)
    # A diagonal counts only where no straight way leads round the corner.
    for index, (down, across) in enumerate(_OFFSETS[4:], start=4):
        round_it = (number[where + down * width] >= 0) | (number[where + across] >= 0)
        table[round_it, index] = -1
    degree = np.count_nonzero(table >= 0, axis=1)
    ordered = -np.sort(-table, axis=1)  # the neighbours first
    xy = np.stack([where % width - 1, where // width - 1], 1).astype(float)
    knot, centres = _knots(where, degree, padded)
    first, second = ordered[:, 0].tolist(), ordered[:, 1].tolist()
    plain = (degree == 2).tolist()
    done = np.zeros(where.size, bool).tolist()
    paths = []

    def walk(start: int, step: int) -> list[int]:
        path = [start, step]
        while plain[path[-1]] and not done[path[-1]]:
            here = path[-1]
            done[here] = True
            ahead = first[here] if first[here] != path[-2] else second[here]
            path.append(ahead)
        return path

    for start in np.flatnonzero(degree != 2).tolist():
        for step in ordered[start, : degree[start]].tolist():
            if plain[step]:
                if done[step]:
                    continue
            elif step < start or (knot[start] >= 0 and knot[start] == knot[step]):
                continue
            path = walk(start, step)
            paths.append(_anchored(path, xy, knot, centres))
    for start in np.flatnonzero(degree == 2).tolist():
        if not done[start]:  # a ring without a knot
            done[start] = True
            ring = [start, first[start]]
            while ring[-1] != start:
                here = ring[-1]
                done[here] = True
                ring.append(first[here] if first[here] != ring[-2] else second[here])
            paths.append((xy[ring], -1, -1))
    return [path for path in paths if len(path[0]) > 1]


def _knots(where: Array, degree: Array, padded: Array) -> tuple[Array, Array]:
    """The knot of each skeleton pixel (-1: none), neighbours being one; and their centres."""
    flat = np.zeros(padded.size, bool)
    flat[where[degree >= 3]] = True
    labels, count = ndimage.label(flat.reshape(padded.shape), _EIGHT)
    if count == 0:
        return np.full(where.size, -1), np.zeros((0, 2))
    knot = labels.ravel()[where].astype(int) - 1
    rows, columns = np.divmod(where[knot >= 0], padded.shape[1])
    owner = knot[knot >= 0]
    pixels = np.bincount(owner, minlength=count)
    centres = np.stack(
        [np.bincount(owner, columns, count) / pixels, np.bincount(owner, rows, count) / pixels], 1
    )
    return knot, centres - 1


def _anchored(path: list[int], xy: Array, knot: Array, centres: Array) -> tuple[Array, int, int]:
    points = xy[path]
    start, end = int(knot[path[0]]), int(knot[path[-1]])
    if start >= 0:
        points[0] = centres[start]
    if end >= 0:
        points[-1] = centres[end]
    return points, start, end


def _pruned(paths: list[tuple[Array, int, int]]) -> list[tuple[Array, int, int]]:
    """Without spurs, and with arms joined where two are left at a knot."""
    knots = 1 + max((max(start, end) for _, start, end in paths), default=-1)
    for _ in range(3):
        kept = []
        for path in paths:
            points, start, end = path
            loose = (start < 0) != (end < 0)
            if loose and length_of(points) < _SPUR:
                continue
            kept.append(path)
        # A knot that has lost all arms but one is a free end.
        alone = np.append(_meeting(kept, knots) == 1, False)
        paths = _merged(
            [
                (points, -1 if alone[start] else start, -1 if alone[end] else end)
                for points, start, end in kept
            ],
            knots,
        )
    return paths


def _meeting(paths: Sequence[tuple[Array, int, int]], knots: int) -> Array:
    ends = np.array([knot for _, start, end in paths for knot in (start, end)], int)
    return np.bincount(ends[ends >= 0], minlength=knots)


def _merged(paths: Sequence[tuple[Array, int, int]], knots: int) -> list[tuple[Array, int, int]]:
    passed = set(np.flatnonzero(_meeting(paths, knots) == 2).tolist())
    alive: dict[int, tuple[Array, int, int]] = dict(enumerate(paths))
    at: dict[int, list[int]] = {}
    for index, (_, start, end) in alive.items():
        for knot in (start, end):
            if knot in passed:
                at.setdefault(knot, []).append(index)
    for knot, pair in at.items():
        one, other = pair
        if one == other:
            continue  # a ring that closes on itself
        points, start, end = alive.pop(one)
        if end != knot:
            points, start, end = points[::-1], end, start
        more, from_, to = alive.pop(other)
        if from_ != knot:
            more, from_, to = more[::-1], to, from_
        alive[one] = (np.concatenate([points, more[1:]]), start, to)
        if to in passed and to != knot:
            at[to] = [one if index == other else index for index in at[to]]
    return list(alive.values())


def _led_to_their_ends(
    arms: Sequence[Arm], bridges: Sequence[tuple[int, int, Array]], depth: Array
) -> list[Array]:
    if not arms:
        return []
    bridged = {tuple(end.tolist()) for _, _, points in bridges for end in points}
    tree = _KDTree(np.concatenate([arm.points for arm in arms]))
    whose = np.repeat(np.arange(len(arms)), [len(arm.points) for arm in arms])
    result = []
    for index, arm in enumerate(arms):
        points = arm.points
        if not np.array_equal(points[0], points[-1]):  # a ring has no end
            for knot in (arm.ends, arm.starts):
                if knot < 0 and tuple(points[-1].tolist()) not in bridged:
                    points = _to_its_end(points, depth, tree, whose != index)
                points = points[::-1]
        result.append(points)
    return result


def _to_its_end(points: Array, depth: Array, tree: Any, foreign: Array, reach: int = 12) -> Array:
    """The line led on, or cut back, to where its depth has fallen to half, at its last point.

    It stops where it meets another: `foreign` tells which points of the `tree` are others'.
    """
    back = min(len(points) - 1, 10)
    step = points[-1] - points[-1 - back]
    size = float(np.hypot(*step))
    if size == 0:
        return points
    step = step / size
    inside = points[-1 - min(len(points) - 1, 20) :]
    level = 0.5 * float(np.median(_sampled(depth, inside)))
    if level <= 0:
        return points
    start = -min(4, len(points) - 3)
    if start >= 0:
        return points
    at = np.arange(start, reach + 1)
    ahead = points[-1] + at[:, None] * step
    height, width = depth.shape
    out = np.flatnonzero(
        (ahead < -0.5).any(axis=1) | (ahead[:, 0] > width - 0.5) | (ahead[:, 1] > height - 0.5)
    )
    values = _sampled(depth, ahead)
    below = np.flatnonzero(values < level)
    met = [
        place
        for place, near in enumerate(tree.query_ball_point(ahead, 2.0))
        if place > -start and any(foreign[other] for other in near)
    ]
    last = min(int(below[0]) if below.size else reach - start, int(out[0]) if out.size else 99)
    last = min(last, met[0] if met else 99)
    last = min(last, len(at) - 1)
    if last == 0:
        return points[:start]
    cut = float(at[last])
    if below.size and last == below[0]:
        before, after = values[last - 1], values[last]
        cut = at[last - 1] + float(np.clip((before - level) / max(before - after, 1e-9), 0, 1))
    kept = points[: start or None]
    return np.concatenate([kept, [points[-1] + cut * step]])


def _sampled(values: Array, points: Array) -> Array:
    x, y = points.T
    return np.asarray(
        ndimage.map_coordinates(values, [y, x], order=1, mode="nearest", prefilter=False)
    )


def joined(arms: Sequence[Arm], depth: Array) -> list[Arm]:
    """The arms and what bridges the gaps between them, each with the number of its line.

    An end that nothing bridges is led to where the depth has fallen to half.
    """
    knots = 1 + max((max(arm.starts, arm.ends) for arm in arms), default=-1)
    parent = list(range(len(arms) + knots))

    def find(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for index, arm in enumerate(arms):
        for knot in (arm.starts, arm.ends):
            if knot >= 0:
                parent[find(index)] = find(len(arms) + knot)
    bridges = _bridges(arms, depth)
    for one, other, _ in bridges:
        parent[find(one)] = find(other)
    ended = _led_to_their_ends(arms, bridges, depth)
    result = [
        Arm(points, arm.starts, arm.ends, find(index))
        for index, (arm, points) in enumerate(zip(arms, ended, strict=True))
    ]
    for one, _, points in bridges:
        result.append(Arm(points, _BRIDGED, _BRIDGED, find(one), length_of(points)))
    return result


def _bridges(arms: Sequence[Arm], depth: Array) -> list[tuple[int, int, Array]]:
    """Gaps between a free end and the next free end, or line, ahead of it."""
    tips, ways, owners = [], [], []
    for index, arm in enumerate(arms):
        back = min(len(arm.points) - 1, 10)
        for knot, tip, inner in (
            (arm.starts, arm.points[0], arm.points[back]),
            (arm.ends, arm.points[-1], arm.points[-1 - back]),
        ):
            if knot < 0 and np.any(tip != inner):
                tips.append(tip)
                ways.append((tip - inner) / np.hypot(*(tip - inner)))
                owners.append(index)
    if len(tips) < 1 or len(arms) < 2:
        return []
    tip, way, owner = np.array(tips), np.array(ways), np.array(owners)
    found = []
    used: set[int] = set()
    pairs = _KDTree(tip).query_pairs(_GAP, output_type="ndarray")
    gaps = np.hypot(*(tip[pairs[:, 0]] - tip[pairs[:, 1]]).T) if len(pairs) else np.zeros(0)
    for one, other in pairs[np.argsort(gaps)].tolist():
        if owner[one] == owner[other] or one in used or other in used:
            continue
        if _leads_on(tip[one], way[one], tip[other], way[other], depth):
            used |= {one, other}
            found.append((int(owner[one]), int(owner[other]), np.array([tip[one], tip[other]])))
    # What is left may end on the side of another line.
    body = np.concatenate([arm.points for arm in arms])
    whose = np.repeat(np.arange(len(arms)), [len(arm.points) for arm in arms])
    tree = _KDTree(body)
    left = [index for index in range(len(tip)) if index not in used]
    if not left:
        return found
    for index, near in zip(left, tree.query_ball_point(tip[left], _GAP / 2), strict=True):
        near = [at for at in near if whose[at] != owner[index]]
        if not near:
            continue
        away = body[near] - tip[index]
        ahead = away @ way[index] / np.maximum(np.hypot(*away.T), 1e-9)
        cost = np.where(ahead > _BEND, np.hypot(*away.T), np.inf)
        best = int(np.argmin(cost))
        target = body[near[best]]
        if np.isfinite(cost[best]) and _seen_between(tip[index], target, depth):
            found.append(
                (int(owner[index]), int(whose[near[best]]), np.array([tip[index], target]))
            )
    return found


def _leads_on(one: Array, way: Array, other: Array, back: Array, depth: Array) -> bool:
    away = other - one
    gap = float(np.hypot(*away))
    if gap < 2.0:
        return True
    away = away / gap
    if float(way @ away) < _BEND or float(back @ -away) < _BEND:
        return False
    return _seen_between(one, other, depth)


def _seen_between(one: Array, other: Array, depth: Array) -> bool:
    """Whether the gap is darker than what lies beside it: by less than a line, but it is."""
    away = other - one
    gap = float(np.hypot(*away))
    if gap < 4.0:
        return True
    at = np.linspace(0, 1, int(gap) + 1)[:, None]
    middle = one + at * away
    aside = 6.0 * np.array([-away[1], away[0]]) / gap
    here = float(_sampled(depth, middle).mean())
    beside = max(
        float(_sampled(depth, middle + aside).mean()), float(_sampled(depth, middle - aside).mean())
    )
    return here > beside + 1.5 / np.sqrt(max(gap / 4, 1))
