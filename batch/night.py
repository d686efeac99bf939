"""A night at work: what every row of a scan shares, and what is done with each.

Knows when the model must run, when a kept reply is only judged again and when nothing is to be
done. Knows nothing of how rows are worked off (`runner`), found (`discovery`) or told (`outputs`).
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from batch import runner
from batch.discovery import sample_for
from batch.ledger import Ledger, Row, now
from batch.pictures import keep_picture
from batch.recipe import Recipe, write_recipe
from batch.schema import write_file
from glassllava import __version__, scope
from glassllava.errors import LiteratureUnavailable
from glassllava.interpreter import asked_fingerprint, conclude, judged_fingerprint, prepare
from glassllava.literature import Literature, NoLiterature, Passage
from glassllava.measurement.ruler import MeasuringSettings
from glassllava.prompt import DEFAULT_QUESTION

if TYPE_CHECKING:
    from glassllava.interpretation import Interpretation
    from glassllava.micrograph.record import Micrograph
    from glassllava.model.backend import Reply, VisionModel
    from glassllava.prompt import Enquiry
    from glassllava.sample import Sample

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is: rows of this scan worked off, and those of them that failed."""

    done: int
    failed: int
    total: int
    path: str
    seconds: float


@dataclass
class Night:
    """One scan at work: what every row of it shares, and its tallies."""

    ledger: Ledger
    recipe: Recipe
    model: VisionModel
    literature: Literature
    generation: str
    close: Callable[[], None]
    notes: list[str] = field(default_factory=list)
    measuring: MeasuringSettings = field(default_factory=MeasuringSettings)
    asked: int = 0
    judged: int = 0
    unchanged: int = 0

    def begin(self) -> None:
        """Write down what is asked, before anything is."""
        identity = self.model.identity
        notes = (
            f"GlassView {__version__}, as resolved. Model: {identity.name}, "
            f"sha256 {identity.sha256 or 'none'}",
            f"Library generation: {self.generation or 'none'}",
        )
        text = write_recipe(self.recipe, notes)
        write_file(self.ledger.run / "recipe.toml", text.encode())
        facts = self.ledger.facts()
        self.ledger.note(
            started=facts.get("started", now()),
            finished=None,
            recipe=text,
            model=self.model.identity.name,
            library=self.generation,
            glassview=__version__,
            batch_policy=self.model.batch_policy,
        )

    def work(
        self,
        rows: Sequence[Row],
        retry_failed: bool,
        workers: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        """Work off the rows of this scan, keeping each outcome as it comes."""
        todo = [
            row
            for row in rows
            if row.state in ("pending", "done") or (row.state == "failed" and retry_failed)
        ]
        # The heavy imports happen here once, not in every worker at the same time.
        import glassllava.measurement
        import glassllava.micrograph.reading  # noqa: F401

        started, failed = time.perf_counter(), 0
        outcomes = runner.run(
            todo,
            prepare=self.prepare,
            model=self.model,
            conclude=self.conclude,
            batch=self.recipe.batch,
            workers=workers,
        )
        # Closing ends the workers at once, whatever interrupts the keeping.
        with contextlib.closing(outcomes):
            for number, outcome in enumerate(outcomes, start=1):
                failed += not self.keep(outcome)
                if progress is not None:
                    seconds = time.perf_counter() - started
                    progress(Progress(number, failed, len(todo), outcome.row.path, seconds))
        self.ledger.note(finished=now())

    def _read(self, row: Row) -> Micrograph:
        """The micrograph with the scale that the recipe gives, or lets the drawn bar give."""
        from glassllava.micrograph.drawn_scale import read_with_bar
        from glassllava.micrograph.header import typed_bar_length, typed_pixel_size

        scale = self.recipe.scale
        return read_with_bar(
            row.file,
            row.page,
            pixel_size=typed_pixel_size(scale.pixel_size) if scale.pixel_size else None,
            bar_length_m=typed_bar_length(scale.bar_length) if scale.bar_length else None,
            accept_read_bar=scale.accept_read_bar,
        )

    def prepare(self, row: Row) -> runner.Ready:
        """Read, and find out whether there is anything to ask; measure and look up if there is."""
        from glassllava.measurement import measure
        from glassllava.micrograph import reading

        clock = _Clock()
        recipe = self.recipe
        sample = sample_for(row.file, recipe.sample)
        micrograph = self.measuring.applied(self._read(row))
        clock.lap("read")
        asked = asked_fingerprint(
            micrograph,
            sample,
            # As the enquiry holds it, and so the record.
            recipe.question or DEFAULT_QUESTION,
            recipe.context,
            model=self.model.identity.sha256 or self.model.identity.reference,
            batch_policy=self.model.batch_policy,
            library=self.generation,
        )
        if row.asked == asked and set(recipe.wanted.split()) <= set((row.wanted or "").split()):
            if row.judged == judged_fingerprint(recipe.judging, self.model.calibration):
                return runner.Ready(row, None)
            return runner.Ready(row, None, lambda: self._judge_again(row, micrograph, sample))
        frame = reading.grey(micrograph)
        clock.lap("read")
        looked = scope.look(micrograph, sample, recipe.context, frame)
        measurements = measure(micrograph, frame)
        clock.lap("measure")
        keep_picture(self.ledger.run / "thumbnails", micrograph, frame)
        clock.lap("picture")
        searched = _Timed(self.literature)
        enquiry = prepare(
            micrograph,
            sample,
            recipe.question,
            recipe.context,
            literature=searched,
            probe_keys=self.model.probe_keys,
            passage_budget=self.model.passage_budget,
            measurements=measurements,
            looked=looked,
            want_text=recipe.text,
            want_blank=recipe.blank,
        )
        clock.seconds["retrieve"] = searched.seconds
        return runner.Ready(row, enquiry, seconds=clock.seconds)

    def conclude(self, ready: runner.Ready, reply: Reply) -> Interpretation:
        assert ready.enquiry is not None
        found = self._conclude(ready.enquiry, reply)
        # What a model calls its own stages stays beside the stages of the night.
        return replace(found, timing={**found.timing, **ready.seconds})

    def keep(self, outcome: runner.Outcome) -> bool:
        """Write an outcome into the ledger; whether the row is done."""
        row, found = outcome.row, outcome.interpretation
        if outcome.reason and row.state == "done":
            # What was done stays done: the file has gone or changed since.
            self.notes.append(f"{row.path}: kept as it was, since now: {outcome.reason}")
            self.unchanged += 1
            return True
        if outcome.reason:
            self.ledger.fail(row.id, outcome.reason, outcome.remedy)
            return False
        if found is None:
            self.unchanged += 1
            return True
        evidence: Mapping[str, Any]
        if outcome.enquiry is not None:
            evidence, wanted = _evidence(outcome.enquiry), self.recipe.wanted
        else:
            assert row.interpretation is not None
            before = self.ledger.kept(row.interpretation)
            evidence, wanted = before.evidence, before.wanted
        try:
            self.ledger.keep(row.id, found, evidence, wanted)
        except ValueError as error:  # a number that is none: JSON has no word for it
            _log.error("%s cannot be kept", row.path, exc_info=error)
            self.ledger.fail(row.id, f"The record cannot be kept ({error})", runner.FAULT)
            return False
        if outcome.enquiry is not None:
            self.asked += 1
        else:
            self.judged += 1
        return True

    def _judge_again(self, row: Row, micrograph: Micrograph, sample: Sample) -> Interpretation:
        """The kept reply under the rules, thresholds and calibration of now; no model."""
        assert row.interpretation is not None
        kept = self.ledger.kept(row.interpretation)
        before = kept.interpretation
        # Today's signs: whether a picture is in scope is part of judging.
        looked = scope.look(micrograph, sample, before.context_asked)
        enquiry = replace(kept.enquiry(micrograph, sample), scope=looked)
        found = self._conclude(enquiry, before.reply)
        return replace(found, timing={**before.timing, **found.timing})

    def _conclude(self, enquiry: Enquiry, reply: Reply) -> Interpretation:
        return conclude(
            enquiry,
            reply,
            calibration=self.model.calibration,
            judging=self.recipe.judging,
            library=self.generation,
        )


def _evidence(enquiry: Enquiry) -> dict[str, Any]:
    return {
        "measurements": enquiry.measurements.to_json(),
        "warnings": list(enquiry.warnings),
    }


def literature_of(
    ledger: Ledger, recipe: Recipe, given: Literature | None, refresh: bool
) -> tuple[Literature, str, Callable[[], None], list[str]]:
    """The literature at the generation of this run, that generation, how to close it, and notes."""

    def nothing() -> None: ...

    if recipe.context != "high":
        # Only the high level is told literature: the others need no library to be opened.
        return NoLiterature(), "", nothing, []
    close: Callable[[], None] = nothing
    if given is None:
        from rag import open_library

        library: Any = open_library()
        close = library.close
    else:
        library = given
    if not hasattr(library, "pinned"):
        return library, str(getattr(library, "generation", "")), close, []
    try:
        newest = library.generation
        before = ledger.facts().get("library", "")
        at = int(before) if before and not refresh else newest
        notes = []
        if at < newest:
            notes.append(
                f"The library has grown since this run began (generation {at}, now {newest}): "
                "the run keeps to its own; --refresh uses the new one"
            )
        pinned = library.pinned(at)
        return pinned, str(at), close, [*notes, *getattr(pinned, "notes", ())]
    except LiteratureUnavailable:
        close()
        raise


class _Timed:
    """A literature that adds up how long its searches take."""

    def __init__(self, literature: Literature) -> None:
        self._literature = literature
        self.seconds = 0.0

    def search(self, query: str, limit: int) -> tuple[Passage, ...]:
        started = time.perf_counter()
        try:
            return self._literature.search(query, limit)
        finally:
            self.seconds += time.perf_counter() - started


class _Clock:
    """Seconds by stage; a stage that comes twice adds up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        moment = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + moment - self._last
        self._last = moment
