"""How a quantity is written for people."""

from __future__ import annotations

import pytest

from glassllava.measurement.quantities import Measurement, in_words, measured_in_words


@pytest.mark.parametrize(
    ("value", "unit", "digits", "words"),
    [
        (2.5e-6, "m", 3, "2.5 µm"),
        (100e-9, "m", 2, "100 nm"),
        (123e-9, "m", 2, "120 nm"),
        (999.7e-9, "m", 3, "1 µm"),
        (0.999999999999e-6, "m", 3, "1 µm"),
        (1.125e-4, "m", 4, "112.5 µm"),
        (3.2e-11, "m", 3, "0.032 nm"),
        (0.0, "m", 3, "0 nm"),
        (-2.5e-6, "m", 3, "-2.5 µm"),
        (0.5e-12, "m2", 3, "0.5 µm²"),
        (3.21e-8, "m2", 3, "32 100 µm²"),
        (2e-6, "m2", 3, "2 mm²"),
        (4.74e11, "1/m2", 3, "474 000 /mm²"),
        (8.5e9, "1/m2", 2, "8500 /mm²"),
        (2.51e12, "1/m2", 3, "2.51 /µm²"),
        (3.2e-5, "1/px2", 3, "32 /Mpx"),
        (0.021, "1", 3, "0.021"),
        (12.0, "1", 3, "12"),
        (1234.0, "1", 3, "1234"),
        (12345.0, "1", 3, "12 345"),
        (1234.4, "px", 3, "1234 px"),
        (3.14159, "px", 3, "3.14 px"),
    ],
)
def test_quantities_read_as_a_person_writes_them(
    value: float, unit: str, digits: int, words: str
) -> None:
    assert in_words(value, unit, digits) == words


@pytest.mark.parametrize("exponent", range(-11, 3))
@pytest.mark.parametrize("digits", [1, 2, 3, 4])
def test_no_length_is_written_with_an_exponent(exponent: int, digits: int) -> None:
    for mantissa in (1.0, 4.74, 9.996):
        assert "e" not in in_words(mantissa * 10.0**exponent, "m", digits)


@pytest.mark.parametrize(
    ("value", "unit", "uncertainty", "words"),
    [
        (2.514e-6, "m", 98e-9, "2.51 µm ± 0.098 µm"),
        (1.5e-6, "m", 100.4e-9, "1.5 µm ± 0.1 µm"),
        (6.38e-5, "1", None, "6.38 × 10⁻⁵"),
        (6.38e-5, "1", 1.2e-6, "6.38 × 10⁻⁵ ± 1.2 × 10⁻⁶"),
        (12.0, "1", 0.0, "12"),
        (float("nan"), "m", 1e-9, "not known"),
        (2e-6, "m", float("inf"), "2 µm"),
    ],
)
def test_a_measurement_is_told_with_its_uncertainty(
    value: float, unit: str, uncertainty: float | None, words: str
) -> None:
    measured = Measurement("length", value, unit, uncertainty, "by hand", "crack")
    assert measured_in_words(measured) == words
