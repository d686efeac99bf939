"""Contrast: a histogram of the specimen with a handle for black and one for white, gamma, invert.

Takes a histogram in, sends the range out; all values are stored counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from glassview.qt.style import ACCENT, GROUND, LINE, TEXT, TONES

_PAD = 8.0


class Histogram(QWidget):
    """Counts as bars; two handles that can be dragged."""

    range_dragged = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._heights: list[float] = []
        self._span = (0.0, 1.0)
        self._range = (0.0, 1.0)
        self._held: int | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(96)
        self.setAccessibleName("Histogram of the specimen")

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(240, 96)

    def put_counts(self, counts: Sequence[float], span: tuple[float, float]) -> None:
        """Bars from `span[0]` to `span[1]`; drawn on a root scale, so that tails are seen."""
        top = max(counts, default=0.0) or 1.0
        self._heights = [(count / top) ** 0.5 for count in counts]
        self._span = span
        self.update()

    def put_range(self, low: float, high: float) -> None:
        self._range = (low, high)
        self.update()

    def _x(self, value: float) -> float:
        low, high = self._span
        share = (value - low) / max(high - low, 1e-12)
        return _PAD + min(max(share, 0.0), 1.0) * (self.width() - 2 * _PAD)

    def _value(self, x: float) -> float:
        low, high = self._span
        share = (x - _PAD) / max(1.0, self.width() - 2 * _PAD)
        return low + min(max(share, 0.0), 1.0) * (high - low)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(0.5, 0.5, self.width() - 1, self.height() - 1)
        painter.setPen(QColor(LINE))
        painter.setBrush(QColor(GROUND))
        painter.drawRoundedRect(box, 6, 6)
        if not self._heights:
            return
        floor, room = self.height() - 16.0, self.height() - 26.0
        step = (self.width() - 2 * _PAD) / len(self._heights)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        inside, outside = QColor(TEXT), QColor(TONES["plain"])
        low_x, high_x = self._x(self._range[0]), self._x(self._range[1])
        for index, height in enumerate(self._heights):
            x = _PAD + index * step
            painter.setBrush(inside if low_x - step <= x <= high_x else outside)
            painter.drawRect(QRectF(x, floor - room * height, step + 0.4, room * height))
        ramp = QLinearGradient(low_x, 0, max(high_x, low_x + 1), 0)
        ramp.setColorAt(0, QColor("#000000"))
        ramp.setColorAt(1, QColor("#ffffff"))
        painter.setBrush(ramp)
        painter.drawRect(QRectF(_PAD, floor + 4, self.width() - 2 * _PAD, 5))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(ACCENT), 2))
        for x in (low_x, high_x):
            painter.drawLine(QPointF(x, 6), QPointF(x, floor + 9))
            painter.setBrush(QColor(ACCENT))
            painter.drawEllipse(QPointF(x, 8), 3.5, 3.5)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        x = event.position().x()
        distances = [abs(x - self._x(value)) for value in self._range]
        self._held = 0 if distances[0] <= distances[1] else 1
        if self._range[0] == self._range[1]:
            self._held = 0 if x < self._x(self._range[0]) else 1
        self._drag(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        x = event.position().x()
        near = any(abs(x - self._x(value)) < 6 for value in self._range)
        self.setCursor(
            Qt.CursorShape.SplitHCursor
            if near or self._held is not None
            else Qt.CursorShape.ArrowCursor
        )
        if self._held is not None:
            self._drag(x)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._held = None

    def _drag(self, x: float) -> None:
        value = self._value(x)
        low, high = self._range
        least = (self._span[1] - self._span[0]) / 1000
        if self._held == 0:
            low = min(value, high - least)
        else:
            high = max(value, low + least)
        self.put_range(low, high)
        self.range_dragged.emit(low, high)


class Contrast(QWidget):
    """The histogram with its controls."""

    changed = Signal(float, float, float, bool)  # low, high, gamma, invert
    auto_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._range = (0.0, 1.0)
        self.histogram = Histogram()
        self.histogram.range_dragged.connect(self._on_range)
        self.limits = QLabel()
        self.limits.setProperty("role", "quiet")
        self.auto = QPushButton("Auto")
        self.auto.setToolTip("0.35 % of the specimen's pixels saturated; the databar not counted")
        self.auto.clicked.connect(self.auto_asked)
        self.invert = QCheckBox("Invert")
        self.invert.toggled.connect(lambda on: self._tell())
        self.gamma = QSlider(Qt.Orientation.Horizontal)
        self.gamma.setRange(-100, 100)
        self.gamma.setAccessibleName("Gamma")
        self.gamma.valueChanged.connect(lambda value: self._tell())
        self.gamma_words = QLabel()
        self.gamma_words.setProperty("role", "quiet")
        self.gamma_words.setMinimumWidth(66)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.limits, 1)
        first.addWidget(self.invert)
        first.addSpacing(8)
        first.addWidget(self.auto)
        second.addWidget(self.gamma_words)
        second.addWidget(self.gamma, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.histogram)
        layout.addLayout(first)
        layout.addLayout(second)
        self._say()

    @property
    def gamma_value(self) -> float:
        """0.25 … 4, 1 in the middle."""
        return float(4.0 ** (self.gamma.value() / 100.0))

    def put(
        self, counts: Sequence[float], span: tuple[float, float], low: float, high: float
    ) -> None:
        self.histogram.put_counts(counts, span)
        self.put_range(low, high)

    def put_range(self, low: float, high: float) -> None:
        """Shows a range that was set elsewhere; sends nothing."""
        self._range = (low, high)
        self.histogram.put_range(low, high)
        self._say()

    def _on_range(self, low: float, high: float) -> None:
        self._range = (low, high)
        self._tell()

    def _tell(self) -> None:
        self._say()
        self.changed.emit(*self._range, self.gamma_value, self.invert.isChecked())

    def _say(self) -> None:
        low, high = self._range
        self.limits.setText(f"Black {low:,.5g}   White {high:,.5g}")
        self.gamma_words.setText(f"Gamma {self.gamma_value:.2f}")
