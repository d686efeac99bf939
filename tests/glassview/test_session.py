"""What is open, what is known, what was decided; and undo of all that a person did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batch.ledger import Review
from glassllava.errors import BadInput, RunUnavailable
from glassllava.interpretation import Interpretation
from glassllava.micrograph.drawn_scale import DrawnScale
from glassllava.micrograph.record import Micrograph, Page, PixelSize
from glassllava.micrograph.scale_bar import ScaleBar
from glassllava.sample import Sample
from glassview.session import Made, Session


class Notebook:
    """An archive in memory that keeps every row, as the ledger does."""

    def __init__(self) -> None:
        self.kept: list[Made] = []
        self.rows: list[Review] = []
        self.is_full = False

    def keep(self, made: Made) -> int:
        if self.is_full:
            raise RunUnavailable("The disk is full", remedy="Make room.")
        self.kept.append(made)
        return len(self.kept)

    def review(self, interpretation: int, decision: object, reason: str, who: str) -> Review:
        if self.is_full:
            raise RunUnavailable("The disk is full")
        row = Review(interpretation, who, f"2026-01-0{len(self.rows) + 1}", decision, reason)  # type: ignore[arg-type]
        self.rows.append(row)
        return row


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def session(notebook: Notebook) -> Session:
    session = Session(notebook, who="me")
    session.add([Path("/a.tif"), Path("/b.tif"), Path("/c.tif")])
    session.show(1)
    return session


def made(interpretation: Interpretation) -> Made:
    return Made(interpretation, {"measurements": {}, "warnings": []}, "text")


def test_a_file_is_opened_once_and_keeps_its_place(session: Session) -> None:
    assert session.add([Path("/b.tif"), Path("/d.tif")]) == (2, 4)
    assert [sheet.path.name for sheet in session.sheets] == ["a.tif", "b.tif", "c.tif", "d.tif"]


def test_steps_stop_at_the_ends(session: Session) -> None:
    seen = []
    for by in (-1, 1, 1, 1, -1):
        session.step(by)
        seen.append(session.current)
    assert seen == [1, 2, 3, 3, 2]


def test_every_change_is_told_with_its_key(notebook: Notebook) -> None:
    told: list[int | None] = []
    session = Session(notebook, told.append, who="me")
    session.add([Path("/a.tif")])
    session.show(1)
    session.update(1, stage="Measuring")
    session.update(99, stage="of a file that was closed meanwhile")
    assert told == [None, None, 1]


def test_a_sample_for_all_is_one_step_to_undo(session: Session) -> None:
    session.edit_sample(1, Sample(material="float glass"))
    session.edit_sample(1, Sample(material="float glass"))  # nothing new: no step
    session.edit_sample(2, Sample(lot="7"), everywhere=True)
    assert [sheet.sample.lot for sheet in session.sheets] == ["7", "7", "7"]
    assert session.undo_words == "sample of all micrographs"
    session.undo()
    assert [sheet.sample.material for sheet in session.sheets] == ["float glass", "", ""]
    session.undo()
    assert session[1].sample == Sample()
    assert (session.undo_words, session.redo_words) == ("", "sample")
    session.redo()
    session.redo()
    assert [sheet.sample.lot for sheet in session.sheets] == ["7", "7", "7"]


def test_a_review_needs_an_interpretation_and_an_overruling_its_reason(
    session: Session, judged: Callable[..., Interpretation]
) -> None:
    with pytest.raises(BadInput, match="no interpretation"):
        session.review("defect")
    session.concluded(1, made(judged()))
    assert session[1].interpretation is not None
    with pytest.raises(BadInput, match="reason"):
        session.review("no_defect", "  ")
    assert session.undo_words == ""


def test_undoing_a_review_adds_a_row_and_redoing_another(
    session: Session, notebook: Notebook, judged: Callable[..., Interpretation]
) -> None:
    session.concluded(1, made(judged()))
    session.review("defect")
    session.review("no_defect", "milled on purpose")
    session.undo()
    assert session[1].review is not None
    assert session[1].review.decision == "defect"
    session.undo()
    assert session[1].review is None
    session.redo()
    rows = [(row.interpretation, row.decision, row.reason) for row in notebook.rows]
    assert rows == [
        (1, "defect", ""),
        (1, "no_defect", "milled on purpose"),
        (1, "defect", ""),
        (1, "", ""),
        (1, "defect", ""),
    ]


def test_an_undo_after_a_new_interpretation_speaks_of_the_old_one(
    session: Session, notebook: Notebook, judged: Callable[..., Interpretation]
) -> None:
    session.concluded(1, made(judged()))
    session.review("defect")
    session.concluded(1, made(judged(level="basic")))
    assert session[1].review is None
    session.undo()
    assert (notebook.rows[-1].interpretation, notebook.rows[-1].decision) == (1, "")
    assert session[1].review is None
    assert session[1].kept == 2


def test_what_cannot_be_kept_is_shown_with_the_reason_and_cannot_be_reviewed(
    session: Session, notebook: Notebook, judged: Callable[..., Interpretation]
) -> None:
    notebook.is_full = True
    session.update(1, stage="Asking the model")
    session.concluded(1, made(judged()))
    sheet = session[1]
    assert sheet.interpretation is not None
    assert sheet.stage == ""
    assert sheet.interpretation_trouble is not None
    assert "not kept: The disk is full" in sheet.interpretation_trouble.what
    with pytest.raises(BadInput, match="not kept"):
        session.review("defect")


def test_an_undo_that_cannot_be_kept_changes_nothing(
    session: Session, notebook: Notebook, judged: Callable[..., Interpretation]
) -> None:
    session.concluded(1, made(judged()))
    review = session.review("defect")
    notebook.is_full = True
    with pytest.raises(RunUnavailable):
        session.undo()
    assert session[1].review == review
    assert (session.undo_words, session.redo_words) == ("accept", "")


def test_an_interpretation_is_outdated_by_another_sample_question_or_level(
    session: Session, judged: Callable[..., Interpretation]
) -> None:
    session.edit_sample(1, Sample(material="optical glass"))
    session.concluded(1, made(judged()))
    assert not session[1].is_outdated
    for change in ({"sample": Sample()}, {"question": "Cracks?"}, {"level": "basic"}):
        before = session[1]
        session.update(1, **change)
        assert session[1].is_outdated, change
        session.update(1, sample=before.sample, question=before.question, level=before.level)


def test_a_question_holds_for_the_series_but_not_for_what_was_answered(
    session: Session, judged: Callable[..., Interpretation]
) -> None:
    session.concluded(2, made(judged()))
    session.ask(question="Cracks?", level="moderate")
    told = [(sheet.question == "Cracks?", sheet.level) for sheet in session.sheets]
    assert told == [(True, "moderate"), (False, "high"), (True, "moderate")]


def test_a_recalled_interpretation_never_replaces_a_new_one(
    session: Session, judged: Callable[..., Interpretation]
) -> None:
    new, old = judged(), judged(level="basic")
    session.concluded(1, made(new))
    session.recalled(1, 77, old, None)
    assert session[1].interpretation == new
    session.recalled(2, 77, old, None)
    assert (session[2].interpretation, session[2].kept) == (old, 77)


def test_a_pixel_size_is_undone_and_done_again(session: Session) -> None:
    size = PixelSize(2e-9, "read_bar")
    session.edit_size(1, size)
    session.edit_size(1, size)
    assert session[1].typed_size == size
    assert session.undo_words == "pixel size"
    session.undo()
    assert session[1].typed_size is None
    assert session.undo_words == ""
    session.redo()
    assert session[1].typed_size == size


# -- a typed pixel size belongs to a page ----------------------------------------------------------


def of_pages(page: int, *sides: tuple[int, int], own: tuple[PixelSize, ...] = ()) -> Micrograph:
    pages = tuple(Page(n, width, height, 8, 1, "image") for n, (width, height) in enumerate(sides))
    width, height = sides[page]
    return Micrograph(Path("/a.tif"), page, width, height, 8, pages=pages, candidates=own)


TYPED = PixelSize(2e-9, "typed")


def test_a_typed_size_goes_along_to_a_page_of_the_same_size_alone(
    session: Session, judged: Callable[..., Interpretation]
) -> None:
    session.update(1, micrograph=of_pages(0, (640, 480), (640, 480), (320, 240)))
    session.edit_size(1, TYPED)
    session.concluded(1, made(judged()))
    assert session.choose_page(1, 0) == ""
    assert session[1].interpretation is not None, "it is the page that is shown"
    assert session.choose_page(1, 1) == ""
    assert (session[1].page, session[1].typed_size) == (1, TYPED)
    assert session[1].interpretation is None
    words = session.choose_page(1, 2)
    assert "page 3 has another width or height" in words
    assert (session[1].page, session[1].typed_size) == (2, None)
    assert session.undo_words == "pixel size"
    session.undo()
    assert (session[1].page, session[1].typed_size) == (1, TYPED)
    session.redo()
    assert (session[1].page, session[1].typed_size) == (2, None)


def test_undo_of_a_typed_size_never_puts_it_on_another_page(session: Session) -> None:
    session.update(1, micrograph=of_pages(0, (640, 480), (320, 240)))
    session.edit_size(1, TYPED)
    session.edit_size(1, None)
    session.choose_page(1, 1)
    session.undo()
    assert (session[1].page, session[1].typed_size) == (0, TYPED)
    session.undo()
    assert (session[1].page, session[1].typed_size) == (0, None)


@pytest.mark.parametrize(
    ("own", "stays"),
    [
        ((PixelSize(3e-9, "vendor_tag", "34682 [Scan] PixelWidth"),), False),
        ((PixelSize(3e-9, "ome", "ImageDescription"),), False),
        ((PixelSize(3e-9, "vendor_tag", "page 0: 33560 SIS pixel size"),), True),
        ((PixelSize(3e-9, "read_bar", "drawn bar"),), True),
        ((), True),
    ],
)
def test_a_typed_size_gives_way_to_the_scale_of_the_page_itself(
    session: Session, own: tuple[PixelSize, ...], stays: bool
) -> None:
    sides = ((640, 480), (640, 480))
    session.update(1, micrograph=of_pages(0, *sides, own=own))
    session.edit_size(1, TYPED)
    assert session.settle_size(1) == "", "it was typed for this page, above what that says"
    session.choose_page(1, 1)
    assert session.settle_size(1) == "", "nothing is known of the page yet"
    session.update(1, micrograph=of_pages(1, *sides, own=own))
    assert ("has a scale of its own" in session.settle_size(1)) == (not stays)
    assert session[1].typed_size == (TYPED if stays else None)
    if not stays:
        session.undo()
        assert (session[1].page, session[1].typed_size) == (0, TYPED)


def test_what_is_typed_on_the_other_page_is_that_pages(session: Session) -> None:
    own = (PixelSize(3e-9, "vendor_tag", "a tag"),)
    session.update(1, micrograph=of_pages(0, (640, 480), (640, 480), own=own))
    session.choose_page(1, 1)
    session.update(1, micrograph=of_pages(1, (640, 480), (640, 480), own=own))
    session.edit_size(1, TYPED)
    assert session.settle_size(1) == ""
    assert session[1].typed_size == TYPED


def test_what_a_drawn_bar_says_is_of_its_page(session: Session) -> None:
    bar = DrawnScale(ScaleBar(0, 100, 0, 4, True, 1.0), "1 µm", PixelSize(1e-8, "read_bar"))
    session.update(1, micrograph=of_pages(0, (640, 480), (640, 480)), drawn=bar)
    session.choose_page(1, 1)
    assert session[1].drawn is None
