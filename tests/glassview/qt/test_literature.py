"""The literature on the screen: citations followed, papers searched, added, removed and opened."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QTextDocument,
)
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from glassllava.errors import BadInput, LiteratureUnavailable
from glassllava.literature import LeftOut, Passage
from glassllava.model.scripted import Script
from glassview import papers
from glassview.app import Desktop
from glassview.cards import DocumentCard, Piece
from glassview.papers import Page
from glassview.qt.cited import CitedText
from glassview.qt.panels import tip
from glassview.qt.passages import DocumentFrame, PassageFrame
from glassview.qt.strip import Strip
from glassview.shelf import Added, Adding, Refused, Wanted
from rag.library import Library
from tests.glassview.conftest import PASSAGES, Shelf, scripted
from tests.glassview.shelves import library, write_note

Opened = Callable[..., Desktop]

QUOTING = Script(
    probes={"pore": 0.93},
    verdict=0.88,
    description="Round dark cavities [1].",
    answer='Pores: "a closed gas cavity" [1]; a crack would run through [2].',
)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Library]:
    with library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def read(opened: Opened, qtbot: QtBot) -> Callable[..., Desktop]:
    """A desktop whose micrograph is interpreted by a model that quotes."""

    def make(script: Script = QUOTING, **parts: object) -> Desktop:
        desktop = opened(open_model=lambda: scripted(script), **parts)
        desktop.bench.interpret()
        qtbot.waitUntil(lambda: not shown(desktop).stage, timeout=30_000)
        assert shown(desktop).interpretation is not None
        return desktop

    return make


def shown(desktop: Desktop) -> Any:
    assert desktop.session.sheet is not None
    return desktop.session.sheet


def texts(widget: QWidget) -> list[str]:
    """Every word that a person sees in a widget."""
    QApplication.processEvents()  # what was just put is shown when the window next draws
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


def plain(label: QLabel) -> str:
    document = QTextDocument()
    document.setHtml(label.text())
    return document.toPlainText()


# -- citations ---------------------------------------------------------------------------------


def test_enter_on_a_citation_opens_the_passage_marks_it_and_leads_back(
    read: Callable[..., Desktop], qtbot: QtBot
) -> None:
    desktop = read()
    window = desktop.window
    window.activateWindow()
    answer = window.verdict.answer
    answer.setFocus(Qt.FocusReason.TabFocusReason)
    # The first Tab may have landed on the first citation already: the second is the next one.
    with qtbot.waitSignal(answer.cited) as first:
        qtbot.keyClick(answer, Qt.Key.Key_Tab)
        qtbot.keyClick(answer, Qt.Key.Key_Return)
    assert first.args in ([1], [2])
    desktop.desk.follow(2)
    panel = window.literature
    assert window.tabs.currentWidget() is panel
    assert panel.view == "given"
    chosen = {number: frame.property("chosen") for number, frame in panel.cards.items()}
    assert chosen == {1: "false", 2: "true"}
    qtbot.waitUntil(lambda: window.focusWidget() is panel.cards[2])
    assert panel.back.isVisible()
    qtbot.mouseClick(panel.back, Qt.MouseButton.LeftButton)
    assert window.tabs.currentWidget() is window.verdict


def test_a_click_on_a_citation_opens_its_passage(
    read: Callable[..., Desktop], qtbot: QtBot
) -> None:
    desktop = read()
    answer = desktop.window.verdict.answer
    followed: list[int] = []
    answer.cited.connect(followed.append)
    # Words are no links: only where the pointer shows one is there anything to click.
    for y in range(4, answer.height(), 6):
        for x in range(2, answer.width(), 5):
            if not followed:
                qtbot.mouseClick(answer, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    assert followed == [1]
    assert desktop.window.tabs.currentWidget() is desktop.window.literature
    assert desktop.window.literature.cards[1].property("chosen") == "true"


def test_findings_and_description_cite_too(read: Callable[..., Desktop], qtbot: QtBot) -> None:
    desktop = read()
    verdict = desktop.window.verdict
    (card,) = (card for card in verdict._cards if card.feature == "pore")
    assert "[1]" in card.notes.plain
    with qtbot.waitSignal(verdict.cited) as followed:
        card.notes.linkActivated.emit("1")
    assert followed.args == [1]
    with qtbot.waitSignal(verdict.cited):
        verdict.description.linkActivated.emit("1")


def test_a_far_passage_is_scrolled_to(read: Callable[..., Desktop], qtbot: QtBot) -> None:
    many = tuple(Passage(f"p:{n}", f"Passage {n}. " * 30, f"T{n}") for n in range(1, 5))

    class Long(Shelf):
        def search(self, query: str, limit: int) -> tuple[Passage, ...]:
            return many[:limit]

    desktop = read(replace(QUOTING, answer="See [4]."), open_library=Long)
    panel = desktop.window.literature
    assert len(panel.cards) == 4
    desktop.desk.follow(4)
    qtbot.waitUntil(lambda: panel.given.verticalScrollBar().value() > 0)
    top = panel.cards[4].mapTo(panel.given.viewport(), QPoint(0, 0)).y()
    assert 0 <= top < panel.given.viewport().height() - 20


def test_quoted_words_are_marked_in_the_passage(read: Callable[..., Desktop]) -> None:
    panel = read().window.literature
    marked = panel.cards[1].text.text()
    assert 'background-color: #5e5320;">a closed gas cavity</span>' in marked
    assert plain(panel.cards[1].text) == PASSAGES[0].text
    assert "background-color" not in panel.cards[2].text.text()


def test_hostile_words_are_shown_and_not_obeyed(qtbot: QtBot) -> None:
    label = CitedText()
    qtbot.addWidget(label)
    label.put(
        [Piece('<img src="file:///etc/passwd"><a href="http://x/">x</a> & '), Piece("[1]", 1)]
    )
    assert plain(label) == '<img src="file:///etc/passwd"><a href="http://x/">x</a> & [1]'
    assert not label.openExternalLinks()
    assert label.text().count("<a ") == 1


def test_a_file_s_name_is_no_markup_in_a_tooltip(qtbot: QtBot) -> None:
    path = "/x/<img src='http://x/y.png'><b>a</b> & b.pdf"
    card = DocumentCard("file:x", "A", "", "1 passage", path, "a.pdf", can_remove=True)
    frame = DocumentFrame(card, is_removed=False, can_change=True)
    qtbot.addWidget(frame)
    (shown,) = (label.toolTip() for label in frame.findChildren(QLabel) if label.toolTip())
    document = QTextDocument()
    document.setHtml(shown)
    assert document.toPlainText() == path
    assert tip("a & b\nc") == "a & b\nc", "plain words stay as they are"


def test_a_text_without_citations_has_no_links(qtbot: QtBot) -> None:
    label = CitedText()
    qtbot.addWidget(label)
    label.put([Piece("Nothing is cited")])
    flags = label.textInteractionFlags()
    assert not flags & Qt.TextInteractionFlag.LinksAccessibleByKeyboard
    label.put([])
    assert not label.isVisibleTo(None)


def test_what_was_left_out_is_listed_and_its_words_can_be_seen(
    read: Callable[..., Desktop], qtbot: QtBot, held: Library, tmp_path: Path
) -> None:
    papers.add(
        held,
        [write_note(tmp_path / "tin.md", "Tin", "Bright tin droplets on the lower face.")],
        lambda step: None,
        lambda: False,
    )
    (found,) = held.search("bright tin droplets", 1)
    desktop = read(open_library=lambda: held)
    made = shown(desktop).interpretation
    reason = "the prompt holds 9 characters of literature"
    out = tuple(LeftOut(each, "Tin", reason) for each in (found.id, "gone:1"))
    desktop.session.update(shown(desktop).key, interpretation=replace(made, left_out=out))
    desktop.window.tabs.setCurrentWidget(desktop.window.literature)
    panel = desktop.window.literature
    assert "The prompt holds 9 characters of literature" in texts(panel)
    frame = panel.left_out[found.id]
    qtbot.mouseClick(frame.show_words, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(frame.findChildren(PassageFrame)))
    assert "Bright tin droplets on the lower face." in texts(frame)
    gone = panel.left_out["gone:1"]
    qtbot.mouseClick(gone.show_words, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(gone.trouble.isVisible)


def test_a_doi_is_copied_and_leaves_the_machine_only_on_a_click(
    read: Callable[..., Desktop], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toString()) is None
    )
    cited = Passage("p:1", "Words.", "On seeds", doi="10.1234/seeds", year=2014)

    class One(Shelf):
        def search(self, query: str, limit: int) -> tuple[Passage, ...]:
            return (cited,)

    desktop = read(open_library=One)
    desktop.desk.follow(1)
    frame = desktop.window.literature.cards[1]
    qtbot.mouseClick(frame.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "10.1234/seeds"
    assert not opened
    assert "https://doi.org/10.1234/seeds" in frame.browse.toolTip()
    qtbot.mouseClick(frame.browse, Qt.MouseButton.LeftButton)
    assert opened == ["https://doi.org/10.1234/seeds"]


# -- searching ---------------------------------------------------------------------------------


def test_the_query_is_shown_edited_and_asked_again(
    read: Callable[..., Desktop], qtbot: QtBot
) -> None:
    asked: list[tuple[str, int]] = []

    class Asked(Shelf):
        def search(self, query: str, limit: int) -> tuple[Passage, ...]:
            asked.append((query, limit))
            return () if "bread" in query else PASSAGES[:limit]

    desktop = read(open_library=Asked)
    panel = desktop.window.literature
    desktop.window.actions_by_name["search"].trigger()
    made = shown(desktop).interpretation
    assert panel.query.text() == made.query
    assert any(f"Looked up: {made.query}" in text for text in texts(panel))
    panel.query.setText("seeds of gas")
    qtbot.keyClick(panel.query, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not desktop.desk.shelf.search.is_running)
    assert asked[-1] == ("seeds of gas", papers.MOST_FOUND)
    assert panel.view == "found"
    assert any("2 passages for" in text for text in texts(panel))
    panel.query.setText("bread")
    qtbot.mouseClick(panel.go, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: any("No evidence found" in text for text in texts(panel)))
    assert shown(desktop).interpretation == made, "a search changes no verdict"
    panel.show_view("given")
    assert set(panel.cards) == {1, 2}


def test_bounds_narrow_only_while_they_are_seen(
    make_desktop: Callable[..., Desktop], qtbot: QtBot
) -> None:
    panel = make_desktop().window.literature
    asked: list[Wanted] = []
    panel.searched.disconnect()
    panel.searched.connect(lambda query, wanted: asked.append(wanted))
    panel.query.setText("tin")
    panel.narrowing["material"].setText(" float glass ")
    panel._search()
    panel.bounds.setChecked(True)
    panel._search()
    assert asked == [Wanted(), Wanted(material="float glass")]


def test_a_library_that_is_busy_says_so_and_is_asked_again(
    opened: Opened, qtbot: QtBot, held: Library
) -> None:
    tries: list[int] = []

    def busy_once() -> Library:
        tries.append(1)
        if len(tries) == 1:
            raise LiteratureUnavailable("The library is locked", remedy="Try again.", retry=True)
        return held

    desktop = opened(open_library=busy_once)
    window = desktop.window
    window.tabs.setCurrentWidget(window.literature)
    assert any("Interpret at context 'high'" in text for text in texts(window.literature))
    window.literature.query.setText("tin")
    window.literature._search()
    qtbot.waitUntil(lambda: "The library is locked. Try again." in texts(window.literature))
    window.literature._search()
    qtbot.waitUntil(lambda: any("No evidence" in text for text in texts(window.literature)))


# -- adding and removing -----------------------------------------------------------------------


def drop(widget: QWidget, *paths: Path) -> bool:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    told = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(30, 30), Qt.DropAction.CopyAction, data, *told)
    QApplication.sendEvent(widget, enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(
        widget, QDropEvent(QPointF(30, 30), Qt.DropAction.CopyAction, data, *told)
    )
    return True


def documents(desktop: Desktop) -> list[str]:
    return [card.title for card in desktop.desk.shelf.held.cards or ()]


def test_papers_dropped_on_the_panel_go_into_the_library_and_micrographs_do_not(
    opened: Opened, qtbot: QtBot, held: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "papers"
    write_note(folder / "tin.md", "Tin", "Bright tin droplets.")
    (folder / "empty.md").write_text("")
    desktop = opened(open_library=lambda: held)
    panel, sheets = desktop.window.literature, desktop.session.sheets
    desktop.window.tabs.setCurrentWidget(panel)
    assert drop(panel.query, folder), "the search field leaves it to the panel"
    assert panel.query.text() == ""
    qtbot.waitUntil(lambda: desktop.desk.shelf.adding.result is not None, timeout=20_000)
    qtbot.waitUntil(lambda: documents(desktop) == ["Tin"])
    assert desktop.session.sheets == sheets
    assert panel.property("dropping") == "false"
    said = texts(panel.strip)
    assert "1 document added (1 passage), 1 file not added" in said
    assert any(text.startswith("empty.md: ") for text in said)
    qtbot.mouseClick(panel.strip.button, Qt.MouseButton.LeftButton)
    assert not panel.strip.isVisible()


def test_a_document_is_removed_and_taken_back(
    opened: Opened, qtbot: QtBot, held: Library, tmp_path: Path
) -> None:
    note = write_note(tmp_path / "tin.md", "Tin", "Bright tin droplets.")
    papers.add(held, [note], lambda step: None, lambda: False)
    desktop = opened(open_library=lambda: held)
    panel = desktop.window.literature
    desktop.window.tabs.setCurrentWidget(panel)
    qtbot.mouseClick(panel.buttons["held"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: documents(desktop) == ["Tin"])
    (frame,) = panel.findChildren(DocumentFrame)
    assert frame.button is not None
    qtbot.mouseClick(frame.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: documents(desktop) == [])
    assert held.documents() == []
    assert "Removed from the library" in texts(panel)
    desktop.desk.take_back(f"file:{note}")
    qtbot.waitUntil(lambda: documents(desktop) == ["Tin"], timeout=20_000)
    assert "Removed from the library" not in texts(panel)


def test_the_window_lives_while_papers_are_added_and_adding_can_be_stopped(
    opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    reached, may_go_on = threading.Event(), threading.Event()

    def before_each(text: str) -> None:
        if "first" in text:
            reached.set()
            assert may_go_on.wait(20)

    for name in ("first", "second"):
        write_note(tmp_path / "papers" / f"{name}.md", name, f"The {name} words. " * 90)
    with library(tmp_path / "slow", before_each=before_each) as slow:
        desktop = opened(open_library=lambda: slow)
        panel = desktop.window.literature
        desktop.desk.add([tmp_path / "papers"])
        assert reached.wait(20)
        qtbot.waitUntil(lambda: desktop.desk.shelf.adding.step is not None)
        assert panel.strip.isVisible()
        assert not panel.add.isEnabled()
        desktop.desk.add([tmp_path / "papers"])
        assert "still being added" in desktop.window.message.text()
        desktop.window.literature.show_view("given")
        qtbot.mouseClick(panel.strip.button, Qt.MouseButton.LeftButton)
        assert desktop.desk.shelf.adding.is_stopping
        may_go_on.set()
        qtbot.waitUntil(lambda: desktop.desk.shelf.adding.result is not None, timeout=20_000)
        assert desktop.desk.shelf.adding.result == Added(was_stopped=True)
        assert slow.documents() == [], "what was at work is left out whole"
        qtbot.waitUntil(panel.add.isEnabled)


def test_closing_the_window_stops_what_is_being_added(
    opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    reached = threading.Event()

    def before_each(text: str) -> None:
        reached.set()

    for number in range(40):
        name = f"{number:02d}"
        write_note(tmp_path / "papers" / f"{name}.md", name, f"The {name} words of glass. " * 200)
    held = library(tmp_path / "library", before_each=before_each)
    desktop = opened(open_library=lambda: held)
    desktop.desk.add([tmp_path / "papers"])
    assert reached.wait(20)
    desktop.window.close()
    with library(tmp_path / "library") as again:
        assert len(again.documents()) < 40


def test_the_reasons_of_what_was_not_added_have_room(qtbot: QtBot) -> None:
    strip = Strip()
    qtbot.addWidget(strip)
    strip.resize(340, 300)
    strip.show()
    few = Added(1, 2, refused=(Refused("torn.pdf", "It is torn. Copy it again, all of it."),))
    strip.put(Adding(result=few))
    (label,) = strip.refused.findChildren(QLabel)
    qtbot.waitUntil(lambda: strip.refused.height() >= label.heightForWidth(280))
    low = strip.refused.height()
    strip.put(Adding(result=replace(few, refused=few.refused * 40)))
    qtbot.waitUntil(lambda: low < strip.refused.height() < 200)
    strip.put(Adding())
    assert not strip.isVisible()


# -- the paper itself --------------------------------------------------------------------------


def drawn_page(width: int, *, pages: int = 3, boxes: tuple[Any, ...] = ()) -> Page:
    png = io.BytesIO()
    Image.new("L", (width, round(width * 1.4)), 255).save(png, "PNG")
    return Page(png.getvalue(), pages, "words" if boxes else "", boxes)


@pytest.fixture
def paper(
    opened: Opened, held: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[Desktop, list[tuple[int, int, str]]]:
    """A desktop that finds a paper of three pages, and the pages that were asked for."""
    asked: list[tuple[int, int, str]] = []

    def show_page(path: Path, page: int, width: int, find: str) -> Page:
        asked.append((page, width, find))
        if page == 3:
            raise BadInput("The page cannot be drawn in 20 s", remedy="Open it elsewhere.")
        box = ((0.1 * width, 1.2 * width, 0.8 * width, 1.25 * width),)
        return drawn_page(width, boxes=box if find else ())

    def paper_of(held: object, cited: Passage) -> papers.Paper:
        if cited.page is None:
            raise BadInput("The paper is gone", remedy="Add it again.")
        doubt = "This file has changed." if cited.id == "changed" else ""
        return papers.Paper(tmp_path / "one.pdf", cited.page, "On seeds", cited.text, doubt)

    monkeypatch.setattr(papers, "show_page", show_page)
    monkeypatch.setattr(papers, "paper_of", paper_of)
    return opened(open_library=lambda: held), asked


def test_the_page_is_shown_with_the_passage_marked_and_can_be_left(
    paper: tuple[Desktop, list[tuple[int, int, str]]], qtbot: QtBot
) -> None:
    desktop, asked = paper
    desktop.desk.open_paper(Passage("p", "words", "On seeds", page=2))
    qtbot.waitUntil(lambda: bool(desktop.desk.paper and desktop.desk.paper.view.has_page))
    window = desktop.desk.paper
    assert window is not None
    assert window.isVisible()
    assert not window.isModal()
    assert (asked[0][0], asked[0][2]) == (2, "words")
    assert window.number.text() == "2"
    assert window.of.text() == "of 3"
    assert not window.doubt.isVisible()
    box = window.view.first_box()
    assert box is not None
    top = box.top() - window.room.verticalScrollBar().value()
    assert 0 <= top < window.room.viewport().height(), "the marked lines are in sight"
    qtbot.mouseClick(window.previous, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: asked[-1][0] == 1 and not desktop.jobs.is_busy("page"))
    assert asked[-1][2] == "", "the passage stands on its own page alone"
    assert not window.previous.isEnabled()
    width = window.view.width()
    qtbot.mouseClick(window.zoom_in, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: asked[-1][1] > width)
    assert window.view.width() > width
    for typed in ("none", "0", "99"):  # what is no page is left, what is beyond is the last
        window.number.setText(typed)
        qtbot.keyClick(window.number, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "cannot be drawn" in window.said.text())
    assert window.isVisible()
    desktop.window.close()
    assert not window.isVisible()


def test_a_paper_that_changed_is_shown_with_a_warning_and_one_that_is_gone_is_said(
    paper: tuple[Desktop, list[tuple[int, int, str]]], qtbot: QtBot
) -> None:
    desktop, _ = paper
    desktop.desk.open_paper(Passage("gone", "words", "On seeds"))
    qtbot.waitUntil(lambda: "The paper is gone" in desktop.window.message.text())
    assert desktop.desk.paper is None
    desktop.desk.open_paper(Passage("changed", "words", "On seeds", page=1))
    qtbot.waitUntil(lambda: bool(desktop.desk.paper and desktop.desk.paper.view.has_page))
    assert desktop.desk.paper is not None
    assert desktop.desk.paper.doubt.isVisible()
    assert "changed" in desktop.desk.paper.doubt.text()


def test_what_is_no_picture_is_said(
    paper: tuple[Desktop, list[tuple[int, int, str]]],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desktop, _ = paper
    monkeypatch.setattr(papers, "show_page", lambda *told: Page(b"GIF89a", 3, "", ()))
    desktop.desk.open_paper(Passage("p", "words", "On seeds", page=1))
    qtbot.waitUntil(
        lambda: bool(desktop.desk.paper and "no picture" in desktop.desk.paper.said.text())
    )
