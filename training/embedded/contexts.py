"""One picture in several samples: what the rules say of it in each, and the prompts.

A picture is painted, measured and seen once; its truth is kept as JSON, and contexts are written
from that as often as they are wanted: no pixel changes with the sample. The samples come from
`synthesis.pool`, whose words alone do not give the verdict away. Training never has a held-out
triple of feature, material and process (`HeldTriples`); a picture of a test split may.

Knows the rules and the prompt; knows no token of a language model and no tensor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava import features, interpreter, rules
from glassllava.literature import Literature
from glassllava.measurement.quantities import Measurements
from glassllava.prompt import Budget
from glassllava.sample import LEVELS, Sample, understand
from training.synthesis import samples
from training.synthesis.pool import Seen, draw_verdict, pool
from training.synthesis.truth import ruling_of, size_tokens

if TYPE_CHECKING:
    from glassllava.micrograph.record import Micrograph
    from training.synthesis.truth import SyntheticMicrograph

Rng = np.random.Generator
Picture = Mapping[str, Any]

_PARENTS = tuple(features.PARENTS)
_TRIES = 40


@dataclass(frozen=True, slots=True)
class HeldTriples:
    """About one in `one_in` triples of feature key, material token and process token, by a hash of
    their words: the same in every process and every version of the rules.

    A sample that tells no process stands for a process of its own (""); one that tells no material
    makes no triple. `one_in` 0 holds nothing.
    """

    one_in: int = 10
    salt: str = "glassview"

    def holds(self, key: str, tokens: Mapping[str, Set[str]]) -> bool:
        """Whether `key` makes a held-out triple with any material and process in `tokens`."""
        processes = tokens.get("process") or {""}
        return any(
            self._holds_triple(key, material, process)
            for material in tokens.get("material", ())
            for process in processes
        )

    def _holds_triple(self, key: str, material: str, process: str) -> bool:
        if not self.one_in:
            return False
        words = "|".join((self.salt, key, material, process)).encode()
        return int.from_bytes(hashlib.sha256(words).digest()[:4], "big") % self.one_in == 0


#: What training never has.
HELD = HeldTriples()


def holds_out(told: Mapping[str, Any], held: HeldTriples) -> bool:
    """Whether a picture in its own sample, or a context, has a held-out triple among its truths."""
    tokens = understand(Sample.from_mapping(told["sample"])).tokens
    return _any_held([truth["key"] for truth in told["truths"]], tokens, held)


def _any_held(
    keys: Iterable[str], tokens: Mapping[str, Set[str]], held: HeldTriples | None
) -> bool:
    return held is not None and any(held.holds(key, tokens) for key in keys)


def truth_json(synthetic: SyntheticMicrograph) -> dict[str, Any]:
    """All that is needed to judge a micrograph again in another sample, as JSON. Of sizes the
    tenth, fiftieth and ninetieth percentile are kept: their median is that of all."""
    return {
        "seed": synthetic.seed,
        "family": synthetic.family,
        "ground": synthetic.ground,
        "noise": synthetic.noise,
        "decoys": list(synthetic.decoys),
        "view": synthetic.view,
        "artefacts": [key for key in synthetic.artefacts if key != "art_databar"],
        "sample": synthetic.sample.to_json(),
        "present": sorted(synthetic.present),
        "truths": [
            {
                "key": truth.key,
                "parent": truth.parent,
                "count": truth.count,
                "sizes": {name: _three(values) for name, values in truth.sizes.items()},
                "contrast": truth.contrast,
            }
            for truth in synthetic.truths
        ],
    }


def _three(values: Sequence[float]) -> list[float]:
    if len(values) < 2:
        return [float(value) for value in values]
    return [float(value) for value in np.percentile(values, (10, 50, 90))]


@dataclass(frozen=True)
class Judged:
    """A picture in one sample: a ruling for each of its truths, None where no rule speaks."""

    sample: Sample
    tokens: Mapping[str, frozenset[str]]
    keys: tuple[str, ...]
    said: tuple[rules.Ruling | None, ...]

    @property
    def defect(self) -> bool | None:
        """Any defect makes the picture a defect; else anything open leaves it open."""
        verdicts = {ruling.verdict if ruling else None for ruling in self.said}
        if "defect" in verdicts:
            return True
        return None if verdicts & {"depends", None} else False

    @property
    def reason(self) -> str:
        decisive = {True: "defect", False: "no_defect", None: "depends"}[self.defect]
        said = [one.reason for one in self.said if one and one.verdict == decisive]
        return "; ".join(dict.fromkeys(said)) or "no rule matches this sample"


def judged(picture: Picture, sample: Sample) -> Judged:
    """What the rules say of a picture in `sample`."""
    tokens = understand(sample).tokens
    truths = picture["truths"]
    return Judged(
        sample,
        tokens,
        tuple(truth["key"] for truth in truths),
        tuple(ruling_of(truth["key"], truth["sizes"], sample, tokens) for truth in truths),
    )


def draw_samples(
    picture: Picture, number: int, rng: Rng, held: HeldTriples | None = None
) -> list[Judged]:
    """The picture in its own sample, then in others: the next with the other verdict where the
    rules allow it, the rest as `pool` weighs them.

    With `held` no sample makes a held-out triple with what is there: the own sample is drawn anew
    with the same verdict, or left out.
    """
    seen: list[Seen] = [(t["key"], size_tokens(t["sizes"])) for t in picture["truths"]]
    own = judged(picture, Sample.from_mapping(picture["sample"]))
    verdict = {True: "defect", False: "no_defect", None: "open"}[own.defect]
    if _any_held(own.keys, own.tokens, held):
        mended = _suited(picture, seen, [verdict], rng, held)
        found = [mended] if mended is not None else []
    else:
        found = [own]
    turned = {"defect": "no_defect", "no_defect": "defect"}.get(verdict)
    while number > 1 and len(found) < number:
        wanted = turned if len(found) == 1 and turned else draw_verdict(rng)
        sides = list(dict.fromkeys((wanted, "defect", "no_defect", "open")))
        other = _suited(picture, seen, sides, rng, held)
        if other is None:
            break
        found.append(other)
    return found


def _suited(
    picture: Picture,
    seen: Sequence[Seen],
    verdicts: Sequence[str],
    rng: Rng,
    held: HeldTriples | None,
) -> Judged | None:
    """The picture in a sample with the first of `verdicts` that can be had."""
    for verdict in verdicts:
        for _ in range(_TRIES):
            told = pool().draw(seen, verdict, rng)
            if told is None:
                break
            if _any_held([key for key, _ in seen], told.tokens, held):
                continue
            scene = judged(picture, samples.dress(told, rng, picture["view"]))
            # What was dressed is judged by what it says in the end.
            if not _any_held(scene.keys, scene.tokens, held):
                return scene
    return None


def write_contexts(
    picture: Picture,
    micrograph: Micrograph,
    measurements: Measurements,
    *,
    number: int,
    passage_budget: int,
    literature: Literature,
    levels_measured: bool,
    rng: Rng,
    held: HeldTriples | None,
) -> list[dict[str, Any]]:
    """Up to `number` contexts of one picture as `truth_json` gave it, the first that of its own
    sample; `high` only where `levels_measured`. With `held`, see `draw_samples`."""
    return [
        _context(scene, micrograph, measurements, passage_budget, literature, levels_measured)
        for scene in draw_samples(picture, number, rng, held)
    ]


def _context(
    scene: Judged,
    micrograph: Micrograph,
    measurements: Measurements,
    passage_budget: int,
    literature: Literature,
    measured: bool,
) -> dict[str, Any]:
    levels: dict[str, Any] = {}
    for level in LEVELS:
        if level == "high" and not measured:
            continue
        enquiry = interpreter.prepare(
            micrograph,
            scene.sample,
            "",
            level,
            literature=literature,
            probe_keys=_PARENTS,
            passage_budget=Budget(passage_budget),
            measurements=measurements,
        )
        levels[level] = {
            "prefix": enquiry.prefix,
            "given": enquiry.level_given,
            "passages": [f"{p.title}. {p.text}" for p in enquiry.passages],
        }
    ids = [id_ for ruling in scene.said if ruling for id_ in ruling.rules]
    return {
        "sample": scene.sample.to_json(),
        "defect": scene.defect,
        "reason": scene.reason,
        "rulings": list(dict.fromkeys(ids)),
        "truths": [
            {
                "key": key,
                "verdict": ruling.verdict if ruling else None,
                "reason": ruling.reason if ruling else "",
            }
            for key, ruling in zip(scene.keys, scene.said, strict=True)
        ],
        "levels": levels,
    }
