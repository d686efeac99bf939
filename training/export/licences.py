"""Which licence a model comes under: the most restrictive among its base weights and its data.

An order of caution over the licences that models, papers and micrographs come under, and the
pairs whose terms cannot both be kept. Not legal advice: whether training makes an adaptation is
disputed, and this takes the careful side. A licence that is not known here, or not stated, is
"unknown" and stands above all others, since nothing is then granted. Knows no model.

Sources: the deeds and legal codes of Creative Commons 4.0 (adapted material under SA goes under
the same licence; ND shares no adapted material), and the Llama 2 and Llama 3 community licences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Licence:
    """`rank` orders by restriction; `terms` are what a user of the model must keep to.

    `shares_alike`: what is made of it goes under this very licence. `derives`: False where nothing
    that is made of it may be shared.
    """

    name: str
    rank: int
    terms: tuple[str, ...] = ()
    shares_alike: bool = False
    derives: bool = True


_NAMED = "name the authors"
_ALIKE = "share under the same licence"
_NO_TRADE = "no commercial use"
_LLAMA = "keep to Meta's acceptable use policy, and name Llama"
_NONE = "share nothing that is made of it"

#: Every licence that is known, the least restrictive first.
KNOWN: tuple[Licence, ...] = (
    Licence("CC0-1.0", 0),
    Licence("MIT", 1, ("keep the notice",)),
    Licence("BSD-3-Clause", 1, ("keep the notice",)),
    Licence("Apache-2.0", 2, ("keep the notices, say what was changed",)),
    Licence("CC-BY", 3, (_NAMED,)),
    Licence("CC-BY-SA", 4, (_NAMED, _ALIKE), shares_alike=True),
    Licence("OpenRAIL", 5, ("keep to the uses that it allows",)),
    Licence("Llama 3 Community", 6, (_LLAMA,)),
    Licence("Llama 2 Community", 6, (_LLAMA, "improve no other language model with it")),
    Licence("CC-BY-NC", 7, (_NAMED, _NO_TRADE)),
    Licence("CC-BY-NC-SA", 8, (_NAMED, _NO_TRADE, _ALIKE), shares_alike=True),
    Licence("LLaMA 1 (research)", 9, (_NO_TRADE, "research alone, weights to nobody else")),
    Licence("CC-BY-ND", 10, (_NAMED, _NONE), derives=False),
    Licence("CC-BY-NC-ND", 11, (_NAMED, _NO_TRADE, _NONE), derives=False),
    Licence(UNKNOWN, 12, ("nothing is granted: ask the owner",), derives=False),
)
_BY_NAME = {licence.name: licence for licence in KNOWN}

#: What people write, as patterns over letters and digits in lower case, the special ones first.
_WRITTEN: tuple[tuple[str, str], ...] = (
    (r"cc0|publicdomain", "CC0-1.0"),
    (r"(cc|licenses)by(nc)?(nd)(nc)?", ""),  # by what it holds, below
    (r"(cc|licenses)by(ncsa|sanc|nc|sa)?", ""),
    (r"attribution(noncommercial)?(sharealike|noderiv\w*)?", ""),
    (r"apache", "Apache-2.0"),
    (r"^mit(license|licence)?$", "MIT"),
    (r"^bsd3?\w*", "BSD-3-Clause"),
    (r"rail", "OpenRAIL"),
    (r"llama[_v]?3", "Llama 3 Community"),
    (r"llama[_v]?2", "Llama 2 Community"),
    (r"llama", "LLaMA 1 (research)"),
)


def known_as(text: str) -> Licence:
    """The licence that is meant by what somebody wrote; `unknown` where none is recognised."""
    written = text.strip()
    if written in _BY_NAME:
        return _BY_NAME[written]
    plain = re.sub(r"[^a-z0-9]", "", written.lower())
    if "allrightsreserved" in plain or re.search(r"\bnot\b", written.lower()):
        return _BY_NAME[UNKNOWN]
    for pattern, name in _WRITTEN:
        if match := re.search(pattern, plain):
            return _BY_NAME[name or _creative_commons(match[0])]
    return _BY_NAME[UNKNOWN]


def _creative_commons(plain: str) -> str:
    parts = ["CC-BY"]
    rest = re.sub(r"^(cc|licenses|attribution)", "", plain)
    if "nc" in rest or "noncommercial" in rest:
        parts.append("NC")
    if "nd" in rest or "noderiv" in rest:
        parts.append("ND")
    elif "sa" in rest or "sharealike" in rest:
        parts.append("SA")
    return "-".join(parts)


@dataclass(frozen=True, slots=True)
class Combined:
    """`licence` as a card states it, `because` of which parts, and `conflicts` in sentences.

    With a conflict no licence can be kept by sharing the model: `licence` then says so.
    """

    licence: str
    because: tuple[str, ...]
    terms: tuple[str, ...]
    conflicts: tuple[str, ...]


def combine(parts: Mapping[str, str]) -> Combined:
    """The licence of what is made of `parts`: by the name of a part, its licence as written.

    Nothing at all is `unknown`: a model without a stated origin grants nothing.
    """
    found = {part: known_as(text) for part, text in parts.items()}
    if not found:
        return Combined(UNKNOWN, (), _BY_NAME[UNKNOWN].terms, ())
    most = max(found.values(), key=lambda licence: licence.rank)
    because = tuple(part for part, licence in found.items() if licence.rank == most.rank)
    terms = dict.fromkeys(term for licence in found.values() for term in licence.terms)
    conflicts = []
    for (one, first), (other, second) in combinations(found.items(), 2):
        if first != second and (why := _conflict(first, second)):
            conflicts.append(
                f"{one} ({first.name}) and {other} ({second.name}) cannot both be kept: {why}"
            )
    # As it was written, with its version, where that is one and the same.
    written = {parts[part].strip() for part in because}
    name = written.pop() if len(written) == 1 and most.name != UNKNOWN else most.name
    if conflicts:
        name = f"none that can be kept ({len(conflicts)} conflicts, see the card)"
    return Combined(name, because, tuple(terms), tuple(conflicts))


def _conflict(first: Licence, second: Licence) -> str:
    """Why what is made of both can be shared under neither, or ''."""
    if UNKNOWN in (first.name, second.name):
        return ""  # said as unknown, which stands above every other
    for one, other in ((first, second), (second, first)):
        if not one.derives:
            return f"{one.name} lets nobody share what is made of it"
        if one.shares_alike and other.rank > 3 and not _contained(other, one):
            return f"{one.name} wants its own licence for the whole, {other.name} adds terms"
    return ""


def _contained(licence: Licence, within: Licence) -> bool:
    """Whether every term of `licence` is one of `within` anyway, and it asks for no other name."""
    return not licence.shares_alike and set(licence.terms) <= set(within.terms)
