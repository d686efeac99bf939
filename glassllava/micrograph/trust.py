"""Of all that was said of one micrograph: what is believed, and what the person must be told.

Knows the order of trust among scales and when two of them disagree. Knows nothing of who said it
(`vendors`, `sidecars`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeVar

from glassllava.micrograph.header import VendorReading
from glassllava.micrograph.record import TRUST, BeamSettings, Instrument, PixelSize

#: Two scales that differ by more than this are told to the person.
_DISAGREEMENT = 0.01

_Settings = TypeVar("_Settings", BeamSettings, Instrument)


def scale(
    readings: Iterable[VendorReading], typed: PixelSize | None
) -> tuple[PixelSize | None, tuple[PixelSize, ...], list[str]]:
    """The most trusted pixel size, every candidate, and what the person must know of them."""
    readings = list(readings)
    found: list[tuple[PixelSize, str]] = []
    voids: list[str] = []
    for reading in readings:
        found += [(size, reading.void) for size in reading.candidates]
        if reading.void and reading.void not in voids:
            voids.append(reading.void)
    found.sort(key=lambda pair: TRUST.index(pair[0].source))  # stable: a vendor's order stays
    best = typed or next((size for size, void in found if not void), None)
    warnings: list[str] = []
    if typed is None:
        warnings += [
            f"One of the scales is not used: {void}"
            if best
            else f"The scale is not used: {void}. Type the pixel size if you know it"
            for void in voids
        ]
    if best is not None and best.source == "magnification":
        warnings.append(
            "The pixel size is only an estimate from the magnification: "
            "check it against the scale bar"
        )
    if any(best in reading.candidates and not reading.is_vouched for reading in readings):
        warnings.append(
            "The header does not say how large its image was: if this one was resized since, the "
            "scale is wrong"
        )
    candidates = ((typed,) if typed else ()) + tuple(size for size, _ in found)
    apart = [
        size
        for size in candidates
        if best is not None and abs(size.value_m - best.value_m) > _DISAGREEMENT * best.value_m
    ]
    if apart and best is not None:
        others = ", ".join(f"{_in_words(size)} ({size.origin or size.source})" for size in apart)
        warnings.append(
            f"The scales disagree: {_in_words(best)} per pixel ({best.origin or best.source}) "
            f"is used, the file also says {others}"
        )
    return best, candidates, warnings


def _in_words(size: PixelSize) -> str:
    # Nanometres alone, so that two that disagree are compared at a glance.
    return f"{float(f'{size.value_m * 1e9:.4g}'):,.12g} nm".replace(",", " ")


def merged(empty: _Settings, parts: Iterable[_Settings]) -> _Settings:
    """Every field from the first part that knows it."""
    values: dict[str, Any] = {}
    for part in parts:
        for field in fields(part):
            value = getattr(part, field.name)
            if value is not None:
                values.setdefault(field.name, value)
    return type(empty)(**values)


def sources(readings: Iterable[VendorReading]) -> dict[str, str]:
    """Where each known beam and instrument value was read, by the first that knows it."""
    found: dict[str, str] = {}
    for reading in readings:
        for part in (reading.beam, reading.instrument):
            for field in fields(part):
                if getattr(part, field.name) is not None:
                    found.setdefault(field.name, reading.sources.get(field.name, "the header"))
    return found
