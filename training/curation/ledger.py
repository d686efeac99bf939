"""WORK/pairs.sqlite: what was written about each figure, what was dropped, and what people decided.

One transaction a figure, so that a cut run goes on where it was. Nothing is overwritten: a figure
that is written anew gets a new writing, and its older pairs stand aside; a decision is a row of its
own, and undoing it is another. Knows no server and no prompt.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from glassllava.errors import BadInput, RunUnavailable
from glassllava.quotation import harmless
from training.curation.replies import Drop, Pair

FILE = "pairs.sqlite"
_FORM = 1
_WAIT_S = 30.0

#: "" undoes what was decided before.
Decision = Literal["accept", "edit", "reject", ""]
_DECISIONS = ("accept", "edit", "reject", "")

_TABLES = """
CREATE TABLE writings (id INTEGER PRIMARY KEY, figure TEXT NOT NULL, asked TEXT NOT NULL,
    host TEXT NOT NULL, model TEXT NOT NULL, at TEXT NOT NULL, sample TEXT NOT NULL,
    failed TEXT NOT NULL);
CREATE INDEX writings_by_figure ON writings (figure);
CREATE TABLE pairs (id TEXT PRIMARY KEY, writing INTEGER NOT NULL REFERENCES writings,
    body TEXT NOT NULL);
CREATE INDEX pairs_by_writing ON pairs (writing);
CREATE TABLE drops (writing INTEGER NOT NULL REFERENCES writings, reason TEXT NOT NULL,
    entry TEXT NOT NULL);
CREATE TABLE reviews (id INTEGER PRIMARY KEY, pair TEXT NOT NULL REFERENCES pairs,
    decision TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, reason TEXT NOT NULL,
    who TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX reviews_by_pair ON reviews (pair);
CREATE TABLE licences (id INTEGER PRIMARY KEY, paper TEXT NOT NULL, licence TEXT NOT NULL,
    who TEXT NOT NULL, at TEXT NOT NULL);
CREATE VIEW newest AS SELECT max(id) AS id FROM writings WHERE failed = '' GROUP BY figure;
CREATE TRIGGER reviews_stay BEFORE UPDATE ON reviews
    BEGIN SELECT RAISE(ABORT, 'a review is never changed'); END;
CREATE TRIGGER reviews_are_kept BEFORE DELETE ON reviews
    BEGIN SELECT RAISE(ABORT, 'a review is never deleted'); END;
"""


@dataclass(frozen=True, slots=True)
class Review:
    """A person's decision about one pair. An edit holds the words that stand from then on."""

    pair: str
    decision: Decision
    who: str
    at: str
    question: str = ""
    answer: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A pair as it stands: its figure, who wrote it, and the review that holds, if any.

    `sample` is what the paper's words tell of the sample, by the keys of one.
    """

    id: str
    figure: str
    pair: Pair
    host: str
    model: str
    sample: Mapping[str, str] = field(default_factory=dict)
    review: Review | None = None

    @property
    def decision(self) -> Decision:
        return self.review.decision if self.review else ""

    @property
    def standing(self) -> Pair:
        """The pair in the words that count: the person's where they edited it."""
        if self.review is None or self.review.decision != "edit":
            return self.pair
        return replace(self.pair, question=self.review.question, answer=self.review.answer)


class PairLedger:
    """The rows of one work folder. Safe for several processes; every write is a transaction."""

    def __init__(self, work: Path, *, create: bool = False) -> None:
        path = work / FILE
        if not create and not path.is_file():
            raise BadInput(
                "Nothing was written here yet",
                where=work,
                remedy="Write first: glassview curate write WORK.",
            )
        self._path = path
        try:
            self._rows = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
            self._rows.execute("PRAGMA journal_mode=WAL")
            self._rows.execute("PRAGMA foreign_keys=ON")
            with self._transaction():
                (form,) = self._rows.execute("PRAGMA user_version").fetchone()
                if not form:
                    for statement in _statements(_TABLES):
                        self._rows.execute(statement)
                    self._rows.execute(f"PRAGMA user_version={_FORM}")
        except sqlite3.Error as error:
            raise self._broken(error) from error
        if form not in (0, _FORM):
            raise BadInput(f"The pairs are of form {form}; this version reads {_FORM}", where=path)

    def close(self) -> None:
        self._rows.close()

    def __enter__(self) -> PairLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Writing

    def done(self) -> Mapping[str, str]:
        """By figure, what its newest whole writing was asked with."""
        told = "SELECT figure, asked FROM writings WHERE failed = '' ORDER BY id"
        return dict(self._all(told))

    def failures(self) -> Mapping[str, str]:
        """By figure, why its newest writing failed, where it did."""
        newest = dict(self._all("SELECT figure, failed FROM writings ORDER BY id"))
        return {figure: why for figure, why in newest.items() if why}

    def write(
        self,
        figure: str,
        asked: str,
        *,
        host: str,
        model: str,
        pairs: Sequence[Pair] = (),
        drops: Sequence[Drop] = (),
        sample: Mapping[str, str] | None = None,
        failed: str = "",
    ) -> None:
        """Put down one figure whole: its pairs and drops, or why there are none."""
        with self._transaction():
            row = self._rows.execute(
                "INSERT INTO writings (figure, asked, host, model, at, sample, failed) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (figure, asked, host, model, _now(), _dump(dict(sample or {})), failed),
            )
            number = row.lastrowid
            self._rows.executemany(
                "INSERT INTO pairs (id, writing, body) VALUES (?, ?, ?)",
                [(f"{figure}-{number}-{p.name}", number, _dump(p.to_json())) for p in pairs],
            )
            self._rows.executemany(
                "INSERT INTO drops (writing, reason, entry) VALUES (?, ?, ?)",
                [(number, drop.reason, _dump(drop.entry)) for drop in drops],
            )

    # What stands

    def written(self) -> list[Written]:
        """Every pair of every figure's newest whole writing, in order."""
        last = {review.pair: review for review in self.reviews()}
        return [
            _written(row, last.get(row[0])) for row in self._all(f"{_STANDING} ORDER BY p.rowid")
        ]

    def pair(self, id_: str) -> Written:
        """One pair that stands.

        Raises
        ------
        BadInput : where there is none of that id.
        """
        rows = self._all(f"{_STANDING} WHERE p.id = ?", id_)
        if not rows:
            raise BadInput(
                f"There is no pair '{harmless(id_)[:100]}' that stands",
                where=self._path,
                remedy="Look at the list: glassview curate review WORK --list.",
            )
        last = self._all(f"{_REVIEWS} WHERE pair = ? ORDER BY id DESC LIMIT 1", id_)
        return _written(rows[0], Review(*last[0]) if last else None)

    def superseded(self) -> int:
        """Pairs of older writings, which stand aside."""
        told = "SELECT count(*) FROM pairs WHERE writing NOT IN (SELECT id FROM newest)"
        return int(self._all(told)[0][0])

    def drops(self) -> Counter[str]:
        """How many entries of the newest writings were dropped, by reason."""
        told = "SELECT reason, count(*) FROM drops JOIN newest ON id = writing GROUP BY reason"
        return Counter(dict(self._all(told)))

    # People

    def review(
        self,
        pair: str,
        decision: Decision,
        who: str,
        *,
        question: str = "",
        answer: str = "",
        reason: str = "",
    ) -> Review:
        """Add a person's decision; an empty one undoes what was decided before.

        Raises
        ------
        BadInput : without a name, for a pair that does not stand, an edit without words, a
            true-or-false answer that is neither, or an undo of nothing.
        """
        who = harmless(who)
        if not who:
            raise BadInput("A review needs the name of the person", remedy="Name it with --by.")
        if decision not in _DECISIONS:
            raise BadInput(f"'{decision}' is not a decision", where=pair)
        written = self.pair(pair)
        if decision == "" and written.review is None:
            raise BadInput("There is no decision to undo", where=pair)
        if decision == "edit":
            now = written.standing
            question = harmless(question) or now.question
            answer = harmless(answer) or now.answer
            _check_edit(written.pair, question, answer, pair)
        else:
            question = answer = ""
        made = Review(pair, decision, who, _now(), question, answer, harmless(reason))
        with self._transaction():
            self._rows.execute(
                "INSERT INTO reviews (pair, decision, question, answer, reason, who, at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (pair, decision, made.question, made.answer, made.reason, made.who, made.at),
            )
        return made

    def reviews(self) -> list[Review]:
        """Every decision ever made, oldest first."""
        return [Review(*row) for row in self._all(f"{_REVIEWS} ORDER BY id")]

    def state_licence(self, paper: str, licence: str, who: str) -> None:
        """A person says under which licence a paper stands; the last word counts."""
        paper, licence, who = harmless(paper), harmless(licence), harmless(who)
        if not (paper and licence and who):
            raise BadInput("A licence needs its paper and the name of who states it")
        with self._transaction():
            self._rows.execute(
                "INSERT INTO licences (paper, licence, who, at) VALUES (?, ?, ?, ?)",
                (paper, licence, who, _now()),
            )

    def stated_licences(self) -> Mapping[str, tuple[str, str]]:
        """By paper: the licence and who stated it."""
        rows = self._all("SELECT paper, licence, who FROM licences ORDER BY id")
        return {paper: (licence, who) for paper, licence, who in rows}

    def _all(self, statement: str, *values: str) -> list[Any]:
        try:
            return self._rows.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._rows.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._rows.execute("ROLLBACK")
                raise
            self._rows.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _broken(self, error: sqlite3.Error) -> RunUnavailable:
        return RunUnavailable(
            f"The pairs cannot be read or written ({error})",
            where=self._path,
            remedy="Check the disk and the rights of the folder.",
        )


_STANDING = (
    "SELECT p.id, w.figure, p.body, w.host, w.model, w.sample FROM pairs p "
    "JOIN writings w ON w.id = p.writing JOIN newest n ON n.id = w.id"
)
_REVIEWS = "SELECT pair, decision, who, at, question, answer, reason FROM reviews"


def _written(row: tuple[str, str, str, str, str, str], last: Review | None) -> Written:
    id_, figure, body, host, model, sample = row
    holds = last if last and last.decision else None
    pair = Pair.from_json(json.loads(body))
    return Written(id_, figure, pair, host, model, json.loads(sample), holds)


def _check_edit(pair: Pair, question: str, answer: str, where: str) -> None:
    allowed = {"claim": ("True.", "False."), "verdict": ("Yes.", "No.")}.get(pair.kind)
    if allowed and answer not in allowed:
        raise BadInput(
            f"The answer of this question is {' or '.join(allowed)}, not '{answer[:40]}'",
            where=where,
        )
    if pair.kind == "verdict" and question != pair.question:
        raise BadInput("The words of this question are the product's own", where=where)
    if pair.kind == "claim" and not question.startswith("True or false: "):
        raise BadInput("A claim begins with 'True or false: '", where=where)
    if (question, answer) == (pair.question, pair.answer):
        raise BadInput("The edit changes nothing", where=where, remedy="Accept the pair instead.")


def _statements(script: str) -> Iterable[str]:
    """The statements of a script, of which a trigger holds a semicolon within."""
    whole = ""
    for line in script.strip().splitlines(keepends=True):
        whole += line
        if sqlite3.complete_statement(whole):
            yield whole
            whole = ""


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
