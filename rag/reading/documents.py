"""One file read as what its bytes say it is, and given who wrote it when from a bibliography."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from glassllava.errors import BadInput
from rag.passages import Document, Figure
from rag.reading.cutting import entries_of
from rag.reading.limits import LARGEST_TEXT, PaperSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rag.reading.bibliography import Bibliography
    from rag.reading.parts import Read

TEXT_SUFFIXES = (".md", ".markdown", ".txt", ".text")
HTML_SUFFIXES = (".html", ".htm", ".xhtml")
JATS_SUFFIXES = (".xml", ".nxml", ".jats")
SUFFIXES = (".pdf", *TEXT_SUFFIXES, *HTML_SUFFIXES, *JATS_SUFFIXES)
BIBLIOGRAPHY_SUFFIXES = (".bib", ".ris", ".json")
READABLE = "PDF, Markdown, plain text, HTML and JATS XML are read."

#: The first bytes of what is never opened, whatever its name: it could unfold without end.
_REFUSED = (
    (b"PK", "an archive or an office document (docx, odt, epub, zip)"),
    (b"\x1f\x8b", "a compressed file (gz)"),
    (b"BZh", "a compressed file (bz2)"),
    (b"\xfd7zXZ", "a compressed file (xz)"),
    (b"7z\xbc\xaf\x27\x1c", "an archive (7z)"),
    (b"Rar!", "an archive (rar)"),
    (b"\xd0\xcf\x11\xe0", "an old office document (doc)"),
    (b"{\\rtf", "a rich text document (rtf)"),
)


def read_document(
    path: Path,
    records: Bibliography | None = None,
    *,
    settings: PaperSettings | None = None,
    ocr: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Document:
    """The document in a file: its passages, its figures, and what is known of its origin.

    The bytes decide what it is, then the name: a PDF called .txt is read as a PDF. What a
    bibliography says of it goes before what it says of itself. `settings` are those of
    glassview.toml unless given; `ocr` reads scanned pages; `progress` is told (pages done, of all).

    Raises
    ------
    BadInput : for a file that is missing, changed meanwhile, of another kind, damaged, encrypted,
        without text, or beyond the settings; each with its reason and what to do.
    MissingPart : where a reader's library is not installed.
    """
    path = path.resolve()
    head, size = _head(path)
    form = _form(path, head)
    if form == "pdf":
        from rag.reading.pdf import read as read_pdf

        if settings is None:
            from glassllava.settings import load

            settings = load().section("papers", PaperSettings)
        sha256 = _hash_of(path, settings.largest_mb * 1_000_000)
        read = read_pdf(path, settings, ocr=ocr, progress=progress)
        if _hash_of(path, settings.largest_mb * 1_000_000) != sha256:
            raise BadInput(
                "The file changed while it was read",
                where=path,
                remedy="Add it again when nothing writes to it.",
                retry=True,
            )
    else:
        data = _bytes(path, size)
        sha256 = hashlib.sha256(data).hexdigest()
        read = _read(form, path, data)
    if not any(block.text.strip() for block in read.blocks):
        why = f" ({read.notes[0]})" if read.notes else ""
        raise BadInput(
            f"The file holds no text{why}", where=path, remedy="Add a file with text in it."
        )
    return _document(path, sha256, read, records)


def _read(form: str, path: Path, data: bytes) -> Read:
    if form == "html":
        from rag.reading.html import read as read_html

        return read_html(path, data)
    if form == "jats":
        from rag.reading.jats import read as read_jats

        return read_jats(path, data)
    from rag.reading.text import read as read_text

    return read_text(path, data)


def _form(path: Path, head: bytes) -> str:
    """What the file is: "pdf", "html", "jats" or "text"; or why it is not read."""
    suffix = path.suffix.lower()
    if not head:
        raise BadInput("The file is empty", where=path, remedy="Fetch or save it again.")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"%PDF") or (suffix == ".pdf" and b"%PDF-" in head):
        return "pdf"
    if suffix == ".pdf":
        text = b"\0" not in head
        raise BadInput(
            "This is not a PDF, though its name says so",
            where=path,
            remedy="Open it in a browser or editor to see what it is"
            + (": it looks like text; name it .txt, .md or .html." if text else "."),
        )
    for magic, called in _REFUSED:
        if start.startswith(magic):
            raise BadInput(
                f"This is {called}, which is not opened",
                where=path,
                remedy=f"Save it as a PDF, or unpack it, and add that. {READABLE}",
            )
    if suffix in BIBLIOGRAPHY_SUFFIXES:
        raise BadInput(
            "This is a bibliography, not a document",
            where=path,
            remedy="Add it together with the papers that it lists.",
        )
    if suffix in JATS_SUFFIXES:
        return "jats"
    if suffix in HTML_SUFFIXES or start[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "html"
    if suffix in TEXT_SUFFIXES:
        return "text"
    raise BadInput(
        f"Files of the kind '{suffix or 'without a suffix'}' are not read",
        where=path,
        remedy=READABLE,
    )


def _head(path: Path) -> tuple[bytes, int]:
    try:
        # A pipe would be waited for without end.
        if path.exists() and not path.is_file():
            raise BadInput(
                "This cannot be read as a file",
                where=path,
                remedy="Name a file, or add the whole folder.",
            )
        with path.open("rb") as file:
            return file.read(1024), path.stat().st_size
    except FileNotFoundError:
        raise BadInput("There is no such file", where=path, remedy="Check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise _unreadable(path, error) from error


def _bytes(path: Path, size: int) -> bytes:
    if size > LARGEST_TEXT:
        raise BadInput("The file is larger than 8 MB", where=path, remedy="Add it in parts.")
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise _unreadable(path, error) from error


def _hash_of(path: Path, largest: int) -> str:
    try:
        with path.open("rb") as file:
            if path.stat().st_size > largest:
                raise BadInput(
                    f"The PDF is larger than {largest // 1_000_000} MB",
                    where=path,
                    remedy="Add it in parts, or raise largest_mb under [papers] in the settings.",
                )
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadInput:
    why = getattr(error, "strerror", None) or error
    return BadInput(
        f"The file cannot be read ({why})", where=path, remedy="Check that you may read it."
    )


def _document(path: Path, sha256: str, read: Read, records: Bibliography | None) -> Document:
    title = read.title or path.stem
    record = records.record_for(path, read.doi, title) if records else None
    authors, year, doi = read.authors, read.year, read.doi
    if record is not None:
        title = record.title or title
        authors, year = record.authors or authors, record.year or year
        doi = record.doi or doi
    title = title[:200]
    prefix = f"{read.kind}-{sha256[:12]}"
    entries, ids = entries_of(read.blocks, prefix, title, authors, year, doi)
    figures = tuple(
        Figure(
            id=f"{prefix}:figure {number}",
            page=plate.page,
            label=plate.label,
            caption=plate.caption,
            passage_id=None if plate.caption_block is None else ids.get(plate.caption_block),
            box=plate.box,
            picture=plate.picture,
            originals=plate.originals,
        )
        for number, plate in enumerate(read.plates, start=1)
    )
    return Document(
        key=f"file:{path}",
        kind=read.kind,
        title=title,
        path=str(path),
        sha256=sha256,
        entries=entries,
        authors=authors,
        year=year,
        doi=doi,
        licence=read.licence,
        pages=read.pages,
        figures=figures,
        reader=read.reader,
        notes=read.notes,
    )
