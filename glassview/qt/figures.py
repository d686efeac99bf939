"""The cards of published figures that look like the open micrograph."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from glassview.alike import FigureCard
from glassview.qt.panels import words
from glassview.qt.passages import bold, link

_WIDEST, _HIGHEST = 320, 220  # px
_MARGIN = 12


class FigureFrame(QFrame):
    """One figure with its caption, and the way to its page."""

    paper_asked = Signal(object)  # Passage

    def __init__(self, card: FigureCard, number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.card = card
        self.setProperty("role", "card")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(f"Figure {number}, {card.title}, {card.place}, {card.caption}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, _MARGIN - 2, _MARGIN, _MARGIN - 2)
        layout.setSpacing(5)
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._put_picture(card.picture)
        layout.addWidget(self.picture)
        if card.caption:
            layout.addWidget(words(card.caption, selectable=True))
        layout.addWidget(bold(words(card.title, selectable=True)))
        if card.byline:
            layout.addWidget(words(card.byline, "quiet", selectable=True))
        place = " · ".join(filter(None, (card.place, f"likeness {card.likeness:.2f}")))
        layout.addWidget(words(place, "quiet"))
        if card.passage is not None and card.passage.page is not None:
            passage = card.passage
            self.open = link(f"Open the paper at page {passage.page}")
            self.open.clicked.connect(lambda: self.paper_asked.emit(passage))
            layout.addWidget(self.open, 0, Qt.AlignmentFlag.AlignLeft)

    def _put_picture(self, data: bytes) -> None:
        # Bytes of a paper, encoded anew by our own reader; small, and of two plain kinds.
        image = QImage.fromData(data)
        if image.isNull():
            self.picture.setText("The picture cannot be shown")
            return
        ratio = self.devicePixelRatioF()
        scaled = image.scaled(
            round(_WIDEST * ratio),
            round(_HIGHEST * ratio),
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        scaled.setDevicePixelRatio(ratio)
        self.picture.setPixmap(QPixmap.fromImage(scaled))
