"""Pixels that no detector writes: nothing is measured, it is said, and no number is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from glassllava.measurement import measure
from glassllava.micrograph.record import Micrograph


def measured(pixels: np.ndarray):
    height, width = pixels.shape
    return measure(Micrograph(Path("x.tif"), 0, width, height, 8 * pixels.itemsize), pixels)


def noise(dtype, scale, offset=0.0):
    field = np.random.default_rng(3).random((160, 200))
    return (field * scale + offset).astype(dtype)


@pytest.mark.parametrize(
    "pixels",
    [
        noise(np.float32, 2e38),
        noise(np.float64, 1e300),
        noise(np.float32, 1e-40),
        noise(np.uint64, 2**61, 2**62),
    ],
    ids=["1e38", "1e300", "denormal", "beyond 2^61"],
)
def test_grey_values_beyond_numbers_are_refused_by_name(pixels):
    found = measured(pixels)
    assert found.measurements == ()
    assert "Grey values beyond" in found.notes[0]


@pytest.mark.parametrize("shape", [(64, 8000), (8000, 64)])
def test_a_strip_is_no_field(shape):
    found = measured(np.random.default_rng(3).integers(0, 255, shape).astype(np.uint8))
    assert found.measurements == ()
    assert "a strip, not a field" in found.notes[0]


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((160, 200), np.nan, np.float32),
        np.full((160, 200), np.inf),
        np.where(noise(np.float32, 1) > 0.5, np.nan, noise(np.float32, 1)),
        noise(np.float32, 1e14),
        noise(np.float32, 1e-12, 0),
        np.zeros((160, 200), np.uint16),
    ],
    ids=["nan", "inf", "half nan", "1e14", "1e-12", "black"],
)
def test_every_number_is_a_number(pixels):
    json.dumps(measured(pixels).to_json(), allow_nan=False)
