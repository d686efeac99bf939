"""A sheet of micrographs with the model's map, its peak and regions, and the truth's outline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava import features
from glassllava.model.pointing import Frame, probabilities
from training.evaluation.pointing.places import place

if TYPE_CHECKING:
    from glassllava.model.llava import LlavaBackend
    from training.evaluation.pointing.painted import Painted

#: Okabe and Ito (2008): told apart by colour-blind eyes too.
_TRUTH, _SAID, _MISS = "#56B4E9", "#F0E442", "#D55E00"


def draw(model: LlavaBackend, chosen: Sequence[tuple[Painted, str]], path: Path) -> Path:
    """One panel for each (micrograph, feature that is there); written to `path` as PNG."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = 4
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(4 * columns, 3.7 * rows + 0.5), dpi=100, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax, (one, parent) in zip(axes.flat, chosen, strict=False):
        _panel(ax, model, one, parent)
    for ax in list(axes.flat)[len(chosen) :]:
        ax.set_axis_off()
    figure.legend(
        handles=[
            Line2D([], [], color=_TRUTH, linewidth=1.5, label="truth"),
            Line2D([], [], color=_SAID, linewidth=1.5, linestyle="--", label="the model's regions"),
            Line2D([], [], color=_SAID, marker="+", markersize=12, linestyle="", label="peak: hit"),
            Line2D([], [], color=_MISS, marker="x", markersize=10, linestyle="", label="miss"),
        ],
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )
    figure.savefig(path)
    return path


def _panel(ax: Any, model: LlavaBackend, one: Painted, parent: str) -> None:
    from glassllava.micrograph.reading import specimen, to_8bit

    micrograph, rows = one.micrograph, one.micrograph.specimen_rows
    (maps,) = model.maps([micrograph])
    pointed = model.pointed(maps, micrograph)[parent]
    truth = one.mask(parent)
    judged = place("", parent, pointed, truth, micrograph, side=model.side, cells=maps.shape[-1])
    frame = Frame.of(micrograph, model.side, maps.shape[-1])
    ax.imshow(to_8bit(specimen(micrograph)), "gray", extent=(0, micrograph.width, rows.stop, 0))
    values = probabilities(maps)[list(features.PARENTS).index(parent)]
    inside = values[frame.rows, frame.columns]
    left = frame.x + frame.columns.start * frame.across
    top = frame.y + frame.rows.start * frame.down
    edge = (
        left,
        left + inside.shape[1] * frame.across,
        top + inside.shape[0] * frame.down,
        top,
    )
    ax.imshow(inside, "inferno", extent=edge, vmin=0, vmax=1, alpha=0.55 * inside.clip(0.05, 1))
    step = max(1, max(truth.shape) // 600)
    thin = truth[rows][::step, ::step].astype(float)
    if 0 < thin.mean() < 1:
        x, y = np.arange(thin.shape[1]) * step, np.arange(thin.shape[0]) * step + rows.start
        ax.contour(x, y, thin, [0.5], colors=_TRUTH, linewidths=0.9)
    for region in pointed.regions:
        line = np.array([*region.polygon, region.polygon[0]])
        ax.plot(line[:, 0], line[:, 1], "--", color=_SAID, linewidth=1.1)
    colour, marker = (_SAID, "+") if judged.hit else (_MISS, "x")
    ax.plot(*pointed.peak, marker, color="black", markersize=15, markeredgewidth=4)
    ax.plot(*pointed.peak, marker, color=colour, markersize=14, markeredgewidth=2)
    ax.set(xlim=(0, micrograph.width), ylim=(rows.stop, rows.start), xticks=[], yticks=[])
    ax.set_title(
        f"{features.name_of(parent)}, {one.seed}\n{pointed.certainty:.2f} at the peak, "
        f"overlap {judged.overlap:.2f}",
        fontsize=9,
    )
