"""Wide fields: grounds, look-alikes, several features, and that their truth is what can be seen."""

from __future__ import annotations

import time
from collections import Counter
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from glassllava import features
from training.synthesis import HeldOut, Plan, SyntheticMicrograph, generate, imaging
from training.synthesis.canvas import PAINTERS, VARIANTS, Canvas, Painter
from training.synthesis.decoys import DECOYS, NEVER_WITH
from training.synthesis.exposing_wide import LEAST
from training.synthesis.generator import parents_of
from training.synthesis.grounds import GROUNDS

SIZE = (300, 400)
EVERY_VARIANT = [(p, i) for own in VARIANTS.values() for i, p in enumerate(own)]


@cache
def drawn() -> tuple[SyntheticMicrograph, ...]:
    return tuple(generate(seed, size=SIZE) for seed in range(400, 460))


def grey_of(one: SyntheticMicrograph) -> np.ndarray:
    return one.pixels.astype(float) / (257 if one.pixels.dtype == np.uint16 else 1)


def test_same_seed_same_wide_field() -> None:
    for seed in (11, 12, 13):
        one, other = generate(seed, size=SIZE), generate(seed, size=SIZE)
        assert np.array_equal(one.pixels, other.pixels)
        assert (one.ground, one.decoys, one.noise) == (other.ground, other.decoys, other.noise)
        assert one.sample == other.sample
        for a, b in zip(one.truths, other.truths, strict=True):
            assert (a.key, a.sizes, a.contrast) == (b.key, b.sizes, b.contrast)
            assert a.mask is None or np.array_equal(a.mask, b.mask)


def test_fixed_features_stand_on_a_plain_ground_unless_asked_otherwise() -> None:
    plan = Plan(features=("bubble",))
    assert generate(3, plan=plan, size=SIZE).noise == ""
    wide = generate(3, plan=Plan(features=("bubble",), look="wide", ground="resin"), size=SIZE)
    assert (wide.ground, wide.noise != "") == ("resin", True)


@pytest.mark.parametrize("name", sorted(GROUNDS))
def test_a_ground_shows_what_it_says_and_nothing_else(name: str) -> None:
    ground = GROUNDS[name]
    for number, view in enumerate(ground.views):
        detector = ground.detectors[number % len(ground.detectors)]
        canvas = Canvas(SIZE, detector, 11.0, view)
        shown = ground.paint(canvas, np.random.default_rng(number))
        assert parents_of(one.key for one in shown) <= set(ground.shows)
        assert all(one.mask is not None and one.mask.shape == SIZE for one in shown)
        for field in (canvas.height, canvas.z, canvas.tone, canvas.void):
            assert field.shape == SIZE
            assert np.isfinite(field).all()
        assert canvas.void.max() < 1
        assert max(np.ptp(canvas.height), np.ptp(canvas.tone), np.ptp(canvas.z)) > 0.05


@pytest.mark.parametrize("name", sorted(GROUNDS))
def test_an_empty_ground_is_clean_but_for_what_it_shows(name: str) -> None:
    ground = GROUNDS[name]
    plan = Plan(
        features=("featureless_surface",),
        look="wide",
        ground=name,
        artefacts=(),
        view=ground.views[0],
        detector=ground.detectors[0],
    )
    for seed in range(2):
        one = generate(seed, plan=plan, size=SIZE)
        assert one.present <= {"clean", *ground.shows}, (name, seed)


@pytest.mark.parametrize("name", sorted(DECOYS))
def test_a_look_alike_is_seen_and_carries_no_label(name: str) -> None:
    before, canvas = (Canvas(SIZE, "SE", 11.0, "surface") for _ in range(2))
    keys = DECOYS[name](canvas, np.random.default_rng(4))
    assert all(features.is_artefact(key) for key in keys)
    look = imaging.draw_look(np.random.default_rng(0))
    apart = imaging.signal_of(canvas, look) - imaging.signal_of(before, look)
    assert np.abs(apart).max() > 0.05
    assert NEVER_WITH.get(name, frozenset()) <= set(features.PARENTS)


def test_decoys_stand_beside_no_feature_that_they_mimic() -> None:
    met = Counter()
    for one in drawn():
        for name in one.decoys:
            met[name] += 1
            lead = features.vocabulary()[one.truths[0].key].parent
            assert lead not in NEVER_WITH.get(name, frozenset())
    assert len(met) >= 5


@pytest.mark.parametrize(("own", "index"), EVERY_VARIANT, ids=lambda v: getattr(v, "key", str(v)))
def test_every_variant_paints_its_key_where_it_says(own: Painter, index: int) -> None:
    for seed in range(2):
        canvas = Canvas(SIZE, own.detectors[seed % len(own.detectors)], 11.0, own.views[0])
        rng = np.random.default_rng(seed)
        if own.grounds:
            GROUNDS[own.grounds[0]].paint(canvas, rng)
        clear = [m.copy() for m in (canvas.height, canvas.z, canvas.tone, canvas.void)]
        painted = own.paint(canvas, rng)
        assert own.key in {one.key for one in painted}
        assert own.key in PAINTERS
        changed = np.zeros(SIZE, bool)
        maps = (canvas.height, canvas.z, canvas.tone, canvas.void)
        for old, new in zip(clear, maps, strict=True):
            changed |= np.abs(new - old) > 1e-4
        for one in painted:
            if one.mask is not None:
                assert one.mask.any()
                assert (changed | ~one.mask).mean() > 0.97  # the mask is where the paint is


def test_every_label_has_a_place_and_stands_out() -> None:
    for one in drawn():
        grey = grey_of(one)
        for truth in one.truths:
            if truth.key == "featureless_surface":
                continue
            assert truth.contrast is not None
            assert truth.contrast >= LEAST
            where = one.region(truth.parent)
            assert where is not None
            assert where.any()
            if truth.mask is None or truth.texture is not None or truth.mask.mean() > 0.5:
                continue
            # Told from the pixels alone, noise included: the mask against what is round it.
            inside, around = grey[truth.mask], grey[_round(truth.mask)]
            gap = abs(inside.mean() - around.mean())
            texture = abs(inside.std() - around.std())
            assert max(gap, texture) > 3.0, (one.seed, truth.key)


def _round(mask: np.ndarray) -> np.ndarray:
    near = ndimage.binary_dilation(mask, iterations=8)
    return np.asarray(near & ~ndimage.binary_dilation(mask, iterations=2))


def test_a_feature_that_is_lost_is_no_label() -> None:
    # A crack of no depth leaves the pixels as they were: there must be nothing to claim.
    flat = np.full(SIZE, 120.0, np.float32)
    mask = np.zeros(SIZE, bool)
    mask[100:104, 50:300] = True
    assert imaging.standing_out(mask, flat) < LEAST
    dark = np.where(mask, 60.0, 120.0).astype(np.float32)
    assert imaging.standing_out(mask, dark) > 2 * LEAST
    # The same crack along the border of a dark layer gains nothing from the layer.
    layered = flat.copy()
    layered[104:] = 40.0
    assert imaging.standing_out(mask, layered) < LEAST
    # Nor is it seen among grains that are as dark.
    rng = np.random.default_rng(1)
    busy = ndimage.gaussian_filter(rng.normal(0, 1, SIZE), 2).astype(np.float32)
    busy = 120 + 45 * busy / busy.std()
    assert imaging.standing_out(mask, np.where(mask, busy - 30, busy)) < LEAST


def test_cracks_round_an_inclusion_are_cracks() -> None:
    found = Counter()
    for seed in range(8):
        plan = Plan(features=("nickel_sulfide",), look="wide", ground="resin", artefacts=())
        one = generate(seed, plan=plan, size=SIZE)
        where = one.region("crack")
        found[where is not None] += 1
        if where is not None:
            ball = one.region("inclusion")
            assert ball is not None
            assert (ndimage.binary_dilation(ball, iterations=8) & where).any()
    assert found[True] >= 2


def test_dust_makes_no_texture_of_a_black_field() -> None:
    rng = np.random.default_rng(3)
    grey = np.full(SIZE, 18.0, np.float32)
    dust = np.zeros(SIZE, bool)
    dust[80:110, 90:140] = True
    grey[dust] = 230
    assert imaging.texture_of(grey, dust) < LEAST
    rods = ndimage.gaussian_filter(rng.normal(0, 1, SIZE), 3).astype(np.float32)
    grown = np.where(dust, 230, 100 + 20 * rods / rods.std())
    assert imaging.texture_of(grown, dust) > 2 * LEAST
    assert imaging.texture_of(grown, np.ones(SIZE, bool)) == 0


def test_fields_are_wide() -> None:
    grounds = Counter(one.ground for one in drawn())
    assert len(grounds) >= 9
    assert grounds["plain"] < 0.55 * len(drawn())
    several = [len(one.present - {"artefact", "clean"}) for one in drawn()]
    assert np.mean([n >= 2 for n in several]) > 0.25
    assert max(several) >= 3
    assert len({one.noise for one in drawn()}) == 3
    shapes = {generate(seed, plan=Plan(databar=False)).pixels.shape for seed in range(30, 35)}
    assert len(shapes) >= 3
    assert all(min(s) >= 480 and max(s) <= 2048 for s in shapes)


def test_cracks_are_one_to_thirty_pixels_wide_and_bodies_span_decades() -> None:
    widths, bodies = [], []
    for seed in range(12):
        plan = Plan(features=("crack_through",), look="wide", view="polished", artefacts=())
        one = generate(seed, plan=plan, size=SIZE)
        widths += [w / one.true_pixel_size_m for w in one.truths[-1].sizes.get("width", ())]
        plan = Plan(features=("open_porosity",), look="wide", view="polished", artefacts=())
        one = generate(seed, plan=plan, size=SIZE)
        bodies += [d for t in one.truths for d in t.sizes.get("equivalent_diameter", ())]
    assert min(widths) < 2.5
    assert max(widths) > 12
    assert max(bodies) / min(bodies) > 1000


def test_a_split_is_held_out_by_ground_combination_and_noise() -> None:
    held = HeldOut(
        frozenset({"section", "etched"}),
        frozenset({frozenset({"crack", "pore"})}),
        frozenset({"loud"}),
    )
    for seed in range(6):
        kept = generate(seed, size=SIZE, without=held)
        assert not held.holds(kept.ground, kept.present, kept.noise)
        tested = generate(seed, size=SIZE, within=held)
        assert held.holds(tested.ground, tested.present, tested.noise)
    everything = HeldOut(grounds=frozenset({"plain", *GROUNDS}))
    with pytest.raises(RuntimeError, match="nothing to draw"):
        generate(1, size=SIZE, without=everything)


def test_region_and_tiles_follow_the_masks() -> None:
    plan = Plan(features=("crack_through",), look="wide", ground="resin", view="polished")
    one = generate(8, plan=plan, size=SIZE)
    where = one.region("crack")
    assert where is not None
    ys, xs = np.nonzero(where)
    tile = (max(int(xs[0]) - 20, 0), max(int(ys[0]) - 20, 0), int(xs[0]) + 20, int(ys[0]) + 20)
    assert "crack" in one.present_in(tile, least=1)
    assert one.present_in(tile, least=10**6)["crack"][1] is False
    assert one.region("lamella") is None
    empty = np.argwhere(~ndimage.binary_dilation(where, iterations=6))[0]
    y, x = int(empty[0]), int(empty[1])
    assert "crack" not in one.present_in((x, y, x + 3, y + 3))


def test_what_is_expected_is_sometimes_wrong() -> None:
    right, wrong = 0, 0
    for one in drawn():
        for key in one.sample.expected:
            hit = key in one.present or any(key in (t.key, t.parent) for t in one.truths)
            right, wrong = right + hit, wrong + (not hit)
    assert right >= 4
    assert wrong >= 2


def test_the_same_picture_is_a_defect_or_not_by_its_sample() -> None:
    verdicts = Counter(one.defect for one in drawn())
    assert verdicts[True] >= 15
    assert verdicts[False] >= 15
    assert verdicts[None] <= 15


def test_noise_runs_along_the_rows_only() -> None:
    noise = imaging.Noise("loud", 20.0, 0.0, 0.4, 0.0)
    flat = np.full((400, 400), 128.0, np.float32)
    made = imaging.add_real_noise(flat, np.random.default_rng(0), noise) - 128
    assert made.std() == pytest.approx(20, rel=0.03)
    along = (made[:, 1:] * made[:, :-1]).mean() / made.var()
    across = (made[1:] * made[:-1]).mean() / made.var()
    assert along == pytest.approx(0.4, abs=0.02)
    assert abs(across) < 0.02
    shot = imaging.Noise("loud", 20.0, 1.0, 0.0, 0.0)
    bright = imaging.add_real_noise(flat + 100, np.random.default_rng(0), shot) - 228
    assert bright.var() == pytest.approx(400 * 228 / 128, rel=0.05)


def test_a_wide_micrograph_costs_less_than_a_second() -> None:
    spent = []
    for seed in range(60, 67):
        start = time.process_time()
        generate(seed)
        spent.append(time.process_time() - start)
    assert np.median(spent) < 1.0
