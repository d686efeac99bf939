"""Figures whose pictures stand in files beside a paper: those of JATS articles and saved web pages.

`rag.reading` reads such a paper's words and leaves its pictures, which are other files. Here they
are named: only files within the paper's own folder, never through a link out of it, and nothing is
fetched. Knows markup and paths; opens no picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import ParseError

from glassllava.errors import BadInput

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif")
_LARGEST = 8 * 1024 * 1024
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure as the markup names it; `path` is None where its picture is not there."""

    label: str
    caption: str
    path: Path | None
    named: str


def figures_beside(path: Path, kind: str) -> tuple[Beside, ...]:
    """The figures of a "jats" or "html" document, in order; of any other kind none.

    Raises
    ------
    BadInput : where the file cannot be read again.
    """
    if kind not in ("jats", "html"):
        return ()
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST)
    except OSError as error:
        raise BadInput(f"The file cannot be read ({error.strerror})", where=path) from error
    told = _jats(path, data) if kind == "jats" else _html(data)
    return tuple(
        Beside(label, caption, _picture(path.resolve().parent, named), named)
        for label, caption, named in told[:_MOST]
    )


def _jats(path: Path, data: bytes) -> list[tuple[str, str, str]]:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except (DefusedXmlException, ParseError, ValueError, LookupError) as error:
        raise BadInput(f"The file is not whole XML ({error})", where=path) from error
    found = []
    for item in root.iter():
        if _tag(item) != "fig":
            continue
        parts = {_tag(child): child for child in item}
        label, caption = (_words(parts.get(name)) for name in ("label", "caption"))
        for graphic in item.iter():
            if _tag(graphic) in ("graphic", "inline-graphic"):
                named = next(
                    (str(v) for k, v in graphic.attrib.items() if k.rpartition("}")[2] == "href"),
                    "",
                )
                found.append((label, caption, named))
    return found


def _tag(item: Any) -> str:
    return item.tag.rpartition("}")[2] if isinstance(item.tag, str) else ""


def _words(item: Any) -> str:
    return "" if item is None else " ".join(" ".join(item.itertext()).split())


def _html(data: bytes) -> list[tuple[str, str, str]]:
    page = _Figures()
    page.feed(data.decode("utf-8", "replace"))
    page.close()
    return page.found


class _Figures(HTMLParser):
    """Gathers what <figure> elements hold: pictures and a caption."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str, str]] = []
        self._pictures: list[str] | None = None
        self._words: list[str] = []
        self._is_caption = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "figure":
            self._pictures, self._words = [], []
        elif tag == "img" and self._pictures is not None and len(self._pictures) < _MOST:
            named = dict(attrs)
            self._pictures.append(named.get("src") or named.get("data-src") or "")
        elif tag == "figcaption":
            self._is_caption = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "figcaption":
            self._is_caption = False
        elif tag == "figure" and self._pictures is not None:
            caption = " ".join("".join(self._words).split())
            label = re.match(r"(?:Figure|Fig\.?|Scheme|Plate)\s*[SA]?\d+(?:\.\d+)?", caption, re.I)
            for named in self._pictures:
                self.found.append((label[0] if label else "", caption, named))
            self._pictures, self._is_caption = None, False

    def handle_data(self, data: str) -> None:
        if self._is_caption and self._pictures is not None:
            self._words.append(data)


def _picture(folder: Path, named: str) -> Path | None:
    """The file of that name within the folder; archives leave its suffix out."""
    plain = unquote(named).split("?")[0].split("#")[0]
    if not plain or "\0" in plain or re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//", plain):
        return None
    for suffix in ("", *SUFFIXES):
        path = Path(folder / (plain + suffix))
        try:
            real = path.resolve()
            if real.suffix.lower() in SUFFIXES and real.is_relative_to(folder) and real.is_file():
                return real
        except (OSError, RuntimeError, ValueError):
            return None
    return None
