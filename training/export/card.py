"""What a saved model says of itself: glassllava.json for programs, README.md for people.

Knows how the words are laid out. Every figure and every origin is handed in; what was not told is
said to be unknown, never left out. Knows no weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glassllava.interpretation import DISCLAIMER
from training.export.licences import Combined, combine

_NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class About:
    """Where a model comes from and what is known of it.

    Parameters
    ----------
    name, version : of the model; not what decides how it is opened.
    materials : what it was made for, in words.
    synthetic : whether it was trained on synthetic micrographs; None where that is not known.
    base, data : licence as its owner states it, by the name of base weights and of data.
    data_fingerprint : one hash over what it was trained on.
    data_words : a sentence on the data: how many, how many checked by a person.
    recipe : as JSON; its hash is written beside it.
    metrics : a figure in words, by its name, as "70.1 % [65.5, 74.4]".
    limits : sentences on what it is not good at.
    settings : what `glassllava.model.opening` reads beside these: probe_keys, passage_budget,
        longest_text.
    made : how the files came about, in sentences.
    """

    name: str
    version: str = "1"
    materials: str = _NOT_STATED
    synthetic: bool | None = None
    base: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    data_fingerprint: str = ""
    data_words: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    made: tuple[str, ...] = ()

    @property
    def licence(self) -> Combined:
        """The most restrictive among base weights and data."""
        return combine({**self.base, **self.data})

    @property
    def recipe_sha256(self) -> str:
        """As `TrainingRecipe.sha256`; "" where there is no recipe."""
        if not self.recipe:
            return ""
        deciding = {key: value for key, value in self.recipe.items() if key != "notes"}
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def for_programs(about: About) -> dict[str, Any]:
    """The object of glassllava.json."""
    known: dict[str, Any] = {
        "schema": 1,
        "name": about.name,
        "version": about.version,
        "licence": about.licence.licence,
        "materials": about.materials,
    }
    if about.synthetic is not None:
        known["trained_on_synthetic"] = about.synthetic
    known |= dict(about.settings)
    if about.recipe:
        known |= {"recipe": dict(about.recipe), "recipe_sha256": about.recipe_sha256}
    if about.data_fingerprint:
        known["data_fingerprint"] = about.data_fingerprint
    return known


def for_people(about: About, *, parameters: int, size: int, architecture: str) -> str:
    """README.md, with the heading that hubs read.

    Parameters
    ----------
    parameters, size : how many, and the bytes of the weight files.
    architecture : the parts in words, as "clip_vision_model and llama".
    """
    licence = about.licence
    synthetic = {
        True: "**It was trained on synthetic micrographs.**",
        False: "It was trained on micrographs of real specimens.",
        None: "Whether its training data are synthetic is not known.",
    }[about.synthetic]
    parts = [
        "---",
        "library_name: transformers",
        "pipeline_tag: image-text-to-text",
        # "other" sends a reader to the card: only there the parts and their terms are told.
        "license: other",
        f"license_name: {json.dumps(_line(licence.licence))}",
        "---",
        f"# {_line(about.name)}",
        "",
        f"A `LlavaForConditionalGeneration` ({architecture}) for GlassView, version "
        f"{_line(about.version)}: {parameters / 1e6:,.1f} M parameters, {size / 1e6:,.1f} MB. "
        f"Made for: {_line(about.materials)}. {synthetic}",
        "",
        DISCLAIMER,
        "",
        "## Licence",
        f"**{_line(licence.licence)}**, the most restrictive among base weights and data.",
        "",
        *_table(
            ("part", "licence"),
            [
                *((f"base weights: {name}", said) for name, said in about.base.items()),
                *((f"data: {name}", said) for name, said in about.data.items()),
            ],
            "Neither base weights nor data are named: nothing is granted.",
        ),
        *(f"- **Conflict**: {_line(conflict)}." for conflict in licence.conflicts),
        *(f"- {term[0].upper()}{term[1:]}." for term in licence.terms),
        "",
        "An order of caution, not legal advice.",
        "",
        "## Data",
        _line(about.data_words) or "Nothing is told of the data.",
        "",
        f"Fingerprint: `{_line(about.data_fingerprint) or 'none'}`.",
        "",
        "## Figures",
        *_table(
            ("figure", "value"),
            list(about.metrics.items()),
            "Nothing was measured of these files.",
        ),
        "",
        "## Making",
        *(f"- {_line(sentence)}" for sentence in about.made),
        f"- Recipe `{_line(str(about.recipe.get('name', '')))}`, sha256 `{about.recipe_sha256}`; "
        "the whole of it stands in `glassllava.json`."
        if about.recipe
        else "- No recipe of GlassView made these weights.",
        "",
        "## Limits",
        *(f"- {_line(limit)}" for limit in about.limits),
        "- Only for micrographs of the materials above; anything else was not tried."
        if about.materials != _NOT_STATED
        else "- It is not said what it was made for.",
        "",
        "`glassview model verify FOLDER` compares the files with MANIFEST.json.",
    ]
    return "\n".join(parts) + "\n"


def _table(heads: tuple[str, str], rows: list[tuple[str, str]], otherwise: str) -> list[str]:
    if not rows:
        return [otherwise, ""]
    lines = [f"| {heads[0]} | {heads[1]} |", "| --- | --- |"]
    lines += [f"| {_cell(name)} | {_cell(str(value))} |" for name, value in rows]
    return [*lines, ""]


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|") or _NOT_STATED


def _line(text: str) -> str:
    """Foreign words as one line that makes no heading and steers no terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
