"""Papers to figures: each with its caption, the paragraphs that mention it, origin and licence.

    gather(paths, work, *, model="embedded", seed=0, shares=SHARES, told=None, log=None) -> Gathered

reads papers as `rag.reading` does and writes WORK/figures.jsonl and WORK/images/*.png. What one
paper gave is kept in WORK/papers, so that a cut run goes on and nothing is read twice. Knows no
question and no server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.curation.splits import SHARES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a gathering gave: counts, and every paper that failed with its reason.

    `failed` and `passed_over` are pairs (path, why); `splits` counts figures of each split that are
    no duplicates; `notes` are sentences for the person.
    """

    papers: int
    figures: int
    sem: int
    unsure: int
    duplicates: int
    splits: Mapping[str, int]
    failed: tuple[tuple[str, str], ...]
    passed_over: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def gather(
    paths: Sequence[Path],
    work: Path,
    *,
    model: str = "embedded",
    seed: int = 0,
    shares: Mapping[str, float] = SHARES,
    told: Callable[[int, int], None] | None = None,
    log: Callable[[str], None] | None = None,
) -> Gathered:
    """Read the papers under `paths` into WORK/figures.jsonl and WORK/images; the same call resumes.

    `told` is called with (papers done, of all), `log` with sentences. A paper that fails is listed
    in the answer, and the rest goes on: a command exits 1 where `failed` is not empty.

    Raises
    ------
    BadInput : for a path that is not there, shares that are none, a folder that cannot be written.
    """
    raise NotImplementedError
