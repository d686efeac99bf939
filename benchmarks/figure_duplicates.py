"""The same micrograph in two papers: how many altered copies are known, how many others mistaken.

Claim: of copies that were rescaled, pressed as JPEG, changed in contrast, stripped of their databar
or all of that, nineteen of twenty are found, and no two different micrographs are held for one.
Different micrographs are all pairs of synthetic ones and of the real ones
(GLASSVIEW_REAL_MICROGRAPHS); those of one specimen, which lie nearest, are told apart. Seeds from
700,000 on were not looked at while the bars were set.

    python -m benchmarks.figure_duplicates [-n 200] [--first 700000] [--scores]
"""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.curation import duplicates
from training.evaluation.scores import share
from training.synthesis.generator import Plan, generate

Array = np.ndarray[Any, Any]
ALTERED = ("rescaled", "JPEG 50", "contrast", "gamma", "databar cut off", "all of these")


def altered(picture: Array, bar: int | None, how: str, rng: np.random.Generator) -> Array:
    """The picture as another paper prints it; `bar` is the first row of its databar."""
    pixels = picture.astype(float)
    if how in ("databar cut off", "all of these") and bar is not None:
        pixels = pixels[:bar]
    if how in ("contrast", "all of these"):
        pixels = (pixels - 128) * rng.uniform(0.6, 1.5) + 128 + rng.uniform(-25, 25)
    if how == "gamma":
        pixels = 255 * (np.clip(pixels, 0, 255) / 255) ** rng.uniform(0.6, 1.7)
    made = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if how in ("rescaled", "all of these"):
        scale = rng.uniform(0.35, 0.9)
        made = made.resize((round(made.width * scale), round(made.height * scale)),
                           Image.Resampling.BICUBIC)  # fmt: skip
    if how in ("JPEG 50", "all of these"):
        held = io.BytesIO()
        made.save(held, "JPEG", quality=50)
        made = Image.open(held)
    return np.asarray(made)


def micrographs(count: int, first: int) -> list[tuple[str, Array, int | None]]:
    found = []
    for seed in range(first, first + count):
        made = generate(seed, plan=Plan(look="plain", bits=8, databar=seed % 2 == 0))
        found.append(("synthetic", made.pixels, made.databar[0] if made.databar else None))
    real = os.environ.get("GLASSVIEW_REAL_MICROGRAPHS")
    for path in sorted(Path(real).iterdir()) if real else ():
        if path.suffix in (".tif", ".png") and not path.name.startswith("odd_"):
            from glassllava.micrograph.contrast import to_8bit
            from glassllava.micrograph.reading import grey, read_micrograph

            micrograph = read_micrograph(path)
            strip = micrograph.databar
            bar = strip.top if strip and strip.top > micrograph.height / 2 else None
            found.append((path.name, to_8bit(grey(micrograph)), bar))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--first", type=int, default=700_000)
    parser.add_argument("--scores", action="store_true", help="how near the bars things come")
    args = parser.parse_args()
    known = micrographs(args.n, args.first)
    looks = [duplicates.look(picture) for _name, picture, _bar in known]
    pairs = duplicates.find_same(looks)
    count = len(known)
    print(f"different micrographs held for one: {len(pairs)} of {count * (count - 1) // 2:,} pairs")
    for pair in pairs:
        print(f"  {known[pair.one][0]} ({pair.one}) and {known[pair.other][0]} ({pair.other}):"
              f" {pair.score:.2f}")  # fmt: skip
    print("| altered | copies | known | of real ones |")
    print("|---|---|---|---|")
    rng = np.random.default_rng(0)
    for how in ALTERED:
        hits = []
        for (name, picture, bar), own in zip(known, looks, strict=True):
            if how == "databar cut off" and bar is None:
                continue
            copy = duplicates.look(altered(picture, bar, how, rng))
            hits.append((name != "synthetic", bool(duplicates.find_same([own, copy]))))
            if args.scores and not hits[-1][1]:
                coarse = max(float(duplicates._coarse(duplicates._without(own, f))
                                   @ duplicates._coarse(copy)) for f in range(17))  # fmt: skip
                fine = max(duplicates._agreement(own, copy, f) for f in range(17))
                print(f"    missed {name} ({len(hits)}): coarse {coarse:.2f}, fine {fine:.2f}")
        real = [hit for is_real, hit in hits if is_real]
        print(f"| {how} | {len(hits)} | {share(sum(h for _, h in hits), len(hits))} |"
              f" {sum(real)} of {len(real)} |")  # fmt: skip


if __name__ == "__main__":
    main()
