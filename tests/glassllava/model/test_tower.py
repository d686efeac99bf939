"""The tower: what it hands on agrees with itself, in batches, in 16 bits and after a reload."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoConfig, AutoModel

from glassllava.model import processing
from glassllava.model.tower import CELL, OWN, SMALLER, STRIDE, Tower, TowerConfig

LABELS = 5
SIDE = 336


@pytest.fixture(scope="module")
def tower() -> Tower:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    made = Tower(TowerConfig(SIDE, labels=LABELS))
    for module in made.modules():
        # Small random weights let nothing through: louder ones, so that pictures differ.
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    with torch.no_grad():
        made.shift.normal_()
        made.scale.uniform_(0.5, 1.5)
    return made.eval()


def pixels(count: int = 1, side: int = SIDE, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def close(one: Tensor, two: Tensor, share: float = 1e-4) -> bool:
    return bool((one - two).abs().max() <= share * two.abs().max())


@torch.inference_mode()
def test_shapes_are_those_of_the_docstrings(tower: Tower) -> None:
    seen = tower.seen(pixels(1, 2 * SIDE))
    assert seen.cells.shape == (1, 4, OWN + 2 * LABELS)
    assert seen.pooled.shape == (1, 5 * LABELS)
    assert seen.where.shape == (1, LABELS, 2 * SIDE // STRIDE, 2 * SIDE // STRIDE)
    assert tower.tokens(seen.cells, seen.pooled).shape == (1, 4, tower.config.hidden_size)
    assert tower.config.hidden_size == OWN + 3 * LABELS
    assert tower.config.patch_size == CELL
    assert tower.scores(seen.pooled).shape == (1, LABELS)
    look = tower.look(pixels(1, 448))
    assert look.middle.shape == (1, 112, 28, 28)
    assert look.late.shape == (1, 320, 14, 14)
    assert look.where.shape == (1, LABELS, 28, 28)
    assert tower.glanced(look).shape == (1, LABELS)


@torch.inference_mode()
def test_a_picture_is_answered_alike_alone_and_among_three(tower: Tower) -> None:
    values = pixels(3)
    tokens, where = tower.see(values)
    for row in range(3):
        own_tokens, own_where = tower.see(values[row : row + 1])
        assert close(own_tokens[0], tokens[row])
        assert close(own_where[0], where[row])
    assert not close(tokens[0], tokens[1])


@torch.inference_mode()
def test_see_is_forward_and_where(tower: Tower) -> None:
    values = pixels()
    tokens, where = tower.see(values)
    given = tower(values)
    assert torch.equal(tokens, given.last_hidden_state)
    assert torch.equal(tokens, given.hidden_states[-1])
    assert torch.equal(where, tower.where(values))


@torch.inference_mode()
def test_where_is_the_mean_of_a_close_look_and_a_small_one(tower: Tower) -> None:
    values = pixels()
    fine = tower.look(values).where
    small = tower.look(functional.avg_pool2d(values, SMALLER)).where
    wide = functional.interpolate(small, fine.shape[-2:], mode="bilinear", align_corners=False)
    assert close(tower.where(values), (fine + wide) / 2, 1e-6)


@torch.inference_mode()
def test_a_cell_of_where_stands_for_the_pixels_beneath_it(tower: Tower) -> None:
    """Rows are rows and columns are columns: what is changed far right near the top is felt there.

    Pixels reach their neighbours' cells, and less the farther these are.
    """
    values = torch.zeros(1, 3, SIDE, SIDE)
    changed = values.clone()
    changed[:, :, 2 * STRIDE : 3 * STRIDE, 16 * STRIDE : 17 * STRIDE] = 3.0
    felt = (tower.look(changed).where - tower.look(values).where)[0].abs().sum(0)
    row, column = divmod(int(felt.argmax()), felt.shape[1])
    assert abs(row - 2) <= 1
    assert abs(column - 16) <= 1


@torch.inference_mode()
def test_the_scores_stand_in_every_token_and_follow_from_what_was_pooled(tower: Tower) -> None:
    seen = tower.seen(pixels(1, 2 * SIDE))
    tokens = tower.tokens(seen.cells, seen.pooled)
    scores = tower.scores(seen.pooled)
    assert torch.equal(tokens[..., :-LABELS], seen.cells)
    assert (tokens[0, :, -LABELS:] == tokens[0, 0, -LABELS:]).all()
    ratio = scores[0] / tokens[0, 0, -LABELS:]
    assert close(ratio, ratio[0].expand(LABELS))
    again = tower.tokens(seen.cells, seen.pooled + 1)
    assert torch.equal(again[..., :-LABELS], seen.cells)
    assert not close(again[..., -LABELS:], tokens[..., -LABELS:])


@torch.inference_mode()
def test_likeness_weighs_texture_and_features_alike(tower: Tower) -> None:
    values = pixels(2)
    found = tower.likeness(values)
    assert found.shape == (2, OWN + LABELS)
    for part in (found[:, :OWN], found[:, OWN:]):
        assert torch.allclose(part.norm(dim=-1), torch.ones(2), atol=1e-4)
    assert found[0] @ found[0] > found[0] @ found[1]


@torch.inference_mode()
def test_sixteen_bits_say_nearly_the_same(tower: Tower) -> None:
    values = pixels()
    tokens, where = tower.see(values)
    with torch.autocast("cpu", torch.bfloat16):
        cast_tokens, cast_where = tower.see(values)
    assert float((cast_tokens - tokens).abs().mean() / tokens.abs().mean()) < 0.05
    assert float((cast_where - where).abs().mean() / where.abs().mean()) < 0.05
    half = Tower(tower.config).to(torch.bfloat16).eval()
    half.load_state_dict(tower.state_dict())
    whole_tokens, _ = half.see(values.bfloat16())
    assert whole_tokens.dtype == torch.bfloat16
    assert float((whole_tokens.float() - tokens).abs().mean() / tokens.abs().mean()) < 0.05


@torch.inference_mode()
def test_saved_and_opened_by_transformers_it_is_the_same_to_the_bit(
    tower: Tower, tmp_path: Path
) -> None:
    tower.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, TowerConfig)
    mine = tower.config
    for name in ("image_size", "labels", "mixed", "patch_size", "hidden_size", "num_channels"):
        assert getattr(config, name) == getattr(mine, name), name
    opened = AutoModel.from_pretrained(tmp_path)
    assert isinstance(opened, Tower)
    kept = opened.state_dict()
    assert kept.keys() == tower.state_dict().keys()
    for name, value in tower.state_dict().items():
        assert torch.equal(kept[name], value), name
    values = pixels()
    # Where a weight lies in memory may turn the last bit of a sum.
    assert close(opened.eval().see(values)[0], tower.see(values)[0], 1e-5)


def test_what_standardises_is_never_trained(tower: Tower) -> None:
    assert not tower.shift.requires_grad
    assert not tower.scale.requires_grad


def test_glancing_drops_values_only_where_it_is_asked_to(tower: Tower) -> None:
    look = tower.look(pixels(1, 448))
    assert torch.equal(tower.glanced(look), tower.glanced(look, 0.0))
    assert not torch.equal(tower.glanced(look), tower.glanced(look, 0.5))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((480, 640), (84, 0, 504, 672)),
        ((640, 480), (0, 84, 672, 504)),
        ((672, 672), (0, 0, 672, 672)),
        ((1, 1), (0, 0, 672, 672)),
        ((1, 5000), (335, 0, 1, 672)),
        ((5000, 1), (0, 335, 672, 1)),
        ((960, 1280, 3), (84, 0, 504, 672)),
    ],
)
def test_a_picture_is_placed_in_the_middle_of_its_square(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert processing.placed(shape, 672) == expected


def test_the_letterbox_draws_where_it_says() -> None:
    picture = np.zeros((90, 160), np.uint8)
    picture[30:60, 40:80] = 200
    square = processing.letterbox(picture, 672)
    top, left, rows, columns = processing.placed(picture.shape, 672)
    drawn = square[top : top + rows, left : left + columns]
    padding = {*square[:top].ravel().tolist(), *square[top + rows :].ravel().tolist()}
    assert padding == {round(float(drawn.mean()))}
    y, x = np.nonzero(drawn > 100)
    assert (y.min() / rows, (y.max() + 1) / rows) == pytest.approx((1 / 3, 2 / 3), abs=0.01)
    assert (x.min() / columns, (x.max() + 1) / columns) == pytest.approx((1 / 4, 1 / 2), abs=0.01)
