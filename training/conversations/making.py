"""Fine-tunes a LLaVA checkpoint on conversations: opens, looks at everything, learns, exports.

    material   conversations, tokens, pictures: what cannot be learnt from stops it here (reading)
    vision     what a frozen tower sees is kept on the disk
    stages     each through the one loop, with its own learning rates and its own data order
    export     low-rank adapters worked in, the folder written and opened again

A cut run goes on: what stands in `work` is not made twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from glassllava.errors import BadInput
from glassllava.model import opening, processing
from training.bars import bar
from training.checkpoint import Keeper
from training.conversations.checking import Checker
from training.conversations.exporting import export
from training.conversations.pictures import Pictures
from training.conversations.reading import Material, read_material
from training.conversations.source import Conversations
from training.conversations.starting import Base, add_lora, open_base, shapes_of
from training.conversations.tokens import Tokeniser
from training.conversations.vision import Kept, Live, Vision, keep_features
from training.journal import Journal, Log
from training.loop import part_of, run_stage
from training.planning.flops import flops_per_token
from training.ranks import Ranks
from training.recipe import ConversationPlan, FromCheckpoint, Stage, TrainingRecipe

_TOWER = "vision_tower"


def make_llava(
    recipe: TrainingRecipe,
    data: Sequence[Path],
    images: Path,
    out: Path,
    work: Path,
    *,
    ranks: Ranks,
    log: Log,
    base: str = "",
    allow_network: bool = False,
) -> Mapping[str, Any]:
    """The checkpoint of `recipe` in `out`; what every check of every stage said, by stage.

    Parameters
    ----------
    data : files of conversations; their 'split' says what is learnt and what is validated on.
    images : the folder under which the conversations' pictures lie.
    work : keeps what is between; all processes must see the same.
    base : the checkpoint to start from; that of the recipe by default.

    Raises
    ------
    BadInput, UnreadableMicrograph : for data that cannot be learnt from, named.
    ModelUnavailable : for a checkpoint that cannot be trained.
    """
    plan, begin = plans_of(recipe)
    with ranks.together():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise BadInput(
                "The folder of the checkpoint is no folder, or not empty",
                where=out,
                remedy="Name a new one.",
            )
        # One process fetches from the hub; the others find it there.
        opened = open_base(base or begin.reference, allow_network) if ranks.first else None
    with ranks.together():
        opened = opened or open_base(base or begin.reference, allow_network)
    model, processor = opened.model, opened.processor
    config = model.config.text_config
    # A folder of the same name may hold another model by now.
    weights = ranks.agree(
        opening.checkpoint_sha256(opened.checkpoint.folder) if ranks.first else ""
    )
    longest = min(plan.longest, getattr(config, "max_position_embeddings", plan.longest))
    tokeniser = Tokeniser(processor, longest)
    pictures = Pictures(work / "pictures", processing.side_of(processor))
    material = read_material(data, images, tokeniser, processor, pictures, work, ranks)
    log(material.in_words)
    torch.manual_seed(recipe.seed)
    if begin.lora is not None:
        add_lora(model, begin.lora)
    bf16 = any(stage.bf16 for stage in recipe.stages)
    visions = _visions(recipe, plan, opened, material, pictures, work, ranks)
    ranks.shard(model, bf16=bf16, recompute=plan.checkpointed)

    # The recipe's hardware is no measure of a processor's cores.
    on_gpu = ranks.device.type == "cuda"
    curves: dict[str, Any] = {}
    for stage, vision in zip(recipe.stages, visions, strict=True):
        torch.manual_seed(recipe.seed)
        source = Conversations(
            material.examples,
            material.digests,
            vision,
            stage,
            Checker(
                material.questions,
                tokeniser,
                processor,
                pictures,
                ranks,
                together=plan.asked,
                bf16=stage.bf16,
            ),
            longest=longest,
            pad=tokeniser.pad,
            seed=recipe.seed,
            rows=plan.rows,
            packed=plan.packed,
            flat="flash" in str(config._attn_implementation),
        )
        identity = {
            "recipe": recipe.to_json(),
            "data": material.fingerprint,
            "base": weights,
        }
        keeper = Keeper(work / stage.name, ranks, identity)
        journal = Journal(
            log,
            stage.name,
            keeper.folder,
            ranks,
            peak=recipe.hardware.teraflops * 1e12 * ranks.world if on_gpu else None,
            a_token=work_of_a_token(model, recipe, stage, material, isinstance(vision, Kept)),
        )
        curve = curves[stage.name] = run_stage(model, stage, source, ranks, keeper, journal)
        if stage.watched and max(curve, key=lambda seen: seen[stage.watched]) is curve[0]:
            log(
                f"{stage.name}: no check saw better '{stage.watched}' than the one before the "
                "first step, so that what the stage started from is kept: it learnt nothing that "
                "helps. More data, more steps or another rate may; its losses stand in "
                f"{keeper.folder / 'journal.jsonl'}."
            )
    export(recipe, begin, opened, material, curves, out, ranks)
    return curves


def _visions(
    recipe: TrainingRecipe,
    plan: ConversationPlan,
    base: Base,
    material: Material,
    pictures: Pictures,
    work: Path,
    ranks: Ranks,
) -> list[Vision]:
    """What each stage sees with: features are kept as long as no stage has moved the tower."""
    made: list[Vision] = []
    kept: Kept | None = None
    moved = False
    for stage in recipe.stages:
        moved = moved or trains_tower(base.model, stage)
        if moved or not plan.cached_vision:
            made.append(Live(pictures, base.processor))
            continue
        if kept is None:
            # The tower alone: the whole model in 32 bits may be more than a device holds.
            tower = base.model.model.vision_tower.to(ranks.device)
            with bar("vision", shown=ranks.first) as told:
                kept = keep_features(
                    base.model,
                    base.processor,
                    pictures,
                    material.digests,
                    work / "features",
                    ranks,
                    told,
                )
            tower.to("cpu")
        made.append(kept)
    return made


def work_of_a_token(
    model: Any, recipe: TrainingRecipe, stage: Stage, material: Material, kept: bool
) -> float | None:
    """Operations that learning from a token takes, for the MFU; None for an unknown tower."""
    shapes = shapes_of(model)
    if shapes is None:
        return None
    tower, language = shapes
    return flops_per_token(
        language,
        tower,
        length=sum(e.length for e in material.examples) / len(material.examples),
        lora=plans_of(recipe)[1].lora,
        language_trained=any(
            "language_model" in name and part_of(name, stage.rates) is not None
            for name, _ in model.named_parameters()
        ),
        tower_trained=trains_tower(model, stage),
        looks=0.0 if kept else 1.0,
    )


def trains_tower(model: Any, stage: Stage) -> bool:
    """Whether the stage moves any weight of the vision tower."""
    return any(
        _TOWER in name and part_of(name, stage.rates) is not None
        for name, _ in model.named_parameters()
    )


def plans_of(recipe: TrainingRecipe) -> tuple[ConversationPlan, FromCheckpoint]:
    if not isinstance(recipe.data, ConversationPlan) or not isinstance(
        recipe.start, FromCheckpoint
    ):
        raise BadInput(
            "This recipe does not fine-tune a checkpoint on conversations", where=recipe.name
        )
    return recipe.data, recipe.start
