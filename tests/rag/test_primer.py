"""The bundled primer: complete, well formed, and honest about its sources."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import pytest

from glassllava import features, rules
from rag import passages

PRIMER = resources.files("rag") / "primer"
RECORDS = tomllib.loads((PRIMER / "sources.toml").read_text("utf-8"))
FILES = sorted(
    file.name
    for file in PRIMER.iterdir()
    if file.name.endswith(".toml") and file.name != "sources.toml"
)
RAW = [item for name in FILES for item in tomllib.loads((PRIMER / name).read_text())["passage"]]
ENTRIES = passages.primer().entries


def test_every_section_is_there_once_and_in_order():
    numbers = [int(entry.passage.section) for entry in ENTRIES]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == len(RAW) >= 60


@pytest.mark.parametrize("item", RAW, ids=lambda item: f"section{item['section']}")
def test_a_passage_is_short_titled_and_known_to_the_vocabulary(item):
    assert set(item) <= {"section", "title", "text", "topics", "materials", "sources"}
    assert 60 <= len(item["text"].split()) <= 130
    assert item["topics"]
    for key in item["topics"]:
        features.parent_of(key)  # raises for a key that is not in the vocabulary
    assert set(item.get("materials", ())) <= set(rules.tokens()["material"])


def test_every_feature_has_a_passage_and_every_parent_two():
    topics = [{features.parent_of(key) for key in entry.topics} for entry in ENTRIES]
    for parent in features.PARENTS:
        assert sum(parent in each for each in topics) >= 2, parent
    told = {key for entry in ENTRIES for key in entry.topics}
    assert set(features.vocabulary()) <= told


def test_only_records_that_were_seen_are_cited():
    cited = {key for item in RAW for key in item.get("sources", {})}
    assert cited <= set(RECORDS)
    assert all(claim.strip() for item in RAW for claim in item.get("sources", {}).values())
    for key, record in RECORDS.items():
        assert set(record) <= {"reference", "doi", "seen"}, key
        assert record["reference"].strip(), key
        assert record["seen"].strip(), key


def test_dois_are_well_formed_and_stand_nowhere_else():
    dois = [record["doi"] for record in RECORDS.values() if "doi" in record]
    assert len(dois) == len(set(dois))
    assert all(re.fullmatch(r"10\.\d{4,9}/[-._;()/:A-Za-z0-9]+", doi) for doi in dois)
    assert not [item["section"] for item in RAW if re.search(r"10\.\d{4,9}/", item["text"])]


def test_a_source_is_printed_with_its_doi_and_its_claim():
    entry = next(entry for entry in ENTRIES if entry.passage.section == "44")
    assert entry.passage.sources == (
        "Growth of devitrite, J Am Ceram Soc 97(5) 1425, 2014, doi 10.1111/jace.12922"
        " (for: growth of devitrite)",
    )
    assert entry.passage.locator == "GlassView primer, section 44"


def test_a_changed_word_changes_the_digest_and_nothing_else_does():
    first, second = passages.primer().entries[:2]
    assert first.digest == ENTRIES[0].digest
    assert first.digest != second.digest


#: The kinds of glass that the primer promises to know, as the rules' tokens.
KINDS = (
    *("float", "container", "optical", "fibre_optical", "fibre_reinforcement", "borosilicate"),
    *("chalcogenide", "bioactive", "nuclear_waste", "glass_ceramic", "enamel", "sealing_glass"),
    *("foam", "porous_vycor", "coated"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_glass_has_two_passages(kind):
    assert sum(kind in entry.materials for entry in ENTRIES) >= 2


def test_every_material_of_the_rules_has_a_passage():
    told = {token for entry in ENTRIES for token in entry.materials}
    assert set(rules.tokens()["material"]) <= told


def test_the_primer_is_as_large_as_promised_and_mostly_sourced():
    assert len(ENTRIES) >= 120
    assert sum(bool(entry.passage.sources) for entry in ENTRIES) >= len(ENTRIES) / 2
