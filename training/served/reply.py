"""What is sent for a question, and what may be believed of a reply: hostile until looked at.

Knows the chat format. A reply is a document of any form; text, tokens and the reason why it ended
are taken from it with their types checked, or it is unusable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glassllava.quotation import visible
from training.served.purse import Tokens
from training.served.schema import NotAsAsked, is_strict, read_reply

if TYPE_CHECKING:
    from training.served.server import Ask

#: Parameters that some servers refuse; a question is asked without them then.
OPTIONAL = ("response_format", "max_tokens", "temperature", "seed")

_SHAPE = "Reply with one JSON value that this schema allows, and with nothing else: {schema}"
_CHARACTERS_PER_TOKEN = 20  # a reply with more was not cut where it had to be
_MOST_TOKENS = 10**8  # of one call; a number beyond is nonsense


class Unusable(Exception):
    """A reply that was paid for and cannot be used.

    `is_worth_another` is False where the same question would end alike; `is_cut` where the reply
    ran into the length that was asked for.
    """

    def __init__(self, why: str, *, is_worth_another: bool = True, is_cut: bool = False) -> None:
        super().__init__(why)
        self.why, self.is_worth_another, self.is_cut = why, is_worth_another, is_cut


def body_of(ask: Ask, model: str, seed: int, refused: frozenset[str]) -> dict[str, Any]:
    """The arguments of the call, without the parameters that the server refused before."""
    body: dict[str, Any] = {"model": model, "messages": list(ask.messages)}
    body |= {"temperature": 0, "seed": seed, "max_tokens": ask.longest}
    if ask.schema is not None:
        shape = {"name": "reply", "schema": ask.schema, "strict": is_strict(ask.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    if "max_tokens" in refused:  # models that reason before they answer know it by another name
        body["max_completion_tokens"] = ask.longest
    if ask.schema is not None and "response_format" in refused:
        told = {"role": "system", "content": _SHAPE.format(schema=json.dumps(ask.schema))}
        body["messages"] = [told, *body["messages"]]
    return {name: value for name, value in body.items() if name not in refused}


def model_of(document: Any) -> str:
    """The model as the server names it, with its version where it has one; may be empty."""
    told = document.get("model") if isinstance(document, dict) else None
    return visible(told)[:100].strip() if isinstance(told, str) else ""


def text_of(document: Any, schema: Mapping[str, Any] | None) -> str:
    """The words of a reply.

    Raises
    ------
    Unusable : for a refusal, a reply without words or with more than one form allows, and for
        JSON that was cut. Plain text that was cut is text.
    """
    choices = document.get("choices") if isinstance(document, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise Unusable("it holds no choice with a message")
    ended = choice.get("finish_reason")
    if message.get("refusal") or ended == "content_filter":
        raise Unusable("the model declined to answer", is_worth_another=False)
    if ended == "length" and schema is not None:
        raise Unusable("it was longer than allowed and was cut", is_cut=True)
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise Unusable("it is empty")
    return text


def checked(text: str, schema: Mapping[str, Any] | None, longest: int) -> str:
    """`text` without control characters, as JSON of the shape asked for where one was.

    Raises
    ------
    Unusable : where it is far longer than allowed, or not of that shape.
    """
    if len(text) > longest * _CHARACTERS_PER_TOKEN:
        raise Unusable("it is far longer than allowed")
    if schema is None:
        return visible(text).strip()
    try:
        return json.dumps(read_reply(text, schema), ensure_ascii=False)
    except NotAsAsked as error:
        raise Unusable(str(error)) from None


def tokens_of(document: Any) -> Tokens | None:
    """What the server counted, or None where it tells nothing that can be true."""
    usage = document.get("usage") if isinstance(document, dict) else None
    if not isinstance(usage, dict):
        return None
    told = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    numbers = [one for one in told if isinstance(one, int) and not isinstance(one, bool)]
    if len(numbers) != 2 or not all(0 <= one < _MOST_TOKENS for one in numbers):
        return None
    return Tokens(*numbers)
