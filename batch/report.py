"""What a report says, as data: entries, counts, failures, statements; nothing of how it is drawn.

Takes interpretations, not a ledger, so that one micrograph on a desktop gets the same report as a
night. Operator names never enter: a record does not hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from glassllava.interpretation import DISCLAIMER, Decision, Interpretation

if TYPE_CHECKING:
    from batch.ledger import Review


@dataclass(frozen=True, slots=True)
class Entry:
    """One micrograph of a report: its interpretation, the name it is shown by, and its review."""

    interpretation: Interpretation
    name: str = ""
    review: Review | None = None

    @property
    def decision(self) -> Decision:
        return self.interpretation.verdict.decision


@dataclass(frozen=True, slots=True)
class Failed:
    """A micrograph that could not be interpreted."""

    path: str
    reason: str
    remedy: str = ""
    tries: int = 1


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of the run that a report is about; times are ISO 8601."""

    name: str
    folders: tuple[str, ...] = ()
    started: str = ""
    finished: str = ""
    discovered: int = 0
    recipe: str = ""
    library: str = ""


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that a report shows. `statements` are what every report says."""

    title: str
    entries: tuple[Entry, ...]
    failures: tuple[Failed, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    run: RunFacts | None = None
    pictures: Path | None = None
    statements: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def pending(self) -> int:
        """Micrographs of the run that nothing is known of yet."""
        if self.run is None:
            return 0
        told = len(self.entries) + len(self.failures) + len(self.skipped)
        return max(0, self.run.discovered - told)

    @property
    def partial(self) -> bool:
        return self.pending > 0


def build_report(
    interpretations: Sequence[Interpretation | Entry],
    *,
    failures: Sequence[Failed] = (),
    skipped: Sequence[tuple[str, str]] = (),
    run: RunFacts | None = None,
    title: str = "Defect report",
    pictures: Path | None = None,
) -> ReportData:
    """The report of some interpretations.

    Parameters
    ----------
    interpretations : bare, or as entries with the name to show and the review that holds.
    failures, skipped, run : what a scan adds; none of them is needed.
    pictures : the folder of cached pictures of the run, if there is one.
    """
    entries = tuple(
        entry if isinstance(entry, Entry) else Entry(entry, PurePath(entry.micrograph["path"]).name)
        for entry in interpretations
    )
    decisions = [entry.decision for entry in entries]
    counts = {name: decisions.count(name) for name in ("defect", "no_defect", "undecided")}
    counts["failed"] = len(failures)
    return ReportData(
        title=title,
        entries=entries,
        failures=tuple(failures),
        skipped=tuple(skipped),
        run=run,
        pictures=pictures,
        statements=tuple(_statements(entries)),
        counts=counts,
    )


def is_synthetic(interpretation: Interpretation) -> bool:
    """Whether the micrograph's own header says that it was made by a program."""
    instrument = interpretation.micrograph.get("instrument") or {}
    return any("synthetic" in str(value).lower() for value in instrument.values())


def _statements(entries: Sequence[Entry]) -> Iterable[str]:
    yield DISCLAIMER
    found = [entry.interpretation for entry in entries]
    for model in dict.fromkeys(each.reply.identity for each in found):
        yield (
            f"Model: {model.name}, version {model.version}. Licence: {model.licence}. "
            f"Made for: {model.materials}."
        )
        if model.trained_on_synthetic:
            yield f"{model.name} was trained on synthetic micrographs."
        if model.host:
            yield f"The micrographs were sent to, and seen by, the host {model.host}."
    if found and not any(each.reply.identity.host for each in found):
        yield "No micrograph left this machine."
    synthetic = sum(map(is_synthetic, found))
    if synthetic:
        yield (
            f"{synthetic} of the {len(found)} interpreted micrographs are synthetic, as their "
            "headers say: drawn by a program, no real specimen."
        )
    elif found:
        yield "No header says that a micrograph is synthetic."
    uncalibrated = sum(not each.model_verdict.calibrated for each in found)
    if uncalibrated:
        yield (
            f"In {uncalibrated} of {len(found)} interpretations the model's probabilities are not "
            "calibrated."
        )
    reviewed = [entry.review for entry in entries if entry.review]
    if reviewed:
        overruled = sum(
            entry.review.decision != entry.decision for entry in entries if entry.review
        )
        yield (
            f"{len(reviewed)} of {len(entries)} verdicts were reviewed by a person, who overruled "
            f"{overruled}; the counts are of the verdicts before review."
        )
    elif entries:
        yield "No verdict in this report was reviewed by a person."
