"""A vision-language model behind an OpenAI-compatible server.

Every probe is one call with the picture and the shared prefix first, so that a server's prefix
cache can serve the rest; one token is asked for, with its log-probabilities where the server
tells them. Where it does not, a probe holds None and the verdict stays undecided. The host that
saw the micrographs stands in every record. How a reference is read and where its key comes from
is told here once, for every file that speaks to a server.
"""

from __future__ import annotations

import base64
import io
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from glassllava import features
from glassllava.errors import MissingPart, ModelUnavailable
from glassllava.model import processing
from glassllava.model.backend import ModelIdentity, Probe, Reply
from glassllava.prompt import Budget
from glassllava.quotation import harmless

if TYPE_CHECKING:
    from glassllava.calibration import Calibration
    from glassllava.prompt import Enquiry

_SIDE = 672  # pixels: what current models take without tiling
_TOGETHER = 4  # calls in flight
_TIMEOUT_S = 120.0
_LONGEST_TEXT = 300  # tokens
_LONGEST_REPLY = 8000  # characters, whatever a server makes of that
_MOST_LOGPROBS = 20
#: Environment variables that may hold a key, the first that does counts.
KEYS = ("GLASSVIEW_ENDPOINT_KEY", "OPENAI_API_KEY")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is and which model is asked. `host` is what a person is told: no password."""

    url: str
    name: str
    host: str
    hostname: str

    @property
    def has_password(self) -> bool:
        return "@" in urlsplit(self.url).netloc

    @classmethod
    def of(cls, reference: str) -> Address:
        """The address in `endpoint:URL#MODEL`.

        Raises
        ------
        ModelUnavailable : for a reference that is not of that form.
        """
        url, _, name = reference.removeprefix("endpoint:").partition("#")
        try:
            parts = urlsplit(url)
            hostname = parts.hostname if parts.scheme in ("http", "https") else None
        except ValueError:  # a bracket that is not closed
            hostname = None
        if not hostname or not name:
            raise ModelUnavailable(
                "The reference of an endpoint is not complete",
                where=reference,
                remedy="Write endpoint:URL#MODEL, such as endpoint:http://localhost:8000/v1#llava.",
            )
        return cls(url, name, parts.netloc.rpartition("@")[2], hostname)


def key_for(address: Address) -> str | None:
    """The key of this machine's person for a server: environment first, then system keyring."""
    return next((os.environ[k] for k in KEYS if os.environ.get(k)), None) or _from_keyring(address)


def open_endpoint(reference: str) -> EndpointModel:
    """The model behind `endpoint:URL#MODEL`.

    Raises
    ------
    ModelUnavailable : for a reference that is not of that form.
    MissingPart : where openai is not installed.
    """
    address = Address.of(reference)
    try:
        import openai
    except ImportError as error:
        raise MissingPart(
            "Endpoints need openai, which is not installed",
            remedy="Install it with `pip install glassview[endpoint]`.",
        ) from error
    client = openai.OpenAI(
        base_url=address.url,
        api_key=key_for(address) or "none",
        timeout=_TIMEOUT_S,
        max_retries=3,
    )
    return EndpointModel(client, address.name, reference, address.host)


class EndpointModel:
    """Answers enquiries by calls; satisfies `VisionModel`. Never calibrated."""

    probe_keys = tuple(features.PARENTS)
    passage_budget = Budget.estimated(2000)
    batch_policy = "one call a question; the server batches as it likes"
    calibration: Calibration | None = None

    def __init__(self, client: Any, name: str, reference: str, host: str) -> None:
        self._client = client
        self._name = name
        self.identity = ModelIdentity(
            reference=reference,
            name=name,
            sha256=None,
            backend="OpenAI-compatible server",
            version="not told by the server",
            licence="not told by the server",
            materials="not told by the server",
            trained_on_synthetic=None,
            host=host,
        )

    def reply(self, enquiries: Sequence[Enquiry]) -> list[Reply]:
        return [self._one(enquiry) for enquiry in enquiries]

    def _one(self, enquiry: Enquiry) -> Reply:
        started = time.perf_counter()
        picture = _data_url(processing.see(enquiry.micrograph, _SIDE))
        asks = [text for _, text in enquiry.probes] + [enquiry.verdict_text]
        with ThreadPoolExecutor(_TOGETHER) as pool:
            masses = list(pool.map(lambda ask: self._probe(picture, enquiry.prefix, ask), asks))
            blank: list[Probe] | None = None
            if enquiry.want_blank:
                nothing = _data_url(processing.blank(_SIDE))
                blank = list(pool.map(lambda ask: self._probe(nothing, enquiry.prefix, ask), asks))
            texts = ["", ""]
            if enquiry.want_text:
                # Many servers read <image> or </s> in a message as the token: the prefix and our
                # questions hold none, a person's question may.
                wanted = [enquiry.describe_text, harmless(enquiry.question)]
                texts = list(pool.map(lambda ask: self._text(picture, enquiry.prefix, ask), wanted))
        keys = [key for key, _ in enquiry.probes]
        return Reply(
            probes=dict(zip(keys, masses, strict=False)),  # the verdict comes after them
            verdict=masses[-1],
            description=texts[0],
            answer=texts[1],
            identity=self.identity,
            batch_policy=self.batch_policy,
            seed=0,
            blank_probes=dict(zip(keys, blank, strict=False)) if blank else None,
            blank_verdict=blank[-1] if blank else None,
            timing={"ask": time.perf_counter() - started},
        )

    def _probe(self, picture: str, prefix: str, ask: str) -> Probe:
        choice = self._call(
            picture, prefix, ask, max_tokens=1, logprobs=True, top_logprobs=_MOST_LOGPROBS
        )
        told = choice.logprobs.content if choice.logprobs else None
        if not told:
            return Probe(None, None)
        masses = {"yes": 0.0, "no": 0.0}
        for entry in told[0].top_logprobs:
            word = entry.token.strip().lower()
            if word in masses:
                masses[word] += math.exp(min(entry.logprob, 0.0))
        return Probe(masses["yes"], masses["no"])

    def _text(self, picture: str, prefix: str, ask: str) -> str:
        told = self._call(picture, prefix, ask, max_tokens=_LONGEST_TEXT).message.content or ""
        return str(told)[:_LONGEST_REPLY]

    def _call(self, picture: str, prefix: str, ask: str, **how: Any) -> Any:
        import openai

        content = [
            {"type": "image_url", "image_url": {"url": picture}},
            {"type": "text", "text": f"{prefix}\n{ask}" if prefix else ask},
        ]
        messages = [{"role": "user", "content": content}]
        wanted = {"model": self._name, "messages": messages, "temperature": 0, "seed": 0}
        try:
            try:
                reply = self._client.chat.completions.create(**wanted, **how)
            except openai.BadRequestError:
                if "logprobs" not in how:
                    raise
                # Some servers refuse log-probabilities: then there are none.
                reply = self._client.chat.completions.create(**wanted, max_tokens=1)
        except openai.AuthenticationError as error:
            raise ModelUnavailable(
                "The server refuses the key",
                where=str(self.identity.host),
                remedy=f"Set {KEYS[0]}, or store the key in the system keyring.",
            ) from error
        except openai.APIStatusError as error:
            raise ModelUnavailable(
                f"The server answers {error.status_code}",
                where=str(self.identity.host),
                remedy="Check the model's name and that it takes images.",
                retry=error.status_code in (408, 409, 429) or error.status_code >= 500,
            ) from error
        except openai.OpenAIError as error:
            raise ModelUnavailable(
                f"The server cannot be reached or understood ({type(error).__name__})",
                where=str(self.identity.host),
                remedy="Check that it runs and that this machine may reach it.",
                retry=True,
            ) from error
        if not reply.choices:
            raise ModelUnavailable(
                "The server's reply holds no choice", where=str(self.identity.host), retry=True
            )
        return reply.choices[0]


def _data_url(picture: processing.Picture) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _from_keyring(address: Address) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password("glassview", address.hostname)
    except KeyringError:
        return None  # no keyring on this machine: the server may need no key
