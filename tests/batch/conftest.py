"""Tiny micrographs, a calibrated script and a literature for the tests of the floor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from glassllava import features, prompt
from glassllava.calibration import Calibration, LevelCalibration, Platt
from glassllava.literature import Passage
from glassllava.model.scripted import Script, ScriptedModel
from glassllava.sample import LEVELS

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "micrographs"
    path.mkdir()
    return path


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes a small noisy TIFF with a dark disc, different for every seed."""

    def write(name: str, seed: int = 0, size: int = 96) -> Path:
        random = np.random.default_rng(seed)
        rows, columns = np.mgrid[:size, :size]
        grey = random.normal(150, 6, (size, size))
        grey[(rows - 40) ** 2 + (columns - 50) ** 2 < 100] = 40
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # ImageJ's way of a scale: pixels per unit, and the unit in the description.
        tifffile.imwrite(
            path,
            np.clip(grey, 0, 255).astype(np.uint8),
            imagej=True,
            resolution=(10.0, 10.0),
            metadata={"unit": "um"},
        )
        return path

    return write


def calibrated(**thresholds: float) -> Calibration:
    same = Platt(1.0, 0.0)
    level = LevelCalibration(dict.fromkeys(features.PARENTS, same), same, thresholds, 0.7)
    return Calibration(
        dict.fromkeys(LEVELS, level),
        split_sha256="0" * 64,
        templates_sha256=prompt.TEMPLATES_SHA256,
        sha256=str(sorted(thresholds.items())),
    )


class CountingModel(ScriptedModel):
    """The script, which also counts how many enquiries it was asked."""

    def reply(self, enquiries):  # type: ignore[no-untyped-def]
        replies = super().reply(enquiries)
        self.__dict__["asked"] = self.__dict__.get("asked", 0) + len(replies)
        return replies

    @property
    def count(self) -> int:
        return self.__dict__.get("asked", 0)


@pytest.fixture
def make_model() -> Callable[..., CountingModel]:
    """A calibrated script that sees a pore, and a crack in files named crack*."""

    def make(calibration: Calibration | None = None, **more: object) -> CountingModel:
        pore = Script({"pore": 0.9}, verdict=0.2, description="Dark round pores [1].")
        return CountingModel(
            otherwise=pore,
            calibration=calibration or calibrated(),
            **more,  # type: ignore[arg-type]
        )

    return make


class Primer:
    """Two passages, at a generation that may grow."""

    def __init__(self, generation: int = 1) -> None:
        self.generation = generation
        self.asked_at: list[int] = []

    def search(self, query: str, limit: int) -> tuple[Passage, ...]:
        return self.pinned(self.generation).search(query, limit)

    def pinned(self, generation: int) -> PinnedPrimer:
        return PinnedPrimer(self, generation)


class PinnedPrimer:
    def __init__(self, primer: Primer, generation: int) -> None:
        self._primer, self._generation = primer, generation

    def search(self, query: str, limit: int) -> tuple[Passage, ...]:
        self._primer.asked_at.append(self._generation)
        return (
            Passage("p1", "Pores come from refining.", "Primer", section="1"),
            Passage("p2", "Cracks grow.", "Primer", section="2", sources=("A. Source, 1999",)),
        )[:limit]


@pytest.fixture
def make_primer() -> type[Primer]:
    return Primer
