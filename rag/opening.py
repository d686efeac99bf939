"""Where a person's library is, and how it is opened, with the primer in it.

The place is a folder of this machine, or the address of a group's server. Knows settings and
folders; what a library is stands in `rag.library`.
"""

from __future__ import annotations

from pathlib import Path

from glassllava.errors import LiteratureUnavailable
from rag.embedding import shared_embedder
from rag.library import Library
from rag.manifest import FILE


def open_library(folder: Path | None = None) -> Library:
    """The library in `folder` (default: the person's data folder), the primer in it and current.

    Raises
    ------
    LiteratureUnavailable : where the folder cannot be made, read or written, or is damaged.
    MissingPart : where the embedder is not installed.
    """
    if folder is None:
        from glassllava.settings import user_data_dir

        folder = user_data_dir() / "library"
        _make(folder, parents=True)
    else:
        folder = Path(folder).expanduser().resolve()
        _make(folder, parents=False)
    library = Library(folder, shared_embedder())
    try:
        library.hold_primer()
    except BaseException:
        library.close()
        raise
    return library


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
