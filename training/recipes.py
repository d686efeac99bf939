"""Training recipes as functions, named for the hardware they are made for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from glassllava.errors import BadInput
from training.embedded.dataset import DataPlan
from training.embedded.seeing import SeeingPlan
from training.recipe import LanguagePlan, LanguageSize, TrainingRecipe


def embedded_2cpu() -> TrainingRecipe:
    """The checkpoint that ships: about an hour on two processor cores."""
    return TrainingRecipe(
        name="embedded_2cpu",
        hardware="two processor cores",
        seed=20261123,
        data=DataPlan({"validation": 300, "train": 2950, "calibration": 400, "test": 450}),
        seeing=SeeingPlan(),
        size=LanguageSize(),
        language=LanguagePlan(),
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
