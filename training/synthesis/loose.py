"""Painters of what lies on top: dust and fibres."""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.fields import Field, blur, soft_noise

Rng = np.random.Generator


@painter(
    "dust_particle",
    (2e-8, 5e-6),
    views=("surface", "coated", "fracture", "polished"),
    detectors=("SE", "SE", "BSE"),
    secondary=True,
)
def dust_particle(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Angular bodies standing on the surface: cast shadow, charging rim, own texture."""
    height, width = canvas.shape
    mask = np.zeros(canvas.shape, bool)
    body_z = rng.choice([6.5, 8.0, 11.0, 13.0, 20.0])
    side = rng.uniform(0, 2 * np.pi)
    texture = soft_noise(rng, canvas.shape, rng.uniform(4, 9), octaves=2)
    cover, shadow = np.zeros(canvas.shape, np.float32), np.zeros(canvas.shape, np.float32)
    sizes = []
    for _ in range(int(rng.choice([1, 2, 4, 8, 16]))):
        radius = np.clip(height * 0.03 * rng.lognormal(0, 0.6), 4, 0.14 * height)
        x, y = width * rng.uniform(0.05, 0.95), height * rng.uniform(0.05, 0.95)
        outline = drawing.blob(
            rng,
            (x, y),
            radius,
            rough=0.35,
            corners=int(rng.choice([0, 5, 6, 8])),
            aspect=rng.uniform(1, 1.8),
        )
        where, _, _ = canvas.window(x, y, radius * 3)
        offset = np.array([where[1].start, where[0].start])
        local = (where[0].stop - where[0].start, where[1].stop - where[1].start)
        if min(local) < 8:
            continue
        body = drawing.polygons(local, [outline - offset], [1.0])
        round_ = blur(body, radius * 0.35)
        canvas.height[where] += body * radius * (0.45 + 0.5 * round_ + 0.12 * texture[where])
        moved = np.array([np.cos(side), np.sin(side)]) * radius * 0.35
        cast = blur(
            drawing.polygons(local, [outline - offset + moved], [1.0], 1), radius * 0.18 + 1
        )
        shadow[where] = np.maximum(shadow[where], cast)
        cover[where] = np.maximum(cover[where], body)
        mask[where] |= body > 0.5
        sizes.append(2 * radius)
    canvas.void = np.maximum(canvas.void * (1 - cover), 0.4 * shadow * (1 - cover))
    canvas.z += cover * (body_z - canvas.z)
    if not canvas.backscattered:
        canvas.tone += cover * (rng.uniform(0.1, 0.5) + 0.5 * np.clip(1 - blur(cover, 3), 0, 1))
    return [Painted("dust_particle", mask, len(sizes), {"equivalent_diameter": tuple(sizes)})]


@painter("fibre", (5e-8, 6e-7), views=("surface", "fracture"), detectors=("SE", "SE", "BSE"))
def fibre(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Long cylinders that cross; the later lies over the earlier and shades it."""
    height, width = canvas.shape
    many = rng.random() < 0.6
    count = int(rng.integers(6, 26)) if many else int(rng.integers(1, 4))
    thick = height * rng.uniform(0.02, 0.1)
    bundle = rng.random() < 0.3
    lean = rng.uniform(0, np.pi)
    if many and rng.random() < 0.6:
        canvas.void = np.maximum(canvas.void, np.float32(0.8))  # nothing but depth behind the mat
    mask = np.zeros(canvas.shape, bool)
    ys, xs = np.ogrid[:height, :width]
    widths = []
    base = 0.0
    for _ in range(count):
        angle = lean + rng.normal(0, 0.06) if bundle else rng.uniform(0, np.pi)
        radius = np.float32(thick / 2 * rng.lognormal(0, 0.15))
        x, y = np.float32(rng.uniform(0, width)), np.float32(rng.uniform(0, height))
        sine, cosine = np.float32(np.sin(angle)), np.float32(np.cos(angle))
        signed: Field = ((ys - y) * cosine - (xs - x) * sine).astype(np.float32)
        if not many:
            along = (xs - x) * cosine + (ys - y) * sine
            signed = signed + np.float32(0.0006 * rng.normal(0, 0.3)) * along**2
        across = np.abs(signed)
        near = across < radius * 2.2
        inside = across < radius
        profile = np.sqrt(np.clip(radius**2 - across[inside] ** 2, 0, None))
        ring = near & ~inside
        fade = 1 - (across[ring] - radius) / (1.2 * radius)
        canvas.void[ring] = np.maximum(canvas.void[ring], 0.6 * fade)
        base += 0.2 * float(radius)
        canvas.height[inside] = base + profile
        canvas.void[inside] = 0
        canvas.z[inside] = canvas.matrix_z
        canvas.tone[inside] = rng.uniform(0.9, 1.15)
        mask |= inside
        widths.append(2 * float(radius))
    return [Painted("fibre", mask, count, {"diameter": tuple(widths)})]
