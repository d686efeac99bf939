"""Compound figures cut into their panels along gutters, and never through a databar.

A gutter is a line across the whole part that is white (or black) and nothing else. The caption
says how many panels there are, where it names them (a), (b) …; without that, only pictures that
fill their place up to the gutter are told apart, since a drawing has white in it anywhere. Knows
pixels; what a panel shows is in `kinds`, what its letter says in `captions`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: (left, top, right, bottom) in pixels.
Box = tuple[int, int, int, int]

#: Panels are at least this many pixels wide and high.
SMALLEST_PANEL = 48
#: A part thinner than this share of its widest neighbour is its label, its axis or its databar.
_THIN = 0.22
#: Grey levels: what counts as white, as black, and as ink on them.
_WHITE, _INK = 235, 205
_BLACK, _LIGHT = 25, 60
#: Share of a gutter's pixels that may be something else: the ringing of JPEG.
_STRAY = 0.004
#: Share of an edge that a picture fills up to its gutter, and of its area within.
_SHARP, _FILLED = 0.6, 0.6
#: A strip of ink below a picture that is as wide as this share of it is a databar.
_BAR = 0.35
#: How much stronger a seam is than the changes around it, in how many of its eight parts.
_SEAM, _SEAM_PARTS = 1.6, 6
_MOST_PANELS = 40


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a part may be parted: `axis` 0 between rows, 1 between columns; `width` in pixels."""

    axis: int
    start: int
    stop: int
    is_sharp: bool

    @property
    def width(self) -> int:
        return self.stop - self.start


def find_panels(picture: Array, wanted: int | None = None) -> tuple[Box, ...]:
    """The panels of a figure in reading order; one box where it is no compound figure.

    Parameters
    ----------
    picture : (H, W, 3) or (H, W) uint8.
    wanted : how many panels the caption names; None where it names none.
    """
    rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    height, width = rgb.shape[:2]
    whole = (0, 0, width, height)
    if min(height, width) < 2 * SMALLEST_PANEL and max(height, width) < 2 * SMALLEST_PANEL:
        return (whole,)
    sheets = (_Sheet(rgb, is_white=True), _Sheet(rgb, is_white=False))
    tries = [_parts(sheet, sheet.trimmed(whole), wanted) for sheet in sheets]
    if wanted is not None and wanted > 1:
        for sheet, boxes in zip(sheets, tries, strict=True):
            if len(boxes) == wanted:
                return _in_order([_bare(sheet, box) for box in boxes])
    sheet, boxes = max(zip(sheets, tries, strict=True), key=lambda one: len(one[1]))
    if wanted is not None and 1 == len(boxes) < wanted <= _MOST_PANELS:
        return _in_order(_along_seams(rgb, boxes[0], wanted))
    if len(boxes) == 1:
        return (whole,)
    return _in_order([_bare(sheet, box) for box in boxes])


class _Sheet:
    """A figure against the colour of its gutters: where there is ink on it."""

    def __init__(self, rgb: Array, *, is_white: bool) -> None:
        self.is_white = is_white
        extreme = rgb.min(axis=2) if is_white else rgb.max(axis=2)
        self.empty = extreme >= _WHITE if is_white else extreme <= _BLACK
        self.ink = extreme < _INK if is_white else extreme > _LIGHT

    def trimmed(self, box: Box) -> Box:
        """The box without its empty margins; as it is where nothing is in it."""
        left, top, right, bottom = box
        ink = self.ink[top:bottom, left:right]
        rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return box
        return (
            left + int(columns[0]),
            top + int(rows[0]),
            left + int(columns[-1]) + 1,
            top + int(rows[-1]) + 1,
        )

    def gutters(self, box: Box, axis: int) -> list[tuple[int, int]]:
        """Runs of empty lines within the box, as (first, last + 1) along `axis`."""
        left, top, right, bottom = box
        ink = self.ink[top:bottom, left:right]
        empty = self.empty[top:bottom, left:right]
        across = ink.shape[1 - axis]
        is_free = (ink.sum(axis=1 - axis) <= _STRAY * across) & (empty.mean(axis=1 - axis) >= 0.95)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], is_free, [False]]).astype(np.int8)))
        offset = top if axis == 0 else left
        return [
            (offset + int(first), offset + int(last))
            for first, last in zip(edges[::2], edges[1::2], strict=True)
        ]

    def fills_to(self, box: Box, axis: int, *, at_end: bool) -> bool:
        """Whether what is in the box fills it, and its edge at one end of `axis`."""
        left, top, right, bottom = self.trimmed(box)
        full = ~self.empty[top:bottom, left:right]
        if min(full.shape) < 4 or full.mean() < _FILLED:
            return False
        edge = full if axis == 0 else full.T
        band = edge[-4:] if at_end else edge[:4]
        return bool(band.any(axis=0).mean() >= _SHARP)


def _parts(sheet: _Sheet, whole: Box, wanted: int | None) -> list[Box]:
    """Parts along gutters: sharp ones always, others until there are as many as wanted."""
    parts = [whole]
    cuts: list[_Cut | None] = [_best_cut(sheet, whole)]
    while len(parts) < _MOST_PANELS:
        open_cuts = [
            (cut.is_sharp, cut.width, -place)
            for place, cut in enumerate(cuts)
            if cut is not None and (cut.is_sharp or (wanted is not None and len(parts) < wanted))
        ]
        if not open_cuts or (wanted is not None and len(parts) >= wanted > 1):
            break
        place = -max(open_cuts)[2]
        cut = cuts[place]
        assert cut is not None
        halves = _halves(parts[place], cut)
        parts[place : place + 1] = halves
        cuts[place : place + 1] = [_best_cut(sheet, half) for half in halves]
    return parts


def _halves(box: Box, cut: _Cut) -> list[Box]:
    left, top, right, bottom = box
    if cut.axis == 0:
        return [(left, top, right, cut.start), (left, cut.stop, right, bottom)]
    return [(left, top, cut.start, bottom), (cut.stop, top, right, bottom)]


def _best_cut(sheet: _Sheet, box: Box) -> _Cut | None:
    """The gutter that parts the box best: between pictures before all, then the widest."""
    box = sheet.trimmed(box)
    found = [cut for axis in (0, 1) for cut in _cuts(sheet, box, axis)]
    return max(found, key=lambda cut: (cut.is_sharp, cut.width), default=None)


def _cuts(sheet: _Sheet, box: Box, axis: int) -> list[_Cut]:
    """One place between each two neighbouring bodies of the box along `axis`."""
    segments, gutters = _segments(sheet, box, axis)
    bodies = _bodies(segments)
    found = []
    for one, other in itertools.pairwise(bodies):
        # Labels, axes and databars stand between: the widest gap parts whose they are.
        start, stop = max(gutters[one:other], key=lambda gutter: gutter[1] - gutter[0])
        fills = (
            sheet.fills_to(_within(box, axis, segments[one]), axis, at_end=True),
            sheet.fills_to(_within(box, axis, segments[other]), axis, at_end=False),
        )
        # Black is within micrographs too: there both sides must say it is a gutter.
        found.append(_Cut(axis, start, stop, any(fills) if sheet.is_white else all(fills)))
    return found


def _segments(
    sheet: _Sheet, box: Box, axis: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """What stands between the gutters of a box along `axis`, and those gutters."""
    first, last = (box[1], box[3]) if axis == 0 else (box[0], box[2])
    gutters = [
        (start, stop)
        for start, stop in sheet.gutters(box, axis)
        if first < start and stop < last and stop - start >= 2
    ]
    ends = [first, *(edge for gutter in gutters for edge in gutter), last]
    return list(zip(ends[::2], ends[1::2], strict=True)), gutters


def _bodies(segments: Sequence[tuple[int, int]]) -> list[int]:
    """Numbers of the segments that may be panels, and are not labels, axes or databars."""
    sizes = [stop - start for start, stop in segments]
    least = max(_THIN * max(sizes), SMALLEST_PANEL)
    return [number for number, size in enumerate(sizes) if size >= least]


def _within(box: Box, axis: int, segment: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    start, stop = segment
    return (left, start, right, stop) if axis == 0 else (start, top, stop, bottom)


def _bare(sheet: _Sheet, box: Box) -> Box:
    """A panel without its margins, and a picture without the letter outside it.

    A strip as wide as a databar stays; so does all that belongs to a drawing.
    """
    if not sheet.is_white:
        return box  # what is black at its edge may be the specimen
    box = sheet.trimmed(box)
    for axis in (0, 1):
        segments, _gutters = _segments(sheet, box, axis)
        bodies = _bodies(segments)
        if len(bodies) != 1:
            continue
        body = bodies[0]
        inner = sheet.trimmed(_within(box, axis, segments[body]))
        full = ~sheet.empty[inner[1] : inner[3], inner[0] : inner[2]]
        if full.mean() < _FILLED:
            continue
        kept = [body]
        for number, segment in enumerate(segments):
            strip = sheet.trimmed(_within(box, axis, segment))
            wide = strip[2] - strip[0] if axis == 0 else strip[3] - strip[1]
            whole = inner[2] - inner[0] if axis == 0 else inner[3] - inner[1]
            if number != body and axis == 0 and number > body and wide >= _BAR * whole:
                kept.append(number)
        box = sheet.trimmed(_within(box, axis, (segments[kept[0]][0], segments[max(kept)][1])))
    return box


def _along_seams(rgb: Array, box: Box, wanted: int) -> list[Box]:
    """A grid of as many panels as wanted that touch without a gutter, or the box as it is.

    Only a regular grid whose every line is a seam: one by itself may be an edge of the specimen,
    or of a databar.
    """
    left, top, right, bottom = box
    grey = rgb[top:bottom, left:right].mean(axis=2, dtype=np.float32)
    seams = [_seam_strength(each) for each in (grey, grey.T)]
    best: tuple[float, list[list[int]]] = (_SEAM, [])
    for rows in range(1, wanted + 1):
        columns = wanted // rows
        if rows * columns != wanted:
            continue
        weakest, lines = float("inf"), []
        for strength, count in zip(seams, (rows, columns), strict=True):
            long = len(strength) + 2
            if long < count * SMALLEST_PANEL:
                weakest = 0.0
                break
            found = [_strongest(strength, long * n / count, 0.015 * long) for n in range(1, count)]
            weakest = min([weakest, *(value for value, _line in found)])
            lines.append([0, *(line for _value, line in found), long])
        if best[0] <= weakest < float("inf"):
            best = (weakest, lines)
    if not best[1]:
        return [box]
    down, across = best[1]
    return [
        (left + x0, top + y0, left + x1, top + y1)
        for y0, y1 in itertools.pairwise(down)
        for x0, x1 in itertools.pairwise(across)
    ]


def _seam_strength(grey: Array) -> Array:
    """How much more each row differs from the next but one than rows do, in most of its parts."""
    if min(grey.shape) < SMALLEST_PANEL:
        return np.zeros(max(0, len(grey) - 2))
    changes = np.abs(grey[2:] - grey[:-2])
    pieces = np.array_split(changes, 8, axis=1)
    strength = np.stack([piece.mean(axis=1) for piece in pieces])
    strength /= np.median(strength, axis=1, keepdims=True) + 1
    least: Array = np.sort(strength, axis=0)[8 - _SEAM_PARTS]
    return least


def _strongest(strength: Array, near: float, reach: float) -> tuple[float, int]:
    first = max(0, int(near - reach) - 1)
    part = strength[first : int(near + reach) + 1]
    if not part.size:
        return 0.0, 0
    return float(part.max()), first + int(part.argmax()) + 1


def _in_order(boxes: list[Box]) -> tuple[Box, ...]:
    """Row by row, left to right; column by column where no row goes all the way across."""
    if len(boxes) < 2:
        return tuple(boxes)
    for axis in (1, 0):
        groups = _lines(boxes, axis)
        if len(groups) > 1:
            return tuple(box for group in groups for box in _in_order(group))
    return tuple(sorted(boxes, key=lambda box: (box[1], box[0])))


def _lines(boxes: Sequence[Box], axis: int) -> list[list[Box]]:
    """Boxes in groups whose extents along `axis` (0 across, 1 down) do not overlap."""
    groups: list[list[Box]] = []
    reach = -1.0
    for box in sorted(boxes, key=lambda box: box[axis]):
        slack = 0.1 * (box[axis + 2] - box[axis])
        if not groups or box[axis] >= reach - slack:
            groups.append([])
        groups[-1].append(box)
        reach = max(reach, box[axis + 2])
    return groups
