"""Claim: a micrograph is read, scale and pixels, in at most 1.2 × the time of tifffile.imread.

`read_micrograph` and `pixels` (header, maker's tags, scale, databar, pixels) against
`tifffile.imread` (pixels alone), in turns, on files that the page cache holds; with and without
the hash of the file that a record wants. Run: `python benchmarks/reading.py [--repeats 31]`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from glassllava.micrograph.reading import pixels, read_micrograph

FEI = """[User]\r\nDate=11/24/2026\r\n\r\n[System]\r\nType=SEM\r\nDnumber=D9999\r\n
SystemType=Helios\r\n\r\n[Beam]\r\nHV=5000\r\nSpot=\r\nBeam=EBeam\r\nScan=EScan\r\n\r\n[EBeam]\r
HV=5000\r\nHFW=%g\r\nWD=0.0041\r\n\r\n[Scan]\r\nPixelWidth=1e-08\r\nPixelHeight=1e-08\r
HorFieldsize=%g\r\n\r\n[EScan]\r\nPixelWidth=1e-08\r\nPixelHeight=1e-08\r\nDwell=1e-06\r\n
[Image]\r\nResolutionX=%d\r\nResolutionY=%d\r\n\r\n[Detectors]\r\nName=ETD\r\nMode=SE\r\n
[PrivateFei]\r\nBitShift=0\r\nDatabarHeight=%d\r\nTimeOfCreation=24.11.2026 10:00:00\r\n"""


def write_files(folder: Path) -> dict[str, Path]:
    """Micrographs as they come: a maker's tag or none, plain or packed, small and large."""
    rng = np.random.default_rng(3)
    small = np.clip(rng.normal(120, 25, (1024, 1536)), 0, 255)
    barred = np.vstack([small, np.zeros((79, 1536))]).astype(np.uint8)
    tag, no_bar = (
        [(34682, 2, 0, FEI % (1e-8 * width, 1e-8 * width, width, height, bar), True)]
        for width, height, bar in ((1536, 1024, 79), (12_000, 9_000, 0))
    )
    large = np.tile(np.clip(rng.normal(24_000, 3_000, (1500, 1500)), 0, 65535), (6, 8))
    files: dict[str, tuple[np.ndarray, dict]] = {
        "1536 × 1024, 8 bit, tag": (barred, {"extratags": tag, "metadata": None}),
        "1536 × 1024, 16 bit, tag": (
            barred.astype(np.uint16) * 200,
            {"extratags": tag, "metadata": None},
        ),
        "1536 × 1024, 8 bit, no tag (a)": (barred, {}),
        "1536 × 1024, 8 bit, deflate, tag": (
            barred,
            {"compression": "zlib", "rowsperstrip": 16, "extratags": tag, "metadata": None},
        ),
        "12,000 × 9,000, 16 bit, tag": (
            large.astype(np.uint16),
            {"extratags": no_bar, "metadata": None},
        ),
        "12,000 × 9,000, 16 bit, deflate, tag": (
            large.astype(np.uint16),
            {"compression": "zlib", "tile": (512, 512), "extratags": no_bar, "metadata": None},
        ),
    }
    paths = {}
    for number, (name, (array, how)) in enumerate(files.items()):
        paths[name] = folder / f"{number}.tif"
        tifffile.imwrite(paths[name], array, **how)
    return paths


def plainly(path: Path) -> np.ndarray:
    return tifffile.imread(path)


def with_hash(path: Path) -> np.ndarray:
    return pixels(read_micrograph(path))


def without_hash(path: Path) -> np.ndarray:
    return pixels(read_micrograph(path, with_hash=False))


def seconds(read: Callable[[Path], np.ndarray], path: Path) -> float:
    start = time.perf_counter()
    array = read(path)
    took = time.perf_counter() - start
    del array
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=31)
    repeats = parser.parse_args().repeats
    sides = {"imread": plainly, "without hash": without_hash, "with hash": with_hash}
    print(__doc__.splitlines()[0])
    print(f"medians in ms; {repeats} repeats in turns ({max(5, repeats // 4)} of the large files)")
    print(f"{'':38}{'imread':>9}{'no hash':>9}{'ratio':>7}{'hash':>9}{'ratio':>7}")
    with tempfile.TemporaryDirectory() as temporary:
        for name, path in write_files(Path(temporary)).items():
            times: dict[str, list[float]] = {side: [] for side in sides}
            for _ in range(repeats if path.stat().st_size < 2**26 else max(5, repeats // 4)):
                for side, read in sides.items():
                    times[side].append(1000 * seconds(read, path))
            plain, no_hash, hashed = (statistics.median(values) for values in times.values())
            print(
                f"{name:38}{plain:9.2f}{no_hash:9.2f}{no_hash / plain:7.2f}"
                f"{hashed:9.2f}{hashed / plain:7.2f}",
                flush=True,
            )
    print("(a) the databar is looked for in the pixels, which is more than reading")


if __name__ == "__main__":
    main()
