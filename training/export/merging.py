"""A LoRA adapter and its base become one model: an ordinary folder, with nothing left to add.

What was trained beside the adapter (the projector) is part of it, or saving the adapter is refused
(LLaVA#784: a LoRA without its projector answers nonsense). Which base an adapter is for is decided
by what its file holds: every tensor must have its place in the base, and the hash of the base,
where the adapter tells it, must be this one. Safetensors alone. Knows peft; knows no training.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput, ModelUnavailable
from training.export.card import About
from training.export.saving import Saved, save_folder
from training.export.shards import SHARD, open_file

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from torch import Tensor

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_HEAD = "base_model.model."
_LOW_RANK = (".lora_A.weight", ".lora_B.weight")
#: What a LoRA's tensor ends with, besides the two matrices, that belongs to a module of the base.
_BESIDE = (".lora_magnitude_vector", ".lora_embedding_A", ".lora_embedding_B", ".lora_B.bias")


def save_adapter(folder: Path, model: PeftModel, base: Path) -> Path:
    """The adapter with everything that was trained beside it; the folder.

    Parameters
    ----------
    base : the folder of the checkpoint that it was trained on; its hash is kept beside it.

    Raises
    ------
    BadInput : where something was trained that the adapter does not hold: name it in
        `modules_to_save`, or freeze it.
    """
    from peft import get_peft_model_state_dict

    from glassllava.model.opening import checkpoint_sha256

    held = get_peft_model_state_dict(model)
    kept = {tensor.data_ptr() for tensor in held.values()}
    lost = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.data_ptr() not in kept
    ]
    if lost:
        raise BadInput(
            f"{len(lost)} trained weights are no part of the adapter, such as {lost[0]}",
            where=folder,
            remedy="Name their module in `modules_to_save` of the LoRA, or freeze them.",
        )
    model.save_pretrained(str(folder))
    told = {"base_sha256": checkpoint_sha256(base)}
    (folder / "glassllava.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def merge_adapter(
    base: Path,
    adapter: Path,
    folder: Path,
    about: About,
    *,
    dtype: torch.dtype | None = None,
    shard: int = SHARD,
) -> Saved:
    """The base with the adapter worked in, as a full checkpoint in `folder`.

    Parameters
    ----------
    dtype : of the stored weights; that of the base by default.

    Raises
    ------
    ModelUnavailable : for an adapter that is none, is pickled, is damaged, or is for another base.
    BadInput : where `folder` is not empty.
    """
    merged, processor, stored = merged_model(base, adapter)
    return save_folder(folder, merged, processor, about, dtype=dtype or stored, shard=shard)


def merged_model(base: Path, adapter: Path) -> tuple[Any, Any, Any]:
    """The merged model, the base's processor, and the dtype in which both are stored.

    What is held is the base as it is stored, and one matrix in float32.
    """
    from peft.tuners.lora import LoraLayer
    from transformers import LlavaForConditionalGeneration

    from glassllava.model import opening, tower
    from glassllava.model.processing import open_processor

    opening.read_checkpoint(base)
    read_adapter(base, adapter)
    tower.register()
    model: Any = LlavaForConditionalGeneration.from_pretrained(
        base, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype="auto"
    )
    stored = model.dtype
    both = with_adapter(model, adapter)
    for layer in both.modules():
        if isinstance(layer, LoraLayer):
            # Added in float32 and rounded once: a sum of rounded parts would be rounded twice.
            held = layer.get_base_layer()
            held.weight.data = held.weight.data.float()
            layer.merge(safe_merge=True)
            held.weight.data = held.weight.data.to(stored)
    return both.unload(), open_processor(base, model.config), stored


def with_adapter(model: Any, adapter: Path) -> Any:
    """The model with the adapter beside its weights, not yet worked in.

    Raises
    ------
    ModelUnavailable : where peft does not take every tensor of the adapter.
    """
    import torch
    from peft import PeftModel, get_peft_model_state_dict

    try:
        both = PeftModel.from_pretrained(model, str(adapter), is_trainable=False)
    except (ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
        raise ModelUnavailable(
            f"The adapter cannot be loaded ({str(error).strip().splitlines()[0][:200]})",
            where=adapter,
            remedy="It is damaged or made for another architecture.",
        ) from error
    # peft passes over what it does not know with a warning: here nothing may be passed over.
    taken = get_peft_model_state_dict(both)
    held = _adapter_weights(adapter)
    for name, tensor in held:
        if name not in taken or not torch.equal(taken[name].to(tensor.dtype), tensor):
            raise ModelUnavailable(
                f"peft does not take {name} of the adapter",
                where=adapter,
                remedy="Its configuration does not belong to its weights.",
            )
    if lost := sorted(taken.keys() - {name for name, _ in held}):
        raise ModelUnavailable(
            f"The adapter lacks {len(lost)} weights that its configuration names, such as "
            f"{lost[0]}",
            where=adapter,
            remedy="It was saved without them, or the file is of another adapter.",
        )
    return both


def read_adapter(base: Path, adapter: Path) -> dict[str, Any]:
    """The adapter's configuration, after its weights were held against the base.

    Raises
    ------
    ModelUnavailable : for an adapter that is none, is pickled, or is for another base.
    """
    from glassllava.model import opening

    if not (adapter / CONFIG).is_file():
        raise ModelUnavailable(
            f"This is no adapter: it has no {CONFIG}",
            where=adapter,
            remedy="Name the folder that peft saved.",
        )
    config = opening.read_json(adapter / CONFIG)
    if config.get("peft_type") != "LORA":
        raise ModelUnavailable(
            f"The adapter is of type {config.get('peft_type')!r}, not a LoRA",
            where=adapter / CONFIG,
            remedy="Only a LoRA is worked into its base here.",
        )
    if not (adapter / WEIGHTS).is_file():
        pickled = [path.name for path in sorted(adapter.glob("*.bin"))]
        raise ModelUnavailable(
            f"The adapter holds pickled weights ({pickled[0]}), which can run code"
            if pickled
            else "The adapter holds no weights",
            where=adapter,
            remedy=f"Save it again with safetensors: {WEIGHTS} is read alone.",
        )
    _hold_to_hash(base, adapter)
    _hold_to_base(base, adapter)
    return config


def _hold_to_hash(base: Path, adapter: Path) -> None:
    from glassllava.model import opening

    card = adapter / "glassllava.json"
    told = opening.read_json(card).get("base_sha256") if card.is_file() else None
    if told is not None and told != opening.checkpoint_sha256(base):
        raise ModelUnavailable(
            "The adapter was trained on another base",
            where=adapter,
            remedy=f"Name the checkpoint whose sha256 begins {str(told)[:12]}.",
        )


def _hold_to_base(base: Path, adapter: Path) -> None:
    """Every tensor of the adapter has its place in the base, and the shape for it."""
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    from glassllava.model import tower

    tower.register()
    config = LlavaConfig.from_pretrained(base, local_files_only=True)
    with torch.device("meta"):
        state = LlavaForConditionalGeneration(config).state_dict()
    matrices = 0
    for name, tensor in _adapter_weights(adapter):
        plain = name.removeprefix(_HEAD)
        end = next((end for end in (*_LOW_RANK, *_BESIDE) if plain.endswith(end)), "")
        weight = state.get(f"{plain.removesuffix(end)}.weight" if end else plain)
        fits = weight is not None
        if weight is not None and end in _LOW_RANK:
            # A is (rank, in), B is (out, rank), the weight (out, in).
            side = 1 if end == _LOW_RANK[0] else 0
            fits = tensor.ndim == 2 and tensor.shape[side] == weight.shape[side]
            matrices += 1
        elif weight is not None and not end:
            fits = tensor.shape == weight.shape
        if not fits:
            shape = " × ".join(map(str, tensor.shape))
            raise ModelUnavailable(
                f"The adapter's {name} ({shape}) has no place in this base"
                if weight is None
                else f"The adapter's {name} ({shape}) does not fit the base, whose weight is "
                f"{' × '.join(map(str, weight.shape))}",
                where=adapter,
                remedy="It is for another base or another architecture: name the one that it was "
                "trained on.",
            )
    if not matrices:
        raise ModelUnavailable("The adapter holds no LoRA matrices", where=adapter / WEIGHTS)


def _adapter_weights(adapter: Path) -> list[tuple[str, Tensor]]:
    return list(open_file(adapter / WEIGHTS))
