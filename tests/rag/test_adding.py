"""Adding files: what is new, changed, moved, known or broken, and who wrote it."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

import rag.reading.text
from glassllava.errors import BadInput, LiteratureUnavailable
from rag.adding import add_files
from rag.library import Library
from tests.rag.tiny import TinyEmbedder


class Listening(TinyEmbedder):
    """Remembers what it embedded, and fails when it is told to."""

    def __init__(self):
        self.asked = []
        self.fails_at = None

    def encode(self, texts, progress=None):
        if self.fails_at is not None and len(self.asked) >= self.fails_at:
            raise KeyboardInterrupt
        self.asked.extend(texts)
        return super().encode(texts, progress)


@pytest.fixture
def embedder():
    return Listening()


@pytest.fixture
def library(tmp_path, embedder):
    (tmp_path / "library").mkdir()
    with Library(tmp_path / "library", embedder) as opened:
        yield opened


@pytest.fixture
def papers(tmp_path):
    folder = tmp_path / "papers"
    (folder / "sub").mkdir(parents=True)
    (folder / "zebra.md").write_text("# On zebra stripes of the port\n\nThey came from a gasket.\n")
    (folder / "sub" / "crack.txt").write_text("A crack ran across the pane and stopped.")
    return folder


def what(addition):
    return [outcome.what for outcome in addition.outcomes]


def told(library):
    return {(p.title, p.text) for row in library.documents() for p in library.reading(row.key)}


def test_a_folder_is_added_once_and_a_changed_file_replaced(library, papers, embedder):
    assert what(add_files(library, [papers])) == ["added", "added"]
    generation, asked = library.generation, len(embedder.asked)
    assert what(add_files(library, [papers])) == ["unchanged", "unchanged"]
    assert (library.generation, len(embedder.asked)) == (generation, asked)

    (papers / "zebra.md").write_text("# On zebra stripes of the port\n\nThey came from the pump.\n")
    again = add_files(library, [papers])
    assert sorted(what(again)) == ["replaced", "unchanged"]
    assert {text for _, text in told(library)} == {
        "They came from the pump.",
        "A crack ran across the pane and stopped.",
    }
    assert library.generation == generation + 1


def test_a_moved_file_keeps_its_passages_and_a_copy_is_held_once(library, papers, embedder):
    add_files(library, [papers])
    before, generation, asked = told(library), library.generation, len(embedder.asked)
    (papers / "zebra.md").rename(papers / "sub" / "stripes.md")
    (papers / "copy.txt").write_bytes((papers / "sub" / "crack.txt").read_bytes())
    added = add_files(library, [papers])
    assert {o.path.rpartition("/")[2]: o.what for o in added.outcomes} == {
        "copy.txt": "same",
        "crack.txt": "unchanged",
        "stripes.md": "moved",
    }
    assert (told(library), library.generation, len(embedder.asked)) == (before, generation, asked)
    keys = {row.key for row in library.documents()}
    assert keys == {f"file:{papers / 'sub' / name}" for name in ("stripes.md", "crack.txt")}

    # What was a paper of its own and is a copy now goes; both stay where one is named twice.
    (papers / "sub" / "stripes.md").write_bytes((papers / "copy.txt").read_bytes())
    add_files(library, [papers, papers / "copy.txt"])
    assert [row.path for row in library.documents()] == [str(papers / "sub" / "crack.txt")]


def test_a_moved_file_may_take_the_place_of_one_that_was_removed(library, papers):
    add_files(library, [papers])
    before = library.generation
    library.remove(f"file:{papers / 'zebra.md'}")
    (papers / "sub" / "crack.txt").rename(papers / "zebra.md")
    assert what(add_files(library, [papers])) == ["moved"]
    assert [row.path for row in library.documents()] == [str(papers / "zebra.md")]
    pinned = library.pinned(before).search("gasket stripes they came from a", 5)
    assert "They came from a gasket." in [passage.text for passage in pinned]


def test_one_bad_file_hinders_no_other(library, papers):
    (papers / "empty.pdf").write_bytes(b"")
    (papers / "binary.txt").write_bytes(b"\0\1\2")
    (papers / "picture.tif").write_bytes(b"II*\0")
    added = add_files(library, [papers])
    assert len(added.of("added")) == 2
    assert all(outcome.reason and outcome.remedy for outcome in added.of("failed"))
    assert sorted(o.path.rpartition("/")[2] for o in added.of("failed")) == [
        "binary.txt",
        "empty.pdf",
    ]
    assert [path.rpartition("/")[2] for path, _ in added.passed_over] == ["picture.tif"]
    with pytest.raises(BadInput):
        add_files(library, [papers / "no-such-file.md"])


def test_a_file_that_breaks_later_keeps_what_was_read(library, papers):
    add_files(library, [papers])
    (papers / "zebra.md").write_bytes(b"\0 torn")
    assert len(add_files(library, [papers]).of("failed")) == 1
    assert ("On zebra stripes of the port", "They came from a gasket.") in told(library)


@pytest.mark.parametrize("name", ["玻璃 裂纹.md", "стекло.md", "زجاج.md", "a'b\"c;--.md", "é.md"])
def test_names_in_any_script(library, papers, name):
    (papers / name).write_text("# Words of a paper in any script\n\nSome words on glass.\n")
    assert len(add_files(library, [papers]).of("added")) == 3
    (key,) = library.keys_like(str(papers / name))
    assert library.remove(key) == 1


def test_what_was_added_before_an_interruption_stays(library, papers, embedder):
    for number in range(6):
        (papers / f"p{number}.txt").write_text(f"Passage number {number} on glass.")
    embedder.fails_at = 3
    with pytest.raises(KeyboardInterrupt):
        add_files(library, [papers])
    assert len(library.documents()) == 3
    embedder.fails_at = None
    added = add_files(library, [papers])
    assert (len(added.of("unchanged")), len(added.of("added"))) == (3, 5)
    assert len(embedder.asked) == len(set(embedder.asked)) == 8


# Who wrote it

BIB = """@article{z, title = {On zebra stripes of the port}, author = {Smith, Anna and Lee, Bo},
  year = {2019}, doi = {10.1000/zebra.1}, keywords = {seal, gasket}}
"""


def of(library, title="On zebra stripes of the port"):
    return next(row for row in library.documents() if row.title == title)


def test_a_bibliography_tells_who_wrote_what_and_is_applied_again_when_it_changes(
    library, papers, embedder
):
    add_files(library, [papers])
    assert of(library).authors == ""
    asked = len(embedder.asked)
    bib = papers / "refs.bib"
    bib.write_text(BIB)
    assert sorted(what(add_files(library, [papers]))) == ["replaced", "unchanged"]
    row = of(library)
    assert (row.authors, row.year, row.doi) == ("Anna Smith, Bo Lee", 2019, "10.1000/zebra.1")
    assert json.loads(row.record)["keywords"] == ["seal", "gasket"]
    (passage,) = library.reading(row.key)
    assert (passage.authors, passage.year, passage.doi) == (row.authors, row.year, row.doi)
    assert what(add_files(library, [papers])) == ["unchanged", "unchanged"]

    bib.write_text(BIB.replace("2019", "2020"))
    add_files(library, [papers])
    assert of(library).year == 2020
    assert len(embedder.asked) == asked  # the words are the same, so are their vectors

    generation = library.generation
    bib.write_text(BIB.replace("2019", "2020").replace("gasket", "rubber"))
    assert what(add_files(library, [papers])) == ["unchanged", "unchanged"]
    assert library.generation == generation
    assert "rubber" in of(library).record


def test_a_paper_added_alone_keeps_its_authors_and_a_bibliography_without_it_takes_them(
    library, papers
):
    bib = papers / "refs.bib"
    bib.write_text(BIB)
    add_files(library, [papers])
    (papers / "zebra.md").write_text("# On zebra stripes of the port\n\nThey came from the pump.\n")
    assert what(add_files(library, [papers / "zebra.md"])) == ["replaced"]
    assert of(library).authors == "Anna Smith, Bo Lee"
    bib.write_text("@article{o, title = {Another paper on other things}, author = {Doe, Jo}}\n")
    add_files(library, [papers])
    assert of(library).authors == ""


def test_a_broken_bibliography_is_told_and_takes_nothing_away(library, papers):
    bib = papers / "refs.bib"
    bib.write_text(BIB)
    add_files(library, [papers])
    bib.write_bytes(b"\xff\xfe\0 no bibliography \0")
    added = add_files(library, [papers])
    assert [outcome.path for outcome in added.of("failed")] == [str(bib)]
    assert of(library).authors == "Anna Smith, Bo Lee"


def test_what_another_reader_would_cut_otherwise_is_read_again(library, papers, monkeypatch):
    add_files(library, [papers])
    generation = library.generation
    monkeypatch.setattr(rag.reading.text, "READER", "text 999")
    assert what(add_files(library, [papers])) == ["unchanged", "unchanged"]
    assert library.generation == generation + 2  # kept under the new reader's name
    assert {row.reader for row in library.documents()} == {"text 999"}


# What check finds


def test_wrong_vectors_are_made_anew(library, papers, embedder):
    add_files(library, [papers])
    with library._manifest._db.writing() as database:
        blank = np.full(384, np.nan, "<f4").tobytes()
        database.execute("UPDATE passages SET vector = x'0011' WHERE row = 1")
        database.execute("UPDATE passages SET vector = ? WHERE row = 2", (blank,))
    found = library.check()
    assert found.repaired == ("2 vectors were made anew",)
    holdings = library._manifest.holdings()
    texts = [item.entry.passage.text for item in holdings.passages]
    np.testing.assert_array_equal(holdings.vectors, TinyEmbedder().encode(texts))
    assert library.check().repaired == ()


def test_words_that_changed_on_disk_are_told_and_read_again(library, papers):
    add_files(library, [papers])
    right = told(library)
    with library._manifest._db.writing() as database:
        database.execute("UPDATE passages SET text = 'No crack ran at all.' WHERE row = 1")
    found = library.check()
    assert found.altered == (f"file:{papers / 'sub' / 'crack.txt'}",)
    assert told(library) != right
    assert sorted(what(add_files(library, [papers]))) == ["replaced", "unchanged"]
    assert told(library) == right
    assert library.check().altered == ()


def test_a_read_only_library_refuses_with_a_remedy(library, papers, tmp_path):
    add_files(library, [papers])
    library._manifest._db.readonly = "Read-only file system"
    (papers / "new.txt").write_text("New words.")
    with pytest.raises(LiteratureUnavailable, match="cannot be changed") as caught:
        add_files(library, [papers])
    assert caught.value.remedy
    assert library.search("crack ran across the pane", 1)
    assert library.check().repaired == ()


@pytest.mark.skipif(os.name == "nt", reason="links and names of bytes are POSIX's")
def test_names_that_cannot_be_followed_or_written_fail_alone(library, papers):
    (papers / "self.md").symlink_to("self.md")
    (papers / "one.bib").symlink_to("two.bib")
    (papers / "two.bib").symlink_to("one.bib")
    bad = papers / os.fsdecode(b"bad\xff.md")
    try:
        bad.write_text("Words under a name of bytes.")
    except OSError:  # macOS keeps no such names
        bad = None
    addition = add_files(library, [papers])
    assert what(addition).count("added") == 2
    failed = {Path(o.path).name: (o.reason, o.remedy) for o in addition.of("failed")}
    assert failed.keys() == {"self.md", "one.bib", "two.bib"} | ({r"bad\xff.md"} if bad else set())
    assert all(remedy for _, remedy in failed.values())
    assert failed["self.md"][0] == failed["one.bib"][0] == "The link leads in a circle"
    for outcome in addition.outcomes:
        json.dumps(dataclasses.asdict(outcome), ensure_ascii=False).encode()
    if bad:
        assert "not UTF-8" in failed[r"bad\xff.md"][0]
        assert what(add_files(library, [bad])) == ["failed"]


@pytest.mark.skipif(os.name == "nt", reason="homes and links are POSIX's")
def test_a_named_path_that_leads_nowhere_says_so(library, papers):
    (papers / "self.md").symlink_to("self.md")
    for path, says in [
        (Path("~nosuch/x.md"), "home"),
        (papers / "self.md", "circle"),
        (papers / ("x" * 300), "cannot be followed"),
    ]:
        with pytest.raises(BadInput, match=says):
            add_files(library, [path])
