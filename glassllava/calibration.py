"""Scores to probabilities, and the confidence under which a verdict stays `undecided`.

A probability holds where defects are as frequent as on the split it was fitted on; `shifted` moves
it to where they are not.

A checkpoint's `calibration.json` was fitted on a split of its own, for one set of prompt
templates; where either does not match, nothing is calibrated. How it was fitted is not known here
(`training/evaluation`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glassllava.errors import ModelUnavailable

_LARGEST_FILE = 1 << 20
#: Where a calibration does not say how frequent defects were on its split.
DEFAULT_PREVALENCE = 0.5


@dataclass(frozen=True, slots=True)
class Platt:
    """p = 1 / (1 + exp(-(slope · logit(raw) + offset))) (Platt 1999, on the logit)."""

    slope: float
    offset: float

    def __call__(self, raw: float) -> float:
        clipped = min(max(raw, 1e-6), 1 - 1e-6)
        score = self.slope * math.log(clipped / (1 - clipped)) + self.offset
        return 1 / (1 + math.exp(-max(min(score, 60.0), -60.0)))


@dataclass(frozen=True, slots=True)
class LevelCalibration:
    """The calibration for one context level.

    `present` holds, by probe key, the probability from which a feature counts as present.
    `confidence` is the least max(p, 1 - p) of a verdict that is not `undecided`; above 1 no
    verdict at this level is ever decided. `verdict_prevalence` is the share of defects among the
    verdicts it was fitted on, None where the file does not say.
    """

    probes: Mapping[str, Platt]
    verdict: Platt
    present: Mapping[str, float]
    confidence: float
    verdict_prevalence: float | None = None

    @property
    def prevalence(self) -> float:
        """The share of defects that the probabilities are of; one half where nobody says."""
        told = self.verdict_prevalence
        return DEFAULT_PREVALENCE if told is None else told


def shifted(probability: float, calibrated_at: float, prevalence: float) -> float:
    """The probability of a defect where `prevalence` of what comes is one.

    By Bayes: the odds are multiplied by the ratio of the prior odds (Saerens, Latinne and
    Decaestecker 2002, Neural Computation 14, 21). It takes for granted that a defect looks the
    same at either prevalence, only more or less often.

    Raises
    ------
    ValueError : for a share that is not between 0 and 1, of which nothing could be learnt.
    """
    for share in (calibrated_at, prevalence):
        if not 0 < share < 1:
            raise ValueError(f"a prevalence of {share} leaves nothing to judge")
    defect = probability * prevalence * (1 - calibrated_at)
    none = (1 - probability) * (1 - prevalence) * calibrated_at
    # Shares so small that both products vanish leave the probability where it was.
    return defect / (defect + none) if defect + none > 0 else probability


@dataclass(frozen=True, slots=True)
class Calibration:
    """A checkpoint's calibration, with what it was fitted on."""

    levels: Mapping[str, LevelCalibration]
    split_sha256: str
    templates_sha256: str
    sha256: str = ""
    notes: str = field(default="", compare=False)

    def for_level(self, level: str, templates_sha256: str) -> LevelCalibration | None:
        """The calibration that holds for prompts of these templates at `level`, or None."""
        if templates_sha256 != self.templates_sha256:
            return None
        return self.levels.get(level)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "split_sha256": self.split_sha256,
            "templates_sha256": self.templates_sha256,
            "notes": self.notes,
            "levels": {
                name: {
                    "method": "platt",
                    "probes": {k: [p.slope, p.offset] for k, p in level.probes.items()},
                    "verdict": [level.verdict.slope, level.verdict.offset],
                    "present": dict(level.present),
                    "confidence": level.confidence,
                    # Named only where it is known: files that were written before keep their text.
                    **(
                        {}
                        if level.verdict_prevalence is None
                        else {"verdict_prevalence": level.verdict_prevalence}
                    ),
                }
                for name, level in self.levels.items()
            },
        }


def read_calibration(folder: Path) -> Calibration | None:
    """The calibration in a checkpoint folder, or None where it has none.

    Raises
    ------
    ModelUnavailable : for a calibration.json that is there but cannot be used.
    """
    path = folder / "calibration.json"
    if not path.exists():
        return None
    try:
        raw = path.read_bytes()
        if len(raw) > _LARGEST_FILE:
            raise ValueError("larger than 1 MB")
        return _from_json(json.loads(raw), hashlib.sha256(raw).hexdigest())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(
            f"The calibration cannot be used ({error})",
            where=path,
            remedy="Remove it to work uncalibrated, or fetch or make the checkpoint again.",
        ) from error


def _from_json(data: Mapping[str, Any], sha256: str) -> Calibration:
    if data["schema"] != 1:
        raise ValueError(f"schema {data['schema']} is not 1")
    levels = {}
    for name, level in data["levels"].items():
        if level["method"] != "platt":
            raise ValueError(f"method {level['method']!r} is not 'platt'")
        levels[name] = LevelCalibration(
            probes={key: Platt(*map(float, pair)) for key, pair in level["probes"].items()},
            verdict=Platt(*map(float, level["verdict"])),
            present={key: float(value) for key, value in level["present"].items()},
            confidence=float(level["confidence"]),
            verdict_prevalence=_share(level.get("verdict_prevalence")),
        )
    return Calibration(
        levels=levels,
        split_sha256=data["split_sha256"],
        templates_sha256=data["templates_sha256"],
        sha256=sha256,
        notes=data.get("notes", ""),
    )


def _share(told: Any) -> float | None:
    if told is None:
        return None
    if not 0 < float(told) < 1:
        raise ValueError(f"verdict_prevalence {told} is not between 0 and 1")
    return float(told)
