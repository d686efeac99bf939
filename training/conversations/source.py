"""Conversations as a source of the loop: packed rows, what is learnt on them, what is lost.

The rows of a step follow from (seed, step) alone. Attention never crosses from one conversation
into another: positions begin again at each, and no mask is given, from which transformers makes a
mask of blocks (eager and sdpa) or calls flash-attention for rows of many lengths. The latter sees
rows of many lengths only where there is one row: under it, rows are laid end to end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassllava.errors import BadInput
from training.conversations import packing
from training.conversations.loss import losses_at
from training.conversations.tokens import GIVEN, KINDS, VERDICT, Example
from training.conversations.vision import Vision
from training.recipe import Stage

Check = Callable[[Any], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Rows:
    """What one forward pass takes. `places` count in the flattened rows; `targets` follow them."""

    members: tuple[int, ...]  # conversations, in the order of their pictures in the rows
    ids: Tensor  # (B, L)
    positions: Tensor  # (B, L): from 0 again at each conversation
    places: Tensor  # (T,)
    targets: Tensor  # (T,)
    kinds: Tensor  # (T,)
    real: int  # tokens that are no padding


class Conversations:
    """What a stage learns from.

    Parameters
    ----------
    digests : which picture each example has, by its hash.
    longest : tokens of a row; `rows` of them are in one forward pass, at most.
    packed : False pads each conversation to a row of its own: slower, and learns the same.
    flat : rows are laid end to end, for flash-attention.
    check : says what is watched.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        digests: Sequence[str],
        vision: Vision,
        stage: Stage,
        check: Check,
        *,
        longest: int,
        pad: int,
        seed: int,
        rows: int = 1,
        packed: bool = True,
        flat: bool = False,
    ) -> None:
        if not examples:
            raise BadInput(
                "There is no conversation to learn from",
                where=f"stage '{stage.name}'",
                remedy="Conversations to learn from have the split 'train'.",
            )
        if len(stage.weights) not in (1, len(KINDS)):
            raise BadInput(
                f"{len(stage.weights)} weights for {len(KINDS)} kinds of token",
                where=f"stage '{stage.name}'",
                remedy=f"Give one weight for all tokens alike, or one each for {', '.join(KINDS)}.",
            )
        # With one weight the loss is the plain mean over all learnt tokens.
        self.kinds: tuple[str, ...] = KINDS if len(stage.weights) > 1 else ("answers",)
        self.steps_an_epoch = len(examples) / stage.batch
        self._examples, self._digests, self._vision = examples, digests, vision
        self._check, self._batch, self._seed = check, stage.batch, seed
        self._longest, self._pad, self._rows = longest, pad, rows
        self._packed, self._flat = packed, flat
        self._lengths = [example.length for example in examples]

    def batches(self, step: int, rank: int, world: int) -> Sequence[Rows]:
        chosen = packing.drawn(step, self._batch, len(self._examples), self._seed)
        lengths = [self._lengths[i] for i in chosen]
        room = self._longest * (1 if self._packed else self._rows)
        laid = (packing.pack if self._packed else packing.pad)(lengths, room)
        mine = packing.deal(laid, lengths, rank, world)
        # A row that teaches nothing takes a short conversation through every part of the model.
        shortest = min(range(len(chosen)), key=lambda i: lengths[i])
        if not self._packed:
            return [
                self._gathered([[chosen[i]] for i in row or [shortest]], row is not None)
                for row in mine
            ]
        together = [mine[first : first + self._rows] for first in range(0, len(mine), self._rows)]
        made = []
        for part in together:
            rows = [[chosen[i] for i in row] for row in part if row is not None]
            made.append(self._gathered(rows or [[chosen[shortest]]], bool(rows)))
        return made

    def supervised(self, batch: Rows) -> Tensor:
        return torch.bincount(batch.kinds, minlength=len(self.kinds))

    def losses(self, model: Any, batch: Rows) -> Tensor:
        seen, kept = self._vision.look([self._digests[i] for i in batch.members])
        device = model.get_input_embeddings().weight.device
        tensors = (batch.ids, batch.positions, seen, batch.places, batch.targets, batch.kinds)
        ids, positions, seen, places, targets, kinds = (tensor.to(device) for tensor in tensors)
        return losses_at(model, ids, positions, seen, kept, places, targets, kinds, len(self.kinds))

    def tokens(self, batch: Rows) -> int:
        return batch.real

    def names(self, batch: Rows) -> Sequence[str]:
        return [self._examples[i].id for i in batch.members]

    def apart(self, batch: Rows) -> Sequence[Rows]:
        """The same conversations in a batch each."""
        return [self._gathered([[i]], True) for i in batch.members]

    def check(self, model: Any) -> Mapping[str, float]:
        return self._check(model)

    def _gathered(self, rows: Sequence[Sequence[int]], taught: bool) -> Rows:
        if self._flat:
            rows = [[i for row in rows for i in row]]
        ids = [np.concatenate([self._examples[i].ids for i in row]) for row in rows]
        kinds = [np.concatenate([self._examples[i].kinds for i in row]) for row in rows]
        positions = [np.concatenate([np.arange(self._lengths[i]) for i in row]) for row in rows]
        real = sum(map(len, ids))
        longest = max(map(len, ids))
        for number, row in enumerate(ids):
            # Padding on the right: nothing that is real sees it.
            left = longest - len(row)
            ids[number] = np.concatenate([row, np.full(left, self._pad)])
            kinds[number] = np.concatenate([kinds[number], np.full(left, GIVEN)])
            positions[number] = np.concatenate([positions[number], np.arange(left)])
        flat_ids, flat_kinds = np.concatenate(ids), np.concatenate(kinds)
        # A conversation's first token is given, so that none is learnt across a border.
        learnt = np.flatnonzero(flat_kinds != GIVEN) if taught else np.zeros(0, np.int64)
        kind = flat_kinds[learnt].astype(np.int64)
        if len(self.kinds) == 1:
            kind[kind == VERDICT] = 0
        return Rows(
            members=tuple(i for row in rows for i in row),
            ids=torch.from_numpy(np.stack(ids).astype(np.int64)),
            positions=torch.from_numpy(np.stack(positions).astype(np.int64)),
            places=torch.from_numpy(learnt - 1),
            targets=torch.from_numpy(flat_ids[learnt].astype(np.int64)),
            kinds=torch.from_numpy(kind),
            real=real if taught else 0,
        )
