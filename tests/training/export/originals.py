"""Writes tiny checkpoints in the layout of the original LLaVA repository, and computes by hand
what they answer: the language model's own class, the tower's own class, the projector as torch
layers, the features spliced in where the image stands."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

PIECES = ("▁", "t", "h", "e", "c", "r", "a", "k", "▁t", "▁th", "▁the", "ra", "ck", "rack", "crack")
SIDE, PATCH, WIDTH = 56, 14, 32
#: <unk>, <s>, </s>, 256 bytes, and the pieces.
KNOWN = 3 + 256 + len(PIECES)


@dataclass
class Written:
    """A checkpoint and its tower on disk, and what computes its answers."""

    folder: Path
    tower: Path
    state: dict[str, Tensor]
    config: dict[str, Any]
    language: Any
    eye: Any
    projector: nn.Module
    extra: dict[str, Any] = field(default_factory=dict)

    def write(self, shards: int = 1, pickled: bool = False) -> None:
        """Write (again) what `state` and `config` hold."""
        for path in [*self.folder.glob("*.safetensors*"), *self.folder.glob("*.bin*")]:
            path.unlink()
        (self.folder / "config.json").write_text(json.dumps(self.config))
        stem, suffix = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
        names = sorted(self.state)
        places = {}
        for number in range(shards):
            file = f"{stem}.{suffix}"
            if shards > 1:
                file = f"{stem}-{number + 1:05d}-of-{shards:05d}.{suffix}"
            part = {name: self.state[name] for name in names[number::shards]}
            places |= dict.fromkeys(part, file)
            if pickled:
                torch.save(part, self.folder / file)
            else:
                save_file(part, self.folder / file, metadata={"format": "pt"})
        if shards > 1:
            index = {"metadata": {}, "weight_map": places}
            (self.folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))

    def answer(self, before: list[int], pixels: Tensor, after: list[int]) -> Tensor:
        """Logits (length, vocabulary) as the original repository computes them."""
        with torch.inference_mode():
            seen = self.eye(pixels, output_hidden_states=True).hidden_states
            chosen = seen[self.config["mm_vision_select_layer"]]
            if self.config.get("mm_vision_select_feature", "patch") == "patch":
                chosen = chosen[:, 1:]
            embed = self.language.get_input_embeddings()
            parts = [embed(torch.tensor([before])), self.projector(chosen)]
            parts.append(embed(torch.tensor([after])))
            logits: Tensor = self.language(inputs_embeds=torch.cat(parts, 1)).logits[0]
        return logits


def write_original(
    root: Path,
    *,
    kind: str = "llava",
    projector: str | None = "mlp2x_gelu",
    own_tower: bool = False,
    prefixed: bool = True,
    dtype: torch.dtype = torch.float32,
    **more: Any,
) -> Written:
    """A checkpoint of random weights; `more` goes into its config.json."""
    from transformers import (
        CLIPVisionConfig,
        CLIPVisionModel,
        LlamaConfig,
        LlamaForCausalLM,
        MistralConfig,
        MistralForCausalLM,
    )

    torch.manual_seed(11)
    text: dict[str, Any] = {
        "vocab_size": KNOWN, "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5, "rope_theta": 5000.0, "hidden_act": "silu",
    }  # fmt: skip
    text |= {key: value for key, value in more.items() if not key.startswith("mm_")}
    is_mistral = kind == "llava_mistral"
    rope = {"rope_type": "default", "rope_theta": text["rope_theta"]}
    made = {key: value for key, value in text.items() if key not in ("rope_theta", "rope_scaling")}
    if scaling := text.get("rope_scaling"):
        rope |= {"rope_type": scaling["type"], "factor": scaling["factor"]}
    settings = (MistralConfig if is_mistral else LlamaConfig)(**made, rope_parameters=rope)
    language = (MistralForCausalLM if is_mistral else LlamaForCausalLM)(settings)
    vision = CLIPVisionConfig(
        hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=2,
        image_size=SIDE, patch_size=PATCH,
    )  # fmt: skip
    eye = CLIPVisionModel(vision)
    layers: nn.Module = nn.Linear(24, WIDTH)
    if projector == "mlp2x_gelu":
        layers = nn.Sequential(nn.Linear(24, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
    elif projector == "mlp1x_gelu":
        layers = nn.Sequential(nn.Linear(24, WIDTH))
    modules = (language, eye, layers)
    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                # Loud enough to tell one layer from another, and exact in the stored precision.
                parameter.copy_((torch.randn_like(parameter) * 0.2).to(dtype).float())
    config: dict[str, Any] = {
        **text, "architectures": ["LlavaLlamaForCausalLM"], "model_type": kind,
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "torch_dtype": "float16",
        "mm_vision_tower": "openai/clip-vit-tiny-patch14", "mm_hidden_size": 24,
        "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch",
        "mm_use_im_start_end": False, "mm_use_im_patch_token": False, "use_mm_proj": True,
        "image_aspect_ratio": "pad", "tune_mm_mlp_adapter": False, "use_cache": True,
    }  # fmt: skip
    if projector is not None:
        config["mm_projector_type"] = projector
    config |= more
    state = {name: tensor.to(dtype) for name, tensor in language.state_dict().items()}
    for name, tensor in layers.state_dict().items():
        state[f"model.mm_projector.{name}"] = tensor.to(dtype)
    state["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    tower_state = {
        name.removeprefix("vision_model."): tensor for name, tensor in eye.state_dict().items()
    }
    if own_tower:
        for name, tensor in tower_state.items():
            state[f"model.vision_tower.vision_tower.vision_model.{name}"] = tensor.to(dtype)
        # The folder's own weights must then not count.
        tower_state = {name: torch.zeros_like(tensor) for name, tensor in tower_state.items()}
    folder, tower = root / "original", root / "clip"
    folder.mkdir(parents=True)
    tower.mkdir()
    _write_tower(tower, vision, tower_state, prefixed)
    write_sentencepiece(folder / "tokenizer.model")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({
            "tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": True,
            "bos_token": {"__type": "AddedToken", "content": "<s>"}, "eos_token": "</s>",
            "unk_token": "<unk>", "pad_token": None,
        })
    )  # fmt: skip
    (folder / "special_tokens_map.json").write_text(json.dumps({"pad_token": "<unk>"}))
    written = Written(folder, tower, state, config, language.eval(), eye.eval(), layers.eval())
    written.write()
    return written


def _write_tower(tower: Path, vision: Any, state: dict[str, Tensor], prefixed: bool) -> None:
    """As openai's repositories hold it: a whole CLIP; or the vision side alone, without prefix."""
    told = json.loads(vision.to_json_string())
    if prefixed:
        state = {f"vision_model.{name}": tensor for name, tensor in state.items()}
        state |= {"text_model.final_layer_norm.weight": torch.ones(4), "logit_scale": torch.ones(1)}
        state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
        told = {"model_type": "clip", "vision_config": told, "text_config": {}}
    (tower / "config.json").write_text(json.dumps(told))
    (tower / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.2, 0.3], "resample": 3})
    )
    save_file(state, tower / "model.safetensors", metadata={"format": "pt"})


def write_sentencepiece(path: Path) -> None:
    """A byte-pair model with byte fallback, as LLaMA's, of a few pieces."""
    from transformers.utils import sentencepiece_model_pb2_new

    made: Any = sentencepiece_model_pb2_new
    model = made.ModelProto()
    rows = [("<unk>", 2), ("<s>", 3), ("</s>", 3)]
    rows += [(f"<0x{number:02X}>", 6) for number in range(256)]
    rows += [(piece, 1) for piece in PIECES]
    for number, (piece, what) in enumerate(rows):
        model.pieces.add(piece=piece, type=what, score=-float(number))
    model.trainer_spec.model_type = 2
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.unk_piece, model.trainer_spec.bos_piece = "<unk>", "<s>"
    model.normalizer_spec.add_dummy_prefix = True
    path.write_bytes(model.SerializeToString())
