"""Painters of glass in glass: droplets, interconnected separation, cord, the tin side."""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.fields import band_noise, blur, profile, smoothstep

Rng = np.random.Generator


@painter(
    "phase_sep_droplet",
    (4e-10, 6e-8),
    views=("etched", "polished", "fracture"),
    detectors=("SE", "BSE"),
)
def phase_sep_droplet(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Isolated spheres: bumps or dimples after an etch, discs in BSE."""
    size = rng.uniform(4, 17)
    share = rng.uniform(0.08, 0.4)
    height, width = canvas.shape
    count = int(min(share * height * width / (np.pi * size**2) * 1.2, 1500))
    places = rng.uniform((0, 0), (width, height), (count, 2))
    radii = size * rng.lognormal(0, rng.uniform(0.08, 0.35), count)
    if rng.random() < 0.7:  # droplets that would overlap have coalesced or keep apart
        places, radii = _apart(places, radii)
    coverage = drawing.discs(canvas.shape, places, radii.tolist())
    canvas.put_phase(coverage, canvas.matrix_z + float(rng.choice([2.2, 2.2, -1.4])))
    if not canvas.backscattered or rng.random() < 0.3:
        round_ = blur(coverage, size * 0.3) * coverage
        canvas.height += float(rng.choice([-1, 1])) * size * 0.45 * round_ * canvas.strength
    return [
        Painted(
            "phase_sep_droplet",
            coverage > 0.5,
            len(radii),
            {
                "equivalent_diameter": tuple((2 * radii[:400]).tolist()),
                "area_fraction": (float((coverage > 0.5).mean()),),
            },
        )
    ]


def _apart(places: np.ndarray, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Only droplets that touch no earlier one, found by a grid of coarse boxes."""
    taken: dict[tuple[int, int], list[int]] = {}
    side = 2.2 * float(radii.max())
    keep: list[int] = []
    for index, ((x, y), radius) in enumerate(zip(places, radii, strict=True)):
        box = (int(x / side), int(y / side))
        near = [
            other
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            for other in taken.get((box[0] + i, box[1] + j), ())
        ]
        if all(
            (x - places[o, 0]) ** 2 + (y - places[o, 1]) ** 2 > (radius + radii[o]) ** 2
            for o in near
        ):
            keep.append(index)
            taken.setdefault(box, []).append(index)
    return places[keep], radii[keep]


@painter(
    "phase_sep_interconnected",
    (5e-10, 6e-8),
    views=("etched", "polished", "fracture"),
    detectors=("SE", "BSE"),
)
def phase_sep_interconnected(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Two interwoven glasses: a band-passed field cut at a level, in shallow relief."""
    scale = rng.uniform(11, 60)
    noise = band_noise(rng, canvas.shape, scale, width=rng.uniform(0.2, 0.4))
    level = rng.uniform(-0.4, 0.4)
    worm = smoothstep(noise, level - 0.18, level + 0.18)
    canvas.put_phase(worm, canvas.matrix_z + float(rng.choice([2.0, -1.5])))
    if not canvas.backscattered:
        canvas.height += worm * rng.uniform(1.0, 0.09 * scale + 1.2) * canvas.strength
    return [
        Painted(
            "phase_sep_interconnected",
            None,
            None,
            {"spacing": (scale,), "area_fraction": (float((worm > 0.5).mean()),)},
            texture=worm > 0.5,
        )
    ]


@painter("cord", (1e-7, 1e-5), views=("polished",), detectors=("BSE",), secondary=True)
def cord(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Soft-edged bands of another composition, gently bent."""
    height, width = canvas.shape
    angle = rng.uniform(0, np.pi)
    ys, xs = np.ogrid[:height, :width]
    across = (-xs * np.sin(angle) + ys * np.cos(angle)).astype(np.float32)
    along = (xs * np.cos(angle) + ys * np.sin(angle)).astype(np.float32)
    reach = float(np.hypot(height, width))
    across = across + rng.uniform(5, 35) * np.sin(along / rng.uniform(0.3, 1.0) / reach * 6 + 1)
    low = float(across.min())
    knots = np.clip(((across - low) / 2), 0, 2 * reach).astype(np.int32)
    line = np.zeros(int(knots.max()) + 2, np.float32)
    place = np.arange(line.size) * 2
    widths = []
    for _ in range(int(rng.integers(1, 7))):
        middle, wide = rng.uniform(0.2, 0.8) * place[-1], height * rng.uniform(0.02, 0.09)
        sign = float(rng.choice([1, 1, -1]))
        line += sign * rng.uniform(0.7, 1.3) * np.exp(-(((place - middle) / wide) ** 2))
        widths.append(2 * wide)
    line += 0.08 * profile(rng, line.size, 12)
    band = line[knots]
    canvas.z += band * rng.uniform(1.2, 2.2) * canvas.strength
    return [Painted("cord", np.abs(band) > 0.35, len(widths), {"width": tuple(widths)})]


@painter("tin_side", (3e-8, 2e-7), views=("section",), detectors=("BSE",))
def tin_side(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A section through the skin of a float pane: a brighter band under the edge."""
    from training.synthesis.surfaces import section_edge

    depth, mounting = section_edge(canvas, rng)
    thick = canvas.shape[0] * rng.uniform(0.1, 0.28)
    hump = 0.6 * np.exp(-(((depth - 0.55 * thick) / (0.22 * thick)) ** 2))
    skin = np.exp(-np.clip(depth, 0, None) / (0.35 * thick)) + hump
    inside = (depth > 0) & (mounting < 0.5)
    canvas.z += inside * skin * 2.4 * canvas.strength
    return [Painted("tin_side", inside & (depth < thick), 1, {"thickness": (thick,)})]
