"""Pictures made worse, and what is told of a model that was asked about them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from glassllava.model.scripted import Script, ScriptedModel
from training.evaluation import degrading
from training.evaluation.degrading import STEPS, Step, degraded
from training.evaluation.synthetic import synthetic_cases

GREY = np.random.default_rng(0).integers(0, 256, (96, 128)).astype(np.uint8)


def test_every_kind_takes_more_away_the_stronger_it_is() -> None:
    def detail(step: Step) -> float:
        picture = degraded(GREY, step).astype(float)
        return float(np.abs(np.diff(picture, axis=1)).mean()) * picture.size

    for kind in ("blur", "crop", "contrast", "pixels"):
        steps = [Step("as it was", 0), *(step for step in STEPS if step.kind == kind)]
        left = [detail(step) for step in steps]
        assert left == sorted(left, reverse=True), kind
        assert left[-1] < left[0]


def test_only_a_part_has_another_size_and_the_same_seed_gives_the_same() -> None:
    for step in STEPS:
        picture = degraded(GREY, step, seed=3)
        assert picture.dtype == np.uint8
        assert (picture.shape == GREY.shape) == (step.kind != "crop")
        assert np.array_equal(picture, degraded(GREY, step, seed=3))
    with pytest.raises(ValueError, match="no degradation"):
        degraded(GREY, Step("dust", 1))


def test_a_model_that_does_not_look_is_as_sure_as_before(tmp_path: Path) -> None:
    cases = synthetic_cases(2, tmp_path, 1, size=(96, 128))
    model = ScriptedModel(otherwise=Script(dict.fromkeys(cases[0].present, 0.9), verdict=0.2))
    steps = (STEPS[0], Step("blur", 8), Step("crop", 0.5))
    told = degrading.asked(model, cases, tmp_path / "worse", steps)
    assert list(told) == list(steps)
    assert all(rows.shape == (2, 2) for rows in told.values())
    assert [rows[0, 1] for rows in told.values()] == pytest.approx([0.9] * 3)
    made = degrading.figures(told)
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["steps"][1]["confidence"] == pytest.approx([0.8, 0.8, 0.8])
    assert made["steps"][1]["fall"] == pytest.approx([0.0, 0.0, 0.0])
    assert "| blur | 8 | 0.800 [0.800, 0.800] | 0.000" in degrading.page(made)
    assert not list((tmp_path / "worse").iterdir())  # nothing is left behind


@pytest.mark.proof
def test_the_shipped_checkpoint_is_less_sure_of_the_strongest_blur(tmp_path: Path) -> None:
    from glassllava.model.opening import open_model

    cases = synthetic_cases(24, tmp_path, 1)
    steps = (STEPS[0], max((s for s in STEPS if s.kind == "blur"), key=lambda s: s.strength))
    told = degrading.asked(open_model("embedded"), cases, tmp_path / "worse", steps)
    fall = degrading.figures(told)["steps"][1]["fall"]
    assert fall[0] > 0, fall
