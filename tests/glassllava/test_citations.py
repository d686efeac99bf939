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


BOOK = (
    Passage("p1", "Layers of 5\u201310 \u00b5m at \u221220 \u00b0C are not able to crack.", "A"),
    Passage("p2", "Bubbles are round; 1510 were found.", "B", authors="J. Doe", year=2019),
)


@pytest.mark.parametrize(
    ("said", "kept", "invented"),
    [
        ("So Smith et al. (2031) found.", "So a reference in no passage given found.", 1),
        ("So Doe et al. (2019) found.", "So Doe et al. (2019) found.", 0),
        ("It is known (Smith, 2031; Jones, 2020).", "It is known.", 2),
        ("It is known (see Doe et al., 2019; Jones, 2020).", "It is known (Doe et al., 2019).", 1),
        ("Pores [1 and 9].", "Pores [1].", 1),
        ("Pores [2, p. 7].", "Pores [2].", 0),
        ("Pores [p2].", "Pores [p2].", 0),
        ("Pores [primer:999].", "Pores.", 1),
        ("Sizes of [1, 2] \u00b5m.", "Sizes of [1, 2] \u00b5m.", 0),
        ("See ![x](http://a.example/y.png) it.", "See x it.", 1),
        ("See <img src=http://a.example/x> it.", "See  it.", 1),
        ("See https://a.example/paper.pdf.", "See.", 1),
    ],
)
def test_references_and_addresses_of_what_was_not_given_go(
    said: str, kept: str, invented: int
) -> None:
    found = check(said, BOOK)
    assert (found.text, found.invented) == (kept, invented)


@pytest.mark.parametrize(
    "quoted",
    [
        "Layers of 510 \u00b5m",
        "at 20 \u00b0C are not able",
        "are notable to crack",
        "510 were found",
        "are not able to cra",
    ],
)
def test_words_that_mean_something_else_are_no_quotation(quoted: str) -> None:
    found = check(f'It says "{quoted}".', BOOK)
    assert found.unfounded == 1
    assert "(in no passage given)" in found.text


@pytest.mark.parametrize(
    "quoted", ["layers of 5-10 \u00b5m", "at -20 \u00b0C  are not able", "1510 were found."]
)
def test_dashes_capitals_and_space_do_not_matter(quoted: str) -> None:
    assert check(f'It says "{quoted}".', BOOK).unfounded == 0


def test_words_of_another_passage_than_the_cited_are_told_so() -> None:
    found = check('It says "Bubbles are round" [1].', BOOK)
    assert found.text == "It says Bubbles are round (not in the passage cited) [1]."
    assert check('It says "Bubbles are round" [2].', BOOK).unfounded == 0


@pytest.mark.parametrize("marks", ["\u2018{}\u2019", "\u2039{}\u203a", "\u300c{}\u300d", "`{}`"])
def test_other_marks_quote_too(marks: str) -> None:
    assert check(marks.format("cracks are decoration"), BOOK).unfounded == 1
    assert check(marks.format("Bubbles are round"), BOOK).unfounded == 0


def test_a_word_that_a_line_broke_is_found_and_a_compound_is_kept() -> None:
    book = (Passage("p", "A transfor-\nmation of glass-ceramic at 10-\n20 h.", "A"),)
    assert check('"A transformation of glass-ceramic"', book).unfounded == 0
    assert check('"transformation of glassceramic"', book).unfounded == 1
    assert check('"glass-ceramic at 1020 h"', book).unfounded == 1
