"""The line that the library is asked with."""

from __future__ import annotations

import pytest

from glassllava.errors import BadInput
from glassllava.sample import Sample
from rag import make_query


def test_features_and_sample_stand_before_the_question():
    sample = Sample(material="soda-lime float glass", process="tempered", id="A-17")
    line = make_query("Why did it\n break?", sample, ["one bright disc"], ["nickel_sulfide"])
    assert line == (
        "nickel sulfide inclusion; one bright disc; soda-lime float glass; tempered."
        " Why did it break?"
    )


def test_nothing_known_leaves_the_question():
    assert make_query("What is this?") == "What is this?"


def test_a_long_story_is_cut_and_the_question_kept():
    line = make_query("Is it a defect?", Sample(material="word " * 700))
    assert len(line) <= 600
    assert line.endswith(". Is it a defect?")


def test_an_unknown_key_is_named():
    with pytest.raises(BadInput, match="bubbel"):
        make_query("?", keys=["bubbel"])
