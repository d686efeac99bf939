"""Bodies of known size: touching, shaded, rimmed, cut, long, facetted; and lines that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from glassllava.measurement import measure
from glassllava.micrograph.record import Micrograph, PixelSize
from tests import micrographs as write


def measured(grey, noise=5.0, seed=0):
    picture = grey + np.random.default_rng(seed).normal(0, noise, grey.shape)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    size = PixelSize(1e-9, "typed", "", 0.01)
    height, width = picture.shape
    return measure(Micrograph(Path("drawn"), 0, width, height, 8, pixel_size=size), picture)


def value(found, quantity):
    return next(m for m in found.measurements if m.quantity == quantity)


def flat():
    return np.full((480, 640), 120.0)


@pytest.mark.parametrize("apart", [36, 40, 60])
def test_touching_pores_are_two(apart):
    holes = [(200, 200, 40), (200 + apart, 200, 40), (450, 330, 40)]
    found = measured(write.with_holes(flat(), holes))
    assert found.value("pore_count") == 3
    median = value(found, "pore_equivalent_diameter_median")
    assert median.value == pytest.approx(40e-9, rel=0.04)
    assert abs(median.value - 40e-9) <= median.uncertainty


@pytest.mark.parametrize("diameter", [8, 14, 30, 90, 260])
@pytest.mark.parametrize("blur", [0.5, 1.2])
def test_neither_blur_nor_size_biases_a_diameter(diameter, blur):
    y, x = np.mgrid[:480, :640]
    inside = np.clip(diameter / 2 + 0.5 - np.hypot(x - 320.3, y - 240.6), 0, 1)
    found = measured(ndimage.gaussian_filter(120.0 + 80 * inside, blur), noise=4)
    one = value(found, "particle_equivalent_diameter_max")
    assert one.value == pytest.approx(diameter * 1e-9, rel=0.01, abs=0.4e-9)
    assert abs(one.value - diameter * 1e-9) <= one.uncertainty


def test_a_shaded_bowl_with_a_bright_rim_is_one_whole_pore():
    y, x = np.mgrid[:480, :640]
    distance = np.hypot(x - 320, y - 240)
    bowl = np.clip(60.5 - distance, 0, 1) * (60 - 0.9 * (x - 320))
    rim = 70 * np.exp(-(((distance - 61) / 1.5) ** 2))
    found = measured(ndimage.gaussian_filter(130 - bowl + rim, 0.7))
    assert found.value("pore_count") == 1
    one = value(found, "pore_equivalent_diameter_max")
    assert abs(one.value - 120e-9) <= one.uncertainty
    assert one.value == pytest.approx(120e-9, rel=0.03)


def test_cut_bodies_have_no_diameter_but_an_area():
    found = measured(write.with_holes(flat(), [(0, 240, 80), (300, 240, 30)]))
    assert found.value("pore_count") == 2
    assert found.value("pore_equivalent_diameter_max") == pytest.approx(30e-9, rel=0.04)
    area = (np.pi / 4 * 30**2 + np.pi / 8 * 80**2) / (480 * 640)
    assert found.value("pore_area_fraction") == pytest.approx(area, rel=0.05)
    (only,) = [
        m
        for m in measured(write.with_holes(flat(), [(0, 240, 80)])).of("pore")
        if m.quantity.endswith("_max")
    ]
    assert "cut by the frame: at least this" in only.note


def test_density_is_made_up_for_what_the_frame_cuts():
    rng = np.random.default_rng(4)
    true, counted, plain = 40, [], []
    for seed in range(6):
        # Over a field with a margin, so that some are cut.
        places = rng.uniform((-40, -40), (680, 520), (true, 2))
        far = [p for i, p in enumerate(places) if all(np.hypot(*(p - q)) > 60 for q in places[:i])]
        grey = write.with_holes(flat(), [(x, y, 50) for x, y in far])
        found = measured(grey, seed=seed)
        counted.append(found.value("pore_number_density") * 1e-18 / (len(far) / (720 * 560)))
        plain.append(found.value("pore_count") / (480 * 640) / (len(far) / (720 * 560)))
    assert np.mean(counted) == pytest.approx(1.0, abs=0.12)
    # Counting all that show, the cut ones too, is too many.
    assert np.mean(plain) > np.mean(counted)


def test_bright_bodies_are_given_as_inclusions_and_outlined_once():
    found = measured(240 - write.with_holes(flat(), [(200, 200, 40), (400, 300, 60)]))
    assert found.value("particle_count") == found.value("inclusion_count") == 2
    assert len(found.regions_of("particle")) == 2
    assert found.regions_of("inclusion") == ()
    assert "outlined as particles" in value(found, "inclusion_count").note


def lath(x, y, length, width, turn):
    rows, columns = np.mgrid[:480, :640]
    along = (columns - x) * np.cos(turn) - (rows - y) * np.sin(turn)
    across = (columns - x) * np.sin(turn) + (rows - y) * np.cos(turn)
    return np.clip(length / 2 + 0.5 - np.abs(along), 0, 1) * np.clip(
        width / 2 + 0.5 - np.abs(across), 0, 1
    )


def test_laths_are_crystals_with_length_width_and_direction():
    places = [
        (120, 100, 0.5),
        (300, 120, 0.55),
        (480, 200, 0.45),
        (200, 330, 0.5),
        (430, 380, 0.52),
    ]
    grey = 100 + 90 * sum(lath(x, y, 90, 18, turn) for x, y, turn in places)
    found = measured(ndimage.gaussian_filter(grey, 0.7))
    assert found.value("crystal_count") == 5
    length, width = (value(found, f"crystal_{name}_median") for name in ("length", "width"))
    # The largest Feret diameter of a rectangle is its diagonal.
    assert length.value == pytest.approx(np.hypot(90, 18) * 1e-9, rel=0.06)
    assert width.value == pytest.approx(18e-9, rel=0.12)
    assert found.value("crystal_orientation") == pytest.approx(0.5, abs=0.05)
    assert found.value("crystal_aspect_ratio_median") == pytest.approx(5, rel=0.15)


def test_hexagons_are_crystals_and_discs_are_not():
    y, x = np.mgrid[:480, :640]
    hexagons, discs = np.zeros((480, 640)), np.zeros((480, 640))
    for cx, cy in ((120, 120), (320, 130), (520, 340), (180, 350)):
        turned = [np.cos(a) * (x - cx) + np.sin(a) * (y - cy) for a in np.arange(6) * np.pi / 3]
        hexagons += np.clip(40.5 - np.max(turned, axis=0), 0, 1)
        discs += np.clip(40.5 - np.hypot(x - cx, y - cy), 0, 1)
    for sign in (1, -1):
        assert measured(120 + sign * 70 * hexagons).value("crystal_count") >= 3
        assert measured(120 + sign * 70 * discs).value("crystal_count") == 0


def test_an_uneven_crack_and_a_closed_one_are_no_pores():
    y, x = np.mgrid[:480, :640]
    loop = 120 - 70 * np.clip(2.0 - np.abs(np.hypot(x - 300, y - 240) - 110), 0, 1)
    assert measured(loop).value("pore_count") == 0
    line = np.clip(2.5 - np.abs(y - 240 - 20 * np.sin(x / 60)), 0, 1) * (1 + 0.5 * np.sin(x / 15))
    assert measured(120 - 50 * line).value("pore_count") == 0


def test_a_faint_large_body_is_found_in_much_noise():
    y, x = np.mgrid[:480, :640]
    inside = np.clip(70.5 - np.hypot(x - 320, y - 240), 0, 1)
    found = measured(120 + 22 * inside, noise=20)
    assert found.value("particle_count") == 1
    one = value(found, "particle_equivalent_diameter_max")
    assert abs(one.value - 140e-9) <= one.uncertainty
