"""Claim: 12,000 × 9,000 pixels of 16 bit are on the screen in half of napari's time and memory.

Both run on one virtual X server (Xvfb) with software rendering, on the same file, in turns; napari
lives in an environment of its own, under --cache, and opens the file as its users do, by
`viewer.open(path)` and by `napari FILE`. "On the screen" is judged from outside, alike for both:
the frame buffer of the X server is watched until the picture's noise fills the middle of it.
One file of more than 400 lines: it starts itself as the child on both sides, and in napari's
environment nothing of ours can be imported.
Run: `python -m benchmarks.large_files --cache FOLDER [--repeats 5]` (Linux, with Xvfb).
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HEIGHT, WIDTH = 9_000, 12_000
SCREEN = (1600, 1000)
STEPS = 60
IDLE_S = 2.5  # a window that has just opened is let alone before it is given the file
GIVE_UP_S = 120.0
SIDES = ("GlassView", "napari")
VARIANTS = ("uncompressed", "deflate tiles")

# -- the judge: the parent, which watches the screen -------------------------------------------


class Screen:
    """The frame buffer of an Xvfb that writes it to a file (an XWD image)."""

    def __init__(self, path: Path) -> None:
        import numpy as np

        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = struct.unpack(">25I", self._map[:100])
        start, width, height, line, colours = (header[n] for n in (0, 4, 5, 12, 19))
        array = np.frombuffer(self._map, np.uint8, height * line, start + 12 * colours)
        self._green = array.reshape(height, line // 4, 4)[:, :width, 1]

    def shows_noise(self) -> bool:
        """True where the middle of the screen is full of pixels unlike their neighbours.

        Panels, text and empty grounds are flat; a micrograph is not. A thumbnail is too small.
        """
        height, width = self._green.shape
        box = self._green[height * 3 // 10 : height * 6 // 10, width * 3 // 10 : width * 6 // 10]
        return bool((box[:, 1:] != box[:, :-1]).mean() > 0.6)

    def wait_for_noise(self, alive: Callable[[], bool]) -> float:
        """The moment (time.time) at which the picture is there."""
        until = time.time() + GIVE_UP_S
        while time.time() < until and alive():
            if self.shows_noise():
                return time.time()
            time.sleep(0.002)
        raise SystemExit("The picture never came to the screen: see the output above.")


@contextmanager
def x_server(folder: Path) -> Iterator[tuple[str, Screen]]:
    if shutil.which("Xvfb") is None:
        raise SystemExit("Xvfb is not installed: apt-get install xvfb")
    folder.mkdir()
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [
            *("Xvfb", "-displayfd", str(writing), "-fbdir", str(folder), "-nolisten", "tcp"),
            *("-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24"),
        ],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        yield f":{number}", Screen(folder / "Xvfb_screen0")
    finally:
        server.terminate()
        server.wait()


def write_files(folder: Path) -> dict[str, Path]:
    """One scene, twice: as plain rows and as deflate tiles."""
    import numpy as np
    import tifffile

    paths = {name: folder / f"{name.replace(' ', '_')}.tif" for name in VARIANTS}
    if all(path.exists() for path in paths.values()):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).normal(0, 900, (1500, 1500))
    scene = np.empty((HEIGHT, WIDTH), np.uint16)
    for top in range(0, HEIGHT, 1500):
        for left in range(0, WIDTH, 1500):
            y, x = top + np.arange(1500)[:, None], left + np.arange(1500)[None]
            body = 22_000 + 6_000 * np.sin(y / 300) * np.cos(x / 400)
            scene[top : top + 1500, left : left + 1500] = body + np.roll(noise, top + left, 1)
    tifffile.imwrite(paths["uncompressed"], scene)
    tifffile.imwrite(paths["deflate tiles"], scene, tile=(512, 512), compression="zlib")
    return paths


def napari_python(cache: Path) -> Path:
    """The interpreter of napari's own environment, made by pip where it is not there yet."""
    home = cache / "napari-environment"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        print("Installing napari into an environment of its own …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "napari[pyside6]"], check=True
        )
        (home / "complete").touch()
    return python


def measured_start(
    side: str, python: Path, path: Path, environment: dict[str, str], screen: Screen
) -> dict[str, float]:
    """From starting the plain command on a file to the picture on the screen."""
    start = time.time()
    module = "glassview" if side == "GlassView" else "napari"
    child = subprocess.Popen(
        [str(python), "-m", module, str(path)],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        shown = screen.wait_for_noise(lambda: child.poll() is None)
        return {"start to first paint, s": shown - start}
    finally:
        child.kill()
        child.wait()


def measured_opening(
    side: str, python: Path, path: Path, environment: dict[str, str], screen: Screen
) -> dict[str, float]:
    """In a window that is up: from being told the file to the picture; memory; frames."""
    child = subprocess.Popen(
        [str(python), str(Path(__file__).resolve()), "--child", side, str(path)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        if child.stdout.readline() != "ready\n":
            raise SystemExit(f"{side} did not start")
        if screen.shows_noise():
            raise SystemExit(f"{side} shows noise before it has a file: the judge is blind")
        child.stdin.write("open\n")
        child.stdin.flush()
        opened = float(child.stdout.readline())
        shown = screen.wait_for_noise(lambda: child.poll() is None)
        child.stdin.write("drive\n")
        child.stdin.flush()
        figures: dict[str, float] = json.loads(child.stdout.readline())
        return {"file to first paint, s": shown - opened, **figures}
    finally:
        child.kill()
        child.wait()


# -- the two sides: children, one a process --------------------------------------------------------


def memory_mb() -> dict[str, float]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {
        name: int(line.split()[1]) / 1024
        for line in lines
        for name in ("VmHWM", "VmRSS")
        if line.startswith(name)
    }


class Told:
    """Lines from the parent, without waiting for them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.append(line.strip())

    def has(self, word: str) -> bool:
        return word in self._lines


def child(side: str, path: str) -> None:
    told = Told()
    driver: Any = GlassViewDriver() if side == "GlassView" else NapariDriver()
    pump(driver, IDLE_S)
    before = memory_mb()
    print("ready", flush=True)
    while not told.has("open"):
        pump(driver, 0.01)
    print(time.time(), flush=True)
    driver.open(path)
    while not told.has("drive"):
        pump(driver, 0.002)
    figures = {
        "peak memory at first paint, MB": memory_mb()["VmHWM"],
        "window without a file, MB": before["VmHWM"],
    }
    pump(driver, 4.0)  # whatever is done after the first paint
    for name, prepare, step in (
        ("zoom", driver.fit, driver.zoom),
        ("pan at 1:1", driver.one_to_one, driver.pan),
    ):
        prepare()
        pump(driver, 1.0)
        frames = []
        for number in range(STEPS):
            count, start = driver.painted, time.perf_counter()
            step(number)
            while driver.painted == count and time.perf_counter() - start < 5:
                driver.application.processEvents()
            driver.finish()
            frames.append(1000 * (time.perf_counter() - start))
            pump(driver, 0.02)
        frames.sort()
        figures[f"{name}: median frame, ms"] = statistics.median(frames)
        figures[f"{name}: 95 % of frames, ms"] = frames[int(0.95 * len(frames))]
    sharp = time.perf_counter()
    driver.jump()
    driver.application.processEvents()
    while not driver.is_sharp():
        driver.application.processEvents()
    figures["jump at 1:1 until sharp, ms"] = 1000 * (time.perf_counter() - sharp)
    figures["peak memory at the end, MB"] = memory_mb()["VmHWM"]
    print(json.dumps(figures), flush=True)


def pump(driver: Any, seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        driver.application.processEvents()
        time.sleep(0.001)


class GlassViewDriver:
    """The desktop, with a model that is never asked."""

    def __init__(self) -> None:
        from PySide6.QtCore import QEvent, QObject, QSettings
        from PySide6.QtWidgets import QApplication

        from glassllava.literature import NoLiterature
        from glassllava.model.scripted import ScriptedModel
        from glassview import rooms
        from glassview.app import Desktop
        from glassview.qt import style

        folder = Path(os.environ["GLASSVIEW_DATA_DIR"])
        self.application: Any = QApplication(sys.argv[:1])
        style.dress(self.application)
        self._desktop = Desktop(
            open_model=ScriptedModel,
            open_library=NoLiterature,
            archive=rooms.DesktopRun(folder / "desktop"),
            write_report=lambda made, review, path: None,
            demo=None,
            kept=QSettings(str(folder / "desktop.ini"), QSettings.Format.IniFormat),
        )
        self._desktop.window.setGeometry(0, 0, *SCREEN)
        self._desktop.window.show()
        self._desktop.warm_up()
        self._canvas = self._desktop.window.canvas
        self.painted = 0

        class Counter(QObject):
            def eventFilter(inner, watched: QObject, event: QEvent) -> bool:  # noqa: N802, N805
                if event.type() == QEvent.Type.Paint:
                    self.painted += 1
                return False

        self._counter = Counter()
        self._canvas.viewport().installEventFilter(self._counter)

    def open(self, path: str) -> None:
        self._desktop.open([path])

    def fit(self) -> None:
        self._canvas.fit()

    def one_to_one(self) -> None:
        self._canvas.one_to_one()

    def zoom(self, number: int) -> None:
        self._canvas.zoom_by(1.06)

    def pan(self, number: int) -> None:
        bar = self._canvas.horizontalScrollBar()
        bar.setValue(bar.value() + 40)

    def jump(self) -> None:
        bar = self._canvas.verticalScrollBar()
        bar.setValue(bar.value() + 3000)
        self._canvas.viewport().repaint()

    def is_sharp(self) -> bool:
        return not self._canvas.is_waiting

    def finish(self) -> None:
        self.application.sync()


class NapariDriver:
    """napari's viewer as it comes, in a window of the same size."""

    def __init__(self) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        self._viewer = napari.Viewer()
        scene = getattr(self._viewer, "scene", self._viewer)  # where it is from 0.9 on
        self._camera = scene.camera
        self._viewer.window._qt_window.setGeometry(0, 0, *SCREEN)
        self.application: Any = QApplication.instance()
        self._scene = self._viewer.window._qt_viewer.canvas._scene_canvas
        self.painted = 0
        self._scene.events.draw.connect(self._on_draw, position="last")

    def _on_draw(self, event: object) -> None:
        self.painted += 1

    def open(self, path: str) -> None:
        self._viewer.open(path)

    def fit(self) -> None:
        self._viewer.reset_view()

    def one_to_one(self) -> None:
        self._camera.zoom = 1.0
        self._camera.center = (HEIGHT / 2, WIDTH / 2)

    def zoom(self, number: int) -> None:
        self._camera.zoom *= 1.06

    def pan(self, number: int) -> None:
        *_, y, x = self._camera.center
        self._camera.center = (y, x + 40)

    def jump(self) -> None:
        *_, y, x = self._camera.center
        self._until = self.painted + 1
        self._camera.center = (y + 3000, x)

    def is_sharp(self) -> bool:
        if self.painted >= self._until:
            self.finish()
            return True
        return False

    def finish(self) -> None:
        from OpenGL import GL

        GL.glFinish()
        self.application.sync()


# -- the report ------------------------------------------------------------------------------------


def report(found: dict[tuple[str, str], dict[str, list[float]]]) -> None:
    for variant in VARIANTS:
        print(f"\n{variant}: median (least … most)")
        print(f"  {'':34}{'GlassView':>26}{'napari':>26}{'ratio':>8}")
        ours, theirs = (found[variant, side] for side in SIDES)
        for name in ours:
            cells = []
            for values in (ours[name], theirs[name]):
                middle = statistics.median(values)
                cells.append(f"{middle:,.3g} ({min(values):,.3g} … {max(values):,.3g})")
            ratio = statistics.median(ours[name]) / statistics.median(theirs[name])
            print(f"  {name:34}{cells[0]:>26}{cells[1]:>26}{ratio:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, help="keeps napari's environment and the files")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", nargs=2, metavar=("SIDE", "FILE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(*asked.child)
        return
    with tempfile.TemporaryDirectory() as temporary:
        cache = (asked.cache or Path(temporary)).resolve()
        cache.mkdir(parents=True, exist_ok=True)
        pythons = {"GlassView": Path(sys.executable), "napari": napari_python(cache)}
        paths = write_files(cache / "files")
        version = subprocess.run(
            [str(pythons["napari"]), "-c", "import napari; print(napari.__version__)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        print(__doc__.splitlines()[0])
        print(
            f"napari {version}; Xvfb {SCREEN[0]} × {SCREEN[1]}, software rendering "
            f"(LIBGL_ALWAYS_SOFTWARE=1); {platform.machine()}, {os.cpu_count()} cores; "
            f"{asked.repeats} repeats in turns after one that is not counted",
            flush=True,
        )
        found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for repeat in range(-1, asked.repeats):
            for variant in VARIANTS:
                for side in SIDES if repeat % 2 else reversed(SIDES):
                    with x_server(Path(temporary) / f"x{time.time_ns()}") as (display, screen):
                        environment = _environment(display, Path(temporary) / side)
                        for measure in (measured_start, measured_opening):
                            figures = measure(
                                side, pythons[side], paths[variant], environment, screen
                            )
                            _wait_for_dark(screen)
                            for name, value in figures.items() if repeat >= 0 else ():
                                found[variant, side][name].append(value)
            print(f"repeat {repeat + 1} of {asked.repeats} done", file=sys.stderr, flush=True)
        report(found)


def _environment(display: str, home: Path) -> dict[str, str]:
    """One display, software rendering, and settings that are nobody's."""
    home.mkdir(exist_ok=True)
    return {
        **os.environ,
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "GLASSVIEW_CONFIG_DIR": str(home / "config"),
        "GLASSVIEW_DATA_DIR": str(home / "data"),
        "NAPARI_CONFIG": str(home / "napari.yaml"),
    }


def _wait_for_dark(screen: Screen) -> None:
    """Until the windows of a child that was ended are gone from the screen."""
    until = time.time() + 10
    while screen.shows_noise():
        if time.time() > until:
            raise SystemExit("A window stays on the screen after its process ended.")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
