"""Painters of cracks: through, thermal, indentation, Hertzian, channel cracks and crazing.

Not painted: the median crack, which needs a section through its plane.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import Voronoi

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.drawing import Points, Stroke
from training.synthesis.fields import Field, Shape, blur

Rng = np.random.Generator


def open_crack(canvas: Canvas, rng: Rng, coverage: Field, *, dark: float, lips: float) -> None:
    """A gap with bright charged lips; one lip often stands a little higher than the other."""
    canvas.dig(coverage, 1.5, min(dark * (0.75 + 0.25 * canvas.strength), 0.97))
    if not canvas.backscattered and lips > 0.02:
        canvas.tone += lips * blur(coverage, 1.8) * (1 - coverage)


def length_of(path: Points) -> float:
    return float(np.hypot(*np.diff(path, axis=0).T).sum())


def centre_lines(shape: Shape, lines: list[Stroke]) -> dict[str, tuple[float, ...]]:
    """The painted centre lines, in pixels: `centre_line_length`, all of them together inside the
    frame, and `centre_line_width`, the median of the painted widths, weighted by length."""
    lengths, widths = [], []
    for points, width in lines:
        steps = np.diff(points, axis=0)
        # In hundredths of a step, the frame cuts exactly enough.
        at = (np.arange(100) + 0.5) / 100
        inside = points[:-1, None] + at[:, None] * steps[:, None]
        seen = np.all((inside >= 0) & (inside <= (shape[1], shape[0])), axis=2).mean(axis=1)
        lengths.append(np.hypot(*steps.T) * seen)
        wide = np.broadcast_to(np.asarray(width, float), len(points))[:-1]
        # The pen draws at double size in whole pixels.
        widths.append(np.where(2 * wide < 1, wide, np.round(2 * wide) / 2))
    length, wide = np.concatenate(lengths), np.concatenate(widths)
    if length.sum() == 0:
        return {}
    order = np.argsort(wide)
    reached = np.cumsum(length[order])
    middle = wide[order][np.searchsorted(reached, 0.5 * reached[-1])]
    return {"centre_line_length": (float(length.sum()),), "centre_line_width": (float(middle),)}


def _across(canvas: Canvas, rng: Rng) -> tuple[Points, float]:
    """A start on or near the frame's edge and a heading into it."""
    height, width = canvas.shape
    angle = rng.uniform(0, 2 * np.pi)
    middle = np.array([width * rng.uniform(0.25, 0.75), height * rng.uniform(0.25, 0.75)])
    reach = 0.6 * max(height, width)
    start = middle - reach * np.array([np.cos(angle), np.sin(angle)])
    if rng.random() < 0.4:
        start = middle - rng.uniform(0.2, 0.5) * height * np.array([np.cos(angle), np.sin(angle)])
    return start, angle


def _inside(canvas: Canvas, path: Points) -> Points:
    height, width = canvas.shape
    keep = (path[:, 0] > -2) & (path[:, 0] < width + 2) & (path[:, 1] > -2)
    return path[keep & (path[:, 1] < height + 2)]


def _taper(path: Points, width: float, rng: Rng) -> np.ndarray:
    t = np.linspace(0, 1, len(path))
    tail = np.clip((1 - t) * rng.uniform(2, 8), 0.25, 1)
    return np.maximum(width * tail * (1 + 0.25 * np.sin(t * rng.uniform(5, 25))), 0.6)


@painter("crack_through", (5e-9, 5e-6), secondary=True)
def crack_through(canvas: Canvas, rng: Rng) -> list[Painted]:
    lines: list[Stroke] = []
    lengths: list[float] = []
    width = rng.uniform(1.8, 6.5) * (0.8 + 0.2 * canvas.strength)
    rough = rng.uniform(0.05, 0.6)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        start, angle = _across(canvas, rng)
        size = max(canvas.shape) * rng.uniform(0.6, 1.5)
        path = drawing.wander(rng, start, angle, size, rough=rough, turn=rng.uniform(0.005, 0.06))
        lines.append((path, _taper(path, width, rng)))
        lengths.append(length_of(_inside(canvas, path)))
        for _ in range(rng.poisson(0.8)):
            at = int(rng.uniform(0.2, 0.8) * len(path))
            side = angle + rng.choice([-1, 1]) * rng.uniform(0.3, 0.9)
            branch = drawing.wander(rng, path[at], side, size * rng.uniform(0.1, 0.4), rough=rough)
            lines.append((branch, _taper(branch, width * rng.uniform(0.4, 0.8), rng)))
    coverage = drawing.strokes(canvas.shape, lines)
    open_crack(canvas, rng, coverage, dark=rng.uniform(0.7, 0.95), lips=rng.choice([0, 0.3, 0.8]))
    return [
        Painted(
            "crack_through",
            coverage > 0.3,
            len(lengths),
            {
                "length": tuple(lengths),
                "width": (width,),
                **centre_lines(canvas.shape, lines),
            },
        )
    ]


@painter("crack_thermal", (2e-7, 2e-5), views=("surface", "polished"))
def crack_thermal(canvas: Canvas, rng: Rng) -> list[Painted]:
    height, width = canvas.shape
    across = rng.random() < 0.5
    start = (
        (0.0, height * rng.uniform(0.2, 0.8)) if across else (width * rng.uniform(0.2, 0.8), 0.0)
    )
    heading = 0.0 if across else np.pi / 2
    size = (width if across else height) * rng.uniform(0.7, 1.05)
    wide = rng.uniform(1.5, 4.0) * (0.8 + 0.2 * canvas.strength)
    path = _waving(rng, start, heading, size)
    lines: list[Stroke] = [(path, _taper(path, wide, rng))]
    for sign in (-1, 1)[: rng.integers(0, 3)]:
        at = int(rng.uniform(0.25, 0.6) * len(path))
        side = heading + sign * rng.uniform(0.35, 0.8)
        arm = _waving(rng, path[at], side, size * rng.uniform(0.3, 0.7))
        lines.append((arm, _taper(arm, wide * 0.8, rng)))
    coverage = drawing.strokes(canvas.shape, lines)
    open_crack(canvas, rng, coverage, dark=rng.uniform(0.75, 0.95), lips=rng.choice([0, 0.4]))
    lengths = tuple(length_of(_inside(canvas, points)) for points, _ in lines)
    return [
        Painted(
            "crack_thermal",
            coverage > 0.3,
            len(lines),
            {"length": lengths, "width": (wide,), **centre_lines(canvas.shape, lines)},
        )
    ]


def _waving(rng: Rng, start: Points | tuple[float, float], heading: float, size: float) -> Points:
    count = max(int(size / 5), 3)
    t = np.linspace(0, 1, count)
    swing = rng.uniform(0.1, 0.6) * np.sin(2 * np.pi * (t * rng.uniform(0.8, 3) + rng.random()))
    angles = heading + swing
    moves = np.stack([np.cos(angles), np.sin(angles)], 1) * size / count
    return np.asarray(start, float) + np.cumsum(moves, 0)


@painter("crack_radial", (2e-8, 6e-7), views=("surface", "polished"), detectors=("SE", "SE", "BSE"))
def crack_radial(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A Vickers impression with cracks from its corners, with or without a lateral halo."""
    height, width = canvas.shape
    x, y = width * rng.uniform(0.35, 0.65), height * rng.uniform(0.35, 0.65)
    half = height * rng.uniform(0.06, 0.16)
    turn = rng.uniform(0, np.pi / 2)
    impression = indent(canvas, x, y, half, turn)
    lines: list[Stroke] = []
    lengths = []
    for corner in range(4):
        if rng.random() < 0.1 and lines:
            continue
        angle = turn + corner * np.pi / 2
        tip = np.array([x + half * np.cos(angle), y + half * np.sin(angle)])
        size = half * rng.uniform(0.8, 2.8)
        path = drawing.wander(rng, tip, angle + rng.normal(0, 0.06), size, rough=0.12, turn=0.02)
        lines.append((path, _taper(path, rng.uniform(1.3, 2.8) * canvas.strength, rng)))
        lengths.append(length_of(path) + half)
    coverage = drawing.strokes(canvas.shape, lines)
    open_crack(canvas, rng, coverage, dark=rng.uniform(0.7, 0.95), lips=rng.choice([0.1, 0.5]))
    painted = [
        Painted(
            "crack_radial",
            coverage > 0.3,
            len(lines),
            {"length": tuple(lengths), **centre_lines(canvas.shape, lines)},
        ),
        Painted("indent_impression", impression, 1, {"diagonal": (2 * half,)}),
    ]
    if rng.random() < 0.35:
        painted.append(_lateral(canvas, rng, x, y, half * rng.uniform(1.5, 2.4)))
    return painted


def indent(canvas: Canvas, x: float, y: float, half: float, turn: float) -> np.ndarray:
    """A four-sided pyramid pressed in, its corners `half` pixels from the middle."""
    where, dx, dy = canvas.window(x, y, half * 1.5)
    u = np.abs(dx * np.cos(turn) + dy * np.sin(turn))
    v = np.abs(-dx * np.sin(turn) + dy * np.cos(turn))
    inside = np.clip(half - (u + v), 0, None)
    canvas.height[where] -= 0.45 * inside
    canvas.height[where] += 0.08 * half * np.exp(-((((u + v) / half - 1.05) / 0.12) ** 2))
    canvas.void[where] = np.maximum(canvas.void[where], 0.35 * inside / half)
    mask = np.zeros(canvas.shape, bool)
    mask[where] = inside > 0
    return mask


def _lateral(canvas: Canvas, rng: Rng, x: float, y: float, radius: float) -> Painted:
    outline = drawing.blob(rng, (x, y), radius, rough=0.35)
    coverage = blur(drawing.polygons(canvas.shape, [outline], [1.0], scale=1), 1.5)
    bright = 0.12 * canvas.strength
    canvas.tone *= 1 + (bright if not canvas.backscattered else -bright) * coverage
    canvas.height += 1.2 * coverage
    return Painted("crack_lateral", coverage > 0.5, 1, {"equivalent_diameter": (2 * radius,)})


@painter("crack_hertzian_cone", (5e-8, 8e-6), views=("surface",), detectors=("SE",))
def crack_hertzian_cone(canvas: Canvas, rng: Rng) -> list[Painted]:
    height, width = canvas.shape
    x, y = width * rng.uniform(0.35, 0.65), height * rng.uniform(0.35, 0.65)
    radius = first = height * rng.uniform(0.12, 0.25)
    lines: list[Stroke] = []
    for ring in range(rng.integers(2, 6)):
        whole = ring == 0
        begin, sweep = rng.uniform(0, 2 * np.pi), 2 * np.pi if whole else rng.uniform(1.0, 5.5)
        angles = np.linspace(begin, begin + sweep, 70)
        wave = 1 + 0.012 * np.sin(angles * 3 + rng.uniform(0, 6)) + rng.normal(0, 0.003, 70)
        arc = np.stack([x + radius * wave * np.cos(angles), y + radius * wave * np.sin(angles)], 1)
        lines.append((arc, rng.uniform(1.3, 3.2) * canvas.strength * (1.2 if whole else 0.8)))
        radius *= rng.uniform(1.06, 1.3)
    coverage = drawing.strokes(canvas.shape, lines)
    open_crack(canvas, rng, coverage, dark=rng.uniform(0.65, 0.95), lips=rng.choice([0.2, 0.6]))
    where, dx, dy = canvas.window(x, y, first)
    canvas.height[where] -= 2.0 * np.exp(-(dx**2 + dy**2) / (2 * (0.5 * first) ** 2))
    sizes = {"diameter": (2 * first,), **centre_lines(canvas.shape, lines)}
    return [Painted("crack_hertzian_cone", coverage > 0.3, len(lines), sizes)]


@painter("crazing", (5e-8, 2e-5), views=("surface",), detectors=("SE", "SE", "BSE"))
def crazing(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A closed network of polygons: the edges of a Voronoi diagram, roughened."""
    height, width = canvas.shape
    cell = rng.uniform(0.1, 0.32) * height
    count = int(1.7 * height * width / cell**2) + 8
    seeds = rng.uniform((-0.2 * width, -0.2 * height), (1.2 * width, 1.2 * height), (count, 2))
    diagram = Voronoi(seeds)
    wide = rng.uniform(1.0, 3.2) * (0.7 + 0.3 * canvas.strength)
    lines: list[Stroke] = []
    for first, second in diagram.ridge_vertices:
        if first >= 0 and second >= 0 and rng.random() > 0.06:
            a, b = diagram.vertices[first], diagram.vertices[second]
            if np.all(np.abs([a[0], b[0]]) < 2 * width) and np.all(
                np.abs([a[1], b[1]]) < 2 * height
            ):
                lines.append((drawing.wiggle(rng, a, b, 0.07), wide * rng.uniform(0.6, 1.3)))
    coverage = drawing.strokes(canvas.shape, lines)
    open_crack(canvas, rng, coverage, dark=rng.uniform(0.6, 0.92), lips=rng.choice([0, 0.3]))
    if rng.random() < 0.5:
        canvas.height += rng.uniform(0.5, 2.5) * blur(coverage, cell / 9)  # cupped flakes
    sizes = {"cell": (cell,), "width": (wide,), **centre_lines(canvas.shape, lines)}
    return [Painted("crazing", coverage > 0.3, None, sizes)]


@painter("crack_channel", (5e-9, 1e-6), views=("coated",), detectors=("SE", "SE", "BSE"))
def crack_channel(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Cracks through a film: later ones stop at right angles on earlier ones."""
    height, width = canvas.shape
    wide = rng.uniform(1.8, 6.0) * (0.8 + 0.2 * canvas.strength)
    spacing = rng.uniform(0.12, 0.4) * height
    reach = float(np.hypot(height, width))
    turn = rng.uniform(0, np.pi)
    lines: list[Stroke] = []
    cells = [np.array([-reach / 2, -reach / 2, reach / 2, reach / 2])]
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([width / 2, height / 2])
    while cells:
        x0, y0, x1, y1 = cells.pop()
        across = (x1 - x0) > (y1 - y0)
        if max(x1 - x0, y1 - y0) < spacing * rng.uniform(1.0, 1.9):
            continue
        at = rng.uniform(0.35, 0.65)
        if across:
            x = x0 + at * (x1 - x0)
            ends = np.array([[x, y0], [x + rng.normal(0, 0.05) * spacing, y1]])
            cells += [np.array([x0, y0, x, y1]), np.array([x, y0, x1, y1])]
        else:
            y = y0 + at * (y1 - y0)
            ends = np.array([[x0, y], [x1, y + rng.normal(0, 0.05) * spacing]])
            cells += [np.array([x0, y0, x1, y]), np.array([x0, y, x1, y1])]
        ends = ends @ turned.T + middle
        amount = rng.uniform(0.02, 0.07)
        path = drawing.wiggle(rng, ends[0], ends[1], amount, step=8)
        lines.append((path, wide * rng.uniform(0.6, 1.2)))
    coverage = drawing.strokes(canvas.shape, lines)
    open_crack(canvas, rng, coverage, dark=rng.uniform(0.5, 0.85), lips=rng.choice([0.2, 0.7]))
    canvas.height += rng.uniform(0, 1.5) * blur(coverage, 4)  # film curls up at its edges
    sizes = {"spacing": (spacing,), "width": (wide,), **centre_lines(canvas.shape, lines)}
    return [Painted("crack_channel", coverage > 0.3, None, sizes)]
