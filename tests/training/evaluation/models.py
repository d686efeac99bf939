"""Models of which it is known beforehand what an evaluation must say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from glassllava import features
from glassllava.calibration import Calibration, LevelCalibration, Platt
from glassllava.errors import ModelUnavailable
from glassllava.model.backend import ModelIdentity, Probe, Reply
from glassllava.model.scripted import Script, ScriptedModel
from glassllava.prompt import TEMPLATES_SHA256, Budget, Enquiry
from glassllava.sample import LEVELS
from training.evaluation.cases import Case

_SAME = {key: Platt(1, 0) for key in features.PARENTS}
#: Probabilities as they come; a verdict is decided from 0.8 on.
CALIBRATION = Calibration(
    {
        level: LevelCalibration(_SAME, Platt(1, 0), dict.fromkeys(_SAME, 0.5), 0.8)
        for level in LEVELS
    },
    split_sha256="none",
    templates_sha256=TEMPLATES_SHA256,
    sha256="same",
)


def named(name: str, **more: object) -> ModelIdentity:
    return replace(ScriptedModel().identity, reference=name, name=name, **more)  # type: ignore[arg-type]


def perfect(cases: Sequence[Case], name: str = "perfect") -> ScriptedModel:
    """Knows every picture of `cases` by its file name; of a blank it sees nothing."""
    scripts = {
        case.image.name: Script(
            probes=dict.fromkeys(case.present or (), 0.99),
            verdict={"defect": 0.95, "no_defect": 0.05}.get(case.truth or "", 0.5),
            description=said(case),
            answer=said(case),
        )
        for case in cases
    }
    nothing = Script({"clean": 0.99}, 0.05, "Featureless. This is no defect.", "No defect.")
    return ScriptedModel(scripts, nothing, CALIBRATION, identity=named(name))


def said(case: Case) -> str:
    there = "; ".join(features.name_of(parent) for parent in case.present or ())
    verdict = {"defect": "It is a defect.", "no_defect": "It is no defect."}
    return f"There is: {there}. {verdict.get(case.truth or '', 'It depends on the sample.')}"


def everything() -> ScriptedModel:
    """Says that all is there, and both verdicts."""
    words = f"There is: {'; '.join(features.PARENTS.values())}. It is a defect. It is no defect."
    script = Script(dict.fromkeys(features.PARENTS, 0.99), 0.99, words, words)
    return ScriptedModel({}, script, CALIBRATION, identity=named("everything"))


@dataclass
class Told:
    """Answers by the enquiry, with a function; counts what it was asked, and may fail once."""

    answer: Callable[[Enquiry, int], tuple[float | None, str]]
    identity: ModelIdentity
    fails_after: int | None = None
    asked: list[str] = field(default_factory=list)
    calibration: Calibration | None = CALIBRATION
    probe_keys: tuple[str, ...] = tuple(features.PARENTS)
    passage_budget: Budget = field(default_factory=lambda: Budget(4000))
    batch_policy: str = "as told"

    def reply(self, enquiries: Sequence[Enquiry]) -> list[Reply]:
        replies = []
        for enquiry in enquiries:
            if self.fails_after is not None and len(self.asked) >= self.fails_after:
                raise ModelUnavailable("The model went away", retry=True)
            self.asked.append(enquiry.prompt_sha256)
            p, words = self.answer(enquiry, len(enquiries))
            probe = Probe(None, None) if p is None else Probe(p, 1 - p)
            replies.append(
                Reply(
                    probes=dict.fromkeys(self.probe_keys, probe),
                    verdict=probe,
                    description=words,
                    answer=words,
                    identity=self.identity,
                    batch_policy=self.batch_policy,
                    seed=None,
                )
            )
        return replies


def by_text_alone(enquiry: Enquiry, _: int) -> tuple[float, str]:
    """Looks at no picture: a coin thrown by the hash of the words."""
    p = int(hashlib.sha256(enquiry.prompt_sha256.encode()).hexdigest()[:4], 16) / 0xFFFF
    return p, "It is a defect." if p >= 0.5 else "It is no defect."


def without_probabilities(enquiry: Enquiry, _: int) -> tuple[None, str]:
    return None, by_text_alone(enquiry, _)[1]


def near_one_half(_: Enquiry, together: int) -> tuple[float, str]:
    """Flips with the batch: below one half alone, above it in company."""
    return (0.499, "It is no defect.") if together == 1 else (0.501, "It is a defect.")
