"""Where the model sees a feature: from a map over its square picture to regions of the stored page.

Knows grids, pages and outlines. Knows nothing of how a map came about, of the probe's own
probability, or of verdicts. `joined` says what becomes of these regions beside the measured ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from glassllava.measurement.quantities import Region
from glassllava.model.backend import Pointed
from glassllava.model.processing import placed

if TYPE_CHECKING:
    from glassllava.micrograph.record import Micrograph

Array = np.ndarray[Any, np.dtype[Any]]

#: From this probability on a cell belongs to a feature, where the checkpoint names no other.
THRESHOLD = 0.5
#: What is nowhere: a featureless surface has no place.
PLACELESS = ("clean",)
#: Of the threshold: a map whose peak is fainter says that the feature is nowhere.
_FAINT = 0.1
_OF_PEAK = 0.5  # where the threshold is not reached: the part round the peak above so much of it
_MOST_PARTS = 20
_LEAST_HOLE = 4.0  # cells: smaller holes of a region are filled
_BEND = 0.25  # cells by which an outline may be off when it is told with fewer points
_EIGHT = np.ones((3, 3), bool)

_COVERED = 0.5
_LARGEST_GRID = 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """How the cells of a square map lie on the stored page.

    `rows` and `columns` are the cells whose middle lies on the specimen; `x`, `y` the page's
    pixel at the corner of the square (before the page where it was padded), `across` and `down`
    a cell's sides in pixels of the page; `bounds` (x0, y0, x1, y1) of the specimen.
    """

    rows: slice
    columns: slice
    x: float
    y: float
    across: float
    down: float
    bounds: tuple[int, int, int, int]
    cell: float

    @classmethod
    def of(cls, micrograph: Micrograph, side: int, cells: int) -> Frame:
        """For a map of `cells` × `cells` over the letterboxed specimen of `side` pixels."""
        rows = micrograph.specimen_rows
        height, width = rows.stop - rows.start, micrograph.width
        top, left, tall, wide = placed((height, width), side)
        step = side / cells
        return cls(
            rows=_within(top, tall, step, cells),
            columns=_within(left, wide, step, cells),
            x=-left * width / wide,
            y=rows.start - top * height / tall,
            across=step * width / wide,
            down=step * height / tall,
            bounds=(0, rows.start, width, rows.stop),
            cell=max(height, width) / cells,
        )

    def on_page(self, points: Array) -> Array:
        """(N, 2) of (row, column) within `rows` and `columns`, whole numbers the middles of cells,
        as (x, y) of the page; what lies off the specimen is brought to its edge."""
        x0, y0, x1, y1 = self.bounds
        x = self.x + (points[:, 1] + self.columns.start + 0.5) * self.across
        y = self.y + (points[:, 0] + self.rows.start + 0.5) * self.down
        return np.stack([x.clip(x0, x1), y.clip(y0, y1)], axis=1)


def _within(start: int, length: int, step: float, cells: int) -> slice:
    """The cells whose middle lies within; of a strip that holds none, the one it lies in."""
    first = math.ceil(start / step - 0.5)
    last = math.ceil((start + length) / step - 0.5)
    if first >= last:
        first = min(int((start + length / 2) / step), cells - 1)
        last = first + 1
    return slice(max(first, 0), min(last, cells))


def point(
    logits: Array, keys: Sequence[str], frame: Frame, thresholds: Mapping[str, float]
) -> dict[str, Pointed]:
    """Where each of `keys` is.

    A cell belongs to a feature from the feature's threshold on. Where the whole map stays below
    it, one region is left: the part round the peak above half of the peak, or none where the peak
    is fainter than a tenth of the threshold.

    Parameters
    ----------
    logits : (keys, cells, cells); what is not a number counts as certainly not.
    thresholds : probability by key; 0.5 for those left out.
    """
    found = {}
    for key, values in zip(keys, probabilities(logits), strict=True):
        if key in PLACELESS:
            continue
        inside = values[frame.rows, frame.columns]
        peak, threshold = float(inside.max()), thresholds.get(key, THRESHOLD)
        if peak >= threshold:
            found[key] = pointed(inside, threshold, key, frame)
        elif peak >= _FAINT * threshold:
            found[key] = pointed(inside, _OF_PEAK * peak, key, frame, at_peak=True)
        else:
            found[key] = replace(pointed(inside, math.inf, key, frame), regions=())
    return found


def probabilities(logits: Array) -> Array:
    known = np.nan_to_num(logits.astype(np.float64), nan=-60.0, posinf=60.0, neginf=-60.0)
    return np.asarray(1 / (1 + np.exp(-known.clip(-60, 60))))


def pointed(
    values: Array, level: float, feature: str, frame: Frame, *, at_peak: bool = False
) -> Pointed:
    """The peak of `values` (the frame's cells) and the parts from `level` on, the surest first.

    Parts touch at sides or corners; `at_peak` keeps the one with the peak alone.
    """
    place = np.unravel_index(int(values.argmax()), values.shape)
    labels, count = ndimage.label(values >= level, _EIGHT)
    if at_peak:
        parts = [int(labels[place])] if count else []
    else:
        # Both how large a part is and how certain: the sum of its probabilities.
        mass = ndimage.sum_labels(values, labels, np.arange(1, count + 1))
        parts = [int(i) + 1 for i in np.argsort(-np.asarray(mass), kind="stable")[:_MOST_PARTS]]
    x, y = frame.on_page(np.array([place], float))[0]
    return Pointed(
        peak=(round(float(x), 1), round(float(y), 1)),
        certainty=round(float(values[place]), 4),
        cell=round(frame.cell, 3),
        regions=tuple(
            _region(values, labels == part, level, feature, number, frame)
            for number, part in enumerate(parts, start=1)
        ),
    )


def _region(
    values: Array, part: Array, level: float, feature: str, number: int, frame: Frame
) -> Region:
    outline = frame.on_page(_outline(values, part, level))
    x, y = outline[:, 0], outline[:, 1]
    # Twice the area that the outline encloses (Gauss); holes run the other way and are taken off.
    twice = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    return Region(
        id=f"{feature}-model-{number}",
        feature=feature,
        bbox=(
            math.floor(x.min()),
            math.floor(y.min()),
            math.ceil(x.max()),
            math.ceil(y.max()),
        ),
        area_px=round(abs(twice) / 2, 1),
        polygon=tuple((round(float(a), 1), round(float(b), 1)) for a, b in outline),
        source="model",
    )


def _outline(values: Array, part: Array, level: float) -> Array:
    """The closed line (N, 2) round `part` at `level`, between the middles of cells.

    A hole (a net of cracks encloses many) is reached by a cut there and back, so that one
    line tells it.
    """
    # scikit-image is slow to import: only where something is outlined.
    from skimage.measure import find_contours

    # Cells of other parts are never beside this one: they are put out, the rest shapes the line.
    shown = np.where(part | (values < level), values, 0.0)
    # The edge of the specimen cuts through what reaches it: the line goes round outside.
    shown = np.pad(np.pad(shown, 1, mode="edge"), 1)
    find: Any = find_contours
    lines: list[Array] = [
        line - 2 for line in find(shown, level * (1 - 1e-6), fully_connected="high")
    ]
    areas = [_enclosed(line) for line in lines]
    outer = int(np.argmax(np.abs(areas)))
    path = _straightened(lines[outer])
    for line, area in zip(lines, areas, strict=True):
        if area * areas[outer] < 0 and abs(area) >= _LEAST_HOLE:
            hole = _straightened(line)[:-1]
            apart = ((path[:, None] - hole[None]) ** 2).sum(-1)
            here, there = np.unravel_index(int(apart.argmin()), apart.shape)
            round_it = np.roll(hole, -int(there), axis=0)
            path = np.concatenate([path[: here + 1], round_it, round_it[:1], path[here:]])
    return path[:-1]


def _enclosed(line: Array) -> float:
    y, x = line[:, 0], line[:, 1]
    return float(np.dot(x[:-1], y[1:]) - np.dot(y[:-1], x[1:])) / 2


def _straightened(line: Array) -> Array:
    from skimage.measure import approximate_polygon

    straighten: Any = approximate_polygon
    bends: Array = straighten(line, _BEND)
    return bends if len(bends) > 3 else line


def joined(measured: Sequence[Region], pointed: Pointed | None) -> tuple[Region, ...]:
    """The regions of a finding, from measuring and from the model, the best founded first.

    1. Measured regions that the model confirms, as "both": half of one lies on the model's
       regions, widened by a cell of its map; or half of one of the model's lies on it.
    2. The model's own, where measuring shows nothing: those of which the confirmed regions,
       widened by a cell, cover less than half.
    3. Measured regions that the model does not confirm, as "measured": they stay, since
       measuring sees finer than the map, and rank last.

    Where the model cannot point at all (`pointed` is None), the measured ones as they are.
    """
    if pointed is None:
        return tuple(measured)
    grid = _Grid.over([*measured, *pointed.regions], pointed.cell)
    models = [grid.drawn(region) for region in pointed.regions]
    near = grid.widened(np.any(models, axis=0)) if models else grid.empty()
    confirmed: list[Region] = []
    others: list[Region] = []
    for region in measured:
        own = grid.drawn(region)
        is_on_model = _share(own, near) >= _COVERED
        holds_one = any(_share(model, own) >= _COVERED for model in models)
        (confirmed if is_on_model or holds_one else others).append(region)
    drawn = [grid.drawn(region) for region in confirmed]
    covered = grid.widened(np.any(drawn, axis=0)) if drawn else grid.empty()
    alone = [
        region
        for region, model in zip(pointed.regions, models, strict=True)
        if _share(model, covered) < _COVERED
    ]
    return (*(replace(region, source="both") for region in confirmed), *alone, *others)


def _share(of: Array, on: Array) -> float:
    return float((of & on).sum() / of.sum())


@dataclass(frozen=True, slots=True)
class _Grid:
    """A coarse raster over some regions, half a cell of the model's map a step."""

    x: float
    y: float
    step: float
    height: int
    width: int

    @classmethod
    def over(cls, regions: Sequence[Region], cell: float) -> _Grid:
        if not regions:
            return cls(0.0, 0.0, 1.0, 1, 1)
        x0 = min(region.bbox[0] for region in regions)
        y0 = min(region.bbox[1] for region in regions)
        x1 = max(region.bbox[2] for region in regions)
        y1 = max(region.bbox[3] for region in regions)
        # A record may come from anywhere: the raster stays bounded.
        step = max(cell / 2, (x1 - x0) / _LARGEST_GRID, (y1 - y0) / _LARGEST_GRID)
        return cls(x0, y0, step, int((y1 - y0) / step) + 1, int((x1 - x0) / step) + 1)

    def empty(self) -> Array:
        return np.zeros((self.height, self.width), bool)

    def drawn(self, region: Region) -> Array:
        """Every step that the region touches; the smallest touches one."""
        from PIL import Image, ImageDraw

        x0, y0, x1, y1 = region.bbox
        points = region.polygon
        if len(points) < 3:
            points = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        places = np.array(points) - (self.x, self.y)
        # Within the raster, or a region at its far edge would touch nothing.
        steps = (places / self.step).astype(int).clip(0, (self.width - 1, self.height - 1))
        picture = Image.new("1", (self.width, self.height))
        # The line itself is drawn too: it touches what the filling leaves out.
        ImageDraw.Draw(picture).polygon([(int(x), int(y)) for x, y in steps], 1, 1)
        return np.asarray(picture)

    def widened(self, drawn: Array) -> Array:
        return np.asarray(ndimage.binary_dilation(drawn, _EIGHT, 2))
