"""Blur, noise, clipping, tears and ripple put into a field of discs, and found again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from glassllava.measurement import regions
from glassllava.measurement.quality import measure_quality
from glassllava.measurement.quantities import Measurement
from glassllava.measurement.ruler import Ruler

Array = np.ndarray[Any, Any]
SHAPE = (400, 512)


@lru_cache
def _discs() -> Array:
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    field = np.zeros(SHAPE)
    for _ in range(40):
        y, x, radius = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1]), rng.uniform(15, 35)
        field[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1
    return field


def _grey(field: Array, sigma: float = 4.0) -> Array:
    noise = sigma * np.random.default_rng(6).standard_normal(SHAPE)
    return np.clip(np.rint(field + noise), 0, 255).astype(np.uint8)


def _measured(grey: Array) -> dict[str, Measurement]:
    found, boxes, _ = measure_quality(grey, regions.flatten(grey), Ruler())
    assert boxes == []
    assert {m.feature for m in found} == {"artefact"}
    return {m.quantity: m for m in found}


def _sharp(blur: float | tuple[float, float] = 0.9) -> Array:
    return 60 + 100 * ndimage.gaussian_filter(_discs(), blur)


def test_a_good_picture_is_told_nothing() -> None:
    assert [m.note for m in _measured(_grey(_sharp())).values() if m.note] == []


@pytest.mark.parametrize("blur", [0.9, 1.8, 2.8])
def test_the_width_of_edges_is_that_of_the_blur(blur: float) -> None:
    width = _measured(_grey(_sharp(blur)))["image_edge_width"]
    assert width.unit == "px"
    assert width.uncertainty is not None
    assert width.value == pytest.approx(2.563 * blur, abs=width.uncertainty)
    assert width.uncertainty < 0.25 * width.value + 0.5


def test_soft_edges_are_told() -> None:
    assert _measured(_grey(_sharp(3.4)))["image_edge_width"].note.startswith("art_defocus")


def test_one_soft_direction_is_astigmatism_and_long_bodies_are_not() -> None:
    spoilt = _measured(_grey(_sharp((0.8, 3.4)), 2))["image_edge_width_ratio"]
    assert spoilt.value > 1.6
    long = np.zeros(SHAPE)
    for row in range(10, 380, 40):
        for column in range(10, 400, 160):
            long[row : row + 14, column : column + 120] = 1
    turned = ndimage.rotate(long, 30, reshape=False, order=1)
    grey = _grey(60 + 100 * ndimage.gaussian_filter(turned, 0.9), 2)
    ratio = _measured(grey).get("image_edge_width_ratio")
    assert ratio is None or ratio.note == ""


@pytest.mark.parametrize("sigma", [2.0, 6.0, 12.0])
def test_noise_in_grey_levels(sigma: float) -> None:
    noise = _measured(_grey(_sharp(), sigma))["image_noise"]
    assert noise.unit == "grey"
    assert noise.value == pytest.approx(sigma, rel=0.1)


def test_much_noise_is_told() -> None:
    assert _measured(_grey(_sharp(), 25))["image_noise"].note.startswith("art_noise")


def test_noise_that_a_detector_has_smeared_is_found_whole() -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(7).standard_normal(SHAPE), 0.8)
    grey = np.rint(128 + 8 * noise / noise.std()).astype(np.uint8)
    assert _measured(grey)["image_noise"].value == pytest.approx(8, rel=0.12)


def test_clipping_on_either_side_is_its_share() -> None:
    grey = _grey(_sharp())
    pushed = np.clip(grey.astype(float) * 2.2 - 190, 0, 255).astype(np.uint8)
    by = _measured(pushed)
    assert by["image_saturated_share_dark"].value == pytest.approx(float((pushed == 0).mean()))
    assert by["image_saturated_share_dark"].note.startswith("art_saturation")
    assert "area fractions" in by["image_saturated_share_dark"].note
    assert by["image_saturated_share_bright"].value == float((pushed == 255).mean())


def test_sixteen_bits_clipped_short_of_their_range() -> None:
    deep = _grey(_sharp()).astype(np.uint16) * 180
    assert _measured(deep)["image_saturated_share_bright"].value == 0
    clipped = np.minimum(deep, 26_000)
    share = _measured(clipped)["image_saturated_share_bright"]
    assert share.value == pytest.approx(float((clipped == 26_000).mean()))
    assert share.note


def test_tears_along_the_scan_are_counted() -> None:
    field = _sharp()
    for row in (50, 120, 200, 310):
        field[row : row + 2, 100:420] += 45
    share = _measured(_grey(field))["image_streaked_rows_share"]
    assert share.value == pytest.approx(8 / SHAPE[0], abs=2 / SHAPE[0])
    assert share.note.startswith("art_charging_streak")


def test_ripple_of_the_rows_with_its_period() -> None:
    wave = 6 * np.sin(2 * np.pi * np.arange(SHAPE[0]) / 8)[:, None]
    ripple = _measured(_grey(_sharp() + wave))["image_row_ripple"]
    assert ripple.value == pytest.approx(6 / np.sqrt(2), rel=0.15)
    assert "period 8.0 rows" in ripple.note


def test_upright_streaks_are_curtaining() -> None:
    line = ndimage.gaussian_filter1d(np.random.default_rng(8).standard_normal(SHAPE[1]), 2)
    by = _measured(_grey(_sharp() + 8 * line[None, :] / line.std()))
    assert by["image_column_ripple"].note.startswith("art_curtaining")
    assert by["image_row_ripple"].note == ""


def test_an_even_field_has_no_edges_and_no_noise() -> None:
    by = _measured(np.full(SHAPE, 90, np.uint8))
    assert "image_edge_width" not in by
    assert by["image_noise"].value == 0
    assert by["image_saturated_share_dark"].value == 0
