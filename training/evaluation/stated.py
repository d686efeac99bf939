"""What a text states: which features it says are there or are not, and what verdict it gives.

By words alone, so that the same text always reads the same. It reads short English sentences
about micrographs; irony, long scopes of a "not" and other languages it does not read. What follows
"because", or the colon of a sentence about a defect, is a reason: it says of nothing that it is
there. Knows no truth and no grade.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Stated = Literal["defect", "no_defect", "depends", "contradictory"]

#: Words that name a parent. "crack front" is a way to speak of a break, "mirror blank" a product.
_WORDS: dict[str, str] = {
    "crack": r"(?:micro-?)?crack(?:s|ing|ed)?(?! front)|crazing|crazed|fissures?",
    "pore": r"pores?|porosity|porous|bubbles?|voids?|foam cells?",
    "inclusion": r"inclusions?|stones?|knots?|foreign bod(?:y|ies)|tin droplets?",
    "crystal": r"crystals?|crystallites?|crystalline|crystalli[sz]ation|devitrification|"
    r"devitrified|devitrite|cristobalite|tridymite|wollastonite|diopside",
    "phase_separation": r"phase[- ]separat(?:ion|ed)|spinodal|immiscibility",
    "inhomogeneity": r"cords?|tin side|striae?|inhomogeneit(?:y|ies)",
    "scratch": r"scratch(?:es|ed)?|chips?|chipping|abrasions?|abraded|chatter marks?",
    "corrosion": r"corrosion|corroded|weathering|weathered|pits?|pitting|leached layers?",
    "delamination": r"delaminat(?:ion|ed|ing)|lamellae?|peel(?:ing|ed)|flak(?:es?|ing)|blisters?",
    "coating_fault": r"coating (?:faults?|defects?)|pinholes?|agglomerates?",
    "deposit": r"deposits?|apatite layers?",
    "particle": r"particles?|particulates?|dust",
    "fracture_surface": r"fracture[- ]surface(?: marks?)?|fracture (?:marks?|mirrors?)|hackles?|"
    r"wallner lines?|arrest lines?",
    "fibre": r"fib(?:re|er)s?|filaments?",
    "clean": r"featureless|nothing above the noise|clean surface|no features?",
    "artefact": r"art[ei]facts?|charging|astigmatism|defocus|curtaining",
}
_NAMES = re.compile(
    "|".join(rf"(?P<{parent}>\b(?:{words})\b)" for parent, words in _WORDS.items()), re.IGNORECASE
)
_SENTENCE = re.compile(r"[^.!?\n]+(?:\.(?=\d)[^.!?\n]*)*[.!?]?")
_DENIES = re.compile(
    r"\b(?:no|not(?! only)|without|free (?:of|from)|absence of|lack of|neither|nor|never|none|"
    r"isn't|aren't|cannot see)\b",
    re.IGNORECASE,
)
#: What ends the reach of a "no" before a mention.
_BREAKS = re.compile(
    r"\b(?:but|however|although|though|yet|except|apart from|is|are|was|were|shows?|see|seen|"
    r"has|have|there)\b|;",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"^(?:-free\b|\s+(?:is|are|was|were)\s+(?:absent|not\b(?! (?:a|an|the|only)\b)|nowhere))", re.I
)
_REASON = re.compile(r"\b(?:because|since|as it|due to)\b", re.IGNORECASE)
_SUPPOSED = re.compile(r"^\s*(?:if|whether|unless)\b|\?\s*$", re.IGNORECASE)

_DEPENDS = re.compile(
    r"\bdepends?\b|\bundecided\b|\bcannot (?:be )?(?:told?|tell|said|say|judged?|decided?)\b|"
    r"\b(?:not enough|more) (?:about|context|information)\b",
    re.IGNORECASE,
)
_NOT_A_DEFECT = re.compile(
    r"\b(?:no|not|without|isn't|aren't|never)\s+(?:(?:a|an|any|considered|regarded|as|be|to)\s+){0,3}"
    r"(?:\w+\s+)?defects?\b|\bfree (?:of|from) (?:any )?defects?\b|\bnot defective\b|"
    r"\bdefect-free\b|\b(?:is|are) (?:harmless|intended|acceptable)\b",
    re.IGNORECASE,
)
_A_DEFECT = re.compile(r"\bdefects?\b|\bdefective\b", re.IGNORECASE)
_ASKS_WHETHER = re.compile(r"^(?:is|are|does|true or false)\b.*\bdefect", re.IGNORECASE)
_YES = re.compile(r"^\W*(?:yes|true)\b", re.IGNORECASE)
_NO = re.compile(r"^\W*(?:no|false)\s*(?:[.,;:!]|$)", re.IGNORECASE)
_LONGEST = 20_000  # characters that are read: a text is anyone's
_REACH = 200  # characters within which a "no" belongs to what it denies


@dataclass(frozen=True, slots=True)
class Named:
    """Parents that a text says are there, and that it says are not; one may be both."""

    affirmed: frozenset[str]
    denied: frozenset[str]

    @property
    def there(self) -> frozenset[str]:
        """What it says is there without saying the opposite too."""
        return self.affirmed - self.denied


def features_in(text: str) -> Named:
    """Which parents `text` says are there, and which it says are not."""
    affirmed: set[str] = set()
    denied: set[str] = set()
    for sentence in _sentences(text):
        if _SUPPOSED.search(sentence):
            continue
        claimed = _claimed(sentence)
        for mention in _NAMES.finditer(claimed):
            parent = str(mention.lastgroup)
            own = parent == "clean"  # its words hold their "no" themselves
            (denied if not own and _is_denied(claimed, mention) else affirmed).add(parent)
    return Named(frozenset(affirmed), frozenset(denied))


def mentioned(text: str) -> frozenset[str]:
    """Every parent that `text` names, whatever it says of it."""
    return frozenset(str(mention.lastgroup) for mention in _NAMES.finditer(text[:_LONGEST]))


def verdict(text: str, question: str = "") -> Stated | None:
    """The verdict that `text` gives, or None where it gives none.

    A bare yes or no counts where `question` asks whether there is a defect. One feature that is a
    defect beside another that is none makes a defect; anything else that says both is
    contradictory, and agrees with no truth.
    """
    said: dict[str, list[frozenset[str]]] = {"defect": [], "no_defect": [], "depends": []}
    if _ASKS_WHETHER.search(question.strip().rsplit("\n", 1)[-1]):
        if _YES.search(text):
            said["defect"].append(frozenset())
        elif _NO.search(text):
            said["no_defect"].append(frozenset())
    for sentence in _sentences(text):
        if _DEPENDS.search(sentence):
            said["depends"].append(frozenset())
            continue
        if _SUPPOSED.search(sentence):
            continue
        claimed = _claimed(sentence)
        for clause in re.split(r"[,;]|\b(?:but|while|whereas)\b", claimed):
            about = mentioned(clause)
            # "coating defects" name a feature.
            plain = _NAMES.sub(lambda m: "feature" if "efect" in m[0] else m[0], clause)
            if _NOT_A_DEFECT.search(plain):
                said["no_defect"].append(about)
                plain = _NOT_A_DEFECT.sub("", plain)
            if _A_DEFECT.search(plain):
                said["defect"].append(about)
    given = [label for label, abouts in said.items() if abouts]
    if len(given) < 2:
        return given[0] if given else None  # type: ignore[return-value]  # the keys above
    if given == ["defect", "no_defect"]:
        faulty = frozenset().union(*said["defect"])
        if faulty and all(about and not about & faulty for about in said["no_defect"]):
            return "defect"
    return "contradictory"


def sentences(text: str) -> list[str]:
    """The sentences of `text`, as they are read here."""
    return _sentences(text)


def _sentences(text: str) -> list[str]:
    return [found for found in _SENTENCE.findall(text[:_LONGEST]) if found.strip()]


def _claimed(sentence: str) -> str:
    """The sentence without its reason."""
    sentence = _REASON.split(sentence, maxsplit=1)[0]
    head, colon, _ = sentence.partition(":")
    return head if colon and _A_DEFECT.search(head) else sentence


def _is_denied(sentence: str, mention: re.Match[str]) -> bool:
    before = sentence[max(0, mention.start() - _REACH) : mention.start()]
    last = None
    for last in _DENIES.finditer(before):  # noqa: B007  # the last one is wanted
        pass
    if last is not None and not _BREAKS.search(before[last.end() :]):
        return True
    return bool(_DENIED_AFTER.match(sentence[mention.end() : mention.end() + _REACH]))
