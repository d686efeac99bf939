"""The literature in the report: numbers, places, what was cited, quoted, given and left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from batch.pdf import draw
from batch.report import build_report
from glassllava.answers import cited_in
from glassllava.interpretation import Interpretation
from glassllava.interpreter import interpret
from glassllava.literature import LeftOut, NoLiterature, Passage
from glassllava.micrograph.reading import read_micrograph
from glassllava.sample import Sample

PASSAGES = (
    Passage("p:1", "Seeds are a closed gas cavity & so.", "On seeds", "A. Person", 2014, page=7),
    Passage("p:2", "A crack runs through.", "On cracks", doi="10.1234/c", page=2, kind="caption"),
    Passage("p:3", "Tin stays below.", "GlassView primer", section="3", sources=("B. Other",)),
)
_QUOTED = np.array([0xFB, 0xEA, 0xA6])


@pytest.fixture
def found(write, make_model, tmp_path: Path) -> Interpretation:  # type: ignore[no-untyped-def]
    made = interpret(
        read_micrograph(write("m.tif")),
        Sample(material="float glass"),
        "",
        "high",
        model=make_model(),
        literature=NoLiterature(),
    )
    answer = 'It is "a closed gas cavity" [1], not a crack [2].'
    citations = cited_in(answer, PASSAGES)
    none = tuple(replace(finding, citations=()) for finding in made.findings)
    return replace(
        made,
        query="bubbles in float glass",
        passages=PASSAGES,
        answer=answer,
        description="",
        citations=citations,
        findings=none,
        warnings=(),
    )


def page_of(found: Interpretation, path: Path) -> tuple[str, np.ndarray]:
    """The words of the first page in one line, and its pixels."""
    draw(build_report([found]), path)
    document = pypdfium2.PdfDocument(path)
    try:
        page = document[0]
        words = " ".join(page.get_textpage().get_text_range().split())
        return words, np.asarray(page.render(scale=2).to_pil().convert("RGB"))
    finally:
        document.close()


def marked(pixels: np.ndarray) -> int:
    return int((np.abs(pixels.astype(int) - _QUOTED).max(axis=2) <= 2).sum())


def test_a_cited_passage_stands_with_its_number_place_and_words(
    found: Interpretation, tmp_path: Path
) -> None:
    words, pixels = page_of(found, tmp_path / "one.pdf")
    assert "Looked up: bubbles in float glass" in words
    assert "[1] “Seeds are a closed gas cavity & so.”" in words
    assert "On seeds, p. 7 (A. Person, 2014); cited." in words
    assert "On cracks, p. 2, figure caption (doi 10.1234/c); cited." in words
    assert "Also given, not cited: [3] GlassView primer, section 3" in words
    assert "Tin stays below" not in words
    assert marked(pixels) > 200, "the quoted words stand on a ground of their own"


def test_nothing_is_marked_where_nothing_is_quoted(found: Interpretation, tmp_path: Path) -> None:
    plain = replace(found, answer="It is a bubble [1], not a crack [2].")
    _, pixels = page_of(plain, tmp_path / "one.pdf")
    assert marked(pixels) == 0


def test_where_nothing_is_cited_the_nearest_are_told_all_the_same(
    found: Interpretation, tmp_path: Path
) -> None:
    silent = replace(found, answer="It is a bubble.", citations=())
    words, _ = page_of(silent, tmp_path / "one.pdf")
    assert "Literature given to the model, which cited none of it" in words
    assert "On seeds, p. 7 (A. Person, 2014); given, not cited." in words
    assert "Also given, not cited: [3]" in words


def test_what_was_left_out_is_named_with_its_reason(found: Interpretation, tmp_path: Path) -> None:
    reason = "the prompt holds 9 characters of literature"
    out = tuple(LeftOut(f"p:{page}", f"On tin, p. {page}", reason) for page in range(4, 64))
    words, _ = page_of(replace(found, left_out=(*out[:2], out[0])), tmp_path / "one.pdf")
    assert f"Found, and not given to the model ({reason}): On tin, p. 4; On tin, p. 5 " in words
    none = replace(found, passages=(), citations=(), answer="A bubble.", left_out=out)
    words, _ = page_of(none, tmp_path / "two.pdf")
    assert "Literature found, and not given to the model" in words
    assert "20 more in the record" in words


def test_no_evidence_is_an_answer_and_no_literature_is_none(
    found: Interpretation, tmp_path: Path
) -> None:
    empty = replace(found, passages=(), citations=(), answer="A bubble.")
    assert "No evidence found" in page_of(empty, tmp_path / "one.pdf")[0]
    untold = replace(empty, query="", context_asked="none", context_given="none")
    words, _ = page_of(untold, tmp_path / "two.pdf")
    assert "Literature" not in words
    assert "Looked up" not in words


def test_hostile_words_between_quotations_are_set_as_they_are(
    found: Interpretation, tmp_path: Path
) -> None:
    nasty = "<b>bold</b> & <font size=99> said so, " + "and more " * 400
    passages = (replace(PASSAGES[0], text=nasty, title="<i>T</i>"),)
    quoting = 'It says "<b>bold</b> & <font size=99> said so" [1].'
    worse = replace(found, passages=passages, answer=quoting, citations=cited_in(quoting, passages))
    words, pixels = page_of(worse, tmp_path / "one.pdf")
    assert "[1] “<b>bold</b> & <font size=99> said so" in words
    assert "<i>T</i>, p. 7" in words
    assert marked(pixels) > 200
