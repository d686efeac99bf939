"""A real LLaVA of a few thousand parameters: CLIP tower, projector, LLaMA, tokenizer, template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from glassllava.conversation import Conversation, Turn, write_conversations

#: As llava-hf/llava-1.5-7b-hf writes it: blanks after every part, no end after an answer.
VICUNA = (
    "{% for message in messages %}{% if message['role'] != 'system' %}"
    "{{ message['role'].upper() + ': '}}{% endif %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] + ' '}}{% endfor %}{% else %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
UNMARKED = VICUNA.replace("{% generation %}", "").replace("{% endgeneration %}", "")

_TEXTS = (
    "USER: <image>\nIs there a defect for this sample? Answer yes or no. ASSISTANT: yes no ",
    "What is on this micrograph? A dark picture. A light picture. crack pore glass ASSISTANT:",
)


def make_processor(template: str = VICUNA, side: int = 28, patch: int = 14) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<image>"]
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXTS * 20, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens={"image_token": "<image>"},
    )
    size = {"height": side, "width": side}
    image = CLIPImageProcessorPil(size=size, crop_size=size, do_center_crop=False)
    return LlavaProcessor(
        image_processor=image,
        tokenizer=fast,
        patch_size=patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )


def make_model(
    processor: Any, *, seed: int = 0, width: int = 48, layers: int = 2, attention: str = "sdpa"
) -> Any:
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    torch.manual_seed(seed)
    tokenizer = processor.tokenizer
    side = processor.image_processor.size["height"]
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=side,
            patch_size=processor.patch_size,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=256,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=processor.image_token_id,
        image_seq_length=(side // processor.patch_size) ** 2,
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
        attn_implementation=attention,
    )
    model = LlavaForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "embed" not in name:
                # Deviations made for widths of thousands pass on almost nothing at this one.
                parameter.normal_(std=parameter.shape[1] ** -0.5)
    generation = model.generation_config
    generation.bos_token_id = tokenizer.bos_token_id
    generation.eos_token_id = tokenizer.eos_token_id
    generation.pad_token_id = tokenizer.pad_token_id
    return model


def save(folder: Path, processor: Any | None = None, **said: Any) -> Path:
    """A checkpoint in `folder`."""
    processor = processor or make_processor()
    make_model(processor, **said).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


QUESTION = "Is there a defect for this sample? Answer yes or no."


def write_pictures(folder: Path, count: int, seed: int = 0) -> list[str]:
    """Names of `count` grey pictures: those of even number have a dark spot above, others below."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    names = []
    for number in range(count):
        picture = rng.normal(170, 45, (40, 40))  # its grain is its own
        high, wide = rng.integers(12, 20), rng.integers(20, 36)
        top, left = rng.integers(0, 20 - high + 1), rng.integers(0, 40 - wide + 1)
        top += 20 * (number % 2)
        picture[top : top + high, left : left + wide] -= 130
        names.append(f"p{seed}_{number:03}.png")
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / names[-1])
    return names


def conversations(names: list[str], split: str = "train") -> list[Conversation]:
    """One defect question a picture: yes where the spot is above."""
    return [
        Conversation(
            id=f"{split}-{name}",
            image=name,
            turns=(Turn(QUESTION, "yes" if number % 2 == 0 else "no"),),
            split=split,
            paper=f"{split}-paper",
            licence="CC-BY-4.0",
            defect=number % 2 == 0,
            answer_source="the test",
            checked_by="the test",
        )
        for number, name in enumerate(names)
    ]


def write_data(folder: Path, train: int = 40, validation: int = 16) -> Path:
    """A conversations file in `folder`, its pictures in `folder`/images."""
    made = conversations(write_pictures(folder / "images", train, 0))
    made += conversations(write_pictures(folder / "images", validation, 1), "validation")
    path = folder / "data.json"
    write_conversations(path, made)
    assert json.loads(path.read_text("utf-8"))
    return path
