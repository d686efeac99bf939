"""One drive on a real X server, by real key presses and a real pointer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.glassview.conftest import write_pores

_DRIVE = """
import sys
from pathlib import Path
from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication
from glassview import rooms
from glassview.app import Desktop
from glassview.qt import style
from glassllava.model.scripted import ScriptedModel
from glassllava.literature import NoLiterature

folder = Path(sys.argv[1])
application = QApplication(sys.argv[:1])
style.dress(application)
desktop = Desktop(
    open_model=ScriptedModel,
    open_library=NoLiterature,
    archive=rooms.DesktopRun(folder / "desktop"),
    write_report=lambda made, path: None,
    demo=None,
    kept=QSettings(str(folder / "desktop.ini"), QSettings.Format.IniFormat),
)
desktop.window.show()
desktop.open([folder / "micrographs"])
ready = QTimer()

def tell_when_ready():
    if desktop.stage.picture is not None:
        ready.stop()
        print("ready", flush=True)

def tell_when_judged():
    if desktop.session.sheet and desktop.session.sheet.interpretation:
        judged.stop()
        print("judged", flush=True)

ready.timeout.connect(tell_when_ready)
ready.start(50)
judged = QTimer()
judged.timeout.connect(tell_when_judged)
judged.start(50)
desktop.window.closing.connect(
    lambda: print(
        desktop.session.sheet.path.name,
        round(desktop.window.canvas.zoom, 3),
        flush=True,
    )
)
QTimer.singleShot(40_000, application.quit)
application.exec()
"""


@pytest.mark.x11
def test_real_keys_and_a_real_pointer(tmp_path: Path) -> None:
    if not os.environ.get("DISPLAY"):
        pytest.skip("DISPLAY is not set: no X server to drive the window on")
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed: nothing to press keys with")
    (tmp_path / "micrographs").mkdir()
    for number in range(2):
        write_pores(tmp_path / "micrographs" / f"p_{number}.tif")
    driven = subprocess.Popen(
        [sys.executable, "-c", _DRIVE, str(tmp_path)],
        env={**os.environ, "QT_QPA_PLATFORM": "xcb"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert driven.stdout is not None
    try:
        assert driven.stdout.readline() == "ready\n"
        window = _xdotool("search", "--sync", "--pid", str(driven.pid), "--name", "GlassView")
        window = window.split()[-1]
        _xdotool("windowfocus", "--sync", window)
        _xdotool("key", "d")
        _xdotool("mousemove", "--window", window, "500", "400", "click", "1")
        _xdotool("key", "1")
        _xdotool("key", "ctrl+Return")
        assert driven.stdout.readline() == "judged\n"
        _xdotool("key", "ctrl+q")
        told, _ = driven.communicate(timeout=30)
    finally:
        driven.kill()
        driven.wait()
    assert told.split() == ["p_1.tif", "1.0"]


def _xdotool(*arguments: str) -> str:
    done = subprocess.run(
        ["xdotool", *arguments], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout
