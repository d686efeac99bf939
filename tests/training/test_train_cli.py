"""`glassview train`: plans, refusals, and several processes by torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glassllava.model.opening import load_weights
from glassview.cli import main
from tests.training.conversations import tiny


def test_a_plan_needs_no_data_and_says_whether_it_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "paper_8xa100", "--plan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {
        *("recipe", "samples", "epochs", "global_batch", "steps_total", "stages"),
        *("memory_gb_per_device", "fits", "reason"),
    } <= set(told)
    assert (told["recipe"], told["samples"], told["epochs"]) == ("paper_8xa100", 4291, 28)
    assert told["steps_total"] == -(-4291 * 28 // told["global_batch"])
    assert told["fits"] is True


def test_a_plan_that_does_not_fit_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "paper_8xa100", "--plan", "--devices", "1", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["fits"] is False
    assert "does not fit" in told["reason"] or "GB" in told["reason"]


def test_a_change_of_the_recipe_changes_its_plan(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "paper_8xa100", "--plan", "--json", "--set", "end to end.epochs=1"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["steps_total"] == -(-4291 // 32)


def test_a_folder_that_cannot_be_used_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tiny.save(tmp_path / "base")
    data = tiny.write_data(tmp_path, 6, 4)
    words = ["train", "lora_1xa100", "--data", str(data), "--images", str(data.parent / "images")]
    words += ["--base", str(base), "--json", "--set", "adapters.epochs=1"]
    (tmp_path / "file").write_text("in the way")
    asked = ["--work", str(tmp_path / "file"), "-o", str(tmp_path / "out")]
    assert main([*words, *asked]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["kind"], error["where"]) == ("RunUnavailable", str(tmp_path / "file"))
    asked = ["--work", str(tmp_path / "work"), "-o", str(tmp_path / "file")]
    assert main([*words, *asked]) == 2
    assert "is no folder" in json.loads(capsys.readouterr().out)["error"]["what"]


def test_help_shows_how_processes_are_started(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "torchrun --nproc-per-node 8" in capsys.readouterr().out


def _run(folder: Path, base: Path, data: Path, processes: int, recipe: str, stage: str) -> None:
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    words = [
        *("glassview", "train", recipe, "--data", str(data)),
        *("--images", str(data.parent / "images"), "--base", str(base)),
        *("-o", str(folder / "out"), "--work", str(folder / "work")),
    ]
    for change in (
        *(
            f"{stage}.steps=12",
            f"{stage}.batch=10",
            f"{stage}.check_every=6",
            f"{stage}.bf16=false",
        ),
        *("data.longest=128", "data.rows=2"),
        # Rates for a model of a few thousand weights; dropout is drawn on each process by itself.
        f"{stage}.rates.multi_modal_projector=3e-3",
        *([f"{stage}.rates.language_model=3e-3"] if recipe.startswith("paper") else []),
        *(["start.lora.dropout=0"] if recipe.startswith("lora") else []),
    ):
        words += ["--set", change]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*start, *words], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def _losses(folder: Path, stage: str) -> list[float]:
    rows = (folder / "work" / stage / "journal.jsonl").read_text("utf-8").splitlines()
    made = [json.loads(row) for row in rows]
    return [row["losses"]["answers"] for row in made if "losses" in row]


@pytest.mark.proof
@pytest.mark.parametrize(
    ("recipe", "stage"), [("paper_8xa100", "end to end"), ("lora_1xa100", "adapters")]
)
def test_two_processes_learn_what_one_does(tmp_path: Path, recipe: str, stage: str) -> None:
    base = tiny.save(tmp_path / "base")
    data = tiny.write_data(tmp_path, 22, 4)
    for processes in (1, 2):
        _run(tmp_path / str(processes), base, data, processes, recipe, stage)
    one, two = (_losses(tmp_path / str(n), stage) for n in (1, 2))
    apart = max(abs(a - b) for a, b in zip(one, two, strict=True))
    print(f"{recipe}: 12 losses at most {apart:.1e} apart, from {one[0]:.2f} to {one[-1]:.2f}")
    assert len(one) == 12
    assert one[-1] < one[0] - 1
    assert apart <= 1e-5
    first, second = (
        load_weights(tmp_path / str(n) / "out", torch.float32).state_dict() for n in (1, 2)
    )
    assert max(float((first[n] - second[n]).abs().max()) for n in first) <= 1e-4
