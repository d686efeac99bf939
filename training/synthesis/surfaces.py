"""What lies under the features: fire-polished, polished, fractured, etched, coated, sectioned.

Backgrounds are confusable on purpose (faint grain, faint polishing lines, shading, residues):
none of them is a feature, and all stay fainter than what is labelled.
"""

from __future__ import annotations

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted, painter
from training.synthesis.drawing import Stroke
from training.synthesis.fields import Field, band_noise, profile, smoothstep, soft_noise

Rng = np.random.Generator


def prepare_view(canvas: Canvas, rng: Rng, *, layered: bool) -> None:
    """Lay the background for the canvas's view; `layered` allows a section through layers."""
    shape = canvas.shape
    if canvas.view == "polished" and layered and rng.random() < 0.25:
        _layers(canvas, rng)
    if canvas.view == "fracture":
        canvas.height += rng.uniform(2, 12) * soft_noise(rng, shape, rng.uniform(120, 400))
        if rng.random() < 0.5:
            grain = band_noise(rng, shape, rng.uniform(5, 16), 0.7)
            canvas.height += rng.uniform(0.05, 0.25) * grain
    elif canvas.view == "etched":
        canvas.height += rng.uniform(0.15, 0.5) * soft_noise(rng, shape, rng.uniform(2.5, 6), 1)
    elif canvas.view == "coated":
        canvas.height += rng.uniform(0.05, 0.3) * soft_noise(rng, shape, rng.uniform(2.5, 5))
    elif canvas.view == "polished" and rng.random() < 0.4:
        _faint_lines(canvas, rng)
    elif canvas.view == "surface" and rng.random() < 0.5:
        canvas.height += rng.uniform(0.5, 3) * soft_noise(rng, shape, rng.uniform(80, 300))
    if rng.random() < 0.3:
        canvas.tone *= 1 + rng.uniform(0.004, 0.02) * soft_noise(
            rng, shape, rng.uniform(30, 150), 2
        )
    if rng.random() < 0.1:
        mottle = band_noise(rng, shape, rng.uniform(20, 60), 0.8)
        canvas.tone *= 1 + rng.uniform(0.006, 0.018) * mottle


def _layers(canvas: Canvas, rng: Rng) -> None:
    """Sharp boundaries between layers of other composition: enamel on its base, a seal, a glaze
    on its body; a body may be grainy."""
    height, width = canvas.shape
    upright = rng.random() < 0.2
    long, short = (height, width) if upright else (width, height)
    depth = np.arange(short, dtype=np.float32)[:, None]
    wavy = rng.uniform(0, 0.03) * short * profile(rng, long, long / rng.uniform(2, 12))
    tilt = rng.uniform(-0.15, 0.15) * (np.arange(long) - long / 2)
    step = np.zeros((short, long), np.float32)
    for at in rng.uniform(0.1, 0.9, int(rng.integers(1, 3))) * short:
        side = smoothstep(depth - (at + wavy + tilt)[None, :], -0.8, 0.8)
        step += float(rng.choice([-1, 1])) * rng.uniform(0.8, 4.0) * side
    if upright:
        step = step.T
    canvas.z += step
    canvas.tone *= 1 + 0.03 * step
    if rng.random() < 0.4:
        grain = band_noise(rng, canvas.shape, rng.uniform(8, 30), 0.8)
        canvas.z += 0.25 * (np.abs(step) > 0.4) * grain


def _faint_lines(canvas: Canvas, rng: Rng) -> None:
    angle = rng.uniform(0, np.pi)
    lines: list[Stroke] = []
    for _ in range(int(rng.integers(5, 40))):
        place = rng.uniform((0, 0), (canvas.shape[1], canvas.shape[0]))
        turn = angle + rng.normal(0, 0.3)
        reach = rng.uniform(60, 900) * np.array([np.cos(turn), np.sin(turn)])
        lines.append((np.stack([place - reach, place + reach]), 0.6))
    canvas.height -= rng.uniform(0.1, 0.25) * drawing.strokes(canvas.shape, lines)


def section_edge(canvas: Canvas, rng: Rng) -> tuple[Field, Field]:
    """Mount in resin above the edge of a section: depth under the edge (px) and the resin's
    coverage. The resin is dark and a little textured."""
    height, width = canvas.shape
    edge = height * rng.uniform(0.15, 0.4) + rng.uniform(1, 10) * profile(rng, width, width / 3)
    edge = edge + rng.uniform(-0.12, 0.12) * (np.arange(width) - width / 2)
    depth = np.arange(height, dtype=np.float32)[:, None] - edge[None, :].astype(np.float32)
    resin = smoothstep(-depth, -0.7, 0.7)
    canvas.tone *= 1 - 0.6 * resin
    canvas.z += resin * (6.2 - canvas.z)
    canvas.tone *= 1 + 0.05 * resin * soft_noise(rng, canvas.shape, 12)
    if rng.random() < 0.5:  # a gap between resin and glass
        gap = np.exp(-((depth / rng.uniform(1.5, 4)) ** 2))
        canvas.void = np.maximum(canvas.void, 0.8 * gap)
    return depth.astype(np.float32), resin


@painter(
    "featureless_surface",
    (2e-9, 5e-6),
    views=("surface", "polished", "fracture", "coated"),
    detectors=("SE", "SE", "BSE"),
)
def featureless_surface(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Nothing but the background: fire polish, a mirror face, a clean polished section."""
    return [Painted("featureless_surface", None, 0)]
