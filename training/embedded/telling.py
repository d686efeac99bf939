"""What the embedded model is taught to say: short sentences from the truth and the rules.

Every word follows from what is on the micrograph and what the context rules say of it; a passage
is cited only if it was in the prompt and names the feature. Numbers are left to the record: a
language model of this size would copy them wrongly. What a micrograph cannot tell is answered with
what would tell it. Knows no token and no tensor; the questions are in `questions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glassllava import features
from training.embedded import questions

Rng = np.random.Generator
Record = Mapping[str, Any]

#: How each parent looks, in the words of the vocabulary.
LOOKS: Mapping[str, tuple[str, ...]] = {
    "crack": ("a thin dark line with sharp tips", "a narrow opening that runs across the field"),
    "pore": ("rounded dark holes", "voids with shaded walls"),
    "inclusion": ("a foreign body in the matrix", "a lump of another grey than the glass"),
    "crystal": ("grown grains with their own shape", "crystals in the glassy matrix"),
    "phase_separation": ("a texture of two glasses", "droplets or a labyrinth of a second glass"),
    "inhomogeneity": ("a band of slightly other grey", "streaks without a sharp edge"),
    "scratch": ("mechanical damage of the surface", "grooves or scars from contact"),
    "corrosion": ("an attacked surface", "traces of chemical attack"),
    "delamination": ("a film or flake that has come off", "lifted or lost patches of a layer"),
    "coating_fault": ("a local fault of the film", "small holes or clumps in the coating"),
    "deposit": ("a grown layer on the surface", "globules of a deposited layer"),
    "particle": ("loose matter on top of the surface", "specks that lie on the surface"),
    "fracture_surface": ("marks of the break", "ridges or arcs left by the crack front"),
    "fibre": ("long cylinders", "a thread of even width"),
    "clean": ("an even grey without features", "nothing above the noise"),
    "artefact": ("traces of imaging or preparation", "a fault of the image, not of the glass"),
}
#: Where the bare name would not read well after "I see".
_AS_SEEN: Mapping[str, str] = {
    "crack": "a crack",
    "pore": "a pore or bubble",
    "inclusion": "an inclusion",
    "crystal": "crystals",
    "inhomogeneity": "a cord or tin side",
    "scratch": "a scratch, chip or abrasion",
    "coating_fault": "a coating fault",
    "deposit": "a deposit",
    "particle": "a particle",
    "fracture_surface": "a fracture surface mark",
    "fibre": "a fibre",
    "clean": "a featureless surface",
}
#: What decides where the look alone does not: the tests of the vocabulary's page, by parent.
NEXT: Mapping[str, str] = {
    "crack": "tilt the specimen and look whether both lips match",
    "pore": "look at a polished section, and rinse it: a pore stays",
    "inclusion": "an EDS analysis of the body and its rim",
    "crystal": "XRD or Raman for the phase, EDS for the elements",
    "phase_separation": "etch a fresh fracture for several times and compare",
    "inhomogeneity": "an EDS line scan across it, with the stage turned",
    "scratch": "a higher tilt, to see debris and cracks beside it",
    "corrosion": "EDS for salts, and a section for the depth of the attack",
    "delamination": "a section, and EDS on both sides of the edge",
    "coating_fault": "a section through it, and EDS in the hole",
    "deposit": "EDS and XRD of the layer",
    "particle": "rinse or blow it off: what goes was dust",
    "fracture_surface": "follow the marks back to the origin and judge the flaw there",
    "fibre": "the diameter of several fibres in section",
    "clean": "other fields, and a higher magnification",
    "artefact": "take the image again with a clean, coated specimen",
}
#: What a micrograph does not tell, and what would.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "composition": (
        "The micrograph alone does not tell; an EDS analysis is needed.",
        "Grey is not composition: more information is needed, an EDS analysis.",
    ),
    "depth": (
        "Depth is not seen from above; a section or a tilt series is needed.",
        "From above that cannot be told; more information is needed, a section.",
    ),
    "phase": (
        "Shape alone does not name a phase; XRD or Raman is needed.",
        "That cannot be told from the image; Raman or XRD is needed.",
    ),
    "cause": (
        "The image shows what is there, not its cause; the history of the process is needed.",
        "The cause is not on the micrograph; more information about the process is needed.",
    ),
    "maker": (
        "That is not on the micrograph; more information is needed.",
        "The image does not say; the sample's papers would tell.",
    ),
    "temperature": (
        "No temperature is seen on a micrograph; the furnace log is needed.",
        "That cannot be told from the image; more information is needed, the furnace log.",
    ),
    "strength": (
        "The image does not measure that; a mechanical test is needed.",
        "That cannot be told from the image; more information is needed, a mechanical test.",
    ),
    "colour": (
        "Electrons show no colour; look at it under an optical microscope.",
        "A micrograph of electrons does not tell; an optical image is needed.",
    ),
}
_NO_TRUTH_YET = "More about the sample is needed to say whether it is a defect."
_UNTOLD = "Whether it is a defect depends on the sample, of which nothing was told."


def describe(record: Record, context: Record, level: str, rng: Rng) -> str:
    """What is there, how it looks, and what that means for this sample as far as it is told."""
    return f"{_seen(record, rng)} {_meaning(context, level)}"


def converse(record: Record, context: Record, level: str, rng: Rng) -> tuple[str, str]:
    """A question that a person might ask, and its answer."""
    topic, question = questions.ask(rng)
    return question, answer(topic, record, context, level, rng)


def answer(topic: str, record: Record, context: Record, level: str, rng: Rng) -> str:
    """What is right to say about a topic of `questions`, or to its default question ("all")."""
    if topic in _NEEDS:
        return _one(_NEEDS[topic], rng)
    if topic == "all":
        return describe(record, context, level, rng)
    if topic == "what":
        return _seen(record, rng)
    if topic == "whether":
        if _untold(context, level):
            return f"I cannot say. {_UNTOLD}"
        opening = {True: "Yes.", False: "No.", None: "It is open."}[context["defect"]]
        return f"{opening} {_meaning(context, level)}"
    if topic == "why":
        return _meaning(context, level)
    if topic in ("many", "large"):
        return _amount(topic, record, context["levels"][level]["prefix"])
    if topic == "where":
        return _places(record)
    if topic == "next":
        return _next(record, context, level)
    if topic == "trust":
        return _trust(record)
    raise ValueError(f"nobody is taught to answer about '{topic}'")


def _seen(record: Record, rng: Rng) -> str:
    sentences = [
        f"I see {_AS_SEEN.get(p, _name(p))}: {_one(LOOKS[p], rng)}." for p in _parents(record)
    ]
    if "artefact" in record["present"]:
        sentences.append("There are imaging or preparation artefacts.")
    return " ".join(sentences)


def _parents(record: Record) -> list[str]:
    return [p for p in features.PARENTS if p in record["present"] and p != "artefact"]


def _untold(context: Record, level: str) -> bool:
    return level == "none" or context["levels"][level]["given"] == "none"


def _meaning(context: Record, level: str) -> str:
    """The verdict in a sentence, exactly that of the context."""
    if _untold(context, level):
        return _UNTOLD
    defect = context["defect"]
    wanted = {True: "defect", False: "no_defect", None: "depends"}[defect]
    deciding = [t for t in context["truths"] if t["verdict"] == wanted]
    if not deciding:
        return _NO_TRUTH_YET
    first = deciding[0]
    names = list(dict.fromkeys(_name(features.parent_of(t["key"])) for t in deciding))
    mark = cited(first["key"], context["levels"][level]["passages"])
    told = f"{first['reason'].split(';')[0]}{mark}"
    if context["levels"][level]["given"] == "basic":
        # The reason may lie in what was not told.
        told = "as far as the material alone tells"
    if defect is True:
        verb = "is" if len(names) == 2 else "are"
        also = f" So {verb} the {' and the '.join(names[1:])}." if names[1:] else ""
        return f"For this sample the {names[0]} is a defect: {told}.{also}"
    if defect is False:
        return f"For this sample this is no defect: {told}."
    return f"For this sample it depends: {told}."


def _amount(topic: str, record: Record, prefix: str) -> str:
    """Number or size in words; figures stay with the measurements, which tell them right."""
    if "clean" in record["present"] or not _parents(record):
        return "There is nothing to count or to measure on it."
    if topic == "many":
        lead = _parents(record)[0]
        counts = [t.get("count") for t in record.get("truths", ()) if t.get("parent") == lead]
        known = sum(counts) if counts and all(c is not None for c in counts) else None
        said = "I do not count them." if known is None else f"{_in_words(known)} of the first kind."
    elif "no scale" in prefix:
        return "The micrograph has no scale: sizes are known in pixels alone."
    else:
        said = "I do not read sizes off the image."
    if "Measured:" in prefix:
        return f"{said} The measurements list their number and size."
    return f"{said} The measurements in this record give counts and sizes."


def _in_words(count: int) -> str:
    return "One" if count == 1 else "A few" if count <= 5 else "Many"


def _places(record: Record) -> str:
    """Where each feature is, by the thirds of the picture, if the record says so."""
    if "clean" in record["present"] or not _parents(record):
        return "Nothing stands out anywhere on it."
    centres = record.get("centres", {})
    said = [f"the {_name(p)} {_third(centres[p])}" for p in _parents(record) if p in centres]
    if not said:
        return "The regions in this record mark where it is."
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}. The regions in this record mark it."


def _third(centre: Sequence[float]) -> str:
    x, y = centre
    row = "top" if y < 1 / 3 else "bottom" if y > 2 / 3 else ""
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    if not row and not column:
        return "in the centre"
    return f"at the {' '.join(part for part in (row, column) if part)}"


def _next(record: Record, context: Record, level: str) -> str:
    parents = _parents(record) or ["artefact"]
    defects = [features.parent_of(t["key"]) for t in context["truths"] if t["verdict"] == "defect"]
    lead = defects[0] if defects and not _untold(context, level) else parents[0]
    said = f"For the {_name(lead)}: {NEXT[lead]}."
    if _untold(context, level):
        return f"{said} Tell the material and the process too."
    if context["defect"] is None:
        return f"{said} More about the sample would help as well."
    return said


def _trust(record: Record) -> str:
    if "artefact" not in record["present"]:
        return "I see no sign of an imaging or preparation artefact."
    known = [key for key in record.get("artefacts", ()) if key in features.vocabulary()]
    names = " and ".join(short_name(key) for key in known[:2])
    told = f": {names}" if names else ""
    return f"With care: there are traces of imaging or preparation on it{told}."


def short_name(key: str) -> str:
    """The first of the names a vocabulary entry has, without what stands in brackets."""
    return re.sub(r" \([^)]*\)", "", features.name_of(key)).split(", ")[0]


def cited(key: str, passages: Sequence[str]) -> str:
    """' [n]' of the first passage that names the feature, or nothing."""
    names = {
        key.replace("_", " "),
        features.name_of(key),
        features.name_of(features.parent_of(key)),
    }
    words = {word for name in names for word in re.split(r", | or | / ", name) if len(word) > 3}
    pattern = re.compile("|".join(rf"\b{re.escape(word.lower())}" for word in sorted(words)))
    for number, passage in enumerate(passages, start=1):
        if pattern.search(passage.lower()):
            return f" [{number}]"
    return ""


def _name(parent: str) -> str:
    return features.name_of(parent)


def _one(options: Sequence[str], rng: Rng) -> str:
    return options[int(rng.integers(len(options)))]
