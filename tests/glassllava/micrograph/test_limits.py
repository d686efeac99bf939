"""What would not fit is refused before it is decoded, and the message says how to allow it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from glassllava.errors import BadInput, UnreadableMicrograph
from glassllava.micrograph import limits
from glassllava.micrograph.reading import pixels, read_micrograph
from glassllava.settings import named
from glassview.cli import main


@pytest.fixture(autouse=True)
def nobody_s_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSVIEW_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("GLASSVIEW_READING__LARGEST_BYTES", raising=False)


@pytest.fixture(params=["tif", "png"])
def large(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """100 million bytes of a little noise in a file of some megabytes."""
    return written(tmp_path / f"large.{request.param}", grain=8)


def written(path: Path, grain: int) -> Path:
    """10,000 × 10,000 pixels, of which each `grain`-th differs; 0 for none."""
    picture = np.zeros(100_000_000, np.uint8)
    if grain:
        picture[::grain] = np.random.default_rng(0).integers(0, 16, picture[::grain].size)
    picture = picture.reshape(10_000, 10_000)
    if path.suffix == ".tif":
        tifffile.imwrite(path, picture, compression="zlib", rowsperstrip=1000)
    else:
        Image.fromarray(picture).save(path, compress_level=1)
    return path


def test_the_limit_refuses_and_says_how_to_raise_it(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_micrograph(large, with_hash=False, with_databar=False).width == 10_000
    monkeypatch.setenv("GLASSVIEW_READING__LARGEST_BYTES", "99000000")
    with pytest.raises(UnreadableMicrograph, match=r"0\.1 GB when decoded") as caught:
        read_micrograph(large, with_hash=False, with_databar=False)
    assert "largest_bytes under [reading]" in caught.value.remedy
    assert "GLASSVIEW_READING__LARGEST_BYTES" in caught.value.remedy
    monkeypatch.setenv("GLASSVIEW_READING__LARGEST_BYTES", "100000000")
    assert read_micrograph(large, with_hash=False, with_databar=False).height == 10_000


def test_a_limit_that_falls_between_header_and_pixels_holds_for_the_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "a.tif", grain=8)
    found = read_micrograph(tmp_path / "a.tif", with_hash=False, with_databar=False)
    monkeypatch.setenv("GLASSVIEW_READING__LARGEST_BYTES", "99000000")
    with pytest.raises(UnreadableMicrograph, match="too large"):
        pixels(found)


def test_the_file_of_settings_counts_too(tmp_path: Path) -> None:
    path = tmp_path / "glassview.toml"
    path.write_text("[reading]\nlargest_bytes = 123456789\n")
    default = limits.largest_bytes()
    with named(str(path)):
        assert limits.largest_bytes() == 123_456_789
    assert limits.largest_bytes() == default
    assert 64 * 2**20 < default <= limits.MOST_BYTES


def test_the_file_that_a_command_names_counts_for_its_reading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "small.toml"
    settings.write_text("[reading]\nlargest_bytes = 70000000\n")
    picture = tmp_path / "a.tif"
    written(picture, grain=8)
    assert main(["inspect", str(picture), "--fast"]) == 0
    assert main(["inspect", str(picture), "--fast", "--settings", str(settings)]) == 2
    assert "largest_bytes" in capsys.readouterr().err


@pytest.mark.parametrize("chosen", ["-5", "much", "1", "67108863"])
def test_a_limit_that_is_none_is_an_error_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    monkeypatch.setenv("GLASSVIEW_READING__LARGEST_BYTES", chosen)
    with pytest.raises(BadInput):
        limits.largest_bytes()


def test_the_lowest_limit_is_told_and_holds(
    large: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lower one would have no effect on small pictures: it is refused, not passed over."""
    monkeypatch.setenv("GLASSVIEW_READING__LARGEST_BYTES", "1000000")
    assert main(["inspect", str(large), "--fast"]) == 2
    assert "67,108,864 are always read" in capsys.readouterr().err
    monkeypatch.setenv("GLASSVIEW_READING__LARGEST_BYTES", str(limits.FLOOR_BYTES))
    assert limits.largest_bytes() == limits.FLOOR_BYTES
    with pytest.raises(UnreadableMicrograph, match="too large"):
        read_micrograph(large, with_hash=False, with_databar=False)


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_what_is_packed_as_no_micrograph_can_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = written(tmp_path / f"a.{suffix}", grain=0)
    assert path.stat().st_size < 500_000
    with pytest.raises(UnreadableMicrograph, match="too little for a micrograph") as caught:
        read_micrograph(path)
    assert "largest_bytes under [reading]" in caught.value.remedy
    assert "to 100000000 or more" in caught.value.remedy
    monkeypatch.setenv("GLASSVIEW_READING__LARGEST_BYTES", "100000000")
    assert read_micrograph(path, with_hash=False, with_databar=False).height == 10_000


def test_a_large_micrograph_with_noise_passes_however_it_is_packed(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tile = np.clip(rng.normal(120, 6, (1000, 1000)), 0, 255).astype(np.uint8)
    picture = np.tile(tile, (9, 9))
    for kind, options in (
        ("zlib", {}),
        ("zstd", {}),
        ("lzw", {}),
        ("jpeg", {"compressionargs": {"level": 50}}),
    ):
        path = tmp_path / f"{kind}.tif"
        tifffile.imwrite(path, picture, compression=kind, tile=(512, 512), **options)
        assert read_micrograph(path, with_hash=False, with_databar=False).width == 9000


def test_a_file_that_is_a_hole_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((200, 256), np.uint8))
    with path.open("r+b") as file:
        file.truncate(10 * 2**30)
    if path.stat().st_blocks * 512 > 2**20:
        pytest.skip("this file system has no holes")
    with pytest.raises(UnreadableMicrograph, match="ever written") as caught:
        read_micrograph(path)
    assert caught.value.remedy


def test_a_file_above_the_limit_is_not_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((200, 256), np.uint8))
    with path.open("ab") as file:
        file.write(bytes(70_000_000))
    assert read_micrograph(path).sha256
    monkeypatch.setenv("GLASSVIEW_READING__LARGEST_BYTES", "68000000")
    with pytest.raises(UnreadableMicrograph, match="The file is too large") as caught:
        read_micrograph(path)
    assert "largest_bytes" in caught.value.remedy


def test_a_png_beyond_what_is_decoded_says_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.fromarray(np.zeros((200, 256), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(UnreadableMicrograph, match="at most 179 million pixels") as caught:
        read_micrograph(tmp_path / "a.png")
    assert "Save it as TIFF" in caught.value.remedy
