"""Where the words of a passage stand on a page: the lines that it was read from.

Compares letters and digits alone, since a passage has lost its hyphens and line breaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.reading.columns import in_order, usual_gutters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.reading.glyphs import Frame, Line

#: Fewer letters than this say nothing alone; a paragraph's last line may be as short.
_FEWEST = 10


def lines_that_hold(pieces: Sequence[Line], frame: Frame, words: str) -> list[Line]:
    """Those lines of a page, in reading order, whose words stand in `words`, one after the other.

    A line at either end may hold words before or after them. Empty where no whole line is found.
    """
    sought = _letters(words)
    if len(sought) < _FEWEST:
        return []
    width = frame.size[0]
    lines = in_order(list(pieces), width, usual_gutters([(list(pieces), width)]))
    told = [_letters(line.text) for line in lines]
    found = [place for place, text in enumerate(told) if len(text) >= _FEWEST and text in sought]
    marked = set(found)
    for place in found:
        for beside in (place - 1, place + 1):
            if 0 <= beside < len(lines) and _meets(told[beside], sought, after=beside > place):
                marked.add(beside)
    return [lines[place] for place in sorted(marked)]


def _meets(text: str, sought: str, *, after: bool) -> bool:
    """Whether a line beside a whole one holds the end (`after`) or the beginning of the words."""
    if not text:
        return False
    if len(text) < _FEWEST:
        return sought.endswith(text) if after else sought.startswith(text)
    if text in sought:
        return True
    lengths = range(min(len(text), len(sought)), 3, -1)
    if after:
        return any(text[:n] == sought[-n:] for n in lengths)
    return any(text[-n:] == sought[:n] for n in lengths)


def _letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())
