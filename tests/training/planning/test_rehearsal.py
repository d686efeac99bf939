"""The true 7B configuration through sharding, groups and checkpoint planning, without weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glassllava.errors import BadInput
from training.planning import memory
from training.planning.memory import Load
from training.planning.rehearsal import rehearse
from training.planning.tracking import track_step
from training.recipe import (
    ConversationPlan,
    FromCheckpoint,
    LanguageShape,
    Lora,
    Stage,
    TowerShape,
    TrainingRecipe,
)
from training.recipes import embedded_2cpu, lora_1xa100, paper_8xa100

TOWER = TowerShape(2, 48, 96, 4, 56, 14)
LANGUAGE = LanguageShape(2, 64, 160, 4, 2, 320)


def small(recipe: TrainingRecipe, lora: Lora | None = None) -> TrainingRecipe:
    return replace(recipe, start=FromCheckpoint("", "", TOWER, LANGUAGE, lora))


def test_a_small_model_over_three_devices() -> None:
    """Three divide neither 17 places nor 320 words evenly: shares differ, nothing is lost."""
    recipe = paper_8xa100()
    decaying = replace(recipe.stages[0], weight_decay=0.1, batch=6)

    (done,) = rehearse(small(replace(recipe, stages=(decaying,))), devices=3)

    assert done.complete
    assert done.parameters == done.counted
    assert len(set(done.held)) > 1
    steps = 4 * sum(group.tensors for group in done.groups)
    assert sum(done.held) == 4 * done.parameters + 8 * done.trained + 3 * steps
    # As a run keeps it: what is trained and its moments, never the frozen rest.
    assert sum(done.written) == done.whole == 12 * done.trained + steps
    assert {group.decay for group in done.groups} == {0.0, 0.1}
    assert sum(group.parameters for group in done.groups) == done.trained


def test_adapters_on_one_device_and_on_two() -> None:
    recipe = small(lora_1xa100(), Lora(rank=2))
    (alone,), (two,) = rehearse(recipe, devices=1), rehearse(recipe, devices=2)

    assert alone.complete
    assert two.complete
    steps = 4 * sum(group.tensors for group in alone.groups)
    assert alone.whole == two.whole == 12 * alone.trained + steps
    assert {group.rate for group in alone.groups} == {2e-4, 2e-5}


def test_a_lost_share_is_noticed() -> None:
    (done,) = rehearse(small(paper_8xa100()), devices=2)
    assert done.complete
    assert not replace(done, written=(done.written[0], 0)).complete
    assert not replace(done, counted=done.counted + 1).complete


def test_a_stage_of_a_part_that_is_not_there() -> None:
    recipe = small(paper_8xa100())
    stage = replace(recipe.stages[0], rates={"mouth": 1e-5})
    with pytest.raises(BadInput, match="'mouth'"):
        rehearse(replace(recipe, stages=(stage,)), devices=2)
    # and the world is left in order
    assert rehearse(recipe, devices=2)[0].complete


def test_what_starts_from_nothing_is_not_rehearsed() -> None:
    with pytest.raises(BadInput, match="starts from a checkpoint"):
        rehearse(embedded_2cpu())


def predicted(load: Load) -> float:
    """What the plan counts of what the tracker sees: no moments, no libraries, no fragments."""
    parts = memory.step_parts(load)
    return sum(size for name, size in parts.items() if name != "AdamW's moments")


@pytest.mark.proof
def test_a_small_step_takes_what_the_plan_says() -> None:
    """Wide enough for its layers to outweigh what is not counted (positions, indices)."""
    tower = TowerShape(1, 64, 128, 4, 56, 14)
    language = LanguageShape(4, 512, 1408, 8, 8, 1000)
    start = FromCheckpoint("", "", tower, language)
    stage = Stage(
        "s",
        {"multi_modal_projector": 1e-5, "language_model": 1e-5, "lm_head": 1e-5},
        batch=4,
        epochs=1,
    )
    for tokens in (512, 2048):
        load = Load(start, ConversationPlan(8, 50, longest=tokens, rows=1), stage, 4)
        seen = track_step(start, stage, 4, tokens)
        assert predicted(load) == pytest.approx(seen["total"], rel=0.15), tokens


@pytest.mark.proof
def test_the_papers_model_on_eight_devices() -> None:
    """Sharding, the optimiser's groups and DCP's planner, rank after rank, on the meta device."""
    (done,) = rehearse(paper_8xa100())

    assert done.parameters == done.counted == 7_063_427_072
    assert done.trained == 6_759_919_616
    # 12 bytes a trained parameter, spread over 8, and a step of each
    assert done.whole == 12 * 6_759_919_616 + 4 * sum(group.tensors for group in done.groups)
    assert sum(done.written) == done.whole
    assert max(done.written) == pytest.approx(done.whole / 8, rel=1e-3)
    assert done.complete
    rates = {group.rate for group in done.groups}
    assert rates == {1e-5}
    assert sum(group.parameters for group in done.groups) == done.trained


@pytest.mark.proof
def test_a_step_of_the_papers_width_takes_what_the_plan_says() -> None:
    """Eight of the 32 layers, at the true width: layers are alike, and the time is theirs.

    All 32 with 8192 tokens were tracked once: see docs/decisions/2026-11-28-recipes.md.
    """
    recipe = paper_8xa100()
    assert isinstance(recipe.start, FromCheckpoint)
    language = replace(recipe.start.language, layers=8)
    start = replace(recipe.start, language=language)
    load = Load(
        start, ConversationPlan(4291, 200, longest=4096, rows=1), recipe.stages[0], devices=8
    )

    seen = track_step(start, recipe.stages[0], 8, 4096)

    assert seen["sharded grad"] == memory.states(load)["gradients"]
    assert predicted(load) == pytest.approx(seen["total"], rel=0.1)
    assert predicted(load) >= seen["total"]
