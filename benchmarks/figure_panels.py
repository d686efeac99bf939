"""Panels of compound figures: how many are found where they stand, on made-up figures.

Claim: nine panels of ten of a figure with gutters are cut where they stand (IoU at least 0.75).
The figures are made of synthetic micrographs, plots, drawings and element maps; seeds from
900,000 on were not looked at while the cutting was written. A caption names the panels of two
figures of three; of the others only pictures can be told apart. Intervals are those of figures
drawn again and again (bootstrap, 95 %).

    python -m benchmarks.figure_panels [-n 300] [--first 900000]
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

from tests.compounds import Box, compound
from training.curation.captions import split_caption
from training.curation.panels import find_panels


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0, across) * max(0, down)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=300)
    parser.add_argument("--first", type=int, default=900_000)
    parser.add_argument("--list", action="store_true", help="the figures that were cut otherwise")
    args = parser.parse_args()
    counts: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for seed in range(args.first, args.first + args.n):
        made = compound(seed)
        parts = split_caption(made.caption)
        found = find_panels(np.asarray(made.picture), len(parts.letters) or None)
        told = [max((overlap(box, other) for other in found), default=0.0) for box in made.boxes]
        hits, close = sum(o >= 0.75 for o in told), sum(o >= 0.9 for o in told)
        ordered = (
            sum(overlap(box, other) >= 0.75 for box, other in zip(made.boxes, found, strict=False))
            if len(found) == len(made.boxes)
            else 0
        )
        if args.list and (hits < len(made.boxes) or len(found) != len(made.boxes)):
            print(seed, made.layout, made.colour, made.gutter, made.labels, made.kinds,
                  f"{hits}/{len(made.boxes)}, found {len(found)}")  # fmt: skip
        pictures = set(made.kinds) <= {"micrograph", "map"}
        for group in (
            "all figures", f"labels {made.labels}", f"{made.colour} gutters",
            "no gutter" if made.gutter == 0 else "with gutter", f"layout {made.layout}",
            "pictures only" if pictures else "pictures and drawings",
            *(("named in the caption, pictures only, with gutter",)
              if pictures and made.gutter and made.labels != "none" else ()),
        ):  # fmt: skip
            counts[group].append((len(made.boxes), len(found), hits, close, ordered))
    print("| figures | n | panels | recall, IoU 0.75 | recall, IoU 0.9 | precision, IoU 0.75 |"
          " right letter |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for group, rows in sorted(counts.items()):
        table = np.array(rows)
        truth, cut, hits, close, ordered = range(5)
        pairs = ((hits, truth), (close, truth), (hits, cut), (ordered, truth))
        cells = " | ".join(ratio(table, *pair) for pair in pairs)
        print(f"| {group} | {len(table)} | {table[:, truth].sum()} | {cells} |")


def ratio(table: np.ndarray, part: int, whole: int) -> str:
    """A share of panels, with the interval of figures that are drawn again."""
    rng = np.random.default_rng(0)
    drawn = table[rng.integers(0, len(table), (1000, len(table)))].sum(axis=1)
    low, high = np.percentile(drawn[:, part] / drawn[:, whole], (2.5, 97.5))
    return f"{table[:, part].sum() / table[:, whole].sum():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
