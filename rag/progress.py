"""Bars on standard error for what takes long; drawn only where that is a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def progress_bar(total: int, name: str, unit: str = "passage") -> Any:
    """A bar that is gone when it is done; `update` it by what has been done since."""
    from tqdm import tqdm

    return tqdm(total=total, desc=name, unit=unit, file=sys.stderr, disable=None, leave=False)


class FileBar:
    """How many files are done, which one is being read, and how many passages a second."""

    def __init__(self, name: str) -> None:
        self._bar = progress_bar(0, name, "file")
        self._passages = 0

    def file(self, number: int, total: int, path: Path) -> None:
        if self._bar.disable:
            return
        from rag.printed import plain

        self._bar.total = total
        self._bar.n = number
        self._bar.set_description_str(plain(path.name)[:40], refresh=False)
        self._show()

    def pages(self, done: int, total: int) -> None:
        """A file is read in seconds: its passages, which take longer, are what is counted."""

    def passages(self, count: int) -> None:
        self._passages += count
        if not self._bar.disable:
            self._show()

    def done(self, outcome: object) -> None:
        """What became of a file is printed when all are through."""

    def _show(self) -> None:
        seconds = max(self._bar.format_dict["elapsed"], 1e-3)
        pace = self._passages / seconds
        self._bar.set_postfix_str(f"{self._passages} passages, {pace:.1f}/s", refresh=True)

    def __enter__(self) -> FileBar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
