"""The plan against hand arithmetic: every figure is worked out here from the dimensions alone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from training.embedded.dataset import DataPlan
from training.planning import memory
from training.planning.plan import plan
from training.planning.printing import table
from training.recipe import ConversationPlan, FromCheckpoint, FromNothing
from training.recipes import RECIPES, embedded_2cpu, lora_1xa100, paper_8xa100, qwen3_8xa100

GB = 1e9

# LLaMA-7B as its paper's table 2 has it: 32 layers of 4096, an MLP of 11008; llava-hf has 32,064
# words. A layer: four square matrices, three of the MLP, two norms.
LAYER = 4 * 4096 * 4096 + 3 * 4096 * 11008 + 2 * 4096
WORDS = 32064 * 4096
PROJECTOR = 1024 * 4096 + 4096 + 4096 * 4096 + 4096
TRAINED = 32 * LAYER + 4096 + 2 * WORDS + PROJECTOR
# CLIP ViT-L/14 at 336 px: 24 layers of 1024 with an MLP of 4096, everything with offsets; 24 x 24
# patches and a class token; two norms beside the layers.
TOWER_LAYER = 4 * (1024 * 1024 + 1024) + 1024 * 4096 + 4096 + 4096 * 1024 + 1024 + 4 * 1024
TOWER = 14 * 14 * 3 * 1024 + 1024 + 577 * 1024 + 24 * TOWER_LAYER + 4 * 1024


def test_steps_of_the_paper_are_its_sample_passes_in_batches_of_32() -> None:
    found = plan(paper_8xa100()).to_json()

    assert 4291 * 28 == 120_148
    assert -(-120_148 // 32) == 3755
    assert found["steps_total"] == 3755
    assert found["global_batch"] == 4 * 8
    assert (found["samples"], found["epochs"]) == (4291, 28)
    assert any("30,037" in note for note in found["notes"])
    assert -(-120_148 // 4) == 30_037
    one = paper_8xa100()
    one = replace(one, stages=(replace(one.stages[0], batch=4),))
    assert plan(one, devices=4).steps == 30_037


def test_parameters_of_the_paper_by_hand() -> None:
    stage = plan(paper_8xa100()).stages[0]

    assert TRAINED == 6_759_919_616
    assert TOWER == 303_507_456
    assert (stage.trained, stage.frozen) == (TRAINED, TOWER)


def test_memory_of_the_paper_part_by_part() -> None:
    parts = plan(paper_8xa100()).stages[0].step.parts
    tokens = 4 * 2048  # four samples a device, each as long as a row at most

    by_hand = {
        # fp32 master, gradient and two moments over 8 devices
        "parameters": 4 * TRAINED / 8,
        "gradients": 4 * TRAINED / 8,
        "AdamW's moments": 8 * TRAINED / 8,
        "frozen parameters": 4 * TOWER / 8,
        # two layers, and what belongs to none, in 16 bits
        "gathered layers, this and the next": 2 * 2 * LAYER,
        "gathered embeddings, head and projector": 2
        * (2 * WORDS + 4096 + PROJECTOR + TOWER - 24 * TOWER_LAYER),
        # one layer's gradient in 16 bits and its sum in 32; the head's waits for the end
        "a layer's whole gradient, and its sum": 6 * LAYER,
        "the head's whole gradient": 2 * WORDS,
        # input and attention's output in 16 bits, and a norm in 32 for each of 32 heads
        "kept inputs of layers": 32 * tokens * (2 * 4096 + 2 * 4096 + 4 * 32),
        # norms 16 bytes a value, queries, keys, values; the MLP's four values and three gradients
        "one layer computed again": tokens * (16 * 4096 + 6 * 4096 + 8 * 11008 + 6 * 11008),
        "logits of a chunk": 256 * 32064 * 12,
        "CUDA, NCCL and libraries": 2e9,
    }
    for name, size in by_hand.items():
        assert parts[name] == pytest.approx(size, rel=1e-9), name
    assert parts["fragments"] == pytest.approx(0.1 * (sum(by_hand.values()) - 2e9))
    assert set(parts) == {*by_hand, "fragments"}


def test_memory_agrees_with_the_earlier_arithmetic_where_both_count_the_same() -> None:
    """The design's figures in GB (model.md): where ours differ, the difference is named."""
    parts = plan(paper_8xa100()).stages[0].step.parts

    states = sum(parts[n] for n in ("parameters", "gradients", "AdamW's moments")) / GB
    assert states == pytest.approx(13.5, abs=0.05)
    gathered = sum(size for name, size in parts.items() if name.startswith("gathered")) / GB
    a_gradient = 2 * LAYER / GB  # model.md has it among "unsharded"; we have it with its sum
    assert gathered + a_gradient == pytest.approx(1.7, abs=0.1)
    attention_kept = 32 * 8192 * (2 * 4096 + 4 * 32) / GB  # selective recomputing: ours alone
    assert parts["kept inputs of layers"] / GB - attention_kept == pytest.approx(2.15, abs=0.01)
    on_the_way = 8192 * 6 * 11008 / GB  # gradients within the MLP: ours alone
    assert parts["one layer computed again"] / GB - on_the_way == pytest.approx(1.4, abs=0.1)

    before_fragments = (sum(parts.values()) - parts["fragments"]) / GB
    a_sum = (4 * LAYER + 2 * WORDS) / GB
    tower, logits = 0.6 - parts["frozen parameters"] / GB, 2.6 - parts["logits of a chunk"] / GB
    theirs = before_fragments - attention_kept - on_the_way - a_sum + tower + logits
    assert theirs == pytest.approx(24, abs=0.3)


def test_four_devices_are_too_few_and_the_sentence_says_why() -> None:
    found = plan(paper_8xa100(), devices=4)

    assert not found.fits
    assert found.memory_gb > 40
    assert "each of 4 devices has only 40 GB" in found.reason
    assert f"AdamW's moments with {8 * TRAINED / 4 / GB:.1f} GB" in found.reason
    assert "LoRA" in found.reason
    assert found.reason.endswith(".")
    assert plan(paper_8xa100(), devices=4, memory_gb=80).fits


def test_adapters_on_a_small_device_are_refused_for_their_base() -> None:
    found = plan(lora_1xa100(), memory_gb=8)

    assert not found.fits
    assert f"frozen parameters with {4 * (32 * LAYER + 4096 + 2 * WORDS + TOWER) / GB:.1f} GB" in (
        found.reason
    )
    assert plan(lora_1xa100()).fits


def test_adapters_learn_little_and_leave_the_rest() -> None:
    stage = plan(lora_1xa100()).stages[0]

    # rank 128 beside four square matrices and three of the MLP in each layer
    adapters = 32 * 128 * (4 * (4096 + 4096) + 3 * (4096 + 11008))
    assert stage.trained == adapters + PROJECTOR
    assert stage.step.parts["parameters"] == 4 * (adapters + PROJECTOR)
    assert stage.length.steps == -(-4291 * 6 // 16)


def test_a_check_holds_the_whole_model_and_the_answers_memory() -> None:
    check = plan(paper_8xa100()).stages[0].check

    assert check is not None
    assert "gradients" not in check.parts
    assert check.parts["the whole model in 16 bits"] == 2 * (TRAINED + TOWER)
    # 8 questions of 576 image, 200 text and 192 new tokens: keys and values, 32 layers, 16 bits
    assert check.parts["keys and values of answers"] == 8 * 968 * 2 * 32 * 4096 * 2


def test_a_check_alone_can_be_too_much() -> None:
    recipe = paper_8xa100()
    start, data = recipe.start, recipe.data
    assert isinstance(start, FromCheckpoint)
    assert isinstance(data, ConversationPlan)
    many = replace(recipe, data=replace(data, asked=64))

    found = plan(many)

    assert found.memory_gb < 40
    assert not found.fits
    assert "in a check" in found.reason


def test_time_is_operations_at_the_stated_share_of_the_peak() -> None:
    found = plan(paper_8xa100())

    # Every token: two operations a weight forward, four back; the MLP and attention of 32 layers
    # and the head. Attention's products: 4 a value of 4096 and place seen, half of 776 on average.
    tokens = 120_160 * 776  # 3,755 whole steps of 32
    weights = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + WORDS
    each = 6 * weights + 3 * 4 * 32 * 4096 * 777 / 2
    projector = 6 * PROJECTOR * 576 / 776
    seconds = tokens * (each + projector) / (8 * 312e12 * 0.4)

    assert found.stages[0].length.tokens == tokens
    assert found.hours * 3600 == pytest.approx(seconds, rel=1e-6)
    assert found.hours == pytest.approx(1.0, abs=0.1)  # the design's "about an hour"


def test_the_current_base_fits_and_its_projector_comes_first() -> None:
    found = plan(qwen3_8xa100())

    assert found.fits
    assert [stage.stage.name for stage in found.stages] == ["projector", "end to end"]
    # two matrices with offsets, from 1152 to 4096 to 4096
    assert found.stages[0].trained == 1152 * 4096 + 4096 + 4096 * 4096 + 4096
    assert found.steps == -(-4291 * 4 // 32) + -(-4291 * 8 // 32)


def test_the_embedded_plan_has_the_steps_that_its_sources_have() -> None:
    found = plan(embedded_2cpu())

    recipe = embedded_2cpu()
    assert [s.stage.name for s in found.stages] == ["places", "tower", "head", "language"]
    assert [s.length.steps for s in found.stages] == [stage.steps for stage in recipe.stages]
    assert found.fits


def test_the_embedded_plan_by_hand() -> None:
    found = {stage.stage.name: stage for stage in plan(embedded_2cpu()).stages}

    # 101 labels: a 5 x 5 filter between two mixes of 592 (4 x 40 + 112 + 320) and 320 values; one
    # look's 2 x 864 values and the cells' maxima and shares; the head's five pooled sets.
    dense = (592 * 160 + 160) + (25 * 160 + 160) + (320 * 101 + 101)
    glance = (2 * 864 + 2 * 101) * 101 + 101
    head = 5 * 101 * 101 + 101
    assert found["places"].trained == dense + glance
    assert found["tower"].trained - found["places"].trained == 2_885_072  # the deep blocks
    assert found["head"].trained == head
    # A token of 864 values and 3 x 101 answers goes through two layers of 256.
    language = 4 * (4 * 256**2 + 3 * 256 * 704 + 2 * 256) + 3000 * 256 + 256
    assert found["language"].trained == 1168 * 256 + 257 * 256 + language
    whole = {stage.trained + stage.frozen for stage in found.values()}
    assert len(whole) == 1  # the same model in every stage

    recipe = embedded_2cpu()
    passes = recipe.stage("places").batch * (recipe.stage("places").steps or 0)
    cells = 2 * 28 * 28 * (592 * 160 + 25 * 160 + 320 * 101)
    forward = 909_991_936 + 2_000_705_280 + 3 * (cells + 2 * (2 * 864 + 2 * 101) * 101)
    assert found["places"].length.operations == pytest.approx(passes * forward)


def test_a_head_learns_from_what_the_tower_never_learned_from() -> None:
    recipe = embedded_2cpu()
    assert isinstance(recipe.start, FromNothing)
    assert isinstance(recipe.data, DataPlan)
    stage = recipe.stage("head")
    fresh = recipe.data.counts["train"] - recipe.start.seen
    found = next(s for s in plan(recipe).stages if s.stage.name == "head")
    assert found.length.epochs == pytest.approx((stage.steps or 0) * stage.batch / fresh)


@pytest.mark.parametrize("name", RECIPES)
def test_a_plan_is_a_document_with_the_promised_keys(name: str) -> None:
    document = json.loads(json.dumps(plan(RECIPES[name]()).to_json()))

    promised = ["recipe", "samples", "epochs", "global_batch", "steps_total", "stages"]
    assert [*promised, "memory_gb_per_device"] == list(document)[:7]
    assert document["fits"] is True
    assert document["reason"].endswith(".")
    assert document["recipe"] == name
    for stage in document["stages"]:
        parts = stage["memory_gb"]["in a step"]
        assert sum(parts.values()) == pytest.approx(stage["memory_gb_per_device"], abs=0.02)


@pytest.mark.parametrize("name", RECIPES)
def test_the_table_says_what_the_document_says(name: str) -> None:
    found = plan(RECIPES[name]())
    lines = table(found)

    assert f"{found.steps:,}" in lines
    assert f"{found.memory_gb:.2f}" in lines
    assert max(map(len, lines.splitlines())) <= 100
    assert all(line == line.rstrip() for line in lines.splitlines())


def test_a_plan_needs_no_torch() -> None:
    code = (
        "import sys; from training.planning.plan import plan; from training.recipes import RECIPES;"
        "from training.planning.printing import table;"
        "[table(plan(make())) for make in RECIPES.values()]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_device_more_never_takes_more_of_each() -> None:
    sizes = [plan(paper_8xa100(), devices=n).memory_gb for n in (2, 4, 8, 16, 32)]
    assert sizes == sorted(sizes, reverse=True)


def test_without_recomputing_a_step_takes_far_more() -> None:
    recipe = paper_8xa100()
    assert isinstance(recipe.data, ConversationPlan)
    kept = replace(recipe, data=replace(recipe.data, checkpointed=False))

    found = plan(kept)

    assert not found.fits
    assert "kept values of layers" in found.reason
    assert "data.checkpointed" in found.reason
    assert memory.FRAGMENTS == 0.1


def test_copies_of_the_states_take_a_smaller_group_share() -> None:
    """16 devices in two groups of 8 hold what 8 hold, and learn as many samples a step as 16."""
    found, eight = plan(paper_8xa100(), 16, among=8), plan(paper_8xa100(), 8)
    parts, others = found.stages[0].step.parts, eight.stages[0].step.parts
    for name in ("parameters", "frozen parameters", "gradients", "AdamW's moments"):
        assert parts[name] == others[name], name
    assert parts["kept inputs of layers"] == others["kept inputs of layers"] / 2
    assert found.hours == eight.hours / 2
