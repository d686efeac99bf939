"""When to ask a server again, when not, and how long to wait: statuses, backoff, Retry-After.

Knows no question. A wait ends at once where the asking is stopped.
"""

from __future__ import annotations

import random
import threading
import time

from glassllava.errors import ModelUnavailable
from glassllava.model.endpoint import KEYS
from training.served.wire import Refused

TRIES = 6
FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_LONGEST_ORDERED_WAIT_S = 600.0  # an order beyond this is an error, not a night of waiting

_TO_ALL = {
    401: "The server refuses the key",
    402: "The server wants to be paid",
    403: "The server does not allow this key to ask this model",
    404: "The server does not know this address or this model",
    405: "The server does not answer questions at this address",
}
_KEY_REMEDY = f"Set {KEYS[0]}, or store the key in the system keyring."
_REMEDIES = {
    401: _KEY_REMEDY,
    402: "Look at the account's credit.",
    403: _KEY_REMEDY,
    404: "Check the reference: endpoint:URL#MODEL, where URL often ends with /v1.",
}


class Patience:
    """The waits of all calls to one server: an order to wait holds for every one of them."""

    def __init__(self, first_wait_s: float = FIRST_WAIT_S) -> None:
        self._first_wait_s = first_wait_s
        self._stop = threading.Event()
        self._not_before = 0.0  # monotonic
        self._lock = threading.Lock()

    def begin(self) -> None:
        self._stop.clear()

    def stop(self) -> None:
        """End every wait, now and later."""
        self._stop.set()

    def wait(self, seconds: float, label: str) -> None:
        """Sleep so long, and until the moment that the server named to anyone.

        Raises
        ------
        ModelUnavailable : where the asking was stopped.
        """
        until = time.monotonic() + seconds
        while (rest := max(until, self._not_before) - time.monotonic()) > 0:
            if self._stop.wait(rest):
                break
        self.go_on(label)

    def go_on(self, label: str) -> None:
        """Raises ModelUnavailable where the asking was stopped."""
        if self._stop.is_set():
            raise ModelUnavailable(
                "The question was not asked: the run was stopped", where=label, retry=True
            )

    def after_silence(self, tries: int) -> float:
        """Seconds until the next try: doubling, with jitter so that calls spread."""
        longest = min(self._first_wait_s * 2**tries, _LONGEST_WAIT_S)
        return longest * random.uniform(0.5, 1.0)

    def after(self, refusal: Refused, tries: int) -> float | None:
        """Seconds until the next try, or None where another is of no use."""
        passes = refusal.status in (408, 409, 425, 429) or refusal.status >= 500
        if not passes or refusal.code == "insufficient_quota" or tries + 1 >= TRIES:
            return None
        if refusal.wait_s is None:
            return self.after_silence(tries)
        if refusal.wait_s > _LONGEST_ORDERED_WAIT_S:
            return None
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + refusal.wait_s)
        return refusal.wait_s + self.after_silence(0) * 0.1


def concerns_all(refusal: Refused) -> bool:
    """Whether every other question would be refused alike."""
    status = refusal.status
    return status in _TO_ALL or 300 <= status < 400 or refusal.code == "insufficient_quota"


def explained(refusal: Refused, host: str, label: str) -> ModelUnavailable:
    """The refusal in a full sentence."""
    status = refusal.status
    what = _TO_ALL.get(status, f"The server answers {status}")
    remedy = _REMEDIES.get(status, "Check the model's name, its limits and that it takes images.")
    if 300 <= status < 400:
        what = "The server points to another address, which is not followed"
        remedy = "If you trust that address, write it into the reference."
    elif refusal.code == "insufficient_quota":
        what, remedy = "The account's credit is used up", _REMEDIES[402]
    elif status == 429 or status >= 500:
        if refusal.wait_s:
            what += f" and orders to wait for {refusal.wait_s:.0f} s"
        remedy = "Run the same command later; what is answered is kept."
    # What a server says of a key may hold parts of it.
    words = f" ({refusal.words})" if refusal.words and status not in (401, 403) else ""
    return ModelUnavailable(
        what + words,
        where=f"{host} {label}".strip(),
        remedy=remedy,
        retry=status == 429 or status >= 500,
    )
