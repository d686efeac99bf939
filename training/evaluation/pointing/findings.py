"""What the product tells of a place: the regions of its findings, measured and pointed at, joined.

The whole way of a person's question (measure, reply, conclude) at one context level, so that the
figures are about what a record holds, not about the tower alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from glassllava.interpreter import Judging, interpret
from glassllava.literature import NoLiterature
from glassllava.model.pointing import PLACELESS
from training.evaluation import scores
from training.evaluation.pointing.places import Place, filled, judge_places, overlap, place

if TYPE_CHECKING:
    from glassllava.measurement.quantities import Region
    from glassllava.micrograph.record import Micrograph
    from glassllava.model.llava import LlavaBackend
    from training.evaluation.pointing.painted import Painted
    from training.evaluation.pointing.places import Mask

_BESIDE = 3  # px: an outline that is off by no more still lies on the feature


@dataclass(frozen=True, slots=True)
class Told:
    """One present finding. `place` is None where the feature is not there: a finding too many."""

    group: str
    parent: str
    place: Place | None
    #: Overlap in pixels of what was measured, of what the model points at, and of both joined.
    measured: float | None = None
    model: float | None = None
    joined: float | None = None
    #: For every measured region: whether the model confirmed it, and whether it is on the feature.
    regions: tuple[tuple[bool, bool], ...] = ()


def tell(model: LlavaBackend, one: Painted, cells: int) -> list[Told]:
    """The present findings of a micrograph, at context "none"."""
    made = interpret(
        one.micrograph,
        one.sample,
        "",
        "none",
        model=model,
        literature=NoLiterature(),
        judging=Judging(accept_uncalibrated=True),
        want_text=False,
    )
    told = []
    for finding in made.present:
        if finding.feature in PLACELESS or finding.feature not in made.reply.pointed:
            continue
        group = str(one.seed)
        if finding.feature not in one.packed:
            told.append(Told(group, finding.feature, None))
            continue
        truth, pointed = one.mask(finding.feature), made.reply.pointed[finding.feature]
        measured = [region for region in finding.regions if region.source != "model"]
        told.append(
            Told(
                group=group,
                parent=finding.feature,
                place=place(
                    group,
                    finding.feature,
                    pointed,
                    truth,
                    one.micrograph,
                    side=model.side,
                    cells=cells,
                ),
                measured=_overlap(measured, truth, one.micrograph) if measured else None,
                model=_overlap(pointed.regions, truth, one.micrograph),
                joined=_overlap(finding.regions, truth, one.micrograph),
                regions=_on(measured, truth, one.micrograph),
            )
        )
    return told


def _overlap(regions: Iterable[Region], truth: Mask, micrograph: Micrograph) -> float:
    return overlap(filled(regions, micrograph), truth)


def _on(
    regions: Sequence[Region], truth: Mask, micrograph: Micrograph
) -> tuple[tuple[bool, bool], ...]:
    near: Any = ndimage.binary_dilation(truth, np.ones((3, 3), bool), _BESIDE)
    answers = []
    for region in regions:
        own = filled([region], micrograph)
        is_on = own.any() and near[own].mean() >= 0.5
        answers.append((region.source == "both", bool(is_on)))
    return tuple(answers)


def figures(told: Sequence[Told]) -> dict[str, Any]:
    """Of all present findings.

    `places` is `judge_places` of the findings that are true; `hit_of_all` counts a finding of
    what is not there as a miss. `overlap_px` is over the true findings on which something was
    measured. `on_feature` is the share of measured regions that lie on the feature, by whether
    the model confirmed them.
    """
    true = [one for one in told if one.place is not None]
    game = [one for one in told if one.place is None or one.place.is_game]
    both = [one for one in true if one.measured is not None]
    pairs = [(one.group, *pair) for one in true for pair in one.regions]
    return {
        "findings": len(told),
        "true": len(true),
        "hit_of_all": _mean(
            [float(one.place is not None and one.place.hit) for one in game],
            [one.group for one in game],
        ),
        "places": judge_places([one.place for one in true if one.place is not None]),
        "overlap_px": {
            "findings": len(both),
            **{
                name: _mean([getattr(one, name) for one in both], [one.group for one in both])
                for name in ("measured", "model", "joined")
            },
        },
        "on_feature": {
            name: {
                "regions": sum(confirmed == wanted for _, confirmed, _ in pairs),
                "share": _mean(
                    [float(on) for _, confirmed, on in pairs if confirmed == wanted],
                    [group for group, confirmed, _ in pairs if confirmed == wanted],
                ),
            }
            for name, wanted in (("confirmed", True), ("not_confirmed", False))
        },
    }


def _mean(values: Sequence[float], groups: Sequence[str]) -> list[float] | float | None:
    if not values:
        return None
    figure = scores.mean(np.array(values), np.array(groups))
    return figure.to_json() if np.isfinite(figure.low) else round(figure.value, 4)
