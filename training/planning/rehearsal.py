"""The big run without its hardware: the true model, without weights, through the loop's own doors.

On the meta device, in one process, for each rank of a world of any size: `sharding.shard`,
`loop.make_optimiser`, one optimiser step, and the planning of a distributed checkpoint. So a recipe
that names a part that is not there, a parameter that cannot be spread, or a checkpoint that would
lack a byte, fails on a laptop. Nothing is computed and nothing is sent: what is learnt cannot be
rehearsed here.

The other processes are played by torch's `fake` process group, which is registered by a private
testing module of torch: it may move between releases, and then this module must follow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from glassllava.errors import BadInput
from training.planning.shapes import count
from training.recipe import FromCheckpoint, LanguageShape, Lora, Stage, TowerShape, TrainingRecipe


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the optimiser: whose parameters, at which peak rate, with which decay."""

    rate: float
    decay: float
    tensors: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it. A checkpoint holds what is trained: parameters, moments and their steps."""

    recipe: str
    stage: str
    devices: int
    parameters: int
    counted: int
    trained: int
    groups: tuple[Group, ...]
    held: tuple[int, ...]  # bytes on each rank: the same, and the frozen parameters
    written: tuple[int, ...]  # bytes that each rank would write to a checkpoint
    whole: int  # bytes of a whole checkpoint, once

    @property
    def complete(self) -> bool:
        """Whether the plan counts what the model has, and a checkpoint would hold all of it."""
        return self.parameters == self.counted and sum(self.written) == self.whole

    def to_json(self) -> dict[str, Any]:
        groups = [
            {"rate": g.rate, "decay": g.decay, "tensors": g.tensors, "parameters": g.parameters}
            for g in self.groups
        ]
        return {
            "recipe": self.recipe,
            "stage": self.stage,
            "devices": self.devices,
            "parameters": self.parameters,
            "parameters_counted_by_the_plan": self.counted,
            "trained": self.trained,
            "groups": groups,
            "held_bytes_per_device": list(self.held),
            "checkpoint_bytes_per_device": list(self.written),
            "checkpoint_bytes": self.whole,
            "complete": self.complete,
        }


def rehearse(recipe: TrainingRecipe, devices: int | None = None) -> tuple[Rehearsal, ...]:
    """Take the recipe's model through every stage's sharding, optimiser and checkpoint.

    Raises
    ------
    BadInput : for a recipe that starts from nothing, or a stage whose parts are not there.
    """
    start = recipe.start
    if not isinstance(start, FromCheckpoint):
        raise BadInput(
            "Only a recipe that starts from a checkpoint is rehearsed",
            where=recipe.name,
            remedy="The embedded model is small enough to be trained at once.",
        )
    devices = devices or recipe.hardware.devices
    return tuple(_rehearse_stage(recipe, start, stage, devices) for stage in recipe.stages)


def _rehearse_stage(
    recipe: TrainingRecipe, start: FromCheckpoint, stage: Stage, devices: int
) -> Rehearsal:
    from training.checkpoint import state_of
    from training.loop import make_optimiser

    held, plans = [], []
    for rank in range(devices):
        with world(rank, devices) as over:
            model = empty_model(start)
            sizes = {name: p.numel() for name, p in model.named_parameters()}
            if devices > 1:
                spread(model, stage, over)
            optimiser = make_optimiser(model, stage)
            take_empty_step(optimiser)
            state = state_of(model, optimiser)
            frozen = (p for p in model.parameters() if not p.requires_grad)
            held.append(sum(map(_local_bytes, (*state.values(), *frozen))))
            plans.append(_local_plan(state, first=rank == 0))
            groups = tuple(
                Group(
                    group["peak"],
                    group["weight_decay"],
                    len(group["params"]),
                    sum(p.numel() for p in group["params"]),
                )
                for group in optimiser.param_groups
            )
            whole = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
            trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
            del model, optimiser, state
    return Rehearsal(
        recipe=recipe.name,
        stage=stage.name,
        devices=devices,
        parameters=sum(sizes.values()),
        counted=count(start.tower, start.language, start.lora).total,
        trained=trained,
        groups=groups,
        held=tuple(held),
        written=_written(plans),
        whole=whole,
    )


@contextmanager
def world(rank: int, size: int) -> Iterator[Any]:
    """Play one rank of a world of `size` processes; the mesh over which a model is spread."""
    import torch.distributed as dist
    from torch.distributed.tensor.debug import _clear_sharding_prop_cache
    from torch.testing._internal.distributed.fake_pg import FakeStore  # registers the backend

    from training import sharding

    if dist.is_initialized():
        raise BadInput(
            "A rehearsal cannot run inside a run of several processes",
            remedy="Call it from a process of its own.",
        )
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=size)
    try:
        yield sharding.mesh("cpu", size, size)
    finally:
        dist.destroy_process_group()
        # Meshes of two ranks are equal to torch: what it remembers of one would place the other's.
        _clear_sharding_prop_cache()


def spread(model: Any, stage: Stage, over: Any) -> None:
    """As `Ranks.shard` does it: frozen or trained, everything is spread."""
    from training import sharding

    sharding.recompute(model)
    sharding.shard(model, over, bf16=stage.bf16)


def empty_model(start: FromCheckpoint) -> Any:
    """The true model on the meta device: every shape and no value."""
    import torch
    from transformers import LlavaForConditionalGeneration

    with torch.device("meta"):
        model = LlavaForConditionalGeneration(llava_config(start.tower, start.language))
        return model if start.lora is None else adapted(model, start.lora)


def adapted(model: Any, lora: Lora) -> Any:
    """The model with adapters in its language model, as a run adds them."""
    from training.conversations.starting import add_lora  # it wants torch, a plan does not

    add_lora(model, lora)
    return model


def llava_config(tower: TowerShape, language: LanguageShape) -> Any:
    """The configuration of a LLaVA of these shapes; what a plan does not count stays usual."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        Qwen3Config,
        SiglipVisionConfig,
    )

    seen: dict[str, Any] = {
        "hidden_size": tower.width,
        "intermediate_size": tower.inner,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": tower.heads,
        "image_size": tower.image_size,
        "patch_size": tower.patch,
    }
    said: dict[str, Any] = {
        "hidden_size": language.width,
        "intermediate_size": language.inner,
        "num_hidden_layers": language.layers,
        "num_attention_heads": language.heads,
        "num_key_value_heads": language.key_value_heads,
        "head_dim": language.head_width,
        "vocab_size": language.vocabulary,
        "tie_word_embeddings": language.tied,
    }
    clip = tower.family == "clip"
    vision = CLIPVisionConfig(**seen) if clip else SiglipVisionConfig(**seen, vision_use_head=False)
    text = Qwen3Config(**said) if language.normed_heads else LlamaConfig(**said)
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=language.vocabulary - 1,
        vision_feature_layer=-2 if clip else -1,
        vision_feature_select_strategy="default" if clip else "full",
        tie_word_embeddings=language.tied,
    )


def take_empty_step(optimiser: Any) -> None:
    """One step with gradients without values: AdamW makes its moments."""
    import torch

    for group in optimiser.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def _local_bytes(tensor: Any) -> int:
    local = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return int(local.numel()) * int(local.element_size())


def _local_plan(state: Mapping[str, Any], first: bool) -> Any:
    from torch.distributed.checkpoint.default_planner import create_default_local_save_plan

    return create_default_local_save_plan(dict(state), first)


def _written(plans: list[Any]) -> tuple[int, ...]:
    """Bytes of each rank's part of the plan on which torch.distributed.checkpoint would agree."""
    from torch.distributed.checkpoint.default_planner import (
        create_default_global_save_plan,
        dedup_save_plans,
    )

    agreed, _ = create_default_global_save_plan(dedup_save_plans(plans))
    return tuple(sum(_item_bytes(item.tensor_data) for item in plan.items) for plan in agreed)


def _item_bytes(written: Any) -> int:
    size: int = written.properties.dtype.itemsize
    return math.prod(written.chunk.sizes) * size
