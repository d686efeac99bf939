"""A wide field painted and imaged, and what of it can be seen.

Painted on a smaller canvas that is then drawn out (edges of real micrographs are some pixels
wide), finished with the fine roughness of a real surface, imaged with noise and contrast as they
were measured on real micrographs. What does not stand out is not true: it is told, and the caller
paints the field again without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.synthesis import artefacts, decoys, imaging, surfaces
from training.synthesis.canvas import Canvas, Mask, Painted, Painter
from training.synthesis.choosing import ORDER, Chosen
from training.synthesis.exposing import moved
from training.synthesis.fields import Field, Shape, power_noise
from training.synthesis.grounds import GROUNDS
from training.synthesis.imaging import Noise, add_real_noise

Rng = np.random.Generator

#: Grey levels by which a feature has to differ from what is beside it.
LEAST = 7.0
#: Below this nobody finds it.
LOST = 2.0


@dataclass(frozen=True, slots=True)
class Exposed:
    """Grey levels of 0 to 255, what is seen on them, the artefacts that came with it, the noise,
    and the keys of painters that left nothing to be seen."""

    grey: Field
    painted: tuple[Painted, ...]
    artefacts: tuple[str, ...]
    noise: Noise
    unseen: frozenset[str]


def expose_wide(
    chosen: Chosen, shape: Shape, paint_seed: int, image_seed: int, strength: float
) -> Exposed:
    rng = np.random.default_rng(paint_seed)
    zoom = _zoom(chosen, shape)
    small = (round(shape[0] / zoom), round(shape[1] / zoom))
    canvas = Canvas(small, chosen.detector, float(rng.uniform(10.3, 13.0)), chosen.view, strength)
    painted, keys = _paint(canvas, chosen, rng)
    canvas, painted = _draw_out(canvas, painted, shape)
    if rng.random() < 0.7:  # a surface is never as even as paint
        rough = power_noise(rng, shape, rng.uniform(1.6, 3.0), rng.uniform(20, 120))
        canvas.height += rng.uniform(0.02, 0.3) * rough
        canvas.tone *= 1 + rng.uniform(0.0, 0.02) * power_noise(rng, shape, 1.5, 300)
    rng = np.random.default_rng(image_seed)
    grey, painted = _image(canvas, chosen, painted, rng)
    noise = imaging.draw_noise(rng, chosen.noise)
    if "art_noise" in keys:
        noise = replace(noise, name="loud", sigma=float(rng.uniform(24, 42)))
    grey, noise, seen, unseen = _told(chosen, painted, grey, noise)
    grey = add_real_noise(grey, rng, noise)
    if "art_line_noise" in keys:
        grey = artefacts.line_ripple(grey, rng)
    if "art_saturation" in keys:
        grey = 128 + (grey - 128) * rng.uniform(1.9, 3.0) + float(rng.choice([-40, 40]))
    return Exposed(grey, seen, keys, noise, unseen)


def _zoom(chosen: Chosen, shape: Shape) -> float:
    """Painting on less than some 320 pixels would leave no room for the painters' sizes."""
    return min(chosen.zoom, max(min(shape) / 320, 1.0))


def zoom_of(chosen: Chosen, shape: Shape) -> float:
    """Pixels of the frame for one of the canvas."""
    return shape[0] / round(shape[0] / _zoom(chosen, shape))


def _paint(canvas: Canvas, chosen: Chosen, rng: Rng) -> tuple[tuple[Painted, ...], tuple[str, ...]]:
    painted: list[Painted] = []
    keys = list(chosen.artefacts)
    if chosen.ground in GROUNDS:
        painted.extend(GROUNDS[chosen.ground].paint(canvas, rng))
        if canvas.strength > 1 and not painted:  # a feature was lost on it: a calmer one
            canvas.calm(1 / canvas.strength)
    else:
        layered = chosen.family not in ("clean", "inhomogeneity", "particle")
        surfaces.prepare_view(canvas, rng, layered=layered)
        if chosen.view == "surface":  # waves so deep would be shadows
            canvas.height *= np.float32(0.3)
        if chosen.family != "inhomogeneity" and rng.random() < 0.7:  # nothing real is even
            mottle = power_noise(rng, canvas.shape, rng.uniform(1.0, 2.2), rng.uniform(20, 200))
            canvas.tone *= 1 + rng.uniform(0.005, 0.05) / canvas.strength * mottle
            canvas.z += rng.uniform(0.0, 0.25) / canvas.strength * mottle
    late = [name for name in chosen.decoys if rng.random() < 0.3]
    for name in chosen.decoys:
        if name not in late:
            keys.extend(decoys.DECOYS[name](canvas, rng))
    for lead in sorted(chosen.leaders, key=_turn):
        painted.extend(lead.paint(canvas, rng))
    if canvas.cracks_beside:
        beside = np.logical_or.reduce(canvas.cracks_beside)
        painted.append(Painted("crack_through", beside, None, {}))
    for name in late:
        keys.extend(decoys.DECOYS[name](canvas, rng))
    for key in chosen.artefacts:
        if key in artefacts.PREPARATION:
            artefacts.PREPARATION[key](canvas, rng)
    return _merged(painted), tuple(sorted(set(keys)))


def _turn(lead: Painter) -> int:
    """Film goes first, then bodies, then what cuts through or lies on top."""
    return 0 if lead.key == "coating_peel" and not lead.grounds else ORDER.get(lead.key, 1)


def _merged(painted: Sequence[Painted]) -> tuple[Painted, ...]:
    """One entry a key: what a ground and a painter both show is one feature."""
    found: dict[str, Painted] = {}
    for one in painted:
        before = found.get(one.key)
        if before is None or one.key == "featureless_surface":
            found[one.key] = one
        elif before.mask is None or one.mask is None:
            found[one.key] = replace(before, mask=None, texture=None, count=None)
        else:
            counts = (before.count, one.count)
            known = [c for c in counts if c is not None]
            found[one.key] = replace(
                one,
                mask=before.mask | one.mask,
                texture=_either(before.texture, one.texture),
                count=sum(known) if len(known) == 2 else None,
                sizes={**before.sizes, **one.sizes},
            )
    return tuple(found.values())


def _either(one: Mask | None, other: Mask | None) -> Mask | None:
    return one | other if one is not None and other is not None else one if other is None else other


def _draw_out(
    canvas: Canvas, painted: tuple[Painted, ...], shape: Shape
) -> tuple[Canvas, tuple[Painted, ...]]:
    """The maps and masks at the size of the frame; heights and sizes in its pixels."""
    if canvas.shape == shape:
        return canvas, painted
    zoom = shape[0] / canvas.shape[0]
    wide = Canvas(shape, canvas.detector, canvas.matrix_z, canvas.view, canvas.strength)
    wide.height = _resized(canvas.height, shape) * np.float32(zoom)
    wide.z, wide.tone = _resized(canvas.z, shape), _resized(canvas.tone, shape)
    wide.void = np.clip(_resized(canvas.void, shape), 0, 0.97)
    made = []
    for one in painted:
        sizes = {
            name: values if name == "area_fraction" else tuple(v * zoom for v in values)
            for name, values in one.sizes.items()
        }
        made.append(
            replace(
                one,
                mask=_resized_mask(one.mask, shape),
                texture=_resized_mask(one.texture, shape),
                sizes=sizes,
            )
        )
    return wide, tuple(made)


def _resized(field: Field, shape: Shape) -> Field:
    image = Image.fromarray(np.asarray(field, np.float32))
    return np.array(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float32)


def _resized_mask(mask: Mask | None, shape: Shape) -> Mask | None:
    if mask is None:
        return None
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)) > 127


def _image(
    canvas: Canvas, chosen: Chosen, painted: tuple[Painted, ...], rng: Rng
) -> tuple[Field, tuple[Painted, ...]]:
    look = imaging.draw_look(rng)
    look = replace(
        look,
        probe=float(np.exp(rng.uniform(np.log(0.45), np.log(1.5)))),
        edge_gain=rng.uniform(1.2, 2.2) if "art_edge_effect" in chosen.artefacts else 0.0,
    )
    signal = imaging.shade(imaging.signal_of(canvas, look), rng)
    for key in chosen.artefacts:
        if key in artefacts.SIGNAL:
            signal = artefacts.SIGNAL[key](signal, rng)
    if "art_defocus" in chosen.artefacts:
        signal = artefacts.defocus(signal, rng)
    if "art_astigmatism" in chosen.artefacts:
        signal = artefacts.astigmatism(signal, rng)
    span = rng.uniform(0.15, 0.6) if chosen.detector == "SE" else rng.uniform(0.08, 0.3)
    if chosen.family == "clean":  # an empty field stays an even grey
        span += 0.25
    grey = imaging.set_real_contrast(signal, rng, span)
    for key in ("art_drift_skew", "art_charging_drift", "art_line_noise"):
        if key in chosen.artefacts:
            shifts = artefacts.row_shifts(key, canvas.shape[0], rng)
            grey = np.asarray(artefacts.shift_rows(grey, shifts), np.float32)
            if key != "art_line_noise":
                painted = tuple(moved(one, shifts) for one in painted)
    return grey, painted


def _told(
    chosen: Chosen, painted: tuple[Painted, ...], grey: Field, noise: Noise
) -> tuple[Field, Noise, tuple[Painted, ...], frozenset[str]]:
    """What stands out, with contrast that lifts it and noise that leaves it in sight.

    What the ground alone shows and what is lost in it leaves the truth quietly. A painter's
    feature that does not stand out is named, for the field to be painted again, and so is one of
    the ground that is half in sight: neither label would be true.
    """
    own = {lead.key for lead in chosen.leaders}
    clipped = np.clip(grey, 0, 255)
    bodies = np.zeros(grey.shape, bool)
    for one in painted:
        if one.mask is not None and float(one.mask.mean()) < 0.5:
            bodies |= one.mask
    found = {
        one.key: np.inf if one.key == "featureless_surface" else _standing(one, clipped, bodies)
        for one in painted
    }
    shown = [value for key, value in found.items() if np.isfinite(value) and key in own]
    weakest = min(shown, default=np.inf)
    goal = 24.0 if "art_line_noise" in chosen.artefacts else 14.0
    if 0.3 * goal < weakest < goal:  # the operator turns the contrast up
        lift = min(goal / weakest, 1.6)
        middle = float(np.median(grey[::4, ::4]))
        grey = middle + (grey - middle) * np.float32(lift)
        found = {key: value * lift for key, value in found.items()}
    seen = tuple(
        replace(one, contrast=None if np.isinf(found[one.key]) else found[one.key])
        for one in painted
        if found[one.key] >= LEAST
    )
    unseen = frozenset(
        key for key, value in found.items() if value < LEAST and (key in own or value > LOST)
    )
    limits = [
        found[one.key] * (1.3 if _thin(one) else 2.0) for one in seen if np.isfinite(found[one.key])
    ]
    if limits and noise.sigma > min(limits):
        noise = replace(noise, sigma=min(limits))
        noise = replace(noise, name=_noise_name(noise.sigma))
    return grey, noise, seen, unseen


def _standing(one: Painted, grey: Field, bodies: Mask) -> float:
    mask = one.texture if one.texture is not None else one.mask
    if mask is None or bool(mask.all()):
        return imaging.texture_of(grey, bodies)
    return imaging.standing_out(mask, grey)


def _thin(one: Painted) -> bool:
    return one.mask is not None and float(one.mask.mean()) < 0.03


def _noise_name(sigma: float) -> str:
    return "quiet" if sigma < 3.5 else "middle" if sigma < 11.5 else "loud"


def shrunk(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """A mask in a frame whose longer side is `side`."""
    scale = side / max(mask.shape)
    size = (max(round(mask.shape[1] * scale), 1), max(round(mask.shape[0] * scale), 1))
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.resize(size, Image.Resampling.BOX)) > 40
