"""Tiny checkpoints with random weights, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from glassllava import prompt
from glassllava.measurement.quantities import Measurements
from glassllava.micrograph.reading import read_micrograph
from glassllava.prompt import Budget, Enquiry, compose
from glassllava.sample import ContextLevel, Sample


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded architecture, a tenth of its size, untrained."""
    import torch

    from training.embedded.start import make_llava, make_processor, save_checkpoint

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny")
    texts = [prompt.probe_text("crack"), "USER: Material: soda-lime float glass.", "A pore is seen"]
    processor = make_processor(texts * 10, 400, image_size=336)
    model = make_llava(processor, layers=2, width=32, heads=2, image_size=336)
    with torch.no_grad():
        # Small random weights let nothing through: louder ones, so that pictures differ.
        for module in model.model.vision_tower.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
        for module in model.model.multi_modal_projector.modules():
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.normal_(module.weight, std=0.2)
    card: dict[str, object] = {
        "name": "tiny",
        "version": "0",
        "licence": "Apache-2.0",
        "trained_on_synthetic": True,
    }
    card["longest_text"] = 8
    save_checkpoint(folder, model, processor, card, torch.float32)
    return folder


@pytest.fixture(scope="session")
def clip_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA as other groups save it: a CLIP tower with its class token, the default strategy."""
    import torch
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    from training.embedded.start import make_processor

    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("clip")
    tokenizer = make_processor([prompt.probe_text("crack")] * 10, 400).tokenizer
    side = {"height": 56, "width": 56}
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        eos_token_id=tokenizer.eos_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    (folder / "glassllava.json").write_text('{"longest_text": 8}')
    LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size=side),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=(
            "{% for m in messages %}USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}"
            "<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %} {% endfor %}ASSISTANT:"
        ),
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def enquiries(tmp_path: Path) -> list[Enquiry]:
    """Three micrographs of different size and depth, asked with prefixes of different length."""
    rng = np.random.default_rng(3)
    samples = (
        Sample(),
        Sample(material="soda-lime float glass"),
        Sample(material="enamel", process="fired twice", notes="a <image> in words </s>"),
    )
    levels: tuple[ContextLevel, ...] = ("none", "basic", "high")
    made = []
    for i, (sample, level) in enumerate(zip(samples, levels, strict=True)):
        grey = rng.integers(0, 60000 if i else 250, (90 + 30 * i, 140))
        path = tmp_path / f"{i}.tif"
        tifffile.imwrite(path, grey.astype(np.uint16 if i else np.uint8))
        made.append(
            compose(
                read_micrograph(path),
                sample,
                "",
                level,
                measurements=Measurements(),
                passages=(),
                query="",
                probe_keys=("crack", "pore", "clean"),
                passage_budget=Budget(500),
                want_blank=i == 1,
            )
        )
    return made
