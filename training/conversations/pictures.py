"""Micrographs made ready once, before the first step: read as hostile input, as inference reads.

Kept as small grey squares by the hash of their file, so that a file is decoded once in all runs and
a cut pass goes on. Each process reads its share. Knows no tokens and no weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from glassllava.conversation import Conversation
from glassllava.errors import BadInput, GlassError, UnreadableMicrograph
from glassllava.micrograph.reading import read_micrograph
from glassllava.model import processing
from glassllava.model.processing import Picture
from training.conversations.tokens import refuse
from training.ranks import Ranks

#: Changes when a square made of the same file would be another.
_VERSION = "1"


class Pictures:
    """The squares of `side` pixels of every conversation's micrograph, by the file's hash."""

    def __init__(self, folder: Path, side: int) -> None:
        self.side = side
        self._folder = folder / f"{side}-{_VERSION}"
        self._hashes: dict[str, str] = {}

    def prepare(
        self,
        conversations: Sequence[Conversation],
        images: Path,
        ranks: Ranks,
        told: Callable[[int, int], None] | None = None,
    ) -> None:
        """Read every micrograph once; `told` is (done, of all).

        Raises
        ------
        BadInput : for a picture outside of `images`.
        UnreadableMicrograph : names the conversations whose micrograph is missing or corrupt.
        """
        first: dict[str, str] = {}  # the first conversation of each picture, which an error names
        for conversation in conversations:
            first.setdefault(conversation.image, conversation.id)
        self._folder.mkdir(parents=True, exist_ok=True)
        errors: list[tuple[str, GlassError]] = []
        for number, (image, name) in enumerate(first.items()):
            try:
                path = within(images, image)
                self._hashes[image] = digest = _sha256(path)
                if number % ranks.world == ranks.rank and not self._file(digest).exists():
                    self._keep(digest, path)
            except GlassError as error:
                where = f"conversation '{name}', {image}"
                errors.append((name, type(error)(error.what, where=where, remedy=error.remedy)))
            if told is not None:
                told(number + 1, len(first))
        with ranks.together():
            refuse(errors, len(first))

    def hash_of(self, conversation: Conversation) -> str:
        return self._hashes[conversation.image]

    def picture(self, digest: str) -> Picture:
        """(side, side) of 8 bits."""
        made: Picture = np.load(self._file(digest))
        return made

    def _file(self, digest: str) -> Path:
        return self._folder / f"{digest}.npy"

    def _keep(self, digest: str, path: Path) -> None:
        picture = processing.see(read_micrograph(path, with_hash=False), self.side)
        write_array(self._file(digest), picture)


def within(images: Path, name: str) -> Path:
    """The file `name` under `images`: data that others wrote must not reach elsewhere.

    Raises
    ------
    BadInput : where it lies outside, or is no file.
    """
    try:
        path = (images / name).resolve()
        there = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, links in a ring
        raise BadInput(f"The name of the picture is none ({error})", where=name[:100]) from error
    if not name or not path.is_relative_to(images.resolve()):
        raise BadInput("The picture lies outside of the folder of images", where=name)
    if not there:
        raise UnreadableMicrograph(
            "There is no such picture",
            where=path,
            remedy="Name the folder that holds it with --images.",
        )
    return path


def write_array(path: Path, array: np.ndarray) -> None:  # type: ignore[type-arg]
    """Whole or not at all, whoever else writes the same."""
    import os

    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableMicrograph(f"The picture cannot be read ({error})", where=path) from error
