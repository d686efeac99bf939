"""The verdict panel: the card, the findings, the words, the warnings, and the person's review.

Takes screen state in; sends out accept, overrule, the finding under the mouse, and the citation
that was followed.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from glassllava.interpretation import DISCLAIMER
from glassview.cards import Piece
from glassview.evidence import FindingRow, VerdictCard
from glassview.qt.cited import CitedText
from glassview.qt.panels import Page, emptied, section, words
from glassview.qt.style import LINE, QUIET, RAISED, TEXT, TONES, mark_pixmap
from glassview.session import Trouble

_VERDICTS = (
    ("It is a defect", "defect"),
    ("It is no defect", "no_defect"),
    ("It cannot be decided", "undecided"),
)


class Gauge(QWidget):
    """The probability of a defect on a line from 0 to 1, and the band that stays undecided."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._probability: float | None = None
        self._threshold: float | None = None
        self.setFixedHeight(34)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(200, 34)

    def put(self, probability: float | None, threshold: float | None) -> None:
        self._probability, self._threshold = probability, threshold
        self.setVisible(probability is not None)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        if self._probability is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, y = self.width() - 12.0, 10.0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(LINE))
        painter.drawRoundedRect(QRectF(6, y - 3, width, 6), 3, 3)
        if self._threshold is not None:
            reach = min(self._threshold, 1.0)
            band = QColor(TONES["undecided"])
            band.setAlpha(90)
            painter.setBrush(band)
            painter.drawRect(QRectF(6 + (1 - reach) * width, y - 3, (2 * reach - 1) * width, 6))
        x = 6 + self._probability * width
        painter.setBrush(QColor(TEXT))
        painter.setPen(QPen(QColor(RAISED), 2))
        painter.drawEllipse(QRectF(x - 7, y - 7, 14, 14))
        font = self.font()
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(QUIET))
        below = QRectF(6, 19, width, 14)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "no defect")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, "defect")
        if self._threshold is not None:
            painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, "undecided")


class FindingCard(QFrame):
    """One finding; the mouse over it, a click or the keyboard shows where it is."""

    hovered = Signal(str)
    chosen = Signal(str)
    cited = Signal(int)

    def __init__(self, row: FindingRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.feature = row.feature
        self.setProperty("role", "card")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(f"{row.name}, {row.disposition}, {row.probability}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 9, 12, 10)
        layout.setSpacing(4)
        head = QHBoxLayout()
        head.setSpacing(8)
        shape = QLabel()
        shape.setPixmap(mark_pixmap(row.tone))
        name = words(row.name)
        font = name.font()
        font.setBold(True)
        name.setFont(font)
        disposition = QLabel(row.disposition)
        disposition.setStyleSheet(f"color: {TONES[row.tone]};")
        probability = QLabel(row.probability)
        probability.setProperty("role", "quiet")
        top = Qt.AlignmentFlag.AlignTop
        shape.setContentsMargins(0, 3, 0, 0)
        head.addWidget(shape, 0, top)
        head.addWidget(name, 1, top)
        head.addWidget(disposition, 0, top)
        head.addWidget(probability, 0, top)
        layout.addLayout(head)
        layout.addWidget(words(row.reason, "quiet"))
        for measurement in row.measurements:
            layout.addWidget(words(measurement))
        pieces = [Piece(row.regions)]
        if row.citations:
            pieces.append(Piece("  ·  cites"))
        for number in row.citations:
            pieces += [Piece(" "), Piece(f"[{number}]", number)]
        self.notes = CitedText("quiet")
        self.notes.put(pieces)
        self.notes.cited.connect(self.cited)
        layout.addWidget(self.notes)

    def put_chosen(self, chosen: bool) -> None:
        self.setProperty("chosen", "true" if chosen else "false")
        self.style().unpolish(self)
        self.style().polish(self)

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802
        self.hovered.emit(self.feature)

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        self.hovered.emit("")

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.chosen.emit(self.feature)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(self.feature)
        else:
            event.ignore()


class VerdictPanel(Page):
    """Everything an interpretation says, and the buttons of the review."""

    accepted = Signal()
    overruled = Signal(str, str)  # verdict, reason
    finding_hovered = Signal(str)
    finding_chosen = Signal(str)
    cited = Signal(int)  # the number of a passage

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.empty = words("", "quiet")
        self.trouble = words("", "failed", selectable=True)
        self.body = QWidget()
        self.column.addWidget(self.empty)
        self.column.addWidget(self.trouble)
        self.column.addWidget(self.body)
        self.column.addStretch(1)
        layout = QVBoxLayout(self.body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.shape, self.title = QLabel(), words("", "title")
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self.shape, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.title, 1)
        layout.addLayout(head)
        self.subtitle = words("", "quiet")
        self.gauge = Gauge()
        self.note = words("", "warning")
        self.reasons = words("", selectable=True)
        self.rules = words("", "quiet", selectable=True)
        self.answer_head, self.answer = section("Answer"), CitedText()
        for widget in (
            self.subtitle,
            self.gauge,
            self.note,
            self.reasons,
            self.rules,
            self.answer_head,
            self.answer,
        ):
            layout.addWidget(widget)
        layout.addWidget(self._review_box())
        self.findings = QVBoxLayout()
        self.findings.setSpacing(8)
        self.findings_head = section("Findings")
        layout.addWidget(self.findings_head)
        layout.addLayout(self.findings)
        self.absent = words("", "quiet", selectable=True)
        layout.addWidget(self.absent)
        self.description_head = section("Description by the model, before any rule")
        self.description = CitedText()
        for text in (self.answer, self.description):
            text.cited.connect(self.cited)
        self.warnings_head = section("Warnings")
        self.warnings = words("", "warning", selectable=True)
        self.small_print = words("", "quiet", selectable=True)
        for widget in (
            self.description_head,
            self.description,
            self.warnings_head,
            self.warnings,
            section("Made by"),
            self.small_print,
            words(DISCLAIMER, "quiet"),
        ):
            layout.addWidget(widget)
        self._cards: list[FindingCard] = []
        self.put_nothing("")

    def _review_box(self) -> QWidget:
        self.accept_button = QPushButton("Accept")
        self.overrule_button = QPushButton("Overrule …")
        self.overrule_button.setCheckable(True)
        self.review = words("", selectable=True)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.accept_button, 1)
        row.addWidget(self.overrule_button, 1)
        self.instead = QComboBox()
        self.instead.setAccessibleName("Verdict instead")
        for label, decision in _VERDICTS:
            self.instead.addItem(label, decision)
        self.reason = QLineEdit()
        self.reason.setPlaceholderText("Why? A few words")
        self.reason.setMaxLength(1000)
        self.reason.setAccessibleName("Reason for overruling")
        self.save = QPushButton("Save")
        self.save.setProperty("role", "main")
        self.save.setEnabled(False)
        self.reason.textChanged.connect(lambda text: self.save.setEnabled(bool(text.strip())))
        self.reason.returnPressed.connect(self._overrule)
        self.save.clicked.connect(self._overrule)
        self.accept_button.clicked.connect(self.accepted)
        self.overrule_button.toggled.connect(self._open_overruling)
        self.overruling = QWidget()
        inner = QVBoxLayout(self.overruling)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(8)
        last = QHBoxLayout()
        last.addWidget(self.reason, 1)
        last.addWidget(self.save)
        inner.addWidget(self.instead)
        inner.addLayout(last)
        self.overruling.hide()
        box = QWidget()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(8)
        layout.addWidget(self.review)
        layout.addLayout(row)
        layout.addWidget(self.overruling)
        return box

    # -- setters -------------------------------------------------------------------------------

    def put_nothing(self, text: str, trouble: Trouble | None = None) -> None:
        """No interpretation to show: why, or what to do to get one."""
        self.body.hide()
        self.empty.setText(text)
        self.empty.setVisible(bool(text) and trouble is None)
        self._put_trouble(trouble)

    def put(
        self,
        card: VerdictCard,
        findings: Sequence[FindingRow],
        *,
        absent: str,
        answer: Sequence[Piece],
        description: Sequence[Piece],
        warnings: Sequence[str],
        small_print: str,
        trouble: Trouble | None = None,
    ) -> None:
        self.empty.hide()
        self._put_trouble(trouble)
        self.body.show()
        self.shape.setPixmap(mark_pixmap(card.tone, 22))
        self.title.setText(card.title)
        self.title.setStyleSheet(f"color: {TONES[card.tone]};")
        self.gauge.put(card.probability, card.threshold)
        _say(self.subtitle, card.subtitle)
        _say(self.note, card.note)
        _say(self.reasons, "\n".join(_sentence(reason) for reason in card.reasons))
        _say(self.rules, card.rules)
        _say(self.review, card.review)
        self.accept_button.setText("Accept" if not card.is_reviewed else "Accept instead")
        self.overrule_button.setChecked(False)
        self.reason.clear()
        likely = {"defect": 1, "no_defect": 0}.get(card.tone, 0)
        self.instead.setCurrentIndex(likely)
        emptied(self.findings)
        self._cards = []
        for row in findings:
            finding = FindingCard(row)
            finding.hovered.connect(self.finding_hovered)
            finding.chosen.connect(self.finding_chosen)
            finding.cited.connect(self.cited)
            self.findings.addWidget(finding)
            self._cards.append(finding)
        if not findings:
            self.findings.addWidget(words("Nothing that was asked about was found.", "quiet"))
        _say(self.absent, f"Not seen: {absent}" if absent else "")
        for head, text, pieces in (
            (self.answer_head, self.answer, answer),
            (self.description_head, self.description, description),
        ):
            head.setVisible(bool(pieces))
            text.put(pieces)
        self.warnings_head.setVisible(bool(warnings))
        _say(self.warnings, "\n".join(f"•  {w}" for w in warnings))
        self.small_print.setText(small_print)

    def put_chosen(self, feature: str) -> None:
        for card in self._cards:
            card.put_chosen(card.feature == feature)
            if card.feature == feature:
                self.ensureWidgetVisible(card)

    def open_overruling(self) -> None:
        if self.body.isVisible():
            self.overrule_button.setChecked(True)

    def _put_trouble(self, trouble: Trouble | None) -> None:
        self.trouble.setVisible(trouble is not None)
        if trouble is not None:
            self.trouble.setText(f"{trouble.what}.\n{trouble.remedy}".strip())

    def _open_overruling(self, opened: bool) -> None:
        self.overruling.setVisible(opened)
        if opened:
            self.reason.setFocus()

    def _overrule(self) -> None:
        if self.save.isEnabled():
            self.overruled.emit(self.instead.currentData(), self.reason.text())


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
