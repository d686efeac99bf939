"""The fixture that refuses the network does refuse it: else the whole room proves nothing."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "127.0.0.1", "2001:db8::1"])
def test_a_connection_is_refused_and_remembered(host, reached):
    with pytest.raises(PermissionError):
        socket.create_connection((host, 9), timeout=1)
    assert reached
    reached.clear()


@pytest.mark.usefixtures("loopback")
def test_a_test_with_a_server_of_its_own_reaches_that_alone(reached):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
    assert not reached
    with pytest.raises(PermissionError):
        socket.create_connection(("192.0.2.1", 9), timeout=1)
    assert reached == ["getaddrinfo 192.0.2.1"]
    reached.clear()
