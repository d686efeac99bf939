"""Synthetic micrographs of a split and a model's places on them. Wide looks, one at a time.

A micrograph is written and read back like a person's. Its masks are the generator's truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glassllava import features
from glassllava.micrograph.record import Micrograph
from glassllava.model.pointing import PLACELESS, Frame, probabilities
from glassllava.sample import Sample
from training.embedded.dataset import FIRST_SEED, Look
from training.evaluation.pointing.places import Mask, Place, best_thresholds, place
from training.evaluation.workers import spread
from training.export.saving import write_manifest
from training.whole import write_whole

if TYPE_CHECKING:
    from glassllava.model.llava import LlavaBackend

#: Thresholds are fitted on micrographs of the calibration split, from here on: the first of them
#: are what probabilities are calibrated on.
_FIT_FROM = 5000


@dataclass(frozen=True, slots=True)
class Painted:
    """A micrograph with where each of its features is; masks are packed eight pixels a byte."""

    seed: int
    micrograph: Micrograph
    sample: Sample
    packed: Mapping[str, bytes]

    def mask(self, parent: str) -> Mask:
        shape = (self.micrograph.height, self.micrograph.width)
        bits = np.frombuffer(self.packed[parent], np.uint8)
        return np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(bool)


def paint(index: int, folder: Path, split: str, look: Look) -> Painted:
    """Micrograph `index` of a split, its picture written into `folder`."""
    from glassllava.micrograph.reading import read_micrograph
    from training.synthesis import Plan, generate
    from training.synthesis.files import write_tiff

    seed = FIRST_SEED[split] + index
    scene = generate(seed, plan=Plan(look=look))
    path = write_tiff(scene, folder / f"{seed}.tif")
    micrograph = read_micrograph(path, with_hash=False)
    regions = {parent: scene.region(parent) for parent in features.PARENTS}
    rows = micrograph.specimen_rows
    return Painted(
        seed=seed,
        micrograph=micrograph,
        sample=scene.sample,
        packed={
            parent: np.packbits(mask).tobytes()
            for parent, mask in regions.items()
            if mask is not None and mask[rows].any()
        },
    )


def painted(
    count: int,
    folder: Path,
    *,
    split: str = "test",
    first: int = 0,
    look: Look = "wide",
    workers: int = 1,
) -> Iterator[Painted]:
    """`count` micrographs of a split, one at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(paint, folder=folder, split=split, look=look)
    yield from spread(work, range(first, first + count), workers, "pointed")


def places_on(model: LlavaBackend, one: Painted) -> list[Place]:
    """Where the tower points for every feature that is there, whether or not it is found."""
    (maps,) = model.maps([one.micrograph])
    pointed = model.pointed(maps, one.micrograph)
    return [
        place(
            str(one.seed),
            parent,
            pointed[parent],
            one.mask(parent),
            one.micrograph,
            side=model.side,
            cells=maps.shape[-1],
        )
        for parent in one.packed
        if parent not in PLACELESS
    ]


def fit_thresholds(
    model: LlavaBackend, count: int, folder: Path, *, workers: int = 1
) -> dict[str, float]:
    """By parent the probability from which a cell of the map shows it: the best mean overlap on
    `count` micrographs that neither training nor testing nor calibrating has seen.

    What a checkpoint keeps as `pointing` in its glassllava.json.
    """
    parents = list(features.PARENTS)

    def seen() -> Iterator[tuple[Mapping[str, np.ndarray], Mapping[str, Mask], Frame]]:  # type: ignore[type-arg]
        for one in painted(count, folder, split="calibration", first=_FIT_FROM, workers=workers):
            (maps,) = model.maps([one.micrograph])
            frame = Frame.of(one.micrograph, model.side, maps.shape[-1])
            by_parent = dict(zip(parents, probabilities(maps), strict=True))
            yield by_parent, {parent: one.mask(parent) for parent in one.packed}, frame

    return best_thresholds(seen())


def keep_thresholds(folder: Path, thresholds: Mapping[str, float]) -> None:
    """Write `pointing` into a checkpoint's glassllava.json, and its manifest anew."""
    path = folder / "glassllava.json"
    card = json.loads(path.read_text("utf-8")) if path.exists() else {}
    write_whole(path, json.dumps({**card, "pointing": dict(thresholds)}, indent=2) + "\n")
    write_manifest(folder)
