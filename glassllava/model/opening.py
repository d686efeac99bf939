"""Opens a model by its reference; what it is, its files say, never its name.

`embedded` (the checkpoint that ships), `scripted`, a folder in Hugging Face LLaVA format,
`hf:ORG/NAME` when a network is allowed, `endpoint:URL#MODEL` for an OpenAI-compatible server.
Only safetensors are read and no code of a checkpoint ever runs. Cheap to import: torch and
transformers come with the first checkpoint that is opened.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava import features
from glassllava.calibration import read_calibration
from glassllava.errors import BadInput, MissingPart, ModelUnavailable
from glassllava.model.backend import ModelIdentity
from glassllava.model.scripted import ScriptedModel

if TYPE_CHECKING:
    from glassllava.model.backend import VisionModel
    from glassllava.settings import Settings

EMBEDDED = Path(__file__).parent / "embedded"

_PICKLED = (".bin", ".pth", ".pt", ".ckpt", ".pkl", ".pickle")
_LARGEST_JSON = 4 << 20
_NEEDED = ("config.json", "processor_config.json", "tokenizer.json")
#: Files about the model: they may change without its answers changing.
_NOT_THE_MODEL = ("calibration.json", "evaluation.json", "MANIFEST.json")
_BEYOND = 1 << 30  # parameters from which 16 bits are used on a processor


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The section [model] of glassview.toml."""

    reference: str = "embedded"
    allow_network: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the files of a checkpoint folder say, read without torch."""

    folder: Path
    config: Mapping[str, Any]
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def probe_keys(self) -> tuple[str, ...]:
        return tuple(self.card.get("probe_keys", features.PARENTS))

    @property
    def passage_characters(self) -> int | None:
        """The literature that it was trained with; None lets its own tokenizer count."""
        told = self.card.get("passage_budget")
        return None if told is None else int(told)

    @property
    def pointing(self) -> Mapping[str, float]:
        """By feature: from which probability on a cell of the tower's map shows it."""
        return dict(self.card.get("pointing", {}))


def open_model(
    reference: str = "embedded",
    *,
    allow_network: bool = False,
    settings: Settings | None = None,
) -> VisionModel:
    """The model behind `reference`.

    Raises
    ------
    ModelUnavailable : where it is not there, or its files are not what they must be.
    MissingPart : where torch and transformers, or openai, are not installed.
    """
    if settings is not None:
        allow_network = allow_network or settings.section("model", ModelSettings).allow_network
    if reference == "scripted":
        return ScriptedModel()
    if reference.startswith("endpoint:"):
        from glassllava.model.endpoint import open_endpoint

        return open_endpoint(reference)
    return open_checkpoint(folder_of(reference, allow_network=allow_network), reference)


def folder_of(reference: str, *, allow_network: bool = False) -> Path:
    """The folder of a checkpoint that is named by any reference but a server's.

    Raises
    ------
    ModelUnavailable : where the hub is not allowed or does not give it.
    BadInput : for a reference that has no folder.
    """
    if reference == "scripted" or reference.startswith("endpoint:"):
        raise BadInput("Only a checkpoint has a folder", where=reference)
    if reference.startswith("hf:"):
        return _from_hub(reference, allow_network)
    return EMBEDDED if reference == "embedded" else Path(reference)


def read_checkpoint(folder: Path) -> Checkpoint:
    """What a checkpoint folder says of itself, checked before anything is loaded.

    Raises
    ------
    ModelUnavailable : for a folder that is missing, is no LLaVA checkpoint, holds pickled
        weights only, or wants code of its own to run.
    """
    if not folder.is_dir():
        raise ModelUnavailable(
            "There is no such model folder",
            where=folder,
            remedy="`glassview model list` shows what can be opened.",
        )
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if "config.json" in missing:
        raise ModelUnavailable(
            "This is not a checkpoint: it has no config.json",
            where=folder,
            remedy="Name a folder in Hugging Face LLaVA format.",
        )
    config = read_json(folder / "config.json")
    if config.get("model_type") != "llava":
        raise ModelUnavailable(
            f"This is a checkpoint of type {config.get('model_type')!r}, not 'llava'",
            where=folder / "config.json",
            remedy="Name a checkpoint for LlavaForConditionalGeneration.",
        )
    for name in ("config.json", "processor_config.json", "tokenizer_config.json"):
        if (folder / name).is_file() and "auto_map" in read_json(folder / name):
            raise ModelUnavailable(
                "The checkpoint wants to run code of its own, which is never done",
                where=folder / name,
                remedy="Use a checkpoint without auto_map.",
            )
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLED)
        found = f"pickled weights ({pickled[0]}), which can run code" if pickled else "no weights"
        raise ModelUnavailable(
            f"The folder holds {found}; only safetensors are read",
            where=folder,
            remedy="Convert the weights to safetensors first." if pickled else "",
        )
    if missing:
        raise ModelUnavailable(
            f"The checkpoint lacks {' and '.join(missing)}",
            where=folder,
            remedy="Save the processor into the same folder (LlavaProcessor.save_pretrained).",
        )
    card = read_json(folder / "glassllava.json") if (folder / "glassllava.json").is_file() else {}
    for key in card.get("probe_keys", ()):
        try:
            features.parent_of(key)
        except BadInput as error:
            raise ModelUnavailable(
                f"The checkpoint declares a probe that is unknown: {error.what}",
                where=folder / "glassllava.json",
                remedy=error.remedy,
            ) from None
    pointing = card.get("pointing", {})
    if not isinstance(pointing, dict) or not all(
        isinstance(share, float) and 0 < share < 1 for share in pointing.values()
    ):
        raise ModelUnavailable(
            "The checkpoint's `pointing` is not a probability between 0 and 1 for each feature",
            where=folder / "glassllava.json",
            remedy="Take the entry out: 0.5 holds for every feature then.",
        )
    return Checkpoint(folder, config, card)


def identify(checkpoint: Checkpoint, reference: str) -> ModelIdentity:
    """Who the model is, for records and reports."""
    from importlib.metadata import version

    card = checkpoint.card
    said = card.get("trained_on_synthetic")
    return ModelIdentity(
        reference=reference,
        name=str(card.get("name", checkpoint.folder.name)),
        sha256=checkpoint_sha256(checkpoint.folder),
        backend=f"transformers {version('transformers')}",
        version=str(card.get("version", "unknown")),
        licence=str(card.get("licence", "not stated by the checkpoint")),
        materials=str(card.get("materials", "not stated by the checkpoint")),
        trained_on_synthetic=said if isinstance(said, bool) else None,
    )


def checkpoint_sha256(folder: Path) -> str:
    """One hash over everything in the folder that decides what the model says."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        decides = path.suffix in (".safetensors", ".json", ".jinja", ".model", ".txt")
        if not decides or path.name in _NOT_THE_MODEL:
            continue
        with path.open("rb") as file:
            total.update(path.name.encode() + b"\0")
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def open_checkpoint(folder: Path, reference: str) -> VisionModel:
    """The checkpoint in `folder`, ready to answer.

    Raises
    ------
    ModelUnavailable, MissingPart : as `open_model`.
    """
    checkpoint = read_checkpoint(folder)
    # Waiting threads that spin slow everything else on a shared machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import torch

        from glassllava.model.llava import LlavaBackend
        from glassllava.model.processing import open_processor
    except ImportError as error:
        raise _missing(error) from error
    small = _bytes(folder) < 2 * _BEYOND
    dtype = torch.float32 if small and not torch.cuda.is_available() else torch.bfloat16
    model = load_weights(folder, dtype)
    if torch.cuda.is_available():
        model = model.to("cuda")
    return LlavaBackend(
        model,
        open_processor(folder, model.config),
        identity=identify(checkpoint, reference),
        probe_keys=checkpoint.probe_keys,
        passage_characters=checkpoint.passage_characters,
        longest_text=int(checkpoint.card.get("longest_text", 192)),
        calibration=read_calibration(folder),
        pointing=checkpoint.pointing,
    )


def load_weights(folder: Path, dtype: Any) -> Any:
    """The LLaVA model of a folder that `read_checkpoint` found nothing against, on the processor.

    Parameters
    ----------
    dtype : torch's, of the loaded weights.

    Raises
    ------
    ModelUnavailable : where weights are damaged, missing or of another shape.
    MissingPart : where torch and transformers are not installed.
    """
    try:
        from safetensors import SafetensorError
        from transformers import LlavaForConditionalGeneration, logging

        from glassllava.model import tower
    except ImportError as error:
        raise _missing(error) from error
    tower.register()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded: Any = LlavaForConditionalGeneration.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailable(
            f"The weights cannot be loaded ({_first_line(error)})",
            where=folder,
            remedy="The files are damaged or belong to another architecture: fetch them again.",
        ) from error
    model, loading = loaded
    lacking = sorted(loading["missing_keys"]) + sorted(map(str, loading["mismatched_keys"]))
    if lacking:
        raise ModelUnavailable(
            f"{len(lacking)} weights are missing or of another shape, such as {lacking[0]}",
            where=folder,
            remedy="The files are damaged or belong to another architecture: fetch them again.",
        )
    return model


def _missing(error: ImportError) -> MissingPart:
    return MissingPart(
        f"The model needs {error.name}, which is not installed",
        remedy="Install it with `pip install glassview[model]`.",
    )


def set_default(file: Path, reference: str) -> None:
    """Write `reference` under [model] into the settings `file`; every other line stays.

    Raises
    ------
    BadInput : where the file cannot be read or written, or the reference holds a line break.
    """
    if any(ord(c) < 32 for c in reference):
        raise BadInput("A reference is one line of text", where=repr(reference))
    line = f"reference = {json.dumps(reference, ensure_ascii=False)}"
    try:
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        heads = [i for i, text in enumerate(lines) if text.strip().startswith("[")]
        start = next((i for i in heads if lines[i].split("#")[0].strip() == "[model]"), None)
        if start is None:
            lines += ["", "[model]", line] if lines else ["[model]", line]
        else:
            end = next((i for i in heads if i > start), len(lines))
            key = (
                i for i in range(start + 1, end) if lines[i].split("=")[0].strip() == "reference"
            )
            found = next(key, None)
            lines[start + 1 : start + 1] = [line] if found is None else []
            if found is not None:
                lines[found] = line
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n", "utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The settings cannot be written ({error})", where=file) from error


def _from_hub(reference: str, allow_network: bool) -> Path:
    name = reference.removeprefix("hf:")
    if not allow_network:
        raise ModelUnavailable(
            "A model of the hub needs a network, which is not allowed",
            where=reference,
            remedy="Set allow_network = true under [model] in glassview.toml, or name a folder.",
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise MissingPart(
            "huggingface_hub is not installed",
            remedy="Install it with `pip install glassview[model]`.",
        ) from error
    wanted = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise ModelUnavailable(
            f"The hub did not give the model ({_first_line(error)})",
            where=reference,
            remedy="Check the name and the connection.",
            retry=True,
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a checkpoint's file, of bounded size.

    Raises
    ------
    ModelUnavailable : where it cannot be read.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError("larger than 4 MB")
        data = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict):
            raise ValueError("not a JSON object")
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"The file cannot be read ({_first_line(error)})",
            where=path,
            remedy="It is damaged: fetch the checkpoint again.",
        ) from error
    return data


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
