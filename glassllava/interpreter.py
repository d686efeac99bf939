"""The story, told once: prepare an enquiry, let the model reply, conclude.

`interpret` is the three calls in a row; a night makes the same three with batches and overlap.
`prepare` and `conclude` know no model, and none of them knows where literature comes from.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glassllava import __version__, answers, features, rules
from glassllava.interpretation import (
    Decision,
    Disposition,
    Finding,
    Interpretation,
    ModelVerdict,
    Verdict,
)
from glassllava.literature import Literature
from glassllava.measurement import MEASURING_VERSION
from glassllava.measurement.quantities import Measurements, Region
from glassllava.prompt import (
    TEMPLATES_SHA256,
    Budget,
    Enquiry,
    compose,
    level_given,
    literature_query,
)
from glassllava.sample import ContextLevel, Sample, Understanding, understand

if TYPE_CHECKING:
    from glassllava.calibration import Calibration, LevelCalibration
    from glassllava.micrograph.record import Micrograph
    from glassllava.model.backend import Reply, VisionModel

#: Raised whenever preprocessing or wording changes what a model is told: part of `asked`.
PREPARATION_VERSION = "2"

_PASSAGES = 4


@dataclass(frozen=True, slots=True)
class Judging:
    """What a recipe may say about judging, over what the checkpoint and the rules say.

    `dispositions` are the recipe's own rules, by feature key. `confidence` replaces the
    checkpoint's least confidence of a verdict; `present` its thresholds, by feature key.
    """

    expected: tuple[str, ...] = ()
    dispositions: Mapping[str, Disposition] = field(default_factory=dict)
    confidence: float | None = None
    present: Mapping[str, float] = field(default_factory=dict)
    accept_uncalibrated: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "expected": list(self.expected),
            "dispositions": dict(self.dispositions),
            "confidence": self.confidence,
            "present": dict(self.present),
            "accept_uncalibrated": self.accept_uncalibrated,
        }


def interpret(
    micrograph: Micrograph,
    sample: Sample,
    question: str,
    level: ContextLevel,
    *,
    model: VisionModel,
    literature: Literature,
    judging: Judging = Judging(),
    library: str = "",
    want_text: bool = True,
    want_blank: bool = False,
) -> Interpretation:
    """One interpretation of one micrograph. `library` names the generation that was searched."""
    enquiry = prepare(
        micrograph,
        sample,
        question,
        level,
        literature=literature,
        probe_keys=model.probe_keys,
        passage_budget=model.passage_budget,
        want_text=want_text,
        want_blank=want_blank,
    )
    (reply,) = model.reply([enquiry])
    return conclude(enquiry, reply, calibration=model.calibration, judging=judging, library=library)


def prepare(
    micrograph: Micrograph,
    sample: Sample,
    question: str,
    level: ContextLevel,
    *,
    literature: Literature,
    probe_keys: tuple[str, ...],
    passage_budget: Budget,
    measurements: Measurements | None = None,
    want_text: bool = True,
    want_blank: bool = False,
) -> Enquiry:
    """Measure, look up, write the prompt; no model.

    The measurements are taken at every level, since they are evidence for the person; only
    `high` tells them to the model.
    """
    if measurements is None:
        # scikit-image is slow to import: only where something is to be measured.
        from glassllava.measurement import measure

        measurements = measure(micrograph)
    query = literature_query(question, sample, measurements)
    passages = literature.search(query, _PASSAGES) if level == "high" else ()
    understood = understand(sample, level)
    warnings = [*micrograph.warnings]
    if (given := level_given(level, sample)) in ("none", "basic"):
        warnings.append(f"Context '{given}': verdicts without context are unreliable")
    if level == "high" and not passages:
        warnings.append("No evidence found in the literature")
    warnings += [
        f"No context rule knows the {name} '{getattr(sample, name)}'"
        for name in understood.unmapped
        if name in ("material", "process", "product")
    ]
    return compose(
        micrograph,
        sample,
        question,
        level,
        measurements=measurements,
        passages=passages,
        query=query,
        probe_keys=probe_keys,
        passage_budget=passage_budget,
        want_text=want_text,
        want_blank=want_blank,
        warnings=tuple(warnings),
    )


def asked_fingerprint(
    micrograph: Micrograph,
    sample: Sample,
    question: str,
    level: ContextLevel,
    *,
    model: str,
    batch_policy: str,
    library: str,
) -> str:
    """What decides whether the model must run again: everything that goes into its reply."""
    return _sha256(
        {
            "pixels": micrograph.sha256,
            "page": micrograph.page,
            "micrograph": {**micrograph.to_json(), "path": ""},
            "preparation": PREPARATION_VERSION,
            "measuring": MEASURING_VERSION,
            "sample": sample.to_json(),
            "templates": TEMPLATES_SHA256,
            "question": question,
            "level": level,
            "library": library if level == "high" else "",
            "model": model,
            "batch_policy": batch_policy,
        }
    )


def judged_fingerprint(judging: Judging, calibration: Calibration | None) -> str:
    """What decides whether a kept reply must be judged again."""
    return _sha256(
        {
            "rules": rules.VERSION,
            "judging": judging.to_json(),
            "calibration": calibration.sha256 if calibration else None,
        }
    )


def conclude(
    enquiry: Enquiry,
    reply: Reply,
    *,
    calibration: Calibration | None,
    judging: Judging = Judging(),
    library: str = "",
) -> Interpretation:
    """Answers, calibration, rules, verdict; no model. Order: calibrate, threshold, rules."""
    started = time.perf_counter()
    at_level = calibration.for_level(enquiry.level_given, TEMPLATES_SHA256) if calibration else None
    model_verdict, thresholded, threshold = _model_verdict(reply, at_level, judging)
    understood = understand(enquiry.sample, enquiry.level_asked)

    description = answers.check(reply.description, enquiry.passages)
    answer = answers.check(reply.answer, enquiry.passages, also=(enquiry.question,))
    findings: list[Finding] = []
    fired: list[str] = []
    for seen in answers.read_probes(reply, at_level, judging.present):
        disposition, reason, rule_ids = (
            _dispose(seen.feature, enquiry, understood, judging, thresholded)
            if seen.present
            else (None, "", ())
        )
        fired += rule_ids
        findings.append(
            Finding(
                feature=seen.feature,
                present=seen.present,
                probability=seen.probability,
                calibrated=seen.calibrated,
                disposition=disposition,
                reason=reason,
                regions=_regions(seen.feature, enquiry, reply) if seen.present else (),
                measurements=enquiry.measurements.of(seen.feature),
                citations=answers.citations_of(
                    seen.feature, f"{description.text} {answer.text}", enquiry.passages
                ),
            )
        )

    warnings = list(enquiry.warnings)
    if invented := description.invented + answer.invented:
        warnings.append(
            f"{invented} citation{'s' if invented > 1 else ''} of what was not given "
            f"{'were' if invented > 1 else 'was'} dropped"
        )
    if unfounded := description.unfounded + answer.unfounded:
        warnings.append(
            f"{unfounded} quotation{'s' if unfounded > 1 else ''} in no passage that was given: "
            "marked in the text"
        )
    if not model_verdict.calibrated:
        warnings.append("The model's probabilities are not calibrated for this prompt")
    citations = tuple(dict.fromkeys(description.citations + answer.citations))
    model_key = reply.identity.sha256 or reply.identity.reference
    return Interpretation(
        micrograph=enquiry.micrograph.to_json(),
        sample=enquiry.sample,
        context_asked=enquiry.level_asked,
        context_given=enquiry.level_given,
        question=enquiry.question,
        query=enquiry.query,
        passages=enquiry.passages,
        left_out=enquiry.left_out,
        prompt_sha256=enquiry.prompt_sha256,
        reply=reply,
        findings=tuple(findings),
        model_verdict=model_verdict,
        verdict=_verdict(
            findings, model_verdict, thresholded, threshold, understood, judging, tuple(fired)
        ),
        description=description.text,
        answer=answer.text,
        citations=citations,
        warnings=tuple(dict.fromkeys(warnings)),
        asked=asked_fingerprint(
            enquiry.micrograph,
            enquiry.sample,
            enquiry.question,
            enquiry.level_asked,
            model=model_key,
            batch_policy=reply.batch_policy,
            library=library,
        ),
        judged=judged_fingerprint(judging, calibration),
        glassview_version=__version__,
        timing={**reply.timing, "conclude": time.perf_counter() - started},
    )


def _model_verdict(
    reply: Reply, at_level: LevelCalibration | None, judging: Judging
) -> tuple[ModelVerdict, Decision, float | None]:
    """The model's yes or no; the same as a decision that may be undecided; the threshold used."""
    raw = reply.verdict.probability
    if raw is None:
        return ModelVerdict(None, None, calibrated=False), "undecided", judging.confidence
    probability = at_level.verdict(raw) if at_level else raw
    threshold = at_level.confidence if at_level else None
    if judging.confidence is not None:
        threshold = judging.confidence
    verdict = ModelVerdict(probability >= 0.5, probability, calibrated=at_level is not None)
    confident = threshold is None or max(probability, 1 - probability) >= threshold
    decision: Decision = "undecided"
    if confident:
        decision = "defect" if probability >= 0.5 else "no_defect"
    return verdict, decision, threshold


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


def _dispose(
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


def _regions(feature: str, enquiry: Enquiry, reply: Reply) -> tuple[Region, ...]:
    """Where a present feature is: measured where the model points too, then the model's own, then
    what is measured alone (`pointing.joined` holds the rule)."""
    measured = enquiry.measurements.regions_of(feature)
    if feature not in reply.pointed:
        return measured
    # scipy and Pillow are slow to import: only where a model points.
    from glassllava.model.pointing import joined

    return joined(measured, reply.pointed[feature])


def _verdict(
    findings: list[Finding],
    model_verdict: ModelVerdict,
    thresholded: Decision,
    threshold: float | None,
    understood: Understanding,
    judging: Judging,
    fired: tuple[str, ...],
) -> Verdict:
    def verdict(decision: Decision, *reasons: str) -> Verdict:
        return Verdict(
            decision, model_verdict.probability, threshold, reasons, tuple(dict.fromkeys(fired))
        )

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
    return verdict(thresholded, "model: no context rule applies to what it sees")


def _sha256(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
