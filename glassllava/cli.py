"""The ground's commands: `inspect` and `measure`; `model` is told by glassllava/model/cli.py.

Knows how a person reads a micrograph's header and its measurements; computes nothing itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glassllava.measurement.quantities import Measurement
    from glassllava.micrograph.drawn_scale import DrawnScale
    from glassllava.micrograph.record import Micrograph

_SCHEMA = 1

_INSPECT_EXAMPLES = """\
examples:
  glassview inspect bubble.tif             what the file says, and where it says it
  glassview inspect bubble.tif --json      the same as one JSON document
  glassview inspect *.tif --fast           header only: no databar or bar by pixels, no hash
  glassview inspect scan.png --bar-length "20 um"   the drawn bar measured, its length typed
"""
_MEASURE_EXAMPLES = """\
examples:
  glassview measure bubble.tif                          pores, particles, cracks
  glassview measure scan.png --pixel-size "2.5 nm"      an image without a scale
  glassview measure bubble.tif --json > bubble.json     with the outlines of the regions
"""


def add_commands(commands: Any) -> None:
    """Register `inspect`, `measure` and `model` with argparse's sub-parsers."""
    inspect = commands.add_parser(
        "inspect",
        help="metadata with the source of every value, databar, pages",
        description="What a micrograph's file says: scale, beam, instrument, databar, pages, each "
        "with its source.",
        epilog=_INSPECT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(inspect)
    inspect.add_argument(
        "--fast", action="store_true", help="skip databar and scale bar in the pixels, and the hash"
    )
    inspect.set_defaults(run=run_inspect)

    measure = commands.add_parser(
        "measure",
        help="calibrated measurements and regions; no model",
        description="Pores, particles and cracks of a micrograph, in metres where it has a scale.",
        epilog=_MEASURE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(measure)
    measure.set_defaults(run=run_measure)

    # The model's room is heavy; the module that tells of it is not.
    from glassllava.model import cli as model_cli

    model_cli.add_commands(commands)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", nargs="+", metavar="IMAGE", help="a TIFF, PNG, JPEG or BMP file")
    parser.add_argument(
        "--page", type=int, metavar="N", help="which picture of the file (default: the cleanest)"
    )
    parser.add_argument(
        "--pixel-size",
        metavar="LENGTH",
        help='metres per pixel that you know, as "2.5 nm"; stands above what the file says',
    )
    parser.add_argument(
        "--bar-length",
        metavar="LENGTH",
        help='what the drawn scale bar stands for, as "20 um": it is measured between its ticks',
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run_inspect(args: argparse.Namespace) -> int:
    def told(micrograph: Micrograph) -> tuple[dict[str, Any], str]:
        if args.fast:
            return inspected(micrograph), _inspection(micrograph)
        from glassllava.micrograph.drawn_scale import with_offer

        offered, drawn = with_offer(micrograph)
        return inspected(offered), _inspection(micrograph, drawn)

    return _each(args, told, fast=args.fast)


def run_measure(args: argparse.Namespace) -> int:
    from glassllava.measurement import measure

    def told(micrograph: Micrograph) -> tuple[dict[str, Any], str]:
        measured = measure(micrograph)
        document = inspected(micrograph) | measured.to_json()
        # Notes of measuring are warnings of this document.
        document["warnings"] = [*micrograph.warnings, *document.pop("notes")]
        return document, _measurements(micrograph, measured.measurements, measured.notes)

    return _each(args, told)


def inspected(micrograph: Micrograph) -> dict[str, Any]:
    """The JSON document of `inspect`."""
    from dataclasses import asdict

    return {
        "schema": _SCHEMA,
        "micrograph": micrograph.to_json(),
        "pages": [asdict(page) for page in micrograph.pages],
        "candidates": [size.to_json() for size in micrograph.candidates],
        "sources": dict(micrograph.sources),
        "warnings": list(micrograph.warnings),
    }


def _each(args: argparse.Namespace, told: Any, fast: bool = False) -> int:
    """Tell every file; one alone that cannot be read ends the command, one of several is listed."""
    import json
    import sys

    from glassllava.errors import UnreadableMicrograph
    from glassllava.measurement.ruler import MeasuringSettings
    from glassllava.micrograph.drawn_scale import read_with_bar
    from glassllava.micrograph.header import typed_bar_length, typed_pixel_size
    from glassllava.micrograph.reading import read_micrograph
    from glassllava.settings import load

    size = typed_pixel_size(args.pixel_size) if args.pixel_size else None
    length = typed_bar_length(args.bar_length) if args.bar_length else None
    measuring = load(getattr(args, "settings", None)).section("measurement", MeasuringSettings)
    documents: list[dict[str, Any]] = []
    failed = 0
    for path in args.image:
        try:
            if length is not None:
                micrograph = read_with_bar(
                    path, args.page, pixel_size=size, bar_length_m=length, with_hash=not fast
                )
            else:
                micrograph = read_micrograph(
                    path, args.page, pixel_size=size, with_hash=not fast, with_databar=not fast
                )
            document, text = told(measuring.applied(micrograph))
        except UnreadableMicrograph as error:
            if len(args.image) == 1:
                raise
            failed += 1
            print(f"error: {error}", file=sys.stderr)
            document, text = error.to_json(), ""
        documents.append(document)
        if not args.json and text:
            print(text, end="\n\n" if len(args.image) > 1 else "\n")
    if args.json:
        shown: Any = documents[0] if len(documents) == 1 else documents
        print(json.dumps(shown, ensure_ascii=False, indent=2))
    return 1 if failed else 0


Row = tuple[str, str, str]


def _inspection(micrograph: Micrograph, drawn: DrawnScale | None = None) -> str:
    rows: list[Row] = [*_file_rows(micrograph), *_scale_rows(micrograph)]
    rows += _offer_rows(drawn)
    rows += [*_beam_rows(micrograph), *_instrument_rows(micrograph)]
    lines = [str(micrograph.path), *_table(rows)]
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
    from glassllava.measurement.quantities import in_words
    from glassllava.micrograph.record import SOURCE_WORDS

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
    import math

    # Adding zero turns -0.0 into 0.0: a stage at rest reads as some nanoradians.
    return None if angle_rad is None else f"{round(math.degrees(angle_rad), 1) + 0.0:.1f}°"


def _offer_rows(drawn: DrawnScale | None) -> Iterable[Row]:
    """What the drawn bar says, as an offer: a person confirms it."""
    from glassllava.measurement.quantities import in_words

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


def _measurements(
    micrograph: Micrograph, measurements: Iterable[Measurement], notes: Iterable[str]
) -> str:
    from glassllava.measurement.quantities import measured_in_words

    rows: list[Row] = [*_scale_rows(micrograph)][:1]
    rows += [(m.quantity.replace("_", " "), measured_in_words(m), m.note) for m in measurements]
    return "\n".join(
        [str(micrograph.path), *_table(rows), *_warned([*micrograph.warnings, *notes])]
    )


def _table(rows: Iterable[Row]) -> list[str]:
    """Aligned columns: name, value, and after it the source or note."""
    rows = [tuple(_clean(cell) for cell in row) for row in rows]  # type: ignore[misc]
    names = max((len(name) for name, _, _ in rows), default=0)
    values = min(40, max((len(value) for _, value, _ in rows), default=0))
    return [f"  {name:<{names}}  {value:<{values}}  {last}".rstrip() for name, value, last in rows]


def _warned(warnings: Iterable[str]) -> list[str]:
    return [f"  ! {_clean(text)}" for text in warnings]


def _clean(text: str) -> str:
    """No control characters of a hostile header on a terminal, and no endless line."""
    return "".join(sign if sign.isprintable() else "·" for sign in text[:200])


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
