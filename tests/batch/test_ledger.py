"""The ledger: nothing overwritten, nothing half written, nothing foreign taken for its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batch.ledger import Ledger
from batch.scan import scan
from glassllava.errors import BadInput, RunUnavailable
from glassllava.literature import NoLiterature

Make = Callable[..., Any]


@pytest.fixture
def run(folder: Path, tmp_path: Path, write: Make, make_model: Make) -> Path:
    write("a.tif")
    scan([folder], tmp_path / "night", model=make_model(), literature=NoLiterature())
    return tmp_path / "night"


def _change(run: Path, statement: str) -> None:
    connection = sqlite3.connect(run / "ledger.sqlite")
    with connection:
        connection.execute(statement)
    connection.close()


def test_interpretations_and_reviews_cannot_be_changed(run: Path) -> None:
    with Ledger.open(run) as ledger:
        ledger.review(1, "defect", "I see a crack", who="me")
    for statement in (
        "UPDATE interpretations SET record = '{}'",
        "DELETE FROM interpretations",
        "UPDATE reviews SET decision = ''",
        "DELETE FROM reviews",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            _change(run, statement)


def test_an_undone_review_is_a_row_of_its_own(run: Path) -> None:
    from batch.outputs import last_reviews

    with Ledger.open(run) as ledger:
        ledger.review(1, "defect", "I see a crack", who="me")
        assert last_reviews(ledger)[1].decision == "defect"
        ledger.review(1, "", "pressed the wrong key", who="me")
        assert last_reviews(ledger) == {}
        assert [review.decision for review in ledger.reviews(1)] == ["defect", ""]
        assert ledger.reviews(2) == []
        with pytest.raises(BadInput):
            ledger.review(1, "perhaps", "", who="me")  # type: ignore[arg-type]
        with pytest.raises(RunUnavailable):
            ledger.review(99, "defect", "of nothing", who="me")


def test_a_record_that_was_tampered_with_is_refused(run: Path) -> None:
    _change(run, "DROP TRIGGER interpretations_stay")
    _change(run, "UPDATE interpretations SET record = replace(record, 'no_defect', 'undecided')")
    with Ledger.open(run) as ledger, pytest.raises(RunUnavailable, match="does not match its hash"):
        ledger.kept(1)


def test_a_damaged_ledger_is_refused(run: Path) -> None:
    path = run / "ledger.sqlite"
    raw = bytearray(path.read_bytes())
    raw[4096 : 4096 + 3000] = b"\xa5" * 3000
    path.write_bytes(raw)
    with pytest.raises(RunUnavailable) as caught, Ledger.open(run) as ledger:
        ledger.rows()
    assert caught.value.remedy


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\0" * 9])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(content)
    with pytest.raises(RunUnavailable, match="no ledger"):
        Ledger.open(tmp_path, create=True)


def test_a_foreign_database_and_another_schema_are_refused(run: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    _change(foreign, "CREATE TABLE songs (name TEXT)")
    with pytest.raises(RunUnavailable, match="not a ledger"):
        Ledger.open(foreign, create=True)
    _change(run, "PRAGMA user_version = 99")
    with pytest.raises(RunUnavailable, match="schema 99"):
        Ledger.open(run)


def test_a_folder_without_a_ledger_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunUnavailable, match="not a run"):
        Ledger.open(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_result_and_its_state_come_together_or_not_at_all(run: Path) -> None:
    with Ledger.open(run) as ledger:
        kept = ledger.kept(1)
        unknown_row = 77
        with pytest.raises(RunUnavailable):
            ledger.keep(unknown_row, kept.interpretation, kept.evidence, kept.wanted)
        assert len(ledger.history(1)) == 1
        assert ledger.history(unknown_row) == []
        # The ledger goes on after the refusal.
        assert ledger.keep(1, kept.interpretation, kept.evidence, kept.wanted) == 2
