"""What a tilted stage does to lengths: when they are corrected, and when a note must do.

A flat surface that is tilted by t about an axis along the rows shows its lengths down the image
short by cos t. The stage's tilt is the surface's only if the surface is level at zero tilt, and
that no header says. On instruments with an ion column it mostly is not: a real micrograph of
round holes, at a stage tilt of 32°, shows them foreshortened as by 63° to the electrons and by
16° to the ions (a pre-tilted holder), so that 1/cos 32° would be wrong. There, and wherever the
rotation of the scan or an earlier correction is not known, nothing is corrected and a note says
so: a wrong correction is worse than none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from glassllava.micrograph.record import Micrograph

_LEAST = math.radians(1.0)  # cos 1° is 0.99985
_MOST = math.radians(75.0)  # beyond, a degree of the stage is a fifth of the length
_ALONG_ROWS = 0.02  # sine of the scan's rotation
_STAGE = math.radians(1.0)  # k = 2: how well a stage knows its tilt, taken, not stated
#: Sections of vendors' headers that only an instrument with an ion column writes.
_ION_SECTIONS = ("ibeam/", "iscan/", "fib/")
_ION_MODELS = (
    "amber",
    "auriga",
    "crossbeam",
    "dualbeam",
    "fib",
    "helios",
    "lyra",
    "scios",
    "solaris",
    "strata",
    "versa",
    "quanta 3d",
    "xeia",
)


@dataclass(frozen=True, slots=True)
class Tilt:
    """By how much a pixel spans more down the image, and what is to be said about it.

    `uncertainty` is that of `stretch`, relative, k = 2.
    """

    stretch: float = 1.0
    uncertainty: float = 0.0
    note: str = ""


def tilt_of(micrograph: Micrograph) -> Tilt:
    """What the header says about tilt, as a correction or as a note."""
    beam = micrograph.beam
    tilt = beam.tilt_rad
    if tilt is None or abs(tilt) <= _LEAST:
        return Tilt()
    told = f"The stage is tilted by {math.degrees(tilt):.1f}°"
    if beam.tilt_correction_rad:
        corrected = f"{math.degrees(beam.tilt_correction_rad):.1f}°"
        return Tilt(note=f"{told}; the instrument has stretched the scan for {corrected}")
    reason = _why_not(micrograph, abs(tilt))
    if reason:
        return Tilt(note=f"{told}, and lengths are not corrected for it: {reason}")
    stretch = 1 / math.cos(tilt)
    return Tilt(
        stretch,
        math.tan(abs(tilt)) * _STAGE,
        f"{told}: lengths down the image are taken {stretch:.3f} times as long, for a flat "
        "surface that is level at zero tilt, and an axis along the rows",
    )


def _why_not(micrograph: Micrograph, tilt: float) -> str:
    beam = micrograph.beam
    if beam.particle == "ion":
        return "the ion column stands at an angle of its own to the stage"
    if _has_ion_column(micrograph):
        return "holders of instruments with an ion column are often pre-tilted"
    if beam.scan_rotation_rad is None:
        return "the rotation of the scan is not known"
    if abs(math.sin(beam.scan_rotation_rad)) > _ALONG_ROWS:
        return f"the scan is rotated by {math.degrees(beam.scan_rotation_rad):.1f}°"
    if beam.tilt_correction_rad is None:
        return "it is not known whether the instrument has done so"
    if tilt > _MOST:
        return f"beyond {math.degrees(_MOST):.0f}° nothing can be said of lengths"
    return ""


def _has_ion_column(micrograph: Micrograph) -> bool:
    model = f"{micrograph.instrument.vendor or ''} {micrograph.instrument.model or ''}".lower()
    if any(word in model for word in _ION_MODELS):
        return True
    return any(key.lower().startswith(_ION_SECTIONS) for key in micrograph.metadata)
