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
#: Measuring a picture takes about this many times its size.
_SHARE_OF_MEMORY = 2


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
    chosen = settings.load().section("reading", ReadingSettings).largest_bytes
    if chosen and chosen < FLOOR_BYTES:
        raise BadInput(
            f"{chosen:,} bytes are no limit: pictures up to {FLOOR_BYTES:,} are always read",
            where="[reading] largest_bytes",
            remedy=f"Write {FLOOR_BYTES} or more, or 0 for what fits this machine.",
        )
    return chosen or _by_memory()


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
            remedy="If this machine has the memory, set largest_bytes under [reading] in "
            "glassview.toml, or GLASSVIEW_READING__LARGEST_BYTES; else cut the picture into parts.",
        )


@lru_cache(maxsize=1)
def _by_memory() -> int:
    """Half of the machine's memory, where the system tells it, but at most `MOST_BYTES`."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has none of this
        return MOST_BYTES
    return min(MOST_BYTES, memory // _SHARE_OF_MEMORY) if memory > 0 else MOST_BYTES
