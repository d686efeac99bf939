"""Compound figures are cut where their panels stand; databars and drawings stay whole."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests import compounds
from training.curation.captions import split_caption
from training.curation.panels import find_panels


def overlap(one, other):
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0, across) * max(0, down)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def cut(picture, wanted=None):
    return find_panels(np.asarray(picture.convert("RGB")), wanted)


@pytest.mark.parametrize("seed", [0, 2, 3, 6, 9, 10])
def test_named_panels_are_found_in_their_order(seed):
    made = compounds.compound(seed)
    letters = split_caption(made.caption).letters
    assert len(letters) == len(made.boxes)
    found = cut(made.picture, len(letters))
    assert len(found) == len(made.boxes)
    assert min(overlap(*pair) for pair in zip(made.boxes, found, strict=True)) > 0.75


def test_pictures_are_told_apart_without_letters_and_a_drawing_is_not():
    made = compounds.compound(8)  # six micrographs, no letters
    assert (made.labels, len(cut(made.picture))) == ("none", 6)
    for alone in (compounds.plot(3, 500, 400), compounds.drawing(2, 420, 300)):
        assert cut(alone) == ((0, 0, *alone.size),)


@pytest.mark.parametrize("seed", [4, 12, 40, 44])  # bars of both colours
def test_a_databar_is_never_a_panel(seed):
    alone = compounds.micrograph(seed, 640, 560, databar=True)
    for wanted in (None, 1):
        assert cut(alone, wanted) == ((0, 0, 640, 560),)
    framed = Image.new("RGB", (680, 1180), "white")
    framed.paste(alone, (20, 10))
    framed.paste(compounds.micrograph(seed + 2, 640, 560, databar=True), (20, 600))
    (_, top, _, bottom), (_, below, _, _) = cut(framed, 2)
    assert top <= 12
    # All of a dark bar and the words of a bright one.
    assert 550 <= bottom <= 590
    assert below >= 598


def test_a_grid_without_gutters_is_cut_where_the_caption_counts_it():
    grid = Image.new("RGB", (600, 480))
    for place in range(4):
        part = compounds.micrograph(60 + place, 300, 240, databar=False)
        grid.paste(part, (300 * (place % 2), 240 * (place // 2)))
    found = cut(grid, 4)
    assert [tuple(round(side / 10) for side in box) for box in found] == [
        (0, 0, 30, 24), (30, 0, 60, 24), (0, 24, 30, 48), (30, 24, 60, 48)
    ]  # fmt: skip
    assert len(cut(grid)) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 3), (47, 300), (96, 96)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_odd_pictures_are_one_panel(size, grey):
    assert cut(Image.new("L", size, grey), 4) == ((0, 0, *size),)
