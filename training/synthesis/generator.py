"""One seed, one micrograph: the field is chosen, painted, imaged, spoiled, and judged.

The truth is what can be seen: a feature that stands out too little is painted again, stronger,
with less noise, on a calmer ground, or left out of both the picture and the truth; it is never
left as a false label. The verdict is what the context rules say of the true features in the
sample's own words; `None` where they say `depends` or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.synthesis import judging
from training.synthesis.canvas import Painted
from training.synthesis.choosing import Chosen, Plan, choose_plain
from training.synthesis.databar import BeamWords, draw_databar
from training.synthesis.exposing import expose_plain
from training.synthesis.exposing_wide import Exposed, expose_wide, zoom_of
from training.synthesis.fields import Field, Shape
from training.synthesis.grounds import GROUNDS
from training.synthesis.truth import SyntheticMicrograph, with_rows
from training.synthesis.wide import HeldOut, choose_wide, draw_frame, parents_of

__all__ = ["Plan", "generate"]

Rng = np.random.Generator
SIZES = ((480, 640), (480, 640), (512, 640), (480, 720), (512, 768), (512, 512))


@dataclass(frozen=True, slots=True)
class _Scene:
    """A field as it was exposed, with the seed of what is said of it."""

    chosen: Chosen
    grey: Field
    painted: tuple[Painted, ...]
    artefacts: tuple[str, ...]
    pixel_size: float
    sample_seed: int
    noise: str = ""
    noise_sigma: float | None = None


def generate(
    seed: int,
    *,
    plan: Plan | None = None,
    size: tuple[int, int] | None = None,
    without: HeldOut | None = None,
    within: HeldOut | None = None,
) -> SyntheticMicrograph:
    """The micrograph of a seed. `size` is (rows, columns) of the specimen, databar aside.

    `without` and `within` are the two sides of a split that is held out by ground, by combination
    of parents and by noise (wide fields only): nothing of what it names, or always some of it.

    The same seed, plan and size give the same pixels with the same versions of NumPy, SciPy and
    Pillow. Raises KeyError for a family or feature that no painter paints, RuntimeError where a
    plan asks for what cannot be seen or a split leaves nothing to draw.
    """
    plan = plan or Plan()
    if plan.look == "plain" or (plan.look is None and plan.features is not None):
        scene = _plain(seed, plan, size)
    else:
        scene = _wide(seed, plan, size, without, within)
    return _finish(seed, plan, scene, wide=bool(scene.noise))


def _plain(seed: int, plan: Plan, size: Shape | None) -> _Scene:
    rng = np.random.default_rng(seed)
    shape = size or plan.size or SIZES[int(rng.integers(len(SIZES)))]
    chosen = choose_plain(plan, rng)
    paint_seed, image_seed, sample_seed = (int(s) for s in rng.integers(0, 2**63, 3))
    strength = 1.0
    for attempt in range(4):
        painted, grey, seen = expose_plain(
            chosen, shape, paint_seed + attempt, image_seed, strength
        )
        if seen:
            break
        strength *= 1.5
    return _Scene(chosen, grey, painted, chosen.artefacts, chosen.pixel_size, sample_seed)


def _wide(
    seed: int, plan: Plan, size: Shape | None, without: HeldOut | None, within: HeldOut | None
) -> _Scene:
    for turn in range(12):
        rng = np.random.default_rng([seed, turn])
        shape = size or plan.size or draw_frame(rng)
        chosen = _choose_side(plan, rng, without, within)
        paint_seed, image_seed, sample_seed = (int(s) for s in rng.integers(0, 2**63, 3))
        done = _developed(chosen, shape, paint_seed, image_seed)
        if done is None:
            continue
        chosen, exposed = done
        parents = parents_of(one.key for one in exposed.painted)
        if _wrong_side(chosen.ground, parents, exposed.noise.name, without, within):
            continue
        pixel_size = plan.pixel_size_m or chosen.pixel_size / zoom_of(chosen, shape)
        return _Scene(
            chosen,
            exposed.grey,
            exposed.painted,
            exposed.artefacts,
            pixel_size,
            sample_seed,
            exposed.noise.name,
            exposed.noise.sigma,
        )
    raise RuntimeError(f"seed {seed}: nothing that this plan allows can be seen")


def _choose_side(plan: Plan, rng: Rng, without: HeldOut | None, within: HeldOut | None) -> Chosen:
    """Chosen anew until the field falls on the side that is asked for; choosing costs nothing."""
    for _ in range(2000):
        chosen = choose_wide(plan, rng)
        shows = GROUNDS[chosen.ground].shows if chosen.ground in GROUNDS else ()
        parents = parents_of(lead.key for lead in chosen.leaders) | set(shows)
        if not _wrong_side(chosen.ground, frozenset(parents), chosen.noise, without, within):
            return chosen
    raise RuntimeError("the held-out side leaves nothing to draw from")


def _wrong_side(
    ground: str,
    parents: frozenset[str],
    noise: str,
    without: HeldOut | None,
    within: HeldOut | None,
) -> bool:
    if without is not None and without.holds(ground, parents, noise):
        return True
    return within is not None and not within.holds(ground, parents, noise)


def _developed(
    chosen: Chosen, shape: Shape, paint_seed: int, image_seed: int
) -> tuple[Chosen, Exposed] | None:
    """Exposed until everything that was painted can be seen: stronger, then without the features
    that do not show, then on an even ground; None where even that does not help."""
    strength = 1.0
    for attempt in range(6):
        exposed = expose_wide(chosen, shape, paint_seed + attempt, image_seed, strength)
        if not exposed.unseen and exposed.painted:
            return chosen, exposed
        strength = min(strength * 1.4, 2.2)
        lead = chosen.leaders[0]
        if attempt >= 1:
            kept = tuple(p for p in chosen.leaders[1:] if p.key not in exposed.unseen)
            chosen = replace(chosen, leaders=(lead, *kept))
        if attempt >= 3:
            ground = chosen.ground if lead.grounds else "plain"
            # What needs another ground goes with it.
            kept = tuple(p for p in chosen.leaders[1:] if not p.grounds or ground in p.grounds)
            chosen = replace(chosen, ground=ground, decoys=(), noise="quiet", leaders=(lead, *kept))
    return None


def _finish(seed: int, plan: Plan, scene: _Scene, *, wide: bool) -> SyntheticMicrograph:
    """What is said of the field, and the file's pixels."""
    chosen, columns = scene.chosen, scene.grey.shape[1]
    rng = np.random.default_rng(scene.sample_seed)
    sample, tokens, truths = judging.judge(
        plan, chosen, scene.painted, scene.pixel_size, rng, wide=wide
    )
    if wide:  # other words of a sample leave a wide file's pixels as they are
        rng = np.random.default_rng((scene.sample_seed, 1))
    vendor = plan.vendor or str(rng.choice(["thermo", "thermo", "zeiss", "zeiss", "plain"]))
    beam = BeamWords.draw(rng, chosen.detector, scene.pixel_size * columns, vendor)
    bits = plan.bits or int(rng.choice([8, 8, 8, 16]))
    with_bar = plan.databar if plan.databar is not None else rng.random() < 0.35
    pixels = _digitise(scene.grey, bits, rng)
    bar, keys = None, list(scene.artefacts)
    if with_bar:
        strip = draw_databar(beam, scene.pixel_size, columns, vendor, bits, rng)
        bar = (pixels.shape[0], strip.shape[0])
        pixels = np.concatenate([pixels, strip.astype(pixels.dtype)])
        keys.append("art_databar")
        truths = tuple(with_rows(truth, strip.shape[0]) for truth in truths)
    return SyntheticMicrograph(
        seed=seed,
        pixels=pixels,
        pixel_size_m=scene.pixel_size if vendor != "plain" else None,
        true_pixel_size_m=scene.pixel_size,
        databar=bar,
        beam=beam,
        vendor=vendor,
        view=chosen.view,
        family=chosen.family,
        truths=truths,
        artefacts=tuple(keys),
        sample=sample,
        tokens=tokens,
        ground=chosen.ground,
        decoys=chosen.decoys,
        noise=scene.noise,
        noise_sigma=scene.noise_sigma,
    )


def _digitise(grey: Field, bits: int, rng: Rng) -> NDArray[np.uint8] | NDArray[np.uint16]:
    if bits == 8:
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    # 16 bits seldom fill their range: the detector's offset and gain.
    low, high = rng.uniform(0, 12000), rng.uniform(30000, 65535)
    return np.clip(low + grey / 255 * (high - low), 0, 65535).astype(np.uint16)
