"""The drawn scale bar: measured between its ticks, its label read, and offered with care."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from glassllava.errors import BadInput, MissingPart
from glassllava.micrograph import drawn_scale, lettering, reading
from glassllava.micrograph.drawn_scale import length_in, measured_scale, read_scale, read_with_bar
from glassllava.micrograph.header import typed_bar_length
from glassllava.micrograph.record import Databar, Micrograph
from glassllava.micrograph.scale_bar import find_bars
from tests.databars import drawn

needs_ocr = pytest.mark.skipif(not lettering.is_installed(), reason="rapidocr is not installed")


def as_micrograph(seed: int) -> tuple[Micrograph, np.ndarray]:
    picture = drawn(seed)
    height, width = picture.image.shape
    strip = None if picture.databar is None else Databar(*picture.databar, "pixels")
    return Micrograph(Path("drawn"), 0, width, height, 8, databar=strip), picture.image


def strip_with_bar(ticks: int, *, width: int = 3, gap: int = 100) -> np.ndarray:
    """Black rows with a bar from column 50 on; ticks of `width` px, `gap` px apart."""
    rows = np.zeros((60, 400), np.uint8)
    rows[30:32, 50 : 50 + gap + width] = 255
    if ticks:
        for left in (50, 50 + gap):
            rows[30 - ticks : 32 + ticks, left : left + width] = 255
    return rows


def test_a_bar_with_ticks_is_measured_between_their_centres() -> None:
    for width in (1, 2, 3, 4):
        (bar,) = find_bars(strip_with_bar(6, width=width), Databar(0, 60, "pixels"))
        assert bar.has_ticks
        assert bar.length_px == pytest.approx(100, abs=0.02)


def test_a_bar_without_ticks_is_measured_from_edge_to_edge() -> None:
    (bar,) = find_bars(strip_with_bar(0, width=0), Databar(0, 60, "pixels"))
    assert not bar.has_ticks
    assert bar.length_px == pytest.approx(100, abs=0.02)
    assert bar.uncertainty_px > 1


def test_ends_between_pixels_are_measured_to_a_part_of_one() -> None:
    fine = np.zeros((240, 1600), np.float32)
    fine[120:128, 203 : 203 + 402 + 8] = 255
    for left in (203, 203 + 402):
        fine[96:152, left : left + 8] = 255
    (bar,) = find_bars(
        fine.reshape(60, 4, 400, 4).mean(axis=(1, 3)).astype(np.uint8), Databar(0, 60, "pixels")
    )
    assert bar.length_px == pytest.approx(100.5, abs=0.1)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((200, 300), np.uint8),
        np.full((200, 300), np.nan),
        np.pad(np.zeros((80, 200), np.uint8), 50, constant_values=255),
    ],
)
def test_no_bar_where_there_is_none(picture: np.ndarray) -> None:
    assert find_bars(picture, None) == ()


def test_most_drawn_bars_are_measured_within_a_hundredth() -> None:
    bars = right = 0
    for seed in range(40):
        picture = drawn(seed)
        if picture.bar_px is None:
            continue
        strip = None if picture.databar is None else Databar(*picture.databar, "pixels")
        bars += 1
        right += any(
            abs(bar.length_px / picture.bar_px - 1) <= 0.01
            for bar in find_bars(picture.image, strip)
        )
    assert right >= 0.9 * bars


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("20 µm", 20e-6),
        ("20μm", 20e-6),
        ("20 um", 20e-6),
        ("20pm", 20e-6),  # µ misread
        ("500 nm", 500e-9),
        ("1.00 mm", 1e-3),
        ("2,5 µm", 2.5e-6),
        ("150 µm", 150e-6),
    ],
)
def test_labels_of_bars(text: str, metres: float) -> None:
    assert length_in(text) == pytest.approx(metres)


@pytest.mark.parametrize(
    "text",
    ["WD = 6.2 mm", "41.5 um", "556.0 nm", "20", "20 kV", "0 nm", "020 nm", "x5,000", "20 m", ""],
)
def test_other_words_are_no_labels(text: str) -> None:
    assert length_in(text) is None


@needs_ocr
def test_bar_and_label_give_an_offer_without_any_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    lettering._readers.clear()
    micrograph, image = as_micrograph(17)  # "10 μm" over 145.5 px
    said = read_scale(micrograph, image)
    assert said is not None
    assert said.size is not None
    assert said.label == "10 µm"
    assert said.size.source == "read_bar"
    assert said.size.value_m == pytest.approx(10e-6 / 145.5, rel=0.005)
    assert said.size.uncertainty == pytest.approx(said.bar.uncertainty_px / said.bar.length_px)


@needs_ocr
def test_no_offer_without_a_label(tmp_path: Path) -> None:
    rows = np.zeros((300, 400), np.uint8)
    rows[240:] = strip_with_bar(6)
    micrograph = Micrograph(tmp_path / "a.tif", 0, 400, 300, 8)
    assert find_bars(rows, None)
    assert read_scale(micrograph, rows) is None


def test_without_the_reader_the_bar_is_measured_and_one_remedy_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lettering, "is_installed", lambda: False)
    micrograph, image = as_micrograph(17)
    said = read_scale(micrograph, image)
    assert said is not None
    assert said.size is None
    assert said.bar.length_px == pytest.approx(145.5, abs=0.3)
    assert "pip install" in said.remedy
    monkeypatch.setattr(lettering, "_readers", [])
    with pytest.raises(MissingPart, match="pip install"):
        lettering.read_lines(image[:40])


def written(folder: Path, seed: int = 17) -> Path:
    path = folder / "bar.png"
    Image.fromarray(drawn(seed).image).save(path)
    return path


def test_a_typed_length_makes_the_bar_a_ruler(tmp_path: Path) -> None:
    path = written(tmp_path)
    micrograph = read_with_bar(path, bar_length_m=typed_bar_length("10 um"))
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.source == "measured_bar"
    assert micrograph.pixel_size.value_m == pytest.approx(10e-6 / 145.5, rel=0.005)
    assert micrograph.databar is not None
    assert micrograph.sha256
    assert reading.read_micrograph(path).pixel_size is None


def test_a_tag_stands_above_the_bar_and_a_difference_is_told(tmp_path: Path) -> None:
    image = np.zeros((300, 400), np.uint8)
    image[240:] = strip_with_bar(6)
    path = tmp_path / "imagej.tif"
    tifffile.imwrite(path, image, imagej=True, resolution=(10.0, 10.0), metadata={"unit": "um"})
    micrograph = read_with_bar(path, bar_length_m=20e-6)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.source == "imagej"
    assert any("disagree" in text for text in micrograph.warnings)


def test_no_bar_and_no_length_are_refused(tmp_path: Path) -> None:
    micrograph = Micrograph(tmp_path / "a.tif", 0, 400, 300, 8)
    with pytest.raises(BadInput, match="No scale bar"):
        measured_scale(micrograph, 20e-6, np.zeros((300, 400), np.uint8))
    for text in ("wide", "20", "-1 nm", "9 km"):
        with pytest.raises(BadInput):
            typed_bar_length(text)


@needs_ocr
def test_a_read_bar_is_a_ruler_only_where_it_is_accepted(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert read_with_bar(path).pixel_size is None
    offered, said = drawn_scale.with_offer(reading.read_micrograph(path))
    assert said is not None
    assert offered.pixel_size is None
    assert [size.source for size in offered.candidates] == ["read_bar"]
    accepted = read_with_bar(path, accept_read_bar=True)
    assert accepted.pixel_size is not None
    assert accepted.pixel_size.source == "read_bar"
    assert any("OCR" in text for text in accepted.warnings)


@needs_ocr
@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "label", "pixels"),
    [
        ("tescan_essence_u16_databar.tif", "20 µm", 137.0),
        ("zeiss_aquami_nanoporous_gold.tif", "20 nm", 37.0),
    ],
)
def test_real_bars(real_micrographs: Path, name: str, label: str, pixels: float) -> None:
    micrograph = reading.read_micrograph(real_micrographs / name, with_hash=False)
    said = read_scale(micrograph)
    assert said is not None
    assert said.size is not None
    assert micrograph.pixel_size is not None
    assert said.label == label
    assert said.bar.length_px == pytest.approx(pixels, abs=0.3)
    off = abs(said.size.value_m / micrograph.pixel_size.value_m - 1)
    assert off <= (said.size.uncertainty or 0)
