"""What the language stage learns from: lessons on the tower's kept tokens; a source for the loop.

The lessons of a step follow from (seed, step) alone, those of each context level in a batch of
their own, since they are of like length. Knows no optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from glassllava.errors import BadInput
from glassllava.model.wording import Wording
from training.embedded.dataset import PARENTS, Split
from training.embedded.lessons import Batch, Lesson, Teacher, collate, logits_at
from training.embedded.looking import Looked
from training.embedded.watching import ask, blank_tokens, tokens_of
from training.evaluation.scores import average_precision
from training.recipe import LessonPlan

Array = np.ndarray[Any, Any]
_CHECKED = 200  # micrographs that a check looks at


class Lessons:
    """Lessons on `train`, watched on `validation`.

    Parameters
    ----------
    looked : what the tower made of the pictures of either split.
    known : how many of the first micrographs the tower has learnt from.
    """

    kinds: tuple[str, ...] = ("probes", "verdict", "text", "rules")

    def __init__(
        self,
        plan: LessonPlan,
        model: Any,
        processor: Any,
        train: Split,
        validation: Split,
        looked: tuple[Looked, Looked],
        *,
        known: int,
        seed: int,
        image_size: int,
    ) -> None:
        tower = model.model.vision_tower
        self.plan, self.split, self.validation = plan, train, validation
        self.teacher = Teacher(Wording(processor))
        self._known, self._seed = min(known, len(train.records)), seed
        self._tokens, self._checked = (tokens_of(tower, each) for each in looked)
        self._nothing = blank_tokens(tower, image_size)
        self.steps_an_epoch = max(1, len(train.records) // sum(plan.mixture.values()))

    def batches(self, step: int, rank: int, world: int) -> Sequence[Batch]:
        drawn = self.lessons_of_step(step)
        if world > min(map(len, drawn)):
            raise BadInput(
                f"{world} processes, and a context level of {min(map(len, drawn))} lessons a step",
                remedy="Start fewer processes.",
            )
        return [collate(lessons[rank::world], self.teacher.words.pad) for lessons in drawn]

    def lessons_of_step(self, step: int) -> list[list[Lesson]]:
        """The lessons of each level of `mixture`."""
        rng = np.random.default_rng((self._seed, step))
        count, known, plan = len(self.split.records), self._known, self.plan
        first = step < plan.first_steps
        drawn = []
        for level, number in (plan.first_mixture if first else plan.mixture).items():
            lessons: list[Lesson] = []
            while len(lessons) < number:
                fresh = rng.random() < plan.fresh_share and known < count
                row = int(rng.integers(known if fresh else 0, count if fresh else known))
                record = self.split.records[row]
                others = record["contexts"]
                context = others[int(rng.integers(len(others)))]
                if level not in context["levels"]:
                    continue
                texts = rng if not first and rng.random() < plan.text_share else None
                aside = rng if rng.random() < plan.aside_share else None
                lessons.append(self.teacher.lesson(row, record, context, level, texts, aside))
            drawn.append(lessons)
        return drawn

    def supervised(self, batch: Batch) -> Tensor:
        return torch.bincount(batch.kinds, minlength=len(self.kinds))

    def losses(self, model: Any, batch: Batch) -> Tensor:
        features = torch.from_numpy(self._tokens[batch.rows].astype(np.float32))
        logits = logits_at(model, batch, features, batch.batch_index, batch.places)
        each = F.cross_entropy(logits.float(), batch.targets, reduction="none")
        return torch.zeros(len(self.kinds)).index_add(0, batch.kinds, each)

    def tokens(self, batch: Batch) -> int:
        return int((batch.ids != self.teacher.words.pad).sum())

    def names(self, batch: Batch) -> Sequence[str]:
        return [f"seed {self.split.records[row]['seed']}" for row in batch.rows]

    def apart(self, batch: Batch) -> Sequence[Batch]:
        return [batch]  # a tree is not taken out of a batch again

    def check(self, model: Any) -> Mapping[str, float]:
        """mAP of the probes, and the verdict with the picture and without."""
        records = self.validation.records[:_CHECKED]
        truth = self.validation.labels[:_CHECKED]
        seen: dict[str, float] = {}
        for level in ("none", "moderate", "high"):
            asked = ask(model, self.teacher, records, self._checked[:_CHECKED], level)
            if level == "high":
                scores = [
                    average_precision(asked.probes[:, j], truth[:, j]) for j in range(len(PARENTS))
                ]
                seen["map"] = float(np.nanmean(scores))
            seen[level] = _accuracy(records, asked.verdict)
        without = np.broadcast_to(self._nothing, (len(records), *self._nothing.shape[1:]))
        blank = ask(model, self.teacher, records, without, "high")
        seen["high blank"] = _accuracy(records, blank.verdict)
        return seen


def _accuracy(records: Sequence[Mapping[str, Any]], verdict: Array) -> float:
    known = [(r["contexts"][0]["defect"], v) for r, v in zip(records, verdict, strict=True)]
    right = [(v >= 0.5) == defect for defect, v in known if defect is not None]
    return float(np.mean(right))
