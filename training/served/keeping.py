"""Answers kept as files, one for each question, under a hash of all that decides the answer.

A file is whole or not there: it is written beside its place, forced to the disk and renamed. Holds
no question and no picture, only what was answered, by whom and for how many tokens.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import RunUnavailable
from training.served.purse import Tokens

if TYPE_CHECKING:
    from training.served.server import Ask

_FORM = 1  # of the files; another number is another folder's business
_LARGEST_FILE = 16 << 20
_DATA_URL = re.compile(r"data:([\w.+/-]*);base64,(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """One kept answer. `why_not` says why a paid reply could not be used.

    `is_first` marks an unusable reply after which the question was to be asked once more, `is_cut`
    one that ran into the length asked for.
    """

    text: str
    tokens: Tokens
    model: str
    why_not: str = ""
    is_first: bool = False
    is_cut: bool = False


def content_hash(ask: Ask, *, host: str, model: str, seed: int) -> str:
    """All that decides an answer: who is asked, what, in which shape and how long."""
    told = {
        "host": host,
        "model": model,
        "messages": _with_hashes(list(ask.messages)),
        "schema": ask.schema,
        "longest": ask.longest,
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def words_in(ask: Ask) -> str:
    """Every word of the question that counts as text: messages and the shape asked for."""
    shape = json.dumps(ask.schema) if ask.schema is not None else ""
    return "\n".join([*_strings(list(ask.messages)), shape])


def images_in(ask: Ask) -> int:
    return sum(
        part.get("type") == "image_url"
        for message in ask.messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )


class Kept:
    """The folder of answers."""

    def __init__(self, folder: Path, *, again: bool = False) -> None:
        self._folder = folder
        self._again = again  # unusable replies count as not kept
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def get(self, name: str) -> Answer | None:
        """The answer kept under `name`; a file that is torn or of another form is none."""
        path = self._path(name)
        try:
            if path.stat().st_size > _LARGEST_FILE:
                return None
            told = json.loads(path.read_text("utf-8"))
            if told["form"] != _FORM:
                return None
            tokens = Tokens(int(told["prompt_tokens"]), int(told["completion_tokens"]))
            texts = [told[key] for key in ("text", "model", "why_not")]
            marks = [bool(told[key]) for key in ("is_first", "is_cut")]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        if not all(isinstance(text, str) for text in texts) or (texts[2] and self._again):
            return None
        return Answer(texts[0], tokens, texts[1], texts[2], *marks)

    def put(self, name: str, answer: Answer, host: str) -> None:
        """Keep `answer` for good.

        Raises
        ------
        RunUnavailable : where it cannot be written, such as on a full disk.
        """
        document = {
            "form": _FORM,
            "text": answer.text,
            "prompt_tokens": answer.tokens.prompt,
            "completion_tokens": answer.tokens.completion,
            "model": answer.model,
            "why_not": answer.why_not,
            "is_first": answer.is_first,
            "is_cut": answer.is_cut,
            "host": host,
        }
        path = self._path(name)
        unfinished = None
        try:
            path.parent.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False
            ) as file:
                unfinished = Path(file.name)
                json.dump(document, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as error:
            if unfinished is not None:
                unfinished.unlink(missing_ok=True)
            raise _unwritable(path, error) from error

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.json"


def _with_hashes(value: Any) -> Any:
    """`value` with each picture replaced by the hash of its bytes."""
    if isinstance(value, str) and (match := _DATA_URL.fullmatch(value)):
        try:
            picture = base64.b64decode(match[2], validate=True)
        except binascii.Error:
            return value
        return {"picture": match[1], "sha256": hashlib.sha256(picture).hexdigest()}
    if isinstance(value, Mapping):
        return {key: _with_hashes(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_hashes(one) for one in value]
    return value


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [] if _DATA_URL.fullmatch(value) else [value]
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in _strings(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _strings(one)]
    return []


def _unwritable(path: Path, error: OSError) -> RunUnavailable:
    return RunUnavailable(
        f"An answer cannot be written ({error.strerror or error})",
        where=path,
        remedy="Free space on the disk or check the folder's rights; then run the same again.",
    )
