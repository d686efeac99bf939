"""Which ink of a strip is letters, by its shapes: nothing is read.

Letters stand beside letters of their height, on one line; and they are not all of one shape, as the
parts of a pattern are. Cracks, discs, fibres and gratings fail one or the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_LOWEST, _HIGHEST = 4, 60  # px
_WIDEST = 20  # times its height, where letters of a word run into each other
_GAP = 2.5  # heights between a letter and the next
_ALIKE = 0.4  # of the higher one's height, that the lower has
_OFF_LINE = 0.2  # of the height, by which letters' feet or heads differ
_FILLED, _NARROW, _BOX = 0.9, 0.6, 7  # of the box, of the height, px
_BOXES, _SHARE_OF_BOXES = 6, 0.2  # so many and such a share of the parts are no words
_FEWEST = 4
_MOST = 2000  # parts; no strip holds so many letters
_REGULAR = 0.6  # the share of parts of one shape, in a pattern
_SAME = 0.05  # of the area, by which such parts differ


def letters_of(ink: Array) -> Array:
    """(H, W) bool: the ink that is letters, none where there are too few or all are alike."""
    from scipy import ndimage

    parts, count = ndimage.label(ink, np.ones((3, 3)))
    nothing = np.zeros_like(ink)
    if not _FEWEST <= count <= _MOST:
        return nothing
    boxes = np.array([(d.start, d.stop, a.start, a.stop) for d, a in ndimage.find_objects(parts)])
    tall, wide = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    area = np.bincount(parts.ravel())[1:]
    fits = (tall >= _LOWEST) & (tall <= _HIGHEST) & (wide <= _WIDEST * tall)
    # Letters are strokes: an l or a 1 may be filled, and is narrow. Where there are many filled
    # boxes words stand among the parts of a specimen.
    filled = (area > _FILLED * tall * wide) & (wide >= _NARROW * tall) & (tall >= _BOX)
    if np.count_nonzero(filled) > max(_BOXES, _SHARE_OF_BOXES * np.count_nonzero(fits)):
        return nothing
    numbers = np.flatnonzero(fits)[_in_lines(boxes[fits])]
    if len(numbers) < _FEWEST:
        return nothing
    # Letters of one width and height, as a typewriter's, differ in how much of it is ink.
    shapes = np.stack([tall, wide, area])[:, numbers]
    middle = np.median(shapes, axis=1, keepdims=True)
    allowed = np.maximum(np.array([[1.0], [1.0], [2.0]]), np.array([[0], [0], [_SAME]]) * middle)
    if (np.abs(shapes - middle) <= allowed).all(axis=0).mean() > _REGULAR:
        return nothing
    is_letter = np.zeros(count + 1, bool)
    is_letter[numbers + 1] = True
    return np.asarray(is_letter[parts])


def _in_lines(boxes: Array) -> Array:
    """Which boxes (top, bottom, left, right) have another of their height beside them."""
    top, bottom, left, right = boxes.T[:, :, None]
    tall = bottom - top
    higher = np.maximum(tall, tall.T)
    alike = np.minimum(tall, tall.T) >= _ALIKE * higher
    reach = _OFF_LINE * higher + 1
    level = (abs(top - top.T) <= reach) | (abs(bottom - bottom.T) <= reach)
    gap = np.maximum(left - right.T, left.T - right)
    beside = (gap >= -1) & (gap <= _GAP * higher)
    return np.asarray((alike & level & beside).any(axis=1))
