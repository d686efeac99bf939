"""Fine-tunes a LLaVA checkpoint on conversations: opens, looks at everything, learns, exports.

    material   conversations, tokens, pictures: what cannot be learnt from stops it here (reading)
    vision     what a frozen tower sees is kept on the disk
    stages     each through the one loop, with its own learning rates and its own data order
    export     low-rank adapters worked in, the folder written and opened again

A cut run goes on: what stands in `work` is not made twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from glassllava.errors import BadInput
from glassllava.model import opening, processing
from training import sharding
from training.checkpoint import Keeper
from training.conversations.checking import Checker
from training.conversations.pictures import Pictures
from training.conversations.reading import Material, bar, read_material
from training.conversations.source import Conversations
from training.conversations.tokens import Tokeniser, check_agreement
from training.conversations.vision import Kept, Live, Vision, keep_features, select
from training.journal import Journal, Log
from training.loop import part_of, run_stage
from training.ranks import Ranks
from training.recipe import ConversationPlan, FromCheckpoint, Lora, Stage, TrainingRecipe

_TOWER = "vision_tower"
#: What a base checkpoint's own glassllava.json says of how it is asked; it still holds.
_SETTINGS = ("probe_keys", "passage_budget", "longest_text")


@dataclass(frozen=True, slots=True)
class Base:
    """The checkpoint to start from."""

    reference: str
    checkpoint: opening.Checkpoint
    model: Any
    processor: Any


def make_llava(
    recipe: TrainingRecipe,
    data: Sequence[Path],
    images: Path,
    out: Path,
    work: Path,
    *,
    ranks: Ranks,
    log: Log,
    base: str = "",
    allow_network: bool = False,
) -> Mapping[str, Any]:
    """The checkpoint of `recipe` in `out`; what every check of every stage said, by stage.

    Parameters
    ----------
    data : files of conversations; their 'split' says what is learnt and what is validated on.
    images : the folder under which the conversations' pictures lie.
    work : keeps what is between; all processes must see the same.
    base : the checkpoint to start from; that of the recipe by default.

    Raises
    ------
    BadInput, UnreadableMicrograph : for data that cannot be learnt from, named.
    ModelUnavailable : for a checkpoint that cannot be trained.
    """
    plan, begin = _plans(recipe)
    with ranks.together():
        if out.exists() and any(out.iterdir()):
            raise BadInput(
                "The folder of the checkpoint is not empty", where=out, remedy="Name a new one."
            )
        # One process fetches from the hub; the others find it there.
        opened = open_base(base or begin.reference, allow_network) if ranks.first else None
    with ranks.together():
        opened = opened or open_base(base or begin.reference, allow_network)
    model, processor = opened.model, opened.processor
    config = model.config.text_config
    longest = min(plan.longest, getattr(config, "max_position_embeddings", plan.longest))
    tokeniser = Tokeniser(processor, longest)
    pictures = Pictures(work / "pictures", processing.side_of(processor))
    material = read_material(data, images, tokeniser, processor, pictures, work, ranks)
    log(material.in_words)
    torch.manual_seed(recipe.seed)
    if begin.lora is not None:
        add_lora(model, begin.lora)
    bf16 = any(stage.bf16 for stage in recipe.stages)
    visions = _visions(recipe, plan, opened, material, pictures, work, ranks)
    ranks.shard(model, bf16=bf16, recompute=plan.checkpointed)

    curves: dict[str, Any] = {}
    for stage, vision in zip(recipe.stages, visions, strict=True):
        torch.manual_seed(recipe.seed)
        source = Conversations(
            material.examples,
            material.digests,
            vision,
            stage,
            Checker(
                material.questions,
                tokeniser,
                processor,
                pictures,
                ranks,
                together=plan.asked,
                bf16=stage.bf16,
            ),
            longest=longest,
            pad=tokeniser.pad,
            seed=recipe.seed,
            rows=plan.rows,
            packed=plan.packed,
            flat="flash" in str(config._attn_implementation),
        )
        identity = {
            "recipe": recipe.to_json(),
            "data": material.fingerprint,
            "base": opened.reference,
        }
        keeper = Keeper(work / stage.name, ranks, identity)
        journal = Journal(log, stage.name, keeper.folder, ranks)
        curves[stage.name] = run_stage(model, stage, source, ranks, keeper, journal)
    export(recipe, opened, material, curves, out, ranks)
    return curves


def open_base(reference: str, allow_network: bool = False) -> Base:
    """The checkpoint to start from, its weights in 32 bits: updates of a low rate need them.

    Raises
    ------
    ModelUnavailable : for what is no LLaVA checkpoint in safetensors, or whose parts disagree.
    """
    folder = opening.folder_of(reference, allow_network=allow_network)
    checkpoint = opening.read_checkpoint(folder)
    model = opening.load_weights(folder, torch.float32)
    processor = processing.open_processor(folder, model.config)
    picture = processing.blank(processing.side_of(processor))
    with torch.no_grad():
        seen = select(model, processing.pixel_values(processor, [picture]))
    check_agreement(processor, model, seen.shape[1])
    return Base(reference, checkpoint, model, processor)


def add_lora(model: Any, lora: Lora) -> None:
    """Adapters in the language model alone: a CLIP tower names its layers as LLaMA does."""
    from peft import LoraConfig, inject_adapter_in_model

    names = "|".join(map(re.escape, lora.targets))
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=rf".*language_model.*\.({names})",
    )
    inject_adapter_in_model(config, model)


def merge_lora(model: Any) -> None:
    """Work the adapters into the weights that they stand beside; in place."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge(safe_merge=True)
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, module.get_base_layer())


def export(
    recipe: TrainingRecipe,
    base: Base,
    material: Material,
    curves: Mapping[str, Any],
    out: Path,
    ranks: Ranks,
) -> None:
    """The trained model as a folder that opens elsewhere, written by the first process."""
    from training.export.card import About
    from training.export.saving import save_folder

    model, begin = base.model, _plans(recipe)[1]
    if sharding.is_sharded(model):
        state = whole_state(model, ranks)
        if ranks.first:
            model = opening.load_weights(base.checkpoint.folder, torch.float32)
            if begin.lora is not None:
                add_lora(model, begin.lora)
            model.load_state_dict(state)
    with ranks.together():
        if not ranks.first:
            return
        if begin.lora is not None:
            merge_lora(model)
        card = base.checkpoint.card
        licence = card.get("licence") or (
            begin.licence if base.reference == begin.reference else "unknown"
        )
        about = About(
            name=f"GlassLLaVA, {recipe.name}",
            version=recipe.version,
            materials="glass and glass-ceramics, as the conversations show them",
            base={base.reference: licence},
            data=material.licences,
            data_fingerprint=material.fingerprint,
            data_words=material.in_words,
            recipe=recipe.to_json(),
            metrics=_last_figures(curves),
            settings={key: card[key] for key in _SETTINGS if key in card},
            limits=(
                "Its figures above were used to choose when to stop: `glassview evaluate` measures "
                "it on other data.",
                "Its probabilities are not calibrated: every verdict is undecided until they are.",
            ),
        )
        model.to("cpu")
        save_folder(out, model.eval(), base.processor, about, dtype=_stored_as(base.checkpoint))


def whole_state(model: Any, ranks: Ranks) -> dict[str, Any]:
    """Every weight by its name on the first process's own memory; nothing on the others."""
    state = {}
    with sharding.whole(model), torch.no_grad():
        if ranks.first:
            for name, tensor in (*model.named_parameters(), *model.named_buffers()):
                state[name] = tensor.detach().to("cpu", torch.float32, copy=True)
        if ranks.first and model.config.tie_word_embeddings:
            state["lm_head.weight"] = model.lm_head.weight.detach().cpu().float()
    persistent = {name for name, _ in model.named_buffers()} - set(_kept_buffers(model))
    return {name: tensor for name, tensor in state.items() if name not in persistent}


def _kept_buffers(model: Any) -> list[str]:
    """Buffers that a checkpoint holds, by name."""
    return [
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        for name in module._buffers
        if name not in module._non_persistent_buffers_set
    ]


def _visions(
    recipe: TrainingRecipe,
    plan: ConversationPlan,
    base: Base,
    material: Material,
    pictures: Pictures,
    work: Path,
    ranks: Ranks,
) -> list[Vision]:
    """What each stage sees with: features are kept as long as no stage has moved the tower."""
    made: list[Vision] = []
    kept: Kept | None = None
    moved = False
    for stage in recipe.stages:
        moved = moved or trains_tower(base.model, stage)
        if moved or not plan.cached_vision:
            made.append(Live(pictures, base.processor))
            continue
        if kept is None:
            base.model.to(ranks.device)
            with bar("vision", ranks) as told:
                kept = keep_features(
                    base.model,
                    base.processor,
                    pictures,
                    material.digests,
                    work / "features",
                    ranks,
                    told,
                )
        made.append(kept)
    return made


def trains_tower(model: Any, stage: Stage) -> bool:
    """Whether the stage moves any weight of the vision tower."""
    return any(
        _TOWER in name and part_of(name, stage.rates) is not None
        for name, _ in model.named_parameters()
    )


def _plans(recipe: TrainingRecipe) -> tuple[ConversationPlan, FromCheckpoint]:
    if not isinstance(recipe.data, ConversationPlan) or not isinstance(
        recipe.start, FromCheckpoint
    ):
        raise BadInput(
            "This recipe does not fine-tune a checkpoint on conversations", where=recipe.name
        )
    return recipe.data, recipe.start


def _last_figures(curves: Mapping[str, Any]) -> dict[str, str]:
    """What the last stage's best check said, in words."""
    if not curves or not list(curves.values())[-1]:
        return {}
    name, curve = list(curves.items())[-1]
    last = curve[-1]
    return {
        f"{key}, validation, generated, after step {last['step']:.0f} of '{name}'": f"{value:.3f}"
        for key, value in last.items()
        if key != "step"
    }


def _stored_as(checkpoint: opening.Checkpoint) -> torch.dtype:
    named = checkpoint.config.get("dtype") or checkpoint.config.get("torch_dtype") or "float16"
    dtype = getattr(torch, str(named).removeprefix("torch."), None)
    return dtype if isinstance(dtype, torch.dtype) else torch.float16
