"""Web pages as saved: headings, paragraphs, captions; nothing is run and nothing fetched."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from glassllava.errors import BadInput
from rag.reading.cutting import Block, cleaned
from rag.reading.limits import LARGEST_TEXT
from rag.reading.parts import Read

if TYPE_CHECKING:
    from pathlib import Path

READER = "html 2"

_SILENT = {"script", "style", "noscript", "template", "nav", "footer", "aside", "form",
           "button", "select", "svg", "math", "iframe", "object"}  # fmt: skip
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_BLOCKS = {"p", "li", "dd", "dt", "blockquote", "figcaption", "caption", "tr", "pre", "div",
           "section", "article", "main", "body", "table", "ul", "ol", "dl", "figure", "address",
           "title", "br", "hr"} | _HEADINGS  # fmt: skip
_VOID = {"br", "hr", "img", "input", "link", "meta", "area", "base", "col", "embed", "source",
         "track", "wbr"}  # fmt: skip
_END_P = (_BLOCKS - {"li", "dd", "dt", "figcaption", "caption", "tr", "body", "title", "br"}) | {
    "li", "dd", "dt", "nav", "aside", "footer", "header", "form", "fieldset", "menu", "details"
}  # fmt: skip
#: Elements whose end tag may be left out: what begins, what that ends, and what it ends within.
_ENDED_BY = {
    "li": ({"li"}, {"ul", "ol", "menu"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "option": ({"option"}, {"select", "datalist"}),
    "optgroup": ({"option", "optgroup"}, {"select"}),
    "td": ({"td", "th"}, {"tr", "table"}),
    "th": ({"td", "th"}, {"tr", "table"}),
    "tr": ({"tr", "td", "th"}, {"table"}),
    **dict.fromkeys(
        ("thead", "tbody", "tfoot"), ({"thead", "tbody", "tfoot", "tr", "td", "th"}, {"table"})
    ),
}
_UNENDED = {"p", *_ENDED_BY}
_HOLD_P = {"table", "td", "th", "caption", "button", "object", "template"}
_INLINE = {"a", "abbr", "b", "big", "cite", "code", "em", "font", "i", "label", "mark", "q", "s",
           "small", "span", "strong", "sub", "sup", "tt", "u"}  # fmt: skip
_MOST_NOTES = 20
#: So far up the open elements one is looked for that a new one ends: time, whatever the nesting.
_LOOKED_UP = 50
_REFERENCES = re.compile(
    r"(?:\d+\.?\s*)?(?:references|bibliography|literature cited|works cited)\W*", re.IGNORECASE
)
_CHARSET = re.compile(
    rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{1,40})", re.IGNORECASE
)
#: Python's ways to write names and literals, the first of them slow; no page is written in them.
_NO_PAGES = {"punycode", "idna", "undefined", "unicode_escape", "unicode-escape",
             "raw_unicode_escape", "raw-unicode-escape"}  # fmt: skip
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")


def read(path: Path, data: bytes) -> Read:
    """The headings, paragraphs and captions of an HTML file, and what its head says of it.

    Raises
    ------
    BadInput : where it is too large, or its bytes are not in the encoding that it names.
    """
    page = _Page()
    page.feed(_decoded(path, data))
    page.close()
    page.end_block()
    page.end_all()
    meta = page.meta
    doi = _DOI.search(" ".join(meta.get("citation_doi", ()) or meta.get("dc.identifier", ())))
    dates = meta.get("citation_publication_date", ()) or meta.get("citation_date", ())
    year = re.search(r"(?<!\d)(?:19|20)[0-9]{2}(?!\d)", " ".join(dates))
    titles = (*meta.get("citation_title", ()), page.headline, page.title)
    return Read(
        READER,
        "html",
        next((title for title in titles if title), ""),
        tuple(page.blocks),
        authors=", ".join(meta.get("citation_author", ()) or meta.get("author", ())),
        year=int(year[0]) if year else None,
        doi=doi[0] if doi else None,
        licence=next(iter(meta.get("dc.rights", ())), None),
        notes=tuple(page.notes),
    )


def _decoded(path: Path, data: bytes) -> str:
    if len(data) > LARGEST_TEXT:
        raise BadInput("The file is larger than 8 MB", where=path, remedy="Add it in parts.")
    named = _CHARSET.search(data[:4096])
    encoding = named[1].decode() if named else "utf-8-sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif data.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8-sig"
    try:
        if encoding.lower() in _NO_PAGES:
            raise LookupError(encoding)
        return cleaned(data.decode(encoding))
    except (UnicodeError, LookupError) as error:
        raise BadInput(
            f"The page is not in the encoding {encoding}",
            where=path,
            remedy="Save it as UTF-8, or print it to a PDF.",
        ) from error


class _Page(HTMLParser):
    """Gathers blocks; holds the open elements, and which of them silences what is within it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.meta: dict[str, list[str]] = {}
        self.title = ""
        self.headline = ""
        self._section: str | None = None
        self._kind = "text"
        self._words: list[str] = []
        self._tag = "body"
        self._open: list[str] = []
        self._opened: Counter[str] = Counter()
        self._silent: int | None = None  # its place in _open
        self.notes: dict[str, None] = {}
        self._references = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "meta":
            named = {name: value or "" for name, value in attrs}
            name = (named.get("name") or named.get("property") or "").lower()
            if name and named.get("content"):
                self.meta.setdefault(name, []).append(" ".join(named["content"].split())[:500])
            return
        self._end_before(tag)
        if self._silent is None:
            if tag in _SILENT or (tag not in _VOID and self._hidden(attrs)):
                self.end_block()
                self._silent = len(self._open)
            elif tag in _BLOCKS:
                self.end_block()
                self._tag = tag
        if tag not in _VOID:
            self._open.append(tag)
            self._opened[tag] += 1

    @staticmethod
    def _hidden(attrs: list[tuple[str, str | None]]) -> bool:
        named = dict(attrs)
        style = (named.get("style") or "").replace(" ", "").lower()
        return "hidden" in named or "display:none" in style or "visibility:hidden" in style

    def _end_before(self, tag: str) -> None:
        """End the elements without an end tag that cannot go on where `tag` begins."""
        if tag in _END_P and self._opened["p"]:
            self._end_last({"p"}, _HOLD_P)
        if tag in _ENDED_BY:
            self._end_last(*_ENDED_BY[tag])

    def _end_last(self, ended: set[str], within: set[str]) -> None:
        """End the outermost open element of `ended` that lies within the last of `within`."""
        found = None
        for place in range(len(self._open) - 1, max(-1, len(self._open) - 1 - _LOOKED_UP), -1):
            if self._open[place] in within:
                break
            if self._open[place] in ended:
                found = place
        if found is not None:
            self._end_from(found)

    def _end_from(self, place: int, *, by_tag: bool = False) -> None:
        """End the open elements from `place` on; `by_tag` where the first has its own end tag."""
        if self._silent is not None and place <= self._silent:
            tag = self._open[self._silent]
            torn = not (by_tag and place == self._silent) and tag not in _UNENDED
            if torn and len(self.notes) < _MOST_NOTES:
                self.notes[f"a <{tag[:20]}> does not end; what follows in it was left out"] = None
            self._silent = None
        while len(self._open) > place:
            self._opened[self._open.pop()] -= 1

    def end_all(self) -> None:
        """End what is still open at the end of the page."""
        self._end_from(0)

    def handle_endtag(self, tag: str) -> None:
        silent = self._silent
        if self._opened[tag]:
            place = len(self._open) - 1
            while self._open[place] != tag:
                place -= 1
            if silent is not None and place < silent and tag in _INLINE:
                return  # </b> ends no block that began within <b>
            self._end_from(place, by_tag=True)
            if place == silent:
                return
        if self._silent is not None:
            return
        if tag in _BLOCKS:
            self.end_block()
            self._tag = "body"
        elif tag in ("td", "th"):
            self._words.append(" ")

    def handle_data(self, data: str) -> None:
        if self._silent is None:
            self._words.append(data)

    def end_block(self) -> None:
        """Take what was gathered as a block of the kind of the tag that holds it."""
        text = " ".join("".join(self._words).split())
        self._words = []
        if not text:
            return
        if self._tag == "title":
            self.title = self.title or text
        elif self._tag in _HEADINGS:
            if self._tag == "h1" and not self.headline:
                self.headline = text
            self._references = _REFERENCES.fullmatch(text) is not None
            self._section = text[:200]
            abstract = text.rstrip(" .:").casefold() in ("abstract", "summary")
            self._kind = "abstract" if abstract else "text"
        elif not self._references:
            kind = "caption" if self._tag in ("figcaption", "caption") else self._kind
            self.blocks.append(Block(text, self._section, kind=kind))
