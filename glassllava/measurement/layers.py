"""Layers: bands of their own grey level from one side of the field to the other.

An oxide, a coating, a leached rind or a film in cross-section: two sharp borders that run beside
each other, with a level between them that neither neighbour has. What touches the frame above
or below has no thickness, and is no layer here. Borders are traced column by column to a part of
a pixel and need not be straight; a thickness is taken square to the layer's own direction. By
grey alone a layer, a fibre or a wide gap across the whole field and a band of charging are alike.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import ndimage

from glassllava.measurement import scan
from glassllava.measurement.borders import Border, block_means, find_borders
from glassllava.measurement.quantities import Measurement, Region
from glassllava.measurement.ruler import Ruler

Array = np.ndarray[Any, Any]

_LEAST_STEP = 2.0  # noise sigmas of the traced grey values, at either border
_THINNEST = 4.0  # px
_ALIKE = 0.25  # of the step: neighbours that differ by less are one material
_LINE, _WIDEST_LINE = 0.05, 30.0  # of the field across, and px: a thinner band is a line
_UNEVEN = 0.3  # standard deviation over mean of the thickness: two borders that just meet
_UNEVEN_WITHIN = 0.12  # the same within one material: the walls of cells have borders too
_EVEN = 0.6  # of the smaller step that the level may change between the borders
_EVEN_OF_MORE = 0.25  # of the larger step
_SOFTEST = 6.0  # px that the rise of a border may take
_PURE = 0.62  # of what lies beside a border is nearer to its own level
_PURE_WITHIN = 0.7  # the same within one material: two phases have paths between them too
_CRISP = 1.3  # px
_BESIDE, _WITHIN = 14.0, 8.0  # px beside a border that are looked at, and where a seam may lie
_SEAM = 0.2  # of the step
_CRISP_HALF = 0.9  # px from 50 to 90 % of a crisp rise
_BEYOND = 6.0  # times what is seen of a soft rise that may be clipped away
_FLOOR = 5.0  # px
_POINTS = 48


@dataclass(frozen=True, slots=True)
class Seam:
    """What lies along a border and is of neither side: a dark gap, or a bright charged edge.

    By grey alone no one can say whether the layer ends at the seam's flank, where the border was
    traced, or in its middle, `way` px farther along the columns. `hidden` is by how many pixels
    the border may lie beyond what clipping shows, k = 2.
    """

    way: float = 0.0
    hidden: float = 0.0


@dataclass(frozen=True, eq=False)
class Layer:
    """A band between two borders. `upright` ones run from top to bottom: x and y are exchanged.

    `aspect` is how much farther a pixel is from the next one down than across. `scanned` says that
    it may be the scan's: one of its borders is level and begins or ends with a row.
    """

    first: Border
    second: Border
    upright: bool
    aspect: float
    seams: tuple[Seam, Seam]
    scanned: bool = False

    @cached_property
    def thicknesses(self) -> Array:
        """Square to the layer's direction at each column, px of the geometric mean.

        Where a seam lies along a border, half way into it.
        """
        return self._square(self.gaps)

    @property
    def gaps(self) -> Array:
        """From border to border along the columns, px."""
        first, second = self.seams
        return self.second.y - self.first.y + 0.5 * (second.way - first.way)

    @property
    def unseen(self) -> float:
        """What is uncertain of both borders because of seams and of clipping, px, k = 2."""
        # Anywhere in half the way: a rectangular distribution.
        parts = [seam.hidden + abs(seam.way) / math.sqrt(3) for seam in self.seams]
        return math.hypot(*parts)

    def _square(self, across: Array) -> Array:
        # Metres of a step from border to border over metres along the layer, and their mean.
        ratio = 1 / self.aspect if self.upright else self.aspect
        middle = 0.5 * (self.first.y + self.second.y)
        step = float(self.first.x[1] - self.first.x[0])
        window = max(2.0, 0.35 * float(np.median(self.second.y - self.first.y)) / step)
        middle = ndimage.gaussian_filter1d(middle, window, mode="nearest")
        lean = np.gradient(middle, step) * ratio
        root = math.sqrt(ratio)
        return np.asarray(across * root / np.hypot(1.0, lean))

    @cached_property
    def angle(self) -> float:
        """Mean direction of the layer, anticlockwise from the rows, in (-π/2, π/2]."""
        middle = 0.5 * (self.first.y + self.second.y)
        slope = float(np.polyfit(self.first.x, middle, 1)[0])
        if not self.upright:
            return -math.atan(slope * self.aspect)
        angle = math.atan2(self.aspect, -slope)
        return angle - math.pi if angle > math.pi / 2 else angle

    @property
    def larger_step(self) -> float:
        return max(abs(self.first.step), abs(self.second.step))

    @property
    def step(self) -> float:
        return min(abs(self.first.step), abs(self.second.step))


def find_layers(specimen: Array, aspect: float = 1.0, scale: int = 1) -> list[Layer]:
    """The layers of a specimen (H, W), from the top down or from the left to the right.

    They are looked for on means of `scale` × `scale` pixels.
    """
    return [band for band in find_bands(specimen, aspect, scale) if not band.scanned]


def find_bands(specimen: Array, aspect: float = 1.0, scale: int = 1) -> list[Layer]:
    """The layers as `find_layers` gives them, and bands among them that may be the scan's."""
    if specimen.dtype.kind == "f":
        finite = np.isfinite(specimen)
        if not finite.all():
            fill = float(np.median(specimen[finite])) if finite.any() else 0.0
            specimen = np.where(finite, specimen, fill)
    stored = specimen
    if scale > 1:
        specimen = block_means(specimen, scale, scale)
    lying = find_borders(specimen)
    standing = find_borders(np.ascontiguousarray(specimen.T))
    bands = max(
        _between(specimen, lying, scale, False, aspect),
        _between(specimen.T, standing, scale, True, aspect),
        key=_clearness,
    )
    row = scan.step_of_a_row(stored) if bands else 1.0
    return [replace(band, scanned=_of_scan(band, stored, row)) for band in bands]


def _of_scan(band: Layer, specimen: Array, row: float) -> bool:
    return not band.upright and any(
        scan.is_row_border(specimen, np.stack([one.x, one.y], 1), one.step, row)
        for one in (band.first, band.second)
    )


def _full(border: Border, scale: int) -> Border:
    """The border in pixels of the stored specimen."""
    if scale == 1:
        return border
    shift = (scale - 1) / 2
    return replace(
        border,
        x=border.x * scale + shift,
        y=border.y * scale + shift,
        blur=border.blur * scale,
    )


def _clearness(layers: Sequence[Layer]) -> float:
    return sum(min(layer.first.score, layer.second.score) for layer in layers)


def _between(
    specimen: Array, borders: Sequence[Border], scale: int, upright: bool, aspect: float
) -> list[Layer]:
    """The layers between borders traced on a specimen (H, W) of means of `scale` pixels."""
    clear = [
        (_full(border, scale), [_seam(specimen, border, side, scale) for side in (-1, 1)])
        for border in borders
        if abs(border.step) >= _LEAST_STEP * border.noise
        and border.blur <= _SOFTEST
        and border.pure >= _PURE
    ]
    layers = []
    for (first, one), (second, other) in itertools.pairwise(clear):
        layer = Layer(first, second, upright, aspect, (one[0], other[1]))
        if _is_layer(layer, len(specimen) * scale):
            layers.append(layer)
    return layers


def _seam(specimen: Array, border: Border, side: int, scale: int) -> Seam:
    """The seam beside a border, above (`side` -1) or below it, by the median along it.

    The other side is the layer's.
    """
    offsets = np.arange(-_BESIDE, _BESIDE + 0.25, 0.5)
    rows = border.y[:, None] + offsets
    columns = np.broadcast_to(border.x[:, None], rows.shape)
    values = ndimage.map_coordinates(
        specimen, [rows, columns], output=np.float32, order=1, mode="nearest", prefilter=False
    )
    middle = np.median(values, axis=0)
    own = float(np.median(border.below if side < 0 else border.above))
    out = side * offsets
    beyond = float(np.median(middle[out >= _WITHIN + 2]))
    near = (out >= 0) & (out <= _WITHIN)
    way, least = 0.0, _SEAM * abs(own - beyond)
    for sign, level in ((-1, min(own, beyond)), (1, max(own, beyond))):
        over = np.where(near, sign * (middle - level), -np.inf)
        most = float(over.max())
        if most > least:
            # A clipped seam is flat: its middle.
            way, least = float(offsets[over > 0.97 * most].mean()), most
    return Seam(way * scale, _hidden(specimen, middle, offsets, own, beyond) * scale)


def _hidden(specimen: Array, middle: Array, offsets: Array, own: float, beyond: float) -> float:
    """How far a border may lie inside a side that is clipped to the end of the grey scale.

    What is seen of its rise, beyond what a crisp one takes, goes on unseen.
    """
    if beyond not in (float(specimen.min()), float(specimen.max())):
        return 0.0
    share = np.clip((middle - beyond) / (own - beyond), 0, 1) if own != beyond else middle * 0
    half, most = (
        float(np.min(np.abs(offsets[share >= level]), initial=_BESIDE)) for level in (0.5, 0.9)
    )
    rise = most - half
    return _BEYOND * max(0.0, rise - _CRISP_HALF)


def _is_layer(layer: Layer, across: int) -> bool:
    first, second = layer.first, layer.second
    gaps = second.y - first.y
    thick = float(np.median(gaps))
    if thick < _THINNEST or float((gaps > 1.0).mean()) < 0.9:
        return False
    uneven = float(gaps.std()) / float(gaps.mean())
    if uneven > _UNEVEN:
        return False
    inside = abs(float(np.median(second.above - first.below)))
    if inside > max(_EVEN * layer.step, _EVEN_OF_MORE * layer.larger_step):
        return False
    outside = abs(float(np.median(second.below - first.above)))
    if outside >= _ALIKE * layer.step:
        return True
    return (
        thick >= min(_LINE * across, _WIDEST_LINE)
        and uneven <= _UNEVEN_WITHIN
        and min(first.pure, second.pure) >= _PURE_WITHIN
    )


def measure_layers(
    layers: Sequence[Layer], ruler: Ruler
) -> tuple[list[Measurement], list[Region], list[str]]:
    """Layers: count; of each the thickness with its spread, the lightest and the strongest
    place, and the direction. They belong to no feature of the vocabulary."""
    seen = (
        "bands across the field between two sharp borders, traced column by column to a part of "
        "a pixel"
    )
    notes = []
    scanned = sum(layer.scanned for layer in layers)
    if scanned:
        notes.append(
            f"{scanned} level bands were left out: their borders are as sharp as rows of the scan"
        )
    layers = [layer for layer in layers if not layer.scanned]
    count = len(layers)
    result = [Measurement("layer_count", float(count), "1", None, f"number of {seen}", "")]
    for number, layer in enumerate(layers, start=1):
        result += _measured(layer, ruler, seen, _place(layer, number, count))
    return result, [], notes


def _place(layer: Layer, number: int, count: int) -> str:
    side = "left" if layer.upright else "top"
    return f"layer {number} of {count} from the {side}"


def _measured(layer: Layer, ruler: Ruler, seen: str, place: str) -> list[Measurement]:
    values = layer.thicknesses
    how = (
        f"of {seen}, square to the direction of the layer, half way into a seam along a border; "
        "uncertainty from the threshold moved by one noise sigma, soft borders, seams, clipping "
        f"and roughness; {place}"
    )
    low, high = (layer._square(_moved(layer, sign)) for sign in (-1, 1))
    moved = abs(float(np.mean(high - low)))
    # What neighbouring places differ by is the noise of tracing, and what is rough besides.
    jitter = float(np.std(np.diff(values))) / math.sqrt(2) if len(values) > 2 else 0.0
    # An edge that rises over more pixels than a beam is wide has another one beside it: a gap.
    soft = max(0.0, layer.first.blur - _CRISP) + max(0.0, layer.second.blur - _CRISP)
    shaken = 2 * jitter / math.sqrt(max(1, len(values) / 4))
    # Within the few columns of one place a rough border is put where their mean grey has it.
    of_mean = math.hypot(moved, soft, layer.unseen, 0.4, 0.5 * jitter, shaken)
    of_one = math.hypot(moved, soft, layer.unseen, 0.6, 2 * jitter)
    notes = [place]
    if any(seam.way for seam in layer.seams):
        notes.append("a dark gap or a bright edge along a border: the layer ends somewhere in it")
    if float(np.mean(values)) < _FLOOR:
        notes.append(f"under the resolution floor of {_FLOOR:g} px")
    notes.append("a fibre or a gap across the field and a band of charging look alike")
    note = "; ".join(notes)
    spread = float(np.std(values))
    told = (
        ("mean", float(np.mean(values)), of_mean, "mean thickness"),
        ("median", float(np.median(values)), of_mean, "median thickness"),
        ("spread", spread, _of_spread(spread, jitter, len(values)), "standard deviation"),
        ("min", float(np.min(values)), of_one, "least thickness"),
        ("max", float(np.max(values)), of_one, "greatest thickness"),
    )
    result = [
        ruler.measurement(
            f"layer_thickness_{name}", value, uncertainty, f"{words} {how}", "", note=note
        )
        for name, value, uncertainty, words in told
    ]
    result.append(
        Measurement(
            "layer_orientation",
            layer.angle,
            "rad",
            None,
            f"mean direction of {seen}, anticlockwise from the rows; {place}",
            "",
            place,
        )
    )
    return result


def _of_spread(spread: float, jitter: float, count: int) -> float:
    """Of the standard deviation: the tracing noise that is in it, and counting."""
    without = math.sqrt(max(spread**2 - jitter**2, 0.0))
    return math.hypot(spread - without, spread / math.sqrt(max(1.0, count / 8)), 0.2)


def _moved(layer: Layer, sign: int) -> Array:
    """From border to border, px, with the threshold half way moved by one noise sigma."""
    shift = 0.0
    for border, side in ((layer.first, 1), (layer.second, -1)):
        # The level is moved up: a border between dark above and bright below goes down.
        slope = border.step / max(2.0 * border.blur, 1.0)
        shift -= side * sign * border.noise / slope if slope else 0.0
    return layer.gaps + shift
