"""Tiny models of the architectures that are saved, merged and converted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from glassllava import prompt

Make = Callable[..., Any]


@pytest.fixture(scope="session")
def clip_llava() -> tuple[Any, Any]:
    """A LLaVA around a CLIP tower, fp32 and louder than transformers starts it; its processor."""
    import torch
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    from training.embedded.start import TEMPLATE, make_processor

    torch.manual_seed(3)
    tokenizer = make_processor([prompt.probe_text("crack")] * 10, 400).tokenizer
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2,
            image_size=56, patch_size=14,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=2, eos_token_id=tokenizer.eos_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.15)
    side = {"height": 56, "width": 56}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size=side),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    return model.eval(), processor


@pytest.fixture(scope="session")
def glass_llava() -> tuple[Any, Any]:
    """The embedded architecture, small; its processor. Its head is tied to its embedding."""
    import torch

    from training.embedded.start import make_llava, make_processor

    torch.manual_seed(4)
    processor = make_processor([prompt.probe_text("crack")] * 10, 400, image_size=336)
    return make_llava(processor, layers=2, width=32, heads=2, image_size=336).eval(), processor


@pytest.fixture
def enquiries(tmp_path: Any) -> list[Any]:
    """Two micrographs, asked without and with context."""
    import numpy as np
    import tifffile

    from glassllava.measurement.quantities import Measurements
    from glassllava.micrograph.reading import read_micrograph
    from glassllava.prompt import Budget, compose
    from glassllava.sample import Sample

    made = []
    for number, level in enumerate(("none", "moderate")):
        path = tmp_path / "micrographs" / f"{number}.tif"
        path.parent.mkdir(exist_ok=True)
        grey = np.random.default_rng(number).integers(0, 250, (90, 140)).astype(np.uint8)
        tifffile.imwrite(path, grey)
        made.append(
            compose(
                read_micrograph(path),
                Sample(material="float glass"),
                "",
                level,  # type: ignore[arg-type]
                measurements=Measurements(),
                passages=(),
                query="",
                probe_keys=("crack", "pore", "clean"),
                passage_budget=Budget(500),
                want_text=False,
            )
        )
    return made
