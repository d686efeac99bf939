"""Bodies of every size on any ground: pores, foreign lumps, loose matter, missing patches.

Variants of the painters in `pores`, `inclusions`, `loose` and `coatings`, with sizes over two to
three decades within one frame.
"""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, variant
from training.synthesis.drawing import Points
from training.synthesis.fields import (
    Field,
    band_noise,
    blur,
    cells,
    power_noise,
    smoothstep,
    soft_noise,
)

Rng = np.random.Generator


def draw_sizes(rng: Rng, count: int, shape: tuple[int, int], least: float, most: float) -> Points:
    """Radii in pixels between `least` and `most` of the frame's height, few large, many small."""
    low, high = np.log(max(least, 1.2)), np.log(max(most * shape[0], 4.0))
    top = rng.uniform(low + 0.4 * (high - low), high)
    return np.exp(top - rng.exponential(rng.uniform(0.25, 1.1), count)).clip(np.exp(low), None)


def _places(canvas: Canvas, rng: Rng, count: int) -> Points:
    """Even, in clusters, along a line, or where grains meet."""
    height, width = canvas.shape
    draw = rng.random()
    if draw < 0.3 and canvas.cells is not None:
        ys, xs = np.nonzero(canvas.cells.borders > 0)
        pick = rng.integers(0, len(xs), count)
        return np.stack([xs[pick], ys[pick]], 1).astype(float)
    if draw < 0.5:
        hubs = rng.uniform((0, 0), (width, height), (int(rng.integers(1, 6)), 2))
        spread = rng.uniform(0.04, 0.2) * height
        return np.asarray(
            hubs[rng.integers(len(hubs), size=count)] + rng.normal(0, spread, (count, 2))
        )
    if draw < 0.6:
        ends = rng.uniform((0, 0), (width, height), (2, 2))
        at = rng.random((count, 1))
        return np.asarray(
            ends[0] + at * (ends[1] - ends[0]) + rng.normal(0, 0.02 * height, (count, 2))
        )
    return rng.uniform((0, 0), (width, height), (count, 2))


def _outlines(
    rng: Rng, places: Points, radii: Points, rough: float, aspect: float, corners: tuple[int, ...]
) -> list[Points]:
    return [
        drawing.blob(
            rng,
            place,
            radius,
            rough=rough,
            corners=int(rng.choice(corners)),
            aspect=aspect * float(rng.lognormal(0, 0.15)),
        )
        for place, radius in zip(places, radii, strict=True)
    ]


@variant(
    "open_porosity",
    (2e-8, 8e-6),
    views=("polished", "polished", "fracture", "surface"),
    secondary=True,
)
def pores(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Pores of any shape in any ground: black, or grey where their floor or a filler is in sight;
    a bright lip in SE where the edge is thin."""
    count = int(np.exp(rng.uniform(np.log(3), np.log(260))))
    radii = draw_sizes(rng, count, canvas.shape, 1.5, 0.09 if count < 20 else 0.03)
    rough = rng.uniform(0.15, 0.6)
    outlines = _outlines(
        rng, _places(canvas, rng, count), radii, rough, rng.uniform(1, 2.6), (0, 0, 0, 6, 8)
    )
    coverage = blur(
        drawing.polygons(canvas.shape, outlines, [1.0] * count), float(rng.uniform(0.3, 1.0))
    )
    _hollow_out(canvas, rng, coverage, float(np.median(radii)))
    sizes = {"equivalent_diameter": tuple((2 * radii[:400]).tolist())}
    return [Painted("open_porosity", coverage > 0.5, count, sizes)]


def _hollow_out(canvas: Canvas, rng: Rng, coverage: Field, radius: float) -> None:
    dark = rng.uniform(0.35, 0.96) * min(0.8 + 0.2 * canvas.strength, 1.2)
    floor: Field | float = 1.0
    if rng.random() < 0.5:  # an uneven floor, or part of a grain within
        floor = np.clip(0.9 + 0.3 * soft_noise(rng, canvas.shape, max(radius, 5), 2), 0.35, 1)
    canvas.dig(np.asarray(coverage * floor, np.float32), rng.uniform(1, 4), min(dark, 0.97))
    if not canvas.backscattered and rng.random() < 0.6:
        rim = blur(coverage, rng.uniform(1, 2)) * (1 - coverage)
        canvas.tone += rng.uniform(0.1, 0.8) * rim
        canvas.height -= 0.5 * radius * blur(coverage, max(radius * 0.4, 1.0))


@variant("bubble", (2e-8, 8e-6), views=("polished", "surface", "fracture"), secondary=True)
def bubbles(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Round gas cavities of very different sizes; some still hold a skin or a shaded wall."""
    count = int(np.exp(rng.uniform(np.log(2), np.log(120))))
    radii = draw_sizes(rng, count, canvas.shape, 2.0, 0.16 if count < 12 else 0.05)
    places = _places(canvas, rng, count)
    outlines = _outlines(rng, places, radii, rng.uniform(0.02, 0.12), rng.uniform(1, 1.25), (0,))
    coverage = drawing.polygons(canvas.shape, outlines, [1.0] * count)
    side = rng.uniform(0, 2 * np.pi)
    lit = np.zeros(canvas.shape, np.float32)
    for (x, y), radius in zip(places, radii, strict=True):
        if radius > 5:
            where, dx, dy = canvas.window(float(x), float(y), float(radius))
            lit[where] = (np.cos(side) * dx + np.sin(side) * dy) / radius
    shaded = np.clip(0.8 + 0.25 * lit, 0.3, 1).astype(np.float32)
    _hollow_out(canvas, rng, coverage * shaded, float(np.median(radii)))
    sizes = {"equivalent_diameter": tuple((2 * radii).tolist())}
    return [Painted("bubble", coverage > 0.5, count, sizes)]


@variant(
    "refractory_stone",
    (3e-8, 1e-5),
    views=("polished", "polished", "fracture", "etched"),
    secondary=True,
)
def lumps(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Foreign grains of any outline: lighter or darker, sharp or with a reaction rim, single or
    many, some of two phases."""
    count = int(np.exp(rng.uniform(np.log(1), np.log(24))))
    radii = draw_sizes(rng, count, canvas.shape, 4.0, 0.16 if count < 6 else 0.05)
    outlines = _outlines(
        rng,
        drawing.scatter(rng, canvas.shape, count),
        radii[:count],
        rng.uniform(0.2, 0.6),
        rng.uniform(1, 2.8),
        (0, 0, 5, 7, 10),
    )
    coverage = blur(drawing.polygons(canvas.shape, outlines, [1.0] * count), rng.uniform(0.4, 1.1))
    gap = float(rng.choice([-1, 1, 1])) * float(np.exp(rng.uniform(np.log(1.2), np.log(14))))
    gap *= canvas.strength if abs(gap) < 4 else 1.0
    if gap < 0:
        gap = max(gap, -5.0)
    texture = power_noise(rng, canvas.shape, rng.uniform(1.2, 2.4), 40)
    size = float(np.median(radii))
    if rng.random() < 0.35:  # a rim that has reacted with its surroundings
        halo = blur(coverage, max(0.3 * size, 1.5))
        canvas.z += 0.4 * gap * halo * (1 - coverage)
    canvas.z += coverage * (gap + rng.uniform(0.1, 0.9) * texture)
    canvas.tone *= 1 + coverage * float(np.clip(0.04 * gap, -0.25, 0.5))
    if rng.random() < 0.3:  # two phases within
        inner = smoothstep(band_noise(rng, canvas.shape, max(size * 0.6, 6), 0.6), 0.3, 0.6)
        canvas.z -= 0.6 * gap * inner * coverage
    canvas.height += coverage * rng.uniform(-1.0, 2.0) * (1 + 0.4 * texture)
    if rng.random() < 0.5:  # parted from the matrix along the edge
        edge = np.clip(blur(coverage, 1.2) * (1 - coverage) * 2.2, 0, 1)
        canvas.void = np.maximum(canvas.void, rng.uniform(0.2, 0.7) * edge)
    sizes = {"equivalent_diameter": tuple((2 * radii[:count]).tolist())}
    return [Painted("refractory_stone", coverage > 0.5, count, sizes)]


@variant(
    "dust_particle",
    (2e-8, 8e-6),
    views=("surface", "coated", "fracture", "polished", "etched"),
    detectors=("SE", "SE", "BSE"),
    secondary=True,
)
def loose_matter(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Debris of every size: dark organic flakes, bright grains, fine powder, clumps; each with its
    shadow and texture."""
    count = int(np.exp(rng.uniform(np.log(2), np.log(160))))
    radii = draw_sizes(rng, count, canvas.shape, 2.0, 0.1 if count < 10 else 0.035)
    places = _places(canvas, rng, count)
    outlines = _outlines(
        rng, places, radii, rng.uniform(0.2, 0.6), rng.uniform(1, 2.2), (0, 0, 5, 6, 9)
    )
    cover = drawing.polygons(canvas.shape, outlines, [1.0] * count)
    if rng.random() < 0.3:  # clumps of grains
        grain = cells(rng, canvas.shape, max(float(np.median(radii)) * 0.5, 4), 0.1)
        cover = cover * smoothstep(0.8 - grain.borders * 0.8, 0.0, 0.6)
    side = rng.uniform(0, 2 * np.pi)
    radius = float(np.median(radii))
    moved = np.array([np.cos(side), np.sin(side)]) * max(radius * 0.35, 1.2)
    shadow = blur(
        drawing.polygons(canvas.shape, [o + moved for o in outlines], [1.0] * count, 1),
        max(0.25 * radius, 1.0),
    )
    texture = power_noise(rng, canvas.shape, 2.0, max(radius, 8))
    canvas.void = np.maximum(
        canvas.void * (1 - cover), rng.uniform(0.1, 0.5) * shadow * (1 - cover)
    )
    dark = rng.random() < 0.45
    canvas.z += cover * (float(rng.choice([6.3, 7.5] if dark else [9, 12, 16, 24])) - canvas.z)
    body = blur(cover, max(0.3 * radius, 0.8))
    canvas.height += cover * (1.5 + radius * (0.4 * body + 0.12 * texture))
    level = rng.uniform(0.25, 0.6) if dark else rng.uniform(1.15, 1.9)
    canvas.tone += cover * (level - canvas.tone) * (0.8 + 0.2 * min(canvas.strength, 1.5))
    canvas.tone *= 1 + 0.18 * cover * texture
    if not canvas.backscattered and rng.random() < 0.5:  # a charged edge
        canvas.tone += rng.uniform(0.2, 0.9) * cover * np.clip(1 - blur(cover, 2), 0, 1)
    sizes = {"equivalent_diameter": tuple((2 * radii).tolist())}
    return [Painted("dust_particle", cover > 0.5, count, sizes)]


@variant("pit", (5e-9, 2e-6), views=("surface", "coated"), detectors=("SE", "BSE"), secondary=True)
def pits(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Etched hollows that overlap, of many sizes, their floors in sight: bowls, not holes."""
    count = int(np.exp(rng.uniform(np.log(4), np.log(140))))
    radii = draw_sizes(rng, count, canvas.shape, 2.5, 0.08 if count < 20 else 0.04)
    places = _places(canvas, rng, count)
    for (x, y), radius in zip(places, radii, strict=True):
        where, dx, dy = canvas.window(float(x), float(y), float(radius) * 1.3)
        if not dx.size or not dy.size:
            continue
        bowl = np.clip(1 - (np.hypot(dx, dy) / radius) ** 2, 0, 1)
        canvas.height[where] -= 0.55 * radius * bowl * canvas.strength
        canvas.void[where] = np.maximum(canvas.void[where], 0.25 * bowl)
    mask = np.zeros(canvas.shape, bool)
    mask |= drawing.discs(canvas.shape, places, radii.tolist(), scale=1) > 0.5
    sizes = {"equivalent_diameter": tuple((2 * radii).tolist())}
    return [Painted("pit", mask, count, sizes)]
