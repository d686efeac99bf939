"""The story, told once: prepare an enquiry, let the model reply, conclude.

`interpret` is the three calls in a row; a night makes the same three with batches and overlap.
`prepare` and `conclude` know no model, and none of them knows where literature comes from.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from glassllava import __version__, answers, rules, scope
from glassllava.interpretation import Finding, Interpretation
from glassllava.judging import (
    AS_SHIPPED,
    Judging,
    by_model,
    conclusion,
    dispose,
    over_blank,
    prevalence_in_words,
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
from glassllava.sample import MOST_CHARACTERS, ContextLevel, Sample, understand
from glassllava.scope import IN_SCOPE, Scope

if TYPE_CHECKING:
    from glassllava.calibration import Calibration
    from glassllava.micrograph.record import Micrograph
    from glassllava.model.backend import Reply, VisionModel

__all__ = [
    "Judging",
    "asked_fingerprint",
    "conclude",
    "interpret",
    "judged_fingerprint",
    "prepare",
]

#: Raised whenever preprocessing or wording changes what a model is told: part of `asked`.
PREPARATION_VERSION = "2"

_PASSAGES = 4


def interpret(
    micrograph: Micrograph,
    sample: Sample,
    question: str,
    level: ContextLevel,
    *,
    model: VisionModel,
    literature: Literature,
    judging: Judging = AS_SHIPPED,
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
    looked: Scope | None = None,
    want_text: bool = True,
    want_blank: bool = False,
) -> Enquiry:
    """Measure, look up, write the prompt; no model.

    The measurements are taken at every level, since they are evidence for the person; only
    `high` tells them to the model. Who brings `measurements` has the pixels, and brings what
    `scope.look` says of them too, or judges what is in scope for sure (synthetic micrographs).
    """
    sample, cut = _held(sample)
    if measurements is None:
        # scikit-image is slow to import: only where something is to be measured.
        from glassllava.measurement import measure
        from glassllava.micrograph.reading import grey

        frame = grey(micrograph)
        measurements = measure(micrograph, frame)
        looked = looked or scope.look(micrograph, sample, level, frame)
    query = literature_query(question, sample, measurements)
    passages = literature.search(query, _PASSAGES) if level == "high" else ()
    understood = understand(sample, level)
    warnings = [*micrograph.warnings, *cut]
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
        scope=looked or IN_SCOPE,
    )


def _held(sample: Sample) -> tuple[Sample, tuple[str, ...]]:
    """The sample as a record can hold it, and what was cut: no reader takes longer words, and no
    file half a character."""
    kept: dict[str, Any] = {}
    warnings = []
    for field in fields(sample):
        told = getattr(sample, field.name)
        if not isinstance(told, str):
            continue
        whole = told.encode("utf-8", "replace").decode()
        if len(whole) > MOST_CHARACTERS:
            warnings.append(
                f"The sample's {field.name} is {len(whole):,} characters long: the first "
                f"{MOST_CHARACTERS:,} are used"
            )
        if whole[:MOST_CHARACTERS] != told:
            kept[field.name] = whole[:MOST_CHARACTERS]
    return replace(sample, **kept) if kept else sample, tuple(warnings)


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
            "scope": scope.VERSION,
            "judging": judging.to_json(),
            "calibration": calibration.sha256 if calibration else None,
        }
    )


def conclude(
    enquiry: Enquiry,
    reply: Reply,
    *,
    calibration: Calibration | None,
    judging: Judging = AS_SHIPPED,
    library: str = "",
) -> Interpretation:
    """Answers, calibration, rules, verdict; no model. Order: calibrate, threshold, rules."""
    started = time.perf_counter()
    at_level = calibration.for_level(enquiry.level_given, TEMPLATES_SHA256) if calibration else None
    model_verdict, models = by_model(reply, at_level, judging)
    understood = understand(enquiry.sample, enquiry.level_asked)

    description = answers.check(reply.description, enquiry.passages)
    answer = answers.check(reply.answer, enquiry.passages, also=(enquiry.question,))
    findings: list[Finding] = []
    fired: list[str] = []
    for seen in answers.read_probes(reply, at_level, judging.present):
        disposition, reason, rule_ids = (
            dispose(seen.feature, enquiry, understood, judging, models.decision)
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

    warnings = [*enquiry.warnings, *enquiry.scope.warnings]
    if told := prevalence_in_words(model_verdict, models.probability, at_level, judging):
        warnings.append(told)
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
        verdict=conclusion(
            findings,
            model_verdict,
            models,
            tuple(dict.fromkeys(fired)),
            enquiry.scope,
            understood,
            judging,
        ),
        over_blank=over_blank(reply, at_level, model_verdict),
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


def _regions(feature: str, enquiry: Enquiry, reply: Reply) -> tuple[Region, ...]:
    """Where a present feature is: measured where the model points too, then the model's own, then
    what is measured alone (`pointing.joined` holds the rule)."""
    measured = enquiry.measurements.regions_of(feature)
    if feature not in reply.pointed:
        return measured
    # scipy and Pillow are slow to import: only where a model points.
    from glassllava.model.pointing import joined

    return joined(measured, reply.pointed[feature])


def _sha256(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
