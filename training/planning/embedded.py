"""What the stages of the embedded recipe take on processor cores.

Knows the embedded tower and language model by their sizes; tests hold the constants to the modules
themselves. The activations are upper bounds: every lesson as long as the longest. No torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from glassllava import features
from training.embedded.dataset import DataPlan
from training.planning.steps import Length
from training.recipe import FromNothing, Stage

#: The head's labels: 16 parents and every child key.
LABELS = len({*features.PARENTS, *features.vocabulary()})
#: A cell's own values in a token, and parameters of the tower without its head (model.tower).
CELL_VALUES, TRUNK, LATE_BLOCKS = 864, 2_940_848, 2_246_432
#: Of one micrograph of 448 px from the cached early blocks on: operations forward, and bytes that
#: the way back needs.
LATE_OPERATIONS, LATE_BYTES = 964_545_792, 23_541_376
#: Places of the longest lesson, its cells among them: 36 to 225 were measured (decision of
#: 2026-11-23, embedded-first-checkpoint), and 150 on average.
LONGEST_LESSON, MEAN_LESSON = 225, 150
#: Python, torch, transformers and the index of the data, before the first tensor.
LIBRARIES = 0.6e9


@dataclass(frozen=True, slots=True)
class Small:
    """Parameters of the parts that a stage of the embedded recipe may train, and its length."""

    trained: int
    frozen: int
    length: Length
    kept: float  # bytes of activations
    data: float  # bytes of data in memory


def small(stage: Stage, start: FromNothing, data: DataPlan) -> Small:
    """The embedded recipe's stage of that name: its head, its tower or its language."""
    head = 2 * CELL_VALUES * LABELS + LABELS
    width = start.size.width
    cells = (data.image_size // 112) ** 2
    projector = (CELL_VALUES + LABELS + 1) * width + (width + 1) * width
    language = start.size.parameters
    pooled = 4.0 * 2 * CELL_VALUES
    if stage.name == "language":
        trained, frozen = projector + language, TRUNK + head
        passes = (stage.steps or 0) * stage.batch
        layers = 24 * width + 8 * _inner(width)  # a token's, with 16-bit work (memory.saved_bytes)
        kept = stage.batch * LONGEST_LESSON * start.size.layers * float(layers)
        forward = 2.0 * (language - start.size.pieces * width)
        tokens = passes * MEAN_LESSON
        length = Length(
            stage.steps or 0,
            passes / data.counts["train"],
            passes,
            tokens,
            3 * (forward * tokens + 2.0 * projector * cells * passes),
        )
        return Small(trained, frozen, length, kept, 0.0)
    steps = stage.steps_of(max(1, start.seen // stage.batch))
    passes = steps * stage.batch
    if stage.name == "head":
        trained, frozen = head, TRUNK + projector + language
        work, kept, held = 3 * 2.0 * head * passes, stage.batch * pooled, start.seen * pooled
    else:
        # A rate for `blocks` trains all of them; the early ones are cached and get no gradient.
        trained, frozen = LATE_BLOCKS + head, TRUNK - LATE_BLOCKS + projector + language
        work, kept, held = 3.0 * LATE_OPERATIONS * passes, stage.batch * float(LATE_BYTES), 0.0
    return Small(
        trained,
        frozen,
        Length(steps, passes / start.seen, passes, passes * cells, work),
        kept,
        held,
    )


def small_parts(found: Small) -> dict[str, float]:
    """Bytes by part of one process on processor cores, where nothing is spread."""
    parts = {
        "parameters": 4.0 * found.trained,
        "frozen parameters": 4.0 * found.frozen,
        "gradients": 4.0 * found.trained,
        "AdamW's moments": 8.0 * found.trained,
        "kept values of layers": found.kept,
        "data in memory": found.data,
    }
    return {name: size for name, size in parts.items() if size}


def _inner(width: int) -> int:
    return -(-width * 8 // 3 // 64) * 64
