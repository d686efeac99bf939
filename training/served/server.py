"""Many questions to one server: nothing is paid twice, and no limit is passed.

An answer is kept under a hash of all that decides it, written atomically as soon as it is there; a
question whose answer is kept is never sent again, in this call, after a kill or a year later.
Knows nothing of figures, grades or prompts, and nothing of HTTP (`wire`).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glassllava.errors import BadInput, GlassError, ModelUnavailable, RunUnavailable
from glassllava.model.endpoint import KEYS, Address, key_for
from glassllava.prompt import estimated_tokens
from training.served import patience
from training.served.keeping import Answer, Kept, content_hash, images_in, words_in
from training.served.purse import Price, Purse, Tokens
from training.served.reply import OPTIONAL, Unusable, body_of, checked, model_of, text_of, tokens_of
from training.served.schema import check_schema
from training.served.wire import NotAnswered, Refused, TooMuch, Wire

#: The model that is asked where nobody chose one: of the GPT-4 class, sees images, keeps schemas.
DEFAULT_REFERENCE = "endpoint:https://api.openai.com/v1#gpt-4o"

#: Tokens of one image, unless told otherwise: GPT-4o's most (85 + 8 tiles of 170), rounded up.
IMAGE_TOKENS = 1500
_PER_MESSAGE = 16  # tokens of a chat template around one message, generously

_TIMEOUT_S = 180.0
_REFUSALS_AT_ONCE = 3  # before any answer: then it is not the question
_NOT_TAKEN = re.compile(
    r"support|recogni[sz]e|unknown|unexpected|permitted|extra|not allowed|invalid", re.IGNORECASE
)
_ONCE_MORE = "Your last reply was not used: {why}. Reply once more, with what was asked for alone."


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: messages in OpenAI's chat format, images as data URLs.

    `schema` is the JSON schema of the reply (None: plain text), `longest` its tokens at most;
    `label` names the sample in errors and decides nothing.
    """

    messages: tuple[Mapping[str, Any], ...]
    schema: Mapping[str, Any] | None = None
    longest: int = 800
    label: str = ""

    def __post_init__(self) -> None:
        if self.schema is not None:
            check_schema(self.schema)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: plain text, or JSON of the shape asked for; never a control character.

    The tokens are all that it cost, the first reply too where a second had to be asked for.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    from_cache: bool
    model: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What asking would take. `cost` is None where no price is known.

    `prompt_tokens` at three bytes of UTF-8 each, which is more than English takes, and a stated
    number an image; `completion_tokens` as if every reply were as long as it may be. Questions
    that have to be asked once more come on top; the limit holds for them too.
    """

    calls: int
    cached: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None


class _RefusedToAll(Exception):
    """Every question would be refused alike: `error` says why."""

    def __init__(self, error: GlassError) -> None:
        super().__init__(str(error))
        self.error = error


class Server:
    """A model behind `endpoint:URL#MODEL`, and the folder of its answers.

    Parameters
    ----------
    reference : as `endpoint:URL#MODEL`; the key comes from the environment or the keyring.
    cache : the folder of answers, and of what they cost.
    together : calls in flight at most.
    price : money for a million tokens; without it costs are counted in tokens.
    limit : what all calls from `cache` may take together, in the currency of `price`, or in tokens
        where there is none. Before a call is sent, its upper bound must fit: a token for every
        byte of text, `image_tokens` an image, the whole length asked for. It is the server that
        counts: one that gives more than was asked for, or takes more for an image, is found out
        with the first reply, and its number counts from then on.
    seed : sent along, and part of what an answer is kept under.
    again : ask those questions anew whose reply is kept as unusable.

    Raises
    ------
    ModelUnavailable : for a reference that is incomplete or holds a password.
    RunUnavailable : where the folder cannot be written.
    MissingPart : where openai is not installed.
    """

    def __init__(
        self,
        reference: str,
        *,
        cache: Path,
        together: int = 4,
        price: Price | None = None,
        limit: float | None = None,
        seed: int = 0,
        image_tokens: int = IMAGE_TOKENS,
        again: bool = False,
        timeout_s: float = _TIMEOUT_S,
        first_wait_s: float = patience.FIRST_WAIT_S,
    ) -> None:
        address = Address.of(reference)
        if address.has_password:
            raise ModelUnavailable(
                "The address of the server holds a name or a password",
                where=address.host,
                remedy=f"Set {KEYS[0]} instead, or store the key in the system keyring.",
            )
        if together < 1:
            raise BadInput("At least one call must be in flight", remedy="Raise --together.")
        self.host, self.model = address.host, address.name
        self._kept = Kept(cache, again=again)
        self.purse = Purse(cache / "spent.sqlite", price, limit)
        self._wire = Wire(address.url, key_for(address), timeout_s)
        self._patience = patience.Patience(first_wait_s)
        self._together, self._seed = together, seed
        self._image_tokens = image_tokens
        self._lock = threading.Lock()
        self._refused: frozenset[str] = frozenset()  # parameters that the server does not take
        self._has_answered = False
        self._refusals = 0

    def estimate(self, asks: Sequence[Ask]) -> Estimate:
        """What `ask` would take; sends nothing."""
        new: dict[str, Ask] = {}
        for ask in asks:
            name = self._name(ask)
            kept = self._kept.get(name)
            if kept is None or kept.is_first:
                new.setdefault(name, ask)
        prompt = sum(estimated_tokens(words_in(ask)) + self._besides(ask) for ask in new.values())
        completion = sum(ask.longest for ask in new.values())
        price = self.purse.price
        cost = price.of(Tokens(prompt, completion)) if price else None
        return Estimate(len(new), len(asks) - len(new), prompt, completion, cost)

    def ask(
        self, asks: Sequence[Ask], told: Callable[[int, int], None] | None = None
    ) -> list[Said | GlassError]:
        """The answers in order; a question that failed has its error there, the rest goes on.

        `told(done, of)` is called as answers come in. Ctrl-C waits for the calls in flight, since
        they are paid for, and keeps them.

        Raises
        ------
        ModelUnavailable : where the server refuses every question alike: key, address, model,
            credit. What was answered until then is kept.
        RunUnavailable : where answers cannot be written down.
        """
        self._patience.begin()
        places: dict[str, list[int]] = {}
        for place, ask in enumerate(asks):
            places.setdefault(self._name(ask), []).append(place)
        results: dict[int, Said | GlassError] = {}

        def put(name: str, result: Said | GlassError) -> None:
            first, *copies = places[name]
            results[first] = result
            copy = replace(result, from_cache=True) if isinstance(result, Said) else result
            results.update(dict.fromkeys(copies, copy))
            if told:
                told(len(results), len(asks))

        todo = []
        for name, where in places.items():
            kept = self._kept.get(name)
            if kept is None or kept.is_first:
                todo.append(name)
            elif kept.why_not:
                put(name, _unusable(asks[where[0]], kept.why_not))
            else:
                tokens = kept.tokens
                put(name, Said(kept.text, tokens.prompt, tokens.completion, True, kept.model))
        pool = ThreadPoolExecutor(self._together)
        try:
            # Until one is answered, one at a time: a wrong key is told once, not four times.
            while todo and not self._has_answered:
                name = todo.pop(0)
                put(name, self._one(name, asks[places[name][0]]))
            calls = {pool.submit(self._one, name, asks[places[name][0]]): name for name in todo}
            for call in as_completed(calls):
                put(calls[call], call.result())
        except _RefusedToAll as refusal:
            raise refusal.error from None
        finally:
            self._patience.stop()  # where all went well nobody waits any more
            pool.shutdown(wait=True, cancel_futures=True)
        return [results[place] for place in range(len(asks))]

    def _one(self, name: str, ask: Ask) -> Said | GlassError:
        """The answer, asked once more where it was unusable; every reply is kept as it comes."""
        kept = self._kept.get(name)
        taken = kept.tokens if kept else Tokens(0, 0)
        while True:
            again = kept is not None and kept.is_first
            turn = _once_more(ask, kept) if kept is not None and again else ask
            model = self.model
            try:
                document, took = self._answered(turn, self._seed + again)
                taken += took
                model = self._wire.without_key(model_of(document)) or model
                text = checked(text_of(document, ask.schema), ask.schema, turn.longest)
                kept = Answer(self._wire.without_key(text), taken, model)
            except RunUnavailable:
                raise
            except GlassError as error:
                return error
            except Unusable as unusable:
                is_first = not again and unusable.is_worth_another
                kept = Answer("", taken, model, unusable.why, is_first, unusable.is_cut)
            self._kept.put(name, kept, self.host)
            if not kept.why_not:
                return Said(kept.text, taken.prompt, taken.completion, False, model)
            if not kept.is_first:
                return _unusable(ask, kept.why_not)

    def _answered(self, ask: Ask, seed: int) -> tuple[Any, Tokens]:
        """The document that answers, and what it took, whatever number of tries it needed."""
        tries = 0
        wait = 0.0
        while True:
            self._patience.wait(wait, ask.label)
            bound = Tokens(
                len(words_in(ask).encode("utf-8", "replace")) + self._besides(ask), ask.longest
            )
            number = self.purse.reserve(bound)
            took = Tokens(0, 0)
            refused = self._refused
            try:
                self._patience.go_on(ask.label)  # it may be over since money was waited for
                took = bound  # what a call counts whose end nobody sees
                document = self._wire.send(body_of(ask, self.model, seed, refused))
                took = tokens_of(document) or bound
            except Refused as refusal:
                took = Tokens(0, 0)
                if self._can_do_without(refusal, refused, ask):
                    continue
                next_wait = self._patience.after(refusal, tries)
                if next_wait is None:
                    raise self._explained(refusal, ask) from None
                wait = next_wait
            except NotAnswered as silence:
                if not silence.was_sent:
                    took = Tokens(0, 0)
                if tries + 1 == patience.TRIES:
                    error = ModelUnavailable(
                        f"The server was asked {patience.TRIES} times, and {silence.why}",
                        where=f"{self.host} {ask.label}".strip(),
                        remedy="Check that it runs and that this machine may reach it.",
                        retry=True,
                    )
                    # Nobody listens: the next question would wait as long for nothing.
                    raise self._for_all_or_one(error, not silence.was_sent) from None
                wait = self._patience.after_silence(tries)
            except TooMuch:
                raise Unusable("it is larger than any reply that was asked for") from None
            else:
                self._learn(took, bound, ask)
                return document, took
            finally:
                self.purse.end(number, took)
            tries += 1

    def _learn(self, took: Tokens, bound: Tokens, ask: Ask) -> None:
        """A server that counts more for an image than was believed is believed from now on."""
        with self._lock:
            self._has_answered = True
            images = images_in(ask)
            if images and took.prompt > bound.prompt:
                self._image_tokens += -(-(took.prompt - bound.prompt) // images)

    def _can_do_without(self, refusal: Refused, refused: frozenset[str], ask: Ask) -> bool:
        """Whether it is a parameter that the server refuses, and asking without it may do."""
        if refusal.status not in (400, 422):
            return False
        named = {one for one in OPTIONAL if one == refusal.parameter}
        if _NOT_TAKEN.search(refusal.words):
            named |= {one for one in OPTIONAL if one in refusal.words}
            if ask.schema is not None and "schema" in refusal.words:
                named.add("response_format")
        with self._lock:
            self._refused |= named
        return bool(named - refused)

    def _explained(self, refusal: Refused, ask: Ask) -> Exception:
        error = patience.explained(refusal, self.host, ask.label)
        if patience.concerns_all(refusal):
            return _RefusedToAll(error)
        return self._for_all_or_one(error)

    def _for_all_or_one(self, error: ModelUnavailable, is_sure: bool = False) -> Exception:
        """Of a server that never answered, what ends the asking: a sure sign, or several."""
        with self._lock:
            self._refusals += 1
            is_all = is_sure or self._refusals >= _REFUSALS_AT_ONCE
            return _RefusedToAll(error) if is_all and not self._has_answered else error

    def _besides(self, ask: Ask) -> int:
        """Tokens of a prompt that are not words."""
        return _PER_MESSAGE * (len(ask.messages) + 1) + self._image_tokens * images_in(ask)

    def _name(self, ask: Ask) -> str:
        return content_hash(ask, host=self.host, model=self.model, seed=self._seed)


def _once_more(ask: Ask, first: Answer) -> Ask:
    more = {"role": "user", "content": _ONCE_MORE.format(why=first.why_not)}
    longest = ask.longest * 2 if first.is_cut else ask.longest
    return replace(ask, messages=(*ask.messages, more), longest=longest)


def _unusable(ask: Ask, why: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The reply cannot be used: {why}",
        where=ask.label,
        remedy="Ask again on purpose, or ask another model: the same question is not paid twice.",
    )
