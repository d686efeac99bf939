"""Scratches: long straight or gently bent grooves, dark, bright or both.

A ploughed groove shows a dark and a bright flank, or one of them. It is told from a crack by how
straight it runs: within a fraction of a pixel of a parabola over its whole length, also across
others and over gaps. By grey alone a straight crack, a fibre and a polishing line are alike: that
is for the model and the person to tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import ndimage

from glassllava.measurement import scan
from glassllava.measurement.courses import Course, chord, fitted
from glassllava.measurement.lines import Line, Trace, middle_of, orientation, widths_of
from glassllava.measurement.profiles import Across, sharpened
from glassllava.measurement.quantities import Measurement, Region
from glassllava.measurement.regions import MOST_REGIONS
from glassllava.measurement.ruler import Ruler
from glassllava.measurement.traces import length_of

Array = np.ndarray[Any, Any]

_SHORTEST = 60.0  # px, and
_SHORTEST_SHARE = 0.2  # of the shorter side of the specimen
_PIECE = 15.0  # px: shorter arms tell no direction
_MOST_PIECES = 150
#: Root mean square distance from the parabola, over the root of the length: a crack's path is a
#: random walk, and goes off with the root of its length.
_STRAIGHT = 0.045
_GENTLE = 0.03  # how far the middle of the bend is off, over the length
_COVERED = 0.7  # of a scratch that is seen
_SHARE = 0.6  # of a connected line that its scratches make up, or it is a crack
_BESIDE = 20.0  # px between the two flanks of one groove
_OF_REST = 1.2  # what of a scratch was lost on drawn ones, over what was left in dark lines, k = 2
_OF_FLANK = 0.5  # of a width: by so much a groove is wider than the flank of it that is seen
_ALONG = 0.015  # of its length
_ALIKE, _UNLIKE = 0.6, 0.5  # of the depth, as for cracks
_END, _BLUNT = 25.0, 4.0  # px along a line at its end, and of these that no one can tell
_LEFT = 0.3  # of its depth, that goes on beyond an end
_FEW = 10


@dataclass(frozen=True, eq=False)
class Scratch:
    """One groove: the traces along it, by the parabola off = `bend`(along) from its middle.

    `rest` is the length of dark lines that are no part of a scratch, its share of them, in px.
    `doubtful` says that it runs along the frame, and may be no scratch: a curtain of an ion beam
    does not end at both of its ends, and the rim of an earlier scan has another grey on one side.
    """

    traces: tuple[Trace, ...]
    middle: Array
    way: Array
    bend: Array
    start: float
    end: float
    sign: int
    aspect: float
    noise: float
    rest: float = 0.0
    doubtful: bool = False

    @cached_property
    def path(self) -> Array:
        along = np.linspace(self.start, self.end, 33)
        aside = np.array([-self.way[1], self.way[0]])
        return np.asarray(
            self.middle + along[:, None] * self.way + np.polyval(self.bend, along)[:, None] * aside
        )

    @cached_property
    def length(self) -> float:
        return length_of(self.path, self.aspect)

    @property
    def direction(self) -> float:
        """Anticlockwise from the rows, in (-π/2, π/2]."""
        across, down = self.path[-1] - self.path[0]
        angle = -math.atan2(down * self.aspect, across)
        return angle - math.pi * round(angle / math.pi) if abs(angle) > math.pi / 2 else angle

    def width(self, share: float = 0.5, shift: float = 0.0) -> float:
        """Median full width at a share of its depth, px; NaN where none is known."""
        return middle_of(widths_of(self.traces, self.sign, share, shift))


def find_scratches(
    dark: Sequence[Line], bright: Sequence[Line], specimen: Array
) -> tuple[list[Scratch], list[Line]]:
    """The scratches of a specimen (H, W), the longest first, and the dark lines left over.

    Among the scratches are doubtful ones.
    """
    shortest = max(_SHORTEST, _SHORTEST_SHARE * min(specimen.shape))
    found, left = [], []
    rows = [line for line in dark if line.scanned]
    dark = [line for line in dark if not line.scanned]
    low = _straight_runs(dark, shortest)
    for number, line in enumerate(dark):
        own = [run for of, run in low if number in of]
        seen = sum(
            trace.arm.length(line.aspect)
            for run in own
            for trace in run.traces
            if any(trace is other for other in line.traces)
        )
        if own and seen >= _SHARE * line.length:
            found += [run for run in own if run not in found]
        else:
            left.append(line)
    for _, run in _straight_runs([line for line in bright if not line.scanned], shortest):
        if not any(_beside(run, other) for other in found):
            found.append(run)
    found = [
        replace(run, doubtful=_along_the_frame(run) and not _is_told(run, specimen))
        for run in found
    ]
    return sorted(_with_rest(found, dark), key=lambda run: -run.length), left + rows


def _with_rest(found: Sequence[Scratch], dark: Sequence[Line]) -> list[Scratch]:
    """The scratches, each with its share, by length, of what else runs in dark lines.

    A groove that is crushed, or whose rows the scan has shifted, is seen as a line and is not
    straight: it may be a scratch all the same.
    """
    claimed = {id(trace) for run in found for trace in run.traces}
    rest = sum(
        trace.arm.length(line.aspect)
        for line in dark
        if line.length >= _SHORTEST
        for trace in line.traces
        if id(trace) not in claimed
    )
    total = sum(run.length for run in found)
    return [replace(run, rest=rest * run.length / total) for run in found]


def _straight_runs(lines: Sequence[Line], shortest: float) -> list[tuple[frozenset[int], Scratch]]:
    """Straight runs of arms, across knots and gaps, with the numbers of their lines."""
    pieces = [
        (number, trace)
        for number, line in enumerate(lines)
        for trace in line.traces
        if trace.across is not None and chord(trace.arm.points) >= _PIECE
    ]
    pieces.sort(key=lambda piece: -chord(piece[1].arm.points))
    pieces = pieces[:_MOST_PIECES]
    free = [True] * len(pieces)
    runs = []
    for first, (_, trace) in enumerate(pieces):
        points = trace.arm.points
        if not free[first] or fitted(points)[3] > 2 * _STRAIGHT * math.sqrt(chord(points)):
            continue
        members = [first]
        more: list[int] = [first]
        while more:
            points = np.concatenate([pieces[index][1].arm.points for index in members])
            ahead = Course.of(points)
            more = [
                index
                for index in range(len(pieces))
                if free[index]
                and index not in members
                and ahead.leads_to(pieces[index][1].arm.points)
            ]
            members += more
        middle, way, bend, off = fitted(points)
        along = np.sort((points - middle) @ way)
        extent = float(along[-1] - along[0])
        seen = extent - float(np.clip(np.diff(along) - 4, 0, None).sum())
        for index in members:
            free[index] = False
        if (
            extent >= shortest
            and seen >= _COVERED * extent
            and off <= _STRAIGHT * math.sqrt(extent)
            and abs(float(bend[0])) * extent / 4 <= _GENTLE
        ):
            one = lines[pieces[first][0]]
            run = Scratch(
                tuple(pieces[index][1] for index in members),
                middle,
                way,
                bend,
                float(along[0]),
                float(along[-1]),
                one.sign,
                one.aspect,
                one.noise,
            )
            runs.append((frozenset(pieces[index][0] for index in members), run))
    return runs


def _beside(run: Scratch, other: Scratch) -> bool:
    """Whether most of one runs close along the other: two flanks of one groove."""
    there = (run.path - other.middle) @ other.way
    off = (run.path - other.middle) @ np.array([-other.way[1], other.way[0]])
    off = off - np.polyval(other.bend, np.clip(there, other.start, other.end))
    near = (np.abs(off) <= _BESIDE) & (there >= other.start - 10) & (there <= other.end + 10)
    return bool(near.mean() > 0.6)


def _along_the_frame(run: Scratch) -> bool:
    return float(np.ptp(run.path, axis=0).min()) <= max(2.0, _ALONG * run.length)


def _is_told(run: Scratch, specimen: Array) -> bool:
    return _in_even_ground(run) and (scan.is_level(run.path) or _ends_inside(run, specimen))


def _in_even_ground(run: Scratch) -> bool:
    """Whether the grey is alike on its two sides."""
    seen = [trace.across for trace in run.traces if trace.across is not None]
    means = np.concatenate([across.means for across in seen]).mean(axis=0, keepdims=True)
    share, rises = Across(seen[0].offsets, means).ground(run.sign)
    return bool(share[0] >= _ALIKE and np.ptp(rises) <= _UNLIKE)


def _ends_inside(run: Scratch, specimen: Array) -> bool:
    """Whether a line ends at both of its ends: a curtain begins at the frame, or fades away."""
    height, width = specimen.shape
    half = run.width()
    half = 0.5 * half if math.isfinite(half) else 2.0
    inner = min(_END, 0.25 * run.length)
    aside = np.array([-run.way[1], run.way[0]])
    middle = np.arange(-max(half - 1, 0.5), max(half - 1, 0.5) + 0.5)
    beside = half + np.arange(3.0, 10.0)
    for end, out in ((run.start, -1), (run.end, 1)):
        depths = []
        blunt = half + _BLUNT
        for near, far in ((-inner - half, -blunt), (blunt, half + _END)):
            along = end + out * np.arange(near, far)
            level = run.middle + along[:, None] * run.way
            level = level + np.polyval(run.bend, along)[:, None] * aside
            if (level < 0).any() or (level > (width - 1, height - 1)).any():
                return False
            means = [
                float(np.mean(_grey(specimen, level[:, None] + off[:, None] * aside)))
                for off in (middle, -beside, beside)
            ]
            depths.append(run.sign * (means[0] - 0.5 * (means[1] + means[2])))
        if not depths[1] <= _LEFT * depths[0]:
            return False
    return True


def _grey(specimen: Array, points: Array) -> Array:
    return np.asarray(
        ndimage.map_coordinates(
            specimen,
            [points[..., 1], points[..., 0]],
            output=np.float32,
            order=1,
            mode="nearest",
            prefilter=False,
        )
    )


def measure_scratches(
    scratches: Sequence[Scratch], shape: tuple[int, int], top: int, ruler: Ruler
) -> tuple[list[Measurement], list[Region], list[str]]:
    """Scratches: count, length, width, direction, length per area.

    `shape` is that of the specimen, `top` its first row in the stored page.
    """
    feature = "scratch"
    seen = "straight lines, dark, bright or both, within a fraction of a pixel of a parabola"
    notes = []
    doubtful = sum(run.doubtful for run in scratches)
    if doubtful:
        notes.append(
            f"{doubtful} straight lines along the frame were left out: curtains of an ion beam "
            "and the rim of an earlier scan look so"
        )
    scratches = [run for run in scratches if not run.doubtful]
    count = len(scratches)
    few = f"few: {count} only; " if 0 < count < _FEW else ""
    note = f"{few}straight cracks, fibres and polishing lines look alike"
    result = [Measurement("scratch_count", float(count), "1", None, f"number of {seen}", feature)]
    if not scratches:
        return result, [], notes
    lengths = np.array([run.length for run in scratches])
    unseen = np.array([run.length * _unseen(run) for run in scratches])
    # An end is told to about two pixels, and a gap to half of itself, k = 2.
    parts = np.hypot(3.0, 0.5 * unseen)
    rest = _OF_REST * sum(run.rest for run in scratches)
    total = math.hypot(float(np.sqrt((parts**2).sum())), 0.01 * float(lengths.sum()), rest)
    longest = float(np.hypot(parts[np.argmax(lengths)], 0.01 * lengths.max()))
    area = shape[0] * shape[1]
    how = f"of {seen}, along the parabola between their ends"
    within = (
        "uncertainty (k = 2) from the ends, the gaps and the bend and, as scratches of known "
        f"length showed (GUM type B), {_OF_REST:g} times the length of other dark lines: crushed "
        "or blurred parts of a scratch are seen as these"
    )
    result += [
        ruler.measurement(
            "scratch_length_total",
            float(lengths.sum()),
            total,
            f"total length {how}; {within}",
            feature,
            note=note,
        ),
        ruler.measurement(
            "scratch_length_max",
            float(lengths.max()),
            longest,
            f"longest length {how}; uncertainty (k = 2) from the ends, the gaps and the bend: a "
            "scratch that is broken where it was crushed counts as two",
            feature,
            note=note,
        ),
        ruler.measurement(
            "scratch_length_density",
            float(lengths.sum()) / area,
            total / area,
            f"total length {how}, over the area of the specimen without the databar; {within}",
            feature,
            power=-1,
            note=note,
        ),
    ]
    result += _width(scratches, lengths, ruler, seen, note)
    result += orientation(feature, [run.direction for run in scratches], lengths, seen)
    regions = [
        _region(run, shape, top, number)
        for number, run in enumerate(scratches[:MOST_REGIONS], start=1)
    ]
    return result, regions, notes


def _unseen(run: Scratch) -> float:
    along = np.sort(
        np.concatenate([(trace.arm.points - run.middle) @ run.way for trace in run.traces])
    )
    return float(np.clip(np.diff(along) - 4, 0, None).sum()) / max(run.end - run.start, 1.0)


def _width(
    scratches: Sequence[Scratch], lengths: Array, ruler: Ruler, seen: str, note: str
) -> list[Measurement]:
    widths = np.array([run.width() for run in scratches])
    known = np.flatnonzero(np.isfinite(widths))
    if known.size == 0:
        return []
    order = known[np.argsort(widths[known])]
    reached = np.cumsum(lengths[order])
    run = scratches[int(order[np.searchsorted(reached, 0.5 * reached[-1])])]
    half = run.width()
    width, resolved = sharpened(half, run.width(0.25), run.width(0.75))
    moved = abs(run.width(shift=run.noise) - run.width(shift=-run.noise))
    spread = math.hypot(moved, 0.6, half - width, _OF_FLANK * width) if resolved else None
    if not resolved:
        width, note = half, f"{note}; not resolved: at most this"
    if not math.isfinite(width) or (spread is not None and not math.isfinite(spread)):
        return []
    return [
        ruler.measurement(
            "scratch_width_median",
            width,
            spread,
            f"median, weighted by length, of the full width at half depth of {seen}, less the "
            "blur of its own flanks; the darker or brighter flank where the other is not seen: as "
            f"drawn grooves showed (GUM type B), the whole is off by {_OF_FLANK:g} of it (k = 2)",
            "scratch",
            note=note,
        )
    ]


def _region(run: Scratch, shape: tuple[int, int], top: int, number: int) -> Region:
    width = run.width()
    half = 0.5 * width if math.isfinite(width) else 1.0
    aside = half * np.array([-run.way[1], run.way[0]])
    outline = np.concatenate([run.path[::4] + aside, run.path[::-4] - aside])
    outline = np.clip(outline + 0.5, 0, (shape[1], shape[0])) + np.array([0, top])
    (x0, y0), (x1, y1) = np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0))
    return Region(
        f"scratch-{number}",
        "scratch",
        (int(x0), int(y0), int(x1), int(y1)),
        float(length_of(run.path) * 2 * half),
        tuple((round(float(x), 1), round(float(y), 1)) for x, y in outline),
    )
