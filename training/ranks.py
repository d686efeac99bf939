"""The processes that train together: one on a laptop, one a device under `torchrun`.

Knows processes, devices, what they tell each other, and how gradients are shared; `sharding` knows
how a model is spread over them. Knows nothing of data and of losses.

Words between processes (errors, figures of a check, counts) go over the processors' network, in a
group of their own, so that they never wait behind a model's gradients; what is written in the
background has another one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from glassllava.errors import BadInput, GlassError
from training import sharding

T = TypeVar("T")

#: How long a process waits for the others before it gives up: longer than any step, check or
#: opening of a model takes, shorter than a night.
_PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among `world`; alone where nothing started others.

    `mesh` says among which processes states are sharded; `words` and `files` are the groups in
    which the processes talk, and in which they write in the background.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    mesh: Any = None
    words: Any = None
    files: Any = None

    @classmethod
    def start(cls, among: int | None = None) -> Ranks:
        """Join the processes that `torchrun` started; alone, on the GPU if there is one, without.

        Parameters
        ----------
        among : how many processes share one copy of the states; None: all. With fewer, each group
            of `among` neighbours holds a whole copy, and only gradients cross between groups.

        Raises
        ------
        BadInput : where `among` does not divide the number of processes, or the environment names
            no place to meet.
        """
        world = int(os.environ.get("WORLD_SIZE", "1"))
        rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
        among = among or world
        if world % among:
            raise BadInput(
                f"{world} processes cannot be split into groups of {among}",
                remedy="Let the group's size divide the number of processes.",
            )
        gpu = torch.cuda.is_available()
        device = torch.device("cuda", local) if gpu else torch.device("cpu")
        if gpu:
            torch.cuda.set_device(device)
        if world == 1:
            return cls(device=device)
        try:
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if gpu else "gloo",
                timeout=_PATIENCE,
                device_id=device if gpu else None,
            )
        except (ValueError, dist.DistError) as error:
            raise BadInput(
                f"The {world} processes do not find each other: {error}",
                remedy="Start them with torchrun, and let every node reach the first one's port.",
            ) from None
        mesh = sharding.mesh(device.type, world, among)
        talk, write = (dist.new_group(backend="gloo", timeout=_PATIENCE) for _ in range(2))
        return cls(rank, world, device, mesh, talk, write)

    def end(self) -> None:
        """Part from the others, once all is done."""
        if self.words is not None:
            dist.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this process speaks for all: logs, writes what exists once."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes, in the processor's memory."""
        values = values.cpu()
        if self.words is not None:
            values = values.clone()
            dist.all_reduce(values, group=self.words)
        return values

    def gather(self, value: T) -> list[T]:
        """Every process's `value`, in the order of their ranks, on all of them."""
        if self.words is None:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value, group=self.words)
        return values

    def agree(self, value: T) -> T:
        """The first process's `value`, on all of them: what is decided by it is decided alike."""
        if self.words is None:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self.words)
        return values[0]

    @contextmanager
    def together(self) -> Iterator[None]:
        """What every process does by itself, and may fail at: where one fails, all stop with its
        error, and none waits for it in vain.

        Only errors that a person can meet are told. A process that dies of a bug takes the others
        with it, since `torchrun` ends them.
        """
        failed: GlassError | None = None
        try:
            yield
        except GlassError as error:
            failed = error
        if int(self.total(torch.tensor(failed is not None, dtype=torch.int64))) == 0:
            return
        raise next(error for error in self.gather(failed) if error is not None)

    def precision(self, bf16: bool) -> AbstractContextManager[Any]:
        """16 bits within a step, 32 in the parameters: half the time where a core has bf16."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)

    def shard(self, model: Any, *, bf16: bool, recompute: bool = False) -> None:
        """Put `model` on this process's device, its states spread over all; in place, once.

        To be called before the first stage, with the same weights on every process. Small models
        need it not: one that is not sharded is copied, and learns the same.

        Parameters
        ----------
        bf16 : work in 16 bits; the masters that the optimiser moves stay in 32.
        recompute : the decoder's layers are computed again on the way back.
        """
        if recompute:
            sharding.recompute(model)
        if self.mesh is not None:
            sharding.shard(model, self.mesh, bf16=bf16)
        else:
            model.to(self.device)

    def share_gradients(self, model: Any) -> None:
        """Give every copy of `model` the mean gradient of all; a sharded model has it already."""
        if self.words is None or sharding.is_sharded(model):
            return
        kept = [p for p in model.parameters() if p.requires_grad]
        # What no process used has no gradient, as it would have none alone.
        used = self.total(torch.tensor([p.grad is not None for p in kept], dtype=torch.int64))
        kept = [p for p, users in zip(kept, used.tolist(), strict=True) if users]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in kept]
        flat = torch.cat([grad.flatten() for grad in grads])
        dist.all_reduce(flat)
        flat /= self.world
        for parameter, mean in zip(kept, flat.split([g.numel() for g in grads]), strict=True):
            parameter.grad = mean.view_as(parameter)

    def clip(self, parameters: Sequence[nn.Parameter], most: float) -> float:
        """Shorten the gradient to a norm of `most`; the norm over all processes, before that."""
        return sharding.number(nn.utils.clip_grad_norm_(parameters, most))

    def ready(self, model: Any) -> None:
        """Make a stage's start the same everywhere, and chance (dropout) different on each.

        To be called when the stage has said which parameters it trains.
        """
        if self.words is None:
            return
        if sharding.is_sharded(model):
            sharding.refresh(model)
        else:
            with torch.no_grad():
                for tensor in (*model.parameters(), *model.buffers()):
                    dist.broadcast(tensor, src=0)
        if self.rank:
            torch.manual_seed(torch.initial_seed() + self.rank)
