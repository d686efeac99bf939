"""What a scan finds, and which sample belongs to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batch.discovery import discover, sample_for
from batch.recipe import PATTERNS
from glassllava.errors import BadInput
from glassllava.sample import Sample


def _find(*folders: Path, recursive: bool = True, leave_out: Path | None = None) -> list[str]:
    found = discover(folders, include=PATTERNS, recursive=recursive, leave_out=leave_out)
    return [place.path for place in found]


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_matching_files_are_found_in_order_whatever_their_case(folder: Path) -> None:
    _touch(folder, "b.TIF", "a.tiff", "sub/c.png", "notes.txt", ".hidden.tif", "._a.tif")
    assert _find(folder) == ["a.tiff", "b.TIF", "sub/c.png"]
    assert _find(folder, recursive=False) == ["a.tiff", "b.TIF"]


def test_links_in_a_circle_end_and_the_run_is_left_out(folder: Path) -> None:
    _touch(folder, "a.tif", "night/thumbnails/x.jpg")
    (folder / "round").symlink_to(folder, target_is_directory=True)
    assert _find(folder, leave_out=folder / "night") == ["a.tif"]


def test_a_path_found_twice_is_named_as_such(folder: Path) -> None:
    _touch(folder, "sub/a.tif")
    found = discover([folder, folder / "sub"], include=PATTERNS, recursive=True)
    assert [bool(place.again) for place in found] == [False, True]
    assert found[1].again == str(folder.resolve())


@pytest.mark.skipif(os.name == "nt", reason="Windows names are always text")
def test_a_name_that_is_no_text_is_found_with_its_trouble(folder: Path) -> None:
    (Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff.tif"))).write_bytes(b"")
    (place,) = discover([folder], include=PATTERNS, recursive=True)
    assert place.trouble
    assert place.path == "bad\\udcff.tif" or place.path.encode()  # storable


@pytest.mark.skipif(os.name == "nt", reason="Windows needs a privilege for links")
def test_a_link_to_itself_is_a_file_that_fails_and_not_the_end(folder: Path) -> None:
    _touch(folder, "a.tif")
    (folder / "self.tif").symlink_to("self.tif")
    assert _find(folder) == ["a.tif", "self.tif"]
    assert sample_for(folder / "self.tif", None) == Sample()


def test_a_file_may_stand_for_a_folder(folder: Path) -> None:
    _touch(folder, "a.tif", "b.tif")
    assert _find(folder / "b.tif") == ["b.tif"]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        _find(tmp_path / "none")


def test_the_sample_nearest_to_the_file_holds(folder: Path) -> None:
    file = folder / "a.tif"
    assert sample_for(file, None) == Sample()
    (folder / "sample.toml").write_text('material = "float"')
    assert sample_for(file, None).material == "float"
    (folder / "a.sample.toml").write_text('material = "borosilicate"')
    assert sample_for(file, None).material == "borosilicate"
    assert sample_for(file, Sample(material="E glass")).material == "E glass"
