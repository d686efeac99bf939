"""Records of BibTeX, RIS and CSL-JSON, and the file that each belongs to."""

from __future__ import annotations

import contextlib
import json
import os
import time

import pytest

from glassllava.errors import BadInput
from rag.reading import Bibliography, Record, read_bibliographies, read_document

_BIB = r"""
% made-up records
@string{jmg = "J. Made-up Glass"}
@comment{nothing}
@article{one2021,
  title = {Seeds in {SiO2} gl{\"a}ss: the {\'e}tude},
  author = {Author, Test and {Society of Glass and Light} and M\"{u}ller, Probe},
  journal = jmg # { B},
  year = 2021, doi = {https://doi.org/10.5555/Made.Up.1},
  file = {Full Text:files/1/seeds.md:text/markdown;Other:files/1/b.pdf:application/pdf},
  keywords = {seeds, float glass}
}
@book(two, title = "Stones \& {\OE}uvres", author = "Tester, Test", date = {1999-05-01})
"""
_RIS = """TY  - JOUR
TI  - Cords of the made-up
  melt in glass
AU  - Author, Test
AU  - Tester, Other
PY  - 2019/05/01
DO  - 10.5555/made.up.2
L1  - files/2/cords.txt
KW  - cord
ER  -

TY  - JOUR
T1  - Torn record
"""
_CSL = [
    {
        "type": "article-journal",
        "title": "Devitrite in made-up <i>soda-lime</i> glass",
        "author": [{"family": "Author", "given": "Test"}, {"literal": "Test Group"}],
        "issued": {"date-parts": [[2018, 3]]},
        "DOI": "10.5555/made.up.3",
    },
    "no record",
]


def _read(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_bibliographies([path])


def test_bibtex(tmp_path):
    read = _read(tmp_path, "a.bib", _BIB)
    one, two = read.records
    assert one.title == "Seeds in SiO2 gläss: the étude"
    assert one.authors == "Test Author, Society of Glass and Light, Probe Müller"
    assert (one.year, one.doi) == (2021, "10.5555/Made.Up.1")
    assert one.files == tuple(
        str(tmp_path / "files" / "1" / name) for name in ("seeds.md", "b.pdf")
    )
    assert one.keywords == ("seeds", "float glass")
    assert (two.title, two.authors, two.year) == ("Stones & Œuvres", "Test Tester", 1999)
    assert read.notes == ()


def test_ris(tmp_path):
    read = _read(tmp_path, "a.ris", _RIS)
    (record,) = read.records
    assert record == Record(
        "Cords of the made-up melt in glass",
        "Test Author, Other Tester",
        2019,
        "10.5555/made.up.2",
        (str(tmp_path / "files" / "2" / "cords.txt"),),
        ("cord",),
    )
    assert read.notes == ("a.ris: the last record does not end; it was left out",)


def test_csl_json(tmp_path):
    read = _read(tmp_path, "a.json", json.dumps(_CSL))
    (record,) = read.records
    assert record.title == "Devitrite in made-up soda-lime glass"
    assert record.authors == "Test Author, Test Group"
    assert (record.year, record.doi) == (2018, "10.5555/made.up.3")
    assert read.notes == ("a.json: 1 items are no records",)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.bib", "no entries at all", "no record"),
        ("a.ris", "no entries at all", "no record"),
        ("a.json", '{"type": 1', "not JSON"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.json", '"type"', "no record"),
    ],
)
def test_what_is_no_bibliography_is_refused(tmp_path, name, text, says):
    with pytest.raises(BadInput, match=says):
        _read(tmp_path, name, text)


def test_a_torn_entry_costs_only_itself(tmp_path):
    text = "@article{torn, title = {never closed\n@article{whole, title = {Whole made-up title}}"
    read = _read(tmp_path, "a.bib", text)
    assert [record.title for record in read.records] == ["Whole made-up title"]
    assert read.notes == ("a.bib: the entry 'torn' does not end; it was left out",)


@pytest.mark.parametrize(
    "text",
    [
        "@article{a, title={" + "{" * 1_000_000,
        "@a{" * 300_000,
        "@article{a, title={\n" * 50_000,
        '@article{a, t="' * 50_000,
        "@article{a, title={" + '\\"{' * 300_000,
    ],
    ids=["braces", "entries", "torn", "quotes", "accents"],
)
def test_hostile_bibtex_takes_no_time(tmp_path, text):
    start = time.process_time()
    with contextlib.suppress(BadInput):
        _read(tmp_path, "a.bib", text)
    assert time.process_time() - start < 5


# Whose record a file is


def _records(*records: Record) -> Bibliography:
    return Bibliography.of(records)


def test_a_file_is_found_by_path_doi_title_and_name(tmp_path):
    path = tmp_path / "files" / "seeds.pdf"
    by_path = Record("A made-up title of path", files=(str(path),))
    by_doi = Record("A made-up title of doi", doi="10.5555/A.b")
    by_title = Record("The Growth of Made-Up Séeds in glass")
    by_name = Record("Another made-up title", files=("/elsewhere/cords.pdf",))
    read = _records(by_path, by_doi, by_title, by_name)
    assert read.record_for(path, "10.5555/a.b", "") is by_path
    assert read.record_for(tmp_path / "x.pdf", "10.5555/a.B", "") is by_doi
    title = "the growth of made-up seeds in glass"
    assert read.record_for(tmp_path / "x.pdf", None, title) is by_title
    assert read.record_for(tmp_path / "cords.pdf", None, "") is by_name
    assert read.record_for(tmp_path / "x.pdf", "10.5555/other", "Unknown made-up title") is None


def test_what_two_records_claim_belongs_to_neither(tmp_path):
    one = Record("A made-up title of glass", year=2001, files=("/a/paper.pdf",))
    other = Record("Another made-up title of glass", year=2002, files=("/b/paper.pdf",))
    assert _records(one, other).record_for(tmp_path / "paper.pdf", None, "") is None


def test_the_same_work_in_two_exports_is_one(tmp_path):
    one = Record("A made-up title of glass", year=2001)
    same = Record("A made-up title of glass", "Test Author", 2001, "10.5555/x")
    assert _records(one, same).record_for(tmp_path / "x", None, one.title) is same


def test_short_titles_belong_to_no_one(tmp_path):
    assert _records(Record("Introduction")).record_for(tmp_path / "x", None, "Introduction") is None


def test_a_record_goes_before_what_the_file_says(tmp_path):
    (tmp_path / "files" / "1").mkdir(parents=True)
    path = tmp_path / "files" / "1" / "seeds.md"
    path.write_text("# Draft\n\nSeeds rise in the melt.")
    document = read_document(path, _read(tmp_path, "a.bib", _BIB))
    assert document.title == "Seeds in SiO2 gläss: the étude"
    assert (document.year, document.doi) == (2021, "10.5555/Made.Up.1")
    passage = document.entries[0].passage
    assert (passage.title, passage.year) == (document.title, 2021)
    assert passage.authors.startswith("Test Author")
    assert document.made != read_document(path).made


def test_strings_that_unfold_without_end_are_bounded(tmp_path):
    names = "".join(f"@string{{a{n}={' # '.join([f'a{n - 1}'] * 10)}}}\n" for n in range(1, 10))
    read = _read(
        tmp_path,
        "bomb.bib",
        "@string{a0={xxxxxxxxxx}}\n" + names + "@article{one, title=a9, year=2001}\n"
        "@article{two, title={On the made-up glass}, year=2002}",
    )
    assert read.records[-1].title == "On the made-up glass"
    assert all(len(record.title) <= 2000 for record in read.records)
    assert "more than 20,000 characters" in read.notes[0]
    # Many entries of one long string: what they give together is bounded too.
    long = "@string{a={" + "x" * 4_000_000 + "}}\n" + "@article{k, title=a}\n" * 100_000
    started = time.monotonic()
    read = _read(tmp_path, "long.bib", long)
    assert time.monotonic() - started < 20
    assert len(read.records) <= 3
    assert any("too much text" in note for note in read.notes)
    assert len(read.notes) <= 21
    assert "more such notes" in read.notes[-1]


def test_records_of_a_million_lines_or_files_are_read_in_time(tmp_path):
    started = time.monotonic()
    lines = "TY  - JOUR\nTI  - a\n" + "b\n" * 1_000_000 + "ER  - \n"
    assert _read(tmp_path, "a.ris", lines).records[0].title.startswith("a b b")
    files = "@article{k, title={A made-up title}, file={" + ";:" * 1_000_000 + "}}"
    read = _read(tmp_path, "a.bib", files)
    many = "".join(f"@article{{k, title={{{n}}}, file={{{';:' * 50}}}}}" for n in range(6_000))
    records = _read(tmp_path, "b.bib", many).records
    assert sum(len(record.files) for record in records) == 100_000
    assert time.monotonic() - started < 40
    assert len(read.records[0].files) == 50
    assert "too many files" in read.notes[0]


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX's")
def test_files_that_no_path_can_be_are_left_out(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    files = ["loop/a.pdf", "a\0b.pdf", "\ud800.pdf", "x" * 300, "note.txt"]
    item = {"type": "a", "title": "A \ud800 title", "file": files, "DOI": "10.5555/a\ud800"}
    author = [{"family": "Author\udfff"}]
    (record,) = _read(tmp_path, "a.json", json.dumps([item | {"author": author}])).records
    assert record.files == (str(tmp_path / ("x" * 300)), str(tmp_path / "note.txt"))
    assert (record.title, record.authors, record.doi) == ("A title", "Author", "10.5555/a")
