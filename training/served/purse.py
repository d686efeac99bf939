"""What a folder of answers has cost, and the limit that it never passes.

The upper bound of a call is written down before it is sent, and what it really took when its reply
is there. A call whose end nobody saw (a kill, a broken connection) stays at its bound: it may have
been paid for. Knows tokens and prices; knows no server.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from glassllava.errors import BadInput, RunUnavailable

_TABLE = """CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, prompt INTEGER NOT NULL, completion INTEGER NOT NULL,
    cost REAL, ended INTEGER NOT NULL DEFAULT 0)"""
_WAIT_S = 60.0  # another process writes one row: milliseconds
_PER = 1_000_000


class LimitReached(BadInput):
    """The next call might pass the limit; it was not sent."""


@dataclass(frozen=True, slots=True)
class Price:
    """Money for a million tokens, in the currency that the person thinks in."""

    prompt: float
    completion: float
    currency: str = "USD"

    def __post_init__(self) -> None:
        if not (0 <= self.prompt < 1e6 and 0 <= self.completion < 1e6):
            raise BadInput("A price is money for a million tokens, 0 or more")

    def of(self, tokens: Tokens) -> float:
        return (tokens.prompt * self.prompt + tokens.completion * self.completion) / _PER


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a call takes and gives."""

    prompt: int
    completion: int

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    def __add__(self, more: Tokens) -> Tokens:
        return Tokens(self.prompt + more.prompt, self.completion + more.completion)


class Purse:
    """The money, or without a price the tokens, that calls from one folder may take together.

    Everything that the folder has cost counts, whichever process paid it: two runs with the same
    limit never pass it either. A row written while no price was known costs today's price.
    """

    def __init__(self, file: Path, price: Price | None, limit: float | None) -> None:
        if limit is not None and not limit > 0:
            raise BadInput("A limit must be above 0", remedy="Leave it out for no limit.")
        self.price = price
        self.limit = limit
        self._own: set[int] = set()  # reserved here, not ended
        self._change = threading.Condition()
        self._file = file
        try:
            self._rows = sqlite3.connect(
                file, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
            self._rows.execute("PRAGMA journal_mode=WAL")
            self._rows.execute("PRAGMA synchronous=FULL")
            self._rows.execute(_TABLE)
        except sqlite3.Error as error:
            raise self._broken(error) from error

    @property
    def unit(self) -> str:
        return self.price.currency if self.price else "tokens"

    def cost(self, tokens: Tokens) -> float:
        """In the unit of the limit."""
        return self.price.of(tokens) if self.price else float(tokens.total)

    def spent(self) -> float:
        """Paid so far, with the bounds of calls whose end nobody saw, in the unit of the limit."""
        with self._change:
            return self._sum()

    def reserve(self, bound: Tokens) -> int:
        """Take the upper bound of one call out of the limit; waits for calls in flight if needed.

        Raises
        ------
        LimitReached : where it would not fit even if every call in flight cost nothing more.
        """
        with self._change:
            while (number := self._take(bound)) is None:
                if not self._own:
                    raise LimitReached(
                        f"The next call may take {self.cost(bound):.4g} {self.unit}, and "
                        f"{self._sum():.4g} of {self.limit:.4g} are spent",
                        where=self._file.parent,
                        remedy="Raise the limit; what is answered is kept.",
                    )
                self._change.wait()
            self._own.add(number)
            return number

    def end(self, number: int, took: Tokens) -> None:
        """What the call really took, `Tokens(0, 0)` where nothing was paid."""
        with self._change:
            cost = self.price.of(took) if self.price else None
            try:
                self._rows.execute(
                    "UPDATE calls SET prompt=?, completion=?, cost=?, ended=1 WHERE id=?",
                    (took.prompt, took.completion, cost, number),
                )
            except sqlite3.Error as error:
                raise self._broken(error) from error
            finally:
                self._own.discard(number)
                self._change.notify_all()

    def _take(self, bound: Tokens) -> int | None:
        try:
            self._rows.execute("BEGIN IMMEDIATE")  # one look and one row, for every process
            try:
                if self.limit is not None and self._sum() + self.cost(bound) > self.limit:
                    self._rows.execute("ROLLBACK")
                    return None
                row = self._rows.execute(
                    "INSERT INTO calls (prompt, completion, cost) VALUES (?, ?, ?)",
                    (bound.prompt, bound.completion, self.price.of(bound) if self.price else None),
                )
                self._rows.execute("COMMIT")
            except sqlite3.Error:
                if self._rows.in_transaction:
                    self._rows.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._broken(error) from error
        assert row.lastrowid is not None
        return row.lastrowid

    def _sum(self) -> float:
        if self.price is None:
            told = "SELECT COALESCE(SUM(prompt + completion), 0) FROM calls"
            return float(self._rows.execute(told).fetchone()[0])
        told = (
            "SELECT COALESCE(SUM(COALESCE(cost, (prompt * ? + completion * ?) / 1e6)), 0) "
            "FROM calls"
        )
        return float(
            self._rows.execute(told, (self.price.prompt, self.price.completion)).fetchone()[0]
        )

    def _broken(self, error: sqlite3.Error) -> RunUnavailable:
        return RunUnavailable(
            f"What was spent cannot be written down ({error}); nothing is sent without that",
            where=self._file,
            remedy="Check the disk and the rights of the folder.",
        )
