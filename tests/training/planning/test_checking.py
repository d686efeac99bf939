"""Nonsense is refused in a sentence, before anything is planned by it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from glassllava.errors import BadInput
from training.planning.checking import WATCHED, check
from training.planning.plan import plan
from training.recipe import FromCheckpoint, Lora, TrainingRecipe
from training.recipes import RECIPES, lora_1xa100, paper_8xa100


def changed(**of_stage: Any) -> TrainingRecipe:
    recipe = paper_8xa100()
    return replace(recipe, stages=(replace(recipe.stages[0], **of_stage),))


@pytest.mark.parametrize(
    ("devices", "says"),
    [
        (0, "cannot have 0 devices"),
        (-1, "cannot have -1 devices"),
        (1_000_000, "cannot have 1000000 devices"),
        (64, "32 samples a step cannot be shared evenly by 64 devices"),
        (3, "32 samples a step cannot be shared evenly by 3 devices"),
    ],
)
def test_absurd_devices(devices: int, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        plan(paper_8xa100(), devices=devices)
    assert says in caught.value.what
    assert caught.value.remedy.endswith(".")


def test_the_remedy_for_an_uneven_batch_is_a_number_that_works() -> None:
    with pytest.raises(BadInput) as caught:
        plan(paper_8xa100(), devices=3)
    assert "1, 2, 4, 8, 16 or 32 devices" in caught.value.remedy


@pytest.mark.parametrize(
    ("of_stage", "says"),
    [
        ({"batch": 0}, "cannot have 0 samples"),
        ({"batch": -32}, "cannot have -32 samples"),
        ({"batch": 12}, "12 samples a step cannot be shared evenly by 8"),
        ({"batch": 32.0}, "cannot have 32.0 samples"),
        ({"epochs": 0}, "cannot have 0 epochs"),
        ({"epochs": -1.0}, "cannot have -1.0 epochs"),
        ({"epochs": math.nan}, "cannot have nan epochs"),
        ({"epochs": math.inf}, "cannot have inf epochs"),
        ({"epochs": 1e300}, "would never end"),
        ({"epochs": None, "steps": 10**12}, "would never end"),
        ({"batch": 8 * 10**9}, "more than the 4291 there are"),
        ({"epochs": None}, "in steps or in epochs"),
        ({"steps": 10}, "in steps or in epochs"),
        ({"epochs": None, "steps": 0}, "cannot have 0 steps"),
        ({"epochs": None, "steps": -5}, "cannot have -5 steps"),
        ({"rates": {}}, "trains nothing"),
        ({"rates": {"language_model": -1e-5}}, "rate of 'language_model' is -1e-05"),
        ({"rates": {"language_model": 0.0}}, "rate of 'language_model' is 0.0"),
        ({"rates": {"language_model": math.nan}}, "rate of 'language_model' is nan"),
        ({"rates": {"tongue": 1e-5}}, "no part 'tongue'"),
        ({"rates": {"lora_A": 1e-4}}, "the model has no adapters"),
        ({"watched": "beauty"}, "No check says the figure 'beauty'"),
        ({"watched": "", "patience": 3}, "without a figure to watch"),
        ({"patience": 0}, "patience of 0"),
        ({"warm_up": 1.5}, "A warm-up of 1.5"),
        ({"floor": -0.1}, "A floor of -0.1"),
        ({"weight_decay": -0.1}, "weight decay is -0.1"),
        ({"betas": (0.9, 1.0)}, "cannot have the betas"),
        ({"clip": 0.0}, "norm of 0.0"),
        ({"weights": ()}, "cannot have the weights"),
        ({"weights": (0.0,)}, "nothing would be learnt"),
        ({"weights": (1.0, -1.0)}, "cannot have the weights"),
        ({"check_every": 0}, "0 steps between checks"),
        ({"keep_every": -1}, "-1 steps between states"),
    ],
)
def test_nonsense_in_a_stage(of_stage: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        plan(changed(**of_stage))
    assert says in caught.value.what
    assert "end to end" in caught.value.where
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize(
    ("of_data", "says"),
    [
        ({"samples": 0}, "number of samples is 0"),
        ({"text_tokens": -1}, "number of text tokens of a sample is -1"),
        ({"longest": 0}, "number of tokens of a row is 0"),
        ({"rows": 0}, "number of rows of a pass is 0"),
        ({"asked": 0}, "number of questions at once in a check is 0"),
        ({"longest": 512}, "does not fit in a row of 512"),
    ],
)
def test_nonsense_in_the_data(of_data: dict[str, Any], says: str) -> None:
    recipe = paper_8xa100()
    with pytest.raises(BadInput) as caught:
        plan(replace(recipe, data=replace(recipe.data, **of_data)))
    assert says in caught.value.what


@pytest.mark.parametrize(
    ("of_hardware", "says"),
    [
        ({"memory_gb": 0}, "memory of a device"),
        ({"memory_gb": -8}, "memory of a device"),
        ({"memory_gb": math.nan}, "memory of a device"),
        ({"teraflops": 0}, "peak of a device"),
        ({"utilisation": 1.1}, "utilisation of 1.1"),
        ({"utilisation": 0}, "utilisation of 0"),
    ],
)
def test_nonsense_in_the_hardware(of_hardware: dict[str, Any], says: str) -> None:
    recipe = paper_8xa100()
    with pytest.raises(BadInput, match=says):
        plan(replace(recipe, hardware=replace(recipe.hardware, **of_hardware)))


@pytest.mark.parametrize(
    ("lora", "rates", "says"),
    [
        (Lora(), {"language_model": 1e-5}, "trained whole beside its adapters"),
        (Lora(rank=0), {"lora_A": 1e-4}, "cannot have the rank 0"),
        (Lora(dropout=1.0), {"lora_A": 1e-4}, "dropout of 1.0"),
        (Lora(targets=("c_attn",)), {"lora_A": 1e-4}, "no matrix 'c_attn'"),
        (Lora(targets=()), {"lora_A": 1e-4}, "adapt no matrix"),
    ],
)
def test_nonsense_in_adapters(lora: Lora, rates: dict[str, float], says: str) -> None:
    recipe = lora_1xa100()
    assert isinstance(recipe.start, FromCheckpoint)
    stage = replace(recipe.stages[0], rates=rates)
    with pytest.raises(BadInput, match=says):
        plan(replace(recipe, start=replace(recipe.start, lora=lora), stages=(stage,)))


@pytest.mark.parametrize("among", [0, -8, 3, 16, 2.0])
def test_groups_that_do_not_divide_the_devices(among: Any) -> None:
    with pytest.raises(BadInput, match="cannot be split into groups"):
        plan(paper_8xa100(), among=among)


@pytest.mark.parametrize("seed", [-1, 0.5, True])
def test_a_seed_that_is_none(seed: Any) -> None:
    with pytest.raises(BadInput, match="is no seed"):
        plan(replace(paper_8xa100(), seed=seed))


def test_a_recipe_without_stages_or_with_two_of_one_name() -> None:
    recipe = paper_8xa100()
    with pytest.raises(BadInput, match="has no stage"):
        plan(replace(recipe, stages=()))
    with pytest.raises(BadInput, match="Two stages are called 'end to end'"):
        plan(replace(recipe, stages=recipe.stages * 2))


def test_what_is_watched_is_what_checks_say() -> None:
    from training.conversations import checking as conversations

    assert isinstance(conversations.Checker.__call__.__doc__, str)
    for name in WATCHED:
        assert f"`{name}`" in conversations.Checker.__call__.__doc__


@pytest.mark.parametrize("name", RECIPES)
def test_every_known_recipe_makes_sense(name: str) -> None:
    recipe = RECIPES[name]()
    check(recipe, recipe.hardware.devices)
