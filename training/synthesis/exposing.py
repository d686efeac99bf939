"""A plain field painted and imaged: one feature, or two, on the even ground of its view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.synthesis import artefacts, imaging, surfaces
from training.synthesis.canvas import Canvas, Painted
from training.synthesis.choosing import ORDER, Chosen
from training.synthesis.fields import Field, blur

Rng = np.random.Generator


def expose_plain(
    chosen: Chosen, shape: tuple[int, int], paint_seed: int, image_seed: int, strength: float
) -> tuple[tuple[Painted, ...], Field, bool]:
    """Painted features, the grey levels, and whether all of them can be seen."""
    rng = np.random.default_rng(paint_seed)
    canvas = Canvas(shape, chosen.detector, float(rng.uniform(10.3, 12.0)), chosen.view, strength)
    # Layers beside a cord would be cords, and an empty field has none.
    layered = chosen.family not in ("clean", "inhomogeneity", "particle")
    surfaces.prepare_view(canvas, rng, layered=layered)
    painted: list[Painted] = []
    # What cuts through or lies on top comes last: a crack through pores, dust over a scratch.
    for lead in sorted(chosen.leaders, key=lambda p: ORDER.get(p.key, 1)):
        painted.extend(lead.paint(canvas, rng))
    for key in chosen.artefacts:
        if key in artefacts.PREPARATION:
            artefacts.PREPARATION[key](canvas, rng)
    rng = np.random.default_rng(image_seed)
    look = imaging.draw_look(rng)
    if "art_edge_effect" in chosen.artefacts:
        look = imaging.Look(
            look.tilt_gain,
            look.side,
            look.side_gain,
            look.recess_gain,
            rng.uniform(1.2, 2.2),
            look.probe,
        )
    signal = imaging.shade(imaging.signal_of(canvas, look), rng)
    for key in chosen.artefacts:
        if key in artefacts.SIGNAL:
            signal = artefacts.SIGNAL[key](signal, rng)
    if "art_defocus" in chosen.artefacts:
        signal = artefacts.defocus(signal, rng)
    if "art_astigmatism" in chosen.artefacts:
        signal = artefacts.astigmatism(signal, rng)
    span = rng.uniform(0.35, 0.8) if chosen.detector == "SE" else rng.uniform(0.12, 0.4)
    grey = imaging.set_contrast(signal, rng, span)
    for key in ("art_drift_skew", "art_charging_drift", "art_line_noise"):
        if key in chosen.artefacts:
            shifts = artefacts.row_shifts(key, shape[0], rng)
            grey = np.asarray(artefacts.shift_rows(grey, shifts), np.float32)
            if key != "art_line_noise":
                painted = [moved(one, shifts) for one in painted]
    grey, sigma, seen = _noise_that_shows(chosen, painted, grey, rng)
    grey = imaging.add_noise(grey, rng, sigma, float(rng.choice([0.0, 0.0, 0.5, 0.8])))
    if "art_line_noise" in chosen.artefacts:
        grey = artefacts.line_ripple(grey, rng)
    if "art_saturation" in chosen.artefacts:
        push = rng.uniform(1.9, 3.0)
        pivot = float(np.quantile(grey[::4, ::4], rng.choice([0.25, 0.75])))
        grey = pivot + (grey - pivot) * push + (rng.choice([-1, 1]) * 40)
        low, high = (float(v) for v in np.quantile(grey[::4, ::4], (0.14, 0.86)))
        if low > 0 and high < 255:
            grey = grey - low if 255 - high > low else grey + (255 - high)
    return tuple(painted), grey, seen


def moved(one: Painted, shifts: Field) -> Painted:
    def move(mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        return None if mask is None else np.asarray(artefacts.shift_rows(mask, shifts), bool)

    return replace(one, mask=move(one.mask), texture=move(one.texture))


def _noise_that_shows(
    chosen: Chosen, painted: list[Painted], grey: Field, rng: Rng
) -> tuple[Field, float, bool]:
    """Noise that leaves the weakest feature visible, and contrast that lifts it if needed."""
    wanted = rng.uniform(24, 42) if "art_noise" in chosen.artefacts else rng.uniform(2.0, 11.0)
    shown = [one for one in painted if one.key != "featureless_surface"]
    if not shown:
        return grey, float(wanted), True
    local = blur(grey, 12)
    weakest = min(imaging.contrast_of(one, grey, local) for one in shown)
    goal = 24.0 if "art_line_noise" in chosen.artefacts else 15.0
    if 0 < weakest < goal:  # the operator turns the contrast up
        lift = min(goal / weakest, 2.4)
        middle = float(np.median(grey[::4, ::4]))
        grey = middle + (grey - middle) * np.float32(lift)
        weakest *= lift
    limit = max(weakest * 2.2, 18.0) if "art_noise" in chosen.artefacts else weakest * 0.8
    return grey, float(min(wanted, max(limit, 1.5))), weakest >= 7.5
