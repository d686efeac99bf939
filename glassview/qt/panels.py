"""The panels beside the micrograph: what is asked, the sample, the metadata.

Each takes what it shows by a `put…` method and sends what a person did as a signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from glassllava.prompt import DEFAULT_QUESTION
from glassllava.sample import LEVELS, Sample
from glassview.evidence import MetadataRow
from glassview.session import Trouble

_NARROW = 350  # px
_LEVEL_TIPS = {
    "none": "The model sees the micrograph alone",
    "basic": "… and is told the material",
    "moderate": "… the whole sample and the instrument settings",
    "high": "… the measurements and the matching passages of literature",
}
_SAMPLE_HINTS = (
    ("id", "Sample", "A-1042"),
    ("lot", "Lot", "2026-W47"),
    ("site", "Site", "centre, air side"),
    ("material", "Material", "soda-lime float glass"),
    ("composition", "Composition", "72 SiO2, 14 Na2O, 9 CaO, 4 MgO (wt%)"),
    ("process", "Process", "float, annealed 550 °C"),
    ("treatment", "Treatment", "85 °C / 85 % RH, 30 d"),
    ("preparation", "Preparation", "fracture surface, 5 nm C"),
    ("product", "Product", "finished"),
    ("state", "State", "as drawn, corroded, …"),
    ("position", "Position", "edge, bulk, …"),
    ("layer", "Layer", "SnO2 coating"),
)


def words(text: str = "", role: str = "", *, selectable: bool = False) -> QLabel:
    """A label that wraps, never reads its text as markup, and gives way in a narrow panel."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    if role:
        label.setProperty("role", role)
    if selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def tip(text: str) -> str:
    """Foreign words as a tooltip: Qt would read a file's name as markup if it looks like it."""
    if "<" not in text:
        return text
    lines = escape(text).replace("\n", "<br>")
    return f"<qt>{lines}</qt>"


def section(text: str) -> QLabel:
    return words(text.upper(), "section")


def emptied(layout: QLayout) -> None:
    """Take everything out of a layout and delete it."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.setParent(None)
            widget.deleteLater()
        elif (inner := item.layout()) is not None:
            emptied(inner)


class Page(QScrollArea):
    """A panel that scrolls, with room to breathe; `column` is where its content goes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inner = _Inner()
        inner.setObjectName("page")
        self.column = QVBoxLayout(inner)
        self.column.setContentsMargins(16, 14, 16, 16)
        self.column.setSpacing(8)
        self.setWidget(inner)


class _Inner(QWidget):
    """As narrow as the panel, and as high as its content is at that width."""

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(0, 0)


class AskBar(QWidget):
    """The question, the context level, and the button."""

    asked = Signal()
    question_edited = Signal(str)
    level_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.question = QLineEdit()
        self.question.setPlaceholderText(DEFAULT_QUESTION)
        self.question.setMaxLength(2000)
        self.question.setAccessibleName("Question")
        self.question.setClearButtonEnabled(True)
        self.question.textEdited.connect(self.question_edited)
        self.question.returnPressed.connect(self._ask)
        self.level = QComboBox()
        self.level.setAccessibleName("Context level")
        for number, level in enumerate(LEVELS):
            self.level.addItem(f"Context: {level}", level)
            self.level.setItemData(number, _LEVEL_TIPS[level], Qt.ItemDataRole.ToolTipRole)
        self.level.setToolTip("How much of what is known the model is told")
        self.level.activated.connect(lambda index: self.level_chosen.emit(LEVELS[index]))
        self.button = QPushButton("Interpret")
        self.button.setProperty("role", "main")
        shortcut = QKeySequence("Ctrl+Return").toString(QKeySequence.SequenceFormat.NativeText)
        self.button.setToolTip(f"Measure, look up, ask the model ({shortcut})")
        self.button.clicked.connect(self.asked)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.level)
        row.addWidget(self.button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 12)
        layout.setSpacing(8)
        layout.addWidget(self.question)
        layout.addLayout(row)

    def put(self, question: str, level: str, *, enabled: bool, stage: str) -> None:
        shown = "" if question == DEFAULT_QUESTION else question
        if self.question.text() != shown:
            self.question.setText(shown)
        self.level.setCurrentIndex(LEVELS.index(level))  # type: ignore[arg-type]
        self.button.setEnabled(enabled)
        self.button.setText(f"{stage} …" if stage else "Interpret")

    def _ask(self) -> None:
        if self.button.isEnabled():
            self.asked.emit()


class SampleForm(Page):
    """What the person knows of the sample; every field may stay empty."""

    edited = Signal(object)  # Sample, when a field is left
    everywhere_asked = Signal(object)  # Sample

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown = Sample()
        self.origin = words("", "quiet")
        self.trouble = words("", "failed")
        self.trouble.hide()
        form = QFormLayout()
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setHorizontalSpacing(12)
        form.setVerticalSpacing(7)
        self.fields: dict[str, QLineEdit] = {}
        for name, label, hint in _SAMPLE_HINTS:
            form.addRow(_form_label(label), self._line(name, hint))
        expected = self._line("expected", "tin_side, pore")
        expected.setToolTip("Feature keys that are intended here, with commas between")
        form.addRow(_form_label("Expected"), expected)
        self.notes = QPlainTextEdit()
        self.notes.setPlaceholderText("Anything else the model should be told")
        self.notes.setTabChangesFocus(True)
        self.notes.setFixedHeight(72)
        self.notes.setAccessibleName("Notes")
        self.notes.focusOutEvent = self._left_notes  # type: ignore[method-assign]
        form.addRow(_form_label("Notes"), self.notes)
        self.everywhere = QPushButton("Use for all open micrographs")
        self.everywhere.clicked.connect(self._on_everywhere)
        self.column.addWidget(self.origin)
        self.column.addWidget(self.trouble)
        self.column.addLayout(form)
        self.column.addSpacing(4)
        self.column.addWidget(self.everywhere)
        self.column.addStretch(1)

    def _line(self, name: str, hint: str) -> QLineEdit:
        line = QLineEdit()
        line.setPlaceholderText(hint)
        line.setMaxLength(4000)
        line.setAccessibleName(name)
        line.editingFinished.connect(self._on_edit)
        self.fields[name] = line
        return line

    def put(self, sample: Sample, origin: str, trouble: Trouble | None) -> None:
        self._shown = sample
        for name, line in self.fields.items():
            value = getattr(sample, name)
            text = ", ".join(value) if name == "expected" else value
            if line.text() != text:
                line.setText(text)
        if self.notes.toPlainText() != sample.notes:
            self.notes.setPlainText(sample.notes)
        if origin == "typed":
            self.origin.setText("Typed here; nothing is written beside the micrograph.")
        elif origin:
            self.origin.setText(f"From {origin}")
        else:
            self.origin.setText("The more the model is told, the better it judges.")
        self.put_trouble(trouble)

    def put_trouble(self, trouble: Trouble | None) -> None:
        self.trouble.setVisible(trouble is not None)
        if trouble is not None:
            self.trouble.setText(f"{trouble.what}. {trouble.remedy}".strip())

    def typed(self) -> dict[str, object]:
        """What stands in the form, as keys and values of a sample."""
        values: dict[str, object] = {
            name: line.text().strip() for name, line in self.fields.items() if name != "expected"
        }
        keys = self.fields["expected"].text().replace(";", ",").split(",")
        values["expected"] = [key.strip() for key in keys if key.strip()]
        values["notes"] = self.notes.toPlainText().strip()
        return values

    def commit(self) -> None:
        """Send what was typed but not yet left."""
        self._on_edit()

    def _left_notes(self, event: object) -> None:
        QPlainTextEdit.focusOutEvent(self.notes, event)  # type: ignore[arg-type]
        self._on_edit()

    def _on_edit(self) -> None:
        if self.typed() != _as_typed(self._shown):
            self.edited.emit(self.typed())

    def _on_everywhere(self) -> None:
        self.everywhere_asked.emit(self.typed())


def _as_typed(sample: Sample) -> dict[str, object]:
    values = {k: v.strip() if isinstance(v, str) else v for k, v in sample.to_json().items()}
    return dict(values)


def _form_label(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "quiet")
    return label


class Cut(QLabel):
    """A label that leaves the middle out where there is no room, and shows all on hovering."""

    def __init__(self, text: str = "", role: str = "") -> None:
        super().__init__()
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setMinimumWidth(24)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.put(text)

    def put(self, text: str) -> None:
        self._whole = text
        self._cut()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self._cut()

    def _cut(self) -> None:
        room = max(self.width(), self.minimumWidth())
        middle = Qt.TextElideMode.ElideMiddle
        self.setText(self.fontMetrics().elidedText(self._whole, middle, room))
        self.setToolTip(tip(self._whole) if self.text() != self._whole else "")


class Metadata(QWidget):
    """Every value the file tells, with its source beside it, or below it in a narrow panel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[MetadataRow, ...] = ()
        self._narrow: bool | None = None
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(3)

    def put(self, rows: Sequence[MetadataRow]) -> None:
        self._rows = tuple(rows)
        self._lay_out()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        if self._narrow != (self.width() < _NARROW):
            self._lay_out()

    def _lay_out(self) -> None:
        self._narrow = narrow = self.width() < _NARROW
        emptied(self._grid)
        self._grid.setColumnStretch(1, 3)
        self._grid.setColumnStretch(2, 0 if narrow else 2)
        top = Qt.AlignmentFlag.AlignTop
        for number, row in enumerate(self._rows):
            label = words(row.label, "quiet")
            label.setWordWrap(False)
            value = words(row.value, "warning" if row.is_warning else "", selectable=True)
            beside = bool(row.source) and not narrow
            self._grid.addWidget(label, 2 * number, 0, top)
            self._grid.addWidget(value, 2 * number, 1, 1, 1 if beside else 2, top)
            if beside:
                source = Cut(row.source, "small")
                source.setAlignment(Qt.AlignmentFlag.AlignRight)
                self._grid.addWidget(source, 2 * number, 2, top)
            below = " ".join(filter(None, (row.source if narrow else "", row.origin)))
            if below:
                self._grid.addWidget(words(below, "small"), 2 * number + 1, 1, 1, 2, top)
