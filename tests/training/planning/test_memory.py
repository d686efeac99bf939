"""Bytes that the formulas promise against bytes that were really taken, on a processor."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

from training.loop import make_optimiser
from training.planning import memory, rehearsal
from training.planning.memory import Load
from training.recipe import (
    ConversationPlan,
    FromCheckpoint,
    LanguageShape,
    Lora,
    Stage,
    TowerShape,
)

TOWER = TowerShape(2, 48, 96, 4, 56, 14)
LANGUAGE = LanguageShape(3, 64, 160, 4, 2, 320)
DATA = ConversationPlan(8, 20, longest=64, rows=1)


def stage(*parts: str) -> Stage:
    return Stage("s", dict.fromkeys(parts, 1e-3), batch=2, epochs=1)


@pytest.mark.parametrize(
    ("parts", "lora"),
    [
        (("multi_modal_projector", "language_model", "lm_head"), None),
        (("vision_tower", "multi_modal_projector", "language_model", "lm_head"), None),
        (("multi_modal_projector",), None),
        (("lora_A", "lora_B", "multi_modal_projector"), Lora(rank=4, dropout=0.0)),
    ],
)
def test_states_take_what_the_formula_says_to_the_byte(parts, lora) -> None:
    """A true step of AdamW: parameters, gradients and moments of a small model, weighed."""
    from transformers import LlavaForConditionalGeneration

    torch.manual_seed(0)
    start = FromCheckpoint("", "", TOWER, LANGUAGE, lora)
    model = LlavaForConditionalGeneration(rehearsal.llava_config(TOWER, LANGUAGE))
    if lora is not None:
        model = rehearsal.adapted(model, lora)
    optimiser = make_optimiser(model, stage(*parts))
    ids = torch.ones(1, 30, dtype=torch.long)
    ids[:, : TOWER.tokens] = LANGUAGE.vocabulary - 1
    said = model(input_ids=ids, pixel_values=torch.randn(1, 3, 56, 56), use_cache=False)
    said.logits.square().mean().backward()
    for parameter in model.parameters():
        # The tower's last layer is not looked at (vision_feature_layer -2): no gradient, no moment.
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    optimiser.step()

    promised = memory.states(Load(start, DATA, stage(*parts), 1))

    def weigh(tensors) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    trained = [p for p in model.parameters() if p.requires_grad]
    assert promised["parameters"] == weigh(trained)
    assert promised["frozen parameters"] == weigh(
        p for p in model.parameters() if not p.requires_grad
    )
    assert promised["gradients"] == weigh(p.grad for p in trained)
    moments = [optimiser.state[p][name] for p in trained for name in ("exp_avg", "exp_avg_sq")]
    assert promised["AdamW's moments"] == weigh(moments)


@pytest.mark.parametrize("cast", [False, True])
@pytest.mark.parametrize("heads", [8, 4])
def test_a_layer_saves_what_the_formula_says(cast: bool, heads: int) -> None:
    """All that autograd keeps of one LLaMA layer, in 16-bit parameters and under autocast."""
    shape = LanguageShape(1, 256, 688, 8, heads, 100)
    config = rehearsal.llava_config(TOWER, shape).text_config
    config._attn_implementation = "sdpa"
    layer = LlamaDecoderLayer(config, 0).to(torch.float32 if cast else torch.bfloat16)
    tokens = 1024
    positions = torch.arange(tokens)[None]
    hidden = torch.randn(1, tokens, 256, dtype=torch.float32 if cast else torch.bfloat16)
    around = LlamaRotaryEmbedding(config)(hidden, positions)
    own = {p.untyped_storage().data_ptr() for p in layer.parameters()}
    kept: dict[int, tuple[torch.Tensor, int]] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        # Copies of matrices for autocast are counted elsewhere, and have no token in them.
        if storage.data_ptr() not in own and tokens in tensor.shape:
            kept[storage.data_ptr()] = (tensor, storage.nbytes())
        return tensor

    with (
        torch.autocast("cpu", torch.bfloat16, enabled=cast),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        layer(hidden.requires_grad_(), position_embeddings=around, position_ids=positions)

    saved = sum(size for _, size in kept.values())
    assert saved == pytest.approx(tokens * memory.saved_bytes(shape, cast), rel=0.07)


def test_a_cache_of_answers_is_as_large_as_the_formula_says() -> None:
    from transformers import DynamicCache, LlavaForConditionalGeneration

    model = LlavaForConditionalGeneration(rehearsal.llava_config(TOWER, LANGUAGE)).bfloat16()
    cache = DynamicCache(config=model.config.text_config)
    ids = torch.ones(2, 20, dtype=torch.long)
    with torch.no_grad():
        model(input_ids=ids, past_key_values=cache, use_cache=True)

    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert held == 2 * 20 * memory.cache_bytes(LANGUAGE)


def test_what_is_spread_is_a_share_of_what_is_whole() -> None:
    start = FromCheckpoint("", "", TOWER, LANGUAGE)
    whole = Load(start, DATA, stage("language_model"), 1)
    spread = replace(whole, devices=2)
    for name, size in memory.states(whole).items():
        assert memory.states(spread)[name] == size / 2


def test_a_learning_tower_costs_its_own() -> None:
    start = FromCheckpoint("", "", TOWER, LANGUAGE)
    frozen = Load(start, DATA, stage("language_model"), 1)
    learning = Load(start, DATA, stage("vision_tower", "language_model"), 1)
    assert "tower's kept values" not in memory.step_parts(frozen)
    parts = memory.step_parts(learning)
    # two pictures of 16 patches and a class token, 2 layers, 16-bit work
    each = 2 * 6 * 48 + 2 * 4 * 48 + 2 * 4 * 96
    assert parts["tower's kept values"] == 2 * 17 * 2 * each


def test_the_plan_knows_what_the_loss_and_the_checks_take_at_once() -> None:
    import inspect

    from training.conversations import loss
    from training.conversations.checking import Checker

    assert loss._CHUNK == memory.CHUNK
    said = inspect.signature(Checker.__init__).parameters
    assert said["longest"].default == memory.ANSWER


def test_logits_of_a_chunk_take_what_the_formula_says() -> None:
    """What stands at the widest point of a chunk's way back: measured by torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    places, words, width = memory.CHUNK, 4096, 32
    head = torch.nn.Linear(width, words, bias=False, dtype=torch.bfloat16)
    hidden = torch.randn(places, width, dtype=torch.bfloat16, requires_grad=True)
    targets = torch.zeros(places, dtype=torch.long)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        torch.nn.functional.cross_entropy(head(hidden).float(), targets).backward()

    held, highest = 0, 0
    changes = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(changes, key=lambda e: e.start_ns()):
        held += event.nbytes()
        highest = max(highest, held)
    assert highest == pytest.approx(places * words * memory.LOGIT_BYTES, rel=0.35)
