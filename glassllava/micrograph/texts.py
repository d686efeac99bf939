"""Vendors' texts to flat mappings: decoding, INI sections, XML, JSON.

Knows encodings and bounds: every text is hostile, so that its size, depth and count are limited
and XML goes through defusedxml with every document type refused. Knows nothing of any vendor.
"""

from __future__ import annotations

import codecs
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from glassllava.micrograph.header import MAX_ENTRIES, MAX_VALUE

#: A vendor's text beyond this is cut before it is parsed.
MAX_TEXT = 4_000_000
MAX_DEPTH = 60

#: [section] to its entries.
Sections = Mapping[str, Mapping[str, str]]


class BadText(ValueError):
    """A text is not what its kind should be; `str` says why."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One XML element: where it stands ("FeiImage/instrument/type"), and its words."""

    path: str
    text: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def decoded(data: bytes) -> str:
    """Vendor text: by its byte order mark, as UTF-16 or UTF-8 where it is valid, else as the
    Windows code page that microscopes write in."""
    data = data[:MAX_TEXT]
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return data[len(mark) :].decode(name, errors="replace").rstrip("\0")
    start = data[:200]
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        # Latin text in UTF-16 without a mark: every other byte is zero, the others are not.
        nulls, letters = start[first::2], start[1 - first :: 2]
        if len(start) >= 8 and not any(nulls) and all(letters[: len(nulls) - 1]):
            return data.decode(name, errors="replace").rstrip("\0\ufffd")
    data = data.rstrip(b"\0")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def sections(text: str) -> dict[str, dict[str, str]]:
    """Sections of INI text; a bounded number of entries, values as they stand."""
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for count, line in enumerate(text.splitlines()):
        if count >= MAX_ENTRIES:
            break
        line = line.strip().strip("\0")
        if line.startswith("["):
            section = found.setdefault(line.strip("[]")[:MAX_VALUE], {})
        elif "=" in line:
            key, _, rest = line.partition("=")
            section[key.strip()[:MAX_VALUE]] = rest.strip()[:MAX_VALUE]
    return found


def flat(parts: Sections) -> dict[str, str]:
    """ "section/key" to the value."""
    return {
        f"{section}/{key}": text
        for section, entries in parts.items()
        for key, text in entries.items()
    }


def elements(text: str, keep: tuple[str, ...] = ()) -> list[Leaf]:
    """The elements of an XML text, in the order of their ends, without their namespaces.

    `keep` names those that are wanted; all of them by default.

    Raises
    ------
    BadText : it is torn, declares a document type, or is nested or long beyond reason.
    """
    collected = _Collected(keep)
    parser = DefusedXMLParser(target=collected, forbid_dtd=True)
    try:
        parser.feed(text[:MAX_TEXT])
        parser.close()
    except DefusedXmlException as error:
        raise BadText("it declares a document type or an entity") from error
    except ParseError as error:
        raise BadText(f"it is torn: {error}") from error
    except UnicodeError as error:
        raise BadText("it holds no valid characters") from error
    return collected.found


def first(leaves: list[Leaf]) -> dict[str, str]:
    """Path to the words of its first element that has any."""
    found: dict[str, str] = {}
    for leaf in leaves:
        if leaf.text:
            found.setdefault(leaf.path, leaf.text)
    return found


def flat_xml(leaves: list[Leaf]) -> dict[str, str]:
    """Words and attributes ("path@name") of every element; the second of a path is "path[2]"."""
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for leaf in leaves:
        seen[leaf.path] += 1
        path = leaf.path if seen[leaf.path] == 1 else f"{leaf.path}[{seen[leaf.path]}]"
        if leaf.text:
            found[path] = leaf.text
        found |= {f"{path}@{name}": value for name, value in leaf.attributes.items()}
        if len(found) >= MAX_ENTRIES:
            break
    return found


class _Collected:
    """The parser's target: elements with their path, and no tree that could be deep."""

    def __init__(self, keep: tuple[str, ...]) -> None:
        self.found: list[Leaf] = []
        self._keep = keep
        self._path: list[str] = []
        self._words: list[list[str]] = []
        self._attributes: list[dict[str, str]] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.found) >= 4 * MAX_ENTRIES or len(self._path) >= MAX_DEPTH:
            raise BadText("it is nested or long beyond reason")
        self._path.append(tag.rpartition("}")[2][:100])
        self._words.append([])
        kept = list(attributes.items())[:100]
        self._attributes.append(
            {key.rpartition("}")[2][:100]: value[:MAX_VALUE] for key, value in kept}
        )

    def data(self, words: str) -> None:
        if self._words and len(self._words[-1]) < 100:
            self._words[-1].append(words[:MAX_VALUE])

    def end(self, tag: str) -> None:
        text = "".join(self._words.pop()).strip()[:MAX_VALUE]
        attributes = self._attributes.pop()
        if not self._keep or self._path[-1] in self._keep:
            self.found.append(Leaf("/".join(self._path), text, attributes))
        self._path.pop()

    def close(self) -> None:
        return None


def plain_json(text: str) -> dict[str, Any]:
    """A JSON object; NaN and infinity are None.

    Raises
    ------
    BadText : it is torn, nested beyond reason, or no object.
    """
    if len(text) > MAX_TEXT:
        raise BadText("it is long beyond reason")
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        why = "it is nested beyond reason" if isinstance(error, RecursionError) else "it is torn"
        raise BadText(why) from error
    if not isinstance(value, dict):
        raise BadText("it is no object")
    return value


def flat_json(value: Mapping[str, Any]) -> dict[str, str]:
    """ "key/key" to the value as text; lists of plain values in one line, a bounded number."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, Any]] = [(str(k)[:100], v) for k, v in list(value.items())[::-1]]
    while waiting and len(found) < MAX_ENTRIES:
        path, item = waiting.pop()
        if isinstance(item, dict) and path.count("/") < MAX_DEPTH:
            inner = list(item.items())[:MAX_ENTRIES]
            waiting += [(f"{path}/{str(key)[:100]}", part) for key, part in inner[::-1]]
        elif isinstance(item, list):
            simple = [part for part in item[:100] if not isinstance(part, (dict, list))]
            found[path] = ", ".join(str(part)[:100] for part in simple)[:MAX_VALUE]
        else:
            found[path] = str(item)[:MAX_VALUE]
    return found


def json_number(value: Any) -> float | None:
    """A finite JSON number, or None: True is no number, and a text is none either."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
