"""One call to an OpenAI-compatible server, and everything that can go wrong with it, in our words.

No redirect is followed: what was announced to go to one host goes to no other. A reply is read as
far as a bound and a deadline allow, whatever the server goes on sending. The key is in the client
alone, and cut out of every word that comes back. The only file of `training` that speaks `openai`.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from glassllava.errors import MissingPart, ModelUnavailable
from glassllava.model.endpoint import KEYS
from glassllava.quotation import visible

_MOST_BYTES = 4 << 20  # of one reply
_LEAST_SECRET = 8  # characters
_LONGEST_WORDS = 300  # characters of a server's own explanation


class NotAnswered(Exception):
    """The server was not reached, or its reply did not come whole.

    `was_sent` is whether the question may have reached it, and so may have been paid for.
    """

    def __init__(self, why: str, *, was_sent: bool) -> None:
        super().__init__(why)
        self.why, self.was_sent = why, was_sent


class Refused(Exception):
    """The server answered with a status other than success; nothing was paid.

    `wait_s` is what it orders in Retry-After; `words` its explanation, cut and harmless to print.
    """

    def __init__(
        self, status: int, *, wait_s: float | None, code: str, parameter: str, words: str
    ) -> None:
        super().__init__(f"{status}")
        self.status, self.wait_s, self.code = status, wait_s, code
        self.parameter, self.words = parameter, words


class TooMuch(Exception):
    """The reply is larger than any that was asked for, or packed so that its size is hidden."""


class Wire:
    """A client for one server."""

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingPart(
                "Writing and grading need openai, which is not installed",
                remedy="Install it with `pip install glassview[training]`.",
            ) from error
        self._key = key = (key or "").strip()
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ModelUnavailable(
                "The key holds signs that no key can have",
                remedy=f"Set {KEYS[0]} anew, or store the key again in the system keyring.",
            )
        self._timeout_s = timeout_s
        self._client = openai.OpenAI(
            base_url=url,
            api_key=key or "none",
            max_retries=0,
            timeout=timeout_s,
            default_headers={"Accept-Encoding": "identity"},
            http_client=openai.DefaultHttpxClient(
                follow_redirects=False, event_hooks={"response": [self._bound]}
            ),
        )

    def send(self, body: dict[str, Any]) -> Any:
        """The JSON document that answers `body`, as it came: nothing in it is checked.

        Raises
        ------
        NotAnswered, Refused, TooMuch
        """
        import openai

        try:
            raw = self._client.chat.completions.with_raw_response.create(**body)
            text = self.without_key(raw.content.decode("utf-8", "replace"))
            return json.loads(text)
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.APITimeoutError as error:
            raise NotAnswered("it did not answer in time", was_sent=_was_sent(error)) from None
        except openai.APIConnectionError as error:
            raise NotAnswered("the connection broke", was_sent=_was_sent(error)) from None
        except (ValueError, RecursionError):
            raise NotAnswered("it answered with something other than JSON", was_sent=True) from None
        except openai.OpenAIError as error:
            if isinstance(error.__cause__, TooMuch):
                raise error.__cause__ from None
            raise NotAnswered(type(error).__name__, was_sent=True) from None

    def _bound(self, response: Any) -> None:
        """Read `response` no further than the bound and the deadline."""
        import openai

        # openai names its HTTP library only through the objects it hands out: httpx, or httpx2.
        library = importlib.import_module(type(response).__module__.partition(".")[0])
        deadline = time.monotonic() + self._timeout_s

        class Bounded(library.SyncByteStream):  # type: ignore[name-defined,misc]
            def __init__(self, whole: Any) -> None:
                self._whole = whole

            def __iter__(self) -> Iterator[bytes]:
                read = 0
                for part in self._whole:
                    read += len(part)
                    if read > _MOST_BYTES:
                        raise openai.OpenAIError("too much") from TooMuch()
                    if time.monotonic() > deadline:
                        raise library.ReadTimeout("the reply drips", request=response.request)
                    yield part

            def close(self) -> None:
                self._whole.close()

        if response.headers.get("content-encoding", "identity") != "identity":
            raise openai.OpenAIError("packed") from TooMuch()
        response.stream = Bounded(response.stream)

    def _refused(self, error: Any) -> Refused:
        told = error.body if isinstance(error.body, dict) else {}
        if isinstance(told.get("error"), dict):  # whichever of the two levels the client gives
            told = told["error"]
        words = told.get("message")
        return Refused(
            error.status_code,
            wait_s=_ordered_wait(error.response.headers),
            code=self._short(told.get("code")),
            parameter=self._short(told.get("param")),
            words=self._short(words),
        )

    def _short(self, words: Any) -> str:
        if not isinstance(words, str):
            return ""
        return " ".join(visible(self.without_key(words[:5000])).split())[:_LONGEST_WORDS]

    def without_key(self, text: str) -> str:
        """`text` without the key: a server that was told it might tell it to a file.

        Local servers take any word for a key ("x", "EMPTY"): a short one is no secret, and cutting
        it out would spoil words.
        """
        return text.replace(self._key, "[key]") if len(self._key) >= _LEAST_SECRET else text


def _was_sent(error: Any) -> bool:
    """Whether the question may have left this machine: not where no connection was made."""
    return type(error.__cause__).__name__ not in ("ConnectError", "ConnectTimeout", "PoolTimeout")


def _ordered_wait(headers: Any) -> float | None:
    """Seconds that the server asks to wait: a number, or a date of HTTP; nonsense is no order."""
    told = headers.get("retry-after", "")
    try:
        wait = float(told)
    except ValueError:
        try:
            wait = parsedate_to_datetime(told).timestamp() - time.time()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return max(wait, 0.0) if wait < float("inf") else None
