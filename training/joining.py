"""Joins a vision tower and a language model into a LLaVA folder, with a projector from nothing.

    python -m training.joining siglip2-so400m-patch14-384 Qwen3-8B -o siglip2-qwen3-8b-llava

What comes out cannot see yet: the first stage of `qwen3_8xa100` teaches its projector. Both parts
are read as safetensors from folders that are there; none of their code runs. Knows SigLIP towers
and LLaMA and Qwen3 language models; knows nothing of training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import GlassError, ModelUnavailable
from glassllava.model.opening import read_json

if TYPE_CHECKING:
    from training.export.saving import Saved

#: As LLaVA-1.5 is asked, with the language model's own end: our prompts and probes are made for it.
_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}USER: "
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% else %} ASSISTANT: {{ message['content'][0]['text'] }}@END@{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)
_LANGUAGES = ("llama", "qwen3")


def join(
    tower: Path, language: Path, folder: Path, licences: tuple[str, str], *, seed: int = 0
) -> Saved:
    """Write a LLaVA of `tower` and `language` to `folder`, and open it again.

    Parameters
    ----------
    tower : a folder with a SigLIP model, or its vision part: config.json and safetensors.
    language : a folder with a LLaMA or Qwen3 model: config.json, safetensors, tokenizer.
    folder : must not be there yet, or be empty.
    licences : of the two, as their owners state them.
    seed : of the projector's first weights.

    Raises
    ------
    ModelUnavailable : for another kind of part, a weight that is missing or of another shape, or a
        vocabulary without room for the image token.
    BadInput : where `folder` is not empty.
    """
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    from training.export.card import About
    from training.export.pieces import IMAGE, open_tokenizer
    from training.export.saving import save_folder

    vision, text = _vision(tower), _text(language)
    tokenizer, _ = open_tokenizer(language)
    rows = int(text["vocab_size"])
    if len(tokenizer) > rows:
        raise ModelUnavailable(
            f"The language model has {rows} rows of words, and {len(tokenizer)} are needed with "
            "the image token",
            where=language,
            remedy="Take one whose vocabulary is padded, as Qwen's are.",
        )
    tied = bool(text.get("tie_word_embeddings", False))
    said: dict[str, Any] = {
        "vision_config": vision,
        "text_config": text,
        "image_token_index": tokenizer.convert_tokens_to_ids(IMAGE),
        "pad_token_id": tokenizer.pad_token_id,
        # SigLIP was trained for its last states; it has no class token to leave out.
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "tie_word_embeddings": tied,
    }
    config = LlavaConfig(**said)
    with torch.device("meta"):
        model: Any = LlavaForConditionalGeneration(config)
    state = {**_tower_weights(tower), **_language_weights(language, tied)}
    state.update(_projector(model, seed))
    _hold(model, state, tied, where=folder)
    for name, mark in (("bos", tokenizer.bos_token_id), ("eos", tokenizer.eos_token_id)):
        setattr(model.generation_config, f"{name}_token_id", mark)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    about = About(
        name=folder.name,
        materials="none: its projector has learnt nothing yet",
        base={tower.name: licences[0], language.name: licences[1]},
        limits=("It cannot see until its projector is trained: a start, not a model to ask.",),
        made=(
            "Joined from a vision tower and a language model; the projector is random "
            f"(seed {seed})",
        ),
    )
    processor = _processor(tower, config.vision_config, tokenizer)
    return save_folder(folder, model, processor, about, dtype=torch.bfloat16, state=state)


def _vision(tower: Path) -> dict[str, Any]:
    told = read_json(tower / "config.json")
    vision = told.get("vision_config", told)
    kinds = (told.get("model_type"), vision.get("model_type"))
    if kinds[0] not in ("siglip", "siglip_vision_model"):
        raise ModelUnavailable(
            f"A tower of kind {kinds[0]!r} is not joined here",
            where=tower / "config.json",
            remedy="Take a SigLIP model of a fixed size, as google/siglip2-so400m-patch14-384.",
        )
    return {**vision, "model_type": "siglip_vision_model", "vision_use_head": False}


def _text(language: Path) -> dict[str, Any]:
    text = read_json(language / "config.json")
    if text.get("model_type") not in _LANGUAGES:
        raise ModelUnavailable(
            f"A language model of kind {text.get('model_type')!r} is not joined here",
            where=language / "config.json",
            remedy=f"Known: {', '.join(_LANGUAGES)}.",
        )
    return text


def _tower_weights(tower: Path) -> dict[str, Any]:
    """Without the pooling head and the text side, which a LLaVA does not use."""
    from training.export.shards import open_weights

    weights, found = open_weights(tower), {}
    for name in weights.names:
        plain = name.removeprefix("vision_model.")
        if name.startswith("vision_model.") and not plain.startswith("head."):
            found[f"model.vision_tower.{plain}"] = weights[name]
    return found


def _language_weights(language: Path, tied: bool) -> dict[str, Any]:
    from training.export.shards import open_weights

    weights, found = open_weights(language), {}
    for name in weights.names:
        if name == "lm_head.weight":
            if not tied:
                found[name] = weights[name]
        else:
            found[f"model.language_model.{name.removeprefix('model.')}"] = weights[name]
    return found


def _projector(model: Any, seed: int) -> dict[str, Any]:
    """Both matrices at one over the root of their inputs: a layer then passes on what it gets."""
    import torch

    chance = torch.Generator().manual_seed(seed)
    made = {}
    for name, parameter in model.model.multi_modal_projector.named_parameters():
        shape = tuple(parameter.shape)
        made[f"model.multi_modal_projector.{name}"] = (
            torch.randn(shape, generator=chance) * shape[1] ** -0.5
            if len(shape) > 1
            else torch.zeros(shape)
        )
    return made


def _hold(model: Any, state: dict[str, Any], tied: bool, where: Path) -> None:
    """Every weight of the model is there, in its shape, and no other."""
    wanted = {name: tuple(p.shape) for name, p in model.named_parameters()}
    if tied:
        wanted.pop("lm_head.weight", None)
    wrong = [name for name in wanted if name not in state] + [
        name for name in state if name not in wanted or tuple(state[name].shape) != wanted[name]
    ]
    if wrong:
        raise ModelUnavailable(
            f"{len(wrong)} weights are missing, unknown or of another shape, {wrong[0]} among them",
            where=where,
            remedy="A part is damaged, or its config.json is of another model: fetch it again.",
        )


def _processor(tower: Path, vision: Any, tokenizer: Any) -> Any:
    from transformers import LlavaProcessor, SiglipImageProcessorPil

    path = tower / "preprocessor_config.json"
    told = read_json(path) if path.is_file() else {}
    numbers = {key: told[key] for key in ("image_mean", "image_std", "resample") if key in told}
    side = vision.image_size
    return LlavaProcessor(  # type: ignore[no-untyped-call]
        image_processor=SiglipImageProcessorPil(size={"height": side, "width": side}, **numbers),
        tokenizer=tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=_TEMPLATE.replace("@END@", tokenizer.eos_token),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.joining",
        description="Join a vision tower and a language model into a LLaVA folder.",
        epilog="example: python -m training.joining siglip2-so400m-patch14-384 Qwen3-8B "
        "-o siglip2-qwen3-8b-llava",
    )
    parser.add_argument("tower", type=Path, help="folder of a SigLIP model")
    parser.add_argument("language", type=Path, help="folder of a LLaMA or Qwen3 model")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--licences",
        nargs=2,
        default=("Apache-2.0", "Apache-2.0"),
        metavar="LICENCE",
        help="of the two parts; Apache-2.0 by default, as the example's are",
    )
    args = parser.parse_args(arguments)
    try:
        saved = join(args.tower, args.language, args.out, tuple(args.licences))
    except GlassError as error:
        print(error, file=sys.stderr)
        return 2
    print(saved.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
