"""The rooms below, as the desktop needs them: a model, a library, a report; opened when asked for.

Every import of a room stands inside its function: torch, Chroma and reportlab take seconds, and
come up in the worker that needs them. Knows no widget.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glassllava.settings import Settings
from glassview.session import Sheet

if TYPE_CHECKING:
    from glassllava.interpretation import Interpretation
    from glassllava.literature import Literature
    from glassllava.model.backend import VisionModel

Say = Callable[[str], None]


class Rooms:
    """The model and the library: opened by the first who needs them, kept for the rest."""

    def __init__(
        self, open_model: Callable[[], VisionModel], open_library: Callable[[], Literature]
    ) -> None:
        self._open_model, self._open_library = open_model, open_library
        self._model: VisionModel | None = None
        self._library: Literature | None = None
        self._lock = threading.Lock()

    def interpret(self, sheet: Sheet, say: Say) -> Interpretation:
        from glassllava.interpreter import interpret
        from glassllava.literature import NoLiterature
        from glassllava.micrograph.reading import read_micrograph

        with self._lock:
            if self._model is None:
                say("Opening the model")
                self._model = self._open_model()
            if self._library is None and sheet.level == "high":
                say("Opening the library")
                self._library = self._open_library()
        say("Reading")
        micrograph = read_micrograph(sheet.path, sheet.page, pixel_size=sheet.typed_size)
        say("Interpreting")
        library = self._library if sheet.level == "high" and self._library else NoLiterature()
        return interpret(
            micrograph,
            sheet.sample,
            sheet.question,
            sheet.level,
            model=self._model,
            literature=library,
            library=str(getattr(library, "generation", "")),
        )

    def close(self) -> None:
        if (close := getattr(self._library, "close", None)) is not None:
            close()
        self._library = None


def open_model(settings: Settings | None) -> VisionModel:
    from glassllava.model import opening

    return opening.open_model(settings=settings)


def open_library() -> Literature:
    import rag

    return rag.open_library()


def write_report(made: Sequence[Interpretation], path: Path) -> None:
    from batch import pdf, report

    pdf.draw(report.build_report(made), path)
