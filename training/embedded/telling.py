"""What the embedded model is taught to say: short sentences from the truth and the rules.

Every word follows from what is on the micrograph and what the context rules say of it; a passage
is cited only if it was in the prompt and names the feature. Numbers are left to the record: a
language model of this size would copy them wrongly. Knows no token and no tensor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glassllava import features
from glassllava.prompt import DEFAULT_QUESTION

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
_SAYS_WHAT = (DEFAULT_QUESTION, "What do you see?", "What is it?", "What is on this micrograph?")
_SAYS_WHETHER = ("Is it a defect?", "Is this a defect for this sample?", "Should I reject it?")
_SAYS_WHY = ("Why?", "Why is that so?", "What does it mean for this sample?")
_TRUST = ("Can I trust this image?", "Is there any artefact?", "Is the image spoiled?")
_CANNOT = (
    ("What is its composition?", "The micrograph alone does not tell; an EDS analysis is needed."),
    ("How deep is it?", "Depth is not seen from above; a section or a tilt series is needed."),
    ("How many are there?", "The measurements in this record give counts and sizes."),
    ("How large is it?", "The measurements in this record give counts and sizes."),
    ("Who made this sample?", "That is not on the micrograph; more information is needed."),
)


def describe(record: Record, context: Record, level: str, rng: Rng) -> str:
    """What is there, how it looks, and what that means for this sample as far as it is told."""
    passages = context["levels"][level]["passages"]
    return f"{_seen(record, rng)} {_meaning(context, level, passages)}"


def converse(record: Record, context: Record, level: str, rng: Rng) -> tuple[str, str]:
    """A question that a person might ask, and its answer."""
    passages = context["levels"][level]["passages"]
    draw = rng.random()
    if draw < 0.5:
        question = DEFAULT_QUESTION if rng.random() < 0.6 else _one(_SAYS_WHAT, rng)
        return question, f"{_seen(record, rng)} {_meaning(context, level, passages)}"
    if draw < 0.65:
        return _one(_SAYS_WHETHER, rng), _meaning(context, level, passages)
    if draw < 0.75:
        return _one(_SAYS_WHY, rng), _meaning(context, level, passages)
    if draw < 0.85:
        spoiled = "artefact" in record["present"]
        return _one(_TRUST, rng), (
            "With care: there are traces of imaging or preparation on it."
            if spoiled
            else "I see no sign of an imaging or preparation artefact."
        )
    question, answer = _CANNOT[int(rng.integers(len(_CANNOT)))]
    return question, answer


def _seen(record: Record, rng: Rng) -> str:
    parents = [p for p in features.PARENTS if p in record["present"] and p != "artefact"]
    sentences = [f"I see {_AS_SEEN.get(p, _name(p))}: {_one(LOOKS[p], rng)}." for p in parents]
    if "artefact" in record["present"]:
        sentences.append("There are imaging or preparation artefacts.")
    return " ".join(sentences)


def _meaning(context: Record, level: str, passages: Sequence[str]) -> str:
    if level == "none" or context["levels"][level]["given"] == "none":
        return "Whether it is a defect depends on the sample, of which nothing was told."
    defect = context["defect"]
    wanted = {True: "defect", False: "no_defect", None: "depends"}[defect]
    deciding = next((t for t in context["truths"] if t["verdict"] == wanted), None)
    if deciding is None:
        return "More about the sample is needed to say whether it is a defect."
    name = _name(features.parent_of(deciding["key"]))
    mark = cited(deciding["key"], passages)
    reason = deciding["reason"].split(";")[0]
    if defect is True:
        return f"For this sample the {name} is a defect: {reason}{mark}."
    if defect is False:
        return f"For this sample this is no defect: {reason}{mark}."
    return f"For this sample it depends: {reason}{mark}."


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
