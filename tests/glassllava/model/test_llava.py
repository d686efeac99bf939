"""The tree of questions, batches, and what a checkpoint folder may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassllava.errors import ModelUnavailable
from glassllava.model.opening import open_checkpoint
from glassllava.prompt import Enquiry


def _logit(probe) -> float:  # type: ignore[no-untyped-def]
    import math

    return math.log(probe.yes) - math.log(probe.no)


@pytest.mark.parametrize("which", ["tiny_checkpoint", "clip_checkpoint"])
def test_the_tree_answers_as_one_by_one(
    which: str, enquiries: list[Enquiry], request: pytest.FixtureRequest
) -> None:
    import torch

    model = open_checkpoint(request.getfixturevalue(which), "folder")
    trees = [model._words.tree(e) for e in enquiries]
    from glassllava.model import processing

    with torch.inference_mode():
        pictures = [processing.see(e.micrograph, model.side) for e in enquiries]
        prefix = model._read(trees, model._look(pictures))
        at_once = model._ask_at_once(trees, prefix)
        in_turn = model.ask_in_turn(trees, prefix)
    for a, b in zip(at_once, in_turn, strict=True):
        assert len(a) == 4
        for one, other in zip(a, b, strict=True):
            assert abs(_logit(one) - _logit(other)) < 1e-3


@pytest.mark.parametrize("which", ["tiny_checkpoint", "clip_checkpoint"])
def test_a_batch_answers_as_its_members(
    which: str, enquiries: list[Enquiry], request: pytest.FixtureRequest
) -> None:
    model = open_checkpoint(request.getfixturevalue(which), "folder")
    together = model.reply(enquiries)
    for enquiry, reply in zip(enquiries, together, strict=True):
        (alone,) = model.reply([enquiry])
        assert reply.description == alone.description
        assert reply.answer == alone.answer
        for key in reply.probes:
            assert _logit(reply.probes[key]) == pytest.approx(_logit(alone.probes[key]), abs=1e-3)
        assert (reply.blank_verdict is None) == (not enquiry.want_blank)


def test_the_tree_equals_transformers_own_reading(
    clip_checkpoint: Path, enquiries: list[Enquiry]
) -> None:
    """Against the model's plain forward pass on the whole text: nothing of ours in between."""
    import torch

    from glassllava.model import processing

    model = open_checkpoint(clip_checkpoint, "folder")
    enquiry = enquiries[2]
    (reply,) = model.reply([enquiry])
    tree = model._words.tree(enquiry)
    ids = torch.tensor([tree.prefix + tree.branches[-1]])
    pictures = [processing.see(enquiry.micrograph, model.side)]
    pixels = processing.pixel_values(model.processor, pictures)
    with torch.inference_mode():
        logits = model.model(input_ids=ids, pixel_values=pixels).logits[0, -1].softmax(-1)
    assert reply.verdict.yes == pytest.approx(float(logits[model._words.yes].sum()), rel=1e-4)
    assert reply.verdict.no == pytest.approx(float(logits[model._words.no].sum()), rel=1e-4)


def test_a_blank_picture_is_seen_as_blank(tiny_checkpoint: Path, enquiries: list[Enquiry]) -> None:
    model = open_checkpoint(tiny_checkpoint, "folder")
    reply = model.reply(enquiries)[1]
    assert reply.blank_probes is not None
    assert reply.blank_probes != reply.probes


def test_special_tokens_in_a_persons_words_stay_words(
    tiny_checkpoint: Path, enquiries: list[Enquiry]
) -> None:
    model = open_checkpoint(tiny_checkpoint, "folder")
    ids = model._words.prefix(enquiries[2].prefix)
    assert ids.count(model.model.config.image_token_index) == 1
    assert model.processor.tokenizer.eos_token_id not in ids


def test_yes_and_no_are_one_piece(tiny_checkpoint: Path) -> None:
    model = open_checkpoint(tiny_checkpoint, "folder")
    tokenizer = model.processor.tokenizer
    assert len(tokenizer(" yes", add_special_tokens=False)["input_ids"]) == 1
    assert not set(model._words.yes) & set(model._words.no)
    assert len(model._words.yes) == len(model._words.no) == 4


def test_a_listener_hears_the_text_grow(tiny_checkpoint: Path, enquiries: list[Enquiry]) -> None:
    model = open_checkpoint(tiny_checkpoint, "folder")
    heard: list[tuple[int, str, str]] = []
    model.listener = lambda *told: heard.append(told)
    replies = model.reply(enquiries)
    last = {(i, kind): text for i, kind, text in heard}
    for i, reply in enumerate(replies):
        assert last.get((i, "answer"), "") == reply.answer


def test_a_processor_that_counts_other_tokens_is_refused(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    config = folder / "processor_config.json"
    config.write_text(config.read_text().replace('"patch_size": 336', '"patch_size": 168'))
    with pytest.raises(ModelUnavailable, match="counts image tokens"):
        open_checkpoint(folder, str(folder))
