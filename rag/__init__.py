"""The literature: the bundled primer and a person's own texts, found by meaning, cited by place.

`open_library` is the door. Importing this package costs nothing: the embedder and the index are
loaded by the first call that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rag.library import Library

__all__ = ["open_library"]


def open_library(folder: Path | str | None = None) -> Library:
    """The library in `folder`, made if it is not there, with the bundled primer in it.

    Raises
    ------
    LiteratureUnavailable : where the folder cannot be used, or its manifest is damaged.
    """
    from rag.opening import open_library as opened

    return opened(folder)


def __getattr__(name: str) -> object:
    if name == "Library":
        from rag.library import Library

        return Library
    raise AttributeError(f"module 'rag' has no attribute '{name}'")
