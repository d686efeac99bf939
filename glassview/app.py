"""The desktop, wired: session, presenter, jobs and window; the rooms below by injected openers.

Knows which signal changes which state and which work runs beside the window. Nothing heavy is
imported here: torch, Chroma and reportlab come up in the worker that needs them.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from glassllava.errors import BadInput, GlassError
from glassllava.measurement.ruler import MeasuringSettings
from glassllava.sample import Sample
from glassllava.settings import Settings, load, user_config_dir, user_data_dir
from glassview import looking, presenter, rooms
from glassview.qt import desk, style
from glassview.qt.bench import Bench, WriteReport
from glassview.qt.choosing import Choosing
from glassview.qt.jobs import Jobs
from glassview.qt.places import LogHandler
from glassview.qt.stage import Stage
from glassview.qt.window import Window
from glassview.session import Session, Trouble, level_named

if TYPE_CHECKING:
    from glassllava.literature import Literature
    from glassllava.micrograph.record import Micrograph
    from glassllava.model.backend import VisionModel

log = logging.getLogger("glassview")

LANES = {"look": 1, "tiles": 2, "later": 1, "thumbnails": 1, "judge": 1}
_RECENT = 10
_SYNTHETIC = "The demo micrographs are synthetic: drawn, not taken."


class Desktop(QObject):
    """One window and its session."""

    def __init__(
        self,
        *,
        open_model: Callable[[], VisionModel],
        open_library: Callable[[], Literature],
        archive: rooms.DesktopRun,
        write_report: WriteReport,
        demo: Path | None,
        kept: QSettings,
        measuring: MeasuringSettings | None = None,
    ) -> None:
        super().__init__()
        self._archive = archive
        self._demo = demo
        self._kept = kept
        self.window = Window()
        self._choosing = Choosing(self.window, kept)
        self.jobs = Jobs(LANES | desk.LANES, self)
        self.session = Session(archive, self._on_change)
        self.stage = Stage(self.window, self.jobs, self._known, self._not_read)
        self._rooms = rooms.Rooms(open_model, open_library, measuring)
        self.bench = Bench(
            self.window, self.jobs, self.session, self._rooms, write_report, self._say_trouble
        )
        self.stage.on_shown = self.bench.put_overlays
        self.desk = desk.Desk(
            self.window, self.jobs, self._rooms, self._choosing, self._say_trouble
        )
        self._log = LogHandler()
        logging.getLogger().addHandler(self._log)
        self._log.records.line.connect(self.window.log.put_line)
        self._connect()
        self.window.restore(kept)
        self.window.invitation.put_demo(demo is not None)
        self._put_recent([])
        self._refresh()

    # -- wiring --------------------------------------------------------------------------------

    def _connect(self) -> None:
        window = self.window
        for name, do in (
            ("open", self.choose_files),
            ("open_folder", self.choose_folder),
            ("export", self.choose_export),
            ("close_all", self.close_all),
            ("previous", lambda: self.session.step(-1)),
            ("next", lambda: self.session.step(1)),
            ("undo", lambda: self._told(self.session.undo)),
            ("redo", lambda: self._told(self.session.redo)),
        ):
            window.on(name, do)
        window.dropped.connect(self.open)
        window.recent_chosen.connect(lambda path: self.open([path]))
        window.closing.connect(self.close)
        window.invitation.demo_asked.connect(self.open_demo)
        window.thumbnails.chosen.connect(self.session.show)
        window.thumbnails.wanted.connect(self._load_thumbnails)
        window.page_chosen.connect(self._on_page)
        window.size_typed.connect(self._on_size)
        window.offer.used.connect(self._on_bar_used)
        window.sample.edited.connect(lambda typed: self._on_sample(typed, everywhere=False))
        window.sample.everywhere_asked.connect(lambda typed: self._on_sample(typed, True))
        window.ask.question_edited.connect(lambda text: self.session.ask(question=text))
        window.ask.level_chosen.connect(lambda name: self.session.ask(level=level_named(name)))

    def warm_up(self) -> None:
        """Import what the first picture needs, so that it comes at once when it is asked for."""
        self.jobs.run(
            "look",
            "warm up",
            lambda say: looking.warm_up(),
            lambda nothing: None,
            lambda trouble: None,  # the first picture will meet the same trouble, and say it
        )

    # -- opening -------------------------------------------------------------------------------

    def open(self, paths: Sequence[str | Path]) -> None:
        """Open files and folders; what cannot be opened is said in the status bar."""
        given = [str(path) for path in paths]
        if not given:
            return
        self.window.message.setText("Looking for micrographs …")
        self.jobs.run(
            "look",
            "find",
            lambda say: looking.find_micrographs(given),
            self._found,
            self._say_trouble,
        )
        self._put_recent(given)

    def _found(self, paths: tuple[Path, ...]) -> None:
        is_demo = self._demo is not None and any(self._demo in p.parents for p in paths)
        said = _SYNTHETIC if is_demo else ""
        if len(paths) >= looking.MOST_FILES:
            said = f"The first {len(paths):,} micrographs are shown: open others by their folder"
        self.window.message.setText(said)
        keys = self.session.add(paths)
        if keys:
            self.session.show(keys[0])
            self.window.canvas.setFocus()

    def choose_files(self) -> None:
        kinds = "Micrographs (*.tif *.tiff *.png *.jpg *.jpeg *.bmp)"
        self.open(self._choosing.files("Open micrographs", kinds))

    def choose_folder(self) -> None:
        self.open(self._choosing.folder("Open a folder"))

    def open_demo(self) -> None:
        if self._demo is not None:
            self.open([self._demo])

    def close_all(self) -> None:
        for sheet in self.session.sheets:
            self.jobs.forget(f"judge {sheet.key}")
            self.jobs.forget(f"thumbnail {sheet.key}")
            self.jobs.forget(f"bar {sheet.key}")
        self.stage.clear()
        self.session.close_all()

    def _put_recent(self, added: Sequence[str]) -> None:
        value = self._kept.value("files/recent", [])
        known: list[Any] = value if isinstance(value, list) else [value] if value else []
        absolute = [str(Path(path).absolute()) for path in added]
        recent = list(dict.fromkeys([*absolute, *map(str, known)]))[:_RECENT]
        self._kept.setValue("files/recent", recent)
        self.window.put_recent(recent)

    # -- state to screen -----------------------------------------------------------------------

    def _on_change(self, key: int | None) -> None:
        if key is None:
            self._refresh()
            return
        self.window.thumbnails.put_state(presenter.thumbnail(self.session[key]))
        if key == self.session.current:
            self._refresh_sheet()

    def _refresh(self) -> None:
        self.window.thumbnails.put_states(
            [presenter.thumbnail(sheet) for sheet in self.session.sheets], self.session.current
        )
        self._refresh_sheet()

    def _refresh_sheet(self) -> None:
        """Put everything of the shown sheet; the picture only when it is another one."""
        window, sheet = self.window, self.session.sheet
        window.put(presenter.window_state(self.session))
        self.desk.show(sheet)
        if sheet is None:
            self.stage.clear()
            return
        if sheet.key != self.stage.sheet_on:
            window.typed_size.setText("")
            window.put_size_trouble("")
            self.stage.show(sheet)
        elif not self.stage.is_on(sheet):
            if sheet.typed_size is None:
                window.typed_size.setText("")
            self.stage.show(sheet)
            if self.stage.picture is not None:  # one that was kept comes at once
                self.session.update(sheet.key, micrograph=self.stage.picture.micrograph)
                self._settle_size(sheet.key)
                return
        window.offer.put(presenter.bar_offer(sheet))
        window.ask.put(
            sheet.question,
            sheet.level,
            enabled=bool(sheet.micrograph and not sheet.stage),
            stage=sheet.stage,
        )
        window.sample.put(sheet.sample, sheet.sample_origin, sheet.sample_trouble)
        self.bench.show(sheet)

    # -- what became known ---------------------------------------------------------------------

    def _known(self, key: int, micrograph: Micrograph, beside: looking.Beside) -> None:
        if key not in self.session:
            return
        before = self.session[key].micrograph
        changes: dict[str, object] = {"micrograph": micrograph, "trouble": None}
        if not self.session[key].sample_origin:
            changes |= {
                "sample": beside.sample,
                "sample_origin": beside.origin,
                "sample_trouble": beside.trouble,
            }
        self.session.update(key, **changes)
        if before is None:
            self._told(lambda: self._recall(key, micrograph))
        if before is None or before.page != micrograph.page or before.pixel_size is not None:
            self._look_for_bar(key, micrograph)
        self._settle_size(key)

    def _look_for_bar(self, key: int, micrograph: Micrograph) -> None:
        """Where the file has no scale: what the drawn bar says, when there is time."""
        if micrograph.pixel_size is not None:
            return
        self.jobs.run(
            "later",
            f"bar {key}",
            lambda say: looking.drawn_scale(micrograph),
            lambda drawn: self.session.bar_read(key, micrograph.page, drawn),
            lambda trouble: None,  # nothing was promised; the log has the reason
        )

    def _load_thumbnails(self, keys: Sequence[int]) -> None:
        self.stage.load_thumbnails([self.session[key] for key in keys if key in self.session])

    def _recall(self, key: int, micrograph: Micrograph) -> None:
        """Show what an earlier day made of this file, if it is still the same file."""
        kept = self._archive.last_of(micrograph)
        if kept is None:
            return
        sheet = self.session[key]
        found = self._archive.recall(kept)
        self.jobs.run(
            "thumbnails",
            f"recall {key}",
            lambda say: rooms.is_same(sheet.path, found.interpretation.micrograph),
            lambda same: (
                self.session.recalled(key, kept, found.interpretation, found.review)
                if same
                else None
            ),
            self._say_trouble,
        )

    def _not_read(self, key: int, trouble: Trouble) -> None:
        self.session.update(key, trouble=trouble)

    def _on_page(self, page: int) -> None:
        if self.session.current is not None:
            self.window.put_size_trouble(self.session.choose_page(self.session.current, page))

    def _settle_size(self, key: int) -> None:
        if (words := self.session.settle_size(key)) and key == self.session.current:
            self.window.put_size_trouble(words)

    def _on_size(self, text: str) -> None:
        try:
            size = looking.typed_pixel_size(text)
        except BadInput as error:
            self.window.put_size_trouble(f"{error.what}. {error.remedy}")
            return
        self.window.put_size_trouble("")
        if self.session.current is not None:
            self.session.edit_size(self.session.current, size)

    def _on_bar_used(self) -> None:
        sheet = self.session.sheet
        if sheet is not None and sheet.drawn is not None:
            self.session.edit_size(sheet.key, looking.confirmed(sheet.drawn))

    def _on_sample(self, typed: Mapping[str, Any], everywhere: bool) -> None:
        if self.session.current is None:
            return
        try:
            sample = Sample.from_mapping(typed, where="the form")
        except BadInput as error:
            self.window.sample.put_trouble(Trouble.of(error))
            return
        self.window.sample.put_trouble(None)
        self.session.edit_sample(self.session.current, sample, everywhere=everywhere)

    def _told(self, do: Callable[[], object]) -> None:
        """Do what may be refused, and say why if it is."""
        try:
            do()
        except GlassError as error:
            self._say_trouble(Trouble.of(error))

    def choose_export(self) -> None:
        sheet = self.session.sheet
        if sheet is None or sheet.interpretation is None:
            return
        path = self._choosing.report("Export report", f"{sheet.path.stem} report.pdf")
        if path is not None:
            self.bench.export(path)

    # -- the end -------------------------------------------------------------------------------

    def _say_trouble(self, trouble: Trouble) -> None:
        self.window.message.setText(f"{trouble.what}. {trouble.remedy}".strip())
        self.window.statusBar().show()

    def close(self) -> None:
        self.window.remember(self._kept)
        self._kept.sync()
        self.window.hide()  # a worker may need a moment to end: nobody should watch it
        self.desk.close()
        self.stage.clear()
        self.jobs.close()
        self._rooms.close()
        self._archive.close()
        logging.getLogger().removeHandler(self._log)


def open_desktop(paths: Sequence[str], *, settings: Settings | None = None) -> int:
    """Open the window on `paths`; the exit code when it is closed.

    Raises
    ------
    BadInput : for settings that cannot be used.
    """
    settings = load() if settings is None else settings
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("GlassView")
    style.dress(application)
    desktop = Desktop(
        open_model=lambda: rooms.open_model(settings),
        open_library=rooms.open_library,
        archive=rooms.DesktopRun(user_data_dir() / "desktop"),
        write_report=rooms.write_report,
        demo=rooms.demo_folder(),
        kept=QSettings(str(user_config_dir() / "desktop.ini"), QSettings.Format.IniFormat),
        measuring=settings.section("measurement", MeasuringSettings),
    )
    desktop.window.show()
    desktop.warm_up()
    # Ctrl+C in the terminal closes the window as its button does; Python only gets to see the
    # signal while it runs, so that a timer has to wake it.
    interrupted: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupted.append(130)
        desktop.window.close()

    signal.signal(signal.SIGINT, interrupt)
    awake = QTimer(desktop)
    awake.start(400)
    awake.timeout.connect(lambda: None)
    if paths:
        QTimer.singleShot(0, lambda: desktop.open(list(paths)))
    code = int(application.exec())
    return interrupted[0] if interrupted else code
