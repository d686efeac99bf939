"""Two-phase textures with hand-made truths, and nothing where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from glassllava.measurement.phases import measure_phases
from glassllava.measurement.quantities import Measurement
from glassllava.measurement.ruler import Ruler
from glassllava.micrograph.record import PixelSize

Array = np.ndarray[Any, Any]
SHAPE = (400, 520)


def _grey(field: Array, sigma: float = 6.0, seed: int = 1) -> Array:
    noise = sigma * np.random.default_rng(seed).standard_normal(field.shape)
    return np.clip(np.rint(70 + 90 * field + noise), 0, 255).astype(np.uint8)


def _labyrinth(wavelength: float, level: float = 0.0, seed: int = 3) -> Array:
    """Noise of a narrow ring of wavelengths, cut at a level: 1 above."""
    white = np.random.default_rng(seed).standard_normal(SHAPE)
    q = np.hypot(np.fft.fftfreq(SHAPE[0])[:, None], np.fft.rfftfreq(SHAPE[1])[None, :])
    ring = np.fft.irfft2(np.fft.rfft2(white) * (np.abs(q * wavelength - 1) < 0.12), SHAPE)
    return np.asarray(ring / ring.std() > level, float)


def _droplets(spacing: int, radius: float, jitter: float = 0.25, seed: int = 4) -> Array:
    """Discs near the points of a lattice, shifted by chance: none touches another."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    field = np.zeros(SHAPE)
    for y in range(spacing // 2, SHAPE[0], spacing):
        for x in range(spacing // 2, SHAPE[1], spacing):
            dy, dx = rng.uniform(-jitter, jitter, 2) * (spacing - 2 * radius)
            field[(rows - y - dy) ** 2 + (columns - x - dx) ** 2 < radius**2] = 1
    return field


def _measured(grey: Array, ruler: Ruler | None = None) -> dict[str, Measurement]:
    return {m.quantity: m for m in measure_phases(grey, ruler or Ruler())[0]}


@pytest.mark.parametrize("wavelength", [12.0, 24.0, 44.0])
def test_the_length_of_a_labyrinth_is_its_wavelength(wavelength: float) -> None:
    length = _measured(_grey(_labyrinth(wavelength)))["phase_characteristic_length"]
    assert length.unit == "px"
    assert length.value == pytest.approx(wavelength, rel=0.04)
    assert length.uncertainty is not None
    assert 0 < length.uncertainty < 0.15 * wavelength


@pytest.mark.parametrize("level", [-0.3, 0.0, 0.4])
def test_the_shares_are_those_painted(level: float) -> None:
    field = _labyrinth(24, level)
    by = _measured(_grey(ndimage.gaussian_filter(field, 0.8)))
    bright, dark = by["phase_area_fraction_bright"], by["phase_area_fraction_dark"]
    assert bright.uncertainty is not None
    assert bright.value == pytest.approx(float(field.mean()), abs=bright.uncertainty)
    assert bright.uncertainty < 0.05
    assert bright.value + dark.value == pytest.approx(1)


def test_droplets_are_told_from_interwoven_phases() -> None:
    _, _, notes = measure_phases(_grey(_labyrinth(24)), Ruler())
    assert "interwoven" in notes[0]
    field = _droplets(26, 7)
    grey = _grey(field)
    _, _, notes = measure_phases(grey, Ruler())
    assert "droplets" in notes[0]
    by = _measured(grey)
    diameter = by["phase_droplet_equivalent_diameter_median"]
    assert diameter.value == pytest.approx(14, abs=0.5)
    count = 15 * 20
    density = by["phase_droplet_number_density"]
    assert density.value * field.size == pytest.approx(count, rel=0.03)
    assert by["phase_connected_share"].value < 0.02


def test_shading_changes_neither_length_nor_shares() -> None:
    field = _labyrinth(24)
    slope = np.linspace(-40, 40, SHAPE[1])[None, :] * np.ones(SHAPE)
    plain = _measured(_grey(field))
    shaded = _measured(np.clip(_grey(field * 0.8).astype(float) + slope, 0, 255).astype(np.uint8))
    for quantity in ("phase_characteristic_length", "phase_area_fraction_bright"):
        assert shaded[quantity].value == pytest.approx(plain[quantity].value, rel=0.02)


def test_a_ruler_makes_metres_and_its_uncertainty_joins() -> None:
    grey = _grey(_labyrinth(24))
    pixels = _measured(grey)["phase_characteristic_length"]
    known = Ruler(PixelSize(2e-9, "vendor_tag", "made", 0.1))
    metres = _measured(grey, known)["phase_characteristic_length"]
    assert metres.unit == "m"
    assert metres.value == pytest.approx(pixels.value * 2e-9)
    assert metres.uncertainty is not None
    assert pixels.uncertainty is not None
    assert metres.uncertainty == pytest.approx(
        2e-9 * float(np.hypot(pixels.uncertainty, 0.1 * pixels.value))
    )
    unknown = Ruler(PixelSize(2e-9, "vendor_tag", "made", None))
    assert _measured(grey, unknown)["phase_characteristic_length"].uncertainty is None


def test_pixels_that_are_not_square_are_undone() -> None:
    field = _labyrinth(24)
    squeezed = field[::2]  # two rows of the specimen in one of the image
    ruler = Ruler(PixelSize(1e-9, "vendor_tag", "made", 0.0, 2e-9))
    length = _measured(_grey(squeezed), ruler)["phase_characteristic_length"]
    assert length.value == pytest.approx(24e-9, rel=0.05)


def test_few_periods_are_said() -> None:
    length = _measured(_grey(_labyrinth(60)))["phase_characteristic_length"]
    assert "few" in length.note


def _pores() -> Array:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    field = np.ones(SHAPE)
    for y, x, r in ((80, 90, 20), (200, 300, 35), (310, 120, 12), (120, 420, 25)):
        field[(rows - y) ** 2 + (columns - x) ** 2 < r * r] = 0
    return field


@pytest.mark.parametrize(
    "field",
    [
        np.zeros(SHAPE),
        np.linspace(0, 1, SHAPE[1])[None, :] * np.ones(SHAPE),
        _pores(),
        np.repeat(np.repeat(np.eye(2), SHAPE[0] // 2, 0), SHAPE[1] // 2, 1),
        ndimage.gaussian_filter(np.random.default_rng(2).standard_normal(SHAPE), 4) * 4,
    ],
    ids=["noise", "gradient", "single pores", "two layers", "soft texture of one population"],
)
def test_nothing_where_there_are_no_two_phases(field: Array) -> None:
    assert measure_phases(_grey(field), Ruler()) == ([], [], [])


def test_an_even_and_a_broken_field_give_nothing() -> None:
    assert measure_phases(np.full(SHAPE, 7, np.uint8), Ruler())[0] == []
    assert measure_phases(np.full(SHAPE, np.nan), Ruler())[0] == []


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("amplitude", "period"), [(4, 40), (6, 16), (6, 40)])
def test_hum_of_the_mains_is_no_phase(amplitude: float, period: float, turned: bool) -> None:
    rows = np.arange(600)[:, None] + np.zeros((1, 640))
    noise = np.random.default_rng(2).normal(0, 6, rows.shape)
    field = 120 + amplitude * np.sin(2 * np.pi * rows / period) + noise
    field = np.clip(np.rint(field), 0, 255).astype(np.uint8)
    measured, _, notes = measure_phases(field.T if turned else field, Ruler())
    assert measured == []
    assert notes == [
        f"Stripes along the {'columns' if turned else 'rows'}, as hum or the scan make them: "
        "not measured as two phases"
    ]
