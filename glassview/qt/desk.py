"""The reading desk: citations followed, the library searched, papers added and opened.

Wires the literature panel to the shelf (state) and to the library (work beside the window). Knows
nothing of how an interpretation is made (`bench`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from glassllava.literature import Passage
from glassview import alike, cards, papers
from glassview.alike import Figures
from glassview.papers import Paper
from glassview.qt.choosing import Choosing
from glassview.qt.jobs import Jobs
from glassview.qt.paper import PaperWindow
from glassview.qt.window import Window
from glassview.rooms import Rooms
from glassview.session import Trouble
from glassview.sheet import Sheet
from glassview.shelf import Shelf, Wanted

if TYPE_CHECKING:
    from glassllava.interpretation import Interpretation
    from rag.library import Library

#: The lanes that the desk needs: for answers, papers on their way in, pages, and figures.
LANES = {"library": 1, "papers": 1, "pages": 1, "figures": 1}

_INVITE = "Interpret at context 'high' to look the micrograph up, or search the library above."
_PAPERS = "Papers (*.pdf *.md *.markdown *.txt *.html *.htm *.xml *.nxml *.bib *.ris *.json)"


class Desk:
    """The literature panel and the window of a paper, wired."""

    def __init__(
        self,
        window: Window,
        jobs: Jobs,
        rooms: Rooms,
        choosing: Choosing,
        say_trouble: Callable[[Trouble], None],
    ) -> None:
        self.window, self.jobs, self._rooms = window, jobs, rooms
        self._choosing, self._say_trouble = choosing, say_trouble
        self.panel = window.literature
        self.shelf = Shelf(self._put_shelf)
        self.paper: PaperWindow | None = None
        self._opened: Paper | None = None
        self._shown: tuple[object, ...] = ()
        self._put: tuple[object, ...] = (None, None, None)
        self._stop = threading.Event()
        self._sheet: Sheet | None = None
        self._figures = Figures()
        panel = self.panel
        panel.searched.connect(self.search)
        panel.view_chosen.connect(self._on_view)
        panel.back_asked.connect(window.show_verdict)
        panel.paper_asked.connect(self.open_paper)
        panel.doi_asked.connect(lambda url: QDesktopServices.openUrl(QUrl(url)))
        panel.words_asked.connect(self.show_words)
        panel.files_asked.connect(self.choose_files)
        panel.folder_asked.connect(self.choose_folder)
        panel.dropped.connect(self.add)
        panel.remove_asked.connect(self.remove)
        panel.undo_asked.connect(self.take_back)
        panel.strip.stop_asked.connect(self.stop_adding)
        panel.strip.dismissed.connect(self.shelf.forget_added)
        window.verdict.cited.connect(self.follow)
        window.on("search", self.focus_search)
        window.on("add_papers", self.choose_files)
        panel.put_given((), (), _INVITE, "")
        self._put_shelf()

    # -- one interpretation --------------------------------------------------------------------

    def show(self, sheet: Sheet | None) -> None:
        """The passages of a sheet's interpretation."""
        self._sheet = sheet
        if self._figures.key != _shown_of(sheet):
            if self.panel.view == "alike":
                self.find_figures()
            else:
                self._put_figures(Figures())
        made = sheet.interpretation if sheet is not None else None
        shown = (sheet.key if sheet is not None else None, made)
        if shown == self._shown:
            return
        self._shown = shown
        self._put_given(made)

    def _put_given(self, made: Interpretation | None) -> None:
        if made is None:
            self.panel.put_given((), (), _INVITE, "")
            return
        self.panel.put_given(
            cards.given_cards(made), cards.left_out_rows(made), cards.given_words(made), made.query
        )
        if made.query and not self.shelf.search.query:
            self.panel.put_query(made.query)

    def follow(self, number: int) -> None:
        """A person clicked [number]: show the passage that it points to."""
        self.window.tabs.setCurrentWidget(self.panel)
        self.panel.show_passage(number)

    def show_words(self, passage_id: str) -> None:
        """The words of a passage that was found and left out."""
        self.jobs.run(
            "library",
            f"words {passage_id}",
            lambda say: papers.passage(self._library(), passage_id),
            lambda found: self.panel.put_left_out_words(passage_id, *cards.found_cards([found])),
            lambda trouble: self.panel.put_left_out_words(passage_id, _sentence(trouble)),
        )

    # -- searching -----------------------------------------------------------------------------

    def focus_search(self) -> None:
        self.window.tabs.setCurrentWidget(self.panel)
        self.panel.query.setFocus()
        self.panel.query.selectAll()

    def search(self, query: str, wanted: Wanted) -> None:
        self.panel.show_view("found")
        if (asked := self.shelf.ask(query, wanted)) is None:
            return
        self.jobs.run(
            "library",
            "search",
            lambda say: papers.search(self._library(), asked.query, asked.wanted),
            self.shelf.answered,
            self.shelf.not_answered,
        )

    # -- figures that look alike -----------------------------------------------------------------

    def find_figures(self) -> None:
        """Look for figures like the open micrograph, unless they stand there already."""
        sheet = self._sheet
        key = _shown_of(sheet)
        if sheet is None or key is None:
            self._put_figures(Figures())
            return
        if self._figures.key == key and self._figures.trouble is None:
            return
        self._put_figures(Figures(key, is_running=True))
        path, page = sheet.path, sheet.shown_page
        self.jobs.run(
            "figures",
            "figures",
            lambda say: alike.find(self._library(), self._rooms.model(say), path, page, say),
            lambda told: self._put_figures(Figures(key, cards=told[0], total=told[1])),
            lambda trouble: self._put_figures(Figures(key, trouble=trouble)),
            lambda step: self._put_figures(Figures(key, is_running=True, step=step)),
        )

    def _put_figures(self, figures: Figures) -> None:
        self._figures = figures
        self.panel.put_figures(figures)

    # -- the documents -------------------------------------------------------------------------

    def _on_view(self, view: str) -> None:
        if view == "held":
            self.list()
        if view == "alike":
            self.find_figures()

    def list(self) -> None:
        self.jobs.run(
            "library",
            "documents",
            lambda say: papers.documents(self._library()),
            lambda told: self.shelf.listed(*told),
            self.shelf.not_listed,
        )

    def remove(self, key: str) -> None:
        if (card := self.shelf.removing(key)) is None:
            return
        self.jobs.run(
            "library",
            f"remove {key}",
            lambda say: papers.remove(self._library(), key),
            lambda nothing: self.shelf.gone(card),
            self.shelf.not_listed,
        )

    def take_back(self, key: str) -> None:
        """Undo a removal: the file is added again."""
        if (path := self.shelf.taken_back(key)) is not None:
            self.add([path])

    # -- adding --------------------------------------------------------------------------------

    def choose_files(self) -> None:
        chosen = self._choosing.files("Add papers to the library", _PAPERS, "papers")
        self.add(list(map(Path, chosen)))

    def choose_folder(self) -> None:
        chosen = self._choosing.folder("Add a folder of papers", "papers")
        self.add(list(map(Path, chosen)))

    def add(self, paths: Sequence[Path]) -> None:
        """Add files and folders beside the window; one lot at a time."""
        if not paths:
            return
        self.window.tabs.setCurrentWidget(self.panel)
        if not self.shelf.begin_adding():
            self._say_trouble(Trouble("Papers are still being added", "Wait, or stop it first."))
            return
        if self.panel.view != "held":
            self.panel.show_view("held")
        # An event of its own: an older lot that has not noticed yet stays stopped.
        self._stop = stop = threading.Event()
        self.jobs.run(
            "papers",
            "add",
            lambda say: papers.add(self._library(), list(paths), say, stop.is_set),
            self._added,
            self.shelf.not_added,
            self.shelf.came_to,
        )

    def _added(self, result: papers.Added) -> None:
        self.shelf.added(result)
        self._put_figures(Figures())  # there may be more of them now
        self.list()

    def stop_adding(self) -> None:
        if self.shelf.adding.is_running:
            self._stop.set()
            self.shelf.stopping()

    # -- the paper itself ----------------------------------------------------------------------

    def open_paper(self, passage: Passage) -> None:
        """Show the page that a passage stands on."""
        self.window.message.setText("Looking for the paper …")
        self.jobs.run(
            "library",
            "paper",
            lambda say: papers.paper_of(self._library(), passage),
            self._put_paper,
            self._say_trouble,
        )

    def _put_paper(self, paper: Paper) -> None:
        self.window.message.setText("")
        self._opened = paper
        if self.paper is None:
            self.paper = PaperWindow(self.window)
            self.paper.page_wanted.connect(self._draw)
        self.paper.put_paper(paper)
        self.paper.show()
        self.paper.raise_()

    def _draw(self, page: int, width: int) -> None:
        paper = self._opened
        if paper is None or self.paper is None:
            return
        find = paper.words if page == paper.page else ""
        self.jobs.run(
            "pages",
            "page",
            lambda say: papers.show_page(paper.path, page, width, find),
            self.paper.put_page,
            self.paper.put_trouble,
        )

    # -- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Let papers on their way in stop, and close the paper."""
        self._stop.set()
        if self.paper is not None:
            self.paper.close()

    def _library(self) -> Library:
        return cast("Library", self._rooms.library())

    def _put_shelf(self) -> None:
        """Put what changed: cards that stand there already are left alone."""
        shelf, before = self.shelf, self._put
        can_add = not shelf.adding.is_running and not shelf.held.readonly
        self._put = (shelf.search, shelf.adding, (shelf.held, can_add))
        if before[0] != self._put[0]:
            found = shelf.search.found or ()
            self.panel.put_found(shelf.search, cards.found_cards(found))
        if before[1] != self._put[1]:
            self.panel.put_adding(shelf.adding)
        if before[2] != self._put[2]:
            self.panel.put_held(shelf.held, can_add=can_add)


def _shown_of(sheet: Sheet | None) -> object:
    """Which file and page is on the screen; None where none can be looked at."""
    if sheet is None or sheet.micrograph is None:
        return None
    return sheet.key, sheet.shown_page


def _sentence(trouble: Trouble) -> str:
    return f"{trouble.what}. {trouble.remedy}".strip()
