"""Measurements against what was drawn; and nothing where nothing was."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from glassllava.errors import Uncalibrated
from glassllava.measurement import Measurements, measure
from glassllava.measurement.ruler import Ruler
from glassllava.micrograph.reading import read_micrograph
from glassllava.micrograph.record import Databar, Micrograph, PixelSize
from tests import micrographs as write


def record(picture, **more):
    return Micrograph(Path("drawn"), 0, picture.shape[1], picture.shape[0], 8, **more)


def counts(picture):
    found = measure(record(picture), picture)
    return tuple(int(found.value(f"{kind}_count")) for kind in ("pore", "particle", "crack"))


def drawn(picture, noise, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def wave(height, width, start, length, wide, depth):
    """A gently waving dark line on grey; its length along the arc."""
    y, x = np.mgrid[:height, :width]
    along = (x - start[0]) * np.cos(0.4) + (y - start[1]) * np.sin(0.4)
    off = -(x - start[0]) * np.sin(0.4) + (y - start[1]) * np.cos(0.4) + 5 * np.sin(along / 30)
    # The line leans by up to atan(5 / 30): its width is taken square to it.
    off *= np.cos(np.arctan(5 / 30 * np.cos(along / 30)))
    inside = np.clip(0.5 + wide / 2 - np.abs(off), 0, 1) * ((along > 0) & (along < length))
    steps = np.linspace(0, length, 2000)
    arc = float(np.sum(np.hypot(np.diff(steps), np.diff(5 * np.sin(steps / 30)))))
    return 130 - depth * inside, arc


# --- nothing where nothing is ------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_noise_and_texture_have_neither_pores_nor_cracks(seed):
    rng = np.random.default_rng(seed)
    white = rng.normal(120, (4, 12, 35)[seed % 3], (480, 640))
    texture = ndimage.gaussian_filter(rng.normal(0, 1, (480, 640)), (1, 2, 3, 4, 6, 9)[seed])
    texture = 120 + 30 * texture / texture.std() + rng.normal(0, 6, texture.shape)
    for picture in (white, texture):
        assert counts(np.clip(picture, 0, 255).astype(np.uint8)) == (0, 0, 0)


@pytest.mark.parametrize("noise", [0, 1, 5])
def test_gradients_steps_stripes_and_constants(noise):
    y, x = np.mgrid[:480, :640].astype(float)
    stripes = np.random.default_rng(1).normal(0, 12, (480, 1))
    for picture in (
        np.full((480, 640), 90.0),
        30 + 0.2 * x + 0.1 * y,
        200 - 100 * ((x - 320) ** 2 + (y - 240) ** 2) / 320**2,
        np.where(y + 0.3 * x > 300, 160.0, 70.0),
        120 + stripes + 0 * x,
    ):
        assert counts(drawn(picture, noise)) == (0, 0, 0)


# --- pores and particles -----------------------------------------------------------------------

HOLES = [
    (80, 90, 30),
    (200, 100, 22),
    (330, 120, 18),
    (480, 80, 26),
    (120, 300, 14),
    (260, 330, 34),
]


@pytest.mark.parametrize("noise", [2, 8, 15])
@pytest.mark.parametrize("sign", [1, -1])
def test_round_pores_and_particles(noise, sign):
    flat = np.full((480, 640), 125.0) + np.linspace(-20, 20, 640)
    picture = drawn(write.with_holes(flat, HOLES, depth=60 * sign), noise)
    found = measure(record(picture, pixel_size=PixelSize(2e-9, "typed", "", 0.02)), picture)
    kind, other = ("pore", "particle") if sign > 0 else ("particle", "pore")
    assert found.value(f"{kind}_count") == 6
    assert found.value(f"{other}_count") == 0
    assert found.value("crack_count") == 0
    diameters = sorted(hole[2] for hole in HOLES)
    by_quantity = {m.quantity: m for m in found.measurements}
    median = by_quantity[f"{kind}_equivalent_diameter_median"]
    assert median.unit == "m"
    assert median.value == pytest.approx(np.median(diameters) * 2e-9, rel=0.03)
    assert abs(median.value - np.median(diameters) * 2e-9) < median.uncertainty
    assert found.value(f"{kind}_equivalent_diameter_max") == pytest.approx(34 * 2e-9, rel=0.03)
    area = sum(np.pi / 4 * d**2 for d in diameters) / picture.size
    assert found.value(f"{kind}_area_fraction") == pytest.approx(area, rel=0.06)
    # Those that the frame would have cut are made up for: more than the plain quotient.
    density = 6 / (picture.size * 4e-18)
    assert density < found.value(f"{kind}_number_density") < 1.2 * density
    assert median.note.startswith("few: 6 only")
    assert Measurements.from_json(found.to_json()) == found


def test_regions_are_in_pixels_of_the_whole_frame():
    picture = drawn(write.with_holes(np.full((300, 400), 120.0), [(100, 60, 20)]), 5)
    bar = np.zeros((40, 400), np.uint8)
    whole = np.concatenate([bar, picture])
    found = measure(record(whole, databar=Databar(0, 40, "tag")), whole)
    (place,) = found.regions
    x, y = (np.min(place.polygon, axis=0) + np.max(place.polygon, axis=0)) / 2
    assert abs(x - 100.5) < 1
    assert abs(y - 100.5) < 1  # 60 rows of specimen under 40 of databar
    assert place.bbox[0] < 100 < place.bbox[2]
    assert place.area_px == pytest.approx(np.pi * 100, rel=0.05)


def test_databar_is_not_measured(tmp_path):
    picture = write.with_databar(drawn(np.full((400, 512), 120.0), 8), 44)
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", picture))
    assert found.databar.top == 400
    assert measure(found).regions == ()


def test_a_ring_alone_is_a_pore():
    y, x = np.mgrid[:300, :400]
    distance = np.hypot(x - 200, y - 150)
    ring = 120 + 90 * np.clip(2.5 - np.abs(distance - 20), 0, 1)
    found = measure(record(ring), drawn(ring, 5))
    assert found.value("pore_count") == 1
    # The ring reaches from 35 to 45 px; the pore ends between its steep inner side and its crest.
    assert found.value("pore_equivalent_diameter_max") == pytest.approx(37.5, abs=2.5)


def test_large_frames_are_measured_on_means_and_say_so():
    holes = [(400, 500, 90), (1500, 900, 120), (2100, 1500, 100)]
    flat = np.full((1800, 2400), 125.0)
    picture = drawn(write.with_holes(flat, holes), 12)
    found = measure(record(picture), picture)
    assert found.value("pore_equivalent_diameter_median") == pytest.approx(100, rel=0.03)
    assert any("means of 2 × 2" in note for note in found.notes)
    assert "2 × 2 pixel means" in found.of("pore")[0].method


def test_regions_are_bounded_and_the_rest_counted():
    holes = [(20 + 24 * i, 20 + 24 * j, 9) for i in range(25) for j in range(18)]
    picture = drawn(write.with_holes(np.full((480, 640), 125.0), holes), 4)
    found = measure(record(picture), picture)
    assert found.value("pore_count") == len(holes)
    assert len(found.regions) == 200
    assert any("200 largest" in note for note in found.notes)


# --- cracks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wide", "depth", "noise"), [(3, 60, 10), (4, 60, 5), (6, 50, 12)])
def test_a_waving_crack(wide, depth, noise):
    line, arc = wave(480, 640, (120, 120), 320, wide, depth)
    picture = drawn(line, noise)
    found = measure(record(picture), picture)
    assert counts(picture) == (0, 0, 1)
    assert found.value("crack_length_total") == pytest.approx(arc, rel=0.06)
    assert found.value("crack_width_median") == pytest.approx(wide, abs=0.8)
    assert found.value("crack_branch_count") <= 1
    assert found.value("crack_orientation") == pytest.approx(-0.4, abs=0.06)
    (place,) = found.regions_of("crack")
    assert place.bbox[0] == pytest.approx(120, abs=10)


def test_the_rim_of_a_pore_and_the_edge_of_a_layer_are_no_cracks():
    y, _ = np.mgrid[:480, :640]
    layers = np.where(y > 240, 170.0, 80.0)
    picture = drawn(ndimage.gaussian_filter(layers, 1.2), 6)
    assert counts(picture)[2] == 0
    picture = drawn(write.with_holes(np.full((480, 640), 120.0), [(300, 200, 80)]), 6)
    assert counts(picture) == (1, 0, 0)


# --- the ruler ---------------------------------------------------------------------------------


def test_without_a_scale_lengths_are_in_pixels_and_the_ruler_refuses():
    picture = drawn(write.with_holes(np.full((300, 400), 120.0), [(100, 60, 20)]), 5)
    found = measure(record(picture), picture)
    by_quantity = {m.quantity: m for m in found.measurements}
    assert by_quantity["pore_equivalent_diameter_max"].unit == "px"
    assert any("No trustworthy scale" in note for note in found.notes)
    assert by_quantity["pore_number_density"].unit == "1/px2"
    with pytest.raises(Uncalibrated, match="no trustworthy scale"):
        Ruler(None).metres(3)


def test_an_unknown_part_makes_the_uncertainty_unknown():
    known = Ruler(PixelSize(2e-9, "typed", "", uncertainty=0.03))
    unknown = Ruler(PixelSize(2e-9, "vendor_tag"))
    one = known.measurement("d", 100.0, 4.0, "m", "pore")
    assert one.value == pytest.approx(2e-7)
    assert one.uncertainty == pytest.approx(2e-7 * 0.05)  # 3 % and 4 % together
    without = unknown.measurement("d", 100.0, 4.0, "m", "pore")
    assert without.uncertainty is None
    assert without.of_image == pytest.approx(8e-9)  # what the image gives is not lost
    assert one.of_image is None
    assert known.measurement("n", 1.0, 0.0, "m", "pore", power=-2).uncertainty == pytest.approx(
        0.06 / 4e-18
    )


def test_pixels_that_are_not_square():
    ruler = Ruler(PixelSize(2e-9, "vendor_tag", value_y_m=8e-9))
    assert ruler.metres(1) == pytest.approx(4e-9)


def test_pixels_of_another_frame_are_refused():
    picture = drawn(np.full((300, 400), 120.0), 5)
    with pytest.raises(ValueError, match="whole frame"):
        measure(record(picture), picture[:200])


def test_what_cannot_be_judged_is_not_measured():
    tiny = np.zeros((10, 10), np.uint8)
    assert measure(record(tiny), tiny).measurements == ()
    assert measure(record(tiny), tiny).notes
    for picture in (np.full((100, 100), np.nan), np.full((100, 100), np.inf)):
        assert measure(record(picture), picture).regions == ()


def test_quick_enough_for_thousands_of_training_pictures():
    picture = drawn(write.with_holes(np.full((480, 640), 125.0), HOLES), 8)
    measure(record(picture), picture)
    start = time.process_time()
    for _ in range(3):
        measure(record(picture), picture)
    # 0.06 s on one core of the machine it was made on; the rest is for slower ones.
    assert (time.process_time() - start) / 3 < 0.6


def test_real_micrographs(real_micrographs):
    for name, least in (("nasa_ebc_040617-3_S0410028.tif", 1), ("nasa_super_spot2_180d_3.tif", 0)):
        found = measure(read_micrograph(real_micrographs / name, with_hash=False))
        assert found.value("crack_count") >= least
        for place in found.regions:
            assert 0 <= place.bbox[0] < place.bbox[2] <= 1024
    blurred = measure(read_micrograph(real_micrographs / "openfibsem_eb_u16_defocus.tif"))
    assert blurred.regions == ()
