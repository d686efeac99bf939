"""The micrograph: pixels, instrument settings and origin, with every value's source.

Knows what a micrograph is; knows nothing of vendors or file layouts (`reading`, `vendors`).
Lengths are metres, voltages volts, angles radians, times seconds; unknown is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

PixelSizeSource = Literal[
    "typed",  # by the person
    "vendor_tag",
    "sidecar",
    "ome",
    "imagej",
    "measured_bar",  # the drawn bar measured, its length typed
    "read_bar",  # the drawn bar measured, its length read by OCR
    "magnification",  # an estimate
]

#: Where a scale comes from, for people.
SOURCE_WORDS: Mapping[PixelSizeSource, str] = {
    "typed": "typed",
    "vendor_tag": "vendor tag",
    "sidecar": "side-car",
    "ome": "OME header",
    "imagej": "ImageJ header",
    "measured_bar": "drawn bar, its length typed",
    "read_bar": "drawn bar, read by OCR",
    "magnification": "estimate from the magnification",
}

#: Order of trust, best first.
TRUST: tuple[PixelSizeSource, ...] = (
    "typed",
    "vendor_tag",
    "sidecar",
    "ome",
    "imagej",
    "measured_bar",
    "read_bar",
    "magnification",
)


#: How the origin of a scale begins that stands on another page of the file, of the same size.
BORROWED = "page "
#: How that of one begins that stands in a vendor's text which ImageJ kept.
PASSED_ON = "ImageJ Info: "


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Metres per pixel and where that was read.

    `uncertainty` is relative, at k = 2, or None if nothing is known about it. `origin` names the
    tag and key, as "34682 [Scan] PixelWidth". `value_y_m` differs only for pixels that are not
    square.
    """

    value_m: float
    source: PixelSizeSource
    origin: str = ""
    uncertainty: float | None = None
    value_y_m: float | None = None

    @property
    def down_m(self) -> float:
        """Metres per pixel down the image."""
        return self.value_y_m or self.value_m

    @property
    def is_the_pages_own(self) -> bool:
        """Whether the file says this scale of the very page, and not of another nor by a bar."""
        said = self.source in ("vendor_tag", "sidecar", "ome", "imagej")
        return said and not self.origin.startswith(BORROWED)

    @property
    def is_instruments(self) -> bool:
        """Whether the microscope itself wrote this scale, and nobody typed it into a program."""
        return self.source in ("vendor_tag", "sidecar") or (
            self.source == "imagej" and self.origin.startswith(PASSED_ON)
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class BeamSettings:
    """How the beam was set when the image was taken.

    `tilt_rad` is the stage's, against the electron column; an ion column stands at an angle of its
    own to it. `tilt_correction_rad` is the tilt for which the scan was already stretched: 0.0 says
    that it was not, None that nobody knows. `scan_rotation_rad` turns the tilt axis in the image.
    """

    particle: Literal["electron", "ion"] | None = None
    voltage_v: float | None = None
    landing_energy_ev: float | None = None
    current_a: float | None = None
    working_distance_m: float | None = None
    detector: str | None = None
    signal: str | None = None
    dwell_s: float | None = None
    frames: int | None = None
    tilt_rad: float | None = None
    magnification: float | None = None
    scan_rotation_rad: float | None = None
    tilt_correction_rad: float | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    software: str | None = None
    acquired: str | None = None  # ISO 8601, local time of the instrument


@dataclass(frozen=True, slots=True)
class Databar:
    """The strip the microscope burned in: rows `top` to `top + height`, full width.

    `source` is "tag" (of the file, or of its side-car) or "pixels".
    """

    top: int
    height: int
    source: Literal["tag", "pixels"]


@dataclass(frozen=True, slots=True)
class Page:
    """One picture of a file."""

    index: int
    width: int
    height: int
    bit_depth: int
    samples: int
    role: str = ""  # "image", "preview", "mask", "thumbnail" where the file says so


@dataclass(frozen=True, slots=True)
class Micrograph:
    """A header with its origin; `reading.pixels` fetches the pixels when they are wanted.

    Small and picklable: workers pass a path and a page, never 200 MB of pixels. `sha256` is of
    the whole file and None when it was not asked for. `metadata` is the vendor's own, flattened
    to "section/key"; operator names stand in it, so it is never printed in a report.
    """

    path: Path
    page: int
    width: int
    height: int
    bit_depth: int
    samples: int = 1
    sha256: str | None = None
    pixel_size: PixelSize | None = None
    candidates: tuple[PixelSize, ...] = ()
    beam: BeamSettings = field(default_factory=BeamSettings)
    instrument: Instrument = field(default_factory=Instrument)
    databar: Databar | None = None
    pages: tuple[Page, ...] = ()
    warnings: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    #: Where beam and instrument values stand: "voltage_v" -> "34682 [EBeam] HV".
    sources: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)

    @property
    def specimen_rows(self) -> slice:
        """The rows that show the specimen: everything above the databar.

        A bar that was burned in at the top leaves the rows under it.
        """
        if self.databar is None:
            return slice(0, self.height)
        if self.databar.top == 0:
            return slice(self.databar.height, self.height)
        return slice(0, self.databar.top)

    def to_json(self) -> dict[str, Any]:
        """The `micrograph` object of the interpretation record."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "page": self.page,
            "width": self.width,
            "height": self.height,
            "bit_depth": self.bit_depth,
            "samples": self.samples,
            "pixel_size": self.pixel_size.to_json() if self.pixel_size else None,
            "beam": asdict(self.beam),
            "instrument": asdict(self.instrument),
            "databar": asdict(self.databar) if self.databar else None,
            "sources": dict(self.sources),
        }
