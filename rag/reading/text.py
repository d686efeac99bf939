"""Markdown and plain text, by heading and paragraph."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from glassllava.errors import BadInput
from rag.reading.cutting import Block, cleaned
from rag.reading.limits import LARGEST_TEXT
from rag.reading.parts import Read

if TYPE_CHECKING:
    from pathlib import Path

READER = "text 2"

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")


def read(path: Path, data: bytes) -> Read:
    """The paragraphs of a Markdown or plain text file, each under its heading.

    Raises
    ------
    BadInput : for bytes that are no text in UTF-8, or UTF-16 with its mark.
    """
    title, heading, number = "", "", 0
    blocks: list[Block] = []
    for part in re.split(r"\n[^\S\n]*\n", decoded(path, data)):
        lines: list[str] = []
        for line in (*part.splitlines(), None):
            match = None if line is None else _HEADING.match(line)
            if line is not None and match is None:
                lines.append(line)
                continue
            if words := " ".join(" ".join(lines).split()):
                number += 1
                place = f"{heading}, paragraph {number}" if heading else f"paragraph {number}"
                blocks.append(Block(words, heading, place=place))
            lines = []
            if match:
                heading = match.group(1)
                title = title or heading
    return Read(READER, "text", title, tuple(blocks))


def decoded(path: Path, data: bytes) -> str:
    """The text of a file, its line ends as \\n.

    Raises
    ------
    BadInput : where it is too large, or not text in UTF-8 or marked UTF-16.
    """
    if len(data) > LARGEST_TEXT:
        raise BadInput("The file is larger than 8 MB", where=path, remedy="Add it in parts.")
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in data and not wide:
        raise BadInput(
            "This is not Markdown or plain text", where=path, remedy="Add .md or .txt files."
        )
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("The text is not UTF-8", where=path, remedy="Save it as UTF-8.") from error
    return cleaned(text.replace("\r\n", "\n").replace("\r", "\n"))
