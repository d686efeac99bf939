"""Cracks as they run through real grounds: kinked, of changing width, bridged, partly filled,
branching, between grains, through a layer, along a seam; one pixel wide to thirty.

Variants of the painters in `cracks` and `coatings`; the keys are the vocabulary's.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, variant
from training.synthesis.drawing import Points
from training.synthesis.fields import Field, blur, profile, smoothstep, soft_noise

Rng = np.random.Generator
_ALL = ("surface", "polished", "polished", "polished", "fracture", "coated", "etched")


def draw_width(rng: Rng, most: float = 30.0) -> float:
    """Widths in pixels: as many cracks from one to two as from eight to sixteen."""
    return float(np.exp(rng.uniform(np.log(1.1), np.log(most))))


def kinked(rng: Rng, start: Points, angle: float, length: float, rough: float) -> Points:
    """A path with kinks of every size: long turns, and a jitter that the grain gives."""
    step = 3.0
    count = max(int(length / step), 3)
    heading = np.full(count, angle)
    for cell, swing in ((60, 0.6), (18, 0.5), (6, 0.5)):
        knots = rng.normal(0, 1, count // max(int(cell / step), 1) + 2)
        heading = heading + rough * swing * np.repeat(knots, max(int(cell / step), 1))[:count]
    heading = heading + np.cumsum(rng.normal(0, 0.02 * rough, count))
    moves = step * np.stack([np.cos(heading), np.sin(heading)], 1)
    return np.vstack([np.asarray(start, float), np.asarray(start, float) + np.cumsum(moves, 0)])


def lips(rng: Rng, path: Points, width: float, both_ends: bool) -> Points:
    """The outline of a crack along `path`: two rough lips that do not match everywhere."""
    count = len(path)
    t = np.linspace(0, 1, count)
    tip = np.clip((1 - t) * rng.uniform(1.5, 8), 0, 1) ** 0.7
    if both_ends:
        tip = tip * np.clip(t * rng.uniform(1.5, 8), 0, 1) ** 0.7
    swell = np.exp(rng.uniform(0.1, 0.38) * profile(rng, count, count / rng.uniform(2, 9)))
    half = np.maximum(0.5 * width * tip * np.clip(swell, 0.3, 2.2), 0.25)
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.hypot(*along.T), 1e-6)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    jag = rng.uniform(0.15, 0.4) if width > 3 else 0.1
    sides = [
        path + sign * across * (half * np.clip(1 + jag * profile(rng, count, 2.0), 0.2, 2))[:, None]
        for sign in (-1, 1)
    ]
    return np.vstack([sides[0], sides[1][::-1]])


def _tree(
    rng: Rng, start: Points, angle: float, length: float, width: float, rough: float, depth: int
) -> list[tuple[Points, float]]:
    """A crack with its branches, as paths with widths."""
    path = kinked(rng, start, angle, length, rough)
    found = [(path, width)]
    if depth:
        for _ in range(rng.poisson(0.9)):
            at = int(rng.uniform(0.15, 0.95) * (len(path) - 1))
            turn = angle + float(rng.choice([-1, 1])) * rng.uniform(0.35, 1.2)
            size = length * rng.uniform(0.08, 0.45)
            thin = max(width * rng.uniform(0.3, 0.8), 0.8)
            found += _tree(rng, path[at], turn, size, thin, rough, depth - 1)
    return found


def open_up(canvas: Canvas, rng: Rng, coverage: Field, width: float) -> None:
    """Take the material away: dark, or partly filled and bridged; lips bright in SE, one side
    higher now and then."""
    dark = rng.uniform(0.55, 0.96) * (0.8 + 0.2 * canvas.strength)
    fill: Field | float = 1.0
    draw = rng.random()
    if draw < 0.25:  # filled here and there with debris or resin
        level = smoothstep(soft_noise(rng, canvas.shape, rng.uniform(10, 45)), -1.2, 0.3)
        fill = rng.uniform(0.45, 0.75) + (1 - rng.uniform(0.45, 0.75)) * level
    elif draw < 0.45 and canvas.strength < 1.4:  # filled all along, or too narrow to be black
        fill = rng.uniform(0.3, 0.6)
    if width < 2.5:
        fill = fill * rng.uniform(0.6, 1.0)
    canvas.dig(
        np.asarray(coverage * fill, np.float32), min(1.0 + 0.25 * width, 5.0), min(dark, 0.97)
    )
    if width > 6 and rng.random() < 0.5:  # the walls go down slowly, one in the light
        canvas.height -= blur(coverage, width * 0.3) * width * rng.uniform(0.2, 0.6)
    if not canvas.backscattered and rng.random() < 0.6:
        rim = blur(coverage, rng.uniform(1.2, 2.6)) * (1 - coverage)
        canvas.tone += rng.uniform(0.1, 0.9) * rim
    if rng.random() < 0.25:  # a dim halo: shallow undercut, or charging beside the gap
        halo = blur(coverage, rng.uniform(5, 14))
        canvas.tone *= 1 + rng.uniform(-0.5, 0.3) * np.clip(halo, 0, 0.6)


@variant("crack_through", (5e-9, 5e-6), views=_ALL, detectors=("SE", "BSE"), secondary=True)
def crack_through(canvas: Canvas, rng: Rng) -> list[Painted]:
    """One crack to several over any ground, across the frame or a short piece of it."""
    if canvas.cells is not None and rng.random() < 0.45:
        return _between_grains(canvas, rng)
    height, width = canvas.shape
    frame = max(height, width)
    wide = draw_width(rng, 26.0) * (0.9 + 0.1 * canvas.strength)
    rough = rng.uniform(0.15, 0.9)
    many = int(rng.choice([1, 1, 1, 2, 3, 5]))
    angle = rng.uniform(0, 2 * np.pi)
    trees: list[tuple[Points, float]] = []
    lengths = []
    for _ in range(many):
        whole = rng.random() < 0.45
        size = frame * (rng.uniform(0.9, 1.5) if whole else rng.uniform(0.12, 0.6))
        heading = angle + rng.normal(0, 0.35)
        middle = rng.uniform((0.15 * width, 0.15 * height), (0.85 * width, 0.85 * height))
        start = middle - 0.5 * size * np.array([np.cos(heading), np.sin(heading)])
        own = wide * rng.uniform(0.5, 1.1)
        if not whole:
            own = min(own, size / 9)
        trees += _tree(rng, start, heading, size, max(own, 1.0), rough, int(rng.choice([0, 1, 2])))
        lengths.append(size)
    coverage = _draw(canvas, rng, trees)
    open_up(canvas, rng, coverage, wide)
    sizes = {"length": tuple(lengths), "width": (wide,)}
    return [Painted("crack_through", coverage > 0.4, many, sizes)]


def _draw(canvas: Canvas, rng: Rng, trees: list[tuple[Points, float]]) -> Field:
    outlines = [lips(rng, path, width, True) for path, width in trees]
    coverage = drawing.polygons(canvas.shape, outlines, [1.0] * len(outlines), scale=3)
    # Hair lines are thinner than the pen's grid: a line of their own weight under the outline.
    thin = [(path, min(width, 1.0) * 0.8) for path, width in trees if width < 3]
    if thin:
        coverage = np.maximum(coverage, drawing.strokes(canvas.shape, thin))
    if rng.random() < 0.3:  # bridges: the crack is shut over short lengths
        open_ = smoothstep(soft_noise(rng, canvas.shape, rng.uniform(9, 40)), -1.3, -1.0)
        coverage = coverage * open_
    return np.asarray(coverage, np.float32)


def _between_grains(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Along the borders of the ground's cells: those on one side of a line part from the rest."""
    assert canvas.cells is not None
    height, width = canvas.shape
    angle = rng.uniform(0, np.pi)
    normal = np.array([-np.sin(angle), np.cos(angle)], np.float32)
    middle = rng.uniform((0.3 * width, 0.3 * height), (0.7 * width, 0.7 * height))
    from_line = (canvas.cells.seeds - middle) @ normal
    spread = float(np.sqrt(height * width / len(from_line)))
    beyond = from_line + rng.normal(0, rng.uniform(0.1, 0.7) * spread, len(from_line)) > 0
    side = beyond[canvas.cells.labels]
    wide = min(draw_width(rng, 20.0), 0.5 * spread)
    inside = ndimage.distance_transform_edt(side)
    outside = ndimage.distance_transform_edt(~side)
    far = np.asarray(np.maximum(inside, outside), np.float32) - 0.5
    along = np.arange(width, dtype=np.float32)[None, :] * np.cos(angle)
    along = along + np.arange(height, dtype=np.float32)[:, None] * np.sin(angle)
    along = along - float(middle @ np.array([np.cos(angle), np.sin(angle)]))
    reach = max(height, width) * rng.uniform(0.12, 0.9)
    tip = np.clip((reach - np.abs(along)) / (0.35 * reach), 0, 1)
    swell = np.exp(0.4 * soft_noise(rng, canvas.shape, rng.uniform(15, 60)))
    half = 0.5 * wide * tip * swell
    coverage = smoothstep(half - far, -0.5, 0.5) * (tip > 0)
    open_up(canvas, rng, coverage, wide)
    sizes = {"length": (2 * reach,), "width": (wide,)}
    return [Painted("crack_through", coverage > 0.4, 1, sizes)]


@variant(
    "crack_channel",
    (2e-8, 4e-6),
    views=("polished",),
    detectors=("BSE", "SE"),
    grounds=("section",),
)
def crack_channel(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Cracks across one layer of a section, from seam to seam; some turn along the lower one."""
    height, width = canvas.shape
    tops = [np.full(width, -2.0, np.float32), *canvas.seams]
    bottoms = [*canvas.seams, np.full(width, height + 2.0, np.float32)]
    deep = [float(np.median(b - t)) for t, b in zip(tops, bottoms, strict=True)]
    fitting = [i for i, d in enumerate(deep) if d > 25] or [int(np.argmax(deep))]
    # Layers between two seams crack more readily than what lies beyond.
    inner = [i for i in fitting if 0 < i < len(deep) - 1]
    layer = int(rng.choice(inner if inner and rng.random() < 0.8 else fitting))
    top, bottom = tops[layer], bottoms[layer]
    wide = min(draw_width(rng, 18.0), 0.12 * deep[layer] + 1.5) * (0.9 + 0.1 * canvas.strength)
    rough = rng.uniform(0.15, 0.8)
    trees: list[tuple[Points, float]] = []
    lengths = []
    count = int(rng.choice([1, 1, 2, 3, 4, 6]))
    for x in rng.uniform(0.05, 0.95, count) * width:
        column = int(np.clip(x, 0, width - 1))
        size = float(bottom[column] - top[column]) * rng.choice(
            [1.0, 1.0, 1.0, rng.uniform(0.35, 0.9)]
        )
        up = rng.random() < 0.3
        begin = float(bottom[column] if up else top[column])
        heading = (-np.pi / 2 if up else np.pi / 2) + rng.normal(0, 0.18)
        own = wide * rng.uniform(0.5, 1.1)
        start = np.array([x, begin])
        trees += _tree(rng, start, heading, size, max(own, 1.0), rough, int(rng.choice([0, 0, 1])))
        end = trees[-1][0][-1]
        lengths.append(size)
        if rng.random() < 0.3:  # it turns into the seam
            turn = float(rng.choice([0.0, np.pi])) + rng.normal(0, 0.1)
            trees.append((kinked(rng, end, turn, size * rng.uniform(0.2, 0.7), rough), own * 0.7))
    coverage = _draw(canvas, rng, trees)
    open_up(canvas, rng, coverage, wide)
    sizes = {"length": tuple(lengths), "width": (wide,)}
    if len(lengths) > 1:
        sizes["spacing"] = (width / len(lengths),)
    return [Painted("crack_channel", coverage > 0.4, count, sizes)]


@variant(
    "coating_peel", (2e-8, 4e-6), views=("polished",), detectors=("BSE", "SE"), grounds=("section",)
)
def parted_seam(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A layer that has come off along its seam: a gap, thin or wide, which is a crack as well."""
    height, width = canvas.shape
    seam = canvas.seams[int(rng.integers(len(canvas.seams)))]
    wide = draw_width(rng, 34.0) * (0.9 + 0.1 * canvas.strength)
    xs = np.arange(width, dtype=np.float32)
    middle, reach = rng.uniform(0, 1) * width, width * rng.uniform(0.2, 1.1)
    tip = np.clip((reach - np.abs(xs - middle)) / (0.5 * reach), 0, 1) ** 0.6
    swell = np.exp(0.45 * profile(rng, width, width / rng.uniform(3, 15)))
    half = 0.5 * wide * tip * swell
    path = seam + rng.uniform(0.2, 2.0) * profile(rng, width, 30) + rng.uniform(-0.5, 0.5) * wide
    ys = np.arange(height, dtype=np.float32)[:, None]
    ragged = min(0.2 * wide, 2.0) * soft_noise(rng, canvas.shape, rng.uniform(4, 14), 2)
    away = np.abs(ys - path[None, :]) + ragged
    coverage = smoothstep(half[None, :] - away, -0.6, 0.6) * (tip[None, :] > 0)
    open_up(canvas, rng, coverage, wide)
    mask = coverage > 0.4
    sizes = {"length": (2 * reach,), "width": (wide,)}
    return [Painted("coating_peel", mask, 1, sizes), Painted("crack_through", mask, 1, sizes)]
