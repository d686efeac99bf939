"""What the gathered figures look like, as a map and a table: do the splits cover the clusters?

    explore(work, out, *, model="embedded", seed=0, clusters=(2, 12), kind="sem", told=None)
        -> Exploration

writes OUT/exploration.png, .svg, .csv, .md from WORK/figures.jsonl: t-SNE of image embeddings,
coloured by K-Means cluster, a mark a split; the table counts clusters by splits.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import BadInput
from glassllava.features import PARENTS, name_of, vocabulary
from training.curation.figure import Figure, read_figures
from training.curation.pictures import read_picture
from training.whole import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Array = np.ndarray[Any, Any]
FEWEST = 8
_BATCH = 8
#: Pictures shown beside the map for each cluster: those nearest to its centre.
_EXAMPLES = 3
_MARKS = ("o", "^", "s", "D", "P", "X", "v", "*")


@dataclass(frozen=True, slots=True)
class Exploration:
    """The clusters and where they were written.

    `silhouettes` are the mean silhouette by number of clusters tried; `missed` are sentences, one
    for each cluster that a split misses; `files` are the paths that were written.
    """

    figures: int
    clusters: int
    silhouettes: Mapping[int, float]
    missed: tuple[str, ...]
    files: tuple[Path, ...]


def explore(
    work: Path,
    out: Path,
    *,
    model: str = "embedded",
    seed: int = 0,
    clusters: tuple[int, int] = (2, 12),
    kind: str = "sem",
    told: Callable[[int, int], None] | None = None,
) -> Exploration:
    """Embed the figures of WORK that are `kind` ("sem" or "all") and no duplicates, and map them.

    Raises
    ------
    BadInput : where there are too few figures, or OUT cannot be written.
    """
    if not 2 <= clusters[0] <= clusters[1] <= 50:
        raise BadInput(f"{clusters[0]} to {clusters[1]} clusters cannot be tried")
    figures = [
        figure
        for figure in read_figures(work)
        if not figure.duplicate_of and kind in ("all", figure.kind)
    ]
    if len(figures) < FEWEST:
        raise BadInput(
            f"{len(figures)} figures ({kind}) are too few for a map: {FEWEST} are needed",
            where=work,
            remedy="Gather more papers, or take --kind all.",
        )
    vectors = embed(figures, work, model, told)
    labels, silhouettes = choose_clusters(vectors, clusters, seed)
    places = map_out(vectors, seed)
    rows, missed = table_of(figures, vectors, labels)
    drawn = draw(figures, places, labels, rows, work)
    pictures = [(f"exploration.{ending}", drawn[ending]) for ending in ("png", "svg")]
    texts = [
        ("exploration.csv", as_csv(rows)),
        ("exploration.md", as_markdown(rows, missed, silhouettes)),
    ]
    files = []
    for name, data in (*pictures, *((name, text.encode("utf-8")) for name, text in texts)):
        write_whole(out / name, data)
        files.append(out / name)
    return Exploration(len(figures), len(rows), silhouettes, missed, tuple(files))


def embed(
    figures: Sequence[Figure],
    work: Path,
    model: str = "embedded",
    told: Callable[[int, int], None] | None = None,
) -> Array:
    """Unit vectors (n, d) float32 of the figures' pictures, by the model's vision tower.

    Raises
    ------
    BadInput : for a picture that cannot be opened.
    ModelUnavailable : where the model cannot be, or is an endpoint, which has no eye.
    """
    from PIL import Image

    from glassllava.micrograph.contrast import to_8bit
    from rag.likeness import eye_of

    eye = eye_of(model)
    parts = []
    for start in range(0, len(figures), _BATCH):
        pictures = []
        for figure in figures[start : start + _BATCH]:
            shown = Image.fromarray(read_picture(work / figure.image)).convert("L")
            pictures.append(to_8bit(np.asarray(shown)))
        parts.append(eye.likeness(pictures))
        if told:
            told(min(start + _BATCH, len(figures)), len(figures))
    return np.concatenate(parts)


def cluster(vectors: Array, number: int, seed: int) -> Array:
    """The cluster of each vector (n,), by K-Means; the largest is 0."""
    from sklearn.cluster import KMeans

    found = KMeans(number, n_init=10, random_state=seed).fit_predict(vectors)
    order = np.argsort(-np.bincount(found, minlength=number), kind="stable")
    ranks = np.empty(number, int)
    ranks[order] = np.arange(number)
    return ranks[found]


def choose_clusters(
    vectors: Array, clusters: tuple[int, int], seed: int
) -> tuple[Array, dict[int, float]]:
    """The clusters at the number with the highest mean silhouette, and that of each number.

    Numbers run over `clusters`, both ends included, as far as there are vectors (Rousseeuw 1987).
    """
    from sklearn.metrics import silhouette_score

    tried = {
        number: cluster(vectors, number, seed)
        for number in range(clusters[0], min(clusters[1], len(vectors) - 1) + 1)
    }
    told = {
        number: float(silhouette_score(vectors, labels)) if len(set(labels)) > 1 else -1.0
        for number, labels in tried.items()
    }
    best = max(told, key=lambda number: (told[number], -number))
    return tried[best], told


def map_out(vectors: Array, seed: int) -> Array:
    """Places (n, 2) by t-SNE (van der Maaten and Hinton 2008), the same for the same seed."""
    from sklearn.manifold import TSNE

    perplexity = max(2.0, min(30.0, (len(vectors) - 1) / 3))
    made = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
    places: Array = made.fit_transform(vectors)
    return places


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster: its size, its figures by split, and those nearest to its centre."""

    cluster: int
    figures: int
    share: float
    papers: int
    splits: Mapping[str, int]
    examples: tuple[Figure, ...]
    words: tuple[str, ...]


def table_of(
    figures: Sequence[Figure], vectors: Array, labels: Array
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """A row for each cluster, and a sentence for each that a split misses."""
    names = sorted({f.split for f in figures}, key=_split_order)
    whole = Counter(figure.split for figure in figures)
    rows, missed = [], []
    for number in range(int(labels.max()) + 1):
        places = np.flatnonzero(labels == number)
        members = [figures[int(place)] for place in places]
        away = np.linalg.norm(vectors[places] - vectors[places].mean(axis=0), axis=1)
        nearest = places[np.argsort(away, kind="stable")[:_EXAMPLES]]
        splits = Counter(figure.split for figure in members)
        rows.append(
            Row(
                number,
                len(members),
                len(members) / len(figures),
                len({figure.paper for figure in members}),
                {name: splits[name] for name in names},
                tuple(figures[int(place)] for place in nearest),
                _words_of(members),
            )
        )
        for name in names:
            expected = len(members) * whole[name] / len(figures)
            if not splits[name]:
                small = " (less than one is expected)" if expected < 1 else ""
                missed.append(
                    f"{name} misses cluster {number}: {len(members)} figures of "
                    f"{rows[-1].papers} papers, {expected:.1f} expected{small}"
                )
    return tuple(rows), tuple(missed)


def _split_order(name: str) -> tuple[int, str]:
    known = ("train", "validation", "test")
    return known.index(name) if name in known else len(known), name


def _words_of(figures: Sequence[Figure], most: int = 4) -> tuple[str, ...]:
    """Features of glass, by key, that the captions of these figures name most often."""
    counts: Counter[str] = Counter()
    names: dict[str, str] = {}
    for key in (*PARENTS, *vocabulary()):
        names.setdefault(name_of(key), key)  # a few words are a parent's and a child's
    for name, key in names.items():
        told = re.compile(rf"\b{re.escape(name)}(?:s|es)?\b", re.IGNORECASE)
        if number := sum(told.search(figure.caption) is not None for figure in figures):
            counts[key] = number
    return tuple(key for key, _number in counts.most_common(most))


def as_csv(rows: Sequence[Row]) -> str:
    """The table for programs: a line a cluster, a column a split."""
    names = list(rows[0].splits) if rows else []
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(["cluster", "figures", "share", "papers", *names, "nearest", "features"])
    for row in rows:
        nearest = " ".join(figure.id for figure in row.examples)
        counts = [row.splits[name] for name in names]
        told = [row.cluster, row.figures, f"{row.share:.4f}", row.papers, *counts]
        writer.writerow([*told, nearest, " ".join(row.words)])
    return held.getvalue()


def as_markdown(
    rows: Sequence[Row], missed: Sequence[str], silhouettes: Mapping[int, float]
) -> str:
    """The table for people, with what the splits miss and how the number was chosen."""
    names = list(rows[0].splits) if rows else []
    heads = ["cluster", "figures", "share", "papers", *names, "nearest", "features in captions"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        nearest = "; ".join(figure.id for figure in row.examples)
        cells = [str(row.cluster), str(row.figures), f"{100 * row.share:.0f} %", str(row.papers)]
        cells += [str(row.splits[name]) for name in names]
        lines.append(f"| {' | '.join([*cells, nearest, ', '.join(row.words)])} |")
    covered = "Every split has figures of every cluster."
    lines += ["", *(f"- {sentence}." for sentence in missed)] if missed else ["", covered]
    tried = ", ".join(f"{number}: {value:.3f}" for number, value in silhouettes.items())
    lines += ["", f"Mean silhouette by number of clusters: {tried}; the highest was taken."]
    lines.append("Nearness is that of the model's vision tower; t-SNE keeps neighbours, not sizes.")
    return "\n".join(lines) + "\n"


def draw(
    figures: Sequence[Figure], places: Array, labels: Array, rows: Sequence[Row], work: Path
) -> dict[str, bytes]:
    """The map as PNG and SVG: a colour a cluster, a mark a split, its nearest figures beside."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet
    from matplotlib.lines import Line2D

    columns = 1 if len(rows) <= 6 else 2
    deep = -(-len(rows) // columns)
    sheet = Sheet((8.2 + 3.5 * columns, max(6.4, 1.25 * deep + 1.2)))
    FigureCanvasAgg(sheet)
    grid = sheet.add_gridspec(
        1, 2, width_ratios=(7.0, 3.3 * columns), left=0.03, right=0.99, top=0.92, bottom=0.1,
        wspace=0.06,
    )  # fmt: skip
    axes = sheet.add_subplot(grid[0])
    colours = matplotlib.colormaps["tab20" if len(rows) > 10 else "tab10"]
    names = list(rows[0].splits)
    for place, name in enumerate(names):
        held = np.array([figure.split == name for figure in figures])
        axes.scatter(
            places[held, 0], places[held, 1], c=[colours(n) for n in labels[held]],
            marker=_MARKS[place % len(_MARKS)], s=34 if place == 0 else 62, linewidths=0.7,
            edgecolors="white" if place == 0 else "black", zorder=2 + place,
        )  # fmt: skip
    marks = [
        Line2D([], [], color="0.45", marker=_MARKS[place % len(_MARKS)], ls="", ms=8,
               markeredgecolor="white" if place == 0 else "black",
               label=f"{name} ({sum(figure.split == name for figure in figures)})")
        for place, name in enumerate(names)
    ]  # fmt: skip
    axes.legend(handles=marks, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncol=len(names),
                frameon=False)  # fmt: skip
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"{len(figures)} figures as the model's eye sees them (t-SNE)", loc="left")
    beside = grid[1].subgridspec(
        deep, columns * (_EXAMPLES + 1), wspace=0.08, hspace=0.12,
        width_ratios=(1.2, *(1.0,) * _EXAMPLES) * columns,
    )  # fmt: skip
    for row in rows:
        down, across = row.cluster % deep, row.cluster // deep * (_EXAMPLES + 1)
        text = sheet.add_subplot(beside[down, across])
        text.axis("off")
        text.scatter([0.1], [0.78], color=[colours(row.cluster)], s=90, transform=text.transAxes,
                     clip_on=False)  # fmt: skip
        text.text(0.26, 0.78, f"cluster {row.cluster}", va="center", transform=text.transAxes,
                  fontsize=9, weight="bold")  # fmt: skip
        counts = "\n".join(f"{name} {number}" for name, number in row.splits.items())
        text.text(0.04, 0.6, counts, va="top", transform=text.transAxes, fontsize=8)
        for place, figure in enumerate(row.examples):
            shown = sheet.add_subplot(beside[down, across + 1 + place])
            shown.imshow(_thumbnail(work / figure.image), cmap="gray", vmin=0, vmax=255)
            shown.set(xticks=[], yticks=[])
            for spine in shown.spines.values():
                spine.set(color=colours(row.cluster), linewidth=2)
    drawn = {}
    with matplotlib.rc_context({"svg.hashsalt": "glassview"}):
        for ending in ("png", "svg"):
            held_file = io.BytesIO()
            known = {"Date": None} if ending == "svg" else {}
            sheet.savefig(held_file, format=ending, dpi=150, metadata=known)
            drawn[ending] = held_file.getvalue()
    return drawn


def _thumbnail(path: Path) -> Array:
    """The middle of a picture as a square of grey."""
    from PIL import Image

    shown = Image.fromarray(read_picture(path)).convert("L")
    side = min(shown.size)
    left, top = (shown.width - side) // 2, (shown.height - side) // 2
    part = shown.crop((left, top, left + side, top + side))
    return np.asarray(part.resize((128, 128), Image.Resampling.LANCZOS))
