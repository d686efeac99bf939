"""A checkpoint in the layout of the original LLaVA repository, as a folder that opens here.

Tensor by tensor: what is held at a time is one shard that is being gathered, never the model.
Every tensor must have its place and its shape, and every place its tensor, or nothing is written.
Pickled files (as that repository published) are read only where the caller says so, by torch's
`weights_only` reader. Knows both layouts; what a configuration says is read in `original`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import ModelUnavailable
from glassllava.model.opening import read_json
from training.export.card import About
from training.export.clip import make_processor, read_tower, tower_weights
from training.export.names import in_file
from training.export.original import Original, read_original, renamed
from training.export.pieces import IMAGE, open_tokenizer
from training.export.saving import (
    Saved,
    finish,
    staged,
    wanted,
    write_configurations,
)
from training.export.shards import SHARD, ShardWriter, Weights, open_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: Rows of the vocabulary are a multiple of this, as llava-hf's are: processors compute so.
_ROWS = 64
_EMBEDDING, _HEAD = "model.language_model.embed_tokens.weight", "lm_head.weight"


def convert_original(
    source: Path,
    tower: Path,
    folder: Path,
    about: About,
    *,
    pickled: bool = False,
    shard: int = SHARD,
    told: Callable[[int, int], None] | None = None,
) -> Saved:
    """Write `source`, with the CLIP tower of `tower`, as a LLaVA folder.

    Parameters
    ----------
    source : a folder with config.json, weights and tokenizer in the original layout.
    tower : a folder with the CLIP model that `mm_vision_tower` names; its weights are used where
        the source does not hold the tower itself.
    folder : must not be there yet, or be empty.
    pickled : read *.bin where there is no safetensors file.
    told : called with tensors done and in all.

    Raises
    ------
    ModelUnavailable : for another layout, a projector or tower that cannot be computed, a weight
        that is missing, unknown or of another shape, a damaged file.
    BadInput : where `folder` is not empty.
    """
    if not (source / "config.json").is_file():
        raise ModelUnavailable(
            "This is not a checkpoint: it has no config.json",
            where=source,
            remedy="Name the folder of a checkpoint in the original LLaVA layout.",
        )
    original = read_original(read_json(source / "config.json"), source / "config.json")
    vision = read_tower(tower, original)
    tokenizer, known = open_tokenizer(source)
    weights = open_weights(source, pickled=pickled)
    plan = _plan(weights, source)
    own_tower = any(name.startswith("model.vision_tower.") for name in plan)
    eye = None if own_tower else tower_weights(tower, pickled)
    held = weights[plan[_EMBEDDING]].shape[0]
    if known > held:
        raise ModelUnavailable(
            f"The tokenizer knows {known} tokens, the model embeds {held}",
            where=source,
            remedy="They belong to different checkpoints.",
        )
    _hold_to_layers(original, plan, source)
    model = _empty(original, vision, tokenizer, held, source, tied=_HEAD not in plan)
    with staged(folder) as part:
        dtype = weights[plan[_EMBEDDING]].dtype
        _write(part, model, weights, plan, eye, known, dtype, source, shard, told)
        write_configurations(part, model, dtype)
        processor = make_processor(tower, vision, original, tokenizer)
        processor.save_pretrained(part)
        if (source / "tokenizer.model").is_file():
            # llama.cpp reads it where it is there.
            shutil.copyfile(source / "tokenizer.model", part / "tokenizer.model")
        saved = finish(part, replace(about, made=(*about.made, *_made(original, own_tower))))
    return replace(saved, folder=folder)


def _made(original: Original, own_tower: bool) -> tuple[str, ...]:
    where = "from the checkpoint itself" if own_tower else "from the folder that was given"
    return (
        "Converted from the original LLaVA layout: weights as they were, rows for the image and "
        "padding tokens added as the mean of the others",
        f"Vision tower {original.tower}, {where}",
    )


def _plan(weights: Weights, source: Path) -> dict[str, str]:
    """The name in transformers' module of every tensor that is kept: its name in the source."""
    plan: dict[str, str] = {}
    for key in weights.names:
        try:
            name = renamed(key)
        except KeyError:
            raise ModelUnavailable(
                f"{key} belongs to no part of a LLaVA-1 or LLaVA-1.5",
                where=source,
                remedy="The checkpoint is of another model, or holds an adapter that was not "
                "worked in.",
            ) from None
        if name in plan:
            raise ModelUnavailable(f"{key} and {plan[name]} are the same weight", where=source)
        if name:
            plan[name] = key
    for name in (_EMBEDDING, "model.multi_modal_projector.linear_1.weight"):
        if name not in plan:
            raise ModelUnavailable(
                f"The checkpoint lacks its {'embedding' if name == _EMBEDDING else 'projector'}",
                where=source,
                remedy="Name the folder of a whole checkpoint, not of a part that was trained.",
            )
    return plan


def _hold_to_layers(original: Original, plan: Mapping[str, str], source: Path) -> None:
    """A configuration may name any number of layers: only as many as are there are made."""
    head = "model.language_model.layers."
    layers = {name.removeprefix(head).split(".")[0] for name in plan if name.startswith(head)}
    said = original.text["num_hidden_layers"]
    if layers != {str(number) for number in range(min(said, len(layers) + 1))}:
        raise ModelUnavailable(
            f"The configuration names {said} layers, the weights hold {len(layers)}",
            where=source,
            remedy="A part is missing, or they are of different checkpoints: fetch it again.",
        )


def _empty(
    original: Original, vision: Any, tokenizer: Any, held: int, source: Path, *, tied: bool
) -> Any:
    """The model on the meta device, its vocabulary grown to a multiple of 64.

    Raises
    ------
    ModelUnavailable : for numbers of which no model can be made.
    """
    from huggingface_hub.errors import StrictDataclassError

    refusals = (ValueError, TypeError, KeyError, RuntimeError, ArithmeticError)
    try:
        return _made_empty(original, vision, tokenizer, held, tied)
    except (*refusals, StrictDataclassError) as error:
        raise _fault(
            f"No model can be made of the configuration ({str(error).strip()[:160]})",
            source / "config.json",
        ) from error


def _made_empty(original: Original, vision: Any, tokenizer: Any, held: int, tied: bool) -> Any:
    import torch
    from transformers import AutoConfig, LlavaConfig, LlavaForConditionalGeneration

    vocabulary = -(-max(held, len(tokenizer)) // _ROWS) * _ROWS
    text = AutoConfig.for_model(
        original.language,
        **{
            **original.text,
            "vocab_size": vocabulary,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "tie_word_embeddings": tied,
        },
    )
    tokens = (vision.image_size // vision.patch_size) ** 2
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=tokens + (original.strategy == "full"),
        vision_feature_layer=original.layer,
        vision_feature_select_strategy=original.strategy,  # type: ignore[arg-type]
        # One linear layer is two with nothing between, the second of which changes nothing.
        projector_hidden_act="gelu" if original.projector == 2 else "linear",
        tie_word_embeddings=tied,
    )
    with torch.device("meta"):
        model: Any = LlavaForConditionalGeneration(config)
    generation = model.generation_config
    generation.bos_token_id = tokenizer.bos_token_id
    generation.eos_token_id = tokenizer.eos_token_id
    generation.pad_token_id = tokenizer.pad_token_id
    return model


def _write(
    folder: Path,
    model: Any,
    weights: Weights,
    plan: Mapping[str, str],
    eye: tuple[Weights, dict[str, str]] | None,
    rows: int,
    dtype: torch.dtype,
    source: Path,
    shard: int,
    told: Callable[[int, int], None] | None,
) -> None:
    """Every weight to its file; a fault names the weight and leaves nothing behind."""
    import torch

    expected = dict(wanted(model).values())
    kind = model.config.vision_config.model_type
    places: list[tuple[str, Weights, str]] = [(name, weights, key) for name, key in plan.items()]
    if eye is not None:
        places += [(name, eye[0], key) for name, key in eye[1].items()]
    known = {name for name, *_ in places}
    width = model.config.text_config.hidden_size
    made: dict[str, Tensor] = {}
    if model.config.projector_hidden_act == "linear":
        made["model.multi_modal_projector.linear_2.weight"] = torch.eye(width)
        made["model.multi_modal_projector.linear_2.bias"] = torch.zeros(width)
    if known & made.keys():
        raise _fault("The projector has two layers, the configuration names one", source)
    missing = sorted(expected.keys() - known - made.keys())
    if missing:
        raise _fault(f"{len(missing)} weights are missing, such as {missing[0]}", source)
    writer = ShardWriter(folder, shard)
    for number, (name, held, key) in enumerate(places):
        if name not in expected:
            raise _fault(f"{key} has no place in the configured model", source)
        tensor = held[key]
        if not tensor.is_floating_point():
            raise _fault(f"{key} is quantised ({tensor.dtype}), which is not converted", source)
        if name in (_EMBEDDING, _HEAD):
            tensor = _with_rows(tensor, rows, expected[name][0], key, source)
        if tensor.shape != expected[name]:
            raise _fault(
                f"{key} is {_by(tensor.shape)} and the configuration wants {_by(expected[name])}",
                source,
            )
        writer.add(in_file(name, kind), tensor.to(dtype))
        if told is not None:
            told(number + 1, len(places))
    for name, tensor in made.items():
        writer.add(in_file(name, kind), tensor.to(dtype))
    writer.close()


def _with_rows(tensor: Tensor, rows: int, wanted_rows: int, key: str, source: Path) -> Tensor:
    """The first `rows`, then their mean: a new token is then as likely as tokens are on average.

    The logit of a mean is the mean logit, which no greedy choice picks, and whose share of the
    probability is at most one in `rows` (Jensen).
    """
    if tensor.ndim != 2 or tensor.shape[0] < rows:
        raise _fault(f"{key} is {_by(tensor.shape)} and must hold {rows} rows", source)
    import torch

    mean = torch.stack([part.float().sum(0) for part in tensor[:rows].split(4096)]).sum(0) / rows
    grown = torch.empty((wanted_rows, tensor.shape[1]), dtype=tensor.dtype)
    grown[:rows] = tensor[:rows]
    grown[rows:] = mean.to(tensor.dtype)
    return grown


def _by(shape: Any) -> str:
    return " × ".join(map(str, shape)) or "one number"


def _fault(what: str, where: Path) -> ModelUnavailable:
    return ModelUnavailable(
        what, where=where, remedy="It is damaged or of another model: fetch it again."
    )
