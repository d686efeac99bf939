"""Operations against torch's own counter, on models that are really run."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from training.planning import rehearsal
from training.planning.flops import (
    attention_forward,
    flops_per_token,
    matrix_forward,
    tower_forward,
)
from training.planning.shapes import count, shapes_of
from training.recipe import LanguageShape, Lora, TowerShape
from training.recipes import CLIP_L_336, LLAMA_7B

TOWER = TowerShape(2, 48, 96, 4, 56, 14)
LANGUAGE = LanguageShape(3, 64, 160, 4, 2, 320)
LENGTH = 40


def model(lora: Lora | None = None):
    from transformers import LlavaForConditionalGeneration

    torch.manual_seed(0)
    config = rehearsal.llava_config(TOWER, LANGUAGE)
    # torch counts matrix products, and not what sdpa does on a processor.
    config._attn_implementation = "eager"
    made = LlavaForConditionalGeneration(config)
    return made if lora is None else rehearsal.adapted(made, lora)


def counted(made, *, back: bool) -> int:
    ids = torch.ones(1, LENGTH, dtype=torch.long)
    ids[:, : TOWER.tokens] = LANGUAGE.vocabulary - 1
    pixels = torch.zeros(1, 3, 56, 56)
    with FlopCounterMode(display=False) as found:
        logits = made(input_ids=ids, pixel_values=pixels, use_cache=False).logits
        if back:
            logits.sum().backward()
    return found.get_total_flops()


def whole_square() -> float:
    """torch counts the whole square of attention, we the half that is seen."""
    return LENGTH / ((LENGTH + 1) / 2)


def test_forward_is_what_torch_counts() -> None:
    with torch.no_grad():
        found = counted(model(), back=False)

    projector = 2 * (48 * 64 + 64 * 64) * TOWER.tokens
    attention = attention_forward(LANGUAGE, LENGTH) * whole_square()
    by_formula = LENGTH * (matrix_forward(LANGUAGE) + attention) + tower_forward(TOWER) + projector
    assert found == pytest.approx(by_formula, rel=1e-3)


def test_learning_everything_takes_three_times_the_forward_pass() -> None:
    found = counted(model(), back=True)

    each = flops_per_token(LANGUAGE, TOWER, length=LENGTH, tower_trained=True)
    seen = 3 * attention_forward(LANGUAGE, LENGTH)
    by_formula = LENGTH * (each + seen * (whole_square() - 1))
    # torch: no gradient of the pixels, and attention's way back is computed again in part
    assert found == pytest.approx(by_formula, rel=0.05)


def test_a_frozen_tower_is_looked_through_once() -> None:
    made = model()
    made.model.vision_tower.requires_grad_(False)
    found = counted(made, back=True)

    each = flops_per_token(LANGUAGE, TOWER, length=LENGTH)
    seen = 3 * attention_forward(LANGUAGE, LENGTH)
    assert found == pytest.approx(LENGTH * (each + seen * (whole_square() - 1)), rel=0.05)


def test_adapters_spare_the_gradients_of_the_matrices() -> None:
    lora = Lora(rank=4, dropout=0.0)
    made = model(lora)
    for name, parameter in made.named_parameters():
        parameter.requires_grad_(".lora_" in name or "multi_modal_projector" in name)
    found = counted(made, back=True)

    each = flops_per_token(LANGUAGE, TOWER, length=LENGTH, lora=lora)
    seen = 3 * attention_forward(LANGUAGE, LENGTH)
    assert found == pytest.approx(LENGTH * (each + seen * (whole_square() - 1)), rel=0.05)
    assert each < flops_per_token(LANGUAGE, TOWER, length=LENGTH)


def test_six_operations_a_weight_are_the_known_rule() -> None:
    """Kaplan et al. 2020: 6 N a token, where attention is a small part."""
    each = flops_per_token(LLAMA_7B, CLIP_L_336, length=776, looks=0.0)
    weights = count(CLIP_L_336, LLAMA_7B).parts["language_model"]
    assert each == pytest.approx(6 * weights, rel=0.05)


def test_from_a_live_configuration() -> None:
    language_first = shapes_of(model().config)
    assert language_first == (TOWER, LANGUAGE)
    tower, language = language_first
    assert flops_per_token(language, tower, length=LENGTH) > 0
