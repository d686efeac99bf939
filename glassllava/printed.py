"""Micrographs and measurements laid out for people in a terminal: names, values, sources.

Knows widths and words; computes nothing. Texts of a file are hostile: no sign of theirs that a
terminal obeys is printed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from glassllava.measurement.quantities import (
    Measurement,
    Measurements,
    in_words,
    measured_in_words,
)
from glassllava.micrograph.record import SOURCE_WORDS

if TYPE_CHECKING:
    from glassllava.micrograph.drawn_scale import DrawnScale
    from glassllava.micrograph.record import Micrograph

Row = tuple[str, str, str]


def inspection(micrograph: Micrograph, drawn: DrawnScale | None = None) -> str:
    """What a file says: each value with its source, then pages, then warnings."""
    rows: list[Row] = [*_file_rows(micrograph), *_scale_rows(micrograph)]
    rows += _offer_rows(drawn)
    rows += [*_beam_rows(micrograph), *_instrument_rows(micrograph)]
    lines = [_clean(str(micrograph.path), 4096), *_table(rows)]
    if len(micrograph.pages) > 1:
        lines += ["", "pages (choose one with --page N)"]
        lines += _table(
            (
                f"{'*' if page.index == micrograph.page else ' '} {page.index}",
                f"{page.width} × {page.height} px, {page.bit_depth} bit, {page.samples} sample(s)",
                page.role,
            )
            for page in micrograph.pages[:20]
        )
    return "\n".join([*lines, *_warned(micrograph.warnings)])


def _file_rows(micrograph: Micrograph) -> Iterable[Row]:
    colour = "grey" if micrograph.samples < 3 else "colour"
    size = f"{micrograph.width} × {micrograph.height} px, {micrograph.bit_depth} bit, {colour}"
    yield "picture", size, f"page {micrograph.page} of {len(micrograph.pages)}"
    if micrograph.sha256:
        yield "sha256", micrograph.sha256[:16] + "…", "the whole file"
    bar = micrograph.databar
    if bar is None:
        yield "databar", "none found", ""
    else:
        by = "the header" if bar.source == "tag" else "the pixels"
        yield "databar", f"{bar.height} rows from row {bar.top}", f"by {by}"


def _scale_rows(micrograph: Micrograph) -> Iterable[Row]:

    size = micrograph.pixel_size
    if size is None:
        yield "pixel size", "uncalibrated", 'type it: --pixel-size "2.5 nm"'
    else:
        down = size.value_y_m or size.value_m
        rows = micrograph.specimen_rows
        height = (rows.stop - rows.start) * down
        shown = in_words(size.value_m, "m", 4)
        if size.value_y_m:
            shown += f" × {in_words(size.value_y_m, 'm', 4)}"
        yield "pixel size", shown, size.origin or SOURCE_WORDS[size.source]
        width = in_words(micrograph.width * size.value_m, "m", 4)
        yield "field of view", f"{width} × {in_words(height, 'm', 4)}", "without the databar"
    for other in micrograph.candidates:
        if other is not size and (size is not None or other.source != "read_bar"):
            yield (
                "  also said",
                in_words(other.value_m, "m", 4),
                other.origin or SOURCE_WORDS[other.source],
            )


def _turned(angle_rad: float | None) -> str | None:
    # Adding zero turns -0.0 into 0.0: a stage at rest reads as some nanoradians.
    return None if angle_rad is None else f"{round(math.degrees(angle_rad), 1) + 0.0:.1f}°"


def _offer_rows(drawn: DrawnScale | None) -> Iterable[Row]:
    """What the drawn bar says, as an offer: a person confirms it."""

    if drawn is None:
        return
    if drawn.size is None:
        remedy = f'or give its length: --bar-length "20 um". {drawn.remedy}'
        yield "drawn bar", drawn.bar.in_words, f"its label was not read; {remedy}"
        return
    said = in_words(drawn.size.value_m, "m", 4)
    yield (
        "drawn bar",
        f"{drawn.label} over {drawn.bar.length_px:.1f} px: {said} per pixel",
        f'read by OCR; if it is right: --pixel-size "{said}" or --bar-length "{drawn.label}"',
    )


def _beam_rows(micrograph: Micrograph) -> Iterable[Row]:
    beam, sources = micrograph.beam, micrograph.sources
    shown = {
        "particle": ("beam", beam.particle),
        "voltage_v": ("voltage", _si(beam.voltage_v, "V")),
        "landing_energy_ev": ("landing energy", _si(beam.landing_energy_ev, "eV")),
        "current_a": ("current", _si(beam.current_a, "A")),
        "working_distance_m": ("working distance", _si(beam.working_distance_m, "m")),
        "detector": ("detector", beam.detector),
        "signal": ("signal", beam.signal),
        "dwell_s": ("dwell time", _si(beam.dwell_s, "s")),
        "frames": ("frames", None if beam.frames is None else str(beam.frames)),
        "tilt_rad": ("tilt", _turned(beam.tilt_rad)),
        "tilt_correction_rad": ("tilt corrected for", _turned(beam.tilt_correction_rad)),
        "scan_rotation_rad": ("scan rotation", _turned(beam.scan_rotation_rad)),
        "magnification": (
            "magnification",
            None if beam.magnification is None else f"{beam.magnification:,.0f} ×",
        ),
    }
    for key, (name, value) in shown.items():
        if value:
            yield name, value, sources.get(key, "")


def _instrument_rows(micrograph: Micrograph) -> Iterable[Row]:
    instrument, sources = micrograph.instrument, micrograph.sources
    for key, name in (
        ("vendor", "vendor"),
        ("model", "instrument"),
        ("serial", "serial number"),
        ("software", "software"),
        ("acquired", "acquired"),
    ):
        value = getattr(instrument, key)
        if value:
            yield name, value, sources.get(key, "")


def measurements(micrograph: Micrograph, measured: Measurements) -> str:
    """Each family under its name; what its rows have in common is said once, under them."""
    lines = [_clean(str(micrograph.path), 4096), *_table([*_scale_rows(micrograph)][:1])]
    families = [
        (feature, list(rows))
        for feature, rows in groupby(measured.measurements, lambda m: m.feature)
    ]
    absent = [feature for feature, rows in families if not any(m.value for m in rows)]
    shown = [(feature, rows) for feature, rows in families if feature not in absent]
    names = max((len(_own_name(m)) for _, rows in shown for m in rows), default=0)
    for feature, rows in shown:
        lines += ["", f"  {_FAMILIES.get(feature, feature.replace('_', ' '))}"]
        lines += _family(rows, names)
    if absent:
        none = ", ".join(_FAMILIES.get(feature, feature.replace("_", " ")) for feature in absent)
        lines += ["", f"  none found: {none}"]
    if any(m.of_image is not None for _, rows in shown for m in rows):
        lines += ["", *(f"  {line}" for line in _WITHOUT_RULER)]
    warned = [*micrograph.warnings, *measured.notes]
    return "\n".join([*lines, *([""] if warned else []), *_warned(warned)])


#: Families whose key is not what a person would call them.
_FAMILIES = {"": "layers", "artefact": "picture quality"}
_WITHOUT_RULER = (
    "* ± at k = 2 by the image alone: the file does not state how exact its scale is. If a",
    '  calibration says so, type it (--pixel-size "2.5 nm ± 1 %") or set [measurement]',
    "  scale_uncertainty in glassview.toml.",
)


def _own_name(measurement: Measurement) -> str:
    """The quantity without its family's name, which stands above it."""
    name = measurement.quantity.removeprefix(f"{measurement.feature}_")
    return name.removeprefix("image_").removeprefix("phase_").replace("_", " ")


def _family(rows: list[Measurement], names: int) -> Iterator[str]:
    parts = {m.quantity: m.note.split("; ") if m.note else [] for m in rows}
    counts = Counter(part for m in rows for part in parts[m.quantity])
    shared = [part for part, count in counts.items() if count > 1]
    for m in rows:
        own = "; ".join(part for part in parts[m.quantity] if part not in shared)
        value = measured_in_words(m)
        if m.of_image is not None:
            value += f" ± {in_words(m.of_image, m.unit, 2, m.value)} *"
        yield f"    {_own_name(m):<{names}}  {value:<26} {_clean(own)}".rstrip()
    for part in shared:
        yield f"    ({_clean(part)})"


def _table(rows: Iterable[Row]) -> list[str]:
    """Aligned columns: name, value, and after it the source or note."""
    rows = [tuple(_clean(cell) for cell in row) for row in rows]  # type: ignore[misc]
    names = max((len(name) for name, _, _ in rows), default=0)
    values = min(40, max((len(value) for _, value, _ in rows), default=0))
    return [f"  {name:<{names}}  {value:<{values}}  {last}".rstrip() for name, value, last in rows]


def _warned(warnings: Iterable[str]) -> list[str]:
    return [f"  ! {_clean(text)}" for text in warnings]


def _clean(text: str, most: int = 200) -> str:
    """No control characters of a hostile header or name on a terminal, and no endless line."""
    return "".join(sign if sign.isprintable() else "·" for sign in text[:most])


def _si(value: float | None, unit: str) -> str | None:
    """1.0e-6, "s" -> "1 µs"."""
    if value is None:
        return None
    for scale, prefix in (
        (1e3, "k"),
        (1.0, ""),
        (1e-3, "m"),
        (1e-6, "µ"),
        (1e-9, "n"),
        (1e-12, "p"),
    ):
        if abs(value) >= scale * 0.9999999:
            return f"{value / scale:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}"
