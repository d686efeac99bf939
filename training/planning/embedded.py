"""What the stages of the embedded recipe take on processor cores.

Knows the embedded tower and language model by their sizes; tests hold the constants to the modules
themselves. The activations are upper bounds: every lesson as long as the longest of its level. No
torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from glassllava import features
from training.embedded.dataset import DataPlan
from training.planning.steps import Length
from training.recipe import FromNothing, Stage

#: The head's labels: 16 parents and every child key.
LABELS = len({*features.PARENTS, *features.vocabulary()})
#: Pixels of a token's side, and a cell's own values in a token.
CELL, CELL_VALUES = 336, 864
#: The tower's parameters by part: what is never trained (the stem, the shallow blocks and what
#: standardises), and what stages name (model.tower).
FIXED, DEEP = 55_776, 2_885_072
DENSE, GLANCE, HEAD = 131_461, 195_031, 51_106
#: One view of 448 px through `look` and `glanced`: operations forward of the parts that are never
#: trained, of the deep blocks, of the dense head, and of the glance.
FIXED_OPERATIONS, DEEP_OPERATIONS = 909_991_936, 2_000_705_280
DENSE_OPERATIONS, GLANCE_OPERATIONS = 205_470_720, 389_860
#: Bytes that the way back of one view needs, by what is trained, in 16-bit work and in 32.
DEEP_BYTES = {True: 37_452_262, False: 74_782_756}
DENSE_BYTES = {True: 2_260_294, False: 4_512_868}
#: Values of the widest layer, which pass and are not kept: 96 channels of 224 x 224, twice.
PASSING = 2 * 96 * 224 * 224
#: Places of a lesson by context level, its cells and asides among them, (on average, at most): of
#: 408 lessons on wide pictures, and of 150 with every branch that a lesson may have.
LESSONS = {"none": (93, 220), "basic": (169, 300), "moderate": (211, 410), "high": (411, 655)}
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
    """The embedded recipe's stage of that name: places, tower, head or language.

    `places` is what teaches the tower's heads on frozen blocks; any stage that trains `deep` blocks
    pays for their way back.
    """
    width, language = start.size.width, start.size.parameters
    projector = (CELL_VALUES + 3 * LABELS + 1) * width + (width + 1) * width
    if stage.name == "language":
        return _language(stage, start, data, projector)
    rest = projector + language
    if stage.name == "head":
        # What the tower learned from is left out, where there is more.
        learned = start.seen if data.counts["train"] > start.seen else 0
        samples = data.counts["train"] - learned
        trained, frozen = HEAD, FIXED + DEEP + DENSE + GLANCE + rest
        each, kept = 3 * 2.0 * HEAD, stage.batch * 4.0 * 5 * LABELS
    else:
        samples = start.seen
        learning = {"deep": DEEP, "dense": DENSE, "glance": GLANCE}
        trained = sum(size for part, size in learning.items() if part in stage.rates)
        frozen = FIXED + sum(learning.values()) - trained + HEAD + rest
        deep = "deep" in stage.rates
        heads = DENSE_OPERATIONS + GLANCE_OPERATIONS
        each = FIXED_OPERATIONS + DEEP_OPERATIONS * (3.0 if deep else 1.0) + 3.0 * heads
        saved = (DEEP_BYTES if deep else DENSE_BYTES)[stage.bf16]
        kept = stage.batch * float(max(saved, PASSING * (2 if stage.bf16 else 4)))
    steps = stage.steps_of(max(1, samples // stage.batch))
    passes = steps * stage.batch
    length = Length(steps, passes / samples, passes, passes, each * passes)
    held = _looked(data) if stage.name == "head" else 0.0
    return Small(trained, frozen, length, kept, held)


def _language(stage: Stage, start: FromNothing, data: DataPlan, projector: int) -> Small:
    width, language, steps = start.size.width, start.size.parameters, stage.steps or 0
    cells = (data.image_size // CELL) ** 2
    first = min(start.lessons.first_steps, steps)
    mixtures = ((first, start.lessons.first_mixture), (steps - first, start.lessons.mixture))
    passes = sum(times * sum(mixture.values()) for times, mixture in mixtures)
    tokens = sum(
        times * number * LESSONS[level][0]
        for times, mixture in mixtures
        for level, number in mixture.items()
    )
    # Each level is a batch of its own, whose way back comes before the next.
    places = max(
        number * LESSONS[level][1]
        for times, mixture in mixtures
        for level, number in mixture.items()
        if times
    )
    layers = 24 * width + 8 * _inner(width)  # a token's, with 16-bit work (memory.saved_bytes)
    kept = places * start.size.layers * float(layers)
    forward = 2.0 * (language - start.size.pieces * width)
    operations = 3 * (forward * tokens + 2.0 * projector * cells * passes)
    length = Length(steps, passes / data.counts["train"], passes, tokens, operations)
    tokens_kept = 2.0 * _pictures(data) * cells * (CELL_VALUES + 3 * LABELS)
    frozen = FIXED + DEEP + DENSE + GLANCE + HEAD
    return Small(projector + language, frozen, length, kept, _looked(data) + tokens_kept)


def _looked(data: DataPlan) -> float:
    """Bytes of what the tower made of the pictures (embedded.looking)."""
    cells = (data.image_size // CELL) ** 2
    return _pictures(data) * (2.0 * cells * (CELL_VALUES + 2 * LABELS) + 4.0 * 5 * LABELS)


def _pictures(data: DataPlan) -> int:
    return data.counts["train"] + data.counts.get("validation", 0)


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
