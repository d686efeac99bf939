"""What is to be painted on one field, decided before the first pixel.

A plain field is one feature, or two, on the even ground of its view: what measuring, the demo and
the golden values are built on. The choice of a wide field is in `wide`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassllava import features
from glassllava.sample import Sample
from training.synthesis import (  # noqa: F401  (painters enter themselves, in this order)
    artefacts,
    coatings,
    corrosion,
    cracks,
    crystals,
    fracture,
    inclusions,
    loose,
    phases,
    pores,
    scratches,
    surfaces,
)
from training.synthesis.canvas import PAINTERS, Painter

Rng = np.random.Generator

#: How often a parent leads a field; `clean` and `particle` also stand for "nothing wrong".
FAMILIES: Mapping[str, float] = {
    "crack": 12,
    "pore": 10,
    "inclusion": 10,
    "crystal": 12,
    "phase_separation": 8,
    "inhomogeneity": 5,
    "scratch": 10,
    "corrosion": 9,
    "delamination": 6,
    "coating_fault": 6,
    "deposit": 5,
    "particle": 5,
    "fracture_surface": 8,
    "fibre": 5,
    "clean": 11,
}

#: Fields without room for a fine texture of another kind.
WHOLE = frozenset(
    [
        "gc_lithium_disilicate",
        "gc_las",
        "gc_fluorapatite",
        "gc_cordierite",
        "gc_leucite",
        "nanopore_network",
        "phase_sep_interconnected",
        "phase_sep_droplet",
        "foam_cell",
        "open_porosity",
        "abrasion",
        "waste_phase",
    ]
)
FINE = frozenset(["opacifier_crystal", "open_porosity", "weathering_stain", "pit"])
#: Painted first (whole-field textures) and last; all else between.
ORDER: Mapping[str, int] = {
    "open_porosity": 0,
    "weathering_stain": 0,
    "opacifier_crystal": 0,
    "scratch": 2,
    "crack_through": 3,
    "dust_particle": 4,
}
#: Within a family every painter leads equally often, but for these: designed crystals are many
#: and never a defect, and would drown the unwanted ones.
ODDS: Mapping[str, float] = {
    "metallic_inclusion": 2.5,
    "knot": 2.0,
    "devitrification": 2.0,
    "devit_devitrite": 2.0,
    "devit_cristobalite": 1.6,
    "devit_diopside": 1.6,
    "devit_tridymite": 1.6,
    "devit_wollastonite": 2.0,
    "gc_fluorapatite": 0.6,
    "gc_cordierite": 0.6,
    "gc_leucite": 0.6,
    "gc_las": 0.6,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a caller fixes; None leaves it to the seed.

    `features` are child keys, the first leads; `artefacts` are art_* keys; `specimen` are rule
    tokens for a sample in words, or a Sample as it is. `look` is "plain" or "wide"; None: plain
    where `features` are fixed, else wide. `ground` and `noise` are names of `grounds.GROUNDS` and
    `imaging.NOISES`, for wide fields.
    """

    family: str | None = None
    features: tuple[str, ...] | None = None
    artefacts: tuple[str, ...] | None = None
    specimen: Sample | Mapping[str, frozenset[str]] | None = None
    size: tuple[int, int] | None = None
    bits: int | None = None
    vendor: str | None = None
    detector: str | None = None
    view: str | None = None
    pixel_size_m: float | None = None
    databar: bool | None = None
    look: str | None = None
    ground: str | None = None
    noise: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be painted: decided before the first pixel."""

    family: str
    leaders: tuple[Painter, ...]
    view: str
    detector: str
    pixel_size: float
    artefacts: tuple[str, ...]
    ground: str = "plain"
    decoys: tuple[str, ...] = ()
    zoom: float = 1.0
    noise: str = ""


def choose_plain(plan: Plan, rng: Rng) -> Chosen:
    if plan.features:
        leaders = [PAINTERS[key] for key in plan.features]
        family = plan.family or features.vocabulary()[plan.features[0]].parent
    else:
        names = list(FAMILIES)
        weights = np.array([FAMILIES[name] for name in names])
        family = plan.family or str(rng.choice(names, p=weights / weights.sum()))
        own = [p for p in PAINTERS.values() if features.vocabulary()[p.key].parent == family]
        if not own:
            raise KeyError(f"no painter for the family {family!r}")
        odds = np.array([ODDS.get(p.key, 1.0) for p in own])
        leaders = [own[int(rng.choice(len(own), p=odds / odds.sum()))]]
    lead = leaders[0]
    view = plan.view or str(rng.choice(lead.views))
    detector = plan.detector or str(rng.choice(lead.detectors))
    low, high = np.log(lead.pixel_size)
    scale = plan.pixel_size_m or float(np.exp(rng.uniform(low, high)))
    if plan.features is None and family != "clean" and rng.random() < 0.33:
        others = [
            p
            for p in PAINTERS.values()
            if p.secondary
            and p.key != lead.key
            and view in p.views
            and detector in p.detectors
            and p.pixel_size[0] <= scale <= p.pixel_size[1]
            and not (family == "fibre" and p.key != "dust_particle")
            and not (p.key in FINE and lead.key in WHOLE)
        ]
        # Cracks fit every scale: without this they would be the answer wherever two are seen.
        odds = np.array([0.45 if p.key == "crack_through" else 1.0 for p in others])
        number = min(int(rng.choice([1, 1, 2])), len(others))
        picked = rng.choice(len(others), number, False, odds / odds.sum()) if others else ()
        for index in picked:
            leaders.append(others[int(index)])
    chosen = plan.artefacts
    if chosen is None:
        chosen = draw_artefacts(rng, view, detector, scale, lead.key)
    return Chosen(family, tuple(leaders), view, detector, scale, tuple(chosen))


def draw_artefacts(rng: Rng, view: str, detector: str, scale: float, lead: str) -> tuple[str, ...]:
    """Artefacts that can be seen on this field."""
    if rng.random() > 0.4:
        return ()
    all_ = (*artefacts.PREPARATION, *artefacts.SIGNAL, *artefacts.OTHERS)
    fitting = [
        key
        for key in all_
        if (key not in artefacts.ONLY_VIEWS or view in artefacts.ONLY_VIEWS[key])
        and scale <= artefacts.FINEST.get(key, 1.0)
        and not (detector == "BSE" and key in artefacts.SE_ONLY)
        and not (key in artefacts.NEEDS_EDGES and lead in artefacts.NO_EDGES)
        and not (key in artefacts.DROWNS_SOFT and lead in artefacts.SOFT)
        and not (key == "art_drift_skew" and lead not in artefacts.KNOWN_SHAPE)
        and not (key == "art_saturation" and lead == "featureless_surface")
    ]
    if rng.random() < 0.6:  # rare, and too easy to tell
        fitting.remove("art_beam_damage")
    count = int(rng.choice([1, 1, 1, 2, 2, 3]))
    picked = [fitting[int(i)] for i in rng.permutation(len(fitting))[:count]]
    if scale <= artefacts.FINEST["art_coating_grain"] and rng.random() < 0.3:
        picked = ["art_coating_grain"]
    if "art_defocus" in picked and "art_astigmatism" in picked:
        picked.remove("art_astigmatism")
    return tuple(sorted(picked))
