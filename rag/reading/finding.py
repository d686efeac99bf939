"""Which files of a folder are documents, which are bibliographies, and which are passed over.

Looks at names, and at the first bytes of .json; reads no document.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glassllava.errors import BadInput
from rag.reading.documents import BIBLIOGRAPHY_SUFFIXES, SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under the paths that were named, each file once, sorted.

    `passed_over` are files that will not be read, with the reason; hidden files are not told.
    """

    files: tuple[Path, ...]
    bibliographies: tuple[Path, ...]
    passed_over: tuple[tuple[Path, str], ...]


def find_documents(paths: Sequence[Path]) -> Found:
    """The documents and bibliographies under `paths`, folders with all their subfolders.

    A file that is named itself is taken, whatever its suffix: reading it tells what is wrong. So
    is a document's name that is a link to itself.
    Links are followed only to what lies within the same folder; hidden files are left out.

    Raises
    ------
    BadInput : for a path that is not there or names nobody's home, or a tree of more than 100,000
        files.
    """
    files: set[Path] = set()
    bibliographies: set[Path] = set()
    passed: dict[Path, str] = {}
    for path in paths:
        path = _named(Path(path))
        if path.is_dir():
            for file, why in _walk(path.resolve()):
                if why:
                    passed[file] = why
                elif file.suffix.lower() in SUFFIXES:
                    files.add(file)
                elif _is_bibliography(file):
                    bibliographies.add(file)
                else:
                    passed[file] = _why_not(file)
        elif _is_bibliography(path):
            bibliographies.add(path.resolve())
        else:
            files.add(path.resolve())
    told = tuple(sorted((path, why) for path, why in passed.items() if path not in files))
    return Found(tuple(sorted(files)), tuple(sorted(bibliographies)), told)


def _named(path: Path) -> Path:
    try:
        path = path.expanduser()
        if not path.exists():
            what = (
                "The link leads in a circle"
                if path.is_symlink() and resolved(path) is None
                else "There is no such file or folder"
            )
            raise BadInput(what, where=path, remedy="Check the path.")
    except RuntimeError as error:  # ~somebody
        raise BadInput(
            "There is no such user's home", where=path, remedy="Check the path."
        ) from error
    except OSError as error:
        raise BadInput(
            f"The path cannot be followed ({error.strerror})", where=path, remedy="Check the path."
        ) from error
    return path


def resolved(path: Path) -> Path | None:
    """The path with every link followed; None where links lead in a circle."""
    try:
        return path.resolve()
    except (RuntimeError, OSError):  # RuntimeError until Python 3.12
        return None


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file under `root`, resolved, with the reason why it is passed over, or ""."""
    count = 0
    unreadable: list[OSError] = []
    # os.walk does not follow links to folders: no cycles.
    for folder, names, files in os.walk(root, onerror=unreadable.append):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in names:
            if (linked := Path(folder, name)).is_symlink():
                yield linked, "a link to a folder, which is not followed"
        for name in sorted(files):
            if name.startswith("."):
                continue
            count += 1
            if count > _MOST:
                raise BadInput(
                    f"There are more than {_MOST:,} files under this folder",
                    where=root,
                    remedy="Name the folder that holds the papers.",
                )
            path = Path(folder, name)
            real = resolved(path)
            if real is None:
                yield path, ""  # whoever reads it says why that cannot be done
            else:
                yield _regular(path, real, root)
    for error in unreadable:
        yield Path(error.filename), f"the folder cannot be read ({error.strerror})"


def _regular(path: Path, real: Path, root: Path) -> tuple[Path, str]:
    try:
        if path.is_symlink() and not real.is_relative_to(root):
            return path, "a link that leads out of the folder"
        if not real.exists():
            return path, "a link to nothing"
        return (real, "") if real.is_file() else (path, "not a regular file")
    except OSError as error:
        return path, f"it cannot be looked at ({error.strerror})"


def _is_bibliography(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in BIBLIOGRAPHY_SUFFIXES:
        return False
    if suffix != ".json" or not path.is_file():
        return suffix != ".json"
    try:
        with path.open("rb") as file:
            head = file.read(4096).lstrip()
    except OSError:
        return False  # said by _why_not
    # CSL-JSON is a list of items, or Zotero's {"items": [...]}; each item has a type.
    return head.startswith((b"[", b"{")) and b'"type"' in head


def _why_not(path: Path) -> str:
    if path.suffix.lower() == ".json":
        return "JSON, but not a bibliography in CSL form that can be read"
    return "not a kind that is read"
