"""Work beside the window: run in a thread, deliver in the window's own, drop what is stale.

Work of one `channel` supersedes earlier work of that channel: a generation counter drops results
and progress that nobody waits for any more. This is the one place of the desktop with a broad
`except`: a failure becomes a `Trouble` and a line in the log, and the window goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot

from glassllava.errors import GlassError
from glassview.session import Trouble

log = logging.getLogger("glassview.jobs")

#: Words, or whatever says how far the work is.
Say = Callable[[Any], None]
Work = Callable[[Say], Any]

#: A thread's stack: the 512 kB that macOS gives a thread are too few for torch.
_STACK = 16 << 20


@dataclass(frozen=True, slots=True)
class _Ticket:
    channel: str
    generation: int


class _Wire(QObject):
    """Carries what a thread says into the window's thread."""

    said = Signal(object, object)
    done = Signal(object, object)
    failed = Signal(object, object)


class _Job(QRunnable):
    def __init__(
        self, work: Work, ticket: _Ticket, wire: _Wire, is_wanted: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._work, self._ticket, self._wire, self._is_wanted = work, ticket, wire, is_wanted

    def run(self) -> None:
        if not self._is_wanted():
            return
        try:
            result = self._work(self._say)
        except GlassError as error:
            log.warning("%s", error)
            self._tell(self._wire.failed, Trouble.of(error))
        except Exception as error:  # the viewer's job runner: it records and goes on
            log.exception("%s failed", self._ticket.channel)
            self._tell(self._wire.failed, trouble_of(error))
        else:
            self._tell(self._wire.done, result)

    def _say(self, what: object) -> None:
        self._tell(self._wire.said, what)

    def _tell(self, signal: Any, what: object) -> None:
        try:
            signal.emit(self._ticket, what)
        except RuntimeError:  # the window was closed and its wire deleted: nobody listens
            log.debug("%s ended after the window was closed", self._ticket.channel)


def trouble_of(error: Exception) -> Trouble:
    """An error that no one foresaw, as something to show: it is a bug, and says so."""
    if isinstance(error, MemoryError):
        return Trouble("There is not enough memory for this", "Close other programs and try again.")
    if isinstance(error, ModuleNotFoundError):
        return Trouble(
            f"The library '{error.name}' is not installed",
            "Run `glassview doctor` to see which parts are missing.",
        )
    return Trouble(
        f"Unexpected {type(error).__name__}: {error}"[:500],
        "This is a fault of GlassView: the log (Ctrl+L) has the details.",
    )


class Jobs(QObject):
    """Runs work on named lanes; a lane has its own threads and keeps its own order."""

    def __init__(self, lanes: dict[str, int], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wire = _Wire(self)
        self._wire.said.connect(self._on_said)
        self._wire.done.connect(self._on_done)
        self._wire.failed.connect(self._on_failed)
        self._generations: dict[str, int] = {}
        self._waiting: dict[_Ticket, tuple[Callable[[Any], None], ...]] = {}
        self._pools: dict[str, QThreadPool] = {}
        for name, threads in lanes.items():
            pool = QThreadPool(self)
            pool.setMaxThreadCount(threads)
            pool.setStackSize(_STACK)
            pool.setExpiryTimeout(-1)
            self._pools[name] = pool

    def run(
        self,
        lane: str,
        channel: str,
        work: Work,
        done: Callable[[Any], None],
        failed: Callable[[Trouble], None],
        said: Callable[[Any], None] = lambda what: None,
        *,
        priority: int = 0,
    ) -> None:
        """Start `work(say)`; exactly one of `done` and `failed` is called, unless superseded."""
        self.forget(channel)
        ticket = _Ticket(channel, self._generations[channel])
        self._waiting[ticket] = (done, failed, said)
        job = _Job(work, ticket, self._wire, lambda: ticket in self._waiting)
        self._pools[lane].start(job, priority)

    def forget(self, channel: str) -> None:
        """Whatever runs or waits on this channel is no longer wanted."""
        generation = self._generations.get(channel, 0)
        self._waiting.pop(_Ticket(channel, generation), None)
        self._generations[channel] = generation + 1

    def is_busy(self, channel: str) -> bool:
        return _Ticket(channel, self._generations.get(channel, 0)) in self._waiting

    def close(self, patience_ms: int = 3000) -> bool:
        """Forget everything; True if every thread ended in time."""
        self._waiting.clear()
        for pool in self._pools.values():
            pool.clear()
        return all(pool.waitForDone(patience_ms) for pool in self._pools.values())

    @Slot(object, object)
    def _on_said(self, ticket: _Ticket, what: object) -> None:
        if ticket in self._waiting:
            self._waiting[ticket][2](what)

    @Slot(object, object)
    def _on_done(self, ticket: _Ticket, result: object) -> None:
        if calls := self._waiting.pop(ticket, None):
            calls[0](result)

    @Slot(object, object)
    def _on_failed(self, ticket: _Ticket, trouble: Trouble) -> None:
        if calls := self._waiting.pop(ticket, None):
            calls[1](trouble)
