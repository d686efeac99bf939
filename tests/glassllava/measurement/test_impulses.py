"""Impulse noise is told from what is blurred or goes on, and makes no bodies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from glassllava.measurement import measure
from glassllava.measurement.impulses import without_impulses
from tests.glassllava.measurement.test_cracks import record

COUNTS = ("pore_count", "particle_count", "crystal_count", "crack_count", "scratch_count")


def noise(sigma=6.0, seed=0, grey=120.0):
    return np.random.default_rng(seed).normal(grey, sigma, (480, 640))


def whole(picture):
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("share", [0.002, 0.01, 0.03])
def test_salt_and_pepper_is_noted_and_no_bodies(share):
    picture = whole(noise())
    chance = np.random.default_rng(5).random(picture.shape)
    picture[chance < share], picture[chance > 1 - share] = 0, 255
    found = measure(record(picture), picture)
    assert [found.value(name) for name in COUNTS] == [0] * 5
    (note,) = (note for note in found.notes if "impulse noise" in note)
    assert int(note.split()[0]) == pytest.approx(2 * share * picture.size, rel=0.05)


def test_pixels_one_grey_value_off_are_no_bodies():
    picture = np.full((480, 640), 255, np.uint8)
    picture[np.random.default_rng(5).random(picture.shape) < 0.01] = 254
    found = measure(record(picture), picture)
    assert [found.value(name) for name in COUNTS] == [0] * 5


def test_the_pixels_of_impulses_alone_are_changed():
    picture = noise().astype(np.float32)
    rows, columns = np.divmod(np.arange(40) * 7001 + 640 * 5 + 5, 640)
    spiked = picture.copy()
    spiked[rows, columns] = 255
    cleaned, count = without_impulses(spiked, 0.29)
    assert count == 40
    changed = np.zeros(picture.shape, bool)
    changed[rows, columns] = True
    assert np.array_equal(cleaned[~changed], picture[~changed])
    assert np.abs(cleaned[changed] - 120).max() < 20


def test_blurred_points_and_thin_lines_are_none():
    points = np.zeros((480, 640))
    points[10:470:12, 10:630:12] = 1500
    lines = np.zeros((480, 640))
    lines[100, 50:600] = lines[120:400, 300] = 100
    lines[np.arange(150, 450), np.arange(30, 330)] = 100
    for picture in (ndimage.gaussian_filter(points, 0.7), lines):
        grey = (picture + noise()).astype(np.float32)
        cleaned, count = without_impulses(grey, 0.29)
        assert count == 0
        assert cleaned is grey
