"""Every real file reads as HEADER_TRUTH.csv says, and every odd one gives one clear answer."""

from __future__ import annotations

import math

import pytest

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph.reading import pixels, read_micrograph
from tests.real_files import ODD, REAL, apart, counted, images, is_refused, truth


def test_every_real_file_reads_as_its_truth_says(real_micrographs):
    rows = truth(real_micrographs)
    paths = images(real_micrographs)
    assert len(paths) == 49
    assert rows.keys() <= {path.name for path in paths}
    wrong = {}
    for path in paths:
        if is_refused(path.name):
            continue  # below
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


def test_the_real_files_prove_the_formats_that_they_are_said_to(real_micrographs):
    assert counted(real_micrographs) == REAL
