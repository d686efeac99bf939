"""The occlusion map beside the tower's: where it points, and whether hiding what it names matters.

Deletion hides cells of the coarse grid from the highest on, insertion shows them so on a grey
picture (Petsiuk et al. 2018); the mean of the probe's probability along the way is low for a good
map in deletion and high in insertion. A random order stands beside both. Every step is a pass of
the whole model: for a few micrographs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.interpreter import prepare
from glassllava.literature import NoLiterature
from glassllava.measurement.quantities import Measurements
from glassllava.model import processing
from glassllava.model.occlusion import CELLS, covered, occlusion
from glassllava.model.pointing import PLACELESS, Frame, probabilities
from training.evaluation import scores
from training.evaluation.pointing.places import Place, judge_places, place

if TYPE_CHECKING:
    from glassllava.model.llava import LlavaBackend
    from glassllava.prompt import Enquiry
    from training.evaluation.pointing.painted import Painted

Array = np.ndarray[Any, np.dtype[Any]]
_STEPS = 8  # of the way from the whole picture to the hidden one


@dataclass(frozen=True, slots=True)
class Hidden:
    """One feature of one micrograph: the occlusion's place, and the means along the ways, by the
    order ("occlusion", "tower", "random")."""

    place: Place
    probability: float
    deletion: Mapping[str, float]
    insertion: Mapping[str, float]


def hide(model: LlavaBackend, one: Painted, cells: int) -> list[Hidden]:
    """Every feature that is there, at context "none"; `cells` of the tower's map, for tolerance."""
    enquiry = prepare(
        one.micrograph,
        one.sample,
        "",
        "none",
        literature=NoLiterature(),
        probe_keys=model.probe_keys,
        passage_budget=model.passage_budget,
        measurements=Measurements(),
        want_text=False,
    )
    found = occlusion(model, enquiry)
    whole = model.probes_of(enquiry, [processing.see(one.micrograph, model.side)])[0]
    frame = Frame.of(one.micrograph, model.side, CELLS)
    tower = _tower_maps(model, one)
    made = []
    for parent in one.packed:
        if parent in PLACELESS or parent not in found:
            continue
        fall, pointed = found[parent]
        orders = {"occlusion": fall.ravel()}
        if tower:
            orders["tower"] = tower[parent][frame.rows, frame.columns].ravel()
        rng = np.random.default_rng(one.seed)
        orders["random"] = rng.random(fall.size)
        ways = {name: _ways(model, enquiry, parent, order, frame) for name, order in orders.items()}
        made.append(
            Hidden(
                place=place(
                    str(one.seed),
                    parent,
                    pointed,
                    one.mask(parent),
                    one.micrograph,
                    side=model.side,
                    cells=cells,
                ),
                probability=whole[parent].probability or 0.0,
                deletion={name: way[0] for name, way in ways.items()},
                insertion={name: way[1] for name, way in ways.items()},
            )
        )
    return made


def _tower_maps(model: LlavaBackend, one: Painted) -> dict[str, Array]:
    """The tower's maps on the coarse grid: the surest cell of each coarse one."""
    if not model.can_point:
        return {}
    maps = probabilities(model.maps([one.micrograph])[0])
    fine = maps.shape[-1]
    edges = [round(i * fine / CELLS) for i in range(CELLS)]
    coarse = np.maximum.reduceat(np.maximum.reduceat(maps, edges, axis=1), edges, axis=2)
    return dict(zip(model.probe_keys, coarse, strict=False))


def _ways(
    model: LlavaBackend, enquiry: Enquiry, parent: str, order: Array, frame: Frame
) -> tuple[float, float]:
    """(deletion, insertion): the probe's mean probability along both ways."""
    picture = processing.see(enquiry.micrograph, model.side)
    wide = frame.columns.stop - frame.columns.start
    ranked = [
        (frame.rows.start + int(i) // wide, frame.columns.start + int(i) % wide)
        for i in np.argsort(-order, kind="stable")
    ]
    counts = [round(len(ranked) * step / _STEPS) for step in range(_STEPS + 1)]
    hidden = [covered(picture, ranked[:count], CELLS) for count in counts]
    shown = [covered(picture, ranked[count:], CELLS) for count in counts]
    said = [each[parent].probability or 0.0 for each in model.probes_of(enquiry, hidden + shown)]
    return float(np.mean(said[: len(counts)])), float(np.mean(said[len(counts) :]))


def figures(hidden: Sequence[Hidden]) -> dict[str, Any]:
    """`judge_places` of the occlusion maps, and the ways by order; with 95 % intervals."""
    names = list(hidden[0].deletion) if hidden else []
    return {
        "cells": CELLS,
        "places": judge_places([one.place for one in hidden]),
        **{
            way: {name: _mean(hidden, way, name) for name in names}
            for way in ("deletion", "insertion")
        },
    }


def _mean(hidden: Sequence[Hidden], way: str, name: str) -> list[float] | float:
    values = np.array([getattr(one, way)[name] for one in hidden])
    figure = scores.mean(values, np.array([one.place.group for one in hidden]))
    return figure.to_json() if np.isfinite(figure.low) else round(figure.value, 4)
