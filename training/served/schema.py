"""The shape that a reply must have, and whether it has it.

Knows the part of JSON Schema that questions here use, and refuses any other keyword when the
question is made, so that no rule is believed to be checked that is not. Replies are hostile: any
depth, any size within what was read, any type.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from glassllava.quotation import visible

_KNOWN = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "minimum"),
    *("maximum", "minItems", "maxItems", "minLength", "maxLength", "description", "title"),
}
_TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}


class NotAsAsked(ValueError):
    """A reply that has not the shape asked for; the message says where."""


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refuse a schema that `fit` would not check whole: that is a mistake of the program.

    Raises
    ------
    ValueError : for a keyword or a type that is not known here.
    """
    if unknown := set(schema) - _KNOWN:
        raise ValueError(f"keywords that are not checked: {', '.join(sorted(unknown))}")
    if unknown := set(_types(schema)) - _TYPES:
        raise ValueError(f"types that are not checked: {', '.join(sorted(unknown))}")
    for part in schema.get("properties", {}).values():
        check_schema(part)
    if "items" in schema:
        check_schema(schema["items"])


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether servers can hold a reply to `schema`: every property required and no other."""
    named = schema.get("properties", {})
    if "object" in _types(schema) and (
        schema.get("additionalProperties") is not False
        or set(schema.get("required", ())) != set(named)
    ):
        return False
    parts = [*named.values(), *([schema["items"]] if "items" in schema else [])]
    return all(map(is_strict, parts))


def read_reply(text: str, schema: Mapping[str, Any]) -> Any:
    """The value in the JSON `text`, of the shape `schema`, without any control character.

    A fence of Markdown around it is allowed: servers that cannot be held to a shape write one.

    Raises
    ------
    NotAsAsked : for anything else.
    """
    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```") and "\n" in bare:
        bare = bare[bare.index("\n") : -3]
    try:
        value = json.loads(bare, parse_constant=_no_constant)
    except RecursionError:
        raise NotAsAsked("the JSON is nested too deep") from None
    except ValueError as error:
        raise NotAsAsked(f"it is not JSON ({_short(str(error))})") from None
    return _fit(value, schema, "the reply")


def _fit(value: Any, schema: Mapping[str, Any], where: str) -> Any:
    types = _types(schema)
    if types and not any(_is(value, kind) for kind in types):
        raise NotAsAsked(f"{where} is not of type {' or '.join(types)}")
    if isinstance(value, str):
        value = visible(value)
    if "enum" in schema and not any(
        value == one and type(value) is type(one) for one in schema["enum"]
    ):
        raise NotAsAsked(f"{where} is none of the words that were offered")
    if isinstance(value, str):
        _within(len(value), schema, "minLength", "maxLength", f"the length of {where}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _within(value, schema, "minimum", "maximum", where)
    elif isinstance(value, list):
        _within(len(value), schema, "minItems", "maxItems", f"the number of entries of {where}")
        if "items" in schema:
            value = [_fit(one, schema["items"], f"{where}[{n}]") for n, one in enumerate(value)]
    elif isinstance(value, dict):
        named = schema.get("properties", {})
        if missing := [key for key in schema.get("required", ()) if key not in value]:
            raise NotAsAsked(f"{where} lacks {', '.join(missing)}")
        if schema.get("additionalProperties") is False and set(value) - set(named):
            raise NotAsAsked(f"{where} holds more than was asked for")
        value = {
            visible(key): _fit(one, named.get(key, {}), f"{where}.{key}" if key in named else where)
            for key, one in value.items()
        }
    return value


def _types(schema: Mapping[str, Any]) -> list[str]:
    told = schema.get("type", [])
    return [told] if isinstance(told, str) else list(told)


def _is(value: Any, kind: str) -> bool:
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("integer", "number"):
        is_number = isinstance(value, int) or (kind == "number" and isinstance(value, float))
        return (
            is_number
            and not isinstance(value, bool)
            and (isinstance(value, int) or math.isfinite(value))
        )
    return isinstance(value, {"object": dict, "array": list, "string": str}[kind])


def _within(value: float, schema: Mapping[str, Any], least: str, most: str, what: str) -> None:
    if not schema.get(least, -math.inf) <= value <= schema.get(most, math.inf):
        raise NotAsAsked(f"{what} is outside {schema.get(least, '')}…{schema.get(most, '')}")


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _short(text: str) -> str:
    return visible(text)[:120]
