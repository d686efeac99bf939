"""What the tower saw is kept: by its weights and by the pictures, and a cut look goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassllava.model import processing
from glassllava.model.tower import Tower
from tests.training.embedded.drawn import SIDE, alone, keep_pictures, loud_tower, pictures_of
from training.embedded import looking
from training.embedded.dataset import Split
from training.embedded.looking import Looked, look_at
from training.embedded.seeing import as_seen


@pytest.fixture
def split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Split:
    monkeypatch.setattr(looking, "_CHUNK", 2)
    monkeypatch.setattr(looking, "_OPEN", {})
    alone(monkeypatch, looking)
    return keep_pictures(tmp_path / "data", "train", 5)


def looked(tower: Tower, split: Split, folder: Path) -> Looked:
    return look_at(tower, split, folder, workers=1)


def kept(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")}


def same(one: Looked, two: Looked) -> bool:
    return all((a == b).all() for a, b in zip(one, two, strict=True))


def test_what_is_kept_is_what_the_tower_sees(tmp_path: Path, split: Split) -> None:
    tower = loud_tower()
    found = looked(tower, split, tmp_path / "looked")
    assert found.cells.dtype == np.float16
    for row, picture in enumerate(pictures_of(split)):
        square = processing.letterbox(picture, SIDE).astype(np.float32)
        with torch.inference_mode():
            seen = tower.seen(as_seen(torch.from_numpy(square)[None, None]))
        # The look is in bfloat16: three digits.
        for ours, theirs in zip(found, seen, strict=False):
            scale = float(theirs.std())
            assert np.abs(ours[row] - theirs[0].numpy()).mean() < 0.05 * scale
    assert not (found.pooled[0] == found.pooled[1]).all()


def test_a_look_that_was_cut_goes_on(
    tmp_path: Path, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower = loud_tower()
    whole = looked(tower, split, tmp_path / "whole")
    see, chunks = looking._look, list[Any]()

    def until_the_second(*said: Any) -> None:
        chunks.append(said[-1])
        if len(chunks) == 2:
            raise KeyboardInterrupt
        see(*said)

    with monkeypatch.context() as patched:
        patched.setattr(looking, "_look", until_the_second)
        with pytest.raises(KeyboardInterrupt):
            looked(tower, split, tmp_path / "cut")
    before = kept(tmp_path / "cut")
    assert len(before) == 1
    assert same(whole, looked(tower, split, tmp_path / "cut"))
    after = kept(tmp_path / "cut")
    assert len(after) == 3
    assert before.items() <= after.items()


def test_another_tower_finds_nothing_of_this_ones_but_another_head_does(
    tmp_path: Path, split: Split
) -> None:
    tower = loud_tower()
    first = looked(tower, split, tmp_path)
    before = kept(tmp_path / "")
    with torch.no_grad():
        tower.head.weight.add_(1.0)
    assert same(first, looked(tower, split, tmp_path))
    assert kept(tmp_path) == before
    with torch.no_grad():
        tower.dense.outer.bias.add_(1.0)
    other = looked(tower, split, tmp_path)
    assert not same(first, other)
    assert before.items() < kept(tmp_path).items()


def test_a_split_with_other_pictures_finds_none_of_this_ones(tmp_path: Path, split: Split) -> None:
    """A picture without contexts is left out: what follows moves up, in chunks of equal length."""
    tower = loud_tower()
    all_ = looked(tower, split, tmp_path)
    rows = [0, 2, 3, 4]
    fewer = replace(split, records=[split.records[row] for row in rows])
    found = looked(tower, fewer, tmp_path)
    assert len(found.cells) == len(rows)
    for ours, theirs in zip(found, all_, strict=True):
        assert (ours == theirs[rows]).all()


@pytest.mark.proof
def test_processes_of_its_own_look_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split = keep_pictures(tmp_path / "data", "train", 3)
    tower = loud_tower()
    found = look_at(tower, split, tmp_path / "spawned", workers=2)
    with monkeypatch.context() as patched:
        alone(patched, looking)
        patched.setattr(looking, "_OPEN", {})
        assert same(found, look_at(tower, split, tmp_path / "here", workers=1))


def test_pictures_painted_anew_are_looked_at_anew(tmp_path: Path, split: Split) -> None:
    tower, folder = loud_tower(), tmp_path / "looked"
    looked(tower, split, folder)
    before = set(kept(folder))
    (split.folder / "fingerprint").write_text("other painters\n", "utf-8")
    looked(tower, split, folder)
    assert before < set(kept(folder))
