"""Whether splits share what they must not: a paper, a work, a picture or its near-duplicate.

    check_leaks(source, *, images=None, told=None) -> Leaks      looks, and refuses nothing
    refuse_leaks(leaks, source) -> None                          raises BadInput where there is one

`source` is a WORK folder, its figures.jsonl, or any conversations file (`glassllava.conversation`,
JSON or JSON lines); pictures of conversations are looked for under `images`, else beside the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Leak:
    """Two records of different splits that share something; `why` is a sentence's end."""

    why: str
    one: str
    other: str
    splits: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Leaks:
    """What was found. `checked` pictures were looked at, `missing` ones could not be opened."""

    leaks: tuple[Leak, ...]
    records: int
    checked: int
    missing: tuple[str, ...]


def check_leaks(
    source: Path,
    *,
    images: Path | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Leaks:
    """Compare every picture with every other of another split; `told` is (pictures read, of all).

    Raises
    ------
    BadInput : where the source is not there or no such file.
    """
    raise NotImplementedError


def refuse_leaks(leaks: Leaks, source: Path) -> None:
    """Raises BadInput that names the first leaks, or the pictures that could not be checked."""
    raise NotImplementedError
