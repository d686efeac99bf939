"""Changes to a recipe from the command line: `stage.key=value`, checked against what there is.

Knows a recipe's nouns and their types; knows nothing of what they do.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from glassllava.errors import BadInput
from training.recipe import TrainingRecipe


def adjusted(recipe: TrainingRecipe, changes: Sequence[str]) -> TrainingRecipe:
    """The recipe with every change made: `seed=3`, `data.longest=1024`, `projector.epochs=2`,
    `projector.rates.multi_modal_projector=1e-3`.

    Raises
    ------
    BadInput : for an unknown name, with the nearest known one, or a value of another type.
    """
    for change in changes:
        path, found, value = change.partition("=")
        if not found or not path:
            raise BadInput(
                f"'{change}' is no change of a recipe",
                where="--set",
                remedy="Write stage.key=value, as in --set projector.steps=100.",
            )
        recipe = _changed(recipe, path.strip().split("."), value.strip(), change)
    return recipe


def _changed(recipe: TrainingRecipe, path: list[str], value: str, change: str) -> TrainingRecipe:
    stages = {stage.name: stage for stage in recipe.stages}
    if path[0] not in stages:
        made: TrainingRecipe = _with(recipe, path, value, change, also=tuple(stages))
        return made
    if len(path) == 1:
        raise BadInput("A stage as a whole has no value", where=f"--set {change}")
    stages[path[0]] = _with(stages[path[0]], path[1:], value, change)
    if path[1] in ("steps", "epochs"):
        # A stage has one of the two: the one that was asked for.
        stage = stages[path[0]]
        asked_steps = path[1] == "steps"
        stages[path[0]] = replace(
            stage,
            steps=stage.steps if asked_steps else None,
            epochs=None if asked_steps else stage.epochs,
        )
    return replace(recipe, stages=tuple(stages.values()))


def _with(noun: Any, path: list[str], value: str, change: str, also: Sequence[str] = ()) -> Any:
    known = {f.name for f in fields(noun)}
    if path[0] not in known:
        near = difflib.get_close_matches(path[0], [*known, *also], n=1)
        names = ", ".join(sorted([*known, *also]))
        raise BadInput(
            f"There is no '{path[0]}' in this recipe",
            where=f"--set {change}",
            remedy=f"Did you mean '{near[0]}'?" if near else f"There are: {names}.",
        )
    old = getattr(noun, path[0])
    if len(path) > 1 and is_dataclass(old):
        return replace(noun, **{path[0]: _with(old, path[1:], value, change)})
    expected = typing.get_type_hints(type(noun))[path[0]]
    if len(path) == 2 and isinstance(old, Mapping):
        new = {**old, path[1]: _read(value, typing.get_args(expected)[1], change)}
        return replace(noun, **{path[0]: new})
    if isinstance(old, Mapping):
        raise BadInput(
            f"'{path[0]}' holds a value for each part",
            where=f"--set {change}",
            remedy=f"Name the part as well: {path[0]}.{next(iter(old), 'PART')}=….",
        )
    if len(path) > 1:
        raise BadInput(f"'{path[0]}' has no parts", where=f"--set {change}")
    return replace(noun, **{path[0]: _read(value, expected, change)})


def _read(value: str, expected: Any, change: str) -> Any:
    """`value` as the expected type: a number, true or false, none, a word, or numbers in a row."""
    try:
        read = json.loads(value.lower() if value.lower() in ("true", "false") else value)
    except json.JSONDecodeError:
        read = None if value.lower() in ("none", "null") else value
    if isinstance(read, list):
        read = tuple(read)
    if _fits(read, expected):
        return float(read) if _is_float(expected, read) else read
    raise BadInput(
        f"'{value}' is not of the kind that '{change.partition('=')[0]}' takes",
        where=f"--set {change}",
        remedy=f"It takes {_in_words(expected)}.",
    )


def _kinds(expected: Any) -> tuple[Any, ...]:
    union = isinstance(expected, types.UnionType) or typing.get_origin(expected) is typing.Union
    return typing.get_args(expected) if union else (expected,)


def _fits(read: Any, expected: Any) -> bool:
    for kind in _kinds(expected):
        if kind is float and isinstance(read, int | float) and not isinstance(read, bool):
            return True
        if typing.get_origin(kind) is tuple and isinstance(read, tuple):
            inner = typing.get_args(kind)[0]
            return all(_fits(part, inner) for part in read)
        if typing.get_origin(kind) is None and type(read) is kind:
            return True
    return False


def _is_float(expected: Any, read: Any) -> bool:
    return isinstance(read, int) and not isinstance(read, bool) and int not in _kinds(expected)


def _in_words(expected: Any) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
    return " or ".join(words.get(kind, str(kind)) for kind in _kinds(expected)).replace(
        str(type(None)), "none"
    )
