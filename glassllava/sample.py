"""The sample: what the person knows of it, and the rule tokens that its words mean.

Free text goes in as it was typed; `understand` maps it to the tokens of the context rules. A word
that no token covers stays unknown, and unknown satisfies no rule.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from glassllava import features, rules, settings
from glassllava.errors import BadInput

#: How much the model is told: the image alone; the material; the whole sample and the instrument
#: settings; all of that, the measurements and the matching passages.
ContextLevel = Literal["none", "basic", "moderate", "high"]
LEVELS: tuple[ContextLevel, ...] = ("none", "basic", "moderate", "high")

#: Of one field: what is longer is no description of a sample.
MOST_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class Sample:
    """What the person knows; every field may be empty.

    `expected` are feature keys that are intended here, whatever the rules say.
    """

    id: str = ""
    lot: str = ""
    site: str = ""
    material: str = ""
    composition: str = ""
    process: str = ""
    treatment: str = ""
    preparation: str = ""
    product: str = ""
    state: str = ""
    position: str = ""
    layer: str = ""
    expected: tuple[str, ...] = ()
    notes: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"expected": list(self.expected)}

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], where: str | Path = "sample") -> Sample:
        """A sample from untrusted keys and values.

        Raises
        ------
        BadInput : for an unknown key (naming the nearest), a value that is not text, or an
            expected feature that is not in the vocabulary.
        """
        known = [field.name for field in fields(cls)]
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key not in known:
                raise BadInput(
                    f"'{key}' is not a key of a sample", where=where, remedy=_nearest(key, known)
                )
            values[key] = _expected(value, where) if key == "expected" else _text(key, value, where)
        return cls(**values)


def read_sample(path: str | Path) -> Sample:
    """The sample in a TOML file, as `contract` describes it.

    Raises
    ------
    BadInput : where the file is missing, is not TOML, or holds an unknown key.
    """
    path = Path(path)
    return Sample.from_mapping(settings.read_toml(path, "sample file"), where=path)


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(known)}."


def _text(key: str, value: object, where: str | Path) -> str:
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
        raise BadInput(
            f"'{key}' must be text of at most {MOST_CHARACTERS} characters",
            where=where,
            remedy=f'Write it between quotes: {key} = "…"',
        )
    return value


def _expected(value: object, where: str | Path) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(key, str) for key in value):
        raise BadInput("'expected' must be a list of feature keys", where=where)
    for key in value:
        try:
            features.parent_of(key)
        except BadInput as error:
            raise BadInput(error.what, where=where, remedy=error.remedy) from None
    return tuple(dict.fromkeys(value))


@dataclass(frozen=True, slots=True)
class Understanding:
    """What the words of a sample mean to the rules.

    `unmapped` are fields with words that no token covers; `not_glass` is a word of the material
    for something that is not glass, where no token for a glass stands beside it.
    """

    tokens: Mapping[str, frozenset[str]]
    unmapped: tuple[str, ...] = ()
    not_glass: str | None = None


#: Fields that are read for tokens, and at which level they are told.
_TOKEN_FIELDS = (
    "material",
    "process",
    "treatment",
    "preparation",
    "product",
    "state",
    "position",
    "layer",
)


def understand(sample: Sample, level: ContextLevel = "high") -> Understanding:
    """The rule tokens of a sample, as far as `level` tells them.

    A phrase counts anywhere in the told fields, so that "float, annealed" in the process gives
    both the material and the process; a phrase with a "not" or "un" before it does not count.
    """
    told = {"none": (), "basic": ("material",)}.get(level, _TOKEN_FIELDS)
    found: dict[str, set[str]] = {}
    unmapped = []
    for name in told:
        text = getattr(sample, name)
        if not text.strip():
            continue
        tokens = _tokens_in(text, name)
        if not tokens:
            unmapped.append(name)
        for key, token in tokens:
            # Basic tells the material alone, whatever else its words would say.
            if level != "basic" or key == "material":
                found.setdefault(key, set()).add(token)
    not_glass = None
    if level != "none" and not found.get("material"):
        match = _NOT_GLASS.search(sample.material.lower())
        not_glass = match.group(0) if match and "glass" not in sample.material.lower() else None
    return Understanding(
        tokens={key: frozenset(values) for key, values in found.items()},
        unmapped=tuple(unmapped),
        not_glass=not_glass,
    )


def words_of(key: str, token: str) -> tuple[str, ...]:
    """The phrases that can mean a token, in lower case, longest first."""
    return tuple(phrase for phrase, _, pairs in _phrases() if (key, token) in pairs)


_NEGATION = re.compile(r"(?:\b(?:not|no|non|never|without)[\s-]+(?:\w+[\s-]+)?|\bun-?)$")
_NOT_GLASS = re.compile(
    r"\b(steel|metal|alloy|superalloy|alumin(?:i)?um|copper|titanium|nickel|iron|rock|shale|"
    r"sandstone|granite|mineral|basalt rock|polymer|plastic|rubber|epoxy|wood|paper|bone|tissue|"
    r"cell|bacteria|concrete|cement|graphite|silicon wafer|diamond|leaf|insect)\b"
)


def _tokens_in(text: str, field: str) -> set[tuple[str, str]]:
    """(key, token) pairs of the phrases in `text`; longer phrases eat the shorter in them."""
    # Commas and semicolons stay: a "not" before one does not reach the words after it.
    rest = re.sub(r"[\s_/()]+", " ", text.lower())
    found: set[tuple[str, str]] = set()
    for phrase, fields_, pairs in _phrases():
        if fields_ and field not in fields_:
            continue
        pattern = re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)")
        start = 0
        while match := pattern.search(rest, start):
            if not _NEGATION.search(rest[: match.start()]):
                found.update(pairs)
                rest = rest[: match.start()] + "|" * len(phrase) + rest[match.end() :]
            start = match.end()
    return found


@cache
def _phrases() -> tuple[tuple[str, frozenset[str], tuple[tuple[str, str], ...]], ...]:
    """Every phrase with the fields it is read in and the tokens it means, longest first.

    A token always means itself ("crackle_glass" and "crackle glass"), in the field of its key and
    in those where people write such words.
    """
    table: list[tuple[str, frozenset[str], tuple[tuple[str, str], ...]]] = []
    homes = {
        "process": {"process", "treatment", "preparation", "product", "material"},
        "state": {"state", "treatment", "process"},
        "product": {"product", "material", "process"},
        "material": {"material", "product", "process"},
        "layer": {"layer"},
        "position": {"position"},
    }
    for key, values in rules.tokens().items():
        if key in homes:
            table.extend(
                (value.replace("_", " "), frozenset(homes[key]), ((key, value),))
                for value in values
            )
    text = resources.files("glassllava").joinpath("sample_words.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        pairs = tuple((pair.split("=")[0], pair.split("=")[1]) for pair in row["tokens"].split(";"))
        where = frozenset(row["fields"].split()) if row["fields"] else frozenset()
        table.append((row["phrase"], where, pairs))
    return tuple(sorted(table, key=lambda entry: -len(entry[0])))
