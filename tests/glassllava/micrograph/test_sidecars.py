"""Side-cars: found beside the image, believed only if they are about it, never fatal."""

from __future__ import annotations

import os

import pytest

from glassllava.micrograph import sidecars
from glassllava.micrograph.reading import read_micrograph
from tests import micrographs as write
from tests.vendor_files import beside
from tests.vendor_texts import HEIGHT, WIDTH, hitachi, jeol_old, tescan_column, tescan_hdr
from tests.vendor_texts import tescan_main as main


def quick(path):
    return read_micrograph(path, with_hash=False, with_databar=False)


@pytest.mark.parametrize("side", ["sample.txt", "sample.TXT", "sample.Txt"])
@pytest.mark.parametrize(("text", "vendor"), [(jeol_old(), "JEOL"), (hitachi(), "Hitachi")])
def test_jeol_and_hitachi_share_a_name_and_are_told_by_the_first_line(tmp_path, side, text, vendor):
    """Trap 11: capitals, and two vendors that write NAME.txt."""
    found = quick(beside(side, text.encode())(tmp_path))
    assert found.instrument.vendor == vendor
    assert found.sources["voltage_v"].startswith(side)


@pytest.mark.parametrize(
    ("image", "side"),
    [
        ("a.tif", "a-tif.hdr"),
        ("a.tif", "a-TIF.HDR"),
        ("a.TIF", "a-TIF.hdr"),
        ("a.tif", "a.hdr"),
        ("a.tif", "a.Hdr"),
        ("a.png", "a-png.hdr"),
        ("a.bmp", "a-bmp.hdr"),
        ("a.jpg", "a-jpg.HDR"),
        ("two.dots.tif", "two.dots-tif.hdr"),
    ],
)
def test_names_of_tescan(tmp_path, image, side):
    """Trap 11 again."""
    found = quick(beside(side, tescan_hdr(main(), tescan_column()), image)(tmp_path))
    assert found.pixel_size.source == "sidecar"
    assert found.pixel_size.origin == f"{side} [MAIN] PixelSizeX"


@pytest.mark.parametrize(
    "data",
    [
        jeol_old(512, 384).encode(),
        jeol_old(WIDTH, 2 * HEIGHT).encode(),
        jeol_old(WIDTH, HEIGHT // 2).encode(),
        hitachi(640, 480).encode(),
        tescan_hdr(main(width=512), tescan_column()),
    ],
)
def test_a_sidecar_of_another_size_is_not_used(tmp_path, data):
    """Trap 10: a resized image voids its pixel size."""
    side = "sample.hdr" if data.startswith(b"[MAIN]") else "sample.txt"
    found = quick(beside(side, data)(tmp_path))
    assert found.pixel_size is None
    assert found.beam.voltage_v is None
    assert found.instrument.vendor is None
    assert [size.source for size in found.candidates]  # it is shown all the same
    assert any("The scale is not used" in w and side in w for w in found.warnings)
    assert found.metadata


@pytest.mark.parametrize(
    "data",
    [
        b"$CM_FORMAT JEOL\n$$SM_MICRON_BAR 100\n$$SM_MICRON_MARKER 1um\n",
        b"[SemImageFile]\nPixelSize=10\n",
        b"[MAIN]\nPixelSizeX=1e-8\n",
    ],
)
def test_a_sidecar_that_does_not_say_its_size_is_not_believed(tmp_path, data):
    side = "sample.hdr" if data.startswith(b"[MAIN]") else "sample.txt"
    found = quick(beside(side, data)(tmp_path))
    assert found.pixel_size is None
    assert len(found.candidates) == 1
    assert any("does not say how large" in warning for warning in found.warnings)


def test_a_tag_stands_above_a_sidecar_and_the_difference_is_told(tmp_path):
    path = beside("sample.txt", jeol_old().encode())(tmp_path)
    sections = write.thermo_sections(WIDTH, HEIGHT, 1.05e-8)
    write.write_tiff(path, write.specimen(), {34682: write.thermo_text(sections)})
    found = quick(path)
    assert found.pixel_size.source == "vendor_tag"
    assert found.beam.detector == "TLD"
    assert any("disagree: 10.5 nm" in warning and "10 nm" in warning for warning in found.warnings)


def test_a_sidecar_of_another_size_leaves_the_tag_alone(tmp_path):
    path = beside("sample.txt", jeol_old(999, 700).encode())(tmp_path)
    sections = write.thermo_sections(WIDTH, HEIGHT, 1e-8)
    write.write_tiff(path, write.specimen(), {34682: write.thermo_text(sections)})
    found = quick(path)
    assert found.pixel_size.value_m == pytest.approx(1e-8)
    assert any("One of the scales is not used" in warning for warning in found.warnings)


def test_notes_of_a_person_are_no_sidecar(tmp_path):
    for text in ("", "fracture surface, 5 kV", "[Notes]\nPixelSize=3\n", "\0" * 5000):
        found = quick(beside("sample.txt", text.encode())(tmp_path))
        assert found.warnings == ()
        assert found.candidates == ()


def test_a_sidecar_that_cannot_be_read_is_a_warning(tmp_path):
    path = beside("sample.txt", jeol_old().encode())(tmp_path)
    (tmp_path / "sample.txt").chmod(0)
    if os.access(tmp_path / "sample.txt", os.R_OK):
        pytest.skip("this user may read everything")
    assert any("cannot be read" in warning for warning in quick(path).warnings)


def test_a_sidecar_that_vanishes_meanwhile_is_a_warning(tmp_path, monkeypatch):
    path = write.write_tiff(tmp_path / "sample.tif", write.specimen())
    monkeypatch.setattr(sidecars, "names", lambda image: [tmp_path / "sample.txt"])
    assert any("sample.txt cannot be read" in warning for warning in quick(path).warnings)


def test_a_sidecar_that_is_no_file_is_passed_over(tmp_path):
    path = write.write_tiff(tmp_path / "sample.tif", write.specimen())
    os.mkfifo(tmp_path / "sample.txt")  # opening it would wait for ever
    (tmp_path / "sample.hdr").mkdir()
    (tmp_path / "sample-tif.hdr").symlink_to(tmp_path / "nowhere")
    assert quick(path).warnings == ()


def test_a_sidecar_without_end_is_a_warning(tmp_path):
    endless = (jeol_old() + "$X y\n" * 400_000).encode()
    found = quick(beside("sample.txt", endless)(tmp_path))
    assert found.pixel_size is None
    assert any("larger than" in warning for warning in found.warnings)


def test_a_sidecar_on_a_file_system_without_case_is_read_once(tmp_path, monkeypatch):
    path = beside("sample.txt", hitachi().encode())(tmp_path)
    (tmp_path / "sample.TXT").hardlink_to(tmp_path / "sample.txt")
    assert len(list(sidecars.names(path))) == 1


def test_the_estimate_from_the_magnification_is_last_in_trust(tmp_path):
    path = beside("sample.txt", hitachi(pixel="").encode())(tmp_path)
    found = quick(path)
    assert found.pixel_size.source == "magnification"
    assert any("only an estimate" in warning for warning in found.warnings)
    write.write_tiff(path, write.specimen(), {270: b"ImageJ=1.53c\nunit=nm\n"}, resolution=(1, 10))
    found = quick(path)
    assert found.pixel_size.source == "imagej"
    assert not any("only an estimate" in warning for warning in found.warnings)
