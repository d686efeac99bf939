"""What frozen ImageNet features say of a picture: the tower before it learned anything of glass.

Knows the convolutions of `glassllava.model.tower` and nothing of its head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from glassllava.model import processing
from glassllava.model.tower import Block

Array = np.ndarray[Any, Any]
SIDE = 448
_CELL = 112  # pixels; a picture is `side` / 112 cells wide
_EARLY = 11  # blocks up to stride 16


@dataclass(frozen=True)
class Frozen:
    """The pretrained convolutions at one side, a multiple of 112 pixels."""

    tower: Any
    side: int = SIDE

    @torch.inference_mode()
    def features(self, pictures: Sequence[Array]) -> Array:
        """(N, 1728): mean and maximum over the cells of what each cell holds."""
        rows = []
        for picture in pictures:
            grey = torch.from_numpy(processing.letterbox(picture, self.side).astype(np.float32))
            x = F.relu6(self.tower.stem(((grey - 127) / 128).expand(1, 3, -1, -1)))
            for block in self._blocks[:_EARLY]:
                x = block(x)
            rows.append(self._pooled(x)[0].numpy())
        return np.stack(rows)

    @property
    def _blocks(self) -> list[Block]:
        return [module for module in self.tower.modules() if isinstance(module, Block)]

    def _pooled(self, early: Tensor) -> Tensor:
        late = early
        for block in self._blocks[_EARLY:]:
            late = block(late)
        grid = (self.side // _CELL, self.side // _CELL)
        pools = (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)
        cells = torch.cat([pool(x, grid) for x in (late, early) for pool in pools], 1).flatten(2)
        return torch.cat((cells.mean(-1), cells.amax(-1)), -1)


def pretrained() -> Frozen:
    """ImageNet's weights.

    Raises
    ------
    MissingPart : where the package of weights is not installed.
    """
    from training.embedded.start import imagenet_weights, pretrained_tower

    return Frozen(pretrained_tower(imagenet_weights()).eval())
