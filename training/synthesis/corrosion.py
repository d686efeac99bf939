"""Painters of attack and growth: pits, salts, stains, leached layers, lamellae, apatite."""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.drawing import Stroke
from training.synthesis.fields import band_noise, blur, smoothstep, soft_noise
from training.synthesis.surfaces import section_edge

Rng = np.random.Generator


@painter("pit", (5e-9, 1e-6), views=("surface",), detectors=("SE", "SE", "BSE"), secondary=True)
def pit(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Shallow rounded hollows, single or grown into each other, no bright smooth rim."""
    dense = rng.random() < 0.5
    count = int(rng.integers(60, 260)) if dense else int(rng.integers(8, 50))
    size = canvas.shape[0] * (rng.uniform(0.008, 0.022) if dense else rng.uniform(0.012, 0.045))
    radii = np.clip(size * rng.lognormal(-0.1, 0.45, count), 3, None)
    places = drawing.scatter(rng, canvas.shape, count)
    outlines = [
        drawing.blob(rng, p, r, rough=0.18, aspect=rng.uniform(1, 1.3))
        for p, r in zip(places, radii, strict=True)
    ]
    coverage = drawing.polygons(canvas.shape, outlines, [1.0] * count)
    bowl = blur(coverage, max(size * 0.45, 1.2))
    dark = (0.5 if canvas.backscattered else 0.22) * rng.uniform(0.6, 1.2)
    canvas.dig(bowl, size * rng.uniform(0.6, 1.1) * canvas.strength, dark * canvas.strength)
    return [
        Painted(
            "pit",
            coverage > 0.5,
            count,
            {
                "equivalent_diameter": tuple((2 * radii).tolist()),
                "area_fraction": (float((coverage > 0.5).mean()),),
            },
        )
    ]


@painter("weathering_carbonate", (2e-8, 8e-7), views=("surface",), detectors=("SE", "SE", "BSE"))
def weathering_carbonate(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Rhombs, rosettes of blades and fine needles, in clusters on the surface."""
    height = canvas.shape[0]
    kind = rng.choice(["rhomb", "rosette", "needle"])
    size = height * rng.uniform(0.012, 0.05)
    hubs = drawing.scatter(rng, canvas.shape, int(rng.integers(2, 12)))
    outlines, levels = [], []
    for _ in range(int(rng.integers(25, 140))):
        place = hubs[rng.integers(len(hubs))] + rng.normal(0, height * rng.uniform(0.02, 0.14), 2)
        reach, turn = size * rng.lognormal(-0.2, 0.4), rng.uniform(0, np.pi)
        if kind == "rhomb":
            outlines.append(drawing.blob(rng, place, reach, rough=0.05, corners=4, aspect=1.5))
            levels.append(rng.uniform(2, 6))
            outlines.append(
                drawing.blob(rng, place - 0.2 * reach, 0.6 * reach, rough=0.08, corners=4)
            )
            levels.append(levels[-1] + 1.5)
            continue
        for blade in range(int(rng.integers(3, 8)) if kind == "rosette" else 1):
            angle = turn + blade * 0.7 + rng.normal(0, 0.15)
            long = reach * rng.uniform(1.4, 3.2)
            tip = place + 0.45 * long * np.array([np.cos(angle), np.sin(angle)])
            outlines.append(drawing.box(tip, long, max(long * 0.14, 1.8), angle))
            levels.append(rng.uniform(2, 5))
    crystals = drawing.polygons(canvas.shape, outlines, levels)
    cover = np.clip(crystals, 0, 1)
    canvas.height += crystals * canvas.strength
    canvas.put_phase(cover, "calcite" if rng.random() < 0.6 else 9.1)
    if not canvas.backscattered:
        canvas.tone += 0.12 * cover
    return [
        Painted(
            "weathering_carbonate",
            cover > 0.5,
            len(outlines),
            {"equivalent_diameter": (2 * size,), "area_fraction": (float(cover.mean()),)},
        )
    ]


@painter(
    "weathering_stain",
    (5e-8, 5e-6),
    views=("surface",),
    detectors=("SE", "SE", "BSE"),
    secondary=True,
)
def weathering_stain(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Patches of thin altered film with drying rims, some with tide lines."""
    field = soft_noise(rng, canvas.shape, canvas.shape[0] * rng.uniform(0.15, 0.5), octaves=3)
    level = rng.uniform(-0.2, 0.7)
    patch = smoothstep(field, level - 0.03, level + 0.04)
    rim = np.exp(-(((field - level) / 0.07) ** 2))
    depth = rng.uniform(0.14, 0.3) * canvas.strength
    canvas.tone *= 1 - depth * patch * (1 + 0.12 * soft_noise(rng, canvas.shape, 45, octaves=3))
    canvas.tone *= 1 + rng.uniform(-0.1, 0.25) * rim
    canvas.z -= 0.9 * canvas.strength * patch
    if rng.random() < 0.5:
        for step in (0.25, 0.5):
            canvas.tone *= 1 - 0.1 * np.exp(-(((field - level - step) / 0.03) ** 2))
    mask = patch > 0.5
    return [Painted("weathering_stain", mask, None, {"area_fraction": (float(mask.mean()),)})]


@painter("leached_layer", (4e-9, 3e-7), views=("section",), detectors=("BSE", "BSE", "SE"))
def leached_layer(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A darker rind with a sharp rough front in section, often cracked by drying."""
    depth, resin = section_edge(canvas, rng)
    height, width = canvas.shape
    thick = height * rng.uniform(0.08, 0.32)
    front = depth + rng.uniform(0.5, 6) * soft_noise(rng, canvas.shape, rng.uniform(12, 60), 2)
    rind = smoothstep(thick - front, -1, 1) * (1 - resin)
    canvas.z -= rind * rng.uniform(1.0, 1.9) * canvas.strength
    canvas.tone *= 1 - (0.14 * canvas.strength) * rind
    canvas.height += 0.25 * rind * soft_noise(rng, canvas.shape, 5)
    if rng.random() < 0.6:
        lines: list[Stroke] = []
        for x in rng.uniform(0, width, int(rng.integers(2, 9))):
            top = float(np.argmax(depth[:, int(min(x, width - 1))] > 0))
            path = drawing.wander(rng, (x, top), np.pi / 2, thick, rough=0.25)
            lines.append((path, 1.8))
        if rng.random() < 0.5:
            lines.append((np.stack([np.array([0.0, height]), np.array([1.0, height])]), 1.0))
        cracks = drawing.strokes(canvas.shape, lines) * rind
        canvas.dig(cracks, 1.0, 0.85)
        canvas.cracks_beside.append(cracks > 0.4)
    return [Painted("leached_layer", rind > 0.5, 1, {"thickness": (thick,)})]


@painter("lamella", (1e-8, 1e-6), views=("surface",), detectors=("SE",))
def lamella(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Thin curled glassy sheets: a bright sharp outline over a shallow shadow."""
    mask = np.zeros(canvas.shape, bool)
    sizes = []
    for _ in range(int(rng.integers(2, 13))):
        size = canvas.shape[0] * rng.uniform(0.03, 0.14)
        place = rng.uniform((0, 0), (canvas.shape[1], canvas.shape[0]))
        outline = drawing.blob(
            rng,
            place,
            size,
            rough=0.35,
            corners=int(rng.integers(5, 10)),
            aspect=rng.uniform(1, 2.6),
        )
        sheet = drawing.polygons(canvas.shape, [outline], [1.0])
        shadow = np.clip(np.roll(blur(sheet, 3.5), (3, 4), (0, 1)) - sheet, 0, 1)
        canvas.void = np.maximum(canvas.void, 0.5 * shadow)
        # A sheet lifts towards one side: there it curls, catches charge and casts its shadow.
        where, dx, dy = canvas.window(place[0], place[1], 2.2 * size)
        lean = rng.uniform(0, 2 * np.pi)
        ramp = np.clip((dx * np.cos(lean) + dy * np.sin(lean)) / size, -1, 1.5)
        lift = np.clip(ramp, 0, None) ** 2
        inner = sheet[where]
        canvas.height[where] += inner * (1.5 + size * (0.1 * ramp + 0.16 * lift))
        edge = np.clip(inner - blur(inner, 3), 0, 1) * inner
        canvas.tone[where] += inner * (0.06 + 0.1 * lift) * canvas.strength
        canvas.tone[where] += 0.5 * edge * (0.3 + lift) * canvas.strength
        mask |= sheet > 0.5
        sizes.append(2 * size)
    return [Painted("lamella", mask, len(sizes), {"equivalent_diameter": tuple(sizes)})]


@painter("apatite_layer", (5e-9, 8e-8), views=("surface",), detectors=("SE", "SE", "BSE"))
def apatite_layer(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Cauliflower globules of fine needles, close packed or as islands, cracked when dry."""
    height, width = canvas.shape
    size = height * rng.uniform(0.025, 0.09)
    share = rng.choice([0.25, 0.6, 1.6])
    count = int(min(share * height * width / (np.pi * size**2), 450))
    places = drawing.scatter(rng, canvas.shape, count)
    top = np.zeros(canvas.shape, np.float32)
    for (x, y), radius in zip(places, size * rng.lognormal(-0.1, 0.35, len(places)), strict=True):
        where, dx, dy = canvas.window(x, y, radius)
        dome = np.sqrt(np.clip(radius**2 - dx**2 - dy**2, 0, None)) * 0.9
        top[where] = np.maximum(top[where], dome)
    cover = np.clip(top, 0, 1)
    fine = band_noise(rng, canvas.shape, rng.uniform(5, 8), 0.5)
    canvas.height += top * 0.8 + cover * fine * 1.1
    canvas.put_phase(cover, "apatite")
    if share > 1 and rng.random() < 0.6:
        lines: list[Stroke] = [
            (drawing.wander(rng, p, rng.uniform(0, 6), height, rough=0.35), 3.0)
            for p in drawing.scatter(rng, canvas.shape, 3)
        ]
        cracks = drawing.strokes(canvas.shape, lines)
        canvas.dig(cracks, 3, 0.85)
        canvas.cracks_beside.append(cracks > 0.4)
    return [
        Painted(
            "apatite_layer",
            cover > 0.5,
            len(places),
            {"equivalent_diameter": (2 * size,), "area_fraction": (float(cover.mean()),)},
        )
    ]
