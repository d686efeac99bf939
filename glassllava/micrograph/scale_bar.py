"""The drawn scale bar, measured in pixels: between the centres of its ticks, to a part of a pixel.

Outer edges are 2 to 6 % too long where a bar has ticks, since a tick's own width is counted twice;
a bar without ticks has nothing but its outer edges. Knows pixels alone: what the bar stands for is
typed by a person, or read by `lettering`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassllava.micrograph.record import Databar

Array = np.ndarray[Any, Any]

_SHORTEST = 24  # px
_LONGEST = 0.6  # of the width
_THICKEST = 14  # px; thicker ones are boxes
_FIFTH = 0.2  # of the rows, from the bottom, where a bar is looked for without a databar
_EDGE = 3  # px around a bar that must be paper
_EVEN = 0.12  # of the contrast, by which a bar's ink may differ along it
_CONTRAST = 0.25  # of the range of the frame, between bar and paper
#: Microscopes draw bars at whole pixels: each end is off by up to half a pixel, at k = 2 for both.
_DRAWN_PX = 0.8
#: Whether a plain bar's last pixel belongs to its length is each program's own choice.
_PLAIN_PX = 1.2
_MOST_RUNS = 4000


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A drawn bar: where it runs, in full-frame pixels from the top left corner.

    `left` and `right` are the centres of its ticks, or its outer edges where `has_ticks` is
    False; `top` and `bottom` bound the rows of bar and ticks. `uncertainty_px` is at k = 2.
    """

    left: float
    right: float
    top: int
    bottom: int
    has_ticks: bool
    uncertainty_px: float

    @property
    def length_px(self) -> float:
        return self.right - self.left

    @property
    def in_words(self) -> str:
        ends = "between the centres of its ticks" if self.has_ticks else "from edge to edge"
        return f"{self.length_px:.1f} px {ends}"


@dataclass(frozen=True, slots=True)
class _Run:
    """A horizontal stretch of ink: columns `left` to `right` (excluded), rows alike."""

    left: int
    right: int
    top: int
    bottom: int


def find_bars(grey: Array, databar: Databar | None) -> tuple[ScaleBar, ...]:
    """What may be a scale bar in a (H, W) frame, those with ticks first, the lowest first.

    Looked for in the databar; without one in the lowest fifth of the frame. Ink is darker or
    lighter than what is around it, even along the whole bar.
    """
    height, width = grey.shape
    if databar is None:
        first, last = int(height * (1 - _FIFTH)), height
    else:
        first, last = databar.top, databar.top + databar.height
    with np.errstate(over="ignore"):  # what 32 bits cannot hold is infinite, and made 0
        rows = np.nan_to_num(grey[first:last].astype(np.float32), posinf=0.0, neginf=0.0)
    if not rows.size or width < 4 * _SHORTEST:
        return ()
    low, high = (float(value) for value in np.quantile(rows[:, ::2], (0.002, 0.998)))
    span = max(high - low, float(rows.max() - rows.min()) / 2)
    if span <= 0:
        return ()
    found: dict[tuple[int, int, int], ScaleBar] = {}
    for mask in _masks(rows, span):
        for run in _runs(mask):
            bar = _measured(rows, mask, run, span)
            if bar is not None:
                place = (round(bar.left / 4), round(bar.right / 4), bar.bottom // 4)
                found.setdefault(
                    place,
                    ScaleBar(
                        bar.left,
                        bar.right,
                        bar.top + first,
                        bar.bottom + first,
                        bar.has_ticks,
                        bar.uncertainty_px,
                    ),
                )
    bars = sorted(found.values(), key=lambda bar: (not bar.has_ticks, -bar.bottom))
    return tuple(_distinct(bars))


def _distinct(bars: Iterable[ScaleBar]) -> Iterator[ScaleBar]:
    """One of those that lie on each other: both edges of a frame, or of JPEG's ringing."""
    kept: list[ScaleBar] = []
    for bar in bars:
        if not any(
            abs(bar.left - other.left) < 6
            and abs(bar.right - other.right) < 6
            and abs(bar.bottom - other.bottom) < 10
            for other in kept
        ):
            kept.append(bar)
            yield bar


def _masks(rows: Array, span: float) -> Iterator[Array]:
    """Where there may be ink: brighter, or darker, than halfway between the levels in use."""
    levels = np.quantile(rows, (0.0, 0.02, 0.5, 0.98, 1.0))
    middle = float(levels[2])
    for ink in (float(levels[-1]), float(levels[0])):
        if abs(ink - middle) >= _CONTRAST * span:
            halfway = (ink + middle) / 2
            yield rows > halfway if ink > middle else rows < halfway
    # A bar in a box of its own: black on white or white on black, whatever is around the box.
    low, high = float(levels[0]), float(levels[-1])
    yield rows < low + 0.35 * (high - low)
    yield rows > high - 0.35 * (high - low)


def _runs(mask: Array) -> Iterator[_Run]:
    """Stretches of ink that keep their ends from row to row, and end all at once."""
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    row, left = np.nonzero(steps == 1)
    _, right = np.nonzero(steps == -1)
    long = (right - left >= _SHORTEST) & (right - left <= _LONGEST * width)
    open_runs: list[_Run] = []
    for y, x0, x1 in list(zip(row[long], left[long], right[long], strict=True))[:_MOST_RUNS]:
        for number, run in enumerate(open_runs):
            if run.bottom == y and abs(run.left - x0) <= 1 and abs(run.right - x1) <= 1:
                open_runs[number] = _Run(run.left, run.right, run.top, int(y) + 1)
                break
        else:
            open_runs.append(_Run(int(x0), int(x1), int(y), int(y) + 1))
    for run in open_runs:
        if run.bottom - run.top <= _THICKEST:
            yield run


def _measured(rows: Array, mask: Array, run: _Run, span: float) -> ScaleBar | None:
    height, width = rows.shape
    if run.left < 2 or run.right > width - 2:
        return None
    inner = slice(run.left + 5, run.right - 5)
    if _busy(mask, run.top - 2, inner) and _busy(mask, run.top - 1, inner):
        return None
    if _busy(mask, run.bottom, inner) and _busy(mask, run.bottom + 1, inner):
        return None
    core = rows[run.top : run.bottom, inner].mean(axis=0)
    ink = float(np.median(rows[run.top : run.bottom, inner].max(axis=0)))
    near = [y for y in (run.top - _EDGE, run.bottom + _EDGE - 1) if 0 <= y < height]
    if not near:
        return None
    paper = float(np.median([np.median(rows[y, inner]) for y in near]))
    if ink < paper:
        ink = float(np.median(rows[run.top : run.bottom, inner].min(axis=0)))
    depth = ink - paper
    if abs(depth) < _CONTRAST * span or np.quantile(
        np.abs(core - np.median(core)), 0.95
    ) > _EVEN * abs(depth):
        return None
    cover = np.clip((rows - paper) / depth, 0, 1)
    ticks = _ticks(cover, run)
    if ticks is None:
        return None
    if ticks:
        left, right, top, bottom = ticks
        return ScaleBar(left, right, top, bottom, True, _DRAWN_PX)
    profile = cover[run.top : run.bottom]
    profile = profile[profile[:, 5 + run.left : run.right - 5].mean(axis=1) > 0.9]
    if not profile.size:
        return None
    # Only the ends are summed: along the bar, noise would shorten it.
    ends = profile.mean(axis=0)
    ends = np.clip(ends / np.median(ends[inner]), 0, 1)
    left = inner.start - float(ends[max(run.left - _EDGE, 0) : inner.start].sum())
    right = inner.stop + float(ends[inner.stop : run.right + _EDGE].sum())
    if min(ends[max(run.left - 8, 0) : run.left - 2].max(initial=0.0), 1) > 0.5:
        return None
    if ends[run.right + 2 : run.right + 8].max(initial=0.0) > 0.5:
        return None
    return ScaleBar(left, right, run.top, run.bottom, False, math.hypot(_DRAWN_PX, _PLAIN_PX))


def _busy(mask: Array, row: int, columns: slice) -> bool:
    """Whether much of what lies just over or under a run is ink too: then it is no bar."""
    return 0 <= row < len(mask) and float(mask[row, columns].mean()) > 0.2


def _ticks(cover: Array, run: _Run) -> tuple[float, float, int, int] | tuple[()] | None:
    """(left, right, top, bottom) of a bar's ticks, () where it has none, None for no bar."""
    tallest = max(8, int(0.5 * (run.right - run.left)))
    found = []
    for side in (run.left, run.right - 1):
        columns = slice(max(side - 4, 0), side + 5)
        above = _reach(cover[: run.top, columns].max(axis=1)[::-1], tallest)
        below = _reach(cover[run.bottom :, columns].max(axis=1), tallest)
        found.append((above, below))
    (above, below), (above_right, below_right) = found
    if max(above, above_right, below, below_right) > tallest:
        return None  # the side of a box
    if abs(above - above_right) > 2 or abs(below - below_right) > 2:
        return None  # a line with something at one end
    above, below = min(above, above_right), min(below, below_right)
    if above < 2 and below < 2:
        return ()
    # The tick's own rows, not those of the line: there its centre is its centre.
    rows = [
        *range(run.top - above, run.top - (1 if above > 2 else 0)),
        *range(run.bottom + (1 if below > 2 else 0), run.bottom + below),
    ]
    centres = []
    for side, inwards in ((run.left, 1), (run.right - 1, -1)):
        ends = (side - 3, side + 6) if inwards == 1 else (side - 5, side + 4)
        places = np.arange(max(ends[0], 0), min(ends[1], cover.shape[1]))
        profile = cover[rows][:, places].mean(axis=0)
        profile = np.where(profile > 0.08, profile, 0.0)
        weight = float(profile.sum())
        if not 0.4 <= weight <= 7:
            return None
        centres.append(float((profile * places).sum() / weight) + 0.5)
    return centres[0], centres[1], run.top - above, run.bottom + below


def _reach(profile: Array, most: int) -> int:
    """How many values, from the first on, are ink; one more than `most` where there is no end."""
    short = np.flatnonzero(profile < 0.3)
    length = int(short[0]) if short.size else len(profile)
    return min(length, most + 1)
