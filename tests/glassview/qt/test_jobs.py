"""Work beside the window: delivered once, in the window's thread, and dropped when stale."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from glassllava.errors import BadInput
from glassview.qt.jobs import Jobs
from glassview.session import Trouble


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    jobs = Jobs({"one": 1, "two": 2})
    yield jobs
    assert jobs.close()


def test_a_result_arrives_in_the_window_s_thread(jobs: Jobs, qtbot: QtBot) -> None:
    told: list[object] = []

    def work(say: object) -> int:
        told.append(threading.current_thread() is threading.main_thread())
        return 7

    def done(result: int) -> None:
        told.extend([threading.current_thread() is threading.main_thread(), result])

    jobs.run("one", "x", work, done, told.append)
    assert jobs.is_busy("x")
    qtbot.waitUntil(lambda: len(told) == 3)
    assert told == [False, True, 7]
    assert not jobs.is_busy("x")


def test_a_later_request_supersedes_an_earlier_one_that_still_runs(
    jobs: Jobs, qtbot: QtBot
) -> None:
    told: list[str] = []
    started, may_end = threading.Event(), threading.Event()

    def slow(say: object) -> str:
        started.set()
        assert may_end.wait(10)
        say("of the stale one")  # type: ignore[operator]
        return "stale"

    jobs.run("two", "x", slow, told.append, lambda t: told.append("failed"), told.append)
    assert started.wait(10)
    jobs.run("two", "x", lambda say: "fresh", told.append, lambda t: told.append("failed"))
    qtbot.waitUntil(lambda: told == ["fresh"])
    may_end.set()
    qtbot.wait(80)
    assert told == ["fresh"]


def test_what_waits_and_is_forgotten_never_runs(jobs: Jobs, qtbot: QtBot) -> None:
    ran: list[str] = []
    may_end = threading.Event()
    jobs.run("one", "first", lambda say: may_end.wait(10), lambda r: None, lambda t: None)
    jobs.run("one", "second", lambda say: ran.append("second"), ran.append, ran.append)
    jobs.forget("second")
    jobs.run("one", "third", lambda say: "third", ran.append, ran.append)
    may_end.set()
    qtbot.waitUntil(lambda: ran == ["third"])


def test_errors_become_troubles_and_lines_of_the_log(
    jobs: Jobs, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Trouble] = []

    def fail(error: Exception) -> None:
        def work(say: object) -> None:
            raise error

        count = len(told)
        jobs.run("one", "x", work, lambda r: None, told.append)
        qtbot.waitUntil(lambda: len(told) == count + 1)

    with caplog.at_level(logging.WARNING):
        fail(BadInput("The key is wrong", remedy="Mend it."))
        fail(ZeroDivisionError("by nothing"))
        fail(MemoryError())
        fail(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert told[0] == Trouble("The key is wrong", "Mend it.")
    assert "ZeroDivisionError: by nothing" in told[1].what
    assert "memory" in told[2].what
    assert "'torch' is not installed" in told[3].what
    assert "Traceback" in caplog.text, "a fault of the product leaves its traceback in the log"


def test_what_is_said_on_the_way_arrives_before_the_result(jobs: Jobs, qtbot: QtBot) -> None:
    told: list[str] = []

    def work(say: object) -> str:
        say("measuring")  # type: ignore[operator]
        say("asking")  # type: ignore[operator]
        return "done"

    jobs.run("one", "x", work, told.append, lambda t: None, told.append)
    qtbot.waitUntil(lambda: told == ["measuring", "asking", "done"])
