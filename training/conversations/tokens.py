"""A conversation as token ids, and which of them are learnt: the answers and their ends.

Through the checkpoint's own chat template. Where that marks answers by `{% generation %}`, its mask
says where an answer ends, else the longest common prefix of two renderings does. Learning begins in
either case where generating will: after the very tokens of the prompt; a tokenizer that cuts the
text elsewhere is refused, since what it would be taught could never be said. Knows no pictures'
pixels and no weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassllava.conversation import Conversation
from glassllava.errors import BadInput, GlassError, ModelUnavailable
from glassllava.model import processing
from glassllava.model.wording import spelt

Array = np.ndarray[Any, Any]

#: What a token is: given, or learnt as a part of a text or of a true/false answer's first word.
GIVEN, TEXT, VERDICT = -1, 0, 1
KINDS = ("text", "verdict")
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
_VERDICT = re.compile(r"(yes|no|true|false)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation in tokens: `kinds` says of each token whether and as what it is learnt."""

    id: str
    ids: Array  # (L,) int32; the picture's cells stand in it
    kinds: Array  # (L,) int8

    @property
    def length(self) -> int:
        return len(self.ids)


class Tokeniser:
    """Turns conversations into tokens with one checkpoint's processor.

    Parameters
    ----------
    longest : tokens that a conversation may have, its picture's cells among them.
    """

    def __init__(self, processor: Any, longest: int) -> None:
        self._processor, self._tokenizer = processor, processor.tokenizer
        self.longest = longest
        self.cells = cells_of(processor)
        self.image = int(processor.image_token_id)
        self.pad = int(self._tokenizer.pad_token_id or 0)
        self.end = int(self._tokenizer.eos_token_id)
        self._marked = bool(_GENERATION.search(processor.chat_template or ""))

    def example(self, conversation: Conversation) -> Example:
        """The conversation in tokens.

        Raises
        ------
        BadInput : names the conversation: nothing to learn, too long, a tokenizer that disagrees
            with the chat template, not one image token.
        """
        where = f"conversation '{conversation.id}'"
        messages = self._messages(conversation)
        whole, marked = self._encode(messages, mark=self._marked)
        ids: list[int] = []
        kinds: list[int] = []
        done = 0  # tokens of `whole` that stand in `ids`
        for number, turn in enumerate(conversation.turns):
            asked, _ = self._encode(messages[: 2 * number + 1], ask=True)
            if whole[: len(asked)] != asked:
                raise BadInput(
                    "The tokenizer cuts the text otherwise where an answer begins than the chat "
                    "template's prompt does: what is learnt could never be said",
                    where=where,
                    remedy="Let the template's prompt end without a blank, as 'ASSISTANT:' does, "
                    "and the answer begin with it.",
                )
            end = self._end_of_answer(whole, marked, len(asked), messages[: 2 * number + 2])
            answer = self._said(whole[len(asked) : end])
            if not answer:
                raise BadInput("An answer is empty: nothing would be learnt from it", where=where)
            if self._tokenizer.unk_token_id in answer and self._tokenizer.unk_token_id != self.end:
                raise BadInput(
                    f"The tokenizer cannot spell the answer '{turn.answer[:60]}'",
                    where=where,
                    remedy="Write it in signs that the checkpoint knows.",
                )
            given = whole[done : len(asked)]
            ids += [*given, *answer, self.end]
            first = self._first_word(answer, verdict_word(turn.answer, conversation.defect))
            kinds += [GIVEN] * len(given) + [VERDICT] * first + [TEXT] * (len(answer) + 1 - first)
            done = end + (whole[end : end + 1] == [self.end])
        return self._finished(ids, kinds, where, conversation.id)

    def prompt(self, question: str) -> list[int]:
        """The tokens after which the answer to a first question is generated."""
        messages = [_message("user", self._plain(question), picture=True)]
        ids, _ = self._encode(messages, ask=True)
        return self._with_cells(ids, "the chat template")

    def text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def length(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _finished(self, ids: list[int], kinds: list[int], where: str, name: str) -> Example:
        at = ids.index(self.image) if self.image in ids else 0
        ids = self._with_cells(ids, where)
        kinds = kinds[:at] + [GIVEN] * (self.cells - 1) + kinds[at:]
        if len(ids) > self.longest:
            raise BadInput(
                f"The conversation has {len(ids)} tokens with its answers; the context holds "
                f"{self.longest}",
                where=where,
                remedy="Shorten its context or answers, or split its turns.",
            )
        return Example(name, np.asarray(ids, np.int32), np.asarray(kinds, np.int8))

    def _with_cells(self, ids: list[int], where: str) -> list[int]:
        if ids.count(self.image) != 1:
            raise BadInput(
                f"{ids.count(self.image)} image tokens in the text: there must be one",
                where=where,
                remedy="The chat template must write the image token once, for the picture.",
            )
        at = ids.index(self.image)
        return ids[:at] + [self.image] * self.cells + ids[at + 1 :]

    def _messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        messages = []
        for number, turn in enumerate(conversation.turns):
            messages.append(_message("user", self._plain(turn.question), picture=number == 0))
            messages.append(_message("assistant", self._plain(turn.answer)))
        return messages

    def _plain(self, text: str) -> str:
        # People's words spell no end, no picture and no other mark, as at inference.
        return spelt(text, self._tokenizer.all_special_tokens)

    def _encode(
        self, messages: list[dict[str, Any]], *, ask: bool = False, mark: bool = False
    ) -> tuple[list[int], list[int]]:
        """Token ids of `messages`, and 1 for each in an answer where `mark` asks for it."""
        text = self._processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=ask
        )
        bos = self._tokenizer.bos_token
        special = bos is None or not text.startswith(bos)
        ids = list(self._tokenizer(text, add_special_tokens=special)["input_ids"])
        if not mark:
            return ids, []
        # The processor would want the pixels; its tokenizer marks answers without them.
        made = self._tokenizer.apply_chat_template(
            messages,
            chat_template=self._processor.chat_template,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        before = len(ids) - len(made["input_ids"])  # what the tokenizer writes before every text
        return ids, [0] * before + list(map(int, made["assistant_masks"]))

    def _end_of_answer(
        self, whole: list[int], marked: list[int], start: int, messages: list[dict[str, Any]]
    ) -> int:
        upto, _ = self._encode(messages)
        end = next(
            (i for i, (a, b) in enumerate(zip(upto, whole, strict=False)) if a != b),
            min(len(upto), len(whole)),
        )
        if not marked:
            return end
        return max((i + 1 for i in range(start, end) if marked[i]), default=start)

    def _said(self, answer: list[int]) -> list[int]:
        """Without the end, which is written once after every answer, and blanks before it."""
        answer = [id_ for id_ in answer if id_ != self.end]
        while answer and not self._tokenizer.decode(answer[-1:]).strip():
            answer.pop()
        return answer

    def _first_word(self, answer: list[int], word: str) -> int:
        """How many tokens of an answer are its first word `word`; 0 for none."""
        lengths = range(1, len(answer) + 1) if word else ()
        return next((n for n in lengths if len(self.text(answer[:n])) >= len(word)), 0)


def _message(role: str, text: str, picture: bool = False) -> dict[str, Any]:
    content = [{"type": "image"}] if picture else []
    return {"role": role, "content": [*content, {"type": "text", "text": text}]}


def verdict_word(answer: str, defect: bool | None) -> str:
    """The yes, no, true or false that a true/false answer begins with; empty for another answer.

    An answer is one if it is the word alone, or if the conversation is of a defect or of none.
    """
    found = _VERDICT.match(answer.strip())
    alone = found is not None and answer.strip().strip(".") == found[0]
    return found[0] if found is not None and (alone or defect is not None) else ""


def cells_of(processor: Any) -> int:
    """How many image tokens the processor counts for a picture."""
    cells = (processing.side_of(processor) // processor.patch_size) ** 2
    cells += processor.num_additional_image_tokens
    return int(cells - (processor.vision_feature_select_strategy == "default"))


def check_agreement(processor: Any, model: Any, features: int) -> None:
    """That processor and model mean the same by a picture and by a token.

    Parameters
    ----------
    features : how many the tower gave for a picture.

    Raises
    ------
    ModelUnavailable : where they do not.
    """
    cells, tokenizer = cells_of(processor), processor.tokenizer
    rows = model.get_input_embeddings().weight.shape[0]
    for wrong, what, remedy in (
        (
            cells != features,
            f"The processor counts {cells} image tokens for a picture, the model sees {features}",
            "Make patch_size, num_additional_image_tokens (1 for a tower with a class token) and "
            "vision_feature_select_strategy of processor_config.json fit the tower.",
        ),
        (
            processor.image_token_id != model.config.image_token_index,
            f"The image token is {processor.image_token_id} to the tokenizer and "
            f"{model.config.image_token_index} to the model",
            "Make image_token_index of config.json that of the tokenizer.",
        ),
        (
            len(tokenizer) > rows,
            f"The tokenizer has {len(tokenizer)} tokens, the model {rows}",
            "Use the tokenizer that the checkpoint was made with.",
        ),
        (
            tokenizer.eos_token_id is None or not processor.chat_template,
            "The tokenizer has no end token, or the processor no chat template",
            "Use a checkpoint with both: an answer must know how to begin and to end.",
        ),
    ):
        if wrong:
            raise ModelUnavailable(what, where="the checkpoint to start from", remedy=remedy)


def tokenise(
    conversations: Sequence[Conversation],
    tokeniser: Tokeniser,
    told: Callable[[int, int], None] | None = None,
) -> list[Example]:
    """Every conversation in tokens, before the first step; `told` is (done, of all).

    Raises
    ------
    BadInput : names the conversations that cannot be learnt from.
    """
    examples, errors = [], list[tuple[str, GlassError]]()
    for number, conversation in enumerate(conversations, start=1):
        try:
            examples.append(tokeniser.example(conversation))
        except BadInput as error:
            errors.append((conversation.id, error))
        if told is not None:
            told(number, len(conversations))
    refuse(errors, len(conversations))
    return examples


def refuse(errors: Sequence[tuple[str, GlassError]], of: int) -> None:
    """Raise the first error, naming the others' conversations; nothing where there is none."""
    if not errors:
        return
    name, first = errors[0]
    if len(errors) == 1:
        raise first
    others = ", ".join(name for name, _ in errors[1:9]) + (", …" if len(errors) > 9 else "")
    raise BadInput(
        f"{first.what} ({len(errors)} of {of} conversations cannot be learnt from; the others: "
        f"{others})",
        where=first.where if name in first.where else f"conversation '{name}', {first.where}",
        remedy=first.remedy,
    )
