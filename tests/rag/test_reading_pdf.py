"""PDFs: what the writer of test papers knows of them is found; what is hostile is refused."""

from __future__ import annotations

import importlib.util
import io
import os
import random
import re
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from glassllava.errors import BadInput, MissingPart
from glassllava.micrograph import lettering
from rag.reading import PaperSettings, pdf, read_document
from rag.reading.sheets import pages_told
from tests import paper_scores, papers

if TYPE_CHECKING:
    from pathlib import Path

    from rag.passages import Document

#: Papers of these seeds, and others below 6000, were used to make the reader.
_SEEDS = range(1000, 1000 + len(papers.STYLES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("papers")


@pytest.fixture(scope="module", params=_SEEDS)
def paper(request, folder):
    """(truth, document) of a paper in each style."""
    path = folder / f"{request.param}.pdf"
    truth = papers.write_paper(path, request.param, papers.STYLES[request.param - 1000])
    return truth, read_document(path)


def test_a_paper_is_read_as_it_was_written(paper):
    truth, document = paper
    score = paper_scores.score(truth, document)
    assert not score.wrong
    assert score.whole == score.in_order == score.sentences > 50
    assert score.page_right == score.section_right == score.paged > 10
    assert score.captions_right == score.figures_right == score.originals_right == 4
    assert score.title == score.doi == score.authors == 1
    assert document.pages == truth.pages


def test_passages_are_short_and_of_one_kind(paper):
    truth, document = paper
    for entry in document.entries:
        passage = entry.passage
        assert len(passage.text.split()) <= 130
        assert passage.title == document.title
        assert 1 <= passage.page <= truth.pages
    abstract = " ".join(e.passage.text for e in document.entries if e.passage.kind == "abstract")
    assert abstract == " ".join(truth.abstract)


def test_figures_know_their_caption_and_keep_their_images(paper):
    truth, document = paper
    by_id = {entry.passage.id: entry.passage for entry in document.entries}
    for figure in document.figures:
        assert by_id[figure.passage_id].kind == "caption"
        with Image.open(io.BytesIO(figure.picture.data)) as shown:
            assert shown.size == (figure.picture.width, figure.picture.height)
            wide = (figure.box[2] - figure.box[0]) / (figure.box[3] - figure.box[1])
            assert shown.width / shown.height == pytest.approx(wide, rel=0.05)
    (panels,) = [figure for figure in truth.figures if figure.kind == "panels"]
    (found,) = [figure for figure in document.figures if figure.label == panels.label]
    number = int(panels.label.split()[-1])
    seed = int(truth.title.split("number ")[1].split(":")[0])
    drawn = {papers.micrograph(seed * 1000 + number * 10 + k).tobytes() for k in range(4)}
    kept = set()
    for picture in found.originals:
        with Image.open(io.BytesIO(picture.data)) as image:
            kept.add(np.asarray(image.convert("L")).tobytes())
    assert kept == drawn


def test_the_doi_of_a_reference_is_not_the_papers(tmp_path):
    for seed, columns in ((1, 1), (2, 2)):
        path = tmp_path / f"{seed}.pdf"
        style = papers.Style(columns=columns, own_doi=False)
        assert papers.write_paper(path, seed, style).doi is None
        assert read_document(path).doi is None


def test_short_letters_with_references_on_the_first_page_have_no_doi_from_them(tmp_path):
    path = tmp_path / "letter.pdf"
    papers.write_lines(
        path,
        ["A letter of made-up words about glass and its seeds.", "It ends here.",
         "[1] T. Test, Made-up reference,", "https://doi.org/10.5555/other.1",
         "[2] T. Test, Made-up reference,", "https://doi.org/10.5555/other.2"],
    )  # fmt: skip
    assert read_document(path).doi is None


def test_what_begins_like_a_caption_and_is_none(tmp_path):
    path = tmp_path / "traps.pdf"
    lines = ["Made-up words that lead to a line which begins with what is shown in",
             "Fig. 1 and Figs. 1-3 show pores. They are round, as drawn in",
             "Fig. 2. The next sentence begins at once, and so does", "Figure 3 (see there).",
             "Fig. 4, Fig. 5 and Table 1 are alike.", "Figure 6 shows more."]  # fmt: skip
    papers.write_lines(path, lines)
    document = read_document(path)
    assert {entry.passage.kind for entry in document.entries} == {"text"}
    assert not document.figures


def test_hyphens_of_line_ends_are_undone_and_those_of_words_kept(tmp_path):
    path = tmp_path / "hyphens.pdf"
    papers.write_lines(
        path,
        ["A glass-ceramic is not a glass, and every glass-", "ceramic was heated for nucle-",
         "ation in the Na2O-", "CaO melt of this made-up page."],
    )  # fmt: skip
    (entry,) = read_document(path).entries
    assert entry.passage.text == (
        "A glass-ceramic is not a glass, and every glass-ceramic was heated for nucleation in the"
        " Na2O-CaO melt of this made-up page."
    )


@pytest.mark.parametrize("by_page", [True, False], ids=["turned page", "lying words"])
def test_turned_pages(tmp_path, by_page):
    path = tmp_path / "turned.pdf"
    papers.write_rotated(path, by_page=by_page)
    document = read_document(path)
    text, caption = [entry.passage for entry in document.entries]
    assert text.text.startswith("Line 0 of a turned made-up page of glass. Line 1 of")
    assert caption.text == "Figure 1. A made-up micrograph on a turned page."
    (figure,) = document.figures
    assert figure.passage_id == caption.id
    # Drawn at (80, 200), 240 × 160, on the turned canvas of 842 × 595.
    upright, lying = (80, 235.3, 320, 395.3), (235.3, 521.9, 395.3, 761.9)
    assert figure.box == pytest.approx(upright if by_page else lying, abs=1)


# What cannot be read, or only in part


def test_an_encrypted_pdf_asks_for_an_unlocked_copy(tmp_path):
    papers.write_encrypted(tmp_path / "a.pdf", "secret")
    with pytest.raises(BadInput, match="encrypted") as caught:
        read_document(tmp_path / "a.pdf")
    assert "unlocked copy" in caught.value.remedy


def test_a_pdf_that_forbids_only_copying_is_read(tmp_path):
    papers.write_encrypted(tmp_path / "a.pdf", "")
    (entry,) = read_document(tmp_path / "a.pdf").entries
    assert "bubbles in the melt" in entry.passage.text


_SCAN = [
    ["Scanned made-up words about glass", "with bubbles in the melt."],
    ["Second page of all."],
]


def test_a_scan_is_said_to_be_one_and_offered_for_ocr(tmp_path):
    papers.write_scanned(tmp_path / "scan.pdf", _SCAN)
    with pytest.raises(BadInput, match="scanned") as caught:
        read_document(tmp_path / "scan.pdf")
    assert "--ocr" in caught.value.remedy


@pytest.mark.skipif(not lettering.is_installed(), reason="the extra ocr is not installed")
def test_a_scan_is_read_by_ocr_and_says_so(tmp_path):
    papers.write_scanned(tmp_path / "scan.pdf", _SCAN)
    document = read_document(tmp_path / "scan.pdf", ocr=True)
    passage = document.entries[0].passage
    words = " ".join(entry.passage.text for entry in document.entries).split()
    wanted = " ".join(line for page in _SCAN for line in page).split()
    assert sum(word in words for word in wanted) >= 0.9 * len(wanted)
    assert "read by OCR" in passage.section
    assert "ocr" in document.reader
    assert any("OCR" in note for note in document.notes)


def test_ocr_without_its_reader_is_a_missing_part(tmp_path, monkeypatch):
    papers.write_scanned(tmp_path / "scan.pdf", _SCAN)
    monkeypatch.setattr(lettering, "is_installed", lambda: False)
    with pytest.raises(MissingPart, match="rapidocr"):
        read_document(tmp_path / "scan.pdf", ocr=True)


def test_without_pdfium_a_pdf_is_a_missing_part(tmp_path, monkeypatch):
    papers.write_lines(tmp_path / "a.pdf", ["words"])
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pypdfium2" else real(name)
    )
    with pytest.raises(MissingPart, match="pypdfium2"):
        read_document(tmp_path / "a.pdf")


def test_bytes_decide_what_is_a_pdf(tmp_path):
    papers.write_lines(tmp_path / "a.pdf", ["Made-up words about glass that is read."])
    liar = (tmp_path / "a.pdf").rename(tmp_path / "Стекло 유리 ガラス.txt")
    assert read_document(liar).kind == "pdf"


def _outcome(path: Path) -> tuple[Document | None, BadInput | None]:
    try:
        return read_document(path), None
    except BadInput as error:
        return None, error


def test_a_truncated_pdf_is_refused_or_read_in_part(tmp_path):
    path = tmp_path / "a.pdf"
    truth = papers.write_paper(path, 3, papers.STYLES[0], sections=2)
    data = path.read_bytes()
    refused = 0
    for share in (0.02, 0.3, 0.6, 0.95):
        path.write_bytes(data[: int(share * len(data))])
        document, error = _outcome(path)
        if document is None:
            assert "damaged" in error.what
            assert error.remedy
            refused += 1
        else:
            told = " ".join(" ".join(e.passage.text.split()) for e in document.entries)
            assert any(sentence in told for _page, sentence in truth.sentences)
    assert refused


@pytest.mark.parametrize("seed", range(6))
def test_damaged_bytes_end_in_words(tmp_path, seed):
    path = tmp_path / "a.pdf"
    papers.write_paper(path, 4, papers.STYLES[2], sections=2)
    data = bytearray(path.read_bytes())
    rng = random.Random(seed)
    for _ in range(40):
        data[rng.randrange(8, len(data))] = rng.randrange(256)
    path.write_bytes(data)
    document, error = _outcome(path)
    if document is None:
        assert "failed on this file" not in error.what  # our own code may not trip over it
    else:
        assert document.entries


@pytest.mark.parametrize("write", [papers.write_odd_numbers, papers.write_no_size])
def test_numbers_that_no_page_has_end_in_words(tmp_path, write):
    write(tmp_path / "a.pdf")
    document, error = _outcome(tmp_path / "a.pdf")
    if document is None:
        assert "failed on this file" not in error.what
    else:
        assert any("made-up words on glass" in e.passage.text for e in document.entries)


def test_a_cloud_of_points_is_one_figure(tmp_path):
    papers.write_cloud(tmp_path / "a.pdf", 6000)
    (figure,) = read_document(tmp_path / "a.pdf").figures
    assert figure.caption == "Figure 1. A made-up cloud of points."
    # From (100, 400) to (400, 600) of a page of 842.
    assert paper_scores.overlap(figure.box, (99, 241, 401, 443)) > 0.95


def test_an_embedded_jpeg_is_kept_as_it_is(paper):
    truth, document = paper
    (single,) = [figure for figure in truth.figures if figure.kind == "single"]
    (found,) = [figure for figure in document.figures if figure.label == single.label]
    (original,) = found.originals
    assert (original.width, original.height) == (240, 180)
    assert original.media == "image/jpeg"


# What costs too much


def test_too_many_pages_are_refused_by_the_setting(tmp_path):
    papers.write_long(tmp_path / "a.pdf", 5)
    with pytest.raises(BadInput, match="5 pages, more than 4") as caught:
        read_document(tmp_path / "a.pdf", settings=PaperSettings(longest_pages=4))
    assert "longest_pages" in caught.value.remedy


def test_settings_come_from_the_persons_file(tmp_path, monkeypatch):
    papers.write_long(tmp_path / "a.pdf", 5)
    (tmp_path / "glassview.toml").write_text("[papers]\nlongest_pages = 3\n")
    monkeypatch.setenv("GLASSVIEW_CONFIG_DIR", str(tmp_path))
    with pytest.raises(BadInput, match="5 pages, more than 3"):
        read_document(tmp_path / "a.pdf")


def test_too_large_a_file_is_refused(tmp_path):
    path = tmp_path / "a.pdf"
    papers.write_lines(path, ["words"])
    with path.open("ab") as file:
        file.truncate(3_000_000)
    with pytest.raises(BadInput, match="larger than 2 MB"):
        read_document(path, settings=PaperSettings(largest_mb=2))


def test_progress_is_told_page_by_page(tmp_path):
    papers.write_long(tmp_path / "a.pdf", 12)
    told: list[tuple[int, int]] = []
    document = read_document(
        tmp_path / "a.pdf", progress=lambda page, pages: told.append((page, pages))
    )
    assert told == [(page, 12) for page in range(1, 13)]
    text = {entry.passage.page: entry.passage.text for entry in document.entries}
    assert len(text) >= 11


def test_a_page_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    papers.write_form_bomb(tmp_path / "a.pdf")
    # The page takes memory, too, on a fast machine all that it may have after four seconds.
    monkeypatch.setattr(pdf, "_STARTING_SECONDS", 1)
    start = time.monotonic()
    with pytest.raises(BadInput, match="took more than 1 s"):
        read_document(tmp_path / "a.pdf", settings=PaperSettings(page_seconds=1))
    assert time.monotonic() - start < 30


@pytest.mark.skipif(os.name == "nt", reason="memory is not bounded on Windows")
def test_content_that_unfolds_without_end_is_bounded(tmp_path):
    papers.write_content_bomb(tmp_path / "a.pdf", 700)
    assert (tmp_path / "a.pdf").stat().st_size < 1_000_000
    with pytest.raises(BadInput, match="memory"):
        read_document(tmp_path / "a.pdf", settings=PaperSettings(memory_mb=500))


def _write_objects(path, *objects: bytes) -> None:
    """A PDF of these objects, numbered from 1, of which the first is its catalogue."""
    data, places = b"%PDF-1.7\n", []
    for number, item in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
    data += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    path.write_bytes(data)


def _stream(data: bytes, told: bytes = b"") -> bytes:
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (told, len(data), data)


def _write_page(path, pages: int, image: bytes) -> None:
    """A page of words with an image on it; the file claims to have `pages` pages."""
    words = b"BT /F1 11 Tf 60 760 Td (Made-up words on glass that are many enough to read) Tj ET "
    _write_objects(
        path,
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count %d>>" % pages,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 5 0 R"
        b"/Resources<</Font<</F1 4 0 R>>/XObject<</I 6 0 R>>>>>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        _stream(words + b"q 300 0 0 300 100 300 cm /I Do Q"),
        image,
    )


def test_pages_that_are_not_there_are_told_in_one_note(tmp_path):
    _write_page(tmp_path / "a.pdf", 30, b"null")
    document = read_document(tmp_path / "a.pdf")
    assert "Made-up words on glass" in document.entries[0].passage.text
    assert document.notes == ("29 pages are damaged and were left out: 2-30",)
    assert pages_told([7, 3, 4, 1, 4]) == "1, 3-4, 7"
    assert pages_told(range(1, 40, 2)) == "1, 3, 5, 7, 9, 11, 13, 15, 17, 19 ..."


@pytest.mark.parametrize("form", [b"DCTDecode", b"JPXDecode", b"JBIG2Decode"])
def test_a_picture_that_is_none_is_told_in_words(tmp_path, form):
    told = b"/Type/XObject/Subtype/Image/Width 400/Height 400/BitsPerComponent 8"
    told += b"/ColorSpace/DeviceGray/Filter/" + form
    _write_page(tmp_path / "a.pdf", 1, _stream(b"no picture at all", told))
    document = read_document(tmp_path / "a.pdf")
    assert "Made-up words on glass" in document.entries[0].passage.text
    # In words, not in the names of a library's objects.
    note = "figures that are damaged and cannot be drawn were left out (pages: 1)"
    assert document.notes == (note,)


def test_an_image_that_unfolds_without_end_is_left_out(tmp_path):
    papers.write_image_bomb(tmp_path / "a.pdf")
    document = read_document(tmp_path / "a.pdf")
    assert "made-up words on glass" in document.entries[0].passage.text
    assert not document.figures
    assert any("too many pixels" in note for note in document.notes)


def test_pictures_beyond_their_room_are_left_out(tmp_path):
    path = tmp_path / "a.pdf"
    papers.write_paper(path, 5, papers.STYLES[0])
    document = read_document(path, settings=PaperSettings(pictures_mb=0))
    assert not document.figures
    assert document.entries
    assert any("pictures_mb" in note for note in document.notes)


def test_no_process_is_left_behind(tmp_path):
    import multiprocessing

    papers.write_lines(tmp_path / "a.pdf", ["Made-up words about glass to be read."])
    read_document(tmp_path / "a.pdf")
    assert not multiprocessing.active_children()


@pytest.mark.proof
def test_two_thousand_pages_in_bounded_memory(tmp_path):
    papers.write_long(tmp_path / "a.pdf", 2000)
    told: list[int] = []
    document = read_document(tmp_path / "a.pdf", progress=lambda page, _pages: told.append(page))
    assert told[-1] == document.pages == 2000
    seen = {
        int(number): entry.passage.page
        for entry in document.entries
        for number in re.findall(r"Leaf number (\d+) is made up", entry.passage.text)
    }
    assert seen.keys() == set(range(1, 2001))
    # In the middle of its page; its passage may begin on the page before.
    assert all(number - 1 <= page <= number for number, page in seen.items())
