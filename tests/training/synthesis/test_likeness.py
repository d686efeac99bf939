"""The statistics by which synthetic micrographs are compared with real ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from training.synthesis.fields import power_noise
from training.synthesis.likeness import compare, distance, statistics


def test_noise_is_found_beside_structure() -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(60, 180, 512, dtype=np.float32)[None, :] * np.ones((512, 1), np.float32)
    ramp[200:280, 200:280] = 20
    for sigma in (3.0, 15.0):
        found = statistics(ramp + rng.normal(0, sigma, ramp.shape))
        assert found["noise"] == pytest.approx(sigma, rel=0.06)
        assert abs(found["noise_along"] - found["noise_across"]) < 0.03
    rows = ramp + rng.normal(0, 3, ramp.shape) + rng.normal(0, 2, (512, 1))
    assert statistics(rows)["lines"] > 3 * statistics(ramp + rng.normal(0, 3, ramp.shape))["lines"]


def test_edges_have_their_width() -> None:
    step = np.where(np.arange(256)[None, :] < 128, 60.0, 190.0) * np.ones((256, 1))
    for sigma in (1.0, 2.0):
        found = statistics(ndimage.gaussian_filter(step, sigma))["edge"]
        assert found == pytest.approx(2.56 * sigma, rel=0.25)  # 10 to 90 % of an error function


def test_the_slope_of_a_rough_field_is_found() -> None:
    field = power_noise(np.random.default_rng(1), (512, 512), 2.5, 1000)
    found = statistics(128 + 20 * field)
    assert found["slope_coarse"] == pytest.approx(-2.5, abs=0.25)
    assert found["slope_fine"] == pytest.approx(-2.5, abs=0.25)


def test_distance_of_distributions() -> None:
    one = list(np.linspace(0, 1, 50))
    assert distance(one, one) == 0
    assert distance(one, [v + 2 for v in one]) == 1
    assert 0.2 < distance(one, [v + 0.3 for v in one]) < 0.4


def test_a_forest_tells_noise_from_calm_and_not_noise_from_noise() -> None:
    rng = np.random.default_rng(2)

    def heap(sigma: float) -> list[np.ndarray]:
        return [np.clip(128 + rng.normal(0, sigma, (150, 150)), 0, 255) for _ in range(6)]

    real = {str(i): grey for i, grey in enumerate(heap(10))}
    assert compare(real, heap(3), side=128, most=2)["told_apart_auc"] > 0.95
    same = compare(real, heap(10), side=128, most=2)
    assert same["told_apart_auc"] < 0.85
    assert same["statistics"]["noise"]["distance"] < 0.7
