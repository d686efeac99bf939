"""The CLIP tower that an original checkpoint names and does not hold: its settings and weights.

Knows CLIP folders of transformers, a whole CLIP or its vision side alone. Knows no language model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glassllava.errors import ModelUnavailable
from glassllava.model.opening import read_json
from training.export.original import Original, template
from training.export.shards import Weights, open_weights

_SIZE_IN_NAME = re.compile(r"-(\d{3})(?:px)?/?$")
#: A configuration may say any number: the largest CLIP has 48 layers.
_DEEPEST = 256
#: The parts of a vision side that was saved without its prefix.
_VISION = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.")


def read_tower(tower: Path, original: Original) -> Any:
    """The configuration of the CLIP tower.

    Raises
    ------
    ModelUnavailable : for another kind of tower, or one of another size than was trained with.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CLIPVisionConfig

    path = tower / "config.json"
    config: Any = read_json(path)
    if config.get("model_type") == "clip":
        config = config.get("vision_config")
    elif config.get("model_type") != "clip_vision_model":
        raise ModelUnavailable(
            f"The tower is of type {config.get('model_type')!r}, not CLIP",
            where=path,
            remedy=f"Name the folder of {original.tower}.",
        )
    if not isinstance(config, Mapping):
        raise ModelUnavailable("The tower has no vision_config", where=path)
    told = {
        key: config[key]
        for key in (
            *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
            *("image_size", "patch_size", "num_channels", "hidden_act", "layer_norm_eps"),
            "projection_dim",
        )
        if key in config
    }
    try:
        vision: Any = CLIPVisionConfig(**told)
        cells = divmod(vision.image_size, vision.patch_size)
    except (ValueError, TypeError, ArithmeticError, StrictDataclassError) as error:
        raise ModelUnavailable(
            f"The tower's configuration cannot be used ({str(error).strip()[:160]})",
            where=path,
            remedy="It is damaged: fetch the tower again.",
        ) from error
    if cells[0] < 1 or cells[1] or not 0 < vision.num_hidden_layers <= _DEEPEST:
        raise ModelUnavailable(
            f"No tower has {vision.num_hidden_layers} layers on pictures of {vision.image_size} "
            f"pixels in patches of {vision.patch_size}",
            where=path,
            remedy="It is damaged: fetch the tower again.",
        )
    if vision.hidden_size != original.tower_size:
        raise ModelUnavailable(
            f"The tower is {vision.hidden_size} wide, the checkpoint was trained with "
            f"{original.tower_size}",
            where=path,
            remedy=f"Name the folder of {original.tower}.",
        )
    layers = vision.num_hidden_layers + 1  # the embeddings count as one
    if not -layers <= original.layer < layers:
        raise ModelUnavailable(f"The tower has no layer {original.layer}", where=path)
    # Towers of one width see pictures of several sizes: only the name tells which it was.
    named = _SIZE_IN_NAME.search(original.tower)
    if named and int(named[1]) >= 100 and int(named[1]) != vision.image_size:
        raise ModelUnavailable(
            f"The tower takes pictures of {vision.image_size} pixels, the checkpoint was trained "
            f"with {original.tower}",
            where=path,
            remedy=f"Name the folder of {original.tower}.",
        )
    return vision


def tower_weights(tower: Path, pickled: bool) -> tuple[Weights, dict[str, str]]:
    """The tower's own weights, and by the name in transformers' module the name in its file."""
    held = open_weights(tower, pickled=pickled)
    names = {}
    for key in held.names:
        # A whole CLIP holds its text side, too.
        plain = key.removeprefix("vision_model.")
        is_vision = plain != key or key.startswith(_VISION)
        if is_vision and not plain.endswith("position_ids"):
            names[f"model.vision_tower.{plain}"] = key
    return held, names


def make_processor(tower: Path, vision: Any, original: Original, tokenizer: Any) -> Any:
    from transformers import CLIPImageProcessorPil, LlavaProcessor

    path = tower / "preprocessor_config.json"
    told = read_json(path) if path.is_file() else {}
    numbers = {key: told[key] for key in ("image_mean", "image_std", "resample") if key in told}
    side = vision.image_size
    try:
        image = CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}, **numbers
        )
        return LlavaProcessor(  # type: ignore[no-untyped-call]
            image_processor=image,
            tokenizer=tokenizer,
            patch_size=vision.patch_size,
            vision_feature_select_strategy=original.strategy,
            num_additional_image_tokens=1,  # the class token
            chat_template=template(original),
        )
    except (ValueError, TypeError) as error:
        raise ModelUnavailable(
            f"The tower's preprocessor cannot be used ({error})",
            where=path,
            remedy="It is damaged: fetch the tower again.",
        ) from error
