"""Numbers and lengths as vendors and people write them: whole, or none."""

from __future__ import annotations

import pytest

from glassllava.micrograph.quantities import number
from glassllava.micrograph.reading import read_micrograph
from tests import micrographs as write
from tests.vendor_files import beside
from tests.vendor_texts import fibics_xml, jeol_old, ome_xml, phenom_xml, thermo_xml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2,56", 2.56),
        ("12,5 nm", 12.5),
        ("7,5E-09", 7.5e-9),
        ("0,125", 0.125),
        ("12,3456", 12.3456),
        ("5.825 nm", 5.825),
        ("1,000", None),
        ("12,345", None),
        ("1,000e-3", None),
        ("1,234,567", None),
        ("1.234,5", None),
        ("1,234.5", None),
        ("12.5.1", None),
        ("1_000", None),
        ("1 250 nm", None),
        ("0x10", None),
        ("12.5, 3", None),
        ("5-3 nm", None),
        ("٣", None),
        ("1" * 300, None),
    ],
)
def test_a_number_is_the_whole_text_or_none(text, value):
    """What was cut at its comma made a scale that was wrong by a fifth, and nobody was told."""
    assert number(text) == (value if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("tags", "pixel_m"),
    [
        ({51023: fibics_xml(field_um="2,56")}, 1e-8),
        ({51023: fibics_xml(field_um="2,560")}, None),
        ({270: ome_xml('PhysicalSizeX="12,5" PhysicalSizeXUnit="nm"')}, 12.5e-9),
        ({34683: phenom_xml("12,5")}, 12.5e-9),
        ({34683: phenom_xml("1_000")}, None),
        ({34683: phenom_xml("12.5.1")}, None),
        ({34683: thermo_xml(256, 192, "7,5E-09")}, 7.5e-9),
    ],
)
def test_decimal_commas_of_every_vendor(tmp_path, tags, pixel_m):
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", write.specimen(), tags))
    size = found.pixel_size
    assert (size and size.value_m) == (pixel_m and pytest.approx(pixel_m))


@pytest.mark.parametrize(
    ("marker", "pixel_m"),
    [
        ("1um", 1e-8),
        ("1Âµm", 1e-8),
        ("1Î¼m", 1e-8),
        ("1\uff8am", 1e-8),
        ("1 micron", 1e-8),
        ("1000ｎm", 1e-8),
        ("1㎛", 1e-8),
        ("1,5um", 1.5e-8),
        ("1,000nm", None),
        ("1.000nm", None),
        ("10.000nm", None),
        ("0.001mm", 1e-8),
        ("-1um", None),
        ("1xm", None),
    ],
)
def test_markers_of_jeol(tmp_path, marker, pixel_m):
    """A thousand nanometres, cut at the comma, were one."""
    path = beside("sample.txt", jeol_old(marker=marker).encode())(tmp_path)
    found = read_micrograph(path)
    size = found.pixel_size
    assert any("is not read" in w for w in found.warnings) == (pixel_m is None and marker[0] != "-")
    assert (size and size.value_m) == (pixel_m and pytest.approx(pixel_m))
