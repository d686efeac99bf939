"""The rooms below, as the desktop needs them: a model, a library, a run of its own, a report.

Every import of a room stands inside its function: torch, Chroma and reportlab take seconds, and
come up in the worker that needs them. Knows no widget.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from glassllava.measurement.ruler import MeasuringSettings
from glassllava.settings import Settings
from glassview.session import Made, Sheet

if TYPE_CHECKING:
    from batch.ledger import Ledger, Review
    from glassllava.interpretation import Decision, Interpretation
    from glassllava.literature import Literature
    from glassllava.micrograph.record import Micrograph
    from glassllava.model.backend import VisionModel

Say = Callable[[str], None]


class Rooms:
    """The model and the library: opened by the first who needs them, kept for the rest."""

    def __init__(
        self,
        open_model: Callable[[], VisionModel],
        open_library: Callable[[], Literature],
        measuring: MeasuringSettings | None = None,
    ) -> None:
        self._open_model, self._open_library = open_model, open_library
        self._measuring = measuring or MeasuringSettings()
        self._model: VisionModel | None = None
        self._library: Literature | None = None
        self._lock = threading.Lock()
        self._library_lock = threading.Lock()

    def library(self, say: Say = lambda words: None) -> Literature:
        """The library, opened by the first who asks.

        Raises
        ------
        LiteratureUnavailable : where it cannot be opened; the next call tries again.
        """
        with self._library_lock:
            if self._library is None:
                say("Opening the library")
                self._library = self._open_library()
            return self._library

    def model(self, say: Say = lambda words: None) -> VisionModel:
        """The model, opened by the first who asks.

        Raises
        ------
        ModelUnavailable, MissingPart : where it cannot be opened; the next call tries again.
        """
        with self._lock:
            if self._model is None:
                say("Opening the model")
                self._model = self._open_model()
            return self._model

    def interpret(self, sheet: Sheet, say: Say) -> Made:
        """The house's three calls, with a word before each for whoever waits."""
        from glassllava.interpreter import conclude, prepare
        from glassllava.literature import NoLiterature
        from glassllava.micrograph.reading import read_micrograph

        model = self.model(say)
        literature = self.library(say) if sheet.level == "high" else NoLiterature()
        say("Measuring")
        micrograph = read_micrograph(sheet.path, sheet.page, pixel_size=sheet.typed_size)
        enquiry = prepare(
            self._measuring.applied(micrograph),
            sheet.sample,
            sheet.question,
            sheet.level,
            literature=literature,
            probe_keys=model.probe_keys,
            passage_budget=model.passage_budget,
        )
        say("Asking the model")
        (reply,) = model.reply([enquiry])
        interpretation = conclude(
            enquiry,
            reply,
            calibration=model.calibration,
            library=str(getattr(literature, "generation", "")),
        )
        evidence = {
            "measurements": enquiry.measurements.to_json(),
            "warnings": list(enquiry.warnings),
        }
        return Made(interpretation, evidence, "text")

    def close(self) -> None:
        """Close the library; a worker that still opens one is not waited for."""
        if not self._library_lock.acquire(timeout=1):
            return
        try:
            if (close := getattr(self._library, "close", None)) is not None:
                close()
            self._library = None
        finally:
            self._library_lock.release()


@dataclass(frozen=True, slots=True)
class Recalled:
    """An interpretation of an earlier day, and the last word on it."""

    interpretation: Interpretation
    review: Review | None


class DesktopRun:
    """The desktop's own run: a ledger like any night's, made when the first result is kept.

    Satisfies `session.Archive`. For one thread: the one that made it.

    Raises
    ------
    RunUnavailable : from every method, where the folder or the ledger cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ledger: Ledger | None = None
        self._known: dict[tuple[str, int | None], int] | None = None

    def keep(self, made: Made) -> int:
        from batch.discovery import Place, printable

        ledger = self._opened(create=True)
        micrograph = made.interpretation.micrograph
        path, page = Path(micrograph["path"]), micrograph["page"]
        (row,) = ledger.discovered([Place(printable(str(path.parent)), printable(path.name), page)])
        kept = ledger.keep(row.id, made.interpretation, made.evidence, made.wanted)
        self._last()[(str(path), page)] = kept
        return kept

    def review(
        self, interpretation: int, decision: Decision | Literal[""], reason: str, who: str
    ) -> Review:
        return self._opened(create=True).review(interpretation, decision, reason, who)

    def last_of(self, micrograph: Micrograph) -> int | None:
        """The number of the last interpretation of this file and page, if there is one."""
        return self._last().get((str(micrograph.path), micrograph.page))

    def recall(self, kept: int) -> Recalled:
        ledger = self._opened(create=False)
        reviews = ledger.reviews(kept)
        last = reviews[-1] if reviews and reviews[-1].decision else None
        return Recalled(ledger.kept(kept).interpretation, last)

    def close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def _last(self) -> dict[tuple[str, int | None], int]:
        if self._known is None:
            self._known = {}
            if (self._folder / "ledger.sqlite").is_file():
                self._known = {
                    (str(row.file), row.page): row.interpretation
                    for row in self._opened(create=False).rows("done")
                    if row.interpretation is not None
                }
        return self._known

    def _opened(self, *, create: bool) -> Ledger:
        from batch.ledger import Ledger

        if self._ledger is None:
            self._ledger = Ledger.open(self._folder, create=create)
        return self._ledger


def is_same(path: Path, recorded: Any) -> bool:
    """True if the file still holds the bytes that a record's `micrograph` speaks of."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == recorded["sha256"]


def open_model(settings: Settings | None) -> VisionModel:
    from glassllava.model.opening import ModelSettings
    from glassllava.model.opening import open_model as opened

    settings = settings or Settings()
    return opened(settings.section("model", ModelSettings).reference, settings=settings)


def open_library() -> Literature:
    import rag

    return rag.open_library()


def write_report(made: Interpretation, review: Review | None, path: Path) -> None:
    """The defect report of one interpretation, with the last word on it."""
    from batch import pdf, report

    entry = report.Entry(made, name=Path(made.micrograph["path"]).name, review=review)
    pdf.draw(report.build_report([entry]), path)


def demo_folder() -> Path | None:
    """The bundled micrographs, which are synthetic; None where they were left out."""
    folder = Path(__file__).with_name("demo")
    return folder if folder.is_dir() else None
