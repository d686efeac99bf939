"""The offer of a drawn scale bar: what it says, and two buttons for a person to answer.

Takes what it shows by `put` and sends what a person did as a signal. Knows nothing of bars.
"""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from glassview.presenter import BarOffer
from glassview.qt.panels import words


class Offer(QFrame):
    """Shown where a micrograph has no scale but a drawn bar; hidden elsewhere."""

    used = Signal()
    typing_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.said = words()
        self.use = QPushButton("Use it")
        self.use.setToolTip("Take what the bar reads as the scale; Ctrl+Z takes it back")
        self.use.clicked.connect(self.used)
        self.type = QPushButton("Type…")
        self.type.setToolTip("Type the pixel size by hand")
        self.type.clicked.connect(self.typing_asked)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.use)
        buttons.addWidget(self.type)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(8)
        layout.addWidget(self.said)
        layout.addLayout(buttons)
        self.hide()

    def put(self, offer: BarOffer | None) -> None:
        self.setVisible(offer is not None)
        if offer is not None:
            self.said.setText(offer.words)
            self.said.setToolTip(offer.tip)
            self.use.setVisible(offer.can_use)
