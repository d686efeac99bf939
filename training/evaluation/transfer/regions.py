"""Where the cracks are: the tower's map held against the real masks. Knows maps and masks alone.

Only within the masked area, the oxide: outside of it nobody marked the cracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluation import scores
from training.evaluation.transfer.maps import Map
from training.evaluation.transfer.pictures import CRACK, Real
from training.evaluation.verdicts import finite

Array = np.ndarray[Any, Any]


def compare(reals: Sequence[Real], maps: Sequence[Map | None]) -> dict[str, Any] | None:
    """Pointing game and intersection over union, with chance beside; None without a masked map.

    cell_hit    the surest cell of the oxide touches a crack; chance: the share of such cells
    point_hit   the middle of that cell is a crack; chance: the crack's share of the oxide
    iou         map at probability 0.5 against the mask, pixel by pixel; chance: all is crack
    cell_iou    the same in cells; a crack is narrower than a cell, so that no map has a high `iou`
    cell_ap     average precision of the cells; chance: their share
    """
    rows = {
        real.name: one(real, found)
        for real, found in zip(reals, maps, strict=True)
        if found is not None and real.mask is not None and (real.mask == CRACK).any()
    }
    if not rows:
        return None
    groups = np.arange(len(rows))
    figures: dict[str, Any] = {
        key: finite(scores.mean(np.array([float(row[key]) for row in rows.values()]), groups))
        for key in ("iou", "cell_iou", "cell_ap")
    }
    for key in ("cell_hit", "point_hit"):
        figures[key] = finite(scores.share(sum(row[key] for row in rows.values()), len(rows)))
    for key in ("cell_chance", "pixel_chance"):
        figures[key] = round(float(np.mean([row[key] for row in rows.values()])), 4)
    return {**figures, "images": rows}


def one(real: Real, found: Map) -> dict[str, Any]:
    """The figures of one masked micrograph."""
    mask = real.mask
    assert mask is not None
    crack, oxide = mask == CRACK, mask > 0
    logits, touches, middles = [], [], []
    for row, column, (x0, y0, x1, y1) in found.boxes(mask.shape):
        if oxide[y0:y1, x0:x1].mean() < 0.5:
            continue
        logits.append(found.logits[row, column])
        touches.append(bool(crack[y0:y1, x0:x1].any()))
        middles.append(bool(crack[(y0 + y1) // 2, (x0 + x1) // 2]))
    said, there = np.array(logits), np.array(touches)
    best = int(said.argmax())
    drawn = (found.on_pixels(mask.shape) >= 0) & oxide
    share = float(crack.sum() / oxide.sum())
    return {
        "cell_hit": touches[best],
        "point_hit": middles[best],
        "iou": round(_overlap(drawn, crack), 4),
        "cell_iou": round(_overlap(said >= 0, there), 4),
        "cell_ap": round(scores.average_precision(said, there), 4),
        "cell_chance": round(float(there.mean()), 4),
        "pixel_chance": round(share, 4),
    }


def _overlap(said: Array, there: Array) -> float:
    either = int((said | there).sum())
    return int((said & there).sum()) / either if either else float("nan")
