"""The losses of a short `embedded_2cpu`: the same bits on one machine, nearly the same elsewhere.

All four stages go through the code that makes the checkpoint that ships, on 16 pictures that the
tests draw. `python -m tests.training.test_golden_curve` writes the golden file anew and
says how far threads and 16-bit work move the curve.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.embedded import test_making as embedded
from training.checkpoint import Keeper
from training.embedded import making
from training.ranks import Ranks

GOLDEN = Path(__file__).parents[1] / "golden" / "embedded_curve.json"
Curve = dict[str, list[list[float]]]


def take(work: Path, *, threads: int = 1, bf16: bool = False) -> Curve:
    """The losses of every step of every stage."""
    torch.set_num_threads(threads)
    recipe = embedded._recipe(24, 24)
    short = {
        "places": {"steps": 8, "batch": 2, "check_every": 8, "bf16": bf16},
        "tower": {"steps": 6, "batch": 2, "check_every": 6, "bf16": bf16},
        "head": {"steps": 16, "batch": 8, "check_every": 16},
        "language": {"bf16": bf16},
    }
    stages = tuple(replace(stage, **short[stage.name]) for stage in recipe.stages)
    recipe = replace(recipe, stages=stages)
    train, validation = splits = embedded._splits(work)

    def keep(stage: str) -> Keeper:
        return Keeper(work / stage, Ranks(), {"of": "a golden curve"})

    def silent(_: str) -> None:
        """The journal keeps it."""

    begun = embedded._tower(train)
    tower, _ = making.teach_tower(recipe, train, validation, keep, Ranks(), silent, begun)
    looked = embedded._looked(tower, splits)
    making.teach_head(recipe, tower, splits, looked, keep, Ranks(), silent)
    model, processor = embedded._model(tower)
    making.teach_language(recipe, model, processor, splits, looked, keep, Ranks(), silent)
    curve: Curve = {}
    for name in short:
        rows = map(json.loads, (work / name / "journal.jsonl").read_text("utf-8").splitlines())
        curve[name] = [list(row["losses"].values()) for row in rows if row["row"] == "step"]
    return curve


def apart(one: Any, two: Any) -> float:
    """The greatest difference of two curves, as a share of the greater of 1 and the loss."""
    assert one.keys() == two.keys()
    return max(
        abs(a - b) / max(1.0, abs(b))
        for name in one
        for ours, theirs in zip(one[name], two[name], strict=True)
        for a, b in zip(ours, theirs, strict=True)
    )


@pytest.mark.proof
def test_the_curve_is_exact_here_and_golden_within_the_stated_tolerance(tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = take(tmp_path / "one"), take(tmp_path / "two")
    assert one == two
    assert [len(losses) for losses in one.values()] == [8, 6, 16, 24]
    far = apart(one, golden["losses"])
    print(f"apart from the golden curve: {far:.1e}, tolerance {golden['tolerance']:.0e}")
    assert far <= golden["tolerance"]
    # It learns: every kind's loss falls in every stage. `tower` goes on where `places` ended, on
    # other views: it is held against where both began.
    began = {**{name: losses[0] for name, losses in one.items()}, "tower": one["places"][0]}
    assert all(
        last < first
        for name, losses in one.items()
        for first, last in zip(began[name], losses[-1], strict=True)
    )


def main() -> None:
    def made(**said: Any) -> Curve:
        with tempfile.TemporaryDirectory() as work:
            return take(Path(work), **said)

    losses = made()
    threads, bf16 = apart(made(threads=2), losses), apart(made(bf16=True), losses)
    golden = {
        "made_on": {
            "machine": platform.machine(),
            "processor": torch.backends.cpu.get_cpu_capability(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "threads": 1,
        },
        "apart_with_two_threads": threads,
        "apart_with_bf16": bf16,
        # Eight times what a second thread does: other processors are an allowance, not measured.
        "tolerance": 5e-3,
        "losses": losses,
    }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", "utf-8")
    print(f"two threads: {threads:.1e}; bf16: {bf16:.1e}", file=sys.stderr)


if __name__ == "__main__":
    main()
