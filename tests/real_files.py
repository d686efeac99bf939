"""What is right for the real micrographs: by HEADER_TRUTH.csv, and by looking at the odd ones."""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path

from glassllava.micrograph.reading import read_micrograph

#: How many of the real files each format is proven on; `formats_of` counts them.
REAL = {
    "Thermo Fisher": 6,
    "Thermo Fisher XML": 6,
    "Zeiss": 2,
    "TESCAN": 1,
    "OpenFIBSEM": 5,
    "ImageJ": 3,
    "PNG, JPEG, BMP": 2,
}

#: What is right for each odd file, and what it is: the picture that it holds, (width, height,
#: page), or words of its one error. None has a trustworthy scale.
ODD = {
    "odd_mask_uint32_deflate.tif": ((1536, 1024, 0), "a label image in 32 bits"),
    "odd_openfibsem_float64_256.tif": (
        (256, 256, 0),
        "OpenFIBSEM's own test image: a field of view for 1536 columns, the image has 256",
    ),
    "odd_openfibsem_u8_10x10.tif": (
        (10, 10, 0),
        "its pixel size (1 mm) and its field of view (150 µm) contradict each other",
    ),
    "odd_pillow_12bit.cropped.tif": ((100, 100, 0), "twelve bits, stored in sixteen"),
    "odd_pillow_16bit.MM.deflate.tif": ((64, 64, 0), "big-endian and packed"),
    "odd_pillow_hopper_bigtiff.tif": ((128, 128, 0), "a BigTIFF in colour"),
    "odd_pillow_libtiff_segfault.tif": (
        "too large",
        "claims 65535 samples of each pixel in 262 bytes",
    ),
    "odd_pillow_multipage_out_of_order.tiff": (
        (20, 20, 1),
        "directories out of order in the file; the largest of its three pages",
    ),
    "odd_pillow_old-style-jpeg-compression.tif": ((4160, 870, 0), "a scanned page, JPEG of 1992"),
    "odd_pillow_oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": (
        "cannot be read",
        "a directory of 88 bytes that is no directory",
    ),
    "odd_pillow_seek_too_large.tif": ("no picture", "16 bytes that point beyond any file"),
    "odd_pillow_tiff_tiled_planar_lzw.tiff": ((278, 374, 0), "colours in planes of tiles"),
    "odd_pillow_tiff_wrong_bits_per_sample.tiff": (
        (52, 53, 0),
        "fewer depths than samples; the pixels are all there",
    ),
    "odd_pillow_total-pages-zero.tif": ((1728, 2156, 0), "a fax of three pages, one bit"),
    "odd_skimage_blobs_3d_fiji_skeleton.tif": (
        (32, 32, 0),
        "an ImageJ stack of 30 planes whose unit is blank: pixels per nothing",
    ),
    "odd_skimage_chessboard_GRAY_U16.tif": ((200, 200, 0), "16 bits"),
    "odd_skimage_chessboard_GRAY_U16B.tif": ((200, 200, 0), "16 bits, big-endian"),
    "odd_skimage_multipage.tif": ((10, 15, 0), "two small pages"),
    "odd_skimage_multipage_rgb.tif": ((10, 10, 0), "two pages of colour in doubles, in planes"),
}

#: Column of HEADER_TRUTH.csv to the field of the record.
_FIELDS = {
    "HV": "voltage_v",
    "WD": "working_distance_m",
    "detector": "detector",
    "instrument": "model",
}


def truth(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "HEADER_TRUTH.csv").open(encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def apart(path: Path, row: dict[str, str] | None) -> dict[str, tuple[object, object]]:
    """By column, what was read and what the truth says, where they differ."""
    found = read_micrograph(path, with_hash=False, with_databar=False)
    size = found.pixel_size.value_m if found.pixel_size else None
    told = float(row["pixel_size_m"]) if row and row["pixel_size_m"] else None
    wrong: dict[str, tuple[object, object]] = {}
    if (size is None) != (told is None) or (
        size and told and not math.isclose(size, told, rel_tol=1e-3)
    ):
        wrong["pixel_size_m"] = (size, told)
    for column, field in _FIELDS.items():
        if row is None or not row[column]:
            continue
        part = found.instrument if field == "model" else found.beam
        value, answer = getattr(part, field), _truth(row[column])
        same = (
            math.isclose(value, answer, rel_tol=1e-6)
            if isinstance(answer, float) and value is not None
            else str(value) == str(answer)
        )
        if not same:
            wrong[column] = (value, answer)
    return wrong


def _truth(cell: str) -> float | str:
    """5000, or what a tuple (name, number, unit) or (name, text) says, in SI units."""
    if not cell.startswith("("):
        return _number(cell)
    parts = [part.strip(" ()'") for part in cell.split(",")]
    if len(parts) == 2:
        return parts[1]
    return float(parts[1]) * {"kV": 1e3, "mm": 1e-3}[parts[2]]


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


#: The first words of what a format leaves in the metadata.
_SIGNS = {
    "User/": "Thermo Fisher",
    "34683 Core/": "Thermo Fisher XML",
    "34683 Metadata/": "Thermo Fisher XML",
    "unnamed/": "Zeiss",
    "MAIN/": "TESCAN",
    "OpenFIBSEM/": "OpenFIBSEM",
    "ImageJ/": "ImageJ",
}


def formats_of(path: Path) -> set[str]:
    """The formats that a real file proves."""
    if path.suffix == ".png":
        return {"PNG, JPEG, BMP"}
    found = read_micrograph(path, with_hash=False, with_databar=False)
    return {
        name for sign, name in _SIGNS.items() if any(key.startswith(sign) for key in found.metadata)
    }


def images(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.glob("*")) if p.suffix in (".tif", ".tiff", ".png")]


def is_refused(name: str) -> bool:
    return name in ODD and isinstance(ODD[name][0], str)


def counted(folder: Path) -> Counter[str]:
    """Real files by the format that each proves."""
    readable = [path for path in images(folder) if not is_refused(path.name)]
    return Counter(name for path in readable for name in formats_of(path))
