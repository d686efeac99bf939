"""Papers become figures with words and origin; what is broken is listed, a cut run goes on."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from glassllava.errors import BadInput, RunUnavailable
from tests import compounds
from tests.training.curation.made_figures import Drawn, write_html, write_jats, write_pdf
from training.curation import finding, papers
from training.curation.figure import read_figures
from training.curation.papers import gather


def micrograph(seed, databar=True, width=420, height=340):
    return compounds.micrograph(seed, width, height, databar=databar)


def pair(first, second):
    """Two micrographs side by side."""
    sheet = Image.new("RGB", (first.width + second.width + 12, first.height), "white")
    sheet.paste(first, (0, 0))
    sheet.paste(second, (first.width + 12, 0))
    return sheet


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two PDFs that share a micrograph, an article, a page, and what cannot be read."""
    made = tmp_path_factory.mktemp("papers")
    two = pair(micrograph(10), micrograph(12))
    write_pdf(
        made / "one.pdf",
        [
            Drawn(two, "SEM micrographs of glass: (a) as melted, (b) after a month. Bars 2 µm.",
                  ("Figure 1a shows the melt of the first day.", "Seeds are seen in Fig. 1b alone.",
                   "Figs. 1 and 2 belong together.")),
            Drawn(compounds.plot(5, 480, 360), "XRD pattern of the glass."),
        ],
        doi="10.5555/one", licence="CC BY 4.0",
    )  # fmt: skip
    again = micrograph(12).resize((300, 240))
    write_pdf(
        made / "two.pdf",
        [Drawn(again, "SEM image of weathered glass, from the first paper.", jpeg=True)],
        title="Another made-up study of weathering",
    )
    article = made / "article"
    article.mkdir()
    micrograph(20).save(article / "fig1.jpg", quality=90)
    (article / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    write_jats(
        article / "article.xml",
        [("fig1", "SEM image of pores."), ("torn.png", "Torn."), ("../one.pdf", "Outside."),
         ("gone", "Gone.")],
        paragraphs=("Figure 1 shows pores that are round.", "Nothing is said here."),
    )  # fmt: skip
    page = made / "page"
    (page / "page_files").mkdir(parents=True)
    micrograph(22).save(page / "page_files" / "a b.png")
    write_html(
        page / "page.html",
        [("page_files/a%20b.png", "Scanning electron micrograph of crystals."),
         ("https://example.org/x.png", "Far away."), ("", "None.")],
        paragraphs=("As Fig. 1 shows, crystals grow.",),
    )  # fmt: skip
    (made / "broken.pdf").write_bytes(b"%PDF-1.4 and no more")
    (made / "same.pdf").write_bytes((made / "two.pdf").read_bytes())
    return made


@pytest.fixture(scope="module")
def gathered(folder, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    said, steps = [], []
    answer = gather([folder], work, told=lambda done, of: steps.append((done, of)), log=said.append)
    return answer, work, said, steps


def test_figures_have_their_words_and_origin(gathered):
    answer, work, _said, _steps = gathered
    figures = {(f.doi, f.label, f.panel): f for f in read_figures(work)}
    first, second = figures["10.5555/one", "Figure 1", "a"], figures["10.5555/one", "Figure 1", "b"]
    assert first.caption == "Figure 1. SEM micrographs of glass: (a) as melted Bars 2 µm."
    assert second.caption.endswith("(b) after a month. Bars 2 µm.")
    assert [p[:9] for p in first.context] == ["Figure 1a", "Figs. 1 a"]
    assert [p[:9] for p in second.context] == ["Seeds are", "Figs. 1 a"]
    assert (first.paper, first.licence, first.page) == ("10.5555/one", "CC BY 4.0", 1)
    assert first.title == "A made-up study of seeds in made-up glass"
    # Just the micrograph, with its databar and with its own pixels, not those of the page.
    assert first.pixels == pytest.approx((420, 340), abs=6)
    plot = figures["10.5555/one", "Figure 2", ""]
    assert (plot.kind, plot.page) == ("other", 2)
    article = figures["10.5555/made.jats", "Figure 1", ""]
    assert article.context == ("Figure 1 shows pores that are round.",)
    assert article.licence == "https://creativecommons.org/licenses/by/4.0/"
    page = next(f for f in read_figures(work) if f.title.startswith("A made-up page"))
    assert (page.doi, page.licence, page.context) == ("", "", ("As Fig. 1 shows, crystals grow.",))
    assert answer.papers == 4
    for figure in read_figures(work):
        data = (work / figure.image).read_bytes()
        assert hashlib.sha256(data).hexdigest() == figure.sha256


def test_a_picture_of_two_papers_is_folded_and_keeps_them_in_one_split(gathered):
    answer, work, _said, _steps = gathered
    figures = read_figures(work)
    (repeated,) = [figure for figure in figures if figure.duplicate_of]
    (first,) = [figure for figure in figures if figure.id == repeated.duplicate_of]
    assert (first.panel, first.paper, repeated.paper == first.paper) == ("b", "10.5555/one", False)
    assert repeated.split == first.split
    assert answer.duplicates == 1
    assert answer.figures == len(figures) == 6


def test_what_fails_is_told_and_the_rest_goes_on(gathered, folder):
    answer, _work, said, steps = gathered
    assert [path for path, _why in answer.failed] == [str(folder / "broken.pdf")]
    assert "damaged" in answer.failed[0][1]
    assert said[0].startswith("broken.pdf: ")
    assert steps[-1] == (6, 6)
    notes = "\n".join(answer.notes)
    for told in ("two.pdf has the same bytes as same.pdf", "(gone) is not beside the paper",
                 "torn.png: A picture cannot be decoded", "(../one.pdf) is not beside",
                 "(https://example.org/x.png) is not beside"):  # fmt: skip
        assert told in notes


def test_a_cut_run_goes_on_and_ends_as_an_undisturbed_one(folder, tmp_path, monkeypatch):
    paths = [folder / "article", folder / "page"]
    undisturbed = gather(paths, tmp_path / "whole")
    read = []

    def cut_short(document, work):
        read.append(document.path)
        if len(read) == 2:
            raise KeyboardInterrupt
        return finding.figures_of(document, work)

    monkeypatch.setattr(papers, "figures_of", cut_short)
    work = tmp_path / "work"
    with pytest.raises(KeyboardInterrupt):
        gather(paths, work)
    assert not (work / "figures.jsonl").exists()
    assert gather(paths, work) == undisturbed
    assert read.count(read[0]) == 1
    whole = (tmp_path / "whole" / "figures.jsonl").read_bytes()
    assert (work / "figures.jsonl").read_bytes() == whole
    # A picture that is torn since is made again, of that paper alone.
    torn = work / read_figures(work)[0].image
    before, count = torn.read_bytes(), len(read)
    torn.write_bytes(before[:50])
    gather(paths, work)
    assert torn.read_bytes() == before
    assert len(read) == count + 1


def bomb(side):
    """The beginning of a grey PNG that says it has side × side pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(side)))


def test_hostile_pictures_and_captions(tmp_path):
    source, work = tmp_path / "in", tmp_path / "work"
    source.mkdir()
    Image.new("L", (1, 1)).save(source / "dot.png")
    (source / "bomb.png").write_bytes(bomb(20_000))
    micrograph(30).save(source / "good.png")
    (source / "link.png").symlink_to("/etc/hostname")
    Image.fromarray((np.arange(200 * 160).reshape(160, 200) * 2).astype(np.uint16)).save(
        source / "deep.png"
    )
    write_jats(
        source / "article.nxml",
        [("dot.png", "A dot."), ("bomb.png", "A bomb."), ("good.png", "(a) " + "word " * 200_000),
         ("good.png", ""), ("link.png", "A link."), ("deep.png", "Sixteen bits.")],
        paragraphs=("A made-up paragraph.",),
    )  # fmt: skip
    answer = gather([source], work)
    assert not answer.failed
    figures = read_figures(work)
    assert [figure.label for figure in figures] == ["Figure 3", "Figure 4", "Figure 6"]
    assert len(figures[0].caption) <= 4000
    assert figures[1].caption == ""
    assert figures[1].duplicate_of == figures[0].id
    notes = "\n".join(answer.notes)
    for told in ("its caption was cut", "more than 60,000,000 pixels", "less than 48 pixels",
                 "(link.png) is not beside"):  # fmt: skip
        assert told in notes


def test_what_cannot_be_begun_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no paper"):
        gather([tmp_path], tmp_path / "work")
    write_html(tmp_path / "page.html", [], paragraphs=("Words.",))
    with pytest.raises(BadInput, match="add up"):
        gather([tmp_path], tmp_path / "work", shares={"train": 0.5})
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunUnavailable):
        gather([tmp_path / "page.html"], tmp_path / "file")
    answer = gather([tmp_path / "page.html"], tmp_path / "work")
    assert (answer.papers, answer.figures) == (1, 0)
    assert json.loads(json.dumps(answer.splits)) == {"train": 0, "validation": 0, "test": 0}
