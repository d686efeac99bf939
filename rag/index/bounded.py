"""Bounds on what a server may send: bytes, and the time until the last of them.

httpx waits for each read and gathers a body whole: one that never ends fills the memory, and one
that comes a byte at a time never ends. Not bounded here is what comes before the body: httpx's
headers are bounded in size, and in time for each read only.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx

from rag.index.chroma import IndexFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def bounded(most: int, seconds: float) -> Callable[[httpx.Response], None]:
    """An httpx hook for responses, whose bodies then raise IndexFailed beyond these bounds.

    `most` counts bytes as they come, which may be packed; `seconds` start with the body.
    """

    def bound(response: httpx.Response) -> None:
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Bounded(response.stream, most, seconds)

    return bound


class _Bounded(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, most: int, seconds: float) -> None:
        self._stream = stream
        self._most = most
        self._seconds = seconds

    def __iter__(self) -> Iterator[bytes]:
        left, until = self._most, time.monotonic() + self._seconds
        for part in self._stream:
            left -= len(part)
            if left < 0:
                raise IndexFailed(f"its answer is longer than {self._most:,} bytes")
            if time.monotonic() > until:
                raise IndexFailed(f"its answer did not end within {self._seconds:g} s")
            yield part

    def close(self) -> None:
        self._stream.close()
