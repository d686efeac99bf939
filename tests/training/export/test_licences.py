"""The licence of a model: the most restrictive of its parts, and what cannot be kept together."""

from __future__ import annotations

import pytest

from training.export.licences import KNOWN, combine, known_as


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Apache-2.0", "Apache-2.0"),
        ("apache license, version 2.0", "Apache-2.0"),
        ("MIT", "MIT"),
        ("MIT License", "MIT"),
        ("BSD 3-Clause", "BSD-3-Clause"),
        ("CC0 1.0", "CC0-1.0"),
        ("CC-BY-4.0", "CC-BY"),
        ("CC BY 3.0", "CC-BY"),
        ("cc-by-sa-4.0", "CC-BY-SA"),
        ("CC BY-NC 4.0", "CC-BY-NC"),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA"),
        ("CC BY-ND 4.0", "CC-BY-ND"),
        ("CC BY-NC-ND 4.0", "CC-BY-NC-ND"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC"),
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0", "CC-BY-NC-ND"),
        ("Creative Commons Attribution 4.0 International", "CC-BY"),
        ("Llama 2 Community License", "Llama 2 Community"),
        ("llama2", "Llama 2 Community"),
        ("Meta Llama 3.1 Community License", "Llama 3 Community"),
        ("LLaMA, research only", "LLaMA 1 (research)"),
        ("bigscience-openrail-m", "OpenRAIL"),
        ("", "unknown"),
        ("unknown", "unknown"),
        ("all rights reserved", "unknown"),
        ("CC BY figures, all rights reserved for the rest", "unknown"),
        ("not CC BY", "unknown"),
        ("permitted", "unknown"),  # "mit" inside a word is no licence
        ("see the publisher", "unknown"),
        ("GPL-3.0", "unknown"),
    ],
)
def test_what_people_write_is_understood(written: str, name: str) -> None:
    assert known_as(written).name == name


def test_the_order_is_explicit_and_each_name_means_itself() -> None:
    ranks = [licence.rank for licence in KNOWN]
    assert ranks == sorted(ranks)
    assert all(known_as(licence.name) is licence for licence in KNOWN)


def test_the_most_restrictive_part_decides() -> None:
    found = combine({"CLIP": "MIT", "OpenLLaMA": "Apache-2.0", "papers": "CC-BY-4.0"})
    assert found.licence == "CC-BY-4.0"
    assert found.because == ("papers",)
    assert found.conflicts == ()
    assert "name the authors" in found.terms
    assert "keep the notice" in found.terms
    assert combine({"a": "CC-BY-NC-4.0", "b": "Llama 2 Community"}).licence == "CC-BY-NC-4.0"


def test_what_is_not_stated_stands_above_all() -> None:
    found = combine({"base": "Apache-2.0", "micrographs": ""})
    assert found.licence == "unknown"
    assert found.because == ("micrographs",)
    assert combine({}).licence == "unknown"
    # Even above what lets nobody share: there a licence at least says so.
    assert combine({"a": "CC-BY-ND-4.0", "b": "who knows"}).licence == "unknown"


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        ("CC-BY-SA-4.0", "CC-BY-NC-4.0", True),
        ("CC-BY-SA-4.0", "Llama 2 Community", True),
        ("CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", True),
        ("CC-BY-NC-SA-4.0", "LLaMA 1 (research)", True),
        ("CC-BY-ND-4.0", "MIT", True),
        ("CC-BY-SA-4.0", "CC-BY-4.0", False),
        ("CC-BY-SA-4.0", "Apache-2.0", False),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-4.0", False),
        ("CC-BY-NC-4.0", "Llama 2 Community", False),
        ("CC-BY-SA-3.0", "CC-BY-SA-4.0", False),
    ],
)
def test_pairs_that_cannot_both_be_kept_are_reported(
    first: str, second: str, conflict: bool
) -> None:
    for parts in ({"a": first, "b": second}, {"a": second, "b": first}):
        found = combine(parts)
        assert bool(found.conflicts) is conflict, found
        if conflict:
            assert "a (" in found.conflicts[0]
            assert "b (" in found.conflicts[0]
            assert found.licence.startswith("none that can be kept")
