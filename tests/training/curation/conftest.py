"""A work folder, a scripted server that writes about it, and the command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glassview.cli import main
from tests.chat_server import ChatServer
from tests.curated import make_work, reply_to
from training.curation.writing import ANSWERS
from training.served import Server

KEY = "sk-never-to-be-seen-0123456789"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSVIEW_ENDPOINT_KEY", KEY)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(reply_to) as server:
        yield server


@pytest.fixture
def work(tmp_path: Path) -> Path:
    make_work(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def opened(server: ChatServer, work: Path) -> Callable[..., Server]:
    def open_(**how: Any) -> Server:
        how = {"first_wait_s": 0.01, "timeout_s": 2.0, **how}
        return Server(server.reference(), cache=work / ANSWERS, **how)

    return open_


@pytest.fixture
def curate() -> Callable[..., int]:
    def run(*arguments: Any) -> int:
        return main(["curate", *map(str, arguments)])

    return run
