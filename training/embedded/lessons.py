"""One micrograph in one context as a tree of token ids with targets: what the loop learns from.

The prefix is shared; each probe, the verdict, the description and an answer are branches that see
the prefix and themselves, exactly as `model.llava` asks at inference. A lesson without a
supervised token is an error.

Beside what the product asks stand asides, in training alone: what the rules would say of other
features in the same sample (`hypotheticals`), and whether a child is there. Knows no optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassllava import prompt
from glassllava.model.llava import additive
from glassllava.model.wording import Wording
from training.embedded import asides, telling
from training.embedded.contexts import HELD, HeldTriples
from training.embedded.dataset import PARENTS

Rng = np.random.Generator
_PREFIX, _PADDING = -1, -2

PROBE, VERDICT, TEXT, HYPOTHETICAL = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Lesson:
    """`places` are positions whose next token is `targets`, of one kind each."""

    row: int  # of the split: which picture
    ids: list[int]
    positions: list[int]
    owner: list[int]
    places: list[int]
    targets: list[int]
    kinds: list[int]


@dataclass(frozen=True, slots=True)
class Batch:
    rows: list[int]
    ids: Tensor  # (B, L)
    positions: Tensor
    mask: Tensor  # (B, 1, L, L), added to the attention scores
    batch_index: Tensor  # (T,): of every supervised place
    places: Tensor
    targets: Tensor
    kinds: Tensor


class Teacher:
    """Writes lessons with one checkpoint's words; keeps what it tokenised.

    `held` triples are asked of nobody in an aside: what is kept out of the contexts of training
    would else be told here.
    """

    def __init__(self, words: Wording, held: HeldTriples = HELD) -> None:
        self.words, self.held = words, held
        tokenizer = words._tokenizer
        self.yes = tokenizer(" yes", add_special_tokens=False)["input_ids"][0]
        self.no = tokenizer(" no", add_special_tokens=False)["input_ids"][0]
        self._probes = [words.branch(prompt.probe_text(parent)) for parent in PARENTS]
        self._verdict = words.branch(prompt._VERDICT)
        self._describe = words.branch(prompt._DESCRIBE)
        self._asides: dict[str, list[int]] = {}

    def lesson(
        self,
        row: int,
        record: Mapping[str, Any],
        context: Mapping[str, Any],
        level: str,
        rng: Rng | None,
        beside: Rng | None = None,
    ) -> Lesson:
        """The tree of one enquiry; with `rng`, description and an answer too; with `beside`, up to
        six hypotheticals and four children that are asked for."""
        branches: list[tuple[list[int], list[int], int]] = []
        for parent, question in zip(PARENTS, self._probes, strict=True):
            target = self.yes if parent in record["present"] else self.no
            branches.append((question, [target], PROBE))
        # An open verdict teaches nothing, but its branch is asked all the same.
        defect = context["defect"]
        verdict = [] if defect is None else [self.yes if defect else self.no]
        branches.append((self._verdict, verdict, VERDICT))
        if rng is not None:
            said = telling.describe(record, context, level, rng)
            branches.append((self._describe, self.words.answer(said), TEXT))
            question_text, said = telling.converse(record, context, level, rng)
            question = self.words.branch(question_text)
            branches.append((question, self.words.answer(said), TEXT))
        if beside is not None:
            branches += self._aside_branches(record, context, level, beside)
        prefix = self.words.prefix(context["levels"][level]["prefix"])
        ids, owner = list(prefix), [_PREFIX] * len(prefix)
        positions = list(range(len(prefix)))
        places: list[int] = []
        targets: list[int] = []
        kinds: list[int] = []
        for number, (question, answer, kind) in enumerate(branches):
            places += [len(ids) + len(question) - 1 + j for j in range(len(answer))]
            targets += answer
            kinds += [kind] * len(answer)
            tokens = question + answer[:-1]
            ids += tokens
            owner += [number] * len(tokens)
            positions += [len(prefix) + j for j in range(len(tokens))]
        if not targets:
            raise ValueError(f"the lesson on seed {record['seed']} supervises no token")
        return Lesson(row, ids, positions, owner, places, targets, kinds)

    def _aside_branches(
        self, record: Mapping[str, Any], context: Mapping[str, Any], level: str, rng: Rng
    ) -> list[tuple[list[int], list[int], int]]:
        would = asides.hypotheticals(context, level, self.held, rng)
        asked = [(said, HYPOTHETICAL) for said in would]
        asked += [(said, PROBE) for said in asides.children_asked(record, context, rng)]
        return [
            (self._question(text), [self.yes if answer else self.no], kind)
            for (text, answer), kind in asked
        ]

    def _question(self, text: str) -> list[int]:
        if text not in self._asides:
            self._asides[text] = self.words.branch(text)
        return self._asides[text]


def collate(lessons: Sequence[Lesson], pad: int) -> Batch:
    """Lessons padded on the right, with the mask of their trees."""
    longest = max(len(lesson.ids) for lesson in lessons)

    def padded(name: str, fill: int) -> Tensor:
        rows = [getattr(lesson, name) for lesson in lessons]
        return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])

    owner = padded("owner", _PADDING)
    key, query = owner[:, None, :], owner[:, :, None]
    seen = ((key == _PREFIX) | (key == query)) & torch.ones(longest, longest).tril().bool()
    return Batch(
        rows=[lesson.row for lesson in lessons],
        ids=padded("ids", pad),
        positions=padded("positions", 0),
        mask=additive(seen[:, None], torch.float32),
        batch_index=torch.tensor([b for b, x in enumerate(lessons) for _ in x.places]),
        places=torch.tensor([p for x in lessons for p in x.places]),
        targets=torch.tensor([t for x in lessons for t in x.targets]),
        kinds=torch.tensor([k for x in lessons for k in x.kinds]),
    )


def logits_at(model: Any, batch: Batch, features: Tensor, index: Tensor, places: Tensor) -> Tensor:
    """(T, vocabulary) next-token logits at `places`; `features` (B, cells, hidden) untouched."""
    embedded = model.get_input_embeddings()(batch.ids)
    seen = model.model.multi_modal_projector(features).to(embedded.dtype)
    where = (batch.ids == model.config.image_token_index)[..., None]
    embedded = embedded.masked_scatter(where, seen)
    hidden = model.model.language_model(
        inputs_embeds=embedded,
        attention_mask=batch.mask.to(embedded.dtype),
        position_ids=batch.positions,
        use_cache=False,
    ).last_hidden_state
    return model.lm_head(hidden[index, places])
