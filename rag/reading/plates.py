"""Figures drawn as the page shows them, and the embedded images beside: bytes ready to keep.

Speaks PDFium's drawing and Pillow's encoding. Each picture is sent once, by its number.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import itertools
from typing import TYPE_CHECKING, Any

from rag.reading.objects import key_of
from rag.reading.sheets import pages_told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rag.reading.glyphs import Box
    from rag.reading.sheets import Placed

#: Dots per inch of a drawn figure, and the most pixels on its longer side.
_DPI = 200
_LONGEST = 2400
#: More pixels than this are not unfolded, whatever the file says.
MOST_PIXELS = 60_000_000
_MARGIN = 2.0
_MOST_IMAGES = 2000


class Camera:
    """Takes pictures of one document until `budget` bytes are used up."""

    def __init__(self, document: Any, budget: int, send: Callable[[bytes], None]) -> None:
        self._document = document
        self._budget = budget
        self._send = send
        self._sent: dict[str, dict[str, Any]] = {}
        self._page: tuple[int, Any] | None = None
        self._left_out: dict[str, list[int]] = {}  # by reason, the pages
        self._is_full = False

    def taken(
        self, number: int, box: Box, images: Sequence[Placed]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """A drawn figure and its embedded images, each as {media, width, height, number}.

        `box` is on the page as shown. None where it cannot be drawn, or there is no room left.
        """
        import pypdfium2

        if any(image.width * image.height > MOST_PIXELS for image in images):
            self._left_out.setdefault("unfold to too many pixels", []).append(number)
            return None
        try:
            page = self._opened(number)
            picture = self._kept(*_drawn(page, box, is_photograph=bool(images)))
            wanted = {image.key for image in images}
            originals = []
            for item in _images(page) if wanted else ():
                found = _original(item, wanted)
                if found is not None and (kept := self._kept(*found)) is not None:
                    originals.append(kept)
        except (pypdfium2.PdfiumError, OSError, ValueError):
            # What the libraries say of it names their own objects, which tells nobody anything.
            self._left_out.setdefault("are damaged and cannot be drawn", []).append(number)
            return None
        if picture is None:
            return None
        return picture, originals

    def notes(self) -> list[str]:
        """What was not taken, and why."""
        told = [
            f"figures that {why} were left out (pages: {pages_told(pages)})"
            for why, pages in self._left_out.items()
        ]
        if self._is_full:
            told.append("pictures beyond pictures_mb under [papers] were left out")
        return told

    def _opened(self, number: int) -> Any:
        if self._page is None or self._page[0] != number:
            if self._page is not None:
                self._page[1].close()
            self._page = (number, self._document[number - 1])
        return self._page[1]

    def _kept(self, media: str, width: int, height: int, data: bytes) -> dict[str, Any] | None:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._sent:
            if len(data) > self._budget:
                self._is_full = True
                return None
            self._budget -= len(data)
            self._send(b"x" + data)
            told = {"media": media, "width": width, "height": height, "number": len(self._sent)}
            self._sent[digest] = told
        return self._sent[digest]


def _drawn(page: Any, box: Box, *, is_photograph: bool) -> tuple[str, int, int, bytes]:
    width, height = page.get_size()
    left, top = max(0.0, box[0] - _MARGIN), max(0.0, box[1] - _MARGIN)
    right, bottom = min(width, box[2] + _MARGIN), min(height, box[3] + _MARGIN)
    scale = min(_DPI / 72, _LONGEST / max(right - left, bottom - top, 1.0))
    crop = (left, height - bottom, width - right, top)
    bitmap = page.render(scale=scale, crop=crop, draw_annots=False, may_draw_forms=False)
    try:
        image = bitmap.to_pil().convert("RGB")
    finally:
        bitmap.close()
    return _encoded(image, lossy=is_photograph)


def drawn_page(page: Any, width: int) -> tuple[tuple[str, int, int, bytes], float]:
    """A whole page as a PNG `width` px wide: (media, width, height, bytes), and px a point.

    Narrower where the page is so long that it would be more than MOST_PIXELS.
    """
    wide, high = page.get_size()
    scale = width / max(wide, 1.0)
    scale *= min(1.0, (MOST_PIXELS / max(wide * high * scale * scale, 1.0)) ** 0.5)
    bitmap = page.render(scale=scale, draw_annots=False, may_draw_forms=False)
    try:
        image = bitmap.to_pil().convert("RGB")
    finally:
        bitmap.close()
    return _encoded(image, lossy=False), scale


def _encoded(image: Any, *, lossy: bool) -> tuple[str, int, int, bytes]:
    told = io.BytesIO()
    if lossy:
        image.save(told, "JPEG", quality=92)
    else:
        image.save(told, "PNG")
    media = "image/jpeg" if lossy else "image/png"
    return media, image.width, image.height, told.getvalue()


def _images(page: Any) -> list[Any]:
    import pypdfium2.raw as raw

    found = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=6)
    return list(itertools.islice(found, _MOST_IMAGES))


def _original(item: Any, wanted: set[str]) -> tuple[str, int, int, bytes] | None:
    """The embedded image, once for each key in `wanted`: a JPEG as it is, any other as PNG."""
    import pypdfium2.raw as raw
    from PIL import Image

    wide, high = ctypes.c_uint(), ctypes.c_uint()
    raw.FPDFImageObj_GetImagePixelSize(item, wide, high)
    key = key_of(item, wide.value, high.value)
    if key not in wanted:
        return None
    wanted.discard(key)
    if list(item.get_filters(skip_simple=True)) == ["DCTDecode"]:
        data = bytes(item.get_data(decode_simple=True))
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if image.mode in ("L", "RGB") and image.width * image.height <= MOST_PIXELS:
                return "image/jpeg", image.width, image.height, data
    picture = item.get_bitmap().to_pil()
    return _encoded(
        picture if picture.mode in ("L", "RGB") else picture.convert("RGB"), lossy=False
    )
