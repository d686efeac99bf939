"""The states of a stage: exact to go on from, whole or not at all, refused where they differ."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from glassllava.errors import BadInput, RunUnavailable
from tests.training import stage as program
from training.checkpoint import Keeper, Progress
from training.journal import Journal
from training.loop import make_optimiser, run_stage
from training.ranks import Ranks

IDENTITY = {"recipe": {"stages": [{"steps": 8}]}, "data": "abc"}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Watched(program.Pairs):
    """The same, with scores as they are told."""

    def __init__(self, *scores: float) -> None:
        super().__init__()
        self.scores = list(scores)

    def check(self, model: Any) -> dict[str, float]:
        return {"score": self.scores.pop(0)}


class CutAt(program.Pairs):
    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def batches(self, step: int, rank: int, world: int) -> Any:
        if step == self.step:
            raise KeyboardInterrupt
        return super().batches(step, rank, world)


def _run(
    folder: Path, source: Any = None, steps: int = 8, model: Any = None, **said: Any
) -> tuple[Any, list[dict[str, float]]]:
    model = model or program.make_model(dropout=0.1)
    keeper = Keeper(folder, Ranks(), IDENTITY)
    stage = program.make_stage(steps, check_every=2, **said)
    curve = run_stage(model, stage, source or program.Pairs(), Ranks(), keeper, Journal(print))
    return model, curve


def _state(folder: Path) -> dict[str, torch.Tensor]:
    """Everything in the latest state: parameters, moments, steps, random state."""
    latest = folder / (folder / "latest").read_text("utf-8").strip()
    found: dict[str, torch.Tensor] = {}
    for path in latest.glob("*.safetensors"):
        found |= load_file(path)
    return found


def _equal(ours: Path, theirs: Path) -> None:
    one, two = _state(ours), _state(theirs)
    assert one.keys() == two.keys()
    differ = [name for name in one if not torch.equal(one[name], two[name])]
    assert differ == []


def test_a_cut_stage_ends_like_an_undisturbed_one_with_dropout(tmp_path: Path) -> None:
    _, curve = _run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "cut", CutAt(5))
    _, again = _run(tmp_path / "cut")
    assert again == curve
    _equal(tmp_path / "whole", tmp_path / "cut")
    assert any(name.startswith("m.") for name in _state(tmp_path / "cut"))


def test_a_state_holds_safetensors_and_json_alone(tmp_path: Path) -> None:
    _run(tmp_path, steps=2)
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert suffixes == {".safetensors", ".json", ""}
    assert (tmp_path / "latest").read_text("utf-8") == "step-00000002\n"


def test_the_last_two_and_the_best_are_kept_and_the_best_is_given_back(tmp_path: Path) -> None:
    model, curve = _run(tmp_path, Watched(0.1, 0.9, 0.2, 0.3, 0.4), watched="score")
    assert [row["score"] for row in curve] == [0.1, 0.9, 0.2, 0.3, 0.4]
    kept = sorted(path.name for path in tmp_path.glob("step-*"))
    assert kept == ["step-00000002", "step-00000006", "step-00000008"]
    best = load_file(tmp_path / "step-00000002" / "shard-00000.safetensors")
    weight = model.lm_head.weight
    assert torch.equal(weight, best["p.lm_head.weight@0,0"])


def test_a_torn_state_is_never_taken(tmp_path: Path) -> None:
    _run(tmp_path, steps=4)
    for name in ("step-00000006.part", "step-00000008"):  # cut before the name, and before `latest`
        shutil.copytree(tmp_path / "step-00000002", tmp_path / name)
    (tmp_path / "step-00000008" / "shard-00000.safetensors").write_bytes(b"torn")
    model = program.make_model()
    optimiser = make_optimiser(model, program.make_stage(4))
    assert Keeper(tmp_path, Ranks(), IDENTITY).resume(model, optimiser).step == 4
    assert sorted(path.name for path in tmp_path.glob("step-*")) == [
        "step-00000002",
        "step-00000004",
    ]


@pytest.mark.parametrize("name", ["manifest.json", "shard-00000.safetensors"])
def test_a_damaged_state_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    _run(tmp_path, steps=2)
    path = tmp_path / "step-00000002" / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises((BadInput, RunUnavailable), match="step-00000002"):
        _run(tmp_path, steps=4)


@pytest.mark.parametrize(
    ("identity", "named"),
    [
        ({"recipe": {"stages": [{"steps": 9}]}, "data": "abc"}, r"'recipe.stages.0.steps' was 8"),
        ({"recipe": {"stages": [{"steps": 8}]}, "data": "abd"}, r"'data' was \"abc\" and is"),
        ({"data": "abc"}, r"'recipe.stages.0.steps' was 8 and is null"),
    ],
)
def test_a_state_of_something_else_is_refused_by_its_first_difference(
    tmp_path: Path, identity: Any, named: str
) -> None:
    _run(tmp_path, steps=2)
    model = program.make_model()
    optimiser = make_optimiser(model, program.make_stage(2))
    with pytest.raises(BadInput, match=named):
        Keeper(tmp_path, Ranks(), identity).resume(model, optimiser)


def test_a_state_of_another_architecture_is_refused_by_its_first_parameter(tmp_path: Path) -> None:
    _run(tmp_path, steps=2)
    with pytest.raises(BadInput, match=r"'lm_head.weight' was \[128, 32\] and is \[128, 64\]"):
        _run(tmp_path, steps=2, model=program.make_model(width=64))
    with pytest.raises(BadInput, match=r"'lm_head.weight' was \[128, 32\] and is not there"):
        _run(tmp_path, steps=2, rates={"vision_tower": 1e-3})


def test_a_parameter_that_no_gradient_reached_goes_on_without_moments(tmp_path: Path) -> None:
    model = program.make_model()
    optimiser = make_optimiser(model, program.make_stage(2))
    model.lm_head.weight.grad = torch.ones_like(model.lm_head.weight)
    optimiser.step()
    keeper = Keeper(tmp_path, Ranks(), IDENTITY)
    keeper.save(model, optimiser, Progress(step=1))
    keeper.finish()
    other = program.make_model()
    fresh = make_optimiser(other, program.make_stage(2))
    assert Keeper(tmp_path, Ranks(), IDENTITY).resume(other, fresh) == Progress(step=1)
    assert list(fresh.state) == [other.lm_head.weight]
    assert torch.equal(other.lm_head.weight, model.lm_head.weight)
    assert float(fresh.state[other.lm_head.weight]["step"]) == 1


def test_what_is_saved_is_the_state_at_that_moment(tmp_path: Path) -> None:
    model = program.make_model()
    optimiser = make_optimiser(model, program.make_stage(2))
    before = model.lm_head.weight.detach().clone()
    keeper = Keeper(tmp_path, Ranks(), IDENTITY)
    keeper.save(model, optimiser, Progress(step=1))
    with torch.no_grad():
        model.lm_head.weight.zero_()  # the stage learns on while the state is written
    keeper.finish()
    assert torch.equal(_state(tmp_path)["p.lm_head.weight@0,0"], before)


def test_a_file_that_may_not_grow_is_a_clear_error_and_the_last_good_state_stays(
    tmp_path: Path,
) -> None:
    resource = pytest.importorskip("resource")
    _run(tmp_path, steps=4)
    before = _state(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(RunUnavailable, match="cannot be written"):
            _run(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert all(torch.equal(value, before[name]) for name, value in _state(tmp_path).items())


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A real file system of that size; skips where this user may not mount one."""
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk can only be mounted by root, on Linux")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_a_clear_error_and_the_stage_goes_on_once_there_is_room(
    tmp_path: Path,
) -> None:
    _, curve = _run(tmp_path / "whole")
    size = sum(p.stat().st_size for p in (tmp_path / "whole" / "step-00000008").iterdir())
    # Room for the start (parameters alone) and two states; three stand there for a moment.
    with _small_disk(tmp_path / "disk", int(2.6 * size) // 1024) as disk:
        with pytest.raises(RunUnavailable, match=os.strerror(errno.ENOSPC)) as caught:
            _run(disk / "stage")
        assert "the last good state stays" in str(caught.value)
        latest = (disk / "stage" / "latest").read_text("utf-8").strip()
        assert latest in ("step-00000002", "step-00000004")
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        _, again = _run(disk / "stage")
        assert again == curve
        _equal(tmp_path / "whole", disk / "stage")


@pytest.mark.proof
def test_kill_9_at_any_moment_changes_no_bit(tmp_path: Path) -> None:
    """A state is written at every step, so that many a kill falls into the writing of one."""
    said = ("--steps", "40", "--keep", "1", "--check", "10", "--dropout", "0.1", "--width", "256")
    program.run(tmp_path / "whole", *said)
    drawn = random.Random(5)
    folder = tmp_path / "cut" / "pairs"
    torn, steps = 0, []
    for turn in range(10):
        process = program.start(tmp_path / "cut", *said)
        _until(lambda: _latest(folder) > (steps[-1] if steps else 0) + 1, process)
        if turn % 2:
            _until(lambda: bool(list(folder.glob("step-*.part"))), process)
        else:
            time.sleep(drawn.random() * 0.3)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == [-signal.SIGKILL], process.told
        torn += bool(list(folder.glob("step-*.part")))
        steps.append(_latest(folder))
    program.run(tmp_path / "cut", *said)
    print(f"killed after steps {steps}; {torn} of 10 left a state half written")
    assert torn >= 3
    _equal(tmp_path / "whole" / "pairs", folder)
    rows = _rows(folder)
    assert [row["step"] for row in rows if row["row"] == "step"] == list(range(1, 41))
    whole = _rows(tmp_path / "whole" / "pairs")
    assert [r.get("losses") for r in rows] == [r.get("losses") for r in whole]


def _latest(folder: Path) -> int:
    marker = folder / "latest"
    return int(marker.read_text("utf-8").split("-")[1]) if marker.exists() else -1


def _until(reached: Any, process: program.Started) -> None:
    end = time.monotonic() + 300
    while not reached():
        assert not process.ended, process.told
        assert time.monotonic() < end
        time.sleep(0.0005)


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(x) for x in (folder / "journal.jsonl").read_text("utf-8").splitlines()]
