"""A figure made into a question to a server: its picture, its words, the levels it can fill.

The picture is the file that was gathered, checked by its hash, no larger than a server looks at.
Knows no reply (`replies`) and no network (`training.served`).
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glassllava.errors import BadInput
from glassllava.sample import ContextLevel, Sample
from training.curation import prompts
from training.curation.figure import Figure
from training.served import Ask

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 1024  # pixels of the longer side; more is cut into tiles and paid for
_MOST_PIXELS = 100_000_000
_LARGEST_FILE = 64 << 20


def levels_of(told: Mapping[str, str]) -> tuple[ContextLevel, ...]:
    """The context levels that there is something to tell for, by what is known of a sample.

    A level at which nothing more is known than at the one before would only repeat it.
    """
    sample = Sample.from_mapping(told)
    levels: list[ContextLevel] = ["none"]
    if sample.material:
        levels.append("basic")
    if sample not in (Sample(), Sample(material=sample.material)):
        levels.append("moderate")
    return (*levels, "high")


def words_of(figure: Figure) -> tuple[str, ...]:
    """The paper's own words about the figure that are given: the caption, then paragraphs."""
    words: list[str] = []
    room = prompts.LONGEST_WORDS - 500  # for the sample and the labels of the parts
    for text in (figure.caption, *figure.context):
        if len(text) <= room and text.strip():
            words.append(text)
            room -= len(text)
    return tuple(words)


def ask_about(figure: Figure, work: Path) -> Ask:
    """The question about one figure.

    Raises
    ------
    BadInput : for a picture that is gone, changed or broken, or a figure without words.
    """
    words = words_of(figure)
    if not words:
        raise BadInput("The figure has neither caption nor paragraph to ask from", where=figure.id)
    known = "; ".join(f"{key}: {value}" for key, value in figure.sample.items() if value)
    caption = figure.caption if figure.caption in words else ""
    paragraphs = [one for one in words if one != caption]
    text = prompts.about(figure.title, caption, paragraphs, known)
    content = [
        {"type": "text", "text": text},
        {"type": "image_url", "image_url": {"url": _data_url(figure, work), "detail": "high"}},
    ]
    return Ask(
        messages=(
            {"role": "system", "content": prompts.task()},
            {"role": "user", "content": content},
        ),
        schema=prompts.REPLY,
        longest=prompts.LONGEST_REPLY,
        label=figure.id,
    )


def picture_bytes(figure: Figure, work: Path) -> bytes:
    """The file of the picture, as it was gathered.

    Raises
    ------
    BadInput : where it is gone, has changed, or lies outside the work folder.
    """
    path = work / figure.image
    try:
        if not path.resolve().is_relative_to(work.resolve()):
            raise OSError("a link leads out of the work folder")
        if path.stat().st_size > _LARGEST_FILE:
            raise OSError("larger than 64 MB")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"The picture cannot be read ({error})", where=figure.id) from error
    if figure.sha256 and hashlib.sha256(data).hexdigest() != figure.sha256:
        raise BadInput(
            "The picture has changed since it was gathered",
            where=f"{figure.id} {figure.image}",
            remedy="Gather the papers again.",
        )
    return data


def _eight_bits(picture: Image.Image) -> Image.Image:
    from PIL import Image

    if picture.mode.startswith(("I", "F")):  # Pillow would cut these off at 255
        values = np.asarray(picture, np.float64)
        low, high = float(values.min()), float(values.max())
        scaled = (values - low) / (high - low or 1.0) * 255.0
        return Image.fromarray(scaled.round().astype(np.uint8))
    return picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")


def _data_url(figure: Figure, work: Path) -> str:
    from PIL import Image, UnidentifiedImageError

    data = picture_bytes(figure, work)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "TIFF")) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ValueError("more than 100 million pixels")
            seen = _eight_bits(picture)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
        raise BadInput(f"The picture cannot be decoded ({error})", where=figure.id) from error
    if max(seen.size) > _SIDE:
        seen.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    seen.save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
