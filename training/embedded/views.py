"""Views of a kept picture, as the tower learns from them: whole and small, or a piece drawn larger.

A view is a square of 448 pixels with, for each of its 28 x 28 cells, the share that every label
covers. Pieces are cut at the scales of the tower's closer look, mostly around something; grey,
sharpness and noise are changed, since microscopes differ more in these than the painters do. What a
view shows follows from its generator of random numbers alone. Knows no model.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from glassllava.model.processing import letterbox, placed
from training.embedded.pictures import LABELS, PARENTS, SQUARE, Marks

Array = np.ndarray[Any, np.dtype[Any]]
Rng = np.random.Generator

SIDE, CELLS = 448, 28
#: A share of a cell from which on a label is there, and under which nobody can say.
_THERE = 0.04
#: Pixels of a label that make it present in a piece; fewer are neither present nor absent.
_ENOUGH = 40
_ARTEFACTS = np.array([label.startswith("art") for label in LABELS])
_NOTHING = [LABELS.index("clean"), LABELS.index("featureless_surface")]
#: Parents whose absence makes a piece clean.
_SOMETHING = [i for i, p in enumerate(PARENTS) if p not in ("clean", "artefact")]


class View(NamedTuple):
    """`present` is (labels,) of 1, 0 and -1 (nobody can say); `where` (labels, 28, 28) alike."""

    grey: Array  # (448, 448) float32, 0 ... 255
    present: Array
    where: Array


def whole(picture: Array, marks: Marks) -> View:
    """The whole picture in the square."""
    return _view(picture, marks, (0, 0, *picture.shape), entire=True)


def draw(picture: Array, marks: Marks, rng: Rng, closer: int) -> View:
    """A view at random: a third are whole, the others pieces at the scale of `closer` pixels for
    the picture's longer side, or near it."""
    height, width = picture.shape
    if rng.random() < 0.33:
        view = whole(picture, marks)
    else:
        zoom = closer / max(height, width) * np.exp(rng.uniform(np.log(0.5), np.log(1.6)))
        tall, wide = (min(length, max(32, round(SIDE / zoom))) for length in picture.shape)
        y, x = _middle(marks, picture.shape, rng)
        top = int(np.clip(y - tall * rng.uniform(0.2, 0.8), 0, height - tall)) // SQUARE * SQUARE
        left = int(np.clip(x - wide * rng.uniform(0.2, 0.8), 0, width - wide)) // SQUARE * SQUARE
        view = _view(picture, marks, (top, left, top + tall, left + wide), entire=False)
    return _turned(View(_otherwise(view.grey, rng), view.present, view.where), rng)


def _turned(view: View, rng: Rng) -> View:
    """Mirrored, and turned by a quarter where nothing on it follows the lines of the scan."""
    grey, where = view.grey, view.where
    for axis in (-1, -2):
        if rng.random() < 0.5:
            grey, where = np.flip(grey, axis), np.flip(where, axis)
    if rng.random() < 0.5 and not view.present[_ARTEFACTS].any():
        grey, where = np.swapaxes(grey, -1, -2), np.swapaxes(where, -1, -2)
    return View(np.ascontiguousarray(grey), view.present, np.ascontiguousarray(where))


def _middle(marks: Marks, shape: tuple[int, ...], rng: Rng) -> tuple[float, float]:
    """A place on something, or anywhere."""
    if len(marks.shares) and rng.random() < 0.65:
        rows, columns = np.nonzero(marks.shares[int(rng.integers(len(marks.shares)))])
        if len(rows):
            one = int(rng.integers(len(rows)))
            return float(rows[one] * SQUARE), float(columns[one] * SQUARE)
    return rng.uniform(0, shape[0]), rng.uniform(0, shape[1])


def _view(picture: Array, marks: Marks, window: tuple[int, ...], *, entire: bool) -> View:
    top, left, bottom, right = window
    cut = np.ascontiguousarray(picture[top:bottom, left:right])
    grey = letterbox(cut, SIDE).astype(np.float32)
    shares = marks.shares[
        :, top // SQUARE : -(-bottom // SQUARE), left // SQUARE : -(-right // SQUARE)
    ]
    y, x, rows, columns = placed(cut.shape, SIDE)
    where = np.zeros((len(LABELS), CELLS, CELLS), np.float32)
    inside = _in_cells(np.full(shares.shape[1:], 255, np.uint8), y, x, rows, columns) > 0.5
    present = np.zeros(len(LABELS), np.int8)
    for number, share in zip(marks.labels, shares, strict=True):
        pixels = float(share.sum()) / 255 * SQUARE**2
        present[number] = 1 if entire or pixels >= _ENOUGH else -1 if pixels else 0
        if pixels:
            where[number] = _in_cells(share, y, x, rows, columns)
    said = np.where(where > _THERE, 1, np.where(where > 0, -1, 0)).astype(np.int8)
    for number in marks.whole:
        sure = entire or not _ARTEFACTS[number]
        present[number] = 1 if sure else -1
        # Where on it an artefact is, no mask says.
        said[number] = -1 if _ARTEFACTS[number] else 1
    if not entire:
        some = present[_SOMETHING]
        present[_NOTHING] = 0 if (some == 1).any() else -1 if (some == -1).any() else 1
        said[_NOTHING] = present[_NOTHING][:, None, None]
    said[:, ~inside] = -1
    return View(grey, present, said)


def _in_cells(share: Array, top: int, left: int, rows: int, columns: int) -> Array:
    """(28, 28) of 0 ... 1: the mean of `share` in each cell of the square, drawn where it lies."""
    fine = SIDE // SQUARE
    size = (max(1, round(columns / SQUARE)), max(1, round(rows / SQUARE)))
    drawn = np.asarray(Image.fromarray(share).resize(size, Image.Resampling.BOX), np.float32)
    square = np.zeros((fine, fine), np.float32)
    y, x = min(top // SQUARE, fine - size[1]), min(left // SQUARE, fine - size[0])
    square[y : y + size[1], x : x + size[0]] = drawn / 255
    return square.reshape(CELLS, fine // CELLS, CELLS, fine // CELLS).mean((1, 3))


def _otherwise(grey: Array, rng: Rng) -> Array:
    """The same as another detector and another hand at its knobs would show it."""
    if rng.random() < 0.3:
        grey = ndimage.gaussian_filter(grey, float(rng.uniform(0.3, 1.4)))
    if rng.random() < 0.5:
        grey = 255 * (np.clip(grey, 0, 255) / 255) ** float(np.exp(rng.uniform(-0.5, 0.5)))
    grey = (grey - 127) * float(rng.uniform(0.45, 1.15)) + 127 + float(rng.uniform(-35, 35))
    if rng.random() < 0.35:
        grey = grey + rng.normal(0, float(rng.uniform(2, 16)), grey.shape)
    return np.clip(grey, 0, 255).astype(np.float32)
