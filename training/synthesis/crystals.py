"""Painters of crystals: devitrification, designed glass-ceramics, opacifiers, waste phases."""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.drawing import Points, Stroke
from training.synthesis.fields import Field, blur, soft_noise

Rng = np.random.Generator
_GROWN = ("surface", "polished", "fracture")


def _grow(canvas: Canvas, coverage: Field, z: str | float, rise: float) -> None:
    """Crystals of a phase that stand `rise` pixels proud of the glass."""
    canvas.put_phase(np.clip(coverage, 0, 1), z)
    canvas.height += rise * coverage * canvas.strength


def _centres(canvas: Canvas, rng: Rng, low: int, high: int, apart: float) -> Points:
    places = drawing.scatter(rng, canvas.shape, int(rng.integers(low, high + 1)), apart)
    if len(places) == 1:
        height, width = canvas.shape
        places[0] = [width * rng.uniform(0.25, 0.75), height * rng.uniform(0.25, 0.75)]
    return places


@painter("devit_devitrite", (5e-8, 3e-6), views=_GROWN, detectors=("SE", "SE", "BSE"))
def devit_devitrite(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Fans and sprays of fine needles from nuclei."""
    height = canvas.shape[0]
    lines: list[Stroke] = []
    reach = height * rng.uniform(0.15, 0.5)
    places = _centres(canvas, rng, 1, 6, reach * 0.8)
    wide = rng.uniform(1.2, 2.8)
    for place in places:
        spread = rng.choice([0.6, 1.2, np.pi])
        middle = rng.uniform(0, 2 * np.pi)
        for _ in range(int(rng.integers(25, 80))):
            angle = middle + rng.uniform(-spread, spread)
            size = reach * rng.uniform(0.35, 1.0)
            bend = rng.normal(0, 0.12)
            t = np.linspace(0, 1, 5)[:, None]
            turned = angle + bend * t
            path = place + size * t * np.hstack([np.cos(turned), np.sin(turned)])
            lines.append((path, wide * rng.uniform(0.6, 1.3)))
    coverage = drawing.strokes(canvas.shape, lines)
    _grow(canvas, coverage, "devitrite", rng.uniform(1.2, 2.5))
    return [
        Painted(
            "devit_devitrite",
            blur(coverage, 2.5) > 0.3,
            len(places),
            {"radius": (reach,), "width": (wide,)},
        )
    ]


def _dendrite(
    rng: Rng, place: Points, size: float, arms: int, turn: float, wide: float
) -> list[Stroke]:
    lines: list[Stroke] = []
    for arm in range(arms):
        angle = turn + arm * 2 * np.pi / arms
        along = np.array([np.cos(angle), np.sin(angle)])
        reach = size * rng.uniform(0.75, 1.1)
        lines.append((np.stack([place, place + along * reach]), wide))
        steps = np.arange(0.12, 0.98, max(2.4 * wide / reach, 0.06))
        for t in steps:
            for side in (-1, 1):
                slant = angle + side * (np.pi / 2 if arms == 4 else np.pi / 3)
                twig = reach * 0.45 * (1 - t) * rng.uniform(0.6, 1.0) + wide
                start = place + along * reach * t
                end = start + twig * np.array([np.cos(slant), np.sin(slant)])
                lines.append((np.stack([start, end]), wide * 0.7))
    return lines


@painter("devit_cristobalite", (1e-7, 4e-6), views=_GROWN, detectors=("SE", "SE", "BSE"))
def devit_cristobalite(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Four-armed dendrites, with fish-scale cracks where they have grown together."""
    height = canvas.shape[0]
    size = height * rng.uniform(0.05, 0.2)
    places = _centres(canvas, rng, 2, 26, size * 1.3)
    wide = max(size * rng.uniform(0.05, 0.1), 1.6)
    lines = [
        line
        for place in places
        for line in _dendrite(
            rng, place, size * rng.uniform(0.5, 1.1), 4, rng.uniform(0, np.pi), wide
        )
    ]
    coverage = blur(drawing.strokes(canvas.shape, lines), 0.7)
    _grow(canvas, coverage, 9.4, rng.uniform(1.5, 3.0))  # darker than soda-lime
    return [
        Painted(
            "devit_cristobalite", blur(coverage, 2.0) > 0.35, len(places), {"length": (2 * size,)}
        )
    ]


@painter("devit_diopside", (5e-8, 2e-6), views=_GROWN, detectors=("SE", "SE", "BSE"))
def devit_diopside(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Feathery six-armed dendrites."""
    height = canvas.shape[0]
    size = height * rng.uniform(0.08, 0.3)
    places = _centres(canvas, rng, 1, 12, size * 1.2)
    wide = max(size * rng.uniform(0.03, 0.07), 1.4)
    lines = [
        line
        for place in places
        for line in _dendrite(
            rng, place, size * rng.uniform(0.6, 1.1), 6, rng.uniform(0, np.pi), wide
        )
    ]
    coverage = drawing.strokes(canvas.shape, lines)
    _grow(canvas, coverage, "diopside", rng.uniform(1.2, 2.5))
    return [
        Painted("devit_diopside", blur(coverage, 2.0) > 0.35, len(places), {"length": (2 * size,)})
    ]


@painter("devit_tridymite", (2e-7, 4e-6), views=("surface", "fracture"), detectors=("SE",))
def devit_tridymite(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Flat six-sided and wedge-shaped plates lying at all angles."""
    height = canvas.shape[0]
    size = height * rng.uniform(0.03, 0.12)
    places = _centres(canvas, rng, 6, 60, size * 0.8)
    outlines, values = [], []
    for place in places:
        corners = int(rng.choice([3, 6, 6]))
        outlines.append(
            drawing.blob(
                rng,
                place,
                size * rng.uniform(0.5, 1.3),
                rough=0.06,
                corners=corners,
                aspect=rng.uniform(1, 2.4),
            )
        )
        values.append(rng.uniform(1.5, 5.0))
    plates = drawing.polygons(canvas.shape, outlines, values)
    canvas.height += plates * canvas.strength
    canvas.tone *= 1 + 0.05 * np.sign(plates)
    return [Painted("devit_tridymite", plates > 0.7, len(places), {"length": (2 * size,)})]


def _laths(
    canvas: Canvas, rng: Rng, count: int, length: float, width: float, *, bundle: bool
) -> tuple[Field, Field]:
    """Rods painted over each other: their heights, and their coverage."""
    height, wide = canvas.shape
    if bundle:
        hubs = drawing.scatter(rng, canvas.shape, max(count // 9, 2))
        pick = rng.integers(0, len(hubs), count)
        angle = rng.uniform(0, np.pi, len(hubs))[pick] + rng.normal(0, 0.05, count)
        places = hubs[pick] + rng.normal(0, length * 0.22, (count, 2))
    else:
        angle = rng.uniform(0, np.pi, count)
        places = rng.uniform((-10, -10), (wide + 10, height + 10), (count, 2))
    lengths = length * rng.lognormal(-0.1, 0.35, count)
    widths = np.maximum(width * rng.lognormal(0, 0.2, count), 1.6)
    levels = rng.uniform(0.6, 3.2, count)
    outlines, values = [], []
    for place, turn, long, thick, level in zip(places, angle, lengths, widths, levels, strict=True):
        outlines.append(drawing.lath(place, long, thick, turn))
        values.append(level)
        aside = np.array([-np.sin(turn), np.cos(turn)]) * thick * 0.22
        outlines.append(drawing.lath(place + aside, long * 0.96, thick * 0.5, turn))
        values.append(level + 0.7)
    field = drawing.polygons(canvas.shape, outlines, values)
    return field, np.clip(field * 2, 0, 1)


@painter("devit_wollastonite", (1e-7, 4e-6), views=_GROWN, detectors=("SE", "BSE"))
def devit_wollastonite(canvas: Canvas, rng: Rng) -> list[Painted]:
    height = canvas.shape[0]
    length, width = height * rng.uniform(0.12, 0.35), rng.uniform(3, 9)
    count = int(rng.integers(10, 70))
    field, coverage = _laths(canvas, rng, count, length, width, bundle=True)
    _grow(canvas, coverage, "wollastonite", 0.0)
    canvas.height += field * canvas.strength
    return [
        Painted(
            "devit_wollastonite", coverage > 0.5, count, {"length": (length,), "width": (width,)}
        )
    ]


@painter("devitrification", (5e-8, 4e-6), views=_GROWN, detectors=("SE", "SE", "BSE"))
def devitrification(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Spherulites: radiating fibres within a round front, sometimes grown together."""
    height = canvas.shape[0]
    radius = height * rng.uniform(0.05, 0.22)
    places = _centres(canvas, rng, 1, 14, radius * rng.uniform(1.0, 2.0))
    mask = np.zeros(canvas.shape, bool)
    sizes = []
    for x, y in places:
        size = radius * rng.uniform(0.5, 1.15)
        where, dx, dy = canvas.window(x, y, size + 3)
        distance = np.hypot(dx, dy)
        angle = np.arctan2(dy, dx)
        knots = int(rng.integers(24, 60))
        spokes = rng.standard_normal(knots).astype(np.float32)
        turn = (angle / (2 * np.pi) % 1) * knots + 0.15 * np.sin(distance / 4 + angle * 3)
        low = np.floor(turn).astype(int)
        part = turn - low
        fibres = spokes[low % knots] * (1 - part) + spokes[(low + 1) % knots] * part
        front = 1 + 0.05 * spokes[low % knots]
        inside = np.clip((size * front - distance) / 1.5, 0, 1)
        dome = np.sqrt(np.clip(1 - (distance / (size * 1.15)) ** 2, 0, None))
        canvas.height[where] += canvas.strength * inside * (size * 0.12 * dome + 1.5 * fibres)
        full = np.zeros(canvas.shape, np.float32)
        full[where] = inside
        canvas.put_phase(full, "diopside")
        canvas.z[where] += 0.5 * inside * fibres * canvas.strength
        mask[where] |= inside > 0.5
        sizes.append(2 * size)
    return [Painted("devitrification", mask, len(sizes), {"equivalent_diameter": tuple(sizes)})]


@painter(
    "gc_lithium_disilicate", (4e-9, 2.5e-8), views=("etched",), detectors=("SE", "SE", "SE", "BSE")
)
def gc_lithium_disilicate(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Interlocked rods standing proud after an HF etch."""
    height, wide = canvas.shape
    width = rng.uniform(7.5, 18)
    length = width * rng.uniform(2.5, 5.5)
    count = int(min(2.4 * height * wide / (length * width), 1400))
    field, coverage = _laths(canvas, rng, count, length, width, bundle=False)
    _grow(canvas, coverage, "lithium_disilicate", 0.0)
    canvas.height += rng.uniform(1.2, 2.2) * field
    canvas.dig(1 - coverage, 2.5, 0.2 if canvas.backscattered else 0.5)
    return [Painted("gc_lithium_disilicate", None, count, {"length": (length,), "width": (width,)})]


@painter("gc_fluorapatite", (2e-9, 2e-8), views=("etched", "polished"), detectors=("SE", "BSE"))
def gc_fluorapatite(canvas: Canvas, rng: Rng) -> list[Painted]:
    count = int(rng.integers(60, 400))
    length, width = rng.uniform(15, 70), rng.uniform(2, 5)
    field, coverage = _laths(canvas, rng, count, length, width, bundle=False)
    _grow(canvas, coverage, "apatite", 0.0)
    canvas.height += 0.6 * field * canvas.strength
    return [
        Painted("gc_fluorapatite", coverage > 0.5, count, {"length": (length,), "width": (width,)})
    ]


@painter("gc_cordierite", (1e-8, 4e-7), views=("etched", "polished"), detectors=("SE", "BSE"))
def gc_cordierite(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Hexagonal prisms, end on."""
    size = rng.uniform(6, 28)
    places = drawing.scatter(rng, canvas.shape, int(rng.integers(60, 260)))
    outlines = [
        drawing.blob(
            rng,
            place,
            size * rng.uniform(0.5, 1.1),
            rough=0.04,
            corners=6,
            aspect=rng.uniform(1, 1.3),
        )
        for place in places
    ]
    levels = rng.uniform(1.0, 2.8, len(outlines)).tolist()
    field = drawing.polygons(canvas.shape, outlines, levels)
    coverage = np.clip(field, 0, 1)
    _grow(canvas, coverage, 9.7, 0.0)  # dark beside Ti/Zr-rich glass
    canvas.height += field * canvas.strength
    return [
        Painted(
            "gc_cordierite", coverage > 0.5, len(places), {"equivalent_diameter": (1.5 * size,)}
        )
    ]


@painter("gc_leucite", (1e-8, 1e-7), views=("etched",), detectors=("SE",))
def gc_leucite(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Etched clusters with lamellar twins and micro-cracks round them."""
    size = rng.uniform(14, 45)
    places = drawing.scatter(rng, canvas.shape, int(rng.integers(12, 70)), apart=size)
    coverage = drawing.polygons(
        canvas.shape,
        [drawing.blob(rng, p, size * rng.uniform(0.5, 1), rough=0.5) for p in places],
        [1.0] * len(places),
    )
    twins = np.zeros(canvas.shape, np.float32)
    for angle in rng.uniform(0, np.pi, 2):
        ys, xs = np.ogrid[: canvas.shape[0], : canvas.shape[1]]
        twins += np.sin((xs * np.cos(angle) + ys * np.sin(angle)) * 2 * np.pi / rng.uniform(5, 9))
    canvas.put_phase(coverage, "leucite")
    canvas.height += coverage * canvas.strength * (1.5 + 0.6 * twins)
    return [
        Painted("gc_leucite", coverage > 0.5, len(places), {"equivalent_diameter": (1.5 * size,)})
    ]


@painter("gc_las", (1e-9, 1e-8), views=("etched",), detectors=("SE",))
def gc_las(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Close-packed fine nodules."""
    size = rng.uniform(5, 16)
    height, wide = canvas.shape
    count = int(min(0.8 * height * wide / size**2, 2600))
    places = rng.uniform((0, 0), (wide, height), (count, 2))
    outlines = [
        drawing.blob(rng, p, size * 0.5 * s, rough=0.2, corners=7)
        for p, s in zip(places, rng.lognormal(0, 0.25, count), strict=True)
    ]
    field = drawing.polygons(canvas.shape, outlines, rng.uniform(0.5, 2.5, count).tolist(), scale=1)
    canvas.height += blur(field, 0.9) * canvas.strength
    return [Painted("gc_las", None, count, {"equivalent_diameter": (size,)})]


@painter(
    "opacifier_crystal",
    (1e-8, 1e-7),
    views=("polished", "etched"),
    detectors=("BSE", "BSE", "SE"),
    secondary=True,
)
def opacifier_crystal(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Fine equiaxed bright grains, evenly spread."""
    size = rng.uniform(2.0, 6.5)
    places = drawing.scatter(rng, canvas.shape, int(rng.integers(120, 800)))
    outlines = [
        drawing.blob(rng, p, size * rng.uniform(0.6, 1.3), rough=0.2, corners=6) for p in places
    ]
    coverage = drawing.polygons(canvas.shape, outlines, [1.0] * len(outlines))
    _grow(canvas, coverage, str(rng.choice(["titania", "zircon", "tin_oxide"])), 1.5)
    return [
        Painted(
            "opacifier_crystal", coverage > 0.5, len(places), {"equivalent_diameter": (2 * size,)}
        )
    ]


@painter("waste_phase", (2e-8, 4e-7), views=("polished",), detectors=("BSE",))
def waste_phase(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Spinel octahedra and stars, ruthenia needles, in a waste glass."""
    count = int(rng.integers(10, 90))
    outlines = []
    sizes = rng.uniform(3, 16) * rng.lognormal(0, 0.3, count)
    for size in sizes:
        place = rng.uniform((0, 0), (canvas.shape[1], canvas.shape[0]))
        outlines.append(
            drawing.blob(rng, place, size, rough=0.03, corners=int(rng.choice([4, 4, 6, 3])))
        )
    needles: list[Stroke] = []
    for _ in range(int(rng.integers(0, 40))):
        place, angle = (
            rng.uniform((0, 0), (canvas.shape[1], canvas.shape[0])),
            rng.uniform(0, np.pi),
        )
        end = place + rng.uniform(10, 40) * np.array([np.cos(angle), np.sin(angle)])
        needles.append((np.stack([place, end]), 1.8))
    spinel = drawing.polygons(canvas.shape, outlines, [1.0] * count)
    canvas.put_phase(spinel, "spinel")
    if needles:
        rods = drawing.strokes(canvas.shape, needles)
        canvas.put_phase(rods, "ruthenia")
        spinel = np.maximum(spinel, rods)
    shade = soft_noise(rng, canvas.shape, 60)
    canvas.z += 0.1 * shade
    return [
        Painted(
            "waste_phase",
            spinel > 0.5,
            count + len(needles),
            {"equivalent_diameter": tuple((1.6 * sizes).tolist())},
        )
    ]
