"""Converting holds a shard, never the model."""

from __future__ import annotations

import ctypes
import gc
import json
import threading
import time
from pathlib import Path

import pytest
import torch

from tests.training.export.originals import write_sentencepiece
from training.export.card import About
from training.export.converting import convert_original
from training.export.shards import ShardWriter

WIDTH, INNER, LAYERS, ROWS, EYE = 1024, 2752, 24, 32_000, 64
SHARD = 200_000_000


@pytest.mark.proof
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is told by Linux alone")
def test_converting_holds_a_shard_and_never_the_model(tmp_path: Path) -> None:
    source, tower = _written(tmp_path)
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # or what writing the source used would be used again
    start, peak, done = _anonymous(), [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], _anonymous())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        saved = convert_original(source, tower, tmp_path / "out", About(name="m"), shard=SHARD)
    finally:
        done.set()
        watcher.join()
    above = peak[0] - start
    print(f"{saved.size / 1e6:.0f} MB of weights, {above / 1e6:.0f} MB held above the start")
    assert saved.size > 3.5 * SHARD
    # A shard, and the embedding twice: as it was, and grown.
    assert above < SHARD + 2 * ROWS * WIDTH * 2 + 100_000_000


def _anonymous() -> int:
    """Bytes of this process that no file backs: what the system cannot take back."""
    (line,) = (
        row for row in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in row
    )
    return int(line.split()[1]) * 1024


def _written(root: Path) -> tuple[Path, Path]:
    """Random weights of 0.37e9 parameters in the original layout, and a small tower."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    source, tower = root / "source", root / "tower"
    source.mkdir()
    random = torch.Generator().manual_seed(0)
    writer = ShardWriter(source, 300_000_000)

    def add(name: str, *shape: int) -> None:
        writer.add(name, (torch.rand(shape, generator=random) - 0.5).half())

    add("model.embed_tokens.weight", ROWS, WIDTH)
    add("lm_head.weight", ROWS, WIDTH)
    add("model.norm.weight", WIDTH)
    for layer in range(LAYERS):
        head = f"model.layers.{layer}."
        for part in "qkvo":
            add(f"{head}self_attn.{part}_proj.weight", WIDTH, WIDTH)
        add(f"{head}mlp.gate_proj.weight", INNER, WIDTH)
        add(f"{head}mlp.up_proj.weight", INNER, WIDTH)
        add(f"{head}mlp.down_proj.weight", WIDTH, INNER)
        add(f"{head}input_layernorm.weight", WIDTH)
        add(f"{head}post_attention_layernorm.weight", WIDTH)
    for number, inner in ((0, EYE), (2, WIDTH)):
        add(f"model.mm_projector.{number}.weight", WIDTH, inner)
        add(f"model.mm_projector.{number}.bias", WIDTH)
    writer.close()
    config = {
        "model_type": "llava", "hidden_size": WIDTH, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "num_attention_heads": 16, "vocab_size": ROWS,
        "mm_vision_tower": "openai/clip", "mm_hidden_size": EYE, "mm_vision_select_layer": -2,
        "mm_projector_type": "mlp2x_gelu",
    }  # fmt: skip
    (source / "config.json").write_text(json.dumps(config))
    write_sentencepiece(source / "tokenizer.model")
    vision = CLIPVisionConfig(
        hidden_size=EYE, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        image_size=56, patch_size=14,
    )  # fmt: skip
    CLIPVisionModel(vision).save_pretrained(tower)
    return source, tower
