"""Lists and ranges of citations count, and those of what was not given are dropped and counted."""

from __future__ import annotations

import pytest

from glassllava.answers import check
from glassllava.literature import Passage

GIVEN = tuple(Passage(f"p{n}", "Pores come from refining.", "Primer", section="1") for n in "123")


@pytest.mark.parametrize(
    ("said", "kept", "cited", "invented"),
    [
        ("Pores [1, 9].", "Pores [1].", [1], 1),
        ("Pores [1,2].", "Pores [1][2].", [1, 2], 0),
        ("Pores [1; 2].", "Pores [1][2].", [1, 2], 0),
        ("Pores [1-3].", "Pores [1][2][3].", [1, 2, 3], 0),
        ("Pores [2–5].", "Pores [2][3].", [2, 3], 2),
        ("Pores [7, 8].", "Pores.", [], 2),
        ("Pores [1] and cracks [12].", "Pores [1] and cracks.", [1], 1),
        ("A matrix of [a, b].", "A matrix of [a, b].", [], 0),
    ],
)
def test_lists_and_ranges_are_citations(
    said: str, kept: str, cited: list[int], invented: int
) -> None:
    found = check(said, GIVEN)
    assert found.text == kept
    assert [citation.number for citation in found.citations] == cited
    assert found.invented == invented
