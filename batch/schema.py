"""How a ledger lies in its file: tables, their version, and SQLite's errors in the house's words.

Knows nothing of what the rows mean (`ledger`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glassllava.errors import RunUnavailable

SCHEMA = 1
_APPLICATION = 0x474C4153  # "GLAS": tells a ledger from any other SQLite file

TABLES = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rows (
    id INTEGER PRIMARY KEY,
    folder TEXT NOT NULL,
    path TEXT NOT NULL,
    page INTEGER,
    state TEXT NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'done', 'failed', 'skipped')),
    reason TEXT NOT NULL DEFAULT '',
    remedy TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    asked TEXT,
    judged TEXT,
    interpretation INTEGER REFERENCES interpretations (id),
    updated TEXT NOT NULL
);
CREATE UNIQUE INDEX one_row ON rows (folder, path, ifnull(page, -1));
CREATE TABLE interpretations (
    id INTEGER PRIMARY KEY,
    row INTEGER NOT NULL REFERENCES rows (id),
    asked TEXT NOT NULL,
    judged TEXT NOT NULL,
    wanted TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    record TEXT NOT NULL,
    evidence TEXT NOT NULL,
    made TEXT NOT NULL
);
CREATE INDEX of_row ON interpretations (row);
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY,
    interpretation INTEGER NOT NULL REFERENCES interpretations (id),
    who TEXT NOT NULL,
    at TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX of_interpretation ON reviews (interpretation);
CREATE TRIGGER interpretations_stay BEFORE UPDATE ON interpretations
    BEGIN SELECT RAISE(ABORT, 'an interpretation is never changed'); END;
CREATE TRIGGER interpretations_are_kept BEFORE DELETE ON interpretations
    BEGIN SELECT RAISE(ABORT, 'an interpretation is never deleted'); END;
CREATE TRIGGER reviews_stay BEFORE UPDATE ON reviews
    BEGIN SELECT RAISE(ABORT, 'a review is never changed'); END;
CREATE TRIGGER reviews_are_kept BEFORE DELETE ON reviews
    BEGIN SELECT RAISE(ABORT, 'a review is never deleted'); END;
"""


def write_file(path: Path, content: bytes) -> Path:
    """Put a file into its place, whole or not at all; its path."""
    part = path.with_name(f".{path.name}.part")
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    return path


def make_folder(run: Path) -> None:
    """Make the folder of a run, and its parents."""
    try:
        run.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise RunUnavailable(
            "This is a file, not a folder", where=run, remedy="Choose another folder with -o."
        ) from None
    except OSError as error:
        raise RunUnavailable(
            f"The run folder cannot be made ({error.strerror})",
            where=run,
            remedy="Choose a folder that you may write, with -o.",
        ) from error


def set_up(connection: sqlite3.Connection, path: Path, create: bool) -> None:
    """Check that this is a whole ledger of this version; make one in an empty file if asked."""
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if empty and create and application == 0:
        # journal_mode cannot change inside the transaction that makes the tables.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id = {_APPLICATION}; "
            f"PRAGMA user_version = {SCHEMA}; {TABLES} COMMIT;"
        )
    elif application != _APPLICATION:
        raise RunUnavailable(
            "This is not a ledger of GlassView", where=path, remedy="Choose another run folder."
        )
    elif version != SCHEMA:
        raise RunUnavailable(
            f"The ledger has schema {version}; this version reads {SCHEMA}",
            where=path,
            remedy="Open the run with the version of GlassView that wrote it.",
        )
    damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if damage != "ok":
        raise sqlite3.DatabaseError(damage)
    connection.execute("PRAGMA foreign_keys = ON")
    # A finished micrograph must outlive a power cut: wait for the disk at every commit.
    connection.execute("PRAGMA synchronous = FULL")


@contextmanager
def translated(where: Path) -> Iterator[None]:
    """SQLite's and the system's errors as RunUnavailable."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RunUnavailable(
            f"The run cannot be read or written ({error})",
            where=where,
            remedy="Check that its disk is there, is not full and may be written; what was done "
            "is kept, and the same command goes on from there.",
            retry=True,
        ) from error
    except sqlite3.DatabaseError as error:
        raise RunUnavailable(
            f"The ledger is damaged or no ledger ({error})",
            where=where,
            remedy="Restore the run from a copy, or scan into a new folder.",
        ) from error
    except OSError as error:
        raise RunUnavailable(
            f"The run cannot be read or written ({error.strerror})",
            where=where,
            remedy="Check that its disk is there, is not full and may be written.",
        ) from error
