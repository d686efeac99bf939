"""The canvas under hands: zoom, pan, cursor, overlay, drop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from glassllava.measurement.quantities import Region
from glassllava.micrograph.pyramid import Pixels, from_array
from glassview.presenter import Overlay, scale_bar
from glassview.qt.canvas import Canvas
from glassview.qt.tiles import coding, lookup


def put(canvas: Canvas, pixels: Pixels) -> None:
    coded = coding(pixels.dtype, (0.0, 1.0))
    canvas.put_picture(pixels, coded, lambda zoom: scale_bar(None, zoom))


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[Canvas]:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(624, 424)
    ramp = np.tile(np.arange(1200, dtype=np.uint16) * 50, (800, 1))
    put(canvas, from_array(ramp))
    canvas.put_table(lookup(65536, 0, 60000))
    canvas.show()
    qtbot.waitExposed(canvas)
    yield canvas
    canvas.close()


def wheel(canvas: Canvas, at: QPoint, notches: int) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(canvas.viewport().mapToGlobal(at)),
        QPoint(0, 0),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas.viewport(), event)


def test_it_opens_fitted(canvas: Canvas) -> None:
    assert canvas.zoom == pytest.approx(0.5)
    middle = canvas.mapToScene(canvas.viewport().rect().center())
    assert (middle.x(), middle.y()) == pytest.approx((600, 400), abs=2)


def test_the_wheel_keeps_the_pixel_under_the_cursor(canvas: Canvas) -> None:
    at = QPoint(150, 90)
    for notches in (3, 4, -2, 6, -9):
        before = canvas.mapToScene(at)
        wheel(canvas, at, notches)
        after = canvas.mapToScene(at)
        tolerance = 1.5 / canvas.zoom
        assert abs(after.x() - before.x()) < tolerance
        assert abs(after.y() - before.y()) < tolerance


def test_zoom_has_limits(canvas: Canvas) -> None:
    wheel(canvas, QPoint(300, 200), 200)
    assert canvas.zoom == pytest.approx(64)
    wheel(canvas, QPoint(300, 200), -400)
    assert 0.05 < canvas.zoom < 0.5
    canvas.one_to_one()
    assert canvas.zoom == pytest.approx(1)


def test_a_drag_pans_and_a_double_click_fits(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.one_to_one()
    for button in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
        before = canvas.mapToScene(QPoint(0, 0))
        qtbot.mousePress(canvas.viewport(), button, pos=QPoint(300, 200))
        qtbot.mouseMove(canvas.viewport(), QPoint(250, 170))
        qtbot.mouseRelease(canvas.viewport(), button, pos=QPoint(250, 170))
        after = canvas.mapToScene(QPoint(0, 0))
        assert (after.x() - before.x(), after.y() - before.y()) == pytest.approx((50, 30), abs=1)
    qtbot.mouseDClick(canvas.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(300, 200))
    assert canvas.zoom == pytest.approx(0.5)


def test_a_fitted_picture_stays_fitted_and_a_zoomed_one_does_not_move(canvas: Canvas) -> None:
    canvas.resize(324, 424)
    assert canvas.zoom == pytest.approx(0.25)
    canvas.one_to_one()
    canvas.resize(500, 400)
    assert canvas.zoom == pytest.approx(1)


def test_the_cursor_tells_its_pixel_and_the_outside(canvas: Canvas, qtbot: QtBot) -> None:
    told: list[tuple[int, int]] = []
    canvas.cursor_at.connect(lambda x, y: told.append((x, y)))
    at = canvas.mapFromScene(QPointF(420.5, 300.5))
    qtbot.mouseMove(canvas.viewport(), at)
    qtbot.waitUntil(lambda: bool(told))
    assert told[-1] == pytest.approx((420, 300), abs=2)
    qtbot.mouseMove(canvas.viewport(), QPoint(2, 2))
    qtbot.waitUntil(lambda: told[-1] == (-1, -1))


def test_what_is_painted_is_the_table_of_the_counts(canvas: Canvas) -> None:
    canvas.one_to_one()
    for invert in (False, True):
        canvas.put_table(lookup(65536, 0, 60000, invert=invert))
        shot = canvas.viewport().grab().toImage()
        for x in (150, 300, 450):
            column = int(canvas.mapToScene(QPoint(x, 100)).x())
            wanted = column * 50 / 60000 * 255
            grey = QColor(shot.pixel(x, 100)).red()
            assert abs(grey - (255 - wanted if invert else wanted)) <= 2


def test_means_replace_strides_when_zoomed_out(qtbot: QtBot) -> None:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(300, 300)
    stripes = np.zeros((2400, 2400), np.uint8)
    stripes[:, 1::2] = 200  # every stride sees black alone; the mean is 100
    pixels = from_array(stripes)
    put(canvas, pixels)
    canvas.show()
    assert QColor(canvas.viewport().grab().toImage().pixel(150, 120)).red() == 0
    pixels.make_means()
    canvas.refresh()
    assert QColor(canvas.viewport().grab().toImage().pixel(150, 120)).red() == pytest.approx(
        100, abs=2
    )
    canvas.close()


def square(feature: str, x: int, tone: str) -> Overlay:
    polygon = tuple(
        (float(a), float(b)) for a, b in ((x, 200), (x + 200, 200), (x + 200, 500), (x, 500))
    )
    region = Region(feature, feature, (x, 200, x + 200, 500), 60_000.0, polygon)
    return Overlay(feature, tone, (region,))  # type: ignore[arg-type]


def test_an_overlay_is_drawn_where_its_region_is_and_can_be_hidden(
    canvas: Canvas, qtbot: QtBot
) -> None:
    bare = canvas.viewport().grab().toImage()
    canvas.put_overlays([square("pore", 100, "defect"), square("particle", 700, "no_defect")])
    shown = canvas.viewport().grab().toImage()
    edge = canvas.mapFromScene(QPointF(100, 350))
    differing = [
        x
        for x in range(edge.x() - 2, edge.x() + 3)
        if bare.pixel(x, edge.y()) != shown.pixel(x, edge.y())
    ]
    assert differing
    canvas.show_overlay(False)
    assert canvas.viewport().grab().toImage() == bare
    canvas.highlight("particle")  # what is pointed at is shown all the same
    assert canvas.viewport().grab().toImage() != bare
    canvas.show_overlay(True)
    clicked: list[str] = []
    canvas.region_clicked.connect(clicked.append)
    for place in (QPointF(800, 350), QPointF(200, 350), QPointF(600, 700)):
        at = canvas.mapFromScene(place)
        qtbot.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert clicked == ["particle", "pore", ""]


def test_what_the_model_alone_sees_is_tinted_and_what_was_measured_is_not(
    canvas: Canvas, qtbot: QtBot
) -> None:
    bare = canvas.viewport().grab().toImage()
    measured = square("pore", 100, "defect")
    (region,) = square("pore", 700, "defect").regions
    alone = replace(region, id="pore-model-1", source="model")
    canvas.put_overlays([replace(measured, regions=(*measured.regions, alone))])
    shown = canvas.viewport().grab().toImage()
    within, seen = (canvas.mapFromScene(QPointF(x, 350)) for x in (200, 800))
    assert bare.pixel(within) == shown.pixel(within)
    assert bare.pixel(seen) != shown.pixel(seen)
    clicked: list[str] = []
    canvas.region_clicked.connect(clicked.append)
    for place in (within, seen):
        qtbot.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert clicked == ["pore", "pore"]


def test_files_that_are_dropped_are_told(canvas: Canvas, tmp_path: Path) -> None:
    told: list[list[Path]] = []
    canvas.dropped.connect(told.append)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.tif")), QUrl("https://example.org/b.tif")])
    at = QPoint(100, 100)
    enter = QDragEnterEvent(
        at,
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas.viewport(), enter)
    assert enter.isAccepted()
    drop = QDropEvent(
        QPointF(at),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas.viewport(), drop)
    assert told == [[tmp_path / "a.tif"]]
