"""An image that was resized since loses its scale, or a warning says that nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassllava.micrograph import trust
from glassllava.micrograph.drawn_scale import read_with_bar
from glassllava.micrograph.header import VendorReading, pixel_size
from glassllava.micrograph.reading import read_micrograph
from glassllava.micrograph.record import Databar, Micrograph, PixelSize
from tests import micrographs as write
from tests.vendor_texts import (
    HEIGHT,
    WIDTH,
    phenom_xml,
    sis_block,
    sis_tag,
    tescan_column,
    tescan_main,
    tescan_tag,
)

ROWS = 48  # of the databar


def labelled() -> np.ndarray:
    return write.with_databar(write.specimen(4 * HEIGHT, 4 * WIDTH), ROWS)


def shrunk(picture: np.ndarray, share: float) -> np.ndarray:
    height, width = (round(share * side) for side in picture.shape)
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def phenom(databar: int) -> dict[int, write.Tag]:
    return {34683: phenom_xml(databar=databar)}


def tescan(databar: int) -> dict[int, write.Tag]:
    main = tescan_main(strip=databar)
    del main["MagnificationReference"]
    return {50431: (write.BYTE, tescan_tag(main, tescan_column()))}


def thermo(databar: int) -> dict[int, write.Tag]:
    sections = write.thermo_sections(256, 192, 1e-8, databar=databar)
    del sections["Image"], sections["EBeam"]["HFW"]
    return {34682: write.thermo_text(sections)}


def says(found: Micrograph, words: str) -> bool:
    return any(words in warning for warning in found.warnings)


@pytest.mark.parametrize("tags", [phenom, tescan, thermo])
def test_a_databar_of_as_many_rows_as_told_vouches_for_the_scale(
    tmp_path: Path, tags: Callable[[int], dict[int, write.Tag]]
) -> None:
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", labelled(), tags(ROWS)))
    assert found.pixel_size is not None
    assert found.databar == Databar(4 * HEIGHT, ROWS, "tag")
    assert not found.warnings


@pytest.mark.parametrize("share", [0.5, 0.75, 2.0])
@pytest.mark.parametrize("tags", [phenom, tescan, thermo])
def test_a_databar_of_other_rows_voids_it(
    tmp_path: Path, tags: Callable[[int], dict[int, write.Tag]], share: float
) -> None:
    picture = shrunk(labelled(), share)
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", picture, tags(ROWS)))
    assert found.pixel_size is None
    assert found.candidates, "what it says is kept to look at"
    assert says(found, f"databar of {ROWS} rows and the image has one of")
    typed = read_micrograph(
        tmp_path / "a.tif", pixel_size=pixel_size(2e-8, "typed", "typed by the person")
    )
    assert typed.pixel_size is not None
    assert typed.pixel_size.source == "typed"


@pytest.mark.parametrize("tags", [phenom, tescan, thermo])
def test_without_its_databar_nothing_can_tell(
    tmp_path: Path, tags: Callable[[int], dict[int, write.Tag]]
) -> None:
    cut = labelled()[:-ROWS]
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", cut, tags(ROWS)))
    assert found.pixel_size is not None
    assert says(found, "does not say how large its image was")
    assert says(found, "has none there")


def test_a_bar_that_is_seen_inexactly_neither_vouches_nor_voids() -> None:
    said = Databar(700, 60, "tag")
    size = PixelSize(1e-9, "vendor_tag", "somewhere")
    reading = VendorReading(candidates=(size,), databar=said, is_vouched=False)
    for rows, is_there, vouches, voids in (
        (60, False, True, False),
        (61, False, True, False),
        (64, False, False, False),
        (66, False, False, False),
        (67, False, False, True),
        (30, False, False, True),
        (30, True, False, False),  # the edge that is told is seen: the bar was found too low
    ):
        found = Databar(760 - rows, rows, "pixels")
        held = trust.held_against_pixels(reading, said, found, is_there)
        assert (held.is_vouched, bool(held.void)) == (vouches, voids), rows
    assert trust.held_against_pixels(reading, said, None, False) == reading


def test_the_length_of_a_bar_does_not_bring_a_voided_scale_back(tmp_path: Path) -> None:
    picture = shrunk(labelled(), 0.5)
    # A plain bar at the right of the databar, 100 px from end to end.
    picture[-24:, 370:] = 0
    picture[-13:-10, 390:490] = 255
    path = write.write_tiff(tmp_path / "a.tif", picture, phenom(ROWS))
    found = read_with_bar(path, bar_length_m=2e-6)
    assert found.pixel_size is not None
    assert found.pixel_size.source == "measured_bar"
    assert found.pixel_size.value_m == pytest.approx(2e-8, rel=0.01)


# -- Thermo Fisher without [Image]: the field's width over a pixel's -------------------------------


@pytest.mark.parametrize(
    ("columns", "is_ours"), [(256, True), (256.4, True), (512, False), (250, False)]
)
def test_thermo_without_image_says_its_columns_by_its_field(
    tmp_path: Path, columns: float, is_ours: bool
) -> None:
    sections = write.thermo_sections(256, 192, 2.5e-9)
    del sections["Image"]
    sections["EBeam"]["HFW"] = 2.5e-9 * columns
    path = write.write_tiff(
        tmp_path / "a.tif", write.specimen(), {34682: write.thermo_text(sections)}
    )
    found = read_micrograph(path)
    assert (found.pixel_size is not None) == is_ours
    assert says(found, "resized or cropped") == (not is_ours)
    assert not says(found, "how large")


# -- Olympus: the block that the tag points to -----------------------------------------------------


def sis_file(path: Path, **more: bytes) -> Path:
    tags = {33560: (write.BYTE, sis_tag(write.LEAD_OFFSET)), **more}
    return write.write_tiff(path, write.specimen(), tags, lead=sis_block(2.5, 2.5))


def test_an_olympus_file_as_it_was_written_is_believed(tmp_path: Path) -> None:
    found = read_micrograph(sis_file(tmp_path / "a.tif"))
    assert found.pixel_size is not None
    assert not found.warnings


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_copy_of_an_olympus_file_has_lost_what_its_tag_points_to(
    tmp_path: Path, share: float
) -> None:
    with Image.open(sis_file(tmp_path / "a.tif")) as image:
        tag = image.tag_v2[33560]
        copy = Image.fromarray(shrunk(np.asarray(image), share))
    copy.save(tmp_path / "copy.tif", tiffinfo={33560: tag})
    with Image.open(tmp_path / "copy.tif") as image:
        assert image.tag_v2[33560] == tag, "the tag itself was copied"
    assert read_micrograph(tmp_path / "copy.tif").pixel_size is None


# -- what other programs say of themselves ---------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "words", "name"),
    [
        (305, b"Adobe Photoshop 24.1 (Windows)", "Adobe Photoshop 24.1 (Windows)"),
        (305, b"ImageMagick 7.1", "ImageMagick 7.1"),
        (305, b"GIMP 2.10.34", "GIMP 2.10.34"),
        (305, b"tifffile.py", "tifffile.py"),
        (270, b"File written by Adobe Photoshop\xa8 4.0\nmore", "File written by Adobe Photoshop"),
        (305, b"DigitalMicrograph 3.4", ""),
        (305, b"Pilot 2", ""),
    ],
)
def test_a_program_that_saved_the_file_anew_makes_the_warning_stronger(
    tmp_path: Path, tag: int, words: bytes, name: str
) -> None:
    scale = (write.DOUBLE, [2.5])
    tags = {65003: b"nm", 65004: b"nm", 65009: scale, 65010: scale, tag: words}
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", write.specimen(), tags))
    assert found.pixel_size is not None
    (warning,) = found.warnings
    assert ("do not trust the scale" in warning) == bool(name)
    assert name in warning
    assert "\n" not in warning


def test_such_a_program_is_no_matter_where_the_header_and_the_image_agree(tmp_path: Path) -> None:
    text = write.thermo_text(write.thermo_sections(256, 192, 2.5e-9))
    tags = {34682: text, 305: b"Adobe Photoshop 24.1"}
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", write.specimen(), tags))
    assert found.pixel_size is not None
    assert not found.warnings


def test_the_program_of_a_jpeg_is_in_its_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[34683], exif[305] = phenom_xml().decode(), "GIMP 2.10"
    Image.fromarray(write.specimen()).save(tmp_path / "a.jpg", exif=exif)
    found = read_micrograph(tmp_path / "a.jpg")
    assert says(found, "'GIMP 2.10' has saved this file")
    assert found.instrument.software == "5.4.5", "of the microscope, where that is told"


# -- pixels that are not square --------------------------------------------------------------------


def test_pixels_that_are_not_square_are_told() -> None:
    def warned(down_m: float | None) -> list[str]:
        size = PixelSize(1e-8, "vendor_tag", "a tag", value_y_m=down_m)
        return trust.scale([VendorReading(candidates=(size,))], None)[2]

    assert not warned(None)
    assert not warned(1.009e-8)
    assert warned(1.02e-8) == ["The pixels are not square: 10 nm across and 10.2 nm down the image"]


def test_scales_that_disagree_down_the_image_are_told() -> None:
    square = PixelSize(1e-8, "vendor_tag", "the INI text")
    other = PixelSize(1e-8, "vendor_tag", "the XML", value_y_m=1.2e-8)
    _, _, warnings = trust.scale(
        [VendorReading(candidates=(square,)), VendorReading(candidates=(other,))], None
    )
    assert warnings == [
        "The scales disagree: 10 nm per pixel (the INI text) is used, the file also says "
        "10 nm × 12 nm (the XML)"
    ]
    assert trust.agree(other, PixelSize(1e-8, "imagej", value_y_m=1.205e-8))
