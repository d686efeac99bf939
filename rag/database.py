"""One SQLite file of a library: opened, locked between threads, in transactions, read-only too.

Says SQLite's errors in the product's words. Knows the schema's number and nothing of passages.

A library that cannot be written (a read-only disk, another person's folder, a full disk) is still
read. SQLite needs two files beside a database in WAL mode; where they cannot be made, the database
is opened as one that does not change, after its journal was folded into a copy if it has one.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import LiteratureUnavailable
from rag import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LOG = logging.getLogger(__name__)

#: SQLite's codes for a file that is there and cannot be opened for writing.
_UNWRITABLE = frozenset(
    {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
)
_WAIT_S = 30.0


class Database:
    """The open file; safe to share between threads, which take turns.

    `readonly` says why nothing can be written; it is empty where something can.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._unchanging = False
        self._seen: tuple[int, int] | None = None
        self.readonly = _why_unwritable(path)
        with self.translated():
            self._db = self._open_to_read() if self.readonly else self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_WAIT_S, check_same_thread=False, isolation_level=None
        )
        try:
            version = self._known(schema.version_of(connection))
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")  # what is purged leaves no bytes behind
            if version < schema.VERSION:
                # Another process may do the same while this one waits: each step asks again.
                with _whole(connection, "IMMEDIATE"):
                    schema.bring_up(connection)
        except sqlite3.OperationalError as error:
            connection.close()
            if _code(error) not in _UNWRITABLE or not _holds_something(self.path):
                raise
            self.readonly = str(error)
            return self._open_to_read()
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_to_read(self) -> sqlite3.Connection:
        """What is there, without writing beside it."""
        _LOG.info("the library is opened to be read only: %s", self.readonly)
        shared = _connect_to_read(self.path)
        try:
            if self._known(schema.version_of(shared)) == schema.VERSION:
                return shared
            shared.close()
            return self._aside()
        except sqlite3.OperationalError as error:
            shared.close()
            if _code(error) not in _UNWRITABLE:
                raise
        except BaseException:
            shared.close()
            raise
        # Nobody has it open, and the two files that SQLite wants cannot be made.
        journal = self.path.with_name(self.path.name + "-wal")
        if journal.is_file() and journal.stat().st_size:
            return self._aside()
        self._unchanging = True
        self._seen = _stamp(self.path)
        fixed = _connect_to_read(self.path, "&immutable=1")
        try:
            if self._known(schema.version_of(fixed)) == schema.VERSION:
                return fixed
        except BaseException:
            fixed.close()
            raise
        fixed.close()
        return self._aside()

    def _aside(self) -> sqlite3.Connection:
        """A copy in a temporary folder, where the journal and the schema can be caught up with."""
        self._unchanging = False
        self._copy = tempfile.TemporaryDirectory(prefix="glassview-", ignore_cleanup_errors=True)
        copy = Path(self._copy.name) / self.path.name
        for ending in ("", "-wal"):
            source = self.path.with_name(self.path.name + ending)
            if source.is_file():
                shutil.copyfile(source, copy.with_name(copy.name + ending))
        connection = sqlite3.connect(copy, check_same_thread=False, isolation_level=None)
        with _whole(connection, "IMMEDIATE"):
            schema.bring_up(connection)
        return connection

    def _known(self, version: int) -> int:
        if version > schema.VERSION:
            raise LiteratureUnavailable(
                f"This library was written by a newer GlassView (schema {version})",
                where=self.path,
                remedy="Update GlassView, or use another folder.",
            )
        return version

    def close(self) -> None:
        with self._lock:
            self._db.close()
            if self._copy is not None:
                self._copy.cleanup()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row of one question."""
        with self.translated():
            self._follow()
            return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of one question, or None."""
        with self.translated():
            self._follow()
            found: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
            return found

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept whole or not at all; other writers wait for its end.

        Raises
        ------
        LiteratureUnavailable : where the library cannot be written, or the disk is full.
        """
        if self.readonly:
            raise LiteratureUnavailable(
                f"The library cannot be changed ({self.readonly})",
                where=self.path,
                remedy="Make its folder writable, or work on a copy of it (--library FOLDER).",
            )
        with self.translated(), _whole(self._db, "IMMEDIATE"):
            yield self._db

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the file for several questions, whatever others write meanwhile."""
        with self.translated():
            self._follow()
            with _whole(self._db, "DEFERRED"):
                yield self._db

    def fold_in(self) -> None:
        """Bring the journal into the file: it holds the pages as they were before."""
        with self.translated():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """SQLite's errors in the product's words; one thread at a time uses the connection."""
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as error:
                raise self._unusable(error) from error
            except sqlite3.DatabaseError as error:
                raise self.damaged(error) from error
            except OSError as error:
                raise LiteratureUnavailable(
                    f"The library cannot be used ({error.strerror})",
                    where=self.path,
                    remedy="Check that the folder is there and that the disk has free space.",
                ) from error

    def _unusable(self, error: sqlite3.OperationalError) -> LiteratureUnavailable:
        code = _code(error)
        remedy = "Check that the folder is there, can be written and has free space."
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            remedy = "Another process is writing; try again."
        elif code == sqlite3.SQLITE_FULL:
            remedy = "Free some space and give the same command again: what was added stays."
        return LiteratureUnavailable(
            f"The library cannot be used ({error})",
            where=self.path,
            remedy=remedy,
            retry=code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
        )

    def damaged(self, error: Exception | str) -> LiteratureUnavailable:
        return LiteratureUnavailable(
            f"The library's manifest is damaged ({error})",
            where=self.path,
            remedy="Move the folder away and add your own texts again; the primer comes by itself.",
        )

    def _follow(self) -> None:
        """Open again what was opened as unchanging, if another machine has changed it."""
        if self._unchanging and _stamp(self.path) != self._seen:
            self._db.close()
            self._unchanging = False
            self._db = self._open_to_read()


@contextlib.contextmanager
def _whole(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk ends it by itself
            connection.execute("ROLLBACK")
        raise


def _connect_to_read(path: Path, how: str = "") -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro{how}",
        uri=True,
        timeout=_WAIT_S,
        check_same_thread=False,
        isolation_level=None,
    )


def _why_unwritable(path: Path) -> str:
    """Why neither the file nor its folder takes a byte; "" where they do, or nothing is there."""
    if not _holds_something(path):
        return ""
    # Not os.access, which answers for the wrong user and not for read-only disks.
    try:
        with path.open("r+b"):
            pass
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _holds_something(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _stamp(path: Path) -> tuple[int, int]:
    told = path.stat()
    return told.st_size, told.st_mtime_ns


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary code: the low byte of the extended one."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
