"""`glassview convert` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from glassview.cli import main
from tests.training.export.originals import write_original
from training.export.card import About
from training.export.saving import save_folder

Capture = pytest.CaptureFixture[str]


def test_a_checkpoint_then_a_lora_on_it(tmp_path: Path, capsys: Capture) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import LlavaForConditionalGeneration

    from training.export.merging import save_adapter

    written = write_original(tmp_path, dtype=torch.float16)
    written.write(shards=2, pickled=True)
    out, lora, merged = (str(tmp_path / name) for name in ("llava", "lora", "merged"))
    command = ["convert", str(written.folder), "-o", out]
    assert main(command) == 2
    assert "--tower: A checkpoint of the original layout" in capsys.readouterr().err
    command += ["--tower", str(written.tower)]
    assert main(command) == 2
    assert "say --read-bin" in capsys.readouterr().err
    command += ["--read-bin", "--licence", "Llama 2 Community", "--materials", "float glass"]
    assert main([*command, "--shard-gb", "0.00003", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == out
    assert sum(name.endswith(".safetensors") for name in told["files"]) > 1
    assert main(command) == 2
    assert "never written over" in capsys.readouterr().err

    model = LlavaForConditionalGeneration.from_pretrained(out, dtype=torch.float32)
    peft = get_peft_model(
        model, LoraConfig(r=2, target_modules=["gate_proj"], modules_to_save=["linear_1"])
    )
    save_adapter(Path(lora), peft, Path(out))
    assert main(["convert", lora, "-o", merged]) == 2
    assert "--base: An adapter is nothing without its base" in capsys.readouterr().err
    assert main(["convert", lora, "--base", out, "-o", merged, "--licence", "CC-BY-NC-4.0"]) == 0
    assert capsys.readouterr().out == f"{merged}\n"
    assert main(["model", "show", merged, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["licence"] == "CC-BY-NC-4.0"
    assert shown["materials"] == "float glass"
    assert main(["model", "verify", merged]) == 0


def test_a_checkpoint_that_opens_as_it_is_is_not_converted(
    clip_llava: tuple[Any, Any], tmp_path: Path, capsys: Capture
) -> None:
    save_folder(tmp_path / "hf", *clip_llava, About(name="hf"))
    command = ["convert", str(tmp_path / "hf"), "--tower", str(tmp_path), "-o", str(tmp_path / "x")]
    assert main(command) == 2
    assert "in Hugging Face LLaVA format already" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "hf"), "-o", str(tmp_path / "x")]) == 2
    assert "in Hugging Face LLaVA format already" in capsys.readouterr().err
    assert main([*command, "--shard-gb", "0"]) == 2
    assert "more than 0" in capsys.readouterr().err
