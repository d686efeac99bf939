"""Counted parameters are those of the models, to the last one."""

from __future__ import annotations

import pytest
import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from glassllava.errors import BadInput
from glassllava.model.tower import CELL, OWN, Look, Tower, TowerConfig
from training.embedded import pictures
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


@pytest.fixture(scope="module")
def tower() -> Tower:
    return Tower(TowerConfig(448, labels=embedded.LABELS))


def test_the_embedded_tower_is_as_the_plan_says(tower: Tower) -> None:
    assert len(pictures.LABELS) == embedded.LABELS
    assert (CELL, OWN) == (embedded.CELL, embedded.CELL_VALUES)
    sizes: dict[str, int] = {}
    for name, parameter in tower.named_parameters():
        part = name.split(".")[0]
        sizes[part] = sizes.get(part, 0) + parameter.numel()
    named = {part: sizes.pop(part) for part in ("deep", "dense", "glance", "head")}
    assert named == {
        "deep": embedded.DEEP,
        "dense": embedded.DENSE,
        "glance": embedded.GLANCE,
        "head": embedded.HEAD,
    }
    assert sum(sizes.values()) == embedded.FIXED


def look(tower: Tower) -> tuple[Look, torch.Tensor]:
    """One view as the tower's own stages look at it."""
    seen = tower.look(torch.zeros(1, 1, 448, 448).expand(-1, 3, -1, -1))
    return seen, tower.glanced(seen, 0.2)


def test_a_look_of_the_embedded_tower_works_as_the_plan_says(tower: Tower) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        look(tower)
    fixed = embedded.FIXED_OPERATIONS + embedded.DEEP_OPERATIONS
    heads = embedded.DENSE_OPERATIONS + embedded.GLANCE_OPERATIONS
    assert counted.get_total_flops() == fixed + heads
    with torch.no_grad(), FlopCounterMode(display=False) as dense:
        edges, middle = torch.zeros(1, 40, 56, 56), torch.zeros(1, 112, 28, 28)
        tower.dense(edges, middle, torch.zeros(1, 320, 14, 14))
    assert dense.get_total_flops() == embedded.DENSE_OPERATIONS
    with torch.no_grad(), FlopCounterMode(display=False) as fixed_alone:
        x = tower.stem(torch.zeros(1, 3, 448, 448))
        for block in tower.shallow:
            x = block(x)
    assert fixed_alone.get_total_flops() == embedded.FIXED_OPERATIONS


@pytest.mark.parametrize("cast", [True, False])
@pytest.mark.parametrize("deep", [True, False])
def test_a_look_of_the_embedded_tower_keeps_what_the_plan_says(
    tower: Tower, cast: bool, deep: bool
) -> None:
    learning = {"dense", "glance"} | ({"deep"} if deep else set())
    for name, parameter in tower.named_parameters():
        parameter.requires_grad_(name.split(".")[0] in learning)
    own = {p.untyped_storage().data_ptr() for p in tower.parameters()}
    matrices = {p.numel() for p in tower.parameters()}
    kept: dict[int, int] = {}
    alive: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        # Copies of matrices for autocast are made once, however many views there are.
        if storage.data_ptr() not in own and tensor.numel() not in matrices:
            alive.append(tensor)
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        torch.autocast("cpu", torch.bfloat16, enabled=cast),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        look(tower)
    promised = embedded.DEEP_BYTES if deep else embedded.DENSE_BYTES
    assert sum(kept.values()) == pytest.approx(promised[cast], rel=0.05)
