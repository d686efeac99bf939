"""From a reply to what it says: probabilities by feature, and the citations that are real.

A citation counts only if its passage was in the prompt; an invented one, a reference or a DOI that
no passage given holds, is dropped from the text and counted. Words between quotation marks must
stand in a passage that was given, in the one that their sentence cites if it cites; else they lose
their marks, say so, and are counted. The raw text stays in the record. Knows no rule, no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glassllava import features
from glassllava.calibration import LevelCalibration
from glassllava.literature import Citation, Passage
from glassllava.model.backend import Probe, Reply
from glassllava.quotation import find, visible

#: A number that cites; the only form that a checked text holds.
MARK = re.compile(r"\[(\d{1,3})\]")
# What models write for it: [2], [1, 9], [2-4], [1 and 3], [1, p. 7], [passage 2], [^2],
# \u30104\u2020source\u3011, [7](http://...). Not an interval with a unit behind it.
_MARKS = re.compile(
    r"\s?[\[\uff3b\u3010\u3014\u3016]\s*(?:passages?|sources?|refs?\.?|[#^])?\s*"
    r"(\d+(?:\s*(?:[,;&\u2013-]|and)\s*\d+)*)"
    r"(?:,\s*pp?\.\s*[\d\u2013-]+)?(?:[\u2020:][^\]\u3011]{0,60})?\s*[\]\uff3d\u3011\u3015\u3017]"
    r"(?:\([^()\s]{0,400}\))?(?!\s*(?:[\u00b5\u03bcnmck]m\b|%|\u00b0|px\b|k?eV\b|kV\b))",
    re.IGNORECASE,
)
# An id of a passage in brackets, as the library calls it: [primer:25].
_ID = re.compile(r"\s?\[([a-z]+(?:-[0-9a-f]+)?:[\w.:-]{1,80})\]")
_SENTENCE = re.compile(r"(?:[^.!?\n]|[.!?](?=\w))+[.!?]*[\"\u201d\u00bb']?(?:\s*\[\d{1,3}\])*")
_DOI = re.compile(
    r"\s?\(?(?:https?://(?:dx\.)?doi\.org/|doi:\s?)?(10\.\d{4,9}/[^\s\"<>)\]]+)\)?", re.I
)
# Markup and addresses: an answer's words carry no picture and no link of their own.
_LINK = re.compile(
    r"!?\[([^\[\]]{0,200})\]\(\s*(?:https?|ftp|file|data|javascript):[^)]{0,800}\)?", re.I
)
_TAG = re.compile(r"</?(?:img|a|script|iframe|object|link|style|svg|form)\b[^>]{0,800}>", re.I)
_ADDRESS = re.compile(r"\s?\b(?:https?|ftp)://[^\s<>\"\]]+", re.I)
_NAME = r"(?<![\w'\u2019-])[A-Z\u00c0-\u017d][\w'\u2019-]{1,40}"  # bounded: a text is anyone's
_WHO = rf"({_NAME})(?:\s+et\s+al\.?|\s*(?:and|&)\s+{_NAME})"
# (Smith et al., 2019), (see Smith and Jones 2019; Doe, 2020, p. 4): in the manner of papers.
_ONE = (
    rf"{_NAME}(?:\s+et\s+al\.?|\s*(?:and|&)\s+{_NAME})?,?\s+(?:19|20)\d{{2}}[a-z]?"
    r"(?:,\s*pp?\.\s*[\d\u2013-]+)?"
)
_AUTHOR_YEAR = re.compile(rf"\s?[(\[](?:(?:see|cf\.|e\.g\.,?)\s+)?({_ONE}(?:;\s*{_ONE})*)[)\]]")
_YEAR = re.compile(r"\b(?:19|20)\d{2}\b")
# Smith et al. (2019) found: the same, told.
_TOLD = re.compile(rf"{_WHO}\s*\(((?:19|20)\d{{2}})[a-z]?\)")
_NOT_GIVEN = "a reference in no passage given"
_QUOTED = re.compile(
    r"\u201c([^\u201c\u201d]+)\u201d|\u201e([^\u201c\u201d\u201e]+)[\u201c\u201d]"
    r"|\u00ab([^\u00ab\u00bb]+)\u00bb|\"([^\"]+)\"|\u2039([^\u2039\u203a]+)\u203a"
    r"|\u300c([^\u300c\u300d]+)\u300d|\u2018([^\u2018\u2019]+)\u2019|`([^`]+)`"
)
#: From so many words on, words between marks are a quotation; fewer are a name or a term.
_QUOTATION_WORDS = 3
#: The same where a citation follows the mark at once.
_CITED_WORDS = 2
_CITES = re.compile(r"[.,;]?\s*\[\d{1,3}\]")
_NOT_QUOTED, _NOT_THERE = "(in no passage given)", "(not in the passage cited)"
_LONGEST_RANGE = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What the model thinks of one feature."""

    feature: str
    probability: float | None
    present: bool | None
    calibrated: bool


def read_probes(
    reply: Reply, calibration: LevelCalibration | None, present: Mapping[str, float]
) -> tuple[Seen, ...]:
    """Every probe as a probability, and whether the feature counts as present.

    `present` are thresholds by feature key that stand above the calibration's own.

    `clean` means that nothing else is there but artefacts and loose particles, so that it stands
    only where no other feature does.
    """
    seen = [_seen(key, probe, calibration, present) for key, probe in reply.probes.items()]
    others = {"clean", "artefact", "particle"}
    if any(s.present for s in seen if s.feature not in others):
        seen = [
            Seen(s.feature, s.probability, False, s.calibrated)
            if s.feature == "clean" and s.present
            else s
            for s in seen
        ]
    return tuple(seen)


def _seen(
    key: str, probe: Probe, calibration: LevelCalibration | None, present: Mapping[str, float]
) -> Seen:
    raw = probe.probability
    if raw is None:
        return Seen(key, None, None, calibrated=False)
    if calibration is None or key not in calibration.probes:
        return Seen(key, raw, raw >= present.get(key, 0.5), calibrated=False)
    probability = calibration.probes[key](raw)
    threshold = present.get(key, calibration.present.get(key, 0.5))
    return Seen(key, probability, probability >= threshold, calibrated=True)


@dataclass(frozen=True, slots=True)
class Cited:
    """A text whose citations and quotations are all real.

    `invented` counts the citations that were dropped, `unfounded` the words that were said to be
    quoted and stand in no passage given.
    """

    text: str
    citations: tuple[Citation, ...]
    invented: int
    unfounded: int = 0


def check(text: str, passages: Sequence[Passage], also: Sequence[str] = ()) -> Cited:
    """`text` with what it cites and quotes held against `passages`, in their order.

    `also` are texts that may be quoted without being literature, such as the question.
    """
    text, invented = _without_invented(visible(text), passages)
    text, unfounded = _without_unfounded(text, passages, also)
    return Cited(text, cited_in(text, passages), invented, unfounded)


def _without_invented(text: str, passages: Sequence[Passage]) -> tuple[str, int]:
    invented = 0
    known = [
        " ".join((p.text, p.title, p.authors, str(p.year or ""), p.doi or "", *p.sources))
        for p in passages
    ]

    def numbers(match: re.Match[str]) -> str:
        nonlocal invented
        asked = _numbers(match[1])
        given = [number for number in asked if 1 <= number <= len(passages)]
        invented += len(asked) - len(given)
        space = match[0][: len(match[0]) - len(match[0].lstrip())]
        return space + "".join(f"[{number}]" for number in given) if given else ""

    def doi(match: re.Match[str]) -> str:
        nonlocal invented
        wanted = match[1].rstrip(".,;").lower()
        if any(wanted in words.lower() for words in known):
            return match[0]
        invented += 1
        return match[1][len(wanted) :]  # the sentence keeps its full stop

    def is_known(name: str, year: str) -> bool:
        return any(name in words and year in words for words in known)

    def references(match: re.Match[str]) -> str:
        nonlocal invented
        told = re.split(r";\s*", match[1])
        kept = [one for one in told if is_known(one.split()[0].rstrip(","), _year(one))]
        invented += len(told) - len(kept)
        if len(kept) == len(told):
            return match[0]
        return f" ({'; '.join(kept)})" if kept else ""

    def told(match: re.Match[str]) -> str:
        nonlocal invented
        if is_known(match[1], match[2]):
            return match[0]
        invented += 1
        return _NOT_GIVEN

    def identified(match: re.Match[str]) -> str:
        nonlocal invented
        number = next((n for n, p in enumerate(passages, start=1) if p.id == match[1]), None)
        space = match[0][: len(match[0]) - len(match[0].lstrip())]
        invented += number is None
        return "" if number is None else f"{space}[{number}]"

    def plain(match: re.Match[str]) -> str:
        nonlocal invented
        invented += 1
        return match[1] if match.re is _LINK else ""

    def address(match: re.Match[str]) -> str:
        nonlocal invented
        wanted = match[0].strip().rstrip(".,;)")
        if any(wanted.lower() in words.lower() for words in known):
            return match[0]
        invented += 1
        return match[0].strip()[len(wanted) :]

    text = _MARKS.sub(numbers, _ID.sub(identified, text))
    text = _TAG.sub(plain, _LINK.sub(plain, text))
    text = _TOLD.sub(told, _AUTHOR_YEAR.sub(references, _DOI.sub(doi, text)))
    return _ADDRESS.sub(address, text), invented


def _year(reference: str) -> str:
    found = _YEAR.search(reference)
    return found[0] if found else ""


def _numbers(listed: str) -> list[int]:
    """The numbers of "1, 4-6", each once; a range of absurd length is its two ends."""
    found: dict[int, None] = {}
    for part in re.split(r"\s*(?:[,;&]|and)\s*", listed, flags=re.IGNORECASE):
        ends = [int(end[:9]) for end in re.split(r"\s*[\u2013-]\s*", part)]
        low, high = ends[0], ends[-1]
        found.update(
            dict.fromkeys(range(low, high + 1) if 0 <= high - low < _LONGEST_RANGE else ends)
        )
    return list(found)


def _without_unfounded(
    text: str, passages: Sequence[Passage], also: Sequence[str]
) -> tuple[str, int]:
    unfounded = 0
    sentences = [match.span() for match in _SENTENCE.finditer(text)]

    def marks(match: re.Match[str]) -> str:
        nonlocal unfounded
        words = next(group for group in match.groups() if group is not None)
        least = _CITED_WORDS if _CITES.match(text, match.end()) else _QUOTATION_WORDS
        if len(words.split()) < least:
            return match[0]
        sentence = next(
            (text[a:b] for a, b in sentences if a < match.end() <= b or a <= match.start() < b), ""
        )
        # A sentence may begin within the quotation: what follows it cites for it too.
        after = next((text[match.end() : b] for a, b in sentences if a < match.end() <= b), "")
        cited = cited_in(sentence + after, passages)
        ours = [passages[c.number - 1].text for c in cited]
        if not ours:
            ours = [*(passage.text for passage in passages), *also]
        if any(find(words, each) for each in ours):
            return match[0]
        unfounded += 1
        elsewhere = any(find(words, passage.text) for passage in passages)
        return f"{words} {_NOT_THERE if elsewhere else _NOT_QUOTED}"

    return _QUOTED.sub(marks, text), unfounded


def quotations(text: str, passage: Passage) -> tuple[tuple[int, int], ...]:
    """Where in the passage the words stand that a checked `text` quotes, as (start, end)."""
    spans = []
    for match in _QUOTED.finditer(text):
        words = next(group for group in match.groups() if group is not None)
        if len(words.split()) >= _QUOTATION_WORDS and (span := find(words, passage.text)):
            spans.append(span)
    return tuple(sorted(set(spans)))


def cited_in(text: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The citations that `text` makes, in order, each once."""
    numbers = dict.fromkeys(int(match[1]) for match in MARK.finditer(text))
    return tuple(
        Citation(number, passages[number - 1].id, passages[number - 1].locator)
        for number in numbers
        if 1 <= number <= len(passages)
    )


def citations_of(feature: str, text: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The citations in those sentences of `text` that name the feature."""
    names = [features.name_of(feature), feature.replace("_", " ")]
    names += [features.name_of(child) for child in features.children(feature)]
    words = re.compile(
        "|".join(rf"\b{re.escape(w)}" for n in names for w in re.split(r", | or ", n)),
        re.IGNORECASE,
    )
    sentences = [s for s in _SENTENCE.findall(text) if words.search(s)]
    return cited_in(" ".join(sentences), passages)
