"""Words of others: made harmless before they are given, and found again where they are quoted.

A passage, a sample and a note are data. `harmless` leaves nothing in them that a chat template, a
tokenizer or our own numbering would read as a mark; `find` says whether words that an answer
quotes stand in a passage, whatever its line breaks and hyphens. Knows no model and no prompt.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

#: Characters of a title or a section that a prompt shows: a locator is a pointer, not a text.
LONGEST_LOCATOR = 200

# <image>, </s>, <|im_start|>, <<SYS>>, <start_of_turn>: never a mark once a space stands inside.
_ANGLE = re.compile(r"([<\uff1c\ufe64])(?=[\w/|!<\uff1c\ufe64\uff5c])(?!\d+(?:[.,]\d+)?(?:\s|$))")
# [INST], [/INST], [IMG], [TOOL_CALLS]: a word in capitals in brackets.
_SQUARE = re.compile(r"([\[\uff3b])(?=/?[A-Z_]{3,}[\]\uff3d])")
# "[2]" in a paper's words is that paper's own reference, never one of our numbers.
_NUMBER = re.compile(
    r"[\[\uff3b\u3010\u3014\u3016\u27e6]\s*((?:passages?|sources?|refs?\.?|no\.?|[#^])?\s*\d[\d\s,;\u2013-]*)"
    r"(?:\u2020[^\]\u3011]{0,40})?[\]\uff3d\u3011\u3015\u3017\u27e7]",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"(?:#{2,}\s*)?\b(USER|ASSISTANT|HUMAN|SYSTEM|[Uu]ser|[Aa]ssistant|[Hh]uman)\s*[:\uff1a]"
)
_HYPHENS = re.compile(r"[\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d-]")
# A word that a line broke: the hyphen and what follows it, between letters.
_BROKEN = re.compile(r"(?<=[^\W\d_])([\u00ad\u2010\u2011-]\s+)(?=[^\W\d_])")
_LIGHT = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})


def harmless(text: str) -> str:
    """`text` as one line in which nothing is a mark: same words, no power.

    Line breaks become spaces; controls, zero-width characters and changes of direction go;
    what looks like a token of a chat template gets a space inside; a number in square brackets
    gets round ones, and a role loses its colon. Plain words come back as they are.
    """
    line = " ".join("".join(map(_seen, text)).split())
    line = _NUMBER.sub(lambda match: f"({match[1].strip()})", line)
    line = _SQUARE.sub(r"\1 ", _ANGLE.sub(r"\1 ", line))
    return _ROLE.sub(lambda match: match[1], line)


def visible(text: str) -> str:
    """`text` without controls, zero-width characters and changes of direction; lines stay."""
    return "".join(c for c in text if c in "\n\t" or _seen(c))


def _seen(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character)[0] == "C" else character


def find(quoted: str, text: str) -> tuple[int, int] | None:
    """Where in `text` the words `quoted` stand, as (start, end), or None.

    Whole words, compared without regard to how much white space there is, a hyphen where a word is
    broken, capitals, kinds of quotation mark and dash, and invisible characters; everything else
    must be the same: "12 MPa" does not stand in "1-2 MPa".
    """
    wanted = _bare(quoted.strip(" .,;:\u2026"))[0].strip()
    if not wanted:
        return None
    letters, places = _bare(text)
    at = letters.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        inside = at > 0 and letters[at - 1].isalnum() and wanted[0].isalnum()
        if not inside and not (letters[end : end + 1].isalnum() and wanted[-1].isalnum()):
            return places[at], places[end - 1] + 1
        at = letters.find(wanted, at + 1)
    return None


@lru_cache(maxsize=32)  # an answer may quote the same passages many times
def _bare(text: str) -> tuple[str, list[int]]:
    """The signs that are compared, and each one's place in `text`."""
    broken = {at for match in _BROKEN.finditer(text) for at in range(match.start(1), match.end(1))}
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text.translate(_LIGHT)):
        seen = _seen(character)
        if place in broken or not seen or (seen == " " and (not letters or letters[-1] == " ")):
            continue
        if _HYPHENS.match(character):
            seen = "" if character == "\u00ad" else "-"
        for letter in unicodedata.normalize("NFKC", seen).casefold():
            letters.append(letter)
            places.append(place)
    return "".join(letters), places
