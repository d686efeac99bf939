"""Processes that train together learn what one learns alone, and stop together."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from glassllava.errors import BadInput
from tests.training import stage as program
from training import sharding
from training.ranks import Ranks

_PARTS = ("--steps", "8", "--keep", "4", "--check", "4")


def _losses(folder: Path) -> torch.Tensor:
    rows = [json.loads(x) for x in (folder / "journal.jsonl").read_text("utf-8").splitlines()]
    return torch.tensor([list(r["losses"].values()) for r in rows if r["row"] == "step"])


def _norms(folder: Path) -> torch.Tensor:
    rows = [json.loads(x) for x in (folder / "journal.jsonl").read_text("utf-8").splitlines()]
    return torch.tensor([r["norm"] for r in rows if r["row"] == "step"])


def _parameters(folder: Path) -> dict[str, torch.Tensor]:
    """The latest state's parameters and moments, whole, read by another number of processes."""
    from training.checkpoint import Keeper
    from training.loop import make_optimiser

    model = program.make_model()
    optimiser = make_optimiser(model, program.make_stage(8))
    keeper = Keeper(folder, Ranks(), {"source": "pairs", "width": 32})
    keeper.resume(model, optimiser)
    found = {name: p.detach() for name, p in model.named_parameters()}
    for name, parameter in model.named_parameters():
        found |= {f"{k} {name}": v for k, v in optimiser.state[parameter].items()}
    return found


def _greatest(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def test_alone_nothing_is_asked_of_others() -> None:
    ranks = Ranks()
    values = torch.tensor([1.0, 2.0])
    assert ranks.total(values) is values
    assert ranks.gather("a") == ["a"]
    assert ranks.agree(3) == 3
    with pytest.raises(BadInput, match="broken"), ranks.together():
        raise BadInput("broken")


def test_processes_that_cannot_be_split_into_groups_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    with pytest.raises(BadInput, match="8 processes cannot be split into groups of 3"):
        Ranks.start(among=3)


def test_recomputed_layers_give_the_same_gradient_and_keep_attention() -> None:
    batch = program.Pairs().batches(0, 0, 1)[0]

    def gradients(recompute: bool) -> tuple[list[torch.Tensor], int]:
        model = program.make_model()
        if recompute:
            sharding.recompute(model)
        model.train()
        with _Counted() as counted:
            program.Pairs().losses(model, batch).sum().backward()
        return [p.grad for p in model.parameters() if p.grad is not None], counted.attention

    whole, asked = gradients(False)
    again, asked_again = gradients(True)
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))
    # One a layer of either stack: what attention said is kept, not asked again.
    assert asked == asked_again == 5


class _Counted(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts calls of attention on the way forward."""

    attention = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.attention += func in sharding._KEPT
        return func(*args, **(kwargs or {}))


def test_layers_are_those_of_tower_and_language_model() -> None:
    names = [type(layer).__name__ for layer in sharding.layers(program.make_model())]
    assert names == ["CLIPEncoderLayer"] * 2 + ["LlamaDecoderLayer"] * 3


def test_a_model_that_is_not_sharded_passes_unchanged() -> None:
    model = nn.Linear(2, 2)
    assert sharding.through(model, lambda m, x: m(x), torch.ones(2)).shape == (2,)
    with sharding.whole(model):
        sharding.last_of_step(model, True)
    assert sharding.number(torch.tensor(2.0)) == 2.0


def test_two_processes_learn_the_same_and_stop_with_the_same_words(tmp_path: Path) -> None:
    """Short; `make proof` takes 50 steps in every way of sharing, and torchrun itself."""
    said = ("--steps", "6", "--keep", "3", "--check", "3")
    program.run(tmp_path / "one", *said)
    program.run(tmp_path / "two", *said, "--sharded", "--recompute", processes=2)
    one, two = (_losses(tmp_path / name / "pairs") for name in ("one", "two"))
    assert len(one) == 6
    assert float((one - two).abs().max()) <= 1e-5

    broken = program.start(tmp_path / "broken", *said, "--broken", "1,4", processes=2)
    assert broken.wait() == [2, 2], broken.told
    for rank in (0, 1):
        assert f"rank {rank}: sample 4: The picture cannot be read." in broken.told
    assert (tmp_path / "broken/pairs/latest").read_text("utf-8") == "step-00000003\n"


@pytest.mark.proof
@pytest.mark.parametrize("how", ["sharded", "hybrid", "copied", "tied", "frozen", "lora"])
def test_two_processes_learn_what_one_learns(tmp_path: Path, how: str) -> None:
    """fp32, the same samples a step: the losses of 50 steps within 1e-5."""
    said = ["--steps", "50", "--keep", "25", "--check", "25"]
    more = {
        "sharded": ["--sharded", "--recompute"],
        "hybrid": ["--sharded", "--among", "1"],  # two whole copies, each of one process
        "copied": [],
        "tied": [
            *("--sharded", "--tied"),
            *("--parts", "vision_tower,multi_modal_projector,language_model"),
        ],
        "lora": ["--sharded", "--recompute", "--lora", "--parts", "lora_A,lora_B"],
        "frozen": ["--sharded", "--parts", "multi_modal_projector"],
    }[how]
    spread = ("--sharded", "--recompute", "--among", "1")
    alone = [word for word in more if word not in spread]
    program.run(tmp_path / "one", *said, *alone)
    program.run(tmp_path / "two", *said, *more, processes=2)
    one, two = (_losses(tmp_path / name / "pairs") for name in ("one", "two"))
    assert len(one) == len(two) == 50
    greatest = float((one - two).abs().max())
    norms = [_norms(tmp_path / name / "pairs") for name in ("one", "two")]
    relative = float(((norms[0] - norms[1]).abs() / norms[0]).max())
    print(f"{how}: losses within {greatest:.1e}, norms within {relative:.1e} of themselves")
    assert greatest <= 1e-5
    assert float(one[-1]) < float(one[0])


@pytest.mark.proof
def test_two_processes_teach_the_embedded_lessons_as_one(tmp_path: Path) -> None:
    said = ("--source", "lessons", "--steps", "50", "--check", "50")
    for name, processes in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        program.run(tmp_path / name, *said, processes=processes)
    one, two = (_losses(tmp_path / name / "language") for name in ("one", "two"))
    assert len(one) == 50
    greatest = float((one - two).abs().max())
    print(f"lessons: losses within {greatest:.1e}")
    assert greatest <= 1e-5


@pytest.mark.proof
def test_two_processes_fine_tune_on_conversations_as_one(tmp_path: Path) -> None:
    from tests.training.conversations import tiny

    tiny.write_data(tmp_path)
    tiny.save(tmp_path / "base")
    said = ("--source", "conversations", "--steps", "25", "--check", "25")
    for name, processes in (("one", 1), ("two", 2)):
        program.run(tmp_path / name, *said, processes=processes)
    for stage in ("projector", "all"):
        one, two = (_losses(tmp_path / name / stage) for name in ("one", "two"))
        assert len(one) == 25
        greatest = float((one - two).abs().max())
        print(f"conversations, {stage}: losses within {greatest:.1e}")
        assert greatest <= 1e-5


@pytest.mark.proof
def test_16_bit_work_over_32_bit_masters_learns_alike(tmp_path: Path) -> None:
    """Two processes in bf16, sharded, against one in fp32: near, and the masters are of 32 bits."""
    program.run(tmp_path / "one", *_PARTS)
    program.run(tmp_path / "two", *_PARTS, "--sharded", "--bf16", processes=2)
    one, two = (_losses(tmp_path / name / "pairs") for name in ("one", "two"))
    print(f"bf16 against fp32: losses within {float((one - two).abs().max()):.1e}")
    assert float((one - two).abs().max()) < 0.03
    manifest = json.loads((tmp_path / "two/pairs/step-00000008/manifest.json").read_text("utf-8"))
    assert {said["dtype"] for name, said in manifest["tensors"].items() if name[0] in "pmv"} == {
        "float32"
    }


@pytest.mark.proof
def test_another_number_of_processes_goes_on(tmp_path: Path) -> None:
    """Two save, sharded; one goes on with equal parameters, and the other way round."""
    program.run(tmp_path / "one", *_PARTS)
    program.run(tmp_path / "two", *_PARTS, "--sharded", processes=2)
    before = _parameters(tmp_path / "two" / "pairs")
    shards = sorted(p.name for p in (tmp_path / "two/pairs/step-00000008").glob("*.safetensors"))
    assert shards == ["shard-00000.safetensors", "shard-00001.safetensors"]
    greatest = _greatest(before, _parameters(tmp_path / "one" / "pairs"))
    print(f"parameters and moments after 8 steps, two against one: within {greatest:.1e}")
    assert greatest < 1e-5

    more = ("--steps", "8", "--keep", "8", "--check", "8")
    # Both have 8 of 8 steps: what is loaded is written again, by the other number of processes.
    for name, processes in (("one", 2), ("two", 1)):
        state = tmp_path / name / "pairs"
        kept = _parameters(state)
        flag = ["--sharded"] if processes == 2 else []
        program.run(tmp_path / name, *more, "--again", *flag, processes=processes)
        latest = json.loads((state / "step-00000008/manifest.json").read_text("utf-8"))
        assert latest["words"]["world"] == processes
        assert _greatest(kept, _parameters(state)) == 0.0


@pytest.mark.proof
def test_where_one_process_cannot_go_on_all_stop_with_its_words(tmp_path: Path) -> None:
    ended, told = program.launch(tmp_path, *_PARTS, "--sharded", processes=2)
    assert ended == 0, told
    started = time.monotonic()
    more = ("--steps", "20", "--keep", "4", "--check", "4", "--sharded", "--broken", "1,10")
    ended, told = program.launch(tmp_path, *more, processes=2)
    assert ended != 0
    for rank in (0, 1):
        assert f"rank {rank}: sample 10: The picture cannot be read." in told
    assert time.monotonic() - started < 300
    assert "[rank" not in told  # as torch marks the traceback of a bug
    assert (tmp_path / "pairs/latest").read_text("utf-8") == "step-00000008\n"
