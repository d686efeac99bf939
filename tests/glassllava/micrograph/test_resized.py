"""An image that was resized since loses its scale, or a warning says that nobody can tell."""

from __future__ import annotations

import json
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
from tests.vendor_files import WRITTEN, Written, beside
from tests.vendor_texts import (
    HEIGHT,
    WIDTH,
    fibics_xml,
    hitachi,
    imagej_metadata,
    jeol_old,
    ome_xml,
    openfibsem,
    phenom_xml,
    sis_block,
    sis_tag,
    tescan_column,
    tescan_hdr,
    tescan_main,
    tescan_tag,
    thermo_xml,
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


# -- every vendor's file, its pixels transformed and its tags kept ---------------------------------


def stretched(picture: np.ndarray, down: float, across: float = 1.0) -> np.ndarray:
    size = (round(across * picture.shape[1]), round(down * picture.shape[0]))
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


CHANGES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, float]] = {
    # name: what is done, and how much larger a pixel has become across and down
    "half": (lambda a: stretched(a, 0.5, 0.5), 2, 2),
    "double": (lambda a: stretched(a, 2, 2), 0.5, 0.5),
    "four times": (lambda a: stretched(a, 4, 4), 0.25, 0.25),
    "higher": (lambda a: stretched(a, 1.15), 1, 1 / 1.15),
    "lower": (lambda a: stretched(a, 0.7), 1, 1 / 0.7),
    "right half": (lambda a: a[:, a.shape[1] // 2 :], 1, 1),
    "turned": (lambda a: np.ascontiguousarray(np.rot90(a)), 1, 1),
    "side by side": (lambda a: np.hstack([a, a]), 1, 1),
    "stacked": (lambda a: np.vstack([a, a]), 1, 1),
}


def _scaled() -> list[Written]:
    # Olympus has its own tests above: here its block would stay where its tag points, which no
    # program that saves anew leaves there.
    return [one for one in WRITTEN if one.answers.get("pixel_m") and one.vendor != "Olympus SIS"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("written", _scaled(), ids=lambda w: f"{w.vendor}: {w.name}")
def test_no_wrong_scale_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: Written, change: str
) -> None:
    """Whatever was done to the pixels: a scale that is right, none, or a warning of the scale."""
    do, across, down = CHANGES[change]
    plain = write.write_tiff

    def changed(path: Path, pages: object, *rest: object, **more: object) -> Path:
        many = [pages] if isinstance(pages, np.ndarray) else pages
        return plain(path, [do(page) for page in many], *rest, **more)  # type: ignore[attr-defined]

    monkeypatch.setattr(write, "write_tiff", changed)
    found = read_micrograph(written.make(tmp_path), with_hash=False)
    if found.path.suffix.lower() not in (".tif", ".tiff"):
        pytest.skip("no TIFF: written by another hand")
    size, true = found.pixel_size, written.answers["pixel_m"]
    if size is None:
        return
    wrong = (
        abs(size.value_m / true / across - 1) > 0.01 or abs(size.down_m / true / down - 1) > 0.01
    )
    of_scale = ("how large its image was", "how many rows", "check the scale", "only an estimate")
    of_scale += ("lengths down the image are wrong",)
    told = any(words in warning for warning in found.warnings for words in of_scale)
    assert not wrong or told, found.warnings


def test_rows_beyond_a_databar_are_none(tmp_path: Path) -> None:
    """Stretched by 15 %, with no bar in it; with one; and put on top of itself."""
    for name, tags in {
        "fibics": {51023: fibics_xml()},
        "thermo xml": {34683: thermo_xml(WIDTH, HEIGHT, 1e-8)},
        "imagej": {
            270: b"ImageJ=1.53t\n",
            **imagej_metadata(
                write.thermo_text(write.thermo_sections(WIDTH, HEIGHT, 1e-8)).decode()
            ),
        },
    }.items():

        def read(picture: np.ndarray, tags: dict[int, write.Tag] = tags) -> Micrograph:
            return read_micrograph(write.write_tiff(tmp_path / "a.tif", picture, tags))

        whole = write.with_databar(write.specimen(), 24)
        assert read(write.specimen()).pixel_size is not None, name
        with_bar = read(whole)
        assert with_bar.pixel_size is not None, name
        assert with_bar.databar == Databar(HEIGHT, 24, "tag"), name
        assert not says(with_bar, "stretched"), name
        assert read(stretched(write.specimen(), 1.15)).pixel_size is None, name
        assert read(stretched(whole, 1.1)).pixel_size is None, name
        assert read(np.vstack([write.specimen()] * 2)).pixel_size is None, name


def test_imagej_does_not_say_how_large_its_image_was(tmp_path: Path) -> None:
    tags = {270: b"ImageJ=1.53c\nunit=micron\n"}
    path = tmp_path / "a.tif"
    found = read_micrograph(write.write_tiff(path, write.specimen(), tags, resolution=(20, 1)))
    assert says(found, "does not say how large its image was")
    assert not says(found, "do not trust"), "ImageJ is no second hand of its own scale"
    tags[305] = b"GIMP 2.10"
    found = read_micrograph(write.write_tiff(path, write.specimen(), tags, resolution=(20, 1)))
    assert says(found, "do not trust the scale")
    words = write.thermo_text(write.thermo_sections(WIDTH, HEIGHT, 5e-8)).decode()
    del tags[305]
    tags |= imagej_metadata(words)  # type: ignore[arg-type]
    found = read_micrograph(write.write_tiff(path, write.specimen(), tags, resolution=(20, 1)))
    assert found.warnings == (), "the vendor's text bears it out"
    double = stretched(write.specimen(), 2, 2)
    found = read_micrograph(write.write_tiff(path, double, tags, resolution=(20, 1)))
    assert says(found, "does not say how large its image was")


@pytest.mark.parametrize("gone", [("shape",), ("shape", "resolution"), ("shape", "hfw")])
def test_openfibsem_without_its_shape(tmp_path: Path, gone: tuple[str, ...]) -> None:
    said = {key: value for key, value in openfibsem().items() if key not in gone} | {
        "hfw" if "hfw" in gone else "more": None
    }

    def read(picture: np.ndarray) -> Micrograph:
        tags = {270: json.dumps(said).encode()}
        return read_micrograph(write.write_tiff(tmp_path / "a.tif", picture, tags))

    assert read(write.specimen()).pixel_size is not None
    assert read(stretched(write.specimen(), 2, 2)).pixel_size is None
    higher = read(stretched(write.specimen(), 1.15))
    assert higher.pixel_size is None or says(higher, "how many rows")


def test_openfibsem_of_a_part_of_the_scan(tmp_path: Path) -> None:
    said = openfibsem(resolution=[2 * WIDTH, 2 * HEIGHT], hfw=2e-8 * WIDTH)
    del said["shape"]
    said["reduced_area"] = {"left": 0.1, "top": 0.1, "width": 0.5, "height": 0.5}
    tags = {270: json.dumps(said).encode()}
    path = tmp_path / "a.tif"
    assert read_micrograph(write.write_tiff(path, write.specimen(), tags)).pixel_size is not None
    double = stretched(write.specimen(), 2, 2)
    assert read_micrograph(write.write_tiff(path, double, tags)).pixel_size is None


def test_a_zeiss_image_whose_stored_size_is_not_told(tmp_path: Path) -> None:
    entries = write.zeiss_entries("10 nm", "2.5 nm", "2.56 µm") | {"AP_HEIGHT": "Height = 1.92 µm"}
    tags = {34118: write.zeiss_text(entries)}

    def read(picture: np.ndarray) -> Micrograph:
        return read_micrograph(write.write_tiff(tmp_path / "a.tif", picture, tags))

    whole = read(write.specimen())
    assert whole.pixel_size is not None
    assert not whole.warnings
    for name, (do, _, _) in CHANGES.items():
        assert read(do(write.specimen())).pixel_size is None, name


def test_a_tescan_sidecar_tells_no_rows(tmp_path: Path) -> None:
    data = tescan_hdr(tescan_main(), tescan_column())
    found = read_micrograph(beside("sample.hdr", data)(tmp_path))
    assert says(found, "does not say how many rows")
    data = tescan_hdr(tescan_main(strip=20), tescan_column())
    found = read_micrograph(beside("sample.hdr", data, databar=20)(tmp_path))
    assert found.warnings == (), "the bar is as high as it should be"


def test_a_hitachi_sidecar_of_another_name(tmp_path: Path) -> None:
    for name, told in (
        ("other_0007.tif", True),
        ("SAMPLE.TIF", False),
        (r"D:\x\sample.bmp", False),
    ):
        text = hitachi().replace("ImageName=sample.tif", f"ImageName={name}")
        found = read_micrograph(beside("sample.txt", text.encode())(tmp_path))
        assert found.pixel_size is not None
        assert says(found, "so is its scale") == told, name


def test_a_sidecar_of_rows_that_no_databar_explains(tmp_path: Path) -> None:
    for text in (hitachi(), jeol_old()):
        (tmp_path / "sample.txt").write_text(text)
        path = write.write_tiff(tmp_path / "sample.tif", stretched(write.specimen(), 1.15))
        assert read_micrograph(path).pixel_size is None
        path = write.write_tiff(tmp_path / "sample.tif", np.vstack([write.specimen()] * 2))
        assert read_micrograph(path).pixel_size is None


def test_what_is_wrong_with_an_ome_scale_is_said(tmp_path: Path) -> None:
    for scale, words in (
        ('PhysicalSizeX="0.05" PhysicalSizeXUnit="pixel"', "'X 0.05 pixel"),
        ('PhysicalSizeX="50" PhysicalSizeXUnit="nm" PhysicalSizeY="50"', "Y 50 µm'"),
    ):
        tags = {270: ome_xml(scale)}
        found = read_micrograph(write.write_tiff(tmp_path / "a.tif", write.specimen(), tags))
        assert found.pixel_size is None
        assert says(found, "gives no scale")
        assert says(found, words)
        assert not says(found, "another image size")
