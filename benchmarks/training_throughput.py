"""Claim: the one loop learns more real tokens a second than `transformers.Trainer`.

`OMP_NUM_THREADS=1 python -m benchmarks.training_throughput [--rounds 3] [--steps 4]` fine-tunes the
same small LLaVA (CLIP tower of 4 layers × 128, LLaMA of 4 × 256, untrained, tower frozen) on the
same conversations in the same order on one thread, in 32 bits. The sides take turns, each round
from the same weights; a round's first step is not counted. Told are medians over rounds of real
tokens (no padding) a second of processor time, since others may use the machine; and the losses of
the first step, which must be equal (but for `by length`): every side learns the same.

    trainer        transformers.Trainer, padded to the longest of a batch
    by length      the same with its group_by_length; at 64 conversations that is another order
    as drawn       the loop, padded, 4 at a time in the order drawn, the tower asked each time
    padded, live   the same, padded among like lengths (`data.packed=false`)
    packed, live   the same with rows packed to 768 tokens, one a pass
    packed, kept   the same with what the frozen tower saw read from the disk: how a stage runs
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glassllava.conversation import Conversation, Turn
from tests.training.conversations import tiny
from training.conversations.packing import drawn
from training.conversations.pictures import Pictures
from training.conversations.source import Conversations, Rows
from training.conversations.tokens import GIVEN, Example, Tokeniser, tokenise
from training.conversations.vision import Live, Vision, keep_features, pixels
from training.loop import make_optimiser, take_step
from training.ranks import Ranks
from training.recipe import Stage

_COUNT, _BATCH, _LONGEST = 64, 16, 768
_RATES = {"multi_modal_projector": 1e-4, "language_model": 1e-4, "lm_head": 1e-4}
_WORDS = ("glass", "crack", "pore", "coating", "delamination", "crystal", "matrix", "surface")


def made_up(folder: Path, processor: Any) -> tuple[list[Conversation], Pictures]:
    """Conversations of the lengths that papers give: mostly short, some with a long context."""
    rng = np.random.default_rng(0)
    names = tiny.write_pictures(folder, _COUNT)
    conversations = []
    for name in names:
        context = " ".join(rng.choice(_WORDS, int(rng.lognormal(3.0, 0.8))))
        answer = " ".join(rng.choice(_WORDS, int(rng.integers(4, 24))))
        conversations.append(Conversation(name, name, (Turn(f"{context} What?", answer),)))
    pictures = Pictures(folder / "work", processor.image_processor.size["height"])
    pictures.prepare(conversations, folder, Ranks())
    return conversations, pictures


class AsDrawn(Conversations):
    """Padded without a look at lengths, as loops without packing do it."""

    def batches(self, step: int, rank: int, world: int) -> list[Rows]:
        chosen = drawn(step, self._batch, len(self._examples), self._seed)
        return [
            self._gathered([[i] for i in chosen[first : first + 4]], taught=True)
            for first in range(0, len(chosen), 4)
        ]


Side = Callable[[Any, int], tuple[list[float], list[float]]]  # (model, steps): tokens/s, losses


def loop(
    examples: list[Example],
    digests: list[str],
    vision: Vision,
    pad: int,
    packed: bool,
    source_of: type[Conversations] = Conversations,
) -> Side:
    def run(model: Any, steps: int) -> tuple[list[float], list[float]]:
        stage = Stage("all", _RATES, batch=_BATCH, steps=steps, bf16=False)
        source = source_of(
            examples,
            digests,
            vision,
            stage,
            lambda _: {},
            longest=_LONGEST,
            pad=pad,
            seed=0,
            rows=1 if packed else 4,  # of a processor's cores, several rows keep none busier
            packed=packed,
        )
        optimiser = make_optimiser(model, stage)
        model.train()
        speeds, losses = [], []
        for step in range(steps):
            started = time.process_time()
            lost, _, tokens = take_step(model, stage, source, Ranks(), optimiser, step)
            speeds.append(tokens / (time.process_time() - started))
            losses.append(lost["answers"])
        return speeds[1:], losses

    return run


def trainer(
    examples: list[Example],
    digests: list[str],
    pictures: Pictures,
    processor: Any,
    pad: int,
    strategy: str,
) -> Side:
    from transformers import Trainer, TrainerCallback, TrainingArguments

    fed: list[int] = []  # real tokens of each batch, in the order in which they were made

    def collate(given: list[dict[str, Any]]) -> dict[str, Any]:
        rows = [row["number"] for row in given]
        fed.append(sum(examples[i].length for i in rows))
        longest = max(examples[i].length for i in rows)

        def padded(values: list[Any], fill: int) -> torch.Tensor:
            return torch.tensor([[*v, *[fill] * (longest - len(v))] for v in values])

        ids = [examples[i].ids.tolist() for i in rows]
        labels = [np.where(examples[i].kinds == GIVEN, -100, examples[i].ids) for i in rows]
        return {
            "input_ids": padded(ids, pad),
            "attention_mask": padded([[1] * len(v) for v in ids], 0),
            "labels": padded(labels, -100),
            "pixel_values": pixels(pictures, processor, [digests[i] for i in rows]),
        }

    class Clock(TrainerCallback):  # type: ignore[misc]
        times: list[float]

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.times = [time.process_time()]

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.times.append(time.process_time())

    def run(model: Any, steps: int) -> tuple[list[float], list[float]]:
        order = [i for step in range(steps) for i in drawn(step, _BATCH, len(examples), 0)]
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("vision_tower" not in name)
        clock = Clock()
        fed.clear()
        with tempfile.TemporaryDirectory() as folder:
            made = Trainer(
                model=model,
                args=TrainingArguments(
                    folder,
                    use_cpu=True,
                    per_device_train_batch_size=_BATCH,
                    max_steps=steps,
                    learning_rate=1e-4,
                    logging_steps=1,
                    save_strategy="no",
                    report_to=[],
                    disable_tqdm=True,
                    remove_unused_columns=False,
                    train_sampling_strategy=strategy,
                ),
                train_dataset=[{"number": i, "input_ids": examples[i].ids} for i in order],
                data_collator=collate,
                callbacks=[clock],
            )
            made.train()
        spent = np.diff(clock.times)
        losses = [row["loss"] for row in made.state.log_history if "loss" in row]
        return [t / s for t, s in zip(fed[1:steps], spent[1:], strict=True)], losses

    return run


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--steps", type=int, default=4)
    args = asked.parse_args()
    torch.set_num_threads(1)
    processor = tiny.make_processor(side=112)
    start = larger(processor)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        conversations, pictures = made_up(folder, processor)
        tokeniser = Tokeniser(processor, _LONGEST)
        examples = tokenise(conversations, tokeniser)
        digests = [pictures.hash_of(c) for c in conversations]
        live, pad = Live(pictures, processor), tokeniser.pad
        kept = keep_features(start, processor, pictures, digests, folder / "kept", Ranks())
        sides: dict[str, Side] = {
            "trainer": trainer(examples, digests, pictures, processor, pad, "sequential"),
            "by length": trainer(examples, digests, pictures, processor, pad, "group_by_length"),
            "as drawn": loop(examples, digests, live, pad, packed=False, source_of=AsDrawn),
            "padded, live": loop(examples, digests, live, pad, packed=False),
            "packed, live": loop(examples, digests, live, pad, packed=True),
            "packed, kept": loop(examples, digests, kept, pad, packed=True),
        }
        speeds: dict[str, list[float]] = {side: [] for side in sides}
        first: dict[str, float] = {}
        for round_ in range(args.rounds):
            for side, run in sides.items():
                model = copy.deepcopy(start)
                made, losses = run(model, args.steps)
                speeds[side].append(statistics.median(made))
                first[side] = losses[0]
                print(f"round {round_ + 1}, {side}: {speeds[side][-1]:,.0f} tokens/s", flush=True)
    lengths = [example.length for example in examples]
    parameters = sum(p.numel() for p in start.parameters())
    print(f"\n{parameters / 1e6:.1f} M parameters; conversations of {min(lengths)} to ", end="")
    print(f"{max(lengths)} tokens, {tokeniser.cells} of them cells; batch {_BATCH}")
    print("side           tokens/s (median of rounds)   first loss   to trainer")
    middle = {side: statistics.median(values) for side, values in speeds.items()}
    for side, value in middle.items():
        ratio = value / middle["trainer"]
        print(f"{side:<14} {value:>27,.0f} {first[side]:>12.5f} {ratio:>11.2f} ×")
    for other in ("as drawn", "padded, live"):
        print(f"packed against {other}: {middle['packed, live'] / middle[other]:.2f} ×")
    del first["by length"]
    assert max(first.values()) - min(first.values()) < 2e-3, "the sides learn different things"


def larger(processor: Any) -> Any:
    """An untrained LLaVA large enough that arithmetic, not Python, takes the time."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    torch.manual_seed(0)
    side, patch = processor.image_processor.size["height"], processor.patch_size
    return LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(
                hidden_size=128,
                intermediate_size=512,
                num_hidden_layers=4,
                num_attention_heads=4,
                image_size=side,
                patch_size=patch,
            ),
            text_config=LlamaConfig(
                vocab_size=4000,
                hidden_size=256,
                intermediate_size=704,
                num_hidden_layers=4,
                num_attention_heads=8,
                num_key_value_heads=8,
                max_position_embeddings=1024,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
            ),
            image_token_index=processor.image_token_id,
            image_seq_length=(side // patch) ** 2,
            vision_feature_select_strategy="default",
        )
    )


if __name__ == "__main__":
    main()
