"""Layers against what was drawn: thickness, spread, direction; none where none is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from glassllava.measurement import measure
from glassllava.measurement.layers import find_layers
from glassllava.micrograph.record import PixelSize
from tests.glassllava.measurement.test_cracks import by_quantity, record


def banded(borders, levels, noise=6.0, shape=(400, 480), blur=0.8, seed=0):
    """Levels one under the other, cut at borders (each (W,) rows)."""
    y = np.arange(shape[0])[:, None].astype(float)
    picture = np.full(shape, float(levels[0]))
    for border, before, after in zip(borders, levels[:-1], levels[1:], strict=True):
        picture += (after - before) * np.clip(y - border[None, :] + 0.5, 0, 1)
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(picture, blur)
    return np.clip(soft + rng.normal(0, noise, shape), 0, 255).astype(np.uint8)


X = np.arange(480.0)


@pytest.mark.parametrize("thick", [9.3, 31.7, 120.4])
@pytest.mark.parametrize("lean", [0.0, 0.25])
def test_thickness_square_to_the_layer(thick, lean):
    first = 110 + lean * (X - 240) + 6 * np.sin(X / 50)
    second = first + thick * np.hypot(1, lean)
    picture = banded([first, second], [90, 150, 110])
    size = PixelSize(2e-9, "typed", "", uncertainty=0.0)
    found = by_quantity(measure(record(picture, pixel_size=size), picture))
    assert found["layer_count"].value == 1
    mean = found["layer_thickness_mean"]
    assert mean.value == pytest.approx(thick * 2e-9, rel=0.03)
    assert abs(mean.value - thick * 2e-9) < mean.uncertainty
    assert mean.feature == ""
    assert found["layer_thickness_min"].value <= mean.value <= found["layer_thickness_max"].value
    assert found["layer_orientation"].value == pytest.approx(-np.arctan(lean), abs=0.02)


def test_the_spread_of_a_layer_of_varying_thickness():
    swing = 12 * np.sin(X / 40)
    first, second = 150 + 0 * X + 2 * np.sin(X / 90), 210 + swing
    picture = banded([first, second], [90, 170, 60])
    found = by_quantity(measure(record(picture), picture))
    truth = second - first
    spread = found["layer_thickness_spread"]
    assert spread.value == pytest.approx(truth.std(), rel=0.05)
    assert abs(spread.value - truth.std()) < spread.uncertainty
    assert found["layer_thickness_max"].value == pytest.approx(truth.max(), abs=2.5)
    assert found["layer_thickness_min"].value == pytest.approx(truth.min(), abs=2.5)


def test_two_layers_from_the_top_and_upright_ones_from_the_left():
    wave = 5 * np.sin(X[:400] / 45)
    rows = [90 + wave, 150 + wave, 240 + wave]
    upright = banded(rows, [60, 120, 180, 90], shape=(400, 400)).T
    found = measure(record(upright), upright)
    means = [m for m in found.measurements if m.quantity == "layer_thickness_mean"]
    assert [m.value for m in means] == pytest.approx([60, 90], rel=0.03)
    assert "layer 1 of 2 from the left" in means[0].note
    assert abs(by_quantity(found)["layer_orientation"].value) == pytest.approx(np.pi / 2, abs=0.02)


def test_a_dark_gap_along_a_border_leaves_the_layers_end_open():
    first, second = 120 + 4 * np.sin(X / 60), 240 + 4 * np.sin(X / 70)
    whole = banded([first, second], [90, 170, 120], noise=3)
    depth = np.arange(400)[:, None] - first[None, :]
    gap = 1 - 0.8 * np.exp(-((depth / 3.0) ** 2))
    parted = np.clip(whole * gap, 0, 255).astype(np.uint8)
    plain, gaping = (
        by_quantity(measure(record(one), one))["layer_thickness_mean"] for one in (whole, parted)
    )
    truth = float(np.mean(second - first))
    assert abs(gaping.value - truth) < gaping.uncertainty
    assert gaping.uncertainty > 1.5 * plain.uncertainty
    assert "dark gap" in gaping.note
    assert "dark gap" not in plain.note


def test_pores_and_cracks_in_a_layer_do_not_move_its_borders():
    first, second = 120 + 4 * np.sin(X / 60), 240 + 4 * np.sin(X / 70)
    picture = banded([first, second], [190, 120, 140], noise=4)
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:400, :480]
    for _ in range(40):
        row, column, radius = rng.uniform(0, 400), rng.uniform(0, 480), rng.uniform(3, 9)
        picture[(x - column) ** 2 + (y - row) ** 2 < radius**2] = 30
    found = by_quantity(measure(record(picture), picture))
    assert found["layer_count"].value == 1
    truth = float(np.mean(second - first))
    assert found["layer_thickness_mean"].value == pytest.approx(truth, rel=0.03)


def test_a_tilted_specimen_is_thicker_than_it_looks():
    first = 150 + 5 * np.sin(X / 60)
    picture = banded([first, first + 60], [90, 150, 110])
    tall = PixelSize(1e-9, "typed", "", uncertainty=0.0, value_y_m=1.5e-9)
    found = by_quantity(measure(record(picture, pixel_size=tall), picture))
    assert found["layer_thickness_mean"].value == pytest.approx(90e-9, rel=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_none_where_none_is(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:400, :480].astype(float)
    one_border = banded([150 + 5 * np.sin(X / 60)], [80, 160], seed=seed)
    smooth = ndimage.gaussian_filter(rng.normal(0, 1, (400, 480)), (4, 8, 15)[seed])
    for picture in (
        np.full((400, 480), 120.0) + rng.normal(0, 8, (400, 480)),
        60 + 0.3 * y + rng.normal(0, 5, y.shape),
        120 + 40 * np.sin(y / 40) + rng.normal(0, 5, y.shape),
        120 + 30 * smooth / smooth.std() + rng.normal(0, 5, y.shape),
        one_border,
        150 - 60 * (np.hypot(x - 240, y - 200) < 90),
    ):
        assert find_layers(np.clip(picture, 0, 255).astype(np.uint8)) == []


def test_bands_along_the_rows_to_the_pixel_are_charging():
    picture = np.full((400, 480), 120.0)
    picture[150:190] = 170
    noisy = picture + np.random.default_rng(0).normal(0, 5, picture.shape)
    noisy = np.clip(noisy, 0, 255).astype(np.uint8)
    assert find_layers(noisy) == []
    assert any("1 level bands" in note for note in measure(record(noisy), noisy).notes)


@pytest.mark.parametrize("thick", [40, 100])
@pytest.mark.parametrize("upright", [False, True])
def test_a_layer_to_the_pixel_along_the_frame_is_one_where_the_beam_blurred_it(thick, upright):
    """Its borders rise over the rows as they do over the columns; also thinner than a twentieth."""
    shape = (700, 900)
    wide = np.arange(shape[0] if upright else shape[1]) * 0.0
    picture = banded(
        [wide + 250, wide + 250 + thick], [120, 170, 120], 8, shape[::-1] if upright else shape
    )
    picture = picture.T.copy() if upright else picture
    (layer,) = find_layers(picture)
    assert layer.upright == upright
    assert float(np.mean(layer.thicknesses)) == pytest.approx(thick, abs=0.4)


def test_a_path_through_two_phases_is_no_layer():
    rng = np.random.default_rng(48)
    y, x = np.fft.fftfreq(768)[:, None], np.fft.fftfreq(1024)[None]
    ring = np.exp(-(((np.hypot(y, x) - 1 / 48) * 48 / 0.12) ** 2) / 2)
    waves = np.fft.ifft2(np.fft.fft2(rng.normal(0, 1, (768, 1024))) * ring).real
    phases = 100 + 60 * ndimage.gaussian_filter(1.0 * (waves > np.quantile(waves, 0.6)), 0.8)
    noisy = phases + np.random.default_rng(0).normal(0, 6, phases.shape)
    assert find_layers(np.clip(np.rint(noisy), 0, 255).astype(np.uint8)) == []
