"""OME-TIFF: XML in ImageDescription, PhysicalSizeX with its unit (micrometres where none stands).

Only attributes of <Image>, <Pixels> and the text of <AcquisitionDate> are read. The parser is
expat with every document type and entity refused, so that no XML bomb and no outside file can
be called for.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.parsers import expat

from glassllava.micrograph.header import (
    MAX_VALUE,
    Header,
    VendorReading,
    metres,
    number,
    pixel_size,
    said,
)
from glassllava.micrograph.record import Instrument, PixelSize


class _RefusedDoctype(Exception):
    """The XML declares a document type, which OME never does."""


def recognises(header: Header) -> bool:
    start = header.description[:2000]
    return "<OME" in start and ("openmicroscopy.org" in start or "ome.xsd" in start.lower())


def read(header: Header) -> VendorReading:
    try:
        images, date = parse(header.description)
    except (expat.ExpatError, _RefusedDoctype, ValueError) as why:
        return VendorReading(warnings=(f"The OME description cannot be read ({why}): no scale",))
    sizes: list[PixelSize] = []
    metadata: dict[str, str] = {}
    for index, pixels in enumerate(images):
        for key, value in pixels.items():
            metadata[f"OME Pixels {index}/{key}"] = value
        if (number(pixels.get("SizeX")), number(pixels.get("SizeY"))) != (
            header.width,
            header.height,
        ):
            continue
        unit = pixels.get("PhysicalSizeXUnit", "µm")
        size = pixel_size(
            metres(number(pixels.get("PhysicalSizeX")), unit),
            "ome",
            "ImageDescription OME PhysicalSizeX",
            metres(number(pixels.get("PhysicalSizeY")), pixels.get("PhysicalSizeYUnit", "µm")),
        )
        if size is not None and size not in sizes:
            sizes.append(size)
    void = ""
    if len(sizes) > 1 and max(s.value_m for s in sizes) > 1.01 * min(s.value_m for s in sizes):
        void = "several images of this size have different scales in the OME description"
    warnings: tuple[str, ...] = ()
    if not sizes and any("PhysicalSizeX" in pixels for pixels in images):
        warnings = ("The scale of the OME description is for another image size: not used",)
    return VendorReading(
        candidates=tuple(sizes),
        instrument=Instrument(acquired=said(date)),
        void=void,
        warnings=warnings,
        metadata=metadata,
    )


def parse(text: str) -> tuple[list[Mapping[str, str]], str]:
    """Attributes of each <Pixels>, and the first acquisition date."""
    found: list[Mapping[str, str]] = []
    path: list[str] = []
    date: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        path.append(local)
        if local == "Pixels" and len(found) < 100:
            found.append({key[:100]: value[:MAX_VALUE] for key, value in attributes.items()})

    def end(name: str) -> None:
        path.pop()

    def words(data: str) -> None:
        if path and path[-1] == "AcquisitionDate" and len(date) < 10:
            date.append(data[:100])

    def refuse(*_: object) -> None:
        raise _RefusedDoctype("it declares a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = words
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.Parse(text.encode("utf-8", errors="replace"), True)
    return found, "".join(date)[:100]
