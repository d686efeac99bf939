"""PNG, JPEG and BMP pictures of micrographs, by Pillow: pixels, and mostly no scale.

Their resolution entries are those of a screen or a printer, so that none is a calibration. A vendor
that writes its TIFF tag into EXIF (Phenom) is handed on as that tag.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph.header import Header
from glassllava.micrograph.limits import refuse_packed, refuse_too_large
from glassllava.micrograph.record import Page
from glassllava.micrograph.texts import MAX_TEXT, decoded
from glassllava.micrograph.tiff import READING_ERRORS, translated

FORMATS = ("PNG", "JPEG", "BMP")
_DEPTH = {"1": 1, "I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32}
_SOFTWARE = 305
#: Where Pillow refuses, whatever it is asked for.
_MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
#: Vendors' TIFF tags that EXIF may hold too, and the program that saved the picture.
_EXIF_TEXTS = (34683, _SOFTWARE)
_GREY = ("1", "L", "LA", "I;16", "I;16B", "I;16L", "I", "F")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        # Pillow warns from 89 megapixels on, where the limit of this product is its own, and of
        # torn EXIF, which is told below.
        warnings.simplefilter("ignore")
        with _bomb(path), translated(path, "opening it as a picture"):
            picture = Image.open(path, formats=FORMATS)
        try:
            yield picture
        finally:
            picture.close()


@contextmanager
def _bomb(path: Path) -> Iterator[None]:
    try:
        yield
    except Image.DecompressionBombError as error:
        raise UnreadableMicrograph(
            f"The picture is too large to read: at most {_MOST_PIXELS / 1e6:,.0f} million pixels "
            "of a PNG, JPEG or BMP are",
            where=path,
            remedy="Save it as TIFF, which is read in parts: its limit is largest_bytes under "
            "[reading].",
        ) from error


def read_headers(path: Path) -> tuple[tuple[Page, ...], dict[int, Header], tuple[str, ...]]:
    with _opened(path) as picture:
        width, height = picture.size
        if width < 1 or height < 1:
            raise UnreadableMicrograph(
                f"There is no picture: it claims {width} × {height} pixels",
                where=path,
                remedy="It is torn: copy it again from the microscope.",
            )
        if picture.mode == "CMYK":
            raise UnreadableMicrograph(
                "A picture in printing colours is not read", where=path, remedy="Save it as grey."
            )
        samples = 1 if picture.mode in _GREY else 3
        page = Page(0, width, height, _DEPTH.get(picture.mode, 8), samples, "image")
        needed = width * height * samples * max(8, page.bit_depth) // 8
        claim = f"it claims {width} × {height} pixels"
        refuse_too_large(path, needed, claim)
        refuse_packed(path, needed, path.stat().st_size, claim)
        texts, told = _exif_texts(picture)
        remarks = _remarks(picture)
    software = texts.pop(_SOFTWARE, "")
    header = Header(width, height, software=software, texts=texts, remarks=remarks)
    return (page,), {0: header}, told


def _remarks(picture: Image.Image) -> tuple[str, ...]:
    """That Pillow reads 16 bits a colour as 8: its raw mode, as "RGB;16B", says what is stored."""
    tiles = getattr(picture, "tile", ())  # of an image that was opened and not yet decoded
    raw = str(tiles[0][3]) if tiles else ""
    if "16" not in raw or picture.mode.startswith("I"):
        return ()
    return ("The picture holds 16 bits a sample, of which 8 are read: save it as 16-bit grey",)


def _exif_texts(picture: Image.Image) -> tuple[dict[int, str], tuple[str, ...]]:
    """Vendors' tags in EXIF, and a warning where it is torn: the pixels may be whole."""
    if "exif" not in picture.info:
        return {}, ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of torn EXIF, and goes on with a part
            exif = Image.Exif()
            exif.load(picture.info["exif"])
            found = {code: exif.get(code) for code in _EXIF_TEXTS}
    except (*READING_ERRORS, Warning):
        return {}, ("The picture's EXIF is torn: nothing of it is used",)
    texts = {
        code: decoded(value) if isinstance(value, bytes) else str(value)
        for code, value in found.items()
        if isinstance(value, bytes | str)
    }
    return {code: text[:MAX_TEXT] for code, text in texts.items()}, ()


def read_pixels(path: Path, first_row: int = 0) -> np.ndarray[Any, Any]:
    """Rows from `first_row` on, (H, W) or (H, W, 3)."""
    with _opened(path) as picture, _bomb(path), translated(path, "decoding the picture"):
        if picture.mode == "1":
            picture = picture.convert("L")
        elif picture.mode == "LA":
            picture = picture.getchannel("L")
        elif picture.mode not in (*_GREY, "RGB"):
            picture = picture.convert("RGB")
        return np.ascontiguousarray(np.asarray(picture)[first_row:])
