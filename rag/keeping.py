"""The index of a folder as one process has it: owned, opened, kept in step, given up, erased.

It is no part of the truth: whoever asks here gets candidates, or None and searches exactly. To
bring it up takes a minute where a library is large, and hinders nobody who does not ask for it.
Knows holdings; not questions, nor when an index is worth having.
"""

from __future__ import annotations

import logging
import shutil
import threading
from typing import TYPE_CHECKING

from rag import retrieval
from rag.index import Index, IndexFailed
from rag.ownership import Ownership

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from rag.holdings import Holdings

_LOG = logging.getLogger(__name__)


class KeptIndex:
    """The index in `folder`, for threads to share; `never` says why it is not to be opened."""

    def __init__(self, folder: Path, never: str = "") -> None:
        self._folder = folder / "index"
        self._never = never
        self._ownership = Ownership(folder / "owner.lock")
        self._lock = threading.RLock()
        self._index: Index | None = None
        self.failed = False  # tried, and given up
        self._in_step: int | None = None  # the generation for which it was last brought up
        self._why_exact = never or f"the faster one up to {retrieval.EXACT_UP_TO:,} passages"

    @property
    def is_open(self) -> bool:
        return self._index is not None

    @property
    def backend(self) -> str:
        """Whether the index is open: "chroma", or else "exact" with the reason."""
        return "chroma" if self.is_open else f"exact ({self._why_exact})"

    def bring_up(self, holdings: Holdings) -> None:
        """Have it open, if it can be, and in step with the manifest."""
        with self._lock:
            if self._index is None:
                self._open(holdings)
            elif self._in_step != holdings.generation:
                try:
                    self._index.sync(holdings)
                except IndexFailed as error:
                    self._give_up(error)
            self._in_step = holdings.generation

    def nearest(self, vector: np.ndarray, count: int, holdings: Holdings) -> list[int] | None:
        """Row numbers nearest to a unit vector; None where it cannot be had, or not now.

        Not now is while another thread brings it up.
        """
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self._in_step != holdings.generation:
                self.bring_up(holdings)
            return None if self._index is None else self._index.nearest(vector, count, None)
        except IndexFailed as error:
            self._give_up(error)
            return None
        finally:
            self._lock.release()

    def check(self, holdings: Holdings) -> tuple[int, bool, bool]:
        """Ask every passage for its own vector: (lost, built anew, an untrusted one was there)."""
        with self._lock:
            self.bring_up(holdings)
            lost = 0
            if self._index is not None:
                try:
                    lost = len(self._index.lost(holdings))
                    if lost:
                        self._index.rebuild(holdings)
                except IndexFailed as error:
                    self._give_up(error)
            if self._index is None:
                return lost, False, False
            return lost, self._index.rebuilt, self._index.mended

    def forget(self) -> None:
        """Erase its files if it is open: Chroma's keep the words of rows that are deleted."""
        with self._lock:
            if self._index is not None:
                self._erase()

    def erase(self) -> bool:
        """Erase its files; False where they are another process's."""
        with self._lock:
            if self._index is None and not self._owns():
                return False
            self._erase()
            return True

    def close(self) -> None:
        with self._lock:
            self._shut()
            self._ownership.release()

    def _erase(self) -> None:
        self._shut()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._in_step = None

    def _shut(self) -> None:
        if self._index is not None:
            try:
                self._index.close()
            except IndexFailed as error:
                _LOG.warning("the index did not close cleanly: %s", error)
            self._index = None

    def _owns(self) -> bool:
        """Whether the index is this object's to write; else `_why_exact` says why not."""
        try:
            if self._ownership.take():
                return True
            self._why_exact = "another process owns the index"
        except OSError as error:
            self._why_exact = f"the index cannot be locked: {error.strerror}"
        return False

    def _open(self, holdings: Holdings) -> None:
        if self._never or not self._owns():
            return
        index = Index(self._folder)
        try:
            index.open(holdings)
        except IndexFailed as error:
            self._give_up(error)
        else:
            self._index = index
            self.failed = False

    def _give_up(self, error: IndexFailed) -> None:
        _LOG.warning("searching without the index: %s", error)
        self._index = None
        self._why_exact = f"the index failed: {error}"
        self.failed = True
