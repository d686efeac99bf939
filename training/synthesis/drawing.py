"""Lines, polygons and paths as coverage between 0 and 1, antialiased through Pillow.

Points are (x, y) in pixels, x to the right and y down, as in every record of the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.synthesis.fields import Field, Shape

Points = NDArray[np.floating[Any]]
Place = Sequence[float] | Points
Stroke = tuple[Points, float | Points]


def strokes(shape: Shape, lines: Iterable[Stroke], scale: int = 2) -> Field:
    """Coverage of lines of a width in pixels; an array of widths tapers along its line."""
    image = Image.new("L", (shape[1] * scale, shape[0] * scale))
    pen = ImageDraw.Draw(image)
    for points, width in lines:
        scaled = points * scale
        if np.ndim(width) == 0:
            _line(pen, scaled.ravel().tolist(), float(width) * scale)
            continue
        for start, end, wide in zip(scaled[:-1], scaled[1:], np.asarray(width), strict=False):
            _line(pen, [*start.tolist(), *end.tolist()], float(wide) * scale)
    return np.asarray(image.reduce(scale), np.float32) / 255


def _line(pen: ImageDraw.ImageDraw, flat: list[float], width: float) -> None:
    if width < 1:
        pen.line(flat, fill=max(int(255 * width), 1), width=1)
    else:
        joint = "curve" if width > 3 and len(flat) > 4 else None
        pen.line(flat, fill=255, width=round(width), joint=joint)


def polygons(
    shape: Shape, outlines: Sequence[Points], values: Sequence[float], scale: int = 2
) -> Field:
    """Polygons painted one over the other with a value each, 0 elsewhere."""
    image = Image.new("F", (shape[1] * scale, shape[0] * scale))
    pen = ImageDraw.Draw(image)
    for outline, value in zip(outlines, values, strict=True):
        pen.polygon((outline * scale).ravel().tolist(), fill=float(value))
    return np.asarray(image.reduce(scale), np.float32)


def discs(shape: Shape, centres: Points, radii: Sequence[float], scale: int = 2) -> Field:
    """Coverage of filled circles."""
    image = Image.new("L", (shape[1] * scale, shape[0] * scale))
    pen = ImageDraw.Draw(image)
    for (x, y), radius in zip(centres * scale, np.asarray(radii) * scale, strict=True):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(scale), np.float32) / 255


def wander(
    rng: np.random.Generator,
    start: Place,
    angle: float,
    length: float,
    *,
    step: float = 4.0,
    rough: float = 0.25,
    turn: float = 0.03,
) -> Points:
    """A path that keeps its heading: `rough` jitters each step, `turn` bends it slowly (rad)."""
    count = max(int(length / step), 2)
    heading = angle + np.cumsum(rng.normal(0, turn, count)) + rng.normal(0, rough, count)
    moves = step * np.stack([np.cos(heading), np.sin(heading)], 1)
    return np.vstack([np.asarray(start, float), np.asarray(start, float) + np.cumsum(moves, 0)])


def wiggle(
    rng: np.random.Generator, start: Points, end: Points, amount: float = 0.06, step: float = 6.0
) -> Points:
    """A rough line from `start` to `end`; `amount` is its deviation over its length."""
    length = float(np.hypot(*(end - start)))
    count = max(int(length / step), 2)
    t = np.linspace(0, 1, count + 1)[:, None]
    walk = np.concatenate([[0], np.cumsum(rng.normal(0, 1, count))]) / np.sqrt(count)
    bridge = (walk - t[:, 0] * walk[-1])[:, None]
    across = np.array([-(end - start)[1], (end - start)[0]])
    return np.asarray(start + t * (end - start) + amount * bridge * across)


def blob(
    rng: np.random.Generator,
    centre: Place,
    radius: float,
    *,
    rough: float = 0.25,
    corners: int = 0,
    aspect: float = 1.0,
) -> Points:
    """An irregular closed outline: rounded, or angular with so many `corners`."""
    count = corners or 48
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    if corners:
        angles = angles + rng.normal(0, 1.2 / count, count)
        reach = radius * (1 + rng.normal(0, rough * 0.6, count))
    else:
        reach = np.full(count, radius)
        for wave in range(2, 8):
            phase = rng.uniform(0, 2 * np.pi)
            reach += radius * rough * rng.normal() / wave * np.cos(wave * angles + phase)
    reach = np.clip(reach, 0.3 * radius, 2 * radius)
    x, y = reach * np.cos(angles) * np.sqrt(aspect), reach * np.sin(angles) / np.sqrt(aspect)
    turn = rng.uniform(0, 2 * np.pi)
    return np.stack(
        [
            centre[0] + x * np.cos(turn) - y * np.sin(turn),
            centre[1] + x * np.sin(turn) + y * np.cos(turn),
        ],
        1,
    )


def box(centre: Place, length: float, width: float, angle: float) -> Points:
    """A rectangle's four corners, `length` along `angle`."""
    along = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    across = np.array([-np.sin(angle), np.cos(angle)]) * width / 2
    middle = np.asarray(centre, float)
    return np.stack(
        [
            middle - along - across,
            middle + along - across,
            middle + along + across,
            middle - along + across,
        ]
    )


def lath(centre: Place, length: float, width: float, angle: float) -> Points:
    """A rod with bevelled ends: six corners, `length` along `angle`."""
    along = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    across = np.array([-np.sin(angle), np.cos(angle)]) * width / 2
    middle, waist = np.asarray(centre, float), along * max(1 - width / length, 0.3)
    return np.stack(
        [
            middle - along - 0.2 * across,
            middle - waist - across,
            middle + waist - across,
            middle + along + 0.2 * across,
            middle + waist + across,
            middle - waist + across,
        ]
    )


def scatter(rng: np.random.Generator, shape: Shape, count: int, apart: float = 0.0) -> Points:
    """`count` places or fewer, at least `apart` pixels from each other, (n, 2). A few keep away
    from the frame's edge, so that they are not cut off."""
    edge = 0.08 if count <= 14 else 0.0
    low, high = (edge * shape[1], edge * shape[0]), ((1 - edge) * shape[1], (1 - edge) * shape[0])
    places: list[Points] = []
    for _ in range(count * (12 if apart else 1)):
        place = rng.uniform(low, high)
        if not apart or all(np.hypot(*(place - other)) >= apart for other in places):
            places.append(place)
            if len(places) == count:
                break
    return np.asarray(places, float).reshape(-1, 2)
