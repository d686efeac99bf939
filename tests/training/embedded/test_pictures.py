"""Kept pictures: marks stand where the masks are, and a record tells what was painted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassllava.micrograph.contrast import to_8bit
from glassllava.micrograph.reading import read_micrograph, specimen
from tests.training.embedded.drawn import marked, scene
from training import synthesis
from training.embedded import pictures
from training.embedded.pictures import LABELS, PARENTS, SQUARE, mark
from training.whole import read_json_lines

ALL = slice(0, None)


def test_every_parent_is_a_label_and_none_stands_twice() -> None:
    assert LABELS[: len(PARENTS)] == PARENTS
    assert len(set(LABELS)) == len(LABELS)


def test_shares_are_how_much_of_each_square_is_covered() -> None:
    mask = np.zeros((20, 24), bool)
    mask[4:8, 8:12] = True  # a whole square
    mask[12:14, 16:20] = True  # half of one
    marks = marked(mask)
    assert [LABELS[n] for n in marks.labels] == ["crack", "crack_through"]
    assert marks.shares.shape == (2, 5, 6)
    expected = np.zeros((5, 6), np.uint8)
    expected[1, 2], expected[3, 4] = 255, 128
    assert (marks.shares == expected).all()


def test_a_crack_of_one_pixel_is_marked_in_every_square_that_it_crosses() -> None:
    mask = np.zeros((101, 99), bool)  # no multiple of four
    mask[np.arange(99), np.arange(99)] = True
    mask[100, 98] = True  # in the corner that no whole square covers
    share = marked(mask).shares[0]
    assert share.shape == (26, 25)
    assert (np.diag(share) > 0).all()
    assert share[25, 24] > 0
    assert (share > 0).sum() == 26


def test_the_databar_is_cut_and_what_fills_the_picture_needs_no_mask() -> None:
    mask = np.zeros((40, 40), bool)
    mask[30:, :] = True  # below the specimen
    mask[8:12, 8:12] = True
    marks = mark(scene(mask, "bubble", "pore", "art_databar"), slice(0, 28))
    assert marks.shares.shape[1:] == (7, 10)
    assert (marks.shares[0] > 0).sum() == 1
    filled = mark(scene(None, "grain_structure", "crystal", "art_charging_streak"), ALL)
    told = {LABELS[n] for n in filled.whole}
    assert {"crystal", "artefact", "art_charging_streak"} <= told
    assert len(filled.labels) == len(filled.shares) == 0


def test_clean_is_a_mark_only_where_nothing_else_is() -> None:
    clean = scene(None, "featureless_surface", "clean")
    assert {LABELS[n] for n in mark(clean, ALL).whole} == {"clean", "featureless_surface"}
    clean.present = {"crack"}
    assert not len(mark(clean, ALL).whole)


def small(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int] = (192, 256)) -> None:
    """The painters as they are, on small frames."""
    painted: Callable[..., Any] = synthesis.generate
    monkeypatch.setattr(synthesis, "generate", partial(painted, size=size))


def test_a_painted_chunk_is_the_files_pixels_and_the_painters_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    pictures.paint(tmp_path, "train", 0, [11, 12], "wide")
    records = read_json_lines(pictures.records_path(tmp_path, "train", 0))
    assert [record["seed"] for record in records] == [11, 12]
    for record in records:
        seed = record["seed"]
        made = synthesis.generate(
            seed, plan=synthesis.Plan(look="wide"), without=pictures.held_out()
        )
        micrograph = read_micrograph(pictures.micrograph_path(tmp_path, "train", seed))
        picture = pictures.read_picture(tmp_path, "train", seed)
        assert (picture == to_8bit(specimen(micrograph))).all()
        assert record["present"] == sorted(made.present)
        marks = pictures.read_marks(tmp_path, "train", seed)
        rows = micrograph.specimen_rows
        for truth in made.truths:
            number = LABELS.index(truth.key)
            if number in marks.whole:
                continue
            share = marks.shares[marks.labels.tolist().index(number)]
            assert truth.mask is not None
            assert share.sum() / 255 * SQUARE**2 >= truth.mask[rows].sum()
            where = np.kron(share > 0, np.ones((SQUARE, SQUARE), bool))
            inside = truth.mask[rows]
            assert where[: len(inside), : inside.shape[1]][inside].all()
            if truth.parent in record["centres"]:
                assert all(0 < share < 1 for share in record["centres"][truth.parent])


def test_apart_shows_what_no_other_split_ever_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    held = pictures.held_out()
    seeds = [21, 22, 23]
    sides = {}
    for split in ("apart", "train", "test"):
        pictures.paint(tmp_path, split, 0, seeds, "wide")
        records = read_json_lines(pictures.records_path(tmp_path, split, 0))
        sides[split] = [
            held.holds(r["ground"], frozenset(r["present"]), r["noise"]) for r in records
        ]
    assert all(sides["apart"])
    assert not any(sides["train"] + sides["test"])


def test_only_every_nth_picture_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    pictures.paint(tmp_path, "train", 3, [31, 32, 33], "wide")
    pictures.measure_chunk(tmp_path, "train", 3, every=2)
    rows = read_json_lines(pictures.measured_path(tmp_path, "train", 3))
    assert [row is not None for row in rows] == [False, True, False]  # the fourth of the split


def test_the_centre_is_that_of_the_largest_part() -> None:
    mask = np.zeros((100, 200), bool)
    mask[70:90, 140:180] = True
    mask[5:8, 5:8] = True
    assert pictures.centres(scene(mask, "crack_through", "crack"), ALL) == {"crack": [0.8, 0.8]}
