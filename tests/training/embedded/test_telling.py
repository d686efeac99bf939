"""What the model is taught to say follows from the truth, the rules and the given passages."""

from __future__ import annotations

import numpy as np

from training.embedded import telling


def _record(defect: bool | None, verdict: str, reason: str, passages: list[str]) -> tuple:  # type: ignore[type-arg]
    record = {"present": ["crack", "artefact"], "seed": 1}
    context = {
        "defect": defect,
        "truths": [{"key": "crack_through", "verdict": verdict, "reason": reason}],
        "levels": {
            "none": {"prefix": "", "given": "none", "passages": []},
            "high": {"prefix": "x", "given": "high", "passages": passages},
        },
    }
    return record, context


def test_a_defect_is_told_with_its_reason_and_the_passage_that_names_it() -> None:
    passages = ["Bubbles. Gas in glass.", "Cracks. A crack weakens glass."]
    record, context = _record(True, "defect", "loss of strength or barrier", passages)
    said = telling.describe(record, context, "high", np.random.default_rng(0))
    assert "the crack is a defect: loss of strength or barrier [2]." in said
    assert "artefacts" in said


def test_without_a_passage_that_names_it_nothing_is_cited() -> None:
    record, context = _record(False, "no_defect", "made by the test", ["Bubbles. Gas."])
    assert "[" not in telling.describe(record, context, "high", np.random.default_rng(0))


def test_without_context_no_verdict_is_claimed() -> None:
    record, context = _record(True, "defect", "loss of strength", [])
    for seed in range(20):
        rng = np.random.default_rng(seed)
        said = telling.describe(record, context, "none", rng)
        said += telling.converse(record, context, "none", rng)[1]
        assert "is a defect:" not in said


def test_an_open_verdict_is_told_as_open() -> None:
    record, context = _record(None, "depends", "by size and count; else reject", [])
    said = telling.describe(record, context, "high", np.random.default_rng(0))
    assert "it depends: by size and count." in said
