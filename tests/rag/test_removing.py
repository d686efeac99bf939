"""Hiding, erasing, showing and exporting what a library holds."""

from __future__ import annotations

import csv
import io
import json
import logging

import pytest

from glassllava.errors import BadInput
from rag.adding import add_files
from rag.exporting import export
from rag.library import Library
from rag.reading import read_bibliographies
from rag.removing import remove
from rag.showing import as_json, show
from tests.rag.tiny import TinyEmbedder

BIB = """@article{z, title = {On zebra stripes of the port}, author = {Smith, Anna and van der Berg,
  Jan}, year = {2019}, doi = {10.1000/zebra.1}, keywords = {seal, 50\\% rubber}}
"""


@pytest.fixture
def papers(tmp_path):
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "zebra.md").write_text(
        "# On zebra stripes of the port\n\nThe xylophonegasket was loose.\n\n"
        "## Pump\n\nThe pump ran.\n\n## End\n\nIt was mended.\n"
    )
    (folder / "crack.txt").write_text("=HYPERLINK(1) A crack ran across the pane.")
    (folder / "refs.bib").write_text(BIB)
    return folder


@pytest.fixture
def library(tmp_path, papers):
    (tmp_path / "library").mkdir()
    with Library(tmp_path / "library", TinyEmbedder()) as opened:
        add_files(opened, [papers])
        yield opened


def titles(library):
    return {row.title for row in library.documents()}


@pytest.mark.parametrize("by", ["key", "path", "title", "doi", "passage"])
def test_a_document_is_removed_by_any_of_its_names(library, papers, by):
    row = next(row for row in library.documents() if row.doi)
    names = {
        "key": row.key,
        "path": str(papers / "zebra.md"),
        "title": row.title.upper(),
        "doi": row.doi,
        "passage": library.reading(row.key)[1].id,
    }
    (removed,) = remove(library, [names[by]], purge=False)
    assert (removed.key, removed.passages) == (row.key, 3)
    assert titles(library) == {"crack"}


def test_nothing_is_touched_where_a_name_fits_nothing_or_too_much(library, papers):
    (papers / "twin.txt").write_text("# crack")
    (papers / "sub").mkdir()
    (papers / "sub" / "crack.txt").write_text("Other words under the same title.")
    add_files(library, [papers])
    held = titles(library)
    for wrong in ("nothing", "crack"):
        with pytest.raises(BadInput) as caught:
            remove(library, [str(papers / "zebra.md"), wrong], purge=False)
        assert caught.value.remedy
    assert titles(library) == held


def test_a_copy_that_was_not_added_is_told_by_the_document_of_its_bytes(library, papers):
    copy = papers / "crack copy.txt"
    copy.write_bytes((papers / "crack.txt").read_bytes())
    with pytest.raises(BadInput, match="same bytes are held as") as caught:
        remove(library, [str(copy)], purge=False)
    assert str(papers / "crack.txt") in caught.value.what
    for name in ("x" * 5000, "~nosuch/x"):
        for ask in (show, lambda library, name: remove(library, [name], purge=False)):
            with pytest.raises(BadInput) as caught:
                ask(library, name)
            assert len(caught.value.what) < 200


def bytes_of(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_is_purged_leaves_no_byte_and_a_pinned_run_is_warned(library, papers, caplog):
    question = "the xylophonegasket was loose"
    assert library.search(question, 1)
    library.settle()
    assert library.backend == "chroma"
    generation = library.generation
    remove(library, ["10.1000/zebra.1"], purge=False)
    pinned = library.pinned(generation)
    assert pinned.search(question, 1)
    assert pinned.notes == ()
    assert b"xylophonegasket" in bytes_of(library.folder)

    (removed,) = remove(library, [str(papers / "zebra.md")], purge=True)
    assert removed.passages == 3
    with caplog.at_level(logging.WARNING):
        assert all("xylophone" not in p.text for p in pinned.search(question, 5))
    assert "3 passages that the library held at generation" in caplog.text
    assert pinned.notes
    assert library.pinned(library.generation).notes == ()
    library.close()
    assert b"xylophonegasket" not in bytes_of(library.folder)


def test_what_is_purged_leaves_the_index_unsearched_too(library, papers, tmp_path, caplog):
    def held():
        return b"xylophonegasket" in bytes_of(tmp_path / "library" / "index")

    library.settle()
    library.search("the xylophonegasket was loose", 1)
    assert held()
    # Another opening, as the command is: the index is not its own, so its owner erases it there.
    with Library(tmp_path / "library", TinyEmbedder()) as other:
        other.purge(f"file:{papers / 'zebra.md'}")
    assert "next search of its owner" in caplog.text
    library.search("pump", 1)
    assert not held()

    add_files(library, [papers])
    library.settle()
    assert held()
    library.close()
    with Library(tmp_path / "library", TinyEmbedder()) as other:
        other.purge(f"file:{papers / 'zebra.md'}")
        assert not (tmp_path / "library" / "index").exists()
        assert other.search("a crack ran across the pane", 1)
        other.settle()
        assert not (tmp_path / "library" / "index").exists()  # a removal waits for none
        assert other.check().lost == 0
        assert other.backend == "chroma"


def test_a_passage_is_shown_between_its_neighbours(library):
    row = next(row for row in library.documents() if row.doi)
    first, middle, last = library.reading(row.key)
    shown = as_json(show(library, middle.id))
    assert (shown["before"]["id"], shown["id"], shown["after"]["id"]) == (
        first.id,
        middle.id,
        last.id,
    )
    assert shown["document"]["authors"] == "Anna Smith, Jan van der Berg"
    assert as_json(show(library, first.id))["before"] is None
    assert [p["id"] for p in as_json(show(library, row.key))["passages"]] == [
        first.id,
        middle.id,
        last.id,
    ]
    with pytest.raises(BadInput, match="0 documents and no passage"):
        show(library, "no:such")


def test_exported_references_are_read_back_as_they_were(library, tmp_path):
    for form, name in (("bibtex", "out.bib"), ("csl", "out.json")):
        (tmp_path / name).write_text(export(library, form))
        records = {r.title: r for r in read_bibliographies([tmp_path / name]).records}
        zebra = records["On zebra stripes of the port"]
        assert (zebra.authors, zebra.year, zebra.doi) == (
            "Anna Smith, Jan van der Berg",
            2019,
            "10.1000/zebra.1",
        )
        assert zebra.keywords == ("seal", "50% rubber")
        assert "crack" in records


def test_exported_passages_are_all_of_them(library):
    lines = [json.loads(line) for line in export(library, "jsonl").splitlines()]
    held = [p for row in library.documents() for p in library.reading(row.key)]
    assert [(line["id"], line["text"]) for line in lines] == [(p.id, p.text) for p in held]
    rows = list(csv.DictReader(io.StringIO(export(library, "csv"))))
    assert [row["id"] for row in rows] == [p.id for p in held]
    formula = next(row["text"] for row in rows if "HYPERLINK" in row["text"])
    assert formula.startswith("'=")  # no spreadsheet runs it
