"""Scale, beam and instrument of vendors' files, and the traps that each of them sets."""

from __future__ import annotations

import ast
import itertools
import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from glassllava.cli import inspected
from glassllava.errors import BadInput
from glassllava.micrograph import trust
from glassllava.micrograph.header import (
    Header,
    VendorReading,
    pixel_size,
    typed_bar_length,
    typed_pixel_size,
)
from glassllava.micrograph.quantities import (
    metres,
    quantity,
)
from glassllava.micrograph.reading import read_micrograph
from glassllava.micrograph.record import TRUST, PixelSize
from glassllava.micrograph.vendors import imagej, ome, thermo, zeiss
from tests import micrographs as write
from tests import vendor_texts as built

OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    "<Image><AcquisitionDate>2024-03-01T10:00:00</AcquisitionDate>"
    '<Pixels SizeX="256" SizeY="192" {scale}/></Image></OME>'
)


def read(header):
    """What the vendors make of a header, through the one that recognises it."""
    vendor = next(v for v in (thermo, zeiss, ome, imagej) if v.recognises(header))
    return vendor.read(header)


def thermo_file(tmp_path, sections, picture=None, tag=34682):
    picture = write.specimen() if picture is None else picture
    return write.write_tiff(
        tmp_path / "fei.tif",
        picture,
        {tag: write.thermo_text(sections)},
        resolution=(96, 1),
        unit=2,
    )


@pytest.mark.parametrize("tag", [34680, 34682])
def test_thermo_fisher(tmp_path, tag):
    sections = write.thermo_sections(256, 192, 2.5e-9)
    found = read_micrograph(thermo_file(tmp_path, sections, tag=tag))
    assert found.pixel_size.value_m == pytest.approx(2.5e-9)
    assert found.pixel_size.source == "vendor_tag"
    assert found.pixel_size.origin == f"{tag} [Scan] PixelWidth"
    assert found.beam.voltage_v == 5000
    assert found.beam.working_distance_m == 0.0041
    assert (found.beam.detector, found.beam.signal) == ("TLD", "SE")
    assert (found.beam.particle, found.beam.frames, found.beam.tilt_rad) == ("electron", 4, 0.5)
    assert found.instrument.model == "Test G4"
    # [User] Date is month first on one machine and day first on another: this one is neither.
    assert found.instrument.acquired == "2023-02-11T15:40:01"
    assert found.sources["voltage_v"] == f"{tag} [EBeam] HV"
    assert len(found.candidates) == 3
    assert found.warnings == ()
    assert found.metadata["User/User"] == "Operator"


def test_thermo_databar_is_what_stands_under_the_scan(tmp_path):
    picture = write.with_databar(write.specimen(), 24)
    sections = write.thermo_sections(256, 192, 2.5e-9, databar=24)
    found = read_micrograph(thermo_file(tmp_path, sections, picture))
    assert (found.databar.top, found.databar.height, found.databar.source) == (192, 24, "tag")
    sections["PrivateFei"]["DatabarHeight"] = ""
    found = read_micrograph(thermo_file(tmp_path, sections, picture))
    assert (found.databar.top, found.databar.source) == (192, "tag")


def test_thermo_field_of_view_where_there_is_no_scan_section(tmp_path):
    """Trap 5: missing metadata is never fatal."""
    sections = write.thermo_sections(256, 192, 3e-9)
    del sections["Scan"], sections["EScan"]
    found = read_micrograph(thermo_file(tmp_path, sections))
    assert found.pixel_size.value_m == pytest.approx(3e-9)
    assert "HFW" in found.pixel_size.origin


def test_thermo_empty_and_textual_values_are_unknown(tmp_path):
    """Trap 5: values may be empty or text."""
    sections = {"Beam": {"HV": "", "Beam": "EBeam"}, "EBeam": {"HV": "n/a", "WD": ""}}
    found = read_micrograph(thermo_file(tmp_path, sections))
    assert found.pixel_size is None
    assert found.beam.voltage_v is None
    assert found.beam.working_distance_m is None


def test_thermo_ion_image_says_so(tmp_path):
    """Trap 13: an ion image is not an image of secondary electrons."""
    sections = write.thermo_sections(256, 192, 2.5e-9, ion=True)
    found = read_micrograph(thermo_file(tmp_path, sections))
    assert found.beam.particle == "ion"
    assert any("ion beam" in warning for warning in found.warnings)


def test_thermo_camera_image_is_read_and_is_no_electron_image(tmp_path):
    """Trap 5: a Nav-Cam file has no [Scan], and its beam is the camera's infrared light."""
    sections = {
        "Beam": {"Beam": "IRBeam", "HV": ""},
        "IRBeam": {"HFW": 0.0128, "VFW": 0.0096},
        "Image": {"ResolutionX": 256, "ResolutionY": 192},
    }
    found = read_micrograph(thermo_file(tmp_path, sections))
    assert found.pixel_size.value_m == pytest.approx(5e-5)
    assert found.beam.particle is None
    assert any("camera" in warning for warning in found.warnings)


def test_thermo_scan_rotation_and_tilt_correction(tmp_path):
    sections = write.thermo_sections(256, 192, 2.5e-9)
    sections["EBeam"] |= {"ScanRotation": "3.14159", "TiltCorrectionIsOn": "yes"}
    sections["EBeam"]["TiltCorrectionAngle"] = "-0.663225"
    beam = read_micrograph(thermo_file(tmp_path, sections)).beam
    assert beam.scan_rotation_rad == pytest.approx(3.14159)
    assert beam.tilt_correction_rad == pytest.approx(-0.663225)
    sections["EBeam"]["TiltCorrectionIsOn"] = "no"
    assert read_micrograph(thermo_file(tmp_path, sections)).beam.tilt_correction_rad == 0.0
    sections["EBeam"]["TiltCorrectionIsOn"] = ""
    assert read_micrograph(thermo_file(tmp_path, sections)).beam.tilt_correction_rad is None


def test_a_resized_image_has_lost_its_scale(tmp_path):
    """Trap 10, of a tag."""
    sections = write.thermo_sections(512, 384, 2.5e-9)
    found = read_micrograph(thermo_file(tmp_path, sections))
    assert found.pixel_size is None
    assert found.candidates
    assert any("resized or cropped" in warning for warning in found.warnings)


def test_scales_that_disagree_are_told(tmp_path):
    sections = write.thermo_sections(256, 192, 2.5e-9)
    sections["EBeam"]["HFW"] = 1.05 * 2.5e-9 * 256
    found = read_micrograph(thermo_file(tmp_path, sections))
    assert found.pixel_size.value_m == pytest.approx(2.5e-9)
    assert any("disagree: 2.5 nm per pixel" in warning for warning in found.warnings)


@pytest.mark.parametrize(("share", "is_told"), [(1.009, False), (0.991, False), (1.011, True)])
def test_one_per_cent_of_disagreement_is_told(tmp_path, share, is_told):
    sections = write.thermo_sections(256, 192, 2.5e-9)
    sections["EBeam"]["HFW"] = share * 2.5e-9 * 256
    found = read_micrograph(thermo_file(tmp_path, sections))
    assert any("disagree" in warning for warning in found.warnings) == is_told


def test_the_order_of_trust(tmp_path):
    """Of every two sources the more trusted one is the ruler, whichever was read first."""
    sizes = [PixelSize((2 + n) * 1e-9, source, "somewhere") for n, source in enumerate(TRUST)]
    for better, worse in itertools.combinations(sizes, 2):
        for order in ((better, worse), (worse, better)):
            readings = [VendorReading(candidates=(size,)) for size in order]
            best, candidates, warnings = trust.scale(readings, None)
            assert best == better
            assert set(candidates) == {better, worse}
            assert any("disagree" in warning for warning in warnings)
    # A reading that is void is passed over, and its candidate is kept to look at.
    readings = [
        VendorReading(candidates=(sizes[1],), void="it was resized"),
        VendorReading(candidates=(sizes[4],)),
    ]
    best, candidates, warnings = trust.scale(readings, None)
    assert (best, candidates) == (sizes[4], (sizes[1], sizes[4]))
    assert any("One of the scales is not used: it was resized" in text for text in warnings)


def zeiss_file(tmp_path, entries, picture=None, unnamed=0.0):
    picture = write.specimen() if picture is None else picture
    text = write.zeiss_text(entries, unnamed)
    return write.write_tiff(tmp_path / "zeiss.tif", picture, {34118: text}, palette=True)


def test_zeiss(tmp_path):
    picture = write.specimen(192, 1024)
    entries = write.zeiss_entries("5.825 nm", "5.825 nm", "5.965 µm")
    entries["AP_HEIGHT"] = "Height = 1.118 µm"
    path = zeiss_file(tmp_path, entries, picture)
    found = read_micrograph(path)
    assert found.pixel_size.value_m == pytest.approx(5.825e-9)
    assert found.beam.voltage_v == 8000
    assert found.beam.working_distance_m == pytest.approx(7.7e-3)
    assert found.beam.detector == "InLens"
    assert found.beam.magnification == pytest.approx(4530)
    assert found.beam.tilt_rad == pytest.approx(math.radians(10))
    assert found.instrument.model == "Merlin"
    assert found.instrument.serial == "Merlin-00-00"
    assert found.instrument.acquired == "2018-09-25T11:41:13"
    assert found.warnings == ()


def test_zeiss_stored_512_wide_is_twice_as_coarse_as_its_header_says(tmp_path):
    """Trap 2: the header says 5.825 nm, the burned-in bar proves 11.65 nm."""
    picture = write.specimen(384, 512)
    entries = write.zeiss_entries("5.825 nm", "5.825 nm", "5.965 µm")
    # Cut to its right half it would look the same: only the stored size tells.
    found = read_micrograph(zeiss_file(tmp_path, entries, picture, unnamed=5.825e-9))
    assert found.pixel_size is None
    assert any("contradict each other" in warning for warning in found.warnings)
    entries["DP_IMAGE_STORE"] = "Store resolution = 512 * 384"
    found = read_micrograph(zeiss_file(tmp_path, entries, picture, unnamed=5.825e-9))
    assert found.pixel_size.value_m == pytest.approx(11.65e-9, rel=1e-3)
    assert any("disagree" in warning for warning in found.warnings)
    # Nor is it read right by the field of view alone.
    del entries["AP_WIDTH"]
    found = read_micrograph(zeiss_file(tmp_path, entries, picture))
    assert found.pixel_size.value_m == pytest.approx(11.65e-9, rel=1e-3)


def test_zeiss_stored_2048_wide_with_a_right_header(tmp_path):
    picture = write.specimen(64, 2048)
    entries = write.zeiss_entries("2.912 nm", "5.825 nm", "5.965 µm")
    found = read_micrograph(zeiss_file(tmp_path, entries, picture))
    assert found.pixel_size.value_m == pytest.approx(2.9125e-9, rel=1e-3)
    (warning,) = found.warnings
    assert "how many rows" in warning


def test_zeiss_keys_in_mixed_case_and_unnamed_values():
    """Trap 4: keys that are not upper case, and a magnification with K."""
    text = write.zeiss_text({"APImagePixelSize": "Image Pixel Size = 5.582 nm"}, 0.0)
    found = read(Header(1024, 768, texts={34118: text.decode("cp1252")}))
    assert found.candidates[0].value_m == pytest.approx(5.582e-9)
    text = write.zeiss_text({"AP_MAG": "Mag = 4.53 K X"}, 4e-9)
    found = read(Header(512, 384, texts={34118: text.decode("cp1252")}))
    assert found.candidates[0].value_m == pytest.approx(8e-9)


def test_zeiss_ion_image_has_the_ion_columns_values(tmp_path):
    """Trap 13, and the electrons' voltage stands beside the ions'."""
    entries = write.zeiss_entries("5.825 nm", "5.825 nm", "5.965 µm") | {
        "DP_FIB_IMAGING": "FIB Imaging = FIB",
        "AP_FIB_EHT_ACTUAL": "FIB EHT = 30.00 kV",
        "AP_FIB_SCAN_ROTATION": "FIB Scan Rot = 90.0 °",
        "AP_FIB_PROBE_CURRENT_ACTUAL": "FIB Probe Current Actual = 50.0 pA",
    }
    found = read_micrograph(zeiss_file(tmp_path, entries, write.specimen(192, 1024)))
    assert (found.beam.particle, found.beam.voltage_v) == ("ion", 30000)
    assert found.sources["voltage_v"] == "34118 AP_FIB_EHT_ACTUAL"
    assert found.beam.current_a == pytest.approx(5e-11)
    assert found.beam.scan_rotation_rad == pytest.approx(math.pi / 2)
    assert any("ion beam" in warning for warning in found.warnings)


def test_zeiss_tilt_correction_counts_only_while_it_is_on(tmp_path):
    entries = write.zeiss_entries("5.825 nm", "5.825 nm", "5.965 µm") | {
        "DP_TILT_CORRECTION": "Tilt Corrn. = On",
        "AP_TILT_ANGLE": "Tilt Angle = 45.0 °",
        "DP_SCAN_ROT": "Scan Rot = Off",
        "AP_SCANROTATION": "Scan Rotation = 96.0 °",
    }
    picture = write.specimen(192, 1024)
    beam = read_micrograph(zeiss_file(tmp_path, entries, picture)).beam
    assert beam.tilt_correction_rad == pytest.approx(math.pi / 4)
    assert beam.scan_rotation_rad == 0.0
    entries["DP_TILT_CORRECTION"] = "Tilt Corrn. = Off"
    assert read_micrograph(zeiss_file(tmp_path, entries, picture)).beam.tilt_correction_rad == 0.0
    del entries["DP_TILT_CORRECTION"]
    assert read_micrograph(zeiss_file(tmp_path, entries, picture)).beam.tilt_correction_rad is None


def test_two_pages_of_zeiss_keep_their_own_detectors(tmp_path):
    """Trap 7: two detectors are two pages, each with its own tag."""
    texts = []
    for detector in ("InLens", "SE2"):
        entries = write.zeiss_entries("10 nm", "2.5 nm", "2.56 µm")
        entries["DP_DETECTOR_CHANNEL"] = f"Signal A = {detector}"
        texts.append({34118: write.zeiss_text(entries)})
    path = write.write_tiff(
        tmp_path / "a.tif", [write.specimen(), write.specimen(seed=1)], page_tags=texts
    )
    assert read_micrograph(path, 0).beam.detector == "InLens"
    assert read_micrograph(path, 1).beam.detector == "SE2"


def test_another_pages_scale_serves_a_page_of_its_width_without_its_detector(tmp_path):
    """Trap 7: the chosen page may be the one without the tag."""
    sections = write.thermo_sections(256, 192, 2.5e-9)
    path = write.write_tiff(
        tmp_path / "a.tif",
        [write.specimen(), write.specimen(seed=1).astype("u2")],
        page_tags=[{34682: write.thermo_text(sections)}, {}],
    )
    found = read_micrograph(path)
    assert found.page == 1
    assert found.pixel_size.value_m == pytest.approx(2.5e-9)
    assert found.pixel_size.origin == "page 0: 34682 [Scan] PixelWidth"
    assert (found.beam.voltage_v, found.beam.detector, found.beam.signal) == (5000, None, None)
    assert found.sources["voltage_v"].startswith("page 0: ")


def test_the_scale_of_a_page_of_another_width_is_shown_and_not_used(tmp_path):
    preview, clean = write.specimen(), write.specimen(384, 512).astype("u2")
    tag = {33560: (write.BYTE, built.sis_tag(write.LEAD_OFFSET))}
    path = write.write_tiff(
        tmp_path / "a.tif", [preview, clean], page_tags=[tag, {}], lead=built.sis_block(2.5, 2.5)
    )
    found = read_micrograph(path)
    assert (found.page, found.pixel_size) == (1, None)
    assert found.candidates[0].value_m == pytest.approx(2.5e-9)
    assert any("page 0, which is 256 × 192" in warning for warning in found.warnings)
    assert read_micrograph(path, 0).pixel_size.value_m == pytest.approx(2.5e-9)


def test_tescan_bytes_are_walked_and_not_decoded_as_one_text(tmp_path):
    """Trap 9: a thumbnail stands before the text, and the text is latin-1."""
    data = built.tescan_tag(built.tescan_main(), built.tescan_column())
    with pytest.raises(UnicodeDecodeError):
        data.decode("utf-8")
    path = write.write_tiff(tmp_path / "a.tif", write.specimen(), {50431: (write.BYTE, data)})
    found = read_micrograph(path)
    assert found.pixel_size.value_m == pytest.approx(1e-8)
    assert found.metadata["MAIN/Description"] == "Füllung µ"
    for cut in (3, 5, 9, 1030, 1040, len(data) - 20):  # torn blocks end the walk
        write.write_tiff(path, write.specimen(), {50431: (write.BYTE, data[:cut])})
        assert read_micrograph(path).beam.voltage_v is None


def test_a_tescan_image_of_another_width_than_its_header_describes(tmp_path):
    """Trap 10: field of view over pixel size tells the columns."""
    tag = built.tescan_tag(built.tescan_main(width=512), built.tescan_column())
    path = write.write_tiff(tmp_path / "a.tif", write.specimen(), {50431: (write.BYTE, tag)})
    found = read_micrograph(path)
    assert found.pixel_size is None
    assert any("describes 512 columns" in warning for warning in found.warnings)


def test_a_databar_that_was_cut_off_since_takes_no_specimen_with_it(tmp_path):
    """TESCAN's header tells how high the bar is, and not how high the image was."""
    tag = built.tescan_tag(built.tescan_main(strip=40), built.tescan_column())
    whole = write.with_databar(write.specimen(), 40)
    path = write.write_tiff(tmp_path / "a.tif", whole, {50431: (write.BYTE, tag)})
    found = read_micrograph(path)
    assert (found.databar.top, found.databar.source) == (192, "tag")
    write.write_tiff(path, write.specimen(), {50431: (write.BYTE, tag)})
    found = read_micrograph(path)
    assert found.databar is None
    assert any("may have been cut off since" in warning for warning in found.warnings)


def test_thermo_rows_are_a_databar_only_where_header_and_image_agree(tmp_path):
    """Cut off, or stretched: specimen stays; a bar of the height that is told is taken unseen, and
    that it is not seen is told: cut off, and the rest stretched to the old height, is the same."""
    sections = write.thermo_sections(256, 192, 2.5e-9, databar=24)
    tags = {34682: write.thermo_text(sections)}
    for rows, bar in ((192, None), (216, (192, 24)), (182, None), (250, None)):
        path = write.write_tiff(tmp_path / "a.tif", write.specimen(rows), tags)
        found = read_micrograph(path)
        assert (found.databar and (found.databar.top, found.databar.height)) == bar, rows
        assert (found.pixel_size is None) == (rows in (182, 250))
        assert any("check the scale" in w for w in found.warnings) == (rows == 216)
    whole = write.with_databar(write.specimen(192), 24)
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", whole, tags))
    assert found.databar.height == 24
    assert found.warnings == ()


def test_a_zeiss_image_of_another_size_than_was_stored(tmp_path):
    """Cut to half its width or made half as large: the same to the header, so there is no scale."""
    entries = write.zeiss_entries("2.5 nm", "2.5 nm", "2.56 µm")
    entries["DP_IMAGE_STORE"] = "Store resolution = 1024 * 768"
    tags = {34118: write.zeiss_text(entries)}
    whole = write.write_tiff(tmp_path / "a.tif", write.specimen(768, 1024), tags)
    assert read_micrograph(whole).pixel_size.value_m == pytest.approx(2.5e-9)
    half = write.write_tiff(tmp_path / "b.tif", write.specimen(384, 512), tags)
    assert read_micrograph(half).pixel_size is None
    low = read_micrograph(write.write_tiff(tmp_path / "c.tif", write.specimen(384, 1024), tags))
    assert any("384" in warning and "stretched" in warning for warning in low.warnings)


def test_imagej_lengths_beside_a_resolution_per_inch(tmp_path):
    tags = {270: b"ImageJ=1.53t\nunit=um\n"}
    for unit, expected in ((1, 1e-6 / 96), (2, None), (3, None)):
        path = write.write_tiff(
            tmp_path / "a.tif", write.specimen(), tags, resolution=(96, 1), unit=unit
        )
        size = read_micrograph(path).pixel_size
        assert (size and size.value_m) == (expected and pytest.approx(expected))


def test_a_pixel_of_two_units_is_none():
    assert pixel_size(1e-8, "ome", "", 1e-5) is None
    assert pixel_size(2e-9, "ome", "", 4e-9).value_y_m == 4e-9


def test_commas_of_decimals_and_of_thousands():
    for text in ("2,5 nm", "0,0025 um", "0,250 nm"):
        assert typed_pixel_size(text).value_m < 1e-8
    assert typed_pixel_size("2,5 nm ± 0,5 %").uncertainty == pytest.approx(0.005)
    assert typed_bar_length("1,5 um") == pytest.approx(1.5e-6)
    for text in ("1,000 nm", "12,500 nm", "2.5 nm 3 nm", ""):
        with pytest.raises(BadInput, match="not the size of a pixel"):
            typed_pixel_size(text)


def test_operators_are_kept_in_the_metadata_and_nowhere_else(tmp_path):
    """Trap 12: names of people are not in records and reports."""
    sections = write.thermo_sections(256, 192, 2.5e-9)
    sections["User"]["User"] = "Erika Mustermann"
    main = built.tescan_main() | {"UserName": "mustermann", "FullUserName": "Erika Mustermann"}
    tag = built.tescan_tag(main, built.tescan_column())
    written = {
        "thermo.tif": {34682: write.thermo_text(sections)},
        "tescan.tif": {50431: (write.BYTE, tag)},
        "jeol.tif": {},
    }
    (tmp_path / "jeol.txt").write_text(built.jeol_old() + "$CM_OPERATOR Erika Mustermann\n")
    for name, tags in written.items():
        found = read_micrograph(write.write_tiff(tmp_path / name, write.specimen(), tags))
        assert "Erika Mustermann" in found.metadata.values(), name
        assert "mustermann" not in json.dumps(inspected(found)).lower(), name


def test_every_trap_has_a_test_that_names_it():
    told = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                told |= set(re.findall(r"Trap (\d+)", ast.get_docstring(node) or ""))
    assert told == {str(number) for number in range(1, 14)}


@pytest.mark.parametrize(
    ("unit", "per_unit", "metres_per_pixel"),
    [
        ("nm", (1, 5), 5e-9),
        ("micron", (20, 1), 5e-8),
        ("um", (20, 1), 5e-8),
        ("\\u00B5m", (20, 1), 5e-8),
        ("µm", (20, 1), 5e-8),
        ("mm", (20000, 1), 5e-8),
        ("inch", (72, 1), None),
        ("cm", (28, 1), None),
        ("pixel", (1, 1), None),
        (" ", (1000000, 1000000), None),
        ("parsec", (1, 1), None),
    ],
)
def test_imagej(tmp_path, unit, per_unit, metres_per_pixel):
    description = f"ImageJ=1.53c\nunit={unit}\n".encode()
    path = write.write_tiff(
        tmp_path / "ij.tif", write.specimen(), {270: description}, resolution=per_unit
    )
    found = read_micrograph(path).pixel_size
    if metres_per_pixel is None:
        assert found is None
    else:
        assert found.source == "imagej"
        assert found.value_m == pytest.approx(metres_per_pixel)


def test_resolution_alone_is_no_scale(tmp_path):
    """Trap 1: it is the screen's."""
    for number, dpi in enumerate((72, 96, 300, 25_400_000)):
        path = write.write_tiff(
            tmp_path / f"{number}.tif", write.specimen(), resolution=(dpi, 1), unit=2
        )
        assert read_micrograph(path).pixel_size is None


@pytest.mark.parametrize(
    ("scale", "metres_per_pixel"),
    [
        ('PhysicalSizeX="0.05" PhysicalSizeY="0.05"', 5e-8),
        ('PhysicalSizeX="50" PhysicalSizeXUnit="nm"', 5e-8),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="pixel"', None),
        ('PhysicalSizeX="-3"', None),
        ("", None),
    ],
)
def test_ome(tmp_path, scale, metres_per_pixel):
    path = write.write_tiff(
        tmp_path / "ome.tif", write.specimen(), {270: OME.format(scale=scale).encode()}
    )
    found = read_micrograph(path)
    assert found.instrument.acquired == "2024-03-01T10:00:00"
    if metres_per_pixel is None:
        assert found.pixel_size is None
    else:
        assert found.pixel_size.source == "ome"
        assert found.pixel_size.value_m == pytest.approx(metres_per_pixel)


def test_ome_scale_of_another_image_size_is_not_used(tmp_path):
    text = OME.format(scale='PhysicalSizeX="0.05"').replace('SizeX="256"', 'SizeX="512"')
    found = read_micrograph(
        write.write_tiff(tmp_path / "ome.tif", write.specimen(), {270: text.encode()})
    )
    assert found.pixel_size is None
    assert any("another image size" in warning for warning in found.warnings)


def test_xml_bombs_are_refused():
    bomb = (
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Pixels SizeX="&b;"/></OME>'
    )
    found = ome.read(Header(256, 192, bomb))
    assert found.candidates == ()
    assert "document type" in found.warnings[0]


def test_typed_size_stands_above_the_tag_and_the_difference_is_told(tmp_path):
    path = thermo_file(tmp_path, write.thermo_sections(256, 192, 2.5e-9))
    found = read_micrograph(path, pixel_size=typed_pixel_size("3 nm"))
    assert found.pixel_size.source == "typed"
    assert found.pixel_size.value_m == pytest.approx(3e-9)
    assert any("disagree" in warning for warning in found.warnings)


def test_numbers_as_vendors_write_them():
    assert quantity("55.82 nm") == (55.82, "nm")
    assert quantity(" 4.53 K X") == (4.53, "K X")
    assert quantity("1e999 m") == (None, "")
    assert quantity("nan") == (None, "")
    assert metres(2.0, "μm") == pytest.approx(2e-6)  # Greek mu
    assert metres(2.0, "furlong") is None
    assert quantity("1000ｎm") == (1000.0, "nm")  # full width
    assert quantity(r"2 \u00B5m") == (2.0, "µm")


# --- hostile texts: never a crash, never a scale that no microscope has ------------------------

_WORDS = ["[Scan]", "[Beam]", "[EBeam]", "[Image]", "[PrivateFei]", "PixelWidth", "HFW", "HV"]
_WORDS += ["ResolutionX", "ResolutionY", "DatabarHeight", "AP_PIXEL_SIZE", "AP_IMAGE_PIXEL_SIZE"]
_WORDS += ["AP_WIDTH", "AP_DATE", "DP_IMAGE_STORE", "unit"]

_texts = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.tuples(
            st.sampled_from(_WORDS),
            st.sampled_from(["\n", "=", " = ", " :"]),
            st.one_of(
                st.floats().map(str),
                st.integers(-(10**30), 10**30).map(str),
                st.sampled_from(["", "nm", "5 nm", "1e-320 m", "9e99 µm", "1024 * 768", "0 * 0"]),
            ),
        ).map("".join),
        max_size=30,
    ).map("\n".join),
)


@settings(max_examples=300, deadline=None)
@given(text=_texts, width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_no_text_gives_a_scale_beyond_reason(text, width, height):
    headers = (
        Header(width, height, texts={34682: "[" + text}),
        Header(width, height, texts={34118: "AP_WD\nWD = 1 mm\n" + text}),
        Header(width, height, "ImageJ=1\n" + text, resolution=(0.001, 1e9)),
        Header(width, height, '<OME x="openmicroscopy.org">' + text),
    )
    for header in headers:
        found = read(header)
        for size in found.candidates:
            assert 1e-12 < size.value_m < 1e-2
        if found.databar:
            assert 0 < found.databar.height <= height // 2
            assert found.databar.top + found.databar.height == height


@settings(max_examples=200, deadline=None)
@given(
    scale=st.floats(allow_nan=True, allow_infinity=True),
    unit=st.sampled_from(["nm", "µm", "m", "pm", "mm", "Å", "", "x"]),
)
def test_no_number_gives_a_scale_beyond_reason(scale, unit):
    text = OME.format(scale=f'PhysicalSizeX="{scale}" PhysicalSizeXUnit="{unit}"')
    for header in (
        Header(256, 192, text),
        Header(256, 192, f"ImageJ=1\nunit={unit}", resolution=(scale, scale)),
    ):
        for size in read(header).candidates:
            assert 1e-12 < size.value_m < 1e-2


@pytest.mark.filterwarnings("error")
def test_torn_exif_is_a_warning_and_the_picture_is_read(tmp_path):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[34683] = built.phenom_xml().decode()
    Image.fromarray(write.specimen()).save(path, exif=exif)
    data = bytearray(path.read_bytes())
    place = data.index(b"Exif\0\0") + 10
    data[place : place + 4] = b"\x7f\x7f\x7f\x7f"  # the first directory lies beyond the end
    path.write_bytes(data)
    found = read_micrograph(path)
    assert found.pixel_size is None
    assert any("EXIF is torn" in warning for warning in found.warnings)
