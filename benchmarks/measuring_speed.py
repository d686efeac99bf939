"""Claim: one 1536 × 1024 micrograph is read and measured in about a second on one core.

    OMP_NUM_THREADS=1 python -m benchmarks.measuring_speed [--rounds 10] [--files FILE ...]

Each stage is timed by itself, round after round over all the micrographs, on the processor's own
clock (time.process_time); the table gives medians. Without files, synthetic micrographs of that
size are written and read: bubbles, many droplets, cracks, a crystal texture, and nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from glassllava import measurement
from glassllava.measurement import bodies, crystals, regions, sizes
from glassllava.measurement.ruler import Ruler
from glassllava.micrograph import reading
from training.synthesis.generator import Plan, generate

SIZE = (1024, 1536)
FEATURES = (
    "featureless_surface",
    "bubble",
    "tin_droplet",
    "phase_sep_droplet",
    "crack_through",
    "scratch",
    "gc_lithium_disilicate",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--files", nargs="*", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = args.files or _written(Path(folder))
        spent: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for path in files:  # imports and caches
            _timed(path, defaultdict(list))
        for _ in range(args.rounds):
            for path in files:
                _timed(path, spent[path.stem])
    stages = list(next(iter(spent.values())))
    print(f"medians of {args.rounds} rounds, ms of processor time, one core")
    print(f"{'micrograph':28s}" + "".join(f"{stage:>12s}" for stage in stages))
    for name, times in spent.items():
        print(f"{name[:28]:28s}" + "".join(f"{1e3 * np.median(times[s]):12.0f}" for s in stages))
    total = [float(np.median(times["read + all"])) for times in spent.values()]
    print(
        f"\nread + all: median of the micrographs {np.median(total):.2f} s, most {max(total):.2f} s"
    )


def _written(folder: Path) -> list[Path]:
    files = []
    for key in FEATURES:
        made = generate(1000, plan=Plan(features=(key,), artefacts=(), databar=False, size=SIZE))
        path = folder / f"{key}.tif"
        tifffile.imwrite(path, made.pixels)
        files.append(path)
    return files


def _timed(path: Path, spent: dict[str, list[float]]) -> None:
    """One micrograph, stage by stage, then as the product does it."""

    def lap(stage: str, call: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = call()
        spent[stage].append(time.process_time() - start)
        return result

    micrograph = lap("header", lambda: reading.read_micrograph(path, with_hash=False))
    frame = lap("pixels", lambda: reading.grey(micrograph))
    specimen = frame[micrograph.specimen_rows]
    ruler = Ruler.of(micrograph)
    field = lap("flatten", lambda: regions.flatten(specimen, 0))
    found = lap("bodies", lambda: bodies.find(field))
    lap(
        "sizes",
        lambda: (
            sizes.measure_pores(field, found, ruler),
            sizes.measure_particles(field, found, ruler),
            crystals.measure_crystals(field, found, ruler),
        ),
    )
    lap("measure", lambda: measurement.measure(micrograph, frame))
    spent["read + all"].append(sum(spent[stage][-1] for stage in ("header", "pixels", "measure")))


if __name__ == "__main__":
    main()
