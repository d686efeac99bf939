"""Pictures of figures decoded within bounds, chosen at their best, and written whole or not at all.

A drawn figure is what the page shows at 200 dots an inch; the images it was put together from have
pixels of their own. Where one shows the same as a part of the page, it is taken instead. Pictures
come from papers and are hostile: only PNG, JPEG and GIF are opened, and none beyond a size.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glassllava.errors import BadInput
from training.curation.panels import Box
from training.whole import write_whole

Array = np.ndarray[Any, Any]

#: More pixels than this are not unfolded; a longer side than that is not kept.
MOST_PIXELS = 60_000_000
LONGEST_SIDE = 3000
_LARGEST_FILE = 100_000_000
#: How much the shape of an original may differ from its part, and how well it must agree.
_SHAPE, _AGREES = 0.2, 0.93


def decode(data: bytes, where: str | Path) -> Array:
    """(H, W, 3) uint8 of an encoded picture, its longer side at most LONGEST_SIDE.

    Raises
    ------
    BadInput : where it is no PNG, JPEG or GIF, is damaged, or has too many pixels.
    """
    from PIL import Image, UnidentifiedImageError

    too_many = f"it has more than {MOST_PIXELS:,} pixels"
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF")) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise ValueError(too_many)
                shown = _flat(opened)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise BadInput(f"A picture cannot be decoded: {too_many}", where=where) from error
        except UnidentifiedImageError as error:
            what = "A picture cannot be decoded: it is no whole PNG, JPEG or GIF"
            raise BadInput(what, where=where) from error
        except (OSError, ValueError, SyntaxError) as error:
            raise BadInput(f"A picture cannot be decoded: {error}", where=where) from error
    if max(shown.size) > LONGEST_SIDE:
        shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(shown)


def _flat(opened: Any) -> Any:
    """RGB; what is transparent is white, as on paper; 16 bits are brought to 8."""
    from PIL import Image

    if opened.mode.startswith(("I", "F")):
        from glassllava.micrograph.contrast import to_8bit

        return Image.fromarray(to_8bit(np.asarray(opened))).convert("RGB")
    if "A" in opened.getbands() or "transparency" in opened.info:
        clear = opened.convert("RGBA")
        paper = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(paper, clear).convert("RGB")
    return opened.convert("RGB")


def read_picture(path: Path) -> Array:
    """The picture in a file.

    Raises
    ------
    BadInput : where it cannot be read, or `decode` refuses it.
    """
    try:
        # What is no file (a pipe, a device) may never end.
        if path.exists() and not path.is_file():
            raise BadInput("The picture is no file", where=path)
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"The picture cannot be read ({why})", where=path) from error
    if len(data) > _LARGEST_FILE:
        raise BadInput("The picture is larger than 100 MB", where=path)
    return decode(data, path)


def at_best(shown: Array, box: Box, originals: Sequence[Array]) -> Array:
    """The pixels in the box: those of the original that shows just that, if there is one.

    A page draws an image larger or smaller than it is; its own pixels are the truth either way.
    """
    left, top, right, bottom = box
    part = shown[top:bottom, left:right]
    high, wide = part.shape[:2]
    best, agreed = part, _AGREES
    for original in originals:
        shape = (original.shape[1] / original.shape[0]) / (wide / high)
        if abs(np.log(shape)) > _SHAPE:
            continue
        agreement = float((_small(part) * _small(original)).sum())
        if agreement > agreed:
            best, agreed = original, agreement
    return best


def _small(picture: Array) -> Array:
    from PIL import Image

    grey = Image.fromarray(picture).convert("L").resize((32, 32), Image.Resampling.BOX)
    less = np.asarray(grey, float) - np.mean(np.asarray(grey, float))
    return np.asarray(less / max(float(np.linalg.norm(less)), 1e-9))


def write_png(picture: Array, path: Path) -> bytes:
    """Write the picture whole or not at all; grey where it has no colour. Its bytes.

    Raises
    ------
    RunUnavailable : where it cannot be written.
    """
    from PIL import Image

    grey = picture[..., 0]
    is_grey = bool((picture == grey[..., None]).all())
    held = io.BytesIO()
    Image.fromarray(grey if is_grey else picture).save(held, "PNG")
    write_whole(path, held.getvalue())
    return held.getvalue()
