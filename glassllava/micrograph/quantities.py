"""How vendors and people write numbers and lengths: the one reader of them all.

A number is the whole text, but for a unit behind it: of what is left over nothing is dropped, since
"2,56 um" cut at its comma is 2 µm. What may be read in two ways is no number, and None. Knows
nothing of what a length is for (`header`) and of any one vendor (`vendors`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_METRES: Mapping[str, float] = {
    "fm": 1e-15,
    "pm": 1e-12,
    "å": 1e-10,
    "angstrom": 1e-10,
    "nm": 1e-9,
    "nanometer": 1e-9,
    "nanometre": 1e-9,
    "µm": 1e-6,  # micro sign; the Greek letter is folded into it
    "um": 1e-6,
    "micron": 1e-6,
    "microns": 1e-6,
    "micrometer": 1e-6,
    "micrometre": 1e-6,
    "mm": 1e-3,
    "cm": 1e-2,
    "m": 1.0,
}

_NUMBER = re.compile(
    r"\s*([+-]?(?:[0-9]{1,40}(?:[.,][0-9]{0,40})?|[.,][0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?)\s*(.*)",
    re.DOTALL,
)
#: A comma before three digits may part thousands, but not behind a lone 0.
_DECIMAL_COMMA = re.compile(r"[+-]?(?:0*,[0-9]+|[0-9]+,(?![0-9]{3}(?![0-9]))[0-9]+)(?:[eE].*)?")
#: What stands behind a number and is no unit: more of a number.
_MORE = re.compile(r"[.,;:_+\-*/]|.*[0-9]", re.DOTALL)
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
#: Full-width letters and digits of Japanese programs, units in one sign, and letters that look like
#: the micro and the Angstrom sign.
_FOLDED: dict[int, int | str] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    ord("㎚"): "nm",
    ord("㎛"): "µm",
    ord("㎜"): "mm",
    ord("\u03bc"): "\u00b5",
    ord("\u212b"): "\u00c5",
}


def number(text: str | None) -> float | None:
    """The finite number that `text` is, its unit aside, or None."""
    return quantity(text)[0]


def quantity(text: str | None) -> tuple[float | None, str]:
    """Number and unit of a text like "55.82 nm"; (None, "") if it is no finite number.

    One comma is a decimal comma, "12,5"; where it may part thousands as well, "1,000", the text
    is no number.
    """
    if not text or len(text) > 200:
        return None, ""
    match = _NUMBER.fullmatch(_folded(text))
    if match is None:
        return None, ""
    digits, unit = match.group(1), match.group(2).strip()
    if _MORE.match(unit) or ("," in digits and not _DECIMAL_COMMA.fullmatch(digits)):
        return None, ""
    value = float(digits.replace(",", "."))
    return (value, unit) if math.isfinite(value) else (None, "")


def metres(value: float | None, unit: str) -> float | None:
    """`value` of a length in `unit` as metres; None for a unit that is no length."""
    factor = _METRES.get(_folded(unit).strip().strip('"').lower())
    return None if factor is None or value is None else value * factor


def scaled(text: str | None, units: Mapping[str, float]) -> float | None:
    """The quantity in `text` times the factor of its unit; None for a unit not in `units`."""
    value, unit = quantity(text)
    return None if value is None or unit not in units else finite(value * units[unit])


def angle(value: float | None) -> float | None:
    """Radians within one turn to either side; None for what is no angle of a stage or a scan."""
    if value is None or not math.isfinite(value) or abs(value) > 2 * math.pi + 1e-6:
        return None
    turned = math.remainder(value, 2 * math.pi)
    return 0.0 if abs(turned) < 1e-9 else turned


def degrees(value: float | None) -> float | None:
    """`value` degrees as an `angle`."""
    return angle(None if value is None else math.radians(value))


def positive(value: float | None) -> float | None:
    """`value` if it is above zero: many programs write 0 for what they do not know."""
    return finite(value) if value is not None and value > 0 else None


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def whole(value: float | None) -> int | None:
    """A count of frames or lines: a whole number from 1 to a million."""
    return int(value) if value is not None and 1 <= value < 1e6 else None


def _folded(text: str) -> str:
    unescaped = _ESCAPED.sub(lambda hit: chr(int(hit.group(1), 16)), text)
    return unescaped.translate(_FOLDED)
