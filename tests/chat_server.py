"""A scripted OpenAI-compatible server on loopback: real HTTP, and every way to misbehave.

`answer(body)` gives what the model would say; `faults` are taken first, one for each request, in
order: a status, or a word of `FAULTS`. It counts what it answered, as a bill would.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: hang: no reply until the client gives up; reset: the connection breaks; cut: half the document;
#: huge: an endless body; drip: a byte now and then; packed: compressed; page: HTML; list: a JSON
#: list; nothing: no choices; moved: a redirect to `elsewhere`.
FAULTS = ("hang", "reset", "cut", "huge", "drip", "packed", "page", "list", "nothing", "moved")


class ChatServer(ThreadingHTTPServer):
    """Answers on 127.0.0.1; `requests` holds every body, `headers` what came with it."""

    daemon_threads = True

    def __init__(self, answer: Callable[[dict[str, Any]], Any] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer or (lambda body: "A crack.")
        self.faults: list[Any] = []
        self.retry_after: str | None = None
        self.elsewhere = ""
        self.usage: Callable[[dict[str, Any], str], Any] = _usage
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.answered: Counter[str] = Counter()  # by the whole body: what a bill would hold
        self.billed = 0
        self.most_together = 0
        self.pause_s = 0.0
        self.held = threading.Event()  # cleared: requests wait
        self.held.set()
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.together = 0

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.held.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no news."""

    def reference(self, model: str = "gpt-test") -> str:
        return f"endpoint:http://127.0.0.1:{self.server_port}/v1#{model}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


def _usage(body: dict[str, Any], text: str) -> dict[str, int]:
    """As a byte-level tokenizer counts at worst for words, and 1000 an image."""
    told = json.dumps(body["messages"])
    images = told.count('"image_url": {')
    words = sum(len(str(m.get("content", ""))) for m in body["messages"]) if not images else 200
    return {"prompt_tokens": words + 1000 * images, "completion_tokens": -(-len(text) // 4)}


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        server = self.server
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw)
        with server.lock:
            server.requests.append(body)
            server.headers.append({k.lower(): v for k, v in self.headers.items()})
            server.times.append(time.monotonic())
            fault = server.faults.pop(0) if server.faults else None
            server.together += 1
            server.most_together = max(server.most_together, server.together)
        try:
            server.held.wait()
            time.sleep(server.pause_s)
            if server.closing.is_set():
                return
            if fault is None:
                self._answer(body)
            else:
                self._fail(fault)
        finally:
            with server.lock:
                server.together -= 1

    def _answer(self, body: dict[str, Any]) -> None:
        said = self.server.answer(body)
        choice = {"index": 0, "finish_reason": "stop"}
        if isinstance(said, dict) and "finish_reason" in said:
            choice |= {"finish_reason": said["finish_reason"]}
            said = said["text"]
        text = said if isinstance(said, str) else json.dumps(said)
        choice["message"] = {"role": "assistant", "content": text}
        document = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"]}
        usage = self.server.usage(body, text)
        self._send(200, {**document, "choices": [choice], "usage": usage})
        with self.server.lock:
            self.server.answered[json.dumps(body, sort_keys=True)] += 1
            if isinstance(usage, dict):
                self.server.billed += sum(v for v in usage.values() if isinstance(v, int))

    def _fail(self, fault: Any) -> None:
        if isinstance(fault, dict):  # a status with its body
            self._send(fault["status"], {"error": fault.get("error", {"message": "no"})})
        elif isinstance(fault, int):
            self._send(fault, {"error": {"message": "no", "code": None}})
        elif fault == "hang":
            self.server.closing.wait(5)
        elif fault == "reset":
            gone = struct.pack("ii", 1, 0)  # no goodbye
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, gone)
            self.connection.close()
        elif fault == "cut":
            self._begin(200, 500)
            self.wfile.write(b'{"choices": [{"mess')
        elif fault == "huge":
            self._begin(200, 1 << 30)
            while not self.server.closing.is_set():
                self.wfile.write(b"x" * 65536)
        elif fault == "drip":
            self._begin(200, 1 << 20)
            while not self.server.closing.is_set():
                self.wfile.write(b" ")
                time.sleep(0.05)
        elif fault == "packed":
            self._begin(200, 4, ("Content-Encoding", "gzip"))
            self.wfile.write(b"\x1f\x8b\x08\x00")
        elif fault == "page":
            self._begin(200, 9)
            self.wfile.write(b"<html>no ")
        elif fault == "list":
            self._send(200, [1, 2])
        elif fault == "nothing":
            self._send(200, {"choices": []})
        elif fault == "moved":
            self._begin(307, 0, ("Location", self.server.elsewhere))
        else:
            raise ValueError(fault)

    def _begin(self, status: int, length: int, *more: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        if self.server.retry_after is not None and status in (429, 503):
            self.send_header("Retry-After", self.server.retry_after)
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        self._begin(status, len(data))
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
