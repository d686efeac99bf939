"""Cracks against what was drawn: length, width, branches; none where none is."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from glassllava.measurement import measure
from glassllava.measurement.cracks import find_cracks
from glassllava.measurement.lines import Line, Trace, find_lines, parted
from glassllava.measurement.regions import flatten
from glassllava.measurement.traces import Arm
from glassllava.micrograph.record import Micrograph, PixelSize


def record(picture, **more):
    return Micrograph(Path("drawn"), 0, picture.shape[1], picture.shape[0], 8, **more)


def drawn(picture, noise=5.0, blur=0.6, seed=0):
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(picture.astype(float), blur)
    return np.clip(soft + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def with_lines(points_of_lines, wide, shape=(400, 500), grey=150.0, depth=80.0):
    """Dark polylines with flat flanks, each within `wide` / 2 px of its points."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    nearest = np.full(shape, np.inf)
    for points in points_of_lines:
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            dx, dy = x1 - x0, y1 - y0
            at = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
            nearest = np.minimum(nearest, np.hypot(x - x0 - at * dx, y - y0 - at * dy))
    return grey - depth * np.clip(0.5 + wide / 2 - nearest, 0, 1)


def bent(start, angle, length, bend=0.9, count=120):
    """An arc of a circle: points, and its length is `length`."""
    headings = angle + bend * np.linspace(-0.5, 0.5, count)
    steps = length / count * np.stack([np.cos(headings), np.sin(headings)], 1)
    return np.array(start) + np.concatenate([[[0, 0]], np.cumsum(steps, 0)])


def by_quantity(found):
    return {m.quantity: m for m in found.measurements}


@pytest.mark.parametrize("wide", [2, 3, 5, 9, 16])
@pytest.mark.parametrize("angle", [0.35, 1.1])
def test_length_and_width_of_one_crack(wide, angle):
    length = 260.0
    picture = drawn(with_lines([bent((120, 60), angle, length)], wide))
    size = PixelSize(2e-9, "typed", "", uncertainty=0.01)
    found = by_quantity(measure(record(picture, pixel_size=size), picture))
    assert found["crack_count"].value == 1
    total, width = found["crack_length_total"], found["crack_width_median"]
    # Its round ends reach half a width further.
    assert total.value == pytest.approx((length + wide) * 2e-9, rel=0.03)
    assert abs(total.value - length * 2e-9) < total.uncertainty + wide * 2e-9
    assert width.value == pytest.approx(wide * 2e-9, abs=0.4e-9 if wide >= 3 else 1e-9)
    if width.uncertainty is None:
        assert "at most" in width.note
    else:
        assert abs(width.value - wide * 2e-9) < width.uncertainty
    density = found["crack_length_density"]
    assert density.unit == "1/m"
    assert density.value == pytest.approx(total.value / (picture.size * 4e-18))


def test_a_width_that_is_all_blur_is_an_upper_bound():
    picture = drawn(with_lines([bent((120, 60), 0.5, 260)], 1.0), blur=2.0, noise=2)
    width = by_quantity(measure(record(picture), picture))["crack_width_median"]
    assert width.uncertainty is None
    assert "at most" in width.note
    assert width.value > 1.0


def test_branches_are_counted_and_their_length_with_them():
    stem = bent((60, 200), 0.2, 330, bend=0.3)
    arms = [stem, bent(stem[60], -0.7, 120, bend=0.4), bent(stem[80], 1.0, 120, bend=0.4)]
    picture = drawn(with_lines(arms, 4))
    found = by_quantity(measure(record(picture), picture))
    assert found["crack_count"].value == 1
    assert found["crack_branch_count"].value == 2
    assert found["crack_length_total"].value == pytest.approx(330 + 240, rel=0.03)


def test_a_crack_that_fades_for_a_few_pixels_is_one():
    path = bent((60, 100), 0.4, 340)
    whole = with_lines([path], 4)
    x, y = path[60]
    rows, columns = np.mgrid[:400, :500]
    faint = np.exp(-(((columns - x) ** 2 + (rows - y) ** 2) / 8.0**2))
    picture = drawn(whole + 0.8 * faint * (150 - whole), noise=3)
    dark, _ = find_lines(flatten(picture), picture, [])
    found, _ = find_cracks(dark, picture)
    assert len(found) == 1
    assert found[0].length == pytest.approx(344, rel=0.03)


def test_a_crack_goes_on_through_the_edge_of_a_layer():
    step = np.where(np.arange(400)[:, None] > 200, 190.0, 120.0)
    path = bent((230, 60), 1.4, 280, bend=0.5)
    depth = 150 - with_lines([path], 4, depth=70)
    picture = drawn(step - depth)
    found = by_quantity(measure(record(picture), picture))
    assert found["crack_count"].value == 1
    assert found["crack_length_total"].value == pytest.approx(284, rel=0.04)


def test_pixels_that_are_not_square_stretch_a_length():
    picture = drawn(with_lines([bent((200, 50), 1.45, 280, bend=0.3)], 4))
    square = PixelSize(1e-9, "typed", "", uncertainty=0.0)
    tall = PixelSize(1e-9, "typed", "", uncertainty=0.0, value_y_m=2e-9)
    one, other = (
        by_quantity(measure(record(picture, pixel_size=size), picture))["crack_length_total"].value
        for size in (square, tall)
    )
    path = bent((200, 50), 1.45, 280, bend=0.3)
    stretched = np.hypot(*(np.diff(path, axis=0) * (1, 2)).T).sum() * 1e-9
    assert one == pytest.approx(284e-9, rel=0.03)
    assert other == pytest.approx(stretched, rel=0.03)


def test_direction_is_anticlockwise_from_the_rows():
    picture = drawn(with_lines([bent((80, 340), -0.6, 380, bend=0.4)], 4))
    angle = by_quantity(measure(record(picture), picture))["crack_orientation"]
    assert angle.value == pytest.approx(0.6, abs=0.05)
    assert angle.unit == "rad"


def test_regions_lie_on_the_crack():
    path = bent((80, 100), 0.3, 330)
    picture = drawn(with_lines([path], 5))
    (place,) = measure(record(picture), picture).regions_of("crack")
    assert place.bbox[0] == pytest.approx(path[:, 0].min(), abs=6)
    assert place.bbox[3] == pytest.approx(path[:, 1].max(), abs=6)
    assert place.area_px == pytest.approx(335 * 5, rel=0.1)
    for x, y in place.polygon:
        assert np.hypot(*(path - (x, y)).T).min() < 7


def test_the_folds_and_the_rim_of_an_impression_are_no_cracks():
    y, x = np.mgrid[:400, :500].astype(float)
    across, down = np.abs(x - 250), np.abs(y - 200)
    inside = np.clip(70 - across - down, 0, None)
    # Four faces that darken towards the middle, in folds along their corners, and a bright rim.
    faces = 150 - 1.2 * inside - 12 * np.exp(-np.minimum(across, down) / 8) * (inside > 0)
    rim = 50 * np.exp(-(((across + down - 75) / 5) ** 2))
    picture = drawn(faces + rim, noise=3)
    found = measure(record(picture), picture)
    assert found.value("crack_count") == 0
    cracked = with_lines([bent((328, 196), 0.1, 120, bend=0.5)], 3) - 150
    both = drawn(faces + rim + cracked, noise=3)
    found = by_quantity(measure(record(both), both))
    assert found["crack_length_total"].value == pytest.approx(123, rel=0.15)


def test_a_centre_line_runs_straight_where_the_crack_does_and_bends_where_it_bends():
    x = np.arange(60, 440, 2.0)
    straight = np.stack([x, 120 + 0.3 * x], 1)
    for path in (straight, straight + np.stack([0 * x, 5 * np.sin(x / 6)], 1)):
        picture = drawn(with_lines([path], 4), noise=2)
        dark, _ = find_lines(flatten(picture), picture, [])
        truth = float(np.hypot(*np.diff(path, axis=0).T).sum())
        assert dark[0].length == pytest.approx(truth + 4, rel=0.02)


def test_a_line_that_parts_keeps_the_bridge_between_what_stays():
    x = np.arange(0.0, 41.0)
    first = Trace(Arm(np.stack([x, 0 * x], 1), -1, -1))
    second = Trace(Arm(np.stack([x + 50, 0 * x], 1), -1, 7))
    third = Trace(Arm(np.stack([x + 90, x], 1), 7, -1))
    bridge = Trace(Arm(np.array([[40.0, 0.0], [50.0, 0.0]]), -2, -2, gap=10.0))
    line = Line((first, second, third, bridge), -1, 1.0, 1.0)
    assert parted(line, line.traces) == [line]
    (left,) = parted(line, [first, second, bridge])
    assert left.length == pytest.approx(90)
    apart = parted(line, [first, third, bridge])
    assert sorted(part.length for part in apart) == pytest.approx([40, 40 * math.sqrt(2)])


@pytest.mark.parametrize("seed", range(4))
def test_none_on_noise_gradients_and_edges(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:400, :500].astype(float)
    for picture in (
        np.full((400, 500), 120.0),
        40 + 0.3 * x,
        np.where(y + 0.2 * x > 250, 180.0, 80.0),
        120 + 40 * np.sin(x / 60) * np.cos(y / 80),
    ):
        noisy = np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)
        field = flatten(noisy)
        dark, _ = find_lines(field, noisy, [])
        assert find_cracks(dark, noisy)[0] == []


def test_a_streak_along_the_rows_is_noted_and_no_crack():
    picture = drawn(np.full((400, 500), 140.0))
    picture[200:203, 100:420] = 40
    found = measure(record(picture), picture)
    assert found.value("crack_count") == 0
    assert found.value("scratch_count") == 0
    assert any("1 dark lines" in note and "row" in note for note in found.notes)


@pytest.mark.parametrize("turned", [False, True])
def test_a_crack_that_wanders_about_a_row_or_a_column_is_one(turned):
    """Also where it runs along most of its rows, whose median is then its own grey."""
    x = np.arange(60.0, 421.0)
    path = np.stack([x, 200 + 3 * np.sin(x / 25)], 1)
    shape, path = ((500, 400), path[:, ::-1]) if turned else ((400, 500), path)
    picture = drawn(with_lines([path[::4]], 4, shape=shape))
    size = PixelSize(1e-8, "typed", "", uncertainty=0.0)
    found = by_quantity(measure(record(picture, pixel_size=size), picture))
    assert found["crack_count"].value == 1
    assert found["crack_branch_count"].value == 0
    length = np.hypot(*np.diff(path, axis=0).T).sum() * 1e-8
    assert found["crack_length_total"].value == pytest.approx(length, rel=0.03)


def test_lines_level_from_side_to_side_are_noted_and_not_measured():
    picture = drawn(with_lines([np.array([[-9, 150], [509, 150]])], 5))
    found = measure(record(picture), picture)
    assert found.value("crack_count") == found.value("scratch_count") == 0
    assert any(note.startswith("1 lines level from side to side") for note in found.notes)
