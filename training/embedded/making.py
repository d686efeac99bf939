"""Makes the checkpoint that ships: data, tower, language, judgement; a cut run resumes.

    data      micrographs painted, written, read back, measured, put into words (dataset)
    tower     it learns to see, from views of the pictures (seeing, views)
    head      it looks at whole pictures (looking); what both looks pooled makes their scores
    language  projector and language model on the tower's kept tokens (language, lessons)
    judge     calibration on its own split, the held-out tables, the card (evaluation)

Every stage goes through the one loop; here stands only what comes before and after.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glassllava.errors import BadInput
from glassllava.model.tower import Tower, TowerConfig
from glassllava.prompt import TEMPLATES_SHA256
from training.checkpoint import Keeper
from training.embedded import seeing, start, telling
from training.embedded.dataset import PARENTS, DataPlan, Split, make_data, read_split
from training.embedded.language import Lessons
from training.embedded.looking import Looked, look_at
from training.embedded.pictures import LABELS
from training.journal import Journal, Log
from training.loop import run_stage
from training.ranks import Ranks
from training.recipe import FromNothing, TrainingRecipe


def make_embedded(
    recipe: TrainingRecipe, out: Path, work: Path, *, workers: int, ranks: Ranks, log: Log
) -> None:
    """The checkpoint of `recipe` in `out`, judged; `work` keeps what is between."""
    from training.evaluation.embedded import judge_embedded

    plan, begin = _plans(recipe)
    if ranks.world > 1:
        raise BadInput(
            f"'{recipe.name}' is made by one process, and {ranks.world} were started",
            remedy="Start it without torchrun; data are made by as many as --workers says.",
        )
    torch.manual_seed(recipe.seed)
    started = time.perf_counter()
    data = work / "data"
    log(f"data for {recipe.name} in {data}")
    make_data(data, plan, workers=workers)
    seconds = {"data": time.perf_counter() - started}
    fingerprint = (data / "fingerprint").read_text("utf-8").strip()
    training, validation = read_split(data, "train"), read_split(data, "validation")
    keep = _keepers(recipe, work, fingerprint, ranks)

    started = time.perf_counter()
    tower, saw = teach_tower(recipe, training, validation, keep, ranks, log)
    seconds["tower"] = time.perf_counter() - started

    started = time.perf_counter()
    looked = tuple(
        look_at(tower, split, work / "looked", workers=workers) for split in (training, validation)
    )
    saw |= teach_head(recipe, tower, (training, validation), looked, keep, ranks, log)
    seconds["look"] = time.perf_counter() - started

    started = time.perf_counter()
    processor = processor_of(recipe, training, work)
    model = start.make_llava(
        processor,
        layers=begin.size.layers,
        width=begin.size.width,
        heads=begin.size.heads,
        labels=len(LABELS),
        image_size=plan.image_size,
    )
    model.model.vision_tower.load_state_dict(tower.state_dict())
    curve = teach_language(
        recipe, model, processor, (training, validation), looked, keep, ranks, log
    )
    seconds["language"] = time.perf_counter() - started

    start.save_checkpoint(out, model, processor, describe_checkpoint(recipe, fingerprint))
    log(f"checkpoint in {out}; judging")
    made = {"seconds": seconds, "tower": saw, "curve": curve}
    judge_embedded(out, recipe, data, work / "looked", made, log, workers=workers)


def _plans(recipe: TrainingRecipe) -> tuple[DataPlan, FromNothing]:
    assert isinstance(recipe.data, DataPlan), "an embedded recipe has synthetic data"
    assert isinstance(recipe.start, FromNothing), "an embedded recipe starts from nothing"
    return recipe.data, recipe.start


def _keepers(recipe: TrainingRecipe, work: Path, data: str, ranks: Ranks) -> Any:
    identity = {"recipe": recipe.to_json(), "data": data, "prompts": TEMPLATES_SHA256}
    return lambda stage: Keeper(work / stage, ranks, identity)


def describe_checkpoint(recipe: TrainingRecipe, data_fingerprint: str) -> dict[str, Any]:
    """What `glassllava.json` says: who the checkpoint is and how it was made."""
    plan, _ = _plans(recipe)
    return {
        "schema": 1,
        "name": "GlassLLaVA embedded",
        "version": recipe.version,
        "licence": "Apache-2.0",
        "materials": "glass and glass-ceramics, as synthetic micrographs show them",
        "trained_on_synthetic": True,
        "probe_keys": list(PARENTS),
        "passage_budget": plan.passage_budget,
        "longest_text": 96,
        "recipe": recipe.to_json(),
        "data_fingerprint": data_fingerprint,
    }


def teach_tower(
    recipe: TrainingRecipe,
    training: Split,
    validation: Split,
    keep: Any,
    ranks: Ranks,
    log: Log,
    tower: Tower | None = None,
) -> tuple[Tower, dict[str, Any]]:
    """The tower that sees, and how well: its later blocks, and what says what is where.

    Starts from `tower`, or from the one with ImageNet weights.
    """
    plan, begin = _plans(recipe)
    torch.manual_seed(recipe.seed)
    first = training[: begin.seen]
    if tower is None:
        config = TowerConfig(plan.image_size, labels=len(LABELS))
        tower = start.pretrained_tower(start.imagenet_weights(), config)
        seeing.standardise(tower, first.folder, first.records, plan.image_size)
    curves: dict[str, Any] = {}
    for stage in (recipe.stage("places"), recipe.stage("tower")):
        source = seeing.Views(
            first,
            validation,
            batch=stage.batch,
            seed=recipe.seed + len(curves),
            closer=plan.image_size,
            dropout=begin.dropout,
        )
        keeper = keep(stage.name)
        journal = Journal(log, stage.name, keeper.folder, ranks)
        curves[stage.name] = run_stage(tower, stage, source, ranks, keeper, journal)
    frozen, reached = (max(row["map"] for row in curves[name]) for name in ("places", "tower"))
    saw = {"map_frozen": frozen, "map_tower": reached, "curves": curves}
    return tower.eval(), saw | {"fine_tuned": reached > frozen}


def teach_head(
    recipe: TrainingRecipe,
    tower: Tower,
    splits: Sequence[Split],
    looked: Sequence[Looked],
    keep: Any,
    ranks: Ranks,
    log: Log,
) -> dict[str, Any]:
    """The head over both looks, from pictures that the tower never learned from."""
    _, begin = _plans(recipe)
    stage = recipe.stage("head")
    fresh = begin.seen if len(splits[0]) > begin.seen else 0
    start.join_looks(tower)
    source = seeing.Scored(
        [torch.from_numpy(each) for each in (looked[0].pooled[fresh:], looked[1].pooled)],
        [seeing.targets(each) for each in (splits[0].records[fresh:], splits[1].records)],
        batch=stage.batch,
        seed=recipe.seed,
    )
    keeper = keep(stage.name)
    journal = Journal(log, stage.name, keeper.folder, ranks)
    curve = run_stage(tower, stage, source, ranks, keeper, journal)
    tower.eval()
    return {"map_kept": max(row["map"] for row in curve)}


def processor_of(recipe: TrainingRecipe, training: Split, work: Path) -> Any:
    """The processor with its tokenizer, trained on the prompts and the taught sentences."""
    from transformers import LlavaProcessor

    plan, begin = _plans(recipe)
    folder = work / "processor"
    if (folder / "tokenizer.json").exists():
        return LlavaProcessor.from_pretrained(folder, backend="pil")
    rng = np.random.default_rng(recipe.seed)
    texts = []
    for record in training.records[:2000]:
        for context in record["contexts"]:
            for level, asked in context["levels"].items():
                texts.append(asked["prefix"])
                texts.append(telling.describe(record, context, level, rng))
                texts.extend(telling.converse(record, context, level, rng))
    processor = start.make_processor(texts, begin.size.pieces, plan.image_size)
    processor.save_pretrained(folder)
    return processor


def teach_language(
    recipe: TrainingRecipe,
    model: Any,
    processor: Any,
    splits: Sequence[Split],
    looked: Sequence[Looked],
    keep: Any,
    ranks: Ranks,
    log: Log,
) -> list[dict[str, float]]:
    """Projector and language model; the tower is frozen and its tokens are kept."""
    plan, begin = _plans(recipe)
    stage = recipe.stage("language")
    torch.manual_seed(recipe.seed)
    source = Lessons(
        begin.lessons,
        model,
        processor,
        splits[0],
        splits[1],
        (looked[0], looked[1]),
        known=begin.seen,
        seed=recipe.seed,
        image_size=plan.image_size,
    )
    keeper = keep(stage.name)
    journal = Journal(log, stage.name, keeper.folder, ranks)
    return run_stage(model, stage, source, ranks, keeper, journal)
