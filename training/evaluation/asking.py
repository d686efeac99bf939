"""Asks any model every enquiry of every case, and keeps what it said on disk, case by case.

The replies go through `interpreter.conclude`, so that a figure is about what the product would
say. Cases are asked eight together, as a night does, and once more alone: batch size flips answers
near the threshold (LLaVA#1928). A run that was cut goes on where it stopped, in the same groups of
eight, so that it ends as an uncut one would.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava import interpreter
from glassllava.literature import Passage
from glassllava.measurement import MEASURING_VERSION
from glassllava.prompt import TEMPLATES_SHA256
from glassllava.sample import ContextLevel
from training.evaluation import controls
from training.evaluation.controls import CONDITIONS, TOGETHER, Slot
from training.whole import write_whole

if TYPE_CHECKING:
    from glassllava.interpretation import Interpretation
    from glassllava.literature import Literature
    from glassllava.model.backend import Reply, VisionModel
    from glassllava.prompt import Enquiry
    from training.evaluation.cases import Case
    from training.evaluation.evidence import Evidence

_VERSION = 1  # raised whenever what is kept, or how it is asked, changes


@dataclass(frozen=True, slots=True)
class Said:
    """What was concluded from one reply.

    `probability` is of `model_verdict`, before any rule, and None where the model tells none;
    `decision` is the record's verdict after the rules. `decided` tells whether the probability
    reached the checkpoint's least confidence: never where nothing is calibrated.
    """

    probability: float | None
    calibrated: bool
    decided: bool
    decision: str
    probes: Mapping[str, float | None]
    present: tuple[str, ...]
    description: str
    answer: str
    raw_description: str
    raw_answer: str
    prompt: str
    passages: tuple[Passage, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"passages": [passage.to_json() for passage in self.passages]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Said:
        return cls(
            **{
                **data,
                "present": tuple(data["present"]),
                "passages": tuple(Passage.from_json(p) for p in data["passages"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """A case and what was said of it; `alone` is the full enquiry at the deepest level, unbatched
    (None where a server batches as it likes)."""

    case: Case
    said: Mapping[Slot, Said]
    alone: Said | None


def ask_all(
    model: VisionModel,
    cases: Sequence[Case],
    evidence: Mapping[str, Evidence],
    literature: Literature,
    folder: Path,
) -> list[Answered]:
    """What `model` says of every case, from `folder` where that was kept.

    Raises
    ------
    ModelUnavailable : where it does not answer; the same call goes on from there.
    RunUnavailable : where an answer cannot be written down.
    """
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    shown = controls.partners(cases)
    done: list[Answered] = []
    with tqdm(total=len(cases), desc="asked", unit="case", disable=None) as bar:
        for first in range(0, len(cases), TOGETHER):
            chosen = cases[first : first + TOGETHER]
            paths = [folder / f"{first + i:06d}.json" for i in range(len(chosen))]
            keys = [_fingerprint(model, case, shown.get(case.id, "")) for case in chosen]
            kept = [
                _read(path, case, key) for path, case, key in zip(paths, chosen, keys, strict=True)
            ]
            if any(one is None for one in kept):
                fresh = _ask(model, chosen, evidence, shown, literature)
                for path, one, key in zip(paths, fresh, keys, strict=True):
                    _write(path, one, key)
                kept = list(fresh)
            done += [one for one in kept if one is not None]
            bar.update(len(chosen))
    return done


def _ask(
    model: VisionModel,
    cases: Sequence[Case],
    evidence: Mapping[str, Evidence],
    shown: Mapping[str, str],
    literature: Literature,
) -> list[Answered]:
    all_enquiries = []
    for case in cases:
        other = shown.get(case.id)
        all_enquiries.append(
            controls.enquiries(
                case,
                evidence[case.id],
                evidence[other].micrograph if other else None,
                literature=literature,
                probe_keys=model.probe_keys,
                passage_budget=model.passage_budget,
            )
        )
    concluded: dict[tuple[str, str], Said] = {}
    said: list[dict[Slot, Said]] = [{} for _ in cases]
    for condition in CONDITIONS:
        for level in dict.fromkeys(level for case in cases for level in case.levels):
            slot: Slot = (condition, level)
            rows = [i for i, of in enumerate(all_enquiries) if slot in of]
            new = {
                controls.same(e): (e, cases[i].told is None)
                for i in rows
                if controls.same(e := all_enquiries[i][slot]) not in concluded
            }
            replies = model.reply([enquiry for enquiry, _ in new.values()]) if new else []
            for (key, (enquiry, ours)), reply in zip(new.items(), replies, strict=True):
                concluded[key] = _conclude(model, enquiry, reply, ours)
            for i in rows:
                said[i][slot] = concluded[controls.same(all_enquiries[i][slot])]
    alone: list[Said | None] = [None] * len(cases)
    if model.identity.host is None:
        for i, case in enumerate(cases):
            enquiry = all_enquiries[i]["full", controls.deepest(case.levels)]
            (reply,) = model.reply([enquiry])
            alone[i] = _conclude(model, enquiry, reply, case.told is None)
    return [Answered(*parts) for parts in zip(cases, said, alone, strict=True)]


def _conclude(model: VisionModel, enquiry: Enquiry, reply: Reply, ours: bool) -> Said:
    """`ours`: the product's own prompts; for the words of a conversation nothing is calibrated."""
    record: Interpretation = interpreter.conclude(
        enquiry, reply, calibration=model.calibration if ours else None
    )
    verdict, threshold = record.model_verdict, record.verdict.threshold
    p = verdict.probability
    decided = verdict.calibrated and p is not None
    if decided and threshold is not None and p is not None:
        decided = max(p, 1 - p) >= threshold
    return Said(
        probability=p,
        calibrated=verdict.calibrated,
        decided=decided,
        decision=record.verdict.decision,
        probes={finding.feature: finding.probability for finding in record.findings},
        present=tuple(f.feature for f in record.findings if f.present),
        description=record.description,
        answer=record.answer,
        raw_description=reply.description,
        raw_answer=reply.answer,
        prompt=f"{enquiry.prefix}\n{enquiry.verdict_text}",
        passages=record.passages,
    )


def _fingerprint(model: VisionModel, case: Case, other: str) -> str:
    """All that decides what the model says of a case, and what is concluded from it."""
    identity = model.identity
    words = {
        "version": _VERSION,
        "model": identity.sha256 or identity.reference,
        "calibration": model.calibration.sha256 if model.calibration else None,
        "batch": model.batch_policy,
        "templates": TEMPLATES_SHA256,
        "preparation": interpreter.PREPARATION_VERSION,
        "measuring": MEASURING_VERSION,
        "case": case.to_json() | {"image": [case.image.name, case.image.stat().st_size]},
        "shuffled with": other,
    }
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()


def _write(path: Path, answered: Answered, key: str) -> None:
    data = {
        "key": key,
        "said": {"/".join(slot): said.to_json() for slot, said in answered.said.items()},
        "alone": answered.alone.to_json() if answered.alone else None,
    }
    write_whole(path, json.dumps(data, ensure_ascii=False) + "\n")


def _read(path: Path, case: Case, key: str) -> Answered | None:
    """What is kept of this very case, or None where it is not there, torn, or of another asking."""
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["key"] != key:
            return None
        said = {_slot(name): Said.from_json(each) for name, each in data["said"].items()}
        alone = Said.from_json(data["alone"]) if data["alone"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Answered(case, said, alone)


def _slot(name: str) -> Slot:
    condition, _, level = name.partition("/")
    known: dict[str, controls.Condition] = {c: c for c in CONDITIONS}
    levels: dict[str, ContextLevel] = {"none": "none", "basic": "basic", "moderate": "moderate"}
    return known[condition], levels.get(level, "high")
