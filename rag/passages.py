"""What a document is to the library: entries with their passages, figures, origin; and the primer.

Files are read in `rag.reading`; does not know vectors, the manifest or the index.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from glassllava.literature import Passage

PRIMER_TITLE = "GlassView primer"
PRIMER_KEY = "primer"


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
