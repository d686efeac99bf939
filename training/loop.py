"""The one loop: takes a model through a stage, on two processor cores and on 8 A100s alike.

Its data comes from a source, which hands out the batches of a step from (seed, step) alone and
says what was lost on each; its processes from `ranks`; its last good state from a `keeper`. So a
cut stage goes on as if nothing had happened, and a process more changes no figure. What is watched
is what the model says of the validation split, with its pictures and with blank ones: the loss
deceives, since most tokens are phrasing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from glassllava.errors import BadInput
from training import sharding
from training.checkpoint import Keeper, Progress
from training.journal import Journal
from training.ranks import Ranks
from training.recipe import Stage

B = TypeVar("B")


class Source(Protocol[B]):
    """What a stage learns from; `B` is a batch that one forward pass takes."""

    kinds: tuple[str, ...]  # what the losses are of, in the order of a stage's weights

    @property
    def steps_an_epoch(self) -> float: ...

    def batches(self, step: int, rank: int, world: int) -> Sequence[B]:
        """This process's batches of a step: as many on every process, from (seed, step) alone."""
        ...

    def supervised(self, batch: B) -> Tensor:
        """(kinds,) how many things of each kind the batch teaches."""
        ...

    def losses(self, model: Any, batch: B) -> Tensor:
        """(kinds,) the summed loss of each kind, for backward."""
        ...

    def tokens(self, batch: B) -> int:
        """How many real tokens (or cells) the batch holds: for the throughput."""
        ...

    def names(self, batch: B) -> Sequence[str]:
        """Which samples the batch holds: for errors."""
        ...

    def apart(self, batch: B) -> Sequence[B]:
        """The same samples in batches as small as may be, to find a broken one among them."""
        ...

    def check(self, model: Any) -> Mapping[str, float]:
        """What is watched, on the validation split."""
        ...


def run_stage(
    model: Any, stage: Stage, source: Source[Any], ranks: Ranks, keeper: Keeper, journal: Journal
) -> list[dict[str, float]]:
    """Take `model` through `stage`, from where `keeper` left it; what every check said.

    Where the stage watches a figure, the model ends in the state in which that was best.

    Raises
    ------
    BadInput : where a loss or a gradient is not a number (the samples are named, the last good
        state stays), for a stage without a part to train, or for a kept state of something else.
    """
    optimiser = make_optimiser(model, stage)
    steps = stage.steps_of(source.steps_an_epoch)
    check_every = stage.check_every or max(1, round(source.steps_an_epoch))
    keep_every = stage.keep_every or check_every
    ranks.ready(model)
    progress = keeper.resume(model, optimiser)
    journal.begin(progress.step, steps, anew=not progress.curve)
    try:
        if not progress.curve:
            # What the stage starts from is a state like any other: it may stay the best.
            _check(model, stage, source, ranks, journal, progress)
            keeper.save(model, optimiser, progress)
        model.train()
        while progress.step < steps and not progress.stopped:
            set_rates(optimiser, stage, progress.step, steps)
            losses, norm, tokens = take_step(model, stage, source, ranks, optimiser, progress.step)
            progress.step += 1
            journal.step(progress.step, steps, losses, norm, rates_of(optimiser), tokens)
            last = progress.step == steps
            if progress.step % check_every == 0 or last:
                _check(model, stage, source, ranks, journal, progress)
                last = last or progress.stopped
            if progress.step % keep_every == 0 or last or progress.best_at == progress.step:
                keeper.save(model, optimiser, progress)
    finally:
        journal.end()
        keeper.finish()
    if stage.watched:
        keeper.load_best(model, progress)
    model.eval()
    return progress.curve


def take_step(
    model: Any, stage: Stage, source: Source[Any], ranks: Ranks, optimiser: Any, step: int
) -> tuple[dict[str, float], float, int]:
    """One step over the batches of all processes: mean losses by kind, gradient norm, tokens."""
    with ranks.together():
        batches = source.batches(step, ranks.rank, ranks.world)
    counts = ranks.total(torch.stack([source.supervised(b).float() for b in batches]).sum(0))
    # Every supervised thing weighs alike, in whichever batch of whichever process it lies; the
    # gradients of the processes are averaged, hence the factor of their number.
    weights = torch.tensor(stage.weights) / counts.clamp(min=1)
    summed, broken = torch.zeros(len(source.kinds)), list[Any]()
    for number, batch in enumerate(batches):
        sharding.last_of_step(model, number == len(batches) - 1)
        with ranks.precision(stage.bf16):
            losses = sharding.through(model, source.losses, batch)
        (losses * weights.to(losses.device)).sum().mul(ranks.world).backward()  # type: ignore[no-untyped-call]
        lost = losses.detach().float().cpu()
        summed += lost
        if not bool(torch.isfinite(lost).all()):
            broken.append(batch)
    mean = ranks.total(summed) / counts.clamp(min=1)
    ranks.share_gradients(model)
    norm = ranks.clip(trained(model), stage.clip)
    if not (bool(torch.isfinite(mean).all()) and math.isfinite(norm)):
        optimiser.zero_grad(set_to_none=True)
        named = _broken(model, stage, source, ranks, broken or batches)
        raise BadInput(
            f"The {'loss' if any(ranks.gather(bool(broken))) else 'gradient'} is not a number at "
            f"step {step + 1} of stage '{stage.name}'",
            where=", ".join([name for names in ranks.gather(named) for name in names][:8]),
            remedy="Look at these samples; the last good state is kept, and the same command goes "
            "on from it.",
        )
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    tokens = int(ranks.total(torch.tensor(float(sum(map(source.tokens, batches))))))
    return dict(zip(source.kinds, mean.tolist(), strict=True)), norm, tokens


@torch.no_grad()
def _broken(
    model: Any, stage: Stage, source: Source[Any], ranks: Ranks, batches: Sequence[Any]
) -> list[str]:
    """The samples whose loss is not a number, each looked at by itself; all where none is.

    A model that is spread over processes needs all of them for a look: there all are named.
    """
    if not sharding.is_sharded(model):
        found: list[str] = []
        for part in (part for batch in batches for part in source.apart(batch)):
            with ranks.precision(stage.bf16):
                if not bool(torch.isfinite(source.losses(model, part)).all()):
                    found += source.names(part)
        if found:
            return found
    return [name for batch in batches for name in source.names(batch)]


def make_optimiser(model: Any, stage: Stage) -> torch.optim.AdamW:
    """AdamW on the parts that the stage names; everything else is frozen.

    Matrices decay, gains and offsets do not. Each group carries its own peak rate.
    """
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        part = part_of(name, stage.rates)
        parameter.requires_grad_(part is not None)
        if part is not None:
            groups.setdefault((part, parameter.ndim > 1), []).append(parameter)
    missing = set(stage.rates) - {part for part, _ in groups}
    if missing:
        raise BadInput(
            f"The model has no part '{min(missing)}' to train",
            where=f"stage '{stage.name}'",
            remedy="Name parts as the model's parameters do.",
        )
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": stage.rates[part],
                "peak": stage.rates[part],
                "part": part,
                "weight_decay": stage.weight_decay if matrix else 0.0,
            }
            for (part, matrix), parameters in groups.items()
        ],
        betas=stage.betas,
    )


def part_of(name: str, rates: Mapping[str, float]) -> str | None:
    """The first part of `rates` that is a dotted piece of a parameter's name."""
    pieces = name.split(".")
    return next((part for part in rates if part in pieces), None)


def trained(model: Any) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def set_rates(optimiser: torch.optim.Optimizer, stage: Stage, step: int, steps: int) -> None:
    """Linear warm-up, then half a cosine down to the floor (Loshchilov and Hutter 2017)."""
    share = schedule(step, steps, stage.warm_up, stage.floor)
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share


def rates_of(optimiser: torch.optim.Optimizer) -> dict[str, float]:
    """The rate of each part, as it is now."""
    return {group["part"]: group["lr"] for group in optimiser.param_groups}


def schedule(step: int, steps: int, warm_up: float, floor: float) -> float:
    """The share of the peak rate at `step`, counted from 0."""
    rising = math.ceil(warm_up * steps)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))


def _check(
    model: Any,
    stage: Stage,
    source: Source[Any],
    ranks: Ranks,
    journal: Journal,
    progress: Progress,
) -> None:
    """Look at the validation split; note the best state, stop where patience ends."""
    # Every process looks with the whole model; what the first one saw decides for all.
    with ranks.together(), sharding.whole(model):
        seen = dict(source.check(model))
    seen = ranks.agree(seen)
    model.train()
    progress.curve.append({"step": progress.step, **seen})
    journal.check(progress.step, seen)
    if not stage.watched:
        return
    if stage.watched not in seen:
        raise BadInput(
            f"The validation split tells no '{stage.watched}', which the stage watches",
            where=f"stage '{stage.name}'",
            remedy=f"Watch one of {', '.join(seen)}, or add such questions to the split.",
        )
    figure = seen[stage.watched]
    if progress.best is None or figure > progress.best:
        progress.best, progress.best_at, progress.waited = figure, progress.step, 0
        return
    progress.waited += 1
    progress.stopped = stage.patience is not None and progress.waited >= stage.patience
