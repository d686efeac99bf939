"""Claim: a drawn scale bar is offered with its right scale, and hardly ever with a wrong one.

Prints, for synthetic bars of known length (tests/databars.py), how many are measured and how many
offered (measured, and the label read by OCR), and the share of offers that are wrong by more than
1 %: the number that matters. Pictures without a bar count for wrong offers. Then the real files.

    python benchmarks/scale_bar_reading.py [--first 2000] [--count 400]

GLASSVIEW_REAL_MICROGRAPHS names the folder of real micrographs, where there is one; their tags
are then ignored, and the bar is compared with them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.databar_finding import wilson
from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph import drawn_scale, reading
from glassllava.micrograph.record import Databar, Micrograph
from glassllava.micrograph.scale_bar import find_bars
from tests.databars import drawn

_WITHIN = 0.01


def line(name: str, some: int, of: int) -> str:
    low, high = wilson(some, of)
    return f"{name:<52} {some} of {of} = {some / of:.1%} [{low:.1%}, {high:.1%}]"


def synthetic(first: int, count: int) -> None:
    bars = measured = offered = right = covered = 0
    times: list[float] = []
    for seed in range(first, first + count):
        picture = drawn(seed)
        height, width = picture.image.shape
        strip = None if picture.databar is None else Databar(*picture.databar, "pixels")
        micrograph = Micrograph(Path(f"seed-{seed}"), 0, width, height, 8, databar=strip)
        truth = None
        if picture.bar_px is not None and picture.bar_m is not None:
            bars += 1
            truth = picture.bar_m / picture.bar_px
            measured += any(
                abs(bar.length_px / picture.bar_px - 1) <= _WITHIN
                for bar in find_bars(picture.image, strip)
            )
        started = time.perf_counter()
        said = drawn_scale.read_scale(micrograph, picture.image)
        times.append(time.perf_counter() - started)
        if said is not None and said.size is not None:
            offered += 1
            is_right = truth is not None and abs(said.size.value_m / truth - 1) <= _WITHIN
            right += is_right
            assert said.size.uncertainty is not None
            covered += is_right and abs(said.size.value_m / truth - 1) <= said.size.uncertainty
            if not is_right:
                print(f"  wrong: seed {seed}: {said.in_words}; drawn {picture.label!r}")
    print(f"seeds {first} to {first + count - 1}: {count} pictures, {bars} with a scale bar")
    print(line("measured within 1 % (without OCR)", measured, bars))
    print(line("offered with the right scale, within 1 %", right, bars))
    print(line("WRONG by more than 1 %, of all pictures", offered - right, count))
    print(line("truth within the stated uncertainty, of right offers", covered, max(right, 1)))
    print(
        f"{1e3 * float(np.median(times)):.0f} ms median, "
        f"{1e3 * float(np.quantile(times, 0.95)):.0f} ms at 95 %, a picture"
    )


def real(folder: Path) -> None:
    looked = none = 0
    for path in sorted([*folder.glob("*.tif"), *folder.glob("*.png")]):
        try:
            micrograph = reading.read_micrograph(path, with_hash=False)
            if path.name.startswith("odd_"):
                continue
            started = time.perf_counter()
            said = drawn_scale.read_scale(micrograph)
            took = time.perf_counter() - started
        except UnreadableMicrograph:
            continue
        looked += 1
        if said is None or said.size is None:
            none += 1
            continue
        tag = micrograph.pixel_size.value_m if micrograph.pixel_size else None
        against = "" if tag is None else f", {said.size.value_m / tag - 1:+.2%} from the tag"
        share = said.size.uncertainty or 0.0
        print(
            f"  {path.name}: {said.in_words}: {said.size.value_m:.4g} m ± {share:.1%}"
            f"{against}; {1e3 * took:.0f} ms"
        )
    print(f"real: {looked} looked at, {none} without an offer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=2000)
    parser.add_argument("--count", type=int, default=400)
    args = parser.parse_args()
    synthetic(args.first, args.count)
    folder = os.environ.get("GLASSVIEW_REAL_MICROGRAPHS")
    if folder:
        real(Path(folder))


if __name__ == "__main__":
    main()
