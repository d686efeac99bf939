"""Keeps a stage's last good states and its best one, each whole or not at all; no pickle.

A state is what a stage needs to go on as if nothing had happened: the trained parameters, the
optimiser's moments, every process's random state, and how far it is. It is copied while the model
stands still and written while it learns on (torch.distributed.checkpoint), each process its own
shards, into a folder that gets its name when all of it stands on the disk; `latest` then says so.
Knows parameters, the optimiser's moments and a stage's progress; knows nothing of data: the order
of data follows from the step.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from glassllava.errors import BadInput
from training.ranks import Ranks
from training.shards import ShardReader, ShardWriter, on_disk, read_manifest, told, write_whole

_LATEST = "latest"
_PART = ".part"

# Alone there is nobody to agree with: torch warns of that at every save and load.
warnings.filterwarnings("ignore", message="torch.distributed is disabled, unavailable")


@dataclass(slots=True)
class Progress:
    """How far a stage is. `best` is the best watched figure so far, `best_at` the step at which it
    was, `waited` the checks since."""

    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    best: float | None = None
    best_at: int | None = None
    waited: int = 0
    stopped: bool = False


class Keeper:
    """The states of one stage in a folder, which all processes see.

    Parameters
    ----------
    identity : what the states belong to (recipe, data, templates), nested as it likes, as JSON has
        it: states of anything else are refused, and the first difference is named.
    last : how many states are kept, besides the best.
    """

    def __init__(
        self, folder: Path, ranks: Ranks, identity: Mapping[str, Any], *, last: int = 2
    ) -> None:
        self.folder, self.ranks, self.last = folder, ranks, last
        self.identity = dict(flattened(identity))
        self._writing: Any = None

    def resume(self, model: Any, optimiser: Any) -> Progress:
        """Bring both to the last good state; a fresh progress where there is none.

        Another number of processes may go on: each reads its share of the parameters and moments.
        Only what is random (dropout) is then another.

        Raises
        ------
        BadInput : for a state of another recipe, data or architecture, or one that is damaged.
        """
        with self.ranks.together():
            if self.ranks.first:
                self._tidy()
            found = self._latest()
        name = self.ranks.agree(found)
        if name is None:
            return Progress()
        folder = self.folder / name
        with self.ranks.together():
            manifest = read_manifest(folder)
            _same(self.identity, manifest["words"]["identity"], folder)
            _fits(trained(model), manifest["tensors"], folder)
        kept = manifest["tensors"]
        state = {k: v for k, v in state_of(model, optimiser, fresh=True).items() if k in kept}
        state |= {k: v for k, v in self._chance().items() if k in kept}
        names = list(trained(model))
        if "steps" in kept:
            state["steps"] = torch.zeros(len(names))
        self._load(state, folder, manifest)
        for number, (name, parameter) in enumerate(trained(model).items()):
            if f"m.{name}" in state:
                optimiser.state[parameter] = {
                    "step": state["steps"][number].clone(),
                    "exp_avg": state[f"m.{name}"],
                    "exp_avg_sq": state[f"v.{name}"],
                }
        if manifest["words"]["world"] == self.ranks.world:
            self._set_chance(state)
        return Progress(**manifest["words"]["progress"])

    def save(self, model: Any, optimiser: Any, progress: Progress) -> None:
        """Keep this as the last good state; returns as soon as it is copied.

        Raises
        ------
        RunUnavailable : where the state before this one could not be written (a full disk).
        """
        self.finish()
        name = f"step-{progress.step:08d}"
        part = self.folder / (name + _PART)
        words = {
            "identity": self.identity,
            "progress": asdict(progress),
            "world": self.ranks.world,
        }
        best = None if progress.best_at is None else f"step-{progress.best_at:08d}"
        writer = ShardWriter(part, words, lambda: self._publish(part, name, best))
        self._writing = dcp.async_save(
            state_of(model, optimiser) | self._chance(),
            storage_writer=writer,
            process_group=self.ranks.files,
            no_dist=self.ranks.files is None,
        )

    def load_best(self, model: Any, progress: Progress) -> None:
        """Bring the trained parameters to the best state that was kept."""
        self.finish()
        folder = self.folder / f"step-{progress.best_at:08d}"
        with self.ranks.together():
            manifest = read_manifest(folder)
        self._load({f"p.{n}": p.detach() for n, p in trained(model).items()}, folder, manifest)

    def finish(self) -> None:
        """Wait until what is being written stands on the disk.

        Raises
        ------
        RunUnavailable : where it could not be written; on every process.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            try:
                writing.result()
            except CheckpointException as error:
                raise told(error) from None

    def _load(self, state: dict[str, Any], folder: Path, manifest: Mapping[str, Any]) -> None:
        try:
            dcp.load(
                state,
                storage_reader=ShardReader(folder, manifest),
                process_group=self.ranks.files,
                no_dist=self.ranks.files is None,
            )
        except CheckpointException as error:
            raise told(error) from None

    def _publish(self, part: Path, name: str, best: str | None) -> None:
        """Give a state its name, say that it is the latest, and remove what is no longer kept."""
        target, former = self.folder / name, self.folder / f"{name}.former{_PART}"
        if target.exists():
            target.rename(former)
        part.rename(target)
        on_disk(self.folder)
        write_whole(self.folder / _LATEST, name + "\n")
        states = sorted(path.name for path in self.folder.glob("step-????????"))
        for old in set(states[: -self.last]) - {best, name}:
            shutil.rmtree(self.folder / old)
        if former.exists():
            shutil.rmtree(former)

    def _latest(self) -> str | None:
        marker = self.folder / _LATEST
        return marker.read_text("utf-8").strip() if marker.exists() else None

    def _tidy(self) -> None:
        """Remove what a cut run left half written, and states that the latest knows nothing of."""
        latest = self._latest()
        for path in self.folder.glob("step-*"):
            if path.name.endswith(_PART) or latest is None or path.name > latest:
                shutil.rmtree(path)

    def _chance(self) -> dict[str, Tensor]:
        """This process's random states, under names of its own."""
        chance = {f"random.{self.ranks.rank}.cpu": torch.get_rng_state()}
        if self.ranks.device.type == "cuda":
            chance[f"random.{self.ranks.rank}.cuda"] = torch.cuda.get_rng_state(self.ranks.device)
        return chance

    def _set_chance(self, state: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(state[f"random.{self.ranks.rank}.cpu"])
        cuda = state.get(f"random.{self.ranks.rank}.cuda")
        if cuda is not None and self.ranks.device.type == "cuda":
            torch.cuda.set_rng_state(cuda, self.ranks.device)


def state_of(model: Any, optimiser: Any, *, fresh: bool = False) -> dict[str, Tensor]:
    """Trained parameters `p.`, AdamW's moments `m.` and `v.`, and `steps`, one a parameter.

    With `fresh`, moments to be filled for every parameter, whether the optimiser has some or not.
    A parameter that no gradient has reached has no moments.
    """
    state: dict[str, Tensor] = {}
    steps = []
    for name, parameter in trained(model).items():
        state[f"p.{name}"] = parameter.detach()
        moments = optimiser.state.get(parameter, {})
        steps.append(float(moments.get("step", 0)))
        if fresh:
            state[f"m.{name}"] = torch.zeros_like(parameter.detach())
            state[f"v.{name}"] = torch.zeros_like(parameter.detach())
        elif moments:
            state[f"m.{name}"] = moments["exp_avg"]
            state[f"v.{name}"] = moments["exp_avg_sq"]
    if not fresh and any(steps):
        state["steps"] = torch.tensor(steps)
    return state


def trained(model: Any) -> dict[str, Any]:
    """The parameters that a stage moves, by name; a tied one stands once."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def flattened(nested: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings and lists, with dotted names."""
    if isinstance(nested, Mapping):
        for key in sorted(nested):
            yield from flattened(nested[key], f"{name}.{key}" if name else str(key))
    elif isinstance(nested, list | tuple):
        for number, value in enumerate(nested):
            yield from flattened(value, f"{name}.{number}")
    else:
        yield name, json.loads(json.dumps(nested))


def _same(ours: Mapping[str, Any], kept: Mapping[str, Any], folder: Path) -> None:
    for name in sorted(ours.keys() | kept.keys()):
        if ours.get(name) != kept.get(name) or (name in ours) != (name in kept):
            raise BadInput(
                f"The kept state belongs to something else: '{name}' was "
                f"{json.dumps(kept.get(name))} and is {json.dumps(ours.get(name))}",
                where=folder,
                remedy="Go on with what it was made with, or remove the stage's folder to start "
                "the stage anew.",
            )


def _fits(named: Mapping[str, Any], tensors: Mapping[str, Any], folder: Path) -> None:
    kept = {name[2:]: said["size"] for name, said in tensors.items() if name.startswith("p.")}
    for name in sorted(named.keys() | kept.keys()):
        ours = list(named[name].shape) if name in named else None
        if ours != kept.get(name):
            raise BadInput(
                f"The kept state is of another architecture: the parameter '{name}' was "
                f"{kept.get(name, 'not there')} and is {ours or 'not there'}",
                where=folder,
                remedy="Go on with the model it was made with, or remove the stage's folder to "
                "start the stage anew.",
            )
