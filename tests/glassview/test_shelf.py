"""The literature's state: searches, papers on their way in, documents that come and go."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassllava.literature import Passage
from glassview import shelf
from glassview.cards import DocumentCard
from glassview.session import Trouble
from glassview.shelf import Added, Adding, Refused, Search, Shelf, Step, Wanted

PASSAGE = Passage("a:1", "words", "Title")
PRIMER = DocumentCard("primer", "Primer", "", "1 passage", "", "", can_remove=False)
PAPER = DocumentCard("file:/x/a.md", "A", "", "1 passage", "/x/a.md", "a.md", can_remove=True)


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def a_shelf(heard: list[str]) -> Shelf:
    return Shelf(lambda: heard.append("change"))


def test_a_search_runs_and_is_answered(a_shelf: Shelf, heard: list[str]) -> None:
    assert "by a question" in shelf.nothing_words(a_shelf.search)
    assert a_shelf.ask("  ", Wanted()) is None
    assert not heard
    asked = a_shelf.ask(" tin \n side ", Wanted())
    assert asked is not None
    assert asked.query == "tin side"
    assert shelf.nothing_words(a_shelf.search) == "Searching …"
    a_shelf.answered([PASSAGE])
    assert a_shelf.search.found == (PASSAGE,)
    assert shelf.nothing_words(a_shelf.search) == ""
    a_shelf.ask("bread", Wanted(years="2015-"))
    a_shelf.answered([])
    assert shelf.nothing_words(a_shelf.search).startswith("No evidence found")
    assert "these bounds" in shelf.nothing_words(a_shelf.search)
    assert len(heard) == 4


def test_a_search_that_fails_says_why_and_shows_no_old_answer(a_shelf: Shelf) -> None:
    a_shelf.ask("tin", Wanted())
    a_shelf.answered([PASSAGE])
    a_shelf.ask("tin", Wanted())
    a_shelf.not_answered(Trouble("It is locked", "Try again."))
    assert a_shelf.search.trouble == Trouble("It is locked", "Try again.")
    assert a_shelf.search.found is None
    a_shelf.ask("tin", Wanted())
    assert a_shelf.search.trouble is None


def test_one_lot_of_papers_at_a_time(a_shelf: Shelf) -> None:
    assert a_shelf.begin_adding()
    assert not a_shelf.begin_adding()
    assert shelf.adding_words(a_shelf.adding) == "Looking for papers …"
    assert shelf.adding_share(a_shelf.adding) is None
    a_shelf.came_to(Step(2, 4, "b.pdf"))
    assert shelf.adding_words(a_shelf.adding) == "2 of 4: b.pdf"
    a_shelf.came_to(Step(2, 4, "b.pdf", "32 passages"))
    assert shelf.adding_words(a_shelf.adding) == "2 of 4: b.pdf, 32 passages"
    assert shelf.adding_share(a_shelf.adding) == pytest.approx(0.25)
    a_shelf.forget_added()
    assert a_shelf.adding.is_running, "what runs is not forgotten"
    a_shelf.stopping()
    assert "Stopping" in shelf.adding_words(a_shelf.adding)
    a_shelf.added(Added(1, 9, was_stopped=True))
    assert shelf.adding_words(a_shelf.adding) == "Stopped: 1 document added (9 passages)"
    assert a_shelf.begin_adding()


@pytest.mark.parametrize(
    ("adding", "words"),
    [
        (Adding(), ""),
        (Adding(result=Added()), "There was nothing to add"),
        (
            Adding(result=Added(2, 1, 3, (Refused("x", "why"),))),
            "2 documents added (1 passage), 3 documents already there, 1 file not added",
        ),
        (Adding(trouble=Trouble("No such folder", "Look.")), "No such folder. Look."),
    ],
)
def test_what_came_of_adding_in_words(adding: Adding, words: str) -> None:
    assert shelf.adding_words(adding) == words


def test_a_removed_document_can_be_taken_back(a_shelf: Shelf) -> None:
    a_shelf.listed([PRIMER, PAPER])
    assert a_shelf.removing("primer") is None, "what came with GlassView stays"
    assert a_shelf.removing("file:/gone") is None
    assert a_shelf.removing(PAPER.key) == PAPER
    assert a_shelf.removing(PAPER.key) is None, "it is being removed already"
    a_shelf.gone(PAPER)
    assert a_shelf.held.cards == (PRIMER,)
    assert a_shelf.held.removed == (PAPER,)
    assert not a_shelf.held.busy
    assert a_shelf.taken_back(PAPER.key) == Path("/x/a.md")
    a_shelf.listed([PRIMER])
    assert a_shelf.held.removed == (PAPER,), "it is still gone"
    a_shelf.listed([PRIMER, PAPER])
    assert a_shelf.held.removed == ()
    assert a_shelf.taken_back(PAPER.key) is None


def test_a_removal_that_fails_may_be_tried_again(a_shelf: Shelf) -> None:
    a_shelf.listed([PAPER])
    a_shelf.removing(PAPER.key)
    a_shelf.not_listed(Trouble("It is locked"))
    assert a_shelf.held.cards == (PAPER,)
    assert a_shelf.removing(PAPER.key) == PAPER


def test_a_library_that_cannot_be_written_is_left_as_it_is(a_shelf: Shelf) -> None:
    a_shelf.listed([PAPER], "the disk is read-only")
    assert a_shelf.removing(PAPER.key) is None
    assert a_shelf.held.cards == (PAPER,)


def test_a_shelf_begins_empty() -> None:
    assert Shelf().search == Search()
