"""The tower's two sources: from (seed, step) alone, silent where nobody can say, and taught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.embedded.drawn import CRACK, SIDE, keep_pictures, loud_tower
from training.checkpoint import Keeper
from training.embedded import seeing, start
from training.embedded.dataset import Split
from training.embedded.pictures import LABELS
from training.embedded.seeing import Scored, ViewBatch, Views, mean_average_precision
from training.journal import Journal
from training.loop import run_stage
from training.ranks import Ranks
from training.recipe import Stage


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return keep_pictures(tmp_path, "train", 8)


def views_of(split: Split, **said: Any) -> Views:
    return Views(split, split, **{"batch": 3, "seed": 5, "closer": SIDE, "checked": 4, **said})


def same(one: ViewBatch, two: ViewBatch) -> bool:
    return one.rows == two.rows and all(map(torch.equal, one[1:], two[1:]))


def test_views_follow_from_seed_and_step_alone(split: Split) -> None:
    one, two = views_of(split), views_of(split)
    (fourth,) = one.batches(4, 0, 1)
    for step in range(4):
        two.batches(step, 0, 1)
    assert same(fourth, two.batches(4, 0, 1)[0])
    assert not same(fourth, one.batches(5, 0, 1)[0])
    assert not same(fourth, views_of(split, seed=6).batches(4, 0, 1)[0])
    assert fourth.pixels.shape == (3, 1, 448, 448)


def test_every_picture_is_seen_once_an_epoch_and_cut_otherwise_in_the_next(split: Split) -> None:
    source = views_of(split, batch=4)
    assert source.steps_an_epoch == 2
    seen = [source.batches(step, 0, 1)[0] for step in range(4)]
    assert sorted(seen[0].rows + seen[1].rows) == list(range(8))
    assert sorted(seen[2].rows + seen[3].rows) == list(range(8))
    first = {row: batch.pixels[i] for batch in seen[:2] for i, row in enumerate(batch.rows)}
    again = {row: batch.pixels[i] for batch in seen[2:] for i, row in enumerate(batch.rows)}
    assert not any(torch.equal(first[row], again[row]) for row in first)


def test_processes_share_a_steps_views(split: Split) -> None:
    source = views_of(split, batch=4)
    (whole,) = source.batches(1, 0, 1)
    parts = [source.batches(1, rank, 2)[0] for rank in range(2)]
    for rank, part in enumerate(parts):
        assert part.rows == whole.rows[rank::2]
        assert torch.equal(part.pixels, whole.pixels[rank::2])


def test_what_nobody_can_say_costs_nothing_and_teaches_nothing(split: Split) -> None:
    source, tower = views_of(split, batch=1), loud_tower()
    (batch,) = source.batches(0, 0, 1)
    silent = batch._replace(
        present=torch.full_like(batch.present, -1), where=torch.full_like(batch.where, -1)
    )
    assert source.supervised(silent).tolist() == [0, 0]
    assert source.losses(tower, silent).tolist() == [0.0, 0.0]
    one = silent.present.clone()
    one[0, CRACK] = 1
    taught = silent._replace(present=one)
    assert source.supervised(taught).tolist() == [1, 0]
    source.losses(tower, taught).sum().backward()
    assert tower.glance.weight.grad is not None
    rows = tower.glance.weight.grad.abs().sum(1).nonzero().flatten().tolist()
    assert rows == [CRACK]
    assert tower.dense.outer.weight.grad is not None  # the glance reads what the cells say


def test_a_broken_view_is_told_apart_by_name(split: Split) -> None:
    source = views_of(split)
    (batch,) = source.batches(0, 0, 1)
    parts = source.apart(batch)
    assert [source.names(part)[0] for part in parts] == list(source.names(batch))
    assert all(torch.equal(part.pixels[0], batch.pixels[i]) for i, part in enumerate(parts))


def test_standardised_cells_have_mean_nought_and_deviation_one(split: Split) -> None:
    tower = loud_tower()
    for _ in range(2):  # again changes nothing
        seeing.standardise(tower, split.folder, split.records, SIDE)
        cells = torch.cat([tower.own(tower.look(small), 4)[0] for small in _small(split)])
        spread = cells.std(0)
        assert cells.mean(0).abs().max() < 1e-3
        # A value that is the same in every cell has no deviation to bring to one.
        assert torch.logical_or((spread - 1).abs() < 1e-3, spread < 1).all()
        assert ((spread - 1).abs() < 1e-3).float().mean() > 0.8


def _small(split: Split) -> list[torch.Tensor]:
    from glassllava.model import processing
    from tests.training.embedded.drawn import pictures_of

    squares = [processing.letterbox(picture, SIDE // 3) for picture in pictures_of(split)]
    return [seeing.as_seen(torch.from_numpy(s.astype(np.float32))[None, None]) for s in squares]


def test_mean_average_precision_ranks_and_leaves_out_what_is_nowhere() -> None:
    truth = torch.zeros(4, len(LABELS))
    truth[:2, CRACK] = 1
    right = torch.zeros(4, len(LABELS))
    right[:, CRACK] = torch.tensor([4.0, 3.0, 2.0, 1.0])
    assert mean_average_precision(right, truth) == 1.0
    assert mean_average_precision(-right, truth) == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_a_rare_label_weighs_more_but_not_without_end() -> None:
    truth = torch.zeros(1000, 3)
    truth[:500, 0], truth[:40, 1], truth[:1, 2] = 1, 1, 1
    common, rare, rarest = seeing.rarity(truth).tolist()
    assert common == pytest.approx(1.0)
    assert common < rare < rarest == 8.0


def stage(parts: dict[str, float], steps: int, kinds: int) -> Stage:
    weights = (1.0, 12.0)[:kinds]
    return Stage(
        "s", parts, batch=2, steps=steps, weights=weights, check_every=2, watched="map", bf16=False
    )


def cut_and_whole(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: Any,
    parts: dict[str, float],
    steps: int,
) -> None:
    """Run a stage through, run it again with a cut, resume it: every parameter is the same."""

    def take(name: str) -> Any:
        torch.manual_seed(1)
        tower = loud_tower()
        keeper = Keeper(tmp_path / name, Ranks(), {"of": "a test"})
        journal = Journal(lambda _: None, name, keeper.folder, Ranks())
        planned = stage(parts, steps, len(source.kinds))
        return tower, run_stage(tower, planned, source, Ranks(), keeper, journal)

    torch.set_num_threads(1)
    whole, curve = take("whole")
    draw = type(source).batches

    def until(self: Any, step: int, rank: int, world: int) -> Any:
        if step == steps - 1:
            raise KeyboardInterrupt
        return draw(self, step, rank, world)

    with monkeypatch.context() as patched:
        patched.setattr(type(source), "batches", until)
        with pytest.raises(KeyboardInterrupt):
            take("cut")
    resumed, again = take("cut")
    assert again == curve
    for (name, one), (_, two) in zip(
        whole.state_dict().items(), resumed.state_dict().items(), strict=True
    ):
        assert torch.equal(one, two), name
    untrained = loud_tower().state_dict()
    moved = {
        n.split(".")[0] for n, v in whole.state_dict().items() if not (v == untrained[n]).all()
    }
    assert moved <= set(parts)


def test_a_cut_stage_on_views_ends_like_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: Split
) -> None:
    source = views_of(split, batch=1, checked=2)
    parts = {"deep": 1e-4, "dense": 1e-3, "glance": 1e-3}
    cut_and_whole(tmp_path, monkeypatch, source, parts, 3)


def scored() -> Scored:
    """Crack is what the first pooled value says."""
    drawn = torch.Generator().manual_seed(0)
    pooled = 0.05 * torch.randn(88, 5 * len(LABELS), generator=drawn)
    pooled[:, 0] *= 100
    truth = torch.zeros(88, len(LABELS))
    truth[:, CRACK] = (pooled[:, 0] > 0).float()
    return Scored((pooled[32:], pooled[:32]), (truth[32:], truth[:32]), batch=8, seed=3)


def test_a_cut_head_ends_like_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_and_whole(tmp_path, monkeypatch, scored(), {"head": 3e-3}, 5)


def test_the_head_learns_what_the_pooled_values_say(tmp_path: Path) -> None:
    tower = loud_tower()
    with torch.no_grad():
        tower.head.weight[CRACK, 0] = -0.3  # it begins with the contrary
    keeper = Keeper(tmp_path, Ranks(), {"of": "a test"})
    journal = Journal(lambda _: None, "s", keeper.folder, Ranks())
    planned = replace(stage({"head": 3e-2}, 60, 1), batch=8, check_every=30)
    curve = run_stage(tower, planned, scored(), Ranks(), keeper, journal)
    assert curve[0]["map"] < 0.5
    assert curve[-1]["map"] > 0.9


def test_scored_pictures_come_from_seed_and_step_alone() -> None:
    one, two = scored(), scored()
    assert (one.batches(9, 0, 1)[0] == two.batches(9, 0, 1)[0]).all()
    rows = np.concatenate([one.batches(step, 0, 1)[0] for step in range(one.steps_an_epoch)])
    assert sorted(rows) == list(range(56))
    halves = [one.batches(2, rank, 2)[0] for rank in range(2)]
    assert sorted(np.concatenate(halves)) == sorted(one.batches(2, 0, 1)[0])


def test_the_head_starts_as_the_mean_of_both_looks() -> None:
    tower = loud_tower()
    start.join_looks(tower)
    labels = tower.config.labels
    pooled = torch.randn(3, 5 * labels)
    small, surest = pooled[:, :labels], pooled[:, labels : 2 * labels]
    torch.testing.assert_close(tower.scores(pooled), 2 * (small + surest))
