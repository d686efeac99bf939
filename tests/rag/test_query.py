"""What narrows a search: materials, processes and years as people write them."""

from __future__ import annotations

import argparse
import json

import pytest

from glassllava.errors import BadInput
from glassllava.literature import Passage
from rag.cli import add_commands
from rag.passages import Entry
from rag.query import Where


def entry(text="Words.", year=None, materials=()):
    return Entry(Passage("p:1", text, "Title", year=year), (), tuple(materials))


@pytest.mark.parametrize(
    ("words", "years", "other"),
    [
        ("2015", (2015, 2015), 2016),
        ("2010-2020", (2010, 2020), 2009),
        ("2010–2020", (2010, 2020), 2021),
        ("2010-", (2010, None), 2009),
        ("-2020", (None, 2020), 2021),
    ],
)
def test_years_are_a_year_or_a_range(words, years, other):
    where = Where.of(years=words)
    assert where.years == years
    assert all(where.allows(entry(year=year)) for year in years if year)
    assert not where.allows(entry(year=other))
    assert not where.allows(entry())  # of no year is of none


@pytest.mark.parametrize("words", ["-", "20", "2020-2010", "2015 2016", "two", "2015-16"])
def test_other_years_are_refused(words):
    with pytest.raises(BadInput):
        Where.of(years=words)


def test_a_label_counts_before_words():
    where = Where.of(material="float glass")
    assert where.materials == {"float"}
    assert where.allows(entry(materials=["container", "float"]))
    assert where.allows(entry("Cords in Float  glass of 1960."))
    assert not where.allows(entry("Float glass was bought.", materials=["container"]))
    assert not where.allows(entry("Cords floated by."))


def test_a_process_that_is_denied_is_not_told():
    where = Where.of(process="tempered")
    assert where.allows(entry("The pane was tempered."))
    assert not where.allows(entry("The pane was not tempered."))
    assert not where.allows(entry("The pane was annealed."))


def test_all_that_is_asked_must_hold():
    where = Where.of("float glass", "tempered", "2000-2010")
    assert where.allows(entry("A tempered pane of float glass.", 2005))
    assert not where.allows(entry("A tempered pane of float glass.", 2011))
    assert not where.allows(entry("A tempered bottle.", 2005))
    assert where.mask([entry(), entry("Tempered float glass", 2000)]).tolist() == [False, True]


def test_what_the_rules_do_not_know_is_refused_with_what_they_know():
    with pytest.raises(BadInput, match="unobtainium") as caught:
        Where.of(material="unobtainium")
    assert "fused silica" in str(caught.value.remedy)
    with pytest.raises(BadInput, match="juggled"):
        Where.of(process="juggled")


def test_a_search_is_narrowed(primer_library):
    found = primer_library.search("bubbles", 20, where=Where.of(material="enamel"))
    assert found
    by_id = {e.entry.passage.id: e.entry for e in primer_library._refreshed().holdings.passages}
    assert all(
        "enamel" in by_id[passage.id].materials for passage in found if by_id[passage.id].materials
    )
    assert len({passage.id for passage in found}) < len(primer_library.search("bubbles", 40))
    assert primer_library.search("bubbles", 5, where=Where.of(years="1990-2000")) == ()


def test_the_command_narrows_a_search(folder, capsys):
    parser = argparse.ArgumentParser(prog="glassview")
    add_commands(parser.add_subparsers())

    def found(*words):
        args = parser.parse_args(
            ["library", "search", "bubbles", "--json", "--library", str(folder), *words]
        )
        assert args.run(args) == 0
        return json.loads(capsys.readouterr().out)["passages"]

    assert found()
    assert found("--material", "enamel")
    assert found("--year", "1990-2000") == []  # the primer is of no year
    with pytest.raises(BadInput, match="brick"):
        found("--material", "brick")
