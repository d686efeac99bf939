"""The literature on a micrograph's page: what was looked up, cited, given, and left out.

Every passage keeps its number in the prompt and says where it stands; what the answer quotes of it
is marked. Words of papers are foreign: all of them go through `style.safe`.
"""

from __future__ import annotations

from reportlab.platypus import Flowable, KeepTogether

from batch.pdf import style
from glassllava.answers import quotations
from glassllava.interpretation import Interpretation
from glassllava.literature import Passage

#: Where nothing was cited, so many of the nearest passages tell the reader where to look.
_NEAREST = 2
_LONGEST_PASSAGE = 1400  # characters; a passage has at most 130 words
_MOST_NAMED = 40
_QUOTED = "#fbeaa6"
_KINDS = {"caption": "figure caption", "abstract": "abstract"}
_ASKED = style.SMALL_QUIET.clone("asked", spaceAfter=3)
_INDENTED = style.SMALL_QUIET.clone("locator", leftIndent=10, spaceAfter=4)


def passages(found: Interpretation) -> list[Flowable]:
    """The passages that were cited, in their words; the others given and left out are named."""
    if not (found.passages or found.left_out):
        return _nothing(found)
    cited = {c.passage_id for c in found.citations}
    cited |= {c.passage_id for finding in found.findings for c in finding.citations}
    shown = cited or {passage.id for passage in found.passages[:_NEAREST]}
    words = "Literature" if cited else "Literature given to the model, which cited none of it"
    words = words if found.passages else "Literature found, and not given to the model"
    head: list[Flowable] = [style.paragraph(words, style.SECTION)]
    if found.query:
        head.append(style.paragraph(f"Looked up: {found.query}", _ASKED, 600))
    story: list[Flowable] = []
    quoting = f"{found.answer}\n{found.description}"
    for number, passage in enumerate(found.passages, start=1):
        if passage.id in shown:
            use = "cited" if passage.id in cited else "given, not cited"
            one = _passage(number, passage, use, quoting)
            story.append(KeepTogether([*([] if story else head), *one]))
    if not story:
        story += head
    others = [
        f"[{number}] {passage.locator}"
        for number, passage in enumerate(found.passages, start=1)
        if passage.id not in shown
    ]
    story += _named("Also given, not cited: ", others)
    left: dict[str, dict[str, None]] = {}
    for each in found.left_out:
        left.setdefault(each.reason, {})[each.locator] = None
    for reason, locators in left.items():
        story += _named(f"Found, and not given to the model ({reason}): ", list(locators))
    return story


def _nothing(found: Interpretation) -> list[Flowable]:
    if not found.query:
        return []  # the context level tells no literature, and the page says the level
    return [
        style.paragraph("Literature", style.SECTION),
        style.paragraph(f"Looked up: {found.query}", _ASKED, 600),
        style.paragraph("No evidence found: nothing in the library answers this.", style.BODY),
    ]


def _named(words: str, names: list[str]) -> list[Flowable]:
    if not names:
        return []
    if (more := len(names) - _MOST_NAMED) > 0:
        names = [*names[:_MOST_NAMED], f"{more} more in the record"]
    return [style.paragraph(words + "; ".join(names), style.SMALL_QUIET, 6000)]


def _passage(number: int, passage: Passage, use: str, quoting: str) -> list[Flowable]:
    about = [passage.authors, passage.year, f"doi {passage.doi}" if passage.doi else ""]
    told = ", ".join(str(part) for part in about if part)
    kind = _KINDS.get(passage.kind, "")
    place = ", ".join(part for part in (passage.locator, kind) if part)
    sources = f" Sources: {'; '.join(passage.sources)}" if passage.sources else ""
    if not sources and passage.page is None and not passage.doi:
        sources = " Sources: none checked"
    return [
        style.marked(f"<b>[{number}]</b> “{_with_quotations(passage, quoting)}”", style.QUOTE),
        style.paragraph(f"{place}{f' ({told})' if told else ''}; {use}.{sources}", _INDENTED, 900),
    ]


def _with_quotations(passage: Passage, quoting: str) -> str:
    """The passage's words as markup, the quoted ones on a ground of their own."""
    text = passage.text
    parts, end = [], 0
    for start, stop in quotations(quoting, passage):
        start = max(start, end)
        if start >= stop or stop > _LONGEST_PASSAGE:
            continue
        quoted = style.safe(text[start:stop])
        parts += [style.safe(text[end:start]), f'<font backColor="{_QUOTED}">{quoted}</font>']
        end = stop
    parts.append(style.safe(text[end:], max(1, _LONGEST_PASSAGE - end)))
    return "".join(parts)
