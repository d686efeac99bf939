"""The process that opens one hostile PDF: PDFium runs here and nowhere else.

Bounds its own memory, sends bytes (JSON and encoded pictures, never pickles) through a pipe, and
ends. If PDFium crashes, this process dies and the parent says so. Messages begin with one byte:
"p" pages done, "x" a picture, "r" the result, "e" an error that a person can understand.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import re
import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput, GlassError
from rag.reading.columns import in_order, usual_gutters
from rag.reading.composing import Paper, composed, text_of
from rag.reading.glyphs import lines_of
from rag.reading.objects import gather
from rag.reading.sheets import Sheet, pages_told

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from rag.reading.glyphs import Frame
    from rag.reading.limits import PaperSettings

#: A page with fewer letters than this, and a picture over it, is a scan.
_LEAST_LETTERS = 25
#: Points; the largest that the format allows is 14,400.
_LARGEST_PAGE = 20_000
_XMP = re.compile(rb"<x:xmpmeta.{0,65536}?</x:xmpmeta>", re.DOTALL)


def run(path: str, settings: PaperSettings, ocr: bool, pipe: Connection) -> None:
    """Read the PDF and send what is in it; an entry of the child process."""
    _work(_Reading(Path(path), settings, ocr, pipe).send, settings, pipe)


def draw(
    path: str, page: int, width: int, find: str, settings: PaperSettings, pipe: Connection
) -> None:
    """Draw one page of the PDF, `width` px wide, and send it; an entry of the child process."""
    reading = _Reading(Path(path), settings, False, pipe)
    _work(lambda: reading.send_page(page, width, find), settings, pipe)


def _work(send: Callable[[], None], settings: PaperSettings, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when this one ends
    _bound(settings.memory_mb)
    try:
        send()
    except GlassError as error:
        pipe.send_bytes(b"e" + json.dumps(error.to_json()["error"]).encode())
    except MemoryError:
        pipe.send_bytes(b"e" + json.dumps({"kind": "memory"}).encode())
    except BrokenPipeError:
        pass  # the parent gave up: there is nobody to tell
    finally:
        pipe.close()


def _bound(megabytes: int) -> None:
    try:
        import resource
    except ImportError:
        return  # Windows: time and pages are bounded, memory is not
    limit = megabytes * 1024 * 1024
    # macOS refuses a bound on the address space.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Reading:
    def __init__(self, path: Path, settings: PaperSettings, ocr: bool, pipe: Connection) -> None:
        self._path = path
        self._settings = settings
        self._ocr = ocr
        self._pipe = pipe
        self._read_by_ocr: list[int] = []
        self._damaged: list[int] = []
        self._notes: list[str] = []

    def send(self) -> None:
        import pypdfium2

        document = self._opened(pypdfium2)
        try:
            pages = len(document)
            self._check_length(pages)
            metadata = self._metadata(document)
            sheets = [self._sheet(document, number, pages) for number in range(1, pages + 1)]
            self._check_text(sheets)
            usual = usual_gutters([(sheet.lines, sheet.width) for sheet in sheets])
            for sheet in sheets:
                sheet.lines = in_order(sheet.lines, sheet.width, usual)
            paper = composed(sheets, metadata)
            plates = self._plates(document, paper, {s.number: s.frame for s in sheets})
            self._pipe.send_bytes(b"r" + json.dumps(self._told(paper, plates, pages)).encode())
        finally:
            document.close()

    def send_page(self, number: int, width: int, find: str) -> None:
        """A page as it is shown, and where on it the lines stand that the words `find` hold."""
        import pypdfium2

        from rag.reading.plates import drawn_page
        from rag.reading.seeking import lines_that_hold

        document = self._opened(pypdfium2)
        try:
            pages = len(document)
            if not 1 <= number <= pages:
                raise BadInput(f"The PDF has {pages} pages, and no page {number}", where=self._path)
            page = document[number - 1]
            try:
                picture, scale = drawn_page(page, width)
                textpage = page.get_textpage()
                try:
                    frame, pieces = lines_of(page, textpage)
                finally:
                    textpage.close()
            finally:
                page.close()
        except pypdfium2.PdfiumError as error:
            raise BadInput(
                f"Page {number} is damaged and cannot be drawn",
                where=self._path,
                remedy="Open the file in another program.",
            ) from error
        finally:
            document.close()
        boxes = [frame.as_shown(line.box) for line in lines_that_hold(pieces, frame, find)]
        media, wide, high, data = picture
        self._pipe.send_bytes(b"x" + data)
        told = {
            "picture": {"media": media, "width": wide, "height": high, "number": 0},
            "pages": pages,
            "boxes": [[round(edge * scale, 1) for edge in box] for box in boxes],
        }
        self._pipe.send_bytes(b"r" + json.dumps(told).encode())

    def _opened(self, pypdfium2: Any) -> Any:
        try:
            return pypdfium2.PdfDocument(self._path)
        except pypdfium2.PdfiumError as error:
            import pypdfium2.raw as raw

            code = getattr(error, "err_code", None)
            if code == raw.FPDF_ERR_PASSWORD:
                raise BadInput(
                    "The PDF is encrypted and asks for a password",
                    where=self._path,
                    remedy="Open it with its password, save or print an unlocked copy, add that.",
                ) from error
            if code == raw.FPDF_ERR_SECURITY:
                raise BadInput(
                    "The PDF is locked in a way that is not known here",
                    where=self._path,
                    remedy="Print it to a new PDF and add that.",
                ) from error
            raise BadInput(
                "The PDF is damaged or cut short and cannot be opened",
                where=self._path,
                remedy="Fetch it again, or print it to a new PDF from a viewer that shows it.",
            ) from error

    def _check_length(self, pages: int) -> None:
        if pages > self._settings.longest_pages:
            raise BadInput(
                f"The PDF has {pages:,} pages, more than {self._settings.longest_pages:,}",
                where=self._path,
                remedy="Add the chapters that matter, or raise longest_pages under [papers] in the"
                " settings.",
            )
        if pages == 0:
            raise BadInput("The PDF has no pages", where=self._path, remedy="Fetch it again.")

    def _metadata(self, document: Any) -> dict[str, str]:
        told = document.get_metadata_dict(skip_empty=True)
        # Publishers put it under a key of their own.
        told["doi"] = " ".join(document.get_metadata_value(key) for key in ("doi", "DOI"))
        with (
            self._path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as m,
        ):
            packets = []
            for match in _XMP.finditer(m):
                packets.append(match[0].decode("utf-8", "replace"))
                if len(packets) == 20:
                    break
        return {**told, "xmp": "\n".join(packets)}

    def _sheet(self, document: Any, number: int, pages: int) -> Sheet:
        import pypdfium2

        try:
            page = document[number - 1]
            try:
                textpage = page.get_textpage()
                try:
                    frame, pieces = lines_of(page, textpage)
                finally:
                    textpage.close()
                if not all(0 < length < _LARGEST_PAGE for length in frame.shown):
                    raise pypdfium2.PdfiumError("it has no size")
                sheet = Sheet(number, frame, [])
                gather(page, sheet)
                if self._is_scan(sheet, pieces) and self._ocr:
                    from rag.reading.scans import lines_of_scan

                    pieces = lines_of_scan(page, frame)
                    self._read_by_ocr.append(number)
                sheet.lines = pieces
            finally:
                page.close()
        except pypdfium2.PdfiumError:
            # One page that cannot be read does not take the others with it, but it is told.
            self._damaged.append(number)
            from rag.reading.glyphs import Frame

            sheet = Sheet(number, Frame((0, 0, 612, 792), 0), [])
        self._pipe.send_bytes(b"p" + json.dumps([number, pages]).encode())
        return sheet

    @staticmethod
    def _is_scan(sheet: Sheet, pieces: list[Any]) -> bool:
        letters = sum(sign.isalpha() for piece in pieces for sign in piece.text)
        covered = max(
            ((i.box[2] - i.box[0]) * (i.box[3] - i.box[1]) for i in sheet.images), default=0.0
        )
        return letters < _LEAST_LETTERS and covered > 0.4 * sheet.width * sheet.height

    def _check_text(self, sheets: list[Sheet]) -> None:
        scans = [sheet.number for sheet in sheets if self._is_scan(sheet, sheet.lines)]
        letters = sum(sign.isalpha() for s in sheets for line in s.lines for sign in line.text)
        if letters < _LEAST_LETTERS:
            if len(self._damaged) == len(sheets):
                raise BadInput(
                    "No page of the PDF can be read: it is damaged",
                    where=self._path,
                    remedy="Fetch it again, or print it to a new PDF from a viewer that shows it.",
                )
            read = "and no words were found in them" if self._ocr else "without words to read"
            raise BadInput(
                f"The PDF is scanned: its pages are pictures {read}"
                if scans
                else "The PDF holds no text",
                where=self._path,
                remedy="Try a sharper scan."
                if self._ocr and scans
                else "Add it with --ocr to have its words recognised, or run it through a program"
                " that does."
                if scans
                else "Add a PDF with text in it.",
            )
        if self._damaged:
            told, count = pages_told(self._damaged), len(self._damaged)
            self._notes.append(
                f"page {told} is damaged and was left out"
                if count == 1
                else f"{count:,} pages are damaged and were left out: {told}"
            )
        if scans and not self._ocr:
            told = pages_told(scans)
            self._notes.append(f"pages without words, only pictures (--ocr reads them): {told}")
        if self._read_by_ocr:
            self._notes.append(f"{len(self._read_by_ocr)} pages were read by OCR: expect errors")

    def _plates(
        self, document: Any, paper: Paper, frames: dict[int, Frame]
    ) -> list[dict[str, Any]]:
        from rag.reading.plates import Camera

        camera = Camera(document, self._settings.pictures_mb * 1_000_000, self._pipe.send_bytes)
        plates = []
        for page, match, block in paper.figures:
            box = frames[page].as_shown(match.box)
            shot = camera.taken(page, box, match.images)
            if shot is None:
                continue
            caption = match.caption
            plates.append(
                {
                    "page": page,
                    "label": caption.label if caption else "",
                    "caption": text_of(caption) if caption else "",
                    "block": block,
                    "box": [round(edge, 2) for edge in box],
                    "picture": shot[0],
                    "originals": shot[1],
                }
            )
        self._notes.extend(camera.notes())
        return plates

    def _told(self, paper: Paper, plates: list[dict[str, Any]], pages: int) -> dict[str, Any]:
        scanned = set(self._read_by_ocr)
        blocks = []
        for block in paper.blocks:
            told = asdict(block)
            if block.page in scanned:
                told["place"] = ", ".join(filter(None, (block.section, "read by OCR")))
            blocks.append(told)
        origin = paper.origin
        return {
            "title": origin.title,
            "authors": origin.authors,
            "year": origin.year,
            "doi": origin.doi,
            "licence": origin.licence,
            "pages": pages,
            "blocks": blocks,
            "plates": plates,
            "notes": self._notes,
            "ocr": bool(scanned),
        }
