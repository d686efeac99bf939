"""The databar by its pixels: found where there is one, to two rows, and nowhere else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from glassllava.micrograph import databar, reading
from tests import micrographs as write
from tests.databars import drawn


def find(picture):
    first = databar.first_row_wanted(picture.shape[0])
    return databar.find(picture[first:], picture.shape[0])


def scene(rng, height, width, dark=False):
    """Noise, texture, shading and clipping, as specimens have them."""
    texture = ndimage.gaussian_filter(rng.normal(0, 1, (height, width)), rng.uniform(0.5, 6))
    texture *= rng.uniform(5, 40) / texture.std()
    shade = np.linspace(0, rng.uniform(-60, 60), height)[:, None]
    mean = rng.uniform(10, 40) if dark else rng.uniform(60, 200)
    noisy = mean + texture + shade + rng.normal(0, rng.uniform(2, 15), (height, width))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def test_bars_of_every_paper_height_and_depth():
    rng = np.random.default_rng(3)
    missed = 0
    for trial in range(60):
        height, width = int(rng.integers(240, 700)), int(rng.integers(320, 900))
        picture = scene(rng, height, width)
        rows = int(rng.uniform(0.06, 0.14) * height)
        paper, ink = [(0, 255), (255, 0), (40, 250), (200, 10)][trial % 4]
        picture = write.with_databar(picture, rows, paper=paper, ink=ink)
        if trial % 3 == 0:
            picture = picture.astype(np.uint16) * 257
        found = find(picture)
        missed += found is None or abs(found.top - height) > 2
    assert missed <= 1


def test_no_bar_where_there_is_none():
    rng = np.random.default_rng(4)
    for trial in range(60):
        picture = scene(
            rng, int(rng.integers(240, 700)), int(rng.integers(320, 900)), trial % 3 == 0
        )
        assert find(picture) is None


def test_a_quiet_dark_body_under_a_charging_streak_is_no_bar():
    rng = np.random.default_rng(5)
    body = ndimage.gaussian_filter(rng.normal(0, 1, (480, 720)), 1.5)
    picture = 45 + 2.5 * body / body.std()
    picture[:300] += 60
    picture[386:392] = rng.normal(170, 12, (6, 720))
    for row in (410, 430, 440, 450, 460):
        for column in rng.integers(0, 700, 12):
            picture[row : row + 9, column : column + 9] = 200
    assert find(np.clip(picture, 0, 255).astype(np.uint8)) is None


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((300, 300), np.uint8),
        np.repeat(np.arange(300, dtype=np.uint8)[:, None], 300, 1),
        np.where(np.arange(400)[:, None] > 320, 0, 200) + np.zeros((400, 300), np.uint8),
        np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((40, 40))).astype(np.uint8) * 255,
        np.full((300, 300), np.nan),
    ],
)
def test_black_ends_ramps_and_boards_are_no_bars(picture):
    assert find(picture) is None


@pytest.mark.parametrize("quality", [95, 85])
def test_bars_that_went_through_jpeg(quality):
    rng = np.random.default_rng(quality)
    for paper, ink in ((0, 255), (255, 0)):
        picture = write.with_databar(scene(rng, 480, 640), 44, paper=paper, ink=ink)
        data = io.BytesIO()
        Image.fromarray(picture).save(data, "JPEG", quality=quality)
        found = find(np.asarray(Image.open(data)))
        assert abs(found.top - 480) <= 2


def test_frame_rows_under_the_bar_belong_to_it():
    picture = write.with_databar(scene(np.random.default_rng(1), 400, 500), 40, paper=255, ink=0)
    picture[400] = 0
    picture[-2] = 0
    picture[-1] = 148
    found = find(picture)
    assert (found.top, found.height, found.source) == (400, 40, "pixels")


def is_right(picture, truth):
    found = find(picture) or databar.find_caption(
        picture[: databar.rows_wanted(picture.shape[0])], picture.shape[0]
    )
    if found is None or truth is None:
        return found is None and truth is None
    ends = (found.top - truth[0], found.top + found.height - sum(truth))
    return all(abs(off) <= 2 for off in ends)


def test_bars_of_another_generator_sampled():
    pictures = [drawn(seed) for seed in range(30)]
    assert sum(is_right(picture.image, picture.databar) for picture in pictures) >= 29


@pytest.mark.proof
def test_bars_of_another_generator():
    # The aim is 99 %: 98 % is what the finder holds (benchmarks/databar_finding.py).
    pictures = [drawn(seed) for seed in range(1000, 1500)]
    assert sum(is_right(picture.image, picture.databar) for picture in pictures) >= 485


def test_a_caption_at_the_top_is_read_with_the_file(tmp_path):
    picture = drawn(9)  # black, at the top, 60 rows
    assert picture.databar == (0, 60)
    path = write.write_tiff(tmp_path / "top.tif", picture.image)
    micrograph = reading.read_micrograph(path)
    assert (micrograph.databar.top, micrograph.databar.height) == (0, 60)
    assert micrograph.specimen_rows == slice(60, picture.image.shape[0])


@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "bar"),
    [
        ("tescan_essence_u16_databar.tif", (768, 119)),
        ("zeiss_aquami_nanoporous_gold.tif", (691, 77)),
        ("jzhang_316_CBS_01_crop.png", (0, 26)),
        ("jzhang_316_CBS_02_crop.png", (0, 26)),
        ("zeiss_merlin_colloid_crystal.tif", None),
        ("nasa_ebc_010417-4_S2480023.tif", None),
        ("nasa_ebc_S879_062216-3-31cyc0030.tif", None),
    ],
)
def test_real_bars_by_their_pixels(real_micrographs, name, bar):
    micrograph = reading.read_micrograph(
        real_micrographs / name, with_hash=False, with_databar=False
    )
    assert is_right(reading.grey(micrograph), bar)


def test_levels_too_fine_for_32_bits_show_no_bar():
    fine = np.random.default_rng(1).random((200, 300)).astype(np.float32) * np.float32(1e-40)
    assert databar.find(fine, len(fine)) is None
