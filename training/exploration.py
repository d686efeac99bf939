"""What the gathered figures look like, as a map and a table: do the splits cover the clusters?

    explore(work, out, *, model="embedded", seed=0, clusters=(2, 12), kind="sem", told=None)
        -> Exploration

writes OUT/exploration.png, .svg, .csv, .md from WORK/figures.jsonl: t-SNE of image embeddings,
coloured by K-Means cluster, a mark a split; the table counts clusters by splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


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
    raise NotImplementedError
