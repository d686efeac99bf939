"""Painters of films that failed: pinholes, agglomerates, blisters, peeling."""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.fields import blur, smoothstep, soft_noise

Rng = np.random.Generator


@painter("coating_pinhole", (1e-8, 2e-6), views=("coated",), detectors=("SE", "BSE"))
def coating_pinhole(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Small sharp holes in a brighter film, the substrate's grey inside; no bowl."""
    count = int(rng.integers(3, 45))
    radii = np.clip(canvas.shape[0] * 0.016 * rng.lognormal(0, 0.55, count), 3, 45)
    places = drawing.scatter(rng, canvas.shape, count)
    outlines = [drawing.blob(rng, p, r, rough=0.14) for p, r in zip(places, radii, strict=True)]
    holes = drawing.polygons(canvas.shape, outlines, [1.0] * count)
    canvas.z += (1 - holes) * rng.uniform(3, 9)
    canvas.tone *= 1 - holes * rng.uniform(0.25, 0.5)
    canvas.height -= 1.6 * holes * canvas.strength
    for (x, y), radius in zip(places, radii, strict=True):  # some keep the dust that made them
        if rng.random() < 0.2:
            where, dx, dy = canvas.window(x, y, radius * 0.5)
            grain = np.clip(radius * 0.4 - np.hypot(dx, dy), 0, 1)
            canvas.height[where] += 2.5 * grain
            canvas.tone[where] += 0.6 * grain
    return [
        Painted(
            "coating_pinhole",
            holes > 0.5,
            count,
            {"equivalent_diameter": tuple((2 * radii).tolist())},
        )
    ]


@painter("coating_agglomerate", (2e-9, 6e-8), views=("coated",), detectors=("SE", "BSE"))
def coating_agglomerate(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Metal balled up into bright islands, each in the dark zone that it drained."""
    count = int(rng.integers(20, 220))
    radii = np.clip(
        canvas.shape[0] * rng.uniform(0.007, 0.016) * rng.lognormal(0, 0.5, count), 2, 24
    )
    places = drawing.scatter(rng, canvas.shape, count)
    outlines = [drawing.blob(rng, p, r, rough=0.4) for p, r in zip(places, radii, strict=True)]
    islands = drawing.polygons(canvas.shape, outlines, [1.0] * count)
    drained = drawing.discs(canvas.shape, places, (radii * rng.uniform(1.4, 2.2)).tolist(), scale=1)
    canvas.tone *= 1 - 0.22 * blur(drained, 2) * (1 - islands)
    canvas.put_phase(islands, "silver")
    canvas.height += 2.5 * blur(islands, 1.2) * islands * canvas.strength
    return [
        Painted(
            "coating_agglomerate",
            islands > 0.5,
            count,
            {"equivalent_diameter": tuple((2 * radii).tolist())},
        )
    ]


@painter("coating_blister", (2e-8, 1e-6), views=("coated",), detectors=("SE",))
def coating_blister(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Domes of raised film, some burst, or a telephone-cord buckle."""
    height, width = canvas.shape
    if rng.random() < 0.3:
        return [_buckle(canvas, rng)]
    mask = np.zeros(canvas.shape, bool)
    sizes = []
    for _ in range(int(rng.integers(1, 14))):
        radius = height * rng.uniform(0.025, 0.16)
        x, y = width * rng.uniform(0.05, 0.95), height * rng.uniform(0.05, 0.95)
        where, dx, dy = canvas.window(x, y, radius * 1.4 + 2)
        squash = rng.uniform(0.85, 1.2)
        distance = np.hypot(dx * squash, dy / squash) / radius
        dome = np.clip(1 - distance**2, 0, None) ** 1.5 * radius * rng.uniform(0.35, 0.6)
        canvas.height[where] += dome
        mask[where] |= distance < 0.95
        if rng.random() < 0.2:
            hole = np.clip((0.3 - distance) * radius, 0, 1)
            canvas.height[where] -= hole * radius * 0.4
            canvas.void[where] = np.maximum(canvas.void[where], 0.85 * hole)
        sizes.append(2 * radius)
    return [Painted("coating_blister", mask, len(sizes), {"equivalent_diameter": tuple(sizes)})]


def _buckle(canvas: Canvas, rng: Rng) -> Painted:
    height, width = canvas.shape
    wide, wave = height * rng.uniform(0.04, 0.09), height * rng.uniform(0.1, 0.2)
    along = np.linspace(-0.1 * width, 1.1 * width, 240)
    y = height * rng.uniform(0.3, 0.7) + 0.3 * wave * np.sin(along * 2 * np.pi / wave)
    y = y + height * 0.1 * np.sin(along / width * rng.uniform(2, 6))
    ridge = drawing.strokes(canvas.shape, [(np.stack([along, y], 1), wide)], scale=1)
    canvas.height += blur(ridge, wide * 0.3) * wide * 0.8
    return Painted("coating_blister", ridge > 0.5, 1, {"width": (wide,)})


@painter("coating_peel", (2e-8, 4e-6), views=("coated",), detectors=("SE", "SE", "BSE"))
def coating_peel(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Film lost from an area: a jagged step edge, curled flaps, loose flakes beyond it."""
    height, _ = canvas.shape
    field = soft_noise(rng, canvas.shape, height * rng.uniform(0.35, 0.7))
    field += 0.12 * soft_noise(rng, canvas.shape, 22, octaves=2)
    level = float(np.quantile(field[::4, ::4], rng.uniform(0.35, 0.75)))
    bare = smoothstep(field, level - 0.008, level + 0.008)
    canvas.z += (1 - bare) * rng.uniform(3, 8)
    canvas.tone *= 1 - bare * rng.uniform(0.2, 0.4)
    curl = blur(bare, rng.uniform(2.5, 7))
    canvas.height += (1 - bare) * (2.5 + rng.uniform(4, 16) * curl) * min(canvas.strength, 1.6)
    canvas.void = np.maximum(canvas.void, 0.5 * bare * np.clip(1 - blur(bare, 4), 0, 1))
    flakes = [
        drawing.blob(rng, p, rng.uniform(5, 22), rough=0.4, corners=int(rng.integers(4, 8)))
        for p in drawing.scatter(rng, canvas.shape, int(rng.integers(0, 22)))
    ]
    if flakes:
        loose = drawing.polygons(canvas.shape, flakes, [1.0] * len(flakes)) * bare
        canvas.height += 3 * loose
        canvas.tone *= 1 + 0.4 * loose
    return [
        Painted("coating_peel", bare > 0.5, None, {"area_fraction": (float((bare > 0.5).mean()),)})
    ]
