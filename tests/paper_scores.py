"""How well a document that was read agrees with what the writer of the test paper knows of it."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from papers import Box, Truth

    from rag.passages import Document

#: A figure counts as found where its box shares this much of the union with the true one.
LEAST_OVERLAP = 0.8


@dataclass
class Score:
    """Counts of one paper. `wrong` lists what went wrong, to read."""

    sentences: int = 0
    whole: int = 0  # sentences that stand word for word in one passage
    paged: int = 0  # passages of text that begin with a known sentence
    page_right: int = 0
    section_right: int = 0
    in_order: int = 0
    captions: int = 0
    captions_right: int = 0
    captions_false: int = 0
    figures: int = 0
    figures_right: int = 0  # box, label, caption and page
    originals_right: int = 0
    figures_false: int = 0
    leaked: int = 0  # running heads and references in passages
    absent: int = 0
    title: int = 0
    doi: int = 0
    authors: int = 0
    papers: int = 1
    wrong: list[str] = field(default_factory=list)

    def plus(self, other: Score) -> Score:
        return Score(
            **{
                name: getattr(self, name) + getattr(other, name)
                for name in self.__dataclass_fields__
            }
        )


def score(truth: Truth, document: Document) -> Score:
    """Every count of `Score` for one paper."""
    found = Score()
    passages = [entry.passage for entry in document.entries]
    text = [passage for passage in passages if passage.kind != "caption"]
    # One string of all text passages, to find a sentence and the passage that holds it whole.
    starts, whole, length = [], [], 0
    for passage in text:
        starts.append(length)
        words = " ".join(passage.text.split())
        whole.append(words)
        length += len(words) + 1
    joined = "\0".join(whole)
    begins: dict[int, int] = {}
    last = -1
    for page, sentence in truth.sentences:
        found.sentences += 1
        place = joined.find(sentence)
        if place < 0:
            found.wrong.append(f"p. {page}: lost or torn: {sentence}")
            continue
        found.whole += 1
        found.in_order += place > last
        last = max(last, place)
        number = bisect.bisect_right(starts, place) - 1
        if place == starts[number]:
            begins[number] = page
            told = text[number].section or ""
            right = told == truth.sections[sentence]
            found.section_right += right
            if not right:
                found.wrong.append(f"p. {page}: section {told!r}, not {truth.sections[sentence]!r}")
    for number, page in begins.items():
        found.paged += 1
        found.page_right += text[number].page == page
    if len(begins) < len(text):
        odd = [text[n].text[:60] for n in range(len(text)) if n not in begins]
        found.wrong.append(f"passages that begin with no sentence: {odd}")
    _captions(truth, document, found)
    _figures(truth, document, found)
    for words in truth.absent:
        found.absent += 1
        if any(words in passage.text for passage in passages):
            found.leaked += 1
            found.wrong.append(f"kept: {words}")
    found.title = int(document.title == truth.title)
    found.doi = int(document.doi == truth.doi)
    found.authors = int(document.authors == truth.authors)
    return found


def _captions(truth: Truth, document: Document, found: Score) -> None:
    told = [e.passage for e in document.entries if e.passage.kind == "caption"]
    known = {(page, text) for page, _label, text in truth.captions}
    seen = {(passage.page, passage.text) for passage in told}
    found.captions = len(known)
    found.captions_right = len(known & seen)
    found.captions_false = len(seen - known)
    found.wrong += [f"caption missed: {item}" for item in known - seen]
    found.wrong += [f"caption made up: {item}" for item in seen - known]


def _figures(truth: Truth, document: Document, found: Score) -> None:
    used = set()
    for figure in truth.figures:
        found.figures += 1
        for number, told in enumerate(document.figures):
            same = told.page == figure.page and overlap(told.box, figure.box) >= LEAST_OVERLAP
            if same and told.caption == figure.caption and told.label == figure.label:
                found.figures_right += 1
                found.originals_right += len(told.originals) == figure.images
                used.add(number)
                break
        else:
            found.wrong.append(f"figure missed: {figure.kind} {figure.label} p. {figure.page}")
    found.figures_false = len(document.figures) - len(used)
    for number, told in enumerate(document.figures):
        if number not in used:
            box = [round(edge) for edge in told.box]
            found.wrong.append(f"figure made up: p. {told.page} {told.label!r} {box}")


def overlap(one: Box, other: Box) -> float:
    """Shared area over joint area."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)
