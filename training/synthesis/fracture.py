"""Painters of marks on a fracture surface: mirror, mist, hackle, Wallner and arrest lines, tails.

Not painted: crack branching, scarps and cantilever curl.
"""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.drawing import Stroke
from training.synthesis.fields import band_noise, blur, smoothstep, soft_noise, stretch

Rng = np.random.Generator


def _polar(canvas: Canvas, x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
    ys, xs = np.ogrid[: canvas.shape[0], : canvas.shape[1]]
    dx, dy = (xs - x).astype(np.float32), (ys - y).astype(np.float32)
    return np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx).astype(np.float32)


@painter("fracture_mirror", (2e-7, 5e-6), views=("fracture",), detectors=("SE",))
def fracture_mirror(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Smooth mirror round an origin, then mist, then velocity hackle that fans outwards."""
    height, width = canvas.shape
    x = width * rng.uniform(0.3, 0.7)
    y = height * float(
        rng.choice([rng.uniform(-0.05, 0.12), rng.uniform(0.9, 1.05), rng.uniform(0.3, 0.7)])
    )
    radius, angle = _polar(canvas, x, y)
    mirror = height * rng.uniform(0.2, 0.5)
    edge = mirror * (1 + 0.06 * soft_noise(rng, canvas.shape, height / 3))
    mist_end = edge * rng.uniform(1.15, 1.45)
    frost = smoothstep(radius, edge * 0.95, mist_end)
    hackle = smoothstep(radius, edge * 1.1, mist_end * 1.5)
    grain = band_noise(rng, canvas.shape, rng.uniform(4, 7), 0.8)
    canvas.height += frost * (0.35 + 0.5 * hackle) * grain * canvas.strength
    # Ridges: noise in polar coordinates, long in radius and narrow in angle.
    rings, spokes = 24, int(rng.integers(150, 320))
    table = stretch(rng.standard_normal((rings // 3, spokes), np.float32), (rings, spokes * 3))
    row = np.clip(radius / float(radius.max()) * (rings - 1), 0, rings - 1.001)
    column = (angle / (2 * np.pi) % 1.0) * (spokes * 3 - 1)
    ridges = table[row.astype(np.int32), column.astype(np.int32)]
    canvas.height += hackle * blur(ridges, 1.6) * rng.uniform(3.0, 6.0) * canvas.strength
    mirror_mask = radius < edge * 0.95
    painted = [
        Painted("fracture_mirror", mirror_mask, 1, {"radius": (mirror,)}),
        Painted("mist", (frost > 0.3) & (hackle < 0.5), 1, {}),
        Painted("hackle_velocity", hackle > 0.5, None, {}),
    ]
    if 0.02 * height < y < 0.98 * height and rng.random() < 0.3:
        flaw = drawing.blob(rng, (x, y), mirror / rng.uniform(10, 13), rough=0.4, corners=8)
        coverage = drawing.polygons(canvas.shape, [flaw], [1.0])
        canvas.dig(coverage, 3, 0.7)
        canvas.tone += 0.3 * blur(coverage, 2) * (1 - coverage)
        painted.append(
            Painted("fracture_origin", coverage > 0.5, 1, {"equivalent_diameter": (mirror / 6,)})
        )
    return painted


@painter("wallner_line", (1e-7, 5e-6), views=("fracture",), detectors=("SE",))
def wallner_line(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Families of smooth low arcs, crossing at an angle where there are two."""
    height, width = canvas.shape
    relief = np.zeros(canvas.shape, np.float32)
    spacing = height * rng.uniform(0.03, 0.12)
    for _ in range(int(rng.choice([1, 2]))):
        turn = rng.uniform(0, 2 * np.pi)
        reach = height * rng.uniform(0.6, 2.5)
        x, y = width / 2 + reach * np.cos(turn), height / 2 + reach * np.sin(turn)
        radius, _ = _polar(canvas, x, y)
        radius = radius + spacing * 0.35 * soft_noise(rng, canvas.shape, height * 1.2)
        span = int(float(radius.max())) + 2
        line = np.zeros(span * 2, np.float32)
        at = rng.uniform(0, spacing)
        while at < span:
            wide = spacing * rng.uniform(0.06, 0.18)
            place = np.arange(line.size) / 2
            line += rng.uniform(0.4, 1.2) * np.exp(-(((place - at) / wide) ** 2))
            at += spacing * rng.uniform(0.4, 1.8)
        relief += line[np.clip((radius * 2).astype(np.int32), 0, line.size - 1)]
    canvas.height += blur(relief, 0.8) * rng.uniform(1.2, 3.0) * canvas.strength
    return [Painted("wallner_line", relief > 0.5, None, {"spacing": (spacing,)})]


@painter("hackle_twist", (1e-7, 4e-6), views=("fracture",), detectors=("SE",))
def hackle_twist(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Lances that merge in the running direction, like a river."""
    height, width = canvas.shape
    angle = rng.uniform(0, 2 * np.pi)
    ys, xs = np.ogrid[:height, :width]
    along = ((xs - width / 2) * np.cos(angle) + (ys - height / 2) * np.sin(angle)).astype(
        np.float32
    )
    across = (-(xs - width / 2) * np.sin(angle) + (ys - height / 2) * np.cos(angle)).astype(
        np.float32
    )
    reach = float(np.hypot(height, width))
    t = (along / reach + 0.5).clip(0, 1)
    across = across + 0.04 * height * soft_noise(rng, canvas.shape, height / 2)
    spacing = height * rng.uniform(0.03, 0.09)
    # Irregular steps; every second one dies out on the way, where two lances have merged.
    low = float(across.min())
    span = int(2 * (float(across.max()) - low)) + 4
    index = np.clip(((across - low) * 2).astype(np.int32), 0, span - 1)
    edges = np.cumsum(spacing * 2 * rng.lognormal(-0.1, 0.5, int(span / spacing) + 4))
    fine, coarse = _sawtooth(span, edges, rng), _sawtooth(span, edges[::2], rng)
    merged = smoothstep(t + 0.22 * soft_noise(rng, canvas.shape, height / 5), 0.35, 0.75)
    relief = fine[index] * (1 - merged) + coarse[index] * merged
    relief = relief * (0.8 + 0.35 * soft_noise(rng, canvas.shape, height / 4))
    relief += 0.25 * band_noise(rng, canvas.shape, 14, 0.6, angle, 5.0)
    canvas.height += blur(relief, 0.9) * rng.uniform(0.8, 1.5) * canvas.strength
    return [Painted("hackle_twist", None, None, {"spacing": (spacing,)})]


def _sawtooth(span: int, edges: np.ndarray, rng: Rng) -> np.ndarray:
    """A line that climbs slowly and drops at each edge, by steps of several heights."""
    place = np.arange(span)
    which = np.searchsorted(edges, place)
    before = np.concatenate([[0.0], edges])[which]
    after = np.concatenate([edges, [span + 1.0]])[which]
    steps = rng.uniform(1.0, 6.0, len(edges) + 1)
    climb = (place - before) / np.maximum(after - before, 1.0)
    return np.asarray(climb * steps[which], np.float32)


@painter("hackle_wake", (1e-7, 3e-6), views=("fracture",), detectors=("SE",))
def hackle_wake(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Single steps that trail from bubbles, all the same way."""
    height, _ = canvas.shape
    heading = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(heading), np.sin(heading)])
    places = drawing.scatter(rng, canvas.shape, int(rng.integers(2, 9)), apart=height * 0.15)
    pores = np.zeros(canvas.shape, bool)
    lines: list[Stroke] = []
    radii, lengths = [], []
    for x, y in places:
        radius = height * rng.uniform(0.012, 0.04)
        where, dx, dy = canvas.window(x, y, radius + 3)
        distance = np.hypot(dx, dy)
        canvas.height[where] -= np.sqrt(np.clip(radius**2 - distance**2, 0, None)) * 0.8
        inside = smoothstep(radius - distance, -0.7, 0.7)
        canvas.void[where] = np.maximum(canvas.void[where], 0.65 * inside)
        pores[where] |= distance < radius
        size = height * rng.uniform(0.12, 0.45)
        tail = drawing.wander(
            rng, np.array([x, y]) + radius * along, heading, size, rough=0.05, turn=0.01
        )
        lines.append((tail, np.linspace(3.2, 1.0, len(tail)) * canvas.strength))
        radii.append(2 * radius)
        lengths.append(size)
    tails = drawing.strokes(canvas.shape, lines)
    canvas.height += blur(tails, 0.8) * 3.0 * canvas.strength
    canvas.tone += 0.15 * tails
    return [
        Painted("hackle_wake", tails > 0.3, len(lines), {"length": tuple(lengths)}),
        Painted("bubble", pores, len(radii), {"equivalent_diameter": tuple(radii)}),
    ]


@painter("arrest_line", (2e-7, 5e-6), views=("fracture",), detectors=("SE",))
def arrest_line(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A sharp curved step; the texture differs behind it."""
    height, width = canvas.shape
    turn, reach = rng.uniform(0, 2 * np.pi), height * rng.uniform(0.6, 2.0)
    radius, _ = _polar(canvas, width / 2 + reach * np.cos(turn), height / 2 + reach * np.sin(turn))
    radius = radius + 8 * soft_noise(rng, canvas.shape, height / 2)
    mask = np.zeros(canvas.shape, bool)
    count = int(rng.choice([1, 1, 2, 3]))
    first = reach + height * rng.uniform(-0.3, 0.1)
    for index in range(count):
        at = first + index * height * 0.18
        step = smoothstep(radius, at - 1.2, at + 1.2)
        canvas.height += step * rng.uniform(3, 7) * canvas.strength
        canvas.height += step * rng.uniform(0.15, 0.5) * band_noise(rng, canvas.shape, 9, 0.5)
        canvas.tone += 0.25 * np.exp(-(((radius - at) / 2.2) ** 2))
        mask |= np.abs(radius - at) < 4
    return [Painted("arrest_line", mask, count, {})]
