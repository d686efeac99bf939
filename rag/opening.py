"""Where a person's library is, and how it is opened, with the primer in it.

The place is a folder of this machine, or the address of a group's server. Knows settings and
folders; what a library is stands in `rag.library`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from glassllava.errors import LiteratureUnavailable
from glassllava.settings import load, user_data_dir
from rag.embedding import shared_embedder
from rag.library import Library
from rag.manifest import FILE
from rag.server import LibrarySettings, address_of, is_address, token_for

if TYPE_CHECKING:
    from rag.server import Address


def open_library(folder: Path | str | None = None) -> Library:
    """The library in `folder`, or at a server's address, the primer in it and current.

    By default the one of the settings ([library] place), else that in the person's data folder.

    Raises
    ------
    LiteratureUnavailable : where the folder cannot be made, read or written, or is damaged;
        for a server that is not there, or not allowed.
    MissingPart : where the embedder is not installed.
    """
    settings = load().section("library", LibrarySettings)
    place = str(folder or settings.place)
    if is_address(place):
        library: Library = _of_group(address_of(place, settings.hosts))
    else:
        library = Library(_folder(place), shared_embedder())
    try:
        library.hold_primer()
    except BaseException:
        library.close()
        raise
    return library


def copy_of(address: Address) -> Path:
    """The folder of this person's copy of a server's library; two servers are two copies."""
    mark = hashlib.sha256(address.url.encode()).hexdigest()[:8]
    plain = re.sub(r"[^A-Za-z0-9.]", "-", f"{address.host}-{address.port}")
    return user_data_dir() / "servers" / f"{plain}-{mark}"


def _of_group(address: Address) -> Library:
    from rag.group import GroupLibrary

    token, folder = token_for(address), copy_of(address)
    _make(folder, parents=True)
    return GroupLibrary(folder, shared_embedder(), address, token)


def _folder(place: str) -> Path:
    try:
        folder = Path(place).expanduser().resolve() if place else user_data_dir() / "library"
    except (OSError, RuntimeError, ValueError) as error:  # no such person, a loop of links, a null
        raise LiteratureUnavailable(
            f"This names no folder ({error})", where=place, remedy="Name a folder with --library."
        ) from error
    _make(folder, parents=not place)
    return folder


def _make(folder: Path, *, parents: bool) -> None:
    try:
        folder.mkdir(parents=parents, exist_ok=True)
        if (folder / FILE).is_file():
            return  # a library that cannot be written is read
        # Not os.access, which answers for the wrong user and not for read-only disks.
        with (folder / "owner.lock").open("ab"):
            pass
    except FileExistsError as error:
        raise LiteratureUnavailable(
            "This is a file, not the folder of a library",
            where=folder,
            remedy="Name a folder with --library.",
        ) from error
    except OSError as error:
        raise LiteratureUnavailable(
            f"The library's folder cannot be used ({error.strerror})",
            where=folder,
            remedy="Name a folder that exists, or whose parent does, and that you may write"
            " (--library FOLDER, or GLASSVIEW_DATA_DIR).",
        ) from error
