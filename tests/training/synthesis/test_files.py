"""Synthetic TIFFs read back: by tifffile's own parsers, and by the product."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from glassllava.micrograph.reading import pixels, read_micrograph
from training.synthesis import Plan, generate, write_tiff
from training.synthesis.databar import length_text, scale_bar
from training.synthesis.files import DESCRIPTION, SOFTWARE


@pytest.mark.parametrize("bits", [8, 16])
def test_thermo_tags_read_back(tmp_path: Path, bits: int) -> None:
    plan = Plan(vendor="thermo", bits=bits, databar=True, pixel_size_m=3.25e-8, family="crack")
    one = generate(3, plan=plan, size=(360, 480))
    path = write_tiff(one, tmp_path / "thermo.tif", compression="deflate")
    with tifffile.TiffFile(path) as file:
        said = file.fei_metadata
        assert said is not None
        assert np.array_equal(file.asarray(), one.pixels)
        assert file.pages[0].description == DESCRIPTION
        assert file.pages[0].software == SOFTWARE
    assert said["Scan"]["PixelWidth"] == pytest.approx(3.25e-8)
    assert said["Image"]["ResolutionY"] == 360
    assert said["PrivateFei"]["DatabarHeight"] == one.pixels.shape[0] - 360
    assert said["Beam"]["HV"] == one.beam.high_voltage
    assert said["Detectors"]["Name"] == one.beam.detector


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("columns", [480, 1024])
def test_zeiss_tags_read_back(tmp_path: Path, bits: int, columns: int) -> None:
    plan = Plan(vendor="zeiss", bits=bits, databar=True, pixel_size_m=4.4e-9, family="clean")
    one = generate(4, plan=plan, size=(360, columns))
    path = write_tiff(one, tmp_path / "zeiss.tif")
    with tifffile.TiffFile(path) as file:
        said = file.sem_metadata
        assert said is not None
        assert np.array_equal(file.asarray(), one.pixels)
    assert said["ap_image_pixel_size"][1:] == (4.4, "nm")
    assert said["ap_pixel_size"][1] == pytest.approx(4.4 * columns / 1024, rel=1e-4)
    assert said[""][3] == pytest.approx(4.4e-9 * columns / 1024, rel=1e-5)
    assert said["ap_actualkv"][1] == one.beam.high_voltage / 1e3
    assert said["dp_detector_channel"][1] == one.beam.detector


@pytest.mark.parametrize("vendor", ["thermo", "zeiss", "plain"])
def test_the_product_reads_what_was_meant(tmp_path: Path, vendor: str) -> None:
    plan = Plan(vendor=vendor, bits=8, databar=True, pixel_size_m=6.1e-8, family="crack")
    one = generate(12, plan=plan, size=(480, 640))
    micrograph = read_micrograph(write_tiff(one, tmp_path / "one.tif"))
    assert np.array_equal(pixels(micrograph), one.pixels)
    if vendor == "plain":
        assert micrograph.pixel_size is None
        return
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value_m == pytest.approx(6.1e-8, rel=1e-4)
    assert micrograph.databar is not None
    assert (micrograph.databar.top, micrograph.databar.height) == one.databar
    assert micrograph.beam.detector == one.beam.detector
    assert micrograph.beam.voltage_v == pytest.approx(one.beam.high_voltage)
    assert micrograph.beam.working_distance_m == pytest.approx(one.beam.working_distance, rel=0.02)


@pytest.mark.parametrize("pixel_size", [3e-10, 7.7e-9, 1.3e-7, 2e-5])
def test_scale_bar_is_a_round_length_of_the_right_pixels(pixel_size: float) -> None:
    metres, long = scale_bar(pixel_size, 1024)
    assert metres == pytest.approx(long * pixel_size)
    assert 1024 / 13 < long <= 1024 / 5 + 1e-6
    assert float(f"{metres:.6e}"[:8]) in (1.0, 2.0, 5.0)
    assert length_text(metres).split()[1] in ("nm", "µm", "mm")


def test_scale_bar_is_drawn_as_long_as_it_says() -> None:
    one = generate(2, plan=Plan(vendor="thermo", bits=8, databar=True), size=(480, 640))
    assert one.databar is not None
    _, long = scale_bar(one.true_pixel_size_m, 640)
    strip = one.pixels[one.databar[0] :]
    row = int(strip.shape[0] * 0.8)
    lit = strip[row] > 128
    runs = np.diff(np.flatnonzero(np.diff(np.r_[0, lit, 0])))
    assert abs(int(runs[::2].max()) - long) <= 2  # every second run is lit
