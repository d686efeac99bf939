"""Grey values to the eight bits that a screen, a report and the model take.

Contrast comes from the pixels that it is given: give it the specimen, without the databar, whose
black and white would set it otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: Percentiles are taken from at most about this many pixels: over a whole large micrograph
#: they take seconds, and the figure is the same.
_ENOUGH = 500_000


def display_range(grey: np.ndarray[Any, Any], saturated: float = 0.35) -> tuple[float, float]:
    """The grey values shown as black and as white.

    Parameters
    ----------
    grey : (H, W) of any real type; values that are not finite do not count.
    saturated : percent of the pixels beyond the range, both ends together (ImageJ's 0.35).

    Returns
    -------
    (low, high), with high > low even for a constant picture.
    """
    stride = max(1, int(np.sqrt(grey.size / _ENOUGH))) if grey.size else 1
    values = grey[::stride, ::stride].ravel()
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (
        float(value) for value in np.percentile(values, (saturated / 2, 100 - saturated / 2))
    )
    if not high > low:
        low, high = float(values.min()), float(values.max())
    if not high > low:
        high = low + max(1.0, abs(low) * 1e-6)
    return low, high


def to_8bit(
    grey: np.ndarray[Any, Any], low_high: tuple[float, float] | None = None
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """`grey` stretched from `low_high` (its own display range by default) to 0 … 255.

    Values that are not a number become 0.
    """
    low, high = low_high if low_high is not None else display_range(grey)
    if grey.dtype in (np.uint8, np.uint16):
        levels = np.arange(np.iinfo(grey.dtype).max + 1, dtype=np.float64)
        return _stretched(levels, low, high)[grey]
    return _stretched(grey.astype(np.float64), low, high)


def _stretched(
    values: np.ndarray[Any, Any], low: float, high: float
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = (values - low) * (255.0 / max(high - low, np.finfo(float).tiny))
    return np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0) + 0.5, 0, 255).astype(
        np.uint8
    )
