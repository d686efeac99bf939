"""Files become micrographs with the right pixels, or one clear error."""

from __future__ import annotations

import contextlib
import csv
import os
import pickle
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph import pyramid
from glassllava.micrograph.reading import (
    display_range,
    grey,
    pixels,
    read_micrograph,
    specimen,
    to_8bit,
)
from tests import micrographs as write


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "f4", "f8"])
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_depth_comes_back_as_written(tmp_path, dtype, big_endian):
    picture = (write.specimen().astype(float) * 3 % 250).astype(dtype)
    path = write.write_tiff(tmp_path / "a.tif", picture, big_endian=big_endian)
    found = read_micrograph(path)
    assert (found.width, found.height, found.bit_depth) == (256, 192, 8 * picture.itemsize)
    np.testing.assert_array_equal(pixels(found), picture)
    assert pixels(found).dtype == np.dtype(dtype)


def test_colour_becomes_luminance_and_grey_stored_as_colour_stays_exact(tmp_path):
    picture = write.specimen()
    path = write.write_tiff(tmp_path / "a.tif", np.dstack([picture] * 3))
    found = read_micrograph(path)
    assert pixels(found).shape == (192, 256, 3)
    np.testing.assert_array_equal(grey(found), picture)
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 100
    assert grey(read_micrograph(write.write_tiff(tmp_path / "b.tif", red)))[0, 0] == 21


def test_palette_index_is_the_grey(tmp_path):
    """Trap 3: Zeiss stores a display palette beside grey values, and not always a grey one."""
    picture = write.specimen()
    text = write.zeiss_text(write.zeiss_entries("10 nm", "2.5 nm", "2.56 µm"))
    path = write.write_tiff(tmp_path / "a.tif", picture, {34118: text}, palette=True)
    found = read_micrograph(path)
    np.testing.assert_array_equal(grey(found), picture)
    assert not any("palette" in warning for warning in found.warnings)


def test_other_palettes_are_looked_up(tmp_path):
    """A reversed palette read by its index is the negative of the picture."""
    picture = write.specimen()
    grey_of = np.linspace(0, 65535, 256).astype(np.uint16)
    for name, ramp, expected in (
        ("grey", grey_of, picture),
        ("reversed", grey_of[::-1], (grey_of[::-1] // 257)[picture]),
    ):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, picture, photometric="palette", colormap=[ramp] * 3)
        found = read_micrograph(path)
        np.testing.assert_array_equal(grey(found), expected)
        with contextlib.closing(pyramid.open_pixels(found)) as levels:
            np.testing.assert_array_equal(levels.window(), expected)
        told = any("palette of colours" in warning for warning in found.warnings)
        assert told == (name == "reversed")


def test_colours_of_a_palette_become_luminance(tmp_path):
    picture = write.specimen()
    path = write.write_tiff(tmp_path / "a.tif", picture, palette=True)
    index = picture.astype(float)
    mixed = 0.2126 * index + 0.7152 * (255 - index) + 0.0722 * (index / 2)
    found = read_micrograph(path)
    assert np.abs(grey(found) - mixed).max() <= 1
    with Image.open(path) as image:
        assert (
            np.abs(grey(found) - np.asarray(image.convert("RGB")) @ (0.2126, 0.7152, 0.0722)).max()
            <= 1
        )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32])
def test_white_is_zero_is_turned_round(tmp_path, dtype):
    picture = write.specimen().astype(dtype)
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", picture, white_is_zero=True))
    turned = grey(found)
    assert turned.dtype == dtype
    if turned.dtype.kind == "u":
        np.testing.assert_array_equal(turned, np.iinfo(dtype).max - picture)
    assert np.corrcoef(turned.ravel().astype(float), picture.ravel().astype(float))[0, 1] < -0.999


@pytest.mark.parametrize("planar", ["separate", "contig"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_samples_that_are_no_colours_are_not_mixed(tmp_path, planar, count):
    detectors = np.stack([write.specimen(seed=n) for n in range(count)])
    stored = detectors if planar == "separate" else np.moveaxis(detectors, 0, -1)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="minisblack", planarconfig=planar)
    found = read_micrograph(path)
    np.testing.assert_array_equal(grey(found), detectors[0])
    with contextlib.closing(pyramid.open_pixels(found)) as levels:
        np.testing.assert_array_equal(levels.window(), detectors[0])
    assert any(f"{count} samples that are no colours" in warning for warning in found.warnings)


def test_opacity_is_passed_over(tmp_path):
    picture = write.specimen()
    both = np.dstack([picture, np.zeros_like(picture)])
    tifffile.imwrite(
        tmp_path / "a.tif", both, photometric="minisblack", extrasamples=["unassalpha"]
    )
    found = read_micrograph(tmp_path / "a.tif")
    np.testing.assert_array_equal(grey(found), picture)
    assert found.warnings == ()


def test_printing_colours_are_refused_and_16_bit_colours_told(tmp_path):
    colour = np.dstack([write.specimen()] * 3)
    Image.fromarray(colour).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(UnreadableMicrograph, match="printing colours"):
        read_micrograph(tmp_path / "a.jpg")
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(colour.astype(np.uint16) * 257))
    found = read_micrograph(tmp_path / "a.png")
    assert any("16 bits a sample, of which 8 are read" in warning for warning in found.warnings)
    (tmp_path / "b.png").write_bytes(imagecodecs.png_encode(colour))
    assert read_micrograph(tmp_path / "b.png").warnings == ()
    (tmp_path / "c.png").write_bytes(imagecodecs.png_encode(colour[..., 0].astype(np.uint16)))
    assert read_micrograph(tmp_path / "c.png").warnings == ()


def test_the_clean_page_is_chosen_and_another_can_be_asked_for(tmp_path):
    """Trap 7: a preview with a bar stands before the data."""
    preview = write.specimen()
    clean = write.specimen().astype(np.uint16) * 200
    path = write.write_tiff(tmp_path / "a.tif", [preview, clean])
    found = read_micrograph(path)
    assert (found.page, found.bit_depth, len(found.pages)) == (1, 16, 2)
    assert any("2 pages" in warning for warning in found.warnings)
    np.testing.assert_array_equal(grey(read_micrograph(path, page=0)), preview)
    with pytest.raises(UnreadableMicrograph, match="no readable page 7"):
        read_micrograph(path, page=7)


@pytest.mark.parametrize("labels", [1, 300])
def test_a_mask_is_not_chosen_for_its_depth(tmp_path, labels):
    """Two values in 16 bits, or a number for each body, beside the micrograph in 8."""
    picture = write.specimen()
    down, across = np.mgrid[: picture.shape[0], : picture.shape[1]]
    mask = ((down // 24) * 20 + across // 30).astype(np.uint16) % (labels + 1)
    path = write.write_tiff(tmp_path / "a.tif", [picture, mask])
    found = read_micrograph(path)
    assert (found.page, found.bit_depth) == (0, 8)
    assert any("Page 1 is passed over: it looks like a mask" in w for w in found.warnings)
    assert read_micrograph(path, page=1).page == 1
    path = write.write_tiff(tmp_path / "b.tif", [mask, mask.astype(np.uint8)])
    assert read_micrograph(path).page == 0, "of masks alone the cleanest"
    noisy = (picture > np.median(picture)).astype(np.uint16)
    path = write.write_tiff(tmp_path / "c.tif", [picture, noisy])
    assert read_micrograph(path).page == 0, "noise cut at a threshold has two values"


def test_many_pages_and_pages_in_a_circle(tmp_path):
    page = write.specimen(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(505):
            file.write(page, contiguous=False)
    found = read_micrograph(tmp_path / "a.tif")
    assert len(found.pages) == 500
    assert any("at least 500 pages" in warning for warning in found.warnings)
    assert any("the first 500" in warning for warning in found.warnings)
    path = write.write_tiff(tmp_path / "b.tif", [page, page])
    data = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", data, 4)[0]
    data[-4:] = struct.pack("<I", first)  # the last page's link to the next
    path.write_bytes(data)
    found = read_micrograph(path)
    assert len(found.pages) == 2
    assert any("damaged" in w and "leads back" in w for w in found.warnings)
    assert not any("at least" in warning for warning in found.warnings)


def test_what_is_no_file_has_a_remedy(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name in (tmp_path / "pipe", "/dev/null", tmp_path / "circle"):
        with pytest.raises(UnreadableMicrograph) as caught:
            read_micrograph(name)
        assert caught.value.remedy


def test_a_reduced_page_is_not_chosen(tmp_path):
    path = write.write_tiff(
        tmp_path / "a.tif", [write.specimen(), write.specimen(seed=1)], subfile=[1, 0]
    )
    assert read_micrograph(path).page == 1


@pytest.mark.parametrize("compression", ["zlib", "lzw", "packbits", "zstd", "jpeg"])
@pytest.mark.parametrize("layout", [{}, {"tile": (64, 64)}, {"rowsperstrip": 16}])
def test_compressed_tiled_and_stripped(tmp_path, compression, layout):
    """Trap 8: packed pages, for which imagecodecs is shipped; old-style JPEG is an odd file."""
    picture = write.with_databar(write.specimen(300, 256), 30)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, picture, compression=compression, **layout)
    found = read_micrograph(path)
    if compression != "jpeg":
        np.testing.assert_array_equal(pixels(found), picture)
    assert abs(found.databar.top - 300) <= 2
    assert specimen(found).shape[0] == found.databar.top


def test_planar_colour(tmp_path):
    planes = np.stack([write.specimen(seed=n) for n in range(3)])
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    found = pixels(read_micrograph(tmp_path / "a.tif"))
    np.testing.assert_array_equal(found, np.moveaxis(planes, 0, -1))


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
def test_pictures_have_no_scale(tmp_path, suffix):
    picture = write.specimen()
    Image.fromarray(picture).save(tmp_path / f"a.{suffix}", dpi=(25400, 25400))
    found = read_micrograph(tmp_path / f"a.{suffix}")
    assert found.pixel_size is None
    assert np.abs(grey(found).astype(int) - picture).mean() < (8 if suffix == "jpg" else 1e-9)


def test_a_micrograph_is_small_and_travels(tmp_path):
    found = read_micrograph(write.write_tiff(tmp_path / "a.tif", write.specimen()))
    sent = pickle.dumps(found)
    assert len(sent) < 5000
    np.testing.assert_array_equal(pixels(pickle.loads(sent)), pixels(found))
    assert len(found.sha256) == 64
    assert read_micrograph(found.path, with_hash=False).sha256 is None


# --- contrast ----------------------------------------------------------------------------------


def test_contrast_is_of_the_specimen_and_not_of_the_bar(tmp_path):
    """Trap 6: a 16-bit bar holds 0 and 65280."""
    scan = write.specimen().astype(np.uint16) * 20 + 5000
    picture = write.with_databar(scan, 24, ink=65280)
    sections = write.thermo_sections(256, 192, 1e-9, databar=24)
    path = write.write_tiff(tmp_path / "a.tif", picture, {34682: write.thermo_text(sections)})
    low, high = display_range(specimen(read_micrograph(path)))
    assert 5000 < low < high < 10200
    shown = to_8bit(specimen(read_micrograph(path)))
    assert shown.min() == 0
    assert shown.max() == 255
    saturated = np.mean((scan < low) | (scan > high))
    assert saturated == pytest.approx(0.0035, abs=0.002)


@pytest.mark.parametrize(
    "picture",
    [
        np.full((20, 20), 7, np.uint16),
        np.full((20, 20), np.nan),
        np.array([[np.nan, 1.0], [np.inf, 2.0]]),
        np.array([[-3, 4]], np.int16),
        np.zeros((0, 5)),
        np.full((9, 9), 1e300),
    ],
)
def test_contrast_survives_constants_and_what_is_no_number(picture):
    low, high = display_range(picture)
    assert high > low
    assert to_8bit(picture).shape == picture.shape
    assert to_8bit(picture).dtype == np.uint8


# --- what cannot be read -----------------------------------------------------------------------


def unreadable(path):
    with pytest.raises(UnreadableMicrograph) as caught:
        pixels(read_micrograph(path))
    error = caught.value
    assert error.where == str(path)
    assert error.what
    return error


def test_missing_folder_empty_and_text(tmp_path):
    assert "no such file" in unreadable(tmp_path / "none.tif").what
    assert "folder" in unreadable(tmp_path).what
    (tmp_path / "empty.tif").write_bytes(b"")
    assert "empty" in unreadable(tmp_path / "empty.tif").what
    (tmp_path / "notes.tif").write_text("these are my notes on sample 3")
    error = unreadable(tmp_path / "notes.tif")
    assert "text" in error.what
    assert error.remedy
    os.mkfifo(tmp_path / "pipe.tif")
    assert "regular file" in unreadable(tmp_path / "pipe.tif").what


@pytest.mark.skipif(os.name == "nt", reason="permissions are other things on Windows")
def test_no_permission(tmp_path):
    path = write.write_tiff(tmp_path / "a.tif", write.specimen())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "may not be read" in unreadable(path).what


def test_truncated(tmp_path):
    path = write.write_tiff(tmp_path / "a.tif", write.specimen(), rows_per_strip=16)
    whole = path.read_bytes()
    for length in (5, 9, 100, len(whole) // 2):
        path.write_bytes(whole[:length])
        unreadable(path)
    tifffile.imwrite(path, write.specimen())  # header first: the data are cut
    path.write_bytes(path.read_bytes()[:20_000])
    assert "less than it says" in unreadable(path).what


def test_bombs_are_refused_before_they_are_decoded(tmp_path):
    path = write.write_tiff(tmp_path / "a.tif", write.specimen(8, 8))
    data = bytearray(path.read_bytes())
    for code in (256, 257):
        place = data.index(struct.pack("<HHI", code, 4, 1)) + 8
        struct.pack_into("<I", data, place, 2_000_000)
    path.write_bytes(data)
    assert "too large" in unreadable(path).what


def test_a_tiny_picture_is_read_and_not_judged(tmp_path):
    path = write.write_tiff(tmp_path / "a.tif", np.array([[3]], np.uint8))
    found = read_micrograph(path)
    assert pixels(found).tolist() == [[3]]
    assert any("too few" in warning for warning in found.warnings)


def test_a_file_that_changed_since_is_not_taken_for_the_same(tmp_path):
    path = write.write_tiff(tmp_path / "a.tif", write.specimen())
    found = read_micrograph(path)
    write.write_tiff(path, write.specimen(64, 64))
    with pytest.raises(UnreadableMicrograph, match="written anew"):
        pixels(found)


def test_torn_files_give_a_picture_or_one_clear_error(tmp_path):
    sections = write.thermo_sections(64, 48, 1e-9)
    path = write.write_tiff(
        tmp_path / "a.tif", write.specimen(48, 64), {34682: write.thermo_text(sections)}
    )
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    read, told = 0, set()
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            # The header and the directory matter most: half of the flips go there.
            where = int(place) if rng.random() < 0.5 else len(data) - 1 - int(place) % 300
            data[where] = int(rng.integers(0, 256))
        path.write_bytes(data)
        try:
            found = read_micrograph(path)
            assert pixels(found).shape[:2] == (found.height, found.width)
            read += 1
        except UnreadableMicrograph as error:
            told.add(error.what[:20])
    assert told
    assert "" not in told
    assert read > 50


# --- real micrographs --------------------------------------------------------------------------


def test_databars_of_real_files(real_micrographs):
    with (real_micrographs / "LABELS.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        found = read_micrograph(real_micrographs / row["file"], with_hash=False).databar
        if row["databar_rows"]:
            assert abs(found.top - int(row["databar_rows"])) <= 2, row["file"]
        elif "rows 0-25" in row["note"]:  # a caption was burned in at the top
            assert (found.top, abs(found.height - 26) <= 2) == (0, True), row["file"]
        else:
            assert found is None, row["file"]
