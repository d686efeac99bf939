"""The embedded checkpoint's eye: EfficientNet-Lite0 as a vision tower of LLaVA.

Fully convolutional, batch normalisation folded into the convolutions. It looks twice: at the whole
square of pixels, where fine things show, and at the same drawn three times smaller, where wide ones
do. At either scale a dense head says of every 16 pixels which features are there; what it says
most surely anywhere, and how much of the picture it covers, makes the scores of the picture. A
token is a cell of 336 pixels: what it holds (mean and maximum of the last block and of the finer
stage before it, at the small scale), the dense head's surest answers in it at either scale, and,
the same in every cell, the scores of the picture. Importing this module registers the tower with
AutoConfig and AutoModel; plain transformers refuses the checkpoint until then. Knows no prompt.

Tan and Le, EfficientNet (2019), in the Lite form of the TensorFlow authors: ReLU6 and no
squeeze-and-excitation. TensorFlow's 'SAME' padding: an odd pixel goes to the right and below.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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
#: Blocks before stride 16 (40 channels of stride 8, kept as trained on ImageNet), and those before
#: stride 32.
_SHALLOW, _MIDDLE = 5, 11
_EDGES, _MIDDLING, _LATE = 40, 112, 320
#: Pixels that a cell of the dense head spans; and how much smaller the second look is.
STRIDE = 16
SMALLER = 3
#: Pixels of the square that a token spans, and its values that are its cell's own.
CELL = 336
OWN = 2 * (_LATE + _MIDDLING)
#: Logits are brought to about one where they stand beside standardised values.
_CALM = 4.0


class TowerConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """`hidden_size` is a cell's own 864 values, `labels` answers at either scale, and `labels`
    scores of the whole picture. `mixed` is the width of the dense head."""

    model_type = "glass_tower"

    def __init__(
        self, image_size: int = 1344, labels: int = 16, mixed: int = 160, **rest: Any
    ) -> None:
        self.image_size = image_size
        self.labels = labels
        self.mixed = mixed
        self.patch_size = CELL
        self.num_channels = 3
        self.hidden_size = OWN + 3 * labels
        super().__init__(**{k: v for k, v in rest.items() if k not in vars(self)})


class Look(NamedTuple):
    """One look at a picture: its stages, and what the dense head says of each cell."""

    middle: Tensor  # (B, 112, H/16, W/16)
    late: Tensor  # (B, 320, H/32, W/32)
    where: Tensor  # (B, labels, H/16, W/16), logits


class Seen(NamedTuple):
    """What both looks make of a picture."""

    cells: Tensor  # (B, cells, 864 + 2 labels): all of a token but the picture's scores
    pooled: Tensor  # (B, 5 labels): what the scores follow from
    where: Tensor  # (B, labels, S/16, S/16), logits: both scales together


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


class DenseHead(nn.Module):
    """Logits (B, labels, h, w) of every cell, from the stages of stride 8, 16 and 32."""

    def __init__(self, labels: int, mixed: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(4 * _EDGES + _MIDDLING + _LATE, mixed, 1)
        # What runs on through a cell is told from what ends in it by the cells beside it.
        self.beside = nn.Conv2d(mixed, mixed, 5, padding=2, groups=mixed)
        self.outer = nn.Conv2d(2 * mixed, labels, 1)

    def forward(self, edges: Tensor, middle: Tensor, late: Tensor) -> Tensor:
        wide = F.interpolate(late, size=middle.shape[-2:], mode="bilinear", align_corners=False)
        own = F.relu(self.inner(torch.cat((F.pixel_unshuffle(edges, 2), middle, wide), 1)))
        return self.outer(torch.cat((own, F.relu(self.beside(own))), 1))


class Tower(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Pixels (B, 3, S, S), S a multiple of 336, to tokens (B, (S/336)^2, hidden_size)."""

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
        self.shallow = nn.ModuleList(blocks[:_SHALLOW])
        self.deep = nn.ModuleList(blocks[_SHALLOW:])
        # Each value of a cell is brought to mean 0 and deviation 1 over the training micrographs.
        self.shift = nn.Parameter(torch.zeros(OWN), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(OWN), requires_grad=False)
        self.dense = DenseHead(config.labels, config.mixed)
        self.glance = nn.Linear(2 * OWN + 2 * config.labels, config.labels)
        self.head = nn.Linear(5 * config.labels, config.labels)
        self.post_init()  # type: ignore[no-untyped-call]

    def look(self, pixels: Tensor) -> Look:
        """One look at pixels (B, 3, H, W), H and W multiples of 32."""
        # On a processor the convolutions take half the time where channels lie side by side.
        x = pixels.contiguous(memory_format=torch.channels_last)
        x = F.relu6(self.stem(x))
        for block in self.shallow:
            x = block(x)
        edges = x
        for block in self.deep[: _MIDDLE - _SHALLOW]:
            x = block(x)
        middle = x
        for block in self.deep[_MIDDLE - _SHALLOW :]:
            x = block(x)
        return Look(middle, x, self.dense(edges, middle, x))

    def own(self, look: Look, grid: int) -> Tensor:
        """The standardised values (B, grid^2, 864) of cells."""
        pools = (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)
        parts = [pool(stage, grid) for stage in (look.late, look.middle) for pool in pools]
        return (_in_rows(torch.cat(parts, 1)) - self.shift) * self.scale

    def glanced(self, look: Look, dropout: float = 0.0) -> Tensor:
        """Logits (B, labels) from one look."""
        own = self.own(look, 4)
        values = torch.cat((own.mean(1), own.amax(1), *_pooled(look.where)), -1)
        return self.glance(F.dropout(values, dropout))

    def seen(self, pixel_values: Tensor) -> Seen:
        """Pictures are looked at one by one: the closer look's first stages take 0.4 GB each, a
        processor gains nothing by more, and a picture is seen alike in any company.

        Raises
        ------
        ValueError : for a side that is no multiple of 336.
        """
        if pixel_values.shape[-1] != pixel_values.shape[-2] or pixel_values.shape[-1] % CELL:
            raise ValueError(f"a side of {tuple(pixel_values.shape[-2:])} is no multiple of {CELL}")
        each = [self._seen(one[None]) for one in pixel_values]
        return Seen(*(torch.cat(parts) for parts in zip(*each, strict=True)))

    def _seen(self, pixel_values: Tensor) -> Seen:
        fine, coarse = self.look(pixel_values), self.look(F.avg_pool2d(pixel_values, SMALLER))
        grid = pixel_values.shape[-1] // CELL
        surest = [
            _in_rows(F.adaptive_max_pool2d(look.where, grid)) / _CALM for look in (fine, coarse)
        ]
        pooled = (self.glanced(coarse) / _CALM, *_pooled(fine.where), *_pooled(coarse.where))
        wide = F.interpolate(
            coarse.where, size=fine.where.shape[-2:], mode="bilinear", align_corners=False
        )
        return Seen(
            torch.cat((self.own(coarse, grid), *surest), -1),
            torch.cat(pooled, -1),
            (fine.where + wide) / 2,
        )

    def scores(self, pooled: Tensor) -> Tensor:
        """The picture's logits (B, labels)."""
        return self.head(pooled)

    def tokens(self, cells: Tensor, pooled: Tensor) -> Tensor:
        """(B, cells, hidden_size)."""
        scores = (self.scores(pooled) / _CALM)[:, None].expand(-1, cells.shape[1], -1)
        return torch.cat((cells, scores), -1)

    def see(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens, and what `where` gives."""
        seen = self.seen(pixel_values)
        return self.tokens(seen.cells, seen.pooled), seen.where

    def where(self, pixel_values: Tensor) -> Tensor:
        """Logits (B, labels, S/16, S/16): is the label in this cell, both scales together."""
        return self.seen(pixel_values).where

    def likeness(self, pixel_values: Tensor) -> Tensor:
        """What two pictures are alike by, (B, 864 + labels): texture, and the features seen.

        The texture alone finds the other half of a micrograph better, the features what shows the
        same thing in another; they weigh alike (decision 2026-11-28-figures). The small look
        alone: it costs a tenth of both.
        """
        look = self.look(F.avg_pool2d(pixel_values, SMALLER))
        texture = F.normalize(self.own(look, 4).mean(1), dim=-1)
        return torch.cat((texture, F.normalize(self.glanced(look).sigmoid(), dim=-1)), -1)

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        tokens, _where = self.see(pixel_values)
        return BaseModelOutputWithPooling(last_hidden_state=tokens, hidden_states=(tokens,))


def _in_rows(cells: Tensor) -> Tensor:
    """(B, C, h, w) as (B, h w, C)."""
    return cells.flatten(2).transpose(1, 2)


def _pooled(where: Tensor) -> tuple[Tensor, Tensor]:
    """The surest cell of each label, and the share of the picture that it covers."""
    return where.flatten(2).amax(-1) / _CALM, where.sigmoid().flatten(2).mean(-1)


def register() -> None:
    """Make AutoConfig and AutoModel know the tower; calling it again changes nothing."""
    AutoConfig.register(TowerConfig.model_type, TowerConfig, exist_ok=True)
    AutoModel.register(TowerConfig, Tower, exist_ok=True)


register()
