"""Which conversations a step learns from, and how they lie in rows. From (seed, step) alone.

A step takes the next `batch` conversations of an endless stream of shuffled epochs; only then are
they packed. So packing changes how long a step takes, never what it learns. The rows do not depend
on the number of processes; each gets as many, and like lengths at the same time. Numbers only.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np


def drawn(step: int, batch: int, count: int, seed: int) -> list[int]:
    """The conversations of `step`, by number: each once an epoch, in an order of its own."""
    chosen = []
    for place in range(step * batch, (step + 1) * batch):
        epoch, at = divmod(place, count)
        chosen.append(int(_order(count, seed, epoch)[at]))
    return chosen


@functools.lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng((seed, epoch)).permutation(count)


def pack(lengths: Sequence[int], longest: int) -> list[list[int]]:
    """Rows of at most `longest` tokens, by first fit, the longest first; places in `lengths`."""
    rows: list[list[int]] = []
    room: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        fits = (row for row, left in enumerate(room) if lengths[number] <= left)
        row = next(fits, len(rows))
        if row == len(rows):
            rows.append([])
            room.append(longest)
        rows[row].append(number)
        room[row] -= lengths[number]
    return rows


def pad(lengths: Sequence[int], longest: int) -> list[list[int]]:
    """Batches of like lengths, a row each, whose padded size is at most `longest` tokens."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    batches = []
    while order:
        size = max(1, longest // lengths[order[0]])
        batches.append(order[:size])
        order = order[size:]
    return batches


def deal(
    rows: Sequence[list[int]], lengths: Sequence[int], rank: int, world: int
) -> list[list[int] | None]:
    """The rows of one process, as many as every other has; None is a row that teaches nothing."""
    size = [sum(lengths[i] for i in row) for row in rows]
    order = sorted(range(len(rows)), key=lambda r: -size[r])
    rounds = [order[first : first + world] for first in range(0, len(order), world)]
    return [rows[r[rank]] if rank < len(r) else None for r in rounds]
