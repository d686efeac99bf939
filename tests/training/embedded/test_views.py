"""Views: what they say is where it is on them, and nothing is said that nobody can know."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tests.training.embedded.drawn import CLEAN, CRACK, Array, marked, scene
from training.embedded import views
from training.embedded.pictures import LABELS, Marks, mark
from training.embedded.views import CELLS, SIDE, View, draw, whole

CLOSER = 1344
SHAPE = (300, 400)
FLAT = LABELS.index("featureless_surface")


def spotted(y: int, x: int, size: int) -> tuple[Array, Marks]:
    """A bright square on dark ground, and its marks."""
    mask = np.zeros(SHAPE, bool)
    mask[y : y + size, x : x + size] = True
    return np.where(mask, 230, 40).astype(np.uint8), marked(mask)


def bright(view: View) -> Array:
    """(28, 28): the share of each cell that is bright, padding aside."""
    smooth = ndimage.uniform_filter(view.grey, 5)
    low, high = smooth.min(), smooth.max()
    lit = smooth > (low + high) / 2
    return lit.reshape(CELLS, SIDE // CELLS, CELLS, SIDE // CELLS).mean((1, 3))


@pytest.mark.parametrize("seed", range(40))
def test_a_mark_lies_where_the_feature_is_drawn_however_it_is_cut_and_turned(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture, marks = spotted(int(rng.integers(0, 240)), int(rng.integers(0, 340)), 60)
    view = draw(picture, marks, rng, CLOSER)
    said, lit = view.where[CRACK], bright(view)
    known = said >= 0
    if view.present[CRACK] != 1 or not (said[known] == 0).any():
        return  # nothing of it is on this piece, or nothing else
    assert (said[known & (lit == 1)] == 1).all()
    near = ndimage.binary_dilation(lit > 0.02, np.ones((3, 3)))
    assert near[said == 1].all()
    far = ~ndimage.binary_dilation(lit > 0, np.ones((3, 3)))
    assert (said[known & far] == 0).all()


def test_most_views_of_the_test_above_show_something() -> None:
    shown = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        picture, marks = spotted(int(rng.integers(0, 240)), int(rng.integers(0, 340)), 60)
        view = draw(picture, marks, rng, CLOSER)
        shown.append(view.present[CRACK] == 1 and (view.where[CRACK] == 0).any())
    assert np.mean(shown) > 0.6


def test_a_whole_view_has_the_picture_in_its_middle_and_padding_is_unsaid() -> None:
    picture, marks = spotted(0, 0, 100)
    view = whole(picture, marks)
    assert view.grey.shape == (SIDE, SIDE)
    said = view.where[CRACK]
    # 400 x 300 in 448 x 448: 336 rows, 56 of padding above and below: three and a half cells.
    assert (said[:3] == -1).all()
    assert (said[-3:] == -1).all()
    assert (said[4:10, :7] == 1).all()
    assert (said[11:24] == 0).all()
    assert (said[4:24, 8:] == 0).all()
    # Of what is nowhere on it, nothing is said of the padding either.
    assert (view.where[LABELS.index("pore")][:3] == -1).all()


@pytest.mark.parametrize("seed", range(8))
def test_a_crack_of_one_pixel_stays_in_a_piece(seed: int) -> None:
    mask = np.zeros((1000, 1344), bool)
    mask[np.arange(1000), 100 + np.arange(1000)] = True
    marks, rng = marked(mask), np.random.default_rng(seed)
    window = (300, 400, 748, 848)  # at the scale of the closer look
    view = views._turned(views._view(mask * np.uint8(200), marks, window, entire=False), rng)
    assert view.present[CRACK] == 1
    crossed = view.grey.reshape(CELLS, 16, CELLS, 16).max((1, 3)) > 0
    assert crossed.sum() == CELLS
    assert (view.where[CRACK][crossed] == 1).all()
    assert (view.where[CRACK] == 1).sum() <= 2 * CELLS  # and is no broader than it was


def test_a_crack_of_one_pixel_is_never_denied_on_the_whole_picture() -> None:
    mask = np.zeros((1000, 1344), bool)
    mask[np.arange(1000), 100 + np.arange(1000)] = True
    view = whole(mask * np.uint8(200), marked(mask))
    assert view.present[CRACK] == 1
    column = view.where[CRACK][4:-4]
    assert (column != 0).any(1).all()


def test_what_lies_outside_a_piece_is_not_on_it_and_few_pixels_say_nothing() -> None:
    picture, marks = spotted(200, 300, 60)
    beside = views._view(picture, marks, (0, 0, 120, 120), entire=False)
    assert beside.present[CRACK] == 0
    assert beside.present[CLEAN] == 1
    assert (beside.where[CLEAN] == 1).all()
    edge = views._view(picture, marks, (104, 204, 204, 304), entire=False)  # 4 x 4 pixels of it
    assert edge.present[CRACK] == -1
    assert edge.present[CLEAN] == edge.present[FLAT] == -1
    much = views._view(picture, marks, (150, 250, 250, 350), entire=False)
    assert much.present[CRACK] == 1
    assert much.present[CLEAN] == 0


def test_few_pixels_are_present_on_the_whole_picture() -> None:
    picture, marks = spotted(200, 300, 4)
    view = whole(picture, marks)
    assert view.present[CRACK] == 1
    assert view.present[CLEAN] == 0


def test_artefacts_are_said_of_the_whole_and_of_no_piece() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[100:160, 100:160] = True
    streaked = scene(mask, "crack_through", "crack", "art_charging_streak")
    marks = mark(streaked, slice(0, None))
    parent, own = LABELS.index("artefact"), LABELS.index("art_charging_streak")
    picture = mask * np.uint8(200)
    entire = whole(picture, marks)
    piece = views._view(picture, marks, (80, 80, 280, 280), entire=False)
    for label in (parent, own):
        assert entire.present[label] == 1
        assert piece.present[label] == -1
        # Where on it the artefact is, no mask says, be it whole or a piece.
        assert (entire.where[label] == -1).all()
        assert (piece.where[label] == -1).all()
    other = LABELS.index("art_saturation")
    assert entire.present[other] == 0


def test_a_texture_fills_its_pieces() -> None:
    marks = marked(None, "grain_structure", "crystal")
    picture = np.random.default_rng(0).integers(0, 255, (120, 160)).astype(np.uint8)
    piece = views._view(picture, marks, (20, 20, 100, 100), entire=False)
    number = LABELS.index("crystal")
    assert piece.present[number] == 1
    assert (piece.where[number] == 1).all()
    assert piece.present[CLEAN] == 0


def test_a_picture_with_an_artefact_is_mirrored_and_never_turned() -> None:
    grey = np.tile(np.arange(SIDE, dtype=np.float32), (SIDE, 1))
    where = np.zeros((len(LABELS), CELLS, CELLS), np.int8)
    present = np.zeros(len(LABELS), np.int8)
    plain = [views._turned(View(grey, present, where), np.random.default_rng(s)) for s in range(30)]
    assert any((view.grey[0] == view.grey[0, 0]).all() for view in plain)
    present = present.copy()
    present[LABELS.index("artefact")] = 1
    for seed in range(30):
        view = views._turned(View(grey, present, where), np.random.default_rng(seed))
        assert (np.sort(view.grey[0]) == grey[0]).all()


def test_a_view_follows_from_its_generator_alone() -> None:
    picture, marks = spotted(100, 100, 60)
    one, two, other = (draw(picture, marks, np.random.default_rng(s), CLOSER) for s in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    assert not (one.grey == other.grey).all()
    assert one.grey.dtype == np.float32
    assert one.grey.min() >= 0
    assert one.grey.max() <= 255
