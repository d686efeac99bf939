"""Levels, tiles and lookup tables."""

from __future__ import annotations

import numpy as np
import pytest

from glassview.qt import tiles


def test_a_lookup_table_runs_from_black_to_white() -> None:
    table = tiles.lookup(256, 50, 150)
    assert (table[0], table[50], table[150], table[255]) == (0, 0, 255, 255)
    assert table[100] in (127, 128)
    assert (np.diff(table.astype(int)) >= 0).all()
    turned = tiles.lookup(256, 50, 150, invert=True)
    assert np.abs(turned.astype(int) - (255 - table.astype(int))).max() <= 1
    assert tiles.lookup(256, 0, 255, gamma=2.0)[64] > 64 > tiles.lookup(256, 0, 255, gamma=0.5)[64]


def test_an_empty_range_is_a_step_and_no_error() -> None:
    assert set(tiles.lookup(256, 80, 80)) == {0, 255}


@pytest.mark.parametrize("shape", [(3000, 4100), (513, 511), (40, 3), (2049, 2048)])
def test_strides_and_means_have_one_shape(shape: tuple[int, int]) -> None:
    array = np.arange(shape[0] * shape[1], dtype=np.uint32).reshape(shape).astype(np.uint16)
    strides, means = tiles.Levels(array), tiles.Levels(array)
    means.put_means(tiles.mean_levels(array))
    for level in range(strides.count):
        assert strides.at(level).shape == means.at(level).shape


def test_means_are_means_and_do_not_overflow() -> None:
    array = np.full((1030, 1031), 65535, np.uint16)
    array[0, 0] = 1
    (first, *_) = tiles.mean_levels(array)
    assert first[0, 0] == round((1 + 3 * 65535) / 4)
    assert (first[1:] == 65535).all()


def test_the_level_has_a_pixel_for_every_pixel_of_the_screen() -> None:
    levels = tiles.Levels(np.zeros((9000, 12000), np.uint8))
    for zoom in (0.01, 0.06, 0.3, 0.5, 0.51, 1.0, 8.0):
        level = levels.level_for(zoom)
        assert level == levels.count - 1 or (2 << level) * zoom > 1
        assert level == 0 or (1 << level) * zoom <= 1


def test_tiles_cover_the_picture_without_a_gap() -> None:
    array = np.random.default_rng(1).integers(0, 255, (1300, 1700), np.uint8)
    levels = tiles.Levels(array)
    for level in range(levels.count):
        whole = levels.at(level)
        seen = np.zeros(whole.shape, bool)
        for column, row in levels.tiles_in(level, 0, 0, 1700, 1300):
            part = levels.tile(level, column, row)
            y, x = row * tiles.TILE, column * tiles.TILE
            assert (whole[y : y + part.shape[0], x : x + part.shape[1]] == part).all()
            seen[y : y + part.shape[0], x : x + part.shape[1]] = True
        assert seen.all()


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint32", "float64"])
def test_codes_give_the_stored_values_back_to_a_step(dtype: str) -> None:
    lowest = 0 if dtype == "uint32" else -500
    grey = np.linspace(lowest, 900, 10_000).reshape(100, 100).astype(dtype)
    coded = tiles.codes(grey, (0.0, 800.0))
    back = coded.offset + coded.scale * coded.array
    assert np.abs(back - grey).max() <= coded.scale
    assert coded.size == 65536


def test_an_outlier_leaves_steps_for_the_rest() -> None:
    grey = np.random.default_rng(2).normal(1.0, 0.1, (100, 100)).astype(np.float32)
    grey[0, 0] = 1e30
    coded = tiles.codes(grey, (0.7, 1.3))
    assert len(np.unique(coded.array)) > 5_000
