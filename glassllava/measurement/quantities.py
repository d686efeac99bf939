"""What a measurement is: value, unit, uncertainty, method; and the regions it was taken on.

Knows nothing of how anything is measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

#: "1" is a pure number (a count, a fraction); lengths fall back to "px" without a pixel size.
Unit = Literal["m", "m2", "1/m", "1/m2", "1", "px", "px2", "1/px", "1/px2", "rad", "grey"]
#: Who outlined a region: measuring, the model, or measuring where the model points too.
Source = Literal["measured", "model", "both"]


@dataclass(frozen=True, slots=True)
class Region:
    """One place on a micrograph, in full-frame pixels of the stored page.

    The origin is the top left corner, databar included. `bbox` is (x0, y0, x1, y1), the last two
    exclusive; `polygon` is the outline as (x, y) points, empty where only the box is known. A
    region of the model is as fine as its map, some pixels a cell; one of "both" is the measured.
    """

    id: str
    feature: str
    bbox: tuple[int, int, int, int]
    area_px: float
    polygon: tuple[tuple[float, float], ...] = ()
    source: Source = "measured"

    def to_json(self) -> dict[str, Any]:
        """The region of a record; `source` stands there only where it is not "measured"."""
        data = asdict(self)
        if self.source == "measured":
            # Records that were kept before there were others keep their hash.
            del data["source"]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Region:
        x0, y0, x1, y1 = data["bbox"]
        return cls(
            id=data["id"],
            feature=data["feature"],
            bbox=(x0, y0, x1, y1),
            area_px=data["area_px"],
            polygon=tuple((x, y) for x, y in data.get("polygon", ())),
            source=data.get("source", "measured"),
        )


@dataclass(frozen=True, slots=True)
class Measurement:
    """One quantity of one feature.

    `uncertainty` is absolute, in `unit`, at k = 2; None where a part of it is unknown. Where that
    part is the ruler's alone, `of_image` is what the image gives, likewise.
    """

    quantity: str
    value: float
    unit: Unit
    uncertainty: float | None
    method: str
    feature: str
    note: str = ""
    of_image: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything measured on one micrograph."""

    measurements: tuple[Measurement, ...] = ()
    regions: tuple[Region, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, feature: str) -> tuple[Measurement, ...]:
        return tuple(m for m in self.measurements if m.feature == feature)

    def regions_of(self, feature: str) -> tuple[Region, ...]:
        return tuple(r for r in self.regions if r.feature == feature)

    def value(self, quantity: str) -> float | None:
        """The value of the first measurement of that quantity, or None."""
        return next((m.value for m in self.measurements if m.quantity == quantity), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "measurements": [asdict(m) for m in self.measurements],
            "regions": [r.to_json() for r in self.regions],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurements:
        return cls(
            measurements=tuple(Measurement.from_json(m) for m in data["measurements"]),
            regions=tuple(Region.from_json(r) for r in data["regions"]),
            notes=tuple(data.get("notes", ())),
        )


#: By unit: from what value on, the scale, and its name; the last is taken for all that is less.
_SCALES: dict[str, tuple[tuple[float, float, str], ...]] = {
    "m": ((1.0, 1.0, "m"), (1e-3, 1e-3, "mm"), (1e-6, 1e-6, "µm"), (0.0, 1e-9, "nm")),
    "m2": ((1e-6, 1e-6, "mm²"), (1e-15, 1e-12, "µm²"), (0.0, 1e-18, "nm²")),
    "1/m2": ((1e12, 1e12, "/µm²"), (0.0, 1e6, "/mm²")),
    "1/m": ((1e6, 1e6, "/µm"), (0.0, 1e3, "/mm")),
    "1/px": ((0.0, 1e-3, "/kpx"),),
    "1/px2": ((0.0, 1e-6, "/Mpx"),),
}
_NAMES = {"grey": "grey levels"}
_GROUPED_FROM = 10_000
_POWER_OF_TEN = re.compile(r"e-0*(\d+)")


def in_words(value: float, unit: str, digits: int = 3, beside: float | None = None) -> str:
    """`value` as a person writes it: 2.5e-6, "m" -> "2.5 µm"; 4.74e11, "1/m2" -> "474 000 /mm²".

    Counts and pixels keep every digit before the point; the rest is rounded to `digits`; angles
    are told in degrees. `beside` is the value whose multiple of the unit is taken: what is told
    with another reads best in the other's.
    """
    if unit == "rad":
        return f"{round(math.degrees(value), 1) + 0.0:g}°"
    if unit not in _SCALES:
        number = _number(value if abs(value) >= 10**digits else _rounded(value, digits), digits)
        return number if unit == "1" else f"{number} {_NAMES.get(unit, unit)}"
    value = _rounded(value, digits)
    leading = value if beside is None else _rounded(beside, 3)
    # A hair of grace: 1e-6 that was computed may lie below itself.
    scale, name = next(
        (scale, name)
        for least, scale, name in _SCALES[unit]
        if abs(leading) >= least * (1 - 1e-9) or least == 0
    )
    return f"{_number(_rounded(value / scale, digits), digits)} {name}"


def measured_in_words(measurement: Measurement) -> str:
    """A value with its uncertainty, for people: "2.51 µm ± 0.098 µm", "6.38 × 10⁻⁵"."""
    if not math.isfinite(measurement.value):
        return "not known"
    words = in_words(measurement.value, measurement.unit)
    if measurement.uncertainty and math.isfinite(measurement.uncertainty):
        # Two digits of an uncertainty are all that it can mean.
        words += f" ± {in_words(measurement.uncertainty, measurement.unit, 2, measurement.value)}"
    return _POWER_OF_TEN.sub(
        lambda power: " × 10⁻" + power[1].translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")),
        words,
    )


def regions_in_words(regions: Iterable[Region]) -> str:
    """Who found how many, for people: "3 regions measured, 2 of them confirmed by the model; 1
    seen by the model alone"."""
    sources = [region.source for region in regions]
    confirmed, alone = sources.count("both"), sources.count("model")
    parts = []
    if measured := len(sources) - alone:
        words = f"{measured} region{'s' if measured > 1 else ''} measured"
        if confirmed:
            which = f"{confirmed} of them " if confirmed < measured else ""
            words += f", {which}confirmed by the model"
        parts.append(words)
    if alone:
        what = "" if parts else f" region{'s' if alone > 1 else ''}"
        parts.append(f"{alone}{what} seen by the model alone")
    return "; ".join(parts) or "no region found"


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _number(value: float, digits: int) -> str:
    if abs(value) >= _GROUPED_FROM:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
