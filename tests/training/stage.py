"""A short stage that a test starts as a process of its own: alone, or two under `torchrun`.

    python tests/training/stage.py WORK --source pairs --steps 8 ...

Sources: `pairs` (token ids and pixels from the seed alone, for a tiny real LLaVA), `lessons` (those
of the embedded model), `conversations` (fine-tuning as the command does it).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


#: What every program needs is imported once, in a process that forks the others.
_HERD = multiprocessing.get_context("forkserver")
_HERD.set_forkserver_preload(
    [
        "torch._dynamo",
        "torch.distributed.fsdp",
        "torch.utils.tensorboard",
        "transformers.models.clip.modeling_clip",
        "transformers.models.llama.modeling_llama",
        "transformers.models.llava.modeling_llava",
        "peft",
        "training.loop",
    ]
)


@dataclass
class Started:
    """Processes that were started together, and the file into which they print."""

    processes: list[Any]
    printed: Path

    @property
    def pid(self) -> int:
        return int(self.processes[0].pid)

    @property
    def ended(self) -> bool:
        return all(process.exitcode is not None for process in self.processes)

    @property
    def told(self) -> str:
        return self.printed.read_text("utf-8")

    def wait(self, seconds: float = 600) -> list[int | None]:
        """How each ended; those that have not by then are killed."""
        end = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(0.1, end - time.monotonic()))
        for process in self.processes:
            process.kill()
            process.join()
        return [process.exitcode for process in self.processes]


def start(work: Path, *said: str, processes: int = 1) -> Started:
    """This file's program on its own, or as so many processes as `torchrun` would start them."""
    work.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    herd = []
    for rank in range(processes):
        place = {**where, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        process = _HERD.Process(target=_begin, args=([str(work), *said], place, work / "printed"))
        process.start()
        herd.append(process)
    return Started(herd, work / "printed")


def _begin(words: list[str], place: Mapping[str, str], printed: Path) -> None:
    os.environ.update(place)
    with printed.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.exit(main(words))


def run(work: Path, *said: str, processes: int = 1) -> str:
    """The same to its good end; what it printed."""
    started = start(work, *said, processes=processes)
    assert started.wait() == [0] * processes, started.told
    return started.told


def launch(work: Path, *said: str, processes: int) -> tuple[int, str]:
    """The same by `torchrun` itself; how it ended and what it printed."""
    torchrun = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}")
    ended = subprocess.run(
        [sys.executable, *torchrun, str(Path(__file__)), str(work), *said],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        timeout=600,
    )
    return ended.returncode, ended.stdout


def make_model(width: int = 32, tied: bool = False, dropout: float = 0.0) -> Any:
    """A LLaVA of some ten thousand parameters with a CLIP tower and a LLaMA."""
    import torch
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    text = LlamaConfig(
        vocab_size=128,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        attention_dropout=dropout,
        tie_word_embeddings=tied,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=127,
        image_seq_length=16,
        tie_word_embeddings=tied,
    )
    return LlavaForConditionalGeneration(config)


class Pairs:
    """Pictures, and texts that follow from them: six samples a step in two batches."""

    kinds: tuple[str, ...] = ("text",)
    steps_an_epoch = 10

    def __init__(self, broken: tuple[int, int] | None = None) -> None:
        self.broken = broken  # (rank, step) at which a sample cannot be read

    def batches(self, step: int, rank: int, world: int) -> Sequence[Any]:
        import torch

        from glassllava.errors import BadInput

        if self.broken == (rank, step):
            raise BadInput("The picture cannot be read", where=f"sample {step}")
        drawn = torch.Generator().manual_seed(step)
        ids = torch.randint(0, 120, (8, 24), generator=drawn)
        pixels = torch.randn(8, 3, 32, 32, generator=drawn)
        ids[:, 1:17], ids[:, 17:] = 127, (pixels.mean((1, 2, 3)) * 500 % 5).long()[:, None]
        return [(ids[i : i + 4][rank::world], pixels[i : i + 4][rank::world]) for i in (0, 4)]

    def supervised(self, batch: Any) -> Any:
        import torch

        return torch.tensor([batch[0][:, 17:].numel()])

    def losses(self, model: Any, batch: Any) -> Any:
        import torch.nn.functional as F  # noqa: N812

        ids, pixels = batch
        hidden = model.model(input_ids=ids, pixel_values=pixels, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[:, 16:-1]).float()
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 17:].flatten(), reduction="sum")[None]

    def tokens(self, batch: Any) -> int:
        return int(batch[0].numel())

    def names(self, batch: Any) -> Sequence[str]:
        return [f"{len(batch[0])} samples"]

    def apart(self, batch: Any) -> Sequence[Any]:
        return [batch]

    def check(self, model: Any) -> Mapping[str, float]:
        import torch

        model.eval()
        with torch.inference_mode():
            batch = self.batches(10_000, 0, 1)[0]
            return {"score": -float(self.losses(model, batch)) / 28}


def make_stage(steps: int, **said: Any) -> Any:
    from training.recipe import Stage

    parts = ("vision_tower", "multi_modal_projector", "language_model", "lm_head")
    rates = said.pop("rates", {part: 1e-3 * (1 + i) for i, part in enumerate(parts)})
    return Stage("pairs", rates, batch=8, steps=steps, bf16=said.pop("bf16", False), **said)


def take(work: Path, args: argparse.Namespace, ranks: Any) -> None:
    from training.checkpoint import Keeper
    from training.journal import Journal
    from training.loop import make_optimiser, run_stage

    broken = tuple(map(int, args.broken.split(","))) if args.broken else None
    model = make_model(args.width, args.tied, args.dropout)
    if args.lora:
        from peft import LoraConfig, inject_adapter_in_model

        inject_adapter_in_model(LoraConfig(r=4, target_modules=["q_proj", "down_proj"]), model)
    if args.sharded or args.recompute:
        ranks.shard(model, bf16=args.bf16, recompute=args.recompute)
    rates = dict.fromkeys(args.parts.split(","), 2e-3)
    stage = make_stage(
        args.steps, bf16=args.bf16, rates=rates, keep_every=args.keep, check_every=args.check
    )
    keeper = Keeper(work / "pairs", ranks, {"source": "pairs", "width": args.width})
    if args.again:  # what is read is written again, by this number of processes
        optimiser = make_optimiser(model, stage)
        ranks.ready(model)
        keeper.save(model, optimiser, keeper.resume(model, optimiser))
        keeper.finish()
        return
    journal = Journal(_say if ranks.first else _silent, "pairs", keeper.folder, ranks)
    run_stage(model, stage, Pairs(broken), ranks, keeper, journal)


def take_lessons(work: Path, args: argparse.Namespace, ranks: Any) -> None:
    from dataclasses import replace

    from tests.training.embedded import test_making as embedded
    from training.checkpoint import Keeper
    from training.embedded import making
    from training.recipes import embedded_2cpu

    recipe = embedded._recipe(args.steps, args.check)
    # At the rates of the recipe that ships: those of the other tests let rounding grow faster.
    own = replace(recipe.stage("language"), rates=embedded_2cpu().stage("language").rates)
    recipe = replace(recipe, stages=(*recipe.stages[:-1], own))
    with ranks.together():
        own_work = work / f"of-{ranks.rank}"  # what is drawn from a seed alone is alike for all
        splits = embedded._splits(own_work)
        tower = embedded._tower(splits[0])
        looked = embedded._looked(tower, splits)
        model, processor = embedded._model(tower)
    making.teach_language(
        recipe,
        model,
        processor,
        splits,
        looked,
        lambda stage: Keeper(work / stage, ranks, {"of": "a test"}),
        ranks,
        _say if ranks.first else _silent,
    )


def take_conversations(work: Path, args: argparse.Namespace, ranks: Any) -> None:
    from dataclasses import replace

    from tests.training.conversations import test_making as conversations
    from training.conversations.making import make_llava

    recipe = conversations._recipe()
    stages = [
        replace(
            stage,
            steps=args.steps,
            check_every=args.check,
            rates=dict.fromkeys(stage.rates, 1e-3),  # 6e-3 lets rounding grow faster
        )
        for stage in recipe.stages
    ]
    make_llava(
        replace(recipe, stages=tuple(stages)),
        [work.parent / "data.json"],
        work.parent / "images",
        work / "out",
        work,
        ranks=ranks,
        log=_say if ranks.first else _silent,
        base=str(work.parent / "base"),
    )


def _say(line: str) -> None:
    print(line, flush=True)


def _silent(line: str) -> None:
    """Another process tells it."""


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("--source", default="pairs")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--keep", type=int, default=4)
    parser.add_argument("--check", type=int, default=4)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument(
        "--parts", default="vision_tower,multi_modal_projector,language_model,lm_head"
    )
    parser.add_argument("--broken", default="")
    parser.add_argument("--among", type=int)
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--sharded", action="store_true")
    parser.add_argument("--recompute", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--tied", action="store_true")
    args = parser.parse_args(words)

    import torch

    from glassllava.errors import GlassError
    from training.ranks import Ranks

    torch.set_num_threads(1)
    ranks = Ranks.start(args.among)
    sources = {"pairs": take, "lessons": take_lessons, "conversations": take_conversations}
    try:
        sources[args.source](args.work, args, ranks)
    except GlassError as error:
        print(f"rank {ranks.rank}: {error}", flush=True)
        return 2
    ranks.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
