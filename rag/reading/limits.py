"""What one document may cost: the section [papers] of glassview.toml."""

from __future__ import annotations

from dataclasses import dataclass

#: Texts, pages of the web and bibliographies are read whole; a long book is 2 MB.
LARGEST_TEXT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """Bounds for one PDF, whatever it asks for.

    `longest_pages` is the longest document that is read; `page_seconds` the longest wait for one
    page (with figures); `memory_mb` the address space of the process that reads it, held where
    the system can (POSIX), of which the libraries take about 400 without any document;
    `largest_mb` the largest file; `pictures_mb` the most that is kept of its figures.
    """

    longest_pages: int = 3000
    page_seconds: int = 60
    memory_mb: int = 2048
    largest_mb: int = 500
    pictures_mb: int = 200
