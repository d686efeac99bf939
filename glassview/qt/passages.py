"""The cards of the literature panel: a passage, one that was left out, a document.

Each takes what it shows when it is made, and sends what a person did as a signal.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from glassview.cards import DocumentCard, LeftOutRow, PassageCard
from glassview.qt.cited import quoted_label
from glassview.qt.panels import Cut, tip, words
from glassview.qt.style import mark_pixmap

_MARGIN = 12  # px
_TOP = Qt.AlignmentFlag.AlignTop


def _frame(frame: QFrame, margin: int = _MARGIN) -> QVBoxLayout:
    frame.setProperty("role", "card")
    layout = QVBoxLayout(frame)
    high = max(0, margin - 2)
    layout.setContentsMargins(margin, high, margin, high)
    layout.setSpacing(5)
    return layout


def bold(label: QLabel) -> QLabel:
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def link(text: str, tip: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setProperty("role", "link")
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    button.setToolTip(tip)
    return button


class PassageFrame(QFrame):
    """One passage with all that is known of where it stands."""

    paper_asked = Signal(object)  # Passage
    doi_asked = Signal(str)  # an address, on an explicit click alone

    def __init__(
        self, card: PassageCard, parent: QWidget | None = None, *, margin: int = _MARGIN
    ) -> None:
        super().__init__(parent)
        self.card = card
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        number = f"[{card.number}]" if card.number is not None else ""
        self.setAccessibleName(
            ", ".join(filter(None, (f"Passage {number}".strip(), card.title, card.place, card.use)))
        )
        layout = _frame(self, margin)
        layout.addWidget(bold(words(f"{number}  {card.title}".strip(), selectable=True)))
        if card.byline:
            layout.addWidget(words(card.byline, "quiet", selectable=True))
        layout.addWidget(words(card.place, "quiet", selectable=True))
        if card.use:
            layout.addLayout(self._use(card))
        layout.addSpacing(2)
        self.text = quoted_label(card.runs)
        layout.addWidget(self.text)
        if card.sources:
            layout.addWidget(words(f"Sources: {card.sources}", "quiet", selectable=True))
        elif not card.can_open and not card.doi:
            layout.addWidget(words("Sources: none checked", "quiet"))
        if card.doi:
            layout.addWidget(words(f"DOI {card.doi}", "quiet", selectable=True))
            layout.addLayout(self._doi(card))
        self.open: QPushButton | None = None
        if card.can_open:
            self.open = link(
                f"Open the paper at page {card.passage.page}",
                "Shows the page itself, from the file on this machine",
            )
            self.open.clicked.connect(lambda: self.paper_asked.emit(card.passage))
            layout.addWidget(self.open, 0, Qt.AlignmentFlag.AlignLeft)

    def _use(self, card: PassageCard) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(7)
        shape = QLabel()
        shape.setPixmap(mark_pixmap("no_defect" if card.is_used else "plain", 9))
        shape.setContentsMargins(0, 4, 0, 0)
        row.addWidget(shape, 0, _TOP)
        row.addWidget(words(card.use, "" if card.is_used else "quiet"), 1)
        return row

    def _doi(self, card: PassageCard) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(14)
        self.copy = link("Copy the DOI")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(card.doi))
        row.addWidget(self.copy)
        if card.doi_url:
            self.browse = link("Open it in the browser", f"Leaves GlassView: opens {card.doi_url}")
            self.browse.clicked.connect(lambda: self.doi_asked.emit(card.doi_url))
            row.addWidget(self.browse)
        row.addStretch(1)
        return row

    def put_marked(self, marked: bool) -> None:
        """Whether it is the one that a person followed a citation to."""
        self.setProperty("chosen", "true" if marked else "false")
        self.style().unpolish(self)
        self.style().polish(self)


class LeftOutFrame(QFrame):
    """A passage that was found and not given: where it stands and why, its words on demand."""

    words_asked = Signal(str)  # the passage's id

    def __init__(self, row: LeftOutRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.id = row.id
        layout = _frame(self)
        self.locator = words(row.locator, selectable=True)
        layout.addWidget(self.locator)
        layout.addWidget(words(row.reason, "quiet"))
        self.show_words = link("Show its words")
        self.show_words.clicked.connect(lambda: self.words_asked.emit(row.id))
        layout.addWidget(self.show_words, 0, Qt.AlignmentFlag.AlignLeft)
        self._layout = layout
        self.trouble = words("", "failed")
        self.trouble.hide()
        layout.addWidget(self.trouble)

    def put_card(self, card: PassageCard) -> PassageFrame:
        """Its words, in place of the link that asked for them."""
        for part in (self.locator, self.show_words, self.trouble):
            part.hide()
        shown = PassageFrame(card, margin=0)
        self._layout.addWidget(shown)
        return shown

    def put_trouble(self, text: str) -> None:
        self.trouble.setText(text)
        self.trouble.show()


class DocumentFrame(QFrame):
    """A document of the library, and the button that removes it or takes it back."""

    remove_asked = Signal(str)  # key
    undo_asked = Signal(str)

    def __init__(self, card: DocumentCard, *, is_removed: bool, can_change: bool) -> None:
        super().__init__()
        layout = _frame(self)
        row = QHBoxLayout()
        row.setSpacing(10)
        title = words(card.title, "quiet" if is_removed else "", selectable=True)
        row.addWidget(bold(title), 1, _TOP)
        layout.addLayout(row)
        if card.byline:
            layout.addWidget(words(card.byline, "quiet", selectable=True))
        layout.addWidget(words("Removed from the library" if is_removed else card.holds, "quiet"))
        file = Cut(card.file, "small")
        layout.addWidget(file)
        if card.path:
            file.setToolTip(tip(card.path))
        self.button: QPushButton | None = None
        if is_removed:
            self.button = link("Undo", "Adds the file again")
            self.button.clicked.connect(lambda: self.undo_asked.emit(card.key))
        elif card.can_remove:
            self.button = link(
                "Remove",
                "No later search finds it; a run that has pinned the library still does",
            )
            self.button.clicked.connect(lambda: self.remove_asked.emit(card.key))
        if self.button is not None:
            self.button.setEnabled(can_change)
            row.addWidget(self.button, 0, _TOP)
