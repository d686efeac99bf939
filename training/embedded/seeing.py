"""The tower learns to see: a multi-label head, then the later blocks, on cached early features.

The labels are the 16 parents and every child key. Fine-tuned blocks are kept only where the
validation split says that they see better than the frozen ones. Knows no word.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from glassllava import features
from glassllava.model.tower import EARLY_BLOCKS, Tower
from training.embedded.dataset import PARENTS, Split

LABELS = (*PARENTS, *(key for key in features.vocabulary() if key not in PARENTS))
Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SeeingPlan:
    """The tower's stage, on the first `micrographs` of the training split."""

    micrographs: int = 2200
    epochs: int = 2
    batch: int = 32
    blocks_rate: float = 4e-4
    head_rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.3


def targets(split: Split) -> Tensor:
    """(N, labels) of 0 and 1."""
    rows = [{*r["present"], *r["keys"], *r["artefacts"]} for r in split.records]
    return torch.tensor([[float(label in row) for label in LABELS] for row in rows])


def average_precision(scores: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> float:
    """Area under the precision-recall steps; not a number where nothing is positive."""
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = truth[order].astype(bool)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def mean_average_precision(scores: Tensor, truth: Tensor) -> float:
    """Over the 16 parents."""
    each = [
        average_precision(scores[:, j].numpy(), truth[:, j].numpy()) for j in range(len(PARENTS))
    ]
    return float(np.nanmean(each))


def teach_tower(
    tower: Tower, train: Split, validation: Split, plan: SeeingPlan, log: Log
) -> dict[str, Any]:
    """Fit `tower` in place; what was measured, on the validation split."""
    truth, checked = targets(train), targets(validation)
    # A common label must not drown a rare one: positives weigh by the root of their rarity.
    share = truth.mean(0).clamp(min=2 / len(truth))
    weight = ((1 - share) / share).sqrt().clamp(max=8)
    started = time.perf_counter()
    standardise(tower, train)
    _fit_head(tower, train, truth, weight, plan)
    frozen = mean_average_precision(scores_of(tower, validation), checked)
    log(f"tower frozen: mAP {frozen:.3f} after {time.perf_counter() - started:.0f} s")
    best, kept, curve = frozen, copy.deepcopy(tower.state_dict()), [frozen]
    late = [p for b in tower.blocks[EARLY_BLOCKS:] for p in b.parameters()]
    groups = [
        {"params": late, "lr": plan.blocks_rate},
        {"params": list(tower.head.parameters()), "lr": plan.head_rate},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=plan.weight_decay)
    steps = plan.epochs * (len(truth) // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [plan.blocks_rate, plan.head_rate], total_steps=steps + 1, pct_start=0.1
    )
    for epoch in range(plan.epochs):
        tower.train()
        total = 0.0
        for step, rows in enumerate(_batches(len(truth), plan.batch, seed=epoch)):
            cells = tower.late(_early(train, rows))
            pooled = F.dropout(torch.cat((cells.mean(1), cells.amax(1)), -1), plan.dropout)
            scores = tower.head(pooled)
            loss = F.binary_cross_entropy_with_logits(scores, truth[rows], pos_weight=weight)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*late, *tower.head.parameters()], 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
            if step % 50 == 49:
                seconds = time.perf_counter() - started
                mean = total / (step + 1)
                log(f"tower epoch {epoch + 1} step {step + 1}: {mean:.4f}, {seconds:.0f} s")
        tower.eval()
        reached = mean_average_precision(scores_of(tower, validation), checked)
        curve.append(reached)
        log(f"tower epoch {epoch + 1}: mAP {reached:.3f}, {time.perf_counter() - started:.0f} s")
        if reached > best:
            best, kept = reached, copy.deepcopy(tower.state_dict())
    tower.load_state_dict(kept)
    seen = mean_average_precision(scores_of(tower, train, 600), truth[:600])
    return {
        "map_frozen": frozen,
        "map_kept": best,
        "map_by_epoch": curve,
        "map_training": seen,
        "fine_tuned": best > frozen,
        "seconds": time.perf_counter() - started,
    }


@torch.inference_mode()
def scores_of(tower: Tower, split: Split, limit: int | None = None) -> Tensor:
    tower.eval()
    count = min(len(split.records), limit or len(split.records))
    rows = range(0, count, 32)
    return torch.cat(
        [tower.scores(tower.late(_early(split, np.arange(i, min(i + 32, count))))) for i in rows]
    )


@torch.inference_mode()
def tokens_of(tower: Tower, split: Split) -> np.ndarray[Any, Any]:
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
    tower.eval()
    count = min(len(train.records), 600)
    parts = [
        tower.late(_early(train, np.arange(i, min(i + 32, count)))) for i in range(0, count, 32)
    ]
    values = torch.cat(parts).flatten(0, 1)
    tower.shift.copy_(values.mean(0))
    tower.scale.copy_(1 / values.std(0).clamp(min=1e-3))


def _fit_head(tower: Tower, train: Split, truth: Tensor, weight: Tensor, plan: SeeingPlan) -> None:
    """The head alone, on pooled values of the frozen blocks, all in memory."""
    with torch.no_grad():
        pooled = []
        for i in range(0, len(truth), 32):
            cells = tower.late(_early(train, np.arange(i, min(i + 32, len(truth)))))
            pooled.append(torch.cat((cells.mean(1), cells.amax(1)), -1))
        values = torch.cat(pooled)
    optimiser = torch.optim.AdamW(tower.head.parameters(), lr=1e-3, weight_decay=0.1)
    for epoch in range(30):
        for rows in _batches(len(truth), 64, seed=epoch):
            scores = tower.head(F.dropout(values[rows], plan.dropout))
            loss = F.binary_cross_entropy_with_logits(scores, truth[rows], pos_weight=weight)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()


def _early(split: Split, rows: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(split.early[rows].astype(np.float32))


def _batches(count: int, size: int, seed: int) -> Iterator[np.ndarray[Any, Any]]:
    order = np.random.default_rng(seed).permutation(count)
    for i in range(0, count - count % size, size):
        yield np.sort(order[i : i + size])
