"""A page of a paper drawn, the lines marked that a passage was read from; hostile files too."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassllava.errors import BadInput
from rag.reading import PaperSettings, ShownPage, read_document, show_page
from tests import papers


def grey(shown: ShownPage) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(shown.picture.data)).convert("L"))


@pytest.fixture(scope="module", params=[1, 2], ids=["one column", "two columns"])
def paper(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shown") / "paper.pdf"
    papers.write_paper(path, 31, papers.Style(columns=request.param))
    return path


def test_every_passage_is_marked_on_its_page(paper: Path) -> None:
    document = read_document(paper)
    passages = [e.passage for e in document.entries if e.passage.kind == "text"][:4]
    assert passages
    for passage in passages:
        assert passage.page is not None
        shown = show_page(paper, passage.page, width=900, find=passage.text)
        assert shown.pages == document.pages
        assert shown.picture.width == 900
        pixels = grey(shown)
        assert shown.boxes, passage.id
        for left, top, right, bottom in shown.boxes:
            assert 0 <= left < right <= shown.picture.width
            assert 0 <= top < bottom <= shown.picture.height
            line = pixels[round(top) : round(bottom), round(left) : round(right)]
            assert line.min() < 128, "there is ink where a line is marked"
        # About as much of the page is marked as the passage has letters, and no more.
        marked = sum((right - left) for left, _, right, _ in shown.boxes)
        alone = show_page(paper, passage.page, width=900, find=passage.text[:60])
        assert sum((right - left) for left, _, right, _ in alone.boxes) < marked


def test_words_of_another_page_are_not_marked(paper: Path) -> None:
    shown = show_page(paper, 1, width=400, find="These words stand nowhere in this paper at all.")
    assert shown.boxes == ()
    assert show_page(paper, 1, width=400).boxes == ()


def test_what_cannot_be_drawn_is_said(paper: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no page 99"):
        show_page(paper, 99, width=400)
    with pytest.raises(BadInput, match="no page 0"):
        show_page(paper, 0, width=400)
    note = tmp_path / "note.md"
    note.write_text("# A note")
    with pytest.raises(BadInput, match="no PDF"):
        show_page(note, 1, width=400)
    with pytest.raises(BadInput, match="cannot be opened"):
        show_page(tmp_path / "gone.pdf", 1, width=400)
    torn = tmp_path / "torn.pdf"
    torn.write_bytes(paper.read_bytes()[:200])
    with pytest.raises(BadInput, match="damaged"):
        show_page(torn, 1, width=400)


def test_a_page_of_absurd_size_is_drawn_small(tmp_path: Path) -> None:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "long.pdf"), pagesize=(100, 14_000))
    canvas.drawString(10, 13_900, "A long page")
    canvas.save()
    shown = show_page(tmp_path / "long.pdf", 1, width=6000)
    assert shown.picture.width * shown.picture.height <= 60_500_000


def test_too_little_memory_is_said(paper: Path) -> None:
    with pytest.raises(BadInput, match="memory"):
        show_page(paper, 1, width=6000, settings=PaperSettings(memory_mb=420))
