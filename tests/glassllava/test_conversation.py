"""The LLaVA record there and back, and the records that nothing would be learnt from."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from glassllava.conversation import (
    Conversation,
    Turn,
    read_conversations,
    write_conversations,
)
from glassllava.errors import BadInput

_ONE = Conversation(
    id="a-1",
    image="a.tif",
    turns=(Turn("What is it?", "A crack."), Turn("Why?", "Its tips are sharp.")),
    features=("crack",),
    defect=True,
    context_level="high",
    question_type="complex",
    checked_by="reviewer",
)


def test_there_and_back(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    assert write_conversations(file, [_ONE]) == 1
    assert list(read_conversations(file)) == [_ONE]
    assert _ONE.to_json()["conversations"][0] == {"from": "human", "value": "<image>\nWhat is it?"}


def _broken(change: str) -> dict[str, Any]:
    data = copy.deepcopy(_ONE.to_json())
    said = data["conversations"]
    if change == "no image":
        said[0]["value"] = "What is it?"
    elif change == "two images":
        said[2]["value"] = "<image> Why?"
    elif change == "empty answer":
        said[1]["value"] = "  "
    elif change == "odd":
        said.pop()
    elif change == "order":
        said.reverse()
    elif change == "level":
        data["context_level"] = "some"
    elif change == "feature":
        data["features"] = ["crakc"]
    return data


@pytest.mark.parametrize(
    "change", ["no image", "two images", "empty answer", "odd", "order", "level", "feature"]
)
def test_a_record_that_teaches_nothing_is_an_error(change: str) -> None:
    with pytest.raises(BadInput):
        Conversation.from_json(_broken(change))


@pytest.mark.parametrize(
    "change",
    [
        {"conversations": ["a", "b"]},
        {"conversations": [{"from": "human", "value": None}, {"from": "gpt", "value": "x"}]},
        {"conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt"}]},
        {"features": "crack"},
        {"features": [["crack"]]},
        {"defect": "no"},
        {"defect": 0},
        {"question_type": "hard"},
        {"context_level": ["none"]},
    ],
)
def test_a_record_of_other_types_is_an_error(change: dict[str, Any]) -> None:
    """ "no" would count as a defect, and a word of letters as that many features."""
    with pytest.raises(BadInput, match="a-1"):
        Conversation.from_json({**_ONE.to_json(), **change}, "c.json")


def test_a_file_that_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(BadInput, match="not a JSON list"):
        list(read_conversations(tmp_path / "c.json"))


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    """JSON can write a lone surrogate, which no tokenizer and no file takes."""
    path = tmp_path / "x.json"
    write_conversations(path, [Conversation("a", "a.png", (Turn("Is it?", "Yes."),))])
    path.write_text(path.read_text("utf-8").replace("Yes.", "Yes \\ud800"), "utf-8")
    with pytest.raises(BadInput, match=r"a: A text holds half a character"):
        list(read_conversations(path))
