"""The look: one palette, one accent, one sheet; and the shapes that stand beside every colour.

Verdict colours are of the set of Okabe and Ito (2008), which people with any common colour
blindness can tell apart; each has a shape of its own all the same.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPainter, QPalette, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QApplication

from glassview.presenter import MARKS, Tone

GROUND = "#14171c"  # behind the micrograph
PANEL = "#1b1f26"
RAISED = "#242a33"
LINE = "#313944"
TEXT = "#e6e9ee"
QUIET = "#98a2b0"
ACCENT = "#56b4e9"
ON_ACCENT = "#0b1a24"
QUOTED = "#5e5320"  # behind quoted words: 6:1 under TEXT

TONES: dict[Tone, str] = {
    "defect": "#f0743e",
    "no_defect": "#2fbf95",
    "undecided": "#f0d142",
    "failed": "#e58fb8",
    "artefact": "#b9a7e8",
    "plain": "#6b7684",
}

_CHEVRON = Path(__file__).with_name("chevron.png").as_posix()

_SHEET = f"""
* {{ outline: none; }}
QMainWindow, QDialog, QWidget#page {{ background: {PANEL}; }}
QWidget {{ color: {TEXT}; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {LINE}; padding: 5px 7px; }}
QLabel[role="quiet"] {{ color: {QUIET}; }}
QLabel[role="small"] {{ color: {QUIET}; font-size: 11px; }}
QLabel[role="warning"] {{ color: {TONES["undecided"]}; }}
QLabel[role="failed"] {{ color: {TONES["failed"]}; }}
QLabel[role="section"] {{
    color: {QUIET}; font-size: 11px; font-weight: 600; letter-spacing: 1px; padding-top: 6px;
}}
QLabel[role="title"] {{ font-size: 19px; font-weight: 600; }}
QLabel[role="hero"] {{ font-size: 26px; font-weight: 600; }}
QMenuBar {{ background: {PANEL}; padding: 2px 6px; border: none; }}
QMenuBar::item {{ padding: 5px 10px; border-radius: 5px; background: transparent; }}
QMenuBar::item:selected {{ background: {RAISED}; }}
QMenu {{ background: {RAISED}; border: 1px solid {LINE}; padding: 5px; }}
QMenu::item {{ padding: 6px 28px 6px 14px; border-radius: 4px; }}
QMenu::item:selected {{ background: {ACCENT}; color: {ON_ACCENT}; }}
QMenu::item:disabled {{ color: {TONES["plain"]}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {LINE}; margin: 5px 8px; }}
QStatusBar {{ background: {PANEL}; border-top: 1px solid {LINE}; }}
QStatusBar::item {{ border: none; }}
QSplitter::handle {{ background: {LINE}; }}
QSplitter::handle:hover {{ background: {ACCENT}; }}
QPushButton, QToolButton {{
    background: {RAISED}; border: 1px solid {LINE}; border-radius: 6px; padding: 6px 12px;
}}
QPushButton:hover, QToolButton:hover {{ border-color: {ACCENT}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {LINE}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {ACCENT}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {TONES["plain"]}; border-color: {RAISED}; }}
QToolButton:checked, QPushButton:checked {{
    border-color: {ACCENT}; color: {ACCENT};
}}
QPushButton[role="main"] {{
    background: {ACCENT}; color: {ON_ACCENT}; border-color: {ACCENT}; font-weight: 600;
}}
QPushButton[role="main"]:hover {{ background: #7cc6ef; }}
QPushButton[role="main"]:focus {{ border-color: {TEXT}; }}
QPushButton[role="main"]:disabled {{
    background: {RAISED}; color: {TONES["plain"]}; border-color: {RAISED};
}}
QPushButton[role="link"] {{
    background: transparent; border: none; color: {ACCENT}; padding: 2px; text-align: left;
}}
QPushButton[role="link"]:disabled {{ color: {TONES["plain"]}; }}
QPushButton[role="link"]:hover, QPushButton[role="link"]:focus {{ text-decoration: underline; }}
QToolButton[role="flat"] {{ background: transparent; border-color: transparent; padding: 5px 7px; }}
QToolButton[role="flat"]:hover {{ background: {RAISED}; }}
QToolButton[role="flat"]:checked {{ color: {ACCENT}; background: {RAISED}; }}
QProgressBar {{ background: {LINE}; border: none; border-radius: 2px; }}
QProgressBar::chunk {{ background: {ACCENT}; border-radius: 2px; }}
QWidget#literature {{ background: {PANEL}; border: 2px solid {PANEL}; }}
QWidget#literature[dropping="true"] {{ border-color: {ACCENT}; }}
QFrame#strip {{ background: {RAISED}; border-top: 1px solid {LINE}; }}
QFrame#strip QWidget#page {{ background: {RAISED}; }}
QToolButton::menu-indicator {{ image: none; }}
QLineEdit, QPlainTextEdit, QComboBox, QSpinBox {{
    background: {GROUND}; border: 1px solid {LINE}; border-radius: 6px; padding: 6px 8px;
    selection-background-color: {ACCENT}; selection-color: {ON_ACCENT};
}}
QLineEdit:focus, QPlainTextEdit:focus, QComboBox:focus, QSpinBox:focus {{ border-color: {ACCENT}; }}
QLineEdit[role="wrong"] {{ border-color: {TONES["failed"]}; }}
QComboBox QAbstractItemView {{
    background: {RAISED}; border: 1px solid {LINE};
    selection-background-color: {ACCENT}; selection-color: {ON_ACCENT};
}}
QComboBox::drop-down {{ border: none; width: 22px; }}
QComboBox::down-arrow {{ image: url("{_CHEVRON}"); width: 12px; height: 12px; }}
QTabBar {{ background: transparent; }}
QTabBar::tab {{
    background: transparent; color: {QUIET}; padding: 9px 12px 8px 12px; border: none;
    border-bottom: 2px solid transparent;
}}
QTabBar::tab:hover {{ color: {TEXT}; }}
QTabBar::tab:selected {{ color: {TEXT}; border-bottom-color: {ACCENT}; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {LINE}; top: -1px; }}
QScrollArea, QScrollArea > QWidget > QWidget#page {{ background: {PANEL}; border: none; }}
QListView {{ background: {PANEL}; border: none; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{
    background: {LINE}; border-radius: 4px; min-height: 28px; min-width: 28px; margin: 1px;
}}
QScrollBar::handle:hover {{ background: {TONES["plain"]}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QSlider::groove:horizontal {{ background: {LINE}; height: 3px; border-radius: 1px; }}
QSlider::handle:horizontal {{
    background: {TEXT}; width: 12px; height: 12px; margin: -5px 0; border-radius: 6px;
}}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{ background: {ACCENT}; }}
QCheckBox::indicator {{
    width: 14px; height: 14px; border: 1px solid {TONES["plain"]}; border-radius: 3px;
    background: {GROUND};
}}
QCheckBox::indicator:checked {{ background: {ACCENT}; border-color: {ACCENT}; }}
QCheckBox::indicator:focus {{ border-color: {TEXT}; }}
QFrame[role="card"] {{ background: {RAISED}; border: 1px solid {RAISED}; border-radius: 8px; }}
QFrame[role="card"][chosen="true"] {{ border-color: {ACCENT}; }}
QFrame[role="card"]:hover {{ border-color: {LINE}; }}
QFrame[role="card"]:focus {{ border-color: {QUIET}; }}
QFrame[role="card"][chosen="true"]:hover, QFrame[role="card"][chosen="true"]:focus {{
    border-color: {ACCENT};
}}
QFrame[role="line"] {{ background: {LINE}; max-height: 1px; border: none; }}
"""


def dress(application: QApplication) -> None:
    """Give the whole application its font, palette and sheet."""
    application.setStyle("Fusion")
    application.setFont(_font())
    palette = QPalette()
    for role, colour in (
        (QPalette.ColorRole.Window, PANEL),
        (QPalette.ColorRole.Base, GROUND),
        (QPalette.ColorRole.AlternateBase, RAISED),
        (QPalette.ColorRole.Button, RAISED),
        (QPalette.ColorRole.Text, TEXT),
        (QPalette.ColorRole.WindowText, TEXT),
        (QPalette.ColorRole.ButtonText, TEXT),
        (QPalette.ColorRole.PlaceholderText, TONES["plain"]),
        (QPalette.ColorRole.Highlight, ACCENT),
        (QPalette.ColorRole.HighlightedText, ON_ACCENT),
        (QPalette.ColorRole.Link, ACCENT),
        (QPalette.ColorRole.ToolTipBase, RAISED),
        (QPalette.ColorRole.ToolTipText, TEXT),
    ):
        palette.setColor(role, QColor(colour))
    application.setPalette(palette)
    application.setStyleSheet(_SHEET)


def _font() -> QFont:
    """The platform's interface font where it is a good one, at a size for long reading."""
    installed = set(QFontDatabase.families())
    wanted = ("Segoe UI", "SF Pro Text", "Inter", "Cantarell", "Noto Sans", "Ubuntu", "DejaVu Sans")
    font = QFont(next((name for name in wanted if name in installed), QFont().family()))
    font.setPixelSize(13)
    return font


def mark(painter: QPainter, tone: Tone, box: QRectF, *, halo: bool = False) -> None:
    """Draw the shape of a tone into `box`, in its colour."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    colour = QColor(TONES[tone])
    if halo:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(20, 23, 28, 215))
        painter.drawEllipse(box.adjusted(-4, -4, 4, 4))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    shape, middle = MARKS[tone], box.center()
    if shape == "triangle":
        painter.drawPolygon(
            QPolygonF([QPointF(middle.x(), box.top()), box.bottomRight(), box.bottomLeft()])
        )
    elif shape == "disc":
        painter.drawEllipse(box)
    elif shape == "diamond":
        corners = [
            QPointF(middle.x(), box.top()),
            QPointF(box.right(), middle.y()),
            QPointF(middle.x(), box.bottom()),
            QPointF(box.left(), middle.y()),
        ]
        painter.drawPolygon(QPolygonF(corners))
    elif shape == "square":
        painter.drawRect(box.adjusted(1, 1, -1, -1))
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        pen = QPen(colour, max(1.6, box.width() / 6))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        inner = box.adjusted(1.5, 1.5, -1.5, -1.5)
        if shape == "cross":
            painter.drawLine(inner.topLeft(), inner.bottomRight())
            painter.drawLine(inner.topRight(), inner.bottomLeft())
        else:
            painter.drawEllipse(inner)
    painter.restore()


def mark_pixmap(tone: Tone, size: int = 12, ratio: float = 2.0) -> QPixmap:
    """The shape of a tone as a small picture for a label."""
    pixmap = QPixmap(round(size * ratio), round(size * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    mark(painter, tone, QRectF(0.5, 0.5, size - 1, size - 1))
    painter.end()
    return pixmap
