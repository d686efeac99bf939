"""The record: what was asked, what was answered, what that means; immutable, to and from JSON.

Knows how the record is written and hashed; nothing of how it came about (`interpreter`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from glassllava.literature import Citation, LeftOut, Passage
from glassllava.measurement.quantities import Measurement, Region
from glassllava.model.backend import Reply
from glassllava.sample import ContextLevel, Sample

SCHEMA = 1

Disposition = Literal["defect", "intended", "artefact", "harmless", "unclear"]
Decision = Literal["defect", "no_defect", "undecided"]

#: The words a person reads for a decision.
DECISION_WORDS: Mapping[str, str] = {
    "defect": "Defect",
    "no_defect": "No defect",
    "undecided": "Undecided",
}

#: What every report and every answer on a screen says.
DISCLAIMER = "Not for safety-critical or regulatory decisions without review by an expert."


@dataclass(frozen=True, slots=True)
class Finding:
    """One feature that the model was asked about, with its evidence.

    `present` is None where the probability is unknown. `disposition` is None for what is not
    present; its `reason` begins with who said so: model, sample, recipe or rule.
    """

    feature: str
    present: bool | None
    probability: float | None
    calibrated: bool
    disposition: Disposition | None = None
    reason: str = ""
    regions: tuple[Region, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    citations: tuple[Citation, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "regions": [region.to_json() for region in self.regions]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        return cls(
            **{
                **data,
                "regions": tuple(Region.from_json(r) for r in data["regions"]),
                "measurements": tuple(Measurement.from_json(m) for m in data["measurements"]),
                "citations": tuple(Citation(**c) for c in data["citations"]),
            }
        )


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """The model's own yes or no to "is there a defect", before any rule."""

    defect: bool | None
    probability: float | None
    calibrated: bool


@dataclass(frozen=True, slots=True)
class OverBlank:
    """What the picture added: the probability of a defect with it, and with a blank one.

    Both are the model's, before any rule and any prevalence, with the same words.
    """

    probability: float
    blank: float

    @property
    def difference(self) -> float:
        return self.probability - self.blank

    @property
    def in_words(self) -> str:
        return f"{self.difference:+.2f} over a blank picture, which gives {self.blank:.2f}"

    def to_json(self) -> dict[str, float]:
        return {**asdict(self), "difference": self.difference}

    @classmethod
    def from_json(cls, data: Mapping[str, float]) -> OverBlank:
        return cls(data["probability"], data["blank"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the record concludes.

    `probability` is the model's, that there is a defect, at the recipe's prevalence if any;
    `threshold` the confidence max(p, 1 - p) it had to reach; `rules` the context rules that changed
    or confirmed it.
    """

    decision: Decision
    probability: float | None
    threshold: float | None
    reasons: tuple[str, ...]
    rules: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        return cls(**{**data, "reasons": tuple(data["reasons"]), "rules": tuple(data["rules"])})


@dataclass(frozen=True, slots=True)
class Interpretation:
    """The whole record of one micrograph, one sample, one question and one reply.

    `micrograph` is the object that `Micrograph.to_json` writes, so that a record can be read
    where the file is not. `asked` and `judged` are the fingerprints of what the model was asked
    and of what its reply was judged by. `left_out` are passages that were found and did not fit
    into the prompt.
    """

    micrograph: Mapping[str, Any]
    sample: Sample
    context_asked: ContextLevel
    context_given: ContextLevel
    question: str
    query: str
    passages: tuple[Passage, ...]
    prompt_sha256: str
    reply: Reply
    findings: tuple[Finding, ...]
    model_verdict: ModelVerdict
    verdict: Verdict
    description: str
    answer: str
    citations: tuple[Citation, ...]
    warnings: tuple[str, ...]
    asked: str
    judged: str
    glassview_version: str
    timing: Mapping[str, float] = field(default_factory=dict, compare=False)
    left_out: tuple[LeftOut, ...] = ()
    over_blank: OverBlank | None = None

    @property
    def given_in_words(self) -> str:
        """'1 of 4 passages was given to the model'; empty where all were."""
        if not self.left_out:
            return ""
        given = len(self.passages)
        verb = "was" if given == 1 else "were"
        return f"{given} of {given + len(self.left_out)} passages {verb} given to the model"

    @property
    def present(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.present)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "micrograph": dict(self.micrograph),
            "sample": self.sample.to_json(),
            "context_asked": self.context_asked,
            "context_given": self.context_given,
            "question": self.question,
            "query": self.query,
            "passages": [passage.to_json() for passage in self.passages],
            # Named only where there are some: records that were kept before keep their hash.
            **({"left_out": [asdict(each) for each in self.left_out]} if self.left_out else {}),
            "prompt_sha256": self.prompt_sha256,
            "reply": self.reply.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
            "model_verdict": asdict(self.model_verdict),
            "verdict": asdict(self.verdict),
            # As above: only where a blank picture was asked about.
            **({"over_blank": self.over_blank.to_json()} if self.over_blank else {}),
            "description": self.description,
            "answer": self.answer,
            "citations": [asdict(citation) for citation in self.citations],
            "warnings": list(self.warnings),
            "asked": self.asked,
            "judged": self.judged,
            "glassview_version": self.glassview_version,
            "timing": dict(self.timing),
        }

    def sha256(self) -> str:
        """The hash of the record without its timing."""
        data = self.to_json()
        del data["timing"]
        text = json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Interpretation:
        """The record again.

        Raises
        ------
        ValueError : for a schema that this version does not read.
        """
        if data.get("schema") != SCHEMA:
            raise ValueError(f"record schema {data.get('schema')!r} is not {SCHEMA}")
        return cls(
            micrograph=data["micrograph"],
            sample=Sample.from_mapping(data["sample"], where="record"),
            context_asked=data["context_asked"],
            context_given=data["context_given"],
            question=data["question"],
            query=data["query"],
            passages=tuple(Passage.from_json(p) for p in data["passages"]),
            left_out=tuple(LeftOut(**each) for each in data.get("left_out", ())),
            over_blank=OverBlank.from_json(blank) if (blank := data.get("over_blank")) else None,
            prompt_sha256=data["prompt_sha256"],
            reply=Reply.from_json(data["reply"]),
            findings=tuple(Finding.from_json(f) for f in data["findings"]),
            model_verdict=ModelVerdict(**data["model_verdict"]),
            verdict=Verdict.from_json(data["verdict"]),
            description=data["description"],
            answer=data["answer"],
            citations=tuple(Citation(**c) for c in data["citations"]),
            warnings=tuple(data["warnings"]),
            asked=data["asked"],
            judged=data["judged"],
            glassview_version=data["glassview_version"],
            timing=data.get("timing", {}),
        )
