"""`library add`, killed at any moment: what was kept is whole, and the next one finishes it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import rag
from rag.manifest import Manifest

ROOT = Path(__file__).parents[2]
KILLS, DOCUMENTS = 30, 40
_WORDS = re.findall(
    r"\w+",
    "glass melt crack pore gasket pump column stripe seal stone cord furnace hackle mirror lamella"
    " crystal needle layer corrosion bubble oxide tin float fibre enamel frit foam drawn annealed",
)


def write_papers(folder: Path) -> None:
    """Forty small documents of one or two passages; the same in every run."""
    words = random.Random(4)
    folder.mkdir()
    for number in range(DOCUMENTS):
        sections = []
        for part in range(1 + number % 2):
            text = " ".join(words.choice(_WORDS) for _ in range(20 + 10 * (number % 3)))
            sections.append(f"## Part {part}\n\n{text.capitalize()}, number {number}.\n")
        (folder / f"paper {number:02}.md").write_text(
            f"# Notes of shift {number} on the furnace\n\n" + "\n".join(sections)
        )
    (folder / "refs.bib").write_text(
        "".join(
            f"@article{{k{n}, title={{Notes of shift {n} on the furnace}},"
            f" author={{Smith, Anna}}, year={{{1990 + n}}}}}\n"
            for n in range(DOCUMENTS)
        )
    )


def start(library: Path, papers: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "glassview", "library", "add", str(papers)]
    return subprocess.Popen(
        [*words, "--library", str(library)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def held(library: Path) -> dict[tuple[object, ...], np.ndarray]:
    """Every living passage, with all that is cited of it, and its vector."""
    manifest = Manifest(library)
    try:
        assert manifest.whole()
        holdings = manifest.holdings()
        paths = {row.key: Path(row.path).name for row in manifest.documents()}
        key_of = {p.row: key for key in paths for p in manifest.passages_of(key)}
    finally:
        manifest.close()
    alive = holdings.alive(holdings.generation)
    found = {}
    for item, vector, lives in zip(holdings.passages, holdings.vectors, alive, strict=True):
        if lives:
            told = json.dumps(item.entry.passage.to_json(), sort_keys=True)
            found[paths[key_of[item.row]], item.entry.passage.id, told] = vector
    return found


@pytest.mark.proof
def test_killed_at_thirty_random_moments_nothing_is_lost(embedded, tmp_path):
    papers = tmp_path / "papers"
    write_papers(papers)
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(embedded, undisturbed)
    began = time.monotonic()
    process = start(undisturbed, papers)
    _, errors = process.communicate(timeout=600)
    whole = time.monotonic() - began
    assert process.returncode == 0, errors.decode()
    right = held(undisturbed)
    primer = held(embedded)

    moments = random.Random(11)
    reached: list[int] = []
    ended = 0
    while len(reached) < KILLS:
        library = tmp_path / f"library-{len(reached)}-{ended}"
        shutil.copytree(embedded, library)
        began = time.monotonic()
        process = start(library, papers)
        # Starting up takes a part of the time in which there is nothing to lose.
        with contextlib.suppress(subprocess.TimeoutExpired):
            _, errors = process.communicate(timeout=moments.uniform(0.2, 1.0) * whole)
            assert process.returncode == 0, errors.decode()
            # Ended before its moment came: the machine is less busy than it was.
            whole = min(whole, time.monotonic() - began)
            ended += 1
            assert ended < KILLS
            shutil.rmtree(library)
            continue
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        # What was kept is whole documents, and it opens and answers.
        some = held(library)
        assert set(some) <= set(right)
        for name in {key[0] for key in set(some) - set(primer)}:
            assert {k for k in some if k[0] == name} == {k for k in right if k[0] == name}
        reached.append(len({key[0] for key in set(some) - set(primer)}))
        with rag.open_library(library) as opened:
            assert opened.search("bubble in a pane", 1)

        process = start(library, papers)
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors.decode()
        again = held(library)
        assert set(again) == set(right)
        assert all(np.abs(again[key] - right[key]).max() < 1e-5 for key in right)
        if len(reached) % 5 == 1:  # the index is made from what was just compared: a few tell
            with rag.open_library(library) as opened:
                assert opened.check().lost == 0
        shutil.rmtree(library)
        print(f"{len(reached)}: killed with {reached[-1]} documents kept", flush=True)
    among = sum(0 < count < DOCUMENTS for count in reached)
    print(
        f"\n{KILLS} killed, {among} of them among the documents, {reached.count(0)} before the"
        f" first, {reached.count(DOCUMENTS)} after the last; {ended} more ended before their"
        f" moment; an undisturbed run keeps {len(set(right) - set(primer))} passages"
    )
    assert among >= KILLS / 3
