"""How well two-phase textures and the picture's quality are measured, on drawn micrographs.

    python -m benchmarks.accuracy_phases              everything, seeds from 1000 on
    python -m benchmarks.accuracy_phases --seeds 0 40 for developing

The truth of a texture is its painted phase, measured by the code here, which shares nothing with
the code under test, and, beside it, the wavelength that the painter drew. Quality is proved on
fields of discs into which a known blur, noise, saturation and tears are put.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import ndimage

from benchmarks.accuracy import Case, table, wilson
from glassllava import features
from glassllava.measurement import phases, quality, regions
from glassllava.measurement.quantities import Measurement
from glassllava.measurement.ruler import Ruler
from training.synthesis.canvas import PAINTERS
from training.synthesis.generator import Plan, generate
from training.synthesis.truth import SyntheticMicrograph

Array = np.ndarray[Any, Any]
_TEXTURES = ("phase_sep_interconnected", "nanopore_network", "phase_sep_droplet")
_TWO_PHASES = frozenset({*_TEXTURES, "open_porosity"})
_TOLD = (
    "art_defocus",
    "art_astigmatism",
    "art_noise",
    "art_saturation",
    "art_charging_streak",
    "art_line_noise",
    "art_curtaining",
)


def specimen_of(made: SyntheticMicrograph) -> Array:
    return made.pixels if made.databar is None else made.pixels[: made.databar[0]]


def true_length(mask: Array) -> float:
    """2π/q1 of a phase, by bisection on the full transform: the definition, written anew."""
    height, width = mask.shape
    taper = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.fft2((mask - mask.mean()) * taper)) ** 2
    q = 2 * np.pi * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    step = 2 * np.pi / min(height, width)
    edges = np.arange(0.5, 0.5 * min(height, width)) * step
    which = np.digitize(q, edges)
    middle = 0.5 * (edges[1:] + edges[:-1])
    ring = np.array([power[which == n].mean() for n in range(1, edges.size)])
    fine = np.linspace(middle[0], middle[-1], 20_000)
    dense = np.interp(fine, middle, ring)

    def gap(at: float) -> float:
        inside = (fine >= at / 2) & (fine <= 2 * at)
        return float((fine * dense)[inside].sum() / dense[inside].sum()) - at

    start = float(
        fine[np.argmax(np.interp(fine, middle, ndimage.gaussian_filter1d(ring, 1.5)) * fine**1.5)]
    )
    low, high = start / 2, start * 2
    for _ in range(60):
        centre = 0.5 * (low + high)
        low, high = (centre, high) if gap(centre) > 0 else (low, centre)
    return 2 * np.pi / (0.5 * (low + high))


def true_chord(mask: Array) -> float:
    """Mean length of the runs of a phase along rows and columns, those at the frame included."""
    runs: list[int] = []
    for lines in (mask, mask.T):
        count = sum(
            int(np.count_nonzero(np.diff(line.astype(np.int8)) == 1)) + int(line[0])
            for line in lines
        )
        runs.append(count)
    return 2 * float(np.count_nonzero(mask)) / max(1, sum(runs))


def texture_cases(first: int, number: int) -> tuple[list[Case], list[str]]:
    cases: list[Case] = []
    told = []
    for key in _TEXTURES:
        found = 0
        for seed in range(first, first + number):
            made = generate(seed, plan=Plan(features=(key,)))
            truth = next(t for t in made.truths if t.key == key)
            mask = truth.texture if truth.texture is not None else truth.mask
            assert mask is not None
            grey = specimen_of(made)
            mask = mask[: grey.shape[0]]
            by = {m.quantity: m for m in phases.measure_phases(grey, Ruler())[0]}
            found += bool(by)
            if not by:
                continue
            short = key.removeprefix("phase_sep_")
            length = by["phase_characteristic_length"]
            cases.append(_case(f"{short}: length, painted phase", true_length(mask), length))
            if "spacing" in truth.sizes:
                wave = truth.sizes["spacing"][0] / made.true_pixel_size_m
                cases.append(_case(f"{short}: length, wavelength drawn", wave, length))
            lit = float(grey[mask].mean()) > float(grey[~mask].mean())
            name = "bright" if lit else "dark"
            if share := by.get(f"phase_area_fraction_{name}"):
                cases.append(_case(f"{short}: area fraction", float(mask.mean()), share))
                chord = by[f"phase_chord_mean_{name}"]
                cases.append(_case(f"{short}: mean chord", true_chord(mask), chord))
            if size := by.get("phase_droplet_equivalent_diameter_median"):
                drawn = truth.sizes.get("equivalent_diameter", ())
                if drawn:
                    wide = float(np.median(drawn)) / made.true_pixel_size_m
                    cases.append(_case(f"{short}: diameter", wide, size))
        low, high = wilson(found, number)
        told.append(f"  {key}: {found} of {number} ({100 * low:.0f} to {100 * high:.0f} %)")
    return cases, told


def _case(name: str, truth: float, measured: Measurement) -> Case:
    return Case(name, truth, measured.value, measured.uncertainty)


def false_alarms(first: int, number: int) -> Iterable[str]:
    """How often another painter's field is taken for two phases, by parent."""
    seen: dict[str, list[bool]] = defaultdict(list)
    who: dict[str, int] = defaultdict(int)
    for key in sorted(PAINTERS):
        if key in _TWO_PHASES:
            continue
        parent = features.vocabulary()[key].parent
        for seed in range(first, first + number):
            made = generate(seed, plan=Plan(features=(key,)))
            found = bool(phases.measure_phases(specimen_of(made), Ruler())[0])
            seen[parent].append(found)
            who[key] += found
    for parent, hits in sorted(seen.items()):
        low, high = wilson(sum(hits), len(hits))
        named = ", ".join(
            f"{key} {n}"
            for key, n in who.items()
            if n and features.vocabulary()[key].parent == parent
        )
        yield (
            f"  {parent}: {sum(hits)} of {len(hits)} ({100 * low:.1f} to {100 * high:.1f} %) "
            f"{named}".rstrip()
        )
    total = [hit for hits in seen.values() for hit in hits]
    low, high = wilson(sum(total), len(total))
    yield f"  all: {sum(total)} of {len(total)} ({100 * low:.2f} to {100 * high:.2f} %)"


def scaled_cases(first: int, number: int) -> list[Case]:
    """A texture drawn out by a known factor has a length longer by it."""
    cases = []
    for seed in range(first, first + number):
        plan = Plan(features=("nanopore_network",), artefacts=(), databar=False, bits=8)
        grey = specimen_of(generate(seed, plan=plan)).astype(np.float32)
        factor = (1.3, 1.7, 2.4)[seed % 3]
        drawn = ndimage.zoom(grey, factor, order=1)
        before, after = (
            {m.quantity: m for m in phases.measure_phases(g, Ruler())[0]} for g in (grey, drawn)
        )
        if before and after:
            one, other = (b["phase_characteristic_length"] for b in (before, after))
            cases.append(Case("length drawn out", factor * one.value, other.value))
    return cases


def discs(rng: np.random.Generator, blur: float) -> Array:
    """A field of discs (480, 640), 60 and 160 grey levels, blurred."""
    rows, columns = np.mgrid[:480, :640]
    field = np.zeros((480, 640))
    for _ in range(60):
        y, x, radius = rng.uniform(0, 480), rng.uniform(0, 640), rng.uniform(15, 40)
        field[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1
    return 60 + 100 * ndimage.gaussian_filter(field, blur)


def quality_of(grey: Array) -> dict[str, Measurement]:
    measured = quality.measure_quality(grey, regions.flatten(grey), Ruler())[0]
    return {m.quantity: m for m in measured}


def quality_cases(first: int, number: int) -> tuple[list[Case], int, int]:
    cases: list[Case] = []
    tears = told = 0
    for seed in range(first, first + number):
        rng = np.random.default_rng(seed)
        blur, sigma = rng.uniform(0.7, 4.0), rng.uniform(1.5, 12)
        grey = discs(rng, blur) + sigma * rng.standard_normal((480, 640))
        by = quality_of(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
        if "image_edge_width" in by:
            cases.append(_case("edge width", 2.563 * blur, by["image_edge_width"]))
        else:
            cases.append(Case("edge width", 2.563 * blur, None))
        cases.append(_case("noise", sigma, by["image_noise"]))
        pushed = np.clip(np.rint(grey * 1.6 + rng.uniform(-20, 20)), 0, 255).astype(np.uint8)
        share = float((pushed == 255).mean())
        by = quality_of(pushed)
        if share > 0.001:
            cases.append(_case("saturated share", share, by["image_saturated_share_bright"]))
        swing, period = rng.uniform(3, 9), rng.uniform(4, 16)
        wave = swing * np.sin(2 * np.pi * np.arange(480) / period)[:, None]
        by = quality_of(np.clip(np.rint(grey + wave), 0, 255).astype(np.uint8))
        cases.append(_case("row ripple rms", swing / np.sqrt(2), by["image_row_ripple"]))
        torn = grey.copy()
        for _ in range(6):
            row, start = int(rng.integers(4, 470)), int(rng.integers(0, 300))
            torn[row : row + int(rng.integers(1, 4)), start : start + 300] += 40
        by = quality_of(np.clip(np.rint(torn), 0, 255).astype(np.uint8))
        tears, told = tears + 1, told + bool(by["image_streaked_rows_share"].note)
    return cases, tears, told


def artefacts(first: int, number: int) -> Iterable[str]:
    """Which art_* notes are given where the generator spoilt the field, and where it did not."""
    there: dict[str, list[bool]] = defaultdict(list)
    absent: dict[str, list[bool]] = defaultdict(list)
    for seed in range(first, first + number):
        made = generate(seed, plan=Plan(look="plain"))
        by = quality_of(specimen_of(made))
        told = {m.note.split(":")[0] for m in by.values() if m.note}
        for key in _TOLD:
            (there if key in made.artefacts else absent)[key].append(key in told)
    for key in _TOLD:
        cells = []
        for hits in (there[key], absent[key]):
            low, high = wilson(sum(hits), len(hits))
            cells.append(f"{sum(hits)} of {len(hits)} ({100 * low:.0f} to {100 * high:.0f} %)")
        yield f"  {key}: told {cells[0]}, false {cells[1]}"


def speed() -> Iterable[str]:
    rng = np.random.default_rng(0)
    plan = Plan(features=("nanopore_network",), size=(512, 768), databar=False, bits=8)
    for name, grey in (
        ("noise", np.clip(rng.normal(128, 8, (1024, 1536)), 0, 255).astype(np.uint8)),
        ("two phases", np.tile(specimen_of(generate(1001, plan=plan)), (2, 2))),
    ):
        field = regions.flatten(grey)
        for step, run in (
            ("phases", lambda g=grey: phases.measure_phases(g, Ruler())),
            ("quality", lambda g=grey, f=field: quality.measure_quality(g, f, Ruler())),
        ):
            took = []
            for _ in range(5):
                start = time.process_time()
                run()
                took.append(time.process_time() - start)
            yield f"  {name} 1536 × 1024, {step}: {np.median(took):.3f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs=2, default=(1000, 120), metavar=("FIRST", "N"))
    args = parser.parse_args()
    first, number = args.seeds
    cases, found = texture_cases(first, number)
    print(f"Two-phase textures, seeds {first} to {first + number - 1}; found:")
    print("\n".join(found))
    print(table(cases))
    print("\nA texture drawn out by 1.3, 1.7 and 2.4")
    print(table(scaled_cases(first, min(number, 30))))
    print("\nFields of other painters taken for two phases")
    print("\n".join(false_alarms(first, max(4, number // 5))))
    print("\nQuality put into fields of discs")
    cases, tears, told = quality_cases(first, min(number, 60))
    print(table(cases))
    print(f"fields with six tears told as charging streaks: {told} of {tears}")
    print("\nArtefacts of the generator")
    print("\n".join(artefacts(first, 4 * number)))
    print("\nTime, one core")
    print("\n".join(speed()))


if __name__ == "__main__":
    main()
