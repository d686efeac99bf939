"""Splits go by paper: the same each time, near their shares, and over every look."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from glassllava.errors import BadInput
from training.curation.figure import Figure
from training.curation.splits import SHARES, deal, groups_of, read_shares


def papers(count, seed=0, looks=6):
    drawn = random.Random(seed)
    figures, clusters = [], {}
    for paper in range(count):
        own = drawn.randrange(looks)
        for number in range(drawn.randint(1, 12)):
            figure = Figure(f"{paper}-{number}", "images/x.png", f"p{paper:03}", kind="sem")
            figures.append(figure)
            clusters[figure.id] = own if drawn.random() < 0.7 else drawn.randrange(looks)
    return figures, clusters


@pytest.mark.parametrize("seed", range(4))
def test_shares_are_kept_and_every_look_is_in_every_split(seed):
    figures, clusters = papers(72, seed)
    splits = deal(figures, groups_of(figures, ()), clusters=clusters, seed=seed)
    counts = Counter(splits[figure.paper] for figure in figures)
    for name, share in SHARES.items():
        assert counts[name] / len(figures) == pytest.approx(share, abs=0.02)
    seen = Counter((splits[figure.paper], clusters[figure.id]) for figure in figures)
    assert all(seen[name, look] for name in SHARES for look in range(6))


def test_the_order_of_figures_does_not_matter_and_the_seed_does():
    figures, clusters = papers(40)
    groups = groups_of(figures, ())
    first = deal(figures, groups, clusters=clusters, seed=1)
    mixed = random.Random(5).sample(figures, len(figures))
    assert deal(mixed, groups_of(mixed, ()), clusters=clusters, seed=1) == first
    assert deal(figures, groups, clusters=clusters, seed=2) != first


def test_what_is_one_work_or_shows_the_same_goes_together():
    long = "A study of seeds in made-up float glass"
    figures = [
        Figure("a", "x.png", "pdf-1", doi="10.5555/X"),
        Figure("b", "x.png", "pdf-2", doi="10.5555/x"),
        Figure("c", "x.png", "pdf-3", title=long),
        Figure("d", "x.png", "pdf-4", title=long.upper() + "."),
        Figure("e", "x.png", "pdf-5", title="Glass"),
        Figure("f", "x.png", "pdf-6", title="Glass"),
    ]
    groups = groups_of(figures, [("b", "c")])
    assert len({groups[f"pdf-{n}"] for n in (1, 2, 3, 4)}) == 1
    assert len(set(groups.values())) == 3


def test_papers_keep_their_split_when_others_come():
    figures, clusters = papers(30)
    before = deal(figures, groups_of(figures, ()), clusters=clusters)
    more, others = papers(60, seed=1)
    more = [Figure("n" + f.id, f.image, "n" + f.paper, kind="sem") for f in more]
    clusters |= {"n" + key: look for key, look in others.items()}
    together = [*figures, *more]
    after = deal(together, groups_of(together, ()), clusters=clusters, known=before)
    assert {paper: after[paper] for paper in before} == before
    counts = Counter(after[figure.paper] for figure in together)
    assert counts["test"] / len(together) == pytest.approx(0.1, abs=0.03)


def test_no_split_is_empty_where_there_are_papers_for_all():
    figures = [Figure(f"{p}{n}", "x.png", p, kind="sem") for p in "abc" for n in range(9)]
    assert sorted(deal(figures, groups_of(figures, ())).values()) == sorted(SHARES)


@pytest.mark.parametrize("shares", [{}, {"train": 1.1}, {"train": 0.9, "test": 0.0},
                                    {"train": float("nan")}, {"../x": 1.0}])  # fmt: skip
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(BadInput):
        deal([], {}, shares=shares)


def test_shares_are_read_as_they_are_written():
    assert read_shares(["train=0.9", "test=.1"]) == {"train": 0.9, "test": 0.1}
    for words in (["train"], ["train=much"], ["train=0.5", "test=0.4"]):
        with pytest.raises(BadInput):
            read_shares(words)
