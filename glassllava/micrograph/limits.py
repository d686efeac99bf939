"""How large a picture may be: refused before anything is decoded, and how to raise the limit.

Knows the person's setting and the machine's memory; nothing of file formats.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from glassllava import settings
from glassllava.errors import BadInput, UnreadableMicrograph

#: No picture is larger than this by default, whatever the machine has.
MOST_BYTES = 8 * 2**30
#: Pictures up to this size are read without asking anyone, so that no limit can be lower.
FLOOR_BYTES = 64 * 2**20
#: A picture above `FLOOR_BYTES` takes at most so many times the bytes that are stored of it: a
#: micrograph has noise, which no packing takes out, and is packed 2 to 20 times.
MOST_PACKED = 60
#: Measuring a picture takes about this many times its size.
_SHARE_OF_MEMORY = 2

_HOW_TO_RAISE = (
    "If this machine has the memory, set largest_bytes under [reading] in glassview.toml, or "
    "GLASSVIEW_READING__LARGEST_BYTES"
)


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """`[reading]` of glassview.toml."""

    #: Bytes of a decoded picture, `FLOOR_BYTES` or more; 0 stands for 8 GiB, or half of the memory
    #: where that is less.
    largest_bytes: int = 0


def largest_bytes() -> int:
    """The most bytes that a decoded picture may take.

    Raises
    ------
    BadInput : for settings that cannot be read, or a limit below `FLOOR_BYTES` that is not 0.
    """
    return _chosen() or _by_memory()


def _chosen() -> int:
    """The person's limit; 0 where there is none."""
    chosen = settings.load().section("reading", ReadingSettings).largest_bytes
    if chosen and chosen < FLOOR_BYTES:
        raise BadInput(
            f"{chosen:,} bytes are no limit: pictures up to {FLOOR_BYTES:,} are always read",
            where="[reading] largest_bytes",
            remedy=f"Write {FLOOR_BYTES} or more, or 0 for what fits this machine.",
        )
    return chosen


def refuse_large_file(path: Path) -> None:
    """Refuse a file of more than `largest_bytes`, or one that is nearly all a hole: it would be
    read as a whole for its hash, and a picture in it is none.

    Raises
    ------
    UnreadableMicrograph : says how much is allowed, and how to allow more.
    """
    try:
        status = path.stat()
    except OSError:
        return  # whoever opens it says why
    size = status.st_size
    if size <= FLOOR_BYTES:
        return
    # Some file systems tell no blocks.
    written = 512 * getattr(status, "st_blocks", 0)
    if written > 0 and size > MOST_PACKED * written:
        raise UnreadableMicrograph(
            f"The file holds less than it says: it is {size:,} bytes long, and only {written:,} "
            "of them were ever written",
            where=path,
            remedy="It is torn: copy it again from the microscope.",
        )
    largest = largest_bytes()
    if size > largest:
        raise UnreadableMicrograph(
            f"The file is too large to read: {size / 1e9:,.1f} GB, and at most "
            f"{largest / 1e9:,.1f} GB are allowed here",
            where=path,
            remedy=f"{_HOW_TO_RAISE}; else save the picture that is wanted alone.",
        )


def refuse_packed(path: Path, needed: int, stored: int, claim: str) -> None:
    """Refuse a picture of `needed` bytes of which no more than `stored` are in the file.

    A limit that the person chose holds for pictures of any kind.

    Raises
    ------
    UnreadableMicrograph : says how to allow it.
    """
    if needed <= FLOOR_BYTES or needed <= MOST_PACKED * stored:
        return
    chosen = _chosen()
    if not needed <= chosen:
        raise UnreadableMicrograph(
            f"The file holds less than it says: {claim}, {needed / 1e9:,.1f} GB when decoded, but "
            f"only {stored:,} bytes of them are there, which is too little for a micrograph",
            where=path,
            remedy=f"It may be torn. If it is right as it is, set largest_bytes under [reading] in "
            f"glassview.toml, or GLASSVIEW_READING__LARGEST_BYTES, to {needed} or more.",
        )


def refuse_too_large(path: Path, needed: int, claim: str) -> None:
    """Refuse a picture of more than `largest_bytes`; `claim` says what the file says of itself.

    Raises
    ------
    UnreadableMicrograph : says how much is allowed, and how to allow more.
    """
    if needed <= FLOOR_BYTES:
        return  # asking takes longer than reading a small one
    largest = largest_bytes()
    if needed > largest:
        raise UnreadableMicrograph(
            f"The picture is too large to read: {claim}, {needed / 1e9:,.1f} GB when decoded, "
            f"and at most {largest / 1e9:,.1f} GB are allowed here",
            where=path,
            remedy=f"{_HOW_TO_RAISE}; else cut the picture into parts.",
        )


@lru_cache(maxsize=1)
def _by_memory() -> int:
    """Half of the machine's memory, where the system tells it, but at most `MOST_BYTES`."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has none of this
        return MOST_BYTES
    return min(MOST_BYTES, memory // _SHARE_OF_MEMORY) if memory > 0 else MOST_BYTES
