"""The strip under the literature panel: papers on their way in, and what came of them."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from glassview.qt.panels import Cut, emptied, words
from glassview.shelf import Adding, adding_share, adding_words

_FINE = 1000  # steps of the bar
_REFUSED_HEIGHT = 150  # px
_AROUND = 64  # px: margins and scroll bar


class Strip(QFrame):
    """Hidden until papers are added; stays until its words were read."""

    stop_asked = Signal()
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self.said = Cut()
        self.result = words(selectable=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.bar.setAccessibleName("Papers added")
        self.button = QPushButton("Stop")
        self.button.clicked.connect(self._on_button)
        self._running = False
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self.said, 1)
        head.addWidget(self.result, 1)
        head.addWidget(self.button, 0, Qt.AlignmentFlag.AlignTop)
        inner = QWidget()
        inner.setObjectName("page")
        self._refused = QVBoxLayout(inner)
        self._refused.setContentsMargins(0, 0, 8, 0)
        self._refused.setSpacing(6)
        self.refused = QScrollArea()
        self.refused.setWidgetResizable(True)
        self.refused.setFrameShape(QFrame.Shape.NoFrame)
        self.refused.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.refused.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 10, 16, 10)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self.bar)
        layout.addWidget(self.refused)
        self.put(Adding())

    def put(self, adding: Adding) -> None:
        self._running = adding.is_running
        text = adding_words(adding)
        self.setVisible(bool(text))
        self.said.setVisible(adding.is_running)
        self.result.setVisible(not adding.is_running)
        if adding.is_running:
            self.said.put(text)
        else:
            self.result.setText(text)
            self.result.setProperty("role", "failed" if adding.trouble else "")
            self.result.style().polish(self.result)
        share = adding_share(adding)
        self.bar.setVisible(adding.is_running)
        self.bar.setRange(0, 0 if share is None else _FINE)
        if share is not None:
            self.bar.setValue(round(share * _FINE))
        self.button.setText("Stop" if adding.is_running else "Close")
        self.button.setEnabled(not adding.is_stopping)
        result = adding.result
        refused = (*result.refused, *result.notes) if result else ()
        self.refused.setVisible(bool(refused))
        emptied(self._refused)
        for file in refused:
            self._refused.addWidget(_file(file.name, file.reason))
        self._refused.addStretch(1)
        QTimer.singleShot(0, self, self._fit)  # what was just added has no height before

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As high as the reasons are, up to a bound from which they scroll."""
        needed = self._refused.heightForWidth(max(100, self.width() - _AROUND))
        self.refused.setFixedHeight(min(_REFUSED_HEIGHT, max(1, needed)))

    def _on_button(self) -> None:
        (self.stop_asked if self._running else self.dismissed).emit()


def _file(name: str, reason: str) -> QLabel:
    label = words(f"{name}: {reason}", selectable=True)
    label.setAccessibleName(f"Not added: {name}")
    return label
