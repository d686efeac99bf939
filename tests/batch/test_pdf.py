"""The report as a person gets it: its pages, its words, its letters, whatever the input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from batch.ledger import Ledger
from batch.outputs import report_of, write_outputs
from batch.pdf import draw
from batch.pdf.parts import bar_length
from batch.recipe import Recipe
from batch.report import Entry, build_report
from batch.scan import scan
from glassllava.errors import RunUnavailable
from glassllava.interpretation import DISCLAIMER, Interpretation, OverBlank
from glassllava.literature import Passage
from glassllava.measurement.quantities import Region
from glassllava.sample import Sample

Make = Callable[..., Any]


def _pages(path: Path) -> list[str]:
    document = pypdfium2.PdfDocument(path)
    try:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]
    finally:
        document.close()


@pytest.fixture
def night(folder: Path, tmp_path: Path, write: Make, make_model: Make, make_primer: Make) -> Path:
    for seed in range(3):
        write(f"m{seed}.tif", seed)
    (folder / "bad.tif").write_bytes(b"")
    recipe = Recipe(sample=Sample(material="soda-lime float glass"))
    scan([folder], tmp_path / "night", model=make_model(), literature=make_primer(), recipe=recipe)
    return tmp_path / "night"


@pytest.fixture
def found(night: Path) -> Interpretation:
    with Ledger.open(night) as ledger:
        return next(kept.interpretation for _, kept in ledger.current())


def test_a_night_s_report_has_every_part(night: Path) -> None:
    pages = _pages(night / "report.pdf")
    assert len(pages) == 1 + 1 + 3 + 1 + 1  # cover, contents, micrographs, failures, settings
    cover, contents, first, *_, failures, settings = pages
    assert "4 micrographs" in cover
    assert DISCLAIMER in cover
    assert all(f"m{n}.tif" in contents for n in range(3))
    for words in ("m0.tif", "pore or bubble", "0.90", "Primer, section 1", "Pores come from"):
        assert words in first
    assert "100 nm" in first  # the pixel size, beside its source
    assert "ImageJ" in first
    assert "none checked" in first
    assert "bad.tif" in failures
    assert "The file is empty" in failures
    assert "Copy it again" in failures
    for words in ("Apache-2.0", "script, not a model", "context = ", "No micrograph left"):
        assert words in settings
    assert all(f"page {n} of {len(pages)}" in page for n, page in enumerate(pages, start=1))


def test_what_the_model_alone_sees_is_dashed_and_named(
    night: Path, found: Interpretation, tmp_path: Path
) -> None:
    finding = next(f for f in found.present if f.regions)
    kept = len(finding.regions)
    alone = Region("m-1", finding.feature, (2, 2, 40, 40), 900.0, source="model")
    sure = tuple(replace(region, source="both") for region in finding.regions)
    changed = replace(finding, regions=(*sure, alone))
    findings = tuple(changed if f is finding else f for f in found.findings)
    with Ledger.open(night) as ledger:
        data = report_of(ledger)
    entry = data.entries[0]
    drawn = [
        draw(replace(data, entries=[replace(entry, interpretation=made)]), tmp_path / name)
        for name, made in (
            ("dashed.pdf", replace(found, findings=findings)),
            ("plain.pdf", found),
        )
    ]
    page = next(page for page in _pages(drawn[0]) if "seen by the model alone" in page)
    assert f"{kept} region" in page
    assert "confirmed by the model; 1 seen by the model alone (dashed)" in page
    assert not any("dashed" in page for page in _pages(drawn[1]))


def test_letters_are_embedded_and_the_outline_leads_everywhere(night: Path) -> None:
    raw = (night / "report.pdf").read_bytes()
    assert b"Helvetica" not in raw
    document = pypdfium2.PdfDocument(night / "report.pdf")
    titles = [bookmark.get_title() for bookmark in document.get_toc()]
    document.close()
    assert titles == [
        "Micrographs", "m0.tif", "m1.tif", "m2.tif", "Not interpreted", "How this report was made",
    ]  # fmt: skip


def test_the_same_run_gives_the_same_bytes_without_its_cache(night: Path) -> None:
    before = (night / "report.pdf").read_bytes()
    for path in (night / "thumbnails").iterdir():
        path.unlink()
    with Ledger.open(night) as ledger:
        write_outputs(ledger)
    assert (night / "report.pdf").read_bytes() == before


def test_a_run_that_is_not_finished_says_so(night: Path, tmp_path: Path) -> None:
    with Ledger.open(night) as ledger:
        report = report_of(ledger)
    assert report.run is not None
    partial = replace(report, run=replace(report.run, discovered=9))
    draw(partial, tmp_path / "partial.pdf")
    pages = _pages(tmp_path / "partial.pdf")
    assert "PARTIAL" in pages[0]
    assert "5 of 9" in pages[0]
    assert "PARTIAL" in pages[-1]


def test_one_micrograph_makes_a_report_of_its_own(found: Interpretation, tmp_path: Path) -> None:
    draw(build_report([found]), tmp_path / "one.pdf")
    pages = _pages(tmp_path / "one.pdf")
    assert len(pages) == 2
    assert "m0.tif" in pages[0]
    assert DISCLAIMER in pages[1]


def test_the_difference_to_a_blank_picture_stands_under_the_verdict_where_it_was_asked(
    found: Interpretation, tmp_path: Path
) -> None:
    asked = replace(found, over_blank=OverBlank(0.9, 0.25))
    for record, is_there in ((found, False), (asked, True)):
        draw(build_report([record]), tmp_path / f"{is_there}.pdf")
        told = " ".join(_pages(tmp_path / f"{is_there}.pdf"))
        assert ("+0.65 over a blank picture, which gives 0.25" in told) == is_there


def test_foreign_text_is_set_as_it_is_and_breaks_nothing(
    found: Interpretation, tmp_path: Path
) -> None:
    hostile = "<b>bold</b> & <font size=99> \x00\x07 \u202eabc 漢字 שלום <img src='x'/> "
    nasty = hostile + "W" * 900 + " " + "long words " * 2000
    passage = Passage("x", nasty, nasty[:300], authors=nasty[:300], sources=(hostile,))
    worse = replace(
        found,
        description=nasty,
        answer=nasty,
        question=nasty,
        passages=(passage, passage),
        warnings=(nasty,) * 30,
        sample=replace(found.sample, id=hostile, material=nasty[:3000], notes=nasty[:3000]),
        findings=tuple(replace(each, reason=nasty) for each in found.findings),
        verdict=replace(found.verdict, reasons=(nasty,) * 9),
        micrograph={
            **found.micrograph,
            "instrument": {"vendor": nasty, "model": hostile, "acquired": nasty},
            "sources": {"model": nasty},
        },
    )
    draw(
        build_report([Entry(worse, name="\ud800" + hostile + "/" + nasty)] * 2),
        tmp_path / "hostile.pdf",
    )
    text = " ".join(_pages(tmp_path / "hostile.pdf"))
    assert "<b>bold</b> & <font size=99>" in text
    assert "\u202e" not in text


def test_a_picture_of_another_file_is_not_shown(
    found: Interpretation, folder: Path, write: Make, tmp_path: Path
) -> None:
    write("m0.tif", seed=99)
    draw(build_report([found]), tmp_path / "other.pdf")
    assert "another one than was interpreted" in _pages(tmp_path / "other.pdf")[0]
    (folder / "m0.tif").unlink()
    draw(build_report([found]), tmp_path / "gone.pdf")
    assert "no such file" in _pages(tmp_path / "gone.pdf")[0]


def test_a_report_of_nothing_but_failures_is_drawn(
    folder: Path, tmp_path: Path, make_model: Make
) -> None:
    (folder / "bad.tif").write_bytes(b"")
    recipe = Recipe(context="none")
    result = scan([folder], tmp_path / "night", model=make_model(), recipe=recipe)
    assert result.failed == 1
    assert result.report is not None
    assert any("Not interpreted" in page for page in _pages(result.report))


def test_a_report_that_cannot_be_written_is_refused(found: Interpretation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunUnavailable, match="cannot be written"):
        draw(build_report([found]), tmp_path / "file" / "report.pdf")


@pytest.mark.parametrize(
    ("width", "pixel", "words"),
    [
        (1000, 1e-9, "200 nm"),
        (1024, 4.2e-8, "5 µm"),
        (1000, 2.5e-9, "500 nm"),
        (640, None, "100 px"),
        (3, None, "1 px"),
        (6144, 1e-6, "1 mm"),
    ],
)
def test_the_scale_bar_is_round_and_true(width: int, pixel: float | None, words: str) -> None:
    pixels, told = bar_length(width, pixel)
    assert told == words
    number, unit = words.split()
    metres = {"nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "px": 1.0}[unit] * float(number)
    assert pixels * (pixel or 1.0) == pytest.approx(metres)
    assert pixels <= max(1, width / 4.9)


def test_a_review_stands_beside_the_verdict(night: Path) -> None:
    with Ledger.open(night) as ledger:
        ledger.review(1, "defect", "a crack at the rim", who="A. Person")
        write_outputs(ledger)
    pages = _pages(night / "report.pdf")
    assert "Reviewed: Defect (overruled" in pages[2]
    assert "a crack at the rim" in pages[2]
    assert "overruled 1" in " ".join(pages)
