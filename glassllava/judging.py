"""Judging: what a recipe may say of it, what a present feature means, and the verdict with reasons.

Order: the model's probability at the prevalence, its threshold, the rules; over all of them whether
the picture is in scope, the material a glass and the model calibrated. Knows no model and no words
of a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from glassllava import features, rules
from glassllava.calibration import shifted
from glassllava.interpretation import (
    Decision,
    Disposition,
    Finding,
    ModelVerdict,
    OverBlank,
    Verdict,
)

if TYPE_CHECKING:
    from glassllava.calibration import LevelCalibration
    from glassllava.model.backend import Reply
    from glassllava.prompt import Enquiry
    from glassllava.sample import Understanding
    from glassllava.scope import Scope


@dataclass(frozen=True, slots=True)
class Judging:
    """What a recipe may say about judging, over what the checkpoint and the rules say.

    `dispositions` are the recipe's own rules, by feature key. `confidence` replaces the
    checkpoint's least confidence of a verdict; `present` its thresholds, by feature key.
    `prevalence` is the share of defects among what is judged (between 0 and 1): a calibrated
    probability of the verdict is moved to it from the calibration's.
    """

    expected: tuple[str, ...] = ()
    dispositions: Mapping[str, Disposition] = field(default_factory=dict)
    confidence: float | None = None
    present: Mapping[str, float] = field(default_factory=dict)
    accept_uncalibrated: bool = False
    prevalence: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "expected": list(self.expected),
            "dispositions": dict(self.dispositions),
            "confidence": self.confidence,
            "present": dict(self.present),
            "accept_uncalibrated": self.accept_uncalibrated,
            "prevalence": self.prevalence,
        }


#: What is judged by where nobody says anything.
AS_SHIPPED = Judging()


def by_model(
    reply: Reply, at_level: LevelCalibration | None, judging: Judging
) -> tuple[ModelVerdict, Verdict]:
    """The model's yes or no, before anything; and the verdict as far as it is the model's: at the
    recipe's prevalence, undecided under the threshold, without a reason."""
    raw = reply.verdict.probability
    if raw is None:
        nothing = Verdict("undecided", None, judging.confidence, ())
        return ModelVerdict(None, None, calibrated=False), nothing
    probability = own = at_level.verdict(raw) if at_level else raw
    if at_level and judging.prevalence is not None:
        probability = shifted(own, at_level.prevalence, judging.prevalence)
    threshold = at_level.confidence if at_level else None
    if judging.confidence is not None:
        threshold = judging.confidence
    verdict = ModelVerdict(own >= 0.5, own, calibrated=at_level is not None)
    confident = threshold is None or max(probability, 1 - probability) >= threshold
    decision: Decision = "undecided"
    if confident:
        decision = "defect" if probability >= 0.5 else "no_defect"
    return verdict, Verdict(decision, probability, threshold, ())


def prevalence_in_words(
    model_verdict: ModelVerdict,
    probability: float | None,
    at_level: LevelCalibration | None,
    judging: Judging,
) -> str:
    """What the recipe's prevalence did to the probability of a defect; "" where it says none."""
    if judging.prevalence is None or model_verdict.probability is None or probability is None:
        return ""
    share = f"The recipe's prevalence of defects, {100 * judging.prevalence:.3g} %,"
    if at_level is None:
        return f"{share} moved nothing: the model's probabilities are not calibrated"
    split = f"{100 * at_level.prevalence:.3g} %"
    if at_level.verdict_prevalence is None:
        split += ", assumed since the checkpoint does not say it"
    return (
        f"{share} moved the probability of a defect from {model_verdict.probability:.3f} to "
        f"{probability:.3f}; it was calibrated at {split}, and the bound on the risk holds there"
    )


def over_blank(
    reply: Reply, at_level: LevelCalibration | None, model_verdict: ModelVerdict
) -> OverBlank | None:
    """The verdict's probability beside that of a blank picture, where one was asked about."""
    raw = reply.blank_verdict.probability if reply.blank_verdict else None
    if raw is None or model_verdict.probability is None:
        return None
    return OverBlank(model_verdict.probability, at_level.verdict(raw) if at_level else raw)


_FROM_RULE: Mapping[str, Disposition] = {
    "defect": "defect",
    "no_defect": "intended",
    "depends": "unclear",
}
_HARMLESS = ("particle", "clean")
_FROM_MODEL: Mapping[Decision, Disposition] = {
    "defect": "defect",
    "no_defect": "harmless",
    "undecided": "unclear",
}


def dispose(
    feature: str,
    enquiry: Enquiry,
    understood: Understanding,
    judging: Judging,
    thresholded: Decision,
) -> tuple[Disposition, str, tuple[str, ...]]:
    """What a present feature is for this sample, why, and which rules fired."""
    parent = features.parent_of(feature)
    if features.is_artefact(feature):
        return "artefact", "rule R83: acquisition or preparation flag", ("R83",)
    if feature in judging.dispositions or parent in judging.dispositions:
        own = judging.dispositions.get(feature) or judging.dispositions[parent]
        return own, "recipe: its own rule for this feature", ()
    told = enquiry.sample.expected if enquiry.level_asked in ("moderate", "high") else ()
    for who, expected in (("sample", told), ("recipe", judging.expected)):
        if feature in expected or parent in {features.parent_of(key) for key in expected}:
            return "intended", f"{who}: expected here", ()
    ruling = rules.judge(feature, understood.tokens)
    if ruling is not None:
        disposition = _FROM_RULE[ruling.verdict]
        if disposition == "intended" and parent in _HARMLESS:
            disposition = "harmless"
        return disposition, f"rule {', '.join(ruling.rules)}: {ruling.reason}", ruling.rules
    return _FROM_MODEL[thresholded], "model: no rule knows this feature for this sample", ()


def conclusion(
    findings: list[Finding],
    model_verdict: ModelVerdict,
    models: Verdict,
    fired: tuple[str, ...],
    looked: Scope,
    understood: Understanding,
    judging: Judging,
) -> Verdict:
    """`models`, the verdict that is the model's, as
    scope, sample, calibration and findings leave it; `fired` are the rules that spoke."""

    def verdict(decision: Decision, *reasons: str) -> Verdict:
        return replace(models, decision=decision, reasons=reasons, rules=fired)

    if looked.sure:
        return verdict("undecided", *looked.reasons)
    if understood.not_glass:
        return verdict(
            "undecided", f"The material names '{understood.not_glass}', which is not a glass"
        )
    if not model_verdict.calibrated and not judging.accept_uncalibrated:
        return verdict("undecided", "The model is not calibrated for this prompt")
    present = [finding for finding in findings if finding.present]
    for disposition, decision in (("defect", "defect"), ("unclear", "undecided")):
        named = [f for f in present if f.disposition == disposition]
        if named:
            return verdict(
                decision,  # type: ignore[arg-type]  # the pairs above
                *(f"{features.name_of(f.feature)}: {f.reason}" for f in named),
            )
    if present and any(not f.reason.startswith("model") for f in present):
        return verdict(
            "no_defect", *(f"{features.name_of(f.feature)}: {f.reason}" for f in present)
        )
    return verdict(models.decision, "model: no context rule applies to what it sees")
