"""The embedded stages: they learn, stop where the loss breaks, and a cut one resumes exactly."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassllava.errors import BadInput
from glassllava.model import processing
from glassllava.model.tower import Tower
from tests.training.embedded.drawn import SIDE, keep_pictures, loud_tower, pictures_of
from training.checkpoint import Keeper
from training.embedded import making, seeing, start
from training.embedded.dataset import DataPlan, Split
from training.embedded.language import Lessons
from training.embedded.looking import Looked
from training.embedded.pictures import LABELS
from training.ranks import Ranks
from training.recipe import FromNothing, LanguageSize, LessonPlan, TrainingRecipe
from training.recipes import embedded_2cpu


def _splits(work: Path) -> tuple[Split, Split]:
    """Training and validation; a bright stripe is a crack, and a crack is a defect."""
    return keep_pictures(work / "data", "train", 16), keep_pictures(work / "data", "validation", 8)


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
        data=DataPlan({}, image_size=SIDE),
        start=FromNothing(LanguageSize(2, 32, 2, 400), lessons),
        stages=(*recipe.stages[:-1], stage),
    )


@cache
def _processor() -> Any:
    """Its tokenizer takes seconds: one for all tests."""
    with tempfile.TemporaryDirectory() as work:
        return making.processor_of(_recipe(1, 1), _splits(Path(work))[0], Path(work))


def _model(tower: Tower) -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = start.make_llava(
        _processor(), layers=2, width=32, heads=2, labels=len(LABELS), image_size=SIDE
    )
    model.model.vision_tower.load_state_dict(tower.state_dict())
    return model, _processor()


def _tower(train: Split) -> Tower:
    """As the tower's own stages do: what it hands on has mean 0 and deviation 1."""
    tower = loud_tower()
    seeing.standardise(tower, train.folder, train.records, SIDE)
    return tower


@torch.inference_mode()
def _looked(tower: Tower, splits: Sequence[Split]) -> tuple[Looked, Looked]:
    """What `looking.look_at` keeps, without its processes and in 32 bits."""
    found = []
    for split in splits:
        squares = [processing.letterbox(picture, SIDE) for picture in pictures_of(split)]
        pixels = torch.from_numpy(np.stack(squares).astype(np.float32))[:, None]
        seen = [tower.seen(seeing.as_seen(one[None])) for one in pixels]
        cells, pooled = (torch.cat([each[i] for each in seen]) for i in (0, 1))
        found.append(Looked(cells.half().numpy(), pooled.numpy()))
    return found[0], found[1]


def _run(recipe: TrainingRecipe, work: Path, broken: int | None = None) -> Any:
    work.mkdir(exist_ok=True)
    splits = _splits(work)
    tower = _tower(splits[0])
    looked = _looked(tower, splits)
    if broken is not None:
        looked[0].cells[broken] = np.nan
    model, processor = _model(tower)

    def keep(stage: str) -> Keeper:
        return Keeper(work / stage, Ranks(), {"of": "a test"})

    curve = making.teach_language(
        recipe, model, processor, splits, looked, keep, Ranks(), lambda _: None
    )
    return model, curve


def test_the_verdict_is_learnt_and_a_blank_picture_knows_nothing(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    _, curve = _run(_recipe(160, 160), tmp_path / "w")
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
    with pytest.raises(BadInput, match=r"seed 3.*not a number"):
        _run(_recipe(30, 30), tmp_path, broken=3)


def test_the_tower_learns_to_see_and_ends_no_worse_than_it_began(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    recipe = _recipe(4, 4)
    train, validation = splits = _splits(tmp_path)
    short = [replace(recipe.stage(n), batch=2, steps=2, bf16=False) for n in ("places", "tower")]
    head = replace(recipe.stage("head"), batch=4, steps=80, check_every=10, rates={"head": 1e-2})
    recipe = replace(recipe, stages=(*short, head, recipe.stage("language")))

    def keep(stage: str) -> Keeper:
        return Keeper(tmp_path / stage, Ranks(), {"of": "a test"})

    told: list[str] = []
    begun = _tower(train)
    before = {name: value.clone() for name, value in begun.state_dict().items()}
    tower, saw = making.teach_tower(recipe, train, validation, keep, Ranks(), told.append, begun)
    curves = saw["curves"]
    assert saw["map_frozen"] >= curves["places"][0]["map"]
    # The second stage goes on from the best state of the first.
    assert curves["tower"][0]["map"] == saw["map_frozen"]
    assert saw["map_tower"] >= saw["map_frozen"]
    assert saw["fine_tuned"] == (saw["map_tower"] > saw["map_frozen"])
    assert not tower.training
    assert any("tower check" in line for line in told)
    # Edges stay as ImageNet taught them, and what standardises stays too.
    for name, value in tower.state_dict().items():
        if name.split(".")[0] in ("stem", "shallow", "shift", "scale", "head"):
            assert torch.equal(value, before[name]), name

    looked = _looked(tower, splits)
    seen = making.teach_head(recipe, tower, splits, looked, keep, Ranks(), told.append)
    assert seen["map_kept"] == 1.0
    assert not torch.equal(tower.head.weight, before["head.weight"])


def test_lessons_follow_from_seed_and_step_alone(tmp_path: Path) -> None:
    recipe = _recipe(4, 4)
    splits = _splits(tmp_path)
    tower = _tower(splits[0])
    looked = _looked(tower, splits)
    model, processor = _model(tower)
    assert isinstance(recipe.start, FromNothing)
    said = {"known": 16, "seed": 5, "image_size": SIDE}
    source, other = (
        Lessons(recipe.start.lessons, model, processor, *splits, looked, **said) for _ in range(2)
    )
    assert source.lessons_of_step(3) == other.lessons_of_step(3)
    assert source.lessons_of_step(3) != source.lessons_of_step(4)


def test_lessons_are_on_what_the_tower_said_of_their_own_picture(tmp_path: Path) -> None:
    """Kept tokens, by row, are what the whole model works out from the picture's pixels."""
    splits = _splits(tmp_path)
    tower = _tower(splits[0])
    model, processor = _model(tower)
    recipe = _recipe(4, 4)
    assert isinstance(recipe.start, FromNothing)
    source = Lessons(
        recipe.start.lessons,
        model,
        processor,
        *splits,
        _looked(tower, splits),
        known=16,
        seed=5,
        image_size=SIDE,
    )
    (batch, *_) = source.batches(0, 0, 1)
    pictures = list(pictures_of(splits[0]))
    for row in batch.rows:
        square = processing.letterbox(pictures[row], SIDE)
        values = processing.pixel_values(processor, [square])
        with torch.inference_mode():
            seen = model.model.vision_tower(values).last_hidden_state[0].numpy()
        assert np.allclose(source._tokens[row], seen, atol=0.02, rtol=0.02)
