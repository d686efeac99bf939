"""Data come in three passes that resume; no seed and no held triple goes where it must not."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from glassllava.errors import BadInput
from glassllava.sample import LEVELS
from tests.training.embedded.drawn import alone
from training import synthesis
from training.embedded import contexts, dataset, pictures
from training.embedded.contexts import HeldTriples, holds_out
from training.embedded.dataset import DataPlan, fingerprint, make_data, read_pictures, read_split

PLAN = DataPlan({"train": 3, "test": 1, "apart": 1}, contexts=2, image_size=336, measured_every=2)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The painters as they are, on small frames, in this process."""
    monkeypatch.setattr(synthesis, "generate", partial(synthesis.generate, size=(160, 200)))
    alone(monkeypatch, dataset)


@pytest.mark.usefixtures("small")
def test_three_passes_make_records_and_what_is_there_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_data(tmp_path, PLAN, workers=1, library=False)
    train = read_split(tmp_path, "train")
    assert [record["seed"] for record in train.records] == [1_000_000, 1_000_001, 1_000_002]
    first, second, _ = (record["contexts"] for record in train.records)
    assert set(first[0]["levels"]) == set(LEVELS)
    assert "high" not in second[0]["levels"]  # not measured
    assert first[0]["levels"]["none"]["prefix"] == ""
    assert all(1 <= len(record["contexts"]) <= 2 for record in train.records)
    assert train.labels.shape == (3, 16)
    assert train.labels.sum(1).min() >= 1
    for split in ("test", "apart"):
        (record,) = read_split(tmp_path, split).records
        (context,) = record["contexts"]
        assert context["sample"] == record["sample"]  # its own, whatever triple it makes
        assert "high" in context["levels"]
    known = pictures.held_out()
    (apart,) = read_split(tmp_path, "apart").records
    assert known.holds(apart["ground"], frozenset(apart["present"]), apart["noise"])

    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.jsonl")}
    gone = dataset.contexts_path(tmp_path, "train", 0)
    text = gone.read_text("utf-8")
    gone.unlink()

    def never(*_: Any) -> None:
        raise AssertionError("painted again")

    monkeypatch.setattr(pictures, "paint", never)
    make_data(tmp_path, PLAN, workers=1, library=False)
    assert gone.read_text("utf-8") == text
    assert all(path.stat().st_mtime_ns == when for path, when in made.items() if path != gone)


def test_a_picture_without_contexts_is_seen_and_not_talked_about(tmp_path: Path) -> None:
    rows = [{"seed": 1, "present": ["crack"]}, {"seed": 2, "present": ["pore"]}]
    lines = [json.dumps(row) + "\n" for row in rows]
    (tmp_path / "train-000000.pictures.jsonl").write_text("".join(lines))
    asked = [{**rows[0], "contexts": []}, {**rows[1], "contexts": [{"sample": {}}]}]
    lines = [json.dumps(row) + "\n" for row in asked]
    (tmp_path / "train-000000.contexts.jsonl").write_text("".join(lines))
    assert [r["seed"] for r in read_pictures(tmp_path, "train").records] == [1, 2]
    assert [r["seed"] for r in read_split(tmp_path, "train").records] == [2]
    assert len(read_pictures(tmp_path, "train", limit=1)) == 1


@pytest.mark.usefixtures("small")
def test_training_and_validation_hold_no_held_triple_and_a_test_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = HeldTriples(one_in=2)  # so many that three pictures meet some
    monkeypatch.setattr(dataset, "HELD", half)
    plan = replace(PLAN, counts={"train": 3, "validation": 2, "test": 3}, measured_every=3)
    make_data(tmp_path, plan, workers=1, library=False)
    own = []
    for split in ("train", "validation"):
        for record in read_split(tmp_path, split).records:
            own.append(holds_out(record, half))
            for context in record["contexts"]:
                assert not holds_out(context, half)
    tests = read_split(tmp_path, "test").records
    own += [holds_out(record, half) for record in tests]
    assert any(own)  # or nothing was there to be held
    assert [dataset.triple_unseen(r) for r in tests] == [holds_out(r, half) for r in tests]


def test_no_seed_stands_in_two_splits() -> None:
    starts = sorted(dataset.FIRST_SEED.values())
    assert min(b - a for a, b in pairwise(starts)) >= 1_000_000
    assert {split for split, _, _ in PLAN.chunks()} <= set(dataset.FIRST_SEED)


def test_chunks_cover_every_picture_once() -> None:
    plan = DataPlan({"train": 120, "test": 50})
    assert list(plan.chunks()) == [
        ("train", 0, 50),
        ("train", 50, 50),
        ("train", 100, 20),
        ("test", 0, 50),
    ]


def changed(monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    """The fingerprint where the file of that name has one more line."""
    read = Path.read_bytes

    def more(path: Path) -> bytes:
        return read(path) + (b"\n# changed" if path.as_posix().endswith(name) else b"")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", more)
        return fingerprint(PLAN)


@pytest.mark.parametrize(
    "name",
    [
        "training/synthesis/cracks.py",
        "training/synthesis/samples.py",
        "training/synthesis/pool.py",
        "rules.csv",
        "features.csv",
        "training/embedded/pictures.py",
        "training/embedded/contexts.py",
    ],
)
def test_the_fingerprint_tells_other_sources(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert changed(monkeypatch, name) != fingerprint(PLAN)
    assert changed(monkeypatch, "no/such/file.py") == fingerprint(PLAN)


def test_the_fingerprint_tells_other_plans_and_knows_its_own() -> None:
    assert fingerprint(PLAN) == fingerprint(replace(PLAN))
    others = [
        replace(PLAN, counts={"train": 4}),
        replace(PLAN, contexts=3),
        replace(PLAN, look="plain"),
        replace(PLAN, measured_every=1),
    ]
    assert len({fingerprint(plan) for plan in [PLAN, *others]}) == len(others) + 1


def test_the_fingerprint_tells_another_passage_budget() -> None:
    assert fingerprint(replace(PLAN, passage_budget=600)) != fingerprint(PLAN)


def test_the_held_triples_of_the_lessons_are_those_of_the_contexts() -> None:
    assert HeldTriples() == contexts.HELD


@pytest.mark.usefixtures("small")
def test_data_of_another_plan_are_refused(tmp_path: Path) -> None:
    plan = replace(PLAN, counts={"train": 1})
    make_data(tmp_path, plan, workers=1, library=False)
    with pytest.raises(BadInput, match="another plan"):
        make_data(tmp_path, replace(plan, contexts=3), workers=1, library=False)
