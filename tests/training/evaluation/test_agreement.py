"""Agreement with people: the sheet goes out blind, comes back checked, and kappa is counted."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from glassllava.errors import BadInput
from glassllava.sample import Sample
from training.evaluation import agreement, grading
from training.evaluation.asking import Answered, Said
from training.evaluation.cases import Case


def _said(answer: str) -> Said:
    return Said(0.9, True, True, "defect", {}, (), answer, answer, answer, answer, "", ())


def _rows() -> list[grading.Row]:
    answers = {
        "crack": "There is a crack. It is a defect.",
        "pore": "=HYPERLINK(1) There is a pore. It is no defect.",
        "particle": "There is a particle, and a crack. It is a defect.",
        "fibre": "There is a crystal.",
    }
    answered = []
    for parent, answer in answers.items():
        case = Case(
            id=parent,
            group=parent,
            image=Path("x.tif"),
            sample=Sample(material="float"),
            question="What is on it, and is it a defect?",
            kind="complex",
            reference=f"There is a {parent}. It is a defect.",
            present=(parent,),
            truth="defect",
        )
        answered.append(Answered(case, {("full", "high"): _said(answer)}, None))
    return grading.rows_of(answered)


def _filled(folder: Path, **changes: Any) -> Path:
    """The sheet with the offline scorer's own grades, as a person would fill it in."""
    rows = _rows()
    sheet = folder / "to_grade.csv"
    assert agreement.write_sheet(sheet, rows) == 4
    by_item = {agreement.item_of(row): row for row in rows}
    with sheet.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        grade = by_item[line["item"]].grades["offline"]
        line |= {"quality": str(round(grade.quality or 0)), "features": str(grade.features)}
        line |= {"verdict": "", "who": "E. Expert", **changes}
    with sheet.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return sheet


def test_the_sheet_is_blind_and_runs_nothing(tmp_path: Path) -> None:
    agreement.write_sheet(tmp_path / "s.csv", _rows())
    text = (tmp_path / "s.csv").read_text("utf-8")
    assert "full" not in text
    assert "high" not in text
    with (tmp_path / "s.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]


def test_a_person_who_grades_as_the_scorer_agrees_wholly(tmp_path: Path) -> None:
    rows = _rows()
    raters = {
        **agreement.judges_of(rows, ["offline"]),
        **agreement.read_sheet(_filled(tmp_path)),
    }
    (pair,) = agreement.figures(raters, {agreement.item_of(r): r.case.group for r in rows})
    assert pair["raters"] == ["offline", "E. Expert"]
    assert pair["features_weighted"]["kappa"][0] == 1
    assert pair["features"]["items"] == 4
    assert pair["quality_weighted"]["agree"] == 1
    assert pair["verdict"] is None  # nobody filled it in


def test_a_person_who_says_one_thing_of_all_agrees_by_chance_alone(tmp_path: Path) -> None:
    rows = _rows()
    raters = {
        **agreement.judges_of(rows, ["offline"]),
        **agreement.read_sheet(_filled(tmp_path, features="2", verdict="defect")),
    }
    (pair,) = agreement.figures(raters, {agreement.item_of(r): r.case.group for r in rows})
    assert pair["features"]["kappa"][0] == 0
    assert pair["verdict"]["kappa"][0] == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"features": "5"}, "features"),
        ({"quality": "999"}, "quality"),
        ({"quality": "good"}, "quality"),
        ({"verdict": "maybe"}, "verdict"),
        ({"who": ""}, "who gave it"),
    ],
)
def test_a_grade_beyond_its_scale_names_its_line(
    tmp_path: Path, changes: dict[str, str], named: str
) -> None:
    sheet = _filled(tmp_path, **changes)
    with pytest.raises(BadInput, match=named) as error:
        agreement.read_sheet(sheet)
    assert "line 2" in error.value.where


def test_a_sheet_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        agreement.read_sheet(tmp_path / "none.csv")
