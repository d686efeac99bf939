"""What vendors write, by the documented layout: texts, XML, JSON and bytes with known answers.

Where each layout is documented stands in the vendor's reader; nothing here is shared with it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from tests import micrographs as write

WIDTH, HEIGHT = 256, 192


def phenom_xml(
    pixel: str = "12.5", unit: str = "nm", databar: int = 0, volts: str = "-15000"
) -> bytes:
    return f"""<?xml version="1.0"?>
<FeiImage>
  <databarHeight>{databar}</databarHeight><databarLabel>sample</databarLabel>
  <pixelWidth unit="{unit}">{pixel}</pixelWidth><pixelHeight unit="{unit}">{pixel}</pixelHeight>
  <integrations>16</integrations><workingDistance unit="mm">6.5</workingDistance>
  <instrument><type>MVE012345</type><softwareVersion>5.4.5</softwareVersion>
    <uniqueID>MVE-0001</uniqueID><edition>G4 Phenom ProX</edition></instrument>
  <acquisition><scan><dwellTime unit="ns">500</dwellTime><rotation unit="deg">90</rotation>
    <detector>BSD Full</detector><highVoltage unit="V">{volts}</highVoltage></scan></acquisition>
</FeiImage>""".encode()


def thermo_xml(width: int, height: int, pixel_m: float) -> bytes:
    return f"""<?xml version="1.0"?>
<Metadata xmlns:nil="http://schemas.fei.com/Metadata/v1/2013/07">
  <Instrument><InstrumentClass>Apreo 2</InstrumentClass></Instrument>
  <Acquisition><BeamType>Electron</BeamType>
    <AcquisitionDatetime>2022-11-01T15:40:01</AcquisitionDatetime></Acquisition>
  <Optics><AccelerationVoltage>3000</AccelerationVoltage><WorkingDistance>0.004</WorkingDistance>
    <SampleTiltCorrectionOn>true</SampleTiltCorrectionOn>
    <SamplePreTiltAngle>0.5</SamplePreTiltAngle></Optics>
  <StageSettings><StagePosition><Tilt><Alpha>0.25</Alpha></Tilt></StagePosition></StageSettings>
  <ScanSettings><ScanRotation>3.5</ScanRotation><DwellTime>1E-06</DwellTime></ScanSettings>
  <Detectors><ScanningDetector><DetectorName>T1</DetectorName><Signal>BSE</Signal>
    </ScanningDetector></Detectors>
  <BinaryResult><ImageSize><X>{width}</X><Y>{height}</Y></ImageSize>
    <PixelSize><X unit="m" unitPrefixPower="1">{pixel_m}</X><Y unit="m">{pixel_m}</Y></PixelSize>
  </BinaryResult>
</Metadata>""".encode()


def tescan_main(pixel_m: float = 1e-8, strip: int = 0, width: int = WIDTH) -> dict[str, object]:
    return {
        "AccFrames": 8,
        "Date": "2023-03-27",
        "Description": "Füllung µ",
        "Device": "MIRA3",
        "ImageStripSize": strip,
        "Magnification": 1000.0,
        "MagnificationReference": repr(1000.0 * pixel_m * width),
        "PixelSizeX": repr(pixel_m),
        "PixelSizeY": repr(pixel_m),
        "SerialNumber": "117-0042",
        "Time": "09:08:07",
    }


def tescan_column() -> dict[str, object]:
    return {
        "Detector": "SE",
        "DwellTime": 3.2e-05,
        "HV": 20000.0,
        "PredictedBeamCurrent": 2e-10,
        "ScanRotation": 90.0,
        "StageTilt": 30.0,
        "TiltCorrection": 30.0,
        "WD": 0.0123,
    }


def tescan_tag(main: Mapping[str, object], column: Mapping[str, object], kind: int = 3) -> bytes:
    """Blocks: a thumbnail that is no text at all, [MAIN], the column, the end."""
    blocks = [(1, bytes(range(256)) * 4), (2, _lines(main)), (kind, _lines(column)), (0, b"")]
    return b"".join(struct.pack("<IH", len(data) + 2, kind) + data for kind, data in blocks)


def tescan_hdr(main: Mapping[str, object], column: Mapping[str, object]) -> bytes:
    return b"[MAIN]\r\n" + _lines(main) + b"\r\n[SEM]\r\n" + _lines(column)


def _lines(entries: Mapping[str, object]) -> bytes:
    return "".join(f"{key}={value}\r\n" for key, value in entries.items()).encode("latin-1")


def jeol_old(width: int = WIDTH, height: int = HEIGHT, marker: str = "1um", bar: int = 100) -> str:
    return f"""$SEM_DATA_VERSION 1
$CM_LABEL JEOL
$CM_FORMAT JEOL/SEM
$CM_INSTRUMENT 7800F
$CM_SIGNAL LED
$CM_DATE 2021/03/12
$CM_TIME 10:21:55
$CM_FULL_SIZE {width} {height}
$CM_STAGE_POS 35.120 35.301 10.000 11.0 30.0 0
$CM_MAG 12000
$CM_ACCEL_VOLT 5.00
$CM_SCAN_AVERAGE 4
$$SM_WD 10.1
$$SM_MICRON_BAR {bar}
$$SM_MICRON_MARKER {marker}
$$SM_SCAN_ROTATION 90.00
$CM_COMMENT
"""


def jeol_new(width: int, height: int, pixel_nm: float, databar: int) -> str:
    across, down = width * pixel_nm / 1000, height * pixel_nm / 1000
    return f"""$CM_FORMAT JEOL/SEM
$CM_LABEL Sample µ
$CM_INSTRUMENT JSM-IT800
$CM_DATE 3/17/2024
$CM_TIME 3:21:55 PM
$CM_IMAGE_SIZE {width} {height}
$CM_ACCEL_VOLT 15.0
$CM_MAG 5000
$CM_STAGE_POSITION X=37.1761, Y=44.9344, R=354.9968, Z=16.90, T=15.00
$CM_FIELD_OF_VIEW {across:.6f}µm {down:.6f}µm
$CM_PIXEL_SIZE {pixel_nm}nm
$SM_WD 4.2
$SM_DETECTOR UED
$SM_PNU_HEIGHT {databar}
$SM_INTEGRATION_NUMBER 2
"""


def hitachi(width: int = WIDTH, height: int = HEIGHT, pixel: str = "9.921875") -> str:
    return "\r\n".join(
        [
            "[SemImageFile]",
            "InstructName=SU8230",
            "SerialNumber=123189-06",
            "ImageName=sample.tif",
            f"DataSize={width}x{height}",
            *([f"PixelSize={pixel}"] if pixel else []),
            "SignalName=SE(U)",
            "AcceleratingVoltage=15000 Volt",
            "Magnification=50000",
            "WorkingDistance=8100 um",
            "Date=03/12/2021",
            "Time=14:05:06",
            "StagePositionT=-30.0",
            "MicronMarker=1000",
            "",
        ]
    )


def sis_tag(place: int) -> bytes:
    """SIS0 with its date (months from 0, years from 1900), one foreign entry, one that points."""
    head = struct.pack(
        "<4s6xhhhhh6x32sH", b"SIS0", 5, 14, 12, 2, 121, b"analySIS".ljust(32, b"\0"), 2
    )
    return head + struct.pack("<hhI", 10, 1, 0) + struct.pack("<hhI", 1, 1, place)


def sis_block(across_nm: float, down_nm: float) -> bytes:
    return struct.pack(
        "<10xhdd8xd2x34s32s", -9, across_nm, down_nm, 12000.0, b"Morada", b"TEM image"
    )


def openfibsem(width: int = WIDTH, height: int = HEIGHT, **other: object) -> dict[str, Any]:
    said: dict[str, Any] = {
        "beam_type": "ION",
        "resolution": [WIDTH, HEIGHT],
        "hfw": 1e-8 * WIDTH,
        "dwell_time": 1e-6,
        "pixel_size": {"x": 1e-8, "y": 1e-8},
        "reduced_area": None,
        "microscope_state": {
            "timestamp": "08/24/2023 12:05:55",
            "absolute_position": {"r": 0.85, "t": 0.61, "coordinate_system": "RAW"},
            "eb_settings": {"voltage": 2000.0, "working_distance": 0.004},
            "ib_settings": {
                "voltage": 30000.0,
                "working_distance": 0.0165,
                "beam_current": 2e-11,
            },
        },
        "detector_settings": {"type": "ETD", "mode": "SecondaryElectrons"},
        "shape": [height, width],
    }
    return said | other


def ome_xml(scale: str) -> bytes:
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        "<Image><AcquisitionDate>2024-03-01T10:00:00</AcquisitionDate>"
        f'<Pixels SizeX="{WIDTH}" SizeY="{HEIGHT}" {scale}/></Image></OME>'
    ).encode()


def fibics_xml(width: int = WIDTH, height: int = HEIGHT, field_um: float = 2.56) -> bytes:
    return f"""<?xml version="1.0" encoding="iso-8859-1"?><Fibics version="1.0">
<Application><Version>NPVE v4.5</Version><Date>2020-05-06T07:08:09.5</Date></Application>
<Image><Width>{width}</Width><Height>{height}</Height><Machine>Orion NanoFab</Machine>
<Beam>GFIS</Beam><Detector>ETD</Detector></Image>
<Scan><Dwell units="ns">10000</Dwell><FOV_X units="um">{field_um}</FOV_X>
<FOV_Y units="um">1.92</FOV_Y><ScanRot units="degrees">0</ScanRot></Scan>
<Stage><X units="um">-21319.2</X><Tilt units="degrees">54</Tilt></Stage>
<BeamInfo><item name="BeamI">1.3275</item><item name="AccV">30000.0</item></BeamInfo>
<DetectorInfo><item name="Collector">=500.0 V</item></DetectorInfo></Fibics>""".encode("latin-1")


def imagej_metadata(info: str) -> dict[int, write.Tag]:
    """Tags 50838 and 50839: a table of kinds, a label, and `Info` in UTF-16."""
    kinds = b"JIJI" + struct.pack("<4sI4sI", b"lbal", 1, b"ofni", 1)
    label, words = "slice".encode("utf-16-le"), info.encode("utf-16-le")
    return {
        50838: (write.LONG, [len(kinds), len(label), len(words)]),
        50839: (write.BYTE, kinds + label + words),
    }
