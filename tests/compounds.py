"""Compound figures as papers print them, with the truth: where each panel stands.

Micrographs are painted by `training.synthesis`, plots and drawings by matplotlib; all is made up.
It shares no code with what cuts figures.
"""

from __future__ import annotations

import functools
import io
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.synthesis.generator import Plan, generate

Box = tuple[int, int, int, int]

KINDS = ("micrograph", "plot", "drawing", "map")


@dataclass(frozen=True)
class Compound:
    """`boxes` are (left, top, right, bottom) of the panels in reading order, `kinds` of each."""

    picture: Image.Image
    boxes: tuple[Box, ...]
    kinds: tuple[str, ...]
    gutter: int
    colour: str
    labels: str  # "inside", "outside" or "none"
    caption: str
    layout: str


@functools.lru_cache(maxsize=400)
def _painted(seed: int, databar: bool) -> Image.Image:
    made = generate(seed, plan=Plan(look="plain", bits=8, databar=databar))
    return Image.fromarray(made.pixels)


def micrograph(seed: int, width: int, height: int, *, databar: bool) -> Image.Image:
    """A synthetic micrograph at this size; its databar keeps its place at the bottom."""
    return _painted(seed, databar).resize((width, height), Image.Resampling.LANCZOS).convert("RGB")


def plot(seed: int, width: int, height: int) -> Image.Image:
    """A plot with axes, as large as its ink."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rng = np.random.default_rng(seed)
    figure = Figure((width / 100, height / 100), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    x = np.linspace(10, 80, 300)
    kind = rng.integers(4)
    if kind == 0:
        peaks = [np.exp(-(((x - c) / w) ** 2)) for c, w in rng.uniform((15, 0.5), (75, 3), (6, 2))]
        axes.plot(x, sum(peaks) + rng.normal(0, 0.02, x.size), lw=0.8, color="k")
        axes.set(xlabel="2 theta (deg)", ylabel="intensity (a.u.)")
    elif kind == 1:
        axes.bar(range(5), rng.uniform(1, 9, 5), color=rng.choice(["grey", "C0", "C1"]))
        axes.set(xlabel="sample", ylabel="hardness (GPa)")
    elif kind == 2:
        axes.scatter(*rng.uniform(0, 1, (2, 40)), s=8)
        axes.set(xlabel="time (h)", ylabel="loss (mg)")
        axes.spines[["top", "right"]].set_visible(False)
    else:
        for level in range(3):
            axes.plot(x, level + np.cumsum(rng.normal(0, 0.05, x.size)), label=f"s{level}")
        axes.legend(fontsize=6)
        axes.set(xlabel="wavelength (nm)", ylabel="T (%)")
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def drawing(seed: int, width: int, height: int) -> Image.Image:
    """Boxes and arrows with words: a schematic."""
    rng = random.Random(seed)
    picture = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(9, height // 14))
    rows = rng.randint(2, 3)
    step = height // rows
    for row in range(rows):
        top = row * step + step // 8
        box = (width // 6, top, width * 5 // 6, top + step // 2)
        fill = rng.choice(["white", "#ddeeff", "#eeeeee", "#ffe8cc"])
        pen.rectangle(box, outline="black", fill=fill, width=2)
        pen.text((box[0] + 8, top + step // 8), rng.choice(["melt", "anneal", "polish"]), "black",
                 font)  # fmt: skip
        if row + 1 < rows:
            pen.line((width // 2, box[3], width // 2, top + step), fill="black", width=2)
    return picture


def element_map(seed: int, width: int, height: int) -> Image.Image:
    """Coloured dots on black: as a map of an element looks."""
    rng = np.random.default_rng(seed)
    level = np.asarray(micrograph(seed % 50, width, height, databar=False).convert("L")) / 255
    dots = (rng.random((height, width)) < 0.15 + 0.6 * level) * rng.uniform(0.4, 1, (height, width))
    colour = np.array([(255, 60, 60), (60, 255, 60), (80, 120, 255), (255, 220, 40)])[
        rng.integers(4)
    ]
    return Image.fromarray((dots[..., None] * colour).astype(np.uint8))


def _layout(rng: random.Random, kind: str) -> tuple[int, int, list[tuple[float, ...]], str]:
    """(rows or columns of parts, as shares of the whole) in the direction said last."""
    if kind == "grid":
        columns, rows = rng.choice([(2, 1), (1, 2), (2, 2), (3, 1), (3, 2), (2, 3), (4, 1), (3, 3),
                                    (4, 2), (1, 3)])  # fmt: skip
        return columns, rows, [(1 / columns,) * columns] * rows, "rows"
    direction = rng.choice(["rows", "columns"])
    lines = []
    for _ in range(rng.randint(2, 3)):
        shares = [rng.uniform(1, 2) for _ in range(rng.randint(1, 3))]
        lines.append(tuple(share / sum(shares) for share in shares))
    if all(len(line) == 1 for line in lines):
        lines[0] = (0.5, 0.5)
    return max(map(len, lines)), len(lines), lines, direction


def compound(seed: int, *, kinds: tuple[str, ...] | None = None) -> Compound:
    """The figure of a seed: a grid or unequal panels, gutters of 0 or 2 to 20 px."""
    rng = random.Random(seed)
    layout = rng.choice(["grid", "grid", "unequal"])
    columns, rows, lines, direction = _layout(rng, layout)
    pictures_only = rng.random() < 0.6
    count = sum(map(len, lines))
    pool = ("micrograph",) if pictures_only else ("micrograph", "micrograph", *KINDS[1:])
    chosen = kinds or tuple(rng.choice(pool) for _ in range(count))
    pictures_only = set(chosen) <= {"micrograph", "map"}
    gutter = rng.randint(2, 20)
    if pictures_only and rng.random() < 0.1:
        gutter = 0
    if not pictures_only:
        gutter = max(gutter, 8)
    colour = "black" if pictures_only and rng.random() < 0.25 else "white"
    labels = rng.choice(["inside", "inside", "outside", "none"])
    if labels == "outside" and (gutter == 0 or colour == "black"):
        labels = "inside"
    room = 18 if labels == "outside" else 0
    margin = rng.choice([0, 0, 4, 10])
    width, height = columns * rng.randint(200, 330), rows * rng.randint(170, 280)
    picture = Image.new("RGB", (width + 2 * margin, height + 2 * margin), colour)
    boxes, number = [], 0
    across = direction == "rows"
    deep = (height if across else width) / len(lines)
    long = width if across else height
    databars = rng.random() < 0.5
    for index, line in enumerate(lines):
        start = 0.0
        for share in line:
            half = gutter / 2
            first = (round(start * long + (half if start else 0)), round(index * deep + half))
            end = start + share
            last = (
                round(end * long - (half if end < 0.999 else 0)),
                round((index + 1) * deep - half),
            )
            (left, top), (right, bottom) = (first, last) if across else (first[::-1], last[::-1])
            start = end
            box = _paste(
                picture, rng, chosen[number % len(chosen)], seed * 100 + number,
                (left + margin, top + margin + room, right + margin, bottom + margin),
                chr(97 + number), labels, databars,
            )  # fmt: skip
            boxes.append(box)
            number += 1
    caption = "SEM images of made-up glass"
    if labels != "none":
        told = [f"({chr(97 + n)}) state number {n}" for n in range(len(boxes))]
        caption += ": " + ", ".join(told)
    order = sorted(range(len(boxes)), key=lambda n: n)
    if rng.random() < 0.6:
        held = io.BytesIO()
        picture.save(held, "JPEG", quality=rng.randint(75, 95))
        picture = Image.open(held).convert("RGB")
    return Compound(
        picture, tuple(boxes[n] for n in order),
        tuple(chosen[n % len(chosen)] for n in order), gutter, colour, labels,
        caption + ".", layout,
    )  # fmt: skip


def _paste(
    onto: Image.Image, rng: random.Random, kind: str, seed: int, box: Box,
    letter: str, labels: str, databars: bool,
) -> Box:  # fmt: skip
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    if kind == "micrograph":
        part = micrograph(seed, width, height, databar=databars)
        if rng.random() < 0.15 and width > 150:
            inset = micrograph(seed + 7, width // 3, height // 3, databar=False)
            edge = rng.choice(["white", "black"])
            framed = Image.new("RGB", (inset.width + 4, inset.height + 4), edge)
            framed.paste(inset, (2, 2))
            part.paste(framed, (width - framed.width - 6, 6))
    elif kind == "map":
        part = element_map(seed, width, height)
    else:
        part = (plot if kind == "plot" else drawing)(seed, width, height)
    onto.paste(part, (left, top))
    told = box
    if kind in ("plot", "drawing"):
        ink = np.argwhere(np.asarray(part).min(axis=2) < 235)
        (y0, x0), (y1, x1) = ink.min(axis=0), ink.max(axis=0) + 1
        told = (left + int(x0), top + int(y0), left + int(x1), top + int(y1))
    pen = ImageDraw.Draw(onto)
    font = ImageFont.load_default(15)
    if labels == "inside":
        if rng.random() < 0.5:
            pen.rectangle((left + 3, top + 3, left + 26, top + 21), fill="white")
            pen.text((left + 5, top + 3), f"({letter})", "black", font)
        else:
            dark = kind in ("micrograph", "map")
            pen.text((left + 5, top + 3), f"({letter})", "white" if dark else "black", font)
        lettered = (left + 5, top + 5, left + 26, top + 21)
    elif labels == "outside":
        place = left if rng.random() < 0.5 else (left + right) // 2 - 8
        pen.text((place, top - 18), f"({letter})", "black", font)
        lettered = (place, top - 14, place + 20, top)
    if kind in ("plot", "drawing") and labels != "none":
        # The letter of a drawing is one of its words; that of a picture stands outside or on it.
        told = (min(told[0], lettered[0]), min(told[1], lettered[1]),
                max(told[2], lettered[2]), max(told[3], lettered[3]))  # fmt: skip
    return told
