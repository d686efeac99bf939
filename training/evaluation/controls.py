"""One case under every condition: as it is, and as the controls have it.

    full              the picture, and all that the level tells
    blank             a picture of one grey; measurements and passages are those of the blank
    text_only         a picture of one grey under the original's measurements and passages
    shuffled          the picture of a case of another group under this case's text
    without_expected  as full, of a sample that names nothing as intended

Below the level "high" no measurement and no passage is told, so that blank and text_only are there
the same enquiry, which is asked once. Knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from glassllava import interpreter
from glassllava.measurement.quantities import Measurements
from glassllava.prompt import Budget, Enquiry
from glassllava.sample import ContextLevel
from training.evaluation.cases import without_expected

if TYPE_CHECKING:
    from glassllava.literature import Literature
    from glassllava.micrograph.record import Micrograph
    from training.evaluation.cases import Case
    from training.evaluation.evidence import Evidence

Condition = Literal["full", "blank", "text_only", "shuffled", "without_expected"]
CONDITIONS: tuple[Condition, ...] = ("full", "blank", "text_only", "shuffled", "without_expected")
Slot = tuple[Condition, ContextLevel]
TOGETHER = 8  # cases that are asked in one batch
_SEED = 20261128


def partners(cases: Sequence[Case]) -> dict[str, str]:
    """For each case the id of another whose picture it is shown: of another group if there is one.

    Drawn among the cases that are asked together, so that what was asked holds when more follow.
    Nobody stands for a case that is alone.
    """
    chosen = {}
    for first in range(0, len(cases), TOGETHER):
        rng = np.random.default_rng((_SEED, first))
        block = cases[first : first + TOGETHER]
        for case in block:
            others = [other.id for other in block if other.group != case.group]
            others = others or [other.id for other in block if other.id != case.id]
            if others:
                chosen[case.id] = others[int(rng.integers(len(others)))]
    return chosen


def enquiries(
    case: Case,
    evidence: Evidence,
    other: Micrograph | None,
    *,
    literature: Literature,
    probe_keys: tuple[str, ...],
    passage_budget: Budget,
) -> dict[Slot, Enquiry]:
    """Every enquiry of a case. `other` is the picture it is shuffled with, or None."""
    made: dict[Slot, Enquiry] = {}

    def prepare(
        of: Case, micrograph: Micrograph, level: ContextLevel, measurements: Measurements
    ) -> Enquiry:
        enquiry = interpreter.prepare(
            micrograph,
            of.sample,
            of.question,
            # A conversation's own words tell its context: the product adds none.
            level if of.told is None else "none",
            literature=literature,
            probe_keys=probe_keys,
            passage_budget=passage_budget,
            measurements=measurements,
        )
        return enquiry if of.told is None else _told(enquiry, of.told, level)

    for level in case.levels:
        full = prepare(case, evidence.micrograph, level, evidence.measurements)
        made["full", level] = full
        made["text_only", level] = replace(full, micrograph=evidence.blank)
        made["blank", level] = prepare(case, evidence.blank, level, evidence.blank_measurements)
        if other is not None:
            made["shuffled", level] = replace(full, micrograph=other)
        made["without_expected", level] = full
        if case.sample.expected:
            made["without_expected", level] = prepare(
                without_expected(case), evidence.micrograph, level, evidence.measurements
            )
    return made


def same(enquiry: Enquiry) -> tuple[str, str]:
    """What two enquiries share where a model could not tell them apart."""
    return str(enquiry.micrograph.path), enquiry.prompt_sha256


def _told(enquiry: Enquiry, told: str, level: ContextLevel) -> Enquiry:
    """The enquiry of a conversation: its context before the question, and before the verdict."""
    enquiry = replace(enquiry, level_asked=level, level_given=level)
    if told != enquiry.question:
        return replace(enquiry, prefix=told)
    return replace(enquiry, verdict_text=f"{told}\n{enquiry.verdict_text}")


def deepest(levels: Mapping[ContextLevel, object] | Sequence[ContextLevel]) -> ContextLevel:
    """The last of the levels, which are in order: the one that tells most."""
    return list(levels)[-1]
