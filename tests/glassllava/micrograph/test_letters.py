"""Letters are told from cracks, discs and gratings by their shapes, before a bar is believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from glassllava.micrograph import databar
from glassllava.micrograph.letters import letters_of

FONTS = Path(__file__).parents[3] / "batch" / "fonts"
WORDS = "SEM HV: 5.00 kV   WD: 4.1 mm   Det: TLD   4/17/2019"


def words(text: str = WORDS, size: int = 14, shape: tuple[int, int] = (40, 640)) -> np.ndarray:
    page = Image.new("L", shape[::-1], 0)
    font = ImageFont.truetype(str(FONTS / "DejaVuSans.ttf"), size)
    ImageDraw.Draw(page).text((10, 10), text, 255, font)
    return np.asarray(page) > 127


def grating(shape: tuple[int, int] = (40, 640), period: int = 16) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (x % period < period // 2) & (y % period < period // 2)


def cracks(shape: tuple[int, int] = (40, 640)) -> np.ndarray:
    page = Image.new("L", shape[::-1], 0)
    pen, rng = ImageDraw.Draw(page), np.random.default_rng(4)
    for x in (50, 350):  # each winds its way along the strip
        steps = np.stack([x + np.arange(20) * 12, 20 + rng.normal(0, 5, 20)], axis=1)
        pen.line([tuple(step) for step in steps], 255, 2)
    return np.asarray(page) > 127


@pytest.mark.parametrize("size", [9, 11, 14, 20, 26])
def test_nearly_all_of_a_line_of_words_is_letters(size: int) -> None:
    ink = words(size=size)
    # Points, colons and dashes are lower than letters.
    assert letters_of(ink).sum() > 0.85 * ink.sum()
    assert not (letters_of(ink) & ~ink).any()
    # The finder goes upwards from the edge of the frame: upside down they are letters too.
    assert letters_of(ink[::-1]).sum() > 0.85 * ink.sum()


@pytest.mark.parametrize(
    "ink",
    [grating(), grating(period=28), cracks(), words("20"), words() | grating(), ~words()],
    ids=["grating", "coarse grating", "cracks", "two figures", "words on a grating", "paper"],
)
def test_what_is_no_lines_of_letters_has_none(ink: np.ndarray) -> None:
    assert not letters_of(ink).any()


def test_a_grating_is_no_databar_and_words_in_its_place_are_one() -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(60, 200, (480, 640)).astype(np.uint8)
    for strip, found in ((grating(), False), (words(), True)):
        frame[-40:] = np.where(strip, 255, 0)
        bar = databar.find(frame[databar.first_row_wanted(480) :], 480)
        assert (bar is not None) == found
        assert bar is None or (bar.top, bar.height) == (440, 40)
