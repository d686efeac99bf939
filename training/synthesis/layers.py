"""Sections through layers: coating on oxide on bond coat on substrate, with rough seams.

Each layer has a grey and a build of its own: dense, speckled, of splats with flat pores between
them, with round pores, with droplets of a second phase, with grey lenses. What such a layer shows
by itself (pores, droplets, foreign bodies) is truth; seams and greys are not. The seams stay on
the canvas for the cracks and gaps that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Mask, Painted
from training.synthesis.fields import (
    Field,
    band_noise,
    blur,
    power_noise,
    profile,
    smoothstep,
    soft_noise,
)
from training.synthesis.grounds import ground

Rng = np.random.Generator


@dataclass
class _Shown:
    """What the layers show, gathered over the frame."""

    pores: list[Mask] = field(default_factory=list)
    droplets: list[Mask] = field(default_factory=list)
    drops: list[Mask] = field(default_factory=list)
    bodies: list[Mask] = field(default_factory=list)
    bodies_count: int = 0


@ground("section", ("polished",), shows=("pore", "phase_separation", "inclusion"), weight=3.0)
def section(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Two to four layers, resin above or below now and then."""
    height = canvas.shape[0]
    canvas.seams = _seams(rng, canvas.shape, int(rng.choice([1, 2, 2, 3])))
    greys = _greys(rng, len(canvas.seams) + 1)
    resin = (int(rng.choice([0, len(canvas.seams)])),) if rng.random() < 0.35 else ()
    shown = _Shown()
    below: Field = np.ones(canvas.shape, np.float32)
    ys = np.arange(height, dtype=np.float32)[:, None]
    parts: list[Field] = []
    for seam in canvas.seams:
        ragged = rng.uniform(0, 5) * soft_noise(rng, canvas.shape, rng.uniform(6, 22), 2)
        side = smoothstep(ys - seam[None, :] + ragged, -0.9, 0.9)
        parts.append(below * (1 - side))
        below = below * side
    parts.append(below)
    canvas.z[:] = sum(part * grey for part, grey in zip(parts, greys, strict=True))
    mean = float(np.mean(greys))
    canvas.tone *= 1 + 0.05 * (canvas.z - mean)
    calm = rng.random() < 0.25
    for number, part in enumerate(parts):
        if number in resin:
            _resin(canvas, rng, part)
            continue
        build = _BUILDS[0 if calm else int(rng.choice(len(_BUILDS), p=_BUILD_ODDS))]
        build(canvas, rng, part, shown)
    for seam in canvas.seams:  # relief and a thin border phase along a seam
        near = np.exp(-((ys - seam[None, :]) ** 2) / rng.uniform(2, 12))
        canvas.height += rng.uniform(-0.6, 0.6) * near
        if rng.random() < 0.3:
            canvas.z += rng.uniform(-1.5, 1.5) * near
    return _told(shown)


def _seams(rng: Rng, shape: tuple[int, int], count: int) -> list[Field]:
    height, width = shape
    places = np.sort(rng.uniform(0.12, 0.88, count)) * height
    tilt = rng.normal(0, 0.04)
    seams: list[Field] = []
    floor = np.zeros(width, np.float32)
    for place in places:
        rough = float(rng.choice([0.3, 1.0, 1.0, 2.5]))
        seam = place + tilt * (np.arange(width) - width / 2)
        for cell, swing in ((width / 2.5, 9), (70, 4), (22, 1.6), (8, 0.6)):
            seam = seam + rough * swing * profile(rng, width, cell)
        seam = np.maximum(seam, floor + 4)  # seams do not cross
        floor = seam
        seams.append(np.asarray(seam, np.float32))
    return seams


def _greys(rng: Rng, count: int) -> list[float]:
    """Mean atomic numbers, neighbours apart: sometimes by little."""
    greys = [rng.uniform(9, 24)]
    for _ in range(count - 1):
        gap = float(rng.choice([-1, 1])) * float(np.exp(rng.uniform(np.log(0.5), np.log(9))))
        nearby = greys[-1] + gap
        greys.append(nearby if 8 < nearby < 30 else greys[-1] - gap)
    return [float(np.clip(g, 7.5, 32)) for g in greys]


def _resin(canvas: Canvas, rng: Rng, part: Field) -> None:
    """Dark mount: charged to a glow away from the section, or even."""
    canvas.z += part * (6.2 - canvas.z)
    canvas.tone *= 1 - 0.45 * part
    if rng.random() < 0.6:
        glow = blur(part, canvas.shape[0] * 0.12)
        canvas.z += part * rng.uniform(1, 8) * np.clip(glow - 0.5, 0, 1)
    if rng.random() < 0.4:
        edge = np.linspace(-1, 1, canvas.shape[1], dtype=np.float32)[None, :] ** 6
        canvas.z += part * rng.uniform(1, 4) * edge


def _dense(canvas: Canvas, rng: Rng, part: Field, shown: _Shown) -> None:
    canvas.z += part * rng.uniform(0.02, 0.3) * power_noise(rng, canvas.shape, 1.4, 90)


def _speckled(canvas: Canvas, rng: Rng, part: Field, shown: _Shown) -> None:
    """Small dark and light specks, too fine to be told apart."""
    specks = soft_noise(rng, canvas.shape, rng.uniform(2.5, 6))
    canvas.z += part * rng.uniform(0.2, 1.2) * np.clip(np.abs(specks) - 1.2, 0, 1) * specks


def _splats(canvas: Canvas, rng: Rng, part: Field, shown: _Shown) -> None:
    """A sprayed layer: flat pores and thin lines between splats, one way, bent."""
    size = rng.uniform(14, 60)
    bend = rng.normal(0, 0.15)
    flat = band_noise(rng, canvas.shape, size, 0.9, bend, rng.uniform(2.2, 5))
    flat += rng.uniform(0.2, 0.7) * soft_noise(rng, canvas.shape, 4 * size)
    flat += 0.08 * power_noise(rng, canvas.shape, 2.4, size)
    level = float(np.quantile(flat[::3, ::3], rng.uniform(0.02, 0.14)))
    pores = smoothstep(level - flat, -0.05, 0.15) * part
    _hollow(canvas, rng, pores, shown)


def _round_pores(canvas: Canvas, rng: Rng, part: Field, shown: _Shown) -> None:
    """Round and flattened pores of every size, some joined."""
    height, width = canvas.shape
    count = int(rng.integers(15, 260))
    places = rng.uniform((0, 0), (width, height), (count, 2))
    radii = np.clip(rng.lognormal(np.log(rng.uniform(2.0, 7)), 0.65, count), 1.2, 0.09 * height)
    aspect = rng.uniform(1, 2.6)
    outlines = []
    for place, radius in zip(places, radii, strict=True):
        outline = drawing.blob(rng, place, radius, rough=0.3) - place
        outline[:, 0] *= np.sqrt(aspect)
        outline[:, 1] /= np.sqrt(aspect)
        outlines.append(outline + place)
    pores = drawing.polygons(canvas.shape, outlines, [1.0] * count) * part
    _hollow(canvas, rng, blur(pores, 0.7), shown)


def _hollow(canvas: Canvas, rng: Rng, pores: Field, shown: _Shown) -> None:
    """Pores as a polished section shows them: black, or grey with resin or a floor in sight."""
    floor = rng.uniform(0.35, 0.95)
    uneven = np.clip(1 + 0.35 * soft_noise(rng, canvas.shape, 9, 2), 0.4, 1.3)
    canvas.dig(np.asarray(pores * np.minimum(uneven, 1), np.float32), rng.uniform(1, 4), floor)
    shown.pores.append(pores > 0.5)


def _droplets(canvas: Canvas, rng: Rng, part: Field, shown: _Shown) -> None:
    """Bands and patches of fine droplets of a second phase."""
    size = rng.uniform(5, 14)
    where = smoothstep(soft_noise(rng, canvas.shape, rng.uniform(60, 200), 2), -0.2, 0.4) * part
    drops = smoothstep(band_noise(rng, canvas.shape, size, 0.5), 0.1, 0.5) * where
    gap = float(rng.choice([-1, 1])) * rng.uniform(2, 6)
    canvas.z += drops * gap
    canvas.tone *= np.clip(1 + 0.03 * gap * drops, 0.5, 1.5)
    if float((where > 0.5).mean()) > 0.02:
        shown.droplets.append(where > 0.5)
        shown.drops.append(drops > 0.5)


def _lenses(canvas: Canvas, rng: Rng, part: Field, shown: _Shown) -> None:
    """Foreign bodies: lenses and angular lumps of another grey."""
    height = canvas.shape[0]
    count = int(rng.integers(2, 14))
    outlines = [
        drawing.blob(
            rng,
            place,
            height * float(np.exp(rng.uniform(np.log(0.008), np.log(0.07)))),
            rough=0.55,
            corners=int(rng.choice([0, 0, 7, 9])),
            aspect=rng.uniform(1, 3),
        )
        for place in drawing.scatter(rng, canvas.shape, count)
    ]
    bodies = blur(drawing.polygons(canvas.shape, outlines, [1.0] * len(outlines)), 0.7) * part
    gap = float(rng.choice([-1, 1])) * rng.uniform(1.2, 6)
    canvas.z += bodies * gap * (1 + 0.15 * soft_noise(rng, canvas.shape, 12, 2))
    canvas.tone *= np.clip(1 + 0.04 * gap * bodies, 0.5, 1.6)
    mask = bodies > 0.5
    if mask.any():
        shown.bodies.append(mask)
        shown.bodies_count += count


def _mixed(canvas: Canvas, rng: Rng, part: Field, shown: _Shown) -> None:
    for build in (_splats, _round_pores, _lenses)[:: int(rng.choice([-1, 1]))][:2]:
        build(canvas, rng, part, shown)


_BUILDS = (_dense, _speckled, _splats, _round_pores, _droplets, _lenses, _mixed)
_BUILD_ODDS = (0.32, 0.1, 0.16, 0.18, 0.06, 0.08, 0.1)


def _told(shown: _Shown) -> list[Painted]:
    told = []
    for key, masks, count in (
        ("open_porosity", shown.pores, None),
        ("phase_sep_droplet", shown.droplets, None),
        ("refractory_stone", shown.bodies, shown.bodies_count or None),
    ):
        if masks:
            mask = np.logical_or.reduce(masks)
            if mask.sum() >= 60:
                phase = np.logical_or.reduce(shown.drops) if masks is shown.droplets else None
                share = {"area_fraction": (float(mask.mean()),)}
                told.append(Painted(key, mask, count, share, texture=phase))
    return told
