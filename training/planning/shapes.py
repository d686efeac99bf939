"""How many parameters a model of a given shape has, part by part.

Knows the layouts of `LlavaForConditionalGeneration` with a CLIP or SigLIP tower and a LLaMA or
Qwen3 language model; the counts equal those of the models themselves, to the last one. Knows no
bytes and no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glassllava.errors import BadInput
from training.recipe import LanguageShape, Lora, TowerShape

TOWER, PROJECTOR, LANGUAGE, HEAD, ADAPTERS = (
    "vision_tower",
    "multi_modal_projector",
    "language_model",
    "lm_head",
    "lora",
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Parameters by part. `language_layer` and `tower_layer` are those of one layer."""

    parts: Mapping[str, int]
    language_layer: int
    tower_layer: int

    @property
    def total(self) -> int:
        return sum(self.parts.values())


def count(tower: TowerShape, language: LanguageShape, lora: Lora | None = None) -> Counts:
    """The parameters of a LLaVA of these shapes, with its adapters if it has any."""
    parts = {
        TOWER: tower_parameters(tower),
        PROJECTOR: projector_parameters(tower, language),
        LANGUAGE: language_parameters(language),
        HEAD: 0 if language.tied else language.vocabulary * language.width,
    }
    if lora is not None:
        parts[ADAPTERS] = lora_parameters(language, lora)
    return Counts(parts, language_layer_parameters(language), tower_layer_parameters(tower))


def language_parameters(shape: LanguageShape) -> int:
    """Token embeddings, layers and the last norm; the head that says words is not among them."""
    layers = shape.layers * language_layer_parameters(shape)
    return shape.vocabulary * shape.width + layers + shape.width


def language_layer_parameters(shape: LanguageShape) -> int:
    """One decoder layer: attention (no offsets), a gated MLP, two norms (Touvron et al. 2023)."""
    norms = 2 * shape.width + (2 * shape.head_width if shape.normed_heads else 0)
    return sum(inner * outer for inner, outer in matrices(shape).values()) + norms


def matrices(shape: LanguageShape) -> dict[str, tuple[int, int]]:
    """(inputs, outputs) of every matrix of a decoder layer, by the names that adapters use."""
    queries = shape.heads * shape.head_width
    keys = shape.key_value_heads * shape.head_width
    return {
        "q_proj": (shape.width, queries),
        "k_proj": (shape.width, keys),
        "v_proj": (shape.width, keys),
        "o_proj": (queries, shape.width),
        "gate_proj": (shape.width, shape.inner),
        "up_proj": (shape.width, shape.inner),
        "down_proj": (shape.inner, shape.width),
    }


def tower_parameters(shape: TowerShape) -> int:
    """Patches, positions, layers and norms of a vision transformer without a pooling head."""
    patches = 3 * shape.patch**2 * shape.width
    if shape.family == "clip":
        # A class token with its position; norms before and after the layers.
        embedded = patches + (1 + shape.tokens + 1) * shape.width
        norms = 4 * shape.width
    else:
        embedded = patches + shape.width + shape.tokens * shape.width
        norms = 2 * shape.width
    return embedded + shape.layers * tower_layer_parameters(shape) + norms


def tower_layer_parameters(shape: TowerShape) -> int:
    """Four square matrices, a plain MLP and two norms, with offsets (Dosovitskiy et al. 2021)."""
    attention = 4 * (shape.width**2 + shape.width)
    mlp = 2 * shape.width * shape.inner + shape.inner + shape.width
    return attention + mlp + 4 * shape.width


def projector_parameters(tower: TowerShape, language: LanguageShape) -> int:
    """Two matrices with offsets (LLaVA-1.5's MLP, which transformers has for every LLaVA)."""
    return (tower.width + 1) * language.width + (language.width + 1) * language.width


def lora_parameters(language: LanguageShape, lora: Lora) -> int:
    """Two thin matrices beside each matrix that is adapted.

    Raises
    ------
    BadInput : for an adapter on a matrix that a decoder layer does not have.
    """
    known = matrices(language)
    unknown = [name for name in lora.targets if name not in known]
    if unknown:
        raise BadInput(
            f"A decoder layer has no matrix '{unknown[0]}' to adapt",
            where="LoRA targets",
            remedy=f"Known: {', '.join(known)}.",
        )
    return language.layers * lora.rank * sum(sum(known[name]) for name in lora.targets)


def shapes_of(config: Any) -> tuple[TowerShape, LanguageShape]:
    """The shapes of a live `LlavaConfig`.

    Raises
    ------
    BadInput : for a tower or a language model of a kind that is not counted here.
    """
    vision, text = config.vision_config, config.text_config
    families = {"clip_vision_model": "clip", "siglip_vision_model": "siglip"}
    if vision.model_type not in families:
        raise BadInput(
            f"A tower of kind '{vision.model_type}' is not counted",
            where="vision_config",
            remedy=f"Known: {', '.join(families)}.",
        )
    if text.model_type not in ("llama", "qwen3"):
        raise BadInput(
            f"A language model of kind '{text.model_type}' is not counted",
            where="text_config",
            remedy="Known: llama, qwen3.",
        )
    tower = TowerShape(
        layers=vision.num_hidden_layers,
        width=vision.hidden_size,
        inner=vision.intermediate_size,
        heads=vision.num_attention_heads,
        image_size=vision.image_size,
        patch=vision.patch_size,
        family=families[vision.model_type],  # type: ignore[arg-type]
    )
    head = getattr(text, "head_dim", None)
    usual = text.hidden_size // text.num_attention_heads
    language = LanguageShape(
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        inner=text.intermediate_size,
        heads=text.num_attention_heads,
        key_value_heads=text.num_key_value_heads,
        vocabulary=text.vocab_size,
        tied=bool(config.tie_word_embeddings),
        head=None if head == usual else head,
        normed_heads=text.model_type == "qwen3",
    )
    return tower, language
