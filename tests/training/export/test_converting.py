"""An original checkpoint answers the same after it was converted; a doubtful one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from glassllava.errors import ModelUnavailable
from glassllava.model import opening
from glassllava.prompt import Enquiry
from glassview.cli import main
from tests.training.export.originals import KNOWN, SIDE, Written, write_original
from training.export.card import About
from training.export.converting import convert_original
from training.export.shards import open_weights

ABOUT = About(name="converted", base={"LLaVA-1.5": "Llama 2 Community"})
Make = Callable[..., Any]


@pytest.fixture
def original(tmp_path: Path) -> Written:
    return write_original(tmp_path)


def _converted(written: Written, out: Path, **more: Any) -> Any:
    convert_original(written.folder, written.tower, out, ABOUT, **more)
    return LlavaForConditionalGeneration.from_pretrained(out, dtype=torch.float32).eval()


def _apart(written: Written, model: Any) -> tuple[float, Any]:
    """How far the logits are from those computed by hand, and these."""
    pixels = torch.randn((1, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1))
    before, after = [1, 260, 263, 270], [261, 262, 263, 264, 3, 272]
    wanted = written.answer(before, pixels, after)
    image = model.config.image_token_index
    count = wanted.shape[0] - len(before) - len(after)
    ids = torch.tensor([[*before, *[image] * count, *after]])
    with torch.inference_mode():
        found = model(input_ids=ids, pixel_values=pixels).logits[0]
    return float((found[:, : wanted.shape[1]] - wanted).abs().max()), (found, wanted)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"kind": "llava_llama"},
        {"projector": "linear"},
        {"projector": None},  # LLaVA-1, which did not name it
        {"projector": "mlp1x_gelu"},
        {"own_tower": True},
        {"prefixed": False},
        {"mm_vision_select_feature": "cls_patch", "mm_vision_select_layer": -1},
        {"rope_scaling": {"type": "linear", "factor": 2.0}},
        {"kind": "llava_mistral", "sliding_window": 8},
    ],
    ids=str,
)
def test_the_converted_model_gives_the_same_logits(shape: dict[str, Any], tmp_path: Path) -> None:
    written = write_original(tmp_path, **shape)
    model = _converted(written, tmp_path / "out")
    apart, (_, wanted) = _apart(written, model)
    assert apart < 1e-5 * float(wanted.abs().max())
    assert main(["model", "verify", str(tmp_path / "out")]) == 0


def test_half_precision_and_pickled_shards_give_the_same_logits(tmp_path: Path) -> None:
    written = write_original(tmp_path, dtype=torch.float16)
    written.write(shards=3, pickled=True)
    with pytest.raises(ModelUnavailable, match=r"pickled weights .*--read-bin"):
        convert_original(written.folder, written.tower, tmp_path / "out", ABOUT)
    assert not (tmp_path / "out").exists()
    model = _converted(written, tmp_path / "out", pickled=True, shard=30_000)
    # The linear projector's tower is fp32 in its folder and stored with the rest in fp16.
    apart, (_, wanted) = _apart(written, model)
    assert apart < 1e-5 * float(wanted.abs().max())
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["dtype"] == "float16"
    assert len(list((tmp_path / "out").glob("*.safetensors"))) > 3
    assert not list((tmp_path / "out").glob("*.bin"))


def test_the_vocabulary_grows_as_llava_hf_s(original: Written, tmp_path: Path) -> None:
    model = _converted(original, tmp_path / "out")
    assert model.config.image_token_index == KNOWN  # the first new number, 32000 for LLaMA
    rows = model.get_input_embeddings().weight
    assert rows.shape[0] % 64 == 0
    assert 0 < rows.shape[0] - KNOWN < 64 + 2
    assert torch.equal(rows[:KNOWN], original.language.get_input_embeddings().weight)
    # A new token is as likely as tokens are on average: never the likeliest.
    _, (found, wanted) = _apart(original, model)
    assert torch.allclose(found[:, KNOWN:], wanted.mean(1, keepdim=True), atol=1e-4)
    assert (found.argmax(1) < KNOWN).all()
    tokenizer = LlavaProcessor.from_pretrained(tmp_path / "out", backend="pil").tokenizer
    assert tokenizer.convert_tokens_to_ids("<image>") == KNOWN
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("<pad>", KNOWN + 1)
    assert model.generation_config.pad_token_id == KNOWN + 1
    assert model.generation_config.eos_token_id == 2


def test_what_was_converted_answers_enquiries(
    original: Written, tmp_path: Path, enquiries: list[Enquiry]
) -> None:
    original.config["max_position_embeddings"] = 2048
    original.write()
    convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)
    backend = opening.open_model(str(tmp_path / "out"))
    replies = backend.reply(enquiries)
    assert all(0 <= reply.verdict.yes <= 1 for reply in replies)  # type: ignore[operator]
    assert backend.identity.licence == "Llama 2 Community"
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "Converted from the original LLaVA layout" in card
    assert "openai/clip-vit-tiny-patch14" in card


def test_the_template_is_the_one_it_was_trained_with(tmp_path: Path) -> None:
    for number, (kind, wrapped, wanted) in enumerate((
        ("llava", False, "answers to the human's questions. USER: <image>\nWhat? ASSISTANT:"),
        ("llava", True, "USER: <im_start><image><im_end>\nWhat? ASSISTANT:"),
        ("llava_mistral", False, "[INST] <image>\nWhat? [/INST]"),
    )):  # fmt: skip
        written = write_original(tmp_path / str(number), kind=kind, mm_use_im_start_end=wrapped)
        out = tmp_path / str(number) / "out"
        convert_original(written.folder, written.tower, out, ABOUT)
        processor = LlavaProcessor.from_pretrained(out, backend="pil")
        asked = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}
        said = {"role": "assistant", "content": [{"type": "text", "text": "A crack."}]}
        text = processor.apply_chat_template([asked], add_generation_prompt=True)
        assert text.endswith(wanted)
        whole = processor.apply_chat_template([asked, said])
        assert whole == f"{text} A crack.</s>"
        masked = processor.tokenizer.apply_chat_template(
            [{**asked, "content": "the"}, {**said, "content": "crack"}],
            return_dict=True, return_assistant_tokens_mask=True,
        )  # fmt: skip
        spoken = [
            i for i, m in zip(masked["input_ids"], masked["assistant_masks"], strict=True) if m
        ]
        assert processor.tokenizer.decode(spoken).strip() == "crack</s>"


# Doubtful checkpoints


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "llama"}, "type 'llama'"),
        ({"model_type": "llava_mpt"}, "type 'llava_mpt'"),
        ({"text_config": {}}, "already"),
        ({"mm_vision_tower": None}, "names no vision tower"),
        ({"mm_projector_type": "resampler"}, "projector 'resampler'"),
        ({"mm_projector_type": "mlp3x_gelu"}, "projector 'mlp3x_gelu'"),
        ({"mm_projector_type": "mlp99999999999x_gelu"}, "projector"),
        ({"mm_projector_type": "linear"}, "two layers, the configuration names one"),
        ({"image_aspect_ratio": "anyres"}, "LLaVA-1.6"),
        ({"mm_vision_select_feature": "all"}, "'all' is not known"),
        ({"mm_vision_select_layer": 40}, "no layer 40"),
        ({"mm_vision_select_layer": "-2"}, "whole numbers"),
        ({"mm_hidden_size": 1024}, "24 wide, the checkpoint was trained with 1024"),
        ({"mm_vision_tower": "openai/clip-vit-large-patch14-336"}, "pictures of 56 pixels"),
        ({"num_hidden_layers": 3}, "names 3 layers, the weights hold 2"),
        ({"num_hidden_layers": 10**12}, "the weights hold 2"),
        ({"num_hidden_layers": 1}, "the weights hold 2"),
        ({"hidden_size": "32"}, "hidden_size is missing"),
        ({"hidden_size": 40}, "and the configuration wants"),
        ({"num_attention_heads": 5}, "No model can be made"),
        ({"hidden_act": "no such thing"}, "No model can be made"),
        ({"intermediate_size": 49}, "the configuration wants 32 × 49"),
    ],
)
def test_a_configuration_that_cannot_be_kept_is_refused(
    original: Written, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    original.config |= change
    original.write()
    with pytest.raises(ModelUnavailable, match=says):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def _lose(state: dict[str, torch.Tensor]) -> None:
    del state["model.layers.1.mlp.up_proj.weight"]


def _lose_projector(state: dict[str, torch.Tensor]) -> None:
    for name in [name for name in state if "mm_projector" in name]:
        del state[name]


def _cut(state: dict[str, torch.Tensor]) -> None:
    state["model.layers.1.mlp.up_proj.weight"] = torch.ones(4, 32)


def _cut_head(state: dict[str, torch.Tensor]) -> None:
    state["lm_head.weight"] = torch.ones(5, 32)


def _add(state: dict[str, torch.Tensor]) -> None:
    state["model.image_newline"] = torch.ones(32)


def _adapter(state: dict[str, torch.Tensor]) -> None:
    state["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"] = torch.ones(2, 32)


def _quantise(state: dict[str, torch.Tensor]) -> None:
    state["model.layers.1.mlp.up_proj.weight"] = torch.ones(48, 32, dtype=torch.int8)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_lose, r"1 weights are missing, such as .*layers\.1\.mlp\.up_proj"),
        (_lose_projector, "lacks its projector"),
        (_cut, r"model\.layers\.1\.mlp\.up_proj\.weight is 4 × 32"),
        (_cut_head, r"lm_head\.weight is 5 × 32 and must hold"),
        (_add, "image_newline belongs to no part"),
        (_adapter, "lora_A.weight belongs to no part"),
        (_quantise, "quantised"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    original: Written, tmp_path: Path, spoil: Callable[[dict[str, torch.Tensor]], None], says: str
) -> None:
    spoil(original.state)
    original.write(shards=2)
    with pytest.raises(ModelUnavailable, match=says):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["../secret.safetensors", "/etc/passwd", "a/../../b.safetensors", "..\\b.safetensors",
             "model.bin", "", "con/model.safetensors"],
)  # fmt: skip
def test_an_index_names_files_of_its_folder_alone(
    original: Written, tmp_path: Path, name: str
) -> None:
    original.write(shards=2)
    save_file({"lm_head.weight": torch.ones(2, 2)}, tmp_path / "secret.safetensors")
    index = original.folder / "model.safetensors.index.json"
    told = json.loads(index.read_text())
    told["weight_map"]["lm_head.weight"] = name
    index.write_text(json.dumps(told))
    with pytest.raises(ModelUnavailable, match="no weight file of this folder"):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"weight_map": ["a"]}', "cannot be read"),
        ('{"weight_map": {"a": 3}}', "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ('{"weight_map": {"a": "gone.safetensors"}}', "which is not there"),
    ],
)
def test_an_index_that_is_none_is_refused(
    original: Written, tmp_path: Path, text: str, says: str
) -> None:
    (original.folder / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelUnavailable, match=says):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)


def test_torn_files_are_refused(original: Written, tmp_path: Path) -> None:
    path = original.folder / "model.safetensors"
    whole = path.read_bytes()
    for end in (0, 7, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ModelUnavailable, match="cannot be read"):
            convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)
    path.unlink()
    with pytest.raises(ModelUnavailable, match="holds no weights"):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)


def test_a_pickle_runs_nothing(original: Written, tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    (original.folder / "model.safetensors").unlink()
    path = original.folder / "pytorch_model.bin"
    for write in (lambda: path.write_bytes(pickle.dumps(Evil())), lambda: torch.save(Evil(), path)):
        write()
        with pytest.raises(ModelUnavailable, match=r"cannot be read|holds more than tensors"):
            convert_original(original.folder, original.tower, tmp_path / "out", ABOUT, pickled=True)
    torch.save({"model": "words"}, path)
    with pytest.raises(ModelUnavailable, match="more than tensors"):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT, pickled=True)
    assert not (tmp_path / "ran").exists()


def test_a_name_in_two_files_is_refused(original: Written, tmp_path: Path) -> None:
    original.write(shards=2)
    first, second = sorted(original.folder.glob("*.safetensors"))
    extra = load_file(second) | {next(iter(load_file(first))): torch.ones(1)}
    save_file(extra, second, metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match="stands in two files"):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)


def test_a_tower_of_another_kind_is_refused(original: Written, tmp_path: Path) -> None:
    (original.tower / "config.json").write_text('{"model_type": "siglip_vision_model"}')
    with pytest.raises(ModelUnavailable, match="not CLIP"):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        convert_original(original.folder, tmp_path / "none", tmp_path / "out", ABOUT)
    path = original.tower / "config.json"
    for told, says in (
        ({"num_hidden_layers": 10**9}, "No tower has 1000000000 layers"),
        ({"patch_size": 0}, "cannot be used|No tower has"),
        ({"image_size": 57}, "No tower has"),
        ({"hidden_size": "24"}, "cannot be used"),
        ({"num_hidden_layers": 2}, "has no place"),
        ({"intermediate_size": 41}, "configuration wants"),
    ):
        whole = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3}
        whole |= {"num_attention_heads": 2, "image_size": SIDE, "patch_size": 14}
        path.write_text(json.dumps({"model_type": "clip_vision_model", **whole, **told}))
        with pytest.raises(ModelUnavailable, match=says):
            convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)


def test_a_tokenizer_of_another_model_is_refused(original: Written, tmp_path: Path) -> None:
    (original.folder / "added_tokens.json").write_text(
        json.dumps({"<im_patch>": KNOWN, "<im_start>": KNOWN + 1})
    )
    with pytest.raises(ModelUnavailable, match=f"knows {KNOWN + 2} tokens, the model embeds"):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)
    (original.folder / "added_tokens.json").write_text('{"<im_patch>": 7}')
    with pytest.raises(ModelUnavailable, match="is number 7"):
        convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)
    (original.folder / "added_tokens.json").unlink()
    for words in ("", "not a model", "\x08\x01" * 40):
        (original.folder / "tokenizer.model").write_text(words)
        with pytest.raises(ModelUnavailable, match="tokenizer"):
            convert_original(original.folder, original.tower, tmp_path / "out", ABOUT)


def test_converting_again_gives_the_same_files(original: Written, tmp_path: Path) -> None:
    for name in ("a", "b"):
        convert_original(original.folder, original.tower, tmp_path / name, ABOUT)
    same = {(tmp_path / name / "MANIFEST.json").read_text() for name in ("a", "b")}
    assert len(same) == 1
    assert open_weights(tmp_path / "a").names
