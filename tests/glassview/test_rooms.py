"""The desktop's own run, and the three calls that make an interpretation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from batch.ledger import Ledger
from glassllava.errors import LiteratureUnavailable, RunUnavailable
from glassllava.literature import Literature
from glassllava.micrograph.reading import read_micrograph
from glassllava.model.backend import VisionModel
from glassllava.sample import Sample
from glassview import rooms
from glassview.session import Made, Sheet
from tests.glassview.conftest import Shelf, scripted, write_pores


def interpreted(path: Path, level: str = "high") -> Made:
    sheet = Sheet(1, path, sample=Sample(material="optical glass"), level=level)  # type: ignore[arg-type]
    return rooms.Rooms(scripted, Shelf).interpret(sheet, lambda words: None)


def test_model_and_library_are_opened_once_and_only_when_wanted(pores: Path) -> None:
    opened: list[str] = []

    def model() -> VisionModel:
        opened.append("model")
        return scripted()

    def library() -> Literature:
        opened.append("library")
        return Shelf()

    said: list[str] = []
    kept = rooms.Rooms(model, library)
    sheet = Sheet(1, pores, level="moderate")
    assert kept.interpret(sheet, said.append).interpretation.passages == ()
    assert opened == ["model"]
    assert (
        len(kept.interpret(replace(sheet, level="high"), said.append).interpretation.passages) == 2
    )
    kept.interpret(replace(sheet, level="high"), said.append)
    assert opened == ["model", "library"]
    assert said[:3] == ["Opening the model", "Measuring", "Asking the model"]


def test_a_library_that_fails_is_said_and_tried_again(pores: Path) -> None:
    tries: list[int] = []

    def library() -> Literature:
        tries.append(1)
        if len(tries) == 1:
            raise LiteratureUnavailable("It is locked")
        return Shelf()

    kept = rooms.Rooms(scripted, library)
    with pytest.raises(LiteratureUnavailable):
        kept.interpret(Sheet(1, pores), lambda words: None)
    assert kept.interpret(Sheet(1, pores), lambda words: None).interpretation.passages


def test_the_run_is_made_by_the_first_result_and_is_one_like_any_night_s(
    pores: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "desktop"
    run = rooms.DesktopRun(folder)
    assert run.last_of(read_micrograph(pores)) is None
    assert not folder.exists()
    kept = run.keep(interpreted(pores))
    run.review(kept, "no_defect", "wells", "me")
    run.close()
    with Ledger.open(folder) as ledger:
        assert ledger.counts() == {"pending": 0, "done": 1, "failed": 0, "skipped": 0}
        ((row, entry),) = ledger.current()
        assert row.file == pores
        assert entry.evidence["measurements"]["measurements"]
        assert [review.decision for review in ledger.reviews(entry.id)] == ["no_defect"]


def test_an_earlier_day_is_recalled_with_the_last_word(pores: Path, tmp_path: Path) -> None:
    folder = tmp_path / "desktop"
    before = rooms.DesktopRun(folder)
    first = before.keep(interpreted(pores, "basic"))
    before.review(first, "defect", "", "me")
    second = before.keep(interpreted(pores))
    before.review(second, "no_defect", "wells", "me")
    before.review(second, "", "", "me")  # withdrawn
    before.close()
    run = rooms.DesktopRun(folder)
    assert run.last_of(read_micrograph(pores)) == second
    assert run.recall(second).interpretation.context_asked == "high"
    assert run.recall(second).review is None
    found = run.recall(first).review
    assert found is not None
    assert found.decision == "defect"
    run.close()


def test_a_file_that_was_written_anew_is_not_the_same(pores: Path) -> None:
    recorded = interpreted(pores).interpretation.micrograph
    assert rooms.is_same(pores, recorded)
    write_pores(pores, scale=False)
    assert not rooms.is_same(pores, recorded)


def test_a_run_that_cannot_be_made_says_why(pores: Path, tmp_path: Path) -> None:
    (tmp_path / "desktop").write_text("a file stands here")
    with pytest.raises(RunUnavailable):
        rooms.DesktopRun(tmp_path / "desktop").keep(interpreted(pores))


def test_a_report_of_one_interpretation_is_a_pdf(pores: Path, tmp_path: Path) -> None:
    pytest.importorskip("reportlab", reason="reportlab is not installed: no report to draw")
    path = tmp_path / "one.pdf"
    rooms.write_report(interpreted(pores).interpretation, None, path)
    assert path.read_bytes().startswith(b"%PDF-")
    assert str(tmp_path).encode() not in path.read_bytes()
