"""The specimen before the microscope: a height, an atomic number, an SE yield and the voids.

A painter changes these four maps and says what it painted; `imaging` makes a micrograph of
them. Heights are in pixels, positive towards the detector. Mean atomic numbers are those of
the design page on glass features, computed from stoichiometry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.synthesis.fields import Cells, Field, Shape

Mask = NDArray[np.bool_]

#: Mean atomic numbers of what is painted, for the BSE grey.
ATOMIC_NUMBER: Mapping[str, float] = {
    "borosilicate": 10.3,
    "silica": 10.8,
    "alumina": 10.6,
    "soda_lime": 11.2,
    "eglass": 11.7,
    "lithium_disilicate": 9.8,
    "cordierite": 10.7,
    "leucite": 12.1,
    "diopside": 12.2,
    "devitrite": 12.4,
    "calcite": 12.6,
    "wollastonite": 13.6,
    "silicon": 14.0,
    "apatite": 14.1,
    "titania": 16.4,
    "chromite": 19.9,
    "spinel": 21.6,
    "nickel_sulfide": 23.8,
    "zircon": 24.8,
    "iron": 26.0,
    "copper": 29.0,
    "zirconia": 31.7,
    "ruthenia": 35.3,
    "tin_oxide": 41.1,
    "silver": 47.0,
    "platinum": 78.0,
}


@dataclass(frozen=True, slots=True)
class Painted:
    """What a painter says it painted: sizes are in pixels, by quantity.

    `texture` is the exact phase of a texture that fills the field and has no `mask`: a truth for
    measuring, which decides nothing about the picture. `contrast` is how far it stands out, in
    grey levels, once it has been imaged on a wide field.
    """

    key: str
    mask: Mask | None = None
    count: int | None = None
    sizes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    texture: Mask | None = None
    contrast: float | None = None


class Canvas:
    """The four maps of one specimen. `strength` > 1 paints the same thing more plainly."""

    def __init__(
        self, shape: Shape, detector: str, matrix_z: float, view: str, strength: float = 1.0
    ) -> None:
        self.shape = shape
        self.detector = detector
        self.matrix_z = matrix_z
        self.view = view
        self.strength = strength
        self.height = np.zeros(shape, np.float32)
        self.z = np.full(shape, matrix_z, np.float32)
        self.tone = np.ones(shape, np.float32)
        self.void = np.zeros(shape, np.float32)
        #: What a ground leaves for the features that follow it: the rows of a section's seams at
        #: every column from the top, and the cells of a grained ground.
        self.seams: list[Field] = []
        self.cells: Cells | None = None
        #: Cracks that come with another feature (round a body of another expansion, through a
        #: dried layer); truth on wide fields.
        self.cracks_beside: list[Mask] = []

    @property
    def backscattered(self) -> bool:
        return self.detector == "BSE"

    def calm(self, share: float) -> None:
        """Leave only `share` of the relief and the greys painted so far."""
        self.height *= np.float32(share)
        self.tone = np.asarray(1 + (self.tone - 1) * share, np.float32)
        middle = float(np.median(self.z[::4, ::4]))
        self.z = np.asarray(middle + (self.z - middle) * share, np.float32)

    def put_phase(self, coverage: Field, z: float | str) -> None:
        """Lay a phase over the matrix. SE sees composition weakly, so the gap is kept visible
        by the tone there; in BSE a gap under 0.8 would not be seen and is widened to that."""
        number = ATOMIC_NUMBER[z] if isinstance(z, str) else z
        gap = number - self.matrix_z
        if self.backscattered and abs(gap) < 0.8 * self.strength:
            gap = np.copysign(0.8 * self.strength, gap if gap else 1.0)
        self.z += coverage * (self.matrix_z + gap - self.z)
        self.tone *= 1 + coverage * float(np.clip(0.015 * gap, -0.1, 0.45)) * self.strength

    def dig(self, coverage: Field, depth: float, dark: float) -> None:
        """Take material away: `depth` in pixels, `dark` how much signal is lost there (0 to 1)."""
        self.height -= coverage * depth
        self.void = np.maximum(self.void, coverage * min(dark, 0.97))

    def window(self, x: float, y: float, reach: float) -> tuple[tuple[slice, slice], Field, Field]:
        """The part of the frame within `reach` of (x, y), and its offsets dx and dy."""
        height, width = self.shape
        x0, x1 = max(int(x - reach), 0), min(int(x + reach) + 2, width)
        y0, y1 = max(int(y - reach), 0), min(int(y + reach) + 2, height)
        x1, y1 = max(x1, x0), max(y1, y0)
        dx = np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(x)
        dy = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(y)
        return (slice(y0, y1), slice(x0, x1)), dx, dy


Paint = Callable[[Canvas, np.random.Generator], Sequence[Painted]]


@dataclass(frozen=True, slots=True)
class Painter:
    """How one feature is painted, and where: pixel sizes in metres, views, detectors."""

    key: str
    paint: Paint
    pixel_size: tuple[float, float]
    views: tuple[str, ...]
    detectors: tuple[str, ...]
    secondary: bool
    grounds: tuple[str, ...] = ()


#: One painter for every feature, on a plain ground: what measuring and the demo are built on.
PAINTERS: dict[str, Painter] = {}
#: Other ways the same features look, for wide fields; `grounds` names those that they need.
VARIANTS: dict[str, list[Painter]] = {}


def painter(
    key: str,
    pixel_size: tuple[float, float],
    *,
    views: tuple[str, ...] = ("surface", "polished", "fracture"),
    detectors: tuple[str, ...] = ("SE", "SE", "BSE"),
    secondary: bool = False,
) -> Callable[[Paint], Paint]:
    """Enter a painter for `key`; `secondary` ones may be added to another family's field."""

    def enter(paint: Paint) -> Paint:
        PAINTERS[key] = Painter(key, paint, pixel_size, views, detectors, secondary)
        return paint

    return enter


def variant(
    key: str,
    pixel_size: tuple[float, float],
    *,
    views: tuple[str, ...] = ("surface", "polished", "fracture"),
    detectors: tuple[str, ...] = ("SE", "SE", "BSE"),
    secondary: bool = False,
    grounds: tuple[str, ...] = (),
) -> Callable[[Paint], Paint]:
    """Enter another way to paint `key`, used in wide fields beside that of `painter`."""

    def enter(paint: Paint) -> Paint:
        made = Painter(key, paint, pixel_size, views, detectors, secondary, grounds)
        VARIANTS.setdefault(key, []).append(made)
        return paint

    return enter
