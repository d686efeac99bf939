"""A leak between splits is found by paper, work and picture, in figures and in conversations."""

from __future__ import annotations

import dataclasses
import os

import pytest
from PIL import Image

from glassllava.conversation import Conversation, Turn, write_conversations
from glassllava.errors import BadInput
from tests import compounds
from training.curation.figure import Figure, write_figures
from training.curation.leaks import check_leaks, refuse_leaks


@pytest.fixture
def work(tmp_path):
    """Four figures of four papers in three splits, and nothing shared."""
    (tmp_path / "images").mkdir()
    figures = []
    for number, split in enumerate(("train", "train", "validation", "test")):
        picture = compounds.micrograph(800 + number, 400, 320, databar=number % 2 == 0)
        picture.save(tmp_path / f"images/{number}.png")
        figures.append(Figure(f"f{number}", f"images/{number}.png", f"p{number}", split=split))
    write_figures(tmp_path, figures)
    return tmp_path, figures


def test_nothing_leaks(work):
    folder, _figures = work
    steps = []
    leaks = check_leaks(folder, told=lambda done, of: steps.append((done, of)))
    assert (leaks.leaks, leaks.records, leaks.checked, leaks.missing) == ((), 4, 4, ())
    assert steps[-1] == (4, 4)
    refuse_leaks(leaks, folder)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"paper": "p0"}, "are of one paper"),
        ({"doi": "10.5555/A"}, "are of one work by its DOI"),
        ({"title": "A study of SEEDS in made-up glass"}, "are of one work by its title"),
    ],
)
def test_what_is_shared_leaks(work, change, why):
    folder, figures = work
    figures[0] = dataclasses.replace(
        figures[0], doi="10.5555/a", title="A study of seeds in made-up glass"
    )
    figures[3] = dataclasses.replace(figures[3], **change)
    write_figures(folder, figures)
    (leak,) = check_leaks(folder / "figures.jsonl").leaks
    assert (leak.why, leak.one, leak.other, leak.splits) == (why, "f0", "f3", ("train", "test"))


def test_an_altered_copy_in_another_split_is_refused_and_in_its_own_is_not(work):
    folder, figures = work
    copy = Image.open(folder / "images/0.png").convert("L").resize((250, 200))
    copy.save(folder / "images/copy.jpg", quality=60)
    for split, refused in (("train", False), ("test", True)):
        more = Figure("copy", "images/copy.jpg", "p9", split=split)
        write_figures(folder, [*figures, more])
        leaks = check_leaks(folder)
        assert bool(leaks.leaks) is refused
    assert leaks.leaks[0].why.startswith("show the same (images/0.png, images/copy.jpg; agreement")
    with pytest.raises(BadInput, match=r"f0 \(train\) and copy \(test\) show the same"):
        refuse_leaks(leaks, folder)


def said(number, image, split, paper=""):
    turns = (Turn("What is seen?", "Pores."),)
    return Conversation(f"c{number}", image, turns, paper=paper, split=split)


def test_conversations_are_checked_alike(work, tmp_path):
    folder, _figures = work
    path = folder / "conversations.json"
    write_conversations(path, [said(1, "images/0.png", "train"), said(2, "images/1.png", "test")])
    assert check_leaks(path).leaks == ()
    write_conversations(path, [said(1, "images/0.png", "train"), said(2, "images/0.png", "test")])
    assert [leak.why for leak in check_leaks(path).leaks] == ["ask about one picture"]
    rows = [said(1, "images/0.png", "train", "p"), said(2, "images/1.png", "test", "p")]
    write_conversations(path, rows)
    assert [leak.why for leak in check_leaks(path).leaks] == ["are of one paper"]
    elsewhere = tmp_path / "elsewhere.json"
    write_conversations(elsewhere, [said(1, "0.png", "train"), said(2, "gone.png", "test")])
    leaks = check_leaks(elsewhere, images=folder / "images")
    assert (leaks.checked, len(leaks.missing)) == (1, 1)
    with pytest.raises(BadInput, match=r"could not be compared.*gone\.png"):
        refuse_leaks(leaks, elsewhere)


def test_the_folder_of_an_export_is_read_whole(work, tmp_path):
    """A file of one split alone can share nothing with another."""
    folder, _figures = work
    made = tmp_path / "data"
    (made / "images").mkdir(parents=True)
    (made / "images" / "a.png").write_bytes((folder / "images" / "0.png").read_bytes())
    (made / "card.json").write_text("{}")
    write_conversations(made / "train.json", [said(1, "images/a.png", "train", "p")])
    write_conversations(made / "test.json", [said(2, "images/a.png", "test", "q")])
    assert check_leaks(made / "train.json").leaks == ()
    (leak,) = check_leaks(made).leaks
    assert (leak.why, set(leak.splits)) == ("ask about one picture", {"train", "test"})


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_and_a_zero_byte_are_no_pictures(work, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    path = tmp_path / "x.json"
    rows = [said(1, "pipe.png", "train"), said(2, "a\0b.png", "test")]
    write_conversations(path, rows)
    found = check_leaks(path)
    assert (found.checked, len(found.missing)) == (0, 2)


def test_what_is_no_source_is_refused(tmp_path):
    with pytest.raises(BadInput):
        check_leaks(tmp_path)
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(BadInput, match="no record"):
        check_leaks(tmp_path / "x.json")
