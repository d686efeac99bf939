"""Micrographs are written, read back and put into words; other contexts are judged by the rules."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from glassllava.sample import LEVELS, Sample
from training.embedded import dataset
from training.embedded.dataset import DataPlan, judged_again, make_data, other_contexts, read_split
from training.synthesis import Plan, generate


def test_a_chunk_holds_records_and_early_features(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    plan = DataPlan({"train": 2}, contexts=2, image_size=224, measured_every=2)
    dataset._make_chunk(tmp_path, plan, False, ("train", 0, 2))
    split = read_split(tmp_path, "train")
    assert split.early.shape == (2, 112, 14, 14)
    assert split.early.dtype == np.float16
    first, second = split.records
    assert set(first["contexts"][0]["levels"]) == set(LEVELS)
    assert "high" not in second["contexts"][0]["levels"]  # not measured
    assert first["contexts"][0]["levels"]["none"]["prefix"] == ""
    assert split.labels.sum(1).min() >= 1
    # Chunks that are there are not made again.
    made = (tmp_path / "train-000000.jsonl").stat().st_mtime_ns
    make_data(tmp_path, plan, workers=1, library=False)
    assert (tmp_path / "train-000000.jsonl").stat().st_mtime_ns == made


def test_the_context_turns_the_verdict() -> None:
    scene = generate(5, plan=Plan(features=("devitrification",), artefacts=()), size=(128, 128))
    bad = judged_again(scene, Sample(material="float glass"))
    assert bad.defect is True
    unknown = judged_again(scene, Sample())
    assert unknown.defect is not True
    assert bad.pixels is scene.pixels


def test_other_contexts_are_mostly_decided() -> None:
    scene = generate(9, plan=Plan(features=("bubble",), artefacts=()), size=(128, 128))
    found = other_contexts(scene, 6, np.random.default_rng(0))
    assert len(found) >= 3
    assert {True, False} & {other.defect for other in found}
    assert all(other.sample != scene.sample for other in found)


def test_no_seed_stands_in_two_splits() -> None:
    starts = sorted(dataset.FIRST_SEED.values())
    assert min(b - a for a, b in pairwise(starts)) >= 1_000_000
