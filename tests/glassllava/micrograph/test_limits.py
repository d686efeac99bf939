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
    """100 million bytes of nothing in a small file."""
    path = tmp_path / f"large.{request.param}"
    nothing = np.zeros((10_000, 10_000), np.uint8)
    if request.param == "tif":
        tifffile.imwrite(path, nothing, compression="zlib", rowsperstrip=1000)
    else:
        Image.fromarray(nothing).save(path, compress_level=1)
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
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((10_000, 10_000), np.uint8), compression="zlib")
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
    tifffile.imwrite(picture, np.zeros((10_000, 10_000), np.uint8), compression="zlib")
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
