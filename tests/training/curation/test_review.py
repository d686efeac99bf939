"""A person's decisions: rows of their own, never without a name, undone by a new row."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from glassllava.errors import BadInput
from tests.chat_server import ChatServer
from tests.curated import figure, make_work
from training.curation.figure import read_figures
from training.curation.ledger import FILE, PairLedger
from training.curation.page import write_page
from training.curation.replies import Pair
from training.curation.review import drawn, review_in_terminal, told
from training.curation.writing import plan_writing, write_pairs
from training.served import Server

Run = Callable[..., int]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PairLedger]:
    """Two figures with three pairs each, written by hand."""
    figures = make_work(tmp_path / "work", 2)
    with PairLedger(tmp_path / "work", create=True) as ledger:
        for one in figures:
            support = ("stand in the glass",)
            said = Pair("q1", "simple", "none", f"What is on {one.id}?", "Bubbles.", support)
            halves = [
                Pair(f"c1-{word}", "claim", "basic", f"True or false: It is {word}.",
                     f"{word.capitalize()}.", support, ("bubble",))
                for word in ("true", "false")
            ]  # fmt: skip
            ledger.write(one.id, "asked", host="h", model="m", pairs=[said, *halves])
        yield ledger


def _ids(ledger: PairLedger) -> list[str]:
    return [one.id for one in ledger.written()]


def _decisions(ledger: PairLedger) -> list[str]:
    return [one.decision for one in ledger.written()]


def test_decisions_are_rows_and_the_last_one_holds(ledger: PairLedger) -> None:
    first = _ids(ledger)[0]
    ledger.review(first, "accept", "A. Person")
    ledger.review(first, "reject", "B. Person", reason="no bubble there")
    assert _decisions(ledger)[0] == "reject"
    ledger.review(first, "", "A. Person")
    assert _decisions(ledger)[0] == ""
    ledger.review(first, "edit", "C. Person", answer="Round  bubbles.\nMany.")
    held = ledger.pair(first)
    assert held.standing.answer == "Round bubbles. Many."
    assert held.standing.question == "What is on p0-0?"
    assert held.pair.answer == "Bubbles."
    rows = ledger.reviews()
    assert [(row.decision, row.who) for row in rows] == [
        ("accept", "A. Person"),
        ("reject", "B. Person"),
        ("", "A. Person"),
        ("edit", "C. Person"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT.*\+00:00", row.at) for row in rows)


@pytest.mark.parametrize("change", ["UPDATE reviews SET who = 'x'", "DELETE FROM reviews"])
def test_a_decision_is_never_changed(ledger: PairLedger, tmp_path: Path, change: str) -> None:
    ledger.review(_ids(ledger)[0], "accept", "A. Person")
    with sqlite3.connect(tmp_path / "work" / FILE) as rows, pytest.raises(sqlite3.IntegrityError):
        rows.execute(change)


@pytest.mark.parametrize(
    ("decision", "how", "words"),
    [
        ("accept", {"who": ""}, "needs the name"),
        ("accept", {"who": " \u200b"}, "needs the name"),
        ("accept", {"pair": "nobody"}, "no pair 'nobody'"),
        ("maybe", {}, "not a decision"),
        ("", {}, "nothing to undo|no decision to undo"),
        ("edit", {}, "changes nothing"),
        ("edit", {"answer": "Yes."}, "True. or False., not 'Yes.'"),
        ("edit", {"question": "Is it?"}, "begins with 'True or false: '"),
    ],
)
def test_what_is_no_decision(
    ledger: PairLedger, decision: Any, how: dict[str, str], words: str
) -> None:
    how = {"pair": _ids(ledger)[1], "who": "A. Person", **how}
    with pytest.raises(BadInput, match=words):
        ledger.review(how.pop("pair"), decision, how.pop("who"), **how)
    assert not ledger.reviews()


def test_pairs_of_an_older_writing_take_no_decision(ledger: PairLedger) -> None:
    old = _ids(ledger)[0]
    ledger.write("p0-0", "other words", host="h", model="m")
    with pytest.raises(BadInput, match="that stands"):
        ledger.review(old, "accept", "A. Person")


def test_in_the_terminal(ledger: PairLedger, tmp_path: Path) -> None:
    figures = {one.id: one for one in read_figures(tmp_path / "work")}
    order = [one.id for one in drawn(ledger.written())]
    typed = iter(["x", "a", "r", "not there", "s", "u", "e", "", "False.", "looked", "q"])
    shown: list[str] = []
    if ledger.pair(order[3]).pair.kind != "claim":
        typed = iter(["x", "a", "r", "not there", "s", "u", "e", "", "Many.", "looked", "q"])
    elif ledger.pair(order[3]).pair.answer == "False.":
        typed = iter(["x", "a", "r", "not there", "s", "u", "e", "", "True.", "looked", "q"])
    made = review_in_terminal(
        ledger,
        figures,
        tmp_path / "work",
        "A. Person",
        ask=lambda prompt: next(typed),
        say=shown.append,
    )
    assert [(one.pair, one.decision) for one in made] == [
        (order[0], "accept"),
        (order[1], "reject"),
        (order[1], ""),
        (order[3], "edit"),
    ]
    text = "\n".join(shown)
    assert "1 of 6" in text
    assert "support:  “stand in the glass”" in text
    assert "caption:  SEM micrograph of sample" in text
    assert str(tmp_path / "work" / "images") in text
    again: list[str] = []
    review_in_terminal(
        ledger, figures, tmp_path / "work", "A", ask=lambda prompt: "q", say=again.append
    )
    assert "1 of 4" in again[0]


def test_nothing_that_is_shown_moves_a_terminal(tmp_path: Path) -> None:
    work = tmp_path / "work"
    one = figure(0, work, caption="A\x1b[2Jcrack\u202e", title="T\x07", label="\x1b]0;x\x07")
    with PairLedger(work, create=True) as ledger:
        pair = Pair("q1", "simple", "none", "What?", "This.", ("words",))
        ledger.write(one.id, "asked", host="h", model="m", pairs=[pair])
        text = told(ledger.written()[0], one, work)
    assert all(sign.isprintable() or sign == "\n" for sign in text)


# The command


def test_from_the_command_line(
    ledger: PairLedger, tmp_path: Path, curate: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    work, ids = tmp_path / "work", _ids(ledger)
    assert curate("review", work, "--accept", ids[0], ids[1], "--by", "A. Person") == 0
    assert curate("review", work, "--reject", ids[2], "--by", "B", "--reason", "blurred") == 0
    assert curate("review", work, "--edit", ids[3], "--answer", "Pores.", "--by", "B") == 0
    assert curate("review", work, "--undo", ids[1], "--by", "A. Person") == 0
    assert _decisions(ledger) == ["accept", "", "reject", "edit", "", ""]
    capsys.readouterr()
    assert curate("review", work, "--list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert {row["id"]: (row["review"] or {}).get("who") for row in listed} == {
        ids[0]: "A. Person",
        ids[1]: None,
        ids[2]: "B",
        ids[3]: "B",
        ids[4]: None,
        ids[5]: None,
    }


def test_nobody_decides_without_a_name(
    ledger: PairLedger, tmp_path: Path, curate: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    work, ids = tmp_path / "work", _ids(ledger)
    assert curate("review", work, "--accept", ids[0]) == 2
    assert curate("review", work) == 2
    assert curate("review", work, "--by", "A") == 2  # no terminal here
    assert "no terminal to ask in" in capsys.readouterr().err
    assert not ledger.reviews()
    assert curate("review", work, "--accept", ids[0], "nobody", "--by", "A") == 1
    assert curate("review", work, "--accept", "nobody", "--by", "A") == 2


# The page


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_shows_words_as_words(tmp_path: Path, curate: Run) -> None:
    work = tmp_path / "work"
    evil = "<script>alert(1)</script>\" onload='x' </figure> & \u202e A crack runs through it."
    one = figure(0, work, caption=evil, title=evil, licence=evil, label=evil, context=(evil,))
    with PairLedger(work, create=True) as ledger:
        pair = Pair("q1", "complex", "high", evil, evil, ("A crack runs through it",), ("crack",))
        ledger.write(one.id, "asked", host="h", model="m", pairs=[pair])
        path = write_page(work, ledger.written(), {one.id: one})
    text = path.read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert [attrs["src"] for tag, attrs in page.tags if tag == "img"] == [one.image]
    assert "<mark>A crack runs through it</mark>" in text
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_decisions_of_the_page_come_into_the_ledger(
    ledger: PairLedger, tmp_path: Path, curate: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    work, ids = tmp_path / "work", _ids(ledger)
    rows = [
        {"pair": ids[0], "decision": "accept"},
        {"pair": ids[3], "decision": "edit", "question": "What is on p0-1?", "answer": "Pores."},
        {"pair": ids[4], "decision": "reject", "reason": "not so"},
        {"pair": "gone", "decision": "accept"},
    ]
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps(rows), "utf-8")
    assert curate("review", work, "--from", file) == 2  # in nobody's name
    assert curate("review", work, "--from", file, "--by", "A. Person") == 1
    assert "gone" in capsys.readouterr().err
    assert _decisions(ledger) == ["accept", "", "", "edit", "reject", ""]
    curate("review", work, "--from", file, "--by", "A. Person")  # twice decides once
    assert len(ledger.reviews()) == 3


@pytest.mark.parametrize(
    "bad", ["", "{}", "[1]", '[{"pair": 1}]', '[{"decision": "maybe"}]', "[" * 9999]
)
def test_a_file_of_decisions_that_is_none(
    ledger: PairLedger, tmp_path: Path, curate: Run, bad: str
) -> None:
    file = tmp_path / "decisions.json"
    file.write_text(bad, "utf-8")
    assert curate("review", tmp_path / "work", "--from", file, "--by", "A") == 2
    assert not ledger.reviews()


def test_the_draw_is_the_same_every_time(
    server: ChatServer, work: Path, opened: Callable[..., Server]
) -> None:
    write_pairs(plan_writing(work, opened()), opened())
    with PairLedger(work) as ledger:
        pairs = ledger.written()
    order = [one.id for one in drawn(pairs)]
    assert order == [one.id for one in drawn(pairs[::-1])]
    first = {one.figure for one in drawn(pairs)[:40]}
    assert len(first) > 12  # of 18: not one figure after the other
