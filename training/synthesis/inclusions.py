"""Painters of foreign bodies in the glass: stones, metal, sulfide, silicon, tin, knots."""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.drawing import Stroke
from training.synthesis.fields import Field, band_noise, blur, soft_noise

Rng = np.random.Generator
_BOTH = ("SE", "BSE", "BSE")


def _ball(canvas: Canvas, x: float, y: float, radius: float, z: str, rise: float) -> Field:
    where, dx, dy = canvas.window(x, y, radius + 4)
    distance = np.sqrt(dx * dx + dy * dy)
    inside = np.clip(radius - distance + 0.5, 0, 1)
    canvas.height[where] += rise * np.sqrt(np.clip(radius**2 - distance**2, 0, None))
    groove = np.exp(-(((distance - radius - 0.5) / 1.2) ** 2))
    canvas.void[where] = np.maximum(canvas.void[where], 0.45 * groove * (1 - inside))
    full = np.zeros(canvas.shape, np.float32)
    full[where] = inside
    canvas.put_phase(full, z)
    return full


def _halo_cracks(canvas: Canvas, rng: Rng, x: float, y: float, radius: float) -> None:
    lines: list[Stroke] = []
    for angle in rng.uniform(0, 2 * np.pi, rng.integers(2, 8)):
        start = (x + radius * np.cos(angle), y + radius * np.sin(angle))
        path = drawing.wander(rng, start, angle, radius * rng.uniform(0.5, 2.4), rough=0.15)
        lines.append((path, np.linspace(rng.uniform(1.8, 3.6), 0.8, len(path))))
    cracks = drawing.strokes(canvas.shape, lines)
    canvas.dig(cracks, 1.5, 0.75)
    canvas.cracks_beside.append(cracks > 0.4)


def _place(canvas: Canvas, rng: Rng, low: float, high: float) -> tuple[float, float, float]:
    height, width = canvas.shape
    x, y = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.2, 0.8)
    return x, y, height * rng.uniform(low, high)


def _stone(canvas: Canvas, rng: Rng, key: str, z: str, corners: int, rough: float) -> list[Painted]:
    mask = np.zeros(canvas.shape, bool)
    sizes = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        x, y, radius = _place(canvas, rng, 0.07, 0.24)
        outline = drawing.blob(
            rng, (x, y), radius, rough=rough, corners=corners, aspect=rng.uniform(1, 1.7)
        )
        coverage = drawing.polygons(canvas.shape, [outline], [1.0])
        halo = blur(coverage, radius * 0.35)
        canvas.z += 0.7 * halo * (1 if z in ("zirconia", "chromite") else -0.6)  # dissolved rim
        canvas.put_phase(coverage, z)
        grain = soft_noise(rng, canvas.shape, max(radius / 6, 4), octaves=2)
        canvas.z += coverage * grain * 0.5
        canvas.height += coverage * (1.2 + 0.8 * grain) * canvas.strength
        pores = np.clip((grain - 1.6) * 4, 0, 1) * coverage
        canvas.dig(pores, 2.0, 0.7)
        edge = np.clip(blur(coverage, 1.3) * (1 - coverage) * 2, 0, 1)
        canvas.void = np.maximum(canvas.void, 0.5 * edge)
        if rng.random() < 0.45:
            _halo_cracks(canvas, rng, x, y, radius)
        mask |= coverage > 0.5
        sizes.append(2 * radius)
    return [Painted(key, mask, len(sizes), {"equivalent_diameter": tuple(sizes)})]


@painter("refractory_stone", (3e-7, 1e-5), detectors=_BOTH)
def refractory_stone(canvas: Canvas, rng: Rng) -> list[Painted]:
    z = str(rng.choice(["alumina", "titania", "zircon", "spinel"]))
    return _stone(canvas, rng, "refractory_stone", z, int(rng.choice([0, 9, 13])), 0.4)


@painter("stone_chromite", (2e-7, 5e-6), views=("polished", "fracture"), detectors=_BOTH)
def stone_chromite(canvas: Canvas, rng: Rng) -> list[Painted]:
    return _stone(canvas, rng, "stone_chromite", "chromite", int(rng.integers(5, 9)), 0.25)


@painter("stone_corundum", (2e-7, 5e-6), views=("polished", "fracture"), detectors=_BOTH)
def stone_corundum(canvas: Canvas, rng: Rng) -> list[Painted]:
    return _stone(canvas, rng, "stone_corundum", "alumina", int(rng.choice([0, 6, 8])), 0.2)


@painter("stone_batch", (2e-7, 1e-5), views=("polished", "fracture"), detectors=_BOTH)
def stone_batch(canvas: Canvas, rng: Rng) -> list[Painted]:
    return _stone(canvas, rng, "stone_batch", "silica", 0, 0.35)


@painter("stone_azs", (2e-7, 6e-6), views=("polished", "fracture"), detectors=("BSE", "BSE", "SE"))
def stone_azs(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Bright zirconia grains, pearls and dendrites in a glassy alumina-rich knot."""
    x, y, radius = _place(canvas, rng, 0.15, 0.32)
    knot = drawing.polygons(canvas.shape, [drawing.blob(rng, (x, y), radius, rough=0.3)], [1.0], 1)
    canvas.z += 1.1 * blur(knot, radius * 0.15)
    canvas.tone *= 1 + 0.08 * blur(knot, radius * 0.1)
    outlines = []
    for _ in range(rng.integers(15, 70)):
        angle, reach = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.random()) * 0.85
        place = (x + reach * np.cos(angle), y + reach * np.sin(angle))
        size = radius * rng.lognormal(-2.6, 0.5) + 1.5
        outlines.append(
            drawing.blob(
                rng,
                place,
                size,
                rough=0.3,
                corners=int(rng.choice([0, 0, 5, 6])),
                aspect=rng.uniform(1, 3),
            )
        )
    grains = drawing.polygons(canvas.shape, outlines, [1.0] * len(outlines))
    canvas.put_phase(grains, "zirconia")
    canvas.height += 1.5 * grains * canvas.strength
    mask = (grains > 0.4) | (knot > 0.5)
    return [Painted("stone_azs", mask, 1, {"equivalent_diameter": (2 * radius,)})]


@painter("nickel_sulfide", (1e-7, 1.5e-6), views=("fracture", "polished"), detectors=_BOTH)
def nickel_sulfide(canvas: Canvas, rng: Rng) -> list[Painted]:
    """One rough-skinned bright ball with a crack halo."""
    x, y, radius = _place(canvas, rng, 0.06, 0.22)
    ball = _ball(canvas, x, y, radius, "nickel_sulfide", rng.uniform(0.4, 0.9))
    skin = band_noise(rng, canvas.shape, max(radius / 5, 6), width=0.5)
    canvas.height += 1.1 * ball * skin
    canvas.z += 1.2 * ball * np.clip(skin, -1, 1)
    _halo_cracks(canvas, rng, x, y, radius)
    return [Painted("nickel_sulfide", ball > 0.5, 1, {"equivalent_diameter": (2 * radius,)})]


@painter("silicon_sphere", (2e-7, 5e-6), views=("fracture", "polished"), detectors=_BOTH)
def silicon_sphere(canvas: Canvas, rng: Rng) -> list[Painted]:
    x, y, radius = _place(canvas, rng, 0.06, 0.2)
    ball = _ball(canvas, x, y, radius, "silicon", rng.uniform(0.3, 0.8))
    _halo_cracks(canvas, rng, x, y, radius)
    return [Painted("silicon_sphere", ball > 0.5, 1, {"equivalent_diameter": (2 * radius,)})]


@painter("metallic_inclusion", (2e-8, 3e-6), detectors=_BOTH, secondary=True)
def metallic_inclusion(canvas: Canvas, rng: Rng) -> list[Painted]:
    z = str(rng.choice(["iron", "copper", "platinum", "silver"]))
    mask = np.zeros(canvas.shape, bool)
    sizes = []
    kind = rng.choice(["bead", "bead", "needle", "plate"])
    for _ in range(rng.integers(1, 9)):
        x, y, radius = _place(canvas, rng, 0.012, 0.07)
        if kind == "bead":
            coverage = _ball(canvas, x, y, radius, z, 0.5)
        else:
            corners = {"needle": 4, "plate": 6}[str(kind)]
            outline = drawing.blob(
                rng,
                (x, y),
                radius,
                rough=0.1,
                corners=corners,
                aspect=9 if kind == "needle" else 1.4,
            )
            coverage = drawing.polygons(canvas.shape, [outline], [1.0])
            canvas.put_phase(coverage, z)
            canvas.height += 1.0 * coverage
        mask |= coverage > 0.5
        sizes.append(2 * radius)
    return [Painted("metallic_inclusion", mask, len(sizes), {"equivalent_diameter": tuple(sizes)})]


@painter("tin_droplet", (2e-8, 1e-6), views=("surface",), detectors=_BOTH)
def tin_droplet(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Round beads on a float surface, some in a shallow crater."""
    mask = np.zeros(canvas.shape, bool)
    sizes = []
    for _ in range(rng.integers(2, 25)):
        x, y, radius = _place(canvas, rng, 0.008, 0.05)
        x, y = rng.uniform(0, canvas.shape[1]), rng.uniform(0, canvas.shape[0])
        if rng.random() < 0.4:
            where, dx, dy = canvas.window(x, y, radius * 4)
            crater = np.exp(-(dx**2 + dy**2) / (2 * (1.5 * radius) ** 2))
            canvas.height[where] -= radius * 0.5 * crater
        mask |= _ball(canvas, x, y, radius, "tin_oxide", 0.8) > 0.5
        sizes.append(2 * radius)
    return [Painted("tin_droplet", mask, len(sizes), {"equivalent_diameter": tuple(sizes)})]


@painter("knot", (3e-7, 2e-5), views=("polished",), detectors=("BSE",))
def knot(canvas: Canvas, rng: Rng) -> list[Painted]:
    x, y, radius = _place(canvas, rng, 0.12, 0.3)
    body = drawing.polygons(canvas.shape, [drawing.blob(rng, (x, y), radius, rough=0.3)], [1.0], 1)
    soft = blur(body, radius * rng.uniform(0.12, 0.3))
    canvas.z += float(rng.choice([1.0, 1.0, -1.0])) * rng.uniform(1.0, 2.2) * canvas.strength * soft
    return [Painted("knot", soft > 0.5, 1, {"equivalent_diameter": (2 * radius,)})]
