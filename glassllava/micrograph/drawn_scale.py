"""The scale that a micrograph's drawn bar says: the bar measured, its label read or typed.

An offer for a person to confirm, where it was read: letters can be misread, and a wrong ruler is
worse than none. So a label counts only within reach of the bar, as a number with a unit and
nothing else, read alike at two sizes; and where two labels could be meant there is no offer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glassllava.errors import BadInput
from glassllava.micrograph import lettering, reading
from glassllava.micrograph.header import pixel_size
from glassllava.micrograph.lettering import Line
from glassllava.micrograph.record import Micrograph, PixelSize
from glassllava.micrograph.scale_bar import ScaleBar, find_bars

Array = np.ndarray[Any, Any]

#: What a label may hold, nothing else; Cyrillic, Greek and Latin signs of micro, and the "p" that
#: µ is misread as: no microscope of this kind draws a bar in picometres.
_LABEL = re.compile(r"(\d{1,4}(?:[.,]\d{1,3})?)\s?(nm|[µμup]m|mm)")
_UNITS = {"nm": 1e-9, "mm": 1e-3}
_REACH = 3.0  # heights of a letter, between a bar and its label
_AROUND = (170, 46)  # px to the sides, and over and under a bar, that are read
_ENLARGED, _AGAIN = 2, 3  # times: small letters are read better
_PAD = 8  # px around what is read
_MOST_BARS = 3


@dataclass(frozen=True, slots=True)
class DrawnScale:
    """A drawn bar, what it says, and the pixel size that follows.

    `label` and `size` are empty where the label was not read; `remedy` then says what to do.
    """

    bar: ScaleBar
    label: str = ""
    size: PixelSize | None = None
    remedy: str = ""

    @property
    def in_words(self) -> str:
        if not self.label:
            return f"A bar is drawn, {self.bar.in_words}; its label was not read"
        return f"The drawn bar says {self.label} over {self.bar.in_words}"


def length_in(text: str) -> float | None:
    """Metres that a label says, "20 µm"; None for a text that is no label of a bar.

    Labels have one or two digits that count (1, 2, 5, 10, 20, 2.5): another number stands for
    something else, as a field of view, or is misread.
    """
    found = _LABEL.fullmatch(text.strip())
    if found is None:
        return None
    number, unit = found.groups()
    digits = number.replace(",", ".").replace(".", "").strip("0")
    value = float(number.replace(",", "."))
    if not value or len(digits) > 2 or (number[0] == "0" and number[1:2] not in (".", ",")):
        return None
    return value * _UNITS.get(unit, 1e-6)


def read_scale(micrograph: Micrograph, grey: Array | None = None) -> DrawnScale | None:
    """What the drawn bar says, or None where no bar with a label is found.

    `grey` is the (H, W) frame, read from the file by default. Without the reader of lettering the
    bar is measured alone, and the remedy says how to install it.
    """
    frame = reading.grey(micrograph) if grey is None else grey
    bars = find_bars(frame, micrograph.databar)[:_MOST_BARS]
    if not bars:
        return None
    if not lettering.is_installed():
        ticked = [bar for bar in bars if bar.has_ticks]
        # Without its label a plain line may be anything.
        return DrawnScale(ticked[0], remedy=lettering.REMEDY) if len(ticked) == 1 else None
    found = [drawn for bar in bars if (drawn := _labelled(frame, micrograph, bar)) is not None]
    sizes = [drawn.size.value_m for drawn in found if drawn.size is not None]
    if not sizes or max(sizes) > 1.02 * min(sizes):
        return None
    return found[0]


def measured_scale(micrograph: Micrograph, length_m: float, grey: Array | None = None) -> PixelSize:
    """The pixel size from the drawn bar, whose length the person typed.

    Raises
    ------
    BadInput : where no bar is found, or several could be meant.
    """
    frame = reading.grey(micrograph) if grey is None else grey
    bars = find_bars(frame, micrograph.databar)
    remedy = 'Measure it on the screen and type the pixel size, as --pixel-size "2.5 nm".'
    ticked = tuple(bar for bar in bars if bar.has_ticks)
    meant = ticked or bars
    if not meant:
        raise BadInput("No scale bar is found", where=micrograph.path, remedy=remedy)
    if len(meant) > 1:
        raise BadInput(
            f"{len(meant)} lines could be the scale bar", where=micrograph.path, remedy=remedy
        )
    size = _size(meant[0], length_m, "measured_bar", "")
    if size is None:
        raise BadInput(
            "No pixel of a microscope has the size that this gives",
            where=micrograph.path,
            remedy="Check the length of the bar and its unit.",
        )
    return size


def read_with_bar(
    path: str | Path,
    page: int | None = None,
    *,
    pixel_size: PixelSize | None = None,
    bar_length_m: float | None = None,
    accept_read_bar: bool = False,
    with_hash: bool = True,
) -> Micrograph:
    """The micrograph of a file, with the scale of its drawn bar where that is wanted.

    A bar whose length was typed counts below what the file says, and above an estimate. One that
    was read is used only if `accept_read_bar` says so, and only where there is nothing better.

    Raises
    ------
    UnreadableMicrograph, BadInput : as `read_micrograph` and `measured_scale` do.
    """
    micrograph = reading.read_micrograph(path, page, pixel_size=pixel_size, with_hash=with_hash)
    bar = None
    if bar_length_m is not None:
        bar = measured_scale(micrograph, bar_length_m)
    elif accept_read_bar and is_wanted(micrograph):
        drawn = read_scale(micrograph)
        bar = drawn.size if drawn is not None else None
    if bar is None:
        return micrograph
    # The databar too: it may show that the header's scale is another image's.
    scaled = reading.read_micrograph(path, page, pixel_size=pixel_size, bar=bar, with_hash=False)
    if scaled.pixel_size == bar and bar.source == "read_bar":
        warned = f"The scale was read by OCR, and confirmed by no person: {bar.origin}"
        scaled = replace(scaled, warnings=(*scaled.warnings, warned))
    return replace(scaled, sha256=micrograph.sha256)


def is_wanted(micrograph: Micrograph) -> bool:
    """Whether a drawn bar could tell more than is known: there is no scale, or an estimate."""
    size = micrograph.pixel_size
    return size is None or size.source == "magnification"


def with_offer(micrograph: Micrograph) -> tuple[Micrograph, DrawnScale | None]:
    """The micrograph with the read bar among its candidates, and what the bar says.

    The ruler stays as it was: a read bar is used when a person confirms it.
    """
    drawn = read_scale(micrograph) if is_wanted(micrograph) else None
    if drawn is None or drawn.size is None:
        return micrograph, drawn
    return replace(micrograph, candidates=(*micrograph.candidates, drawn.size)), drawn


def _size(bar: ScaleBar, length_m: float, source: Any, label: str) -> PixelSize | None:
    said = f'"{label}" read over' if label else "typed length over"
    pixel = pixel_size(length_m / bar.length_px, source, f"drawn bar: {said} {bar.in_words}")
    if pixel is None:
        return None
    return replace(pixel, uncertainty=bar.uncertainty_px / bar.length_px)


def _labelled(frame: Array, micrograph: Micrograph, bar: ScaleBar) -> DrawnScale | None:
    """The bar with the label within its reach, if one and only one is."""
    left, right = max(0, int(bar.left) - _AROUND[0]), int(bar.right) + _AROUND[0]
    top, bottom = max(0, bar.top - _AROUND[1]), bar.bottom + _AROUND[1]
    strip = micrograph.databar
    if strip is not None:
        top, bottom = max(top, strip.top), min(bottom, strip.top + strip.height)
    picture = reading.to_8bit(frame[top:bottom, left:right])
    lines = _moved(lettering.read_lines(_enlarged(picture, _ENLARGED)), left, top)
    near = _near(lines, bar)
    if not near or len({length for _, length in near}) != 1:
        return None
    line, length = near[0]
    text = line.text
    if length_in(_read_again(frame, line)) != length:
        return None
    label = _tidy(text)
    size = _size(bar, length, "read_bar", label)
    return None if size is None else DrawnScale(bar, label, size)


def _near(lines: Iterable[Line], bar: ScaleBar) -> list[tuple[Line, float]]:
    """The labels within reach: over or under the bar, or beside it, the nearest alone."""
    found = []
    for line in lines:
        length = length_in(line.text)
        if length is None:
            continue
        tall = line.bottom - line.top
        aside = max(line.left - bar.right, bar.left - line.right, 0.0)
        away = max(line.top - bar.bottom, bar.top - line.bottom, 0.0)
        centred = abs(line.left + line.right - bar.left - bar.right) / 2
        over = away <= _REACH * tall and centred <= max(0.3 * bar.length_px, tall)
        beside = away == 0 and aside <= _REACH * tall
        if over or beside:
            found.append((aside + away, line, length))
    found.sort(key=lambda one: one[0])
    return [(line, length) for distance, line, length in found if distance <= found[0][0] + 8]


def _moved(lines: Iterable[Line], left: int, top: int) -> list[Line]:
    """Lines of the enlarged picture, in pixels of the frame."""
    shrunk = 1 / _ENLARGED
    return [
        replace(
            line,
            left=(line.left - _PAD) * shrunk + left,
            right=(line.right - _PAD) * shrunk + left,
            top=(line.top - _PAD) * shrunk + top,
            bottom=(line.bottom - _PAD) * shrunk + top,
        )
        for line in lines
    ]


def _read_again(frame: Array, line: Line) -> str:
    """The text of one line at another size: what is misread is seldom misread alike."""
    rows = slice(max(0, int(line.top) - 2), int(line.bottom) + 3)
    columns = slice(max(0, int(line.left) - 3), int(line.right) + 4)
    text, _ = lettering.read_line(_enlarged(reading.to_8bit(frame[rows, columns]), _AGAIN))
    return text


def _enlarged(picture: Array, times: int) -> Array:
    height, width = picture.shape
    enlarged = Image.fromarray(picture).resize(
        (width * times, height * times), Image.Resampling.BICUBIC
    )
    return np.pad(np.asarray(enlarged), _PAD, mode="edge")


def _tidy(text: str) -> str:
    """ "20pm" -> "20 µm"."""
    found = _LABEL.fullmatch(text.strip())
    assert found is not None
    number, unit = found.groups()
    return f"{number.replace(',', '.')} {unit if unit in _UNITS else 'µm'}"
