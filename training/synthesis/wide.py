"""What is to be painted on a wide field: any ground, several features, look-alikes, any frame.

Decided before the first pixel, so that a split can be held out by ground, by combination of
features and by noise: `HeldOut` names what one side of a split never shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from glassllava import features
from training.synthesis import (  # noqa: F401  (variants and grounds enter themselves)
    artefacts,
    bodies,
    breaks,
    imaging,
    layers,
    marks,
)
from training.synthesis.canvas import PAINTERS, VARIANTS, Painter
from training.synthesis.choosing import FAMILIES, ODDS, WHOLE, Chosen, Plan, draw_artefacts
from training.synthesis.decoys import DECOYS, NEVER_WITH
from training.synthesis.decoys import ODDS as DECOY_ODDS
from training.synthesis.grounds import GROUNDS

Rng = np.random.Generator

#: Frames as microscopes and cutters leave them: (rows, columns) of the specimen, and how often.
FRAMES: tuple[tuple[tuple[int, int], float], ...] = (
    ((480, 640), 2),
    ((512, 512), 3),
    ((512, 768), 2),
    ((768, 1024), 4),
    ((691, 1024), 2),
    ((884, 1024), 2),
    ((1024, 1024), 4),
    ((489, 690), 1),
    ((600, 1500), 1),
    ((943, 1280), 1.5),
    ((768, 1536), 1),
    ((1024, 1536), 2),
    ((1104, 1720), 0.7),
    ((1536, 2048), 0.3),
)
#: How often a parent leads a wide field: what the design asks to be found on real images (cracks
#: first of all) more often than in plain ones.
LEADS: Mapping[str, float] = {
    **FAMILIES,
    "crack": 20,
    "pore": 13,
    "crystal": 9,
    "phase_separation": 10,
    "scratch": 12,
    "corrosion": 7,
    "delamination": 9,
    "particle": 8,
    "fracture_surface": 7,
    "fibre": 4,
}
#: Rarely seen leaders of the plain choice that the real images ask for more often.
_WIDE_ODDS = {"open_porosity": 1.6, "coating_peel": 1.8, "scratch": 2.5, "refractory_stone": 2.0}
#: These ask for an even ground: their contrast is soft, or their relief is the whole field.
_EVEN = frozenset(
    [*WHOLE, *artefacts.SOFT, "featureless_surface", "fibre", "leached_layer", "abrasion", "chip"]
)

#: What is looked for in sections through layers.
_LAYERED = frozenset(["crack", "pore", "inclusion", "delamination", "particle", "clean"])


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What one side of a split never shows and the other always does, at least one of them:
    grounds, combinations of parents, names of noise."""

    grounds: frozenset[str] = frozenset()
    combinations: frozenset[frozenset[str]] = frozenset()
    noises: frozenset[str] = frozenset()

    def holds(self, ground: str, parents: frozenset[str], noise: str) -> bool:
        """Whether a field with these belongs to the held-out side. A combination holds fields
        that show all of its parents, whatever else they show."""
        return (
            ground in self.grounds
            or noise in self.noises
            or any(combination <= parents for combination in self.combinations)
        )


def choose_wide(plan: Plan, rng: Rng) -> Chosen:
    lead = _lead(plan, rng)
    parent = features.vocabulary()[lead.key].parent
    view = plan.view or str(rng.choice(lead.views))
    detector = plan.detector or str(rng.choice(lead.detectors))
    ground = plan.ground or _ground(lead, parent, view, detector, rng)
    low, high = np.log(lead.pixel_size)
    scale = plan.pixel_size_m or float(np.exp(rng.uniform(low, high)))
    leaders = [lead]
    if plan.features:
        leaders += [_painter(key, view, ground, rng) for key in plan.features[1:]]
    elif parent not in ("clean", "fibre"):
        leaders += _others(lead, view, detector, ground, scale, rng)
    parents = parents_of(p.key for p in leaders)
    decoys = _decoys(parents, ground, rng) if plan.artefacts is None else ()
    chosen = plan.artefacts
    if chosen is None:
        chosen = draw_artefacts(rng, view, detector, scale, lead.key)
        if rng.random() < (0.7 if decoys else 0.25):  # enough is going on
            chosen = ()
        if ground != "plain":  # a shear is seen only on known shapes, saturation on an even field
            chosen = tuple(k for k in chosen if k not in ("art_drift_skew", "art_saturation"))
    names = list(imaging.NOISE_ODDS)
    noise = plan.noise or str(rng.choice(names, p=list(imaging.NOISE_ODDS.values())))
    return Chosen(
        plan.family or parent,
        tuple(leaders),
        view,
        detector,
        scale,
        tuple(chosen),
        ground,
        decoys,
        float(np.exp(rng.uniform(0, np.log(2.4)))),
        noise,
    )


def parents_of(keys: Iterable[str]) -> frozenset[str]:
    return frozenset(features.vocabulary()[key].parent for key in keys)


def draw_frame(rng: Rng) -> tuple[int, int]:
    weights = np.array([weight for _, weight in FRAMES])
    return FRAMES[int(rng.choice(len(FRAMES), p=weights / weights.sum()))][0]


def _lead(plan: Plan, rng: Rng) -> Painter:
    if plan.features:
        key = plan.features[0]
    else:
        names = list(LEADS)
        weights = np.array([LEADS[name] for name in names])
        family = plan.family or str(rng.choice(names, p=weights / weights.sum()))
        own = [key for key in PAINTERS if features.vocabulary()[key].parent == family]
        if not own:
            raise KeyError(f"no painter for the family {family!r}")
        odds = np.array([ODDS.get(key, 1.0) * _WIDE_ODDS.get(key, 1.0) for key in own])
        key = own[int(rng.choice(len(own), p=odds / odds.sum()))]
    return _painter(key, plan.view, plan.ground, rng)


def _painter(key: str, view: str | None, ground: str | None, rng: Rng) -> Painter:
    """The plain painter of a feature or one of its variants that fit; variants more often."""
    fitting = [
        p
        for p in VARIANTS.get(key, ())
        if (view is None or view in p.views)
        and (ground is None or not p.grounds or ground in p.grounds)
    ]
    if fitting and rng.random() < 0.7:
        return fitting[int(rng.integers(len(fitting)))]
    return PAINTERS[key]


def _ground(lead: Painter, parent: str, view: str, detector: str, rng: Rng) -> str:
    if lead.grounds:
        return str(rng.choice(lead.grounds))
    if view == "polished" and parent in _LAYERED and rng.random() < 0.5:
        return "section"
    # Variants hold their own on any ground; finer work of the plain painters is lost on most.
    even = lead.key in _EVEN or (lead is PAINTERS[lead.key] and rng.random() < 0.8)
    if rng.random() < (0.45 if even else 0.1):
        return "plain"
    fitting = [
        g
        for g in GROUNDS.values()
        if view in g.views
        and detector in g.detectors
        and not (even and (g.busy or g.shows))
        and not (parent == "phase_separation" and (g.busy or g.shows))
        and not (parent == "crystal" and g.name in ("grains", "phases", "section", "composite"))
    ]
    if not fitting:
        return "plain"
    weights = np.array([g.weight for g in fitting])
    return fitting[int(rng.choice(len(fitting), p=weights / weights.sum()))].name


def _others(
    lead: Painter, view: str, detector: str, ground: str, scale: float, rng: Rng
) -> list[Painter]:
    """Up to three more features that fit the field, each of another key."""
    most = int(rng.choice([0, 1, 2, 3], p=[0.34, 0.34, 0.21, 0.11]))
    if ground in GROUNDS:
        most = min(most, 3 - min(len(GROUNDS[ground].shows), 1))
    every = [*PAINTERS.values(), *(p for own in VARIANTS.values() for p in own)]
    fitting = [
        p
        for p in every
        if (p.secondary or p.grounds)
        and p.key != lead.key
        and view in p.views
        and detector in p.detectors
        and p.pixel_size[0] <= scale <= p.pixel_size[1]
        and (not p.grounds or ground in p.grounds)
        and not (p.key in ("open_porosity", "pit") and lead.key in WHOLE)
        and not (p in PAINTERS.values() and p.key in VARIANTS and ground != "plain")
    ]
    found: list[Painter] = []
    for _ in range(most):
        taken = {lead.key, *(p.key for p in found)}
        left = [p for p in fitting if p.key not in taken]
        if not left:
            break
        odds = np.array([0.6 if p.key == "crack_through" else 1.0 for p in left])
        found.append(left[int(rng.choice(len(left), p=odds / odds.sum()))])
    return found


def _decoys(parents: frozenset[str], ground: str, rng: Rng) -> tuple[str, ...]:
    number = int(rng.choice([0, 1, 2], p=[0.55, 0.33, 0.12]))
    shown = parents | set(GROUNDS[ground].shows if ground in GROUNDS else ())
    fitting = [
        name
        for name in DECOYS
        if not NEVER_WITH.get(name, frozenset()) & shown
        and not (ground == "section" and name in ("hairs", "ledges", "rings"))
    ]
    odds = np.array([DECOY_ODDS.get(name, 1.0) for name in fitting])
    picked = rng.choice(len(fitting), number, False, odds / odds.sum())
    return tuple(sorted(fitting[int(i)] for i in picked))
