"""What is done beside the window: finding files, reading them for the screen, thumbnails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from glassllava.errors import BadInput, UnreadableMicrograph
from glassllava.sample import Sample
from glassview import looking
from tests import micrographs as write
from tests import vendor_texts as built
from tests.glassview.conftest import write_pores


def test_folders_are_searched_in_the_order_people_expect(tmp_path: Path) -> None:
    for name in ("b_10.tif", "b_2.TIF", "a.png", "notes.txt", ".hidden.tif", "sub/c.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    odd = tmp_path / "notes.txt"
    found = looking.find_micrographs([tmp_path, odd, tmp_path / "a.png"])
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["a.png", "b_2.TIF", "b_10.tif", "sub/c.jpg", "notes.txt"]


def test_what_is_not_there_and_an_empty_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        looking.find_micrographs([tmp_path / "gone.tif"])
    with pytest.raises(BadInput, match="no micrograph"):
        looking.find_micrographs([tmp_path])


def test_a_picture_keeps_the_stored_counts(pores: Path) -> None:
    picture, beside = looking.look(pores, None, None)
    stored = tifffile.imread(pores)
    assert picture.value(40, 70) == int(stored[70, 40])
    assert picture.value(320, 0) is None
    assert picture.micrograph.pixel_size is not None
    assert picture.micrograph.pixel_size.value_m == pytest.approx(50e-9)
    assert sum(picture.counts) == stored.size
    assert beside == looking.Beside(Sample(), "", None)
    low, high = picture.shown
    assert low < 6_500
    assert 30_000 < high < 32_000


def test_a_databar_in_the_pixels_is_found_later_and_leaves_the_contrast(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    plain = rng.normal(120, 6, (360, 512)).clip(0, 255).astype(np.uint8)
    whole = write.with_databar(plain, 40)
    path = tmp_path / "bar.tif"
    tifffile.imwrite(path, whole)
    at_once, _ = looking.look(path, None, None)
    assert at_once.micrograph.databar is None
    later = looking.with_databar(at_once)
    assert later.micrograph.databar is not None
    assert later.micrograph.databar.top == 360
    assert later.shown[1] < 160 < at_once.shown[1]
    assert looking.thumbnail_of(later.pixels, later.micrograph).shape[0] < 360


def test_a_picture_without_a_databar_stays_the_same(pores: Path) -> None:
    picture, _ = looking.look(pores, None, None)
    assert looking.with_databar(picture) is picture


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32"])
def test_every_kind_of_pixel_can_be_looked_at(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "ramp.tif"
    tifffile.imwrite(path, np.tile(np.arange(96), (80, 1)).astype(dtype))
    picture, _ = looking.look(path, None, None)
    assert picture.coding.of(picture.pixels.window()).dtype in (np.uint8, np.uint16)
    assert picture.value(95, 0) == 95
    shades, micrograph, _ = looking.thumbnail(path)
    assert shades.dtype == np.uint8
    assert shades.max() > shades.min()
    assert micrograph.width == 96


def test_pixels_that_are_not_numbers_do_not_spoil_the_rest(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 1, 100, dtype=np.float32), (80, 1))
    ramp[3, 4], ramp[5, 6] = np.nan, np.inf
    path = tmp_path / "holes.tif"
    tifffile.imwrite(path, ramp)
    picture, _ = looking.look(path, None, None)
    assert np.isfinite(picture.shown).all()
    assert sum(picture.counts) == ramp.size - 2
    assert np.isnan(picture.value(4, 3))


def test_a_thumbnail_is_small_and_of_the_whole_specimen(tmp_path: Path) -> None:
    whole = np.zeros((1500, 2000), np.uint8)
    whole[:, 1000:] = 200
    path = tmp_path / "halves.tif"
    tifffile.imwrite(path, whole)
    shades, _, _ = looking.thumbnail(path)
    assert max(shades.shape) <= 320
    assert shades[:, : shades.shape[1] // 2 - 1].max() == 0
    assert shades[:, shades.shape[1] // 2 + 1 :].min() == 255


def test_the_sample_beside_a_file_is_found_its_own_before_its_folder_s(pores: Path) -> None:
    folder = pores.parent
    (folder / "sample.toml").write_text('material = "float glass"')
    assert looking.sample_beside(pores).sample.material == "float glass"
    (folder / "pores_1.sample.toml").write_text('material = "optical glass"')
    beside = looking.sample_beside(pores)
    assert (beside.sample.material, beside.origin) == ("optical glass", "pores_1.sample.toml")
    (folder / "pores_1.sample.toml").write_text('materail = "optical glass"')
    beside = looking.sample_beside(pores)
    assert beside.sample == Sample()
    assert beside.trouble is not None
    assert "material" in beside.trouble.remedy


def test_a_torn_file_gives_its_reason(tmp_path: Path) -> None:
    torn = write_pores(tmp_path / "torn.tif")
    torn.write_bytes(torn.read_bytes()[:2000])
    with pytest.raises(UnreadableMicrograph):
        looking.look(torn, None, None)
    with pytest.raises(UnreadableMicrograph):
        looking.thumbnail(torn)


@pytest.mark.parametrize(
    ("text", "metres"),
    [("12.5 nm", 12.5e-9), ("0.2 µm", 2e-7), ("0,2 um", 2e-7), ("8", 8e-9)],
)
def test_a_pixel_size_typed_by_hand(text: str, metres: float) -> None:
    size = looking.typed_pixel_size(text)
    assert size is not None
    assert size.value_m == pytest.approx(metres)
    assert size.source == "typed"


def test_what_is_no_pixel_size_is_refused() -> None:
    assert looking.typed_pixel_size("  ") is None
    for text in ("wide", "-3 nm", "0 nm", "5 kg", "2 m", "nan nm"):
        with pytest.raises(BadInput, match="not a pixel size"):
            looking.typed_pixel_size(text)


def test_a_typed_pixel_size_stands_above_the_file_s(pores: Path) -> None:
    picture, _ = looking.look(pores, None, looking.typed_pixel_size("7 nm"))
    assert picture.micrograph.pixel_size is not None
    assert picture.micrograph.pixel_size.source == "typed"


def test_a_databar_that_the_pixels_deny_is_not_cut_off(tmp_path: Path) -> None:
    tag = built.tescan_tag(built.tescan_main(strip=40), built.tescan_column())
    path = write.write_tiff(tmp_path / "a.tif", write.specimen(), {50431: (write.BYTE, tag)})
    picture, _ = looking.look(path, None, None)
    assert picture.micrograph.databar is not None  # quickly: what the header says
    after = looking.with_databar(picture).micrograph
    assert after.databar is None
    assert any("may have been cut off" in warning for warning in after.warnings)
