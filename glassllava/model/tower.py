"""The embedded checkpoint's eye: EfficientNet-Lite0 as a vision tower of LLaVA.

Fully convolutional, batch normalisation folded into the convolutions; a picture of any multiple of
112 pixels becomes one token a 112-pixel cell. A token is what the cell holds (mean and
maximum of the last block and of the finer stage before it) and, the same in every cell, what a
multi-label head sees on the whole picture. Importing this module registers the tower with
AutoConfig and AutoModel; plain transformers refuses the checkpoint until then. Knows no prompt.

Tan and Le, EfficientNet (2019), in the Lite form of the TensorFlow authors: ReLU6 and no
squeeze-and-excitation. TensorFlow's 'SAME' padding: an odd pixel goes to the right and below.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # the name that every torch reader knows
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

#: (expansion, channels, repeats, stride, kernel) of the stages, the stem (32, stride 2) before.
_STAGES = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
#: Blocks up to here are the early ones: stride 16, 112 channels.
EARLY_BLOCKS = 11
EARLY_CHANNELS, LATE_CHANNELS = 112, 320
CELL = 112
TOKEN = 2 * LATE_CHANNELS + 2 * EARLY_CHANNELS


class TowerConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """`hidden_size` is a cell's own 864 values and the head's `labels` scores."""

    model_type = "glass_tower"

    def __init__(self, image_size: int = 448, labels: int = 16, **rest: Any) -> None:
        self.image_size = image_size
        self.labels = labels
        self.patch_size = CELL
        self.num_channels = 3
        self.hidden_size = TOKEN + labels
        super().__init__(**{k: v for k, v in rest.items() if k not in vars(self)})


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's 'SAME' padding, its batch normalisation folded in."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads) if any(pads) else x)


class Block(nn.Module):
    """An inverted bottleneck: expand, filter each channel, project."""

    def __init__(self, inner: int, outer: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        wide = inner * expansion
        self.expand = Conv(inner, wide, 1) if expansion > 1 else None
        self.depthwise = Conv(wide, wide, kernel, stride, groups=wide)
        self.project = Conv(wide, outer, 1)
        self.residual = stride == 1 and inner == outer

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.expand(x)) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Tower(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Pixels (B, 3, H, W), H and W multiples of 112, to tokens (B, H/112 · W/112, hidden_size)."""

    config_class = TowerConfig
    main_input_name = "pixel_values"
    _no_split_modules = ["Block"]  # noqa: RUF012  # transformers wants a list

    def __init__(self, config: TowerConfig) -> None:
        super().__init__(config)
        self.stem = Conv(3, 32, 3, 2)
        blocks, inner = [], 32
        for expansion, outer, repeats, first_stride, kernel in _STAGES:
            for i in range(repeats):
                stride = first_stride if i == 0 else 1
                blocks.append(Block(inner, outer, expansion, stride, kernel))
                inner = outer
        self.blocks = nn.ModuleList(blocks)
        # Each token value is brought to mean 0 and deviation 1 over the training micrographs.
        self.shift = nn.Parameter(torch.zeros(TOKEN), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(TOKEN), requires_grad=False)
        self.head = nn.Linear(2 * TOKEN, config.labels)
        self.post_init()  # type: ignore[no-untyped-call]

    def early(self, pixel_values: Tensor) -> Tensor:
        """The stride-16 stage (B, 112, H/16, W/16): what training caches."""
        x = F.relu6(self.stem(pixel_values))
        for block in self.blocks[:EARLY_BLOCKS]:
            x = block(x)
        return x

    def late(self, early: Tensor) -> Tensor:
        """The cells' standardised values (B, cells, 864) from the stride-16 stage."""
        x = early
        for block in self.blocks[EARLY_BLOCKS:]:
            x = block(x)
        grid = (early.shape[-2] * 16 // CELL, early.shape[-1] * 16 // CELL)
        pools = (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)
        parts = [pool(stage, grid) for stage in (x, early) for pool in pools]
        cells = torch.cat(parts, 1).flatten(2).transpose(1, 2)
        return (cells - self.shift) * self.scale

    def scores(self, cells: Tensor) -> Tensor:
        """The multi-label head's logits (B, labels) from the mean and maximum over the cells."""
        return self.head(torch.cat((cells.mean(1), cells.amax(1)), -1))

    def tokens(self, cells: Tensor) -> Tensor:
        scores = self.scores(cells)[:, None].expand(-1, cells.shape[1], -1)
        return torch.cat((cells, scores), -1)

    def likeness(self, pixel_values: Tensor) -> Tensor:
        """What two pictures are alike by, (B, 864 + labels): texture, and the features seen.

        The texture alone finds the other half of a micrograph better, the features what shows the
        same thing in another; they weigh alike (decision 2026-11-28-figures).
        """
        cells = self.late(self.early(pixel_values))
        texture = F.normalize(cells.mean(1), dim=-1)
        seen = F.normalize(self.scores(cells).sigmoid(), dim=-1)
        return torch.cat((texture, seen), -1)

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        tokens = self.tokens(self.late(self.early(pixel_values)))
        return BaseModelOutputWithPooling(last_hidden_state=tokens, hidden_states=(tokens,))


def register() -> None:
    """Make AutoConfig and AutoModel know the tower; calling it again changes nothing."""
    AutoConfig.register(TowerConfig.model_type, TowerConfig, exist_ok=True)
    AutoModel.register(TowerConfig, Tower, exist_ok=True)


register()
