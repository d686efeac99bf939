"""What a TIFF page's tags say, as a `Header`: texts, bytes and numbers of vendors, all bounded.

Knows which tags are read and how much of each; interprets none (`vendors`). The file and the page
are tifffile's; `tiff` translates what they may raise.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from glassllava.micrograph.header import Header
from glassllava.micrograph.texts import MAX_TEXT, decoded

_DESCRIPTION = 270
_SOFTWARE = 305
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
#: Vendor tags that hold text: Zeiss, Thermo Fisher, Fibics, DigitalMicrograph's units.
_TEXTS = (34118, 34119, 34680, 34682, 34683, 51023, 65003, 65004)
#: Those that hold bytes: Olympus SIS, TESCAN, ImageJ.
_BLOBS = (33560, 50431, 50839)
#: Those that hold numbers: ImageJ's byte counts, DigitalMicrograph's scales.
_NUMBERS = (50838, 65009, 65010)

_TEXT_TYPES = (1, 2, 6, 7)  # BYTE, ASCII, SBYTE, UNDEFINED
_NUMBER_TYPES = {3: "H", 4: "I", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q", 17: "q"}
_MAX_NUMBERS = 64
#: Bytes of all tags of all pages together; beyond them tags are left unread.
MAX_TAG_BYTES = 32_000_000


class TagReader:
    """Reads the tags of one file's pages; tags that pages share are read once."""

    def __init__(self, path: Path, file: Any) -> None:
        self._path = path
        self._file = file
        self._left = MAX_TAG_BYTES
        self._seen: dict[tuple[int, int], bytes] = {}
        self._decoded: dict[int, str] = {}
        #: True once a tag was left out because there was too much of all.
        self.is_cut = False

    def header(self, page: Any) -> Header:
        resolution = None
        across, down = (_ratio(page.tags.get(code)) for code in (_X_RESOLUTION, _Y_RESOLUTION))
        if across is not None:
            resolution = (across, across if down is None else down)
        texts = {code: self._text(page, code) for code in _TEXTS}
        blobs = {code: self._bytes(page, code) for code in _BLOBS}
        numbers = {code: self._numbers(page, code) for code in _NUMBERS}
        return Header(
            width=int(page.imagewidth),
            height=int(page.imagelength),
            description=self._text(page, _DESCRIPTION),
            software=self._text(page, _SOFTWARE),
            texts={code: text for code, text in texts.items() if text},
            resolution=resolution,
            resolution_unit=_unit(page.tags.get(_RESOLUTION_UNIT)),
            blobs={code: data for code, data in blobs.items() if data},
            numbers={code: values for code, values in numbers.items() if values},
            reach=_Reach(self._path),
        )

    def _text(self, page: Any, code: int) -> str:
        """A tag's bytes as text: tifffile's own parsers drop keys and types of some vendors."""
        data = self._bytes(page, code)
        if id(data) not in self._decoded:  # `_seen` holds the bytes, so that their id stays theirs
            self._decoded[id(data)] = decoded(data)
        return self._decoded[id(data)]

    def _bytes(self, page: Any, code: int) -> bytes:
        tag = page.tags.get(code)
        if tag is None or int(tag.dtype) not in _TEXT_TYPES:
            return b""
        return self._read(int(tag.valueoffset), min(int(tag.valuebytecount), MAX_TEXT))

    def _numbers(self, page: Any, code: int) -> tuple[float, ...]:
        tag = page.tags.get(code)
        letter = None if tag is None else _NUMBER_TYPES.get(int(tag.dtype))
        if tag is None or letter is None:
            return ()
        size = struct.calcsize(letter)
        data = self._read(int(tag.valueoffset), size * min(int(tag.count), _MAX_NUMBERS))
        count = len(data) // size
        order = self._file.byteorder
        return tuple(
            float(v) for v in struct.unpack(f"{order}{count}{letter}", data[: count * size])
        )

    def _read(self, offset: int, count: int) -> bytes:
        if (offset, count) in self._seen:
            return self._seen[offset, count]
        if count > self._left:
            self.is_cut = True
            return b""
        self._left -= count
        self._file.filehandle.seek(offset)
        data: bytes = self._file.filehandle.read(count)
        self._seen[offset, count] = data
        return data


class _Reach:
    """Fetches bytes of the file after it was closed; what cannot be read is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, offset: int, count: int) -> bytes:
        if offset < 0 or count < 1:
            return b""
        try:
            with self._path.open("rb") as file:
                file.seek(offset)
                return file.read(min(count, MAX_TEXT))
        except OSError:
            return b""


def _unit(tag: Any) -> int:
    value = None if tag is None else tag.value
    return int(value) if isinstance(value, int) else 1


def _ratio(tag: Any) -> float | None:
    value = None if tag is None else tag.value
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return None
    return float(value[0]) / float(value[1])
