"""Published figures that look like the open micrograph, on the screen."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from glassllava.literature import Passage
from glassllava.model.scripted import ScriptedModel
from glassview.app import Desktop
from glassview.qt.figures import FigureFrame
from rag.library import Library
from rag.passages import Document, Entry, Figure, Picture
from tests.glassview.shelves import library

Opened = Callable[..., Desktop]


class Seeing(ScriptedModel):
    """A scripted model with an eye that sees a picture's mean grey over a grid of 4 x 4."""

    def likeness(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        rows = []
        for picture in pictures:
            small = Image.fromarray(picture).resize((4, 4), Image.Resampling.BOX)
            grid = np.asarray(small, np.float32).ravel() - 127.0
            rows.append(grid / (np.linalg.norm(grid) or 1))
        return np.array(rows, np.float32)


def encoded(seed: int) -> Picture:
    held = io.BytesIO()
    field = np.random.default_rng(seed).integers(0, 255, (90, 120)).astype(np.uint8)
    Image.fromarray(field).save(held, "PNG")
    return Picture("image/png", 120, 90, held.getvalue())


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Library]:
    with library(tmp_path / "library") as opened:
        yield opened


def give_figures(held: Library) -> None:
    caption = Passage("d:2", "Figure 1. Pores in a made-up glass.", "On pores", page=4)
    box = (0.0, 0.0, 1.0, 1.0)
    figures = tuple(
        Figure(f"d:f{n}", 4, f"Figure {n}", f"Figure {n}. Pores <b>x</b>", "d:2", box, encoded(n))
        for n in (1, 2)
    )
    entry = Entry(caption)
    held.add(Document("d", "pdf", "On pores", "p.pdf", "s", (entry,), figures=figures))


def said(desktop: Desktop) -> str:
    column = desktop.window.literature.alike
    return " ".join(label.text() for label in column.findChildren(QLabel))


def frames(desktop: Desktop) -> list[FigureFrame]:
    return desktop.window.literature.alike.findChildren(FigureFrame)


def test_figures_are_found_shown_and_their_page_can_be_opened(
    opened: Opened, held: Library, qtbot: QtBot
) -> None:
    give_figures(held)
    desktop = opened(open_model=Seeing, open_library=lambda: held)
    panel = desktop.window.literature
    panel.buttons["alike"].click()
    qtbot.waitUntil(lambda: len(frames(desktop)) == 2, timeout=20_000)
    assert "Nearest of 2 published figures" in said(desktop)
    first = frames(desktop)[0]
    assert first.card.likeness >= frames(desktop)[1].card.likeness
    assert not first.picture.pixmap().isNull()
    assert "Pores <b>x</b>" in first.card.caption, "words of papers are text, never markup"
    with qtbot.waitSignal(panel.paper_asked) as asked:
        first.open.click()
    assert asked.args[0].page == 4
    # Chosen again nothing is looked for; what stands there stays.
    panel.buttons["given"].click()
    panel.buttons["alike"].click()
    assert len(frames(desktop)) == 2


def test_without_figures_or_without_an_eye_it_is_said(
    opened: Opened, held: Library, qtbot: QtBot
) -> None:
    desktop = opened(open_library=lambda: held)
    desktop.window.literature.buttons["alike"].click()
    qtbot.waitUntil(lambda: "holds no figures yet" in said(desktop), timeout=20_000)
    give_figures(held)
    other = opened(open_library=lambda: held)
    other.window.literature.buttons["alike"].click()
    qtbot.waitUntil(lambda: "has no eye" in said(other), timeout=20_000)


def test_without_a_micrograph_there_is_nothing_to_look_for(
    make_desktop: Opened, held: Library
) -> None:
    desktop = make_desktop(open_library=lambda: held)
    desktop.window.literature.buttons["alike"].click()
    assert "Open a micrograph" in said(desktop)


def test_a_picture_that_is_none_is_said_and_the_rest_is_shown(
    opened: Opened, held: Library, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_figures(held)
    monkeypatch.setattr(held, "picture", lambda sha256: ("image/png", b"junk"))
    desktop = opened(open_model=Seeing, open_library=lambda: held)
    desktop.window.literature.buttons["alike"].click()
    qtbot.waitUntil(lambda: len(frames(desktop)) == 2, timeout=20_000)
    assert "cannot be shown" in frames(desktop)[0].picture.text()
