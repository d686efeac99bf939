"""Which split a sample belongs to: by lot and sample, never by micrograph.

What shares a lot, a sample or its bytes stays together, or a model would be judged on a piece of
glass that it was trained on. From ten groups on, the share that one falls into is decided by its
name, so that a later export with more samples moves as few as possible. Knows nothing of
conversations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

#: (split, up to which share of the names it reaches).
_SHARES = (("train", 0.8), ("validation", 0.9), ("test", 1.0))
#: Below this, shares by hash would often leave a split empty.
_FEW = 10
SPLITS = tuple(name for name, _ in _SHARES)


def together(marks: Sequence[Sequence[str]]) -> list[str]:
    """For each thing, the name of its group: things that share a mark are in one.

    The name is the first of the group's marks in the order of the alphabet.
    """
    parent: dict[str, str] = {}

    def root(mark: str) -> str:
        parent.setdefault(mark, mark)
        while parent[mark] != mark:
            parent[mark] = parent[parent[mark]]
            mark = parent[mark]
        return mark

    for own in marks:
        for mark in own:
            first, second = sorted((root(own[0]), root(mark)))
            parent[second] = first
    return [root(own[0]) for own in marks]


def split_of(sizes: Mapping[str, int]) -> dict[str, str]:
    """The split of each group, from how many micrographs it has.

    Of ten groups and more, eight in ten are of train, one of validation, one of test, by the hash
    of their names; a split that is missed takes the name that is nearest. Of fewer, the smallest
    is of validation, without which nothing is trained, and the next of test.
    """
    if len(sizes) < _FEW:
        small = sorted(sizes, key=lambda name: (sizes[name], _place(name), name))
        held = zip(small[: len(small) - 1], ("validation", "test"), strict=False)
        return dict.fromkeys(sizes, "train") | dict(held)
    at = {name: _place(name) for name in sizes}
    order = sorted(at, key=lambda name: (-at[name], name))
    found = {name: next(split for split, end in _SHARES if at[name] < end) for name in order}
    for wanted in ("test", "validation"):
        if wanted not in found.values():
            found[next(name for name in order if found[name] == "train")] = wanted
    return found


def _place(name: str) -> float:
    """A number in [0, 1) that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32
