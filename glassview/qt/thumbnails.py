"""The strip of thumbnails: a picture, a name and the status of every open micrograph.

Takes states and pictures in; sends the chosen key out, and asks for the pictures it is about to
show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from glassview.presenter import ThumbnailState
from glassview.qt.panels import tip
from glassview.qt.style import ACCENT, GROUND, ON_ACCENT, PANEL, QUIET, RAISED, TEXT, mark

_Index = QModelIndex | QPersistentModelIndex
_STATE = Qt.ItemDataRole.UserRole
_PICTURE = Qt.ItemDataRole.UserRole + 1


class _Model(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.states: list[ThumbnailState] = []
        self.rows: dict[int, int] = {}
        self.pictures: dict[int, QImage] = {}

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, N802 - Qt's name
        return 0 if parent.isValid() else len(self.states)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        state = self.states[index.row()]
        if role == _STATE:
            return state
        if role == _PICTURE:
            return self.pictures.get(state.key)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(state.tip)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{state.name}, {state.words}" if state.words else state.name
        return None

    def put_all(self, states: Sequence[ThumbnailState]) -> None:
        keys = [state.key for state in states]
        if keys == [state.key for state in self.states]:
            for state in states:
                self.put(state)
            return
        self.beginResetModel()
        self.states = list(states)
        self.rows = {key: row for row, key in enumerate(keys)}
        self.pictures = {key: p for key, p in self.pictures.items() if key in self.rows}
        self.endResetModel()

    def put(self, state: ThumbnailState) -> None:
        row = self.rows.get(state.key)
        if row is not None and self.states[row] != state:
            self.states[row] = state
            self.dataChanged.emit(self.index(row), self.index(row))

    def put_picture(self, key: int, picture: QImage) -> None:
        if key in self.rows:
            self.pictures[key] = picture
            index = self.index(self.rows[key])
            self.dataChanged.emit(index, index)


class _Delegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:  # noqa: N802
        view = self.parent()
        assert isinstance(view, QListView)
        width = max(96, option.rect.width() or view.viewport().width())
        return QSize(width, round((width - 20) * 0.72) + 36)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        state: ThumbnailState = index.data(_STATE)
        picture: QImage | None = index.data(_PICTURE)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        whole = QRectF(option.rect).adjusted(5, 3, -5, -3)
        if chosen or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(RAISED))
            painter.drawRoundedRect(whole, 8, 8)
        frame = QRectF(whole.left() + 5, whole.top() + 5, whole.width() - 10, whole.height() - 30)
        clip = QPainterPath()
        clip.addRoundedRect(frame, 5, 5)
        painter.fillPath(clip, QColor(GROUND))
        if picture is not None:
            painter.setClipPath(clip)
            scale = max(frame.width() / picture.width(), frame.height() / picture.height())
            size = QRectF(0, 0, frame.width() / scale, frame.height() / scale)
            size.moveCenter(QPointF(picture.width() / 2, picture.height() / 2))
            painter.drawImage(frame, picture, size)
            painter.setClipping(False)
        elif state.tone == "failed":
            mark(painter, "failed", QRectF(frame.center().x() - 9, frame.center().y() - 9, 18, 18))
        if chosen:
            painter.setPen(QPen(QColor(ACCENT), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame, 5, 5)
        if state.tone != "plain" and not (state.tone == "failed" and picture is None):
            mark(
                painter,
                state.tone,
                QRectF(frame.left() + 9, frame.bottom() - 21, 12, 12),
                halo=True,
            )
        if state.is_reviewed:
            _tick(painter, QPointF(frame.right() - 15, frame.bottom() - 15))
        if state.is_working:
            _clock(painter, QPointF(frame.right() - 15, frame.top() + 15))
        font = QFont(option.font)
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(TEXT if chosen else QUIET))
        words = QRectF(frame.left(), frame.bottom() + 4, frame.width(), 18)
        name = painter.fontMetrics().elidedText(
            state.name, Qt.TextElideMode.ElideMiddle, int(words.width())
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, name)
        painter.restore()


def _tick(painter: QPainter, at: QPointF) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(ACCENT))
    painter.drawEllipse(at, 9, 9)
    painter.setPen(QPen(QColor(ON_ACCENT), 2.2))
    painter.drawPolyline([at + QPointF(-4, 0), at + QPointF(-1, 3.2), at + QPointF(4.2, -3)])


def _clock(painter: QPainter, at: QPointF) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(PANEL))
    painter.drawEllipse(at, 9, 9)
    painter.setPen(QPen(QColor(ACCENT), 2))
    painter.drawArc(QRectF(at.x() - 5.5, at.y() - 5.5, 11, 11), 90 * 16, -270 * 16)


class Thumbnails(QListView):
    """The strip itself."""

    chosen = Signal(int)  # key
    wanted = Signal(list)  # keys without a picture that are, or soon come, into view

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Model(self)
        self.setModel(self._model)
        self.setItemDelegate(_Delegate(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setMinimumWidth(120)
        self.setAccessibleName("Open micrographs")
        # Left and right belong to the window; the list would take them for itself.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.clicked.connect(lambda index: self.chosen.emit(index.data(_STATE).key))
        # A picture that is scrolled past is not worth reading a file for.
        self._asking = QTimer(self)
        self._asking.setSingleShot(True)
        self._asking.setInterval(60)
        self._asking.timeout.connect(self._ask)
        self.verticalScrollBar().valueChanged.connect(lambda value: self._asking.start())

    def put_states(self, states: Sequence[ThumbnailState], current: int | None) -> None:
        self._model.put_all(states)
        row = self._model.rows.get(current) if current is not None else None
        if row is None:
            self.clearSelection()
        elif row != self.currentIndex().row() or not self.selectionModel().hasSelection():
            index = self._model.index(row)
            self.selectionModel().setCurrentIndex(
                index, QItemSelectionModel.SelectionFlag.ClearAndSelect
            )
            self.scrollTo(index)
        self._asking.start()

    def put_state(self, state: ThumbnailState) -> None:
        self._model.put(state)

    def put_picture(self, key: int, shades: np.ndarray[Any, Any]) -> None:
        """A thumbnail as (H, W) grey of 8 bit."""
        height, width = shades.shape
        packed = np.ascontiguousarray(shades)
        image = QImage(packed.data, width, height, width, QImage.Format.Format_Grayscale8)
        self._model.put_picture(key, image.copy())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self.scheduleDelayedItemsLayout()
        self._asking.start()

    def _ask(self) -> None:
        """Tell which pictures are wanted: those in view, and as many again below."""
        states = self._model.states
        if not states:
            return
        first = self.indexAt(self.viewport().rect().topLeft() + _INSIDE)
        height = max(1, self.sizeHintForRow(0))
        top = first.row() if first.isValid() else 0
        count = 2 * (self.viewport().height() // height + 1)
        keys = [
            state.key
            for state in states[top : top + count]
            if state.key not in self._model.pictures
        ]
        if keys:
            self.wanted.emit(keys)


_INSIDE = QPointF(8, 8).toPoint()
