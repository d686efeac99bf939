"""The journal: a row a step and a check, none twice, for TensorBoard too, by one process alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.journal import Journal
from training.ranks import Ranks


def _tell(folder: Path, first: int, last: int, *, anew: bool, **said: Any) -> list[str]:
    told: list[str] = []
    journal = Journal(told.append, "language", folder, **said)
    journal.begin(first, 40, anew=anew)
    for step in range(first + 1, last + 1):
        journal.step(step, 40, {"text": 1 / step, "verdict": 2.0}, 0.5, {"head": 1e-3}, 1000)
        if step % 10 == 0:
            journal.check(step, {"map": step / 100})
    journal.end()
    return told


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(x) for x in (folder / "journal.jsonl").read_text("utf-8").splitlines()]


def test_a_step_says_losses_norm_rates_speed_mfu_and_memory(tmp_path: Path) -> None:
    told = _tell(tmp_path, 0, 20, anew=True, peak=1e12, a_token=6e6)
    row = _rows(tmp_path)[3]
    assert row["row"] == "step"
    assert row["step"] == 4
    assert row["losses"] == {"text": 0.25, "verdict": 2.0}
    assert row["norm"] == 0.5
    assert row["rates"] == {"head": 1e-3}
    assert row["tokens_a_second"] == pytest.approx(1000 / row["seconds"])
    assert row["mfu"] == pytest.approx(row["tokens_a_second"] * 6e6 / 1e12)
    assert 0.01 < row["memory_gb"] < 100
    assert told[0] == "language check at step 10: map 0.100"
    assert told[1].startswith("language step 20/40: text 0.180, verdict 2.000, gradient 0.5, ")
    assert "MFU" in told[1]


def test_without_a_known_peak_no_mfu_is_claimed(tmp_path: Path) -> None:
    _tell(tmp_path, 0, 2, anew=True)
    assert all("mfu" not in row for row in _rows(tmp_path))


def test_a_resumed_run_goes_on_with_no_step_twice_and_no_torn_row(tmp_path: Path) -> None:
    _tell(tmp_path, 0, 17, anew=True)
    with (tmp_path / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"row": "step", "st')  # killed while writing
    _tell(tmp_path, 10, 20, anew=False)
    rows = _rows(tmp_path)
    assert [r["step"] for r in rows if r["row"] == "step"] == list(range(1, 21))
    assert [r["step"] for r in rows if r["row"] == "check"] == [10, 20]


def test_a_run_anew_forgets_the_former_one(tmp_path: Path) -> None:
    _tell(tmp_path, 0, 12, anew=True)
    _tell(tmp_path, 0, 3, anew=True)
    assert [row["step"] for row in _rows(tmp_path)] == [1, 2, 3]


def test_tensorboard_reads_the_same_figures_with_no_step_twice(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _tell(tmp_path, 0, 17, anew=True)
    _tell(tmp_path, 10, 20, anew=False)
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    losses = board.Scalars("step/losses/text")
    assert [event.step for event in losses] == list(range(1, 21))
    assert losses[3].value == pytest.approx(0.25)
    assert {"step/rates/head", "step/norm", "check/seen/map"} <= set(board.Tags()["scalars"])


def test_without_tensorboard_the_rows_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _tell(tmp_path, 0, 2, anew=True)
    assert len(_rows(tmp_path)) == 2
    assert not (tmp_path / "tensorboard").exists()


def test_only_the_first_process_tells(tmp_path: Path) -> None:
    assert _tell(tmp_path / "other", 0, 20, anew=True, ranks=Ranks(rank=1, world=2)) == []
    assert not (tmp_path / "other").exists()


def test_a_bar_is_drawn_on_a_terminal_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _tell(tmp_path, 0, 20, anew=True)
    assert capsys.readouterr().err == ""
