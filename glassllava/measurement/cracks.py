"""Cracks: dark thin lines, with their length, width, branches and direction.

By grey alone a crack, a dark scratch that is not straight and a grain boundary are alike, and so
are the ribs of an impression: that is for the model and the person to tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage
from skimage import measure

from glassllava.measurement import scan
from glassllava.measurement.lines import (
    Line,
    Trace,
    middle_of,
    orientation,
    parted,
    pieces,
    widths_of,
)
from glassllava.measurement.profiles import Across, sharpened
from glassllava.measurement.quantities import Measurement, Region
from glassllava.measurement.regions import MOST_REGIONS
from glassllava.measurement.ruler import Ruler
from glassllava.measurement.traces import SMOOTHED, length_of, smoothed

Array = np.ndarray[Any, Any]

# scikit-image states no types of its own.
_find_contours: Any = measure.find_contours
_approximate_polygon: Any = measure.approximate_polygon

_SHORTEST = 30.0  # px, and
_SHORTEST_SHARE = 0.04  # of the shorter side of the specimen
_SLENDER = 6.0  # least length over width
_ALIKE = 0.6  # of the depth against the other side
_RISE = 0.4  # of the depth, that the level may rise beyond a flank
_UNLIKE = 0.5  # of the depth, by which the rises on the two sides may differ
_PIECE = 20.0  # px
_SHORT, _REACHING = 120.0, 0.75  # px; of its length that a short line must reach
_ROUGH = 6.0  # px: smoothed by so much more, a line loses its bends
_SURE = 8.0  # noise sigmas: where arms are shallower, others are missing
#: The parts of a length's uncertainty, k = 2, on development seeds of drawn lines.
_OF_BENDS, _OF_FAINT, _OF_LEFT_OUT, _REST = 2.5, 0.8, 0.4, 0.05
_AN_END, _A_KNOT = 8.0, 30.0  # px
_MOSTLY = 0.5  # of its length that the scan may have drawn
_FEW = 10
_MOST_POINTS = 64
_FLOOR = 3.0  # px


def find_cracks(dark: Sequence[Line], specimen: Array) -> tuple[list[Line], int]:
    """The dark lines of a specimen (H, W) that are long and slender; and how many others
    begin and end with a row, as the scan's do."""
    shortest = max(_SHORTEST, _SHORTEST_SHARE * min(specimen.shape))
    found = [
        line
        for line in _in_even_ground([line for line in dark if not line.scanned])
        if line.length >= shortest
        and not line.length < _SLENDER * line.width
        and line.gaps <= 0.5 * line.length
        and not _curls(line)
    ]
    # What a line was parted into may be the scan's, though the whole was not.
    row = scan.step_of_a_row(specimen) if found else 1.0
    kept = [line for line in found if _of_scan(line, specimen, row) < _MOSTLY * line.length]
    scanned = sum(line.scanned and line.length >= shortest for line in dark)
    return sorted(kept, key=lambda line: -line.length), scanned + len(found) - len(kept)


def _of_scan(line: Line, specimen: Array, row: float) -> float:
    """How many pixels of a line begin and end with a row."""
    return sum(
        trace.arm.length(line.aspect)
        for trace in line.traces
        if scan.is_row(specimen, trace.arm.points, -1, line.width, row)
    )


def _in_even_ground(dark: Sequence[Line]) -> list[Line]:
    """The lines without the arms that are no gap in even ground.

    Beyond a crack's flanks, charged lips or not, the grey goes on level, and alike on both sides.
    The fold where two faces of an impression meet rises on and on; the dark seam beside a bright
    rim or band has a rise and a fall on one side; the edge of a layer has one side alone. A short
    piece between two knots is judged with its neighbours: what lies beside it is another arm.
    """
    seen = [trace for line in dark for trace in line.traces if trace.across is not None]
    if not seen:
        return list(dark)
    # Over some fifty pixels along it: a line may begin as a crack and go on as a seam.
    means = [_running(trace.across.means) for trace in seen if trace.across is not None]
    assert seen[0].across is not None
    profile = Across(seen[0].across.offsets, np.concatenate(means))
    share, rises = profile.ground(-1)
    even = (share >= _ALIKE) & (rises.max(axis=0) <= _RISE) & (np.ptp(rises, axis=0) <= _UNLIKE)
    parts = np.split(even, np.cumsum([len(part) for part in means])[:-1])
    good = {id(trace): part for trace, part in zip(seen, parts, strict=True)}
    result = []
    for line in dark:
        left_over: list[Trace] = []
        for trace in line.traces:
            arm = trace.arm
            inner = arm.starts >= 0 and arm.ends >= 0 and arm.length(line.aspect) < _PIECE
            if trace.across is None or inner or good[id(trace)].all():
                left_over.append(trace)
            else:
                left_over += pieces(trace, good[id(trace)])
        result += parted(line, left_over)
    return result


def _running(means: Array) -> Array:
    return np.asarray(ndimage.uniform_filter1d(means, min(3, len(means)), axis=0, mode="nearest"))


def _curls(line: Line) -> bool:
    """Short and bent round: the dark rim of a droplet or of a grain."""
    extent = float(np.hypot(*np.ptp(line.points, axis=0)))
    return line.length < _SHORT and extent < _REACHING * line.length


def measure_cracks(
    lines: Sequence[Line],
    shape: tuple[int, int],
    top: int,
    ruler: Ruler,
    scanned: int = 0,
    left_out: float = 0.0,
    straight: float = 0.0,
) -> tuple[list[Measurement], list[Region], list[str]]:
    """Cracks: count, length, length per area, width, branches, direction.

    `shape` is that of the specimen, `top` its first row in the stored page. `left_out` is how
    many pixels of dark lines were not taken for cracks, `straight` of those for scratches.
    """
    feature, count = "crack", len(lines)
    notes = []
    if scanned:
        notes.append(f"{scanned} dark lines straight along the rows were not taken for cracks")
    seen = "dark thin lines (curvature at three scales, both sides brighter)"
    result = [Measurement("crack_count", float(count), "1", None, f"number of {seen}", feature)]
    if not lines:
        return result, [], notes
    few = f"few: {count} only; " if count < _FEW else ""
    note = f"{few}dark scratches and grain boundaries look alike"
    along = (
        f"along the centre lines of {seen} in even ground, smoothed over {SMOOTHED:g} px along the "
        f"line, and as much more as smoothing over {_ROUGH:g} px takes, for finer bends"
    )
    lengths = np.array([line.length + _finest_bends(line) for line in lines])
    total, longest = float(lengths.sum()), float(lengths.max())
    of_total = _length_spread(lines, left_out, straight)
    area = shape[0] * shape[1]
    result += [
        ruler.measurement(
            "crack_length_total", total, of_total, f"total length {along}", feature, note=note
        ),
        ruler.measurement(
            "crack_length_max",
            longest,
            _length_spread([lines[int(np.argmax(lengths))]], 0.0, 0.0),
            f"longest length {along}",
            feature,
            note=note,
        ),
        ruler.measurement(
            "crack_length_density",
            total / area,
            of_total / area,
            f"total length {along}, over the area of the specimen without the databar",
            feature,
            power=-1,
            note=note,
        ),
    ]
    result += _width(lines, ruler, seen, few)
    result.append(
        Measurement(
            "crack_branch_count",
            float(sum(line.branches for line in lines)),
            "1",
            None,
            f"places where three or more arms of a skeleton meet, in {seen}",
            feature,
        )
    )
    result += orientation(feature, [line.direction for line in lines], lengths, seen)
    regions = [
        _region(line, shape, top, number)
        for number, line in enumerate(lines[:MOST_REGIONS], start=1)
    ]
    return result, regions, notes


def _finest_bends(line: Line) -> float:
    """What smoothing over some pixels takes of a line's length, px: its finest bends."""
    return sum(
        trace.arm.length(line.aspect) - length_of(smoothed(trace.arm.points, _ROUGH), line.aspect)
        for trace in line.traces
    )


def _length_spread(lines: Sequence[Line], left_out: float, straight: float) -> float:
    """What is uncertain of the length of lines together, px, k = 2.

    Bends that are finer than the line is wide; faint arms, for there are others that were not
    found; half of what was bridged; ends that fade; junctions, where arms run in one before they
    part; dark lines that were left out for their ground and straight ones that were taken for
    scratches; and five parts in a hundred for what lines of known length left unexplained. The
    weights were found on drawn lines.
    """
    faint = sum(
        trace.arm.length(line.aspect)
        for line in lines
        for trace in line.traces
        if trace.across is not None and trace.depth < _SURE
    )
    return math.hypot(
        _OF_BENDS * sum(map(_finest_bends, lines)),
        _OF_FAINT * faint,
        0.5 * sum(line.gaps for line in lines),
        _AN_END * math.sqrt(sum(line.free_ends for line in lines)),
        _A_KNOT * math.sqrt(sum(line.branches for line in lines)),
        _OF_LEFT_OUT * left_out,
        straight,
        _REST * sum(line.length for line in lines),
    )


def _width(lines: Sequence[Line], ruler: Ruler, seen: str, few: str) -> list[Measurement]:
    traces = [trace for line in lines for trace in line.traces]

    def of(share: float = 0.5, shift: float = 0.0) -> float:
        return middle_of(widths_of(traces, -1, share, shift))

    half, noise = of(), lines[0].noise
    width, resolved = sharpened(half, of(0.25), of(0.75))
    moved = abs(of(shift=noise) - of(shift=-noise))
    spread: float | None = math.hypot(moved, 1.0, 1.5 * (half - width), 0.15 * width)
    note = few
    if not resolved:
        width, spread = half, None
        note += "not resolved from the blur: at most this"
    elif width < _FLOOR:
        note += f"under the resolution floor of {_FLOOR:g} px"
    if not math.isfinite(width) or (spread is not None and not math.isfinite(spread)):
        return []
    return [
        ruler.measurement(
            "crack_width_median",
            width,
            spread,
            f"median, along the line, of the full width at half depth of {seen}, less the blur "
            "of its own flanks; uncertainty from the threshold moved by one noise sigma, from "
            "pixelation, from half as much again as the blur, and 15 % for ground that is shaded",
            "crack",
            note=note.rstrip("; "),
        )
    ]


def _region(line: Line, shape: tuple[int, int], top: int, number: int) -> Region:
    """The box of a line; its outline where it is one arm alone: a network has none."""
    width = line.width if math.isfinite(line.width) else 2.0
    points = line.points + 0.5
    (x0, y0), (x1, y1) = points.min(axis=0) - width / 2, points.max(axis=0) + width / 2
    box = (
        max(0, math.floor(x0)),
        max(0, math.floor(y0)) + top,
        min(shape[1], math.ceil(x1)),
        min(shape[0], math.ceil(y1)) + top,
    )
    area = width * sum(arm.length() for arm in line.arms)
    return Region(f"crack-{number}", "crack", box, float(area), _outline(line, shape, top, width))


def _outline(
    line: Line, shape: tuple[int, int], top: int, width: float
) -> tuple[tuple[float, float], ...]:
    """The outline (x, y) of a line: beside its one arm, or round the whole of a network."""
    if len(line.traces) == 1:
        points = _bends(line.points + 0.5)
        way = np.gradient(points, axis=0)
        aside = np.stack([-way[:, 1], way[:, 0]], 1) / np.hypot(*way.T)[:, None] * width / 2
        outline = np.concatenate([points + aside, (points - aside)[::-1]])
    else:
        # As coarse as it takes to be drawn on some hundred squares a side.
        low = line.points.min(axis=0) - width
        cell = max(1.0, width / 2, float(np.ptp(line.points, axis=0).max()) / 256)
        columns, rows = (np.ceil((line.points.max(axis=0) + width - low) / cell) + 3).astype(int)
        mask = np.zeros((rows, columns), bool)
        for arm in line.arms:
            steps = max(2, int(np.hypot(*np.diff(arm.points, axis=0).T).sum() / (0.5 * cell)))
            at = np.linspace(0, len(arm.points) - 1, steps)
            whole = np.arange(len(arm.points))
            x, y = (np.interp(at, whole, column) for column in ((arm.points - low) / cell).T)
            mask[np.rint(y).astype(int) + 1, np.rint(x).astype(int) + 1] = True
        if width > 2 * cell:
            mask = ndimage.binary_dilation(mask)
        outlines = _find_contours(np.pad(mask, 1).astype(np.uint8), 0.5)
        outline = max(outlines, key=len)[:-1, ::-1]
        outline = (_bends(outline) - 2) * cell + low + 0.5
    outline = np.clip(outline, 0, (shape[1], shape[0])) + np.array([0, top])
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in outline)


def _bends(points: Array) -> Array:
    """At most some of the points of a line: its bends."""
    points = points[:: -(-len(points) // (8 * _MOST_POINTS))]
    tolerance = 0.3
    bends: Array = _approximate_polygon(points, tolerance)
    while len(bends) > _MOST_POINTS:
        tolerance *= 1.7
        bends = _approximate_polygon(points, tolerance)
    return bends
