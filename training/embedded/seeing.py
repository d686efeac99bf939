"""The tower learns to see: what is on a view, and where; then what a whole picture scores.

The labels are the 16 parents and every child key. Two sources for the loop. `Views` are pieces and
whole pictures at random, drawn from the pixels at every step: the dense head learns cell by cell,
and a head over one look what the view shows. `Scored` are whole pictures that the tower has looked
at twice and that it never learned from: what both looks say together becomes the picture's score.
Knows no word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from glassllava.model import processing
from glassllava.model.tower import SMALLER, Tower
from training.embedded import views
from training.embedded.pictures import LABELS, PARENTS, read_marks, read_picture
from training.evaluation.scores import average_precision

if TYPE_CHECKING:
    from training.embedded.dataset import Split

Record = Mapping[str, Any]
Rows = np.ndarray[Any, Any]


def targets(records: Sequence[Record]) -> Tensor:
    """(N, labels) of 0 and 1."""
    rows = [
        {*r["present"], *(truth["key"] for truth in r["truths"]), *r["artefacts"]} for r in records
    ]
    return torch.tensor([[float(label in row) for label in LABELS] for row in rows])


def rarity(truth: Tensor) -> Tensor:
    """(labels,) How much a positive weighs: a common label must not drown a rare one."""
    share = truth.mean(0).clamp(min=2 / len(truth))
    return ((1 - share) / share).sqrt().clamp(max=8)


class ViewBatch(NamedTuple):
    """Views of the micrographs in `rows` of the split."""

    rows: list[int]
    pixels: Tensor  # (B, 1, 448, 448)
    present: Tensor  # (B, labels): 1, 0, or -1 where nobody can say
    where: Tensor  # (B, labels, 28, 28), alike


class Views:
    """Views of kept pictures, in an order and with cuts that follow from (seed, step) alone.

    Parameters
    ----------
    closer : pixels of the picture's longer side in the tower's closer look.
    checked : how many of the validation split a check looks at.
    """

    kinds: tuple[str, ...] = ("labels", "places")

    def __init__(
        self,
        train: Split,
        validation: Split,
        *,
        batch: int,
        seed: int,
        closer: int,
        checked: int = 100,
        dropout: float = 0.2,
    ) -> None:
        self.records, self._train, self._checked = train.records, train, validation[:checked]
        self.steps_an_epoch = max(1, len(train) // batch)
        self._batch, self._seed, self._closer, self._dropout = batch, seed, closer, dropout
        self._weight = rarity(targets(train.records))

    def batches(self, step: int, rank: int, world: int) -> Sequence[ViewBatch]:
        epoch, place = divmod(step, self.steps_an_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self.records))
        rows = order[place * self._batch : (place + 1) * self._batch]
        return [self._drawn(np.sort(rows)[rank::world], step)]

    def _drawn(self, rows: Rows, step: int) -> ViewBatch:
        drawn = []
        for row in rows:
            seed = self.records[row]["seed"]
            rng = np.random.default_rng((self._seed, step, int(row)))
            picture = read_picture(self._train.folder, self._train.name, seed)
            marks = read_marks(self._train.folder, self._train.name, seed)
            drawn.append(views.draw(picture, marks, rng, self._closer))
        return ViewBatch(
            rows.tolist(),
            torch.from_numpy(np.stack([view.grey for view in drawn]))[:, None],
            torch.from_numpy(np.stack([view.present for view in drawn])),
            torch.from_numpy(np.stack([view.where for view in drawn])),
        )

    def supervised(self, batch: ViewBatch) -> Tensor:
        return torch.stack([(said >= 0).sum() for said in (batch.present, batch.where)])

    def losses(self, model: Tower, batch: ViewBatch) -> Tensor:
        look = model.look(as_seen(batch.pixels))
        scores = model.glanced(look, self._dropout)
        each = F.binary_cross_entropy_with_logits(
            scores.float(),
            batch.present.clamp(min=0).float(),
            pos_weight=self._weight,
            reduction="none",
        )
        cells = F.binary_cross_entropy_with_logits(
            look.where.float(),
            batch.where.clamp(min=0).float(),
            pos_weight=torch.tensor(4.0),
            reduction="none",
        )
        return torch.stack([each[batch.present >= 0].sum(), cells[batch.where >= 0].sum()])

    def tokens(self, batch: ViewBatch) -> int:
        return len(batch.rows)

    def names(self, batch: ViewBatch) -> Sequence[str]:
        return [f"seed {self.records[row]['seed']}" for row in batch.rows]

    def apart(self, batch: ViewBatch) -> Sequence[ViewBatch]:
        return [
            ViewBatch([row], *(tensor[i : i + 1] for tensor in batch[1:]))
            for i, row in enumerate(batch.rows)
        ]

    def check(self, model: Tower) -> Mapping[str, float]:
        """Mean average precision over the parents: from the small look, and from the closer one's
        surest cell alone."""
        model.eval()
        small, close = [], []
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for record in self._checked.records:
                picture = read_picture(self._checked.folder, self._checked.name, record["seed"])
                square = processing.letterbox(np.asarray(picture), self._closer)
                pixels = as_seen(torch.from_numpy(square.astype(np.float32))[None, None])
                small.append(model.glanced(model.look(F.avg_pool2d(pixels, SMALLER)))[0].float())
                close.append(model.look(pixels).where[0].flatten(1).amax(-1).float())
        truth = targets(self._checked.records)
        return {
            "map": mean_average_precision(torch.stack(small) + torch.stack(close), truth),
            "map small": mean_average_precision(torch.stack(small), truth),
            "map close": mean_average_precision(torch.stack(close), truth),
        }


class Scored:
    """Whole pictures by what both looks pooled; the picture's score is learned from that."""

    kinds: tuple[str, ...] = ("labels",)

    def __init__(
        self,
        pooled: Sequence[Tensor],
        truth: Sequence[Tensor],
        *,
        batch: int,
        seed: int,
    ) -> None:
        (self._values, self._checked), (self._truth, self._checked_truth) = pooled, truth
        self.steps_an_epoch = max(1, len(self._truth) // batch)
        self._batch, self._seed = batch, seed
        self._weight = rarity(self._truth)

    def batches(self, step: int, rank: int, world: int) -> Sequence[Rows]:
        epoch, place = divmod(step, self.steps_an_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._truth))
        rows = order[place * self._batch : (place + 1) * self._batch]
        return [np.sort(rows)[rank::world]]

    def supervised(self, batch: Rows) -> Tensor:
        return torch.tensor([len(batch) * self._truth.shape[1]])

    def losses(self, model: Tower, batch: Rows) -> Tensor:
        scores = model.scores(self._values[batch])
        return F.binary_cross_entropy_with_logits(
            scores, self._truth[batch], pos_weight=self._weight, reduction="sum"
        )[None]

    def tokens(self, batch: Rows) -> int:
        return len(batch)

    def names(self, batch: Rows) -> Sequence[str]:
        return [f"row {row}" for row in batch]

    def apart(self, batch: Rows) -> Sequence[Rows]:
        return [batch[i : i + 1] for i in range(len(batch))]

    @torch.no_grad()
    def check(self, model: Tower) -> Mapping[str, float]:
        scores = model.scores(self._checked)
        return {"map": mean_average_precision(scores, self._checked_truth)}


def as_seen(grey: Tensor) -> Tensor:
    """(B, 1, H, W) of 0 ... 255 as the processor hands pixels to the tower: (B, 3, H, W)."""
    return ((grey - 127) / 128).expand(-1, 3, -1, -1)


def mean_average_precision(scores: Tensor, truth: Tensor) -> float:
    """Over the 16 parents."""
    each = [
        average_precision(scores[:, j].numpy(), truth[:, j].numpy()) for j in range(len(PARENTS))
    ]
    return float(np.nanmean(each))


@torch.no_grad()
def standardise(tower: Tower, folder: Path, records: Sequence[Record], side: int) -> None:
    """What a cell hands on gets mean 0 and deviation 1 over (up to 400 of) `records`."""
    tower.eval()
    values = []
    for record in records[:400]:
        square = processing.letterbox(
            np.asarray(read_picture(folder, "train", record["seed"])), side // SMALLER
        )
        look = tower.look(as_seen(torch.from_numpy(square.astype(np.float32))[None, None]))
        values.append(tower.own(look, 4)[0])
    flat = torch.cat(values) / tower.scale + tower.shift
    tower.shift.copy_(flat.mean(0))
    tower.scale.copy_(1 / flat.std(0).clamp(min=1e-3))
