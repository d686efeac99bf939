"""The plan of a run: how long, how large, how soon, and whether it can be at all.

Puts the counts of `steps`, `memory` and `flops` together for a recipe and a number of devices.
Knows nothing of how a plan is shown, and needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from training.embedded.dataset import DataPlan
from training.planning import memory
from training.planning.checking import check, check_assumed
from training.planning.embedded import LIBRARIES, small, small_parts
from training.planning.steps import Length, length_of
from training.recipe import (
    ConversationPlan,
    FromCheckpoint,
    FromNothing,
    Hardware,
    Stage,
    TrainingRecipe,
)

_GB = 1e9
_LIBRARIES = "CUDA, NCCL and libraries"
_FRAGMENTS = "fragments"
_STEP, _CHECK = "in a step", "in a check"
#: What can be done about a part that is too large.
_HELP: Mapping[str, str] = {
    "AdamW's moments": "more devices to spread them over, or LoRA (lora_1xa100)",
    "parameters": "more devices to spread them over, or LoRA (lora_1xa100)",
    "gradients": "more devices to spread them over, or LoRA (lora_1xa100)",
    "frozen parameters": "devices with more memory, or more of them",
    "16-bit copies": "more devices, or LoRA (lora_1xa100)",
    "kept inputs of layers": "fewer or shorter rows in a pass (data.rows, data.longest)",
    "one layer computed again": "fewer or shorter rows in a pass (data.rows, data.longest)",
    "kept values of layers": "activation checkpointing (data.checkpointed), or a smaller batch",
    "the whole model in 16 bits": "devices with more memory: a check holds the model whole on each",
    "keys and values of answers": "devices with more memory",
}


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest point of a stage on one device: bytes by part, what fragments waste included."""

    when: str  # in a step, in a check
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage: what learns, how long, and its highest points."""

    stage: Stage
    length: Length
    trained: int
    frozen: int
    peaks: tuple[Peak, ...]
    hours: float

    @property
    def step(self) -> Peak:
        return self.peaks[0]

    @property
    def check(self) -> Peak | None:
        """None where a check takes no more than a step."""
        return self.peaks[1] if len(self.peaks) > 1 else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.stage.name,
            "trains": dict(self.stage.rates),
            "parameters_trained": self.trained,
            "parameters_frozen": self.frozen,
            "batch": self.stage.batch,
            "steps": self.length.steps,
            "epochs": round(self.length.epochs, 3),
            "sample_passes": self.length.passes,
            "tokens": self.length.tokens,
            "flops": self.length.operations,
            "time_hours": round(self.hours, 3),
            "memory_gb_per_device": round(self.step.total / _GB, 2),
            "memory_gb": {
                peak.when: {name: round(size / _GB, 3) for name, size in peak.parts.items()}
                for peak in self.peaks
            },
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of `recipe` on `devices` devices would take; `fits` with the `reason`."""

    recipe: TrainingRecipe
    devices: int
    samples: int
    stages: tuple[StagePlan, ...]
    fits: bool
    reason: str
    notes: tuple[str, ...]

    @property
    def steps(self) -> int:
        return sum(stage.length.steps for stage in self.stages)

    @property
    def epochs(self) -> float:
        """Passes over the samples in the last stage, which makes the model."""
        return self.stages[-1].length.epochs

    @property
    def hours(self) -> float:
        return sum(stage.hours for stage in self.stages)

    @property
    def memory_gb(self) -> float:
        """Of one device in a step, in the stage that takes most."""
        return max(stage.step.total for stage in self.stages) / _GB

    @property
    def check_gb(self) -> float | None:
        """The same in a check; None where none takes more than a step."""
        found = [stage.check.total / _GB for stage in self.stages if stage.check is not None]
        return max(found, default=None)

    def to_json(self) -> dict[str, Any]:
        """The document of `train RECIPE --plan --json`."""
        asked = self.stages[-1].stage.epochs
        epochs = self.epochs if asked is None else asked
        hardware = self.recipe.hardware
        return {
            "recipe": self.recipe.name,
            "samples": self.samples,
            "epochs": int(epochs) if float(epochs).is_integer() else round(epochs, 3),
            "global_batch": self.stages[-1].stage.batch,
            "steps_total": self.steps,
            "stages": [stage.to_json() for stage in self.stages],
            "memory_gb_per_device": round(self.memory_gb, 2),
            "memory_gb_per_device_in_checks": (
                None if self.check_gb is None else round(self.check_gb, 2)
            ),
            "fits": self.fits,
            "reason": self.reason,
            "devices": self.devices,
            "hardware": hardware.name,
            "device_memory_gb": hardware.memory_gb,
            "tokens": sum(stage.length.tokens for stage in self.stages),
            "time_hours": round(self.hours, 3),
            "mfu": hardware.utilisation,
            "notes": list(self.notes),
        }


def plan(
    recipe: TrainingRecipe,
    devices: int | None = None,
    memory_gb: float | None = None,
    among: int | None = None,
) -> Plan:
    """What a run of the recipe would take; nothing is opened, and no hardware is needed.

    Parameters
    ----------
    devices : how many; the recipe's own by default. The samples of a step stay as many.
    memory_gb : of one device, in 1e9 bytes; the recipe's own by default.
    among : how many devices share one copy of the states (`Ranks.start`); all by default.

    Raises
    ------
    BadInput : for a recipe that says nonsense. One that makes sense and does not fit is a plan
        whose `fits` is False.
    """
    if memory_gb is not None:
        recipe = replace(recipe, hardware=replace(recipe.hardware, memory_gb=memory_gb))
    devices = recipe.hardware.devices if devices is None else devices
    check(recipe, devices, among)
    check_assumed(recipe)
    start, data = recipe.start, recipe.data
    if isinstance(start, FromCheckpoint) and isinstance(data, ConversationPlan):
        samples = data.samples
        stages = tuple(
            _of_checkpoint(recipe, start, data, stage, devices, among) for stage in recipe.stages
        )
    else:
        assert isinstance(start, FromNothing), "nothing starts from a checkpoint on other data"
        assert isinstance(data, DataPlan), "nothing starts from nothing on other data"
        samples = data.counts["train"]
        stages = tuple(_of_nothing(recipe, start, data, s, devices) for s in recipe.stages)
    fits, reason = _judged(stages, recipe.hardware, devices)
    return Plan(recipe, devices, samples, stages, fits, reason, _notes(recipe, devices))


def _of_checkpoint(
    recipe: TrainingRecipe,
    start: FromCheckpoint,
    data: ConversationPlan,
    stage: Stage,
    devices: int,
    among: int | None,
) -> StagePlan:
    load = memory.Load(start, data, stage, devices, among)
    length = length_of(stage, start, data)
    reserve = memory.reserve(load)
    peaks = tuple(
        _peak(when, parts, reserve)
        for when, parts in (
            (_STEP, memory.step_parts(load)),
            (_CHECK, memory.check_parts(load)),
        )
    )
    hours = _hours(length, recipe.hardware, devices)
    return StagePlan(stage, length, load.trained, load.frozen, peaks, hours)


def _of_nothing(
    recipe: TrainingRecipe, start: FromNothing, data: DataPlan, stage: Stage, devices: int
) -> StagePlan:
    found = small(stage, start, data)
    peaks = (_peak(_STEP, small_parts(found), LIBRARIES),)
    hours = _hours(found.length, recipe.hardware, devices)
    return StagePlan(stage, found.length, found.trained, found.frozen, peaks, hours)


def _peak(when: str, parts: Mapping[str, float], reserve: float) -> Peak:
    wasted = memory.FRAGMENTS * sum(parts.values())
    return Peak(when, {**parts, _LIBRARIES: reserve, _FRAGMENTS: wasted})


def _hours(length: Length, hardware: Hardware, devices: int) -> float:
    a_second = devices * hardware.teraflops * 1e12 * hardware.utilisation
    return length.operations / a_second / 3600


def _judged(stages: tuple[StagePlan, ...], hardware: Hardware, devices: int) -> tuple[bool, str]:
    """Whether every highest point fits, in a full sentence; steps are looked at before checks."""
    there = hardware.memory_gb * _GB
    where = "the device" if devices == 1 else f"each of {devices} devices"
    peaks = [(stage.stage.name, peak) for stage in stages for peak in stage.peaks]
    peaks.sort(key=lambda found: (found[1].when != _STEP, -found[1].total))
    for name, peak in peaks:
        if peak.total > there:
            named = {n: s for n, s in peak.parts.items() if n not in (_LIBRARIES, _FRAGMENTS)}
            largest = max(named, key=lambda part: named[part])
            helps = _HELP.get(largest, "devices with more memory")
            return False, (
                f"Stage '{name}' needs {peak.total / _GB:.1f} GB {peak.when}, but {where} has only "
                f"{hardware.memory_gb:g} GB: the largest part is {largest} with "
                f"{named[largest] / _GB:.1f} GB; what would help is {helps}."
            )
    name, peak = max(peaks, key=lambda found: found[1].total)
    return True, (
        f"At most {peak.total / _GB:.1f} GB are needed (stage '{name}', {peak.when}), and {where} "
        f"has {hardware.memory_gb:g} GB."
    )


def _notes(recipe: TrainingRecipe, devices: int) -> tuple[str, ...]:
    hardware = recipe.hardware
    notes = list(recipe.notes)
    if isinstance(recipe.start, FromCheckpoint):
        notes.append(
            f"The time is that of the model's own operations at {hardware.utilisation:.0%} of "
            f"{hardware.teraflops:g} TFLOPS a device; checks on generated answers, reading and "
            "writing come on top."
        )
        notes.append(
            f"{memory.FRAGMENTS:.0%} is added for what the allocator cannot use; the text of a "
            "sample is an assumption, its image tokens are not."
        )
        if devices > 1:
            notes.append(
                f"Each of the {devices} processes opens the checkpoint whole in its host's memory "
                "before it is spread."
            )
    else:
        notes.append(
            "The time is a bound from operations; the shipped checkpoint's language stage took "
            "1,586 s on two busy cores, and making the data comes on top."
        )
    return tuple(notes)
