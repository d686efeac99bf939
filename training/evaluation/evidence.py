"""What is measured before anything is asked: on every picture, and on a blank one of its size.

The original is measured once, whatever the levels and controls; the blank with the same scale and
settings, since those are not in the pixels. Kept on disk for each case, made by a few processes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import GlassError
from glassllava.measurement import MEASURING_VERSION
from glassllava.measurement.quantities import Measurements
from training.evaluation.workers import spread
from training.whole import write_whole

if TYPE_CHECKING:
    from glassllava.micrograph.record import Micrograph
    from training.evaluation.cases import Case

#: The one grey of a blank picture. The product's contrast shows any constant picture as black.
_GREY = 127


@dataclass(frozen=True, slots=True)
class Evidence:
    """A micrograph and its blank twin, each with what was measured on it."""

    micrograph: Micrograph
    blank: Micrograph
    measurements: Measurements
    blank_measurements: Measurements


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that could not be used, and why."""

    case: str
    why: str


def gather(
    cases: Sequence[Case], folder: Path, workers: int
) -> tuple[dict[str, Evidence], list[Failure]]:
    """Evidence of every case by its id; what is kept in `folder` is not measured again."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Evidence] = {}
    failures = []
    jobs = [_Job(case, folder / f"{number:06d}.json") for number, case in enumerate(cases)]
    for job, result in zip(jobs, spread(_measure, jobs, workers, "measured"), strict=True):
        if isinstance(result, GlassError):
            failures.append(Failure(job.case.id, str(result)))
            continue
        micrograph, kept = result
        found[job.case.id] = Evidence(
            micrograph=micrograph,
            blank=blank_of(micrograph, folder),
            measurements=Measurements.from_json(kept["original"]),
            blank_measurements=Measurements.from_json(kept["blank"]),
        )
    return found, failures


def blank_of(micrograph: Micrograph, folder: Path) -> Micrograph:
    """The same header over a picture of one grey, written once for each size."""
    import numpy as np
    import tifffile

    path = folder / f"blank-{micrograph.height}x{micrograph.width}.tif"
    if not path.exists():
        temporary = path.with_suffix(".part")
        blank = np.full((micrograph.height, micrograph.width), _GREY, np.uint8)
        tifffile.imwrite(temporary, blank, photometric="minisblack", compression="deflate")
        temporary.replace(path)
    return replace(micrograph, path=path, page=0, bit_depth=8, samples=1, sha256=None, pages=())


@dataclass(frozen=True, slots=True)
class _Job:
    case: Case
    kept: Path


_Result = tuple["Micrograph", dict[str, Any]] | GlassError


def _measure(job: _Job) -> _Result:
    """The header, and what was measured; read from what is kept where it is of these bytes."""
    import numpy as np

    from glassllava.measurement import measure
    from glassllava.micrograph import reading

    try:
        micrograph = reading.read_micrograph(job.case.image, with_hash=False)
        state = job.case.image.stat()
        of = [job.case.image.name, state.st_size, state.st_mtime_ns, MEASURING_VERSION]
        kept = _read(job.kept)
        if kept.get("of") == of:
            return micrograph, kept
        pixels = reading.pixels(micrograph)  # a torn picture is found here, not in the night
        original, blank = Measurements(), Measurements()
        if job.case.told is None:
            original = measure(micrograph, pixels)
            twin = replace(micrograph, bit_depth=8, samples=1)
            blank = measure(twin, np.full(pixels.shape[:2], _GREY, np.uint8))
    except GlassError as error:
        return error
    kept = {"of": of, "original": original.to_json(), "blank": blank.to_json()}
    write_whole(job.kept, json.dumps(kept))
    return micrograph, kept


def _read(path: Path) -> dict[str, Any]:
    """What is kept, or nothing where it is not there or was torn."""
    try:
        kept = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
