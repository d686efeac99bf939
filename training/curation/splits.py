"""Which split a figure belongs to: by paper, never by image, and each split sees each kind of look.

Papers that are one work (DOI or title) or that share a picture go together. Groups are dealt out
from the largest to the smallest, each to the split that has most room for it, in all and look by
look (clusters of embeddings); so in a hundred orders, of which the one that leaves the fewest looks
out is taken. A paper that has a split keeps it when others come, so that a model's test figures
never become its lessons. Knows no pixels.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType

from glassllava.errors import BadInput
from training.curation.figure import Figure

#: Of the figures; the paper had 404 of 481 images to train on.
SHARES = MappingProxyType({"train": 0.8, "validation": 0.1, "test": 0.1})
_SHORTEST_TITLE = 20
#: Orders in which groups are dealt out, of which the most even is taken.
_TRIES = 100
#: What a counted figure weighs beside one that is not.
_ONE = 100
#: How far the splits together may be from their shares where that covers more looks.
_CLOSE = 0.06
#: Of groups or splits, how much of each look they hold.
_Counts = dict[str, Counter[int]]


def checked_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """The shares, which are of one.

    Raises
    ------
    BadInput : where they are not positive or do not add up to 1, or a split's name names no file.
    """
    told = ", ".join(f"{name} {share:g}" for name, share in shares.items())
    if not shares or not all(math.isfinite(s) and s > 0 for s in shares.values()):
        raise BadInput(f"These are no shares of splits: {told}", remedy="Give each more than 0.")
    if abs(sum(shares.values()) - 1) > 0.001:
        raise BadInput(
            f"The shares of the splits add up to {sum(shares.values()):g}: {told}",
            remedy="Give shares that add up to 1, as train=0.8 validation=0.1 test=0.1.",
        )
    if odd := [name for name in shares if not re.fullmatch(r"[a-z][a-z_-]{0,39}", name)]:
        raise BadInput(f"'{odd[0]}' cannot name a split", remedy="Use small letters.")
    return dict(shares)


def read_shares(words: Sequence[str]) -> dict[str, float]:
    """Shares as a person writes them: "train=0.9", "test=0.1".

    Raises
    ------
    BadInput : where one is not written so, or together they are none.
    """
    told: dict[str, float] = {}
    for word in words:
        name, _, share = word.partition("=")
        try:
            told[name] = float(share)
        except ValueError as error:
            raise BadInput(
                f"'{word}' is no share of a split", remedy="Write it as train=0.8."
            ) from error
    return checked_shares(told)


def title_key(title: str) -> str:
    """A title without case, accents and signs; "" for one too short to be anyone's own."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    key = "".join(sign for sign in plain if sign.isalnum())
    return key if len(key) >= _SHORTEST_TITLE else ""


def groups_of(figures: Sequence[Figure], same: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{paper: the group it goes with}, named by the first of its papers.

    `same` are pairs of ids of figures that show the same, in one paper or two.
    """
    leader: dict[Hashable, Hashable] = {}

    def first(one: Hashable) -> Hashable:
        while (other := leader.setdefault(one, one)) != one:
            leader[one] = leader[other]
            one = other
        return one

    paper_of = {figure.id: figure.paper for figure in figures}
    joined: list[tuple[Hashable, Hashable]] = [(paper_of[a], paper_of[b]) for a, b in same]
    for figure in figures:
        if figure.doi:
            joined.append((figure.paper, ("doi", figure.doi.lower())))
        if key := title_key(figure.title):
            joined.append((figure.paper, ("title", key)))
    for one, other in joined:
        leader[first(one)] = first(other)
    named: dict[Hashable, str] = {}
    found = {}
    for paper in sorted(set(paper_of.values())):
        found[paper] = named.setdefault(first(paper), paper)
    return found


def deal(
    figures: Sequence[Figure],
    groups: Mapping[str, str],
    *,
    clusters: Mapping[str, int] | None = None,
    shares: Mapping[str, float] = SHARES,
    seed: int = 0,
    known: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """{paper: its split}, the same for the same figures, seed and shares in any order.

    Parameters
    ----------
    clusters : of figures by id; a figure that has none counts as of one more cluster. Figures that
        repeat another, or are no micrographs, are not counted.
    known : splits that papers have already. A group that has two keeps the one of more figures.

    Raises
    ------
    BadInput : for shares that are none.
    """
    shares = checked_shares(shares)
    clusters, known = clusters or {}, known or {}
    held: _Counts = defaultdict(Counter)
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for figure in figures:
        group = groups[figure.paper]
        counts = not figure.duplicate_of and figure.kind != "other"
        # What is not counted weighs a little: also papers without micrographs are dealt out.
        held[group][clusters.get(figure.id, -1)] += _ONE if counts else 1
        if known.get(figure.paper) in shares:
            votes[group][known[figure.paper]] += 1
    if not held:
        return {}
    names = list(shares)
    lasting = {
        group: max(count, key=lambda name: (count[name], -names.index(name)))
        for group, count in sorted(votes.items())
    }
    tries = (_dealt(held, lasting, shares, seed, attempt) for attempt in range(_TRIES))
    decided = min(tries, key=lambda decided: _unevenness(decided, held, shares))
    return {paper: decided[group] for paper, group in groups.items()}


def _dealt(
    held: _Counts, lasting: Mapping[str, str], shares: Mapping[str, float], seed: int, attempt: int
) -> dict[str, str]:
    """{group: split}, the largest groups first; a later attempt takes some sooner, some later."""
    drawn = random.Random(f"{seed} {attempt}")
    total = sum(held.values(), Counter())
    given: _Counts = {name: Counter() for name in shares}
    sizes = {group: held[group].total() for group in sorted(held)}
    keys = {
        group: (-size * (drawn.uniform(0.3, 1.7) if attempt else 1), _drawn(seed, group))
        for group, size in sizes.items()
    }
    decided: dict[str, str] = {}
    for group in sorted(held, key=lambda group: (group not in lasting, keys[group])):
        split = lasting.get(group) or _neediest(held[group], given, total, shares, seed)
        decided[group] = split
        given[split].update(held[group])
    _fill_empty(decided, sizes, lasting, shares, seed)
    return decided


def _unevenness(decided: Mapping[str, str], held: _Counts, shares: Mapping[str, float]) -> float:
    """The share of looks that splits miss, and how far the splits are from their shares."""
    total = sum(held.values(), Counter())
    given: _Counts = {name: Counter() for name in shares}
    for group, split in decided.items():
        given[split].update(held[group])
    missed = sum(not given[name][look] for name in shares for look in total)
    away = sum(abs(given[name].total() / total.total() - shares[name]) for name in shares)
    return missed / (len(shares) * len(total)) + 3 * max(0.0, away - _CLOSE) + 0.01 * away


def _neediest(
    held: Counter[int],
    given: _Counts,
    total: Counter[int],
    shares: Mapping[str, float],
    seed: int,
) -> str:
    """The split into which most more of such groups fit: in all, and look by look."""
    size = held.total()

    def room(split: str) -> tuple[float, str]:
        share, mine = shares[split], given[split]
        whole = (share * total.total() - mine.total()) / size
        looks = sum(share * total[look] - mine[look] for look in held) / size
        return whole + looks, _drawn(seed, split)

    return max(shares, key=room)


def _fill_empty(
    decided: dict[str, str],
    sizes: Mapping[str, int],
    fixed: Collection[str],
    shares: Mapping[str, float],
    seed: int,
) -> None:
    """Give a split that has nothing the smallest group of one that has several."""
    for empty in shares:
        if empty in decided.values():
            continue
        counts = Counter(decided.values())
        free = [g for g, split in decided.items() if counts[split] > 1 and g not in fixed]
        if free:
            decided[min(free, key=lambda g: (sizes[g], _drawn(seed, g)))] = empty


def _drawn(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
