"""Figures to pairs through a real HTTP server: resumed, bounded, and nothing paid twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from glassllava.errors import BadInput, ModelUnavailable
from tests.chat_server import ChatServer
from tests.curated import figure, make_work, reply_to
from training.curation.asking import ask_about
from training.curation.figure import read_figures, write_figures
from training.curation.ledger import PairLedger
from training.curation.writing import ANSWERS, plan_writing, write_pairs
from training.served import Server

ROOT = Path(__file__).parents[3]


def test_every_figure_gets_its_pairs(
    server: ChatServer, work: Path, opened: Callable[..., Server]
) -> None:
    served = opened()
    plan = plan_writing(work, served)
    assert (len(plan.todo), plan.papers, plan.done) == (18, 6, 0)
    assert plan.estimate.calls == 18
    assert not server.requests
    told: list[tuple[int, int]] = []
    wrote = write_pairs(plan, served, lambda done, of: told.append((done, of)))
    assert (wrote.figures, wrote.failed, wrote.left) == (18, (), 0)
    assert told[-1] == (18, 18)
    # 8 questions, a claim of presence; of bubbles and crystals one of a defect, and verdicts.
    assert wrote.pairs == 18 * 8 + 18 * 2 + 12 * 2 + 12 * 4
    assert dict(wrote.drops) == {
        "support that does not stand in the paper's words": 18,
        "a sample that the paper's words do not tell": 18,
    }
    with PairLedger(work) as ledger:
        pairs = ledger.written()
        assert len(pairs) == wrote.pairs
        assert ledger.drops() == wrote.drops
    assert {one.model for one in pairs} == {"gpt-test"}
    assert {one.host for one in pairs} == {server.host}
    assert max(server.answered.values()) == 1


def test_what_is_written_is_not_asked_again(
    server: ChatServer, work: Path, opened: Callable[..., Server]
) -> None:
    write_pairs(plan_writing(work, opened()), opened())
    plan = plan_writing(work, opened())
    assert (plan.todo, plan.done) == ((), 18)
    (work / "pairs.sqlite").unlink()  # even then the answers are kept
    plan = plan_writing(work, opened())
    assert (len(plan.todo), plan.estimate.calls, plan.estimate.cached) == (18, 0, 18)
    write_pairs(plan, opened())
    assert len(server.requests) == 18


def test_a_figure_whose_words_changed_is_written_anew(
    server: ChatServer, work: Path, opened: Callable[..., Server]
) -> None:
    write_pairs(plan_writing(work, opened()), opened())
    figures = list(read_figures(work))
    figures[0] = replace(figures[0], context=("Another paragraph.",))
    write_figures(work, figures)
    plan = plan_writing(work, opened())
    assert [one.id for one in plan.todo] == [figures[0].id]
    write_pairs(plan, opened())
    with PairLedger(work) as ledger:
        assert ledger.superseded() == 16
        assert len({one.id for one in ledger.written()}) == len(ledger.written()) == 252


def test_only_sem_figures_that_repeat_nothing(
    server: ChatServer, work: Path, opened: Callable[..., Server]
) -> None:
    figures = list(read_figures(work))
    figures[0] = replace(figures[0], duplicate_of=figures[1].id)
    figures[2] = replace(figures[2], kind="other")
    figures[3] = replace(figures[3], kind="unsure")
    (work / figures[4].image).write_bytes(b"changed")
    write_figures(work, figures)
    plan = plan_writing(work, opened())
    assert len(plan.todo) == 14
    assert sum(plan.left_out.values()) == 3
    assert [id_ for id_, _ in plan.unfit] == [figures[4].id]
    assert len(plan_writing(work, opened(), with_unsure=True).todo) == 15
    write_figures(work, [replace(one, kind="other") for one in figures])
    with pytest.raises(BadInput, match="no figure to ask about"):
        plan_writing(work, opened())


def test_bad_replies_and_trouble_leave_the_rest(
    server: ChatServer, work: Path, opened: Callable[..., Server]
) -> None:
    """429, 500, a reset, cut JSON: waited out. One figure whose replies never fit: told."""
    spoilt = read_figures(work)[7].caption

    def answer(body: dict[str, object]) -> object:
        return "{" if spoilt in json.dumps(body, ensure_ascii=False) else reply_to(body)

    server.answer = answer
    server.faults = [None, 429, 500, "reset", "cut", 503, "hang"]
    served = opened(timeout_s=0.5)
    wrote = write_pairs(plan_writing(work, served), served)
    assert wrote.figures == 17
    ((id_, why),) = wrote.failed
    assert id_ == "p2-7"
    assert "cannot be used" in why
    sent = len(server.requests)
    wrote = write_pairs(plan_writing(work, opened()), opened())  # it is not paid for again
    assert [id_ for id_, _ in wrote.failed] == ["p2-7"]
    assert len(server.requests) == sent
    with PairLedger(work) as ledger:
        assert list(ledger.failures()) == ["p2-7"]
    server.answer = reply_to
    again = opened(again=True)
    assert write_pairs(plan_writing(work, again), again).figures == 1
    with PairLedger(work) as ledger:
        assert not ledger.failures()


def test_a_refused_key_ends_the_writing(
    server: ChatServer, work: Path, opened: Callable[..., Server]
) -> None:
    server.faults = [401] * 50
    with pytest.raises(ModelUnavailable, match="refuses the key"):
        write_pairs(plan_writing(work, opened()), opened())
    assert len(server.requests) == 1


def test_the_limit_holds_over_runs_and_calls_in_flight(
    server: ChatServer, work: Path, opened: Callable[..., Server]
) -> None:
    server.pause_s = 0.02
    server.usage = lambda body, text: {"prompt_tokens": 4000, "completion_tokens": 900}
    for limit, together in ((60_000, 1), (60_000, 6), (75_000, 6)):
        served = opened(limit=limit, together=together)
        wrote = write_pairs(plan_writing(work, served), served)
        assert wrote.left > 0
        assert server.billed <= limit
        assert served.purse.spent() == server.billed
    assert server.billed > 60_000  # the raised limit was used
    served = opened(limit=10**6)
    wrote = write_pairs(plan_writing(work, served), served)
    assert wrote.left == 0
    assert max(server.answered.values()) == 1


@pytest.mark.proof
def test_killed_and_run_again_nothing_is_paid_twice(server: ChatServer, tmp_path: Path) -> None:
    """SIGKILL between and within calls, three times; the server counts what it answered whole."""
    work = tmp_path / "work"
    make_work(work, 24)
    server.pause_s = 0.03
    command = [sys.executable, "-m", "glassview", "curate", "write", str(work), "--yes"]
    command += ["--model", server.reference()]
    answers = work / ANSWERS
    for wanted in (5, 11, 17):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(list(answers.glob("*/*.json"))) < wanted and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.005)
        server.held.clear()
        since = time.monotonic()
        while time.monotonic() < min(since + 0.3, deadline):  # until all that was said is kept
            if len(list(answers.glob("*/*.json"))) != sum(server.answered.values()):
                since = time.monotonic()
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        server.closing.set()  # what was in flight is never answered
        server.held.set()
        time.sleep(0.1)
        server.closing.clear()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(server.answered) == 24
    assert set(server.answered.values()) == {1}
    with PairLedger(work) as ledger:
        assert len(ledger.done()) == 24
    assert not list(answers.glob("*/*.part"))


def test_two_writers_at_once_share_one_limit(
    server: ChatServer, work: Path, opened: Callable[..., Server]
) -> None:
    """As two processes would: two servers, two connections, one folder."""
    server.usage = lambda body, text: {"prompt_tokens": 4000, "completion_tokens": 900}
    server.pause_s = 0.02
    asks = [ask_about(one, work) for one in read_figures(work)]
    both = [opened(limit=60_000), opened(limit=60_000)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda served, part: served.ask(part), both, (asks[:9], asks[9:])))
    assert 40_000 < server.billed <= 60_000
    assert both[0].purse.spent() == both[1].purse.spent() == server.billed


def test_an_id_that_is_a_path_writes_nowhere_else(server: ChatServer, tmp_path: Path) -> None:
    work = tmp_path / "work"
    one = figure(0, work, id="../../escaped")
    write_figures(work, [one])
    served = Server(server.reference(), cache=work / ANSWERS)
    assert write_pairs(plan_writing(work, served), served).figures == 1
    assert {path.name for path in tmp_path.iterdir()} == {"work"}
