"""What a scan finds: every file of its folders that looks like a micrograph, in a fixed order.

Knows names, folders and side-cars; opens no micrograph and writes nothing.
"""

from __future__ import annotations

import fnmatch
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glassllava.errors import BadInput
from glassllava.sample import Sample, read_sample

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a micrograph was found: a scanned folder, a path relative to it, and a page.

    `page` None is the cleanest page of the file. `trouble` says why the file can be named but
    not judged; `again` names the folder under which the same path was found before.
    """

    folder: str
    path: str
    page: int | None = None
    trouble: str = ""
    again: str = ""

    @property
    def file(self) -> Path:
        return Path(self.folder, self.path)


def discover(
    folders: Sequence[str | Path],
    *,
    include: Sequence[str],
    recursive: bool,
    leave_out: Path | None = None,
) -> list[Place]:
    """Every matching file of `folders`, sorted by name within each; a file may stand for a folder.

    Links to folders are not followed twice, and `leave_out` (the run) is never looked into.

    Raises
    ------
    BadInput : for a folder that is missing or may not be read.
    """
    places: list[Place] = []
    seen: dict[Path, str] = {}
    for given in folders:
        root = Path(given)
        if not root.exists():
            raise BadInput("There is no such folder", where=root, remedy="Check the path.")
        if root.is_file():
            files: Iterable[Path] = [root.resolve()]
            root = root.resolve().parent
        else:
            root = root.resolve()
            _must_open(root)
            files = _walk(root, include, recursive, leave_out.resolve() if leave_out else None)
        for file in files:
            relative = file.relative_to(root).as_posix()
            trouble = ""
            if relative != (shown := printable(relative)):
                relative, trouble = shown, "The name of the file is not valid text (UTF-8)"
            places.append(
                Place(printable(str(root)), relative, trouble=trouble, again=seen.get(file, ""))
            )
            seen.setdefault(file, str(root))
    return places


def printable(name: str) -> str:
    """`name` with bytes that are no text written as escapes, so that it can be stored and shown."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def sample_for(file: Path, of_all: Sample | None) -> Sample:
    """`of_all`; else NAME.sample.toml beside the file; else its folder's sample.toml; else empty.

    Raises
    ------
    BadInput : for a side-car that cannot be used.
    """
    if of_all is not None:
        return of_all
    beside = (file.with_name(f"{file.stem}.sample.toml"), file.with_name("sample.toml"))
    return next((read_sample(path) for path in beside if path.is_file()), Sample())


def _must_open(root: Path) -> None:
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise BadInput(
            f"The folder cannot be read ({error.strerror})",
            where=root,
            remedy="Ask its owner for permission to read it.",
        ) from error


def _walk(
    root: Path, include: Sequence[str], recursive: bool, leave_out: Path | None
) -> Iterator[Path]:
    patterns = [pattern.lower() for pattern in include]
    entered = {root.resolve()}
    stack = [root]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            _log.warning("%s: cannot be read and is left out (%s)", folder, error.strerror)
            continue
        below = []
        for entry in entries:
            # Hidden files are thumbnails and the halves that macOS leaves ("._a.tif").
            if entry.name.startswith("."):
                continue
            path = Path(entry.path)
            if _is_folder(entry):
                real = path.resolve()
                if recursive and real != leave_out and real not in entered:
                    entered.add(real)
                    below.append(path)
            elif any(fnmatch.fnmatchcase(entry.name.lower(), pattern) for pattern in patterns):
                yield path
        stack.extend(reversed(below))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """False too where the system cannot tell; reading the entry as a file then says why."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, a share that went away
        return False
