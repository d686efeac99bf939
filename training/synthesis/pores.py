"""Painters of gas and voids: bubbles, open porosity, foam cells, nanoporous networks."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.fields import band_noise, smoothstep, soft_noise, stretch

Rng = np.random.Generator


@painter("bubble", (5e-8, 8e-6), secondary=True)
def bubble(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Cut-open spherical cavities: a sharp smooth rim, a bowl that darkens towards one side."""
    height, _ = canvas.shape
    many = rng.random() < 0.5
    count = int(rng.integers(6, 36)) if many else int(rng.integers(1, 5))
    largest = height * (rng.uniform(0.015, 0.06) if many else rng.uniform(0.04, 0.2))
    radii = np.clip(largest * rng.lognormal(-0.35, 0.45, count), 3.5, 0.24 * height)
    places = drawing.scatter(rng, canvas.shape, count, apart=largest * 1.2)
    mask = np.zeros(canvas.shape, bool)
    aspect = 1 + abs(rng.normal(0, 0.12)) + (rng.uniform(0.4, 1.5) if rng.random() < 0.12 else 0)
    turn = rng.uniform(0, np.pi)
    dark = rng.uniform(0.5, 0.85) if canvas.backscattered else rng.uniform(0.05, 0.5)
    kept = []
    for (x, y), radius in zip(places, radii, strict=False):
        where, dx, dy = canvas.window(x, y, radius * aspect + 3)
        if not dx.size or not dy.size:
            continue
        u = (dx * np.cos(turn) + dy * np.sin(turn)) / np.sqrt(aspect)
        v = (-dx * np.sin(turn) + dy * np.cos(turn)) * np.sqrt(aspect)
        distance = np.sqrt(u * u + v * v)
        cut = rng.uniform(0.0, 0.7)  # how far above its equator the sphere is opened
        sphere = radius / np.sqrt(1 - cut**2)
        bowl = np.sqrt(np.clip(sphere**2 - distance**2, 0, None)) * min(1.0, 30 / radius)
        inside = smoothstep(radius - distance, -0.7, 0.7)
        depth = inside * bowl * rng.uniform(0.5, 0.9)
        canvas.height[where] = np.where(inside > 0, -depth, canvas.height[where])
        side = 0.5 + 0.5 * np.clip((u - 0.5 * v) / radius, -1, 1)
        canvas.void[where] = np.maximum(
            canvas.void[where], inside * dark * (0.6 + 0.4 * side) * (1 - 0.3 * (distance / radius))
        )
        if not canvas.backscattered:
            canvas.tone[where] += 0.35 * np.exp(-(((distance - radius - 0.6) / 1.3) ** 2))
        mask[where] |= distance < radius
        kept.append(2 * radius)
    return [Painted("bubble", mask, len(kept), {"equivalent_diameter": tuple(kept)})]


@painter("open_porosity", (3e-8, 2e-6), views=("polished", "fracture"), secondary=True)
def open_porosity(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Necked voids between sintered grains."""
    scale = rng.uniform(18, 70)
    noise = band_noise(rng, canvas.shape, scale, width=0.45)
    noise += rng.uniform(0.3, 0.7) * soft_noise(rng, canvas.shape, scale * 3)
    share = rng.uniform(0.1, 0.35)
    level = float(np.quantile(noise[::4, ::4], share))
    pores = smoothstep(level - noise, -0.04, 0.1)
    canvas.dig(pores, rng.uniform(4, 12), rng.uniform(0.7, 0.95))
    if canvas.view == "fracture":
        canvas.height += 3.5 * np.clip(noise - level, 0, 1.5)  # rounded grains
    return [
        Painted(
            "open_porosity",
            pores > 0.5,
            None,
            {"area_fraction": (float((pores > 0.5).mean()),), "spacing": (scale,)},
        )
    ]


@painter("foam_cell", (1e-6, 2e-5), views=("fracture",), detectors=("SE", "SE", "SE", "BSE"))
def foam_cell(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Packed cells with thin walls: distances to the two nearest seeds on a coarse grid."""
    height, width = canvas.shape
    cell = rng.uniform(0.12, 0.34) * height
    count = max(int(1.6 * height * width / cell**2), 6)
    seeds = rng.uniform((-0.15 * width, -0.15 * height), (1.15 * width, 1.15 * height), (count, 2))
    factor = 4
    ys = np.arange(factor / 2, height + factor, factor)
    xs = np.arange(factor / 2, width + factor, factor)
    grid = np.stack(np.meshgrid(xs, ys), -1)
    warp = cell * 0.1
    grid[..., 0] += warp * soft_noise(rng, grid.shape[:2], cell / factor / 1.5)
    grid[..., 1] += warp * soft_noise(rng, grid.shape[:2], cell / factor / 1.5)
    distance, which = cKDTree(seeds).query(grid.reshape(-1, 2), k=2)
    gap = stretch((distance[:, 1] - distance[:, 0]).reshape(grid.shape[:2]), canvas.shape)
    wall = cell * rng.uniform(0.05, 0.2)
    ragged = gap + 0.01 * cell * soft_noise(rng, canvas.shape, 14)
    inside = smoothstep(ragged, wall, wall + 2.5)
    deep = smoothstep(gap, wall, wall + cell * rng.uniform(0.5, 1.1))
    floors = rng.uniform(0.3, 1.0, count)
    floor = stretch(floors[which[:, 0]].reshape(grid.shape[:2]), canvas.shape)
    canvas.height -= inside * 3 + deep * cell * 0.35 * floor
    canvas.void = np.maximum(canvas.void, inside * (0.3 + 0.6 * deep * floor))
    if rng.random() < 0.7:  # windows between neighbouring cells, seen as black holes in the floor
        holes = soft_noise(rng, canvas.shape, cell / 2.2)
        open_ = smoothstep(holes, 1.0, 1.15) * smoothstep(deep, 0.25, 0.5)
        canvas.void = np.maximum(canvas.void, open_ * 0.95)
    return [
        Painted(
            "foam_cell",
            inside > 0.5,
            None,
            {
                "equivalent_diameter": (cell,),
                "wall": (wall,),
                "area_fraction": (float((inside > 0.5).mean()),),
            },
        )
    ]


@painter("nanopore_network", (8e-10, 6e-9), views=("fracture", "surface"), detectors=("SE",))
def nanopore_network(canvas: Canvas, rng: Rng) -> list[Painted]:
    scale = rng.uniform(9, 30)
    noise = band_noise(rng, canvas.shape, scale, width=0.35)
    level = rng.uniform(-0.35, 0.1)
    pores = smoothstep(level - noise, -0.15, 0.35)
    canvas.height += scale * 0.12 * np.clip(noise - level, -1.2, 1.2)
    canvas.void = np.maximum(canvas.void, pores * rng.uniform(0.65, 0.92))
    return [
        Painted(
            "nanopore_network",
            None,
            None,
            {"spacing": (scale,), "area_fraction": (float((pores > 0.5).mean()),)},
            texture=pores > 0.5,
        )
    ]
