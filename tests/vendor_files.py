"""Files as vendors write them, by the documented layout, each with its known answers.

For vendors of which no real file is at hand, and for what the real ones do not show. Written by
`tests.micrographs`, which shares no code with the reader.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from glassllava.micrograph.record import Micrograph
from tests import micrographs as write
from tests.vendor_texts import (
    HEIGHT,
    WIDTH,
    fibics_xml,
    hitachi,
    imagej_metadata,
    jeol_new,
    jeol_old,
    ome_xml,
    openfibsem,
    phenom_xml,
    sis_block,
    sis_tag,
    tescan_column,
    tescan_hdr,
    tescan_main,
    tescan_tag,
    thermo_xml,
)


@dataclass(frozen=True)
class Written:
    """One file: `make(folder)` writes it and returns its path; `answers` by name.

    Names are those of BeamSettings and Instrument, besides pixel_m, source, rows (of the databar)
    and says (words that the warnings hold).
    """

    vendor: str
    name: str
    make: Callable[[Path], Path]
    answers: Mapping[str, Any] = field(default_factory=dict)


_OF_INSTRUMENT = ("vendor", "model", "serial", "software", "acquired")


def wrong(found: Micrograph, written: Written) -> dict[str, tuple[object, object]]:
    """By name, what was read and what was written, where they differ."""
    answers = dict(written.answers)
    says = answers.pop("says", ())
    says = (says,) if isinstance(says, str) else says
    apart = {}
    for name, answer in answers.items():
        value = _value(found, name)
        expected = pytest.approx(answer, rel=1e-6, abs=1e-15) if _is_number(answer) else answer
        if value != expected:
            apart[name] = (value, answer)
    if not all(any(words in warning for warning in found.warnings) for words in says):
        apart["says"] = (found.warnings, says)
    # No warning comes out of the blue.
    told = ("pages: page", *says)
    spoken = [w for w in found.warnings if not any(words in w for words in told)]
    if spoken:
        apart["warnings"] = (spoken, ())
    return apart


def _value(found: Micrograph, name: str) -> object:
    size = found.pixel_size
    if name == "pixel_m":
        return size.value_m if size else None
    if name == "source":
        return size.source if size else None
    if name == "rows":
        bar = found.databar
        assert bar is None or (bar.source == "tag" and bar.top + bar.height == found.height)
        return bar.height if bar else 0
    if name == "page":
        return found.page
    return getattr(found.instrument if name in _OF_INSTRUMENT else found.beam, name)


def _is_number(answer: object) -> bool:
    return isinstance(answer, float | int) and not isinstance(answer, bool)


def tiff(tags: Mapping[int, write.Tag], databar: int = 0, **more: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        return write.write_tiff(folder / "sample.tif", picture(databar), tags, **more)

    return make


def picture(databar: int = 0) -> Any:
    plain = write.specimen(HEIGHT, WIDTH)
    return write.with_databar(plain, databar) if databar else plain


def beside(side: str, data: bytes, image: str = "sample.tif", databar: int = 0) -> Callable:
    def make(folder: Path) -> Path:
        (folder / side).write_bytes(data)
        path = folder / image
        if path.suffix.lower() in (".tif", ".tiff"):
            return write.write_tiff(path, picture(databar), resolution=(96, 1), unit=2)
        Image.fromarray(picture(databar)).save(path)
        return path

    return make


def _jpeg_with_exif(folder: Path) -> Path:
    path = folder / "sample.jpg"
    exif = Image.Exif()
    exif[34683] = phenom_xml().decode()
    Image.fromarray(picture()).save(path, exif=exif)
    return path


def _two_pages(folder: Path) -> Path:
    """An 8-bit preview with a bar, and under it the 16-bit data without one, which bear the tag."""
    clean = picture().astype("u2") * 200
    return write.write_tiff(
        folder / "sample.tif",
        [picture(20), clean],
        page_tags=[{}, {33560: (write.BYTE, sis_tag(write.LEAD_OFFSET))}],
        lead=sis_block(2.5, 2.5),
    )


def _tag_beside_the_preview(folder: Path) -> Path:
    clean = picture().astype("u2") * 200
    return write.write_tiff(
        folder / "sample.tif",
        [picture(20), clean],
        page_tags=[{33560: (write.BYTE, sis_tag(write.LEAD_OFFSET))}, {}],
        lead=sis_block(2.5, 2.5),
    )


_THERMO_INFO = write.thermo_text(write.thermo_sections(WIDTH, HEIGHT, 4e-9)).decode("latin-1")
_TESCAN = {
    "pixel_m": 1e-8,
    "voltage_v": 20000.0,
    "working_distance_m": 0.0123,
    "detector": "SE",
    "dwell_s": 3.2e-05,
    "frames": 8,
    "tilt_rad": math.radians(30),
    "tilt_correction_rad": math.radians(30),
    "scan_rotation_rad": math.pi / 2,
    "current_a": 2e-10,
    "model": "MIRA3",
    "serial": "117-0042",
    "acquired": "2023-03-27T09:08:07",
}
_JEOL = {
    "pixel_m": 1e-8,
    "source": "sidecar",
    "particle": "electron",
    "voltage_v": 5000.0,
    "working_distance_m": 0.0101,
    "detector": "LED",
    "frames": 4,
    "scan_rotation_rad": math.pi / 2,
    "tilt_rad": None,  # of numbers without names
    "magnification": 12000.0,
    "model": "7800F",
    "acquired": "2021-03-12T10:21:55",
}
_HITACHI = {
    "pixel_m": 9.921875e-9,
    "source": "sidecar",
    "voltage_v": 15000.0,
    "working_distance_m": 8.1e-3,
    "detector": "SE(U)",
    "tilt_rad": math.radians(-30),
    "model": "SU8230",
    "serial": "123189-06",
    "acquired": "2021-03-12T14:05:06",
}
_PHENOM = {
    "says": "how large",
    "pixel_m": 1.25e-8,
    "source": "vendor_tag",
    "voltage_v": 15000.0,
    "working_distance_m": 6.5e-3,
    "detector": "BSD Full",
    "dwell_s": 5e-7,
    "frames": 16,
    "scan_rotation_rad": math.pi / 2,
    "model": "MVE012345",
    "serial": "MVE-0001",
}
_OPENFIBSEM = {
    "pixel_m": 1e-8,
    "source": "vendor_tag",
    "particle": "ion",
    "voltage_v": 30000.0,
    "working_distance_m": 0.0165,
    "current_a": 2e-11,
    "detector": "ETD",
    "tilt_rad": 0.61,
    "acquired": "2023-08-24T12:05:55",
    "says": "ion beam",
}
_FIBICS = {
    "pixel_m": 1e-8,
    "source": "vendor_tag",
    "particle": "ion",
    "voltage_v": 30000.0,
    "current_a": 1.3275e-12,
    "dwell_s": 1e-5,
    "tilt_rad": math.radians(54),
    "model": "Orion NanoFab",
    "acquired": "2020-05-06T07:08:09",
    "says": "ion beam",
}
_ZEISS = write.zeiss_text(
    write.zeiss_entries("10 nm", "2.5 nm", "2.56 µm")
    | {"DP_IMAGE_STORE": f"Store resolution = {WIDTH} * {HEIGHT}"}
)
_DM = {65003: b"nm", 65004: b"nm", 65009: (write.DOUBLE, [2.5]), 65010: (write.DOUBLE, [2.5])}

WRITTEN = (
    Written(
        "Thermo Fisher",
        "INI text with a databar",
        tiff(
            {34682: write.thermo_text(write.thermo_sections(WIDTH, HEIGHT, 2.5e-9, databar=24))},
            24,
        ),
        {
            "pixel_m": 2.5e-9,
            "source": "vendor_tag",
            "voltage_v": 5000.0,
            "working_distance_m": 0.0041,
            "detector": "TLD",
            "tilt_rad": 0.5,
            "rows": 24,
            "model": "Test G4",
        },
    ),
    Written(
        "Zeiss",
        "tag 34118, stored 256 columns wide",
        tiff({34118: _ZEISS}, palette=True),
        {"pixel_m": 1e-8, "source": "vendor_tag", "voltage_v": 8000.0, "model": "Merlin"},
    ),
    Written(
        "OME",
        "nanometres",
        tiff({270: ome_xml('PhysicalSizeX="50" PhysicalSizeXUnit="nm"')}),
        {"pixel_m": 5e-8, "source": "ome", "acquired": "2024-03-01T10:00:00"},
    ),
    Written(
        "OME",
        "micrometres by default",
        tiff({270: ome_xml('PhysicalSizeX="0.05"')}),
        {"pixel_m": 5e-8, "source": "ome"},
    ),
    Written(
        "ImageJ",
        "unit and resolution",
        tiff({270: b"ImageJ=1.53c\nunit=micron\n"}, resolution=(20, 1)),
        {"pixel_m": 5e-8, "source": "imagej", "says": "how large"},
    ),
    *(
        Written(
            "PNG, JPEG, BMP",
            f"{kind}, a picture without a scale",
            beside("notes.md", b"nothing", f"sample.{kind}"),
            {"pixel_m": None},
        )
        for kind in ("png", "jpg", "bmp")
    ),
    Written(
        "Thermo Fisher XML",
        "alone",
        tiff({34683: thermo_xml(WIDTH, HEIGHT, 7e-9)}),
        {
            "pixel_m": 7e-9,
            "voltage_v": 3000.0,
            "detector": "T1",
            "signal": "BSE",
            "tilt_rad": 0.25,
            "tilt_correction_rad": 0.5,
            "scan_rotation_rad": 3.5 - 2 * math.pi,
            "model": "Apreo 2",
        },
    ),
    Written("Phenom", "nanometres", tiff({34683: phenom_xml()}), _PHENOM | {"rows": 0}),
    Written(
        "Phenom",
        "micrometres and a databar",
        tiff({34683: phenom_xml("0.0125", "um", 24, "15000")}, 24),
        _PHENOM | {"rows": 24, "says": ()},  # the bar that it tells of is there
    ),
    Written("Phenom", "EXIF of a JPEG", _jpeg_with_exif, _PHENOM),
    Written(
        "Phenom",
        "no unit is no scale",
        tiff({34683: phenom_xml(unit="")}),
        {"pixel_m": None, "voltage_v": 15000.0},
    ),
    Written(
        "TESCAN",
        "tag",
        tiff({50431: (write.BYTE, tescan_tag(tescan_main(), tescan_column()))}),
        _TESCAN
        | {"source": "vendor_tag", "particle": "electron", "rows": 0, "says": "how many rows"},
    ),
    Written(
        "TESCAN",
        "tag, big-endian file, databar",
        tiff(
            {50431: (write.UNDEFINED, tescan_tag(tescan_main(strip=22), tescan_column()))},
            22,
            big_endian=True,
        ),
        _TESCAN | {"source": "vendor_tag", "rows": 22},
    ),
    Written(
        "TESCAN",
        "ion column",
        tiff({50431: (write.BYTE, tescan_tag(tescan_main(), tescan_column(), 5))}),
        _TESCAN
        | {"source": "vendor_tag", "particle": "ion", "says": ("ion beam", "how many rows")},
    ),
    Written(
        "TESCAN",
        "side-car -tif.hdr",
        beside("sample-tif.hdr", tescan_hdr(tescan_main(), tescan_column())),
        _TESCAN | {"source": "sidecar", "particle": "electron", "says": "how many rows"},
    ),
    Written(
        "TESCAN",
        "side-car .HDR in capitals",
        beside("sample.HDR", tescan_hdr(tescan_main(), tescan_column())),
        _TESCAN | {"source": "sidecar", "says": "how many rows"},
    ),
    Written(
        "TESCAN",
        "side-car of a PNG",
        beside("sample-png.hdr", tescan_hdr(tescan_main(), tescan_column()), "sample.png"),
        _TESCAN | {"source": "sidecar", "says": "how many rows"},
    ),
    Written("JEOL", "older keys", beside("sample.txt", jeol_old().encode()), _JEOL),
    Written(
        "JEOL",
        "databar under the image",
        beside("sample.txt", jeol_old().encode(), databar=20),
        _JEOL | {"rows": 20},
    ),
    Written(
        "JEOL",
        "capitals, latin-1 micro sign",
        beside("sample.TXT", jeol_old(marker="1µm").encode("latin-1"), "sample.TIF"),
        _JEOL,
    ),
    Written(
        "JEOL",
        "Shift-JIS micro sign",
        beside("sample.txt", jeol_old(marker="1μm").encode("cp932")),
        _JEOL,
    ),
    Written(
        "JEOL",
        "a micro sign that was lost",
        beside("sample.txt", jeol_old(marker="1?m").encode()),
        _JEOL,
    ),
    Written(
        "JEOL",
        "marker in nanometres, BMP",
        beside("sample.txt", jeol_old(marker="500nm", bar=50).encode(), "sample.bmp"),
        _JEOL,
    ),
    Written(
        "JEOL",
        "newer keys, UTF-8 with a mark",
        beside("sample.txt", jeol_new(WIDTH, HEIGHT, 12.5, 20).encode("utf-8-sig"), databar=20),
        {
            "pixel_m": 1.25e-8,
            "source": "sidecar",
            "voltage_v": 15000.0,
            "working_distance_m": 4.2e-3,
            "detector": "UED",
            "frames": 2,
            "tilt_rad": math.radians(15),
            "rows": 20,
            "model": "JSM-IT800",
            "acquired": "2024-03-17T15:21:55",
        },
    ),
    Written("Hitachi", "ASCII", beside("sample.txt", hitachi().encode()), _HITACHI),
    Written(
        "Hitachi",
        "UTF-16 with a mark, JPEG",
        beside("sample.txt", hitachi().encode("utf-16"), "sample.jpg"),
        _HITACHI,
    ),
    Written(
        "Hitachi",
        "UTF-16 without a mark",
        beside("sample.txt", hitachi().encode("utf-16-le")),
        _HITACHI,
    ),
    Written(
        "Hitachi",
        "latin-1, databar under the image",
        beside("sample.txt", (hitachi() + "Comment=Größe µ\r\n").encode("latin-1"), databar=16),
        _HITACHI | {"rows": 16},
    ),
    Written(
        "Hitachi",
        "no PixelSize: an estimate",
        beside("sample.txt", hitachi(pixel="").encode()),
        _HITACHI
        | {"pixel_m": 0.127 / (50000 * WIDTH), "source": "magnification", "says": "estimate"},
    ),
    Written(
        "Olympus SIS",
        "tag on the second page, which is the clean one",
        _two_pages,
        {
            "pixel_m": 2.5e-9,
            "source": "vendor_tag",
            "magnification": 12000.0,
            "acquired": "2021-03-12T14:05:00",
            "page": 1,
        },
    ),
    Written(
        "Olympus SIS",
        "tag beside the preview",
        _tag_beside_the_preview,
        {"pixel_m": 2.5e-9, "source": "vendor_tag", "page": 1},
    ),
    Written(
        "OpenFIBSEM",
        "ion image",
        tiff({270: json.dumps(openfibsem()).encode()}),
        _OPENFIBSEM,
    ),
    Written(
        "OpenFIBSEM",
        "resolution as text",
        tiff({270: json.dumps(openfibsem(resolution=f"{WIDTH}x{HEIGHT}")).encode()}),
        _OPENFIBSEM,
    ),
    Written(
        "OpenFIBSEM",
        "resized after it was saved",
        tiff({270: json.dumps(openfibsem(width=512)).encode()}),
        {"pixel_m": None, "says": ("resized", "ion beam")},
    ),
    Written("Fibics", "helium ions", tiff({51023: fibics_xml()}), _FIBICS),
    Written(
        "Fibics",
        "resized",
        tiff({51023: fibics_xml(width=512)}),
        {"pixel_m": None, "says": ("resized", "ion beam")},
    ),
    Written(
        "DigitalMicrograph",
        "nanometres",
        tiff(_DM),
        {"pixel_m": 2.5e-9, "source": "vendor_tag", "says": "how large"},
    ),
    Written(
        "DigitalMicrograph",
        "micrometres in latin-1",
        tiff(_DM | {65003: "µm".encode("latin-1"), 65004: "µm".encode("latin-1")}),
        {"pixel_m": 2.5e-6, "says": "how large"},
    ),
    Written(
        "DigitalMicrograph",
        "a diffraction pattern",
        tiff(_DM | {65003: b"1/nm", 65004: b"1/nm"}),
        {"pixel_m": None, "says": "no length"},
    ),
    Written(
        "ImageJ",
        "a vendor's text in Info",
        tiff({270: b"ImageJ=1.53t\n", **imagej_metadata(_THERMO_INFO)}),
        {"pixel_m": 4e-9, "source": "imagej", "voltage_v": 5000.0, "detector": "TLD"},
    ),
    Written(
        "Zeiss",
        "tag 34119 alone, UTF-16",
        tiff(
            {34119: (write.UNDEFINED, _ZEISS.decode("cp1252").encode("utf-16-le"))},
            palette=True,
        ),
        {"pixel_m": 1e-8, "source": "vendor_tag", "voltage_v": 8000.0, "model": "Merlin"},
    ),
)
