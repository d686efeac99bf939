"""Images and drawn paths on a PDF page: where they stand, and which images are the same.

Speaks PDFium's calls for page objects; knows nothing of figures.
"""

from __future__ import annotations

import ctypes
import hashlib
from typing import TYPE_CHECKING, Any

from rag.reading.sheets import Placed

if TYPE_CHECKING:
    from rag.reading.sheets import Sheet

_MOST_OBJECTS = 20_000
_DEEPEST = 6


def gather(page: Any, sheet: Sheet) -> None:
    """The images and drawn paths of a page, with those in forms, onto `sheet`."""
    import pypdfium2.raw as raw

    count = [0]

    def visit(number: int, get: Any, parent: Any, outer: Any, depth: int) -> None:
        for index in range(number):
            count[0] += 1
            if count[0] > _MOST_OBJECTS:
                return
            item = get(parent, index)
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
                matrix = raw.FS_MATRIX()
                raw.FPDFPageObj_GetMatrix(item, matrix)
                inner = _times(matrix, outer)
                number_in = raw.FPDFFormObj_CountObjects(item)
                visit(number_in, raw.FPDFFormObj_GetObject, item, inner, depth + 1)
            elif kind in (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH):
                box = _bounds(item, outer)
                if box is None:
                    continue
                upright = _clipped(sheet.frame.upright(box), sheet)
                if upright is None:
                    continue
                if kind == raw.FPDF_PAGEOBJ_PATH:
                    sheet.drawings.append(upright)
                else:
                    wide, high = ctypes.c_uint(), ctypes.c_uint()
                    raw.FPDFImageObj_GetImagePixelSize(item, wide, high)
                    key = key_of(item, wide.value, high.value)
                    sheet.images.append(Placed(upright, key, wide.value, high.value))

    visit(
        raw.FPDFPage_CountObjects(page),
        raw.FPDFPage_GetObject,
        page,
        (1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
        0,
    )


def _times(inner: Any, outer: tuple[float, ...]) -> tuple[float, ...]:
    a, b, c, d, e, f = outer
    return (
        inner.a * a + inner.b * c,
        inner.a * b + inner.b * d,
        inner.c * a + inner.d * c,
        inner.c * b + inner.d * d,
        inner.e * a + inner.f * c + e,
        inner.e * b + inner.f * d + f,
    )


def _bounds(item: Any, outer: tuple[float, ...]) -> tuple[float, float, float, float] | None:
    import pypdfium2.raw as raw

    edges = [ctypes.c_float() for _ in range(4)]
    if not raw.FPDFPageObj_GetBounds(item, *edges):
        return None
    left, bottom, right, top = (edge.value for edge in edges)
    a, b, c, d, e, f = outer
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (left, right) for y in (bottom, top)]
    across, up = [x for x, _y in corners], [y for _x, y in corners]
    return min(across), min(up), max(across), max(up)


def _clipped(
    box: tuple[float, float, float, float], sheet: Sheet
) -> tuple[float, float, float, float] | None:
    left, top = max(0.0, box[0]), max(0.0, box[1])
    right, bottom = min(sheet.width, box[2]), min(sheet.height, box[3])
    # not (a <= b), so that what is no number is left out too
    if not (left <= right and top <= bottom):
        return None
    return left, top, right, bottom


def key_of(item: Any, width: int, height: int) -> str:
    """Tells equal images apart from others, by their size and the beginning of their data."""
    import pypdfium2.raw as raw

    length = raw.FPDFImageObj_GetImageDataRaw(item, None, 0)
    data = b""
    if 0 < length <= 50_000_000:
        buffer = ctypes.create_string_buffer(length)
        raw.FPDFImageObj_GetImageDataRaw(item, buffer, length)
        data = buffer.raw
    return hashlib.sha256(data + f"{width} {height} {length}".encode()).hexdigest()
