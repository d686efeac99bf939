"""Claim: cracks and oxide layers overlap a person's masks of real micrographs better than Otsu's.

`python -m benchmarks.real_masks` reads the ten masked micrographs of GLASSVIEW_REAL_MICROGRAPHS
(NASA's environmental barrier coatings; the masks are NASA's: 1 is the oxide, 2 are cracks, and
some cracks are missing in them). The first, third, fifth ... by name were looked at while the
measuring was made; the second, fourth, sixth ... were not, and are the figure to quote.

Intersection over union with the masks. Of the crack also with a tolerance of 3 px: a pixel counts
as met within 3 px of one of the other mask, since lines of a few pixels have no overlap to speak
of; precision and recall so. The masks mark cracks in the oxide alone, and the coat above is full
of dark lines: "in oxide" looks there alone, for both sides.
The oxide is the measured layer, cracks in it included on both sides.
Otsu: for cracks the pixels under Otsu's threshold of the darkest class of three; for the oxide
the middle class of three, the largest connected part. Neither knows where to look.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage import filters

from glassllava.measurement import bodies, cracks, layers, lines, regions, scratches
from glassllava.micrograph import reading

Array = np.ndarray[Any, Any]
_TOLERANCE = 3.0  # px
_multiotsu: Any = filters.threshold_multiotsu  # scikit-image states no types of its own


def crack_mask(specimen: Array) -> Array:
    """The cracks as they are measured: centre lines drawn as wide as they are."""
    field = regions.flatten(specimen)
    compact = [body.blob for body in bodies.find(field) if body.sign < 0]
    shape = (specimen.shape[0], specimen.shape[1])
    dark, bright = lines.find_lines(field, specimen, compact)
    _, left = scratches.find_scratches(dark, bright, specimen)
    found, _ = cracks.find_cracks(left, specimen)
    image = Image.new("1", (shape[1], shape[0]))
    pen = ImageDraw.Draw(image)
    for line in found:
        for trace in line.traces:
            width = lines.middle_of(lines.widths_of([trace], line.sign))
            wide = max(1, round(width)) if np.isfinite(width) else 2
            pen.line([(float(x), float(y)) for x, y in trace.arm.points], fill=1, width=wide)
    return np.asarray(image, bool)


def layer_masks(specimen: Array) -> list[Array]:
    """Each layer between its borders, as a mask."""
    masks = []
    for layer in layers.find_layers(specimen):
        turned = specimen.T if layer.upright else specimen
        rows, columns = np.arange(turned.shape[0])[:, None], np.arange(turned.shape[1])
        first, second = (
            np.interp(columns, border.x, border.y) for border in (layer.first, layer.second)
        )
        mask = (rows > first) & (rows < second)
        masks.append(mask.T if layer.upright else mask)
    return masks


def otsu_cracks(specimen: Array) -> Array:
    return np.asarray(specimen < _multiotsu(specimen, 3)[0])


def otsu_layer(specimen: Array) -> Array:
    soft = ndimage.gaussian_filter(specimen.astype(np.float32), 2)
    low, high = _multiotsu(soft, 3)
    labels, count = ndimage.label((soft >= low) & (soft < high))
    if count == 0:
        return np.zeros(specimen.shape, bool)
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def overlap(one: Array, other: Array) -> float:
    union = int(np.count_nonzero(one | other))
    return int(np.count_nonzero(one & other)) / union if union else 1.0


def near(one: Array, other: Array) -> tuple[float, float, float]:
    """Intersection over union, precision and recall of `one` against `other` with tolerance."""
    if not one.any() or not other.any():
        return 0.0, 0.0, 0.0
    hit = int(np.count_nonzero(one & (ndimage.distance_transform_edt(~other) <= _TOLERANCE)))
    met = int(np.count_nonzero(other & (ndimage.distance_transform_edt(~one) <= _TOLERANCE)))
    false, missed = int(one.sum()) - hit, int(other.sum()) - met
    return met / (met + false + missed), hit / int(one.sum()), met / int(other.sum())


def main() -> int:
    folder = os.environ.get("GLASSVIEW_REAL_MICROGRAPHS")
    if not folder:
        print("GLASSVIEW_REAL_MICROGRAPHS says no folder", file=sys.stderr)
        return 2
    names: tuple[str, ...] = ("crack", "Otsu", "crack ±3", "precision", "recall", "Otsu ±3")
    names += ("in oxide", "precision", "recall", "Otsu", "oxide", "Otsu")
    print(f"{'':36}" + "".join(f"{name:>10}" for name in names))
    rows = []
    for path in sorted(Path(folder, "masks").glob("*_mask.png")):
        stem = path.name.removesuffix("_mask.png")
        truth = np.asarray(Image.open(path))
        specimen = reading.grey(reading.read_micrograph(Path(folder, stem + ".tif")))
        crack, oxide = truth == 2, truth >= 1
        found, plain = crack_mask(specimen), otsu_cracks(specimen)
        best = max((overlap(mask, oxide) for mask in layer_masks(specimen)), default=0.0)
        tolerant, precision, recall = near(found, crack)
        row = (
            overlap(found, crack),
            overlap(plain, crack),
            tolerant,
            precision,
            recall,
            near(plain, crack)[0],
            *near(found & oxide, crack),
            near(plain & oxide, crack)[0],
            best,
            overlap(otsu_layer(specimen), oxide),
        )
        rows.append(row)
        print(f"{stem:36}" + "".join(f"{value:10.3f}" for value in row))
    for name, chosen in (
        ("mean of all", rows),
        ("mean of odd ones, looked at", rows[::2]),
        ("mean of even ones, to quote", rows[1::2]),
    ):
        means = np.mean(chosen, axis=0)
        print(f"{name:36}" + "".join(f"{value:10.3f}" for value in means))
    return 0


if __name__ == "__main__":
    sys.exit(main())
