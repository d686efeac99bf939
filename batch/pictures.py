"""Small pictures of micrographs for reports and lists: the specimen alone, in its own contrast.

The databar is cut: it would set the contrast, and operator names stand in it. Pictures are kept
in the run's `thumbnails` folder, a cache that may be deleted. Draws no overlay.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import UnreadableMicrograph

if TYPE_CHECKING:
    import numpy as np

    from glassllava.micrograph.record import Micrograph

_log = logging.getLogger(__name__)

#: Longest side in pixels: 170 dpi over the width of an A4 page's text.
SIDE = 1120
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Picture:
    """A grey JPEG of the specimen.

    `width` and `height` are the JPEG's, `scale` its pixels per pixel of the micrograph, and `top`
    the first row of the micrograph that it shows.
    """

    jpeg: bytes
    width: int
    height: int
    scale: float
    top: int


def shown_rows(record: Mapping[str, Any]) -> tuple[int, int]:
    """The first and the last (exclusive) row above or below the databar, from a record."""
    bar, height = record.get("databar"), record["height"]
    if not bar:
        return 0, height
    return (bar["height"], height) if bar["top"] == 0 else (0, bar["top"])


def cache_name(record: Mapping[str, Any]) -> str:
    return f"{record['sha256'][:32]}-{record['page']}.jpg"


def draw_picture(specimen: np.ndarray[Any, Any]) -> bytes:
    """A grey JPEG, at most `SIDE` pixels a side, of the specimen's grey rows."""
    from PIL import Image

    from glassllava.micrograph.reading import display_range, to_8bit

    # Contrast before shrinking: averaging would narrow the range that noise spans.
    image = Image.fromarray(to_8bit(specimen, display_range(specimen)))
    return _jpeg(image, SIDE)


def smaller(jpeg: bytes, side: int) -> bytes:
    """The same picture with at most `side` pixels a side."""
    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as image:
        return _jpeg(image, side)


def _jpeg(image: Any, side: int) -> bytes:
    from PIL import Image

    image.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=None)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def keep_picture(folder: Path, micrograph: Micrograph, frame: np.ndarray[Any, Any]) -> None:
    """Put the picture of a micrograph into the cache; `frame` is its whole grey frame."""
    record = micrograph.to_json()
    path = folder / cache_name(record)
    if path.exists():
        return
    first, last = shown_rows(record)
    jpeg = draw_picture(frame[first:last])
    try:
        folder.mkdir(exist_ok=True)
        part = path.with_suffix(f".{id(frame)}.part")
        part.write_bytes(jpeg)
        part.replace(path)
    except OSError as error:
        # Only a cache: a full disk is told by the ledger, which needs it.
        _log.warning("%s: the picture could not be kept (%s)", path, error.strerror)


def find_picture(record: Mapping[str, Any], cache: Path | None) -> Picture | str:
    """The picture of a record's micrograph, from the cache or else from the file; or why not.

    The file is used only if it still is the one that was interpreted.
    """
    from glassllava.micrograph import reading

    first, last = shown_rows(record)
    jpeg = None
    if cache is not None and record.get("sha256"):
        try:
            jpeg = (cache / cache_name(record)).read_bytes()
            return _opened(jpeg, record)
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.warning("%s: not used (%s)", cache / cache_name(record), error)
    try:
        micrograph = reading.read_micrograph(
            record["path"], page=record["page"], with_databar=False
        )
        if record.get("sha256") and micrograph.sha256 != record["sha256"]:
            return "The file is another one than was interpreted, so that it is not shown."
        return _opened(draw_picture(reading.grey(micrograph)[first:last]), record)
    except UnreadableMicrograph as error:
        return f"The picture cannot be shown: {error.what}."


def _opened(jpeg: bytes, record: Mapping[str, Any]) -> Picture:
    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as image:
        image.load()
        width, height = image.size
    return Picture(jpeg, width, height, width / record["width"], shown_rows(record)[0])
