"""The bench: what an interpretation says on the screen, and what a person does about it.

Asks in the background, shows verdict and overlay, hands reviews to the session, writes
the report. Knows nothing of how pictures are fetched (`stage`), nor of the literature (`desk`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from batch.ledger import Review
from glassllava.errors import GlassError
from glassllava.interpretation import Decision, Interpretation
from glassview import cards, evidence, presenter
from glassview.qt.jobs import Jobs
from glassview.qt.window import Window
from glassview.rooms import Rooms
from glassview.session import Session, Sheet, Trouble

WriteReport = Callable[[Interpretation, Review | None, Path], None]

_INVITE = (
    "Not interpreted yet. Describe the sample if you can, then press Interpret: the micrograph is "
    "measured, the literature looked up, and the model asked."
)
_NOT_READ = "This file cannot be read, so there is nothing to interpret."


class Bench:
    """The right side of the window, wired."""

    def __init__(
        self,
        window: Window,
        jobs: Jobs,
        session: Session,
        rooms: Rooms,
        write_report: WriteReport,
        say_trouble: Callable[[Trouble], None],
    ) -> None:
        self.window, self.jobs, self.session = window, jobs, session
        self._rooms, self._write_report, self._say_trouble = rooms, write_report, say_trouble
        self._said: tuple[object, ...] = ()
        self._chosen = ""
        window.on("interpret", self.interpret)
        window.on("stop", self.stop_waiting)
        window.on("accept", self.accept)
        window.on("overrule", self._open_overruling)
        window.ask.asked.connect(self.interpret)
        window.verdict.accepted.connect(self.accept)
        window.verdict.overruled.connect(self.overrule)
        window.verdict.finding_chosen.connect(self.choose)
        window.verdict.finding_hovered.connect(
            lambda feature: window.canvas.highlight(feature or self._chosen)
        )
        window.canvas.region_clicked.connect(self.choose)

    def _open_overruling(self) -> None:
        self.window.show_verdict()
        self.window.verdict.open_overruling()

    def show(self, sheet: Sheet) -> None:
        window, made = self.window, sheet.interpretation
        # What stands there already is left alone: a person may be typing a reason into it.
        said = (
            *(sheet.key, sheet.micrograph is None, sheet.trouble, sheet.stage),
            *(made, sheet.review, sheet.interpretation_trouble, sheet.is_outdated),
        )
        if said == self._said:
            return
        if self._said[:1] != said[:1]:
            self._chosen = ""
        self._said = said
        card = evidence.verdict_card(sheet)
        if made is None or card is None:
            text = _INVITE if sheet.micrograph else ""
            text = f"{sheet.stage} … (Esc stops waiting)" if sheet.stage else text
            text = _NOT_READ if sheet.trouble else text
            window.verdict.put_nothing(text, sheet.interpretation_trouble)
            window.canvas.put_overlays(())
            return
        window.verdict.put(
            card,
            evidence.finding_rows(made),
            absent=evidence.absent_words(made),
            answer=cards.cited_pieces(made.answer, len(made.passages)),
            description=cards.cited_pieces(made.description, len(made.passages)),
            warnings=made.warnings,
            small_print=evidence.provenance(made),
            trouble=sheet.interpretation_trouble,
        )
        window.canvas.put_overlays(presenter.overlays(made))
        self.choose(self._chosen)

    def put_overlays(self, key: int) -> None:
        """Draw what a sheet's interpretation found, after its picture came."""
        self.window.canvas.put_overlays(presenter.overlays(self.session[key].interpretation))
        self.window.canvas.highlight(self._chosen)

    def choose(self, feature: str) -> None:
        self._chosen = feature
        self.window.canvas.highlight(feature)
        self.window.verdict.put_chosen(feature)

    # -- judging -------------------------------------------------------------------------------

    def interpret(self) -> None:
        self.window.sample.commit()
        sheet = self.session.sheet
        if sheet is None or sheet.micrograph is None or sheet.stage:
            return
        key = sheet.key
        self.window.show_verdict()
        self.session.update(key, stage="Waiting", interpretation_trouble=None)
        self.jobs.run(
            "judge",
            f"judge {key}",
            lambda say: self._rooms.interpret(sheet, say),
            lambda made: self.session.concluded(key, made),
            lambda trouble: self.session.update(key, stage="", interpretation_trouble=trouble),
            lambda words: self.session.update(key, stage=words),
        )

    def stop_waiting(self) -> None:
        sheet = self.session.sheet
        if sheet is not None and sheet.stage:
            self.jobs.forget(f"judge {sheet.key}")
            self.session.update(sheet.key, stage="")

    def accept(self) -> None:
        sheet = self.session.sheet
        if sheet is not None and sheet.interpretation is not None:
            self._review(sheet.interpretation.verdict.decision, "")

    def overrule(self, verdict: Any, reason: str) -> None:
        self._review(verdict, reason)

    def _review(self, decision: Decision, reason: str) -> None:
        try:
            self.session.review(decision, reason)
        except GlassError as error:
            self._say_trouble(Trouble.of(error))
        self.session.on_change(None)  # what can be undone has changed

    # -- the report ----------------------------------------------------------------------------

    def export(self, path: Path) -> None:
        """Write the report of the shown micrograph."""
        sheet = self.session.sheet
        if sheet is None or sheet.interpretation is None:
            return
        made, review = sheet.interpretation, sheet.review
        self.window.message.setText("Writing the report …")
        self.jobs.run(
            "judge",
            "export",
            lambda say: self._write_report(made, review, path),
            lambda nothing: self.window.message.setText(f"Report written: {path}"),
            self._say_trouble,
        )
