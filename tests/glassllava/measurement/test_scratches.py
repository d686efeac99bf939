"""Scratches against what was drawn, and what is told from them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from glassllava.measurement import measure
from glassllava.micrograph.record import PixelSize
from tests.glassllava.measurement.test_cracks import bent, by_quantity, drawn, record, with_lines


def straight(start, angle, length):
    return np.array(start) + np.array([[0, 0], [np.cos(angle) * length, np.sin(angle) * length]])


@pytest.mark.parametrize("depth", [70.0, -70.0])
def test_dark_and_bright_grooves_are_scratches_and_no_cracks(depth):
    lines = [straight((40, 60 + 70 * i), 0.25, 380) for i in range(3)]
    picture = drawn(with_lines(lines, 5, depth=depth, grey=130))
    size = PixelSize(1e-8, "typed", "", uncertainty=0.0)
    found = by_quantity(measure(record(picture, pixel_size=size), picture))
    assert found["scratch_count"].value == 3
    assert found["crack_count"].value == 0
    total, width = found["scratch_length_total"], found["scratch_width_median"]
    assert total.value == pytest.approx(3 * 383e-8, rel=0.02)
    assert abs(total.value - 3 * 383e-8) < total.uncertainty
    assert width.value == pytest.approx(5e-8, rel=0.05)
    assert abs(width.value - 5e-8) < width.uncertainty
    assert found["scratch_orientation"].value == pytest.approx(-0.25, abs=0.01)
    assert "alignment 1.00" in found["scratch_orientation"].method


def test_crossing_scratches_are_counted_apart():
    lines = [straight((60, 40), 0.7, 400), straight((60, 330), -0.6, 420)]
    picture = drawn(with_lines(lines, 4))
    found = by_quantity(measure(record(picture), picture))
    assert found["scratch_count"].value == 2
    assert found["crack_count"].value == 0


def test_the_two_flanks_of_one_groove_are_one_scratch():
    line = straight((50, 80), 0.4, 380)
    aside = 6 * np.array([-np.sin(0.4), np.cos(0.4)])
    picture = with_lines([line], 5, depth=50) + (150 - with_lines([line + aside], 5, depth=50))
    noisy = drawn(picture)
    found = by_quantity(measure(record(noisy), noisy))
    assert found["scratch_count"].value == 1


def test_a_bent_or_rough_line_is_a_crack():
    rng = np.random.default_rng(3)
    path = straight((50, 80), 0.4, 380)
    rough = np.linspace(path[0], path[1], 60)
    rough[:, 1] += ndimage.gaussian_filter1d(np.cumsum(rng.normal(0, 2.5, 60)), 1)
    for line in (bent((60, 60), 0.6, 380, bend=1.5), rough):
        picture = drawn(with_lines([line], 4))
        found = by_quantity(measure(record(picture), picture))
        assert found["crack_count"].value == 1
        assert found["scratch_count"].value == 0


def test_curtains_and_streaks_are_none():
    rng = np.random.default_rng(1)
    curtains = 130 + 25 * ndimage.gaussian_filter1d(rng.normal(0, 2, 500), 2)[None, :]
    picture = drawn(curtains + np.zeros((400, 1)))
    assert measure(record(picture), picture).value("scratch_count") == 0


@pytest.mark.parametrize("wide", [2, 5, 12])
@pytest.mark.parametrize("degrees", [0.0, 0.5, 89.5, 90.0])
def test_scratches_along_the_frame_that_end_within_it(wide, degrees):
    angle = np.radians(degrees)
    middle, way = np.array([250, 250]), np.array([np.cos(angle), np.sin(angle)])
    line = np.stack([middle - 150 * way, middle + 150 * way])
    picture = drawn(with_lines([line], wide, shape=(500, 500)), noise=6, blur=0.7)
    size = PixelSize(1e-8, "typed", "", uncertainty=0.0)
    found = by_quantity(measure(record(picture, pixel_size=size), picture))
    assert found["scratch_count"].value == 1
    assert found["crack_count"].value == 0
    # The ends of the drawn line are round: half of that is where its depth has fallen to half.
    assert found["scratch_length_total"].value == pytest.approx((300 + wide / 2) * 1e-8, rel=0.03)


def test_an_upright_line_from_top_to_bottom_is_noted_and_left_out():
    picture = drawn(with_lines([np.array([[250, -9], [250, 409]])], 5))
    found = measure(record(picture), picture)
    assert found.value("scratch_count") == 0
    assert any("1 straight lines along the frame were left out" in note for note in found.notes)


def test_the_rim_of_an_earlier_scan_is_no_scratch():
    y, x = np.mgrid[:400, :500].astype(float)
    box = ((y > 100) & (y < 300) & (x > 120) & (x < 400)).astype(float)
    soft = ndimage.gaussian_filter(box, 1.2)
    rim = np.clip(soft - ndimage.gaussian_filter(box, 7), 0, 1)
    picture = drawn(150 * (1 - 0.25 * soft - 0.12 * rim))
    assert measure(record(picture), picture).value("scratch_count") == 0


def test_tilted_pixels_change_length_and_direction():
    picture = drawn(with_lines([straight((100, 60), 0.8, 330)], 4))
    tall = PixelSize(1e-9, "typed", "", uncertainty=0.0, value_y_m=2e-9)
    found = by_quantity(measure(record(picture, pixel_size=tall), picture))
    across, down = 334 * np.cos(0.8), 2 * 334 * np.sin(0.8)
    assert found["scratch_length_max"].value == pytest.approx(
        np.hypot(across, down) * 1e-9, rel=0.02
    )
    assert found["scratch_orientation"].value == pytest.approx(-np.arctan2(down, across), abs=0.01)


def test_a_crushed_part_of_a_scratch_is_in_the_uncertainty_of_its_length():
    """One scratch is straight; the other strays like a crack, and may be a scratch or none."""
    rng = np.random.default_rng(5)
    path = straight((60, 60), 0.2, 420)
    crushed = np.linspace(*straight((60, 200), 0.2, 420), 70)
    crushed[:, 1] += ndimage.gaussian_filter1d(np.cumsum(rng.normal(0, 2.0, 70)), 1)
    size = PixelSize(1e-8, "typed", "", uncertainty=0.0)
    one, both = (
        by_quantity(measure(record(picture, pixel_size=size), picture))["scratch_length_total"]
        for picture in (drawn(with_lines(lines, 5)) for lines in ([path], [path, crushed]))
    )
    assert one.value == pytest.approx(420e-8, rel=0.03)
    assert one.uncertainty < 0.05 * one.value
    assert both.value + both.uncertainty >= 840e-8
    assert "other dark lines" in both.method
