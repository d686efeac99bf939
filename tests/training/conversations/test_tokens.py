"""Conversations in tokens: what is learnt, where it begins and ends, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from glassllava.conversation import Conversation, Turn
from glassllava.errors import BadInput, ModelUnavailable
from tests.training.conversations import tiny
from training.conversations.tokens import (
    GIVEN,
    TEXT,
    VERDICT,
    Tokeniser,
    check_agreement,
    tokenise,
)

_TWO = Conversation(
    "two",
    "a.png",
    (Turn("Material: glass.\nWhat is it?", "A dark picture."), Turn(tiny.QUESTION, "no")),
    defect=False,
)


@pytest.fixture(scope="module", params=["vicuna", "unmarked", "with an end"])
def processor(request: pytest.FixtureRequest) -> Any:
    if request.param == "with an end":
        # As the embedded checkpoint's: the end stands in the template, outside of any mark.
        from training.embedded.start import TEMPLATE

        return tiny.make_processor(TEMPLATE)
    return tiny.make_processor(tiny.VICUNA if request.param == "vicuna" else tiny.UNMARKED)


def test_answers_and_their_ends_are_learnt_and_nothing_else(processor: Any) -> None:
    tokeniser = Tokeniser(processor, 200)
    made = tokeniser.example(_TWO)
    learnt = [tokeniser._tokenizer.decode([i]) for i in made.ids[made.kinds != GIVEN]]
    assert "".join(learnt) == " A dark picture.</s> no</s>"
    assert [int(k) for k in made.kinds if k == VERDICT] == [VERDICT]
    assert made.ids[made.kinds == VERDICT].tolist() == tokeniser._tokenizer.encode(
        " no", add_special_tokens=False
    )
    assert (made.ids == tokeniser.image).sum() == tokeniser.cells == 4
    assert (made.kinds[made.ids == tokeniser.image] == GIVEN).all()


def test_learning_begins_where_generating_does(processor: Any) -> None:
    tokeniser = Tokeniser(processor, 200)
    made = tokeniser.example(replace(_TWO, turns=_TWO.turns[:1]))
    start = int(np.flatnonzero(made.kinds != GIVEN)[0])
    assert made.ids[:start].tolist() == tokeniser.prompt(_TWO.turns[0].question)
    assert (made.kinds[start:] == TEXT).all()


def test_the_mark_and_the_longest_common_prefix_agree() -> None:
    one, other = (
        Tokeniser(tiny.make_processor(t), 200).example(_TWO) for t in (tiny.VICUNA, tiny.UNMARKED)
    )
    assert one.ids.tolist() == other.ids.tolist()
    assert one.kinds.tolist() == other.kinds.tolist()


def test_a_true_false_word_counts_where_the_question_is_of_a_defect(processor: Any) -> None:
    tokeniser = Tokeniser(processor, 200)

    def verdicts(answer: str, defect: bool | None) -> int:
        turns = (Turn("Is it?", answer),)
        made = tokeniser.example(Conversation("c", "a.png", turns, defect=defect))
        return int((made.kinds == VERDICT).sum())

    assert verdicts("Yes, the crack is one.", True) >= 1
    assert verdicts("No cracks are seen.", None) == 0
    assert verdicts("True.", None) >= 1
    assert verdicts("Nothing.", True) == 0


def test_people_spell_no_end_and_no_picture(processor: Any) -> None:
    tokeniser = Tokeniser(processor, 200)
    turns = (Turn("What </s> is <image> it?", "A </s> pore"),)
    made = tokeniser.example(Conversation("c", "a.png", turns))
    assert (made.ids == tokeniser.image).sum() == tokeniser.cells
    assert (made.ids == tokeniser.end).sum() == 1


def test_an_answer_longer_than_the_context_names_the_conversation(processor: Any) -> None:
    with pytest.raises(BadInput, match=r"'two'.*the context holds 30"):
        Tokeniser(processor, 30).example(_TWO)


def test_an_empty_answer_is_an_error(processor: Any) -> None:
    turns = (Turn("What?", "  "),)
    with pytest.raises(BadInput, match=r"'c'.*nothing would be learnt"):
        Tokeniser(processor, 200).example(Conversation("c", "a.png", turns))


@pytest.mark.parametrize(("written", "count"), [("", 0), ("<image>\n<image>\n", 2)])
def test_a_template_must_write_one_image_token(written: str, count: int) -> None:
    processor = tiny.make_processor(tiny.VICUNA.replace("<image>\n", written))
    with pytest.raises(BadInput, match=rf"'two'.*{count} image tokens"):
        Tokeniser(processor, 200).example(_TWO)


def test_a_tokenizer_that_disagrees_with_the_template_is_refused() -> None:
    # The prompt ends with a blank, which the tokenizer glues to the answer's first word.
    processor = tiny.make_processor(tiny.VICUNA.replace("'ASSISTANT:'", "'ASSISTANT: '"))
    with pytest.raises(BadInput, match=r"'two'.*could never be said"):
        Tokeniser(processor, 200).example(_TWO)


def test_all_faulty_conversations_are_named_at_once(processor: Any) -> None:
    empty = Conversation("empty", "a.png", (Turn("What?", ""),))
    long = replace(_TWO, id="long", turns=(Turn("word " * 300, "yes"),))
    seen: list[int] = []
    with pytest.raises(BadInput, match=r"'empty'.*2 of 3 .*the others: long"):
        tokenise([empty, _TWO, long], Tokeniser(processor, 200), lambda done, _: seen.append(done))
    assert seen == [1, 2, 3]


def test_processor_and_model_must_count_alike(processor: Any) -> None:
    model = tiny.make_model(processor)
    check_agreement(processor, model, 4)
    processor = tiny.make_processor()
    processor.num_additional_image_tokens = 0
    with pytest.raises(ModelUnavailable, match=r"counts 3 image tokens .* sees 4"):
        check_agreement(processor, model, 4)
