"""Grounds: what features stand on where it is not a clean grey.

A ground is neutral: broken, grained, several-phased, etched, layered, brushed, milled, granular.
Where it shows a feature of the vocabulary by itself (the pores of a porous body, fibres in their
matrix) it says so, and the truth holds it. Knows the canvas, nothing of imaging. How rough
grounds are was set so that `likeness` finds in synthetic micrographs what it finds in real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.synthesis import drawing
from training.synthesis.canvas import Canvas, Painted
from training.synthesis.drawing import Stroke
from training.synthesis.fields import (
    Field,
    band_noise,
    blur,
    cells,
    power_noise,
    profile,
    smoothstep,
    soft_noise,
)

Rng = np.random.Generator
PaintGround = Callable[[Canvas, Rng], Sequence[Painted]]


@dataclass(frozen=True, slots=True)
class Ground:
    """A ground: where it may stand, the parents it may show, and whether textures that fill the
    field leave it any room."""

    name: str
    paint: PaintGround
    views: tuple[str, ...]
    detectors: tuple[str, ...]
    shows: tuple[str, ...]
    busy: bool
    weight: float


GROUNDS: dict[str, Ground] = {}


def ground(
    name: str,
    views: tuple[str, ...],
    *,
    detectors: tuple[str, ...] = ("SE", "BSE"),
    shows: tuple[str, ...] = (),
    busy: bool = True,
    weight: float = 1.0,
) -> Callable[[PaintGround], PaintGround]:
    """Enter a ground by its name."""

    def enter(paint: PaintGround) -> PaintGround:
        GROUNDS[name] = Ground(name, paint, views, detectors, shows, busy, weight)
        return paint

    return enter


@ground("broken", ("fracture",), detectors=("SE", "BSE"))
def broken(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A rough broken face: facets over a self-affine relief."""
    shape = canvas.shape
    relief = power_noise(rng, shape, rng.uniform(2.4, 3.4), rng.uniform(60, 300))
    canvas.height += rng.uniform(2.5, 14) * relief
    if rng.random() < 0.4:  # facets: every cell its own slope
        facets = cells(rng, shape, rng.uniform(25, 110), 0.25)
        slopes = rng.normal(0, rng.uniform(0.1, 0.4), (2, len(facets.seeds))).astype(np.float32)
        canvas.height += blur(
            _slopes(facets.labels, facets.seeds, slopes, shape), rng.uniform(1, 2.4)
        )
        canvas.cells = facets
    canvas.tone *= 1 + rng.uniform(0.0, 0.06) * power_noise(rng, shape, 1.6, 60)
    return []


def _slopes(labels: np.ndarray, seeds: Field, slopes: Field, shape: tuple[int, int]) -> Field:
    xs = np.arange(shape[1], dtype=np.float32)[None, :] - seeds[:, 0][labels]
    ys = np.arange(shape[0], dtype=np.float32)[:, None] - seeds[:, 1][labels]
    return np.asarray(slopes[0][labels] * xs + slopes[1][labels] * ys, np.float32)


@ground("grains", ("polished", "etched"), weight=1.3)
def grains(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A dense polycrystal: every grain its own grey by channelling, some with lamellae, borders
    grooved by etching or heat."""
    shape = canvas.shape
    size = float(np.exp(rng.uniform(np.log(14), np.log(150))))
    found = cells(rng, shape, size, rng.uniform(0.02, 0.25))
    canvas.cells = found
    contrast = rng.uniform(0.02, 0.22)
    grey = rng.normal(0, 1, len(found.seeds)).astype(np.float32)
    canvas.tone *= np.clip(1 + contrast * grey[found.labels], 0.3, 1.8)
    canvas.z += 3 * contrast * grey[found.labels]
    if rng.random() < 0.5:  # bent grains: a slow swing of grey within
        canvas.z += 4 * contrast * power_noise(rng, shape, 2.2, size)
        canvas.tone *= 1 + contrast * soft_noise(rng, shape, size / 2)
    if size > 40 and rng.random() < 0.5:
        _lamellae(canvas, rng, found.labels, found.seeds, contrast)
    if rng.random() < 0.6:
        groove = blur(found.borders, rng.uniform(0.6, 1.4))
        canvas.height -= rng.uniform(0.3, 1.8) * groove
        if rng.random() < 0.4:  # a bright or a dark second phase along the borders
            canvas.z += float(rng.choice([-1, 1])) * rng.uniform(0.5, 2) * groove
    if canvas.view == "etched":
        step = rng.normal(0, rng.uniform(0.3, 2.0), len(found.seeds)).astype(np.float32)
        canvas.height += step[found.labels]
    return []


def _lamellae(canvas: Canvas, rng: Rng, labels: np.ndarray, seeds: Field, contrast: float) -> None:
    """Twins and slip bands: straight lines, in each grain in a direction of its own."""
    count = len(seeds)
    turn = rng.uniform(0, np.pi, count).astype(np.float32)
    pitch = rng.uniform(4, 14, count).astype(np.float32)
    own = (rng.random(count) < rng.uniform(0.2, 0.9)).astype(np.float32)
    xs = np.arange(canvas.shape[1], dtype=np.float32)[None, :]
    ys = np.arange(canvas.shape[0], dtype=np.float32)[:, None]
    phase = (xs * np.cos(turn)[labels] + ys * np.sin(turn)[labels]) / pitch[labels]
    bands = np.sin(6.2832 * phase + 2 * soft_noise(rng, canvas.shape, 60)) * own[labels]
    bands = bands * np.clip(soft_noise(rng, canvas.shape, 40) + 0.4, 0, 1.5)
    canvas.z += 3 * contrast * bands
    canvas.tone *= 1 + 0.6 * contrast * bands


@ground("phases", ("polished",), weight=1.2)
def phases(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A polished body of two to four phases: angular grains side by side, each phase a grey."""
    shape = canvas.shape
    found = cells(rng, shape, float(np.exp(rng.uniform(np.log(10), np.log(90)))), 0.12)
    kinds = int(rng.integers(2, 5))
    clump = soft_noise(rng, shape, rng.uniform(60, 250))
    at = found.seeds.astype(int)
    chance = rng.uniform(0, 0.8) * clump[at[:, 1], at[:, 0]] + rng.normal(0, 1, len(at))
    kind = np.searchsorted(np.quantile(chance, np.sort(rng.uniform(0.1, 0.9, kinds - 1))), chance)
    levels = rng.normal(0, rng.uniform(0.4, 2.2), kinds).astype(np.float32)
    level = blur(levels[kind][found.labels], 0.7)
    canvas.z += level
    canvas.tone *= np.clip(1 + 0.05 * level, 0.5, 1.6)
    canvas.height += rng.uniform(0, 0.5) * level  # the harder phase stands proud
    canvas.z += 0.15 * power_noise(rng, shape, 1.5, 40)
    return []


@ground("etched", ("etched", "polished", "surface"), busy=False)
def etched(canvas: Canvas, rng: Rng) -> list[Painted]:
    """An orange peel of shallow dimples."""
    size = rng.uniform(5, 40)
    relief = band_noise(rng, canvas.shape, size, 0.7)
    canvas.height += rng.uniform(0.01, 0.06) * size * relief
    canvas.height += rng.uniform(0.05, 0.4) * power_noise(rng, canvas.shape, 2, 30)
    return []


@ground("brushed", ("surface", "polished", "coated"), busy=False, weight=0.7)
def brushed(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Ground or rolled: an even grain of fine lines one way, far too many to be scratches."""
    angle = float(rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]))
    lines = band_noise(rng, canvas.shape, rng.uniform(4, 14), 0.9, angle, rng.uniform(6, 25))
    # `angle` is where the texture is drawn out; the wave runs across it.
    canvas.height += rng.uniform(0.03, 0.35) * lines
    canvas.tone *= 1 + rng.uniform(0.0, 0.03) * lines
    canvas.tone *= 1 + rng.uniform(0.01, 0.05) * power_noise(rng, canvas.shape, 1.8, 120)
    return []


@ground("granular", ("coated", "surface"), detectors=("SE",))
def granular(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A film of grown domes, or a cauliflower of domes on domes."""
    shape = canvas.shape
    size = rng.uniform(7, 32)
    found = cells(rng, shape, size, 0.05)
    dome = np.sqrt(np.clip(1 - (found.reach / (0.75 * size)) ** 2, 0, 1))
    tall = rng.lognormal(0, rng.uniform(0.1, 0.5), len(found.seeds)).astype(np.float32)
    canvas.height += size * rng.uniform(0.08, 0.3) * dome * tall[found.labels]
    canvas.void = np.maximum(canvas.void, rng.uniform(0.05, 0.4) * (1 - dome))
    if rng.random() < 0.4:
        fine = band_noise(rng, shape, 5, 0.6)
        canvas.height += 0.3 * fine
    canvas.height += rng.uniform(0, 4) * soft_noise(rng, shape, size * 5)
    return []


@ground("grown", ("surface", "fracture"), detectors=("SE",))
def grown(canvas: Canvas, rng: Rng) -> list[Painted]:
    """An uneven crust with bright crests: ice, salt or redeposited matter over a rough base."""
    shape = canvas.shape
    canvas.height += rng.uniform(1, 5) * power_noise(rng, shape, 2.6, 90)
    crest = 1 - np.abs(soft_noise(rng, shape, rng.uniform(18, 70), 3))
    where = smoothstep(soft_noise(rng, shape, rng.uniform(80, 250), 2), -0.3, 1.0)
    rise = np.clip(crest, 0, None) ** 3 * where
    canvas.height += rng.uniform(3, 12) * rise
    canvas.tone *= 1 + rng.uniform(0.05, 0.3) * rise
    canvas.tone *= 1 + rng.uniform(0.03, 0.12) * power_noise(rng, shape, 1.6, 100)
    return []


@ground("compact", ("fracture", "surface"), shows=("pore",))
def compact(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Packed powder or spheres, the gaps between them dark: an open porosity."""
    shape = canvas.shape
    size = rng.uniform(10, 70)
    round_ = rng.random() < 0.4
    found = cells(rng, shape, size, 0.0 if round_ else 0.25)
    tall = rng.normal(0, 0.4, len(found.seeds)).astype(np.float32)
    dome = np.sqrt(np.clip(1 - (found.reach / (rng.uniform(0.55, 0.8) * size)) ** 2, 0, 1))
    canvas.height += size * 0.4 * (dome + tall[found.labels])
    if not round_:
        canvas.height += rng.uniform(0.5, 2) * power_noise(rng, shape, 2.6, size)
    depth = rng.uniform(-0.9, -0.2)  # some cells are missing: gaps to the layer below
    gap = np.maximum(
        smoothstep(0.25 - dome, 0, 0.2), smoothstep(depth - tall, 0, 0.05)[found.labels]
    )
    gap = blur(np.asarray(gap, np.float32), 0.8)
    canvas.dig(gap, 4.0, rng.uniform(0.6, 0.92))
    mask = gap > 0.5
    if float(mask.mean()) < 0.01:
        return []
    share = {"area_fraction": (float(mask.mean()),), "spacing": (size,)}
    return [Painted("open_porosity", mask, None, share)]


@ground("porous", ("polished",), shows=("pore",), weight=0.8)
def porous(canvas: Canvas, rng: Rng) -> list[Painted]:
    """A sintered body: ragged necked pores of every size in a slightly mottled matrix."""
    shape = canvas.shape
    size = float(np.exp(rng.uniform(np.log(9), np.log(70))))
    noise = band_noise(rng, shape, size, 0.8) + rng.uniform(0.2, 0.8) * power_noise(
        rng, shape, 2.6, 4 * size
    )
    level = float(np.quantile(noise[::3, ::3], rng.uniform(0.03, 0.3)))
    pores = smoothstep(level - noise, -0.02, 0.12)
    canvas.z += rng.uniform(0, 0.5) * power_noise(rng, shape, 1.6, 60)
    canvas.dig(pores, rng.uniform(2, 8), rng.uniform(0.45, 0.95))
    mask = pores > 0.5
    share = {"area_fraction": (float(mask.mean()),), "spacing": (size,)}
    return [Painted("open_porosity", mask, None, share)]


@ground("composite", ("polished",), shows=("fibre",), weight=0.5)
def composite(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Fibres cut across in a matrix, each with its coat: the cut ends of fibres are fibres."""
    shape = canvas.shape
    radius = rng.uniform(9, 46)
    count = int(rng.uniform(0.25, 0.6) * shape[0] * shape[1] / (np.pi * radius**2))
    places = drawing.scatter(rng, shape, min(max(count, 3), 160), apart=2.15 * radius)
    radii = radius * rng.lognormal(0, 0.06, len(places))
    coat = drawing.discs(shape, places, (radii * rng.uniform(1.05, 1.2)).tolist())
    core = drawing.discs(shape, places, radii.tolist())
    canvas.put_phase(coat, canvas.matrix_z + float(rng.choice([-3.0, -1.5, 2.0])))
    canvas.put_phase(core, canvas.matrix_z + float(rng.choice([-2.0, 1.2, 2.2])))
    if not canvas.backscattered:
        canvas.tone *= 1 + float(rng.choice([-1, 1])) * rng.uniform(0.06, 0.22) * core
    canvas.z += (1 - coat) * rng.uniform(0.1, 0.6) * power_noise(rng, shape, 1.8, 50)
    canvas.height += rng.uniform(-0.6, 0.8) * core
    return [Painted("fibre", core > 0.5, len(places), {"diameter": tuple((2 * radii).tolist())})]


@ground("milled", ("surface", "polished"), detectors=("SE",), weight=0.7)
def milled(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Boxes and slots cut by an ion beam, by design: steep walls, dark floors, rounded corners,
    redeposited rims. None of them is a pit or a pore."""
    shape = canvas.shape
    canvas.height += rng.uniform(0.5, 2.5) * power_noise(rng, shape, 2.4, 60)
    h, w = (shape[0] * rng.uniform(0.06, 0.22), shape[1] * rng.uniform(0.05, 0.2))
    x, y = shape[1] * rng.uniform(-0.05, 0.4), shape[0] * rng.uniform(-0.05, 0.4)
    boxes = np.zeros(shape, np.float32)
    lean = rng.uniform(-0.05, 0.05)
    for row in range(int(rng.integers(1, 4))):
        for column in range(int(rng.integers(1, 4))):
            x0 = x + column * w * 1.35 + lean * row * h
            y0 = y + row * h * 1.4 + lean * column * w
            place = (
                slice(max(int(y0), 0), max(int(y0 + h), 0)),
                slice(max(int(x0), 0), max(int(x0 + w), 0)),
            )
            boxes[place] = 1
    corner = blur(boxes, rng.uniform(1.5, 6))
    cut = smoothstep(corner + 0.03 * soft_noise(rng, shape, 12), 0.42, 0.58)
    deep = rng.uniform(8, 40)
    slope = np.linspace(0.3, 1.0, shape[0], dtype=np.float32)[:, None]
    canvas.height -= cut * deep * slope
    canvas.void = np.maximum(canvas.void, cut * rng.uniform(0.3, 0.8) * blur(cut, 6))
    canvas.height += rng.uniform(0, 3) * np.clip(blur(boxes, 8) - cut, 0, 1)
    stripes = band_noise(rng, shape, rng.uniform(5, 12), 0.8, np.pi / 2, 12)
    canvas.tone *= 1 + 0.06 * cut * stripes
    return []


@ground("drilled", ("surface", "coated"), detectors=("SE", "BSE"), weight=0.7)
def drilled(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Round holes with a countersink, slots and edges of a machined part, by design."""
    shape = canvas.shape
    brushed(canvas, rng)
    canvas.height += rng.uniform(0, 1) * power_noise(rng, shape, 2.2, 40)
    radius = shape[0] * rng.uniform(0.05, 0.15)
    squash = rng.uniform(0.45, 1.0)  # a tilted stage
    pitch = radius * rng.uniform(2.8, 5)
    x0, y0 = shape[1] * rng.uniform(0, 0.5), shape[0] * rng.uniform(0, 0.5)
    for row in range(int(rng.integers(1, 4))):
        for column in range(int(rng.integers(1, 5))):
            _countersunk(
                canvas, rng, x0 + column * pitch, y0 + row * pitch * squash, radius, squash
            )
    if rng.random() < 0.4:  # beyond a straight edge there is nothing
        depth = np.arange(shape[0], dtype=np.float32)[:, None] - shape[0] * rng.uniform(0.7, 0.95)
        depth = depth + rng.uniform(-0.1, 0.1) * np.arange(shape[1], dtype=np.float32)[None, :]
        beyond = smoothstep(depth, -0.8, 0.8)
        canvas.void = np.maximum(canvas.void, rng.uniform(0.7, 0.95) * beyond)
        canvas.tone *= 1 + 0.7 * np.exp(-((depth / 2.5) ** 2))
    return []


def _countersunk(
    canvas: Canvas, rng: Rng, x: float, y: float, radius: float, squash: float
) -> None:
    where, dx, dy = canvas.window(x, y, 1.8 * radius)
    if not dx.size or not dy.size:
        return
    local = (where[0].stop - where[0].start, where[1].stop - where[1].start)
    distance = np.hypot(dx, dy / squash) + 0.4 * soft_noise(rng, local, 8)
    sunk = smoothstep(1.6 * radius - distance, -0.8, 0.8)
    hole = smoothstep(radius - distance, -0.8, 0.8)
    canvas.height[where] -= sunk * np.clip(1.6 * radius - distance, 0, 0.6 * radius) * 0.5
    canvas.void[where] = np.maximum(canvas.void[where], 0.15 * sunk)
    canvas.void[where] = np.maximum(canvas.void[where], hole * rng.uniform(0.7, 0.96))
    rim = np.exp(-(((distance - 1.6 * radius) / 1.8) ** 2))
    rim += 0.7 * np.exp(-(((distance - radius) / 1.4) ** 2))
    canvas.tone[where] *= 1 + 0.6 * rim
    canvas.height[where] += 0.8 * rim


@ground("resin", ("polished", "surface"), busy=False, weight=0.6)
def cloudy(canvas: Canvas, rng: Rng) -> list[Painted]:
    """An even body under uneven light: slow clouds, a glow from one side, faint residues."""
    shape = canvas.shape
    canvas.tone *= 1 + rng.uniform(0.03, 0.14) * soft_noise(rng, shape, rng.uniform(60, 300), 3)
    canvas.z += rng.uniform(0, 0.5) * power_noise(rng, shape, rng.uniform(1.2, 2.2), 200)
    turn = rng.uniform(0, 2 * np.pi)
    xs = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    ys = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    side = np.cos(turn) * xs + np.sin(turn) * ys
    canvas.tone *= 1 + rng.uniform(0, 0.25) * side + rng.uniform(-0.15, 0.15) * side**2
    return []


@ground("ridged", ("surface", "polished", "coated"), detectors=("SE",), busy=False, weight=0.6)
def ridged(canvas: Canvas, rng: Rng) -> list[Painted]:
    """Ledges and flow lines of a drawn or rolled skin: steps with a light and a shadow side,
    which are no cracks."""
    shape = canvas.shape
    for _ in range(int(rng.integers(1, 5))):
        angle = rng.uniform(0, np.pi)
        start = rng.uniform((0, 0), (shape[1], shape[0]))
        reach = float(np.hypot(*shape))
        ends = start + np.array([[-1.0], [1.0]]) * reach * np.array([np.cos(angle), np.sin(angle)])
        line: list[Stroke] = [(drawing.wiggle(rng, ends[0], ends[1], 0.05, 10), 1.5)]
        edge = drawing.strokes(shape, line, scale=1)
        canvas.height += rng.uniform(0.8, 4) * blur(edge, rng.uniform(1.5, 6))
    canvas.height += rng.uniform(0.1, 1.0) * power_noise(rng, shape, 2.6, 80)
    wave = profile(rng, shape[0], shape[0] / 6)[:, None]
    canvas.tone *= 1 + rng.uniform(0, 0.05) * wave
    return []
