"""One embedded primer for all tests of the literature, and no network for any of them."""

from __future__ import annotations

import ipaddress
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rag.library import Library

_INTERNET = (socket.AF_INET, socket.AF_INET6)
#: What reached for the network, and whether this machine may be reached: a test's own server.
_reached: list[str] = []
_allowed = {"loopback": False}
#: Whether a test of this room is running: what the session's patch refuses, it refuses to these.
_running = {"here": False}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    _running["here"] = True
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    try:
        yield
    finally:
        _running["here"] = False


def _refusing(real: Callable[..., object]) -> Callable[..., object]:
    def method(self: socket.socket, *args: object) -> object:
        # sendto's address is its last argument, connect's its only one.
        if self.family in _INTERNET and isinstance(args[-1], tuple):
            _refuse(str(args[-1][0]), real.__name__)
        return real(self, *args)

    return method


def _refuse(host: str, how: str) -> None:
    if not _running["here"]:
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not (loopback and _allowed["loopback"]):
        _reached.append(f"{how} {host}")
        raise PermissionError(f"a test of the literature reached for the network: {host}")


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """The whole room's tests reach no host; that an attempt is swallowed does not hide it."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex", "sendto"):
        patch.setattr(socket.socket, name, _refusing(getattr(socket.socket, name)))
    look_up = socket.getaddrinfo

    def getaddrinfo(host: object, *args: object, **how: object) -> object:
        _refuse(host.decode() if isinstance(host, bytes) else str(host), "getaddrinfo")
        return look_up(host, *args, **how)

    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def reached(_no_network: None) -> Iterator[list[str]]:
    """What this test reached for; it fails if that is anything."""
    _reached.clear()
    yield _reached
    assert not _reached


@pytest.fixture
def loopback() -> Iterator[None]:
    """Lets a test speak to a server of its own on this machine."""
    _allowed["loopback"] = True
    yield
    _allowed["loopback"] = False


@pytest.fixture(scope="module")
def loopback_in_module(_no_network: None) -> Iterator[None]:
    """The same for all tests of a file that shares one server."""
    _allowed["loopback"] = True
    yield
    _allowed["loopback"] = False


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed library folder that holds the primer and a finished index; nobody changes it."""
    folder = tmp_path_factory.mktemp("literature") / "library"
    with rag.open_library(folder) as library:
        library.settle()
    return folder


@pytest.fixture(scope="session")
def primer_library(embedded: Path) -> Iterator[Library]:
    """An open library to read from; it owns its index."""
    folder = embedded.with_name("read")
    shutil.copytree(embedded, folder)
    with rag.open_library(folder) as library:
        library.settle()
        yield library


@pytest.fixture
def folder(embedded: Path, tmp_path: Path) -> Path:
    """A library folder of the test's own."""
    shutil.copytree(embedded, tmp_path / "library")
    return tmp_path / "library"
