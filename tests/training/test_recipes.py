"""Recipes: known by name, told apart by what decides, and faithful to what the paper says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from glassllava.errors import BadInput
from training.embedded.dataset import DataPlan
from training.loop import part_of
from training.recipe import ConversationPlan, FromCheckpoint, FromNothing, Stage
from training.recipes import (
    RECIPES,
    embedded_2cpu,
    lora_1xa100,
    named,
    paper_8xa100,
    qwen3_8xa100,
)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_known_by_its_name_and_goes_into_a_card(name: str) -> None:
    recipe = named(name)
    assert recipe.name == name
    assert json.loads(json.dumps(recipe.to_json()))["name"] == name


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(BadInput) as caught:
        named("paper_9xa100")
    for name in RECIPES:
        assert name in caught.value.remedy


def test_the_papers_figures() -> None:
    recipe = paper_8xa100()
    (stage,) = recipe.stages
    assert isinstance(recipe.data, ConversationPlan)
    assert recipe.data.samples == 4291
    assert (stage.epochs, stage.batch, recipe.hardware.devices) == (28, 4 * 8, 8)
    assert set(stage.rates.values()) == {1e-5}
    assert (stage.floor, stage.check_every) == (0.0, None)  # a whole half cosine; once an epoch


@pytest.mark.parametrize("make", [paper_8xa100, lora_1xa100, qwen3_8xa100])
def test_fine_tuning_is_watched_with_its_licence_known(make) -> None:
    recipe = make()
    assert isinstance(recipe.start, FromCheckpoint)
    assert recipe.start.licence
    assert recipe.notes
    for stage in recipe.stages:
        assert stage.watched == "answers"
    assert recipe.stages[-1].patience


@pytest.mark.parametrize("make", [paper_8xa100, lora_1xa100, qwen3_8xa100])
def test_the_rates_reach_the_parts_they_name_and_the_tower_stays(make) -> None:
    """On a model of the recipe's own kind, in small: every stage trains all that it means to."""
    from training.loop import make_optimiser
    from training.planning.rehearsal import empty_model
    from training.recipe import LanguageShape, Lora, TowerShape

    recipe = make()
    start = recipe.start
    small = replace(
        start,
        tower=replace(TowerShape(2, 48, 96, 4, 56, 14), family=start.tower.family),
        language=replace(
            LanguageShape(2, 64, 160, 4, 2, 320), normed_heads=start.language.normed_heads
        ),
        lora=None if start.lora is None else Lora(rank=2),
    )
    model = empty_model(small)
    for stage in recipe.stages:
        make_optimiser(model, stage)
        trained = {name for name, p in model.named_parameters() if p.requires_grad}
        frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
        assert {part_of(name, stage.rates) for name in trained} == set(stage.rates)
        assert all("vision_tower" not in name for name in trained)
        assert any("vision_tower" in name for name in frozen)
        if start.lora is not None:
            assert not any("base_layer" in name for name in trained)


def test_the_embedded_rates_reach_the_parts_of_the_tower_that_they_name() -> None:
    """Places are learnt on frozen blocks; edges and what standardises are never trained."""
    from glassllava.model.tower import Tower, TowerConfig
    from training.loop import make_optimiser

    recipe = embedded_2cpu()
    assert [stage.name for stage in recipe.stages] == ["places", "tower", "head", "language"]
    tower = Tower(TowerConfig(336))
    for name, parts in (
        ("places", {"dense", "glance"}),
        ("tower", {"deep", "dense", "glance"}),
        ("head", {"head"}),
    ):
        make_optimiser(tower, recipe.stage(name))
        trained = {n.split(".")[0] for n, p in tower.named_parameters() if p.requires_grad}
        frozen = {n.split(".")[0] for n, p in tower.named_parameters() if not p.requires_grad}
        assert trained == parts == set(recipe.stage(name).rates)
        assert {"stem", "shallow", "shift", "scale"} <= frozen
        assert not trained & frozen


def test_the_embedded_stages_weigh_every_kind_that_their_sources_tell_apart() -> None:
    from training.embedded.language import Lessons
    from training.embedded.seeing import Scored, Views

    recipe = embedded_2cpu()
    sources = {"places": Views, "tower": Views, "head": Scored, "language": Lessons}
    for stage in recipe.stages:
        assert len(stage.weights) == len(sources[stage.name].kinds)


def test_the_embedded_recipe_looks_at_whole_tokens_and_keeps_pictures_for_its_head() -> None:
    from training.embedded.dataset import FIRST_SEED

    recipe = embedded_2cpu()
    assert isinstance(recipe.data, DataPlan)
    assert isinstance(recipe.start, FromNothing)
    assert recipe.data.image_size % 336 == 0
    assert set(recipe.data.counts) <= set(FIRST_SEED)
    # The head, and half of the lessons, are on what the tower never learned from.
    assert recipe.start.seen < recipe.data.counts["train"]
    assert recipe.stage("head").batch <= recipe.data.counts["train"] - recipe.start.seen


def test_notes_decide_nothing_and_everything_else_does() -> None:
    recipe = paper_8xa100()
    assert replace(recipe, notes=()).sha256 == recipe.sha256
    assert replace(recipe, seed=1).sha256 != recipe.sha256
    stage = replace(recipe.stages[0], epochs=27)
    assert replace(recipe, stages=(stage,)).sha256 != recipe.sha256


@pytest.mark.parametrize(
    ("epochs", "an_epoch", "steps"),
    [(28, 4291 / 32, 3755), (1, 134, 134), (3, 10.0, 30), (0.5, 7, 4), (1e-9, 10, 1)],
)
def test_epochs_have_no_seam(epochs: float, an_epoch: float, steps: int) -> None:
    stage = Stage("s", {"a": 1.0}, batch=1, epochs=epochs)
    assert stage.steps_of(an_epoch) == steps


def test_conversations_have_the_steps_that_the_plan_says() -> None:
    """The loop asks its source; the plan asks nobody: both say the same."""
    from training.planning.plan import plan

    recipe = paper_8xa100()
    (stage,) = recipe.stages
    assert stage.steps_of(4291 / stage.batch) == plan(recipe).steps == 3755
