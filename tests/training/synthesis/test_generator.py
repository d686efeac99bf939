"""The generator: seeds, truth, verdicts, and that what is claimed can be seen."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from glassllava import features, rules
from glassllava.sample import Sample, understand
from training.synthesis import Plan, SyntheticMicrograph, generate
from training.synthesis.canvas import PAINTERS
from training.synthesis.fields import band_noise, blur, soft_noise

SIZE = (240, 320)


@cache
def drawn() -> tuple[SyntheticMicrograph, ...]:
    return tuple(generate(seed, size=SIZE) for seed in range(150))


def test_same_seed_same_micrograph() -> None:
    for seed in (3, 44):
        one, other = generate(seed, size=SIZE), generate(seed, size=SIZE)
        assert np.array_equal(one.pixels, other.pixels)
        assert one.sample == other.sample
        assert [t.key for t in one.truths] == [t.key for t in other.truths]
        for a, b in zip(one.truths, other.truths, strict=True):
            assert a.sizes == b.sizes
            assert (a.mask is None) == (b.mask is None)
            assert a.mask is None or np.array_equal(a.mask, b.mask)
    assert not np.array_equal(generate(3, size=SIZE).pixels, generate(4, size=SIZE).pixels)


def test_global_random_state_is_left_alone() -> None:
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    generate(9, size=SIZE)
    assert np.array_equal(before, np.random.get_state()[1])


def test_every_parent_is_reached_and_both_verdicts() -> None:
    seen = Counter(parent for one in drawn() for parent in one.present)
    assert set(seen) == set(features.PARENTS)
    verdicts = Counter(one.defect for one in drawn())
    assert verdicts[True] > 35
    assert verdicts[False] > 35
    assert 0 < verdicts[None] < 30


def test_the_parent_alone_does_not_give_the_verdict() -> None:
    by_parent: dict[str, Counter[bool | None]] = {}
    for one in drawn():
        for parent in one.present - {"artefact", "clean"}:
            by_parent.setdefault(parent, Counter())[one.defect] += 1
    for parent in ("crack", "pore", "inclusion", "scratch", "corrosion", "crystal"):
        assert by_parent[parent][True] >= 2, parent
        assert by_parent[parent][False] >= 2, parent


def test_verdict_follows_the_rules_in_the_words_of_the_sample() -> None:
    for one in drawn():
        tokens = understand(one.sample).tokens
        assert tokens == one.tokens
        expected = {*one.sample.expected}
        expected |= {features.parent_of(key) for key in one.sample.expected}
        verdicts = []
        for truth in one.truths:
            assert truth.ruling is None or truth.ruling.verdict in (
                "defect",
                "no_defect",
                "depends",
            )
            if truth.key in expected or truth.parent in expected:
                assert truth.ruling is not None
                assert truth.ruling.verdict == "no_defect"
            elif not {"R37", "R43", "R45"} & set(truth.ruling.rules if truth.ruling else ()):
                # those three ask for a size, which is measured and not told
                assert truth.ruling == rules.judge_child(truth.key, tokens)
            verdicts.append(truth.ruling.verdict if truth.ruling else None)
        if "defect" in verdicts:
            assert one.defect is True
        elif "depends" in verdicts or None in verdicts:
            assert one.defect is None
        else:
            assert one.defect is False


def test_clean_is_clean_and_artefacts_are_no_defects() -> None:
    for one in drawn():
        others = one.present - {"clean", "artefact"}
        assert ("clean" in one.present) == (not others)
        assert ("artefact" in one.present) == any(k != "art_databar" for k in one.artefacts)
        assert all(features.is_artefact(key) for key in one.artefacts)
        if one.present <= {"clean", "artefact"}:
            assert one.defect is False


def test_size_decides_where_a_rule_asks_for_it() -> None:
    sample = Sample(material="borosilicate")
    verdicts = {}
    for pixel_size in (5e-10, 2e-8):
        plan = Plan(
            features=("phase_sep_interconnected",), specimen=sample, pixel_size_m=pixel_size
        )
        one = generate(1, plan=plan, size=SIZE)
        verdicts[pixel_size] = (one.defect, one.rulings)
    assert verdicts == {5e-10: (False, ("R43",)), 2e-8: (True, ("R45",))}


@pytest.mark.parametrize("key", sorted(PAINTERS))
def test_what_is_painted_can_be_seen(key: str) -> None:
    plan = Plan(features=(key,), artefacts=(), databar=False, bits=8)
    one = generate(17, plan=plan, size=(360, 480))
    truth = next(t for t in one.truths if t.key == key)
    assert truth.parent == features.parent_of(key) == features.vocabulary()[key].parent
    assert truth.parent in one.present
    grey = one.pixels.astype(float)
    if key == "featureless_surface":
        assert grey.std() < 40
        return
    # Noise goes with averaging, a structure does not.
    soft = ndimage.gaussian_filter(grey, 1.5)
    if truth.mask is None:
        assert (soft - ndimage.gaussian_filter(grey, 15)).std() > 2.0
        return
    assert truth.mask.shape == one.pixels.shape
    assert 0 < truth.mask.mean() < 1
    inside, outside = soft[truth.mask], soft[~truth.mask]
    texture = abs(inside.std() - outside.std())
    assert max(abs(inside.mean() - outside.mean()), texture) > 3.0


@pytest.mark.parametrize("key", ["crack_through", "crack_thermal", "crazing", "crack_channel"])
def test_cracks_are_darker_than_their_surroundings(key: str) -> None:
    for seed in range(3):
        plan = Plan(features=(key,), artefacts=(), databar=False, bits=8)
        one = generate(seed, plan=plan, size=(360, 480))
        mask = one.truths[0].mask
        assert mask is not None
        around = ndimage.binary_dilation(mask, iterations=8) & ~ndimage.binary_dilation(
            mask, iterations=3
        )
        assert one.pixels[mask].mean() < one.pixels[around].mean() - 8


@pytest.mark.parametrize(
    "key", ["stone_azs", "nickel_sulfide", "metallic_inclusion", "waste_phase"]
)
def test_heavy_phases_are_bright_in_backscatter(key: str) -> None:
    plan = Plan(features=(key,), artefacts=(), databar=False, bits=8, detector="BSE")
    one = generate(5, plan=plan, size=(360, 480))
    mask = one.truths[0].mask
    assert mask is not None
    assert one.pixels[mask].mean() > one.pixels[~mask].mean() + 10


def test_counts_boxes_and_sizes_agree_with_the_mask() -> None:
    plan = Plan(features=("silicon_sphere",), artefacts=(), databar=False, pixel_size_m=1e-6)
    one = generate(2, plan=plan, size=(360, 480))
    (truth,) = one.truths
    assert truth.mask is not None
    (box,) = truth.boxes
    assert truth.count == 1
    (diameter,) = truth.sizes["equivalent_diameter"]
    measured = 2 * np.sqrt(truth.mask.sum() / np.pi) * 1e-6
    assert diameter == pytest.approx(measured, rel=0.05)
    assert (box[2] - box[0]) * 1e-6 == pytest.approx(diameter, rel=0.08)


def test_masks_are_sheared_with_the_frame() -> None:
    still = Plan(features=("crack_through",), artefacts=(), databar=False, bits=8)
    moved = Plan(features=("crack_through",), artefacts=("art_drift_skew",), databar=False, bits=8)
    for seed in range(3):
        one, other = (generate(seed, plan=plan, size=SIZE) for plan in (still, moved))
        mask, sheared = one.truths[0].mask, other.truths[0].mask
        assert mask is not None
        assert sheared is not None
        assert not np.array_equal(mask, sheared)
        assert other.pixels[sheared].mean() < other.pixels[~sheared].mean() - 8


def test_databar_rows_are_told_and_hold_no_feature() -> None:
    for vendor in ("thermo", "zeiss"):
        plan = Plan(features=("crazing",), artefacts=(), databar=True, vendor=vendor, bits=16)
        one = generate(6, plan=plan, size=(360, 480))
        assert one.databar is not None
        top, rows = one.databar
        assert top == 360
        assert one.pixels.shape == (360 + rows, 480)
        assert set(np.unique(one.pixels[top + 2 : top + 4, :4])) <= {0, 65280}
        assert one.truths[0].mask is not None
        assert not one.truths[0].mask[top:].any()
        assert "artefact" not in one.present
        assert one.artefacts == ("art_databar",)


def test_plain_files_have_no_scale() -> None:
    one = generate(1, plan=Plan(vendor="plain"), size=SIZE)
    assert one.pixel_size_m is None
    assert one.true_pixel_size_m > 0


def test_artefacts_change_what_they_should() -> None:
    def flaw(key: str, **more: object) -> tuple[np.ndarray, np.ndarray]:
        plans = [
            Plan(
                features=("bubble",),
                artefacts=chosen,
                databar=False,
                bits=8,
                view="polished",
                detector="SE",
                **more,
            )  # type: ignore[arg-type]
            for chosen in ((), (key,))
        ]
        clear, spoiled = (generate(8, plan=plan, size=(360, 480)).pixels for plan in plans)
        return clear.astype(float), spoiled.astype(float)

    clear, noisy = flaw("art_noise")
    fine = lambda p: (p - ndimage.gaussian_filter(p, 1.5)).std()  # noqa: E731
    assert fine(noisy) > 1.5 * fine(clear)
    _, clipped = flaw("art_saturation")
    assert ((clipped == 0) | (clipped == 255)).mean() > 0.08
    clear, dim = flaw("art_contamination_rectangle")
    assert np.corrcoef(clear.ravel(), dim.ravel())[0, 1] < 0.98
    _, streaked = flaw("art_charging_streak")
    rows = streaked.mean(axis=1)
    assert np.abs(np.diff(rows)).max() > 6


def test_unknown_family_is_refused() -> None:
    with pytest.raises(KeyError, match="no painter"):
        generate(1, plan=Plan(family="metal"), size=SIZE)


def test_fields_have_the_scale_they_are_asked_for() -> None:
    rng = np.random.default_rng(0)
    field = band_noise(rng, (256, 384), 24.0, width=0.15)
    power = np.abs(np.fft.rfft2(field)) ** 2
    fy, fx = np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(384)[None, :]
    mean_frequency = float((np.hypot(fy, fx) * power).sum() / power.sum())
    assert 1 / mean_frequency == pytest.approx(24, rel=0.15)
    soft = soft_noise(rng, (100, 130), 20)
    assert soft.shape == (100, 130)
    assert float(soft.std()) == pytest.approx(1, abs=0.01)
    spike = np.zeros((99, 101), np.float32)
    spike[50, 50] = 1
    for sigma in (1.0, 2.2, 6.0):
        assert float(blur(spike, sigma).sum()) == pytest.approx(1, abs=0.05)
