"""The literature laid out for people in a terminal: names, places, sources.

Knows widths and words; looks nothing up. Texts of papers and names of files are anyone's: no sign
of theirs that a terminal obeys is printed.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from glassllava.literature import Passage
    from rag.adding import Addition, Outcome
    from rag.checking import Check
    from rag.manifest import DocumentRow
    from rag.plates import StoredFigure
    from rag.showing import Shown

#: What `add --json` tells under which name.
KINDS = {
    "added": ("added",),
    "replaced": ("replaced",),
    "moved": ("moved",),
    "unchanged": ("unchanged", "same"),
    "failed": ("failed",),
}


def plain(text: str) -> str:
    """One line, whatever the text: a name with a line's end in it would forge the next line."""
    return "".join(sign if sign.isprintable() else "·" for sign in text)


def short(name: str) -> str:
    """What a person gave as a name, as far as it helps to repeat it."""
    return name if len(name) <= 100 else f"{name[:99]}…"


def document_json(row: DocumentRow) -> dict[str, Any]:
    told = dataclasses.asdict(row)
    told["record"] = json.loads(row.record) if row.record else None
    return told


def listing(rows: Sequence[DocumentRow]) -> str:
    return "\n".join(line for row in rows for line in _listed(row))


def _listed(row: DocumentRow) -> Iterable[str]:
    who = ", ".join(filter(None, (_authors(row.authors), str(row.year) if row.year else "")))
    held = [many(row.passages, "passage")]
    if row.pages:
        held.append(many(row.pages, "page"))
    if row.figures:
        held.append(many(row.figures, "figure"))
    if row.with_sources:
        held.append(f"{row.with_sources} with checked sources")
    yield plain(f"{row.title}{f' ({who})' if who else ''}: {', '.join(held)}")
    if row.doi:
        yield plain(f"    doi {row.doi}")
    if row.path:
        yield plain(f"    {row.path}")


def _authors(authors: str) -> str:
    return authors if len(authors) <= 60 else f"{authors[:57]}…"


def many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def found(passages: Sequence[Passage]) -> str:
    lines = []
    for number, passage in enumerate(passages, start=1):
        score = "" if passage.score is None else f", score {passage.score:.2f}"
        lines.append(plain(f"[{number}] {passage.locator}   ({passage.id}{score})"))
        lines += [wrapped(passage.text), _origin(passage)]
    return "\n".join(lines)


def shown(told: Shown) -> str:
    if told.entry is None:
        lines = [listing([told.document]), *map(_figure, told.figures)]
        lines += [plain(f"  {passage.id}   {passage.locator}") for passage in told.passages]
        return "\n".join(lines)
    passage = told.entry.passage
    lines = [plain(passage.locator)]
    if told.before:
        lines += [plain(f"  before ({told.before.id}):"), wrapped(_end(told.before.text))]
        lines += [plain(f"  {passage.id}:")]
    lines += [wrapped(passage.text), _origin(passage)]
    if told.after:
        lines += [plain(f"  after ({told.after.id}):"), wrapped(_start(told.after.text))]
    lines += map(_figure, told.figures)
    if told.entry.topics:
        lines.append(plain(f"    topics: {', '.join(told.entry.topics)}"))
    if told.entry.materials:
        lines.append(plain(f"    materials: {', '.join(told.entry.materials)}"))
    if told.document.path:
        lines.append(plain(f"    in: {told.document.path}"))
    return "\n".join(lines)


def _end(text: str) -> str:
    return text if len(text) <= 240 else f"… {text[-240:].partition(' ')[2]}"


def _start(text: str) -> str:
    return text if len(text) <= 240 else f"{text[:240].rpartition(' ')[0]} …"


def _figure(figure: StoredFigure) -> str:
    page = f", p. {figure.page}" if figure.page is not None else ""
    size = f"{figure.width} × {figure.height} px"
    return plain(f"  figure {figure.label or figure.id}{page} ({size}): {_start(figure.caption)}")


def wrapped(text: str) -> str:
    return "\n".join(
        textwrap.fill(line, 96, initial_indent="    ", subsequent_indent="    ")
        for line in map(plain, text.splitlines())
    )


def _origin(passage: Passage) -> str:
    """Who says so: for the primer's own words what was checked, for a paper who wrote it."""
    if passage.sources:
        return "\n".join(plain(f"    source: {source}") for source in passage.sources)
    told = [passage.authors, str(passage.year) if passage.year else ""]
    told.append(f"doi {passage.doi}" if passage.doi else "")
    if any(told):
        return plain(f"    by: {', '.join(filter(None, told))}")
    return "    sources: none checked"


def addition(told: Addition) -> str:
    news = [outcome for outcome in told.outcomes if outcome.what != "unchanged"]
    lines = [line for outcome in news for line in _outcome(outcome)]
    lines += [f"passed over: {path} ({why})" for path, why in told.passed_over]
    lines += told.notes
    counts = [f"{len(told.of(*kinds))} {name}" for name, kinds in KINDS.items() if told.of(*kinds)]
    lines.append(", ".join(counts) or "no document was found")
    return "\n".join(map(plain, lines))


def _outcome(outcome: Outcome) -> list[str]:
    path = outcome.path
    if outcome.what == "failed":
        remedy = f" {outcome.remedy}" if outcome.remedy else ""
        return [f"FAILED {path}: {outcome.reason}.{remedy}"]
    if outcome.what == "same":
        return [f"{path}: the same bytes as {outcome.reason}"]
    if outcome.what == "moved":
        return [f"{path}: moved; its passages stay"]
    news = f"{many(outcome.passages, 'passage')} added"
    if outcome.gone:
        news += f", {outcome.gone} replaced or gone"
    if outcome.figures:
        news += f", {many(outcome.figures, 'figure')}"
    return [f"{path}: {news}", *(f"    {note}" for note in outcome.notes)]


def checked(result: Check) -> str:
    lines = [
        f"manifest: {'in order' if result.manifest_whole else 'DAMAGED'}",
        f"passages asked for their own vector: {result.asked}, lost: {result.lost}",
        f"index: {result.backend}{', built anew' if result.rebuilt else ''}",
    ]
    lines += [f"repaired: {what}" for what in result.repaired]
    if result.remedy:
        lines.append(result.remedy)
    lines += [f"its words have changed on disk, add it again: {key}" for key in result.altered]
    return "\n".join(map(plain, lines))
