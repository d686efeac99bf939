"""The whole story, with models of which it is known beforehand what must be said of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassllava.features import PARENTS
from glassllava.literature import NoLiterature
from glassllava.measurement.quantities import Measurements
from glassllava.model.scripted import Script, ScriptedModel
from tests.training.evaluation import models
from tests.training.evaluation.transfer import folders
from training.evaluation.transfer import __main__ as command
from training.evaluation.transfer import asking, page, pictures, sheet
from training.evaluation.transfer.asking import ask
from training.evaluation.transfer.judging import Wanted, judge
from training.evaluation.transfer.maps import Map


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripted models read no measurements, which take long."""
    monkeypatch.setattr(asking, "measure", lambda *_: Measurements())


def _knowing(folder: Path) -> ScriptedModel:
    """Says what is on the pictures of `folders.some`."""
    scripts = {}
    for specimen in range(6):
        for frame in range(2):
            seen = {"crack": 0.95} if specimen < 4 else {}
            seen |= {"pore": 0.9} if frame else {}
            name = f"lab_s{specimen}_{frame:02d}.png"
            scripts[name] = Script(seen, 0.95 if specimen < 4 else 0.05)
    return ScriptedModel(scripts, Script({}, 0.05), models.CALIBRATION)


def _quiet(line: str) -> None:
    pass


def test_whoever_knows_the_pictures_is_perfect_and_the_files_say_so(tmp_path: Path) -> None:
    folder = folders.some(tmp_path / "real")
    out = tmp_path / "out"
    result = judge(_knowing(folder), Wanted(folder, with_pictures=False), out, log=_quiet)
    given = result["labels"]["given"]
    assert given["keys"] == ["crack", "pore"]
    for condition in ("none", "no_sample"):
        figures = given["conditions"][condition]
        assert figures["macro_ap"][0] == figures["macro_f1"][0] == 1
        assert figures["verdicts"]["coverage"] == 1
        assert figures["verdicts"]["decided_as_in_a_dense_glass"] == [12, 12]
    everything = given["baselines"]["says everything (prevalence)"]
    assert everything["macro_ap"][0] == pytest.approx((8 / 12 + 6 / 12) / 2, abs=1e-4)
    assert json.loads((out / "transfer.json").read_text("utf-8")) == result
    told = (out / "transfer.md").read_text("utf-8")
    assert told == page.page(result)
    assert "lab_s0_00.png" in told
    assert any("no vision tower" in note for note in result["notes"])


def test_pictures_are_drawn_with_and_without_a_map(tmp_path: Path) -> None:
    rows = [{"file": "a.png", "crack": "1"}, {"file": "b.png"}]
    reals = pictures.read_folder(folders.write(tmp_path / "real", rows))
    said = ask(models.everything(), reals, NoLiterature())["none"]
    there = Map(np.full((12, 12), 4.0), (1 / 16, 1 / 16), (0.0, 0.0))
    made = sheet.draw(reals, ("crack",), said, [there, None], tmp_path)
    assert [path.name for path in made] == ["sheet.png", "a.png", "b.png"]
    with Image.open(made[0]) as image:
        assert image.width > 1500
    orange = sheet.overlay(reals[0].grey, there)
    assert orange[..., 0].mean() > orange[..., 2].mean() + 50
    assert (sheet.overlay(reals[0].grey, None)[..., 0] == reals[0].grey).all()


def test_a_model_that_says_everything_is_no_better_than_the_prevalence(tmp_path: Path) -> None:
    folder = folders.some(tmp_path / "real")
    wanted = Wanted(folder, with_pictures=False)
    result = judge(models.everything(), wanted, tmp_path / "out", log=_quiet)
    given = result["labels"]["given"]
    said, everything = given["conditions"]["none"], given["baselines"]
    same = everything["says everything (prevalence)"]
    assert said["macro_ap"] == same["macro_ap"]
    assert said["macro_f1"] == same["macro_f1"]


def test_corrected_labels_stand_beside_those_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders.some(tmp_path / "real")
    changes = tmp_path / "corrections.csv"
    changes.write_text(
        "file,parent,from,to,why\nlab_s0_00.png,crack,1,0,it is a shadow of the edge\n", "utf-8"
    )
    monkeypatch.setattr(pictures, "CORRECTIONS", changes)
    wanted = Wanted(folder, corrected=True, with_pictures=False)
    result = judge(_knowing(folder), wanted, tmp_path / "out", log=_quiet)
    given, corrected = (
        result["labels"][name]["conditions"]["none"]["features"]["crack"]
        for name in ("given", "corrected")
    )
    assert (given["positives"], corrected["positives"]) == (8, 7)
    assert given["f1"][0] == 1
    assert corrected["f1"][0] < 1


def test_right_words_are_green_and_wrong_ones_red(tmp_path: Path) -> None:
    folder = folders.write(
        tmp_path / "real", [{"file": "a.png", "crack": "1", "scratch": "u", "inclusion": "1"}]
    )
    (real,) = pictures.read_folder(folder)
    script = Script({"crack": 0.9, "pore": 0.8, "scratch": 0.7}, 0.9)
    said = ask(ScriptedModel({}, script, models.CALIBRATION), [real], NoLiterature())
    colours = {
        word.strip(",").lstrip("✗ ").rsplit(" ", 1)[0]: colour
        for line in sheet.words(real, said["none"].interpretations[0], ("crack",))
        for word, colour in line
        if word.strip(",")[-1].isdigit()
    }
    assert colours == {
        PARENTS["crack"]: sheet._RIGHT,
        PARENTS["pore"]: sheet._WRONG,
        PARENTS["scratch"]: sheet._OPEN,
        PARENTS["inclusion"]: sheet._WRONG,
    }


def test_the_command_prints_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_primer", lambda folder: NoLiterature())  # slow to open
    folder = folders.some(tmp_path / "real")
    told = ["--model", "scripted", "--real", str(folder), "--no-pictures", "--json"]
    assert command.main([*told, "-o", str(tmp_path / "out")]) == 0
    assert json.loads(capsys.readouterr().out)["micrographs"] == 12


def test_the_command_refuses_a_folder_without_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--model", "scripted", "--real", str(tmp_path), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "BadInput"
