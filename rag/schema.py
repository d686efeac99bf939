"""The tables of a library's manifest, and how an older manifest becomes a current one.

Knows SQL and nothing of what the columns are for; each step runs in one transaction, so that a
process that dies on the way leaves the older manifest whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

VERSION = 3

_FIRST = """
CREATE TABLE state (generation INTEGER NOT NULL);
INSERT INTO state VALUES (0);
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, title TEXT NOT NULL,
    path TEXT NOT NULL, sha256 TEXT NOT NULL, added INTEGER NOT NULL, removed INTEGER);
CREATE TABLE passages (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents,
    ordinal INTEGER NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, text TEXT NOT NULL,
    title TEXT NOT NULL, authors TEXT NOT NULL, year INTEGER, doi TEXT, page INTEGER, section TEXT,
    sources TEXT NOT NULL, topics TEXT NOT NULL, materials TEXT NOT NULL,
    embedder TEXT NOT NULL, vector BLOB NOT NULL, added INTEGER NOT NULL, removed INTEGER);
CREATE INDEX passages_by_document ON passages (document, removed);
"""

# `made` is the hash of all that a document's passages were made from: the file, the reader's
# version and the bibliographic record. `purges` remembers that something is gone, never what:
# a run that pinned a generation in [first, last] has lost passages.
_SECOND = """
ALTER TABLE documents ADD COLUMN authors TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN year INTEGER;
ALTER TABLE documents ADD COLUMN doi TEXT;
ALTER TABLE documents ADD COLUMN licence TEXT;
ALTER TABLE documents ADD COLUMN pages INTEGER;
ALTER TABLE documents ADD COLUMN made TEXT NOT NULL DEFAULT '';
UPDATE documents SET made = sha256;
CREATE INDEX documents_by_hash ON documents (sha256, removed);
ALTER TABLE passages ADD COLUMN kind TEXT NOT NULL DEFAULT 'text';
CREATE TABLE pictures (
    sha256 TEXT PRIMARY KEY, media TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE TABLE figures (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents,
    ordinal INTEGER NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, page INTEGER,
    label TEXT NOT NULL, caption TEXT NOT NULL, passage TEXT, box TEXT NOT NULL,
    picture TEXT NOT NULL REFERENCES pictures, originals TEXT NOT NULL,
    embedder TEXT, vector BLOB, added INTEGER NOT NULL, removed INTEGER);
CREATE INDEX figures_by_document ON figures (document, removed);
CREATE TABLE purges (first INTEGER NOT NULL, last INTEGER NOT NULL, passages INTEGER NOT NULL);
"""

# `record` is what a bibliography said of the document (JSON), `reader` the code that cut it: with
# the file's hash they tell, without reading the file, whether anything would come out otherwise.
# `names` keeps what there is one of: which server this library is kept on, and by whom.
_THIRD = """
ALTER TABLE documents ADD COLUMN record TEXT;
ALTER TABLE documents ADD COLUMN reader TEXT NOT NULL DEFAULT '';
CREATE TABLE names (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_STEPS = (_FIRST, _SECOND, _THIRD)


def version_of(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def bring_up(database: sqlite3.Connection) -> None:
    """Run every step that this manifest has not seen; the caller holds a write transaction."""
    for number, step in enumerate(_STEPS, start=1):
        if version_of(database) < number:
            for statement in step.split(";\n"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {number}")
