"""How sharp rows are, and what that tells of the scan."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from glassllava.measurement import scan

LINE = np.stack([np.arange(60.0, 340.0), np.full(280, 151.0)], 1)


def picture(blur, thick=3, noise=6.0):
    """A level dark line of whole rows, blurred, and noise that is not."""
    grey = np.full((300, 400), 140.0)
    grey[150 : 150 + thick, 60:340] -= 60
    return ndimage.gaussian_filter(grey, blur) + np.random.default_rng(2).normal(
        0, noise, (300, 400)
    )


@pytest.mark.parametrize("thick", [1, 3, 6])
def test_a_line_is_of_the_scan_where_it_is_sharper_than_the_beam(thick):
    points = LINE - [0, 1 - (thick - 1) / 2]
    for blur, of_scan in ((0.0, True), (0.7, False), (1.5, False)):
        grey = picture(blur, thick)
        row = scan.step_of_a_row(grey)
        assert row == 1.0
        assert scan.is_row(grey, points, -1, float(thick), row) is of_scan


@pytest.mark.parametrize("smooth", [0.6, 0.9])
def test_what_was_smoothed_later_is_of_the_scan_still(smooth):
    """The noise tells how much of a sharp step is left."""
    grey = ndimage.gaussian_filter(picture(0.0), smooth)
    row = scan.step_of_a_row(grey)
    left = ndimage.gaussian_filter(np.repeat([0.0, 1.0], 20), smooth)
    assert row == pytest.approx(np.diff(left).max(), abs=0.05)
    assert scan.is_row(grey, LINE, -1, 3.0, row)


def test_a_line_that_leans_is_no_row():
    leaning = LINE + np.stack([np.zeros(280), np.arange(280) * 0.3], 1)
    assert not scan.is_row(picture(0.0), leaning, -1, 3.0, 1.0)


def test_a_border_of_whole_rows_is_the_scans_and_a_blurred_one_is_not():
    y = np.arange(300.0)[:, None] + np.zeros((1, 400))
    for blur, of_scan in ((0.0, True), (0.8, False)):
        grey = 100 + 50 * ndimage.gaussian_filter((y > 150).astype(float), blur)
        grey += np.random.default_rng(3).normal(0, 6, grey.shape)
        assert scan.is_row_border(grey, LINE, 50.0, 1.0) is of_scan
