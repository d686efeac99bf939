"""Painters of mechanical damage: scratch, abrasion, chatter, chip.

Not painted: subsurface damage, which needs an etched taper section.
"""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.cracks import _taper, centre_lines, indent
from training.synthesis.drawing import Points, Stroke
from training.synthesis.fields import band_noise, blur, smoothstep, soft_noise

Rng = np.random.Generator


def _track(canvas: Canvas, rng: Rng, whole: bool) -> tuple[Points, float]:
    height, width = canvas.shape
    angle = rng.uniform(0, np.pi)
    middle = np.array([width * rng.uniform(0.2, 0.8), height * rng.uniform(0.2, 0.8)])
    size = max(height, width) * (1.5 if whole else rng.uniform(0.25, 0.7))
    start = middle - size / 2 * np.array([np.cos(angle), np.sin(angle)])
    bend = rng.normal(0, 0.0015)
    return drawing.wander(rng, start, angle, size, step=6, rough=0.01, turn=abs(bend)), size


@painter("scratch", (2e-8, 8e-6), views=("surface", "polished", "coated"), secondary=True)
def scratch(canvas: Canvas, rng: Rng) -> list[Painted]:
    """One to a few grooves: ploughed and smooth, or crushed with debris and side cracks."""
    crushed = rng.random() < 0.5
    mask = np.zeros(canvas.shape, bool)
    widths, lengths = [], []
    lines: list[Stroke] = []
    for _ in range(rng.choice([1, 1, 2, 3, 5])):
        path, size = _track(canvas, rng, rng.random() < 0.6)
        width = rng.uniform(2.2, 11)
        flicker = width * np.clip(1 + 0.15 * rng.standard_normal(len(path)), 0.5, 1.6)
        coverage = drawing.strokes(canvas.shape, [(path, flicker if crushed else width)])
        groove = blur(coverage, width * 0.22)
        canvas.height -= groove * width * rng.uniform(0.35, 0.6) * canvas.strength
        rim = np.clip(blur(coverage, width * 0.5) - 0.6 * groove, 0, 1)
        canvas.height += rim * width * 0.3 * canvas.strength  # pile-up beside the groove
        canvas.void = np.maximum(canvas.void, 0.3 * groove)
        if crushed:
            near = blur(coverage, width * 0.8)
            crumbs = (soft_noise(rng, canvas.shape, 4) > 1.1) * np.clip(near * 2.2, 0, 1)
            canvas.height += crumbs * rng.uniform(1.5, 3)
            canvas.tone += 0.3 * crumbs * near
            canvas.dig(drawing.strokes(canvas.shape, _ticks(rng, path, width)), 1.5, 0.7)
        mask |= coverage > 0.4
        widths.append(width)
        lengths.append(size)
        lines.append((path, width))
    sizes = {
        "width": tuple(widths),
        "length": tuple(lengths),
        **centre_lines(canvas.shape, lines),
    }
    return [Painted("scratch", mask, len(widths), sizes)]


def _ticks(rng: Rng, path: Points, width: float) -> list[Stroke]:
    lines: list[Stroke] = []
    for at in rng.integers(1, len(path) - 1, min(len(path) // 6, int(rng.integers(3, 16)))):
        along = path[at] - path[at - 1]
        angle = np.arctan2(along[1], along[0]) + rng.choice([-1, 1]) * rng.uniform(0.5, 1.3)
        tick = drawing.wander(
            rng, path[at], angle, width * rng.uniform(0.6, 3.0), step=2, rough=0.4
        )
        lines.append((tick, _taper(tick, 1.1, rng)))
    return lines


@painter("chatter_mark", (5e-8, 2e-6), views=("polished", "surface"), detectors=("SE",))
def chatter_mark(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Crescent cracks, all the same way round, along one track."""
    path, _ = _track(canvas, rng, True)
    size, wide = rng.uniform(10, 32), rng.uniform(1.6, 3.0) * canvas.strength
    spacing = size * rng.uniform(0.5, 1.4)
    lines: list[Stroke] = []
    every = max(int(spacing / 6), 1)
    for at in range(1, len(path), every):
        along = path[at] - path[at - 1]
        heading = np.arctan2(along[1], along[0])
        angles = heading + np.linspace(-1.1, 1.1, 12)
        radius = size * rng.uniform(0.8, 1.15)
        arc = path[at] + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
        lines.append((arc, wide))
    coverage = drawing.strokes(canvas.shape, lines)
    canvas.dig(coverage, 2.0, 0.75)
    canvas.tone += 0.25 * blur(coverage, 2.0) * (1 - coverage)
    return [Painted("chatter_mark", coverage > 0.3, len(lines), {"spacing": (spacing,)})]


@painter("abrasion", (2e-7, 8e-6), views=("surface",), detectors=("SE", "SE", "BSE"))
def abrasion(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A matt patch: angular facets, pits and short scratches."""
    cover = np.ones(canvas.shape, np.float32)
    if rng.random() < 0.7:
        edge = soft_noise(rng, canvas.shape, canvas.shape[0] * 0.5)
        cover = smoothstep(edge + 0.25 * soft_noise(rng, canvas.shape, 14), 0.1, 0.5)
    rough = band_noise(rng, canvas.shape, rng.uniform(7, 22), 0.6)
    facets = np.abs(rough) ** 0.6 * np.sign(rough)
    canvas.height += cover * facets * rng.uniform(1.5, 3.0) * canvas.strength
    canvas.void = np.maximum(canvas.void, 0.5 * cover * np.clip(-rough - 1.2, 0, 1))
    lines: list[Stroke] = []
    angle = rng.uniform(0, np.pi)
    for _ in range(int(rng.integers(20, 90))):
        place = rng.uniform((0, 0), (canvas.shape[1], canvas.shape[0]))
        turn = angle + rng.normal(0, 0.6)
        reach = rng.uniform(10, 60) * np.array([np.cos(turn), np.sin(turn)])
        lines.append((np.stack([place - reach, place + reach]), rng.uniform(0.8, 2.2)))
    canvas.height -= 1.6 * drawing.strokes(canvas.shape, lines) * cover * canvas.strength
    mask = cover > 0.5
    return [Painted("abrasion", mask, 1, {"area_fraction": (float(mask.mean()),)})]


@painter("chip", (1e-7, 8e-6), views=("surface",), detectors=("SE",))
def chip(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Scalloped conchoidal bowls at an edge beyond which there is nothing."""
    height, width = canvas.shape
    angle = rng.normal(0, 0.12)
    ys, xs = np.ogrid[:height, :width]
    line = height * rng.uniform(0.12, 0.3) + (xs - width / 2) * np.tan(angle)
    depth = (ys - line).astype(np.float32)
    outside = smoothstep(-depth, -0.8, 0.8)
    mask = np.zeros(canvas.shape, bool)
    sizes = []
    for _ in range(int(rng.integers(1, 5))):
        radius = height * rng.uniform(0.07, 0.26)
        x = rng.uniform(0.1, 0.9) * width
        y = float(line[0, int(x)]) - radius * rng.uniform(0.0, 0.3)
        squash = rng.uniform(0.8, 1.6)
        distance = np.sqrt(((xs - x) / squash) ** 2 + (ys - y) ** 2).astype(np.float32)
        distance *= 1 + 0.04 * soft_noise(rng, canvas.shape, radius / 3)
        inside = smoothstep(radius - distance, -0.8, 0.8) * (1 - outside)
        ripple = np.sin(distance / radius * rng.uniform(14, 34) + rng.uniform(0, 6)) * 1.8
        bowl = np.clip(1 - (distance / radius) ** 2, 0, 1) ** 0.5 * radius * 0.55
        canvas.height -= inside * (bowl + 3 - 0.5 * ripple * canvas.strength)
        canvas.void = np.maximum(canvas.void, inside * 0.25)
        mask |= inside > 0.5
        sizes.append(2 * radius * squash)
    canvas.void = np.maximum(canvas.void, 0.93 * outside)
    canvas.tone += 0.5 * np.exp(-((depth / 2.0) ** 2))  # the bright edge itself
    return [Painted("chip", mask, len(sizes), {"width": tuple(sizes)})]


@painter(
    "indent_impression", (2e-8, 6e-7), views=("surface", "polished"), detectors=("SE", "SE", "BSE")
)
def indent_impression(canvas: Canvas, rng: Rng) -> list[Painted]:
    """One indent, or a row of them, without cracks."""
    height, width = canvas.shape
    half = height * rng.uniform(0.04, 0.14)
    turn = rng.choice([0.0, np.pi / 4, rng.uniform(0, np.pi / 2)])
    count = int(rng.choice([1, 1, 2, 3]))
    mask = np.zeros(canvas.shape, bool)
    for index in range(count):
        x = width * ((index + 1) / (count + 1) + rng.normal(0, 0.02))
        mask |= indent(canvas, x, height * rng.uniform(0.4, 0.6), half, turn)
    return [Painted("indent_impression", mask, count, {"diagonal": (2 * half,) * count})]
