"""The language stage: it learns, it stops where the loss breaks, and a cut run resumes exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassllava.errors import BadInput
from training import loop
from training.embedded import seeing, start
from training.embedded.dataset import PARENTS, Split
from training.embedded.seeing import LABELS
from training.recipe import LanguagePlan, LanguageSize
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


def _recipe(steps: int, check_every: int) -> Any:
    plan = LanguagePlan(
        steps=steps,
        mixture={"none": 2, "high": 4},
        first_steps=0,
        rate=5e-3,
        warm_up=2,
        check_every=check_every,
        bf16=False,
    )
    recipe = embedded_2cpu()
    data = replace(recipe.data, image_size=224)
    return replace(recipe, language=plan, data=data, size=LanguageSize(2, 32, 2, 400))


def _model(recipe: Any, work: Path, split: Split) -> tuple[Any, Any]:
    torch.manual_seed(0)
    processor = loop.processor_stage(recipe, split, work)
    model = start.make_llava(
        processor, layers=2, width=32, heads=2, labels=len(LABELS), image_size=224
    )
    tower = model.model.vision_tower
    for module in tower.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    # As the tower's own stage does: what it hands on has mean 0 and deviation 1.
    seeing.standardise(tower, split)
    return model, processor


def _run(recipe: Any, work: Path, said: list[str], stop_at: int | None = None) -> Any:
    work.mkdir(exist_ok=True)
    train, validation = _split(16, 0), _split(8, 1)
    model, processor = _model(recipe, work, train)

    def log(line: str) -> None:
        said.append(line)
        if stop_at is not None and line.startswith(f"step {stop_at + 1}"):
            raise KeyboardInterrupt

    curve = loop.language_stage(recipe, model, processor, train, validation, work, log)
    return model, curve


def test_the_verdict_is_learnt_and_a_blank_picture_knows_nothing(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    _, curve = _run(_recipe(60, 60), tmp_path / "w", [])
    assert curve[-1]["high"] == 1.0
    assert curve[-1]["high blank"] <= 0.75


def test_a_cut_run_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    recipe = _recipe(8, 4)
    whole, _ = _run(recipe, tmp_path / "whole", [])

    cut = tmp_path / "cut"
    cut.mkdir()
    train, validation = _split(16, 0), _split(8, 1)
    model, processor = _model(recipe, cut, train)
    steps = loop.lessons_of_step

    def until_six(recipe: Any, step: int, *rest: Any) -> Any:
        if step == 6:
            raise KeyboardInterrupt
        return steps(recipe, step, *rest)

    loop.lessons_of_step = until_six
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.language_stage(recipe, model, processor, train, validation, cut, lambda _: None)
    finally:
        loop.lessons_of_step = steps
    resumed, curve = _run(recipe, cut, [])
    assert [row["step"] for row in curve] == [4, 8]
    for (name, a), (_, b) in zip(whole.named_parameters(), resumed.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def test_a_loss_that_is_not_a_number_stops_the_stage(tmp_path: Path) -> None:
    recipe = _recipe(4, 4)
    train = _split(16, 0)
    train.early[:] = np.nan
    model, processor = _model(recipe, tmp_path, train)
    with pytest.raises(BadInput, match="not a number"):
        loop.language_stage(recipe, model, processor, train, _split(8, 1), tmp_path, lambda _: None)
    assert not (tmp_path / "language.safetensors").exists()


def test_lessons_follow_from_seed_and_step_alone(tmp_path: Path) -> None:
    recipe = _recipe(4, 4)
    split = _split(16, 0)
    processor = loop.processor_stage(recipe, split, tmp_path)
    teacher = loop.Teacher(loop.Wording(processor))
    one = loop.lessons_of_step(recipe, 3, split, teacher)
    other = loop.lessons_of_step(recipe, 3, split, teacher)
    assert one == other
    assert one != loop.lessons_of_step(recipe, 4, split, teacher)


def test_every_parent_is_a_label_of_the_tower() -> None:
    assert LABELS[: len(PARENTS)] == PARENTS
    assert len(set(LABELS)) == len(LABELS)
