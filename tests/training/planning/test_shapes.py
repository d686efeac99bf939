"""Counted parameters are those of the models, to the last one."""

from __future__ import annotations

import pytest
import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from glassllava.errors import BadInput
from glassllava.model.tower import EARLY_BLOCKS, Tower, TowerConfig
from training.embedded import seeing
from training.planning import embedded, rehearsal
from training.planning.shapes import (
    HEAD,
    LANGUAGE,
    PROJECTOR,
    TOWER,
    count,
    shapes_of,
)
from training.recipe import FromCheckpoint, LanguageShape, Lora, TowerShape
from training.recipes import paper_8xa100, qwen3_8xa100

SMALL_TOWER = TowerShape(2, 48, 96, 4, 56, 14)
SMALL_LANGUAGE = LanguageShape(3, 64, 160, 4, 2, 320, tied=True, head=24)


def by_part(model: torch.nn.Module) -> dict[str, int]:
    parts = (TOWER, PROJECTOR, LANGUAGE, HEAD)
    found = dict.fromkeys(parts, 0)
    for name, parameter in model.named_parameters():
        found[next(part for part in parts if part in name.split("."))] += parameter.numel()
    return found


@pytest.mark.parametrize("make", [paper_8xa100, qwen3_8xa100])
def test_the_true_models_have_as_many_parameters_as_the_plan_counts(make) -> None:
    start = make().start
    assert isinstance(start, FromCheckpoint)

    model = rehearsal.empty_model(start)

    assert next(model.parameters()).is_meta
    assert by_part(model) == count(start.tower, start.language).parts
    assert shapes_of(model.config) == (start.tower, start.language)


def test_llava_as_its_authors_publish_it() -> None:
    """From the configuration of llava-hf/llava-1.5-7b-hf, not from our shapes."""
    config = LlavaConfig(
        image_token_index=32000,
        pad_token_id=32001,
        text_config={
            "model_type": "llama",
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-5,
            "vocab_size": 32064,
        },
        vision_config={
            "hidden_size": 1024,
            "image_size": 336,
            "intermediate_size": 4096,
            "model_type": "clip_vision_model",
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
            "patch_size": 14,
            "projection_dim": 768,
            "vocab_size": 32000,
        },
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    start = paper_8xa100().start
    assert isinstance(start, FromCheckpoint)

    assert by_part(model) == count(start.tower, start.language).parts
    assert sum(p.numel() for p in model.parameters()) == 7_063_427_072
    assert start.tower.tokens == 576


@pytest.mark.parametrize("family", ["clip", "siglip"])
@pytest.mark.parametrize("normed", [False, True])
def test_odd_sizes_and_tied_words(family, normed) -> None:
    tower = TowerShape(2, 48, 96, 4, 56, 14, family)
    language = LanguageShape(3, 64, 160, 4, 2, 320, tied=True, head=24, normed_heads=normed)
    start = FromCheckpoint("", "", tower, language)

    model = rehearsal.empty_model(start)

    assert by_part(model) == count(tower, language).parts
    assert count(tower, language).parts[HEAD] == 0
    assert shapes_of(model.config) == (tower, language)


def test_adapters() -> None:
    lora = Lora(rank=4, targets=("q_proj", "v_proj", "down_proj"))
    start = FromCheckpoint("", "", SMALL_TOWER, SMALL_LANGUAGE, lora)

    model = rehearsal.empty_model(start)

    adapters = sum(p.numel() for name, p in model.named_parameters() if ".lora_" in name)
    assert adapters == count(SMALL_TOWER, SMALL_LANGUAGE, lora).parts["lora"] > 0


def test_a_strange_tower_or_language_is_refused() -> None:
    config = rehearsal.llava_config(SMALL_TOWER, SMALL_LANGUAGE)
    config.vision_config.model_type = "pixtral"
    with pytest.raises(BadInput, match="'pixtral' is not counted"):
        shapes_of(config)
    config = rehearsal.llava_config(SMALL_TOWER, SMALL_LANGUAGE)
    config.text_config.model_type = "mamba"
    with pytest.raises(BadInput, match="'mamba' is not counted"):
        shapes_of(config)


def test_the_embedded_tower_is_as_the_plan_says() -> None:
    tower = Tower(TowerConfig(448, labels=embedded.LABELS))
    assert len(seeing.LABELS) == embedded.LABELS
    head = sum(p.numel() for p in tower.head.parameters())
    assert sum(p.numel() for p in tower.parameters()) - head == embedded.TRUNK
    late = sum(p.numel() for p in tower.blocks[EARLY_BLOCKS:].parameters())
    assert late == embedded.LATE_BLOCKS
    assert head == 2 * embedded.CELL_VALUES * embedded.LABELS + embedded.LABELS


def test_the_embedded_towers_late_blocks_work_and_keep_what_the_plan_says() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    tower = Tower(TowerConfig(448, labels=embedded.LABELS))
    early = torch.zeros(1, 112, 28, 28)
    with FlopCounterMode(display=False) as counted:
        tower.late(early)
    assert counted.get_total_flops() == embedded.LATE_OPERATIONS
    kept: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in tower.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            alive.append(tensor)
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    alive: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        tower.late(early)
    assert sum(kept.values()) == pytest.approx(embedded.LATE_BYTES, rel=0.05)
