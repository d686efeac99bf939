"""The manifest alone, with small vectors of known value in place of the embedder."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

import rag.database
from glassllava.errors import LiteratureUnavailable
from glassllava.literature import Passage
from rag import schema
from rag.manifest import Manifest
from rag.passages import Document, Entry


def unit(texts):
    """A vector that depends on the text alone."""
    vectors = [np.random.default_rng(list(text.encode())).normal(size=384) for text in texts]
    return np.array([v / np.linalg.norm(v) for v in vectors], np.float32).reshape(-1, 384)


def document(version, *texts):
    entries = tuple(
        Entry(Passage(f"d:{n}", text, "Notes", page=n, sources=("seen",)), ("bubble",), ("float",))
        for n, text in enumerate(texts)
    )
    return Document("d", "text", "Notes", "", version, entries)


def alive(manifest, generation):
    holdings = manifest.holdings()
    keep = holdings.alive(generation)
    return [item.entry.passage.text for item, k in zip(holdings.passages, keep, strict=True) if k]


@pytest.fixture
def manifest(tmp_path):
    opened = Manifest(tmp_path)
    yield opened
    opened.close()


def test_what_goes_in_comes_out(manifest):
    given = document("1", "first", "second")
    assert manifest.replace(given, unit, "e1") == (2, 0)
    holdings = manifest.holdings()
    assert [item.entry for item in holdings.passages] == list(given.entries)
    assert holdings.vectors.dtype == np.float32
    np.testing.assert_array_equal(holdings.vectors, unit(["first", "second"]))


def test_each_generation_stays_readable(manifest):
    manifest.replace(document("1", "a", "b"), unit, "e1")
    manifest.replace(document("2", "a", "c"), unit, "e1")
    manifest.remove("d")
    manifest.replace(document("2", "a", "c"), unit, "e1")
    seen = [sorted(alive(manifest, generation)) for generation in range(5)]
    assert seen == [[], ["a", "b"], ["a", "c"], [], ["a", "c"]]
    assert manifest.generation == 4


def test_only_what_is_new_is_embedded(manifest):
    asked = []

    def listening(texts):
        asked.extend(texts)
        return unit(texts)

    manifest.replace(document("1", "a", "b"), listening, "e1")
    manifest.replace(document("2", "a", "b", "c"), listening, "e1")
    assert asked == ["a", "b", "c"]


def test_the_slower_of_two_writers_changes_nothing(manifest, tmp_path):
    other = Manifest(tmp_path)

    def overtaken(texts):
        other.replace(document("1", "a", "b"), unit, "e1")
        return unit(texts)

    assert manifest.replace(document("1", "a", "b"), overtaken, "e1") == (0, 0)
    other.close()
    assert manifest.generation == 1
    assert alive(manifest, 1) == ["a", "b"]


def test_a_passage_that_another_removes_meanwhile_keeps_the_vector_that_was_read(
    manifest, tmp_path
):
    # Its words are the same, so the vector that was read before it went is still theirs.
    manifest.replace(document("1", "a", "b"), unit, "e1")
    other = Manifest(tmp_path)
    asked = []

    def overtaken(texts):
        asked.append(texts)
        other.remove("d")
        return unit(texts)

    assert manifest.replace(document("2", "a", "c"), overtaken, "e1") == (2, 0)
    other.close()
    assert asked == [["c"]]
    assert sorted(alive(manifest, manifest.generation)) == ["a", "c"]
    holdings = manifest.holdings()
    texts = [item.entry.passage.text for item in holdings.passages]
    np.testing.assert_array_equal(holdings.vectors, unit(texts))


def test_a_vector_of_another_embedder_is_not_kept_for_a_passage_removed_meanwhile(
    manifest, tmp_path
):
    manifest.replace(document("1", "a", "b"), lambda texts: -unit(texts), "e0")
    other = Manifest(tmp_path)
    asked = []

    def overtaken(texts):
        asked.append(texts)
        if len(asked) == 1:
            other.remove("d")
        return unit(texts)

    # "a" stood there, so it was not to be embedded; once it is gone its row is made anew.
    assert manifest.replace(document("2", "a", "c"), overtaken, "e1") == (2, 0)
    other.close()
    assert asked == [["c"], ["a"]]
    holdings = manifest.holdings()
    living = holdings.alive(manifest.generation)
    texts = [item.entry.passage.text for item in holdings.passages]
    np.testing.assert_array_equal(holdings.vectors[living], unit(texts)[living])


def test_a_failed_embedding_leaves_no_trace(manifest):
    def failing(texts):
        raise LiteratureUnavailable("no embedder")

    with pytest.raises(LiteratureUnavailable):
        manifest.replace(document("1", "a"), failing, "e1")
    assert manifest.generation == 0
    assert manifest.documents() == []


def test_documents_are_counted(manifest):
    manifest.replace(document("1", "a", "b"), unit, "e1")
    (row,) = manifest.documents()
    assert (row.key, row.passages, row.with_sources) == ("d", 2, 2)
    manifest.remove("d")
    assert manifest.documents() == []
    assert manifest.remove("d") == 0


def test_a_vector_cut_short_is_damage(manifest, tmp_path):
    manifest.replace(document("1", "a", "b"), unit, "e1")
    with sqlite3.connect(tmp_path / "manifest.sqlite") as database:
        database.execute("UPDATE passages SET vector = x'00' WHERE row = 1")
    database.close()
    with pytest.raises(LiteratureUnavailable, match="damaged"):
        manifest.holdings()


def first_form(folder):
    """A manifest as the first version wrote it, with one passage."""
    with sqlite3.connect(folder / "manifest.sqlite") as database:
        for statement in schema._STEPS[0].split(";\n"):
            database.execute(statement)
        database.execute("INSERT INTO documents VALUES (1, 'd', 'text', 'Old', '', 'abc', 1, NULL)")
        database.execute(
            "INSERT INTO passages VALUES (1, 1, 0, 'd:1', 'x', 'Old words.', 'Old', '', NULL, NULL,"
            " NULL, 'top', '[]', '[]', '[]', 'e1', ?, 1, NULL)",
            (unit(["Old words."]).tobytes(),),
        )
        database.execute("UPDATE state SET generation = 1")
        database.execute("PRAGMA user_version = 1")
    database.close()


def test_a_manifest_of_the_first_form_becomes_a_current_one(tmp_path):
    first_form(tmp_path)
    opened = Manifest(tmp_path)
    (row,) = opened.documents()
    assert (row.title, row.passages, row.record, row.figures) == ("Old", 1, None, 0)
    assert alive(opened, 1) == ["Old words."]
    assert opened.made_of("d") == "abc"
    opened.close()


def test_an_old_manifest_that_cannot_be_written_is_read_from_a_copy(tmp_path, monkeypatch):
    first_form(tmp_path)
    before = (tmp_path / "manifest.sqlite").read_bytes()
    # As on a read-only disk, which tests/rag/test_processes.py has: mounting one needs root.
    monkeypatch.setattr(rag.database, "_why_unwritable", lambda path: "Read-only file system")
    opened = Manifest(tmp_path)
    assert alive(opened, 1) == ["Old words."]
    with pytest.raises(LiteratureUnavailable, match="cannot be changed"):
        opened.remove("d")
    opened.close()
    assert (tmp_path / "manifest.sqlite").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.sqlite"]


def test_what_changes_under_a_reader_of_a_read_only_disk_is_seen(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        first = Manifest(tmp_path)
        first.replace(document("1", "a", "b"), unit, "e1")
        first.close()
        patch.setattr(rag.database, "_why_unwritable", lambda path: "Read-only file system")
        reader = Manifest(tmp_path)
    assert reader.readonly
    assert alive(reader, reader.generation) == ["a", "b"]
    writer = Manifest(tmp_path)
    writer.replace(document("2", "a", "c"), unit, "e1")
    writer.close()
    assert sorted(alive(reader, reader.generation)) == ["a", "c"]
    reader.close()
