"""The layout of the original LLaVA repository: what its config.json says, and what keys mean.

Facts of github.com/haotian-liu/LLaVA (llava/model, releases v1.0 to v1.2): the language model's
own keys at the top (model.layers.*, lm_head), the projector as model.mm_projector (one linear
layer, or a sequence with GELU between), the tower named by mm_vision_tower and stored elsewhere,
or inside as model.vision_tower.vision_tower.* where it was trained. The image has no token there:
its features are spliced in. Knows no file formats and no weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassllava.errors import ModelUnavailable

#: `model_type` as the repository's releases wrote it, and the language model inside.
_LANGUAGE = {"llava": "llama", "llava_llama": "llama", "llava_mistral": "mistral"}
#: Keys of the language model's own configuration, as transformers 4 wrote them.
_TEXT = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings", "rms_norm_eps"),
    *("rope_theta", "rope_scaling", "rope_parameters", "attention_bias", "mlp_bias"),
    *("initializer_range", "sliding_window", "bos_token_id", "eos_token_id", "vocab_size"),
    *("tie_word_embeddings",),
)
_NEEDED = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
_SELECT = {"patch": "default", "cls_patch": "full"}
_PROJECTOR = re.compile(r"mlp(\d+)x_gelu")
#: Computed anew by every library, and left out of files since.
_COMPUTED = re.compile(r"(rotary_emb\.inv_freq|embeddings\.position_ids)$")
#: The words around a turn: those of Vicuna (LLaVA-1 and 1.5), and those of Mistral. What the
#: assistant says is marked, so that training can mask the rest.
_ASKED = (
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}@IMAGE@\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
)
_SAID = (
    "{% generation %} {% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{{ message['content'][0]['text'] }}{% endif %}</s>{% endgeneration %}"
)
_EACH = "{% for message in messages %}{% if message['role'] == 'user' %}"
_TEMPLATES = {
    "llama": "A chat between a curious human and an artificial intelligence assistant. The "
    "assistant gives helpful, detailed, and polite answers to the human's questions. "
    f"{_EACH}USER: {_ASKED}{{% else %}} ASSISTANT:{_SAID}{{% endif %}}{{% endfor %}}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}",
    "mistral": f"{_EACH}[INST] {_ASKED} [/INST]{{% else %}}{_SAID}{{% endif %}}{{% endfor %}}",
}
_OWN_TOWER = re.compile(r"^model\.vision_tower\.(?:vision_tower\.)?(?:vision_model\.)?(.+)$")


@dataclass(frozen=True, slots=True)
class Original:
    """What a config.json of the original layout says.

    `projector` is 1 for one linear layer, 2 for two with GELU between. `layer` and `strategy` are
    the tower's layer and which of its tokens are used, in transformers' words. `wrapped` says that
    prompts put <im_start> and <im_end> around the image.
    """

    language: str  # llama or mistral
    text: Mapping[str, Any]
    tower: str  # its name or path on the machine of whoever trained it
    tower_size: int
    layer: int
    strategy: str
    projector: int
    wrapped: bool


def is_original(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is one of the original layout: transformers' own nests its parts."""
    return config.get("model_type") in _LANGUAGE and "text_config" not in config


def read_original(config: Mapping[str, Any], where: Path) -> Original:
    """
    Raises
    ------
    ModelUnavailable : for another layout, or for a part that `LlavaForConditionalGeneration`
        cannot compute: another projector, tiles of a large image (LLaVA-1.6), a tower that is not
        used by one layer.
    """

    def refuse(what: str, remedy: str = "") -> ModelUnavailable:
        return ModelUnavailable(what, where=where, remedy=remedy)

    kind = config.get("model_type")
    if kind not in _LANGUAGE:
        raise refuse(
            f"This is a checkpoint of type {kind!r}, not of the original LLaVA layout",
            f"Known: {', '.join(_LANGUAGE)}.",
        )
    if "text_config" in config:
        raise refuse(
            "This checkpoint is in Hugging Face LLaVA format already",
            "Open it as it is: `glassview model use FOLDER`.",
        )
    if not config.get("mm_vision_tower"):
        raise refuse(
            "The configuration names no vision tower (mm_vision_tower)",
            "It is a language model alone, or a projector that was saved without one.",
        )
    merge = str(config.get("mm_patch_merge_type", "flat"))
    if merge != "flat" or "anyres" in str(config.get("image_aspect_ratio", "")):
        raise refuse(
            "This is a LLaVA-1.6, which cuts a large image into tiles",
            "transformers has LlavaNext for it, which is not what GlassView opens.",
        )
    if config.get("mm_resampler_type") or config.get("s2"):
        raise refuse("The checkpoint resamples the tower's features, which LLaVA-1.5 does not do")
    missing = [key for key in _NEEDED if not _whole(config.get(key))]
    if missing:
        raise refuse(f"{missing[0]} is missing, or no whole number")
    size, layer = config.get("mm_hidden_size"), config.get("mm_vision_select_layer")
    if not isinstance(layer, int) or not _whole(size):
        raise refuse("mm_hidden_size and mm_vision_select_layer must be whole numbers")
    feature = config.get("mm_vision_select_feature", "patch")
    if feature not in _SELECT:
        raise refuse(f"mm_vision_select_feature {feature!r} is not known")
    return Original(
        language=_LANGUAGE[str(kind)],
        text={key: config[key] for key in _TEXT if config.get(key) is not None},
        tower=str(config["mm_vision_tower"]),
        tower_size=int(str(size)),
        layer=layer,
        strategy=_SELECT[feature],
        projector=_layers(str(config.get("mm_projector_type", "linear")), where),
        wrapped=bool(config.get("mm_use_im_start_end", False)),
    )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _layers(kind: str, where: Path) -> int:
    match = _PROJECTOR.fullmatch(kind)
    layers = 1 if kind == "linear" else int(match[1]) if match else 0
    if layers not in (1, 2):
        raise ModelUnavailable(
            f"The projector {kind!r} is not one that LlavaForConditionalGeneration computes",
            where=where,
            remedy="Known: linear, mlp1x_gelu, mlp2x_gelu.",
        )
    return layers


def renamed(key: str) -> str:
    """The name in transformers' module of an original key; "" for what is computed anew.

    Raises
    ------
    KeyError : for a key that belongs to no part.
    """
    if _COMPUTED.search(key):
        return ""
    if match := _OWN_TOWER.match(key):
        return f"model.vision_tower.{match[1]}"
    if key.startswith("model.mm_projector."):
        rest = key.removeprefix("model.mm_projector.")
        place, _, name = rest.rpartition(".")
        layer = {"": "linear_1", "0": "linear_1", "2": "linear_2"}.get(place)
        if layer is None or name not in ("weight", "bias"):
            raise KeyError(key)
        return f"model.multi_modal_projector.{layer}.{name}"
    if key.startswith(("model.layers.", "model.embed_tokens.", "model.norm.")):
        return f"model.language_model.{key.removeprefix('model.')}"
    if key == "lm_head.weight":
        return key
    raise KeyError(key)


def template(original: Original) -> str:
    """The chat template that the checkpoint was trained with."""
    image = "<im_start><image><im_end>" if original.wrapped else "<image>"
    return _TEMPLATES[original.language].replace("@IMAGE@", image)
