"""The grey values across a line: how deep it is against either side, and how wide.

A width is the full width at half depth, each flank against the level beyond it, on the grey
values as they were recorded: nothing is smoothed across the line. The blur of the beam, which no
file says, widens lines of fewer than about three pixels; the uncertainty says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

Array = np.ndarray[Any, Any]

_REACH = 28.0  # px to either side
_STEP = 0.5  # px across
_ALONG = 2.0  # px between two profiles
_WINDOW = 8  # profiles that are averaged
_SIDE = (2.0, 8.0)  # px beyond the flank where its level is taken
_NEAR, _FAR = (2.0, 6.0), (9.0, 15.0)  # px beyond the flank, where a rise is told


@dataclass(frozen=True, slots=True, eq=False)
class Across:
    """Means of neighbouring profiles across one line, lined up: (k, m), at `offsets` (m,) px."""

    offsets: Array
    means: Array

    def widths(
        self, sign: int, share: float = 0.5, shift: float = 0.0
    ) -> tuple[Array, Array, Array]:
        """Full width at a share of the depth, and the depth against the left and right side.

        `sign` is -1 for a dark line. The level, counted from the bottom, is moved by `shift` grey
        values. A width is NaN where a flank does not reach its level.
        """
        values = self.means if sign < 0 else -self.means
        # A wide line has no sides within the few pixels where a thin one's are.
        thin, wide = (self._once(values, start, share, shift) for start in (2.0, 12.0))
        deeper = np.minimum(wide[1], wide[2]) > 1.5 * np.minimum(thin[1], thin[2])
        taken = deeper & ~np.isnan(wide[0])
        width, left, right = (
            np.where(taken, other, one) for one, other in zip(thin, wide, strict=True)
        )
        return width, left, right

    def ground(self, sign: int) -> tuple[Array, Array]:
        """What lies beside the line: how much less deep it is against its lower side, as a share
        of the depth against the other (k,); and by how much the level goes on to rise on the left
        and the right (2, k), from beside the flank to some ten pixels farther, in shares of the
        depth there.

        In even ground 1, and nothing. A rise of half the depth on both sides is the fold of two
        slopes; a fall on one, a narrow band of another level beside the line. The upper quarter
        of the values tells a level: another line beside this one is no part of the ground.
        """
        values = self.means if sign < 0 else -self.means
        width = self.widths(sign)[0]
        half = 0.5 * np.where(np.isnan(width), 4.0, width)
        middle, last = len(self.offsets) // 2, len(self.offsets) - 1
        bottom = values[:, middle - 1 : middle + 2].mean(axis=1)
        depths, rises = [], []
        for side in (-1, 1):
            levels = []
            for start, end in (_NEAR, _FAR):
                away = np.rint((half[:, None] + np.arange(start, end, _STEP)) / _STEP).astype(int)
                index = np.clip(middle + side * away, 0, last)
                window = np.take_along_axis(values, index, axis=1)
                levels.append(np.percentile(window, 75, axis=1))
            depths.append(np.maximum(levels[0] - bottom, 1e-9))
            rises.append((levels[1] - levels[0]) / depths[-1])
        return np.minimum(*depths) / np.maximum(*depths), np.stack(rises)

    def _once(
        self, values: Array, start: float, share: float, shift: float
    ) -> tuple[Array, Array, Array]:
        at = self.offsets[None, :]
        middle = len(self.offsets) // 2
        left_half = right_half = np.full(len(values), start)
        left = right = bottom = np.zeros(len(values))
        most = _REACH - _SIDE[1]
        for _ in range(4):
            near, far = left_half[:, None] + _SIDE[0], left_half[:, None] + _SIDE[1]
            left = _mean(values, (at <= -near) & (at >= -far))
            near, far = right_half[:, None] + _SIDE[0], right_half[:, None] + _SIDE[1]
            right = _mean(values, (at >= near) & (at <= far))
            inner = np.maximum(0.25 * np.minimum(left_half, right_half), 0.5)
            bottom = _mean(values, np.abs(at) <= inner[:, None])
            level = bottom + share * (right - bottom) + shift
            right_half = _crossing(values[:, middle:], level)
            level = bottom + share * (left - bottom) + shift
            left_half = _crossing(values[:, middle::-1], level)
            right_half = np.fmin(right_half, most)
            left_half = np.fmin(left_half, most)
        width = left_half + right_half
        width[(left_half >= most) | (right_half >= most)] = np.nan
        return width, left - bottom, right - bottom


def sharpened(half: float, low: float, high: float) -> tuple[float, bool]:
    """The width of a line from its full widths at a half, a quarter and three quarters of its
    depth, and whether it is resolved at all.

    A slit of width w seen through a Gaussian blur looks wider than it is, and the softer its
    flanks are against its width, the more. The blur is taken from the flanks, not assumed. A
    profile that is all flank tells an upper bound alone.
    """
    softness = (high - low) / half
    ratio = float(np.interp(softness, *_SLIT))
    return half * ratio, softness < _UNRESOLVED


def _slit() -> tuple[Array, Array]:
    """(three-quarter width less quarter width) over half width, and true over half width."""
    blurs = np.concatenate([[1e-3], np.linspace(0.02, 1.2, 60)])
    at = np.linspace(0, 4, 4001)
    softness, ratio = [], []
    for blur in blurs:
        shape = ndtr((at + 0.5) / blur) - ndtr((at - 0.5) / blur)
        # Half widths, where the profile has fallen to these shares of its middle.
        wide, half, thin = (
            float(np.interp(-share * shape[0], -shape, at)) for share in (0.25, 0.5, 0.75)
        )
        softness.append((wide - thin) / half)
        ratio.append(0.5 / half)
    return np.array(softness), np.array(ratio)


_SLIT = _slit()
_UNRESOLVED = 0.72  # that softness and more: the flanks meet


def across(specimen: Array, points: Array, sign: int, aspect: float = 1.0) -> Across:
    """Profiles of the grey values (H, W) across a line of `points` (n, 2), in its pixels.

    `sign` is -1 for a dark line. `aspect` is how much farther it is from pixel to pixel down than
    across; offsets are in pixels of the geometric mean.
    """
    places, normals = _places(points, aspect)
    offsets = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    x = places[:, :1] + normals[:, :1] * offsets
    y = places[:, 1:] + normals[:, 1:] * offsets
    profiles = ndimage.map_coordinates(
        specimen, [y, x], output=np.float32, order=1, mode="nearest", prefilter=False
    )
    profiles = _lined_up(profiles, offsets, sign)
    count = max(1, len(profiles) // _WINDOW)
    means = np.stack([part.mean(axis=0) for part in np.array_split(profiles, count)])
    return Across(offsets, means)


def _places(points: Array, aspect: float) -> tuple[Array, Array]:
    """Points every few pixels along a line, and steps of one pixel square to it there."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    reached = np.concatenate([[0.0], np.cumsum(steps)])
    # The ends are rounded: they would look narrow.
    trim = min(2.0, 0.2 * reached[-1])
    count = max(2, int((reached[-1] - 2 * trim) / _ALONG) + 1)
    at = np.linspace(trim, reached[-1] - trim, count)
    places = np.stack([np.interp(at, reached, column) for column in points.T], axis=1)
    way = np.gradient(places, axis=0)
    normals = np.stack([-way[:, 1] * aspect, way[:, 0] / aspect], axis=1)
    size = np.hypot(normals[:, 0], normals[:, 1] * aspect) / np.sqrt(aspect)
    return places, normals / np.maximum(size, 1e-9)[:, None]


def _lined_up(profiles: Array, offsets: Array, sign: int) -> Array:
    """Each profile moved so that its line is in the middle.

    The centre line was smoothed, and a line that bends within a few pixels leaves it. Charged lips
    beside a dark line are no part of it.
    """
    soft = ndimage.uniform_filter(profiles, (min(3, len(profiles)), 3), mode="nearest")
    near = np.abs(offsets) <= 4.0
    middle = len(offsets) // 2
    level = np.median(soft, axis=1, keepdims=True)
    depth = np.clip(sign * (soft[:, near] - level), 0, None)
    depth = np.clip(depth - 0.5 * depth.max(axis=1, keepdims=True), 0, None)
    centre = (depth * offsets[near]).sum(axis=1) / np.maximum(depth.sum(axis=1), 1e-9)
    shift = np.rint(centre / _STEP).astype(int)
    columns = np.clip(np.arange(len(offsets)) + shift[:, None], 0, 2 * middle)
    return np.take_along_axis(profiles, columns, axis=1)


def _mean(values: Array, where: Array) -> Array:
    return np.asarray((values * where).sum(axis=1) / np.maximum(where.sum(axis=1), 1))


def _crossing(values: Array, level: Array) -> Array:
    """How far from the first column each row first reaches its level, px; NaN if never."""
    above = values >= level[:, None]
    index = np.argmax(above, axis=1)
    rows = np.arange(len(values))
    before = values[rows, np.maximum(index - 1, 0)]
    rise = values[rows, index] - before
    part = np.where(rise > 0, (level - before) / np.where(rise > 0, rise, 1), 0.0)
    place = np.where(index > 0, (index - 1 + part) * _STEP, 0.0)
    return np.where(above.any(axis=1), place, np.nan)
