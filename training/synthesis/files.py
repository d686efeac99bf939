"""Synthetic micrographs as TIFF files with the tags that real microscopes write.

Thermo Fisher: INI text in tag 34682. Zeiss: SmartSEM text in tag 34118, 8-bit pixels through a
grey palette, no databar tag. Plain: no tag, hence no scale. Every file says in ImageDescription
and Software that it is synthetic.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import tifffile

from training.synthesis.truth import SyntheticMicrograph

SOFTWARE = "GlassView synthetic"
DESCRIPTION = "GlassView synthetic micrograph: procedurally painted, no real specimen"

THERMO_TAG, ZEISS_TAG = 34682, 34118
#: SmartSEM gives sizes for a picture this wide.
ZEISS_SCREEN = 1024


def write_tiff(
    micrograph: SyntheticMicrograph, path: str | Path, *, compression: str | None = None
) -> Path:
    """Write the micrograph; `compression` is tifffile's word, such as "deflate".

    Raises OSError where the file cannot be written.
    """
    path = Path(path)
    tags = []
    colormap = None
    photometric = "minisblack"
    if micrograph.vendor == "thermo":
        tags.append((THERMO_TAG, 2, None, thermo_text(micrograph).encode("ascii") + b"\0", True))
    elif micrograph.vendor == "zeiss":
        text = zeiss_text(micrograph, path.name).encode("latin-1")
        tags.append((ZEISS_TAG, 2, None, text + b"\0", True))
        if micrograph.pixels.dtype == np.uint8:
            photometric = "palette"
            colormap = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))
    tifffile.imwrite(
        path,
        micrograph.pixels,
        photometric=photometric,
        colormap=colormap,
        description=DESCRIPTION,
        software=SOFTWARE,
        metadata=None,
        extratags=tags,
        compression=compression,
        predictor=bool(compression) and photometric != "palette",
        rowsperstrip=64,
    )
    return path


def thermo_text(micrograph: SyntheticMicrograph) -> str:
    """The INI text of an xT microscope; metres, volts, seconds and radians."""
    beam, size = micrograph.beam, micrograph.true_pixel_size_m
    rows, columns = micrograph.pixels.shape
    bar = micrograph.databar[1] if micrograph.databar else 0
    taken = datetime.strptime(beam.taken, "%Y-%m-%d %H:%M:%S")
    sections: dict[str, dict[str, object]] = {
        "User": {
            "Date": f"{taken:%m/%d/%Y}",
            "Time": f"{taken:%I:%M:%S %p}",
            "User": "synthetic",
            "UserText": DESCRIPTION,
        },
        "System": {
            "Type": "SEM",
            "Software": SOFTWARE,
            "SystemType": "GlassView synthetic (xT layout)",
            "Dnumber": 0,
            "Source": "FEG",
            "Stage": "110 x 110",
        },
        "Beam": {
            "HV": f"{beam.high_voltage:.0f}",
            "Spot": 3,
            "Beam": "EBeam",
            "Scan": "EScan",
            "ScanRotation": 0,
        },
        "EBeam": {
            "HV": f"{beam.high_voltage:.0f}",
            "HFW": f"{size * columns:.8g}",
            "VFW": f"{size * (rows - bar):.8g}",
            "WD": f"{beam.working_distance:.6g}",
            "BeamCurrent": "1e-10",
            "StageTa": 0,
            "StageTb": 0,
        },
        "Scan": {
            "InternalScan": "true",
            "Dwelltime": f"{beam.dwell:.3g}",
            "PixelWidth": f"{size:.8g}",
            "PixelHeight": f"{size:.8g}",
            "HorFieldsize": f"{size * columns:.8g}",
            "VerFieldsize": f"{size * (rows - bar):.8g}",
            "Average": 0,
            "Integrate": 1,
        },
        "EScan": {
            "Dwell": f"{beam.dwell:.3g}",
            "PixelWidth": f"{size:.8g}",
            "PixelHeight": f"{size:.8g}",
        },
        "Stage": {"StageT": 0, "WorkingDistance": f"{beam.working_distance:.6g}"},
        "Image": {
            "DigitalContrast": 1,
            "DigitalBrightness": 0,
            "DigitalGamma": 1,
            "Average": 0,
            "Integrate": 1,
            "ResolutionX": columns,
            "ResolutionY": rows - bar,
        },
        "Vacuum": {"ChPressure": "0.0002", "UserMode": "High vacuum"},
        "Detectors": {"Number": 1, "Name": beam.detector, "Mode": beam.signal},
        beam.detector: {"Signal": beam.signal, "Contrast": 60, "Brightness": 45},
        "EBeamDeceleration": {"ModeOn": "Off", "LandingEnergy": f"{beam.high_voltage:.0f}"},
        "PrivateFei": {
            "BitShift": 0,
            "TimeOfCreation": f"{taken:%d.%m.%Y %H:%M:%S}",
            "DatabarHeight": bar,
        },
    }
    return "\r\n".join(
        f"[{name}]\r\n" + "".join(f"{key}={value}\r\n" for key, value in entries.items())
        for name, entries in sections.items()
    )


def zeiss_text(micrograph: SyntheticMicrograph, name: str) -> str:
    """SmartSEM's text: unnamed numbers, then a line with the key and a line "name = value unit".

    AP_PIXEL_SIZE and the fourth unnamed number are for a picture 1024 columns wide,
    AP_IMAGE_PIXEL_SIZE for the stored one.
    """
    beam, size = micrograph.beam, micrograph.true_pixel_size_m
    rows, columns = micrograph.pixels.shape
    screen = size * columns / ZEISS_SCREEN
    taken = datetime.strptime(beam.taken, "%Y-%m-%d %H:%M:%S")
    unnamed = [
        "0",
        "0",
        "0",
        f"{screen:.6e}",
        f"{beam.magnification():.6e}",
        "6",
        f"{beam.high_voltage:.6e}",
        "2.320000e+00",
        "1.000000e-10",
        f"{beam.working_distance:.6e}",
    ]
    named = [
        ("DP_SEM", f"Sem = {SOFTWARE}"),
        ("DP_DETECTOR_CHANNEL", f"Signal A = {beam.detector}"),
        ("DP_DETECTOR_TYPE", f"Detector = {beam.detector}"),
        ("DP_DWELL_TIME", f"Dwell Time = {beam.dwell * 1e9:.0f} ns"),
        ("DP_IMAGE_STORE", f"Store resolution = {columns} * {rows}"),
        ("AP_ACTUALKV", f"EHT = {beam.high_voltage / 1e3:.2f} kV"),
        ("AP_WD", f"WD = {beam.working_distance * 1e3:.3f} mm"),
        ("AP_MAG", f"Mag = {beam.magnification() / 1e3:.2f} K X"),
        ("AP_PIXEL_SIZE", f"Pixel Size = {_length(screen)}"),
        ("AP_IMAGE_PIXEL_SIZE", f"Image Pixel Size = {_length(size)}"),
        ("AP_WIDTH", f"Width = {_length(size * columns)}"),
        ("AP_HEIGHT", f"Height = {_length(size * rows)}"),
        ("AP_STAGE_AT_T", "Stage at T = 0.0 °"),
        ("AP_FRAME_INT_COUNT", "Frames to Int. = 0"),
        ("AP_DATE", f"Date :{taken:%d %b %Y}"),
        ("AP_TIME", f"Time :{taken:%H:%M:%S}"),
        ("SV_VERSION", f"Version = {SOFTWARE}"),
        ("SV_SERIAL_NUMBER", "Serial No. = none"),
        ("SV_USER_TEXT", f"User Text = {DESCRIPTION}"),
        ("SV_FILE_NAME", f"File Name = {name}"),
    ]
    lines = [*unnamed, *(line for pair in named for line in pair)]
    return "\r\n".join(lines) + "\r\n"


def _length(metres: float) -> str:
    for unit, factor in (("mm", 1e3), ("µm", 1e6), ("nm", 1e9)):
        if metres * factor >= 1:
            return f"{metres * factor:.6g} {unit}"
    return f"{metres * 1e12:.6g} pm"
