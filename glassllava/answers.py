"""From a reply to what it says: probabilities by feature, and the citations that are real.

A citation counts only if its passage was in the prompt; an invented one is dropped from the text
and counted. The reply's raw text stays in the record. Knows no rule and no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glassllava import features
from glassllava.calibration import LevelCalibration
from glassllava.literature import Citation, Passage
from glassllava.model.backend import Probe, Reply

_MARK = re.compile(r"\s?\[(\d{1,3})\]")
_SENTENCE = re.compile(r"[^.!?]+[.!?]?(?:\s*\[\d{1,3}\])*")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the model thinks of one feature."""

    feature: str
    probability: float | None
    present: bool | None
    calibrated: bool


def read_probes(
    reply: Reply, calibration: LevelCalibration | None, present: Mapping[str, float]
) -> tuple[Seen, ...]:
    """Every probe as a probability, and whether the feature counts as present.

    `present` are thresholds by feature key that stand above the calibration's own.

    `clean` means that nothing else is there but artefacts and loose particles, so that it stands
    only where no other feature does.
    """
    seen = [_seen(key, probe, calibration, present) for key, probe in reply.probes.items()]
    others = {"clean", "artefact", "particle"}
    if any(s.present for s in seen if s.feature not in others):
        seen = [
            Seen(s.feature, s.probability, False, s.calibrated)
            if s.feature == "clean" and s.present
            else s
            for s in seen
        ]
    return tuple(seen)


def _seen(
    key: str, probe: Probe, calibration: LevelCalibration | None, present: Mapping[str, float]
) -> Seen:
    raw = probe.probability
    if raw is None:
        return Seen(key, None, None, calibrated=False)
    if calibration is None or key not in calibration.probes:
        return Seen(key, raw, raw >= present.get(key, 0.5), calibrated=False)
    probability = calibration.probes[key](raw)
    threshold = present.get(key, calibration.present.get(key, 0.5))
    return Seen(key, probability, probability >= threshold, calibrated=True)


@dataclass(frozen=True, slots=True)
class Cited:
    """A text whose citations are all real, and what was dropped from it."""

    text: str
    citations: tuple[Citation, ...]
    invented: int


def check_citations(text: str, passages: Sequence[Passage]) -> Cited:
    """`text` without the citations of passages that were not given."""
    invented = 0

    def keep(match: re.Match[str]) -> str:
        nonlocal invented
        if 1 <= int(match[1]) <= len(passages):
            return match[0]
        invented += 1
        return ""

    kept = _MARK.sub(keep, text)
    return Cited(kept, cited_in(kept, passages), invented)


def cited_in(text: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The citations that `text` makes, in order, each once."""
    numbers = dict.fromkeys(int(match[1]) for match in _MARK.finditer(text))
    return tuple(
        Citation(number, passages[number - 1].id, passages[number - 1].locator)
        for number in numbers
        if 1 <= number <= len(passages)
    )


def citations_of(feature: str, text: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The citations in those sentences of `text` that name the feature."""
    names = [features.name_of(feature), feature.replace("_", " ")]
    names += [features.name_of(child) for child in features.children(feature)]
    words = re.compile(
        "|".join(rf"\b{re.escape(w)}" for n in names for w in re.split(r", | or ", n)),
        re.IGNORECASE,
    )
    sentences = [s for s in _SENTENCE.findall(text) if words.search(s)]
    return cited_in(" ".join(sentences), passages)
