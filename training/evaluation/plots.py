"""Reliability, risk against coverage, and the context curve, as pictures.

Colours are those of Okabe and Ito (2008), which differ for colour-blind eyes too; every line also
has a marker and a dash of its own. Knows the JSON document alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.evaluation import offline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#666666",
)
_LEVELS: Mapping[str, tuple[str, str, str]] = {
    "none": (_GREY, "o", ":"),
    "basic": (_ORANGE, "s", "-."),
    "moderate": (_GREEN, "^", "--"),
    "high": (_BLUE, "D", "-"),
}
_SHOWN: Mapping[str, tuple[str, str, str, str]] = {
    "full": ("micrograph", _BLUE, "o", "-"),
    "text_only": ("text only", _ORANGE, "s", "--"),
    "blank": ("blank", _GREEN, "^", ":"),
    "shuffled": ("shuffled pictures", _PINK, "D", "-."),
}
_BASELINES: Mapping[str, tuple[str, str, str, str]] = {
    "majority": ("majority", _GREY, "x", ":"),
    "text": ("the sample's words", _SKY, "v", "--"),
}


def draw(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the plots for which there are figures; their paths."""
    made = []
    with_curves = {
        level: figures
        for level, figures in result["verdicts"]["full"].items()
        if figures.get("reliability")
    }
    if with_curves:
        made.append(_reliability(with_curves, folder / "reliability.png"))
        made.append(_risk_coverage(with_curves, folder / "risk-coverage.png"))
    if len(result["levels"]) > 1:
        made.append(_context(result, folder / "context.png"))
    return made


def _reliability(by_level: Mapping[str, Any], path: Path) -> Path:
    """One panel a level: intervals of four curves over each other could not be read."""
    figure, axes = _figure(2, 2, (7.6, 7.8))
    for ax, (level, figures) in zip(axes.flat, by_level.items(), strict=False):
        colour, marker, _ = _LEVELS[level]
        bins = figures["reliability"]
        said = [each["mean"] for each in bins]
        share, low, high = zip(*(each["share"] for each in bins), strict=True)
        ax.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8)
        ax.vlines(said, low, high, color=colour, linewidth=1.2, alpha=0.6)
        ax.plot(said, share, color=colour, marker=marker, linewidth=1.6)
        for x, each in zip(said, bins, strict=True):
            ax.annotate(str(each["count"]), (x, 1.08), ha="center", fontsize=7, color=_GREY)
        ax.set_title(f"context {level}, ECE {figures['ece']:.3f}", fontsize=10)
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.15))
        ax.set_xlabel("said: probability of a defect")
        ax.set_ylabel("seen: share of defects")
        _plain(ax)
    for ax in list(axes.flat)[len(by_level) :]:
        ax.set_axis_off()
    figure.suptitle("Reliability of the verdict; bars: 95 %, numbers: cases", fontsize=11)
    return _save(figure, path)


def _risk_coverage(by_level: Mapping[str, Any], path: Path) -> Path:
    figure, axes = _figure(1, 1, (6.4, 4.4))
    ax = axes.flat[0]
    highest = 0.1
    for level, figures in by_level.items():
        colour, marker, dash = _LEVELS[level]
        coverage, risk = zip(*figures["risk_coverage"], strict=True)
        highest = max(highest, *risk[len(risk) // 20 :])
        label = f"{level} (AURC {figures['aurc']:.3f})"
        ax.plot(
            coverage,
            risk,
            color=colour,
            linestyle=dash,
            marker=marker,
            markevery=max(1, len(risk) // 10),
            markersize=5,
            linewidth=1.6,
            label=label,
        )
    ax.set(xlim=(0, 1), ylim=(0, min(1.0, highest * 1.15)))
    ax.set_xlabel("coverage: share of the cases, surest first")
    ax.set_ylabel("risk: share of wrong verdicts among them")
    ax.set_title("Risk against coverage of the verdict", fontsize=11)
    ax.legend(frameon=False, fontsize=9, handlelength=3)
    _plain(ax)
    return _save(figure, path)


def _context(result: Mapping[str, Any], path: Path) -> Path:
    figure, axes = _figure(1, 2, (10.4, 4.6))
    left, right = axes.flat
    levels = result["levels"]
    shown = [name for name in _SHOWN if name in result["conditions"]]
    for number, name in enumerate(shown):
        label, colour, marker, dash = _SHOWN[name]
        nudge = 0.06 * (number - (len(shown) - 1) / 2)
        look = {"label": label, "color": colour, "marker": marker, "linestyle": dash}
        _curve(left, result["paper"][name]["defect_detection"], levels, 100, nudge, look)
        _curve(right, result["paper"][name]["context_assessment"], levels, 1, nudge, look)
    for name, (label, colour, marker, dash) in _BASELINES.items():
        figures = result["baselines"].get(name)
        if figures:
            points = [(i, 100 * figures[lv][0]) for i, lv in enumerate(levels) if lv in figures]
            x, y = zip(*points, strict=True)
            left.plot(x, y, color=colour, marker=marker, linestyle=dash, linewidth=1.1, label=label)
    left.set_title("Defect detection", fontsize=11)
    left.set_ylabel("right verdicts (%)")
    judge = result["judge"]["name"]
    by = "offline, by counting words" if judge == offline.NAME else f"by {judge}"
    right.set_title(f"Quality of the answers, graded {by}", fontsize=11)
    right.set_ylabel("quality (0-100)")
    for ax in (left, right):
        ax.set_xticks(range(len(levels)), levels)
        ax.set_xlabel("context")
        ax.set_xlim(-0.3, len(levels) - 0.7)
        ax.set_ylim(0, 104)
        _plain(ax)
    handles, labels = left.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=len(labels),
            frameon=False,
            fontsize=9,
            handlelength=3,
        )
    return _save(figure, path)


def _curve(
    ax: Axes,
    figures: Mapping[str, Any],
    levels: list[str],
    scale: float,
    nudge: float,
    look: Mapping[str, Any],
) -> None:
    points = [
        (i + nudge, *(scale * (figures[level][0] if v is None else v) for v in figures[level]))
        for i, level in enumerate(levels)
        if figures.get(level) and figures[level][0] is not None
    ]
    if not points:
        return
    x, value, low, high = zip(*points, strict=True)
    ax.plot(x, value, linewidth=1.7, markersize=5.5, **look)
    ax.vlines(x, low, high, color=look["color"], linewidth=1.1, alpha=0.7)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, Any]:
    """A figure that needs no display, with its grid of axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _plain(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#e4e4e4", linewidth=0.6)
    ax.set_axisbelow(True)


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path)
    return path
