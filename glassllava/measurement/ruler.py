"""The ruler: pixels to metres, or it refuses.

A wrong scale is worse than none, so that there is no default: without a pixel size lengths stay
in px, and `metres` raises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from glassllava.errors import BadInput, Uncalibrated
from glassllava.measurement.quantities import Measurement, Unit
from glassllava.measurement.tilt import Tilt, tilt_of
from glassllava.micrograph.record import Micrograph, PixelSize

Power = Literal[1, 2, -1, -2]
_METRE_UNITS: dict[Power, Unit] = {1: "m", 2: "m2", -1: "1/m", -2: "1/m2"}
_PIXEL_UNITS: dict[Power, Unit] = {1: "px", 2: "px2", -1: "1/px", -2: "1/px2"}


_WORST = 0.5


@dataclass(frozen=True, slots=True)
class MeasuringSettings:
    """The section [measurement] of glassview.toml.

    `scale_uncertainty` is relative, at k = 2, as the laboratory's own calibration of its
    microscope's magnification gave it, 0.01 for 1 %; 0 leaves it unknown, as it is in every
    vendor's file. It holds for scales that the microscope wrote; those that a person typed into
    ImageJ or another program have an uncertainty of their own. BadInput for a share that is none.
    """

    scale_uncertainty: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.scale_uncertainty <= _WORST:
            raise BadInput(
                f"{self.scale_uncertainty:g} is not the relative uncertainty of a scale",
                where="[measurement] scale_uncertainty",
                remedy="Write 0.01 for 1 % at k = 2, or 0 where it is not known.",
            )

    def applied(self, micrograph: Micrograph) -> Micrograph:
        """The micrograph with the uncertainty of its scale, where none is stated."""
        size = micrograph.pixel_size
        if (
            not self.scale_uncertainty
            or size is None
            or size.uncertainty is not None
            or not size.is_instruments
        ):
            return micrograph
        return replace(micrograph, pixel_size=replace(size, uncertainty=self.scale_uncertainty))


@dataclass(frozen=True, slots=True)
class Ruler:
    """Converts lengths, areas and densities of one micrograph.

    Pixels that are not square are taken by their geometric mean, which is exact for areas; a
    length of one direction wants `along`. `tilt` says by how much more a pixel spans down the
    image than its size says, because the specimen was tilted.
    """

    pixel_size: PixelSize | None = None
    tilt: Tilt = field(default_factory=Tilt)

    @classmethod
    def of(cls, micrograph: Micrograph) -> Ruler:
        return cls(micrograph.pixel_size, tilt_of(micrograph))

    @property
    def calibrated(self) -> bool:
        return self.pixel_size is not None

    @property
    def aspect(self) -> float:
        """Metres down over metres across of one pixel, tilt included: 1 if square and level."""
        size = self.pixel_size
        down = 1.0 if size is None else size.down_m / size.value_m
        return down * self.tilt.stretch

    @property
    def metres_per_pixel(self) -> float | None:
        """Of areas and of diameters in no direction: the geometric mean of across and down."""
        if self.pixel_size is None:
            return None
        return self.pixel_size.value_m * math.sqrt(self.aspect)

    def along(self, across: float, down: float) -> float:
        """The length of a step in pixels of the geometric mean, for `measurement`."""
        return math.hypot(across, down * self.aspect) / math.sqrt(self.aspect)

    def metres(self, pixels: float) -> float:
        """A length in metres.

        Raises
        ------
        Uncalibrated : where the micrograph has no pixel size.
        """
        scale = self.metres_per_pixel
        if scale is None:
            raise Uncalibrated(
                "The micrograph has no trustworthy scale, so nothing is measured in metres",
                remedy='Type the pixel size, for example --pixel-size "2.5 nm".',
            )
        return pixels * scale

    def measurement(
        self,
        quantity: str,
        value: float,
        spread: float | None,
        method: str,
        feature: str,
        *,
        power: Power = 1,
        note: str = "",
    ) -> Measurement:
        """A measurement of `value` px, px², 1/px or 1/px², in metres where there is a scale.

        `spread` is the part of the uncertainty that the image gives (absolute, px, k = 2). The
        ruler's own joins it; where that is unknown, so is the whole, and `of_image` keeps what
        is known.
        """
        scale = self.metres_per_pixel
        if scale is None or self.pixel_size is None:
            return Measurement(quantity, value, _PIXEL_UNITS[power], spread, method, feature, note)
        factor = scale**power
        of_ruler = self.pixel_size.uncertainty
        if of_ruler is not None:
            # A length in no direction takes half of what is down the image.
            of_ruler = math.hypot(of_ruler, 0.5 * self.tilt.uncertainty)
        uncertainty = of_image = None
        if spread is not None and of_ruler is not None:
            uncertainty = math.hypot(spread * factor, abs(power) * of_ruler * value * factor)
        elif spread is not None:
            of_image = spread * factor
        unit = _METRE_UNITS[power]
        return Measurement(
            quantity, value * factor, unit, uncertainty, method, feature, note, of_image
        )
