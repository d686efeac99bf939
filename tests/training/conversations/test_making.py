"""Fine-tuning end to end by the command: it learns to see, goes on after a cut, and refuses."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassllava.conversation import read_conversations, write_conversations
from glassllava.errors import BadInput, GlassError, ModelUnavailable, UnreadableMicrograph
from glassllava.model.opening import load_weights
from glassview.cli import main
from tests.training.conversations import tiny
from training import recipes
from training.conversations import making
from training.journal import Log
from training.ranks import Ranks
from training.recipe import (
    ConversationPlan,
    FromCheckpoint,
    Hardware,
    LanguageShape,
    Lora,
    Stage,
    TowerShape,
    TrainingRecipe,
)


def _recipe(**said: Any) -> TrainingRecipe:
    return TrainingRecipe(
        name="test",
        hardware=Hardware("one core", 1, 1, 0.01),
        seed=0,
        start=FromCheckpoint(
            "",
            "Apache-2.0",
            TowerShape(2, 32, 64, 2, 28, 14),
            LanguageShape(2, 48, 96, 4, 4, 380),
            **said,
        ),
        data=ConversationPlan(40, 40, longest=128, rows=4, checkpointed=False),
        stages=(
            Stage(
                "projector",
                {"multi_modal_projector": 3e-3},
                batch=20,
                steps=4,
                check_every=4,
                bf16=False,
            ),
            Stage(
                "all",
                {"multi_modal_projector": 6e-3, "language_model": 6e-3, "lm_head": 6e-3},
                batch=20,
                epochs=10,
                check_every=10,
                watched="defect",
                patience=3,
                bf16=False,
            ),
        ),
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.RECIPES, "test", _recipe)
    torch.set_num_threads(1)


def _words(base: Path, data: Path, folder: Path, *more: str) -> list[str]:
    return [
        *("train", "test", "--data", str(data), "--images", str(data.parent / "images")),
        *("--base", str(base), "-o", str(folder / "out"), "--work", str(folder / "work"), *more),
    ]


def test_the_command_teaches_what_only_the_picture_tells(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tiny.write_data(tmp_path)
    assert main(_words(base, data, tmp_path, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    curve = told["checks"]["all"]
    best = max(curve, key=lambda row: row["defect"])
    assert curve[0]["defect"] < 0.8
    assert best["defect"] >= 0.95
    assert best["defect blank"] == 0.5
    # What was exported says the same as what was watched.
    from glassllava.model.opening import open_checkpoint

    backend: Any = open_checkpoint(tmp_path / "out", "out")
    assert backend.identity.licence
    assert not (tmp_path / "out" / "calibration.json").exists()
    first_best = next(row["step"] for row in curve if row["defect"] == best["defect"])
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert (
        f"| defect blank, validation, generated, after step {first_best} of 'all' | 0.500 |" in card
    )


def _make(
    recipe: TrainingRecipe, base: Path, data: Path, folder: Path, log: Log = lambda _: None
) -> Any:
    return making.make_llava(
        recipe,
        [data],
        data.parent / "images",
        folder / "out",
        folder / "work",
        ranks=Ranks(),
        log=log,
        base=str(base),
    )


def _weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    made: dict[str, torch.Tensor] = load_weights(checkpoint, torch.float32).state_dict()
    return made


def _short(recipe: TrainingRecipe, **said: Any) -> TrainingRecipe:
    stages = [replace(s, steps=4, check_every=2, patience=None) for s in recipe.stages]
    return replace(recipe, stages=tuple(replace(s, **said) for s in stages))


def test_a_cut_run_ends_like_an_undisturbed_one(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.conversations.source import Conversations

    data = tiny.write_data(tmp_path, 20, 4)
    recipe = _short(_recipe())
    _make(recipe, base, data, tmp_path / "whole")
    drawn = Conversations.batches

    def until_three(source: Conversations, step: int, rank: int, world: int) -> Any:
        if step == 3 and "answers" in source.kinds and source._vision is not None:
            raise KeyboardInterrupt
        return drawn(source, step, rank, world)

    with monkeypatch.context() as patched:
        patched.setattr(Conversations, "batches", until_three)
        with pytest.raises(KeyboardInterrupt):
            _make(recipe, base, data, tmp_path / "cut")
    _make(recipe, base, data, tmp_path / "cut")
    whole, cut = _weights(tmp_path / "whole" / "out"), _weights(tmp_path / "cut" / "out")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_adapters_and_projector_learn_and_are_worked_in(base: Path, tmp_path: Path) -> None:
    data = tiny.write_data(tmp_path, 20, 4)
    rates = {"multi_modal_projector": 1e-2, "lora_A": 1e-2, "lora_B": 1e-2}
    recipe = _short(_recipe(lora=Lora(rank=4, alpha=8, dropout=0.0)), rates=rates)
    _make(recipe, base, data, tmp_path)
    before = _weights(base)
    after = _weights(tmp_path / "out")
    assert set(after) == set(before)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert any("projector" in name for name in changed)
    assert any("language_model" in name and "q_proj" in name for name in changed)
    assert not any("vision" in name or "embed" in name for name in changed)


def test_a_tower_that_is_trained_is_looked_through_anew(base: Path, tmp_path: Path) -> None:
    data = tiny.write_data(tmp_path, 20, 4)
    recipe = _recipe()
    first, last = recipe.stages
    both = replace(last, rates={**last.rates, "vision_tower": 1e-3})
    recipe = _short(replace(recipe, stages=(first, both)))
    _make(recipe, base, data, tmp_path)
    assert len(list((tmp_path / "work" / "features").glob("*/*.npy"))) == 20
    after, before = _weights(tmp_path / "out"), _weights(base)
    assert any("vision" in n and not torch.equal(after[n], before[n]) for n in after)


def test_kept_features_and_live_pixels_learn_alike(base: Path, tmp_path: Path) -> None:
    data = tiny.write_data(tmp_path, 20, 4)
    recipe = _short(_recipe())
    recipe = replace(recipe, stages=recipe.stages[1:])
    live = replace(recipe, data=replace(recipe.data, cached_vision=False))
    kept = _make(recipe, base, data, tmp_path / "kept")
    same = _make(live, base, data, tmp_path / "live")
    assert not (tmp_path / "live" / "work" / "features").exists()
    one, other = _weights(tmp_path / "kept" / "out"), _weights(tmp_path / "live" / "out")
    assert max(float((one[n] - other[n]).abs().max()) for n in one) <= 2e-2
    assert kept["all"][-1].keys() == same["all"][-1].keys()


def _refused(base: Path, data: Path, folder: Path, kind: type[GlassError], match: str) -> None:
    with pytest.raises(kind, match=match):
        _make(_short(_recipe()), base, data, folder)
    assert not (folder / "work" / "projector").exists()


def test_corrupt_missing_and_outside_pictures_are_named_before_the_first_step(
    base: Path, tmp_path: Path
) -> None:
    data = tiny.write_data(tmp_path, 6, 4)
    picture = tmp_path / "images" / "p0_003.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:200])
    _refused(base, data, tmp_path, UnreadableMicrograph, r"conversation 'train-p0_003.png'")
    (tmp_path / "images" / "p0_004.png").unlink()
    _refused(base, data, tmp_path, BadInput, r"'train-p0_003.png'.*the others: train-p0_004.png")
    picture.write_bytes(whole)
    made = list(read_conversations(data))
    write_conversations(data, [replace(made[0], image="../../etc/passwd"), *made[1:4], *made[6:]])
    _refused(base, data, tmp_path, BadInput, r"'train-p0_000.png'.*outside of the folder")
    for name in ("a\0b.png", "n" * 300):
        write_conversations(data, [replace(made[0], image=name), *made[1:4], *made[6:]])
        _refused(base, data, tmp_path, BadInput, r"'train-p0_000.png'.*name of the picture is none")


def test_a_split_that_is_missing_and_names_that_are_double_are_refused(
    base: Path, tmp_path: Path
) -> None:
    data = tiny.write_data(tmp_path, 6, 4)
    made = list(read_conversations(data))
    write_conversations(data, made[:6])
    _refused(base, data, tmp_path, BadInput, "No conversation has the split 'validation'")
    write_conversations(data, [*made, made[0]])
    _refused(base, data, tmp_path, BadInput, r"conversation 'train-p0_000.png'.*several")


def test_splits_that_share_a_paper_or_a_picture_are_refused(base: Path, tmp_path: Path) -> None:
    data = tiny.write_data(tmp_path, 6, 4)
    made = list(read_conversations(data))
    write_conversations(data, [*made[:9], replace(made[9], paper="train-paper")])
    _refused(base, data, tmp_path, BadInput, "leak from split to split.*of one paper")
    write_conversations(data, [*made[:9], replace(made[9], image="p0_003.png")])
    _refused(base, data, tmp_path, BadInput, "leak from split to split.*one picture")
    # The leak lies between two files.
    write_conversations(data, made[:6])
    other = tmp_path / "other.json"
    write_conversations(other, [*made[6:9], replace(made[9], paper="train-paper")])
    with pytest.raises(BadInput, match="of one paper"):
        making.make_llava(
            _recipe(),
            [data, other],
            tmp_path / "images",
            tmp_path / "out",
            tmp_path / "work",
            ranks=Ranks(),
            log=lambda _: None,
            base=str(base),
        )


def test_a_loss_that_is_no_number_names_the_conversation_and_the_last_state_stays(
    base: Path, tmp_path: Path
) -> None:
    data = tiny.write_data(tmp_path, 20, 4)
    recipe = _short(_recipe())
    recipe = replace(recipe, stages=recipe.stages[:1])
    _make(recipe, base, data, tmp_path / "whole")
    digest = hashlib.sha256((tmp_path / "images" / "p0_007.png").read_bytes()).hexdigest()

    def spoil(line: str) -> None:
        if "check at step 2" in line:
            kept = next((tmp_path / "work" / "features").glob(f"*/{digest}.npy"))
            np.save(kept, np.full_like(np.load(kept), np.nan))

    with pytest.raises(BadInput, match=r"^train-p0_007.png: The loss is not a number at step 3"):
        _make(recipe, base, data, tmp_path, log=spoil)
    next((tmp_path / "work" / "features").glob(f"*/{digest}.npy")).unlink()
    told: list[str] = []
    _make(recipe, base, data, tmp_path, log=told.append)
    assert not any("step 1/" in line or "check at step 2" in line for line in told)
    whole, resumed = _weights(tmp_path / "whole" / "out"), _weights(tmp_path / "out")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_checkpoints_of_another_kind_are_refused(base: Path, tmp_path: Path) -> None:
    data = tiny.write_data(tmp_path, 6, 4)
    other = tiny.save(tmp_path / "other")
    config = json.loads((other / "config.json").read_text("utf-8"))
    (other / "config.json").write_text(json.dumps({**config, "model_type": "llama"}), "utf-8")
    _refused(other, data, tmp_path, ModelUnavailable, "of type 'llama', not 'llava'")
    wider = {**config, "text_config": {**config["text_config"], "hidden_size": 64}}
    (other / "config.json").write_text(json.dumps(wider), "utf-8")
    _refused(other, data, tmp_path, ModelUnavailable, "another architecture|of another shape")
    counted = tiny.make_processor()
    counted.num_additional_image_tokens = 0
    third = tiny.save(tmp_path / "third", counted)
    _refused(third, data, tmp_path, ModelUnavailable, "counts 3 image tokens")


def test_a_watched_figure_that_no_question_asks_for_is_said(base: Path, tmp_path: Path) -> None:
    data = tiny.write_data(tmp_path, 6, 4)
    with pytest.raises(BadInput, match=r"tells no 'f1', which the stage watches.*answers, defect"):
        _make(_short(_recipe(), watched="f1"), base, data, tmp_path)


def test_a_folder_that_is_not_empty_is_no_place_for_a_checkpoint(
    base: Path, tmp_path: Path
) -> None:
    data = tiny.write_data(tmp_path, 6, 4)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    _refused(base, data, tmp_path, BadInput, "not empty")


def test_what_the_command_cannot_do_it_says(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "test"]) == 2
    assert "none were named" in capsys.readouterr().err
    assert main(["train", "embedded_2cpu", "--base", "embedded"]) == 2
    assert "starts from nothing" in capsys.readouterr().err
    data = tiny.write_data(tmp_path, 6, 4)
    assert main(_words(base, data, tmp_path, "--set", "all.stepz=3")) == 2
    assert "Did you mean 'steps'?" in capsys.readouterr().err
