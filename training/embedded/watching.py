"""Asks a model in training what it sees: raw probabilities on kept tokens, and the blank picture.

The loop watches itself with it, and the checkpoint is judged by it. Knows no optimiser and no
calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from glassllava.model import processing
from glassllava.model.tower import Tower
from training.embedded.dataset import PARENTS
from training.embedded.lessons import Teacher, collate, logits_at
from training.embedded.looking import Looked
from training.embedded.seeing import as_seen

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Asked:
    """Raw yes / (yes + no) of one split at one level: (N, 16) and (N,)."""

    probes: Array
    verdict: Array


@torch.inference_mode()
def ask(
    model: Any,
    teacher: Teacher,
    records: Sequence[Mapping[str, Any]],
    tokens: Array,
    level: str,
    batch: int = 16,
) -> Asked:
    """Raw probabilities at one level, each micrograph in its own context."""
    model.eval()
    lessons = [
        teacher.lesson(i, r, {**r["contexts"][0], "defect": True}, level, None)
        for i, r in enumerate(records)
    ]
    order = sorted(range(len(lessons)), key=lambda i: len(lessons[i].ids))
    out = np.zeros((len(lessons), len(PARENTS) + 1))
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        made = collate([lessons[i] for i in rows], teacher.words.pad)
        features = torch.from_numpy(tokens[made.rows].astype(np.float32))
        share = logits_at(model, made, features, made.batch_index, made.places).softmax(-1)
        yes, no = share[:, teacher.words.yes].sum(-1), share[:, teacher.words.no].sum(-1)
        out[rows] = (yes / (yes + no)).reshape(len(rows), -1).numpy()
    return Asked(out[:, :-1], out[:, -1])


@torch.inference_mode()
def tokens_of(tower: Tower, looked: Looked) -> Array:
    """(N, cells, hidden) float16: the tokens of what was looked at."""
    tower.eval()
    cells, pooled = (torch.from_numpy(each.astype(np.float32)) for each in looked)
    return tower.tokens(cells, pooled).half().numpy()


@torch.inference_mode()
def blank_tokens(tower: Tower, side: int) -> Array:
    """(1, cells, hidden) float16: the tokens of a picture that shows nothing."""
    tower.eval()
    picture = torch.from_numpy(processing.blank(side).astype(np.float32))[None, None]
    return tower.see(as_seen(picture))[0].half().numpy()
