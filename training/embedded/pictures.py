"""Synthetic micrographs as training keeps them: painted, written, read back, measured, marked.

Every micrograph is written as a TIFF and read by the same code as a person's. Beside it stand its
specimen in 8 bits, stretched as the product stretches it, and where each feature is: the share of
every square of 4 x 4 pixels that it covers. Knows no sample's words, no model and no step.

A folder of data holds the pictures' records in chunks of JSON lines, each written whole or not at
all: making them resumes where it was cut short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glassllava import features
from training.whole import read_json_lines, write_json_lines

if TYPE_CHECKING:
    from training.synthesis import SyntheticMicrograph
    from training.synthesis.wide import HeldOut

Array = np.ndarray[Any, np.dtype[Any]]

PARENTS = tuple(features.PARENTS)
#: What the tower is taught: the parents and every child key.
LABELS = (*PARENTS, *(key for key in features.vocabulary() if key not in PARENTS))
#: Pixels of the specimen that one square of the marks spans.
SQUARE = 4


class Marks(NamedTuple):
    """Where features are on a specimen.

    `labels` are numbers of LABELS, `shares` (n, H/4, W/4) of 0 … 255 what each covers, `whole` the
    numbers of those that fill the picture.
    """

    labels: Array
    shares: Array
    whole: Array


def held_out() -> HeldOut:
    """What the split `apart` shows and no other does: grounds, and combinations of features."""
    from training.synthesis.wide import HeldOut

    pairs = (("crack", "inclusion"), ("pore", "scratch"), ("particle", "corrosion"))
    return HeldOut(
        grounds=frozenset({"grains", "granular", "milled"}),
        combinations=frozenset(frozenset(pair) for pair in pairs),
    )


def paint(folder: Path, split: str, first: int, seeds: Sequence[int], look: str) -> None:
    """The pictures of `seeds`, and their records as the chunk of `split` that begins at `first`."""
    from glassllava.micrograph.contrast import to_8bit
    from glassllava.micrograph.reading import read_micrograph, specimen
    from training.embedded.contexts import truth_json
    from training.synthesis import Plan, generate
    from training.synthesis.files import write_tiff

    for kind in ("micrographs", "pictures"):
        (folder / kind / split).mkdir(parents=True, exist_ok=True)
    side: Mapping[str, Any] = {"within" if split == "apart" else "without": held_out()}
    records = []
    for seed in seeds:
        synthetic = generate(seed, plan=Plan(look=look), **(side if look == "wide" else {}))
        path = write_tiff(synthetic, micrograph_path(folder, split, seed))
        micrograph = read_micrograph(path, with_hash=False)
        rows = micrograph.specimen_rows
        np.save(folder / "pictures" / split / f"{seed}.npy", to_8bit(specimen(micrograph)))
        marks = mark(synthetic, rows)
        np.savez_compressed(folder / "pictures" / split / f"{seed}.npz", **marks._asdict())
        records.append({**truth_json(synthetic), "centres": centres(synthetic, rows)})
    write_json_lines(records_path(folder, split, first), records)


def measure_chunk(folder: Path, split: str, first: int, every: int) -> None:
    """What the product measures on every n-th picture of a chunk; null for the others."""
    from glassllava.measurement import measure
    from glassllava.micrograph.reading import read_micrograph

    rows = []
    for number, record in enumerate(read_json_lines(records_path(folder, split, first))):
        path = micrograph_path(folder, split, record["seed"])
        chosen = (first + number) % every == 0
        rows.append(measure(read_micrograph(path, with_hash=False)).to_json() if chosen else None)
    write_json_lines(measured_path(folder, split, first), rows)


def micrograph_path(folder: Path, split: str, seed: int) -> Path:
    return folder / "micrographs" / split / f"{seed}.tif"


def records_path(folder: Path, split: str, first: int) -> Path:
    return folder / f"{split}-{first:06d}.pictures.jsonl"


def measured_path(folder: Path, split: str, first: int) -> Path:
    return folder / f"{split}-{first:06d}.measured.jsonl"


def mark(synthetic: SyntheticMicrograph, rows: slice) -> Marks:
    """Where every key and every parent is, on those rows of the stored page."""
    where: dict[str, Array] = {}
    whole = {key for key in synthetic.artefacts if key != "art_databar"}
    if "artefact" in synthetic.present:
        whole.add("artefact")
    for truth in synthetic.truths:
        for label in {truth.key, truth.parent}:
            if truth.mask is None:
                whole.add(label)
            else:
                shown = truth.mask[rows]
                where[label] = where[label] | shown if label in where else shown
    if "clean" not in synthetic.present:
        whole -= {"clean", "featureless_surface"}
    found = sorted(LABELS.index(label) for label in where if label not in whole)
    shares = [_shares(where[LABELS[number]]) for number in found]
    height, width = synthetic.pixels[rows].shape[:2]
    empty = np.zeros((0, -(-height // SQUARE), -(-width // SQUARE)), np.uint8)
    return Marks(
        np.array(found, np.int64),
        np.stack(shares) if shares else empty,
        np.array(sorted(LABELS.index(label) for label in whole if label in LABELS), np.int64),
    )


def _shares(mask: Array) -> Array:
    height, width = mask.shape
    tall, wide = -(-height // SQUARE), -(-width // SQUARE)
    padded = np.zeros((tall * SQUARE, wide * SQUARE), np.float32)
    padded[:height, :width] = mask
    mean = padded.reshape(tall, SQUARE, wide, SQUARE).mean((1, 3))
    # What is there at all stays so: a thin crack may cover a sixteenth of a square.
    return np.ceil(mean * 255).astype(np.uint8)


def centres(synthetic: SyntheticMicrograph, rows: slice) -> dict[str, list[float]]:
    """Where the largest part of each parent lies, as shares of the specimen's width and height."""
    from scipy import ndimage

    found = {}
    for parent in sorted(synthetic.present - {"clean", "artefact"}):
        masks = [t.mask for t in synthetic.truths if t.parent == parent]
        if any(mask is None for mask in masks):
            continue
        where = np.any([mask[rows] for mask in masks if mask is not None], axis=0)
        labels, number = ndimage.label(where, np.ones((3, 3)))
        if number:
            sizes = np.bincount(labels.ravel())[1:]
            y, x = ndimage.center_of_mass(labels == 1 + int(sizes.argmax()))
            found[parent] = [round((x + 0.5) / where.shape[1], 3), round((y + 0.5) / len(where), 3)]
    return found


def read_picture(folder: Path, split: str, seed: int) -> Array:
    """(H, W) of 8 bits, mapped from the disk."""
    path = folder / "pictures" / split / f"{seed}.npy"
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]


def read_marks(folder: Path, split: str, seed: int) -> Marks:
    with np.load(folder / "pictures" / split / f"{seed}.npz", allow_pickle=False) as kept:
        return Marks(kept["labels"], kept["shares"], kept["whole"])
