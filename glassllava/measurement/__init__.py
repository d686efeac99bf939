"""Measuring a micrograph: its pixels in, calibrated quantities and their regions out; no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassllava.measurement.quantities import Measurement, Measurements, Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from glassllava.measurement.regions import Blob, Field
    from glassllava.measurement.ruler import Ruler
    from glassllava.micrograph.record import Micrograph

__all__ = ["MEASURING_VERSION", "Measurement", "Measurements", "Region", "measure"]

#: Part of the `asked` fingerprint; raised when a figure may change.
MEASURING_VERSION = 3
_SMALLEST = 64  # px a side
_LONGEST = 64  # times the shorter side: what is longer is a strip, with no field around anything
#: Grey values beyond, or that differ by less: their squares leave what numbers hold.
_LARGEST_GREY, _FINEST_GREY = 1e15, 1e-15


def measure(micrograph: Micrograph, pixels: np.ndarray[Any, Any] | None = None) -> Measurements:
    """Everything that can be measured on the specimen, in metres where there is a scale.

    Each family of features is one call, which hands back its measurements, its regions, and
    notes about the whole: `measure_<family>(field, ..., ruler)`. What they may ask for: `field`,
    the specimen made flat; `specimen`, its grey values as they are in the file; `found`, its
    bodies; `ruler`, pixels to metres, with `ruler.aspect` for pixels that are not
    square or a specimen that was tilted; `micrograph.beam`.

    Parameters
    ----------
    micrograph : says which rows show the specimen, and the pixel size.
    pixels : its whole frame as `reading.grey` gives it, where it is at hand already.

    Raises
    ------
    UnreadableMicrograph : where the pixels must be read and cannot be.
    ValueError : for pixels that are not the whole frame of this micrograph.
    """
    from glassllava.measurement import bodies, crystals, phases, quality, regions, sizes
    from glassllava.measurement.ruler import Ruler
    from glassllava.micrograph import reading

    frame = reading.grey(micrograph) if pixels is None else reading.as_grey(pixels)
    if frame.shape != (micrograph.height, micrograph.width):
        raise ValueError(f"the whole frame is wanted, and these pixels are {frame.shape}")
    rows = micrograph.specimen_rows
    specimen = frame[rows]
    if min(specimen.shape) < _SMALLEST:
        return Measurements(
            notes=(f"Under {_SMALLEST} pixels a side nothing is measured",),
        )
    if max(specimen.shape) > _LONGEST * min(specimen.shape):
        height, width = specimen.shape
        return Measurements(
            notes=(f"{width} × {height} pixels are a strip, not a field: nothing is measured",)
        )
    if micrograph.bit_depth == 1:
        return Measurements(notes=("One bit a pixel is a mask or a fax: nothing is measured",))
    if _beyond_numbers(specimen):
        return Measurements(
            notes=(
                f"Grey values beyond {_LARGEST_GREY:g}, or within {_FINEST_GREY:g} of each other: "
                "nothing is measured",
            )
        )
    ruler = Ruler.of(micrograph)
    field = regions.flatten(specimen, rows.start or 0)
    found = bodies.find(field)
    compact = [body.blob for body in found if body.sign < 0]
    parts = (
        sizes.measure_pores(field, found, ruler),
        sizes.measure_particles(field, found, ruler),
        crystals.measure_crystals(field, found, ruler),
        *_lines(field, specimen, compact, ruler),
        phases.measure_phases(specimen, ruler),
        quality.measure_quality(specimen, field, ruler),
    )
    notes = [note for part in parts for note in part[2]]
    if field.level:
        notes.append(
            f"{field.level} lines level from side to side were taken for the scan's: cracks, "
            "scratches and thin layers look so too, and are found with the scan rotated"
        )
    if field.impulses:
        notes.append(
            f"{field.impulses} pixels stand alone, far off all round them: impulse noise, which "
            "was taken out before bodies and lines were looked for"
        )
    if field.scale > 1:
        notes.append(f"Measured on means of {field.scale} × {field.scale} pixels")
    if ruler.tilt.note:
        notes.append(ruler.tilt.note)
    if not ruler.calibrated:
        notes.append("No trustworthy scale: lengths are in pixels")
    return Measurements(
        measurements=tuple(m for part in parts for m in part[0]),
        regions=tuple(r for part in parts for r in part[1]),
        notes=tuple(notes),
    )


def _beyond_numbers(specimen: np.ndarray[Any, Any]) -> bool:
    import numpy as np

    if specimen.dtype.kind != "f" and specimen.dtype.itemsize < 8:
        return False
    values = specimen.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        return False
    low, high = float(values.min()), float(values.max())
    return max(-low, high) > _LARGEST_GREY or 0 < high - low < _FINEST_GREY


def _lines(
    field: Field, specimen: np.ndarray[Any, Any], compact: Sequence[Blob], ruler: Ruler
) -> tuple[tuple[list[Measurement], list[Region], list[str]], ...]:
    """Scratches, then cracks: a straight line is not both. And layers."""
    from glassllava.measurement import cracks, layers, lines, scratches

    height, width = specimen.shape
    dark, bright = lines.find_lines(field, specimen, compact, ruler.aspect)
    straight, others = scratches.find_scratches(dark, bright, specimen)
    bent, scanned = cracks.find_cracks(others, specimen)
    left_out = sum(line.length for line in others if not line.scanned) - sum(
        line.length for line in bent
    )
    grooves = sum(run.length for run in straight if run.sign < 0 and not run.doubtful)
    return (
        cracks.measure_cracks(
            bent, (height, width), field.top, ruler, scanned, max(0.0, left_out), grooves
        ),
        scratches.measure_scratches(straight, (height, width), field.top, ruler),
        layers.measure_layers(layers.find_bands(specimen, ruler.aspect, field.scale), ruler),
    )
