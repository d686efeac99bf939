"""Altered copies of a micrograph are known; others are not held for it for a like databar."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests import compounds
from training.curation.duplicates import find_same, look


def pressed(picture):
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=50)
    return Image.open(held)


def rescaled(picture):
    return picture.resize((picture.width * 4 // 9, picture.height * 4 // 9))


def contrasted(picture):
    return picture.point(lambda grey: 255 * (grey / 255) ** 1.6 * 0.8 + 20)


def barless(picture):
    return picture.crop((0, 0, picture.width, round(picture.height * 0.915)))


ALTERED = {
    "pressed": pressed,
    "rescaled": rescaled,
    "contrasted": contrasted,
    "barless": barless,
    "all": lambda picture: pressed(rescaled(contrasted(barless(picture)))),
}


@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_copy_is_known(how):
    pictures = [compounds.micrograph(seed, 640, 560, databar=True) for seed in range(300, 306)]
    copies = [ALTERED[how](picture) for picture in pictures]
    looks = [look(np.asarray(picture.convert("L"))) for picture in (*pictures, *copies)]
    assert [(same.one, same.other) for same in find_same(looks)] == [(n, n + 6) for n in range(6)]


def test_equal_databars_make_no_two_micrographs_one():
    bar = Image.new("L", (640, 60), 255)
    bar.paste(0, (400, 20, 600, 30))
    looks = []
    for seed in range(12):
        picture = compounds.micrograph(seed, 640, 560, databar=False).convert("L")
        picture.paste(bar, (0, 500))
        looks.append(look(np.asarray(picture)))
    assert find_same(looks) == ()


def test_groups_leave_pairs_within_them_out():
    picture = look(np.asarray(compounds.micrograph(1, 300, 200, databar=False).convert("L")))
    assert len(find_same([picture] * 3)) == 3
    assert [(s.one, s.other) for s in find_same([picture] * 3, ["a", "a", "b"])] == [(0, 2), (1, 2)]


def test_pictures_without_contrast_are_like_nothing():
    blank = look(np.full((100, 100), 7, np.uint8))
    assert find_same([blank, blank, look(np.zeros((1, 1), np.uint8))]) == ()
    assert find_same([]) == ()
