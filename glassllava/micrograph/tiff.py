"""TIFF files: their pages and headers, by tifffile.

The only file that imports tifffile; the pixels of a page it hands on are read in `tiff_pixels`.
Everything those libraries may raise on a torn or hostile file is translated here, once, into
UnreadableMicrograph. Knows nothing of vendors: it hands on their tags as text.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import tifffile

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph.header import Header
from glassllava.micrograph.limits import refuse_packed, refuse_too_large
from glassllava.micrograph.record import Page
from glassllava.micrograph.shades import shades_of
from glassllava.micrograph.tags import TagReader

# What it says about odd tags is not for the person; what matters comes back as an error.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

MAX_PAGES = 500

_SEPARATED, _LAB = 5, 8

#: tifffile and its codecs raise nearly every built-in error on torn files: bad offsets, counts,
#: types, codecs. AssertionError and AttributeError too, where a page lacks a tag.
READING_ERRORS = (
    tifffile.TiffFileError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    AttributeError,
    AssertionError,
    EOFError,
    MemoryError,
    SyntaxError,
    struct.error,
)


@contextmanager
def translated(path: Path, doing: str) -> Iterator[None]:
    """Turn what a library raises while `doing` into UnreadableMicrograph."""
    try:
        yield
    except READING_ERRORS as error:
        why = str(error).strip().splitlines()[0][:200] if str(error).strip() else ""
        raise UnreadableMicrograph(
            f"The file cannot be read ({doing}: {why or type(error).__name__})",
            where=path,
            remedy="It may be torn or damaged: copy it again from the microscope, or open and "
            "save it anew in the program that wrote it.",
        ) from error


@contextmanager
def opened(path: Path) -> Iterator[tifffile.TiffFile]:
    with translated(path, "opening it as TIFF"):
        file = tifffile.TiffFile(path)
    try:
        yield file
    finally:
        file.close()


def read_headers(path: Path) -> tuple[tuple[Page, ...], dict[int, Header], tuple[str, ...]]:
    """The pages that a person may choose, the header of each by its index, and warnings.

    Pages that cannot be a picture (volumes, absurd sizes) are left out unless there is no other;
    then the reason is raised.
    """
    pages: list[Page] = []
    headers: dict[int, Header] = {}
    refused: UnreadableMicrograph | None = None
    with opened(path) as file:
        tags = TagReader(path, file)
        places: set[int] = set()
        circle = more = False
        for index in range(MAX_PAGES + 1):
            try:
                page = page_of(path, file, index)
            except UnreadableMicrograph as error:
                # The chain of pages is broken here; those before are whole.
                refused = refused or error
                break
            if page is None:
                break
            circle, more = int(page.offset) in places, index == MAX_PAGES
            if circle or more:
                break
            places.add(int(page.offset))
            try:
                with translated(path, f"page {index}"):
                    described = _described(index, page)
                    header = replace(tags.header(page), remarks=shades_of(page).remarks)
                    refuse_absurd(path, file, page)
            except UnreadableMicrograph as error:
                refused = refused or error
                continue
            pages.append(described)
            headers[index] = header
    if not pages:
        raise refused or UnreadableMicrograph(
            "The file holds no picture",
            where=path,
            remedy="It may be torn: copy it again from the microscope.",
        )
    warnings = [f"Some of the file's pages are left out: {refused.what}"] if refused else []
    if circle:
        warnings.append(
            f"The file is damaged: after page {index - 1} its chain of pages leads back to one "
            "before; copy it again from the microscope"
        )
    if more and not circle:
        warnings.append(
            f"The file has more pages than are looked at, which are the first {MAX_PAGES}"
        )
    if tags.is_cut:
        warnings.append("Some of the file's tags are left out: they are large beyond reason")
    return tuple(pages), headers, tuple(warnings)


def page_of(path: Path, file: tifffile.TiffFile, index: int) -> Any | None:
    with translated(path, f"finding page {index}"):
        try:
            return file.pages[index]
        except IndexError:
            return None


def _described(index: int, page: Any) -> Page:
    kind = int(page.subfiletype)
    role = "preview" if kind & 1 else "mask" if kind & 4 else "image"
    return Page(
        index=index,
        width=int(page.imagewidth),
        height=int(page.imagelength),
        bit_depth=int(page.bitspersample),
        samples=int(page.samplesperpixel),
        role=role,
    )


def refuse_absurd(path: Path, file: tifffile.TiffFile, page: Any) -> None:
    """Refuse, before decoding, what no file of this size can hold or no memory should."""
    width, height = int(page.imagewidth), int(page.imagelength)
    samples, bits = int(page.samplesperpixel), max(1, int(page.bitspersample))
    claim = f"page {page.index} claims {width} × {height} pixels of {samples} × {bits} bit"
    if width < 1 or height < 1 or samples < 1:
        raise UnreadableMicrograph(
            f"There is no picture: {claim}",
            where=path,
            remedy="It is torn: copy it again from the microscope.",
        )
    if int(page.imagedepth) > 1 or str(page.axes) not in ("YX", "YXS", "SYX"):
        raise UnreadableMicrograph(
            f"Page {page.index} is a volume, not a picture",
            where=path,
            remedy="Save its slices as pictures.",
        )
    needed = width * height * samples * bits // 8
    # Packed bits take a byte each when they are decoded.
    refuse_too_large(path, max(needed, width * height * samples), claim)
    if samples > 4 or page.dtype is None or page.dtype.kind not in "buif":
        raise UnreadableMicrograph(
            f"This kind of picture is not read: {claim}", where=path, remedy="Save it as grey."
        )
    if int(page.photometric) in (_SEPARATED, _LAB):
        raise UnreadableMicrograph(
            "A picture in printing colours is not read", where=path, remedy="Save it as grey."
        )
    size = int(file.filehandle.size)
    held = sum(
        max(0, min(int(count), size - int(offset)))
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    )
    packed = int(page.compression) != 1
    wanted = math.prod(page.chunked)
    if len(page.dataoffsets) < wanted:
        raise UnreadableMicrograph(
            f"The file holds less than it says: {claim} in {wanted:,} pieces, and tells of "
            f"{len(page.dataoffsets):,}",
            where=path,
            remedy="It is torn: copy it again from the microscope.",
        )
    if held == 0 or (not packed and held < _rowwise_bytes(page)):
        raise UnreadableMicrograph(
            f"The file holds less than it says: {claim}, but only {held:,} bytes of them are there",
            where=path,
            remedy="It is torn: copy it again from the microscope.",
        )
    if packed:
        refuse_packed(path, needed, held, claim)


def _rowwise_bytes(page: Any) -> int:
    """Bytes that uncompressed rows must take (tiles are padded, so this is the least)."""
    samples = int(page.samplesperpixel)
    subsampled = int(page.photometric) == 6  # YCbCr may store less than one chroma per pixel
    bits = max(1, int(page.bitspersample)) * (1 if subsampled else samples)
    return int(page.imagelength) * int(page.imagewidth) * bits // 8
