"""Claim: a databar that no tag tells is found by its pixels, to two rows, in 99 % of pictures.

Prints the share that is right of synthetic micrographs (tests/databars.py: a generator that the
finder was not tuned on), of training/synthesis, of the real files whose tag tells the bar, and of
those with a visible bar that was read off by hand; and the time that it takes.

    python benchmarks/databar_finding.py [--first 1000] [--count 500]

GLASSVIEW_REAL_MICROGRAPHS names the folder of real micrographs, where there is one.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.accuracy import wilson
from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph import databar, reading
from tests.databars import drawn
from training.synthesis.generator import Plan, generate

_WITHIN = 2  # rows

Truth = tuple[int, int] | None


def found_in(grey: np.ndarray) -> Truth:
    """(top, height) as the reader finds it, by pixels alone."""
    height = grey.shape[0]
    bar = databar.find(grey[databar.first_row_wanted(height) :], height)
    if bar is None:
        bar = databar.find_caption(grey[: databar.rows_wanted(height)], height)
    return None if bar is None else (bar.top, bar.height)


def is_right(found: Truth, truth: Truth) -> bool:
    if found is None or truth is None:
        return found is truth
    ends = (found[0] - truth[0], sum(found) - sum(truth))
    return all(abs(off) <= _WITHIN for off in ends)


def report(name: str, pairs: list[tuple[Truth, Truth]]) -> None:
    right = sum(is_right(found, truth) for found, truth in pairs)
    false = sum(truth is None and found is not None for found, truth in pairs)
    missed = sum(truth is not None and found is None for found, truth in pairs)
    low, high = wilson(right, len(pairs))
    print(
        f"{name:<44} right {right} of {len(pairs)} = {right / len(pairs):.1%} "
        f"[{low:.1%}, {high:.1%}]; none there but found {false}, missed {missed}, "
        f"off by more than {_WITHIN} rows {len(pairs) - right - false - missed}"
    )


def real(folder: Path) -> None:
    with (folder / "LABELS.csv").open(encoding="utf-8") as file:
        labels = {row["file"]: row["databar_rows"] for row in csv.DictReader(file)}
    by_tag, visible, without = [], [], []
    for path in sorted([*folder.glob("*.tif"), *folder.glob("*.tiff"), *folder.glob("*.png")]):
        try:
            micrograph = reading.read_micrograph(path, with_hash=False, with_databar=False)
            if micrograph.bit_depth == 1:
                continue  # not looked at: no microscope writes such pictures
            found = found_in(reading.grey(micrograph))
        except UnreadableMicrograph:
            continue
        tag = micrograph.databar
        if tag is not None:
            by_tag.append((found, (tag.top, tag.height)))
        if labels.get(path.name):
            top = int(labels[path.name])
            visible.append((found, (top, micrograph.height - top)))
        elif path.name.startswith("jzhang"):
            visible.append((found, (0, 26)))
        elif tag is None:
            without.append((found, None))
    report("real, the tag against the pixels", by_tag)
    report("real, visible bars read off by hand", visible)
    report("real, without a bar", without)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--count", type=int, default=500)
    args = parser.parse_args()
    pairs, times = [], []
    kinds: dict[str, list[tuple[Truth, Truth]]] = {"dark or saturated": [], "other specimens": []}
    for seed in range(args.first, args.first + args.count):
        picture = drawn(seed)
        started = time.perf_counter()
        pairs.append((found_in(picture.image), picture.databar))
        times.append(time.perf_counter() - started)
        dark = picture.words.split(",")[0] in ("black", "white", "dark_below")
        kinds["dark or saturated" if dark else "other specimens"].append(pairs[-1])
    report("tests/databars.py, not tuned on", pairs)
    for name, some in kinds.items():
        report(f"  of these, {name}", some)
    made = [
        generate(seed, plan=Plan(look="plain", databar=bool(seed % 2)))
        for seed in range(args.first, args.first + min(args.count, 200))
    ]
    report("training/synthesis, tuned on", [(found_in(m.pixels), m.databar) for m in made])
    print(f"median {1e3 * float(np.median(times)):.1f} ms a picture (512 to 1280 px wide)")
    huge = np.random.default_rng(1).integers(0, 60000, (9000, 12000), dtype=np.uint16)
    huge[8400:] = 0
    huge[8600:8660, 500:11000:9] = 65280
    started = time.perf_counter()
    found_in(huge)
    print(f"{1e3 * (time.perf_counter() - started):.0f} ms for 12000 × 9000 px, beyond decoding")
    folder = os.environ.get("GLASSVIEW_REAL_MICROGRAPHS")
    if folder:
        real(Path(folder))


if __name__ == "__main__":
    main()
