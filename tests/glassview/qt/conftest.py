"""A desktop on a scripted model, offscreen; every test checks that no window is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="PySide6 is not installed: the desktop is not tested")

from PySide6.QtCore import QEvent, QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from batch.ledger import Review
from glassllava.interpretation import Interpretation
from glassview import rooms
from glassview.app import Desktop
from glassview.qt import style
from tests.glassview.conftest import Shelf, scripted


@pytest.fixture(autouse=True)
def no_window_is_left(qapp: QApplication) -> Iterator[None]:
    yield
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qapp.processEvents()
    left = [widget for widget in qapp.topLevelWidgets() if widget.isVisible()]
    assert not left, f"still on the screen: {left}"


@pytest.fixture
def written() -> list[tuple[Interpretation, Review | None, Path]]:
    """The reports that were asked for."""
    return []


@pytest.fixture
def make_desktop(
    qapp: QApplication,
    tmp_path: Path,
    written: list[tuple[Interpretation, Review | None, Path]],
) -> Iterator[Callable[..., Desktop]]:
    style.dress(qapp)
    made: list[Desktop] = []

    def write(made: Interpretation, review: Review | None, path: Path) -> None:
        written.append((made, review, path))

    def make(**parts: object) -> Desktop:
        wanted: dict[str, object] = {
            "open_model": scripted,
            "open_library": Shelf,
            "archive": rooms.DesktopRun(tmp_path / "data" / "desktop"),
            "write_report": write,
            "demo": None,
            "kept": QSettings(str(tmp_path / "desktop.ini"), QSettings.Format.IniFormat),
        }
        desktop = Desktop(**{**wanted, **parts})  # type: ignore[arg-type]
        desktop.window.resize(1100, 760)
        desktop.window.show()
        made.append(desktop)
        return desktop

    yield make
    for desktop in made:
        desktop.window.close()
        desktop.window.deleteLater()
        desktop.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left = [w for d in made for w in qapp.topLevelWidgets() if w is d.window]
    assert not left, "a window outlived its desktop"


@pytest.fixture
def opened(
    make_desktop: Callable[..., Desktop], qtbot: QtBot, pores: Path
) -> Callable[..., Desktop]:
    """A desktop that shows the pores."""

    def open_(*paths: Path, **parts: object) -> Desktop:
        desktop = make_desktop(**parts)
        desktop.open(list(paths) or [pores])
        qtbot.waitUntil(
            lambda: bool(
                desktop.stage.picture or (desktop.session.sheet and desktop.session.sheet.trouble)
            ),
            timeout=20_000,
        )
        return desktop

    return open_
