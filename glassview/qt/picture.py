"""The grey picture as a scene item: what is at hand in, tiles on the screen out.

It paints what memory has and never reads or decodes: for a tile that is not at hand a coarser
one stands in, and `wanted` is told.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from glassview.qt.tiles import TILE, Coding, Grid, Tile, lookup

if TYPE_CHECKING:
    from glassllava.micrograph.pyramid import Pixels

# What is on the screen is kept, whatever it takes; beyond that:
_IMAGES_KEPT = 160  # of 256 kB each
_CODES_KEPT = 64  # of 256 or 512 kB each: tiles that were read from the file


class PictureItem(QGraphicsItem):
    """The grey picture as an item; `wanted` hears the tiles that are seen but not at hand."""

    def __init__(
        self, pixels: Pixels, coding: Coding, wanted: Callable[[list[Tile]], None]
    ) -> None:
        super().__init__()
        self.pixels, self.coding = pixels, coding
        self.grid = Grid(pixels.height, pixels.width, pixels.level_count)
        self._wanted = wanted
        self._table = lookup(coding.size, 0, coding.size - 1)
        self._images: OrderedDict[Tile, QImage] = OrderedDict()
        self._codes: OrderedDict[Tile, np.ndarray[Any, Any]] = OrderedDict()
        self._seen: frozenset[Tile] = frozenset()
        self._missing: list[Tile] = []
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        return QRectF(0, 0, self.grid.width, self.grid.height)

    @property
    def is_waiting(self) -> bool:
        """True while a coarser tile stands in for one that is seen."""
        return bool(self._missing)

    def put_table(self, table: np.ndarray[Any, Any]) -> None:
        self._table = table
        self._images.clear()
        self.update()

    def put_tile(self, tile: Tile, codes: np.ndarray[Any, Any]) -> None:
        """A tile that was wanted, as codes."""
        self._codes[tile] = codes
        self._images.pop(tile, None)
        if tile in self._missing:
            self._missing.remove(tile)
        _drop_old(self._codes, _CODES_KEPT, self._seen)
        self.update(self._place(tile))

    def refresh(self) -> None:
        """More, or better, is at hand than before."""
        for tile in [tile for tile in self._images if tile[0] > 0]:
            del self._images[tile]
        self.update()

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        zoom *= widget.devicePixelRatioF() if widget else 1.0
        level = self.grid.level_for(zoom)
        box = option.exposedRect
        seen = self.grid.tiles_in(level, box.left(), box.top(), box.right(), box.bottom())
        self._seen = frozenset(seen)
        missing = []
        for tile in seen:
            image = self._image(tile)
            if image is None:
                missing.append(tile)
                self._paint_coarser(painter, tile)
                continue
            step = 1 << level
            # Above one to one a pixel is shown as the square that it is.
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, zoom * step < 0.999)
            corner = self._place(tile).topLeft()
            painter.drawImage(
                QRectF(corner.x(), corner.y(), image.width() * step, image.height() * step), image
            )
        if missing != self._missing:
            self._missing = missing
            self._wanted(list(missing))

    def _place(self, tile: Tile) -> QRectF:
        """Where a tile lies, in full-frame pixels."""
        level, column, row = tile
        step = TILE << level
        return QRectF(column * step, row * step, step, step).intersected(self.boundingRect())

    def _paint_coarser(self, painter: QPainter, tile: Tile) -> None:
        level, column, row = tile
        for up in range(1, self.grid.level_count - level):
            coarse = (level + up, column >> up, row >> up)
            image = self._image(coarse)
            if image is not None:
                place, step = self._place(tile), 1 << (level + up)
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(
                    place,
                    image,
                    QRectF(
                        place.left() / step - coarse[1] * TILE,
                        place.top() / step - coarse[2] * TILE,
                        place.width() / step,
                        place.height() / step,
                    ),
                )
                return

    def _image(self, tile: Tile) -> QImage | None:
        """A tile with its contrast, None where memory does not have it."""
        image = self._images.get(tile)
        if image is not None:
            self._images.move_to_end(tile)
            return image
        codes = self._codes.get(tile)
        if codes is None:
            grey = self.pixels.at_hand(tile[0], *self.grid.window(tile))
            if grey is None:
                return None
            codes = self.coding.of(grey)
        shades = self._table[codes]
        height, width = shades.shape
        image = QImage(
            shades.data, width, height, shades.strides[0], QImage.Format.Format_Grayscale8
        ).copy()
        self._images[tile] = image
        _drop_old(self._images, _IMAGES_KEPT, self._seen)
        return image


def _drop_old(kept: OrderedDict[Tile, Any], most: int, seen: frozenset[Tile]) -> None:
    """Forget what was used longest ago, but nothing that is on the screen."""
    for tile in list(kept)[: max(0, len(kept) - most)]:
        if tile not in seen:
            del kept[tile]
