"""Every real file reads as HEADER_TRUTH.csv says, and every odd one gives one clear answer."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph.reading import pixels, read_micrograph

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


def test_every_real_file_reads_as_its_truth_says(real_micrographs):
    rows = truth(real_micrographs)
    images = [
        p for p in sorted(real_micrographs.glob("*")) if p.suffix in (".tif", ".tiff", ".png")
    ]
    assert len(images) == 49
    assert rows.keys() <= {path.name for path in images}
    wrong = {}
    for path in images:
        if isinstance(ODD.get(path.name, ("",))[0], str) and path.name in ODD:
            continue  # refused: below
        if differences := apart(path, rows.get(path.name)):
            wrong[path.name] = differences
    assert wrong == {}


def test_ion_images_say_so(real_micrographs):
    """Trap 13: ion-beam images are not images of secondary electrons from electrons."""
    for path in sorted(real_micrographs.glob("*.tif")):
        if path.name.startswith("odd_"):
            continue
        found = read_micrograph(path, with_hash=False, with_databar=False)
        is_ion = "_ib_" in path.name
        assert (found.beam.particle == "ion") == is_ion, path.name
        assert any("ion beam" in warning for warning in found.warnings) == is_ion, path.name


def test_scan_rotation_and_tilt_correction_of_real_files(real_micrographs):
    def beam(name):
        return read_micrograph(real_micrographs / name, with_hash=False, with_databar=False).beam

    tescan = beam("tescan_essence_u16_databar.tif")
    assert tescan.scan_rotation_rad == pytest.approx(math.pi)
    assert tescan.tilt_correction_rad == 0.0
    gold = beam("zeiss_aquami_nanoporous_gold.tif")
    assert gold.scan_rotation_rad == pytest.approx(math.radians(96))
    # "Tilt Angle = 45.0 °" stands there too, but the correction is off.
    assert gold.tilt_correction_rad == 0.0
    # 360 degrees are none.
    assert beam("zeiss_merlin_colloid_crystal.tif").scan_rotation_rad == 0.0
    tilted = beam("tfs_fibsem_eb_holes_tilted.tif")
    assert tilted.tilt_rad == pytest.approx(0.55849)
    assert tilted.tilt_correction_rad == 0.0
    # The ion column's file leaves it empty: nobody knows.
    assert beam("tfs_fibsem_ib_holes.tif").tilt_correction_rad is None
    # The XML beside the INI text knows the signal that the text leaves empty.
    assert tilted.signal == "SE"


def test_every_odd_file_gives_its_picture_or_one_clear_error(real_micrographs):
    files = {path.name: path for path in real_micrographs.glob("odd_*")}
    assert files.keys() == ODD.keys()
    for name, (answer, _) in ODD.items():
        if isinstance(answer, str):
            with pytest.raises(UnreadableMicrograph) as caught:
                pixels(read_micrograph(files[name]))
            assert answer in caught.value.what, name
            assert caught.value.remedy, name
        else:
            found = read_micrograph(files[name])
            assert (found.width, found.height, found.page) == answer, name
            assert found.pixel_size is None, name
            assert pixels(found).shape[:2] == (found.height, found.width), name
            assert len({page.index for page in found.pages}) == len(found.pages)


def test_the_odd_files_hold_what_they_show(real_micrographs):
    """Not only a picture of the right size: its values."""

    def array(name):
        return pixels(read_micrograph(real_micrographs / name, with_hash=False))

    board = array("odd_skimage_chessboard_GRAY_U16.tif")
    assert (board == array("odd_skimage_chessboard_GRAY_U16B.tif")).all()
    # Eight squares a side, 25 px each, black and white by turns.
    assert board[12, 12::25].tolist() == [255, 0] * 4
    assert board[37, 12::25].tolist() == [0, 255] * 4
    assert array("odd_pillow_hopper_bigtiff.tif").shape == (128, 128, 3)
    fax = array("odd_pillow_total-pages-zero.tif")
    assert set(fax.ravel().tolist()) == {0, 255}
    assert fax.mean() > 240  # black words on white paper, not the other way round
    mask = array("odd_mask_uint32_deflate.tif")
    assert (mask.dtype, mask.min(), mask.max()) == ("uint32", 2, 7)
    assert array("odd_pillow_12bit.cropped.tif").max() == 30
    gradient = array("odd_skimage_multipage.tif")
    assert gradient[0].max() < gradient[-1].min()
