"""What a run tells while it goes on: lines for a person, a file for a program.

Knows numbers and names; knows nothing of models.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Log = Callable[[str], None]
_EVERY = 20  # steps between two lines


@dataclass
class Journal:
    """Tells the mean losses of every stretch of steps, and each check."""

    log: Log
    stage: str = ""
    _sums: dict[str, float] = field(default_factory=dict)
    _steps: int = 0
    _started: float = field(default_factory=time.perf_counter)

    def step(
        self, step: int, steps: int, losses: Mapping[str, float], norm: float, tokens: int
    ) -> None:
        """One optimiser step: mean loss of each kind, the gradient's norm, tokens it learnt on."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        if (step + 1) % _EVERY == 0 or step + 1 == steps:
            mean = ", ".join(f"{n} {v / self._steps:.3f}" for n, v in self._sums.items())
            spent = time.perf_counter() - self._started
            self.log(f"{self.stage} step {step + 1}/{steps}: {mean}, {spent:.0f} s")
            self._sums, self._steps = {}, 0

    def check(self, step: int, seen: Mapping[str, float]) -> None:
        """What a check of the validation split said."""
        told = ", ".join(f"{name} {value:.3f}" for name, value in seen.items())
        self.log(f"{self.stage} check at step {step}: {told}")
