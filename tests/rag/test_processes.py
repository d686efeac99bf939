"""One folder and several real processes: a desktop that searches, a pinned scan, an addition.

And what a process meets that may not write, has no room, or finds a dead one's lock.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rag
from glassllava.errors import LiteratureUnavailable
from rag.adding import add_files
from rag.library import Library
from rag.manifest import Manifest
from tests.rag.tiny import TinyEmbedder

ROOT = Path(__file__).parents[2]
COUNT = 8

# Searches until a file appears; prints each answer that differs from the last, and its backend.
SEARCHER = """
import json, sys, time
from pathlib import Path
import rag
folder, question, stop, generation = sys.argv[1:5]
with rag.open_library(Path(folder)) as library:
    library.settle()
    shelf = library.pinned(int(generation)) if generation else library
    last, asked, done = None, 0, False
    while not done:
        done = Path(stop).exists()  # one more search after the addition is over
        found = [p.id for p in shelf.search(question, 12)]
        asked += 1
        if found != last:
            print(json.dumps({"found": found, "backend": library.backend}), flush=True)
            last = found
        time.sleep(0.01)
    print(json.dumps({"asked": asked, "found": found}), flush=True)
"""


def child(script, *words, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def command(*words):
    """`glassview library …` in a process of its own."""
    return [sys.executable, "-m", "glassview", "library", *map(str, words)]


def ran(*words, **how):
    return subprocess.run(
        command(*words), cwd=ROOT, capture_output=True, text=True, timeout=300, **how
    )


def papers(tmp_path, count=COUNT):
    folder = tmp_path / "papers"
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"p{number}.md").write_text(
            f"# Gasket {number}\n\nZebra stripes number {number} came from the loose gasket of"
            f" pump {number}, which shook the column at {40 + number} hertz.\n"
        )
    return folder


def held(folder):
    manifest = Manifest(folder)
    try:
        rows = manifest.documents()
        return {
            (Path(row.path).name, p.entry.passage.id, p.entry.passage.text)
            for row in rows
            for p in manifest.passages_of(row.key)
        }
    finally:
        manifest.close()


QUESTION = "zebra stripes from a loose gasket of the pump"


def test_a_desktop_a_scan_and_an_addition_at_once(folder, tmp_path):
    first = papers(tmp_path, 2)
    with rag.open_library(folder) as library:
        add_files(library, [first])
        pinned = library.generation
        before = [passage.id for passage in library.search(QUESTION, 12)]
    stop = tmp_path / "stop"
    desktop = child(SEARCHER, folder, QUESTION, stop, "")
    assert json.loads(desktop.stdout.readline())["backend"] == "chroma"
    scan = child(SEARCHER, folder, QUESTION, stop, pinned)
    opening = json.loads(scan.stdout.readline())
    assert opening["backend"] == "exact (another process owns the index)"

    # Two additions at once, of the same papers: SQLite lets one in at a time.
    papers(tmp_path)
    adding = [
        subprocess.Popen(
            command("add", tmp_path / "papers", "--library", folder, "--json"),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=300) for process in adding]
    assert [process.returncode for process in adding] == [0, 0], told
    stop.touch()
    seen, errors = desktop.communicate(timeout=120)
    assert desktop.returncode == 0, errors
    kept, errors = scan.communicate(timeout=120)
    assert scan.returncode == 0, errors

    # Nothing is lost, nothing is there twice.
    assert len(held(folder) - held_primer()) == COUNT
    # The desktop came to see every new passage; the scan saw the same from start to end.
    with rag.open_library(folder) as library:
        after = [passage.id for passage in library.search(QUESTION, 12)]
        assert library.check().lost == 0
    last = json.loads(seen.splitlines()[-1])
    assert last["found"] == after != before
    assert opening["found"] == before
    assert [json.loads(line) for line in kept.splitlines()] == [
        {"asked": json.loads(kept.splitlines()[-1])["asked"], "found": before}
    ]


def held_primer():
    from rag.passages import primer

    return {("", e.passage.id, e.passage.text) for e in primer().entries}


HOLDER = """
import sys, time
from pathlib import Path
import rag
with rag.open_library(Path(sys.argv[1])) as library:
    library.settle()
    print(library.backend, flush=True)
    time.sleep(600)
"""


def test_the_lock_of_a_dead_process_is_free(folder):
    owner = child(HOLDER, folder)
    assert owner.stdout.readline() == "chroma\n"
    with rag.open_library(folder) as library:
        library.settle()
        assert library.backend == "exact (another process owns the index)"
    owner.send_signal(signal.SIGKILL)
    owner.wait(30)
    with rag.open_library(folder) as library:
        library.settle()
        assert library.backend == "chroma"
        assert library.check().lost == 0


# What cannot be written


def in_namespace(script):
    """Run a shell script where mounting hurts nobody else; skips where that is not allowed."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a disk of one's own needs root")
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("this machine lets nobody mount (unshare -m)")
    return subprocess.run(
        ["unshare", "-m", "sh", "-ec", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )


def shell(*words):
    import shlex

    return shlex.join(map(str, words))


@pytest.mark.parametrize("state", ["closed", "journal left", "open elsewhere"])
def test_a_library_on_a_read_only_disk_is_searched_and_refuses_more(folder, tmp_path, state):
    place = papers(tmp_path, 1)
    holder = None
    if state == "closed":
        with rag.open_library(folder) as library:
            add_files(library, [place])
    else:
        # A process that died, or lives on, leaves the addition in the journal alone.
        keep = "add_files(library, [Path(sys.argv[2])]); print('added', flush=True)"
        holder = child(
            HOLDER.replace("library.settle()", "pass").replace(
                "print(library.backend, flush=True)", f"from rag.adding import add_files; {keep}"
            ),
            folder,
            place,
        )
        assert holder.stdout.readline() == "added\n"
        if state == "journal left":
            holder.send_signal(signal.SIGKILL)
            holder.wait(30)
            (folder / "manifest.sqlite-shm").unlink()
        assert (folder / "manifest.sqlite-wal").stat().st_size
    files = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    searched = shell(*command("search", QUESTION, "--json", "--library", folder))
    listed = shell(*command("list", "--library", folder))
    added = shell(*command("add", place, "--library", folder))
    (place / "new.md").write_text("# New\n\nNew words on gaskets.\n")
    try:
        done = in_namespace(
            f"mount --bind {folder} {folder}; mount -o remount,ro,bind {folder}\n"
            f"{searched}\n{listed} >&2\n{added} >&2 || echo rc $? >&2"
        )
    finally:
        if holder:
            holder.kill()
            holder.communicate()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["passages"][0]["title"] == "Gasket 0"
    assert "nothing can be added: Read-only file system" in done.stderr
    assert "cannot be changed (Read-only file system)" in done.stderr
    assert done.stderr.rstrip().endswith("rc 2")
    if state != "open elsewhere":
        assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == files


def test_a_folder_of_another_person_is_read(tmp_path):
    """The same where the disk is writable and the folder is not; root may write anywhere."""
    place = tmp_path / "library"
    place.mkdir()
    with Library(place, TinyEmbedder()) as library:
        add_files(library, [papers(tmp_path, 2)])
    for path in [*place.iterdir(), place]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        if os.geteuid() == 0:
            pytest.skip("root may write whatever the mode says; the read-only disk is the proof")
        with Library(place, TinyEmbedder()) as library:
            assert library.readonly
            assert library.search("zebra stripes", 1)
            with pytest.raises(LiteratureUnavailable, match="cannot be changed"):
                library.remove("x")
    finally:
        place.chmod(0o755)


FILLER = """
import resource, sys
from pathlib import Path
from glassllava.errors import LiteratureUnavailable
from rag.adding import add_files
from rag.library import Library
from tests.rag.tiny import TinyEmbedder
folder, papers, room = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
if room:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
try:
    with Library(folder, TinyEmbedder()) as library:
        add_files(library, [papers])
except LiteratureUnavailable as error:
    print(error, flush=True)
    raise SystemExit(2)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are told by POSIX alone")
def test_a_disk_without_room_stops_the_addition_and_loses_nothing(tmp_path):
    place, other = tmp_path / "library", tmp_path / "undisturbed"
    place.mkdir()
    other.mkdir()
    folder = papers(tmp_path, 120)
    done = child(FILLER, place, folder, 300_000, PYTHONPATH=str(ROOT))
    told, errors = done.communicate(timeout=120)
    assert done.returncode == 2, errors
    assert "The library cannot be used" in told
    assert "space" in told
    with Library(place, TinyEmbedder()) as library:
        some = len(library.documents())
        assert 0 < some < 120
        assert library.search("zebra stripes number 0", 1)
        assert len(add_files(library, [folder]).of("added")) == 120 - some
    with Library(other, TinyEmbedder()) as library:
        add_files(library, [folder])
    assert held(place) == held(other)


@pytest.mark.proof
def test_a_full_disk_of_its_own(tmp_path):
    """The same on a real disk of 1 MB: it fills, is still read, and goes on once there is room."""
    folder = papers(tmp_path, 400)
    disk = tmp_path / "disk"
    disk.mkdir()
    add = shell(sys.executable, "-c", FILLER, disk / "library", folder, 0)
    search = shell(
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from rag.library import Library;"
        " from tests.rag.tiny import TinyEmbedder;"
        " library = Library(Path(sys.argv[1]), TinyEmbedder());"
        " print(len(library.documents()), len(library.search('zebra stripes', 3)))",
        disk / "library",
    )
    done = in_namespace(
        f"export PYTHONPATH={ROOT}\n"
        f"mount -t tmpfs -o size=1m none {disk}; mkdir {disk}/library\n"
        f"{add} || echo rc $?\n"
        f"dd if=/dev/zero of={disk}/filler bs=1k 2>/dev/null || true\n"
        f"{search}\n"
        f"rm {disk}/filler; mount -o remount,size=64m {disk}\n"
        f"{add}\n{search}\n"
    )
    assert done.returncode == 0, done.stderr + done.stdout
    lines = done.stdout.splitlines()
    assert "rc 2" in lines
    some, found = map(int, lines[lines.index("rc 2") + 1].split())
    assert 0 < some < 400
    assert found == 3
    assert lines[-1] == "400 3"


@pytest.mark.proof
def test_the_commands_work_where_there_is_no_network_at_all(folder, tmp_path):
    place = papers(tmp_path, 2)
    words = [
        command("add", place, "--library", folder),
        command("search", QUESTION, "--library", folder),
        command("check", "--library", folder),
    ]
    lines = "\n".join(shell("unshare", "-n", *line) for line in words)
    done = in_namespace(lines)
    assert done.returncode == 0, done.stderr
    assert "Gasket 0" in done.stdout
    assert "index: chroma" in done.stdout


def test_the_index_owner_may_stand_still_and_others_go_on(folder):
    owner = child(HOLDER, folder)
    assert owner.stdout.readline() == "chroma\n"
    owner.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        with rag.open_library(folder) as library:
            assert library.search("bubble", 1)
        assert time.monotonic() - started < 20
    finally:
        owner.kill()
        owner.communicate()
