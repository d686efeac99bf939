"""Files that are written whole or not at all. Knows no format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from glassllava.errors import RunUnavailable


def write_whole(path: Path, data: str | bytes) -> None:
    """`data` in `path` after this, text as UTF-8; what was there before, if it is cut short.

    Several processes may write the same file: the last one's stands.

    Raises
    ------
    RunUnavailable : where it cannot be written.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
        part.replace(path)
    except (OSError, UnicodeEncodeError) as error:
        part.unlink(missing_ok=True)
        raise RunUnavailable(
            f"Nothing can be written there ({getattr(error, 'strerror', None) or error})",
            where=path,
            remedy="Name a folder on a disk with room that may be written to.",
        ) from error


def write_json_lines(path: Path, rows: Iterable[Any]) -> None:
    """`rows`, one JSON document a line, whole or not at all; errors as of `write_whole`."""
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_json_lines(path: Path) -> list[Any]:
    """What `write_json_lines` wrote."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
