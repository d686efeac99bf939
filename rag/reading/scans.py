"""A scanned page read by OCR: drawn, then handed to the reader of lettering, as pieces of lines.

Knows no PDF but its page to draw; RapidOCR is behind `glassllava.micrograph.lettering`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.micrograph.lettering import read_lines
from rag.reading.glyphs import Line

if TYPE_CHECKING:
    from rag.reading.glyphs import Frame

_DPI = 150
_MOST_PIXELS = 3000
#: The reader shrinks what is larger than 1280 px: a page goes to it in strips that overlap, so
#: that every line stands whole in one of them.
_STRIP = 640
_OVERLAP = 80


def lines_of_scan(page: Any, frame: Frame) -> list[Line]:
    """The lines of a page that is a picture, from the top; sizes are those of the boxes found."""
    width, height = frame.shown
    scale = min(_DPI / 72, _MOST_PIXELS / max(width, height, 1.0))
    bitmap = page.render(scale=scale, grayscale=True, draw_annots=False, may_draw_forms=False)
    try:
        picture = np.array(bitmap.to_pil().convert("L"))
    finally:
        bitmap.close()
    found: list[Line] = []
    start = 0
    while start < picture.shape[0]:
        end = min(start + _STRIP, picture.shape[0])
        for line in read_lines(np.ascontiguousarray(picture[start:end])):
            top, bottom = line.top + start, line.bottom + start
            # A line cut by the strip's edge stands whole in the next strip or the one before.
            cut_above = start > 0 and line.top < _OVERLAP / 2
            cut_below = end < picture.shape[0] and (bottom + top) / 2 > end - _OVERLAP / 2
            if (cut_above and (line.bottom + line.top) / 2 < _OVERLAP / 2) or cut_below:
                continue
            left, right = line.left / scale, line.right / scale
            high, low = top / scale, bottom / scale
            # Of a box around letters with ascenders and descenders.
            size, base = 0.8 * (low - high), low - 0.2 * (low - high)
            found.append(Line(line.text, left, high, right, low, base, round(size)))
        if end == picture.shape[0]:
            break
        start = end - _OVERLAP
    return found
