"""Does the model see a feature where it is? The pointing game, and how far regions overlap truth.

For one feature on one micrograph (a *place*): the peak of the model's map is a hit where it lies
on the feature, with a tolerance of one cell of the map (Zhang et al. 2016 allow 15 pixels); what a
random point of the specimen would reach stands beside it. A feature that covers half of the
specimen or more, tolerance included, is no game: such places are counted apart. Overlap is
intersection over union of the model's regions and the truth, in cells of the map (a thin crack
fills a fortieth of the cells that it crosses) and in pixels.

Knows masks and `Pointed`s; who painted the mask (the generator) or drew it (a rater) is its
caller's. `judge_places` turns places from anywhere into figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from glassllava.model.pointing import PLACELESS, Frame
from training.evaluation import scores
from training.evaluation.scores import Figure

if TYPE_CHECKING:
    from glassllava.measurement.quantities import Region
    from glassllava.micrograph.record import Micrograph
    from glassllava.model.backend import Pointed

Mask = np.ndarray[Any, np.dtype[np.bool_]]
#: From this share of the specimen on (tolerance included), pointing at a feature says nothing.
NO_GAME = 0.5
_LEVELS = np.arange(0.05, 0.96, 0.05)


@dataclass(frozen=True, slots=True)
class Place:
    """One feature on one micrograph: what the model pointed at, against where it is.

    `away` is the distance of the peak from the feature, in cells of the tower's map; `chance` the
    share of the specimen that counts as a hit, `chance_exact` without tolerance.
    """

    group: str
    parent: str
    hit: bool
    exact: bool
    away: float
    chance: float
    chance_exact: float
    overlap: float
    overlap_px: float

    @property
    def is_game(self) -> bool:
        return self.chance < NO_GAME


def place(
    group: str,
    parent: str,
    pointed: Pointed,
    truth: Mask,
    micrograph: Micrograph,
    *,
    side: int,
    cells: int,
) -> Place:
    """A feature's place judged.

    Parameters
    ----------
    group : of micrographs that are no independent witnesses of each other: a seed, a specimen.
    truth : (height, width) of the stored page, True where the feature is; somewhere at least.
    side, cells : the model's square and its map's cells along one side; they set the tolerance,
        also for a `pointed` from a coarser grid.
    """
    rows = micrograph.specimen_rows
    shown = truth[rows]
    if not shown.any():
        raise ValueError(f"{group}: {parent} is nowhere on the specimen")
    frame = Frame.of(micrograph, side, cells)
    distance: Any = ndimage.distance_transform_edt(~shown)
    x, y = pointed.peak
    at = (
        min(max(int(y) - rows.start, 0), shown.shape[0] - 1),
        min(max(int(x), 0), shown.shape[1] - 1),
    )
    said = filled(pointed.regions, micrograph)
    return Place(
        group=group,
        parent=parent,
        hit=bool(distance[at] <= frame.cell),
        exact=bool(shown[at]),
        away=float(distance[at]) / frame.cell,
        chance=float((distance <= frame.cell).mean()),
        chance_exact=float(shown.mean()),
        overlap=overlap(in_cells(said, frame) >= 0.5, in_cells(truth, frame) > 0),
        overlap_px=overlap(said[rows], shown),
    )


def filled(regions: Iterable[Region], micrograph: Micrograph) -> Mask:
    """(height, width) of the stored page: True within any of the regions."""
    from PIL import Image, ImageDraw

    mask = np.zeros((micrograph.height, micrograph.width), bool)
    for region in regions:
        x0, y0, x1, y1 = region.bbox
        if len(region.polygon) < 3:
            mask[y0:y1, x0:x1] = True
            continue
        picture = Image.new("1", (x1 - x0, y1 - y0))
        # Pillow's points are the middles of pixels, a region's their corners.
        line = [(x - x0 - 0.5, y - y0 - 0.5) for x, y in region.polygon]
        ImageDraw.Draw(picture).polygon(line, 1)
        mask[y0:y1, x0:x1] |= np.asarray(picture)
    return mask


def in_cells(mask: Mask, frame: Frame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The share of each cell of the frame (its rows, its columns) that a mask of the page fills."""
    x0, y0, x1, y1 = frame.bounds
    rows = np.arange(frame.rows.start, frame.rows.stop + 1)
    columns = np.arange(frame.columns.start, frame.columns.stop + 1)
    y = np.rint(frame.y + rows * frame.down).clip(y0, y1).astype(int)
    x = np.rint(frame.x + columns * frame.across).clip(x0, x1).astype(int)
    sums = np.pad(mask, ((1, 0), (1, 0))).astype(np.int64).cumsum(0).cumsum(1)
    corners = sums[np.ix_(y, x)]
    inside = corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
    areas = np.diff(y)[:, None] * np.diff(x)[None]
    return np.asarray(inside / np.maximum(areas, 1))


def overlap(said: Mask, truth: Mask) -> float:
    union = np.count_nonzero(said | truth)
    return float(np.count_nonzero(said & truth) / union) if union else 0.0


def judge_places(places: Sequence[Place]) -> dict[str, Any]:
    """Figures with 95 % intervals (bootstrap, whole groups drawn), over all places and by parent.

    `places` are those that are a game, `wide` the others; every figure but `overlap_wide` is over
    the game. `macro` is the mean over the parents, so that a frequent feature does not decide it.
    """
    game = [one for one in places if one.is_game]
    parents = sorted({one.parent for one in game})
    return {
        **_figures(places),
        "macro_hit": _told(_macro(game, parents)) if game else None,
        "by_parent": {
            parent: _figures([one for one in places if one.parent == parent])
            for parent in sorted({one.parent for one in places})
        },
    }


def _figures(places: Sequence[Place]) -> dict[str, Any]:
    game = [one for one in places if one.is_game]
    wide = [one for one in places if not one.is_game]
    told = ("hit", "exact", "chance", "chance_exact", "away", "overlap", "overlap_px")
    return {
        "places": len(game),
        **{name: _mean(game, name) for name in told},
        "wide": len(wide),
        "overlap_wide": _mean(wide, "overlap"),
    }


def _mean(places: Sequence[Place], name: str) -> list[float] | float | None:
    if not places:
        return None
    values = np.array([float(getattr(one, name)) for one in places])
    return _told(scores.mean(values, np.array([one.group for one in places])))


def _told(figure: Figure) -> list[float] | float:
    """Of a single group no interval is known."""
    return figure.to_json() if np.isfinite(figure.low) else round(figure.value, 4)


def _macro(game: Sequence[Place], parents: Sequence[str]) -> Figure:
    hit = np.array([float(one.hit) for one in game])
    kind = np.array([parents.index(one.parent) for one in game])

    def score(rows: np.ndarray[Any, Any]) -> float:
        count = np.bincount(kind[rows], minlength=len(parents))
        sums = np.bincount(kind[rows], hit[rows], minlength=len(parents))
        return float((sums[count > 0] / count[count > 0]).mean())

    groups = np.array([one.group for one in game])
    return scores.bootstrap(score, len(game), groups=groups, repeats=500)


def best_thresholds(
    seen: Iterable[tuple[Mapping[str, np.ndarray[Any, Any]], Mapping[str, Mask], Frame]],
    *,
    least: int = 8,
) -> dict[str, float]:
    """By parent the probability from which a cell shows it: the one of the best mean overlap.

    Parameters
    ----------
    seen : for each micrograph, by parent: the map's probabilities (cells, cells), and the truth
        on the stored page; only where the parent is there.
    least : places from which a threshold is told; others keep the product's own 0.5.
    """
    gathered: dict[str, list[list[float]]] = {}
    for maps, truths, frame in seen:
        for parent, truth in truths.items():
            if parent in PLACELESS or parent not in maps:
                continue
            inside, there = maps[parent][frame.rows, frame.columns], in_cells(truth, frame) > 0
            row = [overlap(inside >= level, there) for level in _LEVELS]
            gathered.setdefault(parent, []).append(row)
    return {
        parent: round(float(_LEVELS[int(np.mean(rows, axis=0).argmax())]), 2)
        for parent, rows in sorted(gathered.items())
        if len(rows) >= least
    }
