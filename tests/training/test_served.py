"""One server asked many questions: what is paid, what is kept, and what a bad server can do."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glassllava.errors import BadInput, GlassError, ModelUnavailable, RunUnavailable
from tests.chat_server import ChatServer
from training.served import Ask, LimitReached, Price, Said, Server
from training.served.schema import check_schema, is_strict

KEY = "sk-never-to-be-seen-0123456789"
SHAPE = {
    "type": "object",
    "properties": {"crack": {"type": "boolean"}, "why": {"type": "string", "maxLength": 200}},
    "required": ["crack", "why"],
    "additionalProperties": False,
}
GOOD = {"crack": True, "why": "its tips are sharp"}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSVIEW_ENDPOINT_KEY", KEY)


def _open(server: ChatServer, folder: Path, **how: Any) -> Server:
    how = {"first_wait_s": 0.02, "timeout_s": 2.0, **how}
    return Server(server.reference(), cache=folder / "answers", **how)


def _text(words: str, **how: Any) -> Ask:
    return Ask(({"role": "user", "content": words},), label=words[:20], **how)


def _picture(data: bytes) -> Ask:
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    content = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "What is it?"},
    ]
    return Ask(({"role": "user", "content": content},))


def _texts(results: list[Said | GlassError]) -> list[str]:
    return [one.text if isinstance(one, Said) else f"error: {one}" for one in results]


# Paid once


def test_answers_come_in_order_and_are_kept(server: ChatServer, tmp_path: Path) -> None:
    server.answer = lambda body: f"about {body['messages'][0]['content']}"
    asks = [_text(f"question {n}") for n in range(9)]
    said = _open(server, tmp_path).ask(asks)
    assert _texts(said) == [f"about question {n}" for n in range(9)]
    assert not any(one.from_cache for one in said if isinstance(one, Said))
    assert server.most_together <= 4
    kept = _open(server, tmp_path).ask(asks)
    assert _texts(kept) == _texts(said)
    assert all(one.from_cache for one in kept if isinstance(one, Said))
    assert len(server.requests) == 9
    assert all(h["authorization"] == f"Bearer {KEY}" for h in server.headers)


def test_equal_questions_of_one_call_are_sent_once(server: ChatServer, tmp_path: Path) -> None:
    said = _open(server, tmp_path).ask([_text("a"), _text("b"), _text("a"), _text("a")])
    assert len(server.requests) == 2
    assert [one.from_cache for one in said if isinstance(one, Said)] == [False, False, True, True]


def test_all_that_decides_an_answer_is_part_of_its_name(server: ChatServer, tmp_path: Path) -> None:
    asks = [_text("a"), _text("a", longest=9), _picture(b"one"), _picture(b"two")]
    _open(server, tmp_path).ask(asks)
    assert len(server.requests) == 4
    _open(server, tmp_path, seed=1).ask(asks[:1])
    assert len(server.requests) == 5
    other = Server(server.reference("other"), cache=tmp_path / "answers")
    other.ask(asks[:1])
    assert len(server.requests) == 6


def test_a_label_decides_nothing(server: ChatServer, tmp_path: Path) -> None:
    message = ({"role": "user", "content": "a"},)
    _open(server, tmp_path).ask([Ask(message, label="x"), Ask(message, label="y")])
    assert len(server.requests) == 1


def test_a_torn_file_is_asked_again(server: ChatServer, tmp_path: Path) -> None:
    _open(server, tmp_path).ask([_text("a")])
    (file,) = (tmp_path / "answers").glob("*/*.json")
    file.write_text(file.read_text("utf-8")[:20], "utf-8")
    (said,) = _open(server, tmp_path).ask([_text("a")])
    assert isinstance(said, Said)
    assert not said.from_cache


def test_a_kill_loses_only_what_was_in_flight(server: ChatServer, tmp_path: Path) -> None:
    """Killed while the server holds back: what was answered before is never asked again."""
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from training.served import Ask, Server
        server = Server(sys.argv[1], cache=Path(sys.argv[2]))
        server.ask([Ask(({"role": "user", "content": f"question {n}"},)) for n in range(40)])
    """)
    folder = tmp_path / "answers"
    server.pause_s = 0.02
    arguments = [sys.executable, "-c", program, server.reference(), str(folder)]
    process = subprocess.Popen(arguments, cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + 30
        while len(list(folder.glob("*/*.json"))) < 10 and time.monotonic() < deadline:
            time.sleep(0.005)
        server.held.clear()  # from here on it takes questions and answers none
        since = time.monotonic()  # until nothing has moved for a while: four wait, all else is kept
        while time.monotonic() < min(since + 0.3, deadline + 30):
            kept, sent = len(list(folder.glob("*/*.json"))), len(server.requests)
            if sum(server.answered.values()) != kept or sent != kept + 4:
                since = time.monotonic()
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    kept = len(list(folder.glob("*/*.json")))
    assert 10 <= kept < 40
    before = dict(server.answered)
    assert len(before) == kept
    server.closing.set()  # those in flight get no answer, and cost nothing
    server.held.set()
    time.sleep(0.1)
    server.closing.clear()
    again = _open(server, tmp_path)
    said = again.ask([_text(f"question {n}") for n in range(40)])
    assert all(isinstance(one, Said) for one in said)
    assert sum(isinstance(one, Said) and one.from_cache for one in said) == kept
    assert len(server.answered) == 40
    assert set(server.answered.values()) == {1}


def test_an_interruption_keeps_what_was_paid_for(server: ChatServer, tmp_path: Path) -> None:
    """Ctrl-C: those in flight are waited for and kept, no other is sent, the rest comes later."""
    server.pause_s = 0.05
    asks = [_text(f"question {n}") for n in range(30)]

    def told(done: int, of: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    opened = _open(server, tmp_path, limit=10**6)
    with pytest.raises(KeyboardInterrupt):
        opened.ask(asks, told)
    sent = len(server.requests)
    assert 7 <= sent <= 7 + 4 + 1
    assert opened.purse.spent() == server.billed
    assert all(isinstance(one, Said) for one in opened.ask(asks))
    assert set(server.answered.values()) == {1}


# When a server is in trouble


@pytest.mark.parametrize("fault", [429, 500, 503, 408, "hang", "reset", "cut", "page", "drip"])
def test_trouble_that_passes_is_waited_out(
    server: ChatServer, tmp_path: Path, fault: int | str
) -> None:
    server.faults = [fault, fault]
    (said,) = _open(server, tmp_path, timeout_s=0.3).ask([_text("a")])
    assert isinstance(said, Said), said
    assert len(server.requests) == 3


def test_retry_after_is_obeyed_by_every_call(server: ChatServer, tmp_path: Path) -> None:
    opened = _open(server, tmp_path)
    opened.ask([_text("first")])
    server.retry_after = "1"
    server.faults = [429]
    started = time.monotonic()
    opened.ask([_text(f"question {n}") for n in range(6)])
    later = [t - started for t in server.times[5:]]  # four were in flight when the order came
    assert min(later) >= 0.95


def test_waits_grow(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [500] * 4
    _open(server, tmp_path, first_wait_s=0.1).ask([_text("a")])
    gaps = [b - a for a, b in zip(server.times, server.times[1:], strict=False)]
    assert all(0.05 * 2**n <= gap <= 0.1 * 2**n + 0.15 for n, gap in enumerate(gaps)), gaps


def test_trouble_that_stays_is_an_error_and_the_rest_goes_on(
    server: ChatServer, tmp_path: Path
) -> None:
    def answer(body: dict[str, Any]) -> str:
        return "fine"

    server.answer = answer
    server.faults = [500] * 6
    said = _open(server, tmp_path).ask([_text("a"), _text("b")])
    assert isinstance(said[0], ModelUnavailable)
    assert said[0].retry
    assert "answers 500" in str(said[0])
    assert _texts(said[1:]) == ["fine"]
    (again,) = _open(server, tmp_path).ask([_text("a")])  # trouble is never kept
    assert isinstance(again, Said)


def test_an_order_to_wait_for_hours_is_told(server: ChatServer, tmp_path: Path) -> None:
    server.retry_after = "86400"
    server.faults = [429]
    (said,) = _open(server, tmp_path).ask([_text("a")])
    assert isinstance(said, ModelUnavailable)
    assert "wait for 86400 s" in str(said)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (401, "refuses the key"),
        (402, "wants to be paid"),
        (403, "does not allow"),
        (404, "does not know this address or this model"),
        ("moved", "another address"),
        ({"status": 429, "error": {"message": "", "code": "insufficient_quota"}}, "credit"),
    ],
)
def test_what_concerns_every_question_stops_at_once(
    server: ChatServer, tmp_path: Path, fault: Any, words: str
) -> None:
    with ChatServer() as other:
        server.elsewhere = f"http://{other.host}/v1/chat/completions"
        server.faults = [fault] * 20
        with pytest.raises(ModelUnavailable, match=words):
            _open(server, tmp_path).ask([_text(f"question {n}") for n in range(20)])
        assert len(server.requests) == 1
        assert not other.requests


def test_a_bad_question_is_not_repeated_and_stops_nothing(
    server: ChatServer, tmp_path: Path
) -> None:
    opened = _open(server, tmp_path)
    opened.ask([_text("first")])
    server.faults = [{"status": 400, "error": {"message": f"too long\x1b[31m {KEY}"}}]
    bad, good = opened.ask([_text("a"), _text("b")])
    pair = [bad, good] if isinstance(bad, GlassError) else [good, bad]
    assert isinstance(pair[0], ModelUnavailable)
    assert not pair[0].retry
    assert "answers 400 (too long[31m [key])" in str(pair[0])
    assert isinstance(pair[1], Said)
    assert len(server.requests) == 3


def test_bad_requests_from_the_start_are_no_fault_of_a_question(
    server: ChatServer, tmp_path: Path
) -> None:
    server.faults = [400] * 50
    with pytest.raises(ModelUnavailable, match="answers 400"):
        _open(server, tmp_path).ask([_text(f"question {n}") for n in range(50)])
    assert len(server.requests) == 3


def test_nobody_there(tmp_path: Path) -> None:
    with ChatServer() as server:
        reference = server.reference()
    opened = Server(reference, cache=tmp_path, first_wait_s=0.001, limit=10**6)
    with pytest.raises(ModelUnavailable, match=r"a: The server was asked 6 times") as told:
        opened.ask([_text("a"), _text("b"), _text("c")])  # b and c would wait as long for nothing
    assert told.value.retry
    assert opened.purse.spent() == 0  # nothing left this machine


def test_a_server_that_never_says_anything_of_use_ends_the_asking(
    server: ChatServer, tmp_path: Path
) -> None:
    server.faults = ["page"] * 100
    with pytest.raises(ModelUnavailable, match="something other than JSON"):
        _open(server, tmp_path).ask([_text(name) for name in "abcdefgh"])
    assert len(server.requests) == 18  # three questions, six times each


def test_a_server_that_refuses_parameters_is_asked_without_them(
    server: ChatServer, tmp_path: Path
) -> None:
    server.answer = lambda body: GOOD
    refusal = "Unsupported parameter: 'max_tokens' is not supported with this model."
    server.faults = [
        {"status": 400, "error": {"message": refusal, "param": "max_tokens"}},
        {"status": 400, "error": {"message": "json_schema is not supported"}},
        {"status": 400, "error": {"message": "no", "param": "temperature"}},
    ]
    said = _open(server, tmp_path).ask([_text("a", schema=SHAPE), _text("b", schema=SHAPE)])
    assert all(isinstance(one, Said) for one in said)
    assert len(server.requests) == 5  # what one question taught, the next knows
    last = server.requests[-1]
    assert {"max_tokens", "response_format", "temperature"}.isdisjoint(last)
    assert last["max_completion_tokens"] == 800
    assert '"additionalProperties": false' in last["messages"][0]["content"]


# Replies


def test_a_shape_is_asked_for_and_kept_to(server: ChatServer, tmp_path: Path) -> None:
    server.answer = lambda body: {**GOOD, "why": "sharp\u0007 \u202eno\ud800"}
    (said,) = _open(server, tmp_path).ask([_text("a", schema=SHAPE)])
    assert isinstance(said, Said)
    assert json.loads(said.text) == {"crack": True, "why": "sharp no"}
    told = server.requests[0]["response_format"]["json_schema"]
    assert told["strict"] is True
    assert told["schema"] == SHAPE


@pytest.mark.parametrize(
    "bad",
    [
        '{"crack": tr',
        '{"crack": "yes", "why": "b"}',
        '{"crack": 1, "why": "b"}',
        '{"crack": true}',
        '{"crack": true, "why": "b", "more": 1}',
        '{"crack": true, "why": "' + "b" * 201 + '"}',
        "[" * 5000,
        "",
        "null",
        "NaN",
        {"finish_reason": "length", "text": '{"crack": true, "why": "b"}'},
        "list",
        "nothing",
    ],
)
def test_a_reply_of_another_shape_is_asked_once_more(
    server: ChatServer, tmp_path: Path, bad: Any
) -> None:
    replies = [bad, GOOD]
    server.answer = lambda body: replies.pop(0)
    if bad in ("list", "nothing"):
        server.faults, replies = [bad], [GOOD]
    (said,) = _open(server, tmp_path).ask([_text("a", schema=SHAPE)])
    assert isinstance(said, Said), said
    assert json.loads(said.text) == GOOD
    first, second = server.requests
    assert "was not used" in second["messages"][-1]["content"]
    assert second["seed"] == first["seed"] + 1


def test_a_second_bad_reply_is_an_error_and_is_not_paid_again(
    server: ChatServer, tmp_path: Path
) -> None:
    server.answer = lambda body: "no JSON"
    ask = [_text("a", schema=SHAPE)]
    for _ in range(2):
        (said,) = _open(server, tmp_path).ask(ask)
        assert isinstance(said, ModelUnavailable)
        assert "it is not JSON" in str(said)
        assert not said.retry
        assert len(server.requests) == 2
    server.answer = lambda body: GOOD
    (said,) = _open(server, tmp_path, again=True).ask(ask)
    assert isinstance(said, Said)


def test_the_second_asking_is_taken_up_where_the_first_was_left(
    server: ChatServer, tmp_path: Path
) -> None:
    """The first reply is paid for: trouble before the second does not make it be paid again."""
    server.answer = lambda body: "no JSON"
    server.faults = [None, *[500] * 6]
    ask = [_text("a", schema=SHAPE)]
    (said,) = _open(server, tmp_path).ask(ask)
    assert isinstance(said, ModelUnavailable)
    assert said.retry
    server.answer = lambda body: GOOD
    (said,) = _open(server, tmp_path).ask(ask)
    assert isinstance(said, Said)
    assert "was not used" in server.requests[-1]["messages"][-1]["content"]


@pytest.mark.parametrize("fault", ["huge", "packed"])
def test_an_endless_reply_is_left(server: ChatServer, tmp_path: Path, fault: str) -> None:
    server.faults = [fault, fault]
    (said,) = _open(server, tmp_path).ask([_text("a")])
    assert isinstance(said, ModelUnavailable)
    assert "larger than any" in str(said)


def test_plain_text_holds_no_control_characters(server: ChatServer, tmp_path: Path) -> None:
    server.answer = lambda body: "A \x1b[31mcrack\x00.\u202e"
    (said,) = _open(server, tmp_path).ask([_text("a")])
    assert _texts([said]) == ["A [31mcrack."]
    server.answer = lambda body: "x" * 20_000
    (said,) = _open(server, tmp_path).ask([_text("b", longest=10)])
    assert "far longer than allowed" in _texts([said])[0]


# Money


def test_an_estimate_sends_nothing_and_counts_what_is_kept(
    server: ChatServer, tmp_path: Path
) -> None:
    opened = _open(server, tmp_path, price=Price(2.0, 10.0))
    opened.ask([_text("a")])
    told = opened.estimate(
        [_text("a"), _text("b" * 300, longest=100), _text("b" * 300), _picture(b"x")]
    )
    assert len(server.requests) == 1
    assert (told.calls, told.cached) == (3, 1)
    assert told.completion_tokens == 100 + 800 + 800
    assert told.prompt_tokens >= 1500 + 200
    want = (told.prompt_tokens * 2 + told.completion_tokens * 10) / 1e6
    assert told.cost == pytest.approx(want)
    assert _open(server, tmp_path).estimate([_text("z")]).cost is None


@pytest.mark.parametrize("together", [1, 8])
def test_the_limit_is_never_passed(server: ChatServer, tmp_path: Path, together: int) -> None:
    server.pause_s = 0.02
    server.usage = lambda body, text: {"prompt_tokens": 20, "completion_tokens": 90}
    opened = _open(server, tmp_path, together=together, limit=5_000)
    said = opened.ask([_text(f"question {n:3}", longest=400) for n in range(60)])
    answered = [one for one in said if isinstance(one, Said)]
    refused = [one for one in said if isinstance(one, LimitReached)]
    assert len(answered) + len(refused) == 60
    assert server.most_together <= together
    assert server.billed <= 5_000
    assert opened.purse.spent() == server.billed
    assert server.billed > 4_400  # and it is used up, but for the bound of one call
    (more,) = _open(server, tmp_path, limit=5_000).ask([_text("another", longest=400)])
    assert isinstance(more, LimitReached)  # the folder's limit, whichever process asks


def test_the_limit_in_money_counts_in_flight_at_the_bound(
    server: ChatServer, tmp_path: Path
) -> None:
    """Every reply is as long as it may be: the bound is then what is paid."""
    server.answer = lambda body: "x" * 400
    server.usage = lambda body, text: {"prompt_tokens": 40, "completion_tokens": 100}
    server.pause_s = 0.02
    price = Price(0.0, 100_000.0)  # a tenth a token
    opened = _open(server, tmp_path, together=8, price=price, limit=105.0)
    said = opened.ask([_text(f"question {n}", longest=100) for n in range(30)])
    assert sum(isinstance(one, Said) for one in said) == 10
    assert opened.purse.spent() == pytest.approx(100.0)


def test_a_broken_call_counts_at_its_bound(server: ChatServer, tmp_path: Path) -> None:
    server.faults = ["reset", 500]
    opened = _open(server, tmp_path, limit=10_000)
    opened.ask([_text("a", longest=1000)])
    assert 1000 < opened.purse.spent() - server.billed < 1200  # the reset, not the 500


def test_an_image_that_takes_more_is_believed_from_then_on(
    server: ChatServer, tmp_path: Path
) -> None:
    server.usage = lambda body, text: {"prompt_tokens": 9_000, "completion_tokens": 5}
    opened = _open(server, tmp_path, limit=40_000)
    said = opened.ask([_picture(bytes([n])) for n in range(20)])
    assert sum(isinstance(one, Said) for one in said) == 4
    assert server.billed <= 40_000
    assert opened.estimate([_picture(b"new")]).prompt_tokens > 8_000


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {"prompt_tokens": -5, "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": "9", "completion_tokens": 1},
        {"prompt_tokens": 10**30, "completion_tokens": 1},
    ],
)
def test_a_count_that_cannot_be_true_counts_as_the_bound(
    server: ChatServer, tmp_path: Path, usage: Any
) -> None:
    server.usage = lambda body, text: usage
    opened = _open(server, tmp_path)
    opened.ask([_text("a", longest=500)])
    assert 500 < opened.purse.spent() < 600


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_limit_of_nothing_is_refused(server: ChatServer, tmp_path: Path, limit: float) -> None:
    with pytest.raises(BadInput, match="above 0"):
        _open(server, tmp_path, limit=limit)


# Keys and folders


def test_the_key_is_in_no_file_and_no_error(
    server: ChatServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spelt = KEY.replace("s", "\\u0073")
    server.answer = lambda body: f'{{"crack": true, "why": "{spelt} {KEY}"}}'
    server.faults = [
        {"status": 400, "error": {"message": f"seed {KEY} not supported", "param": "seed"}},
        {"status": 429, "error": {"message": KEY}},
        None,
        {"status": 422, "error": {"message": f"{KEY} {KEY[:9]}", "code": KEY}},
        {"status": 401, "error": {"message": f"wrong key {KEY[:6]}…{KEY[-4:]}"}},
    ]
    opened = _open(server, tmp_path, together=1)
    with caplog.at_level("DEBUG"):
        said = opened.ask([_text("a", schema=SHAPE), _text("b", schema=SHAPE)])
        with pytest.raises(ModelUnavailable) as caught:
            opened.ask([_text("c")])
    assert isinstance(said[0], Said)
    told = " ".join([*_texts(said), str(caught.value), caplog.text])
    assert KEY not in told
    assert KEY[-4:] not in str(caught.value)
    assert "[key] [key]" in said[0].text
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes()


def test_a_key_that_is_none_spoils_no_word(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSVIEW_ENDPOINT_KEY", "x")
    server.answer = lambda body: "an axe"
    (said,) = _open(server, tmp_path).ask([_text("a")])
    assert _texts([said]) == ["an axe"]


@pytest.mark.parametrize("key", ["sk-ä", "sk a", "sk\x00b"])
def test_a_key_that_cannot_be_sent_is_told_without_it(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    if "\x00" in key:
        monkeypatch.setattr("training.served.server.key_for", lambda address: key)
    else:
        monkeypatch.setenv("GLASSVIEW_ENDPOINT_KEY", key)
    with pytest.raises(ModelUnavailable, match="signs that no key can have") as caught:
        _open(server, tmp_path)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "reference", ["endpoint:http://a:secret@h/v1#m", "endpoint:http://h/v1", "x", "endpoint:http://[#m"]
)  # fmt: skip
def test_a_reference_that_is_none(tmp_path: Path, reference: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        Server(reference, cache=tmp_path)
    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_written(server: ChatServer, tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file")
    with pytest.raises(RunUnavailable):
        _open(server, tmp_path)


def test_a_schema_with_rules_that_are_not_checked_is_refused() -> None:
    with pytest.raises(ValueError, match="pattern"):
        check_schema({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}})
    with pytest.raises(ValueError, match="date"):
        check_schema({"type": "array", "items": {"type": "date"}})
    assert is_strict(SHAPE)
    assert not is_strict({"type": "array", "items": {**SHAPE, "required": ["crack"]}})
