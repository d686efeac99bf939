"""What leaves a curation: conversations by split, balanced, checked, licensed, with their card."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glassllava.conversation import Conversation, read_conversations
from glassllava.errors import BadInput
from tests.chat_server import ChatServer
from tests.curated import figure
from tests.training.curation.conftest import KEY
from training.curation.balance import balance
from training.curation.exporting import export
from training.curation.figure import read_figures, write_figures
from training.curation.ledger import PairLedger, Review, Written
from training.curation.replies import Pair
from training.curation.writing import plan_writing, write_pairs
from training.served import Server

Run = Callable[..., int]
SPLITS = ("train", "validation", "test")


@pytest.fixture
def written(server: ChatServer, work: Path, opened: Callable[..., Server]) -> Path:
    served = opened()
    write_pairs(plan_writing(work, served), served)
    return work


def _all(out: Path) -> list[Conversation]:
    return [c for split in SPLITS for c in read_conversations(out / f"{split}.json")]


def test_conversations_by_split_as_the_product_asks(written: Path, tmp_path: Path) -> None:
    done = export(written, tmp_path / "data")
    made = _all(tmp_path / "data")
    assert len(made) == done.card["pairs"] == len({one.id for one in made})
    assert {c.split for c in read_conversations(tmp_path / "data" / "test.json")} == {"test"}
    assert not {c.paper for c in made if c.split == "train"} & {
        c.paper for c in made if c.split != "train"
    }
    for one in made:
        assert (tmp_path / "data" / one.image).is_file()
        assert one.licence == "CC-BY-4.0"
        assert one.checked_by == ""
        assert "gpt-test at 127.0.0.1" in one.answer_source
        told = one.turns[0].question.rsplit("\n", 1)[0]
        if one.context_level == "none":
            assert "\n" not in one.turns[0].question
        elif one.context_level == "basic":
            assert told == "Material: soda-lime silicate glass."
        else:
            assert "Treatment: etched in acid." in told
            assert ("[1] SEM micrograph of sample" in told) == (one.context_level == "high")
    verdicts = [c for c in made if "Answer yes or no" in c.turns[0].question]
    assert len(verdicts) == 48
    assert all((c.turns[0].answer == "Yes.") == c.defect for c in verdicts)
    assert {c.defect for c in made if c not in verdicts} == {None}


def test_evidence_stands_beside_every_pair(written: Path, tmp_path: Path) -> None:
    export(written, tmp_path / "data")
    lines = (tmp_path / "data" / "evidence.jsonl").read_text("utf-8").splitlines()
    rows = {row["id"]: row for row in map(json.loads, lines)}
    assert set(rows) == {one.id for one in _all(tmp_path / "data")}
    captions = " ".join(one.caption for one in read_figures(written))
    assert all(quote in captions for row in rows.values() for quote in row["support"])


def test_true_and_false_are_even_for_every_feature_of_every_split(
    written: Path, tmp_path: Path
) -> None:
    with PairLedger(written) as ledger:
        claims = [one for one in ledger.written() if one.pair.kind == "claim"]
        for one in claims[:9:2]:
            ledger.review(one.id, "reject", "A. Person")
        turned = next(one for one in claims[12:] if one.pair.answer == "True.")
        ledger.review(turned.id, "edit", "A. Person", answer="False.")
    done = export(written, tmp_path / "data")
    counts: Counter[Any] = Counter()
    for one in _all(tmp_path / "data"):
        answer = one.turns[0].answer
        if answer in ("True.", "False.", "Yes.", "No."):
            claimed_of = one.features[0] if answer in ("True.", "False.") else "verdict"
            counts[one.split, claimed_of, answer] += 1
    assert counts
    for (split, feature, answer), count in counts.items():
        other = {"True.": "False.", "False.": "True.", "Yes.": "No.", "No.": "Yes."}[answer]
        assert counts[split, feature, other] == count
    rows = done.card["balance"]
    assert all(row["true"] == row["false"] for row in rows)
    claimed = sum(row["true"] + row["false"] for row in rows if row["kind"] == "claim")
    assert claimed == sum(
        n for (_, _, answer), n in counts.items() if answer in ("True.", "False.")
    )
    assert done.card["left_out"]["set aside for balance"] > 0


def _one(number: int, answer: str, decision: Any = "", kind: Any = "claim") -> Written:
    word = answer.strip(".").lower()
    pair = Pair(
        f"c{number}-{word}", kind, "none", "True or false: x", answer, (), ("pore",),
        twin=f"c{number}-{'false' if word == 'true' else 'true'}",
    )  # fmt: skip
    review = Review("", decision, "A", "") if decision else None
    return Written(f"f-{number}-{word}", "f", pair, "h", "m", review=review)


def test_balance_keeps_what_was_checked_and_whole_claims() -> None:
    whole = [_one(n, answer) for n in range(3) for answer in ("True.", "False.")]
    halves = [_one(n, "True.") for n in (10, 11, 12)]
    checked = _one(20, "True.", "accept")
    made = balance([*halves, *whole, checked], {"f": "train"})
    kept = {one.id for one in made.kept}
    assert checked.id in kept
    assert sum(one.pair.answer == "True." for one in made.kept) == 3
    assert kept - {checked.id} <= {one.id for one in whole}
    (row,) = made.rows
    assert (row.true, row.false, row.aside_true, row.aside_false) == (3, 3, 4, 0)
    again = balance([*reversed(whole), checked, *halves], {"f": "train"})
    assert {one.id for one in again.kept} == kept


# People and the card


def test_the_card_tells_the_share_that_was_checked(written: Path, tmp_path: Path) -> None:
    with PairLedger(written) as ledger:
        ids = [one.id for one in ledger.written() if one.pair.kind == "simple"]
        for id_ in ids[:16]:
            ledger.review(id_, "accept", "A. Person")
        ledger.review(ids[16], "edit", "B. Person", answer="Many of them.")
        for id_ in ids[17:20]:
            ledger.review(id_, "reject", "B. Person")
        total = len(ledger.written())
    done = export(written, tmp_path / "data")
    checked = done.card["checked"]
    assert (checked["checked"], checked["pairs"]) == (20, total)
    assert checked["share"] == pytest.approx(20 / total)
    assert checked["decisions"] == {"accept": 16, "edit": 1, "reject": 3}
    assert checked["accepted_unchanged"] == [0.8, 0.5634, 0.9427]  # Clopper-Pearson, 16 of 20
    assert checked["people"] == {"A. Person": 16, "B. Person": 4}
    assert checked["exported_checked"] == 17
    made = {one.id: one for one in _all(tmp_path / "data")}
    assert not set(ids[17:20]) & set(made)
    assert made[ids[16]].turns[0].answer == "Many of them."
    assert made[ids[16]].checked_by == "B. Person"
    assert "edited by B. Person" in made[ids[16]].answer_source
    words = (tmp_path / "data" / "DATA_CARD.md").read_text("utf-8")
    assert f"20 of {total} (" in words
    assert "80%, 95 % interval 56% to 94%" in words
    reviews = (tmp_path / "data" / "reviews.jsonl").read_text("utf-8").splitlines()
    assert len(reviews) == 20
    only = export(written, tmp_path / "checked", checked_only=True)
    assert only.card["checked"]["exported_checked"] == only.card["pairs"] == 17


def test_a_card_without_a_check_says_so(written: Path, tmp_path: Path) -> None:
    export(written, tmp_path / "data")
    words = (tmp_path / "data" / "DATA_CARD.md").read_text("utf-8")
    assert "Nobody looked at any of them" in words
    assert "0 of 252 (0%)" in words


def test_the_card_names_every_paper_and_its_licence(written: Path, tmp_path: Path) -> None:
    figures = [
        replace(one, licence="CC-BY-NC-4.0") if one.paper == "p1" else one
        for one in read_figures(written)
    ]
    write_figures(written, figures)
    done = export(written, tmp_path / "data")
    owned = done.card["licences"]
    assert {paper["paper"] for paper in owned["papers"]} == {f"p{n}" for n in range(6)}
    assert owned["counts"]["CC-BY-NC-4.0"]["papers"] == 1
    assert owned["counts"]["CC-BY-4.0"]["papers"] == 5
    assert owned["together"] == "CC-BY-NC-4.0"
    assert sum(counts["pairs"] for counts in owned["counts"].values()) == done.card["pairs"]


def test_no_export_without_every_licence(
    written: Path, tmp_path: Path, curate: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = [
        replace(one, licence="") if one.paper in ("p1", "p4") else one
        for one in read_figures(written)
    ]
    write_figures(written, figures)
    assert curate("export", written, "-o", tmp_path / "data") == 2
    said = capsys.readouterr().err
    assert "The licence of 2 papers is not known: p1 (" in said
    assert "p4 (" in said
    assert not (tmp_path / "data").exists()
    assert curate("export", written, "-o", tmp_path / "less", "--leave-out-unlicensed") == 0
    card = json.loads((tmp_path / "less" / "card.json").read_text("utf-8"))
    assert card["left_out"]["of papers without a known licence"] > 0
    assert {paper["paper"] for paper in card["licences"]["papers"]} == {"p0", "p2", "p3", "p5"}
    for paper in ("p1", "p4"):
        assert curate("licence", written, paper, "CC-BY-4.0", "--by", "A. Person") == 0
    assert curate("licence", written, "p9", "CC-BY-4.0", "--by", "A. Person") == 2
    assert curate("export", written, "-o", tmp_path / "data") == 0
    card = json.loads((tmp_path / "data" / "card.json").read_text("utf-8"))
    by = {paper["paper"]: paper["stated_by"] for paper in card["licences"]["papers"]}
    assert by["p1"] == "A. Person"
    assert by["p0"] == "the paper"


def test_hostile_words_break_no_card(
    server: ChatServer, tmp_path: Path, opened: Callable[..., Server]
) -> None:
    work = tmp_path / "work"
    evil = "x | y\n# Heading <script> \x1b[1m"
    write_figures(
        work, [figure(n, work, title=evil, licence="CC-BY | 4", doi=evil) for n in (0, 3)]
    )
    served = Server(server.reference("m|<b>"), cache=work / "answers")
    write_pairs(plan_writing(work, served), served)
    export(work, tmp_path / "data")
    words = (tmp_path / "data" / "DATA_CARD.md").read_text("utf-8")
    assert "\n# Heading" not in words
    assert "<script>" not in words
    assert "\x1b" not in words
    assert "x \\| y" in words


# Folders


def test_an_export_replaces_an_earlier_one_and_nothing_else(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    export(written, out)
    (out / "stale.txt").write_text("from before")
    export(written, out)
    assert not (out / "stale.txt").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("dear")
    with pytest.raises(BadInput, match="not empty and no earlier export"):
        export(written, mine)
    assert (mine / "thesis.txt").read_text() == "dear"
    assert not list(tmp_path.glob(".*part"))


def test_the_folder_one_stands_in_is_not_replaced(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in (".", ".."):
        with pytest.raises(BadInput, match="one stands in"):
            export(written, Path(name))
    export(written, Path("../data"))
    assert (tmp_path / "data" / "DATA_CARD.md").is_file()


def test_nothing_to_export(work: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Nothing was written here yet"):
        export(work, tmp_path / "data")
    with PairLedger(work, create=True) as ledger:
        ledger.write("p0-0", "asked", host="h", model="m")
    with pytest.raises(BadInput, match="no pair to export"):
        export(work, tmp_path / "data")
    with pytest.raises(BadInput, match="cannot be read"):
        export(tmp_path, tmp_path / "data")


def test_splits_that_share_a_picture_are_refused(written: Path, tmp_path: Path) -> None:
    """A picture of the test split stands in the training split, under another paper's name."""
    figures = list(read_figures(written))
    test = next(one for one in figures if one.split == "test")
    train = next(one for one in figures if one.split == "train")
    same = replace(train, image=test.image, sha256=test.sha256)
    write_figures(written, [same if one.id == train.id else one for one in figures])
    with pytest.raises(BadInput):
        export(written, tmp_path / "data")
    assert not (tmp_path / "data").exists()


# The command


def test_the_host_is_named_and_nothing_goes_out_before_a_yes(
    server: ChatServer, work: Path, curate: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("write", work, "--model", server.reference(), "--limit", "1")
    priced = (*arguments, "--price-in", "2.5", "--price-out", "10", "--currency", "EUR")
    assert curate(*priced) == 2
    said = capsys.readouterr().err
    assert f"{server.host} (model gpt-test) will receive 18 figures of 6 papers" in said
    assert "estimate: 18 calls" in said
    assert "EUR" in said
    assert "limit: 1 EUR for this folder, 0 of it spent" in said
    assert "--yes" in said
    assert not server.requests
    assert curate(*priced, "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["host"] == server.host
    assert told["estimate"]["cost"] > 0
    assert not server.requests
    assert curate("write", work, "--model", server.reference(), "--price-in", "1") == 2
    assert curate("write", work, "--model", "endpoint:http://h/v1", "--yes") == 2
    nowhere = work / "nowhere"
    assert curate("write", nowhere, "--model", server.reference(), "--yes") == 2
    assert not nowhere.exists()


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("\n", 2), ("no\n", 2), ("", 2)])
def test_a_person_at_a_terminal_is_asked(
    server: ChatServer,
    work: Path,
    curate: Run,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert curate("write", work, "--model", server.reference()) == code
    assert bool(server.requests) == (code == 0)


def test_all_steps_from_the_command_line(
    server: ChatServer,
    work: Path,
    tmp_path: Path,
    curate: Run,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert curate("write", work, "--model", server.reference(), "--yes", "--json") == 0
    wrote = json.loads(capfd.readouterr().out)
    assert (wrote["pairs"], wrote["figures"], wrote["unit"]) == (252, 18, "tokens")
    assert wrote["spent"] == server.billed
    assert curate("write", work, "--model", server.reference(), "--yes") == 0
    assert "nothing to write: 18 figures are written" in capfd.readouterr().out
    assert curate("status", work, "--json") == 0
    status = json.loads(capfd.readouterr().out)
    assert status["pairs"]["claim"] == 60
    assert status["decisions"] == {"waiting": 252}
    assert status["tokens_spent"] == server.billed
    assert status["without_licence"] == []
    assert curate("status", work) == 0
    assert curate("review", work, "--page") == 0
    assert curate("export", work, "-o", tmp_path / "data", "--json") == 0
    capfd.readouterr()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def test_a_limit_that_stops_is_told(
    server: ChatServer, work: Path, curate: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    server.usage = lambda body, text: {"prompt_tokens": 4000, "completion_tokens": 900}
    arguments = ("write", work, "--model", server.reference(), "--yes", "--limit", "40000")
    assert curate(*arguments) == 1
    told = capsys.readouterr()
    assert "figures were left at the limit" in told.err
    assert server.billed <= 40_000
