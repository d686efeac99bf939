"""Makes the checkpoint that ships: data, tower, language, judgement; a cut run resumes.

    data      micrographs written, read back, measured, put into words (dataset)
    head      the tower's head on frozen blocks, then
    tower     its later blocks: it learns to see (seeing)
    language  projector and language model on the tower's kept tokens (language, lessons)
    judge     calibration on its own split, the held-out table, the card (evaluation)

Every stage goes through the one loop; here stands only what comes before and after.
"""

from __future__ import annotations

import time
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

    started = time.perf_counter()
    keep = _keepers(recipe, work, fingerprint, ranks)
    tower, saw = teach_tower(recipe, training, validation, keep, ranks, log)
    seconds["tower"] = time.perf_counter() - started

    started = time.perf_counter()
    processor = processor_of(recipe, training, work)
    model = start.make_llava(
        processor,
        layers=begin.size.layers,
        width=begin.size.width,
        heads=begin.size.heads,
        labels=len(seeing.LABELS),
        image_size=plan.image_size,
    )
    model.model.vision_tower.load_state_dict(tower.state_dict())
    curve = teach_language(recipe, model, processor, training, validation, keep, ranks, log)
    seconds["language"] = time.perf_counter() - started

    start.save_checkpoint(out, model, processor, describe_checkpoint(recipe, fingerprint))
    log(f"checkpoint in {out}; judging")
    made = {"seconds": seconds, "tower": saw, "curve": curve}
    judge_embedded(out, recipe, data, tower, made, log)


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
    """The tower that sees, and how well: its head first, then its later blocks if they help.

    Starts from `tower`, or from the one with ImageNet weights.
    """
    plan, begin = _plans(recipe)
    torch.manual_seed(recipe.seed)
    if tower is None:
        config = TowerConfig(plan.image_size, labels=len(seeing.LABELS))
        tower = start.pretrained_tower(start.imagenet_weights(), config)
    first = Split(training.records[: begin.seen], training.early[: begin.seen])
    seeing.standardise(tower, first)
    curves = {}
    for stage in (recipe.stage("head"), recipe.stage("tower")):
        said: dict[str, Any] = {"batch": stage.batch, "dropout": begin.dropout, "seed": recipe.seed}
        source = (
            seeing.PooledMicrographs(tower, first, validation, **said)
            if stage.name == "head"
            else seeing.Micrographs(first, validation, **said)
        )
        keeper = keep(stage.name)
        journal = Journal(log, stage.name, keeper.folder, ranks)
        curves[stage.name] = run_stage(tower, stage, source, ranks, keeper, journal)
    frozen, reached = (max(row["map"] for row in curves[name]) for name in ("head", "tower"))
    limited = seeing.scores_of(tower, first, 600)
    saw = {
        "map_frozen": frozen,
        "map_kept": reached,
        "map_training": seeing.mean_average_precision(limited, seeing.targets(first)[:600]),
        "curves": curves,
        "fine_tuned": reached > frozen,
    }
    return tower.eval(), saw


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
    training: Split,
    validation: Split,
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
        training,
        validation,
        known=begin.seen,
        seed=recipe.seed,
        image_size=plan.image_size,
    )
    keeper = keep(stage.name)
    journal = Journal(log, stage.name, keeper.folder, ranks)
    return run_stage(model, stage, source, ranks, keeper, journal)
