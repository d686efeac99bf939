"""A model that follows a script: the one fake, at the one seam, shipped in the product.

For tests, demonstrations of the interface and the development of recipes. Its replies are what
the script says; its identity says that it is a script, and every record and report repeats that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glassllava import features
from glassllava.calibration import Calibration
from glassllava.errors import ModelUnavailable
from glassllava.model.backend import ModelIdentity, Pointed, Probe, Reply
from glassllava.prompt import Budget, Enquiry

_IDENTITY = ModelIdentity(
    reference="scripted",
    name="script, not a model",
    sha256=None,
    backend="scripted",
    version="1",
    licence="Apache-2.0",
    materials="none: it does not look",
    trained_on_synthetic=False,
)
_ROOM = Budget(4000)


@dataclass(frozen=True, slots=True)
class Script:
    """What to say of one micrograph: probabilities by probe key; the rest is unlikely.

    `pointed` says where, by probe key; nowhere by default, as of a model that cannot point.
    """

    probes: Mapping[str, float] = field(default_factory=dict)
    verdict: float = 0.5
    description: str = "No script was written for this micrograph."
    answer: str = ""
    pointed: Mapping[str, Pointed] = field(default_factory=dict)


@dataclass(frozen=True)
class ScriptedModel:
    """Answers by file name; a name without a script gets `otherwise`, or fails if that is None."""

    scripts: Mapping[str, Script] = field(default_factory=dict)
    otherwise: Script | None = field(default_factory=Script)
    calibration: Calibration | None = None
    probe_keys: tuple[str, ...] = tuple(features.PARENTS)
    passage_budget: Budget = _ROOM
    batch_policy: str = "one by one"
    identity: ModelIdentity = _IDENTITY

    def reply(self, enquiries: Sequence[Enquiry]) -> list[Reply]:
        return [self._one(enquiry) for enquiry in enquiries]

    def _one(self, enquiry: Enquiry) -> Reply:
        script = self.scripts.get(enquiry.micrograph.path.name, self.otherwise)
        if script is None:
            raise ModelUnavailable(
                "The script has no reply for this micrograph", where=enquiry.micrograph.path
            )
        return Reply(
            probes={key: _probe(script.probes.get(key, 0.01)) for key, _ in enquiry.probes},
            verdict=_probe(script.verdict),
            description=script.description if enquiry.want_text else "",
            answer=script.answer if enquiry.want_text else "",
            identity=self.identity,
            batch_policy=self.batch_policy,
            seed=None,
            blank_probes=(
                {key: _probe(0.5) for key, _ in enquiry.probes} if enquiry.want_blank else None
            ),
            blank_verdict=_probe(0.5) if enquiry.want_blank else None,
            pointed=script.pointed,
        )


def _probe(probability: float) -> Probe:
    return Probe(yes=probability, no=1 - probability)
