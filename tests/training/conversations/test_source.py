"""Packed rows: attention never crosses, and what is learnt is what rows of one would learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from glassllava.conversation import Conversation, Turn
from glassllava.errors import BadInput
from tests.training.conversations import tiny
from training.conversations import packing
from training.conversations.loss import hidden_states
from training.conversations.source import Conversations, Rows
from training.conversations.tokens import Tokeniser, tokenise
from training.conversations.vision import select
from training.recipe import Stage

_STAGE = Stage("all", {"language_model": 1e-3}, batch=6, epochs=1)


class _Given:
    """Random pixels for every picture, by its name."""

    def look(self, digests: Any) -> tuple[Tensor, bool]:
        rows = [
            torch.randn(3, 28, 28, generator=torch.Generator().manual_seed(int(d))) for d in digests
        ]
        return torch.stack(rows), False


def _made(processor: Any, count: int = 13, stage: Stage = _STAGE, **said: Any) -> Conversations:
    conversations = [
        Conversation(
            f"c{i}",
            "",
            (
                Turn(f"What is on this micrograph? {'glass ' * (i * 3 % 7)}", "A dark picture."),
                Turn(tiny.QUESTION, "yes" if i % 2 else "no"),
            )[: 1 + i % 2],
            defect=bool(i % 2),
        )
        for i in range(count)
    ]
    tokeniser = Tokeniser(processor, 250)
    given: dict[str, Any] = {"longest": 160, "pad": tokeniser.pad, "seed": 3, "rows": 2} | said
    return Conversations(
        tokenise(conversations, tokeniser),
        [str(i) for i in range(count)],
        _Given(),
        stage,
        lambda _: {},
        **given,
    )


def _learn(
    model: Any, source: Conversations, step: int = 0, world: int = 1
) -> tuple[float, Tensor]:
    """The mean loss of a step, and its gradient."""
    model.zero_grad(set_to_none=True)
    batches = [b for rank in range(world) for b in source.batches(step, rank, world)]
    count = sum(float(source.supervised(b).sum()) for b in batches)
    loss = 0.0
    for batch in batches:
        lost = source.losses(model, batch).sum() / count
        lost.backward()
        loss += float(lost.detach())
    grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return loss, torch.cat(grads).double()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_rows_learn_what_padded_ones_do(attention: str) -> None:
    torch.set_num_threads(1)
    processor = tiny.make_processor()
    model = tiny.make_model(processor, attention=attention)
    packed, padded = _made(processor), _made(processor, packed=False)
    loss, grad = _learn(model, packed)
    expected, wanted = _learn(model, padded)
    assert max(len(b.members) / len(b.ids) for b in packed.batches(0, 0, 1)) > 1.5
    cosine = float(F.cosine_similarity(grad, wanted, dim=0))
    print(f"{attention}: gradient cosine {cosine:.8f}, loss {abs(loss - expected):.1e} apart")
    assert cosine >= 0.9999
    assert abs(loss - expected) <= 1e-4


def test_no_conversation_sees_another_one_of_its_row() -> None:
    processor = tiny.make_processor()
    model = tiny.make_model(processor).eval()
    source = _made(processor)
    batch = max(source.batches(0, 0, 1), key=lambda b: len(b.members))

    def hidden(rows: Rows, ids: Tensor) -> Tensor:
        seen, kept = _Given().look([str(i) for i in rows.members])
        with torch.no_grad():
            return hidden_states(model, ids, rows.positions, seen, kept)

    starts = (batch.positions[0] == 0).nonzero().flatten().tolist()
    assert len(starts) >= 2
    other = batch.ids.clone()
    other[0, : starts[1] - 1][other[0, : starts[1] - 1] != processor.image_token_id] = 99
    before, after = hidden(batch, batch.ids), hidden(batch, other)
    assert torch.equal(before[0, starts[1] :], after[0, starts[1] :])
    assert not torch.equal(before[0, : starts[1]], after[0, : starts[1]])


def test_end_to_end_rows_are_one_row_for_flash_attention() -> None:
    torch.set_num_threads(1)
    processor = tiny.make_processor()
    model = tiny.make_model(processor)
    flat = _made(processor, flat=True)
    assert all(len(b.ids) == 1 for b in flat.batches(0, 0, 1))
    loss, grad = _learn(model, flat)
    expected, wanted = _learn(model, _made(processor))
    assert abs(loss - expected) <= 1e-5
    assert float(F.cosine_similarity(grad, wanted, dim=0)) >= 0.9999


def test_more_processes_learn_the_same_and_each_has_as_many_batches() -> None:
    torch.set_num_threads(1)
    processor = tiny.make_processor()
    model = tiny.make_model(processor)
    source = _made(processor)
    numbers = {len(source.batches(0, rank, 4)) for rank in range(4)}
    assert len(numbers) == 1
    loss, grad = _learn(model, source)
    expected, wanted = _learn(model, source, world=4)
    assert abs(loss - expected) <= 1e-5
    assert float(F.cosine_similarity(grad, wanted, dim=0)) >= 0.9999


def test_a_row_that_teaches_nothing_has_a_gradient_of_nothing() -> None:
    processor = tiny.make_processor()
    model = tiny.make_model(processor)
    source = _made(processor, count=2, stage=replace(_STAGE, batch=1))
    (batch,) = source.batches(0, 3, 4)
    assert source.supervised(batch).tolist() == [0]
    assert source.tokens(batch) == 0
    source.losses(model, batch).sum().backward()
    grads = [p.grad for n, p in model.named_parameters() if "layers.0" in n and "language" in n]
    assert all(g is not None and not g.any() for g in grads)


def test_the_rows_of_a_step_follow_from_seed_and_step_alone() -> None:
    processor = tiny.make_processor()
    one, other = _made(processor), _made(processor)
    for step in (0, 5):
        for a, b in zip(one.batches(step, 0, 1), other.batches(step, 0, 1), strict=True):
            assert torch.equal(a.ids, b.ids)
    drawn = [i for step in range(13) for i in packing.drawn(step, 6, 13, 3)]
    assert [sorted(drawn[first : first + 13]) for first in range(0, 78, 13)] == [
        list(range(13))
    ] * 6
    assert drawn[:13] != drawn[13:26]


def test_rows_are_filled_to_their_length_and_no_further() -> None:
    lengths = [50, 90, 30, 60, 70, 20, 40]
    rows = packing.pack(lengths, 100)
    assert sorted(i for row in rows for i in row) == list(range(7))
    assert all(sum(lengths[i] for i in row) <= 100 for row in rows)
    assert len(rows) == 4  # 360 tokens: none fewer would do
    for batch in packing.pad(lengths, 200):
        assert len(batch) * max(lengths[i] for i in batch) <= 200


def test_a_true_false_word_may_weigh_by_itself() -> None:
    processor = tiny.make_processor()
    one = _made(processor)
    two = _made(processor, stage=replace(_STAGE, weights=(1.0, 3.0)))
    assert one.kinds == ("answers",)
    assert two.kinds == ("text", "verdict")
    batch, weighed = one.batches(0, 0, 1)[0], two.batches(0, 0, 1)[0]
    assert one.supervised(batch).sum() == two.supervised(weighed).sum()
    assert two.supervised(weighed)[1] >= 1
    with pytest.raises(BadInput, match="3 weights for 2 kinds"):
        _made(processor, stage=replace(_STAGE, weights=(1.0, 1.0, 1.0)))


def test_what_the_projector_takes_is_what_transformers_gives_it() -> None:
    processor = tiny.make_processor()
    model = tiny.make_model(processor).eval()
    pixels, _ = _Given().look(["1", "2"])
    with torch.no_grad():
        ours = model.model.multi_modal_projector(select(model, pixels))
        theirs = model.get_image_features(
            pixel_values=pixels,
            vision_feature_layer=model.config.vision_feature_layer,
            vision_feature_select_strategy=model.config.vision_feature_select_strategy,
        ).pooler_output
    assert torch.equal(ours, torch.stack(list(theirs)))


def test_the_embedded_tower_is_selected_from_likewise() -> None:
    from transformers import LlavaForConditionalGeneration

    from glassllava.model import opening, tower

    tower.register()
    model = LlavaForConditionalGeneration.from_pretrained(
        Path(opening.EMBEDDED), dtype=torch.float32
    ).eval()
    side = model.config.vision_config.image_size
    pixels = torch.randn(1, 3, side, side)
    with torch.no_grad():
        ours = model.model.multi_modal_projector(select(model, pixels))
        theirs = model.get_image_features(pixel_values=pixels, vision_feature_layer=-1)
    assert torch.equal(ours[0], theirs.pooler_output[0])


def test_the_loss_is_transformers_own() -> None:
    torch.set_num_threads(1)
    processor = tiny.make_processor()
    model = tiny.make_model(processor)
    source = _made(processor, rows=1, packed=False)
    (batch, *_) = source.batches(0, 0, 1)
    seen, _ = _Given().look([str(i) for i in batch.members])
    labels = torch.full(batch.ids.shape, -100).flatten()
    labels[batch.places + 1] = batch.targets
    with torch.no_grad():
        theirs = model(
            input_ids=batch.ids, pixel_values=seen, labels=labels.view_as(batch.ids)
        ).loss
        ours = source.losses(model, batch).sum() / source.supervised(batch).sum()
    assert abs(float(ours) - float(theirs)) <= 1e-6


def test_chunks_lose_what_the_whole_does_and_keep_no_logits(monkeypatch: Any) -> None:
    torch.set_num_threads(1)
    from training.conversations import loss

    processor = tiny.make_processor()
    model = tiny.make_model(processor)
    source = _made(processor, stage=replace(_STAGE, batch=12), longest=240, rows=4)

    def learn(chunk: int) -> tuple[float, Tensor]:
        monkeypatch.setattr(loss, "_CHUNK", chunk)
        return _learn(model, source)

    whole, grad = learn(10_000)
    parts, same = learn(5)
    assert abs(whole - parts) <= 1e-6
    assert float((grad - same).abs().max()) <= 1e-6
    (batch, *_) = source.batches(0, 0, 1)
    vocabulary = len(processor.tokenizer)
    kept: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        kept.append(tensor.shape[-1] if tensor.ndim else 0)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        source.losses(model, batch)
        assert kept
        assert vocabulary not in kept
        monkeypatch.setattr(loss, "checkpoint", lambda work, *args, **_: work(*args))
        source.losses(model, batch)
    assert vocabulary in kept
