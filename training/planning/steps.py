"""How long a stage is: steps, sample passes, tokens, operations. Knows no bytes and no torch."""

from __future__ import annotations

from dataclasses import dataclass

from training.planning.flops import flops_per_token
from training.planning.shapes import LANGUAGE, TOWER
from training.recipe import ConversationPlan, FromCheckpoint, Stage


@dataclass(frozen=True, slots=True)
class Length:
    """What a stage has in all. `operations` are of the model, not of what is computed again."""

    steps: int
    epochs: float
    passes: int  # of samples
    tokens: int
    operations: float


def length_of(stage: Stage, start: FromCheckpoint, data: ConversationPlan) -> Length:
    """The stage's length where every sample has one picture and the average text.

    Epochs follow each other without a seam, so 28 epochs of 4,291 samples in steps of 32 are
    120,148 / 32 = 3,754.6, and the last step is whole: 3,755.
    """
    steps = stage.steps_of(data.samples / stage.batch)
    passes = steps * stage.batch
    sample = start.tower.tokens + data.text_tokens
    tower_trained = TOWER in stage.rates
    each = flops_per_token(
        start.language,
        start.tower,
        length=sample,
        lora=start.lora,
        language_trained=LANGUAGE in stage.rates,
        tower_trained=tower_trained,
        looks=0.0 if data.cached_vision else 1.0,
    )
    tokens = passes * sample
    return Length(steps, passes / data.samples, passes, tokens, each * tokens)
