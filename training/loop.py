"""The loop: data, tower, language, calibration; each stage is kept, and a cut run resumes.

    data      micrographs written, read back, measured, put into words (dataset)
    tower     learns to see (seeing)
    language  projector and language model on the tower's kept tokens, as trees of questions
    judge     calibration on its own split, the held-out table, the card (evaluation)

The language stage's lessons follow from (seed, step) alone, so that a resumed run sees what an
undisturbed one would have seen. What is watched is the verdict and the probes on the validation
split, beside a blank picture: the loss deceives.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file, save_file
from torch import Tensor

from glassllava.errors import BadInput
from glassllava.model.tower import Tower, TowerConfig
from glassllava.model.wording import Wording
from glassllava.prompt import TEMPLATES_SHA256
from training.embedded import seeing, start, telling
from training.embedded.dataset import PARENTS, Split, make_data, read_split
from training.embedded.lessons import PROBE, TEXT, VERDICT, Lesson, Teacher, collate, logits_at
from training.embedded.watching import ask, blank_tokens
from training.recipe import LanguagePlan, TrainingRecipe

Log = seeing.Log
Array = np.ndarray[Any, Any]


def train(recipe: TrainingRecipe, out: Path, work: Path, *, workers: int, log: Log) -> None:
    """Make the checkpoint of `recipe` in `out`; `work` keeps what is between."""
    from training.evaluation.embedded import judge_embedded

    torch.manual_seed(recipe.seed)
    started = time.perf_counter()
    data = work / "data"
    log(f"data for {recipe.name} in {data}")
    make_data(data, recipe.data, workers=workers)
    seconds = {"data": time.perf_counter() - started}

    training, validation = read_split(data, "train"), read_split(data, "validation")
    tower, saw = tower_stage(recipe, training, validation, work, log)
    seconds["tower"] = saw["seconds"]

    started = time.perf_counter()
    processor = processor_stage(recipe, training, work)
    model = start.make_llava(
        processor,
        layers=recipe.size.layers,
        width=recipe.size.width,
        heads=recipe.size.heads,
        labels=len(seeing.LABELS),
        image_size=recipe.data.image_size,
    )
    model.model.vision_tower.load_state_dict(tower.state_dict())
    curve = language_stage(recipe, model, processor, training, validation, work, log)
    seconds["language"] = time.perf_counter() - started

    card = describe_checkpoint(recipe, (data / "fingerprint").read_text("utf-8").strip())
    start.save_checkpoint(out, model, processor, card)
    log(f"checkpoint in {out}; judging")
    made = {"seconds": seconds, "tower": saw, "curve": curve}
    judge_embedded(out, recipe, data, tower, made, log)


def describe_checkpoint(recipe: TrainingRecipe, data_fingerprint: str) -> dict[str, Any]:
    """What `glassllava.json` says: who the checkpoint is and how it was made."""
    return {
        "schema": 1,
        "name": "GlassLLaVA embedded",
        "version": "1",
        "licence": "Apache-2.0",
        "materials": "glass and glass-ceramics, as synthetic micrographs show them",
        "trained_on_synthetic": True,
        "probe_keys": list(PARENTS),
        "passage_budget": recipe.data.passage_budget,
        "longest_text": 96,
        "recipe": recipe.to_json(),
        "data_fingerprint": data_fingerprint,
    }


def tower_stage(
    recipe: TrainingRecipe, training: Split, validation: Split, work: Path, log: Log
) -> tuple[Tower, dict[str, Any]]:
    """The tower, taught or as it was taught before."""
    config = TowerConfig(recipe.data.image_size, labels=len(seeing.LABELS))
    kept, said = work / "tower.safetensors", work / "tower.json"
    if said.exists():
        tower = Tower(config)
        tower.load_state_dict(load_file(kept))
        return tower.eval(), json.loads(said.read_text("utf-8"))
    torch.manual_seed(recipe.seed)
    tower = start.pretrained_tower(start.imagenet_weights(), config)
    known = recipe.seeing.micrographs
    first = Split(training.records[:known], training.early[:known])
    saw = seeing.teach_tower(tower, first, validation, recipe.seeing, log)
    save_file(tower.state_dict(), kept)
    said.write_text(json.dumps(saw), "utf-8")
    return tower.eval(), saw


def processor_stage(recipe: TrainingRecipe, training: Split, work: Path) -> Any:
    """The processor with its tokenizer, trained on the prompts and the taught sentences."""
    from transformers import LlavaProcessor

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
    processor = start.make_processor(texts, recipe.size.pieces, recipe.data.image_size)
    processor.save_pretrained(folder)
    return processor


def language_stage(
    recipe: TrainingRecipe,
    model: Any,
    processor: Any,
    training: Split,
    validation: Split,
    work: Path,
    log: Log,
) -> list[dict[str, float]]:
    """Projector and language model; the tower is frozen and its tokens are kept."""
    plan = recipe.language
    tower = model.model.vision_tower
    tokens, checked = seeing.tokens_of(tower, training), seeing.tokens_of(tower, validation)
    nothing = blank_tokens(tower, recipe.data.image_size)
    teacher = Teacher(Wording(processor))
    for parameter in tower.parameters():
        parameter.requires_grad_(False)
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    decayed = [p for p in named.values() if p.ndim > 1]
    plain = [p for p in named.values() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed},
        {"params": plain, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(
        groups, lr=plan.rate, weight_decay=plan.weight_decay, betas=(0.9, 0.97)
    )
    begin, curve = _resume(work, named, optimiser)
    started, total = time.perf_counter(), np.zeros(3)
    model.train()
    for step in range(begin, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * _schedule(step, plan)
        optimiser.zero_grad(set_to_none=True)
        drawn = lessons_of_step(recipe, step, training, teacher)
        for lessons in drawn:
            batch = collate(lessons, teacher.words.pad)
            features = torch.from_numpy(tokens[batch.rows].astype(np.float32))
            # 16 bits within the step, 32 in the parameters: half the time where a core has bf16.
            with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
                logits = logits_at(model, batch, features, batch.batch_index, batch.places)
            losses = _losses(logits, batch.targets, batch.kinds)
            share = len(lessons) / sum(map(len, drawn))
            loss = sum(w * x for w, x in zip(plan.weights, losses, strict=True))
            (loss * share).backward()  # type: ignore[union-attr]
            total += share * np.array([float(x.detach()) for x in losses])
        norm = torch.nn.utils.clip_grad_norm_(named.values(), plan.clip)
        if not math.isfinite(float(norm)):
            raise BadInput(f"The loss is not a number at step {step}", where=work)
        optimiser.step()
        if step % 20 == 19:
            mean, total = total / 20, np.zeros(3)
            spent = time.perf_counter() - started
            log(
                f"step {step + 1}/{plan.steps}: probes {mean[PROBE]:.3f}, verdict "
                f"{mean[VERDICT]:.3f}, text {mean[TEXT]:.3f}, {spent:.0f} s"
            )
        if (step + 1) % plan.check_every == 0 or step + 1 == plan.steps:
            seen = check(model, teacher, validation, checked, nothing)
            curve.append({"step": step + 1, **seen})
            log(f"step {step + 1}: " + ", ".join(f"{k} {v:.3f}" for k, v in seen.items()))
            _keep(work, named, optimiser, step + 1, curve)
    model.eval()
    return curve


def lessons_of_step(
    recipe: TrainingRecipe, step: int, training: Split, teacher: Teacher
) -> list[list[Lesson]]:
    """One batch a context level: lessons of like length, from (seed, step) alone."""
    rng = np.random.default_rng((recipe.seed, step))
    count = len(training.records)
    known = min(recipe.seeing.micrographs, count)  # the tower has learnt these by heart
    batches = []
    plan = recipe.language
    first = step < plan.first_steps
    for level, number in (plan.first_mixture if first else plan.mixture).items():
        lessons: list[Lesson] = []
        while len(lessons) < number:
            fresh = rng.random() < plan.fresh_share and known < count
            row = int(rng.integers(known if fresh else 0, count if fresh else known))
            record = training.records[row]
            # Without context the verdict is that of the sample it came with, on average.
            others = record["contexts"] if level != "none" else record["contexts"][:1]
            context = others[int(rng.integers(len(others)))]
            if level not in context["levels"]:
                continue
            texts = rng if not first and rng.random() < plan.text_share else None
            lessons.append(teacher.lesson(row, record, context, level, texts))
        batches.append(lessons)
    return batches


def check(
    model: Any, teacher: Teacher, validation: Split, tokens: Array, nothing: Array, limit: int = 200
) -> dict[str, float]:
    """What is watched: mAP of the probes, and the verdict with the picture and without."""
    records = validation.records[:limit]
    truth = validation.labels[:limit]
    seen: dict[str, float] = {}
    for level in ("none", "moderate", "high"):
        asked = ask(model, teacher, records, tokens[:limit], level)
        if level == "high":
            scores = [
                seeing.average_precision(asked.probes[:, j], truth[:, j])
                for j in range(len(PARENTS))
            ]
            seen["map"] = float(np.nanmean(scores))
        seen[level] = _accuracy(records, asked.verdict)
    without = np.broadcast_to(nothing, (len(records), *nothing.shape[1:]))
    seen["high blank"] = _accuracy(records, ask(model, teacher, records, without, "high").verdict)
    model.train()
    return seen


def _accuracy(records: Sequence[Mapping[str, Any]], verdict: Array) -> float:
    known = [(r["contexts"][0]["defect"], v) for r, v in zip(records, verdict, strict=True)]
    right = [(v >= 0.5) == defect for defect, v in known if defect is not None]
    return float(np.mean(right))


def _losses(logits: Tensor, targets: Tensor, kinds: Tensor) -> list[Tensor]:
    each = F.cross_entropy(logits.float(), targets, reduction="none")
    return [each[kinds == k].mean() if (kinds == k).any() else each.sum() * 0 for k in range(3)]


def _schedule(step: int, plan: LanguagePlan) -> float:
    """Linear warm-up, then half a cosine down to a twentieth."""
    if step < plan.warm_up:
        return (step + 1) / plan.warm_up
    done = (step - plan.warm_up) / max(1, plan.steps - plan.warm_up)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


def _keep(
    work: Path, named: Mapping[str, Any], optimiser: Any, step: int, curve: list[dict[str, float]]
) -> None:
    """Parameters, moments and step, written whole or not at all; no pickle."""
    state = {f"p.{n}": p.detach().contiguous() for n, p in named.items()}
    for n, p in named.items():
        if p in optimiser.state:
            state[f"m.{n}"] = optimiser.state[p]["exp_avg"].contiguous()
            state[f"v.{n}"] = optimiser.state[p]["exp_avg_sq"].contiguous()
    part = work / "language.part"
    words = {"step": str(step), "curve": json.dumps(curve), "templates": TEMPLATES_SHA256}
    save_file(state, part, metadata=words)
    part.replace(work / "language.safetensors")


def _resume(
    work: Path, named: Mapping[str, Any], optimiser: Any
) -> tuple[int, list[dict[str, float]]]:
    from safetensors import safe_open

    path = work / "language.safetensors"
    if not path.exists():
        return 0, []
    with safe_open(path, "pt") as file:
        words = file.metadata()
        if words["templates"] != TEMPLATES_SHA256:
            raise BadInput(
                "The kept language stage was trained for other prompt templates",
                where=path,
                remedy="Remove the file to start the stage anew.",
            )
        step = int(words["step"])
        with torch.no_grad():
            for n, p in named.items():
                p.copy_(file.get_tensor(f"p.{n}"))
                if step:
                    optimiser.state[p] = {
                        "step": torch.tensor(float(step)),
                        "exp_avg": file.get_tensor(f"m.{n}"),
                        "exp_avg_sq": file.get_tensor(f"v.{n}"),
                    }
    return step, json.loads(words["curve"])
