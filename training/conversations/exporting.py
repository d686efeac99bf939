"""The trained model as a folder that opens elsewhere, with its card.

Knows what is worked in, gathered and told; `training.export` knows how it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from glassllava.model import opening
from training import sharding
from training.conversations.reading import Material
from training.conversations.starting import Base, add_lora, merge_lora
from training.ranks import Ranks
from training.recipe import FromCheckpoint, TrainingRecipe

#: What a base checkpoint's own glassllava.json says of how it is asked; it still holds.
_SETTINGS = ("probe_keys", "passage_budget", "longest_text")


def export(
    recipe: TrainingRecipe,
    begin: FromCheckpoint,
    base: Base,
    material: Material,
    curves: Mapping[str, Any],
    out: Path,
    ranks: Ranks,
) -> None:
    """The trained model as a folder that opens elsewhere, written by the first process."""
    from training.export.card import About
    from training.export.saving import save_folder

    model = base.model
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
            metrics=_figures(recipe, curves),
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


def _figures(recipe: TrainingRecipe, curves: Mapping[str, Any]) -> dict[str, str]:
    """What the check of the exported state said: the best of the last stage, or its last."""
    stage = recipe.stages[-1]
    curve = curves[stage.name]
    # `max` takes the first of equals, as the loop keeps it.
    row = max(curve, key=lambda seen: seen[stage.watched]) if stage.watched else curve[-1]
    return {
        f"{key}, validation, generated, after step {row['step']:.0f} of '{stage.name}'": (
            f"{value:.3f}"
        )
        for key, value in row.items()
        if key != "step"
    }


def _stored_as(checkpoint: opening.Checkpoint) -> torch.dtype:
    named = checkpoint.config.get("dtype") or checkpoint.config.get("torch_dtype") or "float16"
    dtype = getattr(torch, str(named).removeprefix("torch."), None)
    return dtype if isinstance(dtype, torch.dtype) else torch.float16
