"""Claim: a published figure that shows the same thing is found by how it looks.

    python -m benchmarks.figures_like [--first 800000] [--count 5]

Held-out synthetic micrographs, `count` of each kind that `training.synthesis` paints, saved as
JPEG as a paper prints them. Each asks for the others: a hit shows the same kind (child key), or a
kind of the same parent. Beside ours: the model's eye alone, greys and edges alone, a thumbnail, and
chance. The eye was trained on the same generator, so that its synthetic figures are its best case.
With GLASSVIEW_REAL_MICROGRAPHS, each half of a real micrograph asks for its other half among all
of them, which no label of ours decides. Intervals: bootstrap over pictures, 95 %.

The weights of texture, features and greys were chosen on seeds 700000 to 700004 and on the real
halves; the synthetic figures are quoted of seeds from 800000 on.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glassllava import features
from glassllava.micrograph.contrast import to_8bit
from glassllava.micrograph.reading import read_micrograph, specimen
from glassllava.model.opening import open_model
from rag.figures import greys_and_edges, seen_by
from training.synthesis.canvas import PAINTERS
from training.synthesis.generator import Plan, generate

Array = np.ndarray[Any, Any]
Embed = Callable[[Sequence[Array]], Array]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=800_000)
    parser.add_argument("--count", type=int, default=5)
    args = parser.parse_args()
    eye: Any = open_model("embedded")
    ways: dict[str, Embed] = {
        "ours: both": lambda pictures: seen_by(eye, pictures),
        "the model's eye": eye.likeness,
        "greys and edges": lambda pictures: _unit([greys_and_edges(p) for p in pictures]),
        "thumbnail 16 x 16": lambda pictures: _unit([_thumbnail(p) for p in pictures]),
        "chance": lambda pictures: _unit(
            list(np.random.default_rng(0).normal(size=(len(pictures), 64)))
        ),
    }
    kinds = sorted(key for key in PAINTERS if not key.startswith("art_"))
    labels = np.repeat(kinds, args.count)
    parents = np.array([features.parent_of(key) for key in labels])
    pictures = [
        _printed(generate(args.first + n, plan=Plan(features=(key,), databar=False)).pixels)
        for key in kinds
        for n in range(args.count)
    ]
    print(f"{len(pictures)} synthetic figures of {len(kinds)} kinds, {len(set(parents))} parents")
    print("| way | same kind: first / of five | same parent: first / of five | ms a picture |")
    print("| --- | --- | --- | --- |")
    for name, embed in ways.items():
        started = time.process_time()
        vectors = embed(pictures)
        each = (time.process_time() - started) / len(pictures) * 1e3
        cells = [
            " / ".join(_share(hits) for hits in _hits(vectors, told)) for told in (labels, parents)
        ]
        print(f"| {name} | {cells[0]} | {cells[1]} | {each:.0f} |")
    _real_halves(ways)


def _real_halves(ways: dict[str, Embed]) -> None:
    named = os.environ.get("GLASSVIEW_REAL_MICROGRAPHS")
    if not named:
        print("\nreal halves: GLASSVIEW_REAL_MICROGRAPHS is not set")
        return
    folder = Path(named)
    with (folder / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        files = [row["file"] for row in csv.DictReader(file) if not row["file"].startswith("odd_")]
    left, right = [], []
    for name in files:
        grey = to_8bit(specimen(read_micrograph(folder / name)))
        middle = grey.shape[1] // 2
        left.append(grey[:, :middle])
        right.append(grey[:, middle:])
    print(f"\n{len(files)} real micrographs, each half asks for its other half")
    print("| way | first | mean reciprocal rank |")
    print("| --- | --- | --- |")
    for name, embed in ways.items():
        if name == "chance":
            continue
        one, other = embed(left), embed(right)
        ranks = [
            1 + int(np.count_nonzero(row > row[i]))
            for scores in (one @ other.T, other @ one.T)
            for i, row in enumerate(scores)
        ]
        first = np.array([rank == 1 for rank in ranks])
        print(f"| {name} | {_share(first)} | {statistics.fmean(1 / r for r in ranks):.2f} |")


def _hits(vectors: Array, told: Array) -> tuple[Array, Array]:
    """For each picture: whether the nearest other, and which part of five, are alike."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1)[:, :5]
    same = told[order] == told[:, None]
    return same[:, 0].astype(float), same.mean(1)


def _share(hits: Array) -> str:
    random = np.random.default_rng(1)
    means = random.choice(hits, (2000, len(hits))).mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{hits.mean():.2f} [{low:.2f}, {high:.2f}]"


def _printed(pixels: Array) -> Array:
    held = io.BytesIO()
    Image.fromarray(to_8bit(pixels)).save(held, "JPEG", quality=85)
    return np.asarray(Image.open(held))


def _thumbnail(picture: Array) -> Array:
    small = np.asarray(Image.fromarray(picture).resize((16, 16)), float).ravel()
    return small - small.mean()


def _unit(rows: list[Array]) -> Array:
    stacked = np.array(rows)
    return stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-9)


if __name__ == "__main__":
    main()
