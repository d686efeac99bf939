"""How a model is made: sizes, rates, weights, seed. Frozen, so that a card can repeat it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from training.embedded.dataset import DataPlan
from training.embedded.seeing import SeeingPlan


@dataclass(frozen=True, slots=True)
class LanguageSize:
    """A small LLaMA and its tokenizer's number of pieces."""

    layers: int = 4
    width: int = 256
    heads: int = 8
    pieces: int = 3000

    @property
    def parameters(self) -> int:
        inner = -(-self.width * 8 // 3 // 64) * 64
        each = 4 * self.width**2 + 3 * self.width * inner + 2 * self.width
        return self.layers * each + self.pieces * self.width + self.width


@dataclass(frozen=True, slots=True)
class LanguagePlan:
    """The second stage: projector and language model on the tower's kept tokens.

    `mixture` is lessons a step at each context level; `first_mixture` that of the first steps, in
    which short lessons teach the probes to find their own score before the text is learnt.
    `weights` multiply the mean loss of the probes, of the verdict and of the text. `fresh_share` of
    the lessons is on micrographs that the tower has never seen: what it says of those it learnt by
    heart is surer than it should be.
    """

    steps: int = 800
    mixture: Mapping[str, int] = field(
        default_factory=lambda: {"none": 14, "basic": 6, "moderate": 8, "high": 6}
    )
    first_steps: int = 150
    first_mixture: Mapping[str, int] = field(
        default_factory=lambda: {"none": 48, "basic": 8, "moderate": 6, "high": 2}
    )
    weights: tuple[float, float, float] = (8.0, 2.0, 0.5)
    text_share: float = 0.25  # lessons that hold description and answer too
    fresh_share: float = 0.5
    rate: float = 1.2e-3
    warm_up: int = 40
    weight_decay: float = 0.05
    clip: float = 2.0
    check_every: int = 200
    bf16: bool = True


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """Everything that decides what comes out, besides the versions of the libraries."""

    name: str
    hardware: str
    seed: int
    data: DataPlan
    seeing: SeeingPlan
    size: LanguageSize
    language: LanguagePlan

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def plan(self, devices: int = 1) -> dict[str, Any]:
        """What a run would do and need, without its data: `glassview train RECIPE --plan`.

        Memory: 32-bit parameters, gradients and two AdamW moments (16 bytes a parameter), the
        kept early features of the training split, and activations of one batch of lessons.
        """
        samples = self.data.counts["train"]
        batch = sum(self.language.mixture.values())
        side = self.data.image_size // 16
        looks = self.seeing.epochs * (min(samples, self.seeing.micrographs) // self.seeing.batch)
        early = samples * 112 * side * side * 2
        activations = batch * 200 * self.size.width * self.size.layers * 40
        needs = (16 * (self.size.parameters + 3_500_000) + early + activations) / 1e9
        return {
            "recipe": self.name,
            "samples": samples,
            "epochs": round(self.language.steps * batch / samples, 2),
            "global_batch": batch,
            "steps_total": looks + self.language.steps,
            "stages": [
                {"name": "data", "micrographs": sum(self.data.counts.values())},
                {"name": "tower", "steps": looks, "batch": self.seeing.batch},
                {"name": "language", "steps": self.language.steps, "batch": batch},
                {"name": "calibration", "micrographs": self.data.counts["calibration"]},
            ],
            "memory_gb_per_device": round(needs, 2),
            "devices": devices,
            "fits": needs < 8,
            "reason": f"about {needs:.1f} GB of memory on {self.hardware}, of 8 GB assumed",
        }
