"""What is known of a micrograph and its sample, line by line, each value with where it was read.

Operator names are not in a record, and so not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Table

from batch.pdf import style
from batch.pdf.tables import bare
from glassllava.interpretation import Interpretation
from glassllava.measurement.quantities import in_words
from glassllava.micrograph.record import SOURCE_WORDS


def metadata(found: Interpretation, width: float) -> list[Flowable]:
    """Labels, values and, under each value, where it was read, as far as they are known."""
    record = found.micrograph
    rows = [
        *_scale_rows(record),
        ("Picture", f"{record['width']} × {record['height']} px, {record['bit_depth']} bit", ""),
        *_beam_rows(record),
        *_sample_rows(found),
    ]
    quiet = style.hexadecimal(style.QUIET)
    cells = [
        [
            style.paragraph(label, style.SMALL_QUIET, 40),
            style.marked(
                style.safe(value, 90)
                + (
                    f' <font color="{quiet}" size="6">{style.safe(source, 60)}</font>'
                    * bool(source)
                ),
                style.SMALL,
            ),
        ]
        for label, value, source in rows
    ]
    table = Table(cells, colWidths=[16 * mm, width - 16 * mm])
    table.setStyle(bare())
    return [table]


def _scale_rows(record: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    size = record["pixel_size"]
    if size is None:
        yield "Scale", "uncalibrated: lengths are in pixels", ""
        return
    source = SOURCE_WORDS.get(size["source"], size["source"])
    origin = f": {size['origin']}" if size.get("origin") else ""
    # Down the image too, where pixels are not square.
    sides = [side for side in (size["value_m"], size.get("value_y_m")) if side]
    yield "Pixel", " × ".join(in_words(side, "m", 4) for side in sides), f"{source}{origin}"
    yield "Field", f"{in_words(size['value_m'] * record['width'], 'm')} wide", ""


def _beam_rows(record: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    beam, instrument = record.get("beam") or {}, record.get("instrument") or {}
    sources = record.get("sources") or {}

    def source(key: str) -> str:
        return str(sources.get(key, ""))

    if beam.get("particle") == "ion":
        yield "Beam", "ions, not electrons", source("particle")
    if beam.get("voltage_v"):
        yield "Voltage", f"{beam['voltage_v'] / 1e3:.4g} kV", source("voltage_v")
    if beam.get("working_distance_m"):
        distance = in_words(beam["working_distance_m"], "m")
        yield "Distance", distance, source("working_distance_m")
    signal = beam.get("signal") or beam.get("detector")
    if signal:
        yield "Detector", str(signal), source("signal" if beam.get("signal") else "detector")
    if instrument.get("model") or instrument.get("vendor"):
        name = " ".join(str(instrument[k]) for k in ("vendor", "model") if instrument.get(k))
        yield "Instrument", name, source("model" if instrument.get("model") else "vendor")
    if instrument.get("acquired"):
        yield "Taken", str(instrument["acquired"]).replace("T", " "), source("acquired")
    if record.get("databar"):
        where = "tag" if record["databar"]["source"] == "tag" else "its pixels"
        yield "Databar", f"{record['databar']['height']} rows, cut off", f"by {where}"


def _sample_rows(found: Interpretation) -> Iterable[tuple[str, str, str]]:
    sample = found.sample
    told = found.context_asked != found.context_given
    yield (
        "Context",
        f"{found.context_given}{f', {found.context_asked} was asked for' if told else ''}",
        "",
    )
    if any(found.sample.to_json().values()):
        yield "", "the sample, as typed:", ""
    for name in ("id", "material", "process", "treatment", "product", "state"):
        if value := getattr(sample, name):
            label = "Id" if name == "id" else name.capitalize()
            yield label, value, ""
