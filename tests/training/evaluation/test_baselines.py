"""Baselines that do not look, on words of which it is known what they give away."""

from __future__ import annotations

from pathlib import Path

from glassllava.sample import LEVELS, Sample
from training.evaluation import baselines
from training.evaluation.baselines import Text
from training.evaluation.cases import Case

#: Foam cells in foam are the product, bubbles in optical glass a defect: the material tells.
FOAM = Text(Sample(material="foam glass", id="A-1"), None, ("foam_cell",), "no_defect")
LENS = Text(Sample(material="optical glass", id="B-2"), None, ("bubble",), "defect")
TEXTS = [FOAM] * 12 + [LENS] * 18


def _case(text: Text, number: int, **sample: object) -> Case:
    return Case(
        id=str(number),
        group="any",
        image=Path("x.tif"),
        sample=Sample(material=text.sample.material, **sample),  # type: ignore[arg-type]
        question="",
        kind="simple",
        reference="",
        present=None,
        truth=text.truth,
    )


CASES = [_case(FOAM, i) for i in range(5)] + [_case(LENS, 10 + i) for i in range(5)]


def test_words_that_tell_all_are_found_out() -> None:
    told, right = baselines.figures(CASES, TEXTS)
    assert told["training_texts"] == 30
    for level in LEVELS:
        assert told["majority"][level][0] == 0.5  # it says "defect", as most training cases are
    assert told["text"]["none"][0] == told["rules"]["none"][0] == 0.5  # no word is told
    for level in ("basic", "moderate", "high"):
        assert told["text"][level][0] == 1
        assert told["rules"][level][0] == 1
        assert all(right["text", level].values())


def test_what_is_expected_clears_only_where_it_is_told() -> None:
    cases = [_case(LENS, i, expected=("bubble",)) for i in range(3)]
    told, _ = baselines.figures(cases, TEXTS)
    # The truth of these cases says defect all the same: the rules, once told, are wrong.
    assert told["rules"]["basic"][0] == 1
    assert told["rules"]["moderate"][0] == 0


def test_a_samples_number_is_no_word() -> None:
    assert "A-1" not in baselines.words_of(FOAM.sample, None, "high")
    assert "material=foam" in baselines.words_of(FOAM.sample, None, "basic")
    assert baselines.words_of(FOAM.sample, None, "none") == ""


def test_too_few_to_learn_from_are_told() -> None:
    told, right = baselines.figures(CASES, TEXTS[:5])
    assert "why_not" in told
    assert not right


def test_training_samples_are_of_the_training_seeds_and_kept(tmp_path: Path) -> None:
    first = baselines.synthetic_texts(2, tmp_path, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "text-1000000.json",
        "text-1000001.json",
    ]
    assert baselines.synthetic_texts(2, tmp_path, 1) == first
    assert all(text.keys and text.truth for text in first)
