"""What a reference may be, and what each wrong one says. No weights are loaded here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glassllava.errors import BadInput, ModelUnavailable
from glassllava.model.opening import (
    ModelSettings,
    checkpoint_sha256,
    open_model,
    read_checkpoint,
    set_default,
)
from glassllava.settings import load


def _folder(path: Path, config: dict[str, object] | None = None, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps({"model_type": "llava", **(config or {})}))
    for name in ("processor_config.json", "tokenizer.json"):
        (path / name).write_text("{}")
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)
    return path


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no such model folder"):
        open_model(str(tmp_path / "nothing"))


def test_another_architecture_whatever_its_name(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "llava-lora-7b", {"model_type": "llama"})
    with pytest.raises(ModelUnavailable, match="type 'llama'"):
        open_model(str(folder))


@pytest.mark.parametrize("name", ["pytorch_model__bin", "model__pth", "weights__pt"])
def test_pickled_weights_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelUnavailable, match="only safetensors"):
        open_model(str(_folder(tmp_path / "m", **{name: "x"})))


def test_code_of_a_checkpoint_never_runs(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", {"auto_map": {"AutoModel": "evil.py"}}, model__safetensors="x")
    with pytest.raises(ModelUnavailable, match="code of its own"):
        open_model(str(folder))


def test_damaged_weights(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", model__safetensors="not safetensors")
    with pytest.raises(ModelUnavailable):
        open_model(str(folder))


def test_a_config_that_is_no_json(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        open_model(str(folder))


def test_a_probe_that_is_unknown(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", model__safetensors="x")
    (folder / "glassllava.json").write_text(json.dumps({"probe_keys": ["crakc"]}))
    with pytest.raises(ModelUnavailable, match="crakc"):
        read_checkpoint(folder)


def test_the_hub_needs_leave() -> None:
    with pytest.raises(ModelUnavailable, match="not allowed"):
        open_model("hf:llava-hf/llava-1.5-7b-hf")


@pytest.mark.parametrize("reference", ["endpoint:", "endpoint:localhost#m", "endpoint:http://h/v1"])
def test_an_endpoint_needs_address_and_model(reference: str) -> None:
    with pytest.raises(ModelUnavailable, match="not complete"):
        open_model(reference)


def test_the_hash_follows_what_decides_and_nothing_else(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", model__safetensors="x")
    before = checkpoint_sha256(folder)
    (folder / "calibration.json").write_text("{}")
    (folder / "README.md").write_text("words")
    assert checkpoint_sha256(folder) == before
    (folder / "model.safetensors").write_text("y")
    assert checkpoint_sha256(folder) != before


def test_use_writes_one_line_and_leaves_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "glassview.toml"
    file.write_text(
        "[batch]\nworkers = 2\n\n[model]  # which\nallow_network = true\n\n[x]\ny = 1\n"
    )
    for reference in ("scripted", 'a "quoted" folder'):
        set_default(file, reference)
        settings = load(file)
        told = settings.section("model", ModelSettings)
        assert (told.reference, told.allow_network) == (reference, True)
        assert settings.values["batch"] == {"workers": 2}
        assert settings.values["x"] == {"y": 1}
    with pytest.raises(BadInput):
        set_default(file, "two\nlines")


def test_importing_the_door_is_cheap() -> None:
    code = (
        "import sys, glassllava.model.opening, glassllava.model.processing;"
        "print([m for m in ('torch', 'transformers', 'openai') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("told", [[0.5], {"crack": 1.5}, {"crack": "0.5"}, {"crack": None}, 3])
def test_a_threshold_that_is_no_probability_is_refused(
    tiny_checkpoint: Path, tmp_path: Path, told: object
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    card = json.loads((folder / "glassllava.json").read_text())
    (folder / "glassllava.json").write_text(json.dumps(card | {"pointing": told}))
    with pytest.raises(ModelUnavailable, match="pointing"):
        read_checkpoint(folder)
    (folder / "glassllava.json").write_text(json.dumps(card | {"pointing": {"crack": 0.25}}))
    assert read_checkpoint(folder).pointing == {"crack": 0.25}
