"""What the tower sees of each picture: kept on the disk where it is frozen, looked at anew else.

Kept by the hash of the picture's file and that of the tower, in 16 bits: about 1.2 MB a picture of
a CLIP ViT-L/14 at 336 px. Knows no text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from glassllava.model import processing
from glassllava.model.processing import Picture
from training.conversations.pictures import Pictures, write_array
from training.ranks import Ranks

_TOGETHER = 8  # pictures in one pass of the tower
BLANK = "blank"  # the name of the picture that shows nothing


class Vision(Protocol):
    """Gives what `seen` takes for pictures by their hash, and says which of the two it is."""

    def look(self, digests: Sequence[str]) -> tuple[Tensor, bool]:
        """(n, cells, hidden) features and True, or (n, 3, side, side) pixels and False."""
        ...


class Live:
    """Pixels: the tower is trained, or nothing may be kept."""

    def __init__(self, pictures: Pictures, processor: Any) -> None:
        self._pictures, self._processor = pictures, processor

    def look(self, digests: Sequence[str]) -> tuple[Tensor, bool]:
        return pixels(self._pictures, self._processor, digests), False


class Kept:
    """The frozen tower's features, read from the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def look(self, digests: Sequence[str]) -> tuple[Tensor, bool]:
        features = [np.load(self._folder / f"{digest}.npy") for digest in digests]
        return torch.from_numpy(np.stack(features)), True


@torch.no_grad()
def keep_features(
    model: Any,
    processor: Any,
    pictures: Pictures,
    digests: Sequence[str],
    folder: Path,
    ranks: Ranks,
    told: Callable[[int, int], None] | None = None,
) -> Kept:
    """Look at every picture once, each process at its share, before the model is spread."""
    folder = folder / tower_sha256(model, processor)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    mine = sorted(set(digests))[ranks.rank :: ranks.world]
    missing = [digest for digest in mine if not (folder / f"{digest}.npy").exists()]
    for first in range(0, len(missing), _TOGETHER):
        part = missing[first : first + _TOGETHER]
        for digest, seen in zip(
            part, select(model, pixels(pictures, processor, part)), strict=True
        ):
            write_array(folder / f"{digest}.npy", seen.half().cpu().numpy())
        if told is not None:
            told(first + len(part), len(missing))
    ranks.total(torch.zeros(1))  # all stand on the disk before one is read
    return Kept(folder)


def pixels(pictures: Pictures, processor: Any, digests: Sequence[str]) -> Tensor:
    """(n, 3, side, side) as the checkpoint's image processor makes them."""
    made: Tensor = processing.pixel_values(processor, [_picture(pictures, d) for d in digests])
    return made


def _picture(pictures: Pictures, digest: str) -> Picture:
    return processing.blank(pictures.side) if digest == BLANK else pictures.picture(digest)


def select(model: Any, pixel_values: Tensor) -> Tensor:
    """(n, cells, hidden): the tower's hidden states that the projector takes, as LLaVA does."""
    config, tower = model.config, model.model.vision_tower
    weight = next(tower.parameters())
    hidden = tower(
        pixel_values.to(weight.device, weight.dtype), output_hidden_states=True
    ).hidden_states
    layers = config.vision_feature_layer
    chosen = [hidden[i] for i in ([layers] if isinstance(layers, int) else layers)]
    if config.vision_feature_select_strategy == "default":
        chosen = [states[:, 1:] for states in chosen]
    return torch.cat(chosen, -1)


def tower_sha256(model: Any, processor: Any) -> str:
    """One hash over everything that decides what the tower sees in a picture."""
    config = model.config
    total = hashlib.sha256(
        repr(
            (
                processor.image_processor.to_json_string(),
                config.vision_feature_layer,
                config.vision_feature_select_strategy,
            )
        ).encode()
    )
    for name, tensor in sorted(model.model.vision_tower.state_dict().items()):
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
