"""The vocabulary: what can be seen on a micrograph of glass, and its parents.

A key names what is seen, never whether it is bad; `rules` says that, for a sample. The table is
`features.csv`; names follow ASTM C162 (product flaws), C1256, C1322 and C1678 (fracture marks).
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

from glassllava.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The probe keys: a model that cannot tell children apart is asked about, and answers with, these.
PARENTS: Mapping[str, str] = MappingProxyType(
    {
        "crack": "crack",
        "pore": "pore or bubble",
        "inclusion": "inclusion",
        "crystal": "crystal",
        "phase_separation": "phase separation",
        "inhomogeneity": "cord or tin side",
        "scratch": "scratch, chip or abrasion",
        "corrosion": "corrosion",
        "delamination": "delamination",
        "coating_fault": "coating fault",
        "deposit": "deposit",
        "particle": "particle",
        "fracture_surface": "fracture surface mark",
        "fibre": "fibre",
        "clean": "featureless surface",
        "artefact": "imaging or preparation artefact",
    }
)


@dataclass(frozen=True, slots=True)
class Feature:
    """One entry of the vocabulary."""

    key: str
    parent: str
    name: str
    definition: str


@cache
def vocabulary() -> Mapping[str, Feature]:
    """Every child key with its entry, in the order of the table."""
    text = resources.files("glassllava").joinpath("features.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return MappingProxyType({row["key"]: Feature(**row) for row in rows})


@cache
def children(parent: str) -> tuple[str, ...]:
    """The child keys of `parent`, in the order of the table."""
    return tuple(key for key, feature in vocabulary().items() if feature.parent == parent)


def parent_of(key: str) -> str:
    """The probe key that answers for `key`; a parent answers for itself.

    A few words (`scratch`, `fibre`) name both a parent and one of its children.

    Raises
    ------
    BadInput : for a word that is no feature key, naming the nearest ones.
    """
    if key in PARENTS:
        return key
    if key in vocabulary():
        return vocabulary()[key].parent
    near = difflib.get_close_matches(key, [*PARENTS, *vocabulary()], n=3)
    raise BadInput(
        f"'{key}' is not a feature key",
        remedy=f"Did you mean {', '.join(near)}?" if near else f"Known: {', '.join(PARENTS)}.",
    )


def name_of(key: str) -> str:
    """The words a person reads for `key`."""
    if key in PARENTS:
        return PARENTS[key]
    return vocabulary()[key].name


def is_artefact(key: str) -> bool:
    return parent_of(key) == "artefact"
