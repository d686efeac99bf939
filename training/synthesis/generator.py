"""One seed, one micrograph: the field is chosen, painted, imaged, spoiled, and judged.

The truth is what can be seen: a feature that stands out too little is painted again, stronger,
with less noise; it is never left as a false label. The verdict is what the context rules say of
the true features in the sample's own words; `None` where they say `depends` or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glassllava import features
from glassllava.sample import Sample
from training.synthesis import (  # noqa: F401  (painters enter themselves)
    artefacts,
    coatings,
    corrosion,
    cracks,
    crystals,
    fracture,
    imaging,
    inclusions,
    loose,
    phases,
    pores,
    samples,
    scratches,
    surfaces,
)
from training.synthesis.canvas import PAINTERS, Canvas, Painted, Painter
from training.synthesis.databar import BeamWords, draw_databar
from training.synthesis.fields import Field, blur
from training.synthesis.truth import SyntheticMicrograph, TrueFeature, true_feature, with_rows

Rng = np.random.Generator
SIZES = ((480, 640), (480, 640), (512, 640), (480, 720), (512, 768), (512, 512))

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
_WHOLE = frozenset(
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
_FINE = frozenset(["opacifier_crystal", "open_porosity", "weathering_stain", "pit"])
#: Painted first (whole-field textures) and last; all else between.
_ORDER: Mapping[str, int] = {
    "open_porosity": 0,
    "weathering_stain": 0,
    "opacifier_crystal": 0,
    "scratch": 2,
    "crack_through": 3,
    "dust_particle": 4,
}
#: Within a family every painter leads equally often, but for these: designed crystals are many
#: and never a defect, and would drown the unwanted ones.
_ODDS: Mapping[str, float] = {
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
    tokens for a sample in words, or a Sample as it is.
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


@dataclass(frozen=True, slots=True)
class _Field:
    """What is to be painted: decided before the first pixel."""

    family: str
    leaders: tuple[Painter, ...]
    view: str
    detector: str
    pixel_size: float
    artefacts: tuple[str, ...]


def generate(
    seed: int, *, plan: Plan | None = None, size: tuple[int, int] | None = None
) -> SyntheticMicrograph:
    """The micrograph of a seed. `size` is (rows, columns) of the specimen, databar aside.

    The same seed, plan and size give the same pixels with the same versions of NumPy, SciPy and
    Pillow. Raises KeyError for a family or feature that no painter paints.
    """
    plan = plan or Plan()
    rng = np.random.default_rng(seed)
    shape = size or plan.size or SIZES[int(rng.integers(len(SIZES)))]
    chosen = _choose(plan, rng)
    paint_seed, image_seed, sample_seed = (int(s) for s in rng.integers(0, 2**63, 3))
    strength = 1.0
    for attempt in range(4):
        painted, grey, seen = _expose(chosen, shape, paint_seed + attempt, image_seed, strength)
        if seen:
            break
        strength *= 1.5
    rng = np.random.default_rng(sample_seed)
    sample, tokens, truths = _judge(plan, chosen, painted, rng)
    vendor = plan.vendor or str(rng.choice(["thermo", "thermo", "zeiss", "zeiss", "plain"]))
    beam = BeamWords.draw(rng, chosen.detector, chosen.pixel_size * shape[1], vendor)
    calibrated = vendor != "plain"
    bits = plan.bits or int(rng.choice([8, 8, 8, 16]))
    with_bar = plan.databar if plan.databar is not None else rng.random() < 0.35
    pixels = _digitise(grey, bits, rng)
    bar, keys = None, list(chosen.artefacts)
    if with_bar:
        strip = draw_databar(beam, chosen.pixel_size, shape[1], vendor, bits, rng)
        bar = (shape[0], strip.shape[0])
        pixels = np.concatenate([pixels, strip.astype(pixels.dtype)])
        keys.append("art_databar")
        truths = tuple(with_rows(truth, strip.shape[0]) for truth in truths)
    return SyntheticMicrograph(
        seed=seed,
        pixels=pixels,
        pixel_size_m=chosen.pixel_size if calibrated else None,
        true_pixel_size_m=chosen.pixel_size,
        databar=bar,
        beam=beam,
        vendor=vendor,
        view=chosen.view,
        family=chosen.family,
        truths=truths,
        artefacts=tuple(keys),
        sample=sample,
        tokens=tokens,
    )


def _choose(plan: Plan, rng: Rng) -> _Field:
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
        odds = np.array([_ODDS.get(p.key, 1.0) for p in own])
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
            and not (p.key in _FINE and lead.key in _WHOLE)
        ]
        # Cracks fit every scale: without this they would be the answer wherever two are seen.
        odds = np.array([0.45 if p.key == "crack_through" else 1.0 for p in others])
        number = min(int(rng.choice([1, 1, 2])), len(others))
        picked = rng.choice(len(others), number, False, odds / odds.sum()) if others else ()
        for index in picked:
            leaders.append(others[int(index)])
    chosen = plan.artefacts
    if chosen is None:
        chosen = _draw_artefacts(rng, view, detector, scale, lead.key)
    return _Field(family, tuple(leaders), view, detector, scale, tuple(chosen))


def _draw_artefacts(rng: Rng, view: str, detector: str, scale: float, lead: str) -> tuple[str, ...]:
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


def _expose(
    chosen: _Field, shape: tuple[int, int], paint_seed: int, image_seed: int, strength: float
) -> tuple[tuple[Painted, ...], Field, bool]:
    """Painted features, the grey levels, and whether all of them can be seen."""
    rng = np.random.default_rng(paint_seed)
    canvas = Canvas(shape, chosen.detector, float(rng.uniform(10.3, 12.0)), chosen.view, strength)
    # Layers beside a cord would be cords, and an empty field has none.
    layered = chosen.family not in ("clean", "inhomogeneity", "particle")
    surfaces.prepare_view(canvas, rng, layered=layered)
    painted: list[Painted] = []
    # What cuts through or lies on top comes last: a crack through pores, dust over a scratch.
    for lead in sorted(chosen.leaders, key=lambda p: _ORDER.get(p.key, 1)):
        painted.extend(lead.paint(canvas, rng))
    for key in chosen.artefacts:
        if key in artefacts.PREPARATION:
            artefacts.PREPARATION[key](canvas, rng)
    rng = np.random.default_rng(image_seed)
    look = imaging.draw_look(rng)
    if "art_edge_effect" in chosen.artefacts:
        look = imaging.Look(
            look.tilt_gain,
            look.side,
            look.side_gain,
            look.recess_gain,
            rng.uniform(1.2, 2.2),
            look.probe,
        )
    signal = imaging.shade(imaging.signal_of(canvas, look), rng)
    for key in chosen.artefacts:
        if key in artefacts.SIGNAL:
            signal = artefacts.SIGNAL[key](signal, rng)
    if "art_defocus" in chosen.artefacts:
        signal = artefacts.defocus(signal, rng)
    if "art_astigmatism" in chosen.artefacts:
        signal = artefacts.astigmatism(signal, rng)
    span = rng.uniform(0.35, 0.8) if chosen.detector == "SE" else rng.uniform(0.12, 0.4)
    grey = imaging.set_contrast(signal, rng, span)
    for key in ("art_drift_skew", "art_charging_drift", "art_line_noise"):
        if key in chosen.artefacts:
            shifts = artefacts.row_shifts(key, shape[0], rng)
            grey = np.asarray(artefacts.shift_rows(grey, shifts), np.float32)
            if key != "art_line_noise":
                painted = [_moved(one, shifts) for one in painted]
    grey, sigma, seen = _noise_that_shows(chosen, painted, grey, rng)
    grey = imaging.add_noise(grey, rng, sigma, float(rng.choice([0.0, 0.0, 0.5, 0.8])))
    if "art_line_noise" in chosen.artefacts:
        grey = artefacts.line_ripple(grey, rng)
    if "art_saturation" in chosen.artefacts:
        push = rng.uniform(1.9, 3.0)
        pivot = float(np.quantile(grey[::4, ::4], rng.choice([0.25, 0.75])))
        grey = pivot + (grey - pivot) * push + (rng.choice([-1, 1]) * 40)
        low, high = (float(v) for v in np.quantile(grey[::4, ::4], (0.14, 0.86)))
        if low > 0 and high < 255:
            grey = grey - low if 255 - high > low else grey + (255 - high)
    return tuple(painted), grey, seen


def _moved(one: Painted, shifts: Field) -> Painted:
    def move(mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        return None if mask is None else np.asarray(artefacts.shift_rows(mask, shifts), bool)

    return replace(one, mask=move(one.mask), texture=move(one.texture))


def _noise_that_shows(
    chosen: _Field, painted: list[Painted], grey: Field, rng: Rng
) -> tuple[Field, float, bool]:
    """Noise that leaves the weakest feature visible, and contrast that lifts it if needed."""
    wanted = rng.uniform(24, 42) if "art_noise" in chosen.artefacts else rng.uniform(2.0, 11.0)
    shown = [one for one in painted if one.key != "featureless_surface"]
    if not shown:
        return grey, float(wanted), True
    local = blur(grey, 12)
    weakest = min(imaging.contrast_of(one, grey, local) for one in shown)
    goal = 24.0 if "art_line_noise" in chosen.artefacts else 15.0
    if 0 < weakest < goal:  # the operator turns the contrast up
        lift = min(goal / weakest, 2.4)
        middle = float(np.median(grey[::4, ::4]))
        grey = middle + (grey - middle) * np.float32(lift)
        weakest *= lift
    limit = max(weakest * 2.2, 18.0) if "art_noise" in chosen.artefacts else weakest * 0.8
    return grey, float(min(wanted, max(limit, 1.5))), weakest >= 7.5


def _judge(
    plan: Plan, chosen: _Field, painted: tuple[Painted, ...], rng: Rng
) -> tuple[Sample, Mapping[str, frozenset[str]], tuple[TrueFeature, ...]]:
    """A sample in words, and the features with what the rules say of them in it."""
    best: tuple[Sample, Mapping[str, frozenset[str]], tuple[TrueFeature, ...]] | None = None
    for attempt in range(6):
        if isinstance(plan.specimen, Sample):
            sample = plan.specimen
        else:
            sample = samples.write_sample(plan.specimen or _context(chosen, rng), rng, chosen.view)
            if plan.specimen is None:
                sample = _with_expected(sample, painted, rng)
        tokens = samples.tokens_of(sample)
        truths = tuple(true_feature(one, chosen.pixel_size, sample, tokens) for one in painted)
        best = sample, tokens, truths
        verdicts = {truth.ruling.verdict if truth.ruling else None for truth in truths}
        open_ = "defect" not in verdicts and ("depends" in verdicts or None in verdicts)
        # Most open verdicts are drawn again, so that they stay a minority; some stay.
        if plan.specimen is not None or not open_ or (attempt == 0 and rng.random() < 0.25):
            break
    assert best is not None
    return best


def _context(chosen: _Field, rng: Rng) -> Mapping[str, frozenset[str]]:
    lead = chosen.leaders[0].key
    # Contexts of other features: for a field with nothing wrong always, so that the words alone
    # do not give the verdict away; for the rest now and then.
    if chosen.family in ("clean", "particle") or rng.random() < 0.08:
        keys = sorted(PAINTERS)
        lead = keys[int(rng.integers(len(keys)))]
    if rng.random() < 0.04:
        return {}
    said = samples.verdicts_for(lead)
    # What joins the leader is mostly a defect in its context: the leader leans the other way.
    fine = "no_defect" in said and rng.random() < 0.25
    return samples.wanted_for(lead, rng, "no_defect" if fine else str(rng.choice(said)))


def _with_expected(sample: Sample, painted: tuple[Painted, ...], rng: Rng) -> Sample:
    if rng.random() > 0.1:
        return sample
    keys = [one.key for one in painted if one.key != "featureless_surface"]
    if not keys or rng.random() < 0.3:  # something is expected that is not there
        keys = sorted(PAINTERS)
    key = str(rng.choice(keys))
    if rng.random() < 0.4:
        key = features.vocabulary()[key].parent
    return replace(sample, expected=(key,))


def _digitise(grey: Field, bits: int, rng: Rng) -> NDArray[np.uint8] | NDArray[np.uint16]:
    if bits == 8:
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    # 16 bits seldom fill their range: the detector's offset and gain.
    low, high = rng.uniform(0, 12000), rng.uniform(30000, 65535)
    return np.clip(low + grey / 255 * (high - low), 0, 65535).astype(np.uint16)
