"""OME-TIFF: XML in ImageDescription, PhysicalSizeX with its unit (micrometres where none stands).

Only attributes of <Pixels> and the text of <AcquisitionDate> are read, and only for an image of
the page's size.
"""

from __future__ import annotations

from collections.abc import Mapping

from glassllava.micrograph.header import (
    Header,
    VendorReading,
    pixel_size,
    said,
)
from glassllava.micrograph.quantities import (
    metres,
    number,
)
from glassllava.micrograph.record import Instrument, PixelSize
from glassllava.micrograph.texts import BadText, elements

_MOST_IMAGES = 100


def recognises(header: Header) -> bool:
    start = header.description[:2000]
    return "<OME" in start and ("openmicroscopy.org" in start or "ome.xsd" in start.lower())


def read(header: Header) -> VendorReading:
    try:
        images, date = parse(header.description)
    except BadText as why:
        return VendorReading(warnings=(f"The OME description cannot be read ({why}): no scale",))
    sizes: list[PixelSize] = []
    refused = ""
    metadata: dict[str, str] = {}
    for index, pixels in enumerate(images):
        for key, value in pixels.items():
            metadata[f"OME Pixels {index}/{key}"] = value
        if (number(pixels.get("SizeX")), number(pixels.get("SizeY"))) != (
            header.width,
            header.height,
        ):
            continue
        size = pixel_size(
            metres(number(pixels.get("PhysicalSizeX")), _unit(pixels, "X")),
            "ome",
            "ImageDescription OME PhysicalSizeX",
            metres(number(pixels.get("PhysicalSizeY")), _unit(pixels, "Y")),
        )
        if size is not None and size not in sizes:
            sizes.append(size)
        elif size is None and "PhysicalSizeX" in pixels:
            given = [axis for axis in "XY" if f"PhysicalSize{axis}" in pixels]
            told = (
                f"{axis} {pixels[f'PhysicalSize{axis}']} {_unit(pixels, axis)}" for axis in given
            )
            refused = ", ".join(told)
    void = ""
    if len(sizes) > 1 and max(s.value_m for s in sizes) > 1.01 * min(s.value_m for s in sizes):
        void = "several images of this size have different scales in the OME description"
    warnings: tuple[str, ...] = ()
    if not sizes and refused:
        warnings = (
            f"The OME description gives no scale: '{refused[:120]}' is no length of a pixel",
        )
    elif not sizes and any("PhysicalSizeX" in pixels for pixels in images):
        warnings = ("The scale of the OME description is for another image size: not used",)
    return VendorReading(
        candidates=tuple(sizes),
        instrument=Instrument(acquired=said(date)),
        sources={"acquired": "ImageDescription OME AcquisitionDate"},
        void=void,
        warnings=warnings,
        metadata=metadata,
    )


def _unit(pixels: Mapping[str, str], axis: str) -> str:
    return pixels.get(f"PhysicalSize{axis}Unit", "µm")


def parse(text: str) -> tuple[list[Mapping[str, str]], str]:
    """Attributes of each <Pixels>, and the first acquisition date."""
    leaves = elements(text, ("Pixels", "AcquisitionDate"))
    found = [leaf.attributes for leaf in leaves if leaf.path.endswith("Pixels")]
    dates = (leaf.text for leaf in leaves if leaf.path.endswith("AcquisitionDate"))
    return found[:_MOST_IMAGES], next(dates, "")[:100]
