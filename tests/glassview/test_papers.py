"""The library as the desktop uses it, on a real one: added to, stopped, searched, found on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from glassllava.errors import BadInput, LiteratureUnavailable
from glassllava.literature import Passage
from glassview import papers
from glassview.shelf import Step, Wanted
from rag.library import Library
from rag.reading import read_document
from tests.glassview.shelves import library, write_note
from tests.papers import write_long, write_paper


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Library]:
    with library(tmp_path / "library") as opened:
        yield opened


def never() -> bool:
    return False


def add(held: Library, *paths: Path) -> papers.Added:
    return papers.add(held, paths, lambda step: None, never)


def test_a_folder_is_added_and_each_failure_has_its_reason(held: Library, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    write_note(folder / "tin.md", "Tin", "Bright spots of tin on the lower face.")
    write_note(folder / "deep" / "pores.txt", "Pores", "Round pores in float glass.")
    (folder / "empty.md").write_text("")
    (folder / "table.xlsx").write_bytes(b"PK\x03\x04")
    steps: list[Step] = []
    added = papers.add(held, [folder], steps.append, never)
    assert (added.documents, added.unchanged, added.was_stopped) == (2, 0, False)
    assert added.passages == sum(row.passages for row in held.documents())
    refused = {each.name: each.reason for each in added.refused}
    assert set(refused) == {"empty.md", "table.xlsx"}
    assert all(reason.strip() for reason in refused.values())
    assert [step.number for step in steps] == sorted(step.number for step in steps)
    assert {step.total for step in steps} == {3}
    assert "1 passage" in {step.within for step in steps}, "they are counted while they come in"
    again = add(held, folder)
    assert (again.documents, again.unchanged) == (0, 2)


def test_what_is_stopped_leaves_out_the_document_at_work_and_keeps_the_rest(
    tmp_path: Path,
) -> None:
    stopped: list[bool] = []

    def before_each(text: str) -> None:
        if "second" in text:
            stopped.append(True)

    folder = tmp_path / "papers"
    for number, name in enumerate(("first", "second", "third")):
        write_note(folder / f"{number}.md", name, f"The {name} text about glass. " * 60)
    with library(tmp_path / "library", before_each=before_each) as held:
        added = papers.add(held, [folder], lambda step: None, lambda: bool(stopped))
        assert added.was_stopped
        assert added.documents == 1
        assert [row.title for row in held.documents()] == ["first"]
        stopped.clear()
        assert papers.add(held, [folder], lambda step: None, never).documents == 2


def test_a_long_paper_is_told_by_pages_and_stopped_between_them(
    held: Library, tmp_path: Path
) -> None:
    path = tmp_path / "long.pdf"
    write_long(path, 30)
    steps: list[Step] = []
    added = papers.add(held, [path], steps.append, lambda: len(steps) > 3)
    assert added.was_stopped
    assert [step.within for step in steps] == ["", "page 1 of 30", "page 2 of 30", "page 3 of 30"]
    assert held.documents() == []


def test_a_library_that_fails_ends_the_adding_with_its_reason(
    held: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*told: object) -> tuple[int, int]:
        raise LiteratureUnavailable("The disk is full", remedy="Make room.")

    monkeypatch.setattr(held, "add", full)
    for name in ("a", "b"):
        write_note(tmp_path / "papers" / f"{name}.md", name, "Some words.")
    added = add(held, tmp_path / "papers")
    assert added.was_stopped
    assert [(each.name, each.reason) for each in added.refused] == [
        ("a.md", "The disk is full. Make room.")
    ]


def test_a_path_that_is_not_there_is_said(held: Library, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        add(held, tmp_path / "nowhere")


def test_a_search_finds_and_is_narrowed(held: Library, tmp_path: Path) -> None:
    add(
        held,
        write_note(tmp_path / "a.md", "Float", "Bright tin droplets on float glass, lower face."),
        write_note(tmp_path / "b.md", "Fibre", "Bright tin droplets on a glass fibre, its skin."),
    )
    query = "bright tin droplets"
    assert {p.title for p in papers.search(held, query, Wanted())} == {"Float", "Fibre"}
    narrowed = papers.search(held, query, Wanted(material="float glass"))
    assert {p.title for p in narrowed} == {"Float"}
    assert papers.search(held, query, Wanted(years="2015-")) == ()
    with pytest.raises(BadInput, match="cheese"):
        papers.search(held, query, Wanted(material="cheese"))


def test_documents_are_listed_and_removed(held: Library, tmp_path: Path) -> None:
    note = write_note(tmp_path / "a.md", "Tin", "Bright tin droplets.")
    add(held, note)
    (card,), readonly = papers.documents(held)
    assert readonly == ""
    assert (card.title, card.path) == ("Tin", str(note))
    (passage,) = papers.search(held, "bright tin droplets", Wanted())
    assert papers.passage(held, passage.id) == replace(passage, score=None)
    papers.remove(held, card.key)
    assert papers.documents(held) == ((), "")
    with pytest.raises(BadInput):
        papers.passage(held, passage.id)
    assert add(held, note).documents == 1, "a removal is taken back by adding the file"


# -- the paper itself --------------------------------------------------------------------------


@pytest.fixture
def paper(held: Library, tmp_path: Path) -> tuple[Path, Passage]:
    """A PDF in the library, and one of its passages."""
    path = tmp_path / "papers" / "one.pdf"
    path.parent.mkdir()
    truth = write_paper(path, seed=3, sections=2)
    assert add(held, path).documents == 1
    page, sentence = truth.sentences[len(truth.sentences) // 2]
    found = [p for p in papers.search(held, sentence, Wanted()) if p.page == page]
    assert found, "the sentence is found on its page"
    return path, found[0]


def test_the_paper_of_a_passage_is_found_on_disk(
    held: Library, paper: tuple[Path, Passage]
) -> None:
    path, cited = paper
    found = papers.paper_of(held, cited)
    assert (found.path, found.page, found.doubt) == (path, cited.page, "")
    assert found.words == cited.text


def test_a_paper_that_changed_says_so(held: Library, paper: tuple[Path, Passage]) -> None:
    path, cited = paper
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    write_paper(path, seed=4, sections=2)
    assert hashlib.sha256(path.read_bytes()).hexdigest() != before
    assert "has changed" in papers.paper_of(held, cited).doubt
    add(held, path)
    assert "earlier version" in papers.paper_of(held, cited_by_doi(held, cited)).doubt


def cited_by_doi(held: Library, cited: Passage) -> Passage:
    """The old passage under the DOI of the new version: only so is the document the same."""
    (row,) = held.documents()
    return replace(cited, doi=row.doi, title=row.title)


def test_a_paper_that_is_gone_says_where_it_was(held: Library, paper: tuple[Path, Passage]) -> None:
    path, cited = paper
    path.rename(path.with_name("two.pdf"))
    with pytest.raises(BadInput, match="no longer where it was added from") as raised:
        papers.paper_of(held, cited)
    assert "one.pdf" in raised.value.what
    assert "moved" in raised.value.remedy


def test_a_passage_of_no_document_is_refused(held: Library) -> None:
    with pytest.raises(BadInput, match="no longer holds"):
        papers.paper_of(held, Passage("pdf-0123456789ab:1", "words", "A title", page=1))
    with pytest.raises(BadInput, match="no longer holds"):
        papers.paper_of(held, Passage("primer:1", "words", "GlassView primer", section="1"))


def test_a_cited_page_is_drawn_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    write_paper(path, 31)
    cited = next(e.passage for e in read_document(path).entries if e.passage.kind == "text")
    assert cited.page is not None
    page = papers.show_page(path, cited.page, 500, cited.text)
    assert page.png.startswith(b"\x89PNG")
    assert page.boxes
    assert page.sought == cited.text
