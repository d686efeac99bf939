"""The runner: rows in, outcomes out, reading and measuring while the model answers.

Knows the three calls (prepare, reply, conclude) and that one bad micrograph must not end a night;
this is the one place of the floor that catches everything. Writes nothing: what it yields, the
scan keeps.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glassllava.errors import GlassError

if TYPE_CHECKING:
    from batch.ledger import Row
    from glassllava.interpretation import Interpretation
    from glassllava.model.backend import Reply, VisionModel
    from glassllava.prompt import Enquiry

_log = logging.getLogger(__name__)
#: What a person can do about a bug.
FAULT = "This is a fault of GlassView: please report it with the log."


@dataclass(frozen=True, slots=True)
class Ready:
    """A row as it comes out of preparing.

    Without an enquiry there is nothing to ask: the reply that is kept still answers it.
    `seconds` are the stages so far, by name.
    """

    row: Row
    enquiry: Enquiry | None
    again: Callable[[], Interpretation | None] | None = None
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row: an interpretation, a reason why there is none, or no change."""

    row: Row
    interpretation: Interpretation | None = None
    enquiry: Enquiry | None = None
    reason: str = ""
    remedy: str = ""


def run(
    rows: Iterable[Row],
    *,
    prepare: Callable[[Row], Ready],
    model: VisionModel,
    conclude: Callable[[Ready, Reply], Interpretation],
    batch: int,
    workers: int,
) -> Generator[Outcome, None, None]:
    """The outcome of every row, in order.

    `prepare` runs in `workers` threads, a few rows ahead and no more, so that a long night takes
    no more memory than a short one; the model and everything else runs in this thread.
    """
    waiting: deque[tuple[Row, Future[Ready]]] = deque()
    ready: list[Ready] = []
    source = iter(rows)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="prepare")
    try:
        exhausted = False
        while True:
            while not exhausted and len(waiting) < workers + batch:
                row = next(source, None)
                if row is None:
                    exhausted = True
                else:
                    waiting.append((row, pool.submit(prepare, row)))
            if not waiting:
                break
            row, future = waiting.popleft()
            outcome = _prepared(row, future, ready)
            if outcome is not None:
                # Keep the order: what is ready before it is asked first.
                yield from _asked(ready, model, conclude)
                ready = []
                yield outcome
            elif len(ready) >= batch:
                yield from _asked(ready, model, conclude)
                ready = []
        yield from _asked(ready, model, conclude)
    finally:
        # Those at work are waited for here, where a second Ctrl-C can still be told calmly.
        pool.shutdown(wait=True, cancel_futures=True)


def _prepared(row: Row, future: Future[Ready], ready: list[Ready]) -> Outcome | None:
    """Put a prepared row among the ready, or say what became of it already."""
    try:
        prepared = future.result()
        if prepared.enquiry is not None:
            ready.append(prepared)
            return None
        if prepared.again is None:
            return Outcome(row)
        return Outcome(row, prepared.again())
    except Exception as error:  # noqa: BLE001 - one bad micrograph must not end a night
        return _failed(row, error)


def _asked(
    ready: Sequence[Ready],
    model: VisionModel,
    conclude: Callable[[Ready, Reply], Interpretation],
) -> Iterator[Outcome]:
    if not ready:
        return
    started = time.perf_counter()
    try:
        enquiries = [prepared.enquiry for prepared in ready if prepared.enquiry is not None]
        replies = model.reply(enquiries)
    except Exception as error:  # noqa: BLE001 - nor one bad batch
        if len(ready) == 1:
            yield _failed(ready[0].row, error)
            return
        _log.info("A batch of %d could not be asked (%s): one by one", len(ready), error)
        for prepared in ready:
            yield from _asked([prepared], model, conclude)
        return
    seconds = (time.perf_counter() - started) / len(ready)
    for prepared, reply in zip(ready, replies, strict=True):
        prepared.seconds["model"] = seconds
        try:
            interpretation = conclude(prepared, reply)
        except Exception as error:  # noqa: BLE001 - nor one odd reply
            yield _failed(prepared.row, error)
        else:
            yield Outcome(prepared.row, interpretation, prepared.enquiry)


def _failed(row: Row, error: Exception) -> Outcome:
    """The row's reason; what is no GlassError is a bug, and its traceback goes to the log."""
    if isinstance(error, GlassError):
        _log.info("%s failed: %s", row.path, error)
        # The path stands in its own column; another place (a side-car, a key) is told.
        elsewhere = "" if error.where in ("", str(row.file)) else f" ({error.where})"
        return Outcome(row, reason=f"{error.what}{elsewhere}", remedy=error.remedy)
    _log.error("%s failed unexpectedly", row.path, exc_info=error)
    return Outcome(
        row,
        reason=f"{type(error).__name__}: {error}",
        remedy=FAULT,
    )
