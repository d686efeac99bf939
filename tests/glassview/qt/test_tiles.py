"""Levels, tiles and lookup tables."""

from __future__ import annotations

import numpy as np
import pytest

from glassllava.micrograph.pyramid import from_array
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


def grid(height: int, width: int) -> tiles.Grid:
    pixels = from_array(np.zeros((height, width), np.uint8))
    return tiles.Grid(height, width, pixels.level_count)


def test_the_level_has_a_pixel_for_every_pixel_of_the_screen() -> None:
    levels = grid(9000, 12000)
    for zoom in (0.01, 0.06, 0.3, 0.5, 0.51, 1.0, 8.0):
        level = levels.level_for(zoom)
        assert level == levels.level_count - 1 or (2 << level) * zoom > 1
        assert level == 0 or (1 << level) * zoom <= 1


@pytest.mark.parametrize("shape", [(1300, 1700), (513, 511), (40, 3), (2049, 2048)])
def test_tiles_cover_the_picture_without_a_gap(shape: tuple[int, int]) -> None:
    levels, pixels = grid(*shape), from_array(np.zeros(shape, np.uint8))
    for level in range(levels.level_count):
        seen = np.zeros(pixels.level_shape(level), bool)
        for tile in levels.tiles_in(level, 0, 0, shape[1], shape[0]):
            rows, columns = levels.window(tile)
            assert seen[rows, columns].size
            seen[rows, columns] = True
        assert seen.all()


def test_the_tiles_at_the_middle_come_first() -> None:
    first, *rest = grid(9000, 12000).tiles_in(0, 5000, 3000, 7600, 5600)
    assert first in ((0, 12, 8), (0, 11, 8), (0, 12, 7), (0, 11, 7))
    assert len(rest) > 20


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "bool"])
def test_codes_of_small_integers_are_exact(dtype: str) -> None:
    kind = np.dtype(dtype)
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(kind).min, np.iinfo(kind).max)
    grey = np.linspace(low, high, 1000).astype(kind).reshape(10, 100)
    coded = tiles.coding(kind, (float(low), float(high)))
    codes = coded.of(grey)
    assert codes.dtype == coded.dtype
    np.testing.assert_array_equal(coded.offset + coded.scale * codes, grey)
    assert coded.code(float(grey[3, 4])) == codes[3, 4]


@pytest.mark.parametrize("dtype", ["int32", "uint32", "float32", "float64"])
def test_codes_give_the_stored_values_back_to_a_step(dtype: str) -> None:
    lowest = 0 if dtype == "uint32" else -500
    grey = np.linspace(lowest, 900, 10_000).reshape(100, 100).astype(dtype)
    coded = tiles.coding(grey.dtype, (0.0, 800.0))
    back = coded.offset + coded.scale * coded.of(grey)
    assert np.abs(back - grey).max() <= coded.scale
    assert coded.scale < 0.1
    assert coded.size == 65536


def test_an_outlier_leaves_steps_for_the_rest_and_no_number_is_black() -> None:
    grey = np.random.default_rng(2).normal(1.0, 0.1, (100, 100)).astype(np.float32)
    grey[0, :3] = 1e30, np.nan, -np.inf
    coded = tiles.coding(grey.dtype, (0.7, 1.3))
    codes = coded.of(grey)
    assert len(np.unique(codes)) > 5_000
    assert codes[0, :3].tolist() == [65535, 0, 0]
    assert tiles.coding(grey.dtype, (1e308, 1e308)).of(grey).shape == grey.shape
