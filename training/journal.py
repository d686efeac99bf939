"""What a run tells while it goes on: lines and a bar for a person, files for a program.

Each step is a row of `journal.jsonl` (losses by kind, the gradient's norm, rates by part, seconds,
tokens a second, MFU, memory), each check another; TensorBoard has the same figures where it is
installed. A resumed run goes on in the same files, with no step twice. Only the first process
writes. Knows numbers and names; knows nothing of models.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.ranks import Ranks
from training.shards import write_whole

Log = Callable[[str], None]
FILE = "journal.jsonl"
_EVERY = 20  # steps between two lines


@dataclass
class Journal:
    """Tells the mean losses of every stretch of steps, each check, and what a step took.

    Parameters
    ----------
    folder : where the files are written; None: nowhere.
    peak : what all devices together could do, in operations a second; with `a_token`, the
        operations that a token takes, it gives the MFU.
    """

    log: Log
    stage: str = ""
    folder: Path | None = None
    ranks: Ranks = field(default_factory=Ranks)
    peak: float | None = None
    a_token: float | None = None
    _sums: dict[str, float] = field(default_factory=dict)
    _steps: int = 0
    _begun: float = 0.0
    _since: float = 0.0
    _bar: Any = None
    _board: Any = None

    def begin(self, step: int, steps: int, *, anew: bool) -> None:
        """Before the first step after `step`: what the files say of later ones is forgotten."""
        self._begun = self._since = time.perf_counter()
        if not self.ranks.first:
            return
        from tqdm import tqdm

        # A bar on a terminal only: a log file gets lines.
        self._bar = tqdm(
            total=steps, initial=step, desc=self.stage, unit="step", disable=None, leave=False
        )
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            forget(self.folder / FILE, -1 if anew else step)
            self._board = _board(self.folder / "tensorboard", step)

    def step(
        self,
        step: int,
        steps: int,
        losses: Mapping[str, float],
        norm: float,
        rates: Mapping[str, float],
        tokens: int,
    ) -> None:
        """One step: mean loss of each kind, the gradient's norm before it was clipped, the rate of
        each part, tokens that all processes learnt on."""
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        speed = tokens / seconds
        row: dict[str, Any] = {
            "losses": dict(losses),
            "norm": norm,
            "rates": dict(rates),
            "seconds": seconds,
            "tokens_a_second": speed,
        }
        if self.a_token is not None and self.peak is not None:
            row["mfu"] = speed * self.a_token / self.peak
        row["memory_gb"] = memory_gb(self.ranks)
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        if not self.ranks.first:
            return
        self._write("step", step, row)
        self._bar.update()
        if step % _EVERY == 0 or step == steps:
            mean = ", ".join(f"{n} {v / self._steps:.3f}" for n, v in self._sums.items())
            mfu = f", MFU {row['mfu']:.1%}" if "mfu" in row else ""
            self._tell(
                f"{self.stage} step {step}/{steps}: {mean}, gradient {norm:.2g}, "
                f"{speed:.0f} tokens/s{mfu}, {row['memory_gb']:.2f} GB, {now - self._begun:.0f} s"
            )
            self._sums, self._steps = {}, 0

    def check(self, step: int, seen: Mapping[str, float]) -> None:
        """What a check of the validation split said."""
        self._since = time.perf_counter()  # a check is no part of the next step's time
        if not self.ranks.first:
            return
        self._write("check", step, {"seen": dict(seen)})
        told = ", ".join(f"{name} {value:.3f}" for name, value in seen.items())
        self._tell(f"{self.stage} check at step {step}: {told}")

    def end(self) -> None:
        """Close bar and files."""
        if self._bar is not None:
            self._bar.close()
        if self._board is not None:
            self._board.close()
        self._bar = self._board = None

    def _tell(self, line: str) -> None:
        if self._bar is not None and not self._bar.disable:
            self._bar.clear()
        self.log(line)

    def _write(self, kind: str, step: int, figures: Mapping[str, Any]) -> None:
        if self.folder is None:
            return
        row = {"row": kind, "stage": self.stage, "step": step, **figures}
        with (self.folder / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if self._board is not None:
            for name, value in _scalars(figures):
                self._board.add_scalar(f"{kind}/{name}", value, step)


def forget(path: Path, step: int) -> None:
    """Drop the rows of `path` after `step`, and a last one that was cut short."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text("utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            break  # the run was ended while it wrote this; what follows cannot be
        if row["step"] <= step:
            kept.append(line + "\n")
    write_whole(path, "".join(kept))


def memory_gb(ranks: Ranks) -> float:
    """The most that this process has held so far, in 1e9 bytes: on its GPU, or else in memory."""
    if ranks.device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(ranks.device) / 1e9
    if sys.platform == "win32":
        return float("nan")  # no resource module there
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held * (1 if sys.platform == "darwin" else 1024) / 1e9


def _board(folder: Path, step: int) -> Any:
    """TensorBoard's writer, or None where it is not installed; hides steps after `step`."""
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)  # type: ignore[no-untyped-call]


def _scalars(figures: Mapping[str, Any], name: str = "") -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for key, value in figures.items():
        path = f"{name}/{key}" if name else key
        found += _scalars(value, path) if isinstance(value, Mapping) else [(path, float(value))]
    return found
