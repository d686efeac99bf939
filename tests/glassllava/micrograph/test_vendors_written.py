"""Vendors without a real file: files written from the documented layout read as written."""

from __future__ import annotations

import pytest

from glassllava.micrograph.reading import pixels, read_micrograph
from tests.vendor_files import WRITTEN, Written

_OF_INSTRUMENT = ("vendor", "model", "serial", "software", "acquired")


@pytest.mark.parametrize("written", WRITTEN, ids=lambda w: f"{w.vendor}: {w.name}")
def test_a_written_file_reads_as_written(tmp_path, written: Written):
    found = read_micrograph(written.make(tmp_path))
    assert wrong(found, written) == {}
    assert pixels(found).shape == (found.height, found.width)


def wrong(found, written: Written) -> dict[str, tuple[object, object]]:
    """By name, what was read and what was written, where they differ."""
    answers = dict(written.answers)
    says = answers.pop("says", ())
    says = (says,) if isinstance(says, str) else says
    apart = {}
    for name, answer in answers.items():
        value = _value(found, name)
        expected = pytest.approx(answer, rel=1e-6, abs=1e-15) if _is_number(answer) else answer
        if value != expected:
            apart[name] = (value, answer)
    if not all(any(words in warning for warning in found.warnings) for words in says):
        apart["says"] = (found.warnings, says)
    # No warning comes out of the blue.
    told = ("pages: page", *says)
    spoken = [w for w in found.warnings if not any(words in w for words in told)]
    if spoken:
        apart["warnings"] = (spoken, ())
    return apart


def _value(found, name):
    size = found.pixel_size
    if name == "pixel_m":
        return size.value_m if size else None
    if name == "source":
        return size.source if size else None
    if name == "rows":
        bar = found.databar
        assert bar is None or (bar.source == "tag" and bar.top + bar.height == found.height)
        return bar.height if bar else 0
    if name == "page":
        return found.page
    return getattr(found.instrument if name in _OF_INSTRUMENT else found.beam, name)


def _is_number(answer):
    return isinstance(answer, float | int) and not isinstance(answer, bool)


@pytest.mark.parametrize("written", WRITTEN, ids=lambda w: f"{w.vendor}: {w.name}")
def test_every_value_of_a_written_file_has_its_source(tmp_path, written: Written):
    found = read_micrograph(written.make(tmp_path), with_hash=False, with_databar=False)
    for part in (found.beam, found.instrument):
        for name in part.__slots__:
            if getattr(part, name) is not None:
                assert found.sources[name], name
                assert found.sources[name] != "the header", name
    for size in found.candidates:
        assert size.origin
    assert found.metadata
