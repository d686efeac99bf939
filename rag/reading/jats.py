"""Papers in JATS XML, as PubMed Central and publishers give them.

Parsed with defusedxml: no entities, no outside files. JATS has no pages: a passage's place is its
section. Pictures stand in files beside it and are not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from glassllava.errors import BadInput
from rag.reading.cutting import Block, cleaned
from rag.reading.limits import LARGEST_TEXT
from rag.reading.origin import year_of
from rag.reading.parts import Read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READER = "jats 2"

#: What is not text of the paper, or is read for itself.
_PASSED = {"ref-list", "fig", "fig-group", "table-wrap", "disp-formula", "xref-group", "graphic",
           "supplementary-material", "media", "fn-group"}  # fmt: skip
_CAPTIONED = {"fig", "table-wrap"}


def read(path: Path, data: bytes) -> Read:
    """The abstract, sections and captions of a JATS article, and its records of origin.

    Raises
    ------
    BadInput : where it is too large, not XML, holds entities of its own, or is no article.
    """
    if len(data) > LARGEST_TEXT:
        raise BadInput("The file is larger than 8 MB", where=path, remedy="Add it in parts.")
    try:
        root = fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise BadInput(
            "The XML defines entities, which are not unfolded",
            where=path,
            remedy="Fetch the article as PDF or HTML.",
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise BadInput(
            f"The file is not whole XML ({error})", where=path, remedy="Fetch it again."
        ) from error
    for item in root.iter():
        # {namespace}tag, as some archives write it
        if isinstance(item.tag, str):
            item.tag = item.tag.rpartition("}")[2]
    article = root if root.tag == "article" else root.find(".//article")
    if article is None:
        raise BadInput(
            f"This XML is no JATS article (it begins with <{root.tag}>)",
            where=path,
            remedy="Add the article as PDF, HTML or JATS XML.",
        )
    meta = article.find("./front/article-meta")
    origin = {} if meta is None else _origin(meta)
    return Read(READER, "jats", origin.pop("title", ""), tuple(_blocks(article)), **origin)


def _origin(meta: Any) -> dict[str, Any]:
    names = []
    for name in meta.iterfind("./contrib-group/contrib[@contrib-type='author']/name"):
        parts = (name.findtext("given-names"), name.findtext("surname"))
        names.append(" ".join(cleaned(part).strip() for part in parts if part))
    told = (year_of(item.text or "") for item in meta.iterfind("./pub-date/year"))
    years = [year for year in told if year is not None]
    doi = next(
        (item.text for item in meta.iterfind("./article-id[@pub-id-type='doi']") if item.text), None
    )
    licence = meta.find("./permissions/license")
    return {
        "title": _text(meta.find("./title-group/article-title")),
        "authors": ", ".join(names),
        "year": min(years) if years else None,  # the first publication, in print or online
        "doi": doi.strip() if doi else None,
        "licence": _licence(licence),
    }


def _licence(licence: Any) -> str | None:
    if licence is None:
        return None
    for item in licence.iter():
        for name, value in item.attrib.items():
            if name.rpartition("}")[2] == "href" and value:
                return str(cleaned(value))[:200]
    return _text(licence)[:200] or None


def _blocks(article: Any) -> Iterator[Block]:
    for abstract in article.iterfind("./front/article-meta/abstract"):
        text = " ".join(_text(item) for item in _paragraphs(abstract))
        if text := text or _text(abstract):
            yield Block(text, "Abstract", kind="abstract")
    for part in ("body", "back", "floats-group"):
        if (found := article.find(f"./{part}")) is not None:
            yield from _section(found)


def _paragraphs(part: Any) -> Iterator[Any]:
    """The paragraphs in a part, those that stand within another not once more."""
    stack = [part]
    while stack:
        item = stack.pop()
        if item.tag == "p":
            yield item
        else:
            stack.extend(reversed(item))


def _section(part: Any) -> Iterator[Block]:
    """The paragraphs and captions of a part, section within section, however deep."""
    stack: list[tuple[Any, str | None]] = [(part, None)]
    while stack:
        item, heading = stack.pop()
        if item.tag == "p":
            if text := _text(item):
                yield Block(text, heading)
            # Figures may stand within a paragraph.
            yield from _captions(item, heading)
        elif item.tag in ("fig-group", *_CAPTIONED):
            yield from _captions(item, heading)
        elif item.tag not in (*_PASSED, "title", "label"):
            title = item.find("./title")
            if title is not None:
                told = (_text(item.find("./label")), _text(title))
                heading = " ".join(filter(None, told)) or heading
            stack.extend((child, heading) for child in reversed(item))


def _captions(item: Any, heading: str | None) -> Iterator[Block]:
    for inner in item.iter():
        yield from _caption(inner, heading)


def _caption(item: Any, heading: str | None) -> Iterator[Block]:
    if item.tag in _CAPTIONED:
        parts = (_text(item.find("./label")), _text(item.find("./caption")))
        label, caption = parts
        if label and not label.endswith((".", ":")):
            label += "."
        if text := " ".join(part for part in (label, caption) if part):
            yield Block(text, heading, kind="caption")


def _text(item: Any) -> str:
    """The words of an element, without those of figures and tables in it."""
    if item is None:
        return ""
    found: list[str] = []
    stack = [item]  # elements, and the texts that follow them
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part.tag, str) and part.tag not in _PASSED:
            found.append(part.text or "")
            if part.tag in ("p", "title", "break", "list-item"):
                stack.append(" ")
            for child in reversed(part):
                stack.extend((child.tail or "", child))
    return " ".join(cleaned("".join(found)).split())
