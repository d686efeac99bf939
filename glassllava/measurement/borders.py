"""Borders that cross the field: where the grey level steps, all the way from side to side.

A border is a path that goes through every column and keeps the same sign of step nearly all the
way: pores, cracks and grains have steps too, and they do not go on. Found by dynamic programming
on means of pixels, then placed to a part of a pixel by the levels on its two sides. Works on
columns; who wants borders from top to bottom transposes. Knows nothing of layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

Array = np.ndarray[Any, Any]
_masked_median: Any = np.ma.median  # NumPy states no types of it

_COLUMNS, _ROWS = 128, 384  # cells, about, on which borders are looked for
_HALF = 5  # cells above and below whose means are compared
_STEEPEST = 1.0  # tangent of a border's lean
_MOST = 4  # borders of either sign
#: Of a path, in the mean: tanh of the step over the field's own spread of steps. Noise and
#: texture give a path up to 0.5.
_LEAST_SCORE = 0.64
_GROUP = 4  # columns averaged where a border is placed
_WINDOW = 14  # px to either side of the coarse path in which it is placed
_MOVE = 3  # rows by which it may go on from one group to the next
_MARGIN = 2  # px left out at a border where levels are taken
_BAND = 30  # px beside a border from which its levels are taken
_CHUNKS = 12  # parts of a border whose steps must agree
_AGREE = 0.9  # share of them
_SHARP = 0.55  # of the step that lies within a few pixels


@dataclass(frozen=True, slots=True, eq=False)
class Border:
    """A traced border: rows `y` at columns `x`, both (n,), in pixels of the specimen.

    `above` and `below` are the grey levels (n,) on its two sides; `noise` is the standard
    deviation of the grey values as the placing saw them; `score` how well it keeps its sign.
    `blur` is the rise of the border: how many pixels it takes from one level to the other.
    `pure` is the share of what lies near it that is nearer to its own side's level than to the
    other's, on the side where that is less.
    """

    x: Array
    y: Array
    above: Array
    below: Array
    noise: float
    score: float
    blur: float
    pure: float

    @property
    def step(self) -> float:
        return float(np.median(self.below - self.above))


def find_borders(specimen: Array) -> list[Border]:
    """The borders from the left side of a specimen (H, W) to its right, from the top down."""
    height, width = specimen.shape
    across, down = max(1, width // _COLUMNS), max(1, height // _ROWS)
    cells = block_means(specimen, down, across)
    if min(cells.shape) < 4 * _HALF:
        return []
    change = _steps(cells)
    reach = max(1, round(_STEEPEST * across / down))
    found = []
    for sign in (1, -1):
        gain = np.tanh(sign * change)
        for _ in range(_MOST):
            path, score = _best_path(gain, reach)
            if not score >= _LEAST_SCORE:
                break
            found.append((score, path))
            for column, row in enumerate(path):
                gain[max(0, row - _HALF) : row + _HALF + 1, column] = -1
    rows = [
        np.interp(
            np.arange(0, width, _GROUP) + (_GROUP - 1) / 2,
            (np.arange(len(path)) + 0.5) * across - 0.5,
            (path + _HALF) * down - 0.5,
        )
        for _, path in found
    ]
    order = sorted(range(len(found)), key=lambda index: float(np.mean(rows[index])))
    paths = [rows[index] for index in order]
    scores = [found[index][0] for index in order]
    groups = _groups(specimen)
    borders = []
    for index, path in enumerate(paths):
        before = paths[index - 1] if index else np.full(len(path), -1.0)
        after = paths[index + 1] if index + 1 < len(paths) else np.full(len(path), float(height))
        border = _placed(groups, path, before, after, scores[index])
        if border is not None:
            borders.append(border)
    return borders


def block_means(values: Array, down: int, across: int) -> Array:
    """Means of blocks of pixels; what is left over at the right and below is dropped."""
    height, width = values.shape[0] // down, values.shape[1] // across
    cut = values[: height * down, : width * across].reshape(height, down, width, across)
    return cut.mean(axis=(1, 3), dtype=np.float32)


def _groups(values: Array) -> Array:
    """Means of groups of columns, the last one filled up from the edge."""
    lacking = -values.shape[1] % _GROUP
    if lacking:
        values = np.pad(values, ((0, 0), (0, lacking)), mode="edge")
    return block_means(values, 1, _GROUP)


def _steps(cells: Array) -> Array:
    """Step of the level at each place, (H - 2 × half, W), in spreads of the steps round it."""
    # Medians: what a pore or a bright grain is to its surroundings is no level.
    level = ndimage.median_filter(cells, (_HALF, 3), mode="nearest")
    level = ndimage.uniform_filter1d(level, 3, axis=1, mode="nearest")
    apart = _HALF // 2 + 1
    change = level[_HALF + apart : len(level) - _HALF + apart]
    change = change - level[_HALF - apart : len(level) - _HALF - apart]
    change -= ndimage.uniform_filter1d(change, 8 * _HALF + 1, axis=0, mode="nearest")
    size = np.abs(change)[2::4, 2::4]
    local = ndimage.median_filter(size, (min(21, len(size)), min(9, size.shape[1])))
    local = np.maximum(local, 0.3 * float(np.median(size))) + 1e-6
    rows = np.minimum(np.arange(change.shape[0]) // 4, len(local) - 1)
    columns = np.minimum(np.arange(change.shape[1]) // 4, local.shape[1] - 1)
    return np.asarray(change / (2 * 1.4826 * local[rows[:, None], columns[None, :]]))


def _best_path(gain: Array, reach: int) -> tuple[Array, float]:
    """The path of the greatest sum, one row a column, and its mean gain."""
    height, width = gain.shape
    came = np.empty((height, width), np.int32)
    rows = np.arange(height)
    toll = 0.02 * np.abs(np.arange(-reach, reach + 1))[:, None]
    padded = np.full(height + 2 * reach, -np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, height)
    total = gain[:, 0]
    for column in range(1, width):
        padded[reach : reach + height] = total
        choices = windows - toll
        best = np.argmax(choices, axis=0)
        came[:, column] = rows + best - reach
        total = choices[best, rows] + gain[:, column]
    path = np.empty(width, int)
    path[-1] = int(np.argmax(total))
    for column in range(width - 1, 0, -1):
        path[column - 1] = came[path[column], column]
    return path, float(gain[path, np.arange(width)].mean())


def _placed(groups: Array, path: Array, before: Array, after: Array, score: float) -> Border | None:
    """The border near a coarse path, or None where the levels beside it are not told apart."""
    count = groups.shape[1]
    noise = _noise(groups)
    above = _levels(groups, path, before, -1)
    below = _levels(groups, path, after, 1)
    if abs(float(np.median(below - above))) < noise or _agreement(below - above) < _AGREE / 2:
        return None
    y = path
    for _ in range(2):
        y = _traced(groups, y, above, below, noise)
        above, below = _levels(groups, y, before, -1), _levels(groups, y, after, 1)
    steps = below - above
    middle = float(np.median(steps))
    if _agreement(steps) < _AGREE:
        return None
    fine, blur = _placed_finely(groups, y, above, below)
    near = _aligned(groups, fine, np.array([-5.0, -4.0, -3.0, 3.0, 4.0, 5.0]))
    sharp = np.median(near[:, 3:], axis=1) - np.median(near[:, :3], axis=1)
    if float(np.median(sharp)) * np.sign(middle) < _SHARP * abs(middle):
        return None
    x = np.arange(count) * _GROUP + (_GROUP - 1) / 2
    pure = min(
        _pure(groups, fine, before, above, below, -1), _pure(groups, fine, after, above, below, 1)
    )
    return Border(x, fine, above, below, noise, score, blur, pure)


def _agreement(steps: Array) -> float:
    """The share of a border's parts whose step is like that of the whole."""
    middle = float(np.median(steps))
    chunks = [float(np.median(part)) for part in np.array_split(steps, _CHUNKS)]
    same = [chunk * middle > 0 and abs(chunk) > 0.25 * abs(middle) for chunk in chunks]
    return float(np.mean(same))


def _pure(groups: Array, y: Array, other: Array, above: Array, below: Array, side: int) -> float:
    rows = y[:, None] + side * (np.arange(_MARGIN, _BAND) + 0.5)
    between = np.abs(rows - y[:, None]) < np.maximum(np.abs(other - y)[:, None] - _MARGIN, 4)
    inside = (rows >= 0) & (rows <= len(groups) - 1) & between
    values = groups[
        np.clip(np.rint(rows).astype(int), 0, len(groups) - 1), np.arange(len(y))[:, None]
    ]
    higher = values > (0.5 * (above + below))[:, None]
    own = higher if side * float(np.median(below - above)) > 0 else ~higher
    return float(own[inside].mean()) if inside.any() else 0.0


def _noise(groups: Array) -> float:
    change = np.diff(groups[:, ::4], n=2, axis=0)
    return 1.4826 / np.sqrt(6) * float(np.median(np.abs(change))) + 1e-6


def _levels(groups: Array, y: Array, other: Array, side: int) -> Array:
    """The level on one side of a border, as far as the next, smoothed along it."""
    away = np.arange(_MARGIN, _BAND) + 0.5
    rows = y[:, None] + side * away
    allowed = np.abs(other - y)[:, None] - _MARGIN > away
    allowed[:, :4] = True  # a thin layer has but these
    inside = (rows >= 0) & (rows <= len(groups) - 1) & allowed
    values = groups[
        np.clip(np.rint(rows).astype(int), 0, len(groups) - 1), np.arange(len(y))[:, None]
    ]
    level = _masked_median(np.ma.array(values, mask=~inside), axis=1)
    known = np.asarray(level.filled(np.nan), float)
    if np.isnan(known).any():
        good = np.flatnonzero(~np.isnan(known))
        if good.size == 0:
            return np.zeros(len(y))
        known = np.interp(np.arange(len(y)), good, known[good])
    window = max(5, len(y) // 12) | 1
    return np.asarray(ndimage.median_filter(known, window, mode="nearest"))


def _traced(groups: Array, path: Array, above: Array, below: Array, noise: float) -> Array:
    """The rows at which a column is best cut into its level above and its level below.

    A pixel that fits neither, of a pore or of a crack, has no say.
    """
    count = len(path)
    offsets = np.arange(-_WINDOW, _WINDOW + 1)
    base = np.rint(path).astype(int)
    rows = base[:, None] + offsets
    values = groups[np.clip(rows, 0, len(groups) - 1), np.arange(count)[:, None]]
    a, b = above[:, None], below[:, None]
    cost = np.abs(values - a) - np.abs(values - b)
    step = np.abs(b - a)
    strange = (values < np.minimum(a, b) - 3 * noise - 0.5 * step) | (
        values > np.maximum(a, b) + 3 * noise + 0.5 * step
    )
    cost[strange] = 0
    cost = np.concatenate([np.zeros((count, 1)), np.cumsum(cost, axis=1)], axis=1)
    size = cost.shape[1]
    # By how many rows the windows of neighbouring columns are shifted against each other.
    shift = np.diff(base)
    pad = _MOVE + int(np.abs(shift).max(initial=0))
    toll = 0.35 * float(np.median(step)) * np.abs(np.arange(-_MOVE, _MOVE + 1))[:, None]
    came = np.zeros((count, size), np.int32)
    index = np.arange(size)
    padded = np.full(size + 2 * pad, np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)
    total = cost[0]
    for column in range(1, count):
        padded[pad : pad + size] = total
        start = pad + int(shift[column - 1])
        choices = windows[start - _MOVE : start + _MOVE + 1] + toll
        best = np.argmin(choices, axis=0)
        came[column] = index + (start - pad - _MOVE) + best
        total = choices[best, index] + cost[column]
    where = np.empty(count, int)
    where[-1] = int(np.argmin(total))
    for column in range(count - 1, 0, -1):
        where[column - 1] = int(np.clip(came[column, where[column]], 0, size - 1))
    return base - _WINDOW + where - 0.5


def _placed_finely(groups: Array, y: Array, above: Array, below: Array) -> tuple[Array, float]:
    """Rows to a part of a pixel, and how many pixels the rise takes.

    Of what lies within a few pixels, the share at the lower level tells where the step is.
    """
    reach = 4
    offsets = np.arange(-reach, reach + 1).astype(float)
    values = _aligned(groups, y, offsets)
    step = below - above
    step = np.where(np.abs(step) < 1e-9, 1e-9, step)
    share = np.clip((values - above[:, None]) / step[:, None], 0, 1)
    fine = y + reach + 0.5 - share.sum(axis=1)
    mean = np.maximum.accumulate(np.median(share, axis=0))
    low, high = (float(np.interp(level, mean, offsets)) for level in (0.25, 0.75))
    return fine, high - low


def _aligned(groups: Array, y: Array, offsets: Array) -> Array:
    """Grey values (n, m) at offsets from the row of each column."""
    rows = y[:, None] + offsets
    columns = np.broadcast_to(np.arange(len(y))[:, None].astype(float), rows.shape)
    return np.asarray(
        ndimage.map_coordinates(groups, [rows, columns], order=1, mode="nearest", prefilter=False)
    )
