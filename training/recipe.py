"""How a model is made: from what, on which data, in which stages. Frozen, so a card can repeat it.

Nouns only: `recipes` holds the known recipes, `planning` what a run of one would cost, `loop` what
takes a model through a stage.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from training.embedded.dataset import DataPlan


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a recipe is made for. `teraflops` is the dense peak of one device at 16 bits."""

    name: str
    devices: int
    memory_gb: float  # of one device, 1e9 bytes
    teraflops: float
    utilisation: float = 0.4  # share of the peak (MFU) at which a plan states its time


@dataclass(frozen=True, slots=True)
class Stage:
    """One stretch of training with its own learning rates and its own data order.

    `rates` are peak learning rates by part: a parameter belongs to the first part that is one of
    the dotted pieces of its name (`vision_tower`, `multi_modal_projector`, `language_model`,
    `lm_head`, `lora_A` …); what belongs to none is frozen. `weights` multiply the mean loss of each
    kind that the source tells apart. One of `steps` and `epochs` is given; epochs follow each other
    without a seam: a step may hold the last samples of one and the first of the next.
    """

    name: str
    rates: Mapping[str, float]
    batch: int  # samples a step, over all devices
    steps: int | None = None
    epochs: float | None = None
    weights: tuple[float, ...] = (1.0,)
    warm_up: float = 0.03  # share of the steps, linear
    floor: float = 0.0  # of the peak rate, where the cosine ends
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0  # greatest norm of the gradient
    check_every: int | None = None  # steps; None: once an epoch
    keep_every: int | None = None  # steps; None: at every check
    watched: str = ""  # the figure of a check that says which state is best, higher is better
    patience: int | None = None  # checks without a better one before the stage stops
    bf16: bool = True

    def steps_of(self, steps_an_epoch: float) -> int:
        """How many steps the stage has, where an epoch has `steps_an_epoch`; the last is counted.

        `steps_an_epoch` need not be whole: 4,291 samples in steps of 32 are 134.09, and 28 epochs
        of them 3,755 steps.
        """
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None, "a stage has steps or epochs"
        return max(1, math.ceil(round(self.epochs * steps_an_epoch, 6)))


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021) in the language model's linear layers."""

    rank: int = 128
    alpha: int = 256
    dropout: float = 0.05
    targets: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )


@dataclass(frozen=True, slots=True)
class TowerShape:
    """A CLIP-type vision transformer, as a plan counts it.

    `clip` has a class token, a norm before its layers and patches without an offset; `siglip` has
    none of the three, but the offset.
    """

    layers: int
    width: int
    inner: int
    heads: int
    image_size: int
    patch: int
    family: Literal["clip", "siglip"] = "clip"

    @property
    def tokens(self) -> int:
        """Image tokens that reach the language model: the patches, without the class token."""
        return (self.image_size // self.patch) ** 2


@dataclass(frozen=True, slots=True)
class LanguageShape:
    """A LLaMA-type language model, as a plan counts it."""

    layers: int
    width: int
    inner: int
    heads: int
    key_value_heads: int
    vocabulary: int
    tied: bool = False
    head: int | None = None  # values of a head; None: width / heads
    normed_heads: bool = False  # Qwen3: a norm on each query's and each key's head

    @property
    def head_width(self) -> int:
        return self.width // self.heads if self.head is None else self.head


@dataclass(frozen=True, slots=True)
class FromCheckpoint:
    """The start is a LLaVA checkpoint: its usual reference, and its shape for the plan."""

    reference: str
    licence: str
    tower: TowerShape
    language: LanguageShape
    lora: Lora | None = None


@dataclass(frozen=True, slots=True)
class ConversationPlan:
    """Conversations of a group's own: what a plan assumes of them, and how they are packed."""

    samples: int
    text_tokens: int  # of a sample, on average, without its image tokens
    longest: int = 2048  # tokens of a packed row
    rows: int = 4  # of one forward pass, at most
    packed: bool = True
    cached_vision: bool = True  # the tower's features are kept where it is frozen
    checkpointed: bool = True  # activations are computed again on the way back
    asked: int = 8  # questions at once in a check


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
class LessonPlan:
    """Which lessons a step of the embedded model's language stage has.

    `mixture` is lessons a step at each context level; `first_mixture` that of the first steps, in
    which short lessons teach the probes to find their own score before the text is learnt.
    `fresh_share` of the lessons is on micrographs that the tower has never seen: what it says of
    those it learnt by heart is surer than it should be.
    """

    mixture: Mapping[str, int] = field(
        default_factory=lambda: {"none": 14, "basic": 6, "moderate": 8, "high": 6}
    )
    first_steps: int = 150
    first_mixture: Mapping[str, int] = field(
        default_factory=lambda: {"none": 48, "basic": 8, "moderate": 6, "high": 2}
    )
    text_share: float = 0.25  # lessons that hold description and answer too
    aside_share: float = 0.6  # lessons that hold hypotheticals and children too
    fresh_share: float = 0.5


@dataclass(frozen=True, slots=True)
class FromNothing:
    """The start is a pretrained tower and an empty language model with a tokenizer of its own.

    The tower learns to see on the first `seen` micrographs of the training split.
    """

    size: LanguageSize = field(default_factory=LanguageSize)
    lessons: LessonPlan = field(default_factory=LessonPlan)
    seen: int = 1600
    dropout: float = 0.2  # before the head over one look


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """Everything that decides what comes out, besides the data and the libraries' versions.

    `notes` decide nothing: they say how an unclear source was read, for plans and cards.
    """

    name: str
    hardware: Hardware
    seed: int
    start: FromCheckpoint | FromNothing
    data: ConversationPlan | DataPlan
    stages: tuple[Stage, ...]
    version: str = "1"
    notes: tuple[str, ...] = ()

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def sha256(self) -> str:
        deciding = {key: value for key, value in self.to_json().items() if key != "notes"}
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()
