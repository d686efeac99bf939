"""Training recipes as functions, named for the hardware they are made for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from glassllava.errors import BadInput
from training.embedded.dataset import DataPlan
from training.recipe import FromNothing, Hardware, LanguageSize, Stage, TrainingRecipe


def embedded_2cpu() -> TrainingRecipe:
    """The checkpoint that ships: about an hour on two processor cores."""
    return TrainingRecipe(
        name="embedded_2cpu",
        hardware=Hardware("two processor cores", devices=1, memory_gb=8, teraflops=0.1),
        seed=20261123,
        start=FromNothing(LanguageSize()),
        data=DataPlan({"validation": 300, "train": 2950, "calibration": 400, "test": 450}),
        stages=(
            Stage(
                "head",
                {"head": 1e-3},
                batch=64,
                epochs=30,
                weight_decay=0.1,
                watched="map",
                check_every=300,
                bf16=False,
            ),
            Stage(
                "tower",
                {"blocks": 4e-4, "head": 2e-3},
                batch=32,
                epochs=2,
                warm_up=0.1,
                weight_decay=0.05,
                watched="map",
                bf16=False,
            ),
            Stage(
                "language",
                {"multi_modal_projector": 1.2e-3, "language_model": 1.2e-3},
                batch=34,
                steps=800,
                weights=(8.0, 2.0, 0.5),
                warm_up=0.05,
                floor=0.05,
                weight_decay=0.05,
                betas=(0.9, 0.97),
                clip=2.0,
                check_every=200,
            ),
        ),
    )


RECIPES: Mapping[str, Callable[[], TrainingRecipe]] = {"embedded_2cpu": embedded_2cpu}


def named(name: str) -> TrainingRecipe:
    """The recipe of that name.

    Raises
    ------
    BadInput : for an unknown one.
    """
    if name not in RECIPES:
        raise BadInput(
            f"There is no training recipe '{name}'", remedy=f"Known: {', '.join(RECIPES)}."
        )
    return RECIPES[name]()
