"""What the model is taught to say follows from the truth, the rules and the given passages."""

from __future__ import annotations

import re

import numpy as np
import pytest

from training.embedded import questions, telling

RNG = np.random.default_rng


def _record(defect: bool | None, verdict: str, reason: str, passages: list[str]) -> tuple:  # type: ignore[type-arg]
    record = {"present": ["crack", "artefact"], "seed": 1}
    context = {
        "defect": defect,
        "truths": [{"key": "crack_through", "verdict": verdict, "reason": reason}],
        "levels": {
            "none": {"prefix": "", "given": "none", "passages": []},
            "basic": {"prefix": "Material: x.", "given": "basic", "passages": []},
            "high": {"prefix": "x", "given": "high", "passages": passages},
        },
    }
    return record, context


def test_a_defect_is_told_with_its_reason_and_the_passage_that_names_it() -> None:
    passages = ["Bubbles. Gas in glass.", "Cracks. A crack weakens glass."]
    record, context = _record(True, "defect", "loss of strength or barrier", passages)
    said = telling.describe(record, context, "high", RNG(0))
    assert "the crack is a defect: loss of strength or barrier [2]." in said
    assert "artefacts" in said


def test_without_a_passage_that_names_it_nothing_is_cited() -> None:
    record, context = _record(False, "no_defect", "made by the test", ["Bubbles. Gas."])
    assert "[" not in telling.describe(record, context, "high", RNG(0))


def test_without_context_no_verdict_is_claimed() -> None:
    record, context = _record(True, "defect", "loss of strength", [])
    for topic in ("all", *questions.ASKED):
        said = telling.answer(topic, record, context, "none", RNG(0))
        assert "is a defect:" not in said
        assert not said.startswith(("Yes", "No:", "No."))


def test_an_open_verdict_is_told_as_open() -> None:
    record, context = _record(None, "depends", "by size and count; else reject", [])
    said = telling.describe(record, context, "high", RNG(0))
    assert "it depends: by size and count." in said


@pytest.mark.parametrize(
    ("defect", "verdict", "opening"),
    [(True, "defect", "Yes."), (False, "no_defect", "No."), (None, "depends", "It is open.")],
)
def test_every_sentence_about_the_defect_agrees_with_the_verdict(
    defect: bool | None, verdict: str, opening: str
) -> None:
    record, context = _record(defect, verdict, "so the rules say", [])
    wanted = {True: "is a defect:", False: "is no defect:", None: "it depends:"}[defect]
    for level in ("basic", "high"):
        for topic in ("all", "whether", "why"):
            said = telling.answer(topic, record, context, level, RNG(1))
            assert wanted in said
            assert sum(w in said for w in ("is a defect:", "is no defect:", "it depends:")) == 1
        assert telling.answer("whether", record, context, level, RNG(1)).startswith(opening)
    # The reason may lie in what the material does not tell.
    assert "so the rules say" not in telling.answer("why", record, context, "basic", RNG(1))


def test_a_mixed_field_names_what_makes_it_a_defect() -> None:
    record, context = _record(True, "defect", "loss of strength", [])
    context["truths"] += [
        {"key": "dust_particle", "verdict": "no_defect", "reason": "hygiene"},
        {"key": "pit", "verdict": "defect", "reason": "storage damage"},
    ]
    said = telling.answer("whether", record, context, "high", RNG(0))
    assert said == "Yes. For this sample the crack is a defect: loss of strength. " + (
        "So is the corrosion."
    )


def test_places_are_told_by_thirds_and_not_invented() -> None:
    record, context = _record(True, "defect", "x", [])
    assert "regions" in telling.answer("where", record, context, "high", RNG(0))
    for centre, said in (
        ([0.1, 0.1], "at the top left"),
        ([0.5, 0.9], "at the bottom"),
        ([0.9, 0.5], "at the right"),
        ([0.5, 0.5], "in the centre"),
    ):
        placed = {**record, "centres": {"crack": centre, "artefact": [0.9, 0.9]}}
        assert telling.answer("where", placed, context, "high", RNG(0)).startswith(
            f"The crack {said}."
        )


def test_amounts_are_words_and_never_figures() -> None:
    record, context = _record(True, "defect", "x", [])
    context["levels"]["high"]["prefix"] = "Measured: pore count 12; pore area fraction 3 %."
    for count, word in ((1, "One"), (4, "A few"), (40, "Many"), (None, "I do not count")):
        counted = {**record, "truths": [{"parent": "crack", "count": count}]}
        said = telling.answer("many", counted, context, "high", RNG(0))
        assert said.startswith(word)
        assert "measurements list" in said
        assert not re.search(r"\d", said)
    context["levels"]["high"]["prefix"] = "Microscope: SE, no scale."
    assert "no scale" in telling.answer("large", record, context, "high", RNG(0))
    clean = {"present": ["clean"]}
    assert "nothing to count" in telling.answer("many", clean, context, "high", RNG(0))


@pytest.mark.parametrize("topic", questions.UNANSWERABLE)
def test_what_a_micrograph_does_not_tell_is_said_with_what_would(topic: str) -> None:
    record, context = _record(True, "defect", "x", [])
    for seed in range(6):
        said = telling.answer(topic, record, context, "high", RNG(seed))
        assert re.search(r"needed|would tell|optical microscope", said)
        assert "defect" not in said


def test_the_next_check_is_about_the_defect_and_asks_for_what_is_untold() -> None:
    record, context = _record(True, "defect", "x", [])
    record = {**record, "present": ["crack", "inclusion"]}
    context["truths"] = [
        {"key": "crack_through", "verdict": "no_defect", "reason": "x"},
        {"key": "stone_azs", "verdict": "defect", "reason": "x"},
    ]
    assert "EDS" in telling.answer("next", record, context, "high", RNG(0))
    said = telling.answer("next", record, context, "none", RNG(0))
    assert "tilt" in said
    assert "material" in said


def test_trust_names_the_artefact() -> None:
    record, context = _record(True, "defect", "x", [])
    record = {**record, "artefacts": ["art_defocus"]}
    assert "defocus" in telling.answer("trust", record, context, "high", RNG(0))
    assert "no sign" in telling.answer("trust", {"present": ["crack"]}, context, "high", RNG(0))


def test_people_ask_in_hundreds_of_ways_and_instructions_change_no_answer() -> None:
    record, context = _record(True, "defect", "loss of strength", [])
    asked: dict[str, str] = {}
    told = 0
    for seed in range(6000):
        question, said = telling.converse(record, context, "high", RNG(seed))
        asked[question] = said
        if any(instruction in question for instruction in questions.INSTRUCTIONS):
            told += 1
            assert not re.search(r"\bOK\b|no defect|poem|in Ordnung|conforme|\[9\]", said)
    assert len(asked) > 600
    assert 150 < told < 600
    assert any("Ist das ein Fehler" in question for question in asked)
    assert all(said.isascii() for said in asked.values())  # English, whatever was asked
    assert max(len(said) for said in asked.values()) < 320


def test_a_topic_that_nobody_is_taught_is_an_error() -> None:
    record, context = _record(True, "defect", "x", [])
    with pytest.raises(ValueError, match="weather"):
        telling.answer("weather", record, context, "high", RNG(0))
    assert set(questions.ELSEWHERE) < set(questions.ASKED) == set(questions._ODDS)
