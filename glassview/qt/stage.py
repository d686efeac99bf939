"""The stage: fetches the pictures of sheets and puts them on canvas, contrast panel and strip.

Keeps the last pictures for going back to; drops a picture that arrives after another was asked
for. Knows nothing of interpretations.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QTimer

from glassllava.micrograph.record import Micrograph
from glassview import evidence, looking, presenter
from glassview.qt import tiles
from glassview.qt.jobs import Jobs
from glassview.qt.window import Window
from glassview.session import Sheet, Trouble

_KEPT_BYTES = 400 << 20
_READING = "Reading …"
_AFTER_PAINT_MS = 60

Known = Callable[[int, Micrograph, looking.Beside], None]
NotRead = Callable[[int, Trouble], None]


class Stage:
    """One canvas and what is on it."""

    def __init__(self, window: Window, jobs: Jobs, known: Known, not_read: NotRead) -> None:
        self._window, self._jobs = window, jobs
        self._known, self._not_read = known, not_read
        self._pictures: OrderedDict[tuple[object, ...], looking.Picture] = OrderedDict()
        self._wanted: tuple[object, ...] = ()
        self._range = (0.0, 1.0)
        self.picture: looking.Picture | None = None
        self.sheet_on: int | None = None
        self.on_shown: Callable[[int], None] = lambda key: None
        self._after_paint = QTimer(window)
        self._after_paint.setSingleShot(True)
        self._after_paint.setInterval(_AFTER_PAINT_MS)
        self._after_paint.timeout.connect(self._improve)
        window.canvas.cursor_at.connect(self._on_cursor)
        window.contrast.changed.connect(self._on_contrast)
        window.contrast.auto_asked.connect(self._auto)

    def clear(self) -> None:
        """Nothing is shown, and nothing is kept."""
        self._pictures.clear()
        self._empty()
        self._wanted, self.sheet_on = (), None

    def show(self, sheet: Sheet) -> None:
        """Show the picture of a sheet as soon as it is read."""
        self.sheet_on = sheet.key
        self._wanted = wanted = (sheet.key, sheet.page, sheet.typed_size)
        if (picture := self._pictures.get(wanted)) is not None:
            self._jobs.forget("look")
            self._pictures.move_to_end(wanted)
            self._put(sheet.key, picture)
            return
        if sheet.trouble is not None:
            self._jobs.forget("look")
            self._empty()
            return
        if not self._window.message.text():
            self._window.message.setText(_READING)
        key, path, page, typed = sheet.key, sheet.path, sheet.page, sheet.typed_size
        self._jobs.run(
            "look",
            "look",
            lambda say: looking.look(path, page, typed),
            lambda result: self._looked(key, wanted, *result),
            lambda trouble: self._failed(key, trouble),
            priority=1,
        )

    def _looked(
        self,
        key: int,
        wanted: tuple[object, ...],
        picture: looking.Picture,
        beside: looking.Beside,
    ) -> None:
        self._unsay()
        self._pictures[wanted] = picture
        while len(self._pictures) > 1 and self._kept_bytes() > _KEPT_BYTES:
            self._pictures.popitem(last=False)
        if wanted == self._wanted:
            self._put(key, picture)
        self._known(key, picture.micrograph, beside)

    def _unsay(self) -> None:
        if self._window.message.text() == _READING:
            self._window.message.setText("")

    def _kept_bytes(self) -> int:
        return sum(picture.size_bytes for picture in self._pictures.values())

    def _failed(self, key: int, trouble: Trouble) -> None:
        self._unsay()
        self._empty()
        self._not_read(key, trouble)

    def _empty(self) -> None:
        self.picture = None
        self._after_paint.stop()
        window = self._window
        window.canvas.clear()
        window.metadata.put(())
        window.put_calibration("", True)
        window.put_pages((), 0)
        self._on_cursor(-1, -1)

    def _put(self, key: int, picture: looking.Picture) -> None:
        window, micrograph = self._window, picture.micrograph
        self.picture, self._range = picture, picture.shown
        window.canvas.put_picture(
            picture.codes, lambda zoom: presenter.scale_bar(micrograph.pixel_size, zoom)
        )
        window.contrast.put(picture.counts, picture.span, *picture.shown)
        self._put_table()
        self._on_cursor(-1, -1)
        window.metadata.put(evidence.metadata(micrograph))
        window.put_calibration(*presenter.calibration_words(micrograph))
        window.put_pages(presenter.page_choices(micrograph), micrograph.page)
        self.on_shown(key)
        # Not before the picture was painted: these keep the processor busy.
        self._after_paint.start()

    def _improve(self) -> None:
        """What makes a picture that is shown already look better, and its thumbnail."""
        picture, key = self.picture, self.sheet_on
        if picture is None or key is None:
            return
        array = picture.codes.array
        self._jobs.run(
            "later",
            f"thumbnail {key}",
            lambda say: looking.thumbnail_of(picture.grey, picture.micrograph),
            lambda shades: self._window.thumbnails.put_picture(key, shades),
            lambda trouble: None,  # a strip without a picture says enough; the log has the reason
        )
        if picture.micrograph.databar is None:
            self._jobs.run(
                "later",
                "databar",
                lambda say: looking.with_databar(picture),
                lambda found: self._databar_found(key, picture, found),
                lambda trouble: None,  # contrast goes on counting the whole frame
            )
        self._jobs.run(
            "later",
            "means",
            lambda say: tiles.mean_levels(array),
            lambda means: self._put_means(array, means),
            lambda trouble: None,  # the strides go on being shown; the log has the reason
        )

    def _databar_found(self, key: int, before: looking.Picture, found: looking.Picture) -> None:
        if before is not self.picture or found is before:
            return
        self.picture = found
        self._pictures[self._wanted] = found
        window = self._window
        window.contrast.put(found.counts, found.span, *self._range)
        if self._range == before.shown:
            self._auto()
        window.metadata.put(evidence.metadata(found.micrograph))
        self._known(key, found.micrograph, looking.sample_beside(found.micrograph.path))

    def _put_means(self, array: Any, means: Any) -> None:
        if self.picture is not None and array is self.picture.codes.array:
            self._window.canvas.put_means(means)

    # -- thumbnails ----------------------------------------------------------------------------

    def load_thumbnails(self, sheets: Sequence[Sheet]) -> None:
        for sheet in sheets:
            # The one that is shown gets its thumbnail from its picture, without reading again.
            busy = self._jobs.is_busy(f"thumbnail {sheet.key}")
            if sheet.trouble is None and sheet.key != self.sheet_on and not busy:
                self._load_thumbnail(sheet)

    def _load_thumbnail(self, sheet: Sheet) -> None:
        self._jobs.run(
            "thumbnails",
            f"thumbnail {sheet.key}",
            lambda say: looking.thumbnail(sheet.path, sheet.page),
            lambda made: self._thumbnail_made(sheet.key, *made),
            lambda trouble: self._not_read(sheet.key, trouble),
        )

    def _thumbnail_made(
        self, key: int, shades: Any, micrograph: Micrograph, beside: looking.Beside
    ) -> None:
        self._window.thumbnails.put_picture(key, shades)
        self._known(key, micrograph, beside)

    # -- cursor and contrast -------------------------------------------------------------------

    def _on_cursor(self, x: int, y: int) -> None:
        place = counts = ""
        if self.picture is not None and x >= 0:
            value = self.picture.value(x, y)
            place, counts = presenter.under_cursor(self.picture.micrograph, x, y, value)
        self._window.cursor_words.setText(place)
        self._window.counts.setText(counts)

    def _on_contrast(self, low: float, high: float, gamma: float, invert: bool) -> None:
        self._range = (low, high)
        self._put_table()

    def _auto(self) -> None:
        if self.picture is not None:
            self._range = self.picture.shown
            self._window.contrast.put_range(*self._range)
            self._put_table()

    def _put_table(self) -> None:
        if self.picture is not None:
            codes, contrast = self.picture.codes, self._window.contrast
            low, high = map(codes.code, self._range)
            self._window.canvas.put_table(
                tiles.lookup(
                    codes.size, low, high, contrast.gamma_value, contrast.invert.isChecked()
                )
            )
