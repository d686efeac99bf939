"""The recipe: read, written back, and refused with the nearest key."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from batch.recipe import Recipe, Scale, read_recipe, recipe_from, write_recipe
from glassllava.errors import BadInput
from glassllava.interpreter import Judging
from glassllava.sample import Sample

HOSTILE = 'quote " backslash \\ tab \t newline \n bell \x07 delete \x7f umlaut ü 漢 \U0001f600 # ]'


def test_what_is_written_reads_back_to_the_same_recipe() -> None:
    recipe = Recipe(
        question=HOSTILE,
        context="moderate",
        model="endpoint:http://host/v1#name",
        text=False,
        blank=True,
        include=("*.tif", 'odd"name*'),
        recursive=False,
        batch=7,
        scale=Scale(pixel_size="2.5 nm ± 1 %", bar_length="20 um", accept_read_bar=True),
        sample=Sample(material="float glass", expected=("tin_side",), notes=HOSTILE),
        judging=Judging(
            expected=("pore",),
            dispositions={"crack": "unclear"},
            confidence=0.9,
            present={"pore": 0.25},
            accept_uncalibrated=True,
            prevalence=0.02,
        ),
    )
    text = write_recipe(recipe, notes=("a note\nwith = a line of its own",))
    assert recipe_from(tomllib.loads(text)) == recipe


def test_the_default_recipe_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(write_recipe(Recipe()), "utf-8")
    assert read_recipe(path) == Recipe()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('contxt = "high"', "'context'"),
        ("[judging]\nexpectd = []", "'expected'"),
        ("[sample]\nmateriel = 'x'", "'material'"),
        ("[judging]\nexpected = ['poer']", "pore"),
        ("[judging.dispositions]\ncrack = 'bad'", "defect"),
    ],
)
def test_what_is_unknown_is_refused_with_the_nearest(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadInput) as caught:
        read_recipe(path)
    assert says in caught.value.remedy
    assert str(path) in caught.value.where


@pytest.mark.parametrize(
    "text",
    [
        "context = 'all'",
        "batch = 0",
        "batch = true",
        "include = []",
        "text = 'yes'",
        "judging = 3",
        "[judging]\nconfidence = nan",
        "[judging]\nprevalence = 0",
        "[judging]\nprevalence = 1.0",
        "[judging.present]\npore = 1.5",
        "not toml",
        "question = 5",
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadInput):
        read_recipe(path)


def test_a_missing_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such recipe"):
        read_recipe(tmp_path / "none.toml")


def test_a_read_bar_is_accepted_only_on_purpose_and_lengths_are_checked() -> None:
    assert not recipe_from({}).scale.accept_read_bar
    assert recipe_from({"scale": {"accept_read_bar": True}}).scale.accept_read_bar
    with pytest.raises(BadInput, match="not the size of a pixel"):
        recipe_from({"scale": {"pixel_size": "wide"}})
    with pytest.raises(BadInput, match="accept_read_bars"):
        recipe_from({"scale": {"accept_read_bars": True}})
