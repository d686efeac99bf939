"""The tower learns to see: a multi-label head, then the later blocks, on cached early features.

The labels are the 16 parents and every child key. Fine-tuned blocks are kept only where the
validation split says that they see better than the frozen ones. Two sources for the loop, over the
same micrographs: the head's has the frozen blocks' pooled values in memory, the blocks' has what
the early blocks gave. Knows no word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from glassllava import features
from glassllava.model.tower import Tower
from training.embedded.dataset import PARENTS, Split
from training.evaluation.scores import average_precision

LABELS = (*PARENTS, *(key for key in features.vocabulary() if key not in PARENTS))
Rows = np.ndarray[Any, Any]


def targets(split: Split) -> Tensor:
    """(N, labels) of 0 and 1."""
    rows = [{*r["present"], *r["keys"], *r["artefacts"]} for r in split.records]
    return torch.tensor([[float(label in row) for label in LABELS] for row in rows])


class Micrographs:
    """Labelled micrographs in an order that follows from (seed, epoch) alone; a loop's source.

    One kind of loss, over every label of every micrograph. A common label must not drown a rare
    one: positives weigh by the root of their rarity.
    """

    kinds: tuple[str, ...] = ("labels",)

    def __init__(
        self, train: Split, validation: Split, *, batch: int, dropout: float, seed: int
    ) -> None:
        self.split, self.validation = train, validation
        self.truth, self.checked = targets(train), targets(validation)
        self.steps_an_epoch = max(1, len(self.truth) // batch)
        self._batch, self._dropout, self._seed = batch, dropout, seed
        share = self.truth.mean(0).clamp(min=2 / len(self.truth))
        self._weight = ((1 - share) / share).sqrt().clamp(max=8)

    def batches(self, step: int, rank: int, world: int) -> Sequence[Rows]:
        epoch, place = divmod(step, self.steps_an_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self.truth))
        rows = order[place * self._batch : (place + 1) * self._batch]
        return [np.sort(rows)[rank::world]]

    def supervised(self, batch: Rows) -> Tensor:
        return torch.tensor([len(batch) * self.truth.shape[1]])

    def losses(self, model: Tower, batch: Rows) -> Tensor:
        pooled = F.dropout(self.pooled(model, batch), self._dropout)
        loss = F.binary_cross_entropy_with_logits(
            model.head(pooled), self.truth[batch], pos_weight=self._weight, reduction="sum"
        )
        return loss[None]

    def pooled(self, model: Tower, batch: Rows) -> Tensor:
        """(B, 2 · 864): the mean and maximum over the cells, which the head takes."""
        cells = model.late(_early(self.split, batch))
        return torch.cat((cells.mean(1), cells.amax(1)), -1)

    def tokens(self, batch: Rows) -> int:
        return len(batch)

    def names(self, batch: Rows) -> Sequence[str]:
        return [f"seed {self.split.records[row]['seed']}" for row in batch]

    def apart(self, batch: Rows) -> Sequence[Rows]:
        return [batch[i : i + 1] for i in range(len(batch))]

    def check(self, model: Tower) -> Mapping[str, float]:
        return {"map": mean_average_precision(scores_of(model, self.validation), self.checked)}


class PooledMicrographs(Micrographs):
    """The same for the head alone: what the frozen blocks say is worked out once."""

    def __init__(self, tower: Tower, *splits: Split, **said: Any) -> None:
        super().__init__(*splits, **said)
        tower.eval()
        with torch.no_grad():
            rows = np.array_split(np.arange(len(self.truth)), max(1, len(self.truth) // 32))
            self._values = torch.cat(
                [super(PooledMicrographs, self).pooled(tower, r) for r in rows]
            )

    def pooled(self, model: Tower, batch: Rows) -> Tensor:
        return self._values[batch]


def mean_average_precision(scores: Tensor, truth: Tensor) -> float:
    """Over the 16 parents."""
    each = [
        average_precision(scores[:, j].numpy(), truth[:, j].numpy()) for j in range(len(PARENTS))
    ]
    return float(np.nanmean(each))


@torch.inference_mode()
def scores_of(tower: Tower, split: Split, limit: int | None = None) -> Tensor:
    tower.eval()
    count = min(len(split.records), limit or len(split.records))
    rows = range(0, count, 32)
    return torch.cat(
        [tower.scores(tower.late(_early(split, np.arange(i, min(i + 32, count))))) for i in rows]
    )


@torch.inference_mode()
def tokens_of(tower: Tower, split: Split) -> Rows:
    """(N, cells, hidden) float16: what the language stage trains on."""
    tower.eval()
    count = len(split.records)
    parts = []
    for i in range(0, count, 32):
        cells = tower.late(_early(split, np.arange(i, min(i + 32, count))))
        parts.append(tower.tokens(cells).half().numpy())
    return np.concatenate(parts)


@torch.no_grad()
def standardise(tower: Tower, train: Split) -> None:
    """What the tower hands on gets mean 0 and deviation 1 over (up to 600 of) `train`."""
    tower.eval()
    count = min(len(train.records), 600)
    parts = [
        tower.late(_early(train, np.arange(i, min(i + 32, count)))) for i in range(0, count, 32)
    ]
    values = torch.cat(parts).flatten(0, 1)
    tower.shift.copy_(values.mean(0))
    tower.scale.copy_(1 / values.std(0).clamp(min=1e-3))


def _early(split: Split, rows: Rows) -> Tensor:
    return torch.from_numpy(split.early[rows].astype(np.float32))
