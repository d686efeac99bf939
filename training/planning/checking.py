"""Refuses a recipe that says nonsense, before anything is planned or made by it.

Knows what numbers a stage, a data plan and hardware may have, and which parts and figures the
loop knows; knows no costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from glassllava.errors import BadInput
from training.planning.shapes import ADAPTERS, HEAD, LANGUAGE, PROJECTOR, TOWER
from training.recipe import (
    ConversationPlan,
    FromCheckpoint,
    Hardware,
    Lora,
    Stage,
    TrainingRecipe,
)

#: Parts that a stage of a LLaVA checkpoint may train; with adapters, their two matrices.
PARTS = (TOWER, PROJECTOR, LANGUAGE, HEAD)
_LORA = ("lora_A", "lora_B")
#: What `conversations.checking` says of the validation split.
WATCHED = ("answers", "defect", "f1")
_MOST_DEVICES, _MOST_STEPS = 100_000, 10**9


def check(recipe: TrainingRecipe, devices: int, among: int | None = None) -> None:
    """Refuse what no run could mean.

    Raises
    ------
    BadInput : names the stage and the number that is wrong.
    """
    for what, remedy in _of_hardware(recipe.hardware, devices):
        raise BadInput(what, where=f"recipe '{recipe.name}'", remedy=remedy)
    if among is not None and (not _whole(among) or among < 1 or devices % among):
        raise BadInput(
            f"{devices} devices cannot be split into groups of {among}",
            where=f"recipe '{recipe.name}'",
            remedy="Let the group's size divide the number of devices.",
        )
    if not recipe.stages:
        raise BadInput(
            "The recipe has no stage", where=f"recipe '{recipe.name}'", remedy="Give it one."
        )
    if not _whole(recipe.seed) or recipe.seed < 0:
        raise BadInput(
            f"{recipe.seed} is no seed",
            where=f"recipe '{recipe.name}'",
            remedy="Give a whole number from 0 on.",
        )
    names = [stage.name for stage in recipe.stages]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(
                f"Two stages are called '{name}'",
                where=f"recipe '{recipe.name}'",
                remedy="States are kept by the stage's name: give each its own.",
            )
    if isinstance(recipe.data, ConversationPlan):
        for what, remedy in _of_data(recipe.data):
            raise BadInput(what, where=f"data of recipe '{recipe.name}'", remedy=remedy)
    for stage in recipe.stages:
        for what, remedy in _of_stage(stage, devices):
            raise BadInput(what, where=f"stage '{stage.name}' of '{recipe.name}'", remedy=remedy)
        if isinstance(recipe.start, FromCheckpoint):
            for what, remedy in _of_parts(stage, recipe.start.lora):
                raise BadInput(
                    what, where=f"stage '{stage.name}' of '{recipe.name}'", remedy=remedy
                )


def check_assumed(recipe: TrainingRecipe) -> None:
    """Refuse what the assumed data and shapes make nonsense of; a run has its own of both.

    Raises
    ------
    BadInput : names the stage or the data.
    """
    start, data = recipe.start, recipe.data
    if not isinstance(start, FromCheckpoint) or not isinstance(data, ConversationPlan):
        return
    if start.tower.tokens + data.text_tokens > data.longest:
        raise BadInput(
            f"A sample of {start.tower.tokens} image and {data.text_tokens} text tokens does not "
            f"fit in a row of {data.longest}",
            where=f"data of recipe '{recipe.name}'",
            remedy="Make the rows longer.",
        )
    for stage in recipe.stages:
        for what, remedy in _of_length(stage, data):
            raise BadInput(what, where=f"stage '{stage.name}' of '{recipe.name}'", remedy=remedy)


def _of_hardware(hardware: Hardware, devices: int) -> Iterator[tuple[str, str]]:
    if not _whole(devices) or not 1 <= devices <= _MOST_DEVICES:
        yield (
            f"A run cannot have {devices} devices",
            f"Give a whole number from 1 to {_MOST_DEVICES:,}.",
        )
    for name, value in (
        ("memory of a device (GB)", hardware.memory_gb),
        ("peak of a device (TFLOPS)", hardware.teraflops),
    ):
        if not _positive(value):
            yield f"The {name} is {value}", "Give a number above 0."
    if not (_positive(hardware.utilisation) and hardware.utilisation <= 1):
        yield (
            f"A utilisation of {hardware.utilisation} is no share of a device's peak",
            "Give a number above 0 and at most 1.",
        )


def _of_data(data: ConversationPlan) -> Iterator[tuple[str, str]]:
    for name, value in (
        ("samples", data.samples),
        ("text tokens of a sample", data.text_tokens),
        ("tokens of a row", data.longest),
        ("rows of a pass", data.rows),
        ("questions at once in a check", data.asked),
    ):
        if not _whole(value) or value < 1:
            yield f"The number of {name} is {value}", "Give a whole number from 1 on."


def _of_stage(stage: Stage, devices: int) -> Iterator[tuple[str, str]]:
    if not _whole(stage.batch) or stage.batch < 1:
        yield f"A step cannot have {stage.batch} samples", "Give a whole number from 1 on."
    elif stage.batch % devices:
        near = [n for n in range(1, stage.batch + 1) if stage.batch % n == 0]
        yield (
            f"{stage.batch} samples a step cannot be shared evenly by {devices} devices",
            f"Use {_or(near)} devices, or another batch.",
        )
    if (stage.steps is None) == (stage.epochs is None):
        yield (
            "The stage must say how long it is in steps or in epochs, and not in both",
            "Give one of the two.",
        )
    if stage.steps is not None and (not _whole(stage.steps) or stage.steps < 1):
        yield f"A stage cannot have {stage.steps} steps", "Give a whole number from 1 on."
    if stage.epochs is not None and not _positive(stage.epochs):
        yield f"A stage cannot have {stage.epochs} epochs", "Give a number above 0."
    if not stage.rates:
        yield "The stage trains nothing", "Give a learning rate to at least one part."
    for part, rate in stage.rates.items():
        if not _positive(rate):
            yield (
                f"The learning rate of '{part}' is {rate}",
                "Give a number above 0; leave a part out to freeze it.",
            )
    for name, value in (("warm-up", stage.warm_up), ("floor", stage.floor)):
        if not (math.isfinite(value) and 0 <= value <= 1):
            yield f"A {name} of {value} is no share", "Give a number from 0 to 1."
    if not (math.isfinite(stage.weight_decay) and stage.weight_decay >= 0):
        yield f"The weight decay is {stage.weight_decay}", "Give a number from 0 on."
    if not all(math.isfinite(beta) and 0 <= beta < 1 for beta in stage.betas):
        yield f"AdamW cannot have the betas {stage.betas}", "Give two numbers from 0 to below 1."
    if not _positive(stage.clip):
        yield f"A gradient cannot be clipped to a norm of {stage.clip}", "Give a number above 0."
    if not stage.weights or not all(math.isfinite(w) and w >= 0 for w in stage.weights):
        yield f"The losses cannot have the weights {stage.weights}", "Give numbers from 0 on."
    elif not any(stage.weights):
        yield "Every loss has the weight 0: nothing would be learnt", "Give one above 0."
    for name, every in (("checks", stage.check_every), ("states", stage.keep_every)):
        if every is not None and (not _whole(every) or every < 1):
            yield f"There cannot be {every} steps between {name}", "Give a whole number from 1 on."
    if stage.patience is not None:
        if not _whole(stage.patience) or stage.patience < 1:
            yield f"A patience of {stage.patience} checks", "Give a whole number from 1 on."
        if not stage.watched:
            yield (
                "The stage would stop early without a figure to watch",
                f"Name one: {', '.join(WATCHED)}.",
            )


def _of_length(stage: Stage, data: ConversationPlan) -> Iterator[tuple[str, str]]:
    if stage.batch > data.samples:
        yield (
            f"A step of {stage.batch} samples is more than the {data.samples} there are",
            "Make the batch smaller.",
        )
    passes = (stage.epochs or 0.0) * data.samples / stage.batch
    if max(stage.steps or 0, passes) > _MOST_STEPS:
        yield f"A stage of more than {_MOST_STEPS:,} steps would never end", "Make it shorter."


def _of_parts(stage: Stage, lora: Lora | None) -> Iterator[tuple[str, str]]:
    if stage.watched and stage.watched not in WATCHED:
        yield (
            f"No check says the figure '{stage.watched}'",
            f"Watch one of {', '.join(WATCHED)}.",
        )
    known = (*PARTS, *(_LORA if lora is not None else ()))
    for part in stage.rates:
        if part in _LORA and lora is None:
            yield (
                f"The stage trains '{part}', but the model has no adapters",
                "Give the start a Lora, or train whole parts.",
            )
        if part not in known:
            yield f"A LLaVA has no part '{part}'", f"Known: {', '.join(known)}."
    if lora is not None:
        for part in (LANGUAGE, HEAD):
            if part in stage.rates:
                yield (
                    f"'{part}' would be trained whole beside its adapters ({ADAPTERS})",
                    "Name lora_A and lora_B instead, or start without a Lora.",
                )
        if not lora.targets:
            yield "The adapters adapt no matrix", "Name some, such as q_proj."
        if not _whole(lora.rank) or lora.rank < 1:
            yield f"Adapters cannot have the rank {lora.rank}", "Give a whole number from 1 on."
        if not (math.isfinite(lora.dropout) and 0 <= lora.dropout < 1):
            yield f"A dropout of {lora.dropout} is no share", "Give a number from 0 to below 1."


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _or(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" or {numbers[-1]}" if numbers[1:] else "1"
