"""Cards: citations as pointers, quotations marked, and no power to the words of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from glassllava.interpretation import Interpretation
from glassllava.literature import LeftOut, Passage
from glassllava.model.scripted import Script
from glassview import cards
from glassview.cards import Piece, Run
from rag.manifest import DocumentRow


def test_a_text_is_cut_at_its_citations_and_loses_nothing() -> None:
    text = "Pores [1], not cracks [2][3]. A range [1-3] and [a] stay."
    pieces = cards.cited_pieces(text, 3)
    assert "".join(piece.text for piece in pieces) == text
    assert [piece for piece in pieces if piece.number] == [
        Piece("[1]", 1),
        Piece("[2]", 2),
        Piece("[3]", 3),
    ]


@pytest.mark.parametrize(("passages", "links"), [(0, []), (1, [1]), (9, [1, 9])])
def test_only_what_was_given_is_a_pointer(passages: int, links: list[int]) -> None:
    pieces = cards.cited_pieces("See [1], [9] and [10].", passages)
    assert [piece.number for piece in pieces if piece.number is not None] == links


def test_nothing_makes_no_pieces() -> None:
    assert cards.cited_pieces("", 3) == ()


def test_given_passages_say_where_they_are_cited(judged: Callable[..., Interpretation]) -> None:
    first, second = cards.given_cards(judged())
    assert (first.number, first.title, first.place) == (1, "GlassView primer", "section 1 · text")
    assert first.use == "Cited in the answer, in the description and for pore or bubble"
    assert first.is_used
    assert not first.can_open
    assert (second.number, second.byline, second.place) == (2, "A. Person", "p. 7 · text")
    assert second.use == "Given to the model, which does not cite it"
    assert not second.is_used
    assert second.can_open


def test_what_the_answer_quotes_is_marked_in_the_passage(
    judged: Callable[..., Interpretation],
) -> None:
    quoting = Script(
        probes={"pore": 0.9},
        verdict=0.9,
        description='It is "a closed gas cavity" [1].',
        answer="\u201cbubble is a closed gas\u201d [1]",
    )
    first, second = cards.given_cards(judged(quoting))
    assert first.runs == (
        Run("A "),
        Run("bubble is a closed gas", is_quoted=True),
        Run(" cavity", is_quoted=True),
        Run("."),
    )
    assert second.runs == (Run("A crack runs through."),)


def test_a_quotation_is_found_in_words_that_are_broken_and_hidden() -> None:
    passage = Passage("p:1", "Seeds are\u200b small\nbub\u00adbles of gas.", "T")
    (card,) = cards.found_cards([passage])
    assert card.runs == (Run("Seeds are small\nbubbles of gas."),)


def test_a_paper_s_own_words_about_itself_have_no_power() -> None:
    hostile = Passage(
        "x:1",
        "text\u202e reversed\x07",
        "A title\nwith lines\u2066 and " + "length " * 100,
        authors="<img src=http://x/>",
        doi="javascript:alert(1)",
        section="<b>Results</b>",
        page=3,
        sources=("one\ntwo",),
    )
    (card,) = cards.found_cards([hostile])
    assert card.runs[0].text == "text reversed"
    assert "\n" not in card.title
    assert len(card.title) == 300
    assert card.doi_url == ""
    assert card.byline == "<img src=http://x/>", "it is text: the widgets show it as such"
    assert card.place == "p. 3 · <b>Results</b> · text"
    assert card.sources == "one two"


@pytest.mark.parametrize(
    ("doi", "url"),
    [
        ("10.1016/S0022-3093(01)00491-4", "https://doi.org/10.1016/S0022-3093(01)00491-4"),
        ("10.1234/a?b=c#d", "https://doi.org/10.1234/a%3Fb%3Dc%23d"),
        ("10.1234/a b", ""),
        ("https://evil.example/10.1234/x", ""),
        ("10.12/x", ""),
        ("", ""),
    ],
)
def test_only_a_doi_becomes_an_address(doi: str, url: str) -> None:
    assert cards.doi_url(doi) == url


@pytest.mark.parametrize(
    ("passage", "words"),
    [
        (Passage("a", "t", "T", page=2, section="12"), "p. 2 · section 12 · text"),
        (Passage("a", "t", "T", page=2, kind="caption"), "p. 2 · figure caption"),
        (Passage("a", "t", "T", section="Abstract", kind="abstract"), "abstract"),
        (Passage("a", "t", "T"), "text"),
    ],
)
def test_the_place_of_a_passage(passage: Passage, words: str) -> None:
    assert cards.place(passage) == words


def test_what_was_left_out_has_its_reason(judged: Callable[..., Interpretation]) -> None:
    made = judged()
    cut = replace(
        made,
        passages=made.passages[:1],
        left_out=(LeftOut("paper:7", "On cracks, p. 7", "the prompt holds 9 characters"),),
    )
    (row,) = cards.left_out_rows(cut)
    assert (row.id, row.reason) == ("paper:7", "The prompt holds 9 characters")
    assert cards.given_words(cut) == "1 of 2 passages was given to the model"


def test_above_the_passages_it_says_how_many_or_why_none(
    judged: Callable[..., Interpretation],
) -> None:
    made = judged()
    assert cards.given_words(made) == "2 passages given to the model"
    assert "No evidence" in cards.given_words(replace(made, passages=()))
    assert "told no literature" in cards.given_words(judged(level="moderate"))
    none = replace(made, passages=(), left_out=(LeftOut("a", "b", "longer than 3"),))
    assert "none was given" in cards.given_words(none)


def test_a_document_says_what_it_holds() -> None:
    row = DocumentRow(
        *("file:/x/a.pdf", "pdf", "On seeds", "/x/a.pdf", 1200, 0, 3),
        authors="A. Person",
        year=2014,
        pages=9,
        figures=1,
    )
    card = cards.document_card(row)
    assert card.holds == "1,200 passages · 9 pages · 1 figure"
    assert (card.byline, card.file, card.can_remove) == ("A. Person · 2014", "a.pdf", True)
    primer = cards.document_card(DocumentRow("primer", "primer", "Primer", "", 1, 1, 1))
    assert (primer.holds, primer.can_remove) == ("1 passage", False)
