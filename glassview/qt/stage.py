"""The stage: fetches the pictures of sheets and puts them on canvas, contrast panel and strip.

Keeps the last pictures for going back to; drops a picture, and a tile of it, that arrives after
another was asked for. Nothing is read or decoded in the window's own thread. Knows nothing of
interpretations.
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
        self.tiles_asked: set[str] = set()
        self._tiles_torn: set[tiles.Tile] = set()
        self.picture: looking.Picture | None = None
        self.sheet_on: int | None = None
        self.on_shown: Callable[[int], None] = lambda key: None
        self._after_paint = QTimer(window)
        self._after_paint.setSingleShot(True)
        self._after_paint.setInterval(_AFTER_PAINT_MS)
        self._after_paint.timeout.connect(self._improve)
        window.canvas.cursor_at.connect(self._on_cursor)
        window.canvas.tiles_wanted.connect(self._on_tiles_wanted)
        window.contrast.changed.connect(self._on_contrast)
        window.contrast.auto_asked.connect(self._auto)

    def is_on(self, sheet: Sheet) -> bool:
        """Whether it shows, or fetches, this sheet as it is now."""
        return self._wanted == (sheet.key, sheet.page, sheet.typed_size)

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
            lambda say: looking.look(path, page, typed, lambda: wanted == self._wanted),
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
        return sum(picture.held_bytes for picture in self._pictures.values())

    def _failed(self, key: int, trouble: Trouble) -> None:
        self._unsay()
        self._empty()
        self._not_read(key, trouble)

    def _empty(self) -> None:
        self.picture = None
        self._after_paint.stop()
        self._forget_tiles()
        window = self._window
        window.canvas.clear()
        window.metadata.put(())
        window.put_calibration("", True)
        window.put_pages((), 0)
        self._on_cursor(-1, -1)

    def _put(self, key: int, picture: looking.Picture) -> None:
        window, micrograph = self._window, picture.micrograph
        self._forget_tiles()
        self.picture, self._range = picture, picture.shown
        window.canvas.put_picture(
            picture.pixels,
            picture.coding,
            lambda zoom: presenter.scale_bar(micrograph.pixel_size, zoom),
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
        pixels = picture.pixels
        self._jobs.run(
            "later",
            f"thumbnail {key}",
            lambda say: looking.thumbnail_of(pixels, picture.micrograph),
            lambda shades: self._window.thumbnails.put_picture(key, shades),
            lambda trouble: None,  # a strip without a picture says enough; the log has the reason
        )
        self._jobs.run(
            "later",
            "databar",
            lambda say: looking.with_databar(picture),
            lambda found: self._databar_found(key, picture, found),
            lambda trouble: None,  # contrast goes on counting what the header said
        )
        self._jobs.run(
            "later",
            "means",
            lambda say: pixels.make_means(lambda: self._is_shown(pixels)),
            lambda made: self._window.canvas.refresh() if self._is_shown(pixels) else None,
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
        window.put_calibration(*presenter.calibration_words(found.micrograph))
        size = found.micrograph.pixel_size
        window.canvas.put_scale_bar(lambda zoom: presenter.scale_bar(size, zoom))
        self._known(key, found.micrograph, looking.sample_beside(found.micrograph.path))

    def _is_shown(self, pixels: Any) -> bool:
        return self.picture is not None and self.picture.pixels is pixels

    # -- tiles ---------------------------------------------------------------------------------

    def _on_tiles_wanted(self, wanted: list[tiles.Tile]) -> None:
        """Read what is seen but not at hand; what is seen no more is not waited for."""
        picture = self.picture
        if picture is None:
            return
        channels = {
            f"tile {level} {column} {row}": (level, column, row)
            for level, column, row in wanted
            if (level, column, row) not in self._tiles_torn
        }
        for channel in self.tiles_asked - channels.keys():
            self._jobs.forget(channel)
        self.tiles_asked = set(channels)
        for channel, tile in channels.items():
            if not self._jobs.is_busy(channel):
                self._read_tile(picture, channel, tile)

    def _read_tile(self, picture: looking.Picture, channel: str, tile: tiles.Tile) -> None:
        self._jobs.run(
            "tiles",
            channel,
            lambda say: picture.read_tile(tile),
            lambda codes: self._window.canvas.put_tile(tile, codes),
            lambda trouble: self._tile_torn(tile, trouble),
        )

    def _tile_torn(self, tile: tiles.Tile, trouble: Trouble) -> None:
        # The coarser level goes on standing in for it.
        self._tiles_torn.add(tile)
        self._window.message.setText(f"{trouble.what}. {trouble.remedy}".strip())

    def _forget_tiles(self) -> None:
        for channel in self.tiles_asked | {"value"}:
            self._jobs.forget(channel)
        self.tiles_asked, self._tiles_torn = set(), set()

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
        picture = self.picture
        self._jobs.forget("value")
        if picture is None or x < 0:
            self._put_cursor("", "")
            return
        value = picture.value(x, y)
        self._put_cursor(*presenter.under_cursor(picture.micrograph, x, y, value))
        if value is None:
            self._jobs.run(
                "tiles",
                "value",
                lambda say: picture.read_value(x, y),
                lambda read: self._put_cursor(
                    *presenter.under_cursor(picture.micrograph, x, y, read)
                ),
                lambda trouble: None,  # the place stands without its counts; the log has why
                priority=1,
            )

    def _put_cursor(self, place: str, counts: str) -> None:
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
            coding, contrast = self.picture.coding, self._window.contrast
            low, high = map(coding.code, self._range)
            self._window.canvas.put_table(
                tiles.lookup(
                    coding.size, low, high, contrast.gamma_value, contrast.invert.isChecked()
                )
            )
