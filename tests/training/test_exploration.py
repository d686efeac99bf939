"""Figures are mapped and tabled; the table says which cluster a split misses."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image

from glassllava.errors import BadInput
from tests import compounds
from training import exploration
from training.curation.figure import Figure, write_figures
from training.exploration import choose_clusters, cluster, explore, map_out, table_of


def blobs(sizes, seed=0):
    """Vectors around as many centres as there are sizes, far apart."""
    rng = np.random.default_rng(seed)
    centres = np.eye(len(sizes), 16) * 5
    parts = [c + rng.normal(0, 0.2, (n, 16)) for c, n in zip(centres, sizes, strict=True)]
    return np.concatenate(parts).astype(np.float32)


def test_the_number_of_clusters_is_that_with_the_highest_silhouette():
    labels, told = choose_clusters(blobs((30, 20, 10, 6)), (2, 6), seed=0)
    assert max(told, key=told.get) == 4
    assert list(told) == [2, 3, 4, 5, 6]
    assert [int((labels == n).sum()) for n in range(4)] == [30, 20, 10, 6]  # the largest is 0


def test_a_seed_gives_one_map():
    vectors = blobs((12, 9))
    assert np.array_equal(map_out(vectors, 3), map_out(vectors, 3))
    assert np.array_equal(cluster(vectors, 3, 1), cluster(vectors, 3, 1))


def test_what_a_split_misses_is_said():
    vectors, labels = blobs((12, 8)), np.repeat([0, 1], (12, 8))
    figures = [
        Figure(f"f{n}", "x.png", f"p{n // 2}", split="test" if n in (0, 1) else "train",
               caption="A crack in glass." if n < 12 else "Pores.")
        for n in range(20)
    ]  # fmt: skip
    rows, missed = table_of(figures, vectors, labels)
    assert [(row.figures, dict(row.splits)) for row in rows] == [
        (12, {"train": 10, "test": 2}), (8, {"train": 8, "test": 0})
    ]  # fmt: skip
    assert missed == (
        "test misses cluster 1: 8 figures of 4 papers, 0.8 expected (less than one is expected)",
    )
    assert rows[0].words[0] == "crack"
    assert all(figure in figures[:12] for figure in rows[0].examples)


@pytest.fixture
def work(tmp_path):
    (tmp_path / "images").mkdir()
    figures = []
    for number in range(16):
        name = f"images/{number}.png"
        compounds.micrograph(number % 8 + 20 * number, 128, 96, databar=False).save(tmp_path / name)
        split = ("train", "train", "validation", "test")[number % 4]
        figures.append(Figure(f"f{number}", name, f"p{number}", kind="sem", split=split))
    figures.append(Figure("again", "images/0.png", "p0", kind="sem", duplicate_of="f0"))
    figures.append(Figure("plot", "images/1.png", "p0", kind="other"))
    write_figures(tmp_path, figures)
    return tmp_path


def test_a_work_folder_is_explored(work, tmp_path, monkeypatch):
    seen = []

    def by_grey(figures, folder, model="embedded", told=None):
        seen.append((len(figures), model))
        pictures = [np.asarray(Image.open(folder / f.image).convert("L").resize((8, 8)), float)
                    for f in figures]  # fmt: skip
        return np.array([p.ravel() / np.linalg.norm(p) for p in pictures], np.float32)

    monkeypatch.setattr(exploration, "embed", by_grey)
    out = tmp_path / "out"
    told = explore(work, out, clusters=(2, 4), seed=5)
    assert seen == [(16, "embedded")]  # neither the copy nor the plot
    assert told.figures == 16
    assert list(told.silhouettes) == [2, 3, 4]
    assert sorted(path.name for path in told.files) == [
        "exploration.csv", "exploration.md", "exploration.png", "exploration.svg"
    ]  # fmt: skip
    with Image.open(out / "exploration.png") as drawn:
        assert min(drawn.size) > 800
        assert len(set(drawn.convert("RGB").resize((200, 120)).tobytes())) > 50
    rows = list(csv.DictReader(io.StringIO((out / "exploration.csv").read_text("utf-8"))))
    assert sum(int(row["figures"]) for row in rows) == 16
    assert [sum(int(row[s]) for row in rows) for s in ("train", "validation", "test")] == [8, 4, 4]
    assert "Mean silhouette" in (out / "exploration.md").read_text("utf-8")
    before = (out / "exploration.svg").read_bytes()
    explore(work, out, clusters=(2, 4), seed=5)
    assert (out / "exploration.svg").read_bytes() == before


def test_too_few_or_senseless_is_refused(work, tmp_path):
    with pytest.raises(BadInput, match="cannot be tried"):
        explore(work, tmp_path, clusters=(5, 2))
    write_figures(work, [Figure("f", "images/0.png", "p", kind="sem")])
    with pytest.raises(BadInput, match="too few"):
        explore(work, tmp_path)


@pytest.mark.proof  # opens the checkpoint
def test_the_embedded_eye_tells_cracks_from_plots(work):
    figures = [Figure(f"f{n}", f"images/{n}.png", "p") for n in range(3)]
    compounds.plot(1, 300, 240).save(work / "images/1.png")
    compounds.plot(3, 300, 240).save(work / "images/2.png")
    vectors = exploration.embed(figures, work)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-3)
    assert vectors[1] @ vectors[2] > vectors[0] @ vectors[1]
