"""Changes to a recipe from the command line."""

from __future__ import annotations

import pytest

from glassllava.errors import BadInput
from training.adjusting import adjusted
from training.recipes import embedded_2cpu


def test_every_kind_of_value_finds_its_place() -> None:
    made = adjusted(
        embedded_2cpu(),
        [
            "seed=3",
            "language.steps=7",
            "language.rates.language_model=1",
            "language.bf16=false",
            "language.watched=high",
            "language.weights=[1, 2, 3]",
            "head.epochs=2",
            "tower.steps=5",
            "head.check_every=none",
            "start.size.layers=2",
        ],
    )
    stage = made.stage("language")
    assert (made.seed, stage.steps, stage.rates["language_model"]) == (3, 7, 1.0)
    assert isinstance(stage.rates["language_model"], float)
    assert stage.rates["multi_modal_projector"] == 1.2e-3
    assert (stage.bf16, stage.watched, stage.weights) == (False, "high", (1, 2, 3))
    assert made.stage("head").epochs == 2.0
    assert made.stage("head").check_every is None
    assert (made.stage("tower").steps, made.stage("tower").epochs) == (5, None)
    assert made.start.size.layers == 2  # type: ignore[union-attr]
    assert embedded_2cpu().seed != 3


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("language.stepz=3", "Did you mean 'steps'"),
        ("langage.steps=3", "Did you mean 'language'"),
        ("language.steps=many", "takes a whole number or none"),
        ("language.bf16=1", "takes true or false"),
        ("language.steps", "is no change of a recipe"),
        ("language=3", "has no value"),
        ("seed.part=3", "has no parts"),
    ],
)
def test_what_does_not_fit_is_said(change: str, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        adjusted(embedded_2cpu(), [change])
