"""The embedded stages: they learn, stop where the loss breaks, and a cut one resumes exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassllava.errors import BadInput
from glassllava.model.tower import Tower, TowerConfig
from training.checkpoint import Keeper
from training.embedded import making, seeing, start
from training.embedded.dataset import PARENTS, DataPlan, Split
from training.embedded.language import Lessons
from training.embedded.seeing import LABELS
from training.ranks import Ranks
from training.recipe import FromNothing, LanguageSize, LessonPlan, TrainingRecipe
from training.recipes import embedded_2cpu


def _split(count: int, seed: int) -> Split:
    """Pictures whose grey says whether there is a crack; one material in which it is a defect."""
    rng = np.random.default_rng(seed)
    records: list[dict[str, Any]] = []
    early = np.zeros((count, 112, 14, 14), np.float16)
    for i in range(count):
        cracked = i % 2 == 0
        early[i] = rng.normal(1.0 if cracked else -1.0, 0.2, (112, 14, 14))
        verdict = "defect" if cracked else "no_defect"
        levels = {
            level: {"prefix": f"Material: {level} glass.", "given": level, "passages": []}
            for level in ("none", "basic", "moderate", "high")
        }
        key = "crack_through" if cracked else "featureless_surface"
        truths = [{"key": key, "verdict": verdict, "reason": "loss of strength"}]
        context = {"defect": cracked, "truths": truths, "levels": levels}
        present = ["crack"] if cracked else ["clean"]
        records.append(
            {"seed": i, "present": present, "keys": [], "artefacts": [], "contexts": [context]}
        )
    return Split(records, early)


def _recipe(steps: int, check_every: int) -> TrainingRecipe:
    recipe = embedded_2cpu()
    lessons = LessonPlan(mixture={"none": 2, "high": 4}, first_steps=0)
    stage = replace(
        recipe.stage("language"),
        steps=steps,
        rates={"multi_modal_projector": 5e-3, "language_model": 5e-3},
        check_every=check_every,
        bf16=False,
    )
    return replace(
        recipe,
        data=DataPlan({}, image_size=224),
        start=FromNothing(LanguageSize(2, 32, 2, 400), lessons),
        stages=(*recipe.stages[:-1], stage),
    )


def _model(recipe: TrainingRecipe, work: Path, split: Split) -> tuple[Any, Any]:
    torch.manual_seed(0)
    processor = making.processor_of(recipe, split, work)
    model = start.make_llava(
        processor, layers=2, width=32, heads=2, labels=len(LABELS), image_size=224
    )
    model.model.vision_tower.load_state_dict(_tower(split).state_dict())
    return model, processor


def _tower(split: Split) -> Tower:
    torch.manual_seed(0)
    tower = Tower(TowerConfig(224, labels=len(LABELS)))
    for module in tower.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    # As the tower's own stage does: what it hands on has mean 0 and deviation 1.
    seeing.standardise(tower, split)
    return tower


def _run(recipe: TrainingRecipe, work: Path, train: Split | None = None) -> Any:
    work.mkdir(exist_ok=True)
    model, processor = _model(recipe, work, _split(16, 0))
    train = train or _split(16, 0)

    def keep(stage: str) -> Keeper:
        return Keeper(work / stage, Ranks(), {"of": "a test"})

    curve = making.teach_language(
        recipe, model, processor, train, _split(8, 1), keep, Ranks(), lambda _: None
    )
    return model, curve


def test_the_verdict_is_learnt_and_a_blank_picture_knows_nothing(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    _, curve = _run(_recipe(60, 60), tmp_path / "w")
    assert curve[-1]["high"] == 1.0
    assert curve[-1]["high blank"] <= 0.75


def test_a_cut_run_ends_like_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    recipe = _recipe(8, 4)
    whole, _ = _run(recipe, tmp_path / "whole")
    draw = Lessons.lessons_of_step

    def until_six(lessons: Lessons, step: int) -> Any:
        if step == 6:
            raise KeyboardInterrupt
        return draw(lessons, step)

    with monkeypatch.context() as patched:
        patched.setattr(Lessons, "lessons_of_step", until_six)
        with pytest.raises(KeyboardInterrupt):
            _run(recipe, tmp_path / "cut")
    resumed, curve = _run(recipe, tmp_path / "cut")
    assert [row["step"] for row in curve] == [0, 4, 8]
    for (name, a), (_, b) in zip(whole.named_parameters(), resumed.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def test_a_loss_that_is_not_a_number_stops_the_stage_and_names_the_samples(tmp_path: Path) -> None:
    train = _split(16, 0)
    train.early[3] = np.nan
    with pytest.raises(BadInput, match=r"seed 3.*not a number"):
        _run(_recipe(30, 30), tmp_path, train)


def test_the_tower_learns_to_see_and_ends_no_worse_than_it_began(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    recipe = _recipe(4, 4)
    train = _split(16, 0)
    stages = [replace(recipe.stage(name), batch=4) for name in ("head", "tower")]
    recipe = replace(recipe, stages=(*stages, recipe.stage("language")))

    def keep(stage: str) -> Keeper:
        return Keeper(tmp_path / stage, Ranks(), {"of": "a test"})

    told: list[str] = []
    tower, saw = making.teach_tower(
        recipe, train, _split(8, 1), keep, Ranks(), told.append, _tower(train)
    )
    assert saw["map_kept"] >= saw["map_frozen"] >= saw["curves"]["head"][0]["map"]
    assert saw["map_kept"] == 1.0
    assert not tower.training
    assert any("tower check" in line for line in told)


def test_lessons_follow_from_seed_and_step_alone(tmp_path: Path) -> None:
    recipe = _recipe(4, 4)
    split = _split(16, 0)
    model, processor = _model(recipe, tmp_path, split)
    assert isinstance(recipe.start, FromNothing)
    said = {"known": 16, "seed": 5, "image_size": 224}
    source, other = (
        Lessons(recipe.start.lessons, model, processor, split, split, **said) for _ in range(2)
    )
    assert source.lessons_of_step(3) == other.lessons_of_step(3)
    assert source.lessons_of_step(3) != source.lessons_of_step(4)


def test_every_parent_is_a_label_of_the_tower() -> None:
    assert LABELS[: len(PARENTS)] == PARENTS
    assert len(set(LABELS)) == len(LABELS)
