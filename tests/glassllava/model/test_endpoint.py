"""An OpenAI-compatible server on loopback: real HTTP, with and without log-probabilities."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from glassllava.errors import ModelUnavailable
from glassllava.model.opening import open_model
from glassllava.prompt import Enquiry


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tells = True
    fails = 0
    seen: list[dict[str, Any]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(body)
        if self.server.fails:
            return self._send(self.server.fails, {"error": {"message": "no"}})
        if body.get("logprobs") and not self.server.tells:
            return self._send(400, {"error": {"message": "logprobs are not supported"}})
        logprobs = None
        if body.get("logprobs"):
            shares = {" Yes": 0.6, "yes": 0.1, "No": 0.2, "maybe": 0.1}
            top = [{"token": t, "logprob": math.log(p), "bytes": None} for t, p in shares.items()]
            logprobs = {"content": [{**top[0], "top_logprobs": top}]}
        choice = {
            "index": 0,
            "finish_reason": "length",
            "message": {"role": "assistant", "content": "A crack."},
            "logprobs": logprobs,
        }
        return self._send(
            200,
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "m",
                "choices": [choice],
            },
        )

    def _send(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def _reference(server: _Server) -> str:
    return f"endpoint:http://127.0.0.1:{server.server_port}/v1#m"


def test_masses_come_from_the_log_probabilities(server: _Server, enquiries: list[Enquiry]) -> None:
    model = open_model(_reference(server))
    (reply,) = model.reply([enquiries[1]])
    assert reply.verdict.probability == pytest.approx(0.7 / 0.9)
    assert set(reply.probes) == {"crack", "pore", "clean"}
    assert reply.blank_verdict is not None
    assert reply.description == reply.answer == "A crack."
    assert reply.identity.host == f"127.0.0.1:{server.server_port}"
    content = server.seen[0]["messages"][0]["content"]
    assert content[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert content[1]["text"].startswith("Material: soda-lime float glass.\n")


def test_a_server_that_tells_none_gives_no_probability(
    server: _Server, enquiries: list[Enquiry]
) -> None:
    server.tells = False
    (reply,) = open_model(_reference(server)).reply([enquiries[0]])
    assert reply.verdict.probability is None
    assert all(probe.probability is None for probe in reply.probes.values())


def test_a_refused_key_is_told_as_such(server: _Server, enquiries: list[Enquiry]) -> None:
    server.fails = 401
    with pytest.raises(ModelUnavailable, match="refuses the key"):
        open_model(_reference(server)).reply([enquiries[0]])


def test_a_wrong_model_is_not_worth_a_retry(server: _Server, enquiries: list[Enquiry]) -> None:
    server.fails = 404
    with pytest.raises(ModelUnavailable, match="answers 404") as caught:
        open_model(_reference(server)).reply([enquiries[0]])
    assert not caught.value.retry
