"""Damage and lies: mutated micrographs, by seed.

Knows the layout of TIFF well enough to lie in the right place, from the specification; shares no
code with the reader. Everything comes from the seed, so that a case can be made again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Tags that decide how much is read and from where: sizes, strips, tiles, codecs, types.
LAYOUT_TAGS = (254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323)
LAYOUT_TAGS += (324, 325, 330, 338, 339, 347, 530, 32997)
_COMPRESSIONS = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 34925, 34926, 50000, 50001, 9)
_NASTY = (0, 1, 2, 3, 7, 255, 256, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One directory entry: where it stands, and its layout."""

    at: int
    code: int
    kind: int
    count: int
    value_at: int
    value_bytes: int


def directories(data: bytes) -> tuple[str, bool, list[list[Entry]], list[int]]:
    """Byte order, whether BigTIFF, the entries of each directory, and where its link stands."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    found, links = [], []
    while at and len(found) < 8:
        count = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
        start, size = at + (8 if big else 2), 20 if big else 12
        entries = []
        for number in range(count):
            place = start + number * size
            code, kind = struct.unpack_from(order + "HH", data, place)
            values = struct.unpack_from(order + ("Q" if big else "I"), data, place + 4)[0]
            entries.append(
                Entry(place, code, kind, values, place + (12 if big else 8), 8 if big else 4)
            )
        found.append(entries)
        links.append(start + count * size)
        at = struct.unpack_from(order + ("Q" if big else "I"), data, links[-1])[0]
    return order, big, found, links


def flip_header(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bits of the first 16 bytes."""
    return _flip(data, rng, 0, min(16, len(data)), int(rng.integers(1, 4)))


def flip_directory(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bits of a directory."""
    _, _, found, _ = directories(data)
    entries = found[int(rng.integers(len(found)))]
    first, last = entries[0].at - 2, entries[-1].at + 20
    return _flip(data, rng, first, min(last, len(data)), int(rng.integers(1, 6)))


def flip_data(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bits anywhere."""
    return _flip(data, rng, 0, len(data), int(rng.integers(1, 60)))


def scramble(data: bytes, rng: np.random.Generator) -> bytes:
    """A stretch of noise anywhere."""
    out = bytearray(data)
    start = int(rng.integers(len(out)))
    length = int(rng.integers(1, 400))
    out[start : start + length] = rng.bytes(len(out[start : start + length]))
    return bytes(out)


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    """The first part alone."""
    if rng.random() < 0.3:
        return data[: int(rng.integers(min(400, len(data))))]
    return data[: int(rng.integers(len(data)))]


def swap_parts(data: bytes, rng: np.random.Generator) -> bytes:
    """One stretch of the file in another's place."""
    out = bytearray(data)
    one, other = (int(rng.integers(len(out))) for _ in range(2))
    length = min(int(rng.integers(1, 300)), len(out) - max(one, other))
    out[one : one + length] = data[other : other + length]
    return bytes(out)


def lie_about_a_value(data: bytes, rng: np.random.Generator) -> bytes:
    """A layout tag with another value: sizes, offsets, counts, bits, codecs."""
    return _lie(data, rng, lambda entry: "value")


def lie_about_a_count(data: bytes, rng: np.random.Generator) -> bytes:
    """A tag that claims more or fewer values than it has."""
    return _lie(data, rng, lambda entry: "count")


def lie_about_a_type(data: bytes, rng: np.random.Generator) -> bytes:
    """A tag of another type."""
    return _lie(data, rng, lambda entry: "type")


def loop_pages(data: bytes, rng: np.random.Generator) -> bytes:
    """A chain of pages that bites its tail, or leads outside."""
    order, big, found, links = directories(data)
    out = bytearray(data)
    number = int(rng.integers(len(links)))
    first = found[0][0].at - (8 if big else 2)
    target = first if rng.random() < 0.6 else int(rng.integers(2 * len(data)))
    struct.pack_into(order + ("Q" if big else "I"), out, links[number], target)
    return bytes(out)


def bomb(data: bytes, rng: np.random.Generator) -> bytes:
    """Deflate that swells: the data of the first page become packed zeros, its size a large one."""
    order, big, found, _ = directories(data)
    entries = {entry.code: entry for entry in found[0]}
    out = bytearray(data)
    side = int(rng.choice([4096, 16384, 30000, 60000]))
    packed = zlib.compress(bytes(int(rng.choice([1, 8, 64])) * 2**20), 9)
    start = len(out)
    out += packed
    wanted = {256: side, 257: side, 259: 8, 273: start, 278: side, 279: len(packed), 317: 1}
    for code, value in wanted.items():
        if code in entries:
            _put(out, order, big, entries[code], value, kind=4)
    return bytes(out)


def _flip(data: bytes, rng: np.random.Generator, first: int, last: int, times: int) -> bytes:
    out = bytearray(data)
    for _ in range(times):
        out[int(rng.integers(first, max(first + 1, last)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


def _lie(data: bytes, rng: np.random.Generator, which: Callable[[Entry], str]) -> bytes:
    order, big, found, _ = directories(data)
    entries = found[int(rng.integers(len(found)))]
    layout = [entry for entry in entries if entry.code in LAYOUT_TAGS] or entries
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        entry = layout[int(rng.integers(len(layout)))]
        if which(entry) == "type":
            struct.pack_into(order + "H", out, entry.at + 2, int(rng.integers(0, 20)))
            continue
        value = int(rng.choice(_NASTY)) if rng.random() < 0.7 else int(rng.integers(2**32))
        if entry.code == 259 and which(entry) == "value":
            value = int(rng.choice(_COMPRESSIONS))
        if which(entry) == "count":
            struct.pack_into(order + ("Q" if big else "I"), out, entry.at + 4, value)
        else:
            _put(out, order, big, entry, value)
    return bytes(out)


def _put(
    out: bytearray, order: str, big: bool, entry: Entry, value: int, kind: int | None = None
) -> None:
    kind = entry.kind if kind is None else kind
    struct.pack_into(order + "H", out, entry.at + 2, kind)
    if kind == 3:
        struct.pack_into(order + "H", out, entry.value_at, value & 0xFFFF)
    elif big:
        struct.pack_into(order + "Q", out, entry.value_at, value)
    else:
        struct.pack_into(order + "I", out, entry.value_at, value & 0xFFFFFFFF)


#: What only a TIFF can suffer, and what any file can.
TIFF_DAMAGE: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "bits of the header": flip_header,
    "bits of a directory": flip_directory,
    "bits anywhere": flip_data,
    "noise": scramble,
    "cut short": truncate,
    "parts exchanged": swap_parts,
    "a wrong value": lie_about_a_value,
    "a wrong count": lie_about_a_count,
    "a wrong type": lie_about_a_type,
    "pages in a loop": loop_pages,
    "a bomb": bomb,
}
ANY_DAMAGE = {
    name: TIFF_DAMAGE[name]
    for name in ("bits of the header", "bits anywhere", "noise", "cut short", "parts exchanged")
}


def hostile_text(rng: np.random.Generator, start: bytes = b"") -> bytes:
    """What a side-car or a text tag may hold: entities, nests, endless lines, odd encodings."""
    entities = b"".join(
        b'<!ENTITY e%d "%s">' % (number, b"&e%d;" % (number - 1) * 10 if number else b"ha")
        for number in range(12)
    )
    kinds = (
        lambda: b"<!DOCTYPE x [" + entities + b"]><FeiImage>&e11;</FeiImage>",
        lambda: b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><FeiImage>&e;</FeiImage>',
        lambda: b"<a>" * 200_000,
        lambda: b"[" * 200_000 + b"]" * 200_000,
        lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        lambda: b"[SemImageFile]\nPixelSize=" + b"9" * 100_000,
        lambda: b"$CM_FORMAT JEOL\n$$SM_MICRON_BAR 0\n$$SM_MICRON_MARKER 1um\n",
        lambda: b"[MAIN]\nPixelSizeX=nan\nPixelSizeY=-inf\nMagnification=1e999\n",
        lambda: b"[Scan]\nPixelWidth=1e-400\nPixelHeight=-3\n[EBeam]\nHFW=0\n",
        lambda: b"PixelSize=1e308\x00\n" * 50_000,
        lambda: "[SemImageFile]\r\nPixelSize=٣٫٤\r\n".encode("utf-16"),
        lambda: rng.bytes(int(rng.integers(1, 100_000))),
        lambda: b"\xff\xfe" + rng.bytes(999),
        lambda: b'{"image": {"pixel_size": {"x": 1e999, "y": []}}, "version": {}}',
        lambda: b"ImageJ=1.53\nunit=\\u00\nspacing=1e999\n",
        lambda: b"<OME><Image><Pixels PhysicalSizeX='-0' PhysicalSizeXUnit='ly'/></Image></OME>",
    )
    return start + kinds[int(rng.integers(len(kinds)))]()
