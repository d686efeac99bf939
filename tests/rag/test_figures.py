"""A published figure is found by a micrograph that looks like it; hostile pictures find nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from glassllava.literature import Passage
from glassllava.model.backend import ModelIdentity
from rag import figures
from rag.embedding import DIMENSIONS
from rag.manifest import Manifest
from rag.passages import Document, Entry, Figure, Picture


class Eye:
    """Sees how a picture's mean grey varies over a grid of 4 x 4: enough to tell two apart."""

    def __init__(self, sha256: str = "a") -> None:
        self.identity = ModelIdentity("eye", "eye", sha256, "test", "1", "", "", True)
        self.seen = 0

    def likeness(self, pictures):
        self.seen += len(pictures)
        rows = []
        for picture in pictures:
            small = Image.fromarray(picture).resize((4, 4), Image.Resampling.BOX)
            grid = np.asarray(small, np.float32).ravel() - 127.0
            rows.append(grid / (np.linalg.norm(grid) or 1))
        return np.array(rows, np.float32).reshape(len(pictures), 16)


def stripes(turned: bool, size: int = 96) -> np.ndarray:
    rows = np.where(np.arange(size) // (size // 2) % 2, 220, 30).astype(np.uint8)
    field = np.tile(rows[:, None], (1, size))
    return field.T.copy() if turned else field


def encoded(pixels: np.ndarray, media: str = "image/png") -> Picture:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG" if media == "image/png" else "JPEG")
    return Picture(media, pixels.shape[1], pixels.shape[0], held.getvalue())


def figure(name: str, picture: Picture, originals: tuple[Picture, ...] = ()) -> Figure:
    box = (0.0, 0.0, 100.0, 100.0)
    return Figure(
        f"doc:{name}", 3, f"Fig. {name}", f"Caption {name}", None, box, picture, originals
    )


def paper(*drawn: Figure, sha: str = "s1") -> Document:
    entry = Entry(Passage("doc:1", "Some words.", "A paper", page=1))
    return Document("doc", "paper", "A paper", "a.pdf", sha, (entry,), figures=drawn)


@pytest.fixture
def manifest(tmp_path):
    opened = Manifest(tmp_path)
    yield opened
    opened.close()


def hold(manifest, document):
    manifest.replace(document, lambda texts: np.ones((len(texts), DIMENSIONS), np.float32), "e")


def test_the_figure_that_looks_alike_comes_first(manifest):
    flat, turned = encoded(stripes(False)), encoded(stripes(True), "image/jpeg")
    hold(manifest, paper(figure("1", flat), figure("2", turned)))
    eye = Eye()
    assert figures.look_at_new(manifest, eye) == (2, 0)
    found = figures.alike(manifest, eye, stripes(True).astype(np.uint16) * 200, 5)
    assert found[0].figure.label == "Fig. 2"
    assert found[0].score > 0.95
    assert all(each.score < 0.6 for each in found[1:])
    assert (found[0].figure.caption, found[0].figure.page) == ("Caption 2", 3)


def test_one_panel_of_several_answers(manifest):
    left, right = stripes(False), stripes(True)
    whole = encoded(np.hstack([left, right]))
    hold(manifest, paper(figure("1", whole, (encoded(left), encoded(right)))))
    eye = Eye()
    figures.look_at_new(manifest, eye)
    (found,) = figures.alike(manifest, eye, right, 5)
    assert found.view == encoded(right).sha256
    assert found.is_panel
    assert found.score > 0.95


def test_a_figure_is_looked_at_once_for_each_model(manifest):
    hold(manifest, paper(figure("1", encoded(stripes(False)))))
    eye = Eye()
    figures.look_at_new(manifest, eye)
    assert figures.look_at_new(manifest, eye) == (0, 0)
    assert eye.seen == 1
    other = Eye("b")
    assert figures.alike(manifest, other, stripes(False), 5) == ()
    assert figures.look_at_new(manifest, other) == (1, 0)
    assert len(figures.alike(manifest, other, stripes(False), 5)) == 1


def test_what_is_no_picture_finds_nothing_and_stops_nothing(manifest):
    torn = encoded(stripes(True)).data[:60]
    bad = [Picture("image/png", 96, 96, torn), Picture("image/png", 9, 9, b"GIF89a junk")]
    good = encoded(stripes(False))
    drawn = [figure(str(i), picture) for i, picture in enumerate([*bad, good])]
    hold(manifest, paper(*drawn))
    eye = Eye()
    assert figures.look_at_new(manifest, eye) == (3, 2)
    assert figures.look_at_new(manifest, eye) == (0, 0)
    assert [each.figure.label for each in figures.alike(manifest, eye, stripes(False), 5)] == [
        "Fig. 2"
    ]


def test_all_of_a_batch_may_be_no_pictures(manifest):
    hold(manifest, paper(figure("1", Picture("image/png", 9, 9, b"no"))))
    assert figures.look_at_new(manifest, Eye()) == (1, 1)
    assert figures.alike(manifest, Eye(), stripes(False), 5) == ()


def test_the_library_as_it_was_shows_the_figures_it_had(manifest):
    hold(manifest, paper(figure("1", encoded(stripes(False)))))
    before = manifest.generation
    hold(manifest, paper(figure("2", encoded(stripes(True))), sha="s2"))
    eye = Eye()
    figures.look_at_new(manifest, eye)
    then = figures.alike(manifest, eye, stripes(False), 5, generation=before)
    now = figures.alike(manifest, eye, stripes(True), 5)
    assert [each.figure.label for each in then] == ["Fig. 1"]
    assert [each.figure.label for each in now] == ["Fig. 2"]


def test_the_same_picture_in_two_figures_is_told_once(manifest):
    same = encoded(stripes(False))
    hold(manifest, paper(figure("1", same), figure("2", same)))
    eye = Eye()
    figures.look_at_new(manifest, eye)
    assert [each.figure.label for each in figures.alike(manifest, eye, stripes(False), 5)] == [
        "Fig. 1"
    ]
