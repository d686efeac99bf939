"""Is a figure an SEM micrograph? Plain properties of its pixels, and what its caption says.

A micrograph is grey, its greys are spread, it is noisy to the last pixel and has no paper showing.
Eleven properties are weighed by a logistic regression whose weights stand below; between two bars
the answer is "unsure". A word of the caption goes before a doubtful look, and turns a sure one
into "unsure" where the two disagree: an electron micrograph and a grey photograph of gravel look
alike. How often it is right: decision 2026-11-28-figures-of-papers, `benchmarks/figure_kinds.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

Array = np.ndarray[Any, Any]
Kind = Literal["sem", "other", "unsure"]

#: Pictures are looked at this large at most, in pixels of the longer side.
_LOOKED_AT = 640

#: Of `python -m benchmarks.figure_kinds --fit`: the mean and spread of each property over the
#: pictures it was fitted on, and its weight.
PROPERTIES = (
    *("colour", "flat", "upright", "bar", "fine", "coarse", "paper", "mode", "range", "rough"),
    "edges",
)
MEANS = (0.1276, 0.3154, 0.3336, 0.2283, -0.001135, -0.07974, 0.398, 0.6516, 104.1, 1.215, 3.966)
SPREADS = (0.2507, 0.3791, 0.3054, 0.4198, 0.3896, 0.5668, 0.4281, 0.2677, 67.88, 2.072, 2.303)
WEIGHTS = (
    *(-3.347, -1.467, -4.211, 2.551, -0.5385, 2.664),
    *(-0.05196, 1.195, 1.67, 0.02025, -2.037),
)
BIAS = -5.181
#: Standard deviations beyond which a property says no more.
_FARTHEST = 4.0
#: With a colour in more of its pixels than this no picture is a micrograph as it was taken.
_COLOURED = 0.3
_PAPER = 212
#: At least so sure of "sem", at most so sure for "other".
SEM, OTHER = 0.8, 0.2


@dataclass(frozen=True, slots=True)
class Look:
    """What a figure is, and how much it looks like a micrograph: 0 to 1, by its pixels alone."""

    kind: Kind
    score: float


def look_at(picture: Array, caption: str = "") -> Look:
    """What a (H, W) or (H, W, 3) uint8 picture is, with the words of its caption."""
    score = score_of(properties(picture))
    seen: Kind = "sem" if score >= SEM else "other" if score <= OTHER else "unsure"
    told = kind_told(caption)
    if told == "unsure" or told == seen:
        return Look(seen, score)
    return Look(told if seen == "unsure" else "unsure", score)


def score_of(values: Array) -> float:
    """The probability of "sem" that the weights give these properties."""
    if values[0] > _COLOURED:
        return 0.0
    standard = np.clip((values - np.array(MEANS)) / np.array(SPREADS), -_FARTHEST, _FARTHEST)
    return float(1 / (1 + np.exp(-np.clip(standard @ np.array(WEIGHTS) + BIAS, -30, 30))))


def properties(picture: Array) -> Array:
    """Eleven numbers (11,), in the order of PROPERTIES.

    colour: share of pixels with a colour; flat: share of squares of 4 px without any noise;
    upright: share of the steepness that is straight up or across; bar: whether a databar is at the
    foot; fine, coarse: how much more neighbours differ than those in half, and in half than in a
    quarter of the size (logarithms); paper: share of greys near the commonest, where that is as
    bright as paper; mode: the same, whatever it is; range: greys between the darkest and the
    brightest twentieth; rough: how much neighbours differ (logarithm); edges: how much more the
    steepest hundredth of them does (logarithm).
    """
    from glassllava.micrograph import databar

    rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    rgb = rgb.astype(np.float32)
    full = rgb.mean(axis=2)
    small = _smaller(rgb, max(1, round(max(full.shape) / _LOOKED_AT)))
    grey = small.mean(axis=2)
    mean = ndimage.uniform_filter(grey, 4)
    spread = ndimage.uniform_filter(grey**2, 4) - mean**2
    down, across = np.gradient(grey) if min(grey.shape) > 1 else (grey * 0, grey * 0)
    steep = np.hypot(down, across)
    angle = np.arctan2(np.abs(down), np.abs(across))
    straight = (angle < 0.05) | (angle > np.pi / 2 - 0.05)
    high = full.shape[0]
    first = databar.first_row_wanted(high)
    bar = high >= 64 and databar.find(full[first:].astype(np.uint8), high) is not None
    changes = np.abs(ndimage.laplace(full))
    rough, half, quarter = (
        float(np.median(np.abs(ndimage.laplace(each)))) + 0.3
        for each in (full, _smaller(full, 2), _smaller(full, 4))
    )
    levels = np.bincount(full.round().astype(int).ravel(), minlength=256) / full.size
    near = np.convolve(levels, np.ones(21), "same")
    mode = int(near.argmax())
    low, top = np.percentile(full, (5, 95))
    return np.array(
        [
            (small.max(axis=2) - small.min(axis=2) > 24).mean(),
            (spread[::2, ::2] < 0.25).mean(),
            steep[straight].sum() / max(float(steep.sum()), 1e-9),
            float(bar),
            np.log(rough / half),
            np.log(half / quarter),
            near[mode] if mode > _PAPER else 0.0,
            near[mode],
            top - low,
            np.log(rough),
            np.log((np.percentile(changes, 99) + 0.3) / rough),
        ]
    )


def _smaller(picture: Array, step: int) -> Array:
    """The means of squares of `step` pixels; as it is where it has fewer."""
    high, wide = (side // step * step for side in picture.shape[:2])
    if step == 1 or not high or not wide:
        return picture
    parts = picture[:high, :wide].reshape(high // step, step, wide // step, step, -1)
    return np.asarray(parts.mean(axis=(1, 3)).squeeze(axis=-1 if picture.ndim == 2 else ()))


_SEM_WORDS = re.compile(
    r"\bF?E?[- ]?SEM\b|\bESEM\b|scanning electron|secondary[- ]electron|back-?scatter|\bBSE\b|"
    r"\bBSEI?\b|electron micrograph", re.IGNORECASE)  # fmt: skip
_OTHER_WORDS = re.compile(
    r"\bXRD\b|diffract|diffraction pattern|\bDSC\b|\bDTA\b|\bTGA?\b|\bFT-?IR\b|\bRaman\b|spectr|"
    r"schematic|sketch|diagram|flow ?chart|photograph|\bphoto\b|optical (?:micrograph|image|micro)|"
    r"light micro|\bTEM\b|transmission electron|\bAFM\b|atomic force|\bplots? of|\bcurves?\b|"
    r"\bgraph\b|element(?:al)? map|\bEDS map|\bEDX map|\bCT\b|tomogra|histogram|profile of|"
    r"as a function of|versus|\bvs\b", re.IGNORECASE)  # fmt: skip


def kind_told(caption: str) -> Kind:
    """What the words of a caption say; "unsure" where they say nothing, or both."""
    is_sem = _SEM_WORDS.search(caption) is not None
    is_other = _OTHER_WORDS.search(caption) is not None
    if is_sem == is_other:
        return "unsure"
    return "sem" if is_sem else "other"
