"""The script in docs/gguf.md does what the page says; llama.cpp itself is not run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import CLIPVisionModel

from training.export.card import About
from training.export.saving import save_folder

PAGE = Path(__file__).parents[3] / "docs" / "gguf.md"


def _split(folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    command = [sys.executable, "-c", script, str(folder), str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_tower_and_the_projector_are_taken_apart(
    clip_llava: tuple[Any, Any], tmp_path: Path
) -> None:
    model = clip_llava[0]
    save_folder(tmp_path / "m", *clip_llava, About(name="m"), dtype=torch.float32, shard=60_000)
    done = _split(tmp_path / "m", tmp_path / "vit")
    assert done.returncode == 0, done.stderr
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
    glass_llava: tuple[Any, Any], tmp_path: Path
) -> None:
    save_folder(tmp_path / "m", *glass_llava, About(name="m"))
    done = _split(tmp_path / "m", tmp_path / "vit")
    assert done.returncode == 1
    assert "CLIP tower and a projector with GELU alone" in done.stderr
    assert not (tmp_path / "vit").exists()
