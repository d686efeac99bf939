"""Windows and levels of large files: the same numbers as the whole file, wherever they lie."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph import pyramid, tiff_pixels
from glassllava.micrograph.pyramid import Pixels, from_array, halved, open_pixels
from glassllava.micrograph.reading import grey, pixels, read_micrograph

Array = np.ndarray[Any, Any]

H, W = 700, 1100


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read as large ones are."""
    monkeypatch.setattr(pyramid, "HELD_BYTES", 0)
    monkeypatch.setattr(pyramid, "_QUICK", 300)


def scene(dtype: str = "uint16", height: int = H, width: int = W) -> Array:
    rng = np.random.default_rng(5)
    smooth = 100 + 60 * np.sin(np.arange(height) / 37)[:, None] * np.cos(np.arange(width) / 51)
    noisy = smooth + rng.normal(0, 12, (height, width))
    return np.clip(noisy * (200 if dtype == "uint16" else 1), 0, 65535).astype(dtype)


def opened(path: Path, **how: Any) -> Pixels:
    return open_pixels(read_micrograph(path, with_hash=False, with_databar=False, **how))


LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("uint16", {}),
    "plain, 8 bit": ("uint8", {}),
    "plain, big endian": ("uint16", {"byteorder": ">"}),
    "plain, signed": ("int16", {}),
    "float, big endian": ("float32", {"byteorder": ">"}),
    "double": ("float64", {}),
    "wide integers": ("uint32", {}),
    "BigTIFF": ("uint16", {"bigtiff": True}),
    "BigTIFF, tiled, big endian": (
        "uint16",
        {"bigtiff": True, "byteorder": ">", "tile": (128, 256), "compression": "zlib"},
    ),
    "tiles, plain": ("uint16", {"tile": (256, 128)}),
    "tiles, LZW, predictor": ("uint16", {"tile": (256, 256), "compression": "lzw", "predictor": 2}),
    "tiles, deflate, float predictor": (
        "float32",
        {"tile": (128, 128), "compression": "zlib", "predictor": 3},
    ),
    "tiles, JPEG": ("uint8", {"tile": (256, 256), "compression": "jpeg"}),
    "strips, deflate": ("uint16", {"rowsperstrip": 37, "compression": "zlib"}),
    "strips, LZW, big endian": (
        "uint16",
        {"rowsperstrip": 16, "compression": "lzw", "byteorder": ">"},
    ),
    "strips apart": ("uint16", {"rowsperstrip": 64}),
    "one strip, zstd": ("uint16", {"compression": "zstd"}),
    "white is zero": ("uint8", {"photometric": "miniswhite", "tile": (128, 128)}),
    "white is zero, plain": ("uint8", {"photometric": "miniswhite"}),
    "one bit": ("bool", {"rowsperstrip": 50, "photometric": "minisblack"}),
    "one bit, white is zero": ("bool", {"rowsperstrip": 50, "photometric": "miniswhite"}),
    "palette": (
        "uint8",
        {
            "photometric": "palette",
            "colormap": np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1)),
        },
    ),
}

WINDOWS = [
    (slice(None), slice(None)),
    (slice(0, 1), slice(0, 1)),
    (slice(H - 1, H), slice(W - 1, W)),
    (slice(250, 263), slice(120, 1000)),
    (slice(37, 444), slice(511, 530)),
    (slice(690, 900), slice(1090, 1500)),
    (slice(300, 300), slice(5, 9)),
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_window_is_a_slice_of_the_whole(tmp_path: Path, layout: str) -> None:
    dtype, how = LAYOUTS[layout]
    stored = scene(dtype) > 100 if dtype == "bool" else scene(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored, **how)
    whole = tifffile.imread(tmp_path / "a.tif")
    if dtype == "bool":
        whole = whole.astype(np.uint8) * 255
    if how.get("photometric") == "miniswhite":
        whole = 255 - whole
    found = opened(tmp_path / "a.tif")
    assert (found.shape, found.dtype) == ((H, W), whole.dtype)
    for rows, columns in WINDOWS:
        window = found.window(0, rows, columns)
        np.testing.assert_array_equal(window, whole[rows, columns])
        assert window.dtype == whole.dtype
        assert window.dtype.isnative
    np.testing.assert_array_equal(grey(read_micrograph(tmp_path / "a.tif")), whole)
    found.close()


@pytest.mark.parametrize("every", [2, 3, 8, 64])
@pytest.mark.parametrize("layout", ["plain", "tiles, plain", "strips, deflate", "tiles, JPEG"])
def test_every_nth_pixel_is_that_of_the_whole(tmp_path: Path, layout: str, every: int) -> None:
    dtype, how = LAYOUTS[layout]
    tifffile.imwrite(tmp_path / "a.tif", scene(dtype), **how)
    whole = tifffile.imread(tmp_path / "a.tif")
    (page,) = tiff_pixels.open_page(tmp_path / "a.tif", 0)
    for rows, columns in WINDOWS:
        found = page.window(rows, columns, every)
        np.testing.assert_array_equal(found, whole[rows, columns][::every, ::every])
    page.close()


@pytest.mark.parametrize(
    "layout", ["plain, big endian", "tiles, LZW, predictor", "strips, deflate"]
)
def test_some_columns_of_the_last_rows_are_those_of_the_whole(tmp_path: Path, layout: str) -> None:
    dtype, how = LAYOUTS[layout]
    tifffile.imwrite(tmp_path / "a.tif", scene(dtype), **how)
    for first, every in ((0, 3), (411, 1), (180, 7), (699, 500)):
        found = tiff_pixels.read_pixels(tmp_path / "a.tif", 0, first, every)
        np.testing.assert_array_equal(found, scene(dtype)[first:, ::every])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("how", [{}, {"tile": (128, 256), "compression": "zlib"}])
def test_colour_is_turned_to_grey_window_by_window(
    tmp_path: Path, planar: str, how: dict[str, Any]
) -> None:
    planes = np.stack([scene("uint8"), scene("uint8")[::-1], scene("uint8")[:, ::-1]])
    colours = planes if planar == "separate" else np.moveaxis(planes, 0, -1)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, colours, photometric="rgb", planarconfig=planar, **how)
    found, whole = opened(path), grey(read_micrograph(path))
    np.testing.assert_array_equal(pixels(read_micrograph(path)), np.moveaxis(planes, 0, -1))
    for rows, columns in WINDOWS:
        np.testing.assert_array_equal(found.window(0, rows, columns), whole[rows, columns])
    found.close()


def test_grey_stored_as_colour_stays_exact_in_a_window(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.dstack([scene()] * 3), photometric="rgb", tile=(128, 128))
    found = opened(path)
    np.testing.assert_array_equal(found.window(0, slice(3, 99)), scene()[3:99])
    found.close()


def test_parts_that_were_never_written_are_empty(tmp_path: Path) -> None:
    tiles = iter([np.full((256, 256), 7, np.uint16), None, np.full((256, 256), 9, np.uint16), None])
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, tiles, shape=(512, 512), dtype="uint16", tile=(256, 256), compression="zlib"
    )
    found, whole = opened(path), tifffile.imread(path)
    assert whole[0, 300] == 0
    np.testing.assert_array_equal(found.window(), whole)
    found.close()


def box_means(array: Array, level: int) -> Array:
    """The mean of 2^level × 2^level pixels, where a whole block of them is there."""
    step = 1 << level
    height, width = array.shape[0] // step, array.shape[1] // step
    blocks = array[: height * step, : width * step].astype(np.float64)
    return np.asarray(blocks.reshape(height, step, width, step).mean(axis=(1, 3)))


@pytest.mark.parametrize("layout", ["plain", "tiles, LZW, predictor", "strips, deflate", "double"])
def test_levels_are_box_means_made_on_demand_and_kept_alike(tmp_path: Path, layout: str) -> None:
    dtype, how = LAYOUTS[layout]
    whole = scene(dtype, 1500, 2301)
    tifffile.imwrite(tmp_path / "a.tif", whole, **how)
    found = opened(tmp_path / "a.tif")
    assert found.level_count == 3
    on_demand = [found.window(level) for level in range(3)]
    part = found.window(2, slice(100, 163), slice(30, 77))
    assert found.make_means()
    for level in range(1, 3):
        assert on_demand[level].shape == found.level_shape(level)
        np.testing.assert_array_equal(found.window(level), on_demand[level])
        wanted = box_means(whole, level)
        height, width = wanted.shape
        apart = np.abs(on_demand[level][:height, :width] - wanted).max()
        assert apart <= (0.5 * level if dtype == "uint16" else 1e-9)
    np.testing.assert_array_equal(part, found.window(2)[100:163, 30:77])
    found.close()


def test_means_of_edges_of_what_is_no_number_and_of_full_scale() -> None:
    full = np.full((5, 7), 65535, np.uint16)
    assert (halved(full) == 65535).all()
    assert halved(full).shape == (3, 4)
    assert halved(np.array([[-3, -4]], np.int16)).tolist() == [[-3]]
    odd = np.array([[np.nan, 2.0, np.nan], [np.inf, 4.0, np.nan]], np.float32)
    np.testing.assert_array_equal(halved(odd), [[3.0, np.nan]])
    assert halved(np.full((2, 2), 2**64 - 1, np.uint64))[0, 0] > 2**63
    assert halved(np.zeros((1, 1), np.uint8)).tolist() == [[0]]


def write_pyramid(path: Path, kind: str, levels: list[Array]) -> None:
    """As OME and others write it (SubIFDs), or as scanners do (reduced pages in the chain)."""
    with tifffile.TiffWriter(path, bigtiff=kind == "SubIFDs in BigTIFF") as file:
        if kind == "pages":
            for number, level in enumerate(levels):
                file.write(level, tile=(256, 256), compression="zlib", subfiletype=number > 0)
        elif kind == "Aperio":
            for number, level in enumerate(levels):
                told = "Aperio Image Library v1" if number == 0 else None
                file.write(level, tile=(256, 256), description=told, metadata=None)
        else:
            file.write(levels[0], tile=(256, 256), subifds=len(levels) - 1)
            for level in levels[1:]:
                file.write(level, tile=(128, 128), subfiletype=1)


@pytest.mark.parametrize("kind", ["SubIFDs", "SubIFDs in BigTIFF", "pages", "Aperio"])
def test_the_files_own_levels_are_used(tmp_path: Path, kind: str) -> None:
    whole = scene("uint16", 1500, 2300)
    first = halved(whole)
    second = halved(first) + np.uint16(1000)  # so that it can be told from one that is made
    write_pyramid(tmp_path / "a.tif", kind, [whole, first, second])
    found = opened(tmp_path / "a.tif", page=0)
    assert found.file_levels == (0, 1, 2)
    np.testing.assert_array_equal(found.window(2, slice(10, 90), slice(3, 50)), second[10:90, 3:50])
    np.testing.assert_array_equal(found.window(0, slice(9, 20)), whole[9:20])
    found.quick_look()
    np.testing.assert_array_equal(found.at_hand(2, slice(None), slice(None)), second)
    sample = found.sample(slice(0, 1200))
    # Contrast is that of the pixels, not of the quieter means.
    assert sample.std() == pytest.approx(whole[:1200].std(), rel=0.1)
    found.close()


def test_sides_that_were_rounded_down_are_filled(tmp_path: Path) -> None:
    whole = scene("uint16", 1501, 2303)
    small = halved(whole[:1500, :2302])
    write_pyramid(tmp_path / "a.tif", "SubIFDs", [whole, small])
    found = opened(tmp_path / "a.tif")
    assert found.file_levels == (0, 1)
    level = found.window(1)
    assert level.shape == found.level_shape(1) == (751, 1152)
    np.testing.assert_array_equal(level[:750, :1151], small)
    np.testing.assert_array_equal(level[750], level[749])
    found.close()


@pytest.mark.parametrize(
    "smaller",
    [
        scene("uint16", 700, 700),  # another aspect
        scene("uint16", 500, 767),  # a third
        scene("uint8", 750, 1150),  # another kind of pixel
        scene("uint16", 1500, 2300),  # not smaller
    ],
    ids=["aspect", "third", "type", "size"],
)
@pytest.mark.parametrize("kind", ["SubIFDs", "pages"])
def test_what_is_no_level_of_the_picture_is_not_taken_for_one(
    tmp_path: Path, kind: str, smaller: Array
) -> None:
    write_pyramid(tmp_path / "a.tif", kind, [scene("uint16", 1500, 2300), smaller])
    found = opened(tmp_path / "a.tif", page=0)
    assert found.file_levels == (0,)
    found.close()


def test_a_second_detector_at_half_the_size_is_no_level(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(scene("uint16", 1500, 2300))
        file.write(scene("uint16", 750, 1150)[::-1])
    found = opened(tmp_path / "a.tif", page=0)
    assert found.file_levels == (0,)
    found.close()


@pytest.mark.parametrize("layout", ["plain", "tiles, plain", "strips, deflate", "one strip, zstd"])
def test_the_quick_look_is_at_hand_and_means_take_its_place(tmp_path: Path, layout: str) -> None:
    dtype, how = LAYOUTS[layout]
    whole = scene(dtype, 1500, 2300)
    tifffile.imwrite(tmp_path / "a.tif", whole, **how)
    found = opened(tmp_path / "a.tif")
    everything = (slice(None), slice(None))
    assert found.at_hand(2, *everything) is None
    found.quick_look()
    assert found.held_bytes < whole.nbytes
    assert found.at_hand(0, *everything) is None
    look = found.at_hand(2, *everything)
    assert look is not None
    # Where all is decoded anyway, the means are there at once.
    wanted = whole[::4, ::4] if layout == "plain" else halved(halved(whole))
    np.testing.assert_array_equal(look, wanted)
    np.testing.assert_array_equal(found.sample(slice(0, 1000)), whole[:1000:4, ::4])
    assert found.make_means()
    means = found.at_hand(2, slice(3, 40), slice(5, 60))
    assert means is not None
    np.testing.assert_array_equal(means, halved(halved(whole))[3:40, 5:60])
    found.close()
    assert found.at_hand(2, *everything) is not None


def test_means_are_kept_as_far_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyramid, "MEANS_BYTES", 600_000)
    whole = scene("uint16", 1500, 2300)
    tifffile.imwrite(tmp_path / "a.tif", whole)
    found = opened(tmp_path / "a.tif")
    assert found.make_means()
    assert found.held_bytes <= 600_000
    assert found.at_hand(1, slice(0, 5), slice(0, 5)) is None
    assert found.at_hand(2, slice(0, 5), slice(0, 5)) is not None
    np.testing.assert_array_equal(found.window(1), halved(whole))
    found.close()


def test_means_that_nobody_wants_any_more_are_not_kept(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", scene("uint16", 1500, 2300))
    found = opened(tmp_path / "a.tif")
    assert not found.make_means(lambda: False)
    assert found.held_bytes == 0
    found.close()


def test_what_is_in_memory_is_always_at_hand() -> None:
    whole = scene("float32", 1500, 2300)
    found = from_array(whole)
    assert found.is_held
    found.quick_look()
    strides = found.at_hand(1, slice(0, 9), slice(0, 9))
    np.testing.assert_array_equal(strides, whole[:18:2, :18:2])
    found.make_means()
    means = found.at_hand(1, slice(0, 9), slice(0, 9))
    np.testing.assert_array_equal(means, halved(whole)[:9, :9])


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
def test_pictures_are_decoded_whole(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(scene("uint8")).save(tmp_path / f"a.{suffix}")
    found = opened(tmp_path / f"a.{suffix}")
    assert found.is_held
    np.testing.assert_array_equal(found.window(), grey(read_micrograph(tmp_path / f"a.{suffix}")))


def test_small_files_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyramid, "HELD_BYTES", 10_000_000)
    tifffile.imwrite(tmp_path / "a.tif", scene())
    found = opened(tmp_path / "a.tif")
    assert found.is_held
    np.testing.assert_array_equal(found.window(), scene())


def test_threads_that_want_one_tile_decode_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scene()
    tifffile.imwrite(tmp_path / "a.tif", whole, tile=(256, 256), compression="zlib")
    (page,) = tiff_pixels.open_page(tmp_path / "a.tif", 0)
    decoded: list[int] = []
    plainly = page._decoded
    gate = threading.Event()

    def slowly(number: int) -> Array:
        decoded.append(number)
        gate.wait(5)
        return plainly(number)

    monkeypatch.setattr(page, "_decoded", slowly)
    found: list[Array] = []
    threads = [
        threading.Thread(target=lambda: found.append(page.window(slice(0, 9), slice(0, 9))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(5)
    assert decoded == [0]
    assert len(found) == 4
    assert all((window == whole[:9, :9]).all() for window in found)
    page.close()


def test_decoded_tiles_are_kept_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", scene(), tile=(128, 128), compression="zlib")
    monkeypatch.setattr(tiff_pixels, "KEPT_BYTES", 3 * 128 * 128 * 2)
    (page,) = tiff_pixels.open_page(tmp_path / "a.tif", 0)
    np.testing.assert_array_equal(page.window(slice(None), slice(None)), scene())
    assert 1 <= len(page._segments) <= 3
    page.close()


# --- files that change while they are open -----------------------------------------------------


@pytest.mark.parametrize("layout", ["plain", "tiles, plain", "strips, deflate"])
def test_a_file_that_shrinks_while_it_is_open_is_an_error_and_no_crash(
    tmp_path: Path, layout: str
) -> None:
    dtype, how = LAYOUTS[layout]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene(dtype), **how)
    found = opened(path)
    os.truncate(path, 5000)
    with pytest.raises(UnreadableMicrograph, match="written anew") as caught:
        found.window(0, slice(600, 700))
    assert caught.value.remedy
    found.close()


@pytest.mark.parametrize("layout", ["plain", "tiles, plain"])
def test_a_file_that_shrinks_between_the_check_and_the_read_is_an_error_too(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtype, how = LAYOUTS[layout]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene(dtype), **how)
    found = opened(path)
    monkeypatch.setattr(tiff_pixels.PagePixels, "_refuse_changed", lambda self: None)
    os.truncate(path, 5000)
    with pytest.raises(UnreadableMicrograph, match=r"bytes early") as caught:
        found.window(0, slice(600, 700))
    assert "cut while it was open" in caught.value.remedy
    found.close()


def test_a_file_that_is_written_anew_is_not_mixed_with_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene())
    found = opened(path)
    before = path.stat()
    tifffile.imwrite(path, scene()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(UnreadableMicrograph, match="written anew"):
        found.window(0, slice(0, 5))
    found.close()


def test_another_size_than_the_header_said_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene())
    micrograph = read_micrograph(path, with_hash=False)
    tifffile.imwrite(path, scene()[:300])
    with pytest.raises(UnreadableMicrograph, match="header said"):
        open_pixels(micrograph)


def test_a_torn_tile_is_an_error_for_its_window_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene(), tile=(256, 256), compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages[0].dataoffsets[-1], file.pages[0].databytecounts[-1]
    data = bytearray(path.read_bytes())
    data[offset : offset + count] = bytes(count)
    path.write_bytes(data)
    found = opened(path)
    np.testing.assert_array_equal(found.window(0, slice(0, 256)), scene()[:256])
    with pytest.raises(UnreadableMicrograph, match="reading its pixels"):
        found.window(0, slice(600, 700), slice(1050, 1100))
    found.close()
