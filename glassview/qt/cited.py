"""Labels for words of others: citations that can be followed, quotations that are marked.

The one place of the desktop that hands markup to Qt; everything foreign in it is escaped first, so
that no paper and no model sets a letter of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QWidget

from glassview.cards import Piece, Run
from glassview.qt.panels import words
from glassview.qt.style import ACCENT, QUOTED

_FOLLOWED = (
    Qt.TextInteractionFlag.TextSelectableByMouse
    | Qt.TextInteractionFlag.LinksAccessibleByMouse
    | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
)


class CitedText(QLabel):
    """A text whose citations are links: a click, or Tab and Enter, sends the number."""

    cited = Signal(int)

    def __init__(self, role: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        label = words()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self.setMinimumWidth(1)
        self.setSizePolicy(label.sizePolicy())
        if role:
            self.setProperty("role", role)
        self.setOpenExternalLinks(False)
        self.linkActivated.connect(self._on_link)
        self.plain = ""

    def put(self, pieces: Sequence[Piece]) -> None:
        self.plain = "".join(piece.text for piece in pieces)
        has_links = any(piece.number is not None for piece in pieces)
        self.setTextInteractionFlags(
            _FOLLOWED if has_links else Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.setText("".join(map(_linked, pieces)))
        self.setVisible(bool(self.plain))
        self.setAccessibleName(self.plain)

    def _on_link(self, link: str) -> None:
        self.cited.emit(int(link))


def _linked(piece: Piece) -> str:
    text = _escaped(piece.text)
    if piece.number is None:
        return text
    style = f"color: {ACCENT}; font-weight: 600; text-decoration: none;"
    return f'<a href="{piece.number:d}" style="{style}">{text}</a>'


def quoted_label(runs: Sequence[Run]) -> QLabel:
    """The words of a passage; what the answer quotes of it stands out."""
    label = words(selectable=True)
    if not any(run.is_quoted for run in runs):
        label.setText("".join(run.text for run in runs))
        return label
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setText("".join(map(_marked, runs)))
    label.setAccessibleName("".join(run.text for run in runs))
    return label


def _marked(run: Run) -> str:
    text = _escaped(run.text)
    return f'<span style="background-color: {QUOTED};">{text}</span>' if run.is_quoted else text


def _escaped(text: str) -> str:
    return escape(text).replace("\n", "<br>")
