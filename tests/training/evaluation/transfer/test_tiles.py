"""Tiles of the oxide, and how well scores part them within an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.evaluation.transfer import folders
from training.evaluation.transfer import pictures, tiles


def _masked(folder: Path, crack: int, oxide: float = 1.0) -> list[tiles.Tile]:
    """The tiles of one micrograph of 128 px with so many crack pixels."""
    folders.write(folder, [{"file": "a.png"}])
    side = tiles.SIDE
    Image.fromarray(np.zeros((side, side), np.uint8)).save(folder / "a.png")
    mask = np.zeros((side, side), np.uint8)
    mask[: round(side * oxide)] = pictures.OXIDE
    mask.ravel()[:crack] = pictures.CRACK
    Image.fromarray(mask).save(folder / "masks" / "a_mask.png")
    return tiles.cut(pictures.read_folder(folder))


@pytest.mark.parametrize(
    ("crack", "oxide", "cracked"),
    [
        (0, 1.0, [False]),
        (1, 1.0, []),
        (39, 1.0, []),
        (40, 1.0, [True]),
        (40, 0.5, [True]),
        (0, 0.3, []),
    ],
)
def test_a_tile_has_40_crack_pixels_or_none_and_enough_oxide(
    tmp_path: Path, crack: int, oxide: float, cracked: list[bool]
) -> None:
    assert [tile.cracked for tile in _masked(tmp_path / "real", crack, oxide)] == cracked


def test_auc_is_taken_within_an_image_and_never_across(tmp_path: Path) -> None:
    reals = pictures.read_folder(folders.some(tmp_path / "real"))
    cut = [tiles.Tile(image, 0, 0, cracked) for image in (0, 1) for cracked in (True, False, False)]
    perfect = tiles.within(cut, reals, np.array([0.9, 0.1, 0.2, 0.3, 0.1, 0.1]))
    assert perfect is not None
    assert perfect["auc"][0] == 1
    # What parts the images alone parts nothing.
    by_image = tiles.within(cut, reals, np.array([1.0, 1, 1, 0, 0, 0]))
    assert by_image is not None
    assert by_image["auc"] == [0.5, 0.5, 0.5]
    # Both are frames of one specimen: of a single one no interval is known.
    assert by_image["by_specimen"] == [0.5, None, None]


def test_images_with_one_kind_of_tile_have_no_auc(tmp_path: Path) -> None:
    reals = pictures.read_folder(folders.some(tmp_path / "real"))
    cut = [tiles.Tile(0, 0, 0, True), tiles.Tile(1, 0, 0, False)]
    assert tiles.within(cut, reals, np.array([1.0, 0.0])) is None


def test_a_tile_is_cut_from_the_grey_range_of_the_whole_micrograph(tmp_path: Path) -> None:
    reals = pictures.read_folder(folders.some(tmp_path / "real"))
    tile = tiles.Tile(0, 64, 0, False)
    assert (tiles.pixels(reals, tile) == reals[0].grey[:128, 64:192]).all()


def test_the_real_masks_give_the_tiles_that_were_measured(real_micrographs: Path) -> None:
    cut = tiles.cut(pictures.read_folder(real_micrographs))
    assert (len(cut), sum(tile.cracked for tile in cut)) == (521, 294)
