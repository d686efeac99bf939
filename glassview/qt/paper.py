"""The window of a paper: the page that was cited, as it is printed, with its lines marked.

Takes a drawn page in; sends out which page it wants, and how wide. Draws no PDF itself: pages come
from a process of their own, so that a hostile file can harm no window.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from glassview.papers import Page, Paper
from glassview.qt.panels import Cut, words
from glassview.qt.style import GROUND
from glassview.session import Trouble

_ZOOMS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)  # of the window's width
_MARGIN = 16  # px around the page
_WIDEST = 4000  # px: beyond it a page is stretched
_SETTLE_MS = 120
_MARKED = QColor(255, 214, 0, 90)


class PageView(QWidget):
    """A drawn page, `zoom` times as wide as the room there is, its marked lines over it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixmap = QPixmap()
        self._boxes: tuple[tuple[float, float, float, float], ...] = ()
        self.setAccessibleName("Page")

    def put(self, pixmap: QPixmap, boxes: tuple[tuple[float, float, float, float], ...]) -> None:
        self._pixmap, self._boxes = pixmap, boxes
        self.update()

    @property
    def has_page(self) -> bool:
        return not self._pixmap.isNull()

    def height_for(self, width: int) -> int:
        if not self.has_page:
            return width
        return round(width * self._pixmap.height() / self._pixmap.width())

    def first_box(self) -> QRectF | None:
        """The first marked line, in this widget's own px."""
        return self._scaled(self._boxes[0]) if self._boxes and self.has_page else None

    def _scaled(self, box: tuple[float, float, float, float]) -> QRectF:
        ratio = self.width() / self._pixmap.width()
        left, top, right, bottom = (side * ratio for side in box)
        return QRectF(left, top, right - left, bottom - top)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        if not self.has_page:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(self.rect(), self._pixmap)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Multiply)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_MARKED)
        for box in self._boxes:
            painter.drawRect(self._scaled(box).adjusted(-2, -1, 2, 1))


class PaperWindow(QDialog):
    """One paper at a time."""

    page_wanted = Signal(int, int)  # page from 1, width in px

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Paper")
        self.setModal(False)
        self.resize(820, 940)
        self._page, self._pages, self._zoom = 1, 1, 0
        self._scrolls_to_mark = False
        self.title, self.place = Cut(), Cut("", "small")
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.doubt = words("", "warning")
        self.said = words("", "quiet")
        self.view = PageView()
        self.room = QScrollArea()
        self.room.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.room.setWidget(self.view)
        self.room.setObjectName("paper")
        self.room.setStyleSheet(f"QScrollArea#paper, QWidget#sheet {{ background: {GROUND}; }}")
        self.room.viewport().setObjectName("sheet")
        self.room.setFrameShape(QScrollArea.Shape.NoFrame)
        head = QVBoxLayout()
        head.setContentsMargins(16, 12, 16, 8)
        head.setSpacing(4)
        for part in (self.title, self.place, self.doubt, self.said):
            head.addWidget(part)
        head.addLayout(self._bar())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.room, 1)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._want)
        for keys, do in (
            ("PgUp", lambda: self._step(-1)),
            ("PgDown", lambda: self._step(1)),
            ("+", lambda: self._zoom_by(1)),
            ("=", lambda: self._zoom_by(1)),
            ("-", lambda: self._zoom_by(-1)),
            ("Ctrl+0", lambda: self._zoom_by(-len(_ZOOMS))),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(do)

    def _bar(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.previous = self._button("‹", "Previous page (PgUp)", lambda: self._step(-1))
        self.next = self._button("›", "Next page (PgDn)", lambda: self._step(1))
        self.number = QLineEdit()
        self.number.setAccessibleName("Page number")
        self.number.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.number.setFixedWidth(64)
        self.number.editingFinished.connect(self._on_number)
        self.of = QLabel()
        self.of.setProperty("role", "quiet")
        self.zoom_out = self._button("−", "Zoom out (−)", lambda: self._zoom_by(-1))
        self.zoom_in = self._button("+", "Zoom in (+)", lambda: self._zoom_by(1))
        self.fit = self._button(
            "Fit the width", "As wide as the window (Ctrl+0)", lambda: self._zoom_by(-len(_ZOOMS))
        )
        for part in (self.previous, self.number, self.of, self.next):
            row.addWidget(part)
        row.addStretch(1)
        for part in (self.zoom_out, self.zoom_in, self.fit):
            row.addWidget(part)
        return row

    def _button(self, text: str, tip: str, do: object) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setProperty("role", "flat")
        button.clicked.connect(do)
        return button

    # -- setters -------------------------------------------------------------------------------

    def put_paper(self, paper: Paper) -> None:
        """Another paper: its page is asked for once the window has its size."""
        self.setWindowTitle(f"{paper.title} – GlassView")
        self.title.put(paper.title)
        self.place.put(str(paper.path))
        self.doubt.setText(paper.doubt)
        self.doubt.setVisible(bool(paper.doubt))
        self._page, self._pages, self._zoom = paper.page, paper.page, 0
        self._scrolls_to_mark = True
        self.view.put(QPixmap(), ())
        self._put_place()
        self._say("Opening the page …")
        self._settle.start()

    def put_page(self, page: Page) -> None:
        pixmap = QPixmap()
        if not pixmap.loadFromData(page.png, "PNG"):
            self.put_trouble(Trouble("The page was drawn, but is no picture"))
            return
        self._pages = page.pages
        self.view.put(pixmap, page.boxes)
        self._put_place()
        self._size_view()
        self._say("" if page.boxes or not page.sought else "The passage was not found on this page")
        if self._scrolls_to_mark:
            self._scrolls_to_mark = False
            box = self.view.first_box()
            self.room.verticalScrollBar().setValue(max(0, round(box.top()) - 80) if box else 0)

    def put_trouble(self, trouble: Trouble) -> None:
        self._say(f"{trouble.what}. {trouble.remedy}".strip(), "failed")

    def _say(self, text: str, role: str = "quiet") -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))
        self.said.setProperty("role", role)
        self.said.style().polish(self.said)

    def _put_place(self) -> None:
        self.number.setText(str(self._page))
        self.of.setText(f"of {self._pages:,}" if self.view.has_page else "")
        self.number.setVisible(self.view.has_page)
        self.previous.setEnabled(self._page > 1)
        self.next.setEnabled(self._page < self._pages)
        self.zoom_out.setEnabled(self._zoom > 0)
        self.zoom_in.setEnabled(self._zoom < len(_ZOOMS) - 1)

    # -- hands ---------------------------------------------------------------------------------

    def _step(self, by: int) -> None:
        self._go(self._page + by)

    def _on_number(self) -> None:
        typed = self.number.text().strip()
        if typed.isdecimal():
            self._go(min(int(typed[:9]), self._pages))
        self._put_place()

    def _go(self, page: int) -> None:
        if 1 <= page <= self._pages and page != self._page:
            self._page = page
            self._scrolls_to_mark = True
            self._put_place()
            self._say("Opening the page …")
            self._want()

    def _zoom_by(self, by: int) -> None:
        self._zoom = min(max(self._zoom + by, 0), len(_ZOOMS) - 1)
        self._put_place()
        self._size_view()
        self._settle.start()

    def _width(self) -> int:
        bar = self.room.verticalScrollBar().sizeHint().width()
        room = self.room.width() - bar - 2 * _MARGIN
        return max(120, round(room * _ZOOMS[self._zoom]))

    def _size_view(self) -> None:
        width = self._width()
        self.view.resize(QSize(width, self.view.height_for(width)))

    def _want(self) -> None:
        ratio = QGuiApplication.primaryScreen().devicePixelRatio()
        self.page_wanted.emit(self._page, min(_WIDEST, round(self._width() * ratio)))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        if self.view.has_page:
            self._size_view()
            self._settle.start()
