"""Tiny TIFFs as microscopes write them, with known answers.

A TIFF writer of its own, from the TIFF 6.0 specification: it shares no code with the reader, nor
with the library under it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 2, 3, 4, 5, 7
BYTE, LONG, UNDEFINED, DOUBLE = 1, 4, 7, 12

#: ASCII, or the kind of a tag and what it holds.
Tag = bytes | tuple[int, bytes | Sequence[float]]
#: Where the bytes `lead` of `write_tiff` stand in the file.
LEAD_OFFSET = 8


def write_tiff(
    path: Path,
    pages: np.ndarray | Sequence[np.ndarray],
    tags: Mapping[int, Tag] | None = None,
    *,
    page_tags: Sequence[Mapping[int, Tag]] = (),
    lead: bytes = b"",
    resolution: tuple[int, int] | None = None,
    unit: int = 1,
    palette: bool = False,
    white_is_zero: bool = False,
    big_endian: bool = False,
    subfile: Sequence[int] = (),
    rows_per_strip: int | None = None,
) -> Path:
    """Write uncompressed pages; `tags` go to every page, `resolution` is px/unit.

    `page_tags` are each page's own, and `lead` stands right behind the file's header.
    """
    pages = [pages] if isinstance(pages, np.ndarray) else list(pages)
    order = ">" if big_endian else "<"
    out = bytearray(b"MM\x00*" if big_endian else b"II*\x00")
    out += struct.pack(order + "I", 0) + lead + b"\0" * (len(lead) % 2)
    link = 4
    for number, page in enumerate(pages):
        data = page.astype(page.dtype.newbyteorder(order)).tobytes()
        height, width = page.shape[:2]
        samples = 1 if page.ndim == 2 else page.shape[2]
        rows = rows_per_strip or height
        strip = rows * width * samples * page.dtype.itemsize
        starts, counts = [], []
        for begin in range(0, len(data), strip):
            part = data[begin : begin + strip]
            starts.append(len(out))
            counts.append(len(part))
            out += part
        if len(out) % 2:
            out += b"\0"
        photometric = 3 if palette else 0 if white_is_zero else 2 if samples >= 3 else 1
        sample = {"u": 1, "i": 2, "f": 3, "b": 1}[page.dtype.kind]
        entries: dict[int, tuple[int, list[float] | bytes]] = {
            254: (_LONG, [subfile[number] if number < len(subfile) else 0]),
            256: (_LONG, [width]),
            257: (_LONG, [height]),
            258: (_SHORT, [8 * page.dtype.itemsize] * samples),
            259: (_SHORT, [1]),
            262: (_SHORT, [photometric]),
            273: (_LONG, starts),
            277: (_SHORT, [samples]),
            278: (_LONG, [rows]),
            279: (_LONG, counts),
            339: (_SHORT, [sample] * samples),
        }
        if resolution:
            entries[282] = entries[283] = (_RATIONAL, list(resolution))
            entries[296] = (_SHORT, [unit])
        if palette:
            # Not grey on purpose: the index is the grey value, not the colour.
            ramp = np.arange(256) * 257
            entries[320] = (_SHORT, [*ramp, *(ramp[::-1]), *(ramp // 2)])
        own = page_tags[number] if number < len(page_tags) else {}
        for code, value in {**(tags or {}), **own}.items():
            if isinstance(value, bytes):
                entries[code] = (_ASCII, value + b"\0")
            else:
                kind, held = value
                entries[code] = (kind, held if isinstance(held, bytes) else list(held))
        link = _write_directory(out, order, entries, link)
    path.write_bytes(out)
    return path


def _write_directory(
    out: bytearray, order: str, entries: Mapping[int, tuple[int, list[float] | bytes]], link: int
) -> int:
    packed = {}
    for code, (kind, values) in entries.items():
        if isinstance(values, bytes):
            data, count = values, len(values)
        else:
            letter = {_SHORT: "H", _LONG: "I", _RATIONAL: "I", DOUBLE: "d"}[kind]
            numbers = values if letter == "d" else [int(v) for v in values]
            data = struct.pack(f"{order}{len(values)}{letter}", *numbers)
            count = len(values) // (2 if kind == _RATIONAL else 1)
        packed[code] = (kind, count, data)
    places = {}
    for code, (_, _, data) in packed.items():
        if len(data) > 4:
            places[code] = len(out)
            out += data + b"\0" * (len(data) % 2)
    struct.pack_into(order + "I", out, link, len(out))
    out += struct.pack(order + "H", len(packed))
    for code in sorted(packed):
        kind, count, data = packed[code]
        value = struct.pack(order + "I", places[code]) if code in places else data.ljust(4, b"\0")
        out += struct.pack(order + "HHI", code, kind, count) + value
    out += struct.pack(order + "I", 0)
    return len(out) - 4


def thermo_text(sections: Mapping[str, Mapping[str, object]]) -> bytes:
    lines = []
    for name, entries in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key}={value}" for key, value in entries.items()]
        lines.append("")
    return "\r\n".join(lines).encode("latin-1")


def thermo_sections(
    width: int, rows: int, pixel_m: float, *, ion: bool = False, databar: int | str = ""
) -> dict[str, dict[str, object]]:
    """What an xT microscope writes about a scan of `width` × `rows`, 5 kV, WD 4.1 mm, TLD."""
    beam, scan = ("IBeam", "IScan") if ion else ("EBeam", "EScan")
    return {
        "User": {"Date": "11/02/2023", "User": "Operator"},
        "System": {"SystemType": "Test G4", "Dnumber": "D0001", "Software": "14.5.1.432"},
        "Beam": {"HV": "5000", "Beam": beam, "Scan": scan},
        beam: {"HV": "5000", "HFW": pixel_m * width, "WD": "0.0041", "BeamCurrent": "5e-11"},
        "Scan": {"Dwelltime": "1e-06", "PixelWidth": pixel_m, "PixelHeight": pixel_m},
        scan: {"PixelWidth": pixel_m, "PixelHeight": pixel_m, "Dwell": "1e-06"},
        "Stage": {"StageT": "0.5"},
        "Image": {"ResolutionX": width, "ResolutionY": rows, "Integrate": "4"},
        "Detectors": {"Number": "1", "Name": "TLD", "Mode": "SE"},
        "TLD": {"Signal": "SE"},
        "PrivateFei": {"TimeOfCreation": "11.02.2023 15:40:01", "DatabarHeight": databar},
    }


def zeiss_text(entries: Mapping[str, str], unnamed_pixel_m: float = 0.0) -> bytes:
    """SmartSEM's lines: unnamed numbers, then a key and "name = value" by turns."""
    unnamed = ["0", "0", "0", f"{unnamed_pixel_m:.6e}", "1.0e+003", "6", "8.0e+003"]
    lines = list(unnamed)
    for key, line in entries.items():
        lines += [key, line]
    return "\r\n".join(lines).encode("cp1252")


def zeiss_entries(image_pixel: str, screen_pixel: str, field: str) -> dict[str, str]:
    return {
        "DP_SEM": "Sem = Merlin",
        "DP_DETECTOR_CHANNEL": "Signal A = InLens",
        "DP_DETECTOR_TYPE": "Detector = InLens",
        "DP_DWELL_TIME": "Dwell Time = 100 ns",
        "DP_FIB_IMAGING": "FIB Imaging = SEM",
        "AP_ACTUALKV": "EHT =  8.00 kV",
        "AP_WD": "WD =  7.7 mm",
        "AP_MAG": "Mag =   4.53 K X",
        "AP_STAGE_AT_T": "Stage at T =  10.0 °",
        "AP_PIXEL_SIZE": f"Pixel Size = {screen_pixel}",
        "AP_IMAGE_PIXEL_SIZE": f"Image Pixel Size = {image_pixel}",
        "AP_WIDTH": f"Width = {field}",
        "AP_DATE": "Date :25 Sep 2018",
        "AP_TIME": "Time :11:41:13",
        "SV_SERIAL_NUMBER": "Serial No. = Merlin-00-00",
        "SV_VERSION": "Version = V06.03.00.00 : 15-Dec-17",
    }


def specimen(height: int = 192, width: int = 256, seed: int = 0) -> np.ndarray:
    """Grey noise about 120, 8 bit: a specimen with nothing on it."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(120, 12, (height, width)), 0, 255).astype(np.uint8)


def with_holes(
    picture: np.ndarray, holes: Sequence[tuple[float, float, float]], depth: float = 70
) -> np.ndarray:
    """Round holes (x, y, diameter) with edges as sharp as the pixels allow."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    values = picture.astype(float)
    for across, down, diameter in holes:
        distance = np.hypot(x - across, y - down)
        values -= depth * np.clip(diameter / 2 - distance + 0.5, 0, 1)
    return np.clip(values, 0, 255).astype(picture.dtype)


def with_databar(picture: np.ndarray, rows: int, *, paper: int = 0, ink: int = 255) -> np.ndarray:
    """The picture with a strip under it: paper, and words as blocks of ink."""
    bar = np.full((rows, picture.shape[1]), paper, picture.dtype)
    rng = np.random.default_rng(7)
    for line in range(4, rows - 8, 12):
        column = 6
        while column < picture.shape[1] - 8:
            wide = int(rng.integers(2, 5))
            bar[line : line + 7, column : column + wide] = ink
            column += wide + int(rng.integers(2, 9))
    return np.concatenate([picture, bar])
