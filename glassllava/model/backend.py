"""What the product asks of a vision-language model, whatever runs it.

A backend turns enquiries into replies. It knows no calibration, no rule and no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from glassllava.measurement.quantities import Region

if TYPE_CHECKING:
    from glassllava.calibration import Calibration
    from glassllava.prompt import Budget, Enquiry


@dataclass(frozen=True, slots=True)
class Probe:
    """The raw mass that the model put on yes and on no, or None where a server does not tell."""

    yes: float | None
    no: float | None

    @property
    def probability(self) -> float | None:
        """yes / (yes + no), or None."""
        if self.yes is None or self.no is None or self.yes + self.no <= 0:
            return None
        return self.yes / (self.yes + self.no)


@dataclass(frozen=True, slots=True)
class Pointed:
    """Where the model sees a feature, in pixels of the stored page.

    `peak` (x, y) is the middle of the cell of its map that is most certain, `certainty` the
    map's probability there (which is not the probe's), `cell` the cell's side. `regions` may be
    empty: the map then says that the feature is nowhere.
    """

    peak: tuple[float, float]
    certainty: float
    cell: float
    regions: tuple[Region, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "regions": [region.to_json() for region in self.regions]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Pointed:
        x, y = data["peak"]
        return cls(
            peak=(x, y),
            certainty=data["certainty"],
            cell=data["cell"],
            regions=tuple(Region.from_json(region) for region in data["regions"]),
        )


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answered: all that a record and a report must say of it."""

    reference: str
    name: str
    sha256: str | None
    backend: str
    version: str
    licence: str
    materials: str  # the materials it was made for, in words
    trained_on_synthetic: bool | None  # None: nobody says
    host: str | None = None  # who saw the micrographs, if not this machine alone


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said of one enquiry; `pointed` by probe key, empty where it cannot point."""

    probes: Mapping[str, Probe]
    verdict: Probe
    description: str
    answer: str
    identity: ModelIdentity
    batch_policy: str
    seed: int | None
    blank_probes: Mapping[str, Probe] | None = None
    blank_verdict: Probe | None = None
    timing: Mapping[str, float] = field(default_factory=dict, compare=False)
    pointed: Mapping[str, Pointed] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The `reply` object of the interpretation record."""
        return {
            "description": self.description,
            "answer": self.answer,
            "probes": {key: asdict(probe) for key, probe in self.probes.items()},
            "verdict": asdict(self.verdict),
            "blank_probes": (
                {key: asdict(probe) for key, probe in self.blank_probes.items()}
                if self.blank_probes is not None
                else None
            ),
            "blank_verdict": asdict(self.blank_verdict) if self.blank_verdict else None,
            "model": asdict(self.identity),
            "batch_policy": self.batch_policy,
            "seed": self.seed,
            # Named only where there are some: records that were kept before keep their hash.
            **(
                {"pointed": {key: each.to_json() for key, each in self.pointed.items()}}
                if self.pointed
                else {}
            ),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reply:
        blank, blank_verdict = data.get("blank_probes"), data.get("blank_verdict")
        return cls(
            probes={key: Probe(**probe) for key, probe in data["probes"].items()},
            verdict=Probe(**data["verdict"]),
            description=data["description"],
            answer=data["answer"],
            identity=ModelIdentity(**data["model"]),
            batch_policy=data["batch_policy"],
            seed=data["seed"],
            blank_probes={k: Probe(**p) for k, p in blank.items()} if blank is not None else None,
            blank_verdict=Probe(**blank_verdict) if blank_verdict else None,
            pointed={k: Pointed.from_json(p) for k, p in data.get("pointed", {}).items()},
        )


class VisionModel(Protocol):
    """Anything that answers enquiries."""

    @property
    def identity(self) -> ModelIdentity: ...

    @property
    def probe_keys(self) -> tuple[str, ...]:
        """The features it is asked about, in order."""
        ...

    @property
    def passage_budget(self) -> Budget:
        """How much literature its prompt has room for."""
        ...

    @property
    def batch_policy(self) -> str:
        """How replies are batched: batch size can flip answers near the threshold."""
        ...

    @property
    def calibration(self) -> Calibration | None: ...

    def reply(self, enquiries: Sequence[Enquiry]) -> list[Reply]:
        """One reply an enquiry, in order.

        Raises
        ------
        ModelUnavailable : where the model does not answer.
        UnreadableMicrograph : where the pixels cannot be read again.
        """
        ...
