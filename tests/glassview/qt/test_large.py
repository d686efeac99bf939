"""Large files on the desktop: the window's own thread paints what is at hand, and never reads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from glassllava.micrograph import pyramid, tiff_pixels
from glassllava.micrograph.pyramid import Pixels, open_pixels
from glassllava.micrograph.reading import read_micrograph
from glassview.app import Desktop
from glassview.presenter import scale_bar
from glassview.qt.canvas import Canvas
from glassview.qt.tiles import Grid, coding, lookup

Array = np.ndarray[Any, Any]
Opened = Callable[..., Desktop]

H, W = 2200, 3000
LAYOUTS: list[dict[str, Any]] = [
    {},
    {"tile": (256, 256), "compression": "zlib"},
    {"rowsperstrip": 16, "compression": "lzw"},
]


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are treated as large ones are."""
    monkeypatch.setattr(pyramid, "HELD_BYTES", 0)
    monkeypatch.setattr(pyramid, "_QUICK", 800)


def scene() -> Array:
    """A ramp across, in steps of 8 pixels, so that a level can be told from the pixels."""
    return np.tile((np.arange(W) // 8 * 160).astype(np.uint16), (H, 1))


@pytest.fixture
def large(tmp_path: Path) -> Path:
    tifffile.imwrite(tmp_path / "large.tif", scene())
    return tmp_path / "large.tif"


class Gate:
    """Reading of pixels that waits until it is let through, and tells who did it."""

    def __init__(self) -> None:
        self.readers: set[threading.Thread] = set()
        self._open = threading.Event()

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plainly = tiff_pixels.PagePixels.window

        def watched(page: Any, *asked: Any, **how: Any) -> Array:
            self.readers.add(threading.current_thread())
            assert self._open.wait(30), "nobody let the reader through"
            return plainly(page, *asked, **how)

        monkeypatch.setattr(tiff_pixels.PagePixels, "window", watched)

    def open(self) -> None:
        self._open.set()

    def shut(self) -> None:
        self._open.clear()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    gate.watch(monkeypatch)
    gate.open()
    yield gate
    gate.open()


def wait_for_means(desktop: Desktop, qtbot: QtBot) -> None:
    def are_made() -> bool:
        picture = desktop.stage.picture
        return picture is not None and picture.pixels.at_hand(1, *[slice(0, 1)] * 2) is not None

    qtbot.waitUntil(are_made, timeout=10_000)
    qtbot.waitUntil(lambda: not any(map(desktop.jobs.is_busy, ("databar", "means"))))


def shown(canvas: Canvas, at: QPoint) -> int:
    return QColor(canvas.viewport().grab().toImage().pixel(at)).red()


def wanted_at(canvas: Canvas, at: QPoint) -> float:
    x = canvas.mapToScene(at).x()
    return float(scene()[0, int(x)]) / 60_000 * 255


def test_a_coarse_level_is_painted_while_the_reader_is_stuck(
    opened: Opened, qtbot: QtBot, large: Path, gate: Gate
) -> None:
    desktop = opened(large)
    canvas = desktop.window.canvas
    wait_for_means(desktop, qtbot)
    desktop.window.contrast.changed.emit(0.0, 60_000.0, 1.0, False)
    gate.readers.clear()
    gate.shut()
    # Panning, zooming, contrast and the cursor go on, and every frame shows the picture.
    canvas.one_to_one()
    for step in range(6):
        canvas.horizontalScrollBar().setValue(canvas.horizontalScrollBar().value() + 60)
        canvas.zoom_by(1.1 if step % 2 else 1.2)
        at = QPoint(150 + 20 * step, 120)
        assert abs(shown(canvas, at) - wanted_at(canvas, at)) < 12
        canvas.cursor_at.emit(700 + step, 40)
    assert canvas.is_waiting
    assert desktop.window.cursor_words.text()
    assert desktop.window.counts.text() == ""
    qtbot.waitUntil(lambda: bool(gate.readers))
    gate.open()
    qtbot.waitUntil(lambda: not canvas.is_waiting, timeout=10_000)
    qtbot.waitUntil(lambda: desktop.window.counts.text() != "", timeout=10_000)
    assert desktop.window.counts.text() == f"{int(scene()[40, 705]):,}"
    at = QPoint(200, 150)
    assert abs(shown(canvas, at) - wanted_at(canvas, at)) <= 2
    assert threading.main_thread() not in gate.readers


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_at_all_is_read_in_the_window_s_own_thread(
    opened: Opened, qtbot: QtBot, tmp_path: Path, gate: Gate, layout: dict[str, Any]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", scene(), **layout)
    desktop = opened(tmp_path / "a.tif")
    canvas = desktop.window.canvas
    canvas.one_to_one()
    for _ in range(4):
        canvas.verticalScrollBar().setValue(canvas.verticalScrollBar().value() + 200)
        canvas.viewport().repaint()
        qtbot.wait(5)
    qtbot.waitUntil(lambda: not canvas.is_waiting, timeout=10_000)
    wait_for_means(desktop, qtbot)
    assert gate.readers
    assert threading.main_thread() not in gate.readers


def test_tiles_that_are_seen_no_more_are_not_read(
    opened: Opened, qtbot: QtBot, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop = opened(large)
    canvas, picture = desktop.window.canvas, desktop.stage.picture
    assert picture is not None
    wait_for_means(desktop, qtbot)
    let, read = threading.Event(), []
    plainly = Pixels.window

    def slowly(pixels: Pixels, level: int = 0, *asked: slice) -> Array:
        read.append((level, asked[1].start // 512, asked[0].start // 512))
        assert let.wait(30)
        return plainly(pixels, level, *asked)

    monkeypatch.setattr(Pixels, "window", slowly)
    canvas.one_to_one()
    canvas.viewport().repaint()
    qtbot.waitUntil(lambda: len(read) >= 1)
    canvas.centerOn(QPointF(400, 300))
    canvas.viewport().repaint()
    canvas.centerOn(QPointF(2700, 1900))
    canvas.viewport().repaint()
    let.set()
    qtbot.waitUntil(lambda: not canvas.is_waiting, timeout=10_000)
    # Two workers had begun; of what the view only passed over, nothing more was read.
    grid = Grid(H, W, picture.pixels.level_count)
    rect = canvas.mapToScene(canvas.viewport().rect()).boundingRect()
    last = grid.tiles_in(0, rect.left(), rect.top(), rect.right(), rect.bottom())
    assert set(last) <= set(read)
    assert len(set(read) - set(last)) <= 2


def test_a_picture_that_comes_late_is_dropped_with_its_tiles(
    opened: Opened, qtbot: QtBot, tmp_path: Path, large: Path, gate: Gate
) -> None:
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, np.full((H, W), 30_000, np.uint16))
    desktop = opened(large, other)
    _, second = (sheet.key for sheet in desktop.session.sheets)
    wait_for_means(desktop, qtbot)
    gate.shut()
    desktop.window.canvas.one_to_one()
    desktop.window.canvas.viewport().repaint()
    desktop.session.show(second)
    gate.open()
    qtbot.waitUntil(lambda: desktop.stage.sheet_on == second and desktop.stage.picture is not None)
    qtbot.waitUntil(
        lambda: desktop.stage.picture.micrograph.path == other,  # type: ignore[union-attr]
        timeout=10_000,
    )
    desktop.window.canvas.one_to_one()
    desktop.window.canvas.viewport().repaint()
    qtbot.waitUntil(lambda: not desktop.window.canvas.is_waiting, timeout=10_000)
    shot = desktop.window.canvas.viewport().grab().toImage()
    greys = {QColor(shot.pixel(x, 100)).red() for x in range(100, 500, 7)}
    assert len(greys) == 1, "tiles of the first picture stand on the second"


def test_a_torn_tile_leaves_the_coarser_one_and_is_said_once(
    opened: Opened, qtbot: QtBot, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop = opened(large)
    canvas = desktop.window.canvas
    wait_for_means(desktop, qtbot)
    with large.open("r+b") as file:
        file.truncate(100_000)
    canvas.one_to_one()
    canvas.viewport().repaint()
    qtbot.waitUntil(lambda: "written anew" in desktop.window.message.text(), timeout=10_000)
    qtbot.waitUntil(lambda: not any(map(desktop.jobs.is_busy, desktop.stage.tiles_asked)))
    desktop.window.message.setText("")
    at = QPoint(200, 150)
    assert len({shown(canvas, QPoint(x, 150)) for x in range(50, 500, 50)}) > 5
    canvas.viewport().repaint()
    qtbot.wait(50)
    assert desktop.window.message.text() == ""
    assert canvas.has_picture
    assert shown(canvas, at) >= 0


@pytest.mark.parametrize("zoom", [0.3, 0.6, 1.0, 3.0])
def test_what_is_painted_in_the_end_is_the_stored_picture(
    qtbot: QtBot, large: Path, zoom: float
) -> None:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(500, 400)
    pixels = open_pixels(read_micrograph(large, with_hash=False, with_databar=False))
    pixels.quick_look()
    pixels.make_means()
    coded, grid = coding(pixels.dtype, (0.0, 60_000.0)), Grid(H, W, pixels.level_count)
    canvas.tiles_wanted.connect(
        lambda tiles: [
            canvas.put_tile(tile, coded.of(pixels.window(tile[0], *grid.window(tile))))
            for tile in tiles
        ]
    )
    canvas.put_picture(pixels, coded, lambda zoom: scale_bar(None, zoom))
    canvas.put_table(lookup(coded.size, 0, 60_000))
    canvas.show()
    canvas.zoom_by(zoom / canvas.zoom)
    canvas.viewport().grab()
    canvas.viewport().grab()
    assert not canvas.is_waiting
    for x in (60, 180, 333, 440):
        at = QPoint(x, 90)
        assert abs(shown(canvas, at) - wanted_at(canvas, at)) <= 3
    pixels.close()
    canvas.close()
