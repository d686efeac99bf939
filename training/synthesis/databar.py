"""What the microscope says of itself, and the strip that it burns in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator


#: What each vendor calls its detectors; plain files are exports of either.
DETECTORS = {
    ("thermo", "SE"): ("ETD", "TLD", "LVD"),
    ("thermo", "BSE"): ("CBS", "ABS", "BSD"),
    ("zeiss", "SE"): ("SE2", "InLens"),
    ("zeiss", "BSE"): ("AsB", "BSD"),
    ("plain", "SE"): ("SE", "ETD"),
    ("plain", "BSE"): ("BSE", "BSD"),
}


@dataclass(frozen=True, slots=True)
class BeamWords:
    """SI units: volts, metres, seconds."""

    detector: str
    signal: str
    high_voltage: float
    working_distance: float
    dwell: float
    field_width: float
    taken: str

    @classmethod
    def draw(cls, rng: Rng, signal: str, field_width: float, vendor: str) -> BeamWords:
        name = rng.choice(DETECTORS[vendor, signal])
        volts = rng.choice([1, 2, 3, 5, 5, 10] if signal == "SE" else [5, 10, 15, 20]) * 1000.0
        return cls(
            detector=str(name),
            signal=signal,
            high_voltage=float(volts),
            working_distance=round(float(rng.uniform(2.5, 14)) * 1e-3, 5),
            dwell=float(rng.choice([1e-7, 3e-7, 1e-6, 3e-6, 1e-5])),
            field_width=float(field_width),
            taken=f"20{rng.integers(18, 27)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d} "
            f"{rng.integers(7, 20):02d}:{rng.integers(60):02d}:{rng.integers(60):02d}",
        )

    def magnification(self) -> float:
        """On the 127 mm wide screen or print that vendors refer to."""
        return 0.127 / self.field_width


def scale_bar(pixel_size: float, width: int) -> tuple[float, float]:
    """A 1-2-5 length (m) and its pixels, at most a fifth of the width."""
    goal = pixel_size * width / 5
    power = 10 ** np.floor(np.log10(goal))
    length = max(step * power for step in (1, 2, 5) if step * power <= goal * (1 + 1e-9))
    return float(length), float(length / pixel_size)


def length_text(metres: float) -> str:
    for unit, factor in (("mm", 1e3), ("µm", 1e6), ("nm", 1e9)):
        if metres * factor >= 0.999:
            return (
                f"{metres * factor:g} {unit}"
                if metres * factor < 1000
                else f"{metres * factor:.0f} {unit}"
            )
    return f"{metres * 1e9:.2g} nm"


def draw_databar(
    beam: BeamWords, pixel_size: float, width: int, vendor: str, bits: int, rng: Rng
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The strip, (rows, width) in the micrograph's depth: 6 to 10 % of the frame's height."""
    rows = int(width * rng.uniform(0.055, 0.075))
    light = vendor == "zeiss"
    ink, paper = (0, 255) if light else (255, 0)
    image = Image.new("L", (width, rows), paper)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(int(rows * 0.34), 10))
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow is built with FreeType
    length, pixels = scale_bar(pixel_size, width)
    fields = [
        f"HV {beam.high_voltage / 1e3:g} kV",
        f"WD {beam.working_distance * 1e3:.1f} mm",
        f"mag {beam.magnification():,.0f} x",
        beam.detector,
        f"HFW {_round(beam.field_width)}",
    ]
    if light:
        fields = [
            f"EHT = {beam.high_voltage / 1e3:.2f} kV",
            f"WD = {beam.working_distance * 1e3:.1f} mm",
            f"Signal A = {beam.detector}",
            f"Mag = {beam.magnification() / 1e3:.2f} K X",
        ]
    pen.line((0, 0, width, 0), fill=ink, width=1)
    x = 8.0
    room = width - pixels - 3 * 8
    for said in fields:
        long = pen.textlength(said.replace("µ", "u"), font=font)
        if x + long > room:
            break
        _say(pen, x, rows * 0.3, said, ink, font)
        x += long + 14
        pen.line((x - 7, 4, x - 7, rows - 4), fill=ink)
    left = width - pixels - 8
    pen.line((left, rows * 0.8, left + pixels - 1, rows * 0.8), fill=ink, width=2)
    for end in (left, left + pixels - 1):
        pen.line((end, rows * 0.66, end, rows * 0.94), fill=ink, width=1)
    said = length_text(length)
    middle = left + (pixels - pen.textlength(said.replace("µ", "u"), font=font)) / 2
    _say(pen, middle, rows * 0.12, said, ink, font)
    strip = np.asarray(image)
    return strip if bits == 8 else strip.astype(np.uint16) * 256  # 65280, as FEI writes it


def _say(
    pen: ImageDraw.ImageDraw, x: float, y: float, said: str, ink: int, font: ImageFont.FreeTypeFont
) -> None:
    """Write a text. Pillow's own font has no micro sign: it is a `u` with its stem drawn down."""
    pen.text((x, y), said.replace("µ", "u"), fill=ink, font=font)
    at = said.find("µ")
    if at >= 0:
        x += pen.textlength(said[:at], font=font)
        left, _, _, foot = font.getbbox("u")
        stem = max(round(font.size / 11), 1)
        pen.line((x + left, y + foot - 2, x + left, y + foot + font.size * 0.22), ink, stem)


def _round(metres: float) -> str:
    for unit, factor in (("mm", 1e3), ("µm", 1e6)):
        if metres * factor >= 1:
            return f"{metres * factor:.3g} {unit}"
    return f"{metres * 1e9:.3g} nm"
