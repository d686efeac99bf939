"""How the regions of a finding are drawn over a micrograph.

Knows paths and pens; nothing of zoom, clicks and which finding is chosen (`canvas`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsPathItem, QStyleOptionGraphicsItem, QWidget

from glassview.qt.style import TONES

if TYPE_CHECKING:
    from glassllava.measurement.quantities import Region
    from glassview.presenter import Overlay

_PENS: dict[str, Qt.PenStyle] = {
    "defect": Qt.PenStyle.SolidLine,
    "undecided": Qt.PenStyle.DashDotLine,
    "no_defect": Qt.PenStyle.DashLine,
    "artefact": Qt.PenStyle.DotLine,
}


class Outline(QGraphicsPathItem):
    """The outlines of a finding, with a dark edge: seen on bright and on dark ground alike.

    What the model alone sees is as fine as its map: tinted, in a line of fine dots.
    """

    def __init__(self, overlay: Overlay) -> None:
        super().__init__(_path(overlay.regions))
        self._measured = _path([r for r in overlay.regions if r.source != "model"])
        self._pointed = _path([r for r in overlay.regions if r.source == "model"])

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        edge = QPen(QColor(10, 12, 15, 170), self.pen().widthF() + 1.8)
        edge.setCosmetic(True)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tint = QColor(self.pen().color())
        tint.setAlpha(46)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillPath(self._pointed, tint)
        dots = QPen(self.pen())
        dots.setDashPattern([1.0, 2.0])
        for path, line in ((self._pointed, dots), (self._measured, self.pen())):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(edge)
            painter.drawPath(path)
            painter.setPen(line)
            painter.setBrush(self.brush())
            painter.drawPath(path)


def _path(regions: Sequence[Region]) -> QPainterPath:
    path = QPainterPath()
    # A hole runs the other way round; what lies on another region stays within both.
    path.setFillRule(Qt.FillRule.WindingFill)
    for region in regions:
        if len(region.polygon) > 2:
            path.addPolygon(QPolygonF([QPointF(x, y) for x, y in region.polygon]))
            path.closeSubpath()
        else:
            x0, y0, x1, y1 = region.bbox
            path.addRect(QRectF(x0, y0, x1 - x0, y1 - y0))
    return path


def pen(tone: str, width: float) -> QPen:
    pen = QPen(QColor(TONES[tone]), width, _PENS.get(tone, Qt.PenStyle.SolidLine))  # type: ignore[index]
    pen.setCosmetic(True)
    return pen
