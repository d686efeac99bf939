"""A checkpoint's words: its chat template around ours, and the pieces that it says yes and no with.

People's words (a sample, a paper) spell no mark of the checkpoint here, whatever they hold. Knows
the tokenizer; does not know the model's weights, nor what a reply means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassllava.model import processing
from glassllava.prompt import Budget

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glassllava.prompt import Enquiry

#: What stands for the words when the chat template is split around them.
_WORDS = "\u241fWORDS\u241f"
#: Tokens of literature, where the checkpoint does not say: about six passages; and the tokens that
#: sample, measurements and questions are left.
_MOST_LITERATURE = 2000
_REST_OF_PROMPT = 700


@dataclass(frozen=True, slots=True)
class Tree:
    """Token ids of one enquiry: the prefix, and the branches that each continue it."""

    prefix: list[int]
    branches: list[list[int]]


class Wording:
    """A checkpoint's words: its chat template around ours, and its pieces for yes and no."""

    def __init__(self, processor: Any) -> None:
        self._tokenizer = processor.tokenizer
        content = [{"type": "image"}, {"type": "text", "text": _WORDS}]
        rendered = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        self._head, self._tail = rendered.split(_WORDS)
        image = processor.image_token
        cells = (processing.side_of(processor) // processor.patch_size) ** 2
        cells += processor.num_additional_image_tokens
        cells -= processor.vision_feature_select_strategy == "default"
        self._cells = cells
        self._head = self._head.replace(image, image * cells)
        # Every token that stands for more than its letters: ends, images, roles, our questions.
        self._marks = {
            text: id_
            for text, id_ in self._tokenizer.get_added_vocab().items()
            if len(text.strip()) > 1
        }
        self.pad = self._tokenizer.pad_token_id or 0
        yes, no = self._starts("yes", "Yes"), self._starts("no", "No")
        # A piece that both begin with (a bare space) says nothing.
        self.yes, self.no = sorted(yes - no), sorted(no - yes)

    def tree(self, enquiry: Enquiry) -> Tree:
        texts = [text for _, text in enquiry.probes] + [enquiry.verdict_text]
        return Tree(self.prefix(enquiry.prefix), [self.branch(text) for text in texts])

    def prefix(self, words: str) -> list[int]:
        """Everything before the first question: picture, sample, evidence."""
        head = self._tokenizer(self._head, add_special_tokens=True)["input_ids"]
        # Sample and literature are other people's: their words spell no turn and no question.
        told = self._plain(f"{spelt(words, self._marks)}\n" if words else "")
        # A tokenizer that folds look-alikes may still have found a mark: it is left out.
        marks = set(self._marks.values())
        return head + [id_ for id_ in told if id_ not in marks]

    def branch(self, question: str) -> list[int]:
        """A question and the template's end, as one text: a piece may span both."""
        return self._plain(question, self._tail)

    def answer(self, text: str) -> list[int]:
        """What follows a branch: " text" and the end. For training."""
        return [*self._plain(f" {text}"), self._tokenizer.eos_token_id]

    def text(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True).strip()

    def length(self, text: str) -> int:
        """How many tokens people's words take."""
        return len(self._plain(text))

    def budget(self, positions: int, longest_text: int) -> Budget:
        """The room that a language model of so many positions leaves for literature, in tokens."""
        room = positions - self._cells - longest_text - _REST_OF_PROMPT
        return Budget(min(max(room, 0), _MOST_LITERATURE), "tokens", self.length)

    def _plain(self, text: str, tail: str = "") -> list[int]:
        # Words that spell a special token (an image, an end) stay words: they come from people.
        text = spelt(text, self._tokenizer.all_special_tokens)
        return self._tokenizer(text + tail, add_special_tokens=False)["input_ids"]

    def _starts(self, *words: str) -> set[int]:
        return {
            self._tokenizer(form, add_special_tokens=False)["input_ids"][0]
            for word in words
            for form in (word, f" {word}")
        }


def spelt(text: str, marks: Iterable[str]) -> str:
    """`text` in which every mark is taken apart into its letters; blanks are no mark."""
    for mark in {mark for mark in marks if len(mark.strip()) > 1}:
        while mark in text:
            text = text.replace(mark, " ".join(mark))
    return text
