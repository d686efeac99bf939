"""Hostile tags and side-cars: whatever stands in them, a reading or a warning, and no absurd scale.

The readers are called as they are, so that an exception of any kind fails.
"""

from __future__ import annotations

import json
import math
import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassllava.micrograph import texts
from glassllava.micrograph.header import Header, VendorReading
from glassllava.micrograph.vendors import (
    digitalmicrograph,
    fibics,
    hitachi,
    imagej,
    jeol,
    olympus,
    ome,
    openfibsem,
    phenom,
    tescan,
    thermo,
    thermo_xml,
    zeiss,
)
from tests import micrographs as write
from tests import vendor_texts as built

_TAGGED = (thermo, thermo_xml, phenom, zeiss, tescan, olympus, fibics, digitalmicrograph)
VENDORS = (*_TAGGED, openfibsem, ome, imagej)
SIDECARS = (jeol, hitachi, tescan)

_sizes = st.integers(1, 200_000)
_odd_numbers = st.one_of(
    st.floats().map(repr),
    st.integers(-(10**40), 10**40).map(str),
    st.sampled_from(["", "nan", "-0", "1e999", "-1e-999", "0x10", "1,5", "9" * 400, "1e308", "²"]),
)


def check(reading: VendorReading, header: Header) -> None:
    """Nothing that a measurement could trip over."""
    for size in reading.candidates:
        assert 1e-12 < size.value_m < 1e-3
        assert size.value_y_m is None or 1e-12 < size.value_y_m < 1e-3
        assert size.origin
    beam = reading.beam
    for name in beam.__slots__:
        value = getattr(beam, name)
        assert not isinstance(value, float) or math.isfinite(value), name
    for turned in (beam.tilt_rad, beam.scan_rotation_rad, beam.tilt_correction_rad):
        assert turned is None or abs(turned) <= math.pi
    assert beam.frames is None or 1 <= beam.frames < 1e6
    if reading.databar:
        assert 0 < reading.databar.height <= header.height // 2
        assert reading.databar.top + reading.databar.height == header.height
    assert len(reading.metadata) <= 25_000
    assert all(isinstance(v, str) and len(v) <= 2_000 for v in reading.metadata.values())
    assert all(len(warning) < 1_000 for warning in reading.warnings)


def ask(header: Header) -> list[VendorReading]:
    readings = [vendor.read(header) for vendor in VENDORS if vendor.recognises(header)]
    for reading in readings:
        check(reading, header)
    return readings


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=600), width=_sizes, height=_sizes)
def test_any_bytes(data, width, height):
    text = texts.decoded(data)
    for header in (
        Header(width, height, blobs={50431: data}),
        Header(width, height, blobs={33560: b"SIS0" + data}, reach=lambda offset, count: data),
        Header(
            width,
            height,
            "ImageJ=1",
            blobs={50839: b"JIJI" + data},
            numbers={50838: (12.0, 4e9, -1.0, 0.5)},
        ),
        Header(width, height, texts=dict.fromkeys((34118, 34682, 34683, 51023), text)),
        Header(width, height, text),
    ):
        ask(header)
    for vendor in SIDECARS:
        vendor.described(text)
        check(vendor.read_sidecar(Header(width, height), text, "a.txt"), Header(width, height))


_WHOLE = {
    34682: write.thermo_text(write.thermo_sections(256, 192, 1e-9)).decode("latin-1"),
    34118: write.zeiss_text(write.zeiss_entries("5 nm", "5 nm", "1.28 µm")).decode("cp1252"),
    34683: built.phenom_xml().decode(),
    51023: built.fibics_xml().decode("latin-1"),
}
_THERMO_XML = built.thermo_xml(256, 192, 1e-9).decode()
_SIDE_TEXTS = {
    jeol: built.jeol_old() + built.jeol_new(256, 192, 12.5, 20),
    hitachi: built.hitachi(),
    tescan: built.tescan_hdr(built.tescan_main(), built.tescan_column()).decode("latin-1"),
}


def _spoilt(draw, text: str) -> str:
    """The text with some of its numbers replaced, and perhaps cut."""
    parts = re.split(r"(?<![\w.])(\d+(?:\.\d+)?)", text)
    for place in draw(st.lists(st.integers(0, len(parts) // 2 - 1), max_size=12)):
        parts[2 * place + 1] = draw(_odd_numbers)
    whole = "".join(parts)
    cut = draw(st.integers(0, len(whole)))
    return whole[:cut] if draw(st.booleans()) else whole


@pytest.mark.parametrize("number", ["1e308", "-1e308", "1e-320", "9" * 400, "nan", "-0.0", "1e39"])
def test_every_number_absurd_at_once(number):
    def spoilt(text):
        return re.sub(r"(?<![\w.])\d+(?:\.\d+)?", number, text)

    for tag, text in _WHOLE.items():
        ask(Header(256, 192, texts={tag: spoilt(text)}))
    ask(Header(256, 192, texts={34683: spoilt(_THERMO_XML)}))
    for vendor, text in _SIDE_TEXTS.items():
        vendor.described(spoilt(text))
        check(vendor.read_sidecar(Header(256, 192), spoilt(text), "a.txt"), Header(256, 192))
    ask(Header(256, 192, spoilt(json.dumps(built.openfibsem()))))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), width=_sizes, height=_sizes)
def test_texts_with_absurd_numbers(data, width, height):
    tag = data.draw(st.sampled_from(sorted(_WHOLE)))
    ask(Header(width, height, texts={tag: _spoilt(data.draw, _WHOLE[tag])}))
    ask(Header(width, height, texts={34683: _spoilt(data.draw, _THERMO_XML)}))
    vendor = data.draw(st.sampled_from(SIDECARS))
    text = _spoilt(data.draw, _SIDE_TEXTS[vendor])
    vendor.recognises_sidecar(text)
    vendor.described(text)
    check(vendor.read_sidecar(Header(width, height), text, "a.txt"), Header(width, height))


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**60), 10**60) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    other=st.dictionaries(st.sampled_from(sorted(built.openfibsem())), _json, max_size=6),
    width=_sizes,
    height=_sizes,
)
def test_openfibsem_of_any_shape(other, width, height):
    text = json.dumps(built.openfibsem() | other)
    ask(Header(width, height, text))
    ask(Header(256, 192, text))


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 2**32 - 1), max_size=6),
    kinds=st.lists(st.integers(0, 2**16 - 1), max_size=6),
    tail=st.binary(max_size=60),
)
def test_tescan_blocks_that_lie(lengths, kinds, tail):
    data = b"".join(
        struct.pack("<IH", length, kind) + tail
        for length, kind in zip(lengths, kinds, strict=False)
    )
    parsed = tescan.parse(data)
    assert len(parsed) <= 100 * 61
    ask(Header(256, 192, blobs={50431: data}))


def test_many_empty_blocks_end():
    assert tescan.parse(struct.pack("<IH", 2, 9) * 500_000) == {}


@settings(max_examples=200, deadline=None)
@given(
    power=st.integers(-(2**15), 2**15 - 1),
    across=st.floats(),
    down=st.floats(),
    magnification=st.floats(),
    entries=st.integers(-(2**15), 2**15 - 1),
)
def test_sis_with_absurd_numbers(power, across, down, magnification, entries):
    tag = bytearray(built.sis_tag(8))
    struct.pack_into("<h", tag, 58, entries)
    block = struct.pack(
        "<10xhdd8xd2x34s32s", power, across, down, magnification, b"\xff" * 34, b"\0" * 32
    )
    ask(Header(256, 192, blobs={33560: bytes(tag)}, reach=lambda offset, count: block))


@settings(max_examples=200, deadline=None)
@given(
    scales=st.tuples(st.floats(), st.floats()),
    units=st.tuples(st.text(max_size=8), st.text(max_size=8)),
)
def test_digitalmicrograph_with_absurd_numbers(scales, units):
    ask(
        Header(
            256,
            192,
            texts={65003: units[0], 65004: units[1]},
            numbers={65009: (scales[0],), 65010: (scales[1],)},
        )
    )


@pytest.mark.parametrize("root", ["FeiImage", "Metadata", "Fibics", "OME"])
def test_xml_bombs_give_a_warning_and_no_scale(root):
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    body = f'<{root} xmlns="http://schemas.fei.com" x="openmicroscopy.org">&b;'
    for text in (f"{entities}{body}</{root}>", body + "<y>" * 50_000, body):
        readings = ask(Header(256, 192, text, texts={34683: text, 51023: text}))
        assert readings
        for reading in readings:
            assert reading.candidates == ()
            assert reading.warnings
