"""Figures of the verdict against counts by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassllava.literature import Passage
from glassllava.sample import Sample
from training.evaluation import texts, verdicts
from training.evaluation.asking import Said
from training.evaluation.cases import Case
from training.evaluation.grading import Row


def _row(
    number: int,
    truth: str,
    p: float | None,
    *,
    decided: bool = True,
    answer: str = "",
    passages: tuple[Passage, ...] = (),
) -> Row:
    case = Case(
        id=str(number),
        group=f"g{number % 3}",
        image=Path("x.tif"),
        sample=Sample(),
        question="What is on it, and is it a defect?",
        kind="simple",
        reference="There is a crack.",
        present=("crack",),
        truth=truth,  # type: ignore[arg-type]
    )
    said = Said(p, True, decided, "undecided", {}, (), "", answer, "", answer, "", passages)
    return Row(case, "full", "high", said)


def test_counts_by_hand() -> None:
    # Of 4 defects 3 found, of 6 without 5 cleared; two abstained, and stay in the count.
    rows = [_row(i, "defect", p, decided=i > 0) for i, p in enumerate((0.9, 0.8, 0.5, 0.4))]
    rows += [
        _row(10 + i, "no_defect", p, decided=i > 0)
        for i, p in enumerate((0.1, 0.2, 0.3, 0.1, 0.0, 0.7))
    ]
    rows += [_row(20, "depends", 0.9, decided=True), _row(21, "depends", 0.5, decided=False)]
    figures = verdicts.figures(rows)
    assert figures["cases"] == 10
    assert figures["accuracy"][0] == 0.8
    assert figures["sensitivity"][0] == 0.75
    assert figures["specificity"][0] == pytest.approx(5 / 6, abs=1e-4)
    assert figures["coverage"][0] == 0.8
    assert figures["risk_decided"][0] == 0.25  # 2 of the 8 decided
    assert (figures["depends"]["cases"], figures["depends"]["undecided"][0]) == (2, 0.5)
    positive = figures["predictive_values"]["0.5"]["defect"][0]
    assert positive == pytest.approx(0.75 / (0.75 + 1 / 6), abs=1e-4)


def test_a_probability_that_did_not_come_is_no_way_out() -> None:
    rows = [_row(0, "defect", 0.9), _row(1, "defect", None), _row(2, "no_defect", 0.1)]
    figures = verdicts.figures(rows)
    assert figures["accuracy"][0] == pytest.approx(2 / 3, abs=1e-4)
    assert (figures["cases"], figures["told"]) == (3, 2)
    assert verdicts.gain(rows, [_row(i, "defect", None) for i in range(3)]) is None


def test_one_kind_of_truth_alone_has_no_other_share() -> None:
    figures = verdicts.figures([_row(i, "defect", 0.9) for i in range(3)])
    assert figures["specificity"] == [None, 0.0, 1.0]
    assert verdicts.figures([])["accuracy"] is None


def test_citing_is_counted_by_hand() -> None:
    crack = Passage("p:1", "A crack weakens glass.", "Strength")
    pore = Passage("p:2", "Pores make foam light.", "Foam")
    rows = [
        _row(0, "defect", 0.9, answer="There is a crack [1].", passages=(crack, pore)),
        _row(1, "defect", 0.9, answer="There is a crack [2].", passages=(crack, pore)),
        _row(2, "defect", 0.9, answer="There is a crack [7].", passages=(crack,)),
        _row(3, "defect", 0.9, answer="There is a crack.", passages=(pore,)),
        _row(4, "defect", 0.9, answer="There is a crack."),
    ]
    cited = texts.citations(rows)
    assert cited is not None
    # Made: [1] right, [2] on pores wrong, [7] invented. A passage on cracks was given to three.
    assert (cited["made"], cited["invented"]) == (3, 1)
    assert cited["precision"][0] == pytest.approx(1 / 3, abs=1e-4)
    assert (cited["could_cite"], cited["recall"][0]) == (3, pytest.approx(1 / 3, abs=1e-4))
    assert texts.citations(rows[4:]) is None
