"""Phase separation: the length, the shares and the connection of two phases that fill the field.

Droplets in a matrix and two interwoven phases are told apart by shape. By grey alone leached
pores, sintered pores and a film of islands are alike: that is for the model and the person to
tell. Where only the outlines show, as on a shallow etch, the phases cannot be told apart, and
nothing is measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glassllava.measurement import textures
from glassllava.measurement.quantities import Measurement, Region
from glassllava.measurement.regions import Array
from glassllava.measurement.ruler import Ruler
from glassllava.measurement.textures import Texture

_FEATURE = "phase_separation"
_EIGHT = np.ones((3, 3), bool)
#: What makes a texture of two phases; measured on every painter of `training/synthesis`.
_LEAST_SEPARATION = 3.2  # spreads between the two greys: one normal population split has 2.6
_LEAST_COVER = 0.85
_LEAST_LEVEL = 20.0  # floors of noise
_LEAST_RISE = 2.5  # a peak: scattered bodies, grains and scratches have no less at longer waves
_MOST_DISSENT = 0.15  # between the length by the greys and by the phases' outlines
#: A strong peak on which both agree is a texture also where the greys of the phases overlap.
_STRONG_RISE, _STRONG_LEVEL, _STRONG_DISSENT, _STRONG_SEPARATION = 4.0, 200.0, 0.05, 2.3
#: Droplets have no peak, as they lie at random: instead they are many, round and two grey levels.
_LEAST_DROPLETS = 25
_LEAST_ROUND = 0.5
_DROPLET_SEPARATION = 3.6
_DROPLET_DISSENT = 0.3
_ROUND_AXES, _ROUND_FILL = 1.8, 0.93
_MOST_JOINED = 0.25  # of the minor phase in its largest part, where the rest are droplets
#: Outlines crossed along the rows over those down the columns, or the other way round: textures
#: that were painted had 0.55 and more, hum of the mains and stripes of the scan 0.25 at most.
_LEAST_EVEN = 0.4
_OUTLINE = 0.2  # px, to which an outline's place is known (k = 1) where the noise is small
_FLOOR = 5.0  # px: a length below it is not resolved
_FEW = 8.0  # periods in the shorter side


@dataclass(frozen=True, slots=True)
class Bodies:
    """The connected parts of the minor phase, in pixels of the texture's grid."""

    areas: Array
    round: Array
    whole: Array
    largest_share: float
    crosses: bool
    holes: int

    @property
    def round_share(self) -> float:
        """By area."""
        return float(self.areas[self.round].sum() / max(1, self.areas.sum()))


def measure_phases(
    specimen: Array, ruler: Ruler
) -> tuple[list[Measurement], list[Region], list[str]]:
    """Characteristic length, area fractions, chords and connection; nothing where none is seen.

    Parameters
    ----------
    specimen : (H, W) grey values as they are in the file, without the databar.
    """
    texture = textures.find(specimen, ruler.aspect)
    if texture is None:
        return [], [], []
    bodies = minor_bodies(texture.bright)
    kind = kind_of(texture, bodies)
    if kind is None:
        return [], [], []
    across, down = _crossed(texture.bright)
    if min(across, down) < _LEAST_EVEN * max(across, down):
        way = "rows" if across < down else "columns"
        said = f"Stripes along the {way}, as hum or the scan make them: not measured as two phases"
        return [], [], [said]
    measurements = [_length(texture, ruler)]
    if texture.separation < _LEAST_SEPARATION:
        return measurements, [], ["The greys of the two phases overlap: no shares are measured"]
    measurements += [*_shares(texture), *_chords(texture, ruler)]
    measurements.append(_connection(texture, bodies))
    if kind == "droplets":
        measurements += _droplets(texture, bodies, ruler)
    note = (
        f"Two phases that fill the field, by their look {kind}; pores, crystals and films of "
        "islands can look alike"
    )
    return measurements, [], [note]


def kind_of(texture: Texture, bodies: Bodies) -> str | None:
    """'interwoven' or 'droplets', or None where this is not a texture of two phases."""
    if texture.cover < _LEAST_COVER or texture.level < _LEAST_LEVEL:
        return None
    dissent = abs(math.log(texture.mask_length / texture.length))
    droplets = bodies.largest_share <= _MOST_JOINED and bodies.round_share >= _LEAST_ROUND
    if (
        texture.rise >= _LEAST_RISE
        and texture.separation >= _LEAST_SEPARATION
        and dissent <= _MOST_DISSENT
    ):
        return "droplets" if droplets else "interwoven"
    if (
        texture.rise >= _STRONG_RISE
        and texture.level >= _STRONG_LEVEL
        and texture.separation >= _STRONG_SEPARATION
        and dissent <= _STRONG_DISSENT
    ):
        return "interwoven"
    many = int(np.count_nonzero(bodies.round)) >= _LEAST_DROPLETS
    if (
        droplets
        and many
        and texture.separation >= _DROPLET_SEPARATION
        and dissent <= _DROPLET_DISSENT
    ):
        return "droplets"
    return None


def minor_bodies(bright: Array) -> Bodies:
    """The parts of the phase that covers less, those under 12 pixels left out."""
    minor = bright if bright.mean() <= 0.5 else ~bright
    labels, number = ndimage.label(minor)
    flat = labels.ravel()
    areas = np.bincount(flat, minlength=number + 1).astype(np.float64)
    height, width = minor.shape
    rows = np.repeat(np.arange(height, dtype=np.float64), width)
    columns = np.tile(np.arange(width, dtype=np.float64), height)
    inside = flat > 0
    flat, rows, columns = flat[inside], rows[inside], columns[inside]
    area = np.maximum(areas, 1)

    def mean(values: Array) -> Array:
        return np.bincount(flat, values, number + 1) / area

    y, x = mean(rows), mean(columns)
    # A pixel is a square, not a point: a twelfth is its own second moment.
    yy, xx = mean(rows * rows) - y * y + 1 / 12, mean(columns * columns) - x * x + 1 / 12
    xy = mean(rows * columns) - x * y
    root = np.sqrt(((yy - xx) / 2) ** 2 + xy * xy)
    major = (yy + xx) / 2 + root
    least = np.maximum((yy + xx) / 2 - root, 1 / 12)
    round_ = (major <= _ROUND_AXES**2 * least) & (
        areas >= _ROUND_FILL * 4 * math.pi * np.sqrt(major * least)
    )
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    whole = np.ones(number + 1, bool)
    whole[rim] = False
    kept = areas >= 12
    kept[0] = False
    crosses = bool(
        np.intersect1d(labels[0], labels[-1]).max(initial=0)
        or np.intersect1d(labels[:, 0], labels[:, -1]).max(initial=0)
    )
    total = float(areas[1:].sum())
    return Bodies(
        areas=areas[kept],
        round=round_[kept],
        whole=whole[kept],
        largest_share=float(areas[1:].max(initial=0)) / max(total, 1.0),
        crosses=crosses,
        holes=max(0, ndimage.label(~minor, _EIGHT)[1] - 1),
    )


def _length(texture: Texture, ruler: Ruler) -> Measurement:
    notes = []
    if texture.length < _FLOOR:
        notes.append(f"under the resolution floor of {_FLOOR:g} px")
    if texture.periods < _FEW:
        notes.append(f"few: {texture.periods:.0f} periods across the field only")
    # The greys and the outlines weigh the same texture differently: their gap is one sigma.
    dissent = 2 * texture.length * abs(texture.mask_length / texture.length - 1)
    return ruler.measurement(
        "phase_characteristic_length",
        texture.length,
        math.hypot(texture.length_spread, dissent),
        "characteristic length 2π/q1, q1 the first moment of the radially averaged structure "
        "factor S(q) from q1/2 to 2 q1: of the grey values, shading removed, Hann window, noise "
        "floor subtracted; uncertainty from the number of modes, the floor, pixelation, and twice "
        "the gap to the same length of the two phases' outlines",
        _FEATURE,
        note="; ".join(notes),
    )


def _shares(texture: Texture) -> list[Measurement]:
    moved = 0.5 * float(texture.wide.mean() - texture.narrow.mean())
    outline = _OUTLINE * _crossings(texture.bright)
    spread = 2 * math.hypot(moved, outline)
    method = (
        "pixels {} than midway between the medians of the two phases (Otsu's split, repeated), "
        "smoothed, shading removed; uncertainty from the threshold moved by one noise sigma and "
        f"from pixelation, {_OUTLINE:g} px along the outlines"
    )
    return [
        Measurement(
            f"phase_area_fraction_{name}", share, "1", spread, method.format(word), _FEATURE
        )
        for name, word, share in (
            ("bright", "brighter", texture.share),
            ("dark", "darker", 1 - texture.share),
        )
    ]


def _crossings(mask: Array) -> float:
    """Outlines crossed a pixel of a straight line, mean of rows and columns."""
    return max(0.5 * sum(_crossed(mask)), 1e-9)


def _crossed(mask: Array) -> tuple[float, float]:
    """Outlines crossed a pixel along the rows, and down the columns."""
    across = np.count_nonzero(mask[:, 1:] != mask[:, :-1]) / mask[:, 1:].size
    down = np.count_nonzero(mask[1:] != mask[:-1]) / mask[1:].size
    return float(across), float(down)


def _chords(texture: Texture, ruler: Ruler) -> list[Measurement]:
    result = []
    for name, masks in (
        ("bright", (texture.narrow, texture.bright, texture.wide)),
        ("dark", (~texture.narrow, ~texture.bright, ~texture.wide)),
    ):
        low, value, high = (
            float(2 * mask.mean() / _crossings(mask)) * texture.step for mask in masks
        )
        # Chords shorter than about twice the smoothing are lost from the mean.
        spread = math.hypot(high - low, 4 * _OUTLINE * texture.step, 2 * texture.smoothing)
        result.append(
            ruler.measurement(
                f"phase_chord_mean_{name}",
                value,
                spread,
                f"mean chord of the {name}er phase along rows and columns; uncertainty from the "
                "threshold moved by one noise sigma, from pixelation, and from chords that the "
                "smoothing closes",
                _FEATURE,
                note=f"under the resolution floor of {_FLOOR:g} px" if value < _FLOOR else "",
            )
        )
    return result


def _connection(texture: Texture, bodies: Bodies) -> Measurement:
    minor = "bright" if texture.share <= 0.5 else "dark"
    euler = bodies.areas.size - bodies.holes
    crossing = "runs" if bodies.crosses else "does not run"
    return Measurement(
        "phase_connected_share",
        bodies.largest_share,
        "1",
        None,
        f"largest connected part of the minor, {minor} phase over all of it (four neighbours)",
        _FEATURE,
        f"the minor phase {crossing} through the field; Euler number {euler}; phases that are "
        "connected in depth may be cut apart in a plane",
    )


def _droplets(texture: Texture, bodies: Bodies, ruler: Ruler) -> list[Measurement]:
    whole = bodies.round & bodies.whole
    areas = bodies.areas[whole if whole.any() else bodies.round]
    step = texture.step
    diameter = float(np.median(np.sqrt(4 * areas / math.pi))) * step
    moved = 0.5 * float(texture.wide.mean() - texture.narrow.mean())
    minor = min(texture.share, 1 - texture.share)
    # The outline moves outwards by as much as the area grows: a diameter by half its share.
    spread = 2 * math.hypot(diameter * moved / (2 * minor), 2 * _OUTLINE * step)
    count = int(bodies.areas.size)
    pixels = float(texture.bright.size * step**2)
    joined = 1 - float(np.count_nonzero(bodies.round)) / max(1, count)
    note = f"{100 * joined:.0f} % touch others and are left out" if joined >= 0.005 else ""
    return [
        ruler.measurement(
            "phase_droplet_equivalent_diameter_median",
            diameter,
            spread,
            f"median equivalent circular diameter √(4A/π) of {areas.size} round parts of the "
            "minor phase, defined as in ISO 13322-1 (no conformity is claimed); uncertainty from "
            "the threshold moved by one noise sigma and from pixelation",
            _FEATURE,
            note=note,
        ),
        ruler.measurement(
            "phase_droplet_number_density",
            count / pixels,
            2 * math.sqrt(count) / pixels,
            "number of connected parts of the minor phase over the area of the specimen; "
            "uncertainty 2√n of counting",
            _FEATURE,
            power=-2,
        ),
    ]
