"""Calibration files and settings: read strictly, refused in a sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from glassllava.calibration import Calibration, LevelCalibration, Platt, read_calibration, shifted
from glassllava.errors import BadInput, ModelUnavailable
from glassllava.settings import load


def test_a_calibration_comes_back(tmp_path: Path) -> None:
    level = LevelCalibration({"pore": Platt(1.5, -0.2)}, Platt(0.8, 0.1), {"pore": 0.4}, 0.7)
    calibration = Calibration({"high": level}, "split", "templates")
    (tmp_path / "calibration.json").write_text(json.dumps(calibration.to_json()))
    again = read_calibration(tmp_path)
    assert again is not None
    assert again.levels == calibration.levels
    assert again.for_level("high", "templates") == level
    assert again.for_level("high", "changed templates") is None
    assert again.for_level("none", "templates") is None


def test_the_prevalence_comes_back_and_is_one_half_where_nobody_says(tmp_path: Path) -> None:
    told = LevelCalibration({}, Platt(1, 0), {}, 0.7, verdict_prevalence=0.3)
    untold = LevelCalibration({}, Platt(1, 0), {}, 0.7)
    data = Calibration({"high": told, "none": untold}, "split", "templates").to_json()
    assert "verdict_prevalence" not in data["levels"]["none"]
    (tmp_path / "calibration.json").write_text(json.dumps(data))
    again = read_calibration(tmp_path)
    assert again is not None
    assert [again.levels[k].prevalence for k in ("high", "none")] == [0.3, 0.5]


@pytest.mark.parametrize("share", ["1", "0", "-0.1", "NaN", '"half"'])
def test_a_prevalence_that_is_none_is_refused(tmp_path: Path, share: str) -> None:
    level = LevelCalibration({}, Platt(1, 0), {}, 0.7, verdict_prevalence=0.25)
    text = json.dumps(Calibration({"high": level}, "split", "templates").to_json())
    (tmp_path / "calibration.json").write_text(text.replace("0.25", share))
    with pytest.raises(ModelUnavailable, match="calibration"):
        read_calibration(tmp_path)


@pytest.mark.parametrize(
    ("probability", "split", "here", "expected"),
    [
        (0.7, 0.3, 0.3, 0.7),  # as often as there: nothing moves
        (0.5, 0.5, 0.1, 0.1),  # who knows nothing says the prevalence
        (0.3, 0.3, 0.02, 0.02),
        (0.9, 0.5, 0.01, 1 / 12),  # odds 9 / 99
        (0.0, 0.5, 0.9, 0.0),
        (1.0, 0.5, 0.001, 1.0),
    ],
)
def test_the_odds_are_multiplied_by_the_ratio_of_the_prior_odds(
    probability: float, split: float, here: float, expected: float
) -> None:
    assert shifted(probability, split, here) == pytest.approx(expected)


def test_shifting_there_and_back_is_nothing_and_keeps_the_order() -> None:
    values = [shifted(p / 20, 0.4, 0.03) for p in range(21)]
    assert values == sorted(values)
    assert [shifted(v, 0.03, 0.4) for v in values] == pytest.approx([p / 20 for p in range(21)])
    with pytest.raises(ValueError, match="nothing to judge"):
        shifted(0.5, 0.5, 1.0)


def test_a_shift_is_calibrated_where_the_classes_look_the_same() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    # Scores of two normal classes: at 50 % the log odds are the score; drawn at 5 %.
    defect = rng.random(200_000) < 0.05
    score = rng.normal(np.where(defect, 1.0, -1.0), np.sqrt(2))
    p = np.array([shifted(1 / (1 + np.exp(-s)), 0.5, 0.05) for s in score[:40_000]])
    near = (p > 0.2) & (p < 0.4)
    assert defect[:40_000][near].mean() == pytest.approx(p[near].mean(), abs=0.03)


def test_no_file_is_no_calibration(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 2}', '{"schema": 1, "levels": {"a": 1}}'])
def test_a_bad_calibration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(ModelUnavailable, match="calibration"):
        read_calibration(tmp_path)


def test_platt_is_monotonic_and_bounded() -> None:
    platt = Platt(2.0, -1.0)
    values = [platt(raw) for raw in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert values == sorted(values)
    assert all(0 <= value <= 1 for value in values)
    assert Platt(1.0, 0.0)(0.3) == pytest.approx(0.3)


@dataclass(frozen=True)
class ModelSection:
    reference: str = "embedded"
    batch: int = 4
    network: bool = False


def test_variables_go_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "glassview.toml"
    path.write_text('[model]\nreference = "folder"\nbatch = 2\n')
    settings = load(path, {"GLASSVIEW_MODEL__BATCH": "8", "GLASSVIEW_MODEL__NETWORK": "yes"})
    assert settings.section("model", ModelSection) == ModelSection("folder", 8, True)


def test_a_wrong_setting_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "glassview.toml"
    path.write_text('[model]\nrefernce = "x"\n')
    with pytest.raises(BadInput, match="reference"):
        load(path, {}).section("model", ModelSection)


@pytest.mark.parametrize("text", ["model = 3", "[model", '[model]\nbatch = "many"'])
def test_settings_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "glassview.toml"
    path.write_text(text)
    with pytest.raises(BadInput):
        load(path, {}).section("model", ModelSection)


@dataclass(frozen=True, slots=True)
class _Kinds:
    share: float = 0.0
    count: int = 0
    name: str = ""
    is_on: bool = False


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("share = '0.01'", "'0.01' is not a number"),
        ("share = true", "True is not a number"),
        ("count = 2.5", "2.5 is not a whole number"),
        ("count = inf", "inf is not a whole number"),
        ("name = 5", "5 is not a text"),
        ("is_on = 'perhaps'", "'perhaps' is not true or false"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_remedy(
    tmp_path: Path, line: str, words: str
) -> None:
    path = tmp_path / "glassview.toml"
    path.write_text(f"[kinds]\n{line}\n")
    with pytest.raises(BadInput, match=words) as caught:
        load(path, {}).section("kinds", _Kinds)
    assert "glassview.toml [kinds]" in str(caught.value.where)
    assert caught.value.remedy.startswith("Write ")


def test_a_bad_variable_is_named_and_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "glassview.toml"
    path.write_text("[kinds]\ncount = 1\n")
    found = load(path, {"GLASSVIEW_KINDS__SHARE": "0.01"}).section("kinds", _Kinds)
    assert (found.share, found.count) == (0.01, 1)
    with pytest.raises(BadInput, match="'much' is not a whole number") as caught:
        load(path, {"GLASSVIEW_KINDS__COUNT": "much"}).section("kinds", _Kinds)
    assert caught.value.where == "GLASSVIEW_KINDS__COUNT"
    assert caught.value.remedy == "Write a whole number, as 5."


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such settings file"):
        load(tmp_path / "none.toml", {})
