"""The grey picture as a scene item: codes and a lookup table in, tiles on the screen out."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from glassview.qt.tiles import TILE, Codes, Levels, lookup

_TILES_KEPT = 320  # of 256 kB each


class PictureItem(QGraphicsItem):
    """The grey picture as an item: pixels in, tiles out."""

    def __init__(self, codes: Codes) -> None:
        super().__init__()
        self.codes = codes
        self.levels = Levels(codes.array)
        self._table = lookup(codes.size, 0, codes.size - 1)
        self._tiles: OrderedDict[tuple[int, int, int], QImage] = OrderedDict()
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        return QRectF(0, 0, self.levels.width, self.levels.height)

    def put_table(self, table: np.ndarray[Any, Any]) -> None:
        self._table = table
        self._tiles.clear()
        self.update()

    def put_means(self, means: tuple[np.ndarray[Any, Any], ...]) -> None:
        self.levels.put_means(means)
        for key in [key for key in self._tiles if key[0] > 0]:
            del self._tiles[key]
        self.update()

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        ratio = widget.devicePixelRatioF() if widget else 1.0
        level = self.levels.level_for(zoom * ratio)
        # Above one to one a pixel is shown as the square that it is.
        painter.setRenderHint(
            QPainter.RenderHint.SmoothPixmapTransform, zoom * ratio * (1 << level) < 0.999
        )
        seen = option.exposedRect
        for column, row in self.levels.tiles_in(
            level, seen.left(), seen.top(), seen.right(), seen.bottom()
        ):
            image = self._tile(level, column, row)
            step = 1 << level
            painter.drawImage(
                QRectF(
                    column * TILE * step,
                    row * TILE * step,
                    image.width() * step,
                    image.height() * step,
                ),
                image,
            )

    def _tile(self, level: int, column: int, row: int) -> QImage:
        key = (level, column, row)
        image = self._tiles.get(key)
        if image is None:
            shades = self._table[self.levels.tile(level, column, row)]
            height, width = shades.shape
            image = QImage(
                shades.data, width, height, shades.strides[0], QImage.Format.Format_Grayscale8
            ).copy()
            self._tiles[key] = image
            while len(self._tiles) > _TILES_KEPT:
                self._tiles.popitem(last=False)
        else:
            self._tiles.move_to_end(key)
        return image
