"""Vendors without a real file: files written from the documented layout read as written."""

from __future__ import annotations

import pytest

from glassllava.micrograph.reading import pixels, read_micrograph
from glassview.cli import main
from tests.vendor_files import WRITTEN, Written, wrong


@pytest.mark.parametrize("written", WRITTEN, ids=lambda w: f"{w.vendor}: {w.name}")
def test_a_written_file_reads_as_written(tmp_path, written: Written):
    found = read_micrograph(written.make(tmp_path))
    assert wrong(found, written) == {}
    assert pixels(found).shape == (found.height, found.width)


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
    assert found.metadata or written.vendor == "PNG, JPEG, BMP"


@pytest.mark.parametrize("written", WRITTEN, ids=lambda w: f"{w.vendor}: {w.name}")
def test_inspect_prints_every_source(tmp_path, capsys, written: Written):
    path = written.make(tmp_path)
    found = read_micrograph(path, with_hash=False, with_databar=False)
    assert main(["inspect", str(path), "--fast"]) == 0
    shown = capsys.readouterr().out
    for name, source in found.sources.items():
        value = getattr(found.beam, name, None) or getattr(found.instrument, name, None)
        if value:
            assert source in shown, name
    for size in found.candidates:
        assert size.origin in shown
    for warning in found.warnings:
        assert warning in " ".join(shown.split())
