"""The recipe: how a folder is judged, read from TOML and written back as it was resolved.

Knows its keys and what each may hold; nothing of folders, ledgers or models.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from glassllava import features
from glassllava.errors import BadInput, GlassError
from glassllava.interpretation import Disposition
from glassllava.interpreter import Judging
from glassllava.micrograph.header import typed_bar_length, typed_pixel_size
from glassllava.sample import LEVELS, ContextLevel, Sample
from glassllava.settings import read_toml

#: What `read_micrograph` reads, by the names that microscopes give; case does not matter.
PATTERNS = ("*.tif", "*.tiff", "*.png", "*.jpg", "*.jpeg", "*.bmp")

_LONGEST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class Scale:
    """Which scales are used beside those that the files say.

    `pixel_size` ("2.5 nm") holds for every micrograph and stands above its file; `bar_length`
    ("20 um") is what every drawn bar stands for; `accept_read_bar` lets a scan use what OCR reads
    on the drawn bar of a micrograph without any other scale.
    """

    pixel_size: str = ""
    bar_length: str = ""
    accept_read_bar: bool = False

    @property
    def is_wanted(self) -> bool:
        return self != Scale()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is asked of every micrograph of a scan, and how the replies are judged.

    `sample` is what holds for all of them; None leaves it to the side-cars. `batch` is how many
    enquiries the model gets at once, at most.
    """

    question: str = ""
    context: ContextLevel = "high"
    model: str = "embedded"
    text: bool = True
    blank: bool = False
    include: tuple[str, ...] = PATTERNS
    recursive: bool = True
    batch: int = 4
    sample: Sample | None = None
    scale: Scale = field(default_factory=Scale)
    judging: Judging = field(default_factory=Judging)

    @property
    def wanted(self) -> str:
        """What a reply holds beside its probes, as the ledger keeps it."""
        return " ".join(
            name for name, wanted in (("text", self.text), ("blank", self.blank)) if wanted
        )


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a TOML file.

    Raises
    ------
    BadInput : where the file is missing or no TOML, or a key is unknown or cannot hold its value.
    """
    path = Path(path)
    return recipe_from(read_toml(path, "recipe"), where=path)


def recipe_from(data: Mapping[str, Any], where: str | Path = "recipe") -> Recipe:
    """A recipe from untrusted keys and values; BadInput names the key and the nearest known one."""
    readers: dict[str, Callable[[Any, str], Any]] = {
        "question": _text,
        "context": _one_of(LEVELS),
        "model": _text,
        "text": _flag,
        "blank": _flag,
        "include": _patterns,
        "recursive": _flag,
        "batch": _batch,
        "sample": lambda value, at: Sample.from_mapping(_table(value, at), where=at),
        "scale": _scale,
        "judging": _judging,
    }
    return Recipe(**_read(data, readers, where, "a recipe"))


def write_recipe(recipe: Recipe, notes: tuple[str, ...] = ()) -> str:
    """The recipe as TOML that `read_recipe` reads back to an equal one; `notes` are comments."""
    lines = [f"# {' '.join(note.split())}" for note in notes]
    for name in ("question", "context", "model", "text", "blank", "include", "recursive", "batch"):
        lines.append(f"{name} = {toml_value(getattr(recipe, name))}")
    if recipe.sample is not None:
        lines += ["", "[sample]"]
        told = recipe.sample.to_json().items()
        lines += [f"{key} = {toml_value(value)}" for key, value in told if value]
    if recipe.scale.is_wanted:
        lines += ["", "[scale]"]
        lines += [f"{f.name} = {toml_value(getattr(recipe.scale, f.name))}" for f in fields(Scale)]
    judging = recipe.judging
    lines += ["", "[judging]", f"expected = {toml_value(judging.expected)}"]
    if judging.confidence is not None:
        lines.append(f"confidence = {toml_value(judging.confidence)}")
    lines.append(f"accept_uncalibrated = {toml_value(judging.accept_uncalibrated)}")
    if judging.prevalence is not None:
        lines.append(f"prevalence = {toml_value(judging.prevalence)}")
    tables: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("dispositions", judging.dispositions),
        ("present", judging.present),
    )
    for name, table in tables:
        if table:
            lines += ["", f"[judging.{name}]"]
            lines += [f"{key} = {toml_value(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A text, flag, number or list of them as TOML 1.0 writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no place in a recipe")


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    # TOML forbids raw control characters in a text, DEL among them.
    if ord(character) < 0x20 or ord(character) == 0x7F:
        return f"\\u{ord(character):04X}"
    return character


def _read(
    data: Mapping[str, Any],
    readers: Mapping[str, Callable[[Any, str], Any]],
    where: str | Path,
    whose: str,
) -> dict[str, Any]:
    values = {}
    for key, value in data.items():
        if key not in readers:
            near = difflib.get_close_matches(key, readers, n=1)
            raise BadInput(
                f"'{key}' is not a key of {whose}",
                where=where,
                remedy=f"Did you mean '{near[0]}'?"
                if near
                else f"Known keys: {', '.join(readers)}.",
            )
        values[key] = readers[key](value, f"{where} [{key}]")
    return values


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadInput("This must be a table of keys and values", where=where)
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise BadInput(f"This must be text of at most {_LONGEST_TEXT} characters", where=where)
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise BadInput(f"{value!r} is neither true nor false", where=where)
    return value


def _one_of(words: tuple[str, ...]) -> Callable[[Any, str], Any]:
    def read(value: Any, where: str) -> Any:
        if value not in words:
            raise BadInput(
                f"{value!r} is none of the words allowed here",
                where=where,
                remedy=f"Use one of {', '.join(words)}.",
            )
        return value

    return read


def _patterns(value: Any, where: str) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(text, str) and text for text in value)
    ):
        raise BadInput(
            "This must be a list of file name patterns", where=where, remedy='Such as ["*.tif"].'
        )
    return tuple(value)


def _batch(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 64:
        raise BadInput("This must be a whole number from 1 to 64", where=where)
    return value


def _share(value: Any, where: str) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or not 0 <= value <= 1:
        raise BadInput(f"{value!r} is not a probability from 0 to 1", where=where)
    return float(value)


def _prevalence(value: Any, where: str) -> float:
    share = _share(value, where)
    if not 0 < share < 1:
        raise BadInput(
            f"A prevalence of {share:g} leaves nothing to judge",
            where=where,
            remedy="Write the share of defects among what is judged, such as 0.02 for 2 %.",
        )
    return share


def _scale(value: Any, where: str) -> Scale:
    readers: dict[str, Callable[[Any, str], Any]] = {
        "pixel_size": _length(typed_pixel_size),
        "bar_length": _length(typed_bar_length),
        "accept_read_bar": _flag,
    }
    assert set(readers) == {f.name for f in fields(Scale)}
    return Scale(**_read(_table(value, where), readers, where, "[scale]"))


def _length(read: Callable[[str], object]) -> Callable[[Any, str], str]:
    """The text of a length that `read` takes; "" for none."""

    def check(value: Any, where: str) -> str:
        text = _text(value, where)
        if text:
            try:
                read(text)
            except BadInput as error:
                raise BadInput(error.what, where=where, remedy=error.remedy) from None
        return text

    return check


def _judging(value: Any, where: str) -> Judging:
    dispositions = _one_of(get_args(Disposition))
    readers: dict[str, Callable[[Any, str], Any]] = {
        "expected": _feature_list,
        "dispositions": lambda v, at: _by_feature(v, dispositions, at),
        "confidence": _share,
        "present": lambda v, at: _by_feature(v, _share, at),
        "accept_uncalibrated": _flag,
        "prevalence": _prevalence,
    }
    assert set(readers) == {f.name for f in fields(Judging)}
    return Judging(**_read(_table(value, where), readers, where, "[judging]"))


def _feature_list(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise BadInput("This must be a list of feature keys", where=where)
    return tuple(dict.fromkeys(_feature(key, where) for key in value))


def _by_feature(value: Any, read: Callable[[Any, str], Any], where: str) -> dict[str, Any]:
    return {
        _feature(key, where): read(entry, f"{where} {key}")
        for key, entry in _table(value, where).items()
    }


def _feature(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise BadInput(f"{key!r} is not a feature key", where=where)
    try:
        features.parent_of(key)
    except GlassError as error:
        raise BadInput(error.what, where=where, remedy=error.remedy) from None
    return key
