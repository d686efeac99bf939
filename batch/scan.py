"""A scan: a folder of micrographs into a run folder; the same call resumes what was cut short.

Knows the order of a night, from what is found to what is reported, and what a dry run would do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from batch.discovery import Place, discover
from batch.ledger import Ledger, Row
from batch.night import Night, Progress, literature_of
from batch.outputs import write_outputs
from batch.recipe import Recipe
from glassllava.errors import BadInput
from glassllava.literature import Literature
from glassllava.measurement.ruler import MeasuringSettings
from glassllava.settings import Settings

if TYPE_CHECKING:
    from glassllava.model.backend import VisionModel
    from glassllava.sample import Sample

__all__ = ["Failure", "Progress", "ScanResult", "scan"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A micrograph without an interpretation: why, and what to do about it."""

    path: str
    reason: str
    remedy: str
    tries: int


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan leaves. Counts are of the whole run; `partial` if rows are still pending.

    `asked`, `judged` and `unchanged` are the rows of this scan that went through the model, that
    were only judged again, and that were left as they were. `planned` is what a dry run would do,
    by path.
    """

    discovered: int
    done: int
    failed: int
    skipped: int
    failures: tuple[Failure, ...]
    report: Path | None
    partial: bool
    asked: int = 0
    judged: int = 0
    unchanged: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    planned: tuple[tuple[str, str], ...] = ()


def scan(
    folders: Sequence[str | Path],
    run: str | Path,
    *,
    recipe: Recipe | None = None,
    sample: Sample | None = None,
    model: VisionModel | None = None,
    literature: Literature | None = None,
    engine: str = "local",
    workers: int | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
    refresh: bool = False,
    progress: Callable[[Progress], None] | None = None,
    settings: Settings | None = None,
) -> ScanResult:
    """Interpret every micrograph of `folders` into the run folder `run`.

    A row that is done is asked again only if what it was asked has changed, and judged again only
    if what judges it has. `sample` stands above the recipe's, and both above side-cars.

    Raises
    ------
    BadInput : for a folder that is missing or holds no micrograph.
    RunUnavailable : where the run cannot be written, or another scan writes it.
    ModelUnavailable, LiteratureUnavailable : where one cannot be opened.
    KeyboardInterrupt : after the run was closed; everything that was done is kept.
    """
    if engine != "local":
        raise BadInput(
            f"The engine '{engine}' is not available", where="--engine", remedy="Use local."
        )
    run, started = Path(run), time.perf_counter()
    recipe = recipe or Recipe()
    recipe = replace(recipe, sample=sample) if sample is not None else recipe
    places = discover(folders, include=recipe.include, recursive=recipe.recursive, leave_out=run)
    if not places:
        raise BadInput(
            "No micrograph was found",
            where=", ".join(map(str, folders)) or "scan",
            remedy=f"File names must match one of: {' '.join(recipe.include)}.",
        )
    if dry_run:
        return _plan(places, run, retry_failed)
    with Ledger.open(run, create=True) as ledger:
        ledger.claim()
        rows = ledger.discovered(places)
        if model is None:
            from glassllava.model.opening import open_model

            model = open_model(recipe.model, settings=settings)
        recipe = replace(recipe, model=model.identity.reference)
        night = Night(
            ledger,
            recipe,
            model,
            *literature_of(ledger, recipe, literature, refresh),
            measuring=(settings or Settings()).section("measurement", MeasuringSettings),
        )
        try:
            night.begin()
            night.work(rows, retry_failed, workers or _workers(), progress)
        finally:
            night.close()
        report = write_outputs(ledger)
        return _result(ledger, report, night, time.perf_counter() - started)


def _workers() -> int:
    # The model wants the rest of the processor.
    return max(1, min(4, (os.cpu_count() or 2) // 2))


def _plan(places: Sequence[Place], run: Path, retry_failed: bool) -> ScanResult:
    """What a scan would do, without writing anything."""
    known: dict[tuple[str, str, int | None], Row] = {}
    if (run / "ledger.sqlite").is_file():
        with Ledger.open(run) as ledger:
            known = {(row.folder, row.path, row.page): row for row in ledger.rows()}
    planned = []
    for place in places:
        row = known.get((place.folder, place.path, place.page))
        state = row.state if row else "pending"
        if place.again:
            what = f"skip: found before, under {place.again}"
        elif place.trouble:
            what = f"fail: {place.trouble}"
        elif state == "failed" and not retry_failed:
            what = f"leave failed: {row.reason if row else ''}"
        elif state == "done":
            what = "keep, unless what is asked has changed"
        else:
            what = "interpret"
        planned.append((str(place.file), what))
    return ScanResult(
        discovered=len(places),
        done=sum(row.state == "done" for row in known.values()),
        failed=sum(row.state == "failed" for row in known.values()),
        skipped=sum(row.state == "skipped" for row in known.values()),
        failures=(),
        report=None,
        partial=False,
        planned=tuple(planned),
    )


def _result(ledger: Ledger, report: Path, night: Night, seconds: float) -> ScanResult:
    counts = ledger.counts()
    return ScanResult(
        discovered=sum(counts.values()),
        done=counts["done"],
        failed=counts["failed"],
        skipped=counts["skipped"],
        failures=tuple(
            Failure(str(row.file), row.reason, row.remedy, row.tries)
            for row in ledger.rows("failed")
        ),
        report=report,
        partial=counts["pending"] > 0,
        asked=night.asked,
        judged=night.judged,
        unchanged=night.unchanged,
        seconds=seconds,
        notes=tuple(night.notes),
    )
