"""A made-up interpretation, honestly scripted, and a small micrograph for it to be about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from glassllava import features, prompt
from glassllava.calibration import Calibration, LevelCalibration, Platt
from glassllava.interpretation import Interpretation
from glassllava.interpreter import interpret
from glassllava.literature import Passage
from glassllava.micrograph.reading import read_micrograph
from glassllava.model.scripted import Script, ScriptedModel
from glassllava.sample import LEVELS, ContextLevel, Sample

PASSAGES = (
    Passage("primer:1", "A bubble is a closed gas cavity.", "GlassView primer", section="1"),
    Passage("paper:7", "A crack runs through.", "On cracks", authors="A. Person", page=7),
)


class Shelf:
    """A literature that always finds the same two passages."""

    generation = 3

    def search(self, query: str, limit: int) -> tuple[Passage, ...]:
        return PASSAGES[:limit]


def scripted(script: Script | None = None, confidence: float = 0.7) -> ScriptedModel:
    same = Platt(1.0, 0.0)
    level = LevelCalibration(dict.fromkeys(features.PARENTS, same), same, {}, confidence)
    return ScriptedModel(
        otherwise=script
        or Script(
            probes={"pore": 0.93, "particle": 0.7},
            verdict=0.88,
            description="Round dark cavities [1].",
            answer="Yes, pores [1]; not a crack [9].",
        ),
        calibration=Calibration(
            dict.fromkeys(LEVELS, level), "split", prompt.TEMPLATES_SHA256, "cal"
        ),
    )


@pytest.fixture
def pores(tmp_path: Path) -> Path:
    """A grey TIFF of 16 bit with eight dark discs and an ImageJ scale of 50 nm a pixel."""
    return write_pores(tmp_path / "pores_1.tif")


def write_pores(path: Path, *, scale: bool = True) -> Path:
    rng = np.random.default_rng(7)
    picture = rng.normal(30_000, 300, (240, 320))
    rows, columns = np.mgrid[:240, :320]
    for number in range(8):
        x, y = 40 + 75 * (number % 4), 70 + 100 * (number // 4)
        picture[(rows - y) ** 2 + (columns - x) ** 2 < 12**2] = 6_000
    told = {"imagej": True, "resolution": (20.0, 20.0), "metadata": {"unit": "um"}} if scale else {}
    tifffile.imwrite(path, picture.astype(np.uint16), **told)
    return path


@pytest.fixture
def judged(pores: Path) -> Callable[..., Interpretation]:
    """Interpret the pores by a script."""

    def judge(
        script: Script | None = None,
        sample: Sample = Sample(material="optical glass"),  # noqa: B008 - frozen
        level: ContextLevel = "high",
        confidence: float = 0.7,
        path: Path = pores,
    ) -> Interpretation:
        return interpret(
            read_micrograph(path),
            sample,
            "",
            level,
            model=scripted(script, confidence),
            literature=Shelf(),
            library="3",
        )

    return judge
