"""Keeps a stage's last good state and its best one, whole or not at all; no pickle.

Knows parameters, the optimiser's moments and a stage's progress; knows nothing of data.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from glassllava.errors import BadInput
from training.ranks import Ranks


@dataclass(slots=True)
class Progress:
    """How far a stage is. `best` is the best watched figure so far, `waited` the checks since."""

    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    best: float | None = None
    waited: int = 0
    stopped: bool = False


class Keeper:
    """The states of one stage in a folder.

    `fingerprint` says what the states belong to (recipe, data, templates): others are refused.
    """

    def __init__(self, folder: Path, ranks: Ranks, fingerprint: str) -> None:
        self.folder = folder
        self.ranks = ranks
        self.fingerprint = fingerprint

    def resume(self, model: Any, optimiser: Any) -> Progress:
        """Bring both to the last good state; a fresh progress where there is none.

        Raises
        ------
        BadInput : for a state of another recipe, data or architecture.
        """
        path = self.folder / "last.safetensors"
        if not path.exists():
            return Progress()
        named = _trained(model)
        with safe_open(path, "pt") as file:
            words = file.metadata()
            if words["fingerprint"] != self.fingerprint:
                raise BadInput(
                    "The kept state belongs to another recipe, other data or other prompts",
                    where=path,
                    remedy="Remove the folder to start the stage anew.",
                )
            progress = Progress(**json.loads(words["progress"]))
            with torch.no_grad():
                for name, parameter in named.items():
                    parameter.copy_(file.get_tensor(f"p.{name}"))
                    if f"m.{name}" in file.keys():  # noqa: SIM118
                        optimiser.state[parameter] = {
                            "step": torch.tensor(float(progress.step)),
                            "exp_avg": file.get_tensor(f"m.{name}"),
                            "exp_avg_sq": file.get_tensor(f"v.{name}"),
                        }
            torch.set_rng_state(file.get_tensor("random"))
        return progress

    def save(self, model: Any, optimiser: Any, progress: Progress) -> None:
        """Keep this as the last good state."""
        state = {"random": torch.get_rng_state()}
        for name, parameter in _trained(model).items():
            state[f"p.{name}"] = parameter.detach().contiguous()
            if parameter in optimiser.state:
                state[f"m.{name}"] = optimiser.state[parameter]["exp_avg"].contiguous()
                state[f"v.{name}"] = optimiser.state[parameter]["exp_avg_sq"].contiguous()
        words = {"progress": json.dumps(asdict(progress)), "fingerprint": self.fingerprint}
        self._write("last", state, words)

    def save_best(self, model: Any) -> None:
        """Keep the trained parameters as the best so far."""
        state = {name: p.detach().contiguous() for name, p in _trained(model).items()}
        self._write("best", state, {})

    def load_best(self, model: Any) -> None:
        """Bring the trained parameters to the best state that was kept."""
        state = load_file(self.folder / "best.safetensors")
        with torch.no_grad():
            for name, parameter in _trained(model).items():
                parameter.copy_(state[name])

    def finish(self) -> None:
        """Wait until what is being written stands on the disk."""

    def _write(self, name: str, state: dict[str, Any], words: dict[str, str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.part"
        save_file(state, part, metadata=words)
        part.replace(self.folder / f"{name}.safetensors")


def _trained(model: Any) -> dict[str, Any]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
