"""The ledger: one row a file and page, every interpretation ever made, every review.

SQLite with write-ahead log. A result and the state it brings are one transaction; interpretations
and reviews are never changed (triggers refuse it). Knows nothing of models and reports.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from batch.discovery import Place
from batch.schema import make_folder, set_up, translated
from glassllava.errors import BadInput, RunUnavailable
from glassllava.interpretation import Decision, Interpretation
from glassllava.measurement.quantities import Measurements
from glassllava.micrograph.record import Micrograph
from glassllava.prompt import Budget, Enquiry, compose
from glassllava.sample import Sample
from rag.ownership import Ownership

State = Literal["pending", "done", "failed", "skipped"]
STATES: tuple[State, ...] = ("pending", "done", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class Row:
    """One file and page, and how far it has come."""

    id: int
    folder: str
    path: str
    page: int | None
    state: State
    reason: str
    remedy: str
    tries: int
    asked: str | None
    judged: str | None
    interpretation: int | None
    updated: str
    wanted: str | None

    @property
    def file(self) -> Path:
        return Path(self.folder, self.path)


@dataclass(frozen=True, slots=True)
class Kept:
    """An interpretation as the ledger keeps it.

    `evidence` is what a new judgement of the same reply needs: measurements and the enquiry's
    warnings. `wanted` is what the reply holds beside its probes.
    """

    id: int
    row: int
    interpretation: Interpretation
    evidence: Mapping[str, Any]
    wanted: str
    made: str

    def enquiry(self, micrograph: Micrograph, sample: Sample) -> Enquiry:
        """What the reply answers, written again in today's words; no model, nothing measured."""
        before = self.interpretation
        return compose(
            micrograph,
            sample,
            before.question,
            before.context_asked,
            measurements=Measurements.from_json(self.evidence["measurements"]),
            passages=before.passages,
            query=before.query,
            probe_keys=tuple(before.reply.probes),
            # They fitted when they were given; nothing is dropped now.
            passage_budget=Budget(sum(len(passage.text) for passage in before.passages)),
            left_out=before.left_out,
            want_text="text" in self.wanted.split(),
            want_blank="blank" in self.wanted.split(),
            warnings=tuple(self.evidence["warnings"]),
        )


@dataclass(frozen=True, slots=True)
class Review:
    """A person's decision about an interpretation; an empty decision undoes the one before."""

    interpretation: int
    who: str
    at: str
    decision: Decision | Literal[""]
    reason: str


class Ledger:
    """The open ledger of a run folder; one connection, for one thread."""

    def __init__(self, run: Path, connection: sqlite3.Connection) -> None:
        self.run = run
        self._connection = connection
        self._owner = Ownership(run / ".scan.lock")

    @classmethod
    def open(cls, run: str | Path, *, create: bool = False) -> Ledger:
        """The ledger of the run in folder `run`; `create` makes both where they are not there.

        Raises
        ------
        RunUnavailable : for a folder that cannot be made or written, or a file that is damaged,
            of a newer version, or no ledger at all.
        """
        run = Path(run)
        path = run / "ledger.sqlite"
        if create:
            make_folder(run)
        elif not path.is_file():
            raise RunUnavailable(
                "This is not a run: it has no ledger.sqlite",
                where=run,
                remedy="Name the folder that `glassview scan … -o RUN` wrote.",
            )
        with translated(path):
            connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            try:
                set_up(connection, path, create)
            except BaseException:
                connection.close()
                raise
        return cls(run, connection)

    def claim(self) -> None:
        """Be the one scan that writes this run, until `close`.

        Raises
        ------
        RunUnavailable : while another scan does.
        """
        with translated(self.run):
            if not self._owner.take():
                raise RunUnavailable(
                    "Another scan is writing this run",
                    where=self.run,
                    remedy="Wait for it to end, or choose another folder with -o.",
                    retry=True,
                )

    def close(self) -> None:
        self._connection.close()
        self._owner.release()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Facts of the run

    def facts(self) -> dict[str, Any]:
        """What is known of the run as a whole, by name."""
        with translated(self.run):
            found = self._connection.execute("SELECT key, value FROM facts")
            return {key: json.loads(value) for key, value in found}

    def note(self, **facts: Any) -> None:
        """Write facts of the run; a fact of the same name is replaced."""
        with self._transaction() as execute:
            for key, value in facts.items():
                execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, json.dumps(value)))

    # Rows

    def discovered(self, places: Iterable[Place]) -> list[Row]:
        """The rows of `places`, in their order; new ones are pending, failed or skipped."""
        rows = []
        with self._transaction() as execute:
            for place in places:
                key = (place.folder, place.path, place.page)
                state, reason = "pending", ""
                if place.again:
                    state, reason = "skipped", f"Found before, under {place.again}"
                elif place.trouble:
                    state, reason = "failed", place.trouble
                execute(
                    "INSERT OR IGNORE INTO rows (folder, path, page, state, reason, remedy, "
                    "tries, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(*key, state, reason),
                        "Rename the file, then scan again." if place.trouble else "",
                        int(bool(place.trouble)),
                        now(),
                    ),
                )
                found = execute(
                    f"SELECT {_ROW} FROM rows WHERE folder = ? AND path = ? AND page IS ?",  # noqa: S608 - constants
                    key,
                )
                rows.append(Row(*found.fetchone()))
        return rows

    def rows(self, *states: State) -> list[Row]:
        """Every row, or those in `states`, in the order in which they were discovered."""
        wanted = states or STATES
        marks = ", ".join("?" * len(wanted))
        with translated(self.run):
            found = self._connection.execute(
                f"SELECT {_ROW} FROM rows WHERE state IN ({marks}) "  # noqa: S608 - marks
                "ORDER BY folder, path, page",
                wanted,
            )
            return [Row(*row) for row in found]

    def counts(self) -> dict[State, int]:
        with translated(self.run):
            found = self._connection.execute("SELECT state, count(*) FROM rows GROUP BY state")
            counts = dict(found.fetchall())
        return {state: counts.get(state, 0) for state in STATES}

    def keep(
        self, row: int, interpretation: Interpretation, evidence: Mapping[str, Any], wanted: str
    ) -> int:
        """Keep an interpretation and mark its row done, in one transaction; its id."""
        record = json.dumps(interpretation.to_json(), ensure_ascii=False, allow_nan=False)
        asked, judged = interpretation.asked, interpretation.judged
        with self._transaction() as execute:
            added = execute(
                "INSERT INTO interpretations (row, asked, judged, wanted, sha256, record, "
                "evidence, made) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(row, asked, judged, wanted, interpretation.sha256(), record),
                    *(json.dumps(evidence, ensure_ascii=False, allow_nan=False), now()),
                ),
            ).lastrowid
            execute(
                "UPDATE rows SET state = 'done', reason = '', remedy = '', tries = tries + 1, "
                "asked = ?, judged = ?, interpretation = ?, updated = ? WHERE id = ?",
                (asked, judged, added, now(), row),
            )
        assert added is not None
        return added

    def fail(self, row: int, reason: str, remedy: str = "") -> None:
        with self._transaction() as execute:
            execute(
                "UPDATE rows SET state = 'failed', reason = ?, remedy = ?, tries = tries + 1, "
                "updated = ? WHERE id = ?",
                (_storable(reason), _storable(remedy), now(), row),
            )

    # Interpretations

    def kept(self, interpretation: int) -> Kept:
        """The interpretation with this id, checked against its hash.

        Raises
        ------
        RunUnavailable : where there is none, or the record is not what was written.
        """
        with translated(self.run):
            row = self._connection.execute(
                f"SELECT {_KEPT} FROM interpretations WHERE id = ?",  # noqa: S608 - a constant
                (interpretation,),
            ).fetchone()
        if row is None:
            raise RunUnavailable(f"There is no interpretation {interpretation}", where=self.run)
        return self._kept(row)

    def current(self) -> Iterator[tuple[Row, Kept]]:
        """Every row that is done, with the interpretation that holds."""
        for row in self.rows("done"):
            if row.interpretation is not None:
                yield row, self.kept(row.interpretation)

    def history(self, row: int) -> list[Kept]:
        """Every interpretation of a row, oldest first."""
        with translated(self.run):
            found = self._connection.execute(
                f"SELECT {_KEPT} FROM interpretations WHERE row = ? "  # noqa: S608 - a constant
                "ORDER BY id",
                (row,),
            ).fetchall()
        return [self._kept(entry) for entry in found]

    def _kept(self, row: Sequence[Any]) -> Kept:
        number, of_row, record, sha256, evidence, wanted, made = row
        try:
            interpretation = Interpretation.from_json(json.loads(record))
            if interpretation.sha256() != sha256:
                raise ValueError("it does not match its hash")
            return Kept(number, of_row, interpretation, json.loads(evidence), wanted, made)
        except (ValueError, KeyError, TypeError, AttributeError, BadInput) as error:
            raise RunUnavailable(
                f"Interpretation {number} cannot be used ({error})",
                where=self.run / "ledger.sqlite",
                remedy="Restore the run from a copy, or scan into a new folder.",
            ) from error

    # Reviews

    def review(
        self, interpretation: int, decision: Decision | Literal[""], reason: str, who: str
    ) -> Review:
        """Add a person's decision; an empty one undoes what was decided before."""
        if decision not in ("defect", "no_defect", "undecided", ""):
            raise BadInput(f"'{decision}' is not a decision", where="review")
        made = Review(interpretation, _storable(who), now(), decision, _storable(reason))
        with self._transaction() as execute:
            execute(
                "INSERT INTO reviews (interpretation, who, at, decision, reason) "
                "VALUES (?, ?, ?, ?, ?)",
                (made.interpretation, made.who, made.at, made.decision, made.reason),
            )
        return made

    def reviews(self, interpretation: int | None = None) -> list[Review]:
        """The reviews of one interpretation, or of all, oldest first."""
        with translated(self.run):
            found = self._connection.execute(
                "SELECT interpretation, who, at, decision, reason FROM reviews "
                "WHERE ?1 IS NULL OR interpretation = ?1 ORDER BY id",
                (interpretation,),
            )
            return [Review(*row) for row in found]

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """All of it or nothing, whatever interrupts."""
        with translated(self.run):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


_ROW = (
    "id, folder, path, page, state, reason, remedy, tries, asked, judged, interpretation, updated, "
    "(SELECT wanted FROM interpretations AS i WHERE i.id = rows.interpretation)"
)
_KEPT = "id, row, record, sha256, evidence, wanted, made"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
