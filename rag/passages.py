"""Documents cut into passages: the bundled primer, and texts that a person adds.

Knows the files; does not know vectors, the manifest or the index. Everything read here is data
from outside: sizes are bounded, and words are never obeyed, only kept.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput
from glassllava.literature import Passage

if TYPE_CHECKING:
    from pathlib import Path

PRIMER_TITLE = "GlassView primer"
PRIMER_KEY = "primer"

#: The embedder reads 256 tokens, about 170 words of this trade; what stands beyond is not found.
_LONGEST_WORDS = 130
_LARGEST_FILE = 8 * 1024 * 1024
TEXT_SUFFIXES = (".md", ".markdown", ".txt", ".text")


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage with what the library keeps beside it: feature keys and material tokens."""

    passage: Passage
    topics: tuple[str, ...] = ()
    materials: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Changes whenever anything that is stored of the entry changes."""
        told = [self.passage.to_json(), self.topics, self.materials]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Picture:
    """Encoded pixels, as `media` (image/png or image/jpeg) says; sizes in pixels."""

    media: str
    width: int
    height: int
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as a page shows it, and the images it was put together from.

    `box` is (left, top, right, bottom) in points from the top left corner of the page; `passage_id`
    names the passage that holds the caption. `originals` are empty for a drawing.
    """

    id: str
    page: int | None
    label: str
    caption: str
    passage_id: str | None
    box: tuple[float, float, float, float]
    picture: Picture
    originals: tuple[Picture, ...] = ()

    @property
    def digest(self) -> str:
        """Changes whenever anything that is stored of the figure changes."""
        shown = [picture.sha256 for picture in (self.picture, *self.originals)]
        told = [self.id, self.page, self.label, self.caption, self.passage_id, self.box, shown]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Document:
    """One text with its passages; `key` names it for as long as it stays the same document.

    `reader` names the code that cut it, with a version: what is cut otherwise is another version.
    `notes` are sentences for the person who adds it: what of the file was not read, and why.
    """

    key: str
    kind: str
    title: str
    path: str
    sha256: str
    entries: tuple[Entry, ...]
    authors: str = ""
    year: int | None = None
    doi: str | None = None
    licence: str | None = None
    pages: int | None = None
    figures: tuple[Figure, ...] = ()
    reader: str = ""
    notes: tuple[str, ...] = ()

    @property
    def made(self) -> str:
        """The hash of all that the passages were made from: file, reader, and who wrote it when."""
        if not self.reader:
            return self.sha256
        told = [self.sha256, self.reader, self.title, self.authors, self.year, self.doi]
        return hashlib.sha256(json.dumps([*told, self.licence]).encode()).hexdigest()


def primer() -> Document:
    """The bundled primer, its sections in order of number."""
    folder = resources.files("rag") / "primer"
    digest = hashlib.sha256()
    records: dict[str, Any] = {}
    raw: list[dict[str, Any]] = []
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".toml"):
            continue
        text = file.read_text("utf-8")
        digest.update(text.encode())
        if file.name == "sources.toml":
            records = tomllib.loads(text)
        else:
            raw.extend(tomllib.loads(text)["passage"])
    entries = tuple(_primer_entry(item, records) for item in sorted(raw, key=_section))
    return Document(PRIMER_KEY, "primer", PRIMER_TITLE, "", digest.hexdigest(), entries)


def _section(item: dict[str, Any]) -> int:
    return int(item["section"])


def _primer_entry(item: dict[str, Any], records: dict[str, Any]) -> Entry:
    heading = item["title"]
    stop = "" if heading.endswith("?") else "."
    passage = Passage(
        id=f"{PRIMER_KEY}:{item['section']}",
        text=f"{heading}{stop} {' '.join(item['text'].split())}",
        title=PRIMER_TITLE,
        section=str(item["section"]),
        sources=tuple(
            printable(records[key], claim) for key, claim in item.get("sources", {}).items()
        ),
    )
    return Entry(passage, tuple(item["topics"]), tuple(item.get("materials", ())))


def printable(record: dict[str, str], claim: str) -> str:
    """A record as it is printed: the reference, its DOI if any, and the claim it stands for."""
    doi = f", doi {record['doi']}" if "doi" in record else ""
    return f"{record['reference']}{doi} (for: {claim})"


def read_text(path: Path) -> Document:
    """A Markdown or plain text file as passages of at most 130 words, by heading and paragraph.

    Raises
    ------
    BadInput : for a file that is missing, too large, not text, or empty; for a PDF, with a remedy.
    """
    path = path.resolve()
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise BadInput("There is no such file", where=path) from None
    except OSError as error:
        raise BadInput(f"The file cannot be read ({error.strerror})", where=path) from error
    if data.startswith(b"%PDF") or path.suffix.lower() == ".pdf":
        raise BadInput(
            "PDFs cannot be added yet",
            where=path,
            remedy="Save its text as a .txt or .md file and add that.",
        )
    if len(data) > _LARGEST_FILE:
        raise BadInput("The file is larger than 8 MB", where=path, remedy="Add it in parts.")
    if path.suffix.lower() not in TEXT_SUFFIXES or b"\0" in data:
        raise BadInput(
            "This is not Markdown or plain text", where=path, remedy="Add .md or .txt files."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("The text is not UTF-8", where=path, remedy="Save it as UTF-8.") from error
    return _cut(path, text, hashlib.sha256(data).hexdigest())


_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def _cut(path: Path, text: str, sha256: str) -> Document:
    title, heading = "", ""
    entries: list[Entry] = []
    pieces: list[tuple[str, str, int]] = []  # heading, text, number of the paragraph
    number = 0
    for block in re.split(r"\n\s*\n", _UNPRINTABLE.sub("", text.replace("\r\n", "\n"))):
        lines = []
        for line in block.splitlines():
            if match := _HEADING.match(line):
                heading = match.group(1)
                title = title or heading
            else:
                lines.append(line)
        words = " ".join(lines).split()
        if words:
            number += 1
        for start in range(0, len(words), _LONGEST_WORDS):
            piece = " ".join(words[start : start + _LONGEST_WORDS])
            pieces.append((heading, piece, number))
    if not pieces:
        raise BadInput("The file holds no text", where=path)
    title = (title or path.stem)[:200]
    # Short paragraphs under one heading share a passage: alone they carry too little meaning.
    packed: list[tuple[str, list[str], int]] = []
    for heading, piece, number in pieces:
        last = packed[-1] if packed else None
        fits = last is not None and last[0] == heading
        if last and fits and sum(map(_words, last[1])) + _words(piece) <= _LONGEST_WORDS:
            last[1].append(piece)
        else:
            packed.append((heading, [piece], number))
    for count, (heading, parts, number) in enumerate(packed, start=1):
        place = f"{heading}, paragraph {number}" if heading else f"paragraph {number}"
        passage = Passage(
            id=f"text-{sha256[:12]}:{count}", text="\n".join(parts), title=title, section=place
        )
        entries.append(Entry(passage))
    return Document(f"file:{path}", "text", title, str(path), sha256, tuple(entries))


def _words(text: str) -> int:
    return len(text.split())
