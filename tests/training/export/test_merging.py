"""A merged LoRA answers as the adapter did, projector and all; another base is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

from glassllava.errors import BadInput, ModelUnavailable
from glassview.cli import main
from training.export.card import About
from training.export.merging import merge_adapter, save_adapter, with_adapter
from training.export.saving import _enquiry, save_folder

ABOUT = About(name="merged", base={"base": "MIT"}, data={"own": "CC-BY-4.0"})


@pytest.fixture(scope="module")
def base(clip_llava: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "base"
    save_folder(folder, *clip_llava, ABOUT, dtype=torch.float32)
    return folder


def _adapted(base: Path, **more: Any) -> PeftModel:
    """The base with a LoRA and a projector that have learnt something."""
    model = LlavaForConditionalGeneration.from_pretrained(base)
    settings: dict[str, Any] = {
        "r": 4, "lora_alpha": 8, "modules_to_save": ["multi_modal_projector"],
        "target_modules": r".*language_model.*(q_proj|v_proj|down_proj)",
    }  # fmt: skip
    torch.manual_seed(5)
    peft = get_peft_model(model, LoraConfig(**(settings | more)))
    with torch.no_grad():
        for parameter in peft.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return peft.eval()


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(tmp_path_factory.mktemp("adapter") / "lora", _adapted(base), base)


@pytest.fixture
def copied(adapter: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the adapter that a test may spoil; without its hash of the base if asked."""

    def copied(hashed: bool = False) -> Path:
        import shutil

        folder = tmp_path / "spoilt"
        shutil.copytree(adapter, folder)
        if not hashed:
            (folder / "glassllava.json").unlink()
        return folder

    return copied


def _logits(model: Any) -> torch.Tensor:
    plain = model.get_base_model() if isinstance(model, PeftModel) else model
    pixels, ids = _enquiry(plain)
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=ids, pixel_values=pixels).logits
    return logits


@pytest.mark.parametrize(
    "more", [{}, {"use_rslora": True}, {"use_dora": True}, {"alpha_pattern": {"q_proj": 2}}]
)
def test_merged_logits_are_the_adapters(base: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    trained = _adapted(base, **more)
    wanted = _logits(trained)
    plain = _logits(LlavaForConditionalGeneration.from_pretrained(base))
    adapter = save_adapter(tmp_path / "lora", trained, base)
    saved = merge_adapter(base, adapter, tmp_path / "out", ABOUT)
    assert saved.logits_apart == 0.0
    assert main(["model", "verify", str(tmp_path / "out")]) == 0
    merged = LlavaForConditionalGeneration.from_pretrained(tmp_path / "out")
    assert merged.dtype == torch.float32  # as the base
    found = _logits(merged)
    assert (found - wanted).abs().max() < 1e-4
    assert (plain - wanted).abs().max() > 0.1, "the adapter of this test changes nothing"


def test_sixteen_bits_are_rounded_once(clip_llava: tuple[Any, Any], tmp_path: Path) -> None:
    base = tmp_path / "base"
    save_folder(base, *clip_llava, ABOUT, dtype=torch.bfloat16)
    adapter = save_adapter(tmp_path / "lora", _adapted(base), base)
    merge_adapter(base, adapter, tmp_path / "out", ABOUT)
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in found.values()} == {torch.bfloat16}
    whole = LlavaForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
    wanted = with_adapter(whole, adapter).merge_and_unload().state_dict()
    for layer in range(2):
        for name in ("self_attn.q_proj", "mlp.down_proj", "mlp.up_proj"):
            stored = found[f"language_model.model.layers.{layer}.{name}.weight"]
            exact = wanted[f"model.language_model.layers.{layer}.{name}.weight"]
            assert torch.equal(stored, exact.bfloat16())


def test_the_projector_comes_with_the_adapter(base: Path, adapter: Path, tmp_path: Path) -> None:
    names = load_file(adapter / "adapter_model.safetensors")
    assert any("multi_modal_projector" in name for name in names)
    merge_adapter(base, adapter, tmp_path / "out", ABOUT)
    name = "multi_modal_projector.linear_1.weight"
    before, after = (load_file(f / "model.safetensors")[name] for f in (base, tmp_path / "out"))
    assert not torch.equal(before, after)


def test_a_projector_that_would_be_lost_is_an_error(base: Path, tmp_path: Path) -> None:
    peft = _adapted(base, modules_to_save=None)
    for name, parameter in peft.named_parameters():
        if "multi_modal_projector" in name:
            parameter.requires_grad = True
    with pytest.raises(BadInput, match=r"4 trained weights .*multi_modal_projector"):
        save_adapter(tmp_path / "lora", peft, base)
    assert not (tmp_path / "lora").exists()


def test_an_adapter_of_another_base_is_refused_by_its_hash(
    base: Path, adapter: Path, clip_llava: tuple[Any, Any], tmp_path: Path
) -> None:
    model = copy.deepcopy(clip_llava[0])
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    save_folder(tmp_path / "other", model, clip_llava[1], ABOUT, dtype=torch.float32)
    with pytest.raises(ModelUnavailable, match="trained on another base"):
        merge_adapter(tmp_path / "other", adapter, tmp_path / "out", ABOUT)
    assert not (tmp_path / "out").exists()


def test_an_adapter_of_another_architecture_is_refused_by_its_tensors(
    copied: Callable[..., Path], glass_llava: tuple[Any, Any], base: Path, tmp_path: Path
) -> None:
    folder = copied()
    save_folder(tmp_path / "glass", *glass_llava, ABOUT)
    with pytest.raises(ModelUnavailable, match=r"does not fit the base|has no place"):
        merge_adapter(tmp_path / "glass", folder, tmp_path / "out", ABOUT)
    # A language model's own LoRA, as other projects save it: other names.
    path = folder / "adapter_model.safetensors"
    state = {
        name.replace("model.language_model.", "model."): tensor
        for name, tensor in load_file(path).items()
    }
    save_file(state, path)
    with pytest.raises(ModelUnavailable, match="has no place in this base"):
        merge_adapter(base, folder, tmp_path / "out", ABOUT)


@pytest.mark.filterwarnings("ignore:Found missing adapter keys")
def test_pickled_damaged_and_foreign_adapters_are_refused(
    copied: Callable[..., Path], base: Path, tmp_path: Path
) -> None:
    folder = copied()
    out = tmp_path / "out"
    weights, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    whole, words = weights.read_bytes(), config.read_text()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        merge_adapter(base, folder, out, ABOUT)
    weights.rename(folder / "adapter_model.bin")
    with pytest.raises(ModelUnavailable, match="pickled"):
        merge_adapter(base, folder, out, ABOUT)
    weights.write_bytes(whole)
    config.write_text(json.dumps(json.loads(words) | {"peft_type": "PROMPT_TUNING"}))
    with pytest.raises(ModelUnavailable, match="not a LoRA"):
        merge_adapter(base, folder, out, ABOUT)
    # Weights for modules that the configuration does not name.
    config.write_text(json.dumps(json.loads(words) | {"target_modules": ["o_proj"]}))
    with pytest.raises(ModelUnavailable, match=r"peft does not take|cannot be loaded"):
        merge_adapter(base, folder, out, ABOUT)
    config.unlink()
    with pytest.raises(ModelUnavailable, match="no adapter"):
        merge_adapter(base, folder, out, ABOUT)
    assert not out.exists()


def test_the_adapter_beside_its_base_is_what_was_trained(base: Path, adapter: Path) -> None:
    model = LlavaForConditionalGeneration.from_pretrained(base)
    assert torch.equal(_logits(with_adapter(model, adapter)), _logits(_adapted(base)))
