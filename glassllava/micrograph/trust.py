"""Of all that was said of one micrograph: what is believed, and what the person must be told.

Knows the order of trust among scales, when two of them disagree, and when the pixels belie a
header. Knows nothing of who said it (`vendors`, `sidecars`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any, TypeVar

from glassllava.micrograph.header import VendorReading
from glassllava.micrograph.record import TRUST, BeamSettings, Databar, Instrument, PixelSize

#: Two scales that differ by more than this are told to the person.
_DISAGREEMENT = 0.01

#: A bar within a row of what the header tells is that bar: of 60 rows, resized by 1.6 % at most.
_SAME_ROWS = 1
#: One within so many rows, or such a share, may be that bar and seen inexactly.
_ALIKE_ROWS, _ALIKE_SHARE = 4, 0.1

_Settings = TypeVar("_Settings", BeamSettings, Instrument)


def held_against_pixels(
    reading: VendorReading, said: Databar, found: Databar | None, is_there: bool
) -> VendorReading:
    """What a header that leaves in doubt how large its image was is worth by its databar.

    Its rows are pixels of the image: one that was resized has a bar of other rows than the header
    tells. And rows beyond those of the scan are a bar, or the image was stretched. `said` is the
    bar that the header tells of, `found` the one that the pixels show, and `is_there` says whether
    the picture changes where the former should begin.
    """
    if reading.databar != said or (reading.is_vouched and reading.is_rows_vouched):
        return reading
    apart = None if found is None else abs(found.height - said.height)
    is_alike = apart is not None and apart <= max(_ALIKE_ROWS, _ALIKE_SHARE * said.height)
    if reading.is_vouched and reading.rows:
        if is_there or is_alike:
            return replace(reading, is_rows_vouched=True)
        if reading.databar_known:
            return reading  # the rows are as many as is told: only a warning
        void = (
            f"the header describes {reading.rows} rows and the image has "
            f"{reading.rows + said.height}, of which no databar takes {said.height}: it was "
            "stretched or put together after the scan"
        )
        return replace(reading, void=reading.void or void)
    if apart is None or apart > _SAME_ROWS:
        if apart is None or is_there or is_alike:
            return reading  # it may be the same, seen inexactly
        assert found is not None
        void = (
            f"the header tells of a databar of {said.height} rows and the image has one of "
            f"{found.height}: it was resized after the scan"
        )
        return replace(reading, void=reading.void or void)
    return replace(reading, is_vouched=True, is_rows_vouched=True)


def scale(
    readings: Iterable[VendorReading], typed: PixelSize | None, saved_by: str = ""
) -> tuple[PixelSize | None, tuple[PixelSize, ...], list[str]]:
    """The most trusted pixel size, every candidate, and what the person must know of them.

    `saved_by` is the program that saved the file after the microscope, where one says so.
    """
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
    own = next((reading for reading in readings if best in reading.candidates), None)
    if own is not None and best is not None:
        # ImageJ's words of its own scale are no second hand.
        again = "" if best.source == "imagej" and saved_by.startswith("ImageJ") else saved_by
        warnings += _doubts(own, again)
    if best is not None and _apart(best.down_m, best.value_m):
        warnings.append(
            f"The pixels are not square: {_in_words(best.value_m)} across and "
            f"{_in_words(best.down_m)} down the image"
        )
    candidates = ((typed,) if typed else ()) + tuple(size for size, _ in found)
    apart = [size for size in candidates if best is not None and not agree(size, best)]
    if apart and best is not None:
        others = ", ".join(f"{_both(size)} ({size.origin or size.source})" for size in apart)
        warnings.append(
            f"The scales disagree: {_both(best)} per pixel ({best.origin or best.source}) "
            f"is used, the file also says {others}"
        )
    return best, candidates, warnings


def _doubts(reading: VendorReading, saved_by: str) -> list[str]:
    """What is to be said of a scale whose header leaves open how large its image was."""
    if reading.is_vouched and reading.is_rows_vouched:
        return []
    if reading.is_vouched and reading.rows:
        over = "" if reading.databar is None else f"{reading.databar.height} "
        return [
            f"The image has {over}rows more than the header describes: if they are no databar, it "
            "was stretched since, and lengths down the image are wrong; check the scale"
        ]
    told = "how many rows its image had" if reading.is_vouched else "how large its image was"
    if saved_by:
        return [
            f"'{saved_by}' has saved this file since it was taken, and the header does not say "
            f"{told}: do not trust the scale before it is checked against the drawn bar"
        ]
    return [
        f"The header does not say {told}: if this one was "
        + (
            "stretched since, lengths down the image are wrong"
            if reading.is_vouched
            else "resized since, the scale is wrong"
        )
    ]


def agree(one: PixelSize, other: PixelSize) -> bool:
    """Whether two scales are the same within 1 %, across the image and down it."""
    return not (_apart(one.value_m, other.value_m) or _apart(one.down_m, other.down_m))


def _apart(value_m: float, other_m: float) -> bool:
    return abs(value_m - other_m) > _DISAGREEMENT * other_m


def _both(size: PixelSize) -> str:
    """Across and, where it is another, down."""
    down = f" × {_in_words(size.down_m)}" if _apart(size.down_m, size.value_m) else ""
    return _in_words(size.value_m) + down


def _in_words(length_m: float) -> str:
    # Nanometres alone, so that two that disagree are compared at a glance.
    return f"{float(f'{length_m * 1e9:.4g}'):,.12g} nm".replace(",", " ")


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
