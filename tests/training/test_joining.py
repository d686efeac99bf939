"""A tower and a language model become a LLaVA that opens and runs: where qwen3_8xa100 starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    SiglipConfig,
    SiglipModel,
)

from glassllava.errors import BadInput, ModelUnavailable
from glassllava.model import opening, processing
from training.conversations.tokens import check_agreement
from training.conversations.vision import select
from training.joining import join, main


@pytest.fixture
def tower(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    vision = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2}
    text = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 1, "vocab_size": 30}
    config = SiglipConfig(
        vision_config={**vision, "num_attention_heads": 4, "image_size": 56, "patch_size": 14},
        text_config={**text, "num_attention_heads": 4, "projection_size": 48},
    )
    folder = tmp_path / "tower"
    SiglipModel(config).bfloat16().save_pretrained(folder)
    numbers = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": 56, "width": 56}}
    (folder / "preprocessor_config.json").write_text(json.dumps(numbers))
    return folder


def language(folder: Path, kind: str = "qwen3", rows: int = 320, tied: bool = False) -> Path:
    torch.manual_seed(1)
    sizes = {
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 24,
        "vocab_size": rows,
        "tie_word_embeddings": tied,
    }
    made = (
        Qwen3ForCausalLM(Qwen3Config(**sizes))
        if kind == "qwen3"
        else LlamaForCausalLM(LlamaConfig(**sizes))
    )
    made.bfloat16().save_pretrained(folder)
    words = {sign: number for number, sign in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    backend = Tokenizer(models.BPE(words, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("kind", "tied"), [("qwen3", False), ("qwen3", True), ("llama", False)])
def test_what_is_joined_opens_and_holds_both_parts(tower, tmp_path, kind, tied) -> None:
    spoken = language(tmp_path / "language", kind, tied=tied)
    out = tmp_path / "joined"

    join(tower, spoken, out, ("Apache-2.0", "Apache-2.0"))

    card = opening.read_checkpoint(out).card
    assert card["licence"] == "Apache-2.0"
    model = opening.load_weights(out, torch.float32)
    processor = processing.open_processor(out, model.config)
    picture = processing.blank(processing.side_of(processor))
    with torch.no_grad():
        seen = select(model, processing.pixel_values(processor, [picture]))
    check_agreement(processor, model, seen.shape[1])
    assert seen.shape == (1, 16, 48)

    whole = SiglipModel.from_pretrained(tower, dtype=torch.float32)
    with torch.no_grad():
        theirs = whole.vision_model(
            processing.pixel_values(processor, [picture]), output_hidden_states=True
        ).hidden_states[-1]
    assert torch.allclose(seen, theirs, atol=1e-5)
    kinds = {"qwen3": Qwen3ForCausalLM, "llama": LlamaForCausalLM}
    alone = kinds[kind].from_pretrained(spoken, dtype=torch.float32)
    ids = torch.arange(40)[None]
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, alone(ids).logits, atol=1e-5)


def test_its_projector_follows_from_the_seed(tower, tmp_path) -> None:
    spoken = language(tmp_path / "language")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        join(tower, spoken, tmp_path / name, ("Apache-2.0", "MIT"), seed=seed)
    a, b, c = (
        opening.load_weights(
            tmp_path / n, torch.float32
        ).model.multi_modal_projector.linear_1.weight
        for n in "abc"
    )
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert a.std().item() == pytest.approx(48**-0.5, rel=0.1)


def test_the_command_writes_and_refuses(tower, tmp_path, capsys) -> None:
    spoken = language(tmp_path / "language")
    out = tmp_path / "joined"
    assert main([str(tower), str(spoken), "-o", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert main([str(tower), str(spoken), "-o", str(out)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_parts_of_another_kind_or_without_room_are_refused(tower, tmp_path) -> None:
    spoken = language(tmp_path / "language")
    with pytest.raises(ModelUnavailable, match="tower of kind 'qwen3'"):
        join(spoken, spoken, tmp_path / "x", ("a", "b"))
    with pytest.raises(ModelUnavailable, match="kind 'siglip'"):
        join(tower, tower, tmp_path / "x", ("a", "b"))
    small = language(tmp_path / "small", rows=258)
    with pytest.raises(ModelUnavailable, match="258 rows of words, and 259 are needed"):
        join(tower, small, tmp_path / "x", ("a", "b"))
    with pytest.raises(BadInput, match="not empty"):
        join(tower, spoken, tower, ("a", "b"))


def test_a_missing_weight_is_named_and_nothing_is_left(tower, tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    spoken = language(tmp_path / "language")
    held = load_file(spoken / "model.safetensors")
    held.pop("model.layers.1.mlp.up_proj.weight")
    save_file(held, spoken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"layers\.1\.mlp\.up_proj\.weight"):
        join(tower, spoken, tmp_path / "x", ("a", "b"))
    assert not (tmp_path / "x").exists()
