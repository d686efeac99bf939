"""A model as a Hugging Face LLaVA folder that opens elsewhere: weights, processor, card, hashes.

The folder is written beside its place, opened again and compared with what was saved, and only
then put there: a folder that is there is whole. Knows files; knows nothing of training.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput, ModelUnavailable, RunUnavailable
from training.export.card import About, for_people, for_programs
from training.export.names import in_file
from training.export.shards import SHARD, ShardWriter, Weights, open_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

#: Bytes of weights up to which the reloaded model is also run beside the one that was saved.
_RUN_BELOW = 2 << 30
#: Logits further apart than this are not the order of sums: 1.6e-7 was seen, of logits near one.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Saved:
    """A folder that was written and read again.

    `logits_apart` is the greatest difference of the logits between the saved and the reloaded
    model, both in the stored precision; None where the model is too large to be run twice, and
    its tensors alone were compared.
    """

    folder: Path
    files: tuple[str, ...]
    parameters: int
    size: int
    logits_apart: float | None


def save_folder(
    folder: Path,
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    about: About,
    *,
    dtype: torch.dtype | None = None,
    state: Mapping[str, Tensor] | None = None,
    shard: int = SHARD,
    beside: Mapping[str, str] | None = None,
) -> Saved:
    """Write everything that `glassllava.model.opening` and transformers need, and check it.

    Parameters
    ----------
    folder : must not be there yet, or be empty.
    dtype : of the stored weights; torch.float16 by default.
    state : whole weights by the names of the model's modules, where the model itself holds none
        (it is on the meta device, or sharded); the logits are then not compared.
    shard : bytes of a safetensors file; one tensor may be larger.
    beside : further files by name, as calibration.json and evaluation.json.

    Raises
    ------
    BadInput : where the folder is not empty.
    ModelUnavailable : where what was written does not read back as what was saved.
    """
    with staged(folder) as part:
        write_model(part, model, processor, dtype=dtype, state=state, shard=shard)
        for name, text in (beside or {}).items():
            (part / name).write_text(text, "utf-8")
        saved = finish(part, about, model=model if state is None else None)
    return replace(saved, folder=folder)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that takes its place at the end, or leaves nothing behind.

    Raises
    ------
    BadInput : where something is in `folder` already: a checkpoint is never written over.
    RunUnavailable : where it cannot be written, as on a full disk.
    """
    from safetensors import SafetensorError

    if folder.resolve() == Path.cwd():
        raise BadInput(
            "The folder one stands in cannot be replaced", where=folder, remedy="Name a new folder."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(
            "The folder is there already and is not empty",
            where=folder,
            remedy="Name another one: a checkpoint is never written over.",
        )
    part = folder.with_name(f".{folder.name}.part")
    try:
        if part.exists():
            shutil.rmtree(part)  # of a time that was cut short
        part.mkdir(parents=True)
        yield part
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise RunUnavailable(
            f"The checkpoint cannot be written ({error})",
            where=folder,
            remedy="Check the room on the disk and the rights of the folder; then run it again.",
        ) from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def write_model(
    folder: Path,
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    *,
    dtype: torch.dtype | None = None,
    state: Mapping[str, Tensor] | None = None,
    shard: int = SHARD,
) -> None:
    """Weights, configurations and processor alone, into a folder that is there."""
    import torch

    dtype = dtype or torch.float16
    config: Any = model.config
    writer = ShardWriter(folder, shard)
    tower = config.vision_config.model_type
    for name, tensor in sorted((state or model.state_dict()).items()):
        # A tied head is the embedding: safetensors holds no tensor twice.
        if not (config.tie_word_embeddings and name == "lm_head.weight"):
            writer.add(in_file(name, tower), _cast(tensor, dtype))
    writer.close()
    write_configurations(folder, model, dtype)
    processor.save_pretrained(folder)


def write_configurations(
    folder: Path, model: LlavaForConditionalGeneration, dtype: torch.dtype
) -> None:
    """config.json and generation_config.json, for weights of `dtype`."""
    config = json.loads(model.config.to_json_string())
    config |= {
        "architectures": ["LlavaForConditionalGeneration"],
        "dtype": str(dtype).removeprefix("torch."),
    }
    for part in ("text_config", "vision_config"):
        config[part].pop("dtype", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    model.generation_config.save_pretrained(folder)


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.detach().to(dtype) if tensor.is_floating_point() else tensor.detach()


def finish(
    folder: Path, about: About, *, model: LlavaForConditionalGeneration | None = None
) -> Saved:
    """Check the written model, and add glassllava.json, README.md, file modes and MANIFEST.json.

    Parameters
    ----------
    model : what was saved, to compare with; None checks that everything is there alone.

    Raises
    ------
    ModelUnavailable : where the folder does not open, or not as the same model.
    """
    text = json.dumps(for_programs(about), indent=2, ensure_ascii=False) + "\n"
    (folder / "glassllava.json").write_text(text, "utf-8")
    weights = open_weights(folder)
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    loaded = _loaded(folder)
    parameters = sum(p.numel() for p in loaded.parameters())
    apart = None
    if model is not None:
        _compare_tensors(folder, weights, model)
        if size < _RUN_BELOW:
            apart = _logits_apart(folder, model)
    config = loaded.config
    architecture = f"{config.vision_config.model_type} and {config.text_config.model_type}"
    readme = for_people(about, parameters=parameters, size=size, architecture=architecture)
    (folder / "README.md").write_text(readme, "utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes for its owner alone
    return Saved(folder, tuple(write_manifest(folder)), parameters, size, apart)


def write_manifest(folder: Path) -> dict[str, str]:
    """MANIFEST.json with the sha256 of every other file, which `glassview model verify` reads."""
    rows = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != "MANIFEST.json":
            with path.open("rb") as file:
                rows[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    manifest = folder / "MANIFEST.json"
    manifest.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    manifest.chmod(0o644)
    return rows


def _loaded(folder: Path) -> Any:
    """The folder through the product's own checks, its weights on the meta device.

    Raises
    ------
    ModelUnavailable : where a weight is missing, too much, or of another shape.
    """
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    from glassllava.model import opening, tower
    from glassllava.model.processing import open_processor

    opening.read_checkpoint(folder)
    tower.register()
    config = LlavaConfig.from_pretrained(folder, local_files_only=True)
    open_processor(folder, config)
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    hold_to_architecture(folder, open_weights(folder), model)
    return model


def wanted(model: LlavaForConditionalGeneration) -> dict[str, tuple[str, torch.Size]]:
    """Name in a file: name in the module and shape, of every weight that a folder must hold."""
    config: Any = model.config
    kind = config.vision_config.model_type
    return {
        in_file(name, kind): (name, tensor.shape)
        for name, tensor in model.state_dict().items()
        if not (config.tie_word_embeddings and name == "lm_head.weight")
    }


def hold_to_architecture(
    folder: Path, weights: Weights, model: LlavaForConditionalGeneration
) -> None:
    """
    Raises
    ------
    ModelUnavailable : where the weights are not exactly those of the model, naming one.
    """
    expected = wanted(model)
    faults = [f"{name} is missing" for name in expected if name not in weights]
    faults += [f"{name} belongs to nothing" for name in weights.names if name not in expected]
    faults += [
        f"{name} is {_by(tensor.shape)} and should be {_by(expected[name][1])}"
        for name, tensor in weights
        if name in expected and tensor.shape != expected[name][1]
    ]
    if faults:
        raise ModelUnavailable(
            f"The weights are not those of the configuration: {faults[0]}"
            + (f", and {len(faults) - 1} more" if len(faults) > 1 else ""),
            where=folder,
            remedy="The files are damaged or belong to another architecture.",
        )


def _by(shape: Any) -> str:
    return " × ".join(map(str, shape)) or "one number"


def _compare_tensors(folder: Path, weights: Weights, model: LlavaForConditionalGeneration) -> None:
    import torch

    state = model.state_dict()
    names = wanted(model)
    for name, tensor in weights:
        ours = _cast(state[names[name][0]], tensor.dtype).cpu()
        if not torch.equal(ours, tensor):
            raise ModelUnavailable(
                f"{name} does not read back as it was saved",
                where=folder,
                remedy="The disk may be full or failing: save it elsewhere.",
            )


def _logits_apart(folder: Path, model: LlavaForConditionalGeneration) -> float:
    """The greatest difference of the logits for one picture and a few tokens.

    Raises
    ------
    ModelUnavailable : where it is more than rounding: same weights and settings give the same
        numbers, but for the order of a convolution's sums, which follows how memory is aligned.
    """
    import copy

    import torch
    from transformers import LlavaForConditionalGeneration

    stored: Any = LlavaForConditionalGeneration.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype="auto"
    )
    ours: Any = copy.deepcopy(model)
    ours = ours.to("cpu").float().eval()
    # What is stored is rounded, and nothing else: rotary frequencies are computed anew.
    for tensor in ours.state_dict().values():
        tensor.copy_(_cast(tensor, stored.dtype))
    stored = stored.float().eval()
    pixels, ids = _enquiry(stored)
    with torch.inference_mode():
        said = [one(input_ids=ids, pixel_values=pixels).logits for one in (ours, stored)]
    apart = float((said[0] - said[1]).abs().max())
    if not apart <= _ROUNDING or not torch.isfinite(said[0]).all():
        raise ModelUnavailable(
            f"The saved model does not answer as the model did: logits {apart:.3g} apart"
            if apart == apart
            else "The model gives no numbers: its logits are not finite",
            where=folder,
            remedy="Its configuration does not say everything that it computes by.",
        )
    return apart


def _enquiry(model: Any) -> tuple[Tensor, Tensor]:
    """One picture of noise and its tokens, the same every time."""
    import torch

    config = model.config
    side = config.vision_config.image_size
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn((1, 3, side, side), generator=generator)
    image = config.image_token_index
    text = torch.randint(0, config.text_config.vocab_size, (24,), generator=generator)
    text[text == image] = (image + 1) % config.text_config.vocab_size
    with torch.inference_mode():
        seen = model.get_image_features(
            pixel_values=pixels,
            vision_feature_layer=config.vision_feature_layer,
            vision_feature_select_strategy=config.vision_feature_select_strategy,
        ).pooler_output
    count = int(seen[0].shape[0])
    return pixels, torch.cat((text[:4], torch.full((count,), image), text[4:]))[None]
