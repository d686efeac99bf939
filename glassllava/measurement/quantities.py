"""What a measurement is: value, unit, uncertainty, method; and the regions it was taken on.

Knows nothing of how anything is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

#: "1" is a pure number (a count, a fraction); lengths fall back to "px" without a pixel size.
Unit = Literal["m", "m2", "1/m2", "1", "px", "px2", "1/px2", "rad"]


@dataclass(frozen=True, slots=True)
class Region:
    """One place on a micrograph, in full-frame pixels of the stored page.

    The origin is the top left corner, databar included. `bbox` is (x0, y0, x1, y1), the last two
    exclusive; `polygon` is the outline as (x, y) points, empty where only the box is known.
    """

    id: str
    feature: str
    bbox: tuple[int, int, int, int]
    area_px: float
    polygon: tuple[tuple[float, float], ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Region:
        x0, y0, x1, y1 = data["bbox"]
        return cls(
            id=data["id"],
            feature=data["feature"],
            bbox=(x0, y0, x1, y1),
            area_px=data["area_px"],
            polygon=tuple((x, y) for x, y in data.get("polygon", ())),
        )


@dataclass(frozen=True, slots=True)
class Measurement:
    """One quantity of one feature.

    `uncertainty` is absolute, in `unit`, at k = 2; None where a part of it is unknown.
    """

    quantity: str
    value: float
    unit: Unit
    uncertainty: float | None
    method: str
    feature: str
    note: str = ""

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
            "regions": [asdict(r) for r in self.regions],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurements:
        return cls(
            measurements=tuple(Measurement.from_json(m) for m in data["measurements"]),
            regions=tuple(Region.from_json(r) for r in data["regions"]),
            notes=tuple(data.get("notes", ())),
        )


#: SI prefixes of length, from the largest step that is still read as a number.
_PREFIXES = ((1.0, "m"), (1e-3, "mm"), (1e-6, "µm"), (1e-9, "nm"))


def in_words(value: float, unit: str, digits: int = 3) -> str:
    """`value` as a person writes it: 2.5e-6, "m" -> "2.5 µm"; 0.021, "1" -> "0.021"."""
    if unit == "m":
        return _scaled(value, digits)
    if unit == "m2":
        return f"{value * 1e12:.{digits}g} µm²"
    if unit == "1/m2":
        return f"{value * 1e-6:.{digits}g} /mm²"
    if unit == "1/px2":
        return f"{value * 1e6:.{digits}g} /Mpx"
    number = f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"
    return number if unit == "1" else f"{number} {unit}"


def _scaled(value: float, digits: int) -> str:
    for scale, name in _PREFIXES:
        if abs(value) >= scale:
            return f"{value / scale:.{digits}g} {name}"
    return f"{value / 1e-9:.{digits}g} nm"
