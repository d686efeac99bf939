"""`glassview inspect` and `glassview measure`, as a person types them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from glassview.cli import main
from tests import micrographs as write


@pytest.fixture
def thermo(tmp_path):
    picture = write.with_holes(write.specimen(400, 512), [(100, 100, 30), (300, 200, 40)])
    picture = write.with_databar(picture, 40)
    sections = write.thermo_sections(512, 400, 2.5e-9, databar=40)
    sections["System"]["SystemType"] = "Test\x1b[31m G4"
    path = tmp_path / "fei.tif"
    return write.write_tiff(path, picture, {34682: write.thermo_text(sections)})


def test_inspect_json_has_the_shape_that_others_rely_on(thermo, capsys):
    assert main(["inspect", str(thermo), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"schema", "micrograph", "pages", "candidates", "warnings"} <= set(told)
    assert told["micrograph"]["pixel_size"]["value_m"] == pytest.approx(2.5e-9)
    assert told["micrograph"]["databar"] == {"top": 400, "height": 40, "source": "tag"}
    assert len(told["micrograph"]["sha256"]) == 64
    assert told["candidates"][0]["origin"] == "34682 [Scan] PixelWidth"
    assert told["sources"]["working_distance_m"] == "34682 [EBeam] WD"
    # Operators' names stand in the vendor's text, and are nobody's business.
    assert "Operator" not in json.dumps(told)


def test_inspect_tells_every_value_with_its_source(thermo, capsys):
    assert main(["inspect", str(thermo)]) == 0
    out = capsys.readouterr().out
    for words in (
        "2.5 nm",
        "34682 [Scan] PixelWidth",
        "5 kV",
        "4.1 mm",
        "TLD",
        "40 rows from row 400",
        "by the header",
        "28.6°",
        "1.28 µm × 1 µm",
    ):
        assert words in out
    assert "\x1b" not in out  # a header does not drive the terminal


def test_inspect_fast_reads_neither_pixels_nor_hash(tmp_path, capsys):
    path = write.write_tiff(tmp_path / "a.tif", write.with_databar(write.specimen(400, 512), 40))
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["micrograph"]["databar"]["top"] == 400
    assert main(["inspect", str(path), "--json", "--fast"]) == 0
    told = json.loads(capsys.readouterr().out)["micrograph"]
    assert told["databar"] is None
    assert told["sha256"] is None
    assert told["pixel_size"] is None


def test_measure_json(thermo, capsys):
    assert main(["measure", str(thermo), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    values = {one["quantity"]: one for one in told["measurements"]}
    assert values["pore_count"]["value"] == 2
    biggest = values["pore_equivalent_diameter_max"]
    assert biggest["unit"] == "m"
    assert biggest["value"] == pytest.approx(100e-9, rel=0.05)
    assert len(told["regions"]) == 2
    assert told["micrograph"]["width"] == 512


def test_measure_text_and_typed_size(tmp_path, capsys):
    path = write.write_tiff(
        tmp_path / "a.tif", write.with_holes(write.specimen(400, 512), [(100, 100, 40)])
    )
    assert main(["measure", str(path)]) == 0
    out = capsys.readouterr().out
    assert "uncalibrated" in out
    assert "No trustworthy scale" in out
    assert main(["measure", str(path), "--pixel-size", "5 nm"]) == 0
    out = capsys.readouterr().out
    assert "typed by the person" in out
    assert " nm" in out


def test_pages(tmp_path, capsys):
    path = write.write_tiff(
        tmp_path / "a.tif", [write.specimen(), write.specimen().astype(np.uint16)]
    )
    assert main(["inspect", str(path)]) == 0
    assert "choose one with --page" in capsys.readouterr().out
    assert main(["inspect", str(path), "--page", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["micrograph"]["bit_depth"] == 8


@pytest.mark.parametrize("command", ["inspect", "measure"])
def test_bad_input_is_told_without_a_traceback(tmp_path, capsys, command):
    (tmp_path / "notes.tif").write_text("these are my notes")
    (tmp_path / "empty.tif").write_bytes(b"")
    for path in (tmp_path / "none.tif", tmp_path, tmp_path / "notes.tif", tmp_path / "empty.tif"):
        assert main([command, str(path), "--json"]) == 2
        told = capsys.readouterr()
        error = json.loads(told.out)["error"]
        assert error["kind"] == "UnreadableMicrograph"
        assert error["where"] == str(path)
        assert error["remedy"]
        assert "Traceback" not in told.err
    good = write.write_tiff(tmp_path / "a.tif", write.specimen())
    for text in ("5 apples", "", "1,000 nm"):
        assert main([command, str(good), "--pixel-size", text]) == 2
    assert "not the size of a pixel" in capsys.readouterr().err


def test_one_bad_file_among_several_does_not_hide_the_others(tmp_path, capsys):
    good = write.write_tiff(tmp_path / "a.tif", write.specimen())
    assert main(["inspect", str(tmp_path / "none.tif"), str(good), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told[0]["error"]["kind"] == "UnreadableMicrograph"
    assert told[1]["micrograph"]["width"] == 256


def test_one_pixel_is_read_and_not_measured(tmp_path, capsys):
    path = write.write_tiff(tmp_path / "a.tif", np.array([[3]], np.uint8))
    assert main(["measure", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["measurements"] == []
    assert any("too few" in warning for warning in told["warnings"])


def test_measure_tells_families_once_and_what_the_ruler_leaves_open(thermo, capsys):
    assert main(["measure", str(thermo)]) == 0
    text = capsys.readouterr().out
    assert text.count("\n  pore\n") == 1
    row = next(line for line in text.splitlines() if "equivalent diameter max" in line)
    assert row.endswith(" *")  # ± by the image alone: the file does not say how exact it is
    assert "the file does not state how exact its scale is" in text
    assert text.count("few: 2 only") == 1
    assert main(["measure", str(thermo), "--pixel-size", "2.5 nm ± 1 %"]) == 0
    text = capsys.readouterr().out
    row = next(line for line in text.splitlines() if "equivalent diameter max" in line)
    assert "±" in row
    assert "*" not in text


def test_names_of_files_are_not_obeyed_by_a_terminal(tmp_path, capsys):
    path = write.write_tiff(tmp_path / "a\x1b[31mb\u202e.tif", write.specimen())
    assert main(["inspect", "--fast", str(path)]) == 0
    assert main(["inspect", str(path.with_name("gone\x1b[31m.tif"))]) == 2
    told = "".join(capsys.readouterr())
    assert "a·[31mb·.tif" in told
    assert "gone·[31m.tif" in told
    assert "\x1b" not in told


def test_a_file_name_forges_no_line_of_an_error():
    from glassllava.errors import BadInput

    error = BadInput("It is torn", where="a.tif\nb.tif: all is well", remedy="Copy it again.")
    assert str(error) == "a.tif·b.tif: all is well: It is torn. Copy it again."
