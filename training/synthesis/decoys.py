"""Look-alikes: what a hasty eye takes for a feature, and what carries no label of one.

Stains for pits, scan streaks for cracks, ledges and shadows for cracks, drying rings for bubbles,
grey clouds for inclusions. The look-alikes that the vocabulary names as artefacts (pull-out for
pores, polishing lines for scratches, charging) are those of `artefacts`; a decoy that is one says
so by its art_* key.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas
from training.synthesis.drawing import Stroke
from training.synthesis.fields import blur, profile, smoothstep, soft_noise

Rng = np.random.Generator
PaintDecoy = Callable[[Canvas, Rng], tuple[str, ...]]

DECOYS: dict[str, PaintDecoy] = {}
#: How often beside the others (1): those that are artefacts are enough among the artefacts.
ODDS: dict[str, float] = {
    "rules": 0.5,
    "streaks": 0.4,
    "seam": 0.3,
    "rings": 0.4,
    "ledges": 0.5,
    "shadows": 0.5,
}
#: Parents whose label a decoy would make doubtful: it never stands beside them.
NEVER_WITH: dict[str, frozenset[str]] = {
    "stains": frozenset({"corrosion", "inhomogeneity", "inclusion"}),
    "rings": frozenset({"corrosion", "pore", "deposit", "delamination"}),
    "ledges": frozenset({"fracture_surface", "scratch"}),
    "shadows": frozenset({"inhomogeneity"}),
    "rules": frozenset({"scratch", "fracture_surface"}),
    "seam": frozenset({"scratch", "inhomogeneity", "coating_fault"}),
    "hairs": frozenset({"fibre"}),
}


def decoy(name: str) -> Callable[[PaintDecoy], PaintDecoy]:
    def enter(paint: PaintDecoy) -> PaintDecoy:
        DECOYS[name] = paint
        return paint

    return enter


@decoy("stains")
def stains(canvas: Canvas, rng: Rng) -> tuple[str, ...]:
    """Dark spots of contamination with soft edges and no depth: no pits."""
    count = int(np.exp(rng.uniform(np.log(1), np.log(25))))
    spots = np.zeros(canvas.shape, np.float32)
    for x, y in drawing.scatter(rng, canvas.shape, count):
        radius = canvas.shape[0] * float(np.exp(rng.uniform(np.log(0.008), np.log(0.09))))
        where, dx, dy = canvas.window(float(x), float(y), 2.5 * radius)
        spots[where] = np.maximum(
            spots[where], np.exp(-(((dx**2 + dy**2) / radius**2) ** rng.uniform(0.7, 2)))
        )
    ragged = np.clip(1 + 0.12 * soft_noise(rng, canvas.shape, 15, 2), 0, 1.6)
    canvas.tone *= np.clip(1 - rng.uniform(0.1, 0.4) * spots * ragged, 0.3, 1)
    canvas.z -= rng.uniform(0, 0.7) * spots
    return ()


@decoy("rings")
def rings(canvas: Canvas, rng: Rng) -> tuple[str, ...]:
    """Drying rings: a thin darker line round a hardly changed inside."""
    for x, y in drawing.scatter(rng, canvas.shape, int(rng.integers(1, 7))):
        radius = canvas.shape[0] * rng.uniform(0.03, 0.25)
        where, dx, dy = canvas.window(float(x), float(y), 1.4 * radius)
        turn = np.arctan2(dy, dx)
        local = (where[0].stop - where[0].start, where[1].stop - where[1].start)
        wave = 1 + 0.08 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.04 * np.sin(5 * turn)
        distance = np.hypot(dx, dy) / wave + 1.2 * soft_noise(rng, local, 9, 2)
        line = np.clip(0.5 + 0.6 * soft_noise(rng, local, max(radius / 2, 6)), 0, 1)
        line = line * np.exp(-(((distance - radius) / rng.uniform(1.2, 4)) ** 2))
        inside = smoothstep(radius - distance, 0, 4)
        canvas.tone[where] *= 1 - rng.uniform(0.08, 0.3) * line - rng.uniform(0, 0.06) * inside
    return ()


@decoy("ledges")
def ledges(canvas: Canvas, rng: Rng) -> tuple[str, ...]:
    """Steps between two levels: a bright or a shaded line on one side only, no gap."""
    field = soft_noise(rng, canvas.shape, canvas.shape[0] * rng.uniform(0.2, 0.6), 2)
    field += rng.uniform(0.0, 0.05) * soft_noise(rng, canvas.shape, rng.uniform(6, 20), 2)
    fade = smoothstep(soft_noise(rng, canvas.shape, canvas.shape[0] * 0.3), -0.8, 0.8)
    wide = rng.uniform(0.01, 0.06)
    for level in rng.uniform(-1.2, 1.2, int(rng.integers(1, 4))):
        rise = rng.uniform(0.6, 4) * smoothstep(field, level - wide, level + wide)
        canvas.height += rise * (0.15 + 0.85 * fade)
    return ()


@decoy("shadows")
def shadows(canvas: Canvas, rng: Rng) -> tuple[str, ...]:
    """A soft dark band, of a neighbour or a wall out of sight."""
    height, width = canvas.shape
    turn = rng.uniform(0, np.pi)
    xs = np.arange(width, dtype=np.float32)[None, :] - width / 2
    ys = np.arange(height, dtype=np.float32)[:, None] - height / 2
    across = (
        -np.sin(turn) * xs
        + np.cos(turn) * ys
        + 0.03 * height * soft_noise(rng, canvas.shape, height / 3)
    )
    middle, wide = rng.uniform(-0.5, 0.5) * height, rng.uniform(0.08, 0.4) * height
    canvas.tone *= 1 - rng.uniform(0.06, 0.3) * np.exp(-(((across - middle) / wide) ** 2))
    return ()


@decoy("rules")
def rules(canvas: Canvas, rng: Rng) -> tuple[str, ...]:
    """Polishing lines right across everything, all one way: the artefact, no scratch."""
    height, width = canvas.shape
    turn = rng.uniform(0, np.pi)
    along = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-along[1], along[0]])
    reach = float(np.hypot(height, width))
    lines: list[Stroke] = []
    for _ in range(int(rng.integers(15, 80))):
        place = np.array([width / 2, height / 2]) + across * rng.uniform(-0.5, 0.5) * reach
        lean = along + across * rng.normal(0, 0.01)
        lines.append(
            (np.stack([place - lean * reach, place + lean * reach]), rng.uniform(0.4, 1.5))
        )
    grooves = drawing.strokes(canvas.shape, lines)
    canvas.height -= rng.uniform(0.5, 1.3) * grooves
    canvas.tone *= 1 + float(rng.choice([-1, 1])) * rng.uniform(0.1, 0.3) * grooves
    return ("art_polish_scratch",)


@decoy("streaks")
def streaks(canvas: Canvas, rng: Rng) -> tuple[str, ...]:
    """Short dark and bright dashes along the scan: charging, no crack."""
    height, width = canvas.shape
    gain = np.zeros(canvas.shape, np.float32)
    for _ in range(int(rng.integers(8, 40))):
        row, thick = int(rng.integers(height)), int(rng.choice([1, 1, 2, 3]))
        start = int(rng.integers(-width // 4, width))
        size = int(width * float(np.exp(rng.uniform(np.log(0.04), np.log(0.7)))))
        end = min(start + size, width)
        gain[row : row + thick, max(start, 0) : max(end, 0)] += float(
            rng.choice([-1, -1, 1])
        ) * rng.uniform(0.2, 0.6)
    canvas.tone *= np.clip(1 + gain, 0.3, 2)
    return ("art_charging_streak",)


@decoy("seam")
def stitched(canvas: Canvas, rng: Rng) -> tuple[str, ...]:
    """A box or a straight border of another grey left by an earlier scan."""
    height, width = canvas.shape
    box = np.zeros(canvas.shape, np.float32)
    if rng.random() < 0.5:
        x = int(width * rng.uniform(0.05, 0.95))
        box[:, :x] = 1
    else:
        y0, x0 = height * rng.uniform(0, 0.6), width * rng.uniform(0, 0.6)
        size = rng.uniform(0.15, 0.5)
        box[int(y0) : int(y0 + size * height), int(x0) : int(x0 + size * width)] = 1
    canvas.tone *= 1 - rng.uniform(0.06, 0.25) * blur(box, 1.0)
    return ("art_contamination_rectangle",)


@decoy("hairs")
def hairs(canvas: Canvas, rng: Rng) -> tuple[str, ...]:
    """A thin bright fold or wrinkle, raised: no crack, which is a gap."""
    height, width = canvas.shape
    for _ in range(int(rng.integers(1, 4))):
        angle = rng.uniform(0, 2 * np.pi)
        start = rng.uniform((0, 0), (width, height))
        path = drawing.wander(
            rng, start, angle, height * rng.uniform(0.3, 1.2), rough=0.05, turn=0.06
        )
        fold = drawing.strokes(canvas.shape, [(path, rng.uniform(1.5, 4))])
        swell = np.clip(1 + 0.4 * profile(rng, width, 60), 0.3, 1.6)[None, :]
        canvas.height += rng.uniform(1.5, 4) * blur(fold, 1.2) * swell
        canvas.tone *= 1 + rng.uniform(0.05, 0.35) * fold
    return ()
