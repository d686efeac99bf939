"""How like real micrographs the synthetic ones are: the same statistics of both, side by side.

Statistics of the specimen area alone, in grey levels of 8 bits: noise and its correlation, the
slope of the spectrum, grey levels and clipping, roughness from one pixel to 64, the width of edges,
jumps between rows. `IMAGING` was drawn up from what this module measures on real files; no pixel
of a real file is kept anywhere. Run it with a folder of real micrographs:

    python -m training.synthesis.likeness /path/to/micrographs --count 120 [--json]
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.synthesis.fields import Field

#: Standard deviations of the differences of Gaussians, in pixels: roughness at each scale.
SCALES = (1, 2, 4, 8, 16, 32, 64)
_FLAT = 16  # side of the tiles in which noise is looked for


def statistics(grey: Field) -> dict[str, float]:
    """Statistics of one specimen area in grey levels of 0 to 255.

    `noise` is the deviation of the finest detail in the flattest tiles (grey levels),
    `noise_rise` how its square grows with the grey level (grey levels), `noise_along` and
    `noise_across` its correlation with the next pixel in a row and in a column, `slope_*` the
    exponent of the power spectrum over wavelengths of 64 to 16 and 16 to 4 pixels, `rough_N` the
    deviation of the detail of about N pixels, `patchy` how unevenly it is spread, `edge` the width
    of the sharpest edges from 10 to 90 % (pixels), `lines` the jump of a row's mean beyond what
    the noise gives (grey levels).
    """
    grey = np.asarray(grey, np.float32)
    found = {
        "mean": float(grey.mean()),
        "spread": float(grey.std()),
        "dark_1": float(np.quantile(grey, 0.01)),
        "bright_99": float(np.quantile(grey, 0.99)),
        "skew": float(((grey - grey.mean()) ** 3).mean() / max(float(grey.std()), 1e-3) ** 3),
        "clipped_dark": float((grey <= 0.5).mean()),
        "clipped_bright": float((grey >= 254.5).mean()),
    }
    found |= _noise(grey)
    found |= _spectrum(grey)
    soft = grey
    local: list[float] = []
    for scale in SCALES:
        softer = ndimage.gaussian_filter(grey, scale, truncate=3.0, mode="reflect")
        band = soft - softer
        found[f"rough_{scale}"] = float(band.std())
        if scale == 4:
            local = [float(tile.std()) for tile in _tiles(band, 64)]
        soft = softer
    found["patchy"] = (
        float(np.std(local) / max(float(np.mean(local)), 1e-3)) if len(local) > 3 else 0.0
    )
    found["edge"] = _edge_width(grey)
    rows = np.diff(np.median(grey, axis=1))
    floor = 1.25 * found["noise"] * np.sqrt(2 / grey.shape[1])
    found["lines"] = float(max(1.4826 * np.median(np.abs(rows)) - floor, 0.0))
    return found


def _tiles(field: Field, side: int) -> list[Field]:
    height, width = field.shape
    return [
        field[y : y + side, x : x + side]
        for y in range(0, height - side + 1, side)
        for x in range(0, width - side + 1, side)
    ]


def _noise(grey: Field) -> dict[str, float]:
    """From the tiles whose coarse detail is least: their finest detail is noise."""
    fine = grey - ndimage.gaussian_filter(grey, 2.0, truncate=3.0)
    coarse = ndimage.gaussian_filter(grey, 2.0) - ndimage.gaussian_filter(grey, 8.0)
    level, least, residues = [], [], []
    for tile, detail, own in zip(
        _tiles(grey, _FLAT), _tiles(coarse, _FLAT), _tiles(fine, _FLAT), strict=True
    ):
        if 2 < tile.mean() < 253:
            level.append(float(tile.mean()))
            least.append(float(detail.std()))
            residues.append(own)
    if len(level) < 20:
        return {"noise": 0.0, "noise_rise": 0.0, "noise_along": 0.0, "noise_across": 0.0}
    flat = np.argsort(least)[: max(len(least) // 5, 20)]
    own = np.stack([residues[i] for i in flat])
    sigma = own.std(axis=(1, 2))
    greys = np.array([level[i] for i in flat])
    rise = 0.0
    if greys.std() > 8:
        rise = float(np.polyfit(greys, sigma**2, 1)[0])
    power = float(np.square(own).mean()) or 1.0
    return {
        "noise": float(np.median(sigma)),
        "noise_rise": rise,
        "noise_along": float((own[:, :, 1:] * own[:, :, :-1]).mean() / power),
        "noise_across": float((own[:, 1:] * own[:, :-1]).mean() / power),
    }


def _spectrum(grey: Field) -> dict[str, float]:
    side = min(512, *grey.shape)
    powers = []
    window = np.outer(np.hanning(side), np.hanning(side))
    for y in (0, grey.shape[0] - side):
        for x in (0, grey.shape[1] - side):
            part = grey[y : y + side, x : x + side]
            powers.append(np.abs(np.fft.fft2((part - part.mean()) * window)) ** 2)
    power = np.mean(powers, axis=0)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    found = {}
    for name, low, high in (("slope_coarse", 1 / 64, 1 / 16), ("slope_fine", 1 / 16, 1 / 4)):
        bins = np.geomspace(low, high, 9)
        places, means = [], []
        for a, b in pairwise(bins):
            ring = power[(frequency >= a) & (frequency < b)]
            if ring.size:
                places.append(float(np.log(a * b) / 2))
                means.append(float(np.log(ring.mean() + 1e-6)))
        found[name] = float(np.polyfit(places, means, 1)[0])
    return found


def _edge_width(grey: Field) -> float:
    """The median width, from 10 to 90 %, of the steps at the steepest places."""
    soft = ndimage.gaussian_filter(grey, 1.0)
    gy, gx = np.gradient(soft)
    steep = np.hypot(gy, gx)
    inner = steep[12:-12, 12:-12]
    if inner.size < 1000 or inner.max() <= 0:
        return 0.0
    ys, xs = np.nonzero(inner >= np.quantile(inner, 0.997))
    pick = np.linspace(0, len(ys) - 1, min(len(ys), 400)).astype(int)
    ys, xs = ys[pick] + 12, xs[pick] + 12
    along = np.linspace(-10, 10, 81)
    uy, ux = gy[ys, xs] / steep[ys, xs], gx[ys, xs] / steep[ys, xs]
    where = [ys[:, None] + uy[:, None] * along, xs[:, None] + ux[:, None] * along]
    steps = ndimage.map_coordinates(grey, where, order=1, mode="nearest")
    widths = []
    for step in steps:  # from the middle outwards, as long as the grey still rises
        step = ndimage.gaussian_filter1d(step, 1.5)
        rising = np.diff(step) > 0
        low = high = len(step) // 2
        while low > 0 and rising[low - 1]:
            low -= 1
        while high < len(step) - 1 and rising[high]:
            high += 1
        own = step[low : high + 1]
        span = own[-1] - own[0]
        if span < 12:
            continue
        part = (own - own[0]) / span
        widths.append(float((np.searchsorted(part, 0.9) - np.searchsorted(part, 0.1)) / 4))
    return float(np.median(widths)) if widths else 0.0


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Kolmogorov and Smirnov's: the largest gap of the two distributions, 0 (the same) to 1."""
    both = np.sort(np.concatenate([one, other]))
    shares = [np.searchsorted(np.sort(v), both, side="right") / len(v) for v in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def told_apart(
    real: NDArray[np.floating[Any]],
    own: NDArray[Any],
    made: NDArray[np.floating[Any]],
    other: NDArray[Any],
) -> float:
    """The area under the curve of a random forest that tells real tiles from made ones by these
    statistics; whole images are held out. 0.5: it cannot; 1: it always can."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold

    x = np.nan_to_num(np.vstack([real, made]))
    y = np.r_[np.ones(len(real)), np.zeros(len(made))]
    groups = np.r_[own, other + own.max() + 1]
    score = np.zeros(len(y))
    for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(x, y, groups):
        forest = RandomForestClassifier(
            200, min_samples_leaf=3, class_weight="balanced", random_state=0
        )
        score[test] = forest.fit(x[train], y[train]).predict_proba(x[test])[:, 1]
    return float(roc_auc_score(y, score))


def real_specimens(folder: Path) -> dict[str, Field]:
    """The specimen areas of the real micrographs that `LABELS.csv` names, ion images included."""
    import tifffile
    from PIL import Image

    found: dict[str, Field] = {}
    with (folder / "LABELS.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            path = folder / row["file"]
            grey: Field
            if path.suffix == ".png":
                grey = np.asarray(Image.open(path).convert("L"), np.float32)
            else:
                grey = tifffile.imread(path, key=0).astype(np.float32)
            grey = grey[..., 0] if grey.ndim == 3 else grey
            if row["file"].startswith("jzhang"):
                grey = grey[26:]  # a burned-in caption
            if row["databar_rows"]:
                grey = grey[: int(row["databar_rows"])]
            if grey.max() > 255:
                grey = grey / 257
            found[row["file"]] = grey
    return found


def _cut(grey: Field, side: int, most: int) -> list[Field]:
    tiles = _tiles(grey, side)
    keep = np.linspace(0, len(tiles) - 1, min(most, len(tiles))).astype(int)
    return [tiles[i] for i in sorted(set(keep.tolist()))]


def compare(
    real: Mapping[str, Field], made: Sequence[Field], *, side: int = 256, most: int = 6
) -> dict[str, Any]:
    """Quartiles of every statistic of both, their distance, and how well a forest tells tiles
    of `side` pixels apart."""
    whole = {
        "real": [statistics(grey) for grey in real.values()],
        "made": [statistics(grey) for grey in made],
    }
    table: dict[str, Any] = {}
    for name in whole["real"][0]:
        ours, theirs = ([one[name] for one in whole[which]] for which in ("made", "real"))
        table[name] = {
            "real": [round(float(q), 4) for q in np.quantile(theirs, (0.1, 0.25, 0.5, 0.75, 0.9))],
            "made": [round(float(q), 4) for q in np.quantile(ours, (0.1, 0.25, 0.5, 0.75, 0.9))],
            "distance": round(distance(ours, theirs), 3),
        }
    rows: dict[str, list[list[float]]] = {"real": [], "made": []}
    groups: dict[str, list[int]] = {"real": [], "made": []}
    for which, images in (("real", list(real.values())), ("made", list(made))):
        for index, grey in enumerate(images):
            for tile in _cut(grey, side, most):
                rows[which].append(list(statistics(tile).values()))
                groups[which].append(index)
    apart = told_apart(
        np.array(rows["real"]),
        np.array(groups["real"]),
        np.array(rows["made"]),
        np.array(groups["made"]),
    )
    distances = [entry["distance"] for entry in table.values()]
    return {
        "statistics": table,
        "mean_distance": round(float(np.mean(distances)), 3),
        "told_apart_auc": round(apart, 3),
        "images": {"real": len(real), "made": len(made)},
    }


def specimen_of(pixels: NDArray[Any], databar: tuple[int, int] | None) -> Field:
    """The specimen's rows in grey levels of 0 to 255."""
    grey = pixels[: databar[0]] if databar else pixels
    return np.asarray(grey, np.float32) / (257 if grey.dtype == np.uint16 else 1)


def main(arguments: Sequence[str] | None = None) -> int:
    from training.synthesis.generator import generate

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="real micrographs with their LABELS.csv")
    parser.add_argument("--count", type=int, default=120, help="synthetic micrographs")
    parser.add_argument("--first", type=int, default=5000, help="their first seed")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    made = []
    for seed in range(chosen.first, chosen.first + chosen.count):
        one = generate(seed)
        made.append(specimen_of(one.pixels, one.databar))
    found = compare(real_specimens(chosen.folder), made)
    if chosen.json:
        print(json.dumps(found, indent=1))
        return 0
    print(f"{'':15}{'real 10 25 50 75 90 %':>45}{'made 10 25 50 75 90 %':>45}  apart")
    for name, entry in found["statistics"].items():
        real, ours = (" ".join(f"{v:8.4g}" for v in entry[k]) for k in ("real", "made"))
        print(f"{name:15}{real:>45}{ours:>45}  {entry['distance']:.2f}")
    print(f"mean distance {found['mean_distance']}, told apart {found['told_apart_auc']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
