"""The stated uncertainty holds the truth, on easy bodies and on hard ones.

And it is not so wide that it says nothing.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from tests.glassllava.measurement.test_bodies import measured, value

HEIGHT, WIDTH = 300, 400


def body(rng, *, lobes=0.0, blur=0.8, radius=40.0):
    """Coverage of a body with `lobes` of its radius round it, and its true diameter, px."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    dy, dx = y - 150 - rng.uniform(-5, 5), x - 200 - rng.uniform(-5, 5)
    turn = np.arctan2(dy, dx)
    edge = radius * (
        1 + lobes * np.cos(5 * turn + rng.uniform(0, 6)) + lobes / 2 * np.cos(9 * turn)
    )
    inside = np.clip(edge + 0.5 - np.hypot(dy, dx), 0, 1)
    return ndimage.gaussian_filter(inside, blur), 2 * np.sqrt(inside.sum() / np.pi)


def stated(picture, truth, seed, noise=6.0):
    found = value(measured(picture, noise, seed), "particle_equivalent_diameter_max")
    return abs(found.value - truth * 1e-9) <= found.uncertainty, found.uncertainty / found.value


def share_and_width(draw, **options):
    pairs = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        picture, truth = draw(rng)
        pairs.append(stated(picture, truth, seed, **options))
    return sum(covered for covered, _ in pairs), float(np.median([wide for _, wide in pairs]))


def test_round_bodies_are_covered_by_a_narrow_uncertainty():
    def draw(rng):
        inside, truth = body(rng)
        return 90 + 90 * inside, truth

    covered, wide = share_and_width(draw)
    assert covered == 6
    assert wide < 0.04


def test_lobed_bodies_are_covered_by_a_wider_one():
    def draw(rng):
        inside, truth = body(rng, lobes=0.12)
        return 90 + 90 * inside, truth

    covered, wide = share_and_width(draw)
    assert covered >= 5
    assert wide < 0.2


def test_blurred_edges_widen_the_uncertainty():
    wide = []
    for blur in (0.8, 4.0):

        def draw(rng, blur=blur):
            inside, truth = body(rng, blur=blur)
            return 90 + 90 * inside, truth

        covered, width = share_and_width(draw)
        assert covered >= 5
        wide.append(width)
    assert wide[1] > 1.5 * wide[0]


def test_clipped_white_makes_a_body_neither_larger_nor_certain():
    def draw(rng):
        inside, truth = body(rng, radius=16.0, blur=1.2)
        return 90 + 600 * inside, truth  # four times the range

    covered, wide = share_and_width(draw)
    assert covered >= 5
    assert wide < 0.15


def test_what_stands_out_and_is_no_body_widens_the_area_fraction():
    """Two needles that cross are not outlined: the share of the area says that they are there."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    disc = np.clip(20.5 - np.hypot(y - 80, x - 90), 0, 1)
    needles = np.zeros((HEIGHT, WIDTH))
    for turn in (0.5, 2.0):
        along = (x - 260) * np.cos(turn) + (y - 180) * np.sin(turn)
        across = (y - 180) * np.cos(turn) - (x - 260) * np.sin(turn)
        needles = np.maximum(needles, np.clip(8 - np.abs(across) - np.abs(along) / 11, 0, 1))
    picture = ndimage.gaussian_filter(90 + 90 * np.maximum(disc, needles), 0.7)
    share = value(measured(picture), "particle_area_fraction")
    truth = float(np.maximum(disc, needles).mean())
    assert abs(share.value - truth) <= share.uncertainty
    plain = value(measured(ndimage.gaussian_filter(90 + 90 * disc, 0.7)), "particle_area_fraction")
    assert share.uncertainty > 3 * plain.uncertainty or share.value > 2 * plain.value
