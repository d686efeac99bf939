"""The ways a real SEM spoils an image, each plain enough to be seen when it is claimed.

Not painted: charging drift as a ghost (the shear is `art_charging_drift`'s row jumps here).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.synthesis import drawing
from training.synthesis.canvas import Canvas
from training.synthesis.drawing import Stroke
from training.synthesis.fields import Field, band_noise, blur, profile, smoothstep, soft_noise

Rng = np.random.Generator

#: On the specimen, before imaging.
PREPARATION: dict[str, Callable[[Canvas, Rng], None]] = {}
#: On the signal, 1 on flat matrix.
SIGNAL: dict[str, Callable[[Field, Rng], Field]] = {}
#: How they limit where they may stand: views, largest pixel size, detector.
ONLY_VIEWS = {
    "art_polish_pullout": ("polished", "section"),
    "art_polish_scratch": ("polished", "section"),
    "art_curtaining": ("section", "polished"),
}
FINEST = {"art_coating_grain": 6e-9}
#: A shear shows only on what has a known shape, a jump of rows or a blur only on edges.
KNOWN_SHAPE = frozenset(
    [
        "bubble",
        "crack_radial",
        "indent_impression",
        "crack_hertzian_cone",
        "apatite_layer",
        "coating_blister",
        "nickel_sulfide",
        "silicon_sphere",
        "tin_droplet",
        "phase_sep_droplet",
        "devitrification",
        "gc_cordierite",
        "crack_channel",
        "fibre",
        "devit_cristobalite",
        "devit_diopside",
        "waste_phase",
    ]
)
NO_EDGES = frozenset(
    [
        "featureless_surface",
        "cord",
        "knot",
        "tin_side",
        "weathering_stain",
        "nanopore_network",
        "gc_las",
        "fracture_mirror",
        "wallner_line",
        "hackle_twist",
        "abrasion",
        "coating_peel",
        "leached_layer",
    ]
)
#: Soft low contrast is lost behind these.
SOFT = frozenset(["knot", "cord", "tin_side", "weathering_stain", "phase_sep_interconnected"])
DROWNS_SOFT = frozenset(
    ["art_curtaining", "art_noise", "art_charging_dark", "art_charging_bright", "art_saturation"]
)
NEEDS_EDGES = frozenset({"art_charging_drift", "art_defocus", "art_astigmatism", "art_edge_effect"})
SE_ONLY = frozenset(
    {"art_charging_bright", "art_charging_dark", "art_contamination_rectangle", "art_edge_effect"}
)
#: Where the operator or the optics do it, the generator calls for it by name.
OTHERS = (
    "art_defocus",
    "art_astigmatism",
    "art_noise",
    "art_saturation",
    "art_line_noise",
    "art_drift_skew",
    "art_charging_drift",
    "art_edge_effect",
)


def _preparation(key: str) -> Callable[[Callable[[Canvas, Rng], None]], None]:
    return lambda make: PREPARATION.__setitem__(key, make)


def _signal(key: str) -> Callable[[Callable[[Field, Rng], Field]], None]:
    return lambda make: SIGNAL.__setitem__(key, make)


@_preparation("art_polish_pullout")
def pullout(canvas: Canvas, rng: Rng) -> None:
    """Angular false pores in clusters."""
    count = int(rng.integers(25, 120))
    hubs = drawing.scatter(rng, canvas.shape, int(rng.integers(4, 14)))
    outlines = []
    for _ in range(count):
        place = hubs[rng.integers(len(hubs))] + rng.normal(0, canvas.shape[0] * 0.08, 2)
        outlines.append(
            drawing.blob(
                rng,
                place,
                rng.uniform(2, 11),
                rough=0.7,
                corners=int(rng.integers(4, 8)),
                aspect=rng.uniform(1, 2.5),
            )
        )
    canvas.dig(drawing.polygons(canvas.shape, outlines, [1.0] * count), 3.0, rng.uniform(0.5, 0.85))


@_preparation("art_polish_scratch")
def polish_scratches(canvas: Canvas, rng: Rng) -> None:
    """Many long parallel fine grooves, right across every phase."""
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    reach = float(np.hypot(*canvas.shape))
    middle = np.array([canvas.shape[1] / 2, canvas.shape[0] / 2])
    lines: list[Stroke] = []
    for _ in range(int(rng.integers(18, 70))):
        place = middle + across * rng.uniform(-0.5, 0.5) * reach
        lean = along + across * rng.normal(0, 0.015)
        lines.append(
            (np.stack([place - lean * reach, place + lean * reach]), rng.uniform(0.7, 2.2))
        )
    grooves = drawing.strokes(canvas.shape, lines)
    canvas.height -= rng.uniform(0.8, 1.6) * grooves
    canvas.void = np.maximum(canvas.void, rng.uniform(0.12, 0.3) * grooves)


@_preparation("art_coating_grain")
def coating_grain(canvas: Canvas, rng: Rng) -> None:
    """The pebble texture of a sputtered film."""
    grain = band_noise(rng, canvas.shape, rng.uniform(3.5, 8), 0.35)
    canvas.height += rng.uniform(0.6, 1.2) * grain
    canvas.tone *= 1 + 0.07 * np.clip(grain, -1, 2)
    canvas.z += 0.6 * np.clip(grain, -1, 2)


@_preparation("art_beam_damage")
def beam_damage(canvas: Canvas, rng: Rng) -> None:
    """A raised, blistered box where the beam has stood."""
    height, width = canvas.shape
    h, w = height * rng.uniform(0.15, 0.35), width * rng.uniform(0.15, 0.35)
    y, x = height * rng.uniform(0.1, 0.6), width * rng.uniform(0.1, 0.6)
    box = np.zeros(canvas.shape, np.float32)
    box[int(y) : int(y + h), int(x) : int(x + w)] = 1
    box = blur(box, 2.0)
    bubbles = np.clip(soft_noise(rng, canvas.shape, 9) - 0.6, 0, None)
    canvas.height += box * (rng.uniform(4, 8) + 3.5 * bubbles)
    canvas.tone *= 1 + rng.choice([-0.15, 0.15]) * box
    canvas.z -= 0.5 * box


@_signal("art_charging_bright")
def charging_bright(signal: Field, rng: Rng) -> Field:
    """Flares over part of the field, stretched along the fast scan, following what stands up."""
    where = soft_noise(rng, signal.shape, signal.shape[0] * rng.uniform(0.25, 0.5))
    edges = blur(np.abs(signal - blur(signal, 6)), 3)
    flare = smoothstep(where + 1.2 * edges / max(float(edges[::8, ::8].max()), 1e-3), 0.8, 1.9)
    flare = ndimage.uniform_filter1d(flare, 41, axis=1, origin=-18)
    return np.asarray(signal * (1 + rng.uniform(0.7, 1.6) * flare) + 0.25 * flare, np.float32)


@_signal("art_charging_dark")
def charging_dark(signal: Field, rng: Rng) -> Field:
    where = soft_noise(rng, signal.shape, signal.shape[0] * rng.uniform(0.3, 0.6))
    dark = smoothstep(where, 0.5, 1.3)
    return np.asarray(signal * (1 - rng.uniform(0.5, 0.75) * dark), np.float32)


@_signal("art_charging_streak")
def charging_streak(signal: Field, rng: Rng) -> Field:
    """Jumps along scan lines: a sudden start, a slow recovery, several rows each."""
    height, width = signal.shape
    gain = np.ones(signal.shape, np.float32)
    xs = np.arange(width, dtype=np.float32)
    for _ in range(int(rng.integers(10, 45))):
        row, thick = int(rng.integers(height)), int(rng.choice([1, 1, 2, 3, 6]))
        start = int(rng.integers(-width // 3, width * 0.8))
        decay = np.where(xs >= start, np.exp(-(xs - start) / rng.uniform(60, 900)), 0)
        gain[row : row + thick] += float(rng.choice([-0.6, 0.5, 0.9])) * decay * rng.uniform(0.4, 1)
    return signal * np.clip(gain, 0.15, 3)


@_signal("art_contamination_rectangle")
def contamination(signal: Field, rng: Rng) -> Field:
    """The darker box of an earlier scan, its rim darkest; sometimes one within another."""
    height, width = signal.shape
    half = rng.uniform(0.16, 0.36)
    y, x = height * rng.uniform(0.4, 0.6), width * rng.uniform(0.4, 0.6)
    for step in range(int(rng.choice([1, 1, 2]))):
        reach = half * (0.5**step)
        box = np.zeros(signal.shape, np.float32)
        box[
            max(int(y - reach * height), 0) : int(y + reach * height),
            max(int(x - reach * width), 0) : int(x + reach * width),
        ] = 1
        soft = blur(box, 1.2)
        rim = np.clip(soft - blur(box, 7), 0, 1)
        signal = signal * (1 - rng.uniform(0.14, 0.3) * soft - 0.12 * rim)
    return np.asarray(signal, np.float32)


@_signal("art_curtaining")
def curtaining(signal: Field, rng: Rng) -> Field:
    """Vertical streaks of an ion-milled face, fading in from above."""
    height, width = signal.shape
    line = profile(rng, width, rng.uniform(3, 8)) + 0.6 * profile(rng, width, 40)
    fade = np.clip(0.5 + 0.4 * profile(rng, height, height / 3), 0.15, 1)[:, None]
    slow = 1 + 0.4 * soft_noise(rng, signal.shape, height / 2)
    return np.asarray(
        signal * (1 + rng.uniform(0.07, 0.14) * line[None, :] * fade * slow), np.float32
    )


def defocus(field: Field, rng: Rng) -> Field:
    return blur(field, rng.uniform(2.6, 4.5))


def astigmatism(field: Field, rng: Rng) -> Field:
    """Blur along one direction (45 degrees steps of a real stigmator's two axes)."""
    reach = int(rng.integers(9, 15))
    moves = [(0, 1), (1, 0), (1, 1), (1, -1)][int(rng.integers(4))]
    if 0 in moves:
        axis = 1 if moves[0] == 0 else 0
        return np.asarray(ndimage.gaussian_filter1d(field, reach * 0.33, axis=axis), np.float32)
    total, weight_sum = np.zeros_like(field), 0.0
    for step in range(-reach, reach + 1, 2):
        weight = float(np.exp(-((step / (0.55 * reach)) ** 2)))
        total += weight * np.roll(field, (step * moves[0], step * moves[1]), (0, 1))
        weight_sum += weight
    return total / weight_sum


def row_shifts(key: str, rows: int, rng: Rng) -> Field:
    """How far each row moves sideways, in pixels."""
    ys = np.arange(rows, dtype=np.float32)
    if key == "art_drift_skew":
        slope = float(rng.choice([-1, 1])) * rng.uniform(0.2, 0.5)
        bow = rng.uniform(4, 20) * np.sin(ys / rows * rng.uniform(1, 3))
        return np.asarray(slope * (ys - rows / 2) + bow)
    if key == "art_charging_drift":
        jumps = np.zeros(rows, np.float32)
        for _ in range(int(rng.integers(3, 9))):
            at = int(rng.integers(rows))
            reach = np.exp(-np.clip(ys - at, 0, None) / rng.uniform(15, 120)) * (ys >= at)
            jumps += float(rng.choice([-1, 1])) * rng.uniform(6, 25) * reach
        return jumps
    period, swing = rng.uniform(5, 18), rng.uniform(1.2, 2.8)  # mains: a ripple of every edge
    return np.asarray(swing * np.sin(2 * np.pi * ys / period + rng.uniform(0, 6)))


def shift_rows(field: NDArray[Any], shifts: Field) -> NDArray[Any]:
    """Every row moved sideways, mirrored at the frame's sides."""
    width = field.shape[1]
    at = np.arange(width)[None, :] - np.rint(shifts).astype(np.int64)[:, None]
    at = np.abs(at)
    at = np.where(at >= width, 2 * (width - 1) - at, at).clip(0, width - 1)
    return np.take_along_axis(field, at, axis=1)


def line_ripple(grey: Field, rng: Rng) -> Field:
    """Grey that swings from row to row with the mains."""
    ys = np.arange(grey.shape[0], dtype=np.float32)
    wave = np.sin(2 * np.pi * ys / rng.uniform(4, 16) + rng.uniform(0, 6))
    wave = wave + 0.6 * rng.standard_normal(grey.shape[0], np.float32)
    return np.asarray(grey + rng.uniform(5, 9) * wave[:, None], np.float32)
