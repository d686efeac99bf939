"""What stands in the middle when there is no picture: the invitation, and why a file failed.

Also the two small windows: the shortcuts and the log.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from glassview.presenter import SHORTCUTS
from glassview.qt.panels import section, tip, words
from glassview.qt.style import GROUND, LINE, mark_pixmap
from glassview.session import Trouble


class Invitation(QWidget):
    """The empty window: drop something here."""

    files_asked = Signal()
    folder_asked = Signal()
    demo_asked = Signal()
    recent_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setObjectName("invitation")
        self.setStyleSheet(f"QWidget#invitation {{ background: {GROUND}; }}")
        box = QWidget()
        box.setObjectName("drop")
        box.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        box.setStyleSheet(f"QWidget#drop {{ border: 2px dashed {LINE}; border-radius: 18px; }}")
        box.setMaximumWidth(640)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(48, 44, 48, 40)
        layout.setSpacing(12)
        title = words("Drop micrographs here", "hero")
        text = words(
            "Files or whole folders: TIFF of 8, 16 or 32 bit, PNG, JPEG, BMP. "
            "GlassView reads their scale, measures, looks things up and says what it sees. "
            "Nothing is written beside your files.",
            "quiet",
        )
        for label in (title, text):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        files = QPushButton("Open files …")
        files.setProperty("role", "main")
        folder = QPushButton("Open folder …")
        self.demo = QPushButton("Open the demo micrographs")
        self.demo.setToolTip("A dozen synthetic micrographs that come with GlassView")
        files.clicked.connect(self.files_asked)
        folder.clicked.connect(self.folder_asked)
        self.demo.clicked.connect(self.demo_asked)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        for button in (files, folder, self.demo):
            row.addWidget(button)
        row.addStretch(1)
        layout.addWidget(title)
        layout.addWidget(text)
        layout.addSpacing(10)
        layout.addLayout(row)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        self._recent_box = QWidget()
        inner = QVBoxLayout(self._recent_box)
        inner.setContentsMargins(0, 18, 0, 0)
        inner.addWidget(section("Recent"), 0, Qt.AlignmentFlag.AlignHCenter)
        inner.addLayout(self._recent)
        layout.addWidget(self._recent_box)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(box, 8)
        middle.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 24, 24, 24)
        outer.addStretch(2)
        outer.addLayout(middle)
        outer.addStretch(3)
        self._links: list[QPushButton] = []
        self.put_recent(())

    def put_recent(self, paths: Sequence[str]) -> None:
        for link in self._links:
            link.setParent(None)
            link.deleteLater()
        self._links = []
        for path in paths[:5]:
            link = QPushButton(_short(path))
            link.setProperty("role", "link")
            link.setToolTip(tip(path))
            link.clicked.connect(lambda checked=False, p=path: self.recent_asked.emit(p))
            self._recent.addWidget(link, 0, Qt.AlignmentFlag.AlignHCenter)
            self._links.append(link)
        self._recent_box.setVisible(bool(self._links))

    def put_demo(self, available: bool) -> None:
        self.demo.setVisible(available)


def _short(path: str) -> str:
    parts = Path(path).parts
    return str(Path(*parts[-2:])) if len(parts) > 2 else path


class Failure(QWidget):
    """In place of the picture: why this file cannot be read, and what to do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setObjectName("failure")
        self.setStyleSheet(f"QWidget#failure {{ background: {GROUND}; }}")
        shape = QLabel()
        shape.setPixmap(mark_pixmap("failed", 34))
        shape.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.name = words("", "title")
        self.what = words("", selectable=True)
        self.remedy = words("", "quiet", selectable=True)
        layout = QVBoxLayout()
        layout.setSpacing(10)
        layout.addWidget(shape)
        for label in (self.name, self.what, self.remedy):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            layout.addWidget(label)
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 24, 32, 24)
        column.addStretch(2)
        column.addLayout(layout)
        column.addStretch(3)

    def put(self, name: str, trouble: Trouble) -> None:
        # A name without spaces may break after its underscores.
        self.name.setText(name.replace("_", "_\u200b"))
        self.what.setText(f"{trouble.what}.")
        self.remedy.setText(trouble.remedy)
        self.remedy.setVisible(bool(trouble.remedy))


class Shortcuts(QDialog):
    """The table of shortcuts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Shortcuts")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 20, 28, 24)
        layout.setSpacing(8)
        for title, rows in SHORTCUTS:
            layout.addWidget(section(title))
            grid = QGridLayout()
            grid.setHorizontalSpacing(28)
            grid.setVerticalSpacing(5)
            grid.setColumnMinimumWidth(0, 190)
            for number, (keys, does) in enumerate(rows):
                key = QLabel(keys)
                font = key.font()
                font.setBold(True)
                key.setFont(font)
                grid.addWidget(key, number, 0)
                grid.addWidget(QLabel(does), number, 1)
            grid.setColumnStretch(1, 1)
            layout.addLayout(grid)


class _Records(QObject):
    line = Signal(str)


class LogHandler(logging.Handler):
    """Hands log lines, from any thread, to whoever listens to `records.line`."""

    def __init__(self) -> None:
        super().__init__()
        self.records = _Records()
        self.setFormatter(
            logging.Formatter("%(asctime)s  %(levelname)-7s  %(name)s  %(message)s", "%H:%M:%S")
        )

    def emit(self, record: logging.LogRecord) -> None:
        self.records.line.emit(self.format(record))


class LogWindow(QDialog):
    """The last few thousand lines of the log."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Log")
        self.resize(820, 420)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(5000)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setPlaceholderText("Nothing was logged.")
        self.text.setAccessibleName("Log")
        copy = QPushButton("Copy all")
        copy.clicked.connect(self._copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.addWidget(self.text)
        layout.addWidget(copy, 0, Qt.AlignmentFlag.AlignRight)

    def put_line(self, line: str) -> None:
        self.text.appendPlainText(line)

    def _copy(self) -> None:
        self.text.selectAll()
        self.text.copy()
