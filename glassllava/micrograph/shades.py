"""How the stored samples of a picture become grey or colour, and what must be said of it.

Knows palettes, white at zero, opacity, and samples that are no colours. Knows nothing of how they
lie in a file (`tiff_pixels`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_LUMINANCE = (0.2126, 0.7152, 0.0722)  # ITU-R BT.709
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _PALETTE = 0, 1, 3  # PhotometricInterpretation
_OPACITY = (1, 2)  # ExtraSamples
#: Zeiss stores grey values and beside them a palette for its screen, not always a grey one.
_ZEISS = (34118, 34119)
_RAMP = 2  # of 255: rounding in a palette of grey


@dataclass(frozen=True, slots=True)
class Shades:
    """How one page's samples are to be read: made while its file is open, and used after.

    `palette` is the grey of each index, or None where the sample itself is the value;
    `is_first_alone` where the samples of a pixel are no colours; `white_bits` are the bits of a
    sample whose zero is white, else 0.
    """

    palette: Array | None = None
    is_first_alone: bool = False
    white_bits: int = 0
    remarks: tuple[str, ...] = ()

    def applied(self, array: Array) -> Array:
        """(H, W) or (H, W, 3) of stored samples (H, W) or (H, W, S); one bit is 0 and 255."""
        if array.ndim == 3:
            # A second sample without a colour model is opacity, and so is a fourth.
            is_colour = array.shape[2] >= 3 and not self.is_first_alone
            array = array[..., :3] if is_colour else array[..., 0]
        if self.palette is not None:
            return self.palette[np.minimum(array.astype(np.intp), len(self.palette) - 1)]
        if array.dtype == np.bool_:
            array = array.astype(np.uint8) * np.uint8(255)
            return np.uint8(255) - array if self.white_bits else array
        if self.white_bits and array.dtype.kind == "u":
            array = array.dtype.type(2**self.white_bits - 1) - array
        elif self.white_bits and array.dtype.kind == "i":
            array = ~array
        elif self.white_bits:
            array = -array
        return np.ascontiguousarray(array)


def shades_of(page: Any) -> Shades:
    """How the samples of a page of tifffile are to be read."""
    photometric, samples = int(page.photometric), int(page.samplesperpixel)
    palette = _palette(page) if photometric == _PALETTE else None
    is_grey = photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _PALETTE)
    extra = [int(kind) for kind in page.extrasamples or ()]
    remarks = []
    if palette is not None:
        remarks.append("The picture is of a palette of colours: each is read as its grey")
    if is_grey and samples > 1 and not (samples == 2 and extra[:1] and extra[0] in _OPACITY):
        remarks.append(
            f"Each pixel holds {samples} samples that are no colours, as of {samples} detectors: "
            "the first is read"
        )
    return Shades(
        palette=palette,
        is_first_alone=is_grey,
        white_bits=max(1, int(page.bitspersample)) if photometric == _WHITE_IS_ZERO else 0,
        remarks=tuple(remarks),
    )


def as_grey(array: Array) -> Array:
    """(H, W) of (H, W) or (H, W, 3) in the same type; colours by luminance (BT.709)."""
    if array.ndim == 2:
        return array
    red, green, blue = (array[..., index] for index in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return np.ascontiguousarray(red)  # grey stored as colour: exact
    mixed = array.astype(np.float64) @ np.array(_LUMINANCE)
    if array.dtype.kind in "ui":
        limits = np.iinfo(array.dtype)
        mixed = np.clip(np.rint(mixed), limits.min, limits.max)
    return mixed.astype(array.dtype)


def _palette(page: Any) -> Array | None:
    """The grey of each index, or None where the index itself is the grey."""
    if any(tag in page.tags for tag in _ZEISS):
        return None
    colours = None if page.colormap is None else np.asarray(page.colormap)
    if colours is None or colours.ndim != 2 or colours.shape[0] != 3 or colours.shape[1] < 2:
        return None
    if colours.max() < 256:
        colours = colours * 257  # written in 8 bits where 16 are meant
    is_deep = int(page.bitspersample) > 8
    colours = colours.astype(np.uint16) if is_deep else np.rint(colours / 257).astype(np.uint8)
    ramp = np.linspace(0, 65535 if is_deep else 255, colours.shape[1])
    if np.all(np.abs(colours - ramp) <= (257 * _RAMP if is_deep else _RAMP)):
        return None
    return as_grey(np.ascontiguousarray(colours.T[None]))[0]
