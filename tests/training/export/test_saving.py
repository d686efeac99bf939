"""A saved folder is whole, opens elsewhere, and answers as the model did."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import torch

from glassllava.errors import BadInput, ModelUnavailable, RunUnavailable
from glassllava.model import opening
from glassllava.prompt import Enquiry
from glassview.cli import main
from training.export.card import About
from training.export.saving import save_folder
from training.export.shards import open_weights

ABOUT = About(
    name="GlassLLaVA | tiny\n# no heading",
    materials="soda-lime float glass",
    synthetic=False,
    base={"CLIP ViT-L/14": "MIT", "OpenLLaMA-7B": "Apache-2.0"},
    data={"72 papers": "CC-BY-NC-4.0", "own micrographs": "CC-BY-4.0"},
    data_fingerprint="ab" * 32,
    data_words="481 micrographs, 12 % of the pairs checked by a person",
    recipe={"name": "paper_8xa100", "seed": 1},
    metrics={"verdict at high": "88.0 % [84.5, 90.9]"},
    limits=("Numbers are not read",),
    settings={"longest_text": 8, "probe_keys": ["crack", "pore", "clean"]},
    made=("Trained by a test",),
)


@pytest.mark.parametrize("which", ["clip_llava", "glass_llava"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_saved_folder_opens_as_the_same_model(
    which: str, dtype: torch.dtype, request: pytest.FixtureRequest, tmp_path: Path,
    enquiries: list[Enquiry],
) -> None:  # fmt: skip
    model, processor = request.getfixturevalue(which)
    saved = save_folder(tmp_path / "out", model, processor, ABOUT, dtype=dtype, shard=60_000)
    # The order of a convolution's sums follows how memory is aligned.
    assert saved.logits_apart <= (1e-6 if which == "glass_llava" else 0.0)
    assert sum(name.endswith(".safetensors") for name in saved.files) > 2
    assert main(["model", "verify", str(tmp_path / "out")]) == 0
    backend: Any = opening.open_model(str(tmp_path / "out"))
    for name, parameter in backend.model.named_parameters():
        assert torch.equal(parameter, model.get_parameter(name).to(dtype).float()), name
    (reply, *_) = backend.reply(enquiries)
    assert 0 < reply.verdict.probability < 1
    assert reply.identity.licence == "CC-BY-NC-4.0"
    assert reply.identity.materials == "soda-lime float glass"
    assert not reply.identity.trained_on_synthetic


def test_files_are_readable_by_all_and_in_the_names_of_the_hub(
    clip_llava: tuple[Any, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    saved = save_folder(folder, *clip_llava, ABOUT)
    assert {path.name for path in folder.iterdir()} == {*saved.files, "MANIFEST.json"}
    assert {
        "model.safetensors", "config.json", "generation_config.json", "chat_template.jinja",
        "processor_config.json", "tokenizer.json", "glassllava.json", "README.md",
    } <= set(saved.files)  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    names = open_weights(folder).names
    assert "vision_tower.vision_model.post_layernorm.weight" in names
    assert "language_model.model.layers.0.mlp.up_proj.weight" in names
    assert "language_model.lm_head.weight" in names
    assert "multi_modal_projector.linear_2.bias" in names
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"


def test_shards_keep_to_their_size(clip_llava: tuple[Any, Any], tmp_path: Path) -> None:
    save_folder(tmp_path / "out", *clip_llava, ABOUT, shard=60_000)
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    shards = sorted((tmp_path / "out").glob("*.safetensors"))
    assert {path.name for path in shards} == set(index["weight_map"].values())
    assert shards[0].name == f"model-00001-of-{len(shards):05d}.safetensors"
    largest = max(p.numel() * 2 for p in clip_llava[0].parameters())
    for path in shards:
        head = int.from_bytes(path.read_bytes()[:8], "little") + 8
        assert path.stat().st_size - head <= max(60_000, largest)


def test_the_card_tells_where_it_comes_from(clip_llava: tuple[Any, Any], tmp_path: Path) -> None:
    save_folder(tmp_path / "out", *clip_llava, ABOUT)
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "\n# GlassLLaVA | tiny # no heading\n" in card  # one heading, whatever the name holds
    assert "\n# no heading" not in card
    assert "**CC-BY-NC-4.0**, the most restrictive" in card
    assert "| data: 72 papers | CC-BY-NC-4.0 |" in card
    assert "- No commercial use." in card
    assert "ab" * 32 in card
    assert ABOUT.recipe_sha256 in card
    assert "| verdict at high | 88.0 % [84.5, 90.9] |" in card
    assert "Made for: soda-lime float glass" in card
    assert "It was trained on micrographs of real specimens" in card
    known = json.loads((tmp_path / "out" / "glassllava.json").read_text())
    assert known["recipe"] == {"name": "paper_8xa100", "seed": 1}
    assert known["trained_on_synthetic"] is False


def test_what_is_not_known_is_said(clip_llava: tuple[Any, Any], tmp_path: Path) -> None:
    save_folder(tmp_path / "out", *clip_llava, About(name="bare"))
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    for words in (
        "**unknown**", "nothing is granted", "Whether its training data are synthetic is not known",
        "Nothing was measured", "No recipe of GlassView", "Nothing is told of the data",
    ):  # fmt: skip
        assert words in card, words
    assert "trained_on_synthetic" not in (tmp_path / "out" / "glassllava.json").read_text()


def test_a_conflict_of_licences_is_no_licence(clip_llava: tuple[Any, Any], tmp_path: Path) -> None:
    about = About(name="mixed", base={"base": "Llama 2 Community"}, data={"papers": "CC-BY-SA-4.0"})
    save_folder(tmp_path / "out", *clip_llava, about)
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "**Conflict**: base (Llama 2 Community) and papers (CC-BY-SA)" in card
    known = json.loads((tmp_path / "out" / "glassllava.json").read_text())
    assert known["licence"].startswith("none that can be kept")


def test_a_full_folder_is_never_written_over(clip_llava: tuple[Any, Any], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        save_folder(tmp_path / "out", *clip_llava, ABOUT)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_save_that_fails_leaves_nothing(
    clip_llava: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.export import shards

    def full(self: Any, *args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shards.ShardWriter, "close", full)
        with pytest.raises(RunUnavailable, match="No space"):
            save_folder(tmp_path / "out", *clip_llava, ABOUT)
    assert list(tmp_path.iterdir()) == []
    save_folder(tmp_path / "out", *clip_llava, ABOUT)


def test_what_reads_back_otherwise_is_refused(
    clip_llava: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import copy

    from training.export import saving

    model, processor = clip_llava
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.lm_head.weight[3, 4] += 1
    with pytest.raises(ModelUnavailable, match=r"lm_head\.weight does not read back"):
        _saved_as(other, model, processor, tmp_path / "a", monkeypatch)
    # The weights are the same, the configuration computes otherwise.
    changed = copy.deepcopy(model)
    changed.config.text_config.rms_norm_eps = 0.5
    with pytest.raises(ModelUnavailable, match="does not answer as the model did"):
        _saved_as(model, changed, processor, tmp_path / "b", monkeypatch)
    assert list(tmp_path.iterdir()) == []
    assert saving.write_model is not None


def _saved_as(
    compared: Any, written: Any, processor: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Save one model where another was meant, as a fault of the disk or of a library would."""
    from training.export import saving

    original = saving.write_model
    with monkeypatch.context() as patch:
        patch.setattr(
            saving,
            "write_model",
            lambda part, model, *rest, **more: original(part, written, *rest, **more),
        )
        save_folder(folder, compared, processor, ABOUT)


def test_a_state_from_elsewhere_is_saved_in_place_of_an_empty_model(
    clip_llava: tuple[Any, Any], tmp_path: Path
) -> None:
    from transformers import LlavaForConditionalGeneration

    model, processor = clip_llava
    with torch.device("meta"):
        empty = LlavaForConditionalGeneration(model.config)
    state = model.state_dict()
    saved = save_folder(tmp_path / "out", empty, processor, ABOUT, state=state)
    assert saved.logits_apart is None
    stored = dict(open_weights(tmp_path / "out"))
    assert torch.equal(stored["language_model.lm_head.weight"], state["lm_head.weight"].half())
    del state["lm_head.weight"]
    with pytest.raises(ModelUnavailable, match=r"language_model.lm_head.weight is missing"):
        save_folder(tmp_path / "again", empty, processor, ABOUT, state=state)
