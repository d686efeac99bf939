"""A lesson is asked as the product asks: the same tokens, the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassllava.model import processing
from glassllava.model.wording import Wording
from training.embedded import seeing, start
from training.embedded.dataset import PARENTS
from training.embedded.lessons import (
    HYPOTHETICAL,
    PROBE,
    TEXT,
    VERDICT,
    Teacher,
    collate,
    logits_at,
)


@pytest.fixture(scope="module")
def processor() -> Any:
    return start.make_processor(["Material: float glass. I see a crack"] * 20, 400, 672)


@pytest.fixture(scope="module")
def model_and_teacher(processor) -> tuple[object, Teacher]:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    model = start.make_llava(processor, layers=2, width=32, heads=2, image_size=672)
    return model.eval(), Teacher(Wording(processor))


def _scene(defect: bool | None) -> tuple[dict, dict]:  # type: ignore[type-arg]
    record = {"present": ["crack"], "seed": 7}
    levels = {"high": {"prefix": "Material: float glass.", "given": "high", "passages": []}}
    truth = {"key": "crack_through", "verdict": "defect", "reason": "loss of strength"}
    sample = {"material": "float glass", "product": "finished"}
    return record, {"defect": defect, "truths": [truth], "levels": levels, "sample": sample}


def test_the_tree_of_a_lesson_equals_its_branches_alone(model_and_teacher) -> None:  # type: ignore[no-untyped-def]
    model, teacher = model_and_teacher
    rng = np.random.default_rng(0)
    lesson = teacher.lesson(0, *_scene(True), "high", rng, rng)
    batch = collate([lesson], teacher.words.pad)
    features = torch.randn(1, 4, model.config.vision_config.hidden_size)
    with torch.inference_mode():
        together = logits_at(model, batch, features, batch.batch_index, batch.places)
        prefix = [i for i, owner in enumerate(lesson.owner) if owner == -1]
        seen = 0
        for number in range(max(lesson.owner) + 1):
            own = [i for i, owner in enumerate(lesson.owner) if owner == number]
            alone = [lesson.ids[i] for i in prefix + own]
            ids = torch.tensor([alone])
            embedded = model.get_input_embeddings()(ids)
            where = (ids == model.config.image_token_index)[..., None]
            picture = model.model.multi_modal_projector(features)
            logits = model.lm_head(
                model.model.language_model(
                    inputs_embeds=embedded.masked_scatter(where, picture)
                ).last_hidden_state
            )[0]
            for j, place in enumerate(lesson.places):
                if place in own:
                    difference = logits[len(prefix) + own.index(place)] - together[j]
                    assert difference.abs().max() < 1e-3
                    seen += 1
    assert seen == len(lesson.places)


def test_padding_changes_nothing(model_and_teacher) -> None:  # type: ignore[no-untyped-def]
    model, teacher = model_and_teacher
    short = teacher.lesson(0, *_scene(True), "high", None)
    long = teacher.lesson(1, *_scene(True), "high", np.random.default_rng(0))
    features = torch.randn(2, 4, model.config.vision_config.hidden_size)
    with torch.inference_mode():
        both = collate([short, long], teacher.words.pad)
        one = collate([short], teacher.words.pad)
        together = logits_at(model, both, features, both.batch_index, both.places)
        alone = logits_at(model, one, features[:1], one.batch_index, one.places)
    assert (together[: len(alone)] - alone).abs().max() < 1e-4


def test_an_open_verdict_is_asked_but_not_taught(model_and_teacher) -> None:  # type: ignore[no-untyped-def]
    _, teacher = model_and_teacher
    lesson = teacher.lesson(0, *_scene(None), "high", None)
    assert VERDICT not in lesson.kinds
    assert len(lesson.places) == len(PARENTS)
    taught = teacher.lesson(0, *_scene(False), "high", None)
    assert taught.targets[-1] == teacher.no


def test_texts_are_taught_to_their_end(model_and_teacher) -> None:  # type: ignore[no-untyped-def]
    _, teacher = model_and_teacher
    lesson = teacher.lesson(0, *_scene(True), "high", np.random.default_rng(0))
    texts = [t for t, kind in zip(lesson.targets, lesson.kinds, strict=True) if kind == TEXT]
    assert texts.count(teacher.words._tokenizer.eos_token_id) == 2
    said = teacher.words.text(texts)
    assert "the crack is a defect" in said or "crack" in said


def test_phrases_of_the_prompt_are_one_piece(tmp_path: Path, model_and_teacher) -> None:  # type: ignore[no-untyped-def]
    _, teacher = model_and_teacher
    assert all(len(ids) == 1 for ids in teacher._probes)


def test_asides_are_taught_after_what_the_product_asks_and_stay_short(model_and_teacher) -> None:  # type: ignore[no-untyped-def]
    _, teacher = model_and_teacher
    plain = teacher.lesson(0, *_scene(True), "high", None)
    lesson = teacher.lesson(0, *_scene(True), "high", None, np.random.default_rng(0))
    asked = len(PARENTS) + 1
    assert lesson.kinds[:asked] == plain.kinds
    assert lesson.targets[:asked] == plain.targets
    assert lesson.kinds[asked:].count(HYPOTHETICAL) == 6
    assert lesson.kinds[asked:].count(PROBE) == 4
    assert set(lesson.targets) == {teacher.yes, teacher.no}
    # The tokenizer of this test has few pieces: the real one needs about half.
    assert len(lesson.ids) - len(plain.ids) < 600
    # And an enquiry as the product makes it has none of them.
    assert HYPOTHETICAL not in plain.kinds


def test_pixels_are_handed_over_as_the_processor_does(processor) -> None:  # type: ignore[no-untyped-def]
    picture = np.random.default_rng(0).integers(0, 256, (672, 672)).astype(np.uint8)
    theirs = processing.pixel_values(processor, [picture])
    ours = seeing.as_seen(torch.from_numpy(picture.astype(np.float32))[None, None])
    assert (theirs - ours).abs().max() < 1e-5
