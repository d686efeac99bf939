"""The script in docs/gguf.md does what the page says; llama.cpp itself is not run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPVisionModel

from training.export.card import About
from training.export.saving import save_folder

PAGE = Path(__file__).parents[3] / "docs" / "gguf.md"


def _split(folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the page's script, as `python split.py FOLDER OUT` would."""
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    monkeypatch.setattr(sys, "argv", ["split.py", str(folder), str(out)])
    exec(compile(script, "split.py", "exec"), {"__name__": "__main__"})


def test_the_tower_and_the_projector_are_taken_apart(
    clip_llava: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = clip_llava[0]
    save_folder(tmp_path / "m", *clip_llava, About(name="m"), dtype=torch.float32, shard=60_000)
    _split(tmp_path / "m", tmp_path / "vit", monkeypatch)
    names = load_file(tmp_path / "vit" / "model.safetensors")
    assert all(name.startswith("vision_model.") for name in names)  # as transformers 4 calls them
    tower = CLIPVisionModel.from_pretrained(tmp_path / "vit")
    pixels = torch.randn(1, 3, 56, 56)
    with torch.inference_mode():
        both = [t(pixels).last_hidden_state for t in (tower.eval(), model.model.vision_tower)]
    assert torch.equal(*both)
    held = torch.load(tmp_path / "vit" / "llava.projector", weights_only=True)
    assert {name.split(".")[1] for name in held} == {"linear_1", "linear_2"}
    ours = model.model.multi_modal_projector.linear_2.weight
    assert torch.equal(held["multi_modal_projector.linear_2.weight"], ours)


def test_what_llama_cpp_would_compute_otherwise_is_refused(
    glass_llava: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_folder(tmp_path / "m", *glass_llava, About(name="m"))
    with pytest.raises(SystemExit, match="CLIP tower and a projector with GELU alone"):
        _split(tmp_path / "m", tmp_path / "vit", monkeypatch)
    assert not (tmp_path / "vit").exists()
