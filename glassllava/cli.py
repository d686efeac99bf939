"""The ground's commands: `inspect` and `measure`; `model` is told by glassllava/model/cli.py.

Knows what each is asked with; how its answer is laid out for people is `printed`'s.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
  glassview measure bubble.tif                          everything that is found
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
        description="Pores, particles, inclusions, crystals, cracks, scratches, layers, two-phase "
        "textures and the quality of the picture, in metres where there is a scale.",
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
    from glassllava import printed

    def told(micrograph: Micrograph) -> tuple[dict[str, Any], str]:
        if args.fast:
            return inspected(micrograph), printed.inspection(micrograph)
        from glassllava.micrograph.drawn_scale import with_offer

        offered, drawn = with_offer(micrograph)
        return inspected(offered), printed.inspection(micrograph, drawn)

    return _each(args, told, fast=args.fast)


def run_measure(args: argparse.Namespace) -> int:
    from glassllava import printed
    from glassllava.measurement import measure

    def told(micrograph: Micrograph) -> tuple[dict[str, Any], str]:
        measured = measure(micrograph)
        document = inspected(micrograph) | measured.to_json()
        # Notes of measuring are warnings of this document.
        document["warnings"] = [*micrograph.warnings, *document.pop("notes")]
        return document, printed.measurements(micrograph, measured)

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

    size = typed_pixel_size(args.pixel_size) if args.pixel_size is not None else None
    length = typed_bar_length(args.bar_length) if args.bar_length is not None else None
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
        print(json.dumps(shown, ensure_ascii=False, indent=2, allow_nan=False))
    return 1 if failed else 0
