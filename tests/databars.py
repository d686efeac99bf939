"""Micrographs with and without a databar, drawn to find bars in; the truth comes with each.

Independent of `training/synthesis` and of the code under test: it shares no line with either, and
draws more kinds of bar and nastier specimens. `drawn(seed)` is frozen: the figures that are quoted
for seeds 1000 to 1499 hold only while the same seed gives the same picture. Seeds 0 to 99 may be
looked at while tuning; the rest may not.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Array = np.ndarray[Any, Any]
Rng = np.random.Generator

_FONTS = sorted(Path(__file__).parent.parent.joinpath("batch", "fonts").glob("*.ttf"))
_WORDS = (
    "HV 15.0 kV|WD 10.2 mm|EHT = 5.00 kV|Signal A = SE2|Mag = 12.50 K X|det ETD|spot 3.0"
    "|curr 50 pA|mode SE|tilt 52 °|Date: 3 Mar 2021|Photo No. = 8123|SEM HV: 10.0 kV|x5,000"
    "|View field: 41.5 um|HFW 20.7 um|Institute of Glass|Sample A-1042|Vac-High|PC-Std.|LED|SEI"
    "|S4800|User: Labor|12:44:08"
)
_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 3, 4, 30, 40, 300, 400)
_UNITS = {"nm": 1e-9, "µm": 1e-6, "um": 1e-6, "μm": 1e-6, "mm": 1e-3}


@dataclass(frozen=True)
class Drawn:
    """One picture and its truth; `databar` is (top, height), None where there is none.

    `bar_px` runs from tick centre to tick centre, or over the whole of a bar without ticks.
    """

    image: Array
    databar: tuple[int, int] | None
    bar_px: float | None
    bar_m: float | None
    has_ticks: bool
    label: str
    words: str


def drawn(seed: int) -> Drawn:
    """The micrograph of a seed: half with a databar, one in ten of these at the top."""
    rng = np.random.default_rng([seed, 20261124])
    width = int(rng.choice([512, 640, 768, 800, 1024, 1024, 1280]))
    height = int(width * rng.choice([0.75, 0.75, 0.7, 0.8, 1.0]))
    kind = str(rng.choice(list(_SPECIMENS)))
    frame = _SPECIMENS[kind](rng, height, width)
    frame = np.clip(frame + rng.normal(0, rng.choice([0, 0.005, 0.02, 0.06]), frame.shape), 0, 1)
    words = [kind]
    bar: tuple[int, int] | None = None
    scale: tuple[float, float, bool, str] | None = None
    if rng.random() < 0.5:
        rows = int(height * rng.uniform(0.04, 0.12)) if rng.random() < 0.9 else 26
        strip, scale, style = _databar(rng, max(rows, 24), width)
        rows = strip.shape[0]
        if rng.random() < 0.1:
            _part_visibly(strip, frame[rows], -1)
            frame[:rows], bar = strip, (0, rows)
            words.append("top")
        else:
            loose = int(rng.choice([0, 0, 0, 0, 1, 2]))
            top = height - rows - loose
            _part_visibly(strip, frame[top - 1], 0)
            frame[top : top + rows], bar = strip, (top, rows + loose)
            words.append(f"loose {loose}" if loose else "bottom")
        words.append(style)
    else:
        choice = rng.random()
        if choice < 0.45:
            scale, style = _inside(rng, frame)
            words.append(style)
        elif choice < 0.6 and kind not in ("black", "white", "dark_below"):
            _overlay(rng, frame)
            words.append("overlay")
    if rng.random() < 0.1:
        edge, level = int(rng.integers(1, 4)), float(rng.choice([0.0, 1.0]))
        for side in (frame[:edge], frame[-edge:], frame[:, :edge], frame[:, -edge:]):
            side[:] = level
        words.append("frame")
    image, stored = _stored(rng, frame)
    words.append(stored)
    if scale is None:
        return Drawn(image, bar, None, None, False, "", ", ".join(words))
    pixels, metres, ticks, label = scale
    return Drawn(image, bar, pixels, metres, ticks, label, ", ".join(words))


def _stored(rng: Rng, frame: Array) -> tuple[Array, str]:
    choice = rng.random()
    if choice < 0.25:
        top = float(rng.choice([65535, 65280, 4095]))
        return np.rint(frame * top).astype(np.uint16), "16 bit"
    image = np.rint(frame * 255).astype(np.uint8)
    if choice < 0.6:
        return image, "8 bit"
    quality = int(rng.integers(60, 96))
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "JPEG", quality=quality)
    return np.asarray(Image.open(packed)), f"jpeg {quality}"


# -- specimens, each (height, width) in 0 to 1 ---------------------------------------------------


def _texture(rng: Rng, height: int, width: int) -> Array:
    field = ndimage.gaussian_filter(rng.normal(size=(height, width)), rng.uniform(0.5, 12))
    field = (field - field.mean()) / field.std()
    return rng.uniform(0.25, 0.75) + rng.uniform(0.03, 0.25) * field


def _noise(rng: Rng, height: int, width: int) -> Array:
    return rng.normal(rng.uniform(0.1, 0.9), rng.uniform(0.02, 0.3), (height, width))


def _white(rng: Rng, height: int, width: int) -> Array:
    return _texture(rng, height, width) + rng.uniform(0.4, 1.2)


def _black(rng: Rng, height: int, width: int) -> Array:
    return _texture(rng, height, width) - rng.uniform(0.4, 1.2)


def _gradient(rng: Rng, height: int, width: int) -> Array:
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]  # type: ignore[misc]
    return np.asarray(rng.uniform(-1, 1) * down + rng.uniform(-0.5, 0.5) * across + 0.5)


def _layers(rng: Rng, height: int, width: int) -> Array:
    """A cross-section: horizontal layers of some greys, with rough or straight edges."""
    frame = np.full((height, width), rng.uniform(0.1, 0.9))
    rough = ndimage.gaussian_filter1d(rng.normal(size=width), 8) * rng.choice([0, 0, 4, 20])
    for edge in sorted(rng.uniform(0.05, 0.98, int(rng.integers(1, 7)))):
        below = np.arange(height)[:, None] > edge * height + rough[None]
        frame[below] = rng.choice([0.0, 1.0, rng.uniform(0, 1), rng.uniform(0, 1)])
    return np.asarray(frame)


def _stripes(rng: Rng, height: int, width: int) -> Array:
    down, across = np.mgrid[:height, :width]
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    wave = np.sin((across * np.cos(angle) + down * np.sin(angle)) * rng.uniform(0.05, 1.2))
    if rng.random() < 0.5:
        wave = np.sign(wave)
    return np.asarray(0.5 + wave * rng.uniform(0.1, 0.5))


def _dark_below(rng: Rng, height: int, width: int) -> Array:
    """A body above a dark hole: the lower part is wholly black, from a sharp straight edge on."""
    frame = _texture(rng, height, width)
    frame[int(height * rng.uniform(0.75, 0.97)) :] = rng.choice([0.0, 0.0, 0.03])
    return frame


def _resin(rng: Rng, height: int, width: int) -> Array:
    """A mounted cross-section: one even grey of resin at the bottom, some with bubbles."""
    frame = _texture(rng, height, width)
    edge = int(height * rng.uniform(0.75, 0.96))
    frame[edge:] = rng.uniform(0.05, 0.95)
    if rng.random() < 0.5:
        _discs(rng, frame[edge:], int(rng.integers(1, 30)), 6)
    return frame


def _particles(rng: Rng, height: int, width: int) -> Array:
    frame = np.full((height, width), float(rng.choice([0.0, 0.02, rng.uniform(0, 0.8)])))
    _discs(rng, frame, int(rng.integers(5, 400)), int(rng.integers(4, 40)))
    return frame


def _grating(rng: Rng, height: int, width: int) -> Array:
    """A chip: blocks and lines at right angles, each of one exact grey."""
    frame = np.full((height, width), rng.uniform(0, 0.5))
    for _ in range(int(rng.integers(5, 60))):
        top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
        tall, wide = int(rng.integers(3, height // 4)), int(rng.integers(3, width // 2))
        frame[top : top + tall, left : left + wide] = rng.uniform(0, 1)
    return frame


def _discs(rng: Rng, frame: Array, count: int, largest: int) -> None:
    down, across = np.mgrid[: 2 * largest + 1, : 2 * largest + 1] - largest
    away = np.hypot(down, across)
    for _ in range(count):
        inside = away <= rng.uniform(1, largest)
        top, left = rng.integers(0, frame.shape[0]), rng.integers(0, frame.shape[1])
        part = frame[top : top + inside.shape[0], left : left + inside.shape[1]]
        part[inside[: part.shape[0], : part.shape[1]]] = rng.uniform(0, 1)


_SPECIMENS = {
    "texture": _texture,
    "noise": _noise,
    "white": _white,
    "black": _black,
    "gradient": _gradient,
    "layers": _layers,
    "stripes": _stripes,
    "dark_below": _dark_below,
    "resin": _resin,
    "particles": _particles,
    "grating": _grating,
}


# -- what is burned in ---------------------------------------------------------------------------


def _databar(rng: Rng, rows: int, width: int) -> tuple[Array, Any, str]:
    """The strip, (rows, width) in 0 to 1; its scale; its style."""
    style = str(rng.choice(["black", "black", "white", "white", "grey", "cells"]))
    paper = {
        "black": 0.0,
        "white": 1.0,
        "grey": float(rng.uniform(0.12, 0.88)),
        "cells": float(rng.uniform(0.1, 0.35)),
    }[style]
    ink = 1.0 if paper < 0.5 else 0.0
    if style == "black" and rng.random() < 0.2:
        paper = float(rng.uniform(0.01, 0.09))
    strip = np.full((rows, width), paper)
    lines = 2 if rows >= 52 and rng.random() < 0.6 else 1
    size = int(np.clip(rows / lines * rng.uniform(0.4, 0.62), 10, 30))
    right, scale = width - 8, None
    if rng.random() < 0.93:
        length = float(rng.uniform(50, min(220, width * 0.24)))
        room = int(length + 24)
        left = width - room - 6
        scale = _bar_and_label(rng, strip, left, 2, room, rows - 4, length, ink, size)
        right = left - 8
    x = 8
    if rows >= 30 and rng.random() < 0.3:
        side = rows - 10
        _logo(rng, strip, x, 5, side, ink)
        x += side + 10
    said = rng.permutation(_WORDS.split("|"))
    dividers = rng.random() < 0.5
    font = _font(rng, size)
    for words in (said[i : i + lines] for i in range(0, len(said), lines)):
        wide = max(_text_width(text, font) for text in words)
        if x + wide > right:
            break
        for line, text in enumerate(words):
            middle = rows * (line + 0.5) / lines
            dim = 0.5 if style == "cells" and line == 0 and lines == 2 else 1.0
            _write(
                strip, x, int(middle - size * 0.62), str(text), ink * dim + paper * (1 - dim), font
            )
        x += int(wide + rng.uniform(10, 26))
        if dividers:
            strip[3:-3, min(x - 6, width - 1)] = ink
    edge = rng.random()
    if edge < 0.3:
        strip[0] = ink
    elif edge < 0.45:
        strip[[0, -1]], strip[:, [0, -1]] = ink, ink
    return strip, scale, f"{style} {paper:.2f}, {rows} rows, text {size}"


def _part_visibly(strip: Array, neighbour: Array, edge: int) -> None:
    """A line along the edge of a strip whose paper is the saturated specimen's own level.

    An edge that nobody can see is no truth: FEI's bars begin without a line, others with one.
    """
    paper = float(np.median(strip))
    if np.mean(np.abs(neighbour - paper) < 0.02) > 0.97:
        strip[edge] = 1.0 if paper < 0.5 else 0.0


def _inside(rng: Rng, frame: Array) -> tuple[Any, str]:
    """A scale bar within the specimen, in a box of its own or straight on it."""
    height, width = frame.shape
    length = float(rng.uniform(50, 200))
    size = int(rng.integers(12, 14 if length < 90 else 26))
    wide, tall = int(length + 24), int(size * 1.3 + rng.integers(18, 30))
    left = 10 if rng.random() < 0.4 else width - wide - 10
    top = height - tall - int(rng.integers(4, 16))
    boxed = rng.random() < 0.6
    under = frame[top : top + tall, left : left + wide]
    if boxed:
        paper = float(rng.choice([0.0, 1.0]))
        under[:] = paper
    else:
        paper = float(under.mean())
    ink = 1.0 if paper < 0.5 else 0.0
    scale = _bar_and_label(rng, frame, left, top, wide, tall, length, ink, size)
    return scale, "box" if boxed else "bare bar"


def _overlay(rng: Rng, frame: Array) -> None:
    """Words straight on the specimen, without paper under them."""
    size = int(rng.integers(12, 24))
    font = _font(rng, size)
    top = frame.shape[0] - size - 10
    ink = 0.0 if frame[top:].mean() > 0.5 else 1.0
    x = 10
    for text in rng.permutation(_WORDS.split("|"))[:8]:
        if x + _text_width(text, font) > frame.shape[1]:
            break
        _write(frame, x, top, str(text), ink, font)
        x += int(_text_width(text, font)) + 20


def _bar_and_label(
    rng: Rng,
    strip: Array,
    left: int,
    top: int,
    wide: int,
    tall: int,
    length: float,
    ink: float,
    size: int,
) -> tuple[float, float, bool, str]:
    """Draw a scale bar with its label into a part of `strip`; (px, metres, ticks, label)."""
    number, unit = int(rng.choice(_LENGTHS)), str(rng.choice(list(_UNITS)))
    gap = str(rng.choice([" ", " ", ""]))
    font = _font(rng, min(size, max(9, tall - 14)), unit)
    label = f"{number}{gap}{unit}"
    if _text_width(label, font) > wide - 6:
        font = font.font_variant(size=int(font.size * (wide - 6) / _text_width(label, font)))
    form = str(rng.choice(["H", "H", "U", "T", "plain", "plain"]))
    fine = int(rng.choice([1, 1, 1, 4]))  # drawn four times as large and reduced: between pixels
    thick = int(rng.integers(1, 4)) if form != "plain" else int(rng.integers(2, 7))
    tick = int(rng.integers(1, 4))
    text_tall = int(font.size * 1.2)
    beside = tall < text_tall + 12
    if beside:  # too low for a label above the bar: it stands to the left
        text_wide = int(_text_width(label, font)) + 8
        length = min(length, max(30.0, wide - text_wide - 8))
    reach = int(min(rng.integers(4, 10), max(3, (tall - (0 if beside else text_tall)) // 2 - 1)))
    span = round(length * fine) / fine
    room = wide - (text_wide if beside else 0)
    start = (text_wide if beside else 0) + int((room - span) / 2)
    y = tall // 2 if beside else text_tall + (tall - text_tall) // 2
    above = not beside and rng.random() < 0.8
    if not beside and not above:
        y = (tall - text_tall) // 2
    cover = np.zeros((tall * fine, wide * fine))
    shift = int(rng.integers(0, fine))
    x0, x1 = start * fine + shift, start * fine + shift + round(span * fine)
    y0, y1 = (y - thick // 2) * fine, (y - thick // 2 + thick) * fine
    ticks = form != "plain"
    if not ticks:
        cover[y0:y1, x0:x1] = 1
    else:
        cover[y0:y1, x0 : x1 + tick * fine] = 1
        over = y0 - (reach * fine if form in "HU" else 0)
        under = y1 + (reach * fine if form in "HT" else 0)
        for x in (x0, x1):
            cover[max(over, 0) : under, x : x + tick * fine] = 1
    cover = cover.reshape(tall, fine, wide, fine).mean(axis=(1, 3))
    part = strip[top : top + tall, left : left + wide]
    part[:] = part * (1 - cover) + ink * cover
    if beside:
        _write(strip, left + 3, top + y - int(font.size * 0.62), label, ink, font)
    else:
        text_x = left + start + (span - _text_width(label, font)) / 2
        text_y = (
            top + y - thick // 2 - (reach if form in "HU" else 2) - text_tall
            if above
            else top + y + thick + (reach if form in "HT" else 2)
        )
        _write(strip, max(int(text_x), left), max(text_y, top), label, ink, font)
    return span, number * _UNITS[unit], ticks, label


def _logo(rng: Rng, strip: Array, left: int, top: int, side: int, ink: float) -> None:
    down, across = np.mgrid[:side, :side] / side - 0.5
    shape = rng.choice(["disc", "ring", "block", "chevron"])
    away = np.hypot(down, across)
    mask = {
        "disc": away < 0.5,
        "ring": (away < 0.5) & (away > 0.3),
        "block": np.abs(down + across) < 0.6,
        "chevron": np.abs(down - np.abs(across) + 0.2) < 0.15,
    }[str(shape)]
    strip[top : top + side, left : left + side][mask] = ink * 0.8 + 0.1


def _font(rng: Rng, size: int, needs: str = "") -> ImageFont.FreeTypeFont:
    choice = int(rng.integers(0, len(_FONTS) + 1))
    if choice == len(_FONTS) and needs.isascii():  # Pillow's own has no micro sign
        font = ImageFont.load_default(size=size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font
    return ImageFont.truetype(str(_FONTS[choice % len(_FONTS)]), size)


def _text_width(text: str, font: ImageFont.FreeTypeFont) -> float:
    return float(font.getlength(str(text)))


def _write(
    strip: Array, x: int, y: int, text: str, ink: float, font: ImageFont.FreeTypeFont
) -> None:
    page = Image.new("L", (strip.shape[1], strip.shape[0]), 0)
    ImageDraw.Draw(page).text((x, max(y, 0)), text, fill=255, font=font)
    cover = np.asarray(page) / 255.0
    strip[:] = strip * (1 - cover) + ink * cover
