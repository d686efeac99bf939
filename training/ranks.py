"""The processes that train together: one on a laptop, one a device under `torchrun`.

Knows processes, devices and how a model is spread over them; knows nothing of data and of losses.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among `world`; alone where nothing started others."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this process speaks for all: logs, writes what exists once."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes."""
        return values

    def precision(self, bf16: bool) -> AbstractContextManager[Any]:
        """16 bits within a step, 32 in the parameters: half the time where a core has bf16."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)

    def last_of_step(self, model: Any, last: bool) -> None:
        """Whether the next backward pass is the last of a step: only then gradients are shared."""
