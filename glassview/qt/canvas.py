"""The canvas: one micrograph, zoomed and panned, with its scale bar and the overlay of findings.

Takes pixels, a lookup table, regions and a scale-bar maker in; sends cursor, zoom, drops and the
tiles that it wants out. Paints only the tiles that are seen, from the coarsest level that has a
pixel for each of the screen's, and waits for none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsPathItem,
    QGraphicsScene,
    QGraphicsView,
    QWidget,
)

from glassview.presenter import Overlay, ScaleBar
from glassview.qt.outlines import Outline, pen
from glassview.qt.picture import PictureItem
from glassview.qt.style import GROUND, TEXT, TONES
from glassview.qt.tiles import Coding, Tile

if TYPE_CHECKING:
    from glassllava.micrograph.pyramid import Pixels

_MOST_ZOOM = 64.0
_STEP = 1.2


class Canvas(QGraphicsView):
    """Shows one picture; the wheel zooms at the cursor, a drag pans."""

    cursor_at = Signal(int, int)  # full-frame pixel, (-1, -1) outside
    zoom_changed = Signal(float)
    dropped = Signal(list)  # paths
    region_clicked = Signal(str)  # a feature key
    tiles_wanted = Signal(list)  # seen, but not at hand; supersedes what was wanted before

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setScene(QGraphicsScene(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setBackgroundBrush(QBrush(QColor(GROUND)))
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.AnchorViewCenter)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The scale bar stands still while the picture moves under it.
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Micrograph")
        self._item: PictureItem | None = None
        self._outlines: dict[str, QGraphicsPathItem] = {}
        self._scale_bar: Callable[[float], ScaleBar] | None = None
        self._fits = True
        self._space = False
        self._grabbed: QPoint | None = None
        self._moved = False
        self._overlay_shown = True

    # -- setters -------------------------------------------------------------------------------

    def put_picture(
        self,
        pixels: Pixels,
        coding: Coding,
        scale_bar: Callable[[float], ScaleBar],
        *,
        keep_view: bool = False,
    ) -> None:
        self.clear()
        self._item = PictureItem(pixels, coding, self.tiles_wanted.emit)
        self.scene().addItem(self._item)
        # Room around it, so that a corner can be brought to the middle.
        around = self._item.boundingRect()
        margin = max(around.width(), around.height())
        self.setSceneRect(around.adjusted(-margin, -margin, margin, margin))
        self._scale_bar = scale_bar
        if not keep_view:
            self.fit()

    def clear(self) -> None:
        self.scene().clear()
        self._item = None
        self._outlines = {}
        self._scale_bar = None

    def put_scale_bar(self, scale_bar: Callable[[float], ScaleBar]) -> None:
        self._scale_bar = scale_bar
        self.viewport().update()

    def put_table(self, table: np.ndarray[Any, Any]) -> None:
        if self._item is not None:
            self._item.put_table(table)

    def put_tile(self, tile: Tile, codes: np.ndarray[Any, Any]) -> None:
        """A tile that was wanted."""
        if self._item is not None:
            self._item.put_tile(tile, codes)

    def refresh(self) -> None:
        """More of the picture, or better, is at hand than before."""
        if self._item is not None:
            self._item.refresh()

    def put_overlays(self, overlays: Sequence[Overlay]) -> None:
        for outline in self._outlines.values():
            self.scene().removeItem(outline)
        self._outlines = {}
        for overlay in overlays:
            item = Outline(overlay)
            item.setPen(pen(overlay.tone, 1.6))
            item.setZValue(1)
            item.setData(0, overlay.tone)
            item.setVisible(self._overlay_shown)
            self.scene().addItem(item)
            self._outlines[overlay.feature] = item

    def highlight(self, feature: str) -> None:
        """Bring one finding's regions forward and the others back; "" for all alike."""
        for key, item in self._outlines.items():
            tone = item.data(0)
            chosen = key == feature
            item.setPen(pen(tone, 2.6 if chosen else 1.6))
            tint = QColor(TONES[tone])
            tint.setAlpha(46)
            item.setBrush(QBrush(tint) if chosen else QBrush(Qt.BrushStyle.NoBrush))
            item.setOpacity(1.0 if chosen or not feature else 0.25)
            item.setZValue(2 if chosen else 1)
            item.setVisible(self._overlay_shown or chosen)

    def show_overlay(self, shown: bool) -> None:
        self._overlay_shown = shown
        for item in self._outlines.values():
            item.setVisible(shown)

    @property
    def is_waiting(self) -> bool:
        """True while something on the screen is coarser than it will be."""
        return self._item is not None and self._item.is_waiting

    # -- zoom ----------------------------------------------------------------------------------

    @property
    def has_picture(self) -> bool:
        return self._item is not None

    @property
    def zoom(self) -> float:
        """Screen pixels per image pixel."""
        return self.transform().m11()

    def fit(self) -> None:
        if self._item is None:
            return
        box = self._item.boundingRect()
        view = self.viewport().size()
        zoom = min((view.width() - 24) / box.width(), (view.height() - 24) / box.height())
        self._fits = True
        self._set_zoom(min(max(zoom, 1e-3), _MOST_ZOOM))
        self.centerOn(box.center())

    def one_to_one(self) -> None:
        if self._item is None:
            return
        self._fits = False
        self._zoom_at(1.0 / self.zoom, QPointF(self.viewport().rect().center()))

    def zoom_by(self, factor: float) -> None:
        if self._item is None:
            return
        self._zoom_at(factor, QPointF(self.viewport().rect().center()))

    def _set_zoom(self, zoom: float) -> None:
        self.resetTransform()
        self.scale(zoom, zoom)
        self.zoom_changed.emit(zoom)

    def _zoom_at(self, factor: float, at: QPointF) -> None:
        assert self._item is not None
        box, view = self._item.boundingRect(), self.viewport().size()
        fitting = min(view.width() / box.width(), view.height() / box.height())
        least = min(1.0, fitting / 4)
        zoom = min(max(self.zoom * factor, least), _MOST_ZOOM)
        under = self.mapToScene(at.toPoint())
        self._fits = False
        self._set_zoom(zoom)
        # The pixel under the cursor stays under it.
        moved = self.mapFromScene(under)
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setValue(across.value() + moved.x() - at.toPoint().x())
        down.setValue(down.value() + moved.y() - at.toPoint().y())

    # -- hands ---------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        if self._item is None:
            return
        notches = event.angleDelta().y() / 120.0
        if notches:
            self._zoom_at(_STEP**notches, event.position())
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.fit()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._grabbed, self._moved = event.position().toPoint(), False
            self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        at = event.position().toPoint()
        if self._grabbed is not None and self._item is not None:
            step = at - self._grabbed
            if self._moved or step.manhattanLength() > 3:
                self._moved, self._fits = True, False
                across, down = self.horizontalScrollBar(), self.verticalScrollBar()
                across.setValue(across.value() - step.x())
                down.setValue(down.value() - step.y())
                self._grabbed = at
        self._tell_cursor(at)
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self._grabbed is not None:
            if not self._moved and event.button() == Qt.MouseButton.LeftButton:
                self._click(event.position().toPoint())
            self._grabbed = None
            self._show_hand()
        event.accept()

    def _click(self, at: QPoint) -> None:
        item = self.itemAt(at)
        for feature, outline in self._outlines.items():
            if outline is item:
                self.region_clicked.emit(feature)
                return
        self.region_clicked.emit("")

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        self.cursor_at.emit(-1, -1)
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space = True
                self._show_hand()
            event.accept()
            return
        event.ignore()  # arrows belong to the window, not to scroll bars

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self._show_hand()
        event.accept()

    def _show_hand(self) -> None:
        shape = Qt.CursorShape.OpenHandCursor if self._space else Qt.CursorShape.CrossCursor
        self.viewport().setCursor(shape)

    def _tell_cursor(self, at: QPoint) -> None:
        if self._item is None:
            return
        point = self.mapToScene(at)
        x, y = int(np.floor(point.x())), int(np.floor(point.y()))
        if not (0 <= x < self._item.grid.width and 0 <= y < self._item.grid.height):
            x = y = -1
        self.cursor_at.emit(x, y)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        if self._fits:
            self.fit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    # -- the scale bar -------------------------------------------------------------------------

    def drawForeground(self, painter: QPainter, rect: QRectF | Any) -> None:  # noqa: N802
        if self._item is None or self._scale_bar is None:
            return
        bar = self._scale_bar(self.zoom)
        painter.save()
        painter.resetTransform()
        font = QFont(self.font())
        font.setPixelSize(13)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        length = bar.length_px * self.zoom
        words = painter.fontMetrics().horizontalAdvance(bar.label)
        width = max(length, words) + 24
        top = self.viewport().height() - 58.0
        box = QRectF(14, top, width, 44)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(15, 18, 22, 190))
        painter.drawRoundedRect(box, 7, 7)
        colour = QColor(TEXT if bar.is_calibrated else TONES["undecided"])
        painter.setPen(colour)
        painter.drawText(
            QRectF(box.left(), top + 5, width, 18), Qt.AlignmentFlag.AlignCenter, bar.label
        )
        left, y = box.left() + (width - length) / 2, top + 32
        painter.setPen(QPen(colour, 2.0))
        painter.drawLine(QPointF(left, y), QPointF(left + length, y))
        for end in (left, left + length):
            painter.drawLine(QPointF(end, y - 5), QPointF(end, y + 5))
        painter.restore()
