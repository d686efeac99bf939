"""The main window: where everything stands, and which key does what.

Holds the widgets and the actions; decides nothing. `app` connects their signals to the session
and puts the presenter's states back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMenu,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from glassview.presenter import WindowState
from glassview.qt.canvas import Canvas
from glassview.qt.contrast import Contrast
from glassview.qt.literature import Literature
from glassview.qt.offer import Offer
from glassview.qt.panels import AskBar, Cut, Metadata, Page, SampleForm, section, tip, words
from glassview.qt.places import Failure, Invitation, LogWindow, Shortcuts
from glassview.qt.thumbnails import Thumbnails
from glassview.qt.verdict import VerdictPanel

#: name: (menu, text, keys)
_ACTIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "open": ("File", "Open files …", ("Ctrl+O",)),
    "open_folder": ("File", "Open folder …", ("Ctrl+Shift+O",)),
    "add_papers": ("File", "Add papers to the library …", ("Ctrl+Shift+P",)),
    "export": ("File", "Export report as PDF …", ("Ctrl+E",)),
    "close_all": ("File", "Close all micrographs", ("Ctrl+W",)),
    "quit": ("File", "Quit", ("Ctrl+Q",)),
    "undo": ("Edit", "Undo", ("Ctrl+Z",)),
    "redo": ("Edit", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y")),
    "previous": ("View", "Previous micrograph", ("Left", "A")),
    "next": ("View", "Next micrograph", ("Right", "D")),
    "fit": ("View", "Fit the window", ("Ctrl+0",)),
    "one_to_one": ("View", "One to one", ("1",)),
    "zoom_in": ("View", "Zoom in", ("+", "=", "Ctrl++")),
    "zoom_out": ("View", "Zoom out", ("-", "Ctrl+-")),
    "contrast": ("View", "Contrast", ("Shift+C",)),
    "overlay": ("View", "Overlay", ("O",)),
    "search": ("View", "Search the literature", ("Ctrl+F",)),
    "interpret": ("Interpretation", "Interpret", ("Ctrl+Return", "Ctrl+Enter")),
    "stop": ("Interpretation", "Stop waiting", ("Escape",)),
    "accept": ("Interpretation", "Accept the verdict", ("Ctrl+Shift+A",)),
    "overrule": ("Interpretation", "Overrule the verdict …", ("Ctrl+Shift+R",)),
    "shortcuts": ("Help", "Shortcuts", ("F1", "?")),
    "log": ("Help", "Log", ("Ctrl+L",)),
}
_SEPARATED = ("add_papers", "export", "close_all", "fit", "contrast", "accept")


class Window(QMainWindow):
    """The desktop."""

    dropped = Signal(list)  # paths
    closing = Signal()
    page_chosen = Signal(int)
    size_typed = Signal(str)
    recent_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("GlassView")
        self.setAcceptDrops(True)
        self.actions_by_name: dict[str, QAction] = {}
        self.invitation = Invitation()
        self.thumbnails = Thumbnails()
        self.canvas = Canvas()
        self.failure = Failure()
        self.offer = Offer()
        self.ask = AskBar()
        self.verdict = VerdictPanel()
        self.literature = Literature()
        self.sample = SampleForm()
        self.contrast = Contrast()
        self.metadata = Metadata()
        self.shortcuts = Shortcuts(self)
        self.log = LogWindow(self)
        self._make_menus()

        self._middle = QStackedWidget()
        self._middle.addWidget(self.canvas)
        self._middle.addWidget(self.failure)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.thumbnails)
        self.splitter.addWidget(self._middle_column())
        self.splitter.addWidget(self._right_column())
        self.splitter.setStretchFactor(1, 1)
        self._columns_moved = False
        self.splitter.splitterMoved.connect(self._on_columns_moved)
        self._places = QStackedWidget()
        self._places.addWidget(self.invitation)
        self._places.addWidget(self.splitter)
        self.setCentralWidget(self._places)
        self._make_status_bar()
        self.resize(1440, 900)
        self.setMinimumSize(860, 560)
        self.invitation.files_asked.connect(self.actions_by_name["open"].trigger)
        self.invitation.folder_asked.connect(self.actions_by_name["open_folder"].trigger)
        self.invitation.recent_asked.connect(self.recent_chosen)
        self.canvas.dropped.connect(self.dropped)
        self.canvas.zoom_changed.connect(self._put_zoom)
        self.actions_by_name["contrast"].triggered.connect(self.show_contrast)
        self.actions_by_name["shortcuts"].triggered.connect(self.shortcuts.show)
        self.actions_by_name["log"].triggered.connect(self.log.show)
        self.actions_by_name["quit"].triggered.connect(self.close)
        for name, do in (
            ("fit", self.canvas.fit),
            ("one_to_one", self.canvas.one_to_one),
            ("zoom_in", lambda: self.canvas.zoom_by(1.25)),
            ("zoom_out", lambda: self.canvas.zoom_by(0.8)),
        ):
            self.on(name, do)
        overlay = self.actions_by_name["overlay"]
        overlay.setCheckable(True)
        overlay.setChecked(True)
        overlay.toggled.connect(self.canvas.show_overlay)

    def on(self, name: str, do: Callable[[], object]) -> None:
        """What an action does."""
        self.actions_by_name[name].triggered.connect(lambda checked=False: do())

    # -- parts ---------------------------------------------------------------------------------

    def _make_menus(self) -> None:
        menus: dict[str, QMenu] = {}
        for name, (title, text, keys) in _ACTIONS.items():
            if title not in menus:
                menus[title] = self.menuBar().addMenu(title)
            if name in _SEPARATED:
                menus[title].addSeparator()
            action = QAction(text, self)
            action.setShortcuts([QKeySequence(key) for key in keys])
            menus[title].addAction(action)
            self.actions_by_name[name] = action
            if name == "open_folder":
                self.recent_menu = menus[title].addMenu("Recent")
        self.menus = menus

    def _middle_column(self) -> QWidget:
        self.name = Cut()
        font = self.name.font()
        font.setBold(True)
        self.name.setFont(font)
        self.position = QLabel()
        self.position.setProperty("role", "quiet")
        self.pages = QComboBox()
        self.pages.setAccessibleName("Page of the file")
        self.pages.activated.connect(lambda row: self.page_chosen.emit(self.pages.itemData(row)))
        row = QHBoxLayout()
        row.setContentsMargins(14, 6, 10, 6)
        row.setSpacing(4)
        row.addWidget(self.name, 1)
        row.addWidget(self.pages)
        row.addWidget(self._flat("previous", "‹"))
        row.addWidget(self.position)
        row.addWidget(self._flat("next", "›"))
        row.addSpacing(8)
        row.addWidget(self._flat("fit", "Fit"))
        row.addWidget(self._flat("one_to_one", "1:1"))
        row.addWidget(self._flat("contrast", "Contrast"))
        row.addWidget(self._flat("overlay", "Overlay"))
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(self._middle, 1)
        column.setMinimumWidth(300)
        return column

    def _flat(self, name: str, text: str) -> QToolButton:
        action = self.actions_by_name[name]
        button = QToolButton()
        button.setDefaultAction(action)
        button.setText(text)
        button.setProperty("role", "flat")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        button.setToolTip(f"{action.text()} ({keys})")
        action.changed.connect(lambda: button.setText(text))
        return button

    def _right_column(self) -> QWidget:
        about = Page()
        about.column.addWidget(section("Contrast"))
        about.column.addWidget(self.contrast)
        about.column.addSpacing(6)
        about.column.addWidget(section("Metadata"))
        about.column.addWidget(self.metadata)
        about.column.addSpacing(6)
        about.column.addWidget(section("Pixel size by hand"))
        self.typed_size = QLineEdit()
        self.typed_size.setPlaceholderText("12.5 nm; stands above what the file says")
        self.typed_size.setAccessibleName("Pixel size by hand")
        self.typed_size.setMaxLength(60)
        self.typed_size.editingFinished.connect(
            lambda: self.size_typed.emit(self.typed_size.text())
        )
        self.size_trouble = words("", "failed")
        self.size_trouble.hide()
        about.column.addWidget(self.typed_size)
        about.column.addWidget(self.size_trouble)
        about.column.addStretch(1)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.tabBar().setDrawBase(False)
        for widget, title in (
            (self.verdict, "Verdict"),
            (self.literature, "Literature"),
            (self.sample, "Sample"),
            (about, "Micrograph"),
        ):
            self.tabs.addTab(widget, title)
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.ask)
        layout.addWidget(self._offered())
        layout.addWidget(self.tabs, 1)
        column.setMinimumWidth(320)
        return column

    def _offered(self) -> QWidget:
        """The offer of the drawn bar, with the column's own margins."""
        around = QWidget()
        layout = QVBoxLayout(around)
        layout.setContentsMargins(16, 0, 16, 0)
        layout.addWidget(self.offer)
        self.offer.typing_asked.connect(self._type_size)
        return around

    def _type_size(self) -> None:
        self.tabs.setCurrentIndex(self.tabs.count() - 1)
        self.typed_size.setFocus()

    def _make_status_bar(self) -> None:
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        self.cursor_words, self.counts = QLabel(), QLabel()
        self.message = QLabel()
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setProperty("role", "quiet")
        self.message.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.calibration, self.zoom = QLabel(), QLabel()
        self.cursor_words.setMinimumWidth(170)
        self.counts.setMinimumWidth(70)
        self.zoom.setMinimumWidth(56)
        self.zoom.setAlignment(Qt.AlignmentFlag.AlignRight)
        for widget in (self.cursor_words, self.counts, self.calibration, self.zoom):
            widget.setContentsMargins(8, 3, 8, 3)
        bar.addWidget(self.cursor_words)
        bar.addWidget(self.counts)
        bar.addWidget(self.message, 1)
        bar.addPermanentWidget(self.calibration)
        bar.addPermanentWidget(self.zoom)

    # -- setters -------------------------------------------------------------------------------

    def put(self, state: WindowState) -> None:
        self.setWindowTitle(state.title)
        self._places.setCurrentWidget(self.invitation if state.is_empty else self.splitter)
        self.statusBar().setVisible(not state.is_empty)
        self.position.setText(state.position)
        name = state.title.removesuffix(" – GlassView")
        self.name.put(name)
        if state.trouble is not None:
            self.failure.put(name, state.trouble)
        self._middle.setCurrentWidget(self.failure if state.trouble else self.canvas)
        for name, possible in (
            ("interpret", state.can_interpret),
            ("stop", bool(state.stage)),
            ("accept", state.can_review),
            ("overrule", state.can_review),
            ("export", state.can_export),
            ("close_all", not state.is_empty),
            ("undo", bool(state.undo)),
            ("redo", bool(state.redo)),
        ):
            self.actions_by_name[name].setEnabled(possible)
        self.actions_by_name["undo"].setText(f"Undo {state.undo}".strip())
        self.actions_by_name["redo"].setText(f"Redo {state.redo}".strip())

    def _put_zoom(self, zoom: float) -> None:
        self.zoom.setText(f"{100 * zoom:,.0f} %" if zoom >= 0.1 else f"{100 * zoom:.2g} %")

    def put_pages(self, pages: tuple[tuple[int, str, str], ...], shown: int) -> None:
        """A chooser where a file has several pages."""
        self.pages.clear()
        for row, (index, label, told) in enumerate(pages):
            self.pages.addItem(label, index)
            self.pages.setItemData(row, tip(told), Qt.ItemDataRole.ToolTipRole)
        self.pages.setCurrentIndex(self.pages.findData(shown))
        self.pages.setVisible(len(pages) > 1)

    def put_calibration(self, text: str, is_calibrated: bool) -> None:
        self.calibration.setText(text)
        self.calibration.setProperty("role", "" if is_calibrated else "warning")
        self.calibration.style().polish(self.calibration)

    def put_size_trouble(self, text: str) -> None:
        self.size_trouble.setText(text)
        self.size_trouble.setVisible(bool(text))

    def put_recent(self, paths: list[str]) -> None:
        self.recent_menu.clear()
        self.recent_menu.setEnabled(bool(paths))
        for path in paths:
            action = self.recent_menu.addAction(path.replace("&", "&&"))
            action.triggered.connect(lambda checked=False, p=path: self.recent_chosen.emit(p))
        self.invitation.put_recent(paths)

    def show_contrast(self) -> None:
        self.tabs.setCurrentIndex(3)
        self.contrast.histogram.setFocus()

    def show_verdict(self) -> None:
        self.tabs.setCurrentWidget(self.verdict)

    # -- remembered ----------------------------------------------------------------------------

    def restore(self, kept: QSettings) -> None:
        for key, take in (
            ("geometry", self.restoreGeometry),
            ("columns", self.splitter.restoreState),
        ):
            if value := kept.value(f"window/{key}"):
                take(value)
                self._columns_moved = self._columns_moved or key == "columns"

    def remember(self, kept: QSettings) -> None:
        kept.setValue("window/geometry", self.saveGeometry())
        if self._columns_moved:
            kept.setValue("window/columns", self.splitter.saveState())

    # -- hands ---------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self.message.setVisible(self.width() > 900)
        if not self._columns_moved:
            left, right = (132, 344) if self.width() < 1200 else (176, 416)
            self.splitter.setSizes([left, self.width() - left - right, right])

    def _on_columns_moved(self, position: int, index: int) -> None:
        self._columns_moved = True

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        self.closing.emit()
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)
