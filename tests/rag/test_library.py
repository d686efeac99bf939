"""The library: one truth, two processes, generations, damage, and no network."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import rag
from glassllava.errors import BadInput, LiteratureUnavailable
from rag import retrieval
from rag.library import Library
from rag.reading import read_document as read_text
from tests.rag.tiny import TinyEmbedder

QUESTIONS = ["needles on stored glass", "dark square in the image", "grain of a gold coating"]

# A process of its own: it may reach no host at all, owns one library, and meets another's lock.
CHILD = """
import json, socket, sys
from pathlib import Path
asked = []
real = socket.socket.connect
def refuse(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        asked.append(str(address))
        raise OSError("the network is refused")
    return real(self, address)
socket.socket.connect = refuse
socket.socket.connect_ex = refuse
import rag
told = {}
for name in ("held", "owned"):
    with rag.open_library(Path(sys.argv[1]) / name) as library:
        answers = [[p.to_json() for p in library.search(q, 4)] for q in json.loads(sys.argv[2])]
        told[name] = {"answers": answers, "waited": "chromadb" in sys.modules}
        library.settle()
        told[name]["backend"] = library.backend
told["asked"] = asked
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def other_process(embedded, tmp_path_factory):
    """What a second process answers while this one holds `held`, and what this one answers."""
    place = tmp_path_factory.mktemp("two")
    for name in ("owned", "held"):
        shutil.copytree(embedded, place / name)
    shutil.rmtree(place / "owned" / "index")
    with rag.open_library(place / "held") as library:
        here = [[p.to_json() for p in library.search(q, 4)] for q in QUESTIONS]
        library.settle()
        assert library.backend == "chroma"
        ran = subprocess.run(
            [sys.executable, "-c", CHILD, str(place), json.dumps(QUESTIONS)],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert ran.returncode == 0, ran.stderr
    return here, json.loads(ran.stdout.splitlines()[-1])


def test_two_processes_give_the_same_answers(other_process):
    here, told = other_process
    assert told["held"]["backend"] == "exact (another process owns the index)"
    for mine, theirs in zip(here, told["held"]["answers"], strict=True):
        assert [p["id"] for p in mine] == [p["id"] for p in theirs]
        assert [p["score"] for p in mine] == pytest.approx([p["score"] for p in theirs], abs=2e-4)


def test_a_small_library_s_search_does_not_wait_for_the_index(other_process):
    _, told = other_process
    assert told["held"]["waited"] is False


def test_no_host_is_ever_asked(other_process):
    _, told = other_process
    assert told["asked"] == []
    assert told["owned"]["backend"] == "chroma"
    assert all(told["owned"]["answers"])


def notes(tmp_path, text="Zebra stripes on the viewing port were traced to a loose gasket."):
    path = tmp_path / "notes.md"
    path.write_text(f"# Workshop notes\n\n{text}\n")
    return path


def ids(literature, question="zebra stripes and a loose gasket"):
    return [passage.id for passage in literature.search(question, 3)]


def test_adding_finds_removing_hides_pinning_keeps(folder, tmp_path):
    document = read_text(notes(tmp_path))
    mine = document.entries[0].passage.id
    with rag.open_library(folder) as library:
        before = library.generation
        assert mine not in ids(library)
        assert library.add(document) == (1, 0)
        after = library.generation
        assert after == before + 1
        assert ids(library)[0] == mine
        library.settle()
        assert library.add(document) == (0, 0)
        assert library.generation == after

        assert library.remove(document.key) == 1
        assert mine not in ids(library)
        assert ids(library.pinned(after))[0] == mine
        assert mine not in ids(library.pinned(before))
        assert library.backend == "chroma"
        with pytest.raises(LiteratureUnavailable):
            library.pinned(library.generation + 1)

        assert library.add(document) == (1, 0)
        assert ids(library)[0] == mine


def test_a_changed_text_replaces_only_what_changed(folder, tmp_path):
    with rag.open_library(folder) as library:
        path = notes(tmp_path, "Kept words.\n\n## Other\n\nOld words on zebra stripes.")
        library.add(read_text(path))
        old = library.generation
        notes(tmp_path, "Kept words.\n\n## Other\n\nNew words on zebra stripes.")
        assert library.add(read_text(path))[0] >= 1
        texts = [p.text for p in library.search("words on zebra stripes", 5)]
        assert "New words on zebra stripes." in texts
        assert "Old words on zebra stripes." not in texts
        pinned = [p.text for p in library.pinned(old).search("words on zebra stripes", 5)]
        assert "Old words on zebra stripes." in pinned


def test_the_owner_sees_what_another_opening_adds(folder, tmp_path):
    document = read_text(notes(tmp_path))
    with rag.open_library(folder) as owner, rag.open_library(folder) as other:
        assert ids(owner) == ids(other)
        owner.settle()
        other.add(document)
        other.settle()
        assert other.backend.startswith("exact")
        for library in (owner, other):
            assert ids(library)[0] == document.entries[0].passage.id
        assert owner.backend == "chroma"
        assert owner.check().lost == 0


def test_the_lock_passes_on_when_its_owner_closes(folder):
    with rag.open_library(folder) as first:
        first.settle()
    with rag.open_library(folder) as second:
        second.settle()
        assert second.backend == "chroma"


def test_threads_get_the_same_answers(primer_library):
    alone = [ids(primer_library, question) for question in QUESTIONS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda q: ids(primer_library, q), QUESTIONS * 8))
    assert together == alone * 8


def database(folder):
    return next((folder / "index").glob("chroma-*/chroma.sqlite3"))


DAMAGE = {
    "database of rubbish": lambda folder: database(folder).write_bytes(b"rubbish " * 5000),
    "database cut short": lambda folder: database(folder).write_bytes(
        database(folder).read_bytes()[:5000]
    ),
    "database gone": lambda folder: database(folder).unlink(),
    "a write was torn": lambda folder: (folder / "index" / "current.json").unlink(),
    "a mark of rubbish": lambda folder: (folder / "index" / "current.json").write_text(
        '{"folder": 1}'
    ),
    "a mark that points out": lambda folder: (folder / "index" / "current.json").write_text(
        '{"folder": "../../elsewhere"}'
    ),
    "a graph file of rubbish": lambda folder: next(
        (folder / "index").glob("chroma-*/*/data_level0.bin")
    ).write_bytes(b"rubbish " * 50),
    "everything gone": lambda folder: shutil.rmtree(folder / "index"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_index_is_mended(folder, primer_library, how):
    DAMAGE[how](folder)
    with rag.open_library(folder) as library:
        for question in QUESTIONS:
            assert ids(library, question) == ids(primer_library, question)
        library.settle()
        assert library.backend == "chroma"
        assert library.check().lost == 0
        # Chroma makes a missing database itself, empty; the rows are then added to that one.
        assert library.check().rebuilt == (how != "database gone")
    assert len(list((folder / "index").glob("chroma-*"))) == 1


def test_an_index_that_lost_passages_is_found_out_and_mended(folder):
    with rag.open_library(folder) as library:
        library.settle()
        library._kept._index._store.delete_nodes(["3", "14"])
        found = library.check()
        assert (found.lost, found.rebuilt, found.manifest_whole) == (2, True, True)
        assert library.check().lost == 0


def test_without_an_index_the_answers_are_the_same(folder, primer_library, caplog):
    shutil.rmtree(folder / "index")
    (folder / "index").write_text("in the way")
    with rag.open_library(folder) as library:
        for question in QUESTIONS:
            assert ids(library, question) == ids(primer_library, question)
        library.settle()
        assert library.backend.startswith("exact (the index failed")
    assert "searching without the index" in caplog.text


def test_a_large_library_is_searched_by_the_index_and_does_not_wait_for_one_at_work(
    folder, primer_library, monkeypatch
):
    monkeypatch.setattr(retrieval, "EXACT_UP_TO", 10)
    with rag.open_library(folder) as library:
        done, held = threading.Event(), threading.Event()

        def work():  # as another thread that brings the index up does
            with library._kept._lock:
                held.set()
                assert done.wait(60)

        other = threading.Thread(target=work)
        other.start()
        assert held.wait(60)
        assert ids(library) == ids(primer_library)
        assert library.backend.startswith("exact")
        done.set()
        other.join()
        for question in QUESTIONS:
            assert ids(library, question) == ids(primer_library, question)
        assert library.backend == "chroma"


def test_another_embedders_vectors_are_made_anew(folder):
    with sqlite3.connect(folder / "manifest.sqlite") as database_:
        blank = b"\0" * 384 * 4
        database_.execute(
            "UPDATE passages SET embedder = 'old', vector = ? WHERE row < 4", (blank,)
        )
    database_.close()
    with rag.open_library(folder) as library:
        assert library.search("seeing and judging are two steps", 1)[0].id == "primer:1"
        assert library.check().lost == 0


@pytest.mark.parametrize("rubbish", [b"not a database " * 1000, b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_manifest_says_what_to_do(folder, rubbish):
    (folder / "manifest.sqlite").write_bytes(rubbish)
    with pytest.raises(LiteratureUnavailable) as caught:
        rag.open_library(folder)
    assert "damaged" in caught.value.what
    assert caught.value.remedy


def test_a_library_of_the_future_is_left_alone(folder):
    with sqlite3.connect(folder / "manifest.sqlite") as database_:
        database_.execute("PRAGMA user_version = 99")
    database_.close()
    with pytest.raises(LiteratureUnavailable, match="newer GlassView"):
        rag.open_library(folder)


def test_a_file_and_a_missing_parent_are_no_library(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    for place in (file, file / "below", tmp_path / "no" / "such"):
        with pytest.raises(LiteratureUnavailable) as caught:
            rag.open_library(place)
        assert caught.value.remedy


def test_an_index_that_cannot_be_built_has_a_remedy(folder):
    shutil.rmtree(folder / "index")
    (folder / "index").write_text("a file of somebody's")
    with rag.open_library(folder) as library:
        found = library.check()
        assert "the index failed" in found.backend
        assert str(folder / "index") in found.remedy
        (folder / "index").unlink()
        mended = library.check()
    assert (mended.backend, mended.remedy) == ("chroma", "")


def test_a_library_that_could_keep_nothing_gives_no_empty_answers(tmp_path):
    # As on a disk that was full at the first opening: an empty answer would mean "no evidence".
    with Library(tmp_path, TinyEmbedder()) as library:
        library._manifest._db.readonly = "database or disk is full"
        with pytest.raises(LiteratureUnavailable, match="primer could be kept") as caught:
            library.hold_primer()
    assert "Free some space" in caught.value.remedy


def test_texts_without_the_primer_are_read_with_a_warning(tmp_path, caplog):
    (tmp_path / "library").mkdir()
    with Library(tmp_path / "library", TinyEmbedder()) as library:
        library.add(read_text(notes(tmp_path)))
        library._manifest._db.readonly = "Read-only file system"
        library.hold_primer()
        assert len(library.documents()) == 1
    assert "no primer" in caplog.text


def test_nothing_asked_nothing_found_and_a_flood_is_refused(primer_library):
    assert primer_library.search("   ", 5) == ()
    assert primer_library.search("bubble", 0) == ()
    with pytest.raises(BadInput) as caught:
        primer_library.search("bubble " * 1000, 5)
    assert caught.value.remedy


def test_words_that_are_no_text_and_paths_that_lead_nowhere_are_no_bugs(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with Library(tmp_path, TinyEmbedder()) as library:
        for ask in (library.keys_like, library.key_of, library.get, lambda q: library.search(q, 1)):
            with pytest.raises(BadInput, match="UTF-8") as caught:
                ask("\udcff glass")
            str(caught.value).encode()
        for name in ("~nosuch/x", str(tmp_path / "loop"), "null\0"):
            assert library.keys_like(name) == []
    for place in ("~nosuch/lib", tmp_path / "loop", "null\0"):
        with pytest.raises(LiteratureUnavailable) as refused:
            rag.open_library(place)
        assert refused.value.remedy


def test_counts_are_those_of_the_primer(primer_library):
    counts = primer_library.statistics()
    entries = rag.passages.primer().entries
    assert counts["documents"] == 1
    assert counts["passages"] == len(entries)
    assert counts["with_checked_sources"] == sum(bool(e.passage.sources) for e in entries)
