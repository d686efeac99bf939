"""The offline scorer: grades known by hand, and nothing to be gained by saying everything."""

from __future__ import annotations

from typing import Any

import pytest

from glassllava.features import PARENTS
from glassllava.literature import Passage
from training.evaluation import offline
from training.evaluation.synthetic import QUESTIONS

REFERENCE = "On the micrograph there is: crack; particle. For this sample there is a defect: weak."
BOTH = QUESTIONS["complex"][0]
EVERYTHING = (
    "On the micrograph there is: "
    + "; ".join(PARENTS.values())
    + ". It is a defect. It is no defect. It depends on the sample."
)
PASSAGE = Passage("p:1", "Cracks of 40 µm weaken glass.", "Weakness")


def _quality(answer: str, **more: Any) -> float:
    told: dict[str, Any] = {
        "question": BOTH,
        "reference": REFERENCE,
        "present": ("crack", "particle"),
        "truth": "defect",
        "prompt": "Material: float glass.",
        "passages": (),
    }
    return offline.quality(answer, **{**told, **more})


def test_the_reference_itself_has_all() -> None:
    assert _quality(REFERENCE) == 100


def test_half_of_what_was_asked_is_half() -> None:
    # Features right, verdict wrong: (1 + 0) / 2.
    assert _quality("There is a crack and a particle. It is no defect.") == 50


def test_one_of_two_features_by_hand() -> None:
    # F1 is 2·1/(1 + 2) = 2/3; of everything 2·2/(16 + 2) = 2/9; moved (2/3 - 2/9)/(1 - 2/9) = 4/7.
    assert offline.moved_f1({"crack"}, {"crack", "particle"}) == pytest.approx(4 / 7)
    assert _quality("A crack. It is a defect.") == pytest.approx(100 * (4 / 7 + 1) / 2)


def test_saying_everything_gives_nothing() -> None:
    assert offline.moved_f1(PARENTS, {"crack", "particle"}) == 0
    assert _quality(EVERYTHING) == 0
    assert offline.identification(EVERYTHING, ("crack",)) == 1
    # Nor does saying nearly everything do better than naming one feature that is there.
    most = "There is: " + "; ".join(n for k, n in PARENTS.items() if k != "fibre") + "."
    assert _quality(most) < _quality("There is a crack.")
    # To say both of a feature is to say nothing of it.
    both = "There is a crack. There is no crack. There is a particle."
    assert _quality(both) == _quality("There is a particle.")


def test_silence_and_hedging_give_nothing() -> None:
    for words in ("", "   ", "I cannot tell.", "It depends on the sample."):
        assert _quality(words) == 0


def test_what_nothing_supports_takes_its_share() -> None:
    right = "There is a crack and a particle. It is a defect"
    assert _quality(f"{right}.") == 100
    assert _quality(f"{right}, 40 µm long.") == 0  # the only number is made up
    assert _quality(f"{right}, 40 µm long.", prompt="Measured: length 40 µm.") == 100
    assert _quality(f"{right} [1].", passages=(PASSAGE,)) == 100
    assert _quality(f"{right} [7].", passages=(PASSAGE,)) == 0
    # One citation of two holds.
    assert _quality(f"{right} [1] [7].", passages=(PASSAGE,)) == 50
    # Digits of a formula are no number.
    assert _quality(f"{right} in SiO2.") == 100


def test_where_the_reference_names_nothing_its_words_count() -> None:
    more = {"question": "How was it made?", "reference": "Drawn from a melt at great speed."}
    assert _quality("Drawn from a melt at great speed.", **more) == 100
    assert _quality("Baked slowly.", **more) == 0
    # Everything at once, again and again, is no good answer.
    flood = "drawn melt great speed " * 50 + " ".join(f"word{chr(97 + i)}" for i in range(26))
    assert _quality(flood, **more) < 50


@pytest.mark.parametrize(
    ("description", "grade"),
    [
        ("A crack and a particle.", 4),
        ("A crack.", 3),
        ("A crack, a particle and a pore.", 3),
        ("A crack and a pore.", 2),
        ("A pore.", 1),
        ("", 1),
        ("A crack, pores, crystals and a scratch.", 1),
    ],
)
def test_identification_counts(description: str, grade: int) -> None:
    assert offline.identification(description, ("crack", "particle")) == grade
