"""The checkpoint that fine-tuning starts from: opened as inference does, and adapters beside it.

Knows files, parts of a model and low-rank adapters; knows no data and no loop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

from glassllava.model import opening, processing
from training.conversations.tokens import check_agreement
from training.conversations.vision import select
from training.recipe import LanguageShape, Lora, TowerShape


@dataclass(frozen=True, slots=True)
class Base:
    """The checkpoint to start from."""

    reference: str
    checkpoint: opening.Checkpoint
    model: Any
    processor: Any


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


def shapes_of(model: Any) -> tuple[TowerShape, LanguageShape] | None:
    """How a plan counts the model; None where its tower is not of CLIP's kind."""
    text, tower = model.config.text_config, model.config.vision_config
    if tower.model_type not in ("clip_vision_model", "siglip_vision_model"):
        return None
    return (
        TowerShape(
            tower.num_hidden_layers,
            tower.hidden_size,
            tower.intermediate_size,
            tower.num_attention_heads,
            tower.image_size,
            tower.patch_size,
            "clip" if tower.model_type.startswith("clip") else "siglip",
        ),
        LanguageShape(
            text.num_hidden_layers,
            text.hidden_size,
            text.intermediate_size,
            text.num_attention_heads,
            text.num_key_value_heads,
            text.vocab_size,
            head=getattr(text, "head_dim", None),
        ),
    )
