"""How many bytes of a device a stage takes, part by part, at its two highest points.

One is the way back through a step, the other a check, where FSDP2 holds the model whole on every
device to ask it questions. Formulas only, for what `ranks`, `sharding` and `conversations` do:

- a trained parameter has 16 bytes in 32 bits: itself, its gradient and AdamW's two moments
  (Rajbhandari et al. 2020, ZeRO, section 3.1, has 16 too, with 16-bit copies for 32-bit
  gradients), spread evenly over the devices; a frozen one has 4;
- FSDP2 gathers one layer in 16 bits while the next one is on its way, holds what belongs to no
  layer for the whole pass, and sums a layer's gradients in 32 bits;
- a recomputed layer keeps its input and its attention's output (`sharding.recompute`); while it
  is computed again, all that its gradients need stands at once (`layer_bytes`).

What the formulas say is held against torch's own memory tracker on the true model in
tests/training/planning/test_rehearsal.py. Knows no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.planning.shapes import ADAPTERS, HEAD, LANGUAGE, TOWER, Counts, count
from training.recipe import ConversationPlan, FromCheckpoint, LanguageShape, Stage, TowerShape

#: Places whose logits stand at once (`conversations.loss`), and bytes of one: 16-bit logits, their
#: 32-bit copy, its gradient and the gradient in 16 bits again.
CHUNK, LOGIT_BYTES = 256, 12
#: The longest answer in a check (`conversations.checking`), tokens.
ANSWER = 192
#: What CUDA, cuBLAS and, between devices, NCCL take before the first tensor: model.md's figure.
CUDA, NCCL = 1.0e9, 1.0e9
#: What the allocator cannot use of what it holds. PyTorch's caching allocator wastes little with
#: expandable segments and up to a fifth without; a tenth is our reading.
FRAGMENTS = 0.10


@dataclass(frozen=True, slots=True)
class Load:
    """What decides the bytes: which parts learn, over how many devices, how much at once.

    `among` devices share one copy of the states; None: all.
    """

    start: FromCheckpoint
    data: ConversationPlan
    stage: Stage
    devices: int
    among: int | None = None

    @property
    def counts(self) -> Counts:
        return count(self.start.tower, self.start.language, self.start.lora)

    @property
    def learning(self) -> frozenset[str]:
        """The parts that the stage trains."""
        named = {"lora_A": ADAPTERS, "lora_B": ADAPTERS, "embed_tokens": LANGUAGE}
        return frozenset(named.get(part, part) for part in self.stage.rates)

    @property
    def trained(self) -> int:
        return sum(n for part, n in self.counts.parts.items() if part in self.learning)

    @property
    def frozen(self) -> int:
        return self.counts.total - self.trained

    @property
    def samples(self) -> int:
        """Of one step on one device."""
        return -(-self.stage.batch // self.devices)

    @property
    def tokens(self) -> int:
        """Of one forward pass at most: every sample may fill a row."""
        return min(self.data.rows, self.samples) * self.data.longest

    @property
    def shares(self) -> int:
        """Into how many the states are split."""
        return self.devices if self.among is None else self.among

    @property
    def sharded(self) -> bool:
        return self.devices > 1

    @property
    def cast(self) -> bool:
        """Whether autocast works in 16 bits on parameters of 32: alone, where nothing is gathered.

        What goes from layer to layer has 32 bits then, since the embeddings do.
        """
        return not self.sharded


def step_parts(load: Load) -> dict[str, float]:
    """Bytes of each part at the highest point of a step."""
    shape, tokens = load.start.language, load.tokens
    parts = states(load)
    parts.update(gathered(load))
    saved, back = saved_bytes(shape, load.cast), gradient_bytes(shape)
    if load.data.checkpointed:
        parts["kept inputs of layers"] = shape.layers * tokens * kept_bytes(shape, load.cast)
        parts["one layer computed again"] = tokens * (saved + back - output_bytes(shape))
    else:
        parts["kept values of layers"] = shape.layers * tokens * saved
        parts["gradients within a layer"] = tokens * back
    parts["logits of a chunk"] = float(CHUNK * shape.vocabulary * LOGIT_BYTES)
    if TOWER in load.learning:
        parts["tower's kept values"] = tower_kept(load)
    return {name: size for name, size in parts.items() if size}


def check_parts(load: Load) -> dict[str, float]:
    """Bytes of each part while the model is asked questions; gradients are gone by then."""
    shape, tower = load.start.language, load.start.tower
    parts = states(load)
    parts.pop("gradients", None)
    if load.sharded:
        parts["the whole model in 16 bits"] = 2.0 * load.counts.total
    length = tower.tokens + load.data.text_tokens + ANSWER
    parts["keys and values of answers"] = float(load.data.asked * length * cache_bytes(shape))
    parts["one layer of the questions"] = float(load.data.asked * length * passing_bytes(shape))
    return {name: size for name, size in parts.items() if size}


def states(load: Load) -> dict[str, float]:
    """What stays between steps: parameters, gradients and moments, each device its share."""
    trained, shares = load.trained, load.shares
    return {
        "parameters": 4.0 * trained / shares,
        "frozen parameters": 4.0 * load.frozen / shares,
        "gradients": 4.0 * trained / shares,
        "AdamW's moments": 8.0 * trained / shares,
    }


def gathered(load: Load) -> dict[str, float]:
    """What FSDP2 holds unsharded at the widest point of the way back through the decoder."""
    counts, shape = load.counts, load.start.language
    if not load.sharded:
        # Autocast keeps a 16-bit copy of every trained matrix until the forward pass ends, and of
        # a frozen one as long as its layer is at work.
        frozen = 0 if LANGUAGE in load.learning else counts.language_layer
        return {"16-bit copies": 2.0 * (load.trained + frozen) if load.stage.bf16 else 0.0}
    work = 2 if load.stage.bf16 else 4
    layer = counts.language_layer
    adapters = counts.parts.get(ADAPTERS, 0)
    if adapters:
        layer += adapters // shape.layers
    rest = counts.total - adapters - shape.layers * counts.language_layer
    rest -= load.start.tower.layers * counts.tower_layer
    parts = {
        "gathered layers, this and the next": float(2 * work * layer),
        "gathered embeddings, head and projector": float(work * rest),
    }
    learning = (
        layer
        if LANGUAGE in load.learning
        else (adapters // shape.layers if ADAPTERS in load.learning else 0)
    )
    head = counts.parts[HEAD] if HEAD in load.learning else 0
    parts["a layer's whole gradient, and its sum"] = float((work + 4) * learning)
    parts["the head's whole gradient"] = float(work * head)
    return parts


def kept_bytes(shape: LanguageShape, cast: bool) -> float:
    """Of one token in one recomputed layer: its input, and attention's output with its norm."""
    return (4 if cast else 2) * shape.width + output_bytes(shape) + 4 * shape.heads


def output_bytes(shape: LanguageShape) -> float:
    """Of one token: attention's output in 16 bits."""
    return 2 * shape.heads * shape.head_width


def saved_bytes(shape: LanguageShape, cast: bool) -> float:
    """Of one token in one decoder layer: all that its gradients need, in 16-bit work.

    Two norms keep their input in 32 bits, that input normed, and their output; attention its
    queries, keys and values (each key and value once a query head, as sdpa is called) and its
    output; the MLP the gate, its activation, the other branch and their product. Where autocast
    works (`cast`), what is normed has 32 bits, and each of five matrices keeps a copy of it in 16.
    """
    normed = 2 * (4 + 4) + 5 * 2 if cast else 2 * (4 + 2 + 2)
    return normed * shape.width + 2 * 4 * shape.heads * shape.head_width + 2 * 4 * shape.inner


def gradient_bytes(shape: LanguageShape) -> float:
    """Of one token: the gradients that stand at once where an MLP is widest."""
    return 2 * 3 * shape.inner


def passing_bytes(shape: LanguageShape) -> float:
    """Of one token in one layer that keeps nothing: what stands where the MLP is widest."""
    return 2 * 2 * shape.width + 2 * 3 * shape.inner


def cache_bytes(shape: LanguageShape) -> int:
    """Of one token: its keys and values in every layer, in 16 bits."""
    return 2 * 2 * shape.layers * shape.key_value_heads * shape.head_width


def tower_kept(load: Load) -> float:
    """What a learning tower keeps of the pictures of one pass; its layers are not recomputed."""
    tower = load.start.tower
    return load.samples * (tower.tokens + 1) * tower.layers * tower_layer_bytes(tower)


def tower_layer_bytes(shape: TowerShape) -> float:
    """Of one place in one tower layer, in 16-bit work.

    Two norms (4 bytes a value in, 2 out), queries, keys, values and attention's output, and the
    MLP before, in and after its activation (quick GELU keeps its sigmoid too).
    """
    return 2 * 6 * shape.width + 2 * 4 * shape.width + 2 * 4 * shape.inner


def reserve(load: Load) -> float:
    """What the libraries take before the first tensor."""
    return CUDA + (NCCL if load.sharded else 0.0)
