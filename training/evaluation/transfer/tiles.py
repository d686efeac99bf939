"""Crack or no crack within one micrograph: tiles of the oxide, and how well scores part them.

Within one image, source, size and brightness are the same for all: a score that parts the tiles
sees the crack. Knows pixels and masks, no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation import scores
from training.evaluation.transfer.pictures import CRACK, OXIDE, Real
from training.evaluation.verdicts import finite

Array = np.ndarray[Any, Any]
SIDE, STRIDE = 128, 64  # pixels of the micrograph
LEAST_OXIDE = 0.35  # share of a tile
LEAST_CRACK = 40  # pixels of a tile that is said to show a crack; the others show none at all


@dataclass(frozen=True, slots=True)
class Tile:
    """A square of `SIDE` of a micrograph (its place among those given), by its first corner."""

    picture: int
    x: int
    y: int
    cracked: bool


def cut(reals: Sequence[Real]) -> list[Tile]:
    """The tiles of every micrograph that has a mask; those with 1 to 39 crack pixels are none."""
    found = []
    for number, real in enumerate(reals):
        if real.mask is None:
            continue
        rows, columns = real.mask.shape
        for y in range(0, rows - SIDE + 1, STRIDE):
            for x in range(0, columns - SIDE + 1, STRIDE):
                part = real.mask[y : y + SIDE, x : x + SIDE]
                crack = int((part == CRACK).sum())
                oxide = float(np.isin(part, (OXIDE, CRACK)).mean())
                if oxide > LEAST_OXIDE and (crack == 0 or crack >= LEAST_CRACK):
                    found.append(Tile(number, x, y, crack > 0))
    return found


def pixels(reals: Sequence[Real], tile: Tile) -> Array:
    """(`SIDE`, `SIDE`), 8 bits, in the grey range of the whole micrograph."""
    part = reals[tile.picture].grey[tile.y : tile.y + SIDE, tile.x : tile.x + SIDE]
    return np.asarray(part)


def within(tiles: Sequence[Tile], reals: Sequence[Real], said: Array) -> dict[str, Any] | None:
    """How well `said` (one a tile) parts the tiles of each image: the mean AUC, its intervals.

    The interval is of images drawn, the second of specimens drawn; `weighted` weighs an image by
    its pairs. None where no image has both kinds.
    """
    from sklearn.metrics import roc_auc_score

    of = np.array([tile.picture for tile in tiles])
    cracked = np.array([tile.cracked for tile in tiles])
    each: dict[int, float] = {}
    pairs = {}
    for picture in np.unique(of):
        there, score = cracked[of == picture], said[of == picture]
        if there.any() and not there.all():
            each[int(picture)] = float(roc_auc_score(there, score))
            pairs[int(picture)] = int(there.sum() * (~there).sum())
    if not each:
        return None
    values = np.array(list(each.values()))
    groups = np.array([reals[picture].group for picture in each])
    return {
        "auc": finite(scores.mean(values, np.arange(len(values)))),
        "by_specimen": finite(scores.mean(values, groups)),
        "weighted": round(float(np.average(values, weights=list(pairs.values()))), 4),
        "images": {reals[picture].name: round(auc, 4) for picture, auc in each.items()},
    }
