"""The literature panel: passages given, a free search, figures alike, the library's documents.

Takes screen state in by `put…`; sends what a person did as signals. Files dropped on it are papers
for the library, not micrographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from glassview.alike import Figures, words_of
from glassview.cards import LeftOutRow, PassageCard
from glassview.qt.figures import FigureFrame
from glassview.qt.panels import Page, emptied, section, words
from glassview.qt.passages import DocumentFrame, LeftOutFrame, PassageFrame, link
from glassview.qt.strip import Strip
from glassview.shelf import Adding, Held, Search, Wanted, nothing_words

_VIEWS = (("given", "Given"), ("found", "Search"), ("alike", "Alike"), ("held", "Library"))
_BORDER = 2  # px: it shows where a drop goes
_BOUNDS = (
    ("material", "Material", "float glass"),
    ("process", "Process", "tempered"),
    ("years", "Years", "2010-2020"),
)


class Literature(QWidget):
    """Four views under one search field."""

    searched = Signal(str, object)  # words, Wanted
    view_chosen = Signal(str)
    back_asked = Signal()
    paper_asked = Signal(object)  # Passage
    doi_asked = Signal(str)
    words_asked = Signal(str)  # id of a passage that was left out
    files_asked = Signal()
    folder_asked = Signal()
    dropped = Signal(list)  # paths
    remove_asked = Signal(str)
    undo_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("literature")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAcceptDrops(True)
        self.given, self.found, self.alike, self.held = Page(), Page(), Page(), Page()
        self.cards: dict[int, PassageFrame] = {}
        self.left_out: dict[str, LeftOutFrame] = {}
        self.strip = Strip()
        self._views = QStackedWidget()
        self._followed = False  # a citation led here: there is a way back
        pages = (self.given, self.found, self.alike, self.held)
        for page in pages:
            page.column.setContentsMargins(16 - _BORDER, 8, 16 - _BORDER, 16)
            self._views.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*4 * [_BORDER])
        layout.setSpacing(0)
        layout.addWidget(self._head())
        layout.addWidget(self._views, 1)
        layout.addWidget(self.strip)
        self._lists: dict[str, QVBoxLayout] = {}
        for (name, _), page in zip(_VIEWS, pages, strict=True):
            column = QVBoxLayout()
            column.setSpacing(10)
            if name == "held":
                page.column.addWidget(self._add_button(), 0, Qt.AlignmentFlag.AlignLeft)
                page.column.addWidget(
                    words("Or drop files and folders here: nothing leaves this machine.", "quiet")
                )
            page.column.addLayout(column)
            page.column.addStretch(1)
            self._lists[name] = column
        self.show_view("given")

    # -- parts ---------------------------------------------------------------------------------

    def _head(self) -> QWidget:
        self.query = QLineEdit()
        self.query.setPlaceholderText("Search the literature")
        self.query.setAccessibleName("Search the literature")
        self.query.setMaxLength(2000)
        self.query.setClearButtonEnabled(True)
        self.query.setAcceptDrops(False)  # a paper that is dropped here is no words to search for
        self.query.returnPressed.connect(self._search)
        self.go = QPushButton("Search")
        self.go.clicked.connect(self._search)
        self.bounds = QToolButton()
        self.bounds.setText("Narrow")
        self.bounds.setCheckable(True)
        self.bounds.setToolTip("Only passages about a material or a process, or of some years")
        self.bounds.setProperty("role", "flat")
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.query, 1)
        row.addWidget(self.go)
        narrowing = QWidget()
        inner = QHBoxLayout(narrowing)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(6)
        self.narrowing: dict[str, QLineEdit] = {}
        for name, label, hint in _BOUNDS:
            field = QLineEdit()
            field.setPlaceholderText(f"{label}")
            field.setToolTip(f"{label}, such as: {hint}")
            field.setAccessibleName(f"Only {label.lower()}")
            field.setMaxLength(200)
            field.setAcceptDrops(False)
            field.returnPressed.connect(self._search)
            inner.addWidget(field, 2 if name != "years" else 1)
            self.narrowing[name] = field
        narrowing.hide()
        self.bounds.toggled.connect(narrowing.setVisible)
        tabs = QHBoxLayout()
        tabs.setSpacing(2)
        self.buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        for name, label in _VIEWS:
            button = QToolButton()
            button.setText(label)
            button.setCheckable(True)
            button.setProperty("role", "flat")
            button.clicked.connect(lambda checked=False, n=name: self.show_view(n))
            tabs.addWidget(button)
            self._group.addButton(button)
            self.buttons[name] = button
        tabs.addStretch(1)
        tabs.addWidget(self.bounds)
        self.back = link("‹  Back to the verdict")
        self.back.clicked.connect(self.back_asked)
        self.back.hide()
        head = QWidget()
        head.setObjectName("page")
        layout = QVBoxLayout(head)
        layout.setContentsMargins(16 - _BORDER, 12, 16 - _BORDER, 4)
        layout.setSpacing(6)
        layout.addLayout(row)
        layout.addWidget(narrowing)
        layout.addLayout(tabs)
        layout.addWidget(self.back, 0, Qt.AlignmentFlag.AlignLeft)
        return head

    def _add_button(self) -> QToolButton:
        menu = QMenu(self)
        menu.addAction("Files …").triggered.connect(lambda checked=False: self.files_asked.emit())
        menu.addAction("A folder …").triggered.connect(
            lambda checked=False: self.folder_asked.emit()
        )
        self.add = QToolButton()
        self.add.setText("Add papers …")
        self.add.setToolTip("PDF, Markdown, text, HTML, JATS; BibTeX, RIS and CSL-JSON beside them")
        self.add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.add.setMenu(menu)
        return self.add

    # -- what is shown -------------------------------------------------------------------------

    @property
    def view(self) -> str:
        return _VIEWS[self._views.currentIndex()][0]

    def show_view(self, name: str) -> None:
        self._views.setCurrentIndex([view for view, _ in _VIEWS].index(name))
        self.buttons[name].setChecked(True)
        self.back.setVisible(name == "given" and self._followed)
        self.view_chosen.emit(name)

    def put_query(self, query: str) -> None:
        """The words that were looked up, to be asked again or otherwise."""
        self.query.setText(query)
        self.query.setCursorPosition(0)

    def put_given(
        self, cards: Sequence[PassageCard], left_out: Sequence[LeftOutRow], head: str, query: str
    ) -> None:
        """The passages of one interpretation; `head` says how many, or why there is none."""
        column = self._lists["given"]
        emptied(column)
        self._followed = False
        self.back.hide()
        column.addWidget(words(head, "quiet"))
        if query:
            column.addWidget(words(f"Looked up: {query}", "quiet", selectable=True))
        self.cards = {card.number: self._frame(card) for card in cards if card.number is not None}
        for frame in self.cards.values():
            column.addWidget(frame)
        self.left_out = {}
        if left_out:
            column.addWidget(section("Found, and not given to the model"))
        for row in left_out:
            passed = LeftOutFrame(row)
            passed.words_asked.connect(self.words_asked)
            column.addWidget(passed)
            self.left_out[row.id] = passed
        self.given.verticalScrollBar().setValue(0)

    def put_left_out_words(self, passage_id: str, card: PassageCard | str) -> None:
        """The words of a passage that was left out, or why they cannot be shown."""
        if (frame := self.left_out.get(passage_id)) is None:
            return
        if isinstance(card, str):
            frame.put_trouble(card)
        else:
            self._wire(frame.put_card(card))

    def put_found(self, search: Search, cards: Sequence[PassageCard]) -> None:
        column = self._lists["found"]
        emptied(column)
        self.go.setEnabled(not search.is_running)
        if search.trouble is not None:
            trouble = search.trouble
            column.addWidget(words(f"{trouble.what}. {trouble.remedy}".strip(), "failed"))
            return
        if nothing := nothing_words(search):
            column.addWidget(words(nothing, "quiet"))
        if search.is_running:
            return
        if cards:
            many = "passages" if len(cards) > 1 else "passage"
            column.addWidget(words(f"{len(cards)} {many} for “{search.query}”", "quiet"))
        for card in cards:
            column.addWidget(self._frame(card))
        self.found.verticalScrollBar().setValue(0)

    def put_figures(self, figures: Figures) -> None:
        """Published figures that look like the open micrograph, or how far looking is."""
        column = self._lists["alike"]
        emptied(column)
        column.addWidget(words(words_of(figures), "failed" if figures.trouble else "quiet"))
        if figures.is_running or figures.trouble is not None:
            return
        for number, card in enumerate(figures.cards or (), start=1):
            frame = FigureFrame(card, number)
            frame.paper_asked.connect(self.paper_asked)
            column.addWidget(frame)
        self.alike.verticalScrollBar().setValue(0)

    def put_held(self, held: Held, *, can_add: bool) -> None:
        column = self._lists["held"]
        kept = self.held.verticalScrollBar().value()
        emptied(column)
        self.add.setEnabled(can_add)
        if held.trouble is not None:
            trouble = held.trouble
            column.addWidget(words(f"{trouble.what}. {trouble.remedy}".strip(), "failed"))
        elif held.cards is None:
            column.addWidget(words("Opening the library …", "quiet"))
        if held.readonly:
            column.addWidget(words(f"Nothing can be added: {held.readonly}.", "warning"))
        for card in held.removed:
            self._add_document(DocumentFrame(card, is_removed=True, can_change=can_add))
        for card in held.cards or ():
            can_change = not held.readonly and card.key not in held.busy
            self._add_document(DocumentFrame(card, is_removed=False, can_change=can_change))
        # The old place makes sense only once the new cards have their heights.
        QTimer.singleShot(0, self.held, lambda: self.held.verticalScrollBar().setValue(kept))

    def put_adding(self, adding: Adding) -> None:
        self.strip.put(adding)

    def _add_document(self, frame: DocumentFrame) -> None:
        frame.remove_asked.connect(self.remove_asked)
        frame.undo_asked.connect(self.undo_asked)
        self._lists["held"].addWidget(frame)

    def _frame(self, card: PassageCard) -> PassageFrame:
        frame = PassageFrame(card)
        self._wire(frame)
        return frame

    def _wire(self, frame: PassageFrame) -> None:
        frame.paper_asked.connect(self.paper_asked)
        frame.doi_asked.connect(self.doi_asked)

    def show_passage(self, number: int) -> None:
        """Scroll to a given passage, mark it, and give it the keyboard."""
        if number not in self.cards:
            return
        self._followed = True
        self.show_view("given")
        for other, frame in self.cards.items():
            frame.put_marked(other == number)
        # A panel that was not visible has no layout to scroll in yet.
        QTimer.singleShot(0, self.cards[number], lambda: self._scroll_to(number))

    def _scroll_to(self, number: int) -> None:
        if (frame := self.cards.get(number)) is not None:
            self.given.verticalScrollBar().setValue(max(0, frame.y() - 10))
            frame.setFocus(Qt.FocusReason.OtherFocusReason)

    # -- hands ---------------------------------------------------------------------------------

    def _search(self) -> None:
        if self.query.text().strip() and self.go.isEnabled():
            bounds = {name: field.text().strip() for name, field in self.narrowing.items()}
            self.query.setCursorPosition(0)
            self.searched.emit(
                self.query.text(), Wanted(**bounds) if self.bounds.isChecked() else Wanted()
            )

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self._put_dropping(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802
        self._put_dropping(False)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        self._put_dropping(False)
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def _put_dropping(self, dropping: bool) -> None:
        self.setProperty("dropping", "true" if dropping else "false")
        self.style().unpolish(self)
        self.style().polish(self)
