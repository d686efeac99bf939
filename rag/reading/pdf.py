"""A PDF read by a process of its own, which may crash, hang or run out of memory without harm.

Knows how to start it, how long to wait, and what to believe of its answer; PDFium is in
`worker.py`. The answer is JSON and encoded pictures: nothing of it is run or unpickled.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import signal
import time
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput, MissingPart
from rag.passages import Picture
from rag.reading.cutting import Block, cleaned
from rag.reading.origin import year_of
from rag.reading.parts import Plate, Read

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

    from rag.reading.limits import PaperSettings

READER = "pdf 1"

#: Starting Python and PDFium on a busy machine, and composing after the last page.
_STARTING_SECONDS = 60
_MAGICS = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}
_LONGEST_MESSAGE = 256 * 1024 * 1024


def read(
    path: Path,
    settings: PaperSettings,
    *,
    ocr: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Read:
    """The text of a PDF by page, its captions and figures, and what it says of itself.

    Raises
    ------
    BadInput : where it is encrypted, scanned and `ocr` is False, damaged, too long, too slow, or
        crashes the library that reads it.
    MissingPart : where that library is not installed, or `ocr` is asked for without its reader.
    """
    require(ocr)
    from rag.reading import worker

    told, pictures = asked(worker.run, (str(path), settings, ocr), path, settings, progress)
    return _believed(path, told, pictures)


def asked(
    work: Callable[..., None],
    about: tuple[Any, ...],
    path: Path,
    settings: PaperSettings,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Any], list[bytes]]:
    """What `work(*about, pipe)`, an entry of `worker`, tells of the file, and its pictures.

    Raises
    ------
    BadInput : as it says itself; where it crashes, is too slow or needs too much memory.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*about, theirs), daemon=True)
    try:
        process.start()
        theirs.close()
        return _answer(ours, path, settings, progress)
    except EOFError:
        process.join(10)
        raise _crashed(path, process.exitcode) from None
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        process.close()
        ours.close()


def require(ocr: bool) -> None:
    """Raises MissingPart where the reader of PDFs, or that of scanned pages, is not installed."""
    if importlib.util.find_spec("pypdfium2") is None:
        raise MissingPart(
            "The reader of PDFs (pypdfium2) is not installed",
            remedy="Install it with: pip install 'glassview[library]'",
        )
    if ocr:
        from glassllava.micrograph import lettering

        if not lettering.is_installed():
            raise MissingPart(
                "The reader of scanned pages (rapidocr) is not installed",
                remedy=lettering.REMEDY,
            )


def _answer(
    pipe: Connection,
    path: Path,
    settings: PaperSettings,
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, Any], list[bytes]]:
    pictures: list[bytes] = []
    room = settings.pictures_mb * 1_000_000
    last = time.monotonic()
    wait = float(_STARTING_SECONDS + settings.page_seconds)
    page = 0
    while True:
        if not pipe.poll(max(0.0, last + wait - time.monotonic())):
            raise BadInput(
                f"Reading the PDF took more than {settings.page_seconds} s after page {page}",
                where=path,
                remedy="Print it to a new PDF and add that, or raise page_seconds under [papers]"
                " in the settings.",
            )
        message = pipe.recv_bytes(_LONGEST_MESSAGE)
        kind, data = message[:1], message[1:]
        if kind == b"x":
            room -= len(data)
            if room < 0:
                raise nonsense(path)
            pictures.append(data)
        elif kind == b"p":
            page, pages = json.loads(data)
            if progress is not None:
                progress(page, pages)
            wait = float(settings.page_seconds)
            if page == pages:
                wait += _STARTING_SECONDS
        elif kind == b"e":
            raise _error(path, json.loads(data))
        else:
            return json.loads(data), pictures
        last = time.monotonic()


def _error(path: Path, told: dict[str, str]) -> BadInput:
    if told["kind"] == "memory":
        return BadInput(
            "The PDF needs more memory than it may have",
            where=path,
            remedy="Add it in parts, or raise memory_mb under [papers] in the settings.",
        )
    return BadInput(told["what"], where=path, remedy=told["remedy"])


def _crashed(path: Path, code: int | None) -> BadInput:
    if code is None or code >= 0:
        # Its traceback stands on standard error: ours to mend.
        return BadInput(
            f"The reader of PDFs failed on this file (exit code {code})",
            where=path,
            remedy="This is a fault of GlassView: please report it with the lines above.",
        )
    try:
        how = signal.Signals(-code).name
    except ValueError:
        how = f"signal {-code}"
    return BadInput(
        f"The PDF crashes the library that reads it, or runs it out of memory ({how})",
        where=path,
        remedy="Print it to a new PDF from a viewer that shows it, and add that.",
    )


def nonsense(path: Path) -> BadInput:
    """The error for an answer that cannot be believed."""
    return BadInput(
        "What was read from the PDF makes no sense",
        where=path,
        remedy="Print it to a new PDF from a viewer that shows it, and add that.",
    )


def _believed(path: Path, told: dict[str, Any], pictures: list[bytes]) -> Read:
    """The answer as records; checked, since it was made under the influence of the file."""
    try:
        blocks = tuple(
            Block(
                text=cleaned(str(item["text"])),
                section=None if item["section"] is None else cleaned(str(item["section"])),
                page=int(item["page"]),
                turns=tuple((int(word), int(page)) for word, page in item["turns"]),
                kind={"text": "text", "abstract": "abstract", "caption": "caption"}[item["kind"]],
                place=None if item["place"] is None else cleaned(str(item["place"])),
            )
            for item in told["blocks"]
        )
        plates = tuple(_plate(item, pictures, len(blocks)) for item in told["plates"])
        return Read(
            reader=READER + (" ocr" if told["ocr"] else ""),
            kind="pdf",
            title=cleaned(str(told["title"])),
            blocks=blocks,
            authors=cleaned(str(told["authors"])),
            year=year_of(str(told["year"])),
            doi=None if told["doi"] is None else cleaned(str(told["doi"])),
            licence=None if told["licence"] is None else cleaned(str(told["licence"])),
            pages=int(told["pages"]),
            plates=plates,
            notes=tuple(cleaned(str(note)) for note in told["notes"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise nonsense(path) from error


def _plate(item: dict[str, Any], pictures: list[bytes], blocks: int) -> Plate:
    left, top, right, bottom = (float(edge) for edge in item["box"])
    block = None if item["block"] is None else int(item["block"])
    if block is not None and not 0 <= block < blocks:
        raise ValueError(f"there is no block {block}")
    return Plate(
        page=int(item["page"]),
        label=cleaned(str(item["label"])),
        caption=cleaned(str(item["caption"])),
        caption_block=block,
        box=(left, top, right, bottom),
        picture=picture(item["picture"], pictures),
        originals=tuple(picture(original, pictures) for original in item["originals"]),
    )


def picture(item: dict[str, Any], pictures: list[bytes]) -> Picture:
    """The picture that the worker sent under this number; ValueError for what is none."""
    data = pictures[int(item["number"])]
    media = str(item["media"])
    if not data.startswith(_MAGICS[media]):
        raise ValueError(f"this is no {media}")
    return Picture(media, int(item["width"]), int(item["height"]), data)
