"""What the model says of the validation split, with its pictures and with a blank one.

Greedy, padded left, many at once. A true/false answer is right or wrong; of another the share of
words it has in common with the reference is told (token F1, as SQuAD counts it): coarse, but free.
Knows no loss and no step.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.conversations.pictures import Pictures
from training.conversations.tokens import Tokeniser
from training.conversations.vision import BLANK, pixels
from training.ranks import Ranks

_TRUTH = {"yes": True, "true": True, "no": False, "false": False}
_BEYOND = 8  # tokens that an answer may go on after the longest reference
_WORDS = re.compile(r"[^\W_]+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Question:
    """The first question of a validation conversation; `of_defect` if its answer is true/false."""

    question: str
    answer: str
    digest: str
    of_defect: bool


class Checker:
    """Asks up to `most` questions, an even share of them by each process.

    Parameters
    ----------
    longest : tokens of a generated answer, at most; it ends a little after the longest reference.
    together : questions that are asked at once.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        tokeniser: Tokeniser,
        processor: Any,
        pictures: Pictures,
        ranks: Ranks,
        *,
        most: int = 128,
        longest: int = 192,
        together: int = 16,
        bf16: bool = False,
    ) -> None:
        chosen = spread(questions, most)
        self._mine, self.asked = chosen[ranks.rank :: ranks.world], len(chosen)
        self._tokeniser, self._processor, self._pictures = tokeniser, processor, pictures
        self._ranks, self._together = ranks, together
        references = [tokeniser.length(q.answer) for q in chosen]
        self._longest = min(longest, max(references, default=0) + _BEYOND)
        self._bf16 = bf16

    def __call__(self, model: Any) -> Mapping[str, float]:
        """`defect`, the share of right true/false answers, `f1` of the others, `answers` (the mean
        over both); each with a blank picture too. What no question asks for is not there.
        """
        model.eval()
        kinds = [False, True]
        sums = torch.zeros(2, 3, dtype=torch.float64)  # (with, blank) × (right, f1, asked)
        defects = torch.zeros(2, 2, dtype=torch.float64)  # … × (right, asked)
        for row, blank in enumerate(kinds):
            said = self.answers(model, blank)
            for question, text in zip(self._mine, said, strict=True):
                score = mark(question, text)
                sums[row] += torch.tensor([score, 0.0 if question.of_defect else score, 1.0])
                if question.of_defect:
                    defects[row] += torch.tensor([score, 1.0])
        sums, defects = self._ranks.total(sums), self._ranks.total(defects)
        seen = {}
        for row, name in enumerate(("", " blank")):
            right, f1, asked = sums[row].tolist()
            of_defect = defects[row].tolist()
            if asked:
                seen[f"answers{name}"] = right / asked
            if of_defect[1]:
                seen[f"defect{name}"] = of_defect[0] / of_defect[1]
            if asked > of_defect[1]:
                seen[f"f1{name}"] = f1 / (asked - of_defect[1])
        return seen

    def answers(self, model: Any, blank: bool = False) -> list[str]:
        """What the model says to this process's questions, in order."""
        prompts = [self._tokeniser.prompt(q.question) for q in self._mine]
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        said = [""] * len(prompts)
        for first in range(0, len(order), self._together):
            part = order[first : first + self._together]
            digests = [BLANK if blank else self._mine[i].digest for i in part]
            seen = pixels(self._pictures, self._processor, digests)
            for i, ids in zip(
                part, self._greedy(model, [prompts[i] for i in part], seen), strict=True
            ):
                said[i] = self._tokeniser.text(ids)
        return said

    @torch.no_grad()
    def _greedy(self, model: Any, prompts: list[list[int]], seen: Tensor) -> list[list[int]]:
        from transformers import DynamicCache

        weight = model.get_input_embeddings().weight
        longest, pad = max(map(len, prompts)), self._tokeniser.pad
        ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=weight.device)
        real = torch.tensor(
            [[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=weight.device
        )
        positions = (real.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache(config=model.config.text_config)
        said: list[list[int]] = [[] for _ in prompts]
        open_ = set(range(len(prompts)))
        looked: dict[str, Any] = {"pixel_values": seen.to(weight.device, weight.dtype)}
        for _ in range(self._longest):
            with self._ranks.precision(self._bf16):
                logits = model(
                    input_ids=ids,
                    attention_mask=real,
                    position_ids=positions,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                    **looked,
                ).logits
            chosen = logits[:, -1].argmax(-1)
            for row in sorted(open_):
                id_ = int(chosen[row])
                if id_ == self._tokeniser.end:
                    open_.discard(row)
                else:
                    said[row].append(id_)
            if not open_:
                break
            ids, positions, looked = chosen[:, None], positions[:, -1:] + 1, {}
            real = torch.cat((real, torch.ones_like(ids)), 1)
        return said


def spread(questions: Sequence[Question], most: int) -> list[Question]:
    """At most `most` of the questions, evenly over the file, which may be in an order."""
    if len(questions) <= most:
        return list(questions)
    return [questions[int(i)] for i in np.linspace(0, len(questions) - 1, most)]


def mark(question: Question, said: str) -> float:
    """1 or 0 for a true/false answer, else the F1 of the words said against the reference's."""
    if question.of_defect:
        first = _WORDS.findall(said.lower())[:1]
        truth = _TRUTH[_WORDS.findall(question.answer.lower())[0]]
        return float(bool(first) and _TRUTH.get(first[0]) is truth)
    return f1(said, question.answer)


def f1(said: str, reference: str) -> float:
    """Harmonic mean of the shares of words in common (Rajpurkar et al. 2016), letter case aside."""
    one, other = (Counter(_WORDS.findall(text.lower())) for text in (said, reference))
    common = (one & other).total()
    return 2 * common / (one.total() + other.total()) if common else 0.0
