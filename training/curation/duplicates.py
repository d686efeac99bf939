"""The same micrograph twice: rescaled, pressed as JPEG, of another contrast, without its databar.

Two looks. A coarse one, 24 × 24 greys less their mean, compares every picture with every other, and
with every other less 1 to 16 % of its foot, where a databar stands. What agrees there is compared
in its fine detail, which two fields of one specimen do not share. The last sixth is never compared:
two databars are alike, and would make one of any two micrographs. Knows pixels alone, no paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

Array = np.ndarray[Any, Any]

#: Pixels of a look, and of its coarse form.
_SIDE, _COARSE = 160, 24
#: The share of the rows that is compared, from the top.
_COMPARED = 5 / 6
#: Correlations from which on pictures are compared finely, and are the same.
_ALIKE, _SAME = 0.8, 0.5
#: What may be cut off a foot, in hundredths of the height.
_FEET = tuple(range(17))
#: Rows and columns of the coarse comparison that are held at once.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Same:
    """Two pictures by their place, and how much their fine detail agrees, up to 1."""

    one: int
    other: int
    score: float


def look(picture: Array) -> Array:
    """A (H, W) or (H, W, 3) uint8 picture as (160, 160) float32 greys, for `find_same`."""
    from PIL import Image

    grey = Image.fromarray(picture).convert("L")
    return np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)


def find_same(looks: Sequence[Array], groups: Sequence[object] | None = None) -> tuple[Same, ...]:
    """Every pair that shows the same; with `groups`, only pairs of two different groups."""
    if len(looks) < 2:
        return ()
    coarse = [np.stack([_coarse(_without(one, foot)) for foot in _FEET]) for one in looks]
    whole = np.stack([each[0] for each in coarse])
    found: dict[tuple[int, int], Same] = {}
    for start in range(0, len(looks), _AT_ONCE):
        feet = np.concatenate(coarse[start : start + _AT_ONCE])
        # Which foot of which picture agrees with which whole picture.
        agreed = feet @ whole.T
        for row, other in np.argwhere(agreed >= _ALIKE):
            one, foot = start + int(row) // len(_FEET), _FEET[int(row) % len(_FEET)]
            if one == other or (groups is not None and groups[one] == groups[other]):
                continue
            pair = (min(one, int(other)), max(one, int(other)))
            if pair in found:
                continue
            score = _agreement(looks[one], looks[int(other)], foot)
            if score >= _SAME:
                found[pair] = Same(*pair, score)
    return tuple(found[pair] for pair in sorted(found))


def _without(one: Array, foot: float) -> Array:
    """A look less so many hundredths of its foot, in its full height again."""
    if foot == 0:
        return one
    rows = _SIDE * (1 - foot / 100)
    at = (np.arange(_SIDE) + 0.5) * rows / _SIDE - 0.5
    first = np.clip(np.floor(at).astype(int), 0, _SIDE - 2)
    share = np.clip(at - first, 0, 1)[:, None].astype(np.float32)
    mixed: Array = one[first] * (1 - share) + one[first + 1] * share
    return mixed


def _coarse(one: Array) -> Array:
    edges = np.linspace(0, _SIDE, _COARSE + 1).round().astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(one, edges, axis=0), edges, axis=1)
    sizes = np.diff(np.append(edges, _SIDE))
    means = sums / np.outer(sizes, sizes)
    return _standard(means[: round(_COARSE * _COMPARED)]).ravel()


def _standard(values: Array) -> Array:
    """Less the mean, of length 1; nothing where there is no contrast at all."""
    less = values - values.mean()
    length = float(np.linalg.norm(less))
    return (less / length if length > 1e-3 else less * 0).astype(np.float32)


def _agreement(one: Array, other: Array, foot: int) -> float:
    """The correlation of the fine detail of `one` less its foot with that of `other`."""
    wanted = _detail(other)
    # A databar ends between two hundredths.
    near = (foot,) if foot == 0 else (foot - 0.5, foot, foot + 0.5)
    return max(float((_detail(_without(one, each)) * wanted).sum()) for each in near)


def _detail(one: Array) -> Array:
    fine = ndimage.gaussian_filter(one, 1) - ndimage.gaussian_filter(one, 5)
    return _standard(fine[: round(_SIDE * _COMPARED)])
