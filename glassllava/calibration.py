"""Scores to probabilities, and the confidence under which a verdict stays `undecided`.

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
    verdict at this level is ever decided.
    """

    probes: Mapping[str, Platt]
    verdict: Platt
    present: Mapping[str, float]
    confidence: float


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
        )
    return Calibration(
        levels=levels,
        split_sha256=data["split_sha256"],
        templates_sha256=data["templates_sha256"],
        sha256=sha256,
        notes=data.get("notes", ""),
    )
