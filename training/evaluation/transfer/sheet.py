"""The real micrographs with what was said of them, as pictures: one sheet, and one page each.

Right words are green, wrong ones red (and marked, for eyes that do not part the two); what the
rater left open is grey. The crack map lies over the micrograph where the tower draws one. Colours
are those of Okabe and Ito (2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glassllava.features import PARENTS
from glassllava.interpretation import DECISION_WORDS, Interpretation
from training.evaluation.transfer.asking import Said
from training.evaluation.transfer.maps import Map
from training.evaluation.transfer.pictures import CRACK, Real

Array = np.ndarray[Any, Any]
_RIGHT, _WRONG, _OPEN, _INK = "#007A5A", "#C0392B", "#8A8A8A", "#222222"
_MAP = (230, 85, 0)
_ACROSS = 6
_THUMB, _WORDS, _GAP = 2.75, 1.12, 0.16  # inches: a picture's side, the words under it, between
_DPI = 130


def draw(
    reals: Sequence[Real],
    keys: Sequence[str],
    said: Said,
    maps: Sequence[Map | None],
    folder: Path,
) -> list[Path]:
    """Write sheet.png and pictures/*.png into `folder`; their paths. `keys` come first."""
    made = [_sheet(reals, keys, said, maps, folder / "sheet.png")]
    pages = folder / "pictures"
    pages.mkdir(exist_ok=True)
    for real, told, found in zip(reals, said.interpretations, maps, strict=True):
        made.append(_page(real, told, found, pages / f"{Path(real.name).stem}.png"))
    return made


def words(real: Real, told: Interpretation, keys: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Lines of (word, colour): what the rater sees, what the product says, what it missed."""
    ordered = [*keys, *(key for key in PARENTS if key not in keys)]
    findings = {finding.feature: finding for finding in told.findings}
    there = [PARENTS[key] for key in ordered if real.labels.get(key) is True]
    right, missed = [], []
    for key in ordered:
        finding, label = findings.get(key), real.labels.get(key)
        if finding is None:
            continue
        p = "" if finding.probability is None else f" {finding.probability:.2f}"
        if finding.present:
            colour = _OPEN if label is None else _RIGHT if label else _WRONG
            mark = "✗ " if label is False else ""
            right.append((f"{mark}{PARENTS[key]}{p}", colour))
        elif label:
            missed.append((f"✗ {PARENTS[key]}{p}", _WRONG))
    lines = [
        [("rater:", _OPEN), *_listed([(word, _INK) for word in there] or [("nothing sure", _OPEN)])]
    ]
    lines.append([("said:", _OPEN), *_listed(right or [("nothing", _INK)])])
    if missed:
        lines.append([("missed:", _OPEN), *_listed(missed)])
    lines.append([("verdict:", _OPEN), (DECISION_WORDS[told.verdict.decision].lower(), _INK)])
    return lines


def overlay(grey: Array, found: Map | None) -> Array:
    """(H, W, 3): the micrograph, its crack map in orange where the probability is over one half."""
    picture = np.repeat(grey[..., None], 3, 2).astype(float)
    if found is not None:
        p = 1 / (1 + np.exp(-np.clip(found.on_pixels((grey.shape[0], grey.shape[1])), -30, 30)))
        strength = np.clip((p - 0.5) * 2, 0, 1)[..., None] * 0.65
        picture = picture * (1 - strength) + np.array(_MAP) * strength
    return picture.astype(np.uint8)


def _sheet(
    reals: Sequence[Real],
    keys: Sequence[str],
    said: Said,
    maps: Sequence[Map | None],
    path: Path,
) -> Path:
    down = -(-len(reals) // _ACROSS)
    width = _ACROSS * _THUMB + (_ACROSS + 1) * _GAP
    height = down * (_THUMB + _WORDS) + (down + 1) * _GAP + 0.42
    figure, renderer = _figure(width, height)
    title = "Real micrographs at context none"
    figure.text(_GAP / width, 1 - 0.30 / height, title, fontsize=12, color=_INK)
    at = _GAP + _width(renderer, title, 12) / figure.dpi + 0.1
    for word, colour in (
        ("green: as the rater sees it", _RIGHT),
        ("✗ red: otherwise", _WRONG),
        ("grey: the rater is unsure or was not asked", _OPEN),
        *([("orange: crack map above one half", "#E65500")] if any(maps) else []),
    ):
        at += (
            0.22
            + _put(figure, renderer, (at / width, 1 - 0.30 / height), word, colour, 9.5)
            / figure.dpi
        )
    for number, (real, told, found) in enumerate(
        zip(reals, said.interpretations, maps, strict=True)
    ):
        row, column = divmod(number, _ACROSS)
        x = _GAP + column * (_THUMB + _GAP)
        y = height - 0.42 - row * (_THUMB + _WORDS + _GAP) - _THUMB - _GAP
        axes = figure.add_axes((x / width, y / height, _THUMB / width, _THUMB / height))
        _show(axes, overlay(_small(real.grey), _shrunk(found, real.grey)))
        y -= 0.14
        figure.text(
            x / width, y / height, Path(real.name).stem, fontsize=6.6, fontweight="bold", color=_INK
        )
        for line in words(real, told, keys):
            y = _flow(figure, renderer, (x, y - 0.135), _THUMB, line, 6.6)
    figure.savefig(path)
    return path


def _page(real: Real, told: Interpretation, found: Map | None, path: Path) -> Path:
    """One micrograph: itself, its crack map with the rater's cracks in blue, every probability."""
    panels = 1 if found is None else 2
    side = 5.4
    width, height = panels * (side + 0.2) + 4.8, side + 1.5
    figure, renderer = _figure(width, height)
    for panel in range(panels):
        left = 0.2 + panel * (side + 0.2)
        axes = figure.add_axes((left / width, 1.2 / height, side / width, side / height))
        _show(axes, overlay(real.grey, found if panel else None))
        if panel and real.mask is not None:
            cracks = np.zeros((*real.mask.shape, 4))
            cracks[real.mask == CRACK] = (0.0, 0.55, 0.95, 0.9)
            axes.imshow(cracks)
    title = f"{real.name}   ({real.grey.shape[1]} × {real.grey.shape[0]} px)"
    figure.text(0.2 / width, 1 - 0.2 / height, title, fontsize=11, fontweight="bold", va="center")
    left = 0.2 + panels * (side + 0.2) + 2.0
    axes = figure.add_axes(
        (left / width, 1.2 / height, (width - left - 0.35) / width, side / height)
    )
    _bars(axes, real, told)
    y = 1.05
    for line in words(real, told, ()):
        y = _flow(figure, renderer, (0.2, y - 0.2), width - 0.4, line, 10)
    figure.savefig(path)
    return path


def _bars(axes: Any, real: Real, told: Interpretation) -> None:
    findings = [finding for finding in told.findings if finding.feature in PARENTS]
    for row, finding in enumerate(findings):
        label = real.labels.get(finding.feature)
        agrees = None if label is None else bool(finding.present) == label
        colour = _OPEN if agrees is None else _RIGHT if agrees else _WRONG
        axes.barh(row, finding.probability or 0, color=colour, height=0.62, alpha=0.85)
        if finding.present:
            axes.plot(min((finding.probability or 0) + 0.03, 1.04), row, "o", color=_INK, ms=4)
    names = [PARENTS[f.feature].split(",")[0] for f in findings]
    marks = {True: " ●", False: " ○", None: " ?"}
    axes.set_yticks(
        range(len(findings)),
        [name + marks[real.labels.get(f.feature)] for name, f in zip(names, findings, strict=True)],
        fontsize=8,
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08)
    axes.set_xlabel("probability (dot: called present)", fontsize=8.5)
    axes.set_title("rater: ● there  ○ not there  ? open", fontsize=8.5, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", labelsize=8)


def _small(grey: Array) -> Array:
    """The picture at the size in which the sheet shows it."""
    most = round(_THUMB * _DPI)
    scale = min(1.0, most / max(grey.shape))
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))


def _shrunk(found: Map | None, grey: Array) -> Map | None:
    """`found` for the small picture of `grey`."""
    if found is None:
        return None
    small = _small(grey).shape
    down, across = (found.scale[axis] * grey.shape[axis] / small[axis] for axis in (0, 1))
    return Map(found.logits, (down, across), found.corner)


def _show(axes: Any, picture: Array) -> None:
    axes.imshow(picture, interpolation="antialiased")
    axes.set_facecolor("#f3f3f3")
    side = max(picture.shape[:2])
    middle = (picture.shape[1] / 2, picture.shape[0] / 2)
    axes.set_xlim(middle[0] - side / 2, middle[0] + side / 2)
    axes.set_ylim(middle[1] + side / 2, middle[1] - side / 2)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    return figure, FigureCanvasAgg(figure).get_renderer()


def _listed(told: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (word + ("," if number < len(told) else ""), colour)
        for number, (word, colour) in enumerate(told, start=1)
    ]


def _flow(
    figure: Any,
    renderer: Any,
    corner: tuple[float, float],
    room: float,
    line: Sequence[tuple[str, str]],
    size: float,
) -> float:
    """Write `line` from `corner` (inches), breaking it at `room`; the height of its last row."""
    wide, high = figure.get_size_inches()
    start, y = corner
    x, space = start, size * 0.28 / 72
    for word, colour in line:
        needs = _width(renderer, word, size) / figure.dpi
        if x + needs > start + room and x > start:
            x, y = start + 0.12, y - size * 1.35 / 72
        _put(figure, renderer, (x / wide, y / high), word, colour, size)
        x += needs + space
    return y


def _put(
    figure: Any, renderer: Any, at: tuple[float, float], word: str, colour: str, size: float
) -> float:
    """Write one word at figure coordinates; its width in dots."""
    figure.text(*at, word, fontsize=size, color=colour)
    return _width(renderer, word, size)


def _width(renderer: Any, word: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties

    return float(renderer.get_text_width_height_descent(word, FontProperties(size=size), False)[0])
