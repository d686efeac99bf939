"""What works on this machine, and what to do about the rest.

Every check is tried, not guessed: libraries are imported, the model is opened, the literature is
searched. Uses no network and changes nothing: where the person has no library yet, one is made in
a temporary folder to see that it can be.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from glassllava import __version__
from glassllava.errors import GlassError
from glassllava.settings import user_config_dir, user_data_dir

State = Literal["ok", "limited", "missing"]

_GIB = 1024**3
#: Below this a scan with the embedded model and the literature in memory begins to swap.
_ENOUGH_RAM = 4 * _GIB

#: (distribution, module, extra that brings it, what does not work without it)
_LIBRARIES = (
    ("tifffile", "tifffile", "", "reading"),
    ("imagecodecs", "imagecodecs", "", "reading compressed TIFFs"),
    ("numpy", "numpy", "", "everything"),
    ("scikit-image", "skimage.measure", "", "measuring"),
    ("torch", "torch", "model", "the embedded model"),
    ("transformers", "transformers", "model", "the embedded model"),
    ("safetensors", "safetensors", "model", "the embedded model"),
    ("sentence-transformers", "sentence_transformers", "library", "finding literature by meaning"),
    ("chromadb", "chromadb", "library", "the literature"),
    ("llama-index-core", "llama_index.core", "library", "the literature"),
    ("rapidocr", "rapidocr", "ocr", "reading the labels of drawn scale bars"),
    ("reportlab", "reportlab", "report", "PDF reports"),
    ("PySide6_Essentials", "PySide6.QtWidgets", "desktop", "the desktop"),
    ("openai", "openai", "endpoint", "models behind an endpoint"),
    ("keyring", "keyring", "endpoint", "keys of endpoints from the system's keyring"),
)

#: What Qt's X11 plugin links to and its wheel does not bring: library file to Debian package.
_XCB = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
_QT = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon.so.0": "libxkbcommon0",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the product on this machine; `remedy` is empty where all is well."""

    part: str
    state: State
    found: str
    remedy: str = ""


def examine() -> Iterator[Check]:
    """Every check in turn, cheapest first, as each is done."""
    yield _python()
    yield _processor()
    yield _memory()
    yield from (_folder(name, path) for name, path in _places())
    for distribution, module, extra, need in _LIBRARIES:
        yield _library(distribution, module, extra, need)
    yield from _system_libraries()
    yield _model()
    yield _literature()


def report(checks: list[Check]) -> dict[str, Any]:
    """The checks as one JSON object."""
    return {
        "schema": 1,
        "glassview": __version__,
        "ok": all(check.state == "ok" for check in checks),
        "checks": [asdict(check) for check in checks],
    }


def _python() -> Check:
    version = platform.python_version()
    found = f"{version} on {platform.platform()}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("Python", "ok", found)
    return Check("Python", "limited", found, "GlassView is made for Python 3.11 to 3.13.")


def _processor() -> Check:
    try:
        import numpy
    except ImportError:
        return Check("processor", "limited", f"{os.cpu_count()} threads; instruction set unknown")
    simd = numpy.show_config(mode="dicts")["SIMD Extensions"]["found"]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = f"{usable} of {os.cpu_count()} threads"
    if held := os.environ.get("OMP_NUM_THREADS"):
        threads += f", OMP_NUM_THREADS={held}"
    # numpy names whole levels: X86_V3 is AVX2 and its kin, X86_V4 AVX-512.
    fast = any(name.startswith(("AVX2", "AVX512", "X86_V3", "X86_V4")) for name in simd)
    found = f"{platform.machine()}, {threads}, {', '.join(simd) or 'no vector extensions found'}"
    if platform.machine().lower() in ("x86_64", "amd64") and not fast:
        return Check("processor", "limited", found, "Without AVX2 the model runs slowly.")
    return Check("processor", "ok", found)


def _memory() -> Check:
    total = _bytes_of_memory()
    if total is None:
        return Check("memory", "limited", "unknown")
    found = f"{total / _GIB:.1f} GiB"
    if total >= _ENOUGH_RAM:
        return Check("memory", "ok", found)
    return Check("memory", "limited", found, "Scan with `--workers 1`, or add memory (4 GiB).")


def _bytes_of_memory() -> int | None:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "win32":
        # GlobalMemoryStatusEx: two DWORDs (length, load), then seven 64-bit counts, total first.
        status = (ctypes.c_uint64 * 8)()
        ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = 64
        if ctypes.windll.kernel32.GlobalMemoryStatusEx(status):
            return int(status[1])
    return None


def _places() -> tuple[tuple[str, Path], ...]:
    return (
        ("data folder", user_data_dir()),
        ("configuration folder", user_config_dir()),
        ("temporary folder", Path(tempfile.gettempdir())),
    )


def _folder(name: str, path: Path) -> Check:
    """Whether files can be written there, or the folder be made."""
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check(name, "ok", f"{path}" if path.exists() else f"{path} (made when first used)")
    variable = {"data folder": "GLASSVIEW_DATA_DIR", "configuration folder": "GLASSVIEW_CONFIG_DIR"}
    return Check(
        name,
        "missing",
        f"{path} cannot be written",
        f"Make it writable, or set {variable.get(name, 'TMPDIR')} to a folder that is.",
    )


def _library(distribution: str, module: str, extra: str, need: str) -> Check:
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        package = f"glassview[{extra}]" if extra else "glassview"
        return Check(
            distribution,
            "missing",
            f"{error}".splitlines()[0] if f"{error}" else type(error).__name__,
            f"Needed for {need}. Run: pip install '{package}'",
        )
    try:
        return Check(distribution, "ok", importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        # A bundle may leave out a distribution's metadata; the library itself has been imported.
        return Check(distribution, "ok", "bundled")


def _system_libraries() -> Iterator[Check]:
    if sys.platform != "linux":
        return
    yield _shared("Qt's system libraries", _QT, "the desktop")
    shown = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    yield _shared("Qt's X11 libraries", _XCB, "windows under X11")
    if not shown:
        yield Check("display", "limited", "none", "The desktop needs one; the commands do not.")


def _shared(part: str, wanted: dict[str, str], need: str) -> Check:
    missing = [name for name in wanted if not _loads(name)]
    if not missing:
        return Check(part, "ok", f"{len(wanted)} found")
    packages = " ".join(wanted[name] for name in missing)
    return Check(
        part,
        "missing",
        f"not found: {', '.join(missing)}",
        f"Needed for {need}. On Debian or Ubuntu: sudo apt-get install {packages}",
    )


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _model() -> Check:
    try:
        from glassllava.model.opening import open_model

        identity = open_model("embedded").identity
    except (GlassError, ImportError) as error:
        return Check("embedded model", "missing", str(error), "Install GlassView again.")
    return Check(
        "embedded model",
        "ok",
        f"{identity.name} {identity.version}, {(identity.sha256 or '')[:12]}",
    )


def _literature() -> Check:
    try:
        from rag import open_library

        held = user_data_dir() / "library"
        if held.exists():
            return _searched(open_library(held), str(held))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return _searched(open_library(Path(folder) / "library"), "made when first used")
    except (GlassError, ImportError) as error:
        remedy = getattr(error, "remedy", "") or "Run: pip install 'glassview[library]'"
        return Check("literature", "missing", str(error), remedy)


def _searched(library: Any, where: str) -> Check:
    try:
        passages = library.search("crystals in float glass", 1)
    finally:
        library.close()
    if passages:
        return Check("literature", "ok", f"{where}; found '{passages[0].locator}'")
    return Check(
        "literature", "limited", f"{where}; a search found nothing", "Run: glassview library check"
    )
