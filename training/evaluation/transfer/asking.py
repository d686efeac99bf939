"""The product's own answers about the real micrographs: probabilities, what is present, verdicts.

Asked as a person asks (`interpreter.prepare`, the model, `interpreter.conclude`): once with no
context at all, once at the default level by somebody who typed no sample. Knows no label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava import interpreter, scope
from glassllava.literature import Literature
from glassllava.measurement import measure
from glassllava.micrograph import reading
from glassllava.sample import ContextLevel, Sample
from training.bars import bar
from training.evaluation.transfer.pictures import Real

if TYPE_CHECKING:
    from glassllava.interpretation import Interpretation
    from glassllava.model.backend import VisionModel

Array = np.ndarray[Any, Any]

#: What a condition is called, and the level that is asked for.
CONDITIONS: Mapping[str, ContextLevel] = {"none": "none", "no_sample": "high"}
IN_WORDS: Mapping[str, str] = {
    "none": "context none",
    "no_sample": "context high, no sample typed",
}


@dataclass(frozen=True)
class Said:
    """What was said of every micrograph under one condition; probabilities may be unknown (nan)."""

    interpretations: tuple[Interpretation, ...]

    def probability(self, keys: Sequence[str]) -> Array:
        """(N, K), calibrated where the model is."""
        return np.array(
            [[_none_is_nan(_of(i, key).probability) for key in keys] for i in self.interpretations]
        )

    def present(self, keys: Sequence[str]) -> Array:
        """(N, K): what the product calls present, by the shipped thresholds."""
        return np.array([[bool(_of(i, key).present) for key in keys] for i in self.interpretations])


def ask(model: VisionModel, reals: Sequence[Real], literature: Literature) -> dict[str, Said]:
    """By condition, what the product says."""
    made: dict[str, list[Interpretation]] = {name: [] for name in CONDITIONS}
    with bar("asking about real micrographs") as told:
        for number, real in enumerate(reals, start=1):
            frame = reading.grey(real.micrograph)
            measured = measure(real.micrograph, frame)
            for name, level in CONDITIONS.items():
                enquiry = interpreter.prepare(
                    real.micrograph,
                    Sample(),
                    "",
                    level,
                    literature=literature,
                    probe_keys=model.probe_keys,
                    passage_budget=model.passage_budget,
                    measurements=measured,
                    looked=scope.look(real.micrograph, Sample(), level, frame),
                    want_text=False,
                )
                (reply,) = model.reply([enquiry])
                made[name].append(
                    interpreter.conclude(enquiry, reply, calibration=model.calibration)
                )
            told(number, len(reals))
    return {name: Said(tuple(each)) for name, each in made.items()}


def verdicts(said: Said, reals: Sequence[Real]) -> dict[str, Any]:
    """How many are decided, how, and how that fits what the rater would say of a dense glass."""
    decisions = [i.verdict.decision for i in said.interpretations]
    counts = {name: decisions.count(name) for name in ("defect", "no_defect", "undecided")}
    judged = [
        (decision == "defect") == real.dense_defect
        for decision, real in zip(decisions, reals, strict=True)
        if decision != "undecided" and real.dense_defect is not None
    ]
    forced = [
        i.model_verdict.defect == real.dense_defect
        for i, real in zip(said.interpretations, reals, strict=True)
        if i.model_verdict.defect is not None and real.dense_defect is not None
    ]
    return {
        **counts,
        "coverage": round(1 - counts["undecided"] / max(len(decisions), 1), 4),
        "decided_as_in_a_dense_glass": [sum(judged), len(judged)],
        "forced_as_in_a_dense_glass": [sum(forced), len(forced)],
        "defect_in_a_dense_glass": [
            sum(r.dense_defect is True for r in reals),
            sum(r.dense_defect is not None for r in reals),
        ],
    }


def _of(interpretation: Interpretation, key: str) -> Any:
    return next(finding for finding in interpretation.findings if finding.feature == key)


def _none_is_nan(value: float | None) -> float:
    return float("nan") if value is None else value
