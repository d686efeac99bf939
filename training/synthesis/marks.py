"""Scratches, two-phase textures and lost film on any ground, from faint to plain.

Variants of the painters in `scratches`, `phases` and `coatings`.
"""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, variant
from training.synthesis.drawing import Stroke
from training.synthesis.fields import (
    Field,
    band_noise,
    blur,
    cells,
    power_noise,
    profile,
    smoothstep,
    soft_noise,
)

Rng = np.random.Generator


@variant(
    "scratch",
    (5e-9, 8e-6),
    views=("surface", "polished", "coated", "etched"),
    detectors=("SE", "SE", "BSE"),
    secondary=True,
)
def scratches(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Straight or slightly bent lines, bright, dark or both, that fade in and out: single ones, a
    few that cross, or a band of close ones from one contact."""
    height, width = canvas.shape
    frame = float(max(height, width))
    angle = rng.uniform(0, np.pi)
    band = rng.random() < 0.35
    count = int(rng.integers(4, 14)) if band else int(rng.choice([1, 1, 2, 3, 5]))
    hub = rng.uniform((0.2 * width, 0.2 * height), (0.8 * width, 0.8 * height))
    wide = float(np.exp(rng.uniform(np.log(1.0), np.log(9.0))))
    lines: list[Stroke] = []
    lengths = []
    for _ in range(count):
        turn = angle + rng.normal(0, 0.03 if band else 0.5)
        along = np.array([np.cos(turn), np.sin(turn)])
        across = np.array([-along[1], along[0]])
        size = frame * float(np.exp(rng.uniform(np.log(0.12), np.log(1.4))))
        middle = (
            hub + across * rng.normal(0, 0.05) * frame
            if band
            else rng.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height))
        )
        start = middle - 0.5 * size * along
        path = drawing.wander(rng, start, turn, size, step=6, rough=0.004, turn=0.001)
        fade = np.clip(1 + 0.5 * profile(rng, len(path), len(path) / 4), 0.25, 1.6)
        ends = np.clip(np.minimum(np.arange(len(path)), np.arange(len(path))[::-1]) / 5, 0.3, 1)
        own = wide * float(rng.lognormal(0, 0.3))
        lines.append((path, np.maximum(own * fade * ends, 0.5)))
        lengths.append(size)
    groove = drawing.strokes(canvas.shape, lines)
    depth = rng.uniform(0.5, 1.4) * (0.8 + 0.4 * wide) * canvas.strength
    canvas.height -= depth * blur(groove, 0.3 + 0.2 * wide)
    draw = rng.random()
    if draw < 0.45:
        canvas.void = np.maximum(
            canvas.void, rng.uniform(0.12, 0.5) * canvas.strength**0.5 * groove
        )
    elif draw < 0.8:  # bright: a burr, or charge on the edge
        canvas.tone *= 1 + rng.uniform(0.15, 0.6) * canvas.strength * groove
        canvas.z += rng.uniform(0.5, 2) * groove
    else:
        canvas.void = np.maximum(canvas.void, rng.uniform(0.2, 0.5) * groove)
        rim = blur(groove, 1.0 + 0.3 * wide) * (1 - groove)
        canvas.tone *= 1 + rng.uniform(0.2, 0.9) * rim
    if wide > 3 and rng.random() < 0.5:  # crumbs beside the track
        near = np.clip(2.5 * blur(groove, wide), 0, 1)
        crumbs = (soft_noise(rng, canvas.shape, 4) > 1.3) * near
        canvas.height += 2.0 * crumbs
        canvas.tone *= 1 + 0.3 * crumbs
    sizes = {"width": (wide,), "length": tuple(lengths)}
    return [Painted("scratch", groove > 0.35, count, sizes)]


@variant("phase_sep_droplet", (4e-10, 2e-7), views=("etched", "polished"), detectors=("SE", "BSE"))
def rounded_islands(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Two sizes at once: large rounded islands that nearly touch, fine droplets in the channels
    between them; edges bright after an etch, or soft."""
    shape = canvas.shape
    size = float(np.exp(rng.uniform(np.log(22), np.log(120))))
    found = cells(rng, shape, size, rng.uniform(0.05, 0.3))
    inward = blur(found.borders, size * rng.uniform(0.1, 0.16))
    inward = inward / max(float(np.quantile(inward[::3, ::3], 0.98)), 1e-3)
    kept = (rng.random(len(found.seeds)) < rng.uniform(0.45, 1.0)).astype(np.float32)
    island: Field = smoothstep(rng.uniform(0.3, 0.5) - inward, -0.06, 0.06) * blur(
        kept[found.labels], 1.0
    )
    island = smoothstep(island, 0.35, 0.65)
    fine = smoothstep(band_noise(rng, shape, rng.uniform(6, 12), 0.45), 0.9, 1.3)
    fine = fine * smoothstep(0.25 - blur(island, size * 0.08), 0.0, 0.2)
    share = 1.0 if rng.random() < 0.6 else 0.0
    phase = np.asarray(np.maximum(island, share * fine), np.float32)
    gap = float(rng.choice([-1, 1])) * rng.uniform(0.8, 3.0) * canvas.strength
    canvas.z += gap * phase
    canvas.tone *= np.clip(1 + 0.05 * gap * phase, 0.5, 1.6)
    if not canvas.backscattered:
        canvas.height += rng.uniform(-1.5, 1.5) * blur(phase, rng.uniform(0.5, 1.5))
        rim = blur(phase, rng.uniform(1.0, 2.5)) * (1 - phase)
        canvas.tone *= 1 + rng.uniform(0, 0.6) * rim
    mask = phase > 0.5
    sizes = {"equivalent_diameter": (0.75 * size,), "area_fraction": (float(mask.mean()),)}
    return [Painted("phase_sep_droplet", mask, None, sizes)]


@variant(
    "phase_sep_interconnected",
    (4e-10, 2e-7),
    views=("etched", "polished", "fracture"),
    detectors=("SE", "BSE"),
)
def labyrinth(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A labyrinth in part of the field or in all of it: coarse or fine, soft or sharp, one way
    drawn out, its phase dark and deep or hardly lighter."""
    shape = canvas.shape
    size = float(np.exp(rng.uniform(np.log(8), np.log(80))))
    worm = band_noise(
        rng, shape, size, rng.uniform(0.2, 0.6), rng.uniform(0, np.pi), rng.uniform(1, 1.8)
    )
    soft = float(rng.choice([0.12, 0.3, 0.8]))
    level = rng.uniform(-0.6, 0.6)
    phase = smoothstep(worm, level - soft, level + soft)
    where = np.ones(shape, np.float32)
    if rng.random() < 0.35:
        edge = soft_noise(rng, shape, rng.uniform(0.25, 0.6) * shape[0], 2)
        where = smoothstep(edge, -0.3, 0.1)
    phase = np.asarray(phase * where, np.float32)
    gap = float(rng.choice([-1, 1])) * rng.uniform(0.9, 4.0) * canvas.strength
    canvas.z += gap * phase
    canvas.tone *= np.clip(1 + 0.05 * gap * phase, 0.4, 1.7)
    if not canvas.backscattered:
        canvas.height += phase * rng.uniform(0.0, 0.07 * size + 0.8)
        if rng.random() < 0.3:  # one phase leached away: ligaments over dark gaps
            canvas.void = np.maximum(canvas.void, rng.uniform(0.4, 0.85) * (where - phase))
    canvas.z += 0.15 * power_noise(rng, shape, 1.6, 60)
    texture = phase > 0.5
    sizes = {"spacing": (size,), "area_fraction": (float(texture.mean()),)}
    region = where > 0.5
    if bool(region.all()):
        return [Painted("phase_sep_interconnected", None, None, sizes, texture=texture)]
    return [Painted("phase_sep_interconnected", region, None, sizes, texture=texture)]


@variant("coating_peel", (5e-9, 4e-6), views=("coated", "surface"), detectors=("SE", "SE", "BSE"))
def lost_film(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Film gone from one patch or several: a step down to a smoother or darker base, edges sharp,
    curled or frayed, flakes left on the bare part."""
    shape = canvas.shape
    if rng.random() < 0.45:  # along cells: polygons of film have come off
        found = cells(rng, shape, rng.uniform(0.08, 0.3) * shape[0], rng.uniform(0, 0.15))
        order = soft_noise(rng, shape, 0.4 * shape[0])
        at = found.seeds.astype(int)
        chance = order[at[:, 1], at[:, 0]] + rng.normal(0, 0.4, len(at))
        gone = (chance > np.quantile(chance, rng.uniform(0.5, 0.9))).astype(np.float32)
        bare = blur(gone[found.labels], 0.7)
    else:
        field = soft_noise(rng, shape, shape[0] * rng.uniform(0.15, 0.6), 3)
        field += rng.uniform(0, 0.12) * soft_noise(rng, shape, 8)
        level = float(np.quantile(field[::4, ::4], rng.uniform(0.4, 0.92)))
        bare = smoothstep(field, level - 0.012, level + 0.012)
    film = 1 - bare
    canvas.z += film * rng.uniform(1.0, 7)
    canvas.tone *= 1 - bare * rng.uniform(0.08, 0.45) * min(canvas.strength, 1.6)
    base = rng.uniform(0.1, 0.8)  # what lay on the film has gone with it
    canvas.height *= 1 - base * bare
    canvas.height += film * rng.uniform(1.5, 6)
    if rng.random() < 0.5:
        canvas.height += film * rng.uniform(3, 14) * blur(bare, rng.uniform(2.5, 8))
        canvas.void = np.maximum(canvas.void, 0.5 * bare * np.clip(1 - blur(bare, 4), 0, 1))
    if not canvas.backscattered:
        canvas.tone += rng.uniform(0.1, 0.7) * film * np.clip(blur(bare, 1.6), 0, 1)
    mask = bare > 0.5
    return [Painted("coating_peel", mask, None, {"area_fraction": (float(mask.mean()),)})]
