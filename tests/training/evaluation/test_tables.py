"""The card's tables: what `judge_embedded` writes, from arrays of which the result is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from glassllava.features import PARENTS
from glassllava.model.opening import EMBEDDED
from glassllava.sample import LEVELS
from training.evaluation import tables
from training.evaluation.tables import Answers, Truth

KEYS = tuple(PARENTS)


def _made(count: int = 200) -> tuple[dict[str, Answers], Truth]:
    """A model that is right at "high", guesses at "none", and sees nothing on a blank."""
    rng = np.random.default_rng(7)
    labels = (rng.random((count, len(KEYS))) < 0.3).astype(float)
    defect = (rng.random(count) < 0.5).astype(float)
    defect[:20] = np.nan  # it depends
    truth = Truth(labels, defect, KEYS)
    right = np.where(np.nan_to_num(defect) > 0, 0.97, 0.03)
    nothing = np.full(count, 0.1)
    none = np.full_like(labels, 0.1)
    answers = {
        level: Answers(
            np.where(labels > 0, 0.9, 0.1),
            right if level == "high" else rng.random(count),
            nothing,
            none,
        )
        for level in LEVELS
    }
    return answers, truth


def test_a_model_that_is_right_is_said_to_be() -> None:
    answers, truth = _made()
    figures = tables.held_out(answers, truth, tables.calibrate(answers, truth, "split"))
    assert (figures["micrographs"], figures["verdicts"]) == (200, 180)
    high, none = figures["levels"]["high"], figures["levels"]["none"]
    assert high["accuracy"][0] == 1
    assert high["undecided"] == 0
    assert 0.35 < none["accuracy"][0] < 0.65
    assert none["undecided"] == 1  # no threshold bounds the risk of a coin
    assert high["blank"][0] == pytest.approx(figures["majority"]["accuracy"][0], abs=0.2)
    assert figures["macro"]["f1"][0] == 1
    assert (high["decided"], high["risk_bound"]) == (180, pytest.approx(0.0165, abs=1e-4))
    page = tables.as_markdown(figures)
    assert page.startswith("| context | forced choice |")
    assert "none decided" in page


def test_a_calibration_says_how_frequent_defects_were_and_what_it_bounds() -> None:
    answers, truth = _made()
    made = tables.calibrate(answers, truth, "split")
    share = float(np.nanmean(truth.defect))
    assert made.levels["high"].verdict_prevalence == pytest.approx(share, abs=1e-4)
    assert "risk within 0.05 at 0.95 on 180 verdicts" in made.notes
    # 180 answers without an error bound 1.7 %, and no less.
    stricter = tables.calibrate(answers, truth, "split", risk=0.01)
    assert made.levels["high"].confidence < 1 < stricter.levels["high"].confidence


def test_the_card_that_ships_holds_the_tables_of_its_figures() -> None:
    figures = json.loads((EMBEDDED / "evaluation.json").read_text("utf-8"))
    assert tables.as_markdown(figures).strip() in (EMBEDDED / "README.md").read_text("utf-8")
