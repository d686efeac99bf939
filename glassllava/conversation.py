"""The LLaVA training record: written by exports of reviewed runs, read by training.

`id`, `image` and `conversations` are LLaVA's own; the rest says where a pair came from and what is
known of it. A record that a trainer would silently learn nothing from is an error here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from glassllava import features
from glassllava.errors import BadInput
from glassllava.sample import LEVELS, ContextLevel

IMAGE_TOKEN = "<image>"  # noqa: S105  # a placeholder, not a secret
_LARGEST_FILE = 1 << 30


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """One micrograph and what is said of it. `defect` is None where it depends."""

    id: str
    image: str
    turns: tuple[Turn, ...]
    paper: str = ""
    licence: str = ""
    split: str = "train"
    features: tuple[str, ...] = ()
    defect: bool | None = None
    context_level: ContextLevel = "none"
    question_type: Literal["simple", "complex"] = "simple"
    answer_source: str = ""
    checked_by: str = ""

    def to_json(self) -> dict[str, Any]:
        """As LLaVA's tools read it: the image token stands before the first question."""
        said = []
        for number, turn in enumerate(self.turns):
            head = f"{IMAGE_TOKEN}\n" if number == 0 else ""
            said.append({"from": "human", "value": head + turn.question})
            said.append({"from": "gpt", "value": turn.answer})
        rest = asdict(self)
        del rest["turns"]
        rest["features"] = list(self.features)
        return {"id": self.id, "image": self.image, "conversations": said, **rest}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str | Path = "conversation") -> Conversation:
        """A record from untrusted JSON.

        Raises
        ------
        BadInput : for a missing or a second image token, an empty answer, turns that do not
            alternate, an unknown feature or context level, a value of another type.
        """
        where = f"{where} {data.get('id', '')}".strip()
        said = data.get("conversations")
        if not isinstance(said, list) or not said or len(said) % 2:
            raise BadInput("'conversations' must be pairs of human and gpt", where=where)
        for turn in said:
            if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
                raise BadInput("A turn has no text as its 'value'", where=where)
        turns = []
        for asked, answered in zip(said[::2], said[1::2], strict=True):
            if asked.get("from") != "human" or answered.get("from") != "gpt":
                raise BadInput("The turns do not alternate human, gpt", where=where)
            if not answered["value"].strip():
                raise BadInput("An answer is empty: nothing would be learnt from it", where=where)
            turns.append(Turn(asked["value"], answered["value"]))
        tokens = sum(t.question.count(IMAGE_TOKEN) + t.answer.count(IMAGE_TOKEN) for t in turns)
        if tokens != 1 or IMAGE_TOKEN not in turns[0].question:
            raise BadInput(
                f"{tokens} image tokens: there must be one, in the first question", where=where
            )
        first = turns[0].question.replace(IMAGE_TOKEN, "").strip()
        turns[0] = Turn(first, turns[0].answer)
        level = data.get("context_level", "none")
        if level not in LEVELS:
            raise BadInput(f"'{level}' is not a context level", where=where)
        keys = data.get("features") or []
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise BadInput("'features' must be a list of feature keys", where=where)
        for key in keys:
            features.parent_of(key)
        defect = data.get("defect")
        if defect is not None and not isinstance(defect, bool):
            raise BadInput("'defect' must be true, false or null", where=where)
        question_type = data.get("question_type", "simple")
        if question_type not in ("simple", "complex"):
            raise BadInput("'question_type' must be simple or complex", where=where)
        try:
            json.dumps(dict(data), ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise BadInput(
                "A text holds half a character (a lone surrogate)", where=where
            ) from error
        return cls(
            id=str(data.get("id", "")),
            image=str(data.get("image", "")),
            turns=tuple(turns),
            features=tuple(keys),
            defect=defect,
            context_level=level,
            question_type=question_type,
            **{
                name: str(data.get(name, ""))
                for name in ("paper", "licence", "answer_source", "checked_by")
            },
            split=str(data.get("split", "train")),
        )


def write_conversations(path: Path, conversations: Iterable[Conversation]) -> int:
    """A JSON list in `path`; how many were written."""
    rows = [conversation.to_json() for conversation in conversations]
    try:
        path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise BadInput(f"The conversations cannot be written ({error})", where=path) from error
    return len(rows)


def read_conversations(path: Path) -> Iterator[Conversation]:
    """The conversations in a JSON list.

    Raises
    ------
    BadInput : for a file that is no such list, or a record that `from_json` refuses.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("larger than 1 GB")
        rows = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"The conversations cannot be read ({error})", where=path) from error
    if not isinstance(rows, list):
        raise BadInput("The file is not a JSON list", where=path)
    for row in rows:
        if not isinstance(row, dict):
            raise BadInput("A conversation is not a JSON object", where=path)
        yield Conversation.from_json(row, where=path)
