"""What is true of a synthetic micrograph: its features, their sizes, and what the rules say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glassllava import features, rules
from glassllava.sample import Sample
from training.synthesis.canvas import Mask, Painted
from training.synthesis.databar import BeamWords


@dataclass(frozen=True, slots=True)
class TrueFeature:
    """One feature that is there. Sizes are in metres by quantity (`area_fraction` has no unit);
    the mask covers the whole frame, databar included, and is None for a whole-field texture, whose
    exact phase is `texture` where the painter knows it. `contrast` is how far it stands out of what
    is beside it, in grey levels without noise; None where nobody looked (plain fields)."""

    key: str
    parent: str
    mask: Mask | None
    count: int | None
    sizes: Mapping[str, tuple[float, ...]]
    ruling: rules.Ruling | None
    texture: Mask | None = None
    contrast: float | None = None

    @property
    def boxes(self) -> tuple[tuple[int, int, int, int], ...]:
        """(x0, y0, x1, y1) of its connected parts, the largest 64, ends exclusive."""
        if self.mask is None:
            return ()
        labels, _ = ndimage.label(self.mask, np.ones((3, 3)))
        found = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labels)]
        found.sort(key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))
        return tuple(found[:64])


@dataclass(frozen=True)
class SyntheticMicrograph:
    """Pixels with their truth. `pixel_size_m` is what the file will say (None: uncalibrated),
    `true_pixel_size_m` what the sizes were made with; `databar` is (first row, rows)."""

    seed: int
    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    pixel_size_m: float | None
    true_pixel_size_m: float
    databar: tuple[int, int] | None
    beam: BeamWords
    vendor: str
    view: str
    family: str
    truths: tuple[TrueFeature, ...]
    artefacts: tuple[str, ...]
    sample: Sample
    tokens: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ground: str = "plain"
    decoys: tuple[str, ...] = ()
    noise: str = ""
    noise_sigma: float | None = None

    def region(self, parent: str) -> Mask | None:
        """Where a parent is, over the whole frame, for pointing and for cutting: the union of its
        masks, or the whole specimen for a texture that fills it; None where it is not."""
        truths = [t for t in self.truths if t.parent == parent and t.parent != "clean"]
        if not truths:
            return None
        where = np.zeros(self.pixels.shape, bool)
        for truth in truths:
            if truth.mask is None:
                where[: self.databar[0] if self.databar else None] = True
            else:
                where |= truth.mask
        return where

    def present_in(
        self, window: tuple[int, int, int, int], least: int = 40
    ) -> Mapping[str, tuple[float, bool]]:
        """For a tile (x0, y0, x1, y1), ends exclusive: the parents with any pixel in it, the share
        of the tile that each covers, and whether it holds `least` pixels of it. A parent that is
        left out is not in the tile at all; one with fewer pixels is better taken as neither."""
        x0, y0, x1, y1 = window
        found: dict[str, tuple[float, bool]] = {}
        for parent in sorted({truth.parent for truth in self.truths} - {"clean"}):
            where = self.region(parent)
            if where is not None:
                inside = where[y0:y1, x0:x1]
                if inside.any():
                    found[parent] = float(inside.mean()), int(inside.sum()) >= least
        return found

    @cached_property
    def present(self) -> frozenset[str]:
        """Parents that can be seen. `clean` only where nothing else but an artefact is."""
        seen = {truth.parent for truth in self.truths} - {"clean"}
        if not seen:
            seen = {"clean"}
        if any(key != "art_databar" for key in self.artefacts):
            seen.add("artefact")
        return frozenset(seen)

    @cached_property
    def defect(self) -> bool | None:
        verdicts = [truth.ruling.verdict if truth.ruling else None for truth in self.truths]
        if "defect" in verdicts:
            return True
        return None if "depends" in verdicts or None in verdicts else False

    @cached_property
    def rulings(self) -> tuple[str, ...]:
        """Ids of the rules that spoke, in the order of the features."""
        spoke = [id_ for truth in self.truths if truth.ruling for id_ in truth.ruling.rules]
        return tuple(dict.fromkeys(spoke))

    @property
    def reason(self) -> str:
        """Why the verdict is what it is: the rulings' reasons that decide it."""
        decisive = {True: "defect", False: "no_defect", None: "depends"}[self.defect]
        said = [t.ruling.reason for t in self.truths if t.ruling and t.ruling.verdict == decisive]
        return "; ".join(dict.fromkeys(said)) or "no rule matches this sample"


def true_feature(
    one: Painted, pixel_size: float, sample: Sample, tokens: Mapping[str, frozenset[str]]
) -> TrueFeature:
    sizes = sizes_in_metres(one, pixel_size)
    parent = features.vocabulary()[one.key].parent
    ruling = ruling_of(one.key, sizes, sample, tokens)
    return TrueFeature(
        one.key, parent, one.mask, one.count, sizes, ruling, one.texture, one.contrast
    )


def sizes_in_metres(one: Painted, pixel_size: float) -> dict[str, tuple[float, ...]]:
    """What a painter said in pixels, by quantity; an area fraction stays one."""
    return {
        name: values if name == "area_fraction" else tuple(v * pixel_size for v in values)
        for name, values in one.sizes.items()
    }


def ruling_of(
    key: str,
    sizes: Mapping[str, Sequence[float]],
    sample: Sample,
    tokens: Mapping[str, frozenset[str]],
) -> rules.Ruling | None:
    """What the rules say of one feature in a sample; what is expected there is no defect."""
    parent = features.vocabulary()[key].parent
    expected = {*sample.expected, *(features.parent_of(known) for known in sample.expected)}
    if key in sample.expected or parent in expected:
        return rules.Ruling("no_defect", (), "expected here by the sample")
    return rules.judge_child(key, {**tokens, **size_tokens(sizes)})


def size_tokens(sizes: Mapping[str, Sequence[float]]) -> dict[str, frozenset[str]]:
    """The size tokens of the rules, from the median diameter or spacing."""
    values = sizes.get("equivalent_diameter") or sizes.get("spacing") or sizes.get("length")
    if not values:
        return {}
    middle = float(np.median(values))
    if middle < 30e-9:
        return {"size": frozenset({"<30nm"})}
    return {"size": frozenset({">100nm"})} if middle > 100e-9 else {}


_size_tokens = size_tokens


def with_rows(truth: TrueFeature, rows: int) -> TrueFeature:
    return replace(truth, mask=_longer(truth.mask, rows), texture=_longer(truth.texture, rows))


def _longer(mask: Mask | None, rows: int) -> Mask | None:
    if mask is None:
        return None
    return np.vstack([mask, np.zeros((rows, mask.shape[1]), bool)])
